/*
 * Fire and forget, for code that has not been ported: a task whose starter
 * does not wait for it. Every use is counted; the goal is none. New code opens
 * a region instead.
 *
 * What becomes of such a task is the backend's promise "detached-spawn": on
 * legacy it belongs to the runtime and outlives its component; on region and
 * lab it is a child of the component's home region, so that a stop waits for
 * it. Either way a shutdown waits for it, and it is never lost.
 */
#ifndef QRT_COMPAT_DETACH_H
#define QRT_COMPAT_DETACH_H

#include <qrt/region.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Starts fn(cx, arg); arg is the task's own and freed by it. @home is the
 * component's home region. Does not suspend; may be called from any task of
 * the runtime. Errors: ENOMEM, ECLOSED, ELIMIT; then @arg stays the caller's.
 */
#define qrt_detach(home, fn, arg) qrt_detach_at((home), (fn), (arg), #fn, QRT_SITE)
QRT_API enum qrt_err qrt_detach_at(struct qrt_region *home, qrt_task_fn *fn, void *arg,
				   const char *name, const char *site) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
