/*
 * The obligation ledger: what somebody has promised to settle. A permit must
 * be sent or aborted, a lease given back, a transaction ended, an ack
 * answered. Each is an entry of a region with its holder and the site that
 * made it; a structured region cannot close over an open one: it settles it
 * by the entry's release function, counts a leak and names the site.
 *
 * Permits, leases, jobs and streams are entered by the calls that make them.
 * This header is for duties of an application's own.
 */
#ifndef QRT_LEDGER_H
#define QRT_LEDGER_H

#include <qrt/region.h>

#ifdef __cplusplus
extern "C" {
#endif

/* name, text, whether it must be settled before its holder ends (else: before its region) */
#define QRT_DUTIES(X)                                                                              \
	X(QRT_DUTY_PERMIT, "permit", true)                                                         \
	X(QRT_DUTY_LEASE, "lease", true)                                                           \
	X(QRT_DUTY_TRANSACTION, "transaction", true)                                               \
	X(QRT_DUTY_ACK, "ack", false)                                                              \
	X(QRT_DUTY_JOB, "job", true)                                                               \
	X(QRT_DUTY_STREAM, "stream", false)                                                        \
	X(QRT_DUTY_OTHER, "duty", false)

enum qrt_duty_kind {
#define QRT__DUTY_ENUM(name, text, with_holder) name,
	QRT_DUTIES(QRT__DUTY_ENUM)
#undef QRT__DUTY_ENUM
	    QRT__DUTY_KINDS
};

/*
 * A handle, copied freely within its runtime's thread; using one that is settled is QRT_ESTALE.
 * All zero: none.
 */
struct qrt_duty {
	void *entry;
	uint32_t generation;
};

/* Settles a duty nobody settled. Runs on the loop's thread; must not suspend. */
typedef void qrt_release_fn(void *arg);

/*
 * Enters a duty of cx's region, held by cx's task where the kind has a holder. @what is static
 * text for reports. When nobody settles it release(arg) does (NULL: nothing to undo): at the end
 * of the holder or of the region, as the kind says; on backends that only count leaks when the
 * runtime is closed. @arg stays the caller's and must live until then. Does not suspend. Errors:
 * ENOMEM, ELIMIT (the region's duties_max); then nothing is entered.
 */
#define qrt_oblige(cx, kind, what, release, arg, ret_duty)                                         \
	qrt_oblige_at((cx), (kind), (what), (release), (arg), QRT_SITE, (ret_duty))
QRT_API enum qrt_err qrt_oblige_at(struct qrt_cx *cx, enum qrt_duty_kind kind, const char *what,
				   qrt_release_fn *release, void *arg, const char *site,
				   struct qrt_duty *ret_duty) QRT_MUST_USE;
/* The duty is done; release will not run; *@duty is all zero. Errors: ESTALE (settled before). */
QRT_API enum qrt_err qrt_settle(struct qrt_duty *duty) QRT_MUST_USE;
/*
 * From now on @cx's region answers for it and its task holds it, which may be another than the one
 * that runs. Errors: ESTALE, ELIMIT, EINVAL (of another runtime); then nothing has changed.
 */
QRT_API enum qrt_err qrt_duty_give(struct qrt_duty *duty, struct qrt_cx *cx) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
