/*
 * The `db` component: owns the database and answers the messages of messages.h.
 */
#ifndef QY_DB_COMPONENT_H
#define QY_DB_COMPONENT_H

#include <qrt/component.h>
#include <qrt/db.h>
#include <qrt/log.h>

/* What its host gives as env; must outlive every instance. */
struct qy_db_env {
	struct qrt_db_options options; /* url, readers, synchronous_full, times */
	struct qrt_log *log;	       /* NULL: silent */
};

/*
 * start fails with ESTATE when the schema is not the newest: migrating is the host's business.
 * Each instance opens the database for itself, so `:memory:` cannot be moved between backends.
 */
extern const struct qrt_component qy_db_component;

#endif
