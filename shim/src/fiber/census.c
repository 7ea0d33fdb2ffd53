/*
 * Counts how deep stacks are used, by paint: a stack is painted to its end
 * when it is taken for the first time; the lowest byte that is no longer paint
 * when its task has ended is the high water, and what lies above is painted
 * anew. For development: a painted stack has all its pages. Never looks at a
 * stack that a live task is on.
 */
#include "shim/src/fiber/census.h"

#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"

#ifdef QRT__WITH_ASAN
#include <sanitizer/asan_interface.h>
#endif
#ifdef HAVE_VALGRIND_VALGRIND_H
#include <valgrind/memcheck.h>
#else
#define VALGRIND_MAKE_MEM_DEFINED(at, n) ((void)(at), (void)(n))
#endif

enum { PAINT = 0xa5, SLOTS = 2 * QRT__CENSUS_ROWS };

struct qrt__census {
	size_t n;
	uint64_t left_out;
	struct qrt__census_row row[QRT__CENSUS_ROWS];
	uint16_t slot[SLOTS]; /* by name and site: a row's number plus one, or 0 */
};

struct qrt__census *qrt__census_create(void)
{
	return calloc(1, sizeof(struct qrt__census));
}

void qrt__census_destroy(struct qrt__census **census)
{
	free(*census);
	*census = NULL;
}

/* --- paint --------------------------------------------------------------------------------- */

/* The tools take what a task has left for no longer there. */
static void make_readable(const struct qrt__stack *stack)
{
#ifdef QRT__WITH_ASAN
	__asan_unpoison_memory_region(stack->base, stack->size);
#endif
	VALGRIND_MAKE_MEM_DEFINED(stack->base, stack->size);
}

void qrt__census_prepare(struct qrt__stack *stack)
{
	if (stack->painted) {
		return;
	}
	make_readable(stack);
	memset(stack->base, PAINT, stack->size);
	stack->painted = true;
}

/* The lowest byte that is not paint; there is one, as the task itself lies on top. */
static char *high_water(const struct qrt__stack *stack)
{
	uint64_t paint, word;
	memset(&paint, PAINT, sizeof(paint));
	char *at = stack->base;
	char *end = at + stack->size;
	while (at < end && (memcpy(&word, at, sizeof(word)), word == paint)) {
		at += sizeof(word);
	}
	while (at < end && *at == (char)PAINT) {
		at++;
	}
	return at;
}

/* --- rows ---------------------------------------------------------------------------------- */

static size_t hash_of(const char *name, const char *site)
{
	uint64_t bits = (uintptr_t)name * UINT64_C(0x9e3779b97f4a7c15) + (uintptr_t)site;
	return (size_t)((bits * UINT64_C(0x9e3779b97f4a7c15)) >> 40) % SLOTS;
}

/* Texts are static, so that their addresses tell them apart. NULL: there is no room. */
static struct qrt__census_row *row_of(struct qrt__census *census, const char *name,
				      const char *site)
{
	size_t at = hash_of(name, site);
	while (census->slot[at]) {
		struct qrt__census_row *row = &census->row[census->slot[at] - 1];
		if (row->name == name && row->site == site) {
			return row;
		}
		at = (at + 1) % SLOTS;
	}
	if (census->n == QRT__CENSUS_ROWS) {
		return NULL;
	}
	struct qrt__census_row *row = &census->row[census->n++];
	census->slot[at] = (uint16_t)census->n;
	*row = (struct qrt__census_row){.name = name, .site = site};
	return row;
}

void qrt__census_take(struct qrt__census *census, struct qrt_task *task)
{
	struct qrt__stack *stack = task->stack;
	make_readable(stack);
	char *lowest = high_water(stack);
	size_t used = (size_t)(stack->base + stack->size - lowest);
	struct qrt__census_row *row = row_of(census, task->name, task->site);
	if (!row) {
		census->left_out++;
	} else {
		row->tasks++;
		if (used > row->used_max) {
			row->used_max = used;
			row->stack_size = stack->size;
		}
	}
	memset(lowest, PAINT, used);
}

static int deeper_first(const void *a, const void *b)
{
	const struct qrt__census_row *one = a, *other = b;
	return (one->used_max < other->used_max) - (one->used_max > other->used_max);
}

size_t qrt__census_rows(struct qrt__census *census, const struct qrt__census_row **ret_rows)
{
	qsort(census->row, census->n, sizeof(census->row[0]), deeper_first);
	memset(census->slot, 0, sizeof(census->slot));
	for (size_t i = 0; i < census->n; i++) {
		size_t at = hash_of(census->row[i].name, census->row[i].site);
		while (census->slot[at]) {
			at = (at + 1) % SLOTS;
		}
		census->slot[at] = (uint16_t)(i + 1);
	}
	*ret_rows = census->row;
	return census->n;
}

uint64_t qrt__census_left_out(const struct qrt__census *census)
{
	return census->left_out;
}
