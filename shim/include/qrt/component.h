/*
 * A component: written once, run by either backend. Its instance is a region
 * in one runtime; these functions run as tasks of that region, with the
 * capabilities the component names and no others.
 */
#ifndef QRT_COMPONENT_H
#define QRT_COMPONENT_H

#include <qrt/port.h>
#include <qrt/region.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Prepares an instance: opens what it needs, serves nothing yet. cx's region
 * is the instance's own: tasks spawned into @home live as long as the
 * instance. @env is what the host gave; shared and constant. A failure must
 * leave nothing behind; its detail is what the operator reads.
 */
typedef enum qrt_err qrt_component_start_fn(struct qrt_cx *cx, struct qrt_region *home, void *env,
					    void **ret_state);
/* Begins (again) to take work from outside (a listener). Must not wait long. */
typedef enum qrt_err qrt_component_resume_fn(struct qrt_cx *cx, void *state);
/*
 * Stops taking work from outside and waits, within cx's deadline, until what
 * was taken has been answered. Afterwards the instance is warm: resume works.
 * ETIMEDOUT: something is still under way.
 */
typedef enum qrt_err qrt_component_drain_fn(struct qrt_cx *cx, void *state);
/* Releases everything. Called once, after a drain; no handler runs any more. */
typedef void qrt_component_stop_fn(struct qrt_cx *cx, void *state);
/*
 * Answers one message; runs in a task of its own. Owns @msg: destroys it or
 * returns it as the reply. After an error there is no reply.
 */
typedef enum qrt_err qrt_component_handle_fn(struct qrt_cx *cx, void *state, struct qrt_msg *msg,
					     struct qrt_msg **ret_reply);
/* Work from outside under way now. From any thread. */
typedef size_t qrt_component_in_flight_fn(void *state);

/* A number that an instance tells of itself. Names and texts are static. */
struct qrt_figure {
	const char *name; /* "http_connections_live" */
	const char *help; /* one sentence */
	bool is_gauge;	  /* a counter only grows, as long as the instance lives */
	uint64_t value;
};
#define QRT_FIGURES_MAX 32
/*
 * Writes at most @n_max figures, each time the same ones in the same order; returns how many. From
 * any thread, as long as the instance is not being stopped.
 */
typedef size_t qrt_component_figures_fn(void *state, struct qrt_figure *figures, size_t n_max);

struct qrt_component {
	const char *name; /* "server" */
	uint32_t caps;	  /* enum qrt_cap */
	qrt_component_start_fn *start;
	qrt_component_resume_fn *resume; /* may be NULL: takes only messages */
	qrt_component_drain_fn *drain;	 /* NULL exactly when resume is */
	qrt_component_stop_fn *stop;
	qrt_component_handle_fn *handle;       /* may be NULL: has no port */
	qrt_component_in_flight_fn *in_flight; /* may be NULL: only messages count */
	qrt_component_figures_fn *figures;     /* may be NULL */
};

#ifdef __cplusplus
}
#endif
#endif
