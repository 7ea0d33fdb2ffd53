/*
 * What the journal of moves says about where a component belongs.
 */
#ifndef QY_DB_ASSIGNED_H
#define QY_DB_ASSIGNED_H

#include "quotey/db/store.h"

/* The actor of moves that only carry out at start what was assigned before: they decide nothing. */
#define QY_ACTOR_START "system:start"
/* The actor of moves by which the configuration file, read again, had its way. */
#define QY_ACTOR_RELOAD "system:sighup"

struct qy_assigned {
	bool found;	  /* false: nobody ever moved it */
	char backend[16]; /* where the newest successful move took it */
	char actor[QY_ACTOR_SIZE];
	char at[QY_TIMESTAMP_SIZE];
};

/* The newest successful move of @component, starts aside. */
enum qrt_err qy_store_assigned(struct qrt_cx *cx, struct qy_store *store, const char *component,
			       struct qy_assigned *ret_assigned) QRT_MUST_USE;

#endif
