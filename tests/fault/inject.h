/*
 * Failures on order: the n-th time the world is asked for something from now
 * on, it has none. Works by the linker's --wrap (tests/include.am) on our own
 * objects, and through the allocator hooks of the libraries that have them.
 *
 * Counts what is outstanding too. Must never fail anything while it is off.
 */
#ifndef QRT_TESTS_FAULT_INJECT_H
#define QRT_TESTS_FAULT_INJECT_H

#include <stdbool.h>
#include <stddef.h>

/* What can run out. */
enum inject_kind {
	INJECT_MEMORY,	   /* malloc, calloc, realloc, strdup, strndup; in libraries too */
	INJECT_MAPPING,	   /* mmap */
	INJECT_THREAD,	   /* pthread_create */
	INJECT_DESCRIPTOR, /* socket, accept4, eventfd, signalfd: this one call fails */
	INJECT_LIMIT,	   /* RLIMIT_NOFILE leaves room for n - 1 more, in libraries too */
	INJECT_KINDS
};

/* Makes the libraries of this build allocate through us. First thing in main. */
void inject_hook_libraries(void);

/* The @n-th call from now (1: the next) fails; with @for_good each later one too. */
void inject_on(enum inject_kind kind, unsigned n, bool for_good);
/* Holds the failures back, and lets them go on counting. */
void inject_pause(void);
void inject_resume(void);
/* Ends it; returns how many calls have failed (INJECT_LIMIT cannot tell: 0). */
unsigned inject_off(void);
/* How many have failed so far. */
unsigned inject_failed(void);

/* Blocks of our objects, and of hooked libraries, that were not freed. */
size_t inject_blocks(void);
/* Prints the sizes of up to 8 blocks that are younger than the @since-th allocation. */
void inject_print_blocks(size_t since);
/* How many allocations there have been. */
size_t inject_allocations(void);

/* Open descriptors of this process. */
size_t inject_descriptors(void);

#endif
