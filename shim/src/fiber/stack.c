/*
 * Stacks from slabs, each with a guard below it, given out last-in first-out
 * so that a warm one comes first. A slab is one mapping: with the kernel's own
 * guards it stays one; where mprotect must do, each stack costs two more.
 */
#include "shim/src/fiber/fiber.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/valgrind.h>
#else
#define VALGRIND_STACK_REGISTER(start, end) 0u
#define VALGRIND_STACK_DEREGISTER(id) ((void)(id))
#endif

/* Linux 6.13; not yet in the headers of the oldest system supported. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

enum { SLAB_STACKS = 32, LARGE_SLAB_STACKS = 2 };

struct slab {
	struct slab *next;
	char *map;
	size_t map_size;
	size_t n;
	struct qrt__stack stack[];
};

/* Stacks of one size: the pool's own, or twice that, and so on. */
struct class
{
	struct qrt__list free;
	size_t stack_size;
};

enum { CLASSES = 12, COLOURS = 32 };

struct qrt__stack_pool {
	struct class class[CLASSES];
	struct slab *slabs;
	size_t guard_size;
	size_t in_use;
};

static size_t round_to_pages(size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	return (n + page - 1) / page * page;
}

/*
 * Of a thread that runs one short program after the other: its last pool, for the next one. Of
 * a run of a few milliseconds most would go into mappings and page faults.
 */
static _Thread_local bool keeps_one;
static _Thread_local struct qrt__stack_pool *kept;

void qrt__stack_pool_keep_one(void)
{
	keeps_one = true;
}

enum qrt_err qrt__stack_pool_create(size_t stack_bytes, struct qrt__stack_pool **ret_pool)
{
	if (kept && kept->class[0].stack_size == round_to_pages(stack_bytes)) {
		*ret_pool = kept;
		kept = NULL;
		return QRT_OK;
	}
	struct qrt__stack_pool *pool = calloc(1, sizeof(*pool));
	if (!pool) {
		return QRT_ENOMEM;
	}
	size_t size = round_to_pages(stack_bytes);
	for (size_t i = 0; i < CLASSES; i++, size *= 2) {
		qrt__list_init(&pool->class[i].free);
		pool->class[i].stack_size = size;
	}
	pool->guard_size = round_to_pages(1);
	*ret_pool = pool;
	return QRT_OK;
}

void qrt__stack_pool_destroy(struct qrt__stack_pool **pool)
{
	if (!*pool) {
		return;
	}
	QRT_ASSERT((*pool)->in_use == 0);
	if (keeps_one && !kept) {
		kept = *pool;
		*pool = NULL;
		return;
	}
	struct slab *slab = (*pool)->slabs;
	while (slab) {
		struct slab *next = slab->next;
		for (size_t i = 0; i < slab->n; i++) {
			VALGRIND_STACK_DEREGISTER(slab->stack[i].valgrind);
		}
		munmap(slab->map, slab->map_size);
		free(slab);
		slab = next;
	}
	free(*pool);
	*pool = NULL;
}

static bool guard(char *at, size_t n)
{
	return madvise(at, n, MADV_GUARD_INSTALL) == 0 || mprotect(at, n, PROT_NONE) == 0;
}

/* @n stacks in one mapping, each above its guard. */
static bool slab_map(const struct qrt__stack_pool *pool, struct slab *slab, size_t stride)
{
	slab->map_size = stride * slab->n;
	slab->map = mmap(NULL, slab->map_size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (slab->map == MAP_FAILED) {
		return false;
	}
	for (size_t i = 0; i < slab->n; i++) {
		if (!guard(slab->map + i * stride, pool->guard_size)) {
			munmap(slab->map, slab->map_size);
			return false;
		}
	}
	return true;
}

static enum qrt_err slab_add(struct qrt__stack_pool *pool, struct class *class)
{
	size_t n = class == &pool->class[0] ? SLAB_STACKS : LARGE_SLAB_STACKS;
	size_t stride = pool->guard_size + class->stack_size;
	struct slab *slab = calloc(1, sizeof(*slab) + n * sizeof(slab->stack[0]));
	if (!slab) {
		return QRT_ENOMEM;
	}
	slab->n = n;
	if (!slab_map(pool, slab, stride)) {
		free(slab);
		return QRT_ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		struct qrt__stack *stack = &slab->stack[i];
		stack->base = slab->map + i * stride + pool->guard_size;
		/* The tops differ by a line: at one offset of a page, a herd would share few cache
		 * sets. */
		stack->size = class->stack_size - i % COLOURS * 64;
		stack->valgrind =
		    VALGRIND_STACK_REGISTER(stack->base, stack->base + stack->size - 1);
		qrt__list_append(&class->free, &stack->node);
	}
	slab->next = pool->slabs;
	pool->slabs = slab;
	return QRT_OK;
}

static struct class *class_of(struct qrt__stack_pool *pool, size_t bytes)
{
	struct class *class = pool->class;
	while (class->stack_size < bytes && class < &pool->class[CLASSES - 1]) {
		class ++;
	}
	return class;
}

enum qrt_err qrt__stack_get(struct qrt__stack_pool *pool, size_t bytes,
			    struct qrt__stack **ret_stack)
{
	struct class *class = class_of(pool, bytes);
	if (qrt__list_empty(&class->free)) {
		enum qrt_err err = slab_add(pool, class);
		if (err) {
			return err;
		}
	}
	*ret_stack = QRT__CONTAINER(qrt__list_pop(&class->free), struct qrt__stack, node);
	pool->in_use++;
	return QRT_OK;
}

void qrt__stack_put(struct qrt__stack_pool *pool, struct qrt__stack *stack)
{
	QRT_ASSERT(pool->in_use > 0);
	pool->in_use--;
	/* To the front: after the head. */
	qrt__list_append(class_of(pool, stack->size)->free.next, &stack->node);
}

bool qrt__stack_guards(const struct qrt__stack *stack, const void *address)
{
	const char *at = address;
	return at < stack->base && at >= stack->base - (size_t)sysconf(_SC_PAGESIZE);
}
