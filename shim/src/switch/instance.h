/*
 * An instance: a component started in one runtime. Its home region is open
 * from a successful start until stop, held by a resident task.
 *
 *	cold ──> starting ──> warm <──> active
 *	  ^         │          │
 *	  └─────────┴──────────┘
 */
#ifndef QRT_INSTANCE_H
#define QRT_INSTANCE_H

#include <qrt/component.h>

#include "shim/src/internal.h"

enum qrt__instance_phase { QRT__COLD, QRT__STARTING, QRT__WARM, QRT__ACTIVE };

struct qrt__instance {
	const struct qrt_component *component;
	void *env;
	struct qrt_runtime *rt;
	const char *backend;
	_Atomic int phase; /* enum qrt__instance_phase */

	/* Of the instance's own loop thread, but for reading after a start. */
	struct qrt_region *home;
	struct qrt_task *resident;
	void *state;
	enum qrt_err start_err;
	char start_detail[QRT__DETAIL_MAX];
	struct qrt__event decided, stop, stopped, idle;

	/* Messages under way; any thread. */
	_Atomic size_t messages;
	_Atomic bool draining, idle_posted;
	struct qrt__post idle_post;
};

void qrt__instance_init(struct qrt__instance *instance, const struct qrt_component *component,
			void *env, const char *backend, struct qrt_runtime *rt);
/* Each suspends, from any runtime, and gives up (ETIMEDOUT) at @deadline_ns; detail in cx. */
enum qrt_err qrt__instance_start(struct qrt_cx *cx, struct qrt__instance *instance,
				 int64_t deadline_ns);
enum qrt_err qrt__instance_resume(struct qrt_cx *cx, struct qrt__instance *instance,
				  int64_t deadline_ns);
enum qrt_err qrt__instance_drain(struct qrt_cx *cx, struct qrt__instance *instance,
				 int64_t deadline_ns);
enum qrt_err qrt__instance_stop(struct qrt_cx *cx, struct qrt__instance *instance,
				int64_t deadline_ns);
/* Work under way: messages, and what the component took from outside. Any thread. */
size_t qrt__instance_in_flight(struct qrt__instance *instance);
/* What it tells of itself; none unless it is warm or active. Any thread, while it is in the book.
 */
size_t qrt__instance_figures(struct qrt__instance *instance, struct qrt_figure *figures,
			     size_t n_max);
/* A message begins and ends; any thread. */
void qrt__instance_enter(struct qrt__instance *instance);
void qrt__instance_leave(struct qrt__instance *instance);

#endif
