/* Looks now and then whether the loop still runs the task that it ran before. */
#include "shim/src/loop/watchdog.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "shim/src/internal.h"

/* Looks per stall_ns: a stall is noticed at most so much of it late. */
enum { LOOKS = 4 };

/* What the loop is at. While two are equal the loop has not moved. */
struct sight {
	int64_t busy_since_ns;
	uint64_t runs;
};

/* What the thread knows. */
struct memory {
	struct sight sight;
	int64_t since_ns; /* it was first seen */
	int64_t next_ns;  /* held for so long it is reported */
	unsigned reports;
};

static int64_t clock_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * QRT_SEC + ts.tv_nsec;
}

static struct sight look(struct qrt__watchdog *dog)
{
	struct qrt_runtime *rt = dog->rt;
	atomic_fetch_add_explicit(&dog->looks, 1, memory_order_relaxed);
	return (struct sight){
	    .busy_since_ns = atomic_load_explicit(&rt->busy_since_ns, memory_order_relaxed),
	    .runs = atomic_load_explicit(&rt->runs, memory_order_relaxed),
	};
}

static bool same(const struct sight *a, const struct sight *b)
{
	return a->busy_since_ns == b->busy_since_ns && a->runs == b->runs;
}

static void report(struct qrt__watchdog *dog, struct memory *memory, int64_t held_ns)
{
	struct qrt_runtime *rt = dog->rt;
	const char *task = atomic_load_explicit(&rt->busy_task, memory_order_relaxed);
	const char *site = atomic_load_explicit(&rt->busy_site, memory_order_relaxed);
	const struct sight now = look(dog);
	if (!same(&now, &memory->sight)) {
		return; /* it has just come back: the names may be another's */
	}
	if (memory->reports++ == 0) {
		QRT__COUNT(rt->stalls, 1);
	}
	memory->next_ns = 2 * held_ns;
	const struct qrt_stall stall = {.runtime = rt->name,
					.task = task,
					.site = task ? site : NULL,
					.held_ns = held_ns,
					.reports = memory->reports};
	dog->on_stall(dog->arg, &stall);
}

/* Whether the loop has moved since the last time. */
static bool look_again(struct qrt__watchdog *dog, struct memory *memory)
{
	const struct sight now = look(dog);
	int64_t now_ns = clock_ns();
	if (!same(&now, &memory->sight)) {
		*memory =
		    (struct memory){.sight = now, .since_ns = now_ns, .next_ns = dog->stall_ns};
		return true;
	}
	int64_t held_ns = now_ns - memory->since_ns;
	if (now.busy_since_ns && held_ns >= memory->next_ns) {
		report(dog, memory, held_ns);
	}
	return false;
}

/* --- sleeping: under the lock ---------------------------------------------------------------- */

static void wait_a_while(struct qrt__watchdog *dog, int64_t ns)
{
	int64_t at = clock_ns() + ns;
	const struct timespec until = {.tv_sec = at / QRT_SEC, .tv_nsec = at % QRT_SEC};
	pthread_cond_timedwait(&dog->changed, &dog->lock, &until);
}

static void wait_for_poke(struct qrt__watchdog *dog)
{
	while (!dog->ending && atomic_load_explicit(&dog->wants_poke, memory_order_relaxed)) {
		pthread_cond_wait(&dog->changed, &dog->lock);
	}
}

static void set_state(struct qrt__watchdog *dog, enum qrt__watchdog_state state)
{
	atomic_store_explicit(&dog->wants_poke, state != QRT__DOG_LOOKS, memory_order_relaxed);
	atomic_store_explicit(&dog->state, state, memory_order_relaxed);
}

/*
 * What comes after a look. The loop orders its word that it is busy and its look at wants_poke
 * by no fence, so it may miss a request just made. Hence the doze: long after the request we
 * look once more, and see the busy word of any turn that had missed it.
 */
static void rest(struct qrt__watchdog *dog, const struct memory *memory, bool moved)
{
	int64_t pause_ns = dog->stall_ns / LOOKS + 1;
	bool idle = !moved && memory->sight.busy_since_ns == 0;
	bool poked = !atomic_load_explicit(&dog->wants_poke, memory_order_relaxed);
	unsigned state = atomic_load_explicit(&dog->state, memory_order_relaxed);
	if (!idle) {
		set_state(dog, QRT__DOG_LOOKS);
	} else if (state == QRT__DOG_DOZES && !poked) {
		set_state(dog, QRT__DOG_SLEEPS);
		wait_for_poke(dog);
		set_state(dog, QRT__DOG_LOOKS);
		return;
	} else {
		set_state(dog, QRT__DOG_DOZES);
	}
	wait_a_while(dog, pause_ns);
}

static void *watch(void *arg)
{
	struct qrt__watchdog *dog = arg;
	struct memory memory = {.next_ns = dog->stall_ns};
	memory.since_ns = clock_ns();
	pthread_mutex_lock(&dog->lock);
	while (!dog->ending) {
		pthread_mutex_unlock(&dog->lock);
		bool moved = look_again(dog, &memory);
		pthread_mutex_lock(&dog->lock);
		if (!dog->ending) {
			rest(dog, &memory, moved);
		}
	}
	pthread_mutex_unlock(&dog->lock);
	return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

void qrt__watchdog_wake(struct qrt__watchdog *dog)
{
	pthread_mutex_lock(&dog->lock);
	atomic_store_explicit(&dog->wants_poke, false, memory_order_relaxed);
	pthread_cond_signal(&dog->changed);
	pthread_mutex_unlock(&dog->lock);
}

static void dog_free(struct qrt__watchdog *dog)
{
	pthread_mutex_destroy(&dog->lock);
	pthread_cond_destroy(&dog->changed);
	free(dog);
}

enum qrt_err qrt__watchdog_start(struct qrt_runtime *rt, const struct qrt_runtime_options *opts)
{
	struct qrt__watchdog *dog = calloc(1, sizeof(*dog));
	if (!dog) {
		return QRT_ENOMEM;
	}
	dog->rt = rt;
	dog->on_stall = opts->on_stall;
	dog->arg = opts->stall_arg;
	dog->stall_ns = rt->stall_ns;
	pthread_mutex_init(&dog->lock, NULL);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&dog->changed, &attr);
	pthread_condattr_destroy(&attr);
	enum qrt_err err = qrt__thread_start(&dog->thread, watch, dog, "watchdog");
	if (err) {
		dog_free(dog);
		return err;
	}
	rt->watchdog = dog;
	return QRT_OK;
}

void qrt__watchdog_stop(struct qrt__watchdog **dog)
{
	if (!*dog) {
		return;
	}
	pthread_mutex_lock(&(*dog)->lock);
	(*dog)->ending = true;
	pthread_cond_signal(&(*dog)->changed);
	pthread_mutex_unlock(&(*dog)->lock);
	pthread_join((*dog)->thread, NULL);
	dog_free(*dog);
	*dog = NULL;
}
