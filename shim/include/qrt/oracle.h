/*
 * Oracles: what must hold of every execution, told from what is heard of it
 * while it goes on, whatever the runtime itself keeps in its books. A lab has
 * them for each of its runtimes, also where it only observes. What they find
 * is printed as soon as it happens, and is in the verdicts.
 *
 *	orphan task		nobody lives in a region that has closed
 *	quiescence		when a loop ends nothing lives in its runtime
 *	obligation leak		each duty is settled by whoever has it, in time
 *	loser drained		who has lost is cancelled and awaited
 *	finalizer ran once	each, before its owner has ended, the last one first
 *	cancel reached		whoever must hear of a cancel does, and heeds it
 *	deadline monotone	nobody has more time than its scope; it is kept, too
 *	message once		what was sent arrives once and in order, or is dropped
 *	one terminal event	each wait and each operation ends, and ends once
 *	database whole		as the program says: qrt_lab_fact
 *
 * On an engine that promises less only that is asked of it.
 */
#ifndef QRT_ORACLE_H
#define QRT_ORACLE_H

#include <qrt/lab.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_verdict {
	const char *name;    /* static, or that of a fact */
	uint64_t saw;	     /* what it had to judge; 0: no data */
	uint64_t violations; /* of it */
	char first[256];     /* the first one; of one without data: why, or "" */
};

/* So many there are, without a program's own facts, and with them at most. */
enum { QRT_ORACLES = 10, QRT_VERDICTS_MAX = 32 };

/*
 * What the oracles of @lab say so far: at most @n to @ret_verdicts, the ten above first. Returns
 * how many there are. From any thread.
 */
QRT_API size_t qrt_lab_verdicts(struct qrt_lab *lab, struct qrt_verdict *ret_verdicts, size_t n);
/* "ok", "no data" or "violated". */
QRT_API const char *qrt_verdict_text(const struct qrt_verdict *verdict);

/*
 * Tells an oracle, one of the above or one of the program's own (@name is static then; more than
 * QRT_VERDICTS_MAX are one violation), what was found; the text is for when it does not hold. With
 * @lab NULL nothing. Returns @holds. From any thread.
 */
QRT_API bool qrt_lab_fact(struct qrt_lab *lab, const char *name, bool holds, const char *fmt, ...)
    QRT_PRINTF(4, 5);

#ifdef __cplusplus
}
#endif
#endif
