/*
 * Fibers: stacks from a pool and the switch between them. Knows nothing of
 * tasks; every switch tells the sanitizers and Valgrind.
 */
#ifndef QRT_FIBER_H
#define QRT_FIBER_H

#include <qrt/err.h>

#include "shim/src/base/list.h"

#if defined(__has_feature)
#define QRT__FEATURE(x) __has_feature(x)
#else
#define QRT__FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || QRT__FEATURE(address_sanitizer)
#define QRT__WITH_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__) || QRT__FEATURE(thread_sanitizer)
#define QRT__WITH_TSAN 1
#endif
#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(QRT_FIBER_UCONTEXT)
#define QRT__FIBER_ASM 1
#include "shim/src/fiber/fiber_jump.h"
#if !defined(QRT__WITH_ASAN) && !defined(QRT__WITH_TSAN)
#define QRT__FIBER_INLINE 1 /* nobody to tell of a switch */
#endif
#endif

struct qrt__stack_pool;

struct qrt__stack {
	struct qrt__list node;
	char *base;	   /* lowest usable byte; below it lies the guard */
	size_t size;	   /* usable bytes */
	unsigned valgrind; /* registration id */
	bool painted;	   /* for the census */
};

struct qrt__fiber {
	void *sp;		  /* where it goes on */
	struct qrt__stack *stack; /* NULL: a thread's own stack */
	const void *asan_bottom;
	size_t asan_size;
	void *asan_fake;
	void *tsan;
	void *ucontext; /* only in builds without an assembly switch */
};

typedef void qrt__fiber_fn(void *arg);

/* @guard_bytes and @stack_bytes are rounded up to pages. */
enum qrt_err qrt__stack_pool_create(size_t stack_bytes, struct qrt__stack_pool **ret_pool);
/* All stacks must be back. NULL-safe. */
/* From now on this thread keeps one pool that is destroyed, for the next one created. */
void qrt__stack_pool_keep_one(void);
void qrt__stack_pool_destroy(struct qrt__stack_pool **pool);
/* Of at least @bytes (0: the pool's own size). QRT_ENOMEM when the system gives no more. */
enum qrt_err qrt__stack_get(struct qrt__stack_pool *pool, size_t bytes,
			    struct qrt__stack **ret_stack);
void qrt__stack_put(struct qrt__stack_pool *pool, struct qrt__stack *stack);
/* Whether @address lies in the guard below @stack. */
bool qrt__stack_guards(const struct qrt__stack *stack, const void *address);

/* A fiber for some thread's own stack: ENOMEM, so not when the thread already runs. */
enum qrt_err qrt__fiber_open_thread(struct qrt__fiber *fiber);
/* It stands for the calling thread from now on. */
void qrt__fiber_enter_thread(struct qrt__fiber *fiber);
/* The same of one that has entered this thread before, maybe on another stack of it. */
void qrt__fiber_enter_again(struct qrt__fiber *fiber);
void qrt__fiber_close_thread(struct qrt__fiber *fiber);
/*
 * Prepares fn(arg) to start on @stack, below its top @reserved bytes (which
 * stay the caller's). @fn must not return.
 */
enum qrt_err qrt__fiber_init(struct qrt__fiber *fiber, struct qrt__stack *stack, size_t reserved,
			     qrt__fiber_fn *fn, void *arg);
void qrt__fiber_fini(struct qrt__fiber *fiber);
#ifdef QRT__FIBER_INLINE
/* Saves the running context in @from and goes on in @to. @last: @from never comes back. */
static inline void qrt__fiber_switch(struct qrt__fiber *from, struct qrt__fiber *to, bool last)
{
	(void)last;
	qrt__fiber_jump(&from->sp, to->sp);
}
/* First call on a new fiber, with what switched to it. */
static inline void qrt__fiber_entered(struct qrt__fiber *fiber)
{
	(void)fiber;
}
#else
void qrt__fiber_switch(struct qrt__fiber *from, struct qrt__fiber *to, bool last);
void qrt__fiber_entered(struct qrt__fiber *fiber);
#endif

#endif
