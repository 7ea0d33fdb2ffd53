/*
 * The watchdog of a runtime: a thread that looks from outside whether one
 * task keeps the loop. Never touches what belongs to the loop's thread.
 */
#ifndef QRT_WATCHDOG_H
#define QRT_WATCHDOG_H

#include <pthread.h>
#include <stdatomic.h>

#include <qrt/runtime.h>

/*
 *	looking <──────> dozing: asks to be woken, and looks once more
 *	   ^                │
 *	   └── poked <── asleep: until the loop does something
 */
enum qrt__watchdog_state { QRT__DOG_LOOKS, QRT__DOG_DOZES, QRT__DOG_SLEEPS };

struct qrt__watchdog {
	_Atomic bool wants_poke; /* set by the thread, cleared by who pokes */
	struct qrt_runtime *rt;
	void (*on_stall)(void *arg, const struct qrt_stall *stall);
	void *arg;
	int64_t stall_ns;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool ending;		/* under the lock */
	_Atomic unsigned state; /* enum qrt__watchdog_state, for tests */
	_Atomic uint64_t looks; /* for tests */
};

/* Errors: ENOMEM, EAGAIN, EINVAL. */
enum qrt_err qrt__watchdog_start(struct qrt_runtime *rt, const struct qrt_runtime_options *opts);
/* Waits for its thread. NULL-safe. */
void qrt__watchdog_stop(struct qrt__watchdog **dog);
void qrt__watchdog_wake(struct qrt__watchdog *dog);

/* At the beginning of each turn, after the loop has said that it is busy. */
static inline void qrt__watchdog_poke(struct qrt__watchdog *dog)
{
	if (dog && atomic_load_explicit(&dog->wants_poke, memory_order_relaxed)) {
		qrt__watchdog_wake(dog);
	}
}

#endif
