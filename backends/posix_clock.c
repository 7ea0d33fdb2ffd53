/* Clocks and randomness of the real system. */
#include "backends/posix_clock.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include <qrt/cx.h>

int64_t qrt__posix_now(struct qrt_runtime *rt)
{
	(void)rt;
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * QRT_SEC + ts.tv_nsec;
}

int64_t qrt__posix_wall_ms(struct qrt_runtime *rt)
{
	(void)rt;
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / QRT_MS;
}

void qrt__posix_random(struct qrt_runtime *rt, void *buf, size_t n)
{
	(void)rt;
	char *at = buf;
	while (n > 0) {
		ssize_t got = getrandom(at, n, 0);
		if (got > 0) {
			at += got;
			n -= (size_t)got;
		} else {
			QRT_ASSERT(errno == EINTR);
		}
	}
}
