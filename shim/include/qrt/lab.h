/*
 * The lab, from the outside: a simulated network to talk to what runs in a
 * lab runtime. Use these only in tasks of that very runtime.
 */
#ifndef QRT_LAB_H
#define QRT_LAB_H

#include <qrt/stream.h>
#include <qrt/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether cx belongs to a lab runtime. */
QRT_API bool qrt_in_lab(const struct qrt_cx *cx);

/*
 * Two connected streams, as fds for qrt_stream_adopt. Needs NET. Errors: ENOTSUP outside the
 * lab, ENOMEM, EMFILE.
 */
QRT_API enum qrt_err qrt_lab_pair(struct qrt_cx *cx, int *ret_a, int *ret_b) QRT_MUST_USE;

/*
 * Raises @signo for every set in this lab that has it; one that is pending there already is not
 * queued twice. Needs SIGNAL. Errors: ENOTSUP, ENOENT (nobody opened it).
 */
QRT_API enum qrt_err qrt_lab_raise(struct qrt_cx *cx, int signo) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
