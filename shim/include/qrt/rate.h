/*
 * Rate limits: how many calls each key has made in the last 60 seconds. A key is whatever is
 * counted: an API key, an address.
 *
 * Time is an argument, so that a test can pass any. From any thread; one lock, held for one
 * call's bookkeeping, so that two runtimes can count together while a component moves between
 * them. Exact for rates up to 600 a minute; above that calls are counted in groups of up to
 * rate / 600, and a group leaves the window with its last call, so that the limit is never
 * exceeded.
 */
#ifndef QRT_RATE_H
#define QRT_RATE_H

#include <qrt/err.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QRT_RATE_KEYS_MAX 4096
#define QRT_RATE_NAME_MAX 63

struct qrt_rate;

struct qrt_rate_verdict {
	bool allowed;
	unsigned retry_after_seconds; /* at least 1 when not allowed, else 0 */
	bool first_this_minute;	      /* allowed, and no call was reported so for 60 s */
};

QRT_API enum qrt_err qrt_rate_create(struct qrt_rate **ret_rate) QRT_MUST_USE;
/* NULL-safe; NULLs the caller's pointer. */
QRT_API void qrt_rate_destroy(struct qrt_rate **rate);

/*
 * One call of @key at @now_ns of a clock that does not run backwards. A refused call does not
 * count. A key whose @per_minute changes starts with an empty window. Errors: ENOMEM; ELIMIT when
 * more keys than QRT_RATE_KEYS_MAX called within a minute; EINVAL for an empty or long key or a
 * rate of 0.
 */
QRT_API enum qrt_err qrt_rate_take(struct qrt_rate *rate, const char *key, unsigned per_minute,
				   int64_t now_ns,
				   struct qrt_rate_verdict *ret_verdict) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
