/*
 * Sinks: where a permit leads. Everything that has permits contains one, so
 * that qrt_send and qrt_abort work on all of them. A sink lives until its
 * last permit is settled, also when it has been closed before: the ledger
 * points to it.
 */
#ifndef QRT_SINK_H
#define QRT_SINK_H

#include <qrt/permit.h>

#include "shim/src/internal.h"

struct qrt__sink;

/* In the thread of the permit's holder; the permit has been settled. */
struct qrt__sink_ops {
	const char *what; /* for reports: "channel" */
	/* Takes a copy of *@element. ECLOSED: nobody will receive it, it has been dropped. */
	enum qrt_err (*commit)(struct qrt__sink *sink, const void *element);
	void (*abort)(struct qrt__sink *sink);
};

struct qrt__sink {
	const struct qrt__sink_ops *ops;
	size_t size; /* of an element */
	qrt_drop_fn *drop;
};

/*
 * Enters a permit for @sink that is not valid yet: until qrt__permit_grant it cannot be used, and
 * its release does nothing. Before the wait, so that a grant cannot fail for memory.
 */
enum qrt_err qrt__permit_enter(struct qrt_cx *cx, struct qrt__sink *sink, const char *site,
			       struct qrt_permit *ret_permit);
/* It is valid: the sink has counted it. */
void qrt__permit_grant(struct qrt_permit *permit, struct qrt__sink *sink);
/* The wait for it has failed. NULL-safe as to its contents. */
void qrt__permit_forget(struct qrt_permit *permit);

#endif
