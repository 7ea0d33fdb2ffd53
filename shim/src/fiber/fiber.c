/*
 * The switch between stacks, and what the tools must be told about it:
 * AddressSanitizer where the stack lies, ThreadSanitizer which fiber runs.
 * Never touches tasks.
 */
#include "shim/src/fiber/fiber.h"

#include <stdlib.h>
#include <string.h>

#ifdef QRT__WITH_ASAN
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef QRT__WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#ifdef QRT__FIBER_ASM

void qrt__fiber_start(void);

/* The frame that qrt__fiber_jump pops on its way into a new fiber. */
static enum qrt_err frame_make(struct qrt__fiber *fiber, char *top, qrt__fiber_fn *fn, void *arg)
{
#if defined(__x86_64__)
	/* Popped by qrt__fiber_start, which leaves the stack as after a call: 8 off alignment. */
	void **sp = (void **)(void *)top;
	*--sp = NULL; /* the return address: backtraces stop here */
	*--sp = (void *)(uintptr_t)fn;
	*--sp = arg;
	*--sp = (void *)(uintptr_t)qrt__fiber_start;
#else
	void **sp = (void **)(void *)(top - 160);
	memset(sp, 0, 160);
	sp[0] = (void *)(uintptr_t)fn;		      /* x19 */
	sp[1] = arg;				      /* x20 */
	sp[11] = (void *)(uintptr_t)qrt__fiber_start; /* x30 */
#endif
	fiber->sp = sp;
	return QRT_OK;
}

static void frame_free(struct qrt__fiber *fiber)
{
	fiber->sp = NULL;
}

#ifndef QRT__FIBER_INLINE
static void jump(struct qrt__fiber *from, struct qrt__fiber *to)
{
	qrt__fiber_jump(&from->sp, to->sp);
}
#endif

static enum qrt_err thread_frame(struct qrt__fiber *fiber)
{
	fiber->sp = NULL;
	return QRT_OK;
}

#else /* the portable way, about a hundred times slower: a system call per switch */

#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

struct portable {
	ucontext_t context;
	qrt__fiber_fn *fn;
	void *arg;
};

/* makecontext passes only ints: the pointer travels in two halves. */
static void portable_start(unsigned high, unsigned low)
{
	struct portable *self = (void *)(((uintptr_t)high << 16 << 16) | low);
	self->fn(self->arg);
}

static enum qrt_err thread_frame(struct qrt__fiber *fiber)
{
	fiber->ucontext = calloc(1, sizeof(struct portable));
	return fiber->ucontext ? QRT_OK : QRT_ENOMEM;
}

static enum qrt_err frame_make(struct qrt__fiber *fiber, char *top, qrt__fiber_fn *fn, void *arg)
{
	if (thread_frame(fiber)) {
		return QRT_ENOMEM;
	}
	struct portable *self = fiber->ucontext;
	self->fn = fn;
	self->arg = arg;
	getcontext(&self->context);
	self->context.uc_stack.ss_sp = fiber->stack->base;
	self->context.uc_stack.ss_size = (size_t)(top - fiber->stack->base);
	self->context.uc_link = NULL;
	uintptr_t bits = (uintptr_t)self;
	makecontext(&self->context, (void (*)(void))(uintptr_t)portable_start, 2,
		    (unsigned)(bits >> 16 >> 16), (unsigned)bits);
	return QRT_OK;
}

static void frame_free(struct qrt__fiber *fiber)
{
	free(fiber->ucontext);
	fiber->ucontext = NULL;
}

static void jump(struct qrt__fiber *from, struct qrt__fiber *to)
{
	struct portable *f = from->ucontext;
	struct portable *t = to->ucontext;
	/* swapcontext gives each context its own signal mask; a mask belongs to the thread. */
	pthread_sigmask(SIG_BLOCK, NULL, &t->context.uc_sigmask);
	QRT_IGNORE(swapcontext(&f->context, &t->context), "fails only without memory for a mask");
}

#endif

enum qrt_err qrt__fiber_open_thread(struct qrt__fiber *fiber)
{
	memset(fiber, 0, sizeof(*fiber));
	return thread_frame(fiber);
}

void qrt__fiber_enter_thread(struct qrt__fiber *fiber)
{
	(void)fiber;
#ifdef QRT__WITH_ASAN
	pthread_attr_t attr;
	void *bottom;
	if (pthread_getattr_np(pthread_self(), &attr) == 0) {
		pthread_attr_getstack(&attr, &bottom, &fiber->asan_size);
		fiber->asan_bottom = bottom;
		pthread_attr_destroy(&attr);
	}
#endif
#ifdef QRT__WITH_TSAN
	fiber->tsan = __tsan_get_current_fiber();
#endif
}

void qrt__fiber_enter_again(struct qrt__fiber *fiber)
{
	(void)fiber;
#ifdef QRT__WITH_TSAN
	fiber->tsan = __tsan_get_current_fiber();
#endif
}

void qrt__fiber_close_thread(struct qrt__fiber *fiber)
{
	frame_free(fiber);
}

enum qrt_err qrt__fiber_init(struct qrt__fiber *fiber, struct qrt__stack *stack, size_t reserved,
			     qrt__fiber_fn *fn, void *arg)
{
	char *top = stack->base + stack->size - reserved;
	top -= (uintptr_t)top % 16;
	fiber->stack = stack;
	fiber->asan_bottom = stack->base;
	fiber->asan_size = (size_t)(top - stack->base);
	fiber->asan_fake = NULL;
#ifdef QRT__WITH_ASAN
	/* A task ends without returning: its frames' poison is still there. */
	__asan_unpoison_memory_region(stack->base, stack->size);
#endif
	enum qrt_err err = frame_make(fiber, top, fn, arg);
#ifdef QRT__WITH_TSAN
	fiber->tsan = err ? NULL : __tsan_create_fiber(0);
#endif
	return err;
}

void qrt__fiber_fini(struct qrt__fiber *fiber)
{
#ifdef QRT__WITH_TSAN
	if (fiber->tsan) {
		__tsan_destroy_fiber(fiber->tsan);
		fiber->tsan = NULL;
	}
#endif
	frame_free(fiber);
}

#ifndef QRT__FIBER_INLINE
void qrt__fiber_switch(struct qrt__fiber *from, struct qrt__fiber *to, bool last)
{
#ifdef QRT__WITH_ASAN
	__sanitizer_start_switch_fiber(last ? NULL : &from->asan_fake, to->asan_bottom,
				       to->asan_size);
#endif
#ifdef QRT__WITH_TSAN
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	(void)last;
	jump(from, to);
	qrt__fiber_entered(from);
}

void qrt__fiber_entered(struct qrt__fiber *fiber)
{
#ifdef QRT__WITH_ASAN
	__sanitizer_finish_switch_fiber(fiber->asan_fake, NULL, NULL);
#endif
	(void)fiber;
}
#endif
