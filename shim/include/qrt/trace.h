/*
 * Recordings of what a runtime does, step by step: which task ran when, what
 * it waited for, regions, cancels, stalls. Written as the JSON that Perfetto
 * and chrome://tracing open. Off by default; then a step costs one branch.
 */
#ifndef QRT_TRACE_H
#define QRT_TRACE_H

#include <qrt/cx.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A recording that has ended: its owner's, for any thread, also after the runtime. */
struct qrt_trace;

#define QRT_TRACE_EVENTS_MAX (1u << 20)

/*
 * Begins to record cx's runtime. Of more than @n_events steps the first are lost. Needs
 * QRT_CAP_TRACE. Errors: ENOTCAPABLE, ETHREAD, EINVAL (0, or more than QRT_TRACE_EVENTS_MAX),
 * EBUSY (it is being recorded), ENOMEM.
 */
QRT_API enum qrt_err qrt_trace_start(struct qrt_cx *cx, size_t n_events) QRT_MUST_USE;
/*
 * Ends the recording and gives it to the caller, who ends with qrt_trace_destroy. Errors:
 * ENOTCAPABLE, ETHREAD, ESTATE (nothing is being recorded).
 */
QRT_API enum qrt_err qrt_trace_stop(struct qrt_cx *cx, struct qrt_trace **ret_trace) QRT_MUST_USE;
/* Steps that are in @trace, and those that were overwritten. */
QRT_API size_t qrt_trace_kept(const struct qrt_trace *trace);
QRT_API uint64_t qrt_trace_lost(const struct qrt_trace *trace);

/* Takes the next @n bytes of text. An error ends the export. */
typedef enum qrt_err qrt_trace_write_fn(void *arg, const char *text, size_t n);
/*
 * Writes @n recordings, NULL ones aside, as one JSON document, in pieces: a process per runtime,
 * a thread per task. Any thread. Errors: ENOMEM, those of @write.
 */
QRT_API enum qrt_err qrt_trace_export(struct qrt_trace *const *traces, size_t n,
				      qrt_trace_write_fn *write, void *arg) QRT_MUST_USE;
/* NULL-safe. */
QRT_API void qrt_trace_destroy(struct qrt_trace **trace);

#ifdef __cplusplus
}
#endif
#endif
