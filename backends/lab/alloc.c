/*
 * Allocations that ask the sweep first, for programs linked with the flags
 * that `pkg-config --variable=lab_libs qrt` prints (the linker's --wrap). In
 * others nothing comes here. What libraries allocate by themselves is not
 * asked about. Must never fail anything outside a sweep.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/trial.h>

/* With --wrap the C library's own; else there is none, and nobody calls what follows. */
#define REAL __attribute__((weak))
void *__real_malloc(size_t n) REAL;
void *__real_calloc(size_t n, size_t size) REAL;
void *__real_realloc(void *at, size_t n) REAL;
void *__real_aligned_alloc(size_t alignment, size_t n) REAL;
char *__real_strdup(const char *text) REAL;
char *__real_strndup(const char *text, size_t n) REAL;

QRT_API void *__wrap_malloc(size_t n);
QRT_API void *__wrap_calloc(size_t n, size_t size);
QRT_API void *__wrap_realloc(void *at, size_t n);
QRT_API void *__wrap_aligned_alloc(size_t alignment, size_t n);
QRT_API char *__wrap_strdup(const char *text);
QRT_API char *__wrap_strndup(const char *text, size_t n);

static bool fails(void)
{
	bool result = qrt_lab_alloc_fails();
	if (result) {
		errno = ENOMEM;
	}
	return result;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *at, size_t n)
{
	return fails() ? NULL : __real_realloc(at, n);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
	return fails() ? NULL : __real_aligned_alloc(alignment, n);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t n)
{
	return fails() ? NULL : __real_strndup(text, n);
}
