/*
 * The rate limit: how many calls each key has made in the last 60 seconds.
 *
 * Time is an argument, so a test can pass any. A limiter belongs to one thread. Exact for rates up
 * to 600 a minute; above that calls are counted in groups of up to rate / 600, and a group leaves
 * the window with its last call, so that the limit is never exceeded.
 */
#ifndef QY_SERVER_RATE_H
#define QY_SERVER_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include <qrt/err.h>

#define QY_RATE_KEYS_MAX 4096
#define QY_RATE_NAME_MAX 15

struct qy_rate;

struct qy_rate_verdict {
	bool allowed;
	unsigned retry_after_seconds; /* at least 1 when not allowed, else 0 */
	bool first_this_minute;	      /* allowed, and no call was reported so for 60 s */
};

enum qrt_err qy_rate_create(struct qy_rate **ret_rate) QRT_MUST_USE;
/* NULL-safe; NULLs the caller's pointer. */
void qy_rate_destroy(struct qy_rate **rate);

/*
 * One call of @key at @now_ns, which never runs backwards. A refused call does not count. A key
 * whose @per_minute changes starts with an empty window. Errors: ENOMEM; ELIMIT when more keys
 * than QY_RATE_KEYS_MAX called within a minute; EINVAL for an empty or long key or a rate of 0.
 */
enum qrt_err qy_rate_take(struct qy_rate *rate, const char *key, unsigned per_minute,
			  int64_t now_ns, struct qy_rate_verdict *ret_verdict) QRT_MUST_USE;

#endif
