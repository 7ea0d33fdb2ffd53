/*
 * Process signals as something one waits for. The set is blocked in the
 * calling thread by qrt_signal_open and must be opened before other threads
 * start, so that they inherit the mask.
 */
#ifndef QRT_SIGNAL_H
#define QRT_SIGNAL_H

#include <qrt/cx.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_signals;

/*
 * @signos: @n (1..8) signal numbers. The set is a duty (qrt/ledger.h) of cx's region, which closes
 * it if nobody else does. Does not suspend. Needs SIGNAL. Errors: EMFILE, EINVAL, ENOMEM, ELIMIT.
 */
#define qrt_signal_open(cx, signos, n, ret_signals)                                                \
	qrt_signal_open_at((cx), (signos), (n), QRT_SITE, (ret_signals))
QRT_API enum qrt_err qrt_signal_open_at(struct qrt_cx *cx, const int *signos, size_t n,
					const char *site,
					struct qrt_signals **ret_signals) QRT_MUST_USE;
/*
 * The next signal of the set. Suspends. Needs SIGNAL. Errors: ECLOSED (while it waited), ESTALE,
 * EBUSY (another task waits for this set), EINVAL (a set of another runtime).
 */
QRT_API enum qrt_err qrt_signal_wait(struct qrt_cx *cx, struct qrt_signals *signals,
				     int *ret_signo) QRT_MUST_USE;
/*
 * Who waits gets ECLOSED. Sets *@signals to NULL; NULL-safe, also for a stale one. The signals stay
 * blocked. Does not suspend.
 */
QRT_API void qrt_signal_close(struct qrt_cx *cx, struct qrt_signals **signals);

#ifdef __cplusplus
}
#endif
#endif
