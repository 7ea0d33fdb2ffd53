/* Clocks and randomness of the real system, shared by the real drivers. */
#ifndef QRT_BACKENDS_POSIX_CLOCK_H
#define QRT_BACKENDS_POSIX_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct qrt_runtime;

int64_t qrt__posix_now(struct qrt_runtime *rt);
int64_t qrt__posix_wall_ms(struct qrt_runtime *rt);
void qrt__posix_random(struct qrt_runtime *rt, void *buf, size_t n);

#endif
