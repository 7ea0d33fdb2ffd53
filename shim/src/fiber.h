/*
 * Fibers: stacks from a pool and the switch between them. Knows nothing of
 * tasks; every switch tells the sanitizers and Valgrind.
 */
#ifndef QRT_FIBER_H
#define QRT_FIBER_H

#include <qrt/err.h>

#include "shim/src/list.h"

struct qrt__stack_pool;

struct qrt__stack {
	struct qrt__list node;
	char *base;	   /* lowest usable byte; below it lies the guard */
	size_t size;	   /* usable bytes */
	unsigned valgrind; /* registration id */
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
void qrt__stack_pool_destroy(struct qrt__stack_pool **pool);
/* Of at least @bytes (0: the pool's own size). QRT_ENOMEM when the system gives no more. */
enum qrt_err qrt__stack_get(struct qrt__stack_pool *pool, size_t bytes,
			    struct qrt__stack **ret_stack);
void qrt__stack_put(struct qrt__stack_pool *pool, struct qrt__stack *stack);
/* Whether @address lies in the guard below @stack. */
bool qrt__stack_guards(const struct qrt__stack *stack, const void *address);

/* Describes the calling thread's own stack as a fiber. */
void qrt__fiber_init_thread(struct qrt__fiber *fiber);
void qrt__fiber_fini_thread(struct qrt__fiber *fiber);
/*
 * Prepares fn(arg) to start on @stack, below its top @reserved bytes (which
 * stay the caller's). @fn must not return.
 */
enum qrt_err qrt__fiber_init(struct qrt__fiber *fiber, struct qrt__stack *stack, size_t reserved,
			     qrt__fiber_fn *fn, void *arg);
void qrt__fiber_fini(struct qrt__fiber *fiber);
/* Saves the running context in @from and goes on in @to. @last: @from never comes back. */
void qrt__fiber_switch(struct qrt__fiber *from, struct qrt__fiber *to, bool last);
/* First call on a new fiber, with what switched to it. */
void qrt__fiber_entered(struct qrt__fiber *fiber);

#endif
