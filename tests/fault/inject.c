/* Wrapped allocators and system calls, and the book of blocks; see inject.h. */
#include "tests/fault/inject.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#if QRT_WITH_LEGACY
#include <event2/event.h>
#endif
#if QRT_WITH_REGION
#include <uv.h>
#endif

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *at, size_t n);
void *__real_aligned_alloc(size_t alignment, size_t n);
void __real_free(void *at);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
int __real_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
int __real_socket(int domain, int type, int protocol);
int __real_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int __real_eventfd(unsigned count, int flags);
int __real_signalfd(int fd, const sigset_t *set, int flags);

void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *at, size_t n);
void *__wrap_aligned_alloc(size_t alignment, size_t n);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);
void __wrap_free(void *at);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags);
int __wrap_eventfd(unsigned count, int flags);
int __wrap_signalfd(int fd, const sigset_t *set, int flags);

/* --- the order ------------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	bool on, for_good;
	enum inject_kind kind;
	unsigned left; /* calls until the one that fails; 0: that has been */
	unsigned failed;
	rlim_t limit_before;
} order = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool fails(enum inject_kind kind)
{
	bool result = false;
	pthread_mutex_lock(&order.lock);
	if (order.on && order.kind == kind) {
		if (order.left > 0) {
			result = --order.left == 0;
		} else {
			result = order.for_good;
		}
		order.failed += result;
	}
	pthread_mutex_unlock(&order.lock);
	return result;
}

static void set_limit(rlim_t limit)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files)) {
		abort();
	}
	order.limit_before = files.rlim_cur;
	files.rlim_cur = limit;
	if (setrlimit(RLIMIT_NOFILE, &files)) {
		abort();
	}
}

void inject_on(enum inject_kind kind, unsigned n, bool for_good)
{
	pthread_mutex_lock(&order.lock);
	order.on = true;
	order.for_good = for_good;
	order.kind = kind;
	order.left = n;
	order.failed = 0;
	pthread_mutex_unlock(&order.lock);
	if (kind == INJECT_LIMIT) {
		set_limit(inject_descriptors() + n - 1);
	}
}

static void switch_to(bool on)
{
	pthread_mutex_lock(&order.lock);
	bool was = order.on;
	order.on = on;
	pthread_mutex_unlock(&order.lock);
	if (order.kind == INJECT_LIMIT && was != on) {
		set_limit(order.limit_before);
	}
}

void inject_pause(void)
{
	switch_to(false);
}

void inject_resume(void)
{
	switch_to(true);
}

unsigned inject_failed(void)
{
	pthread_mutex_lock(&order.lock);
	unsigned failed = order.failed;
	pthread_mutex_unlock(&order.lock);
	return failed;
}

unsigned inject_off(void)
{
	inject_pause();
	return inject_failed();
}

/* --- the book of blocks ---------------------------------------------------------------------- */

enum { ROOM = 1 << 14 };

struct block {
	void *at; /* NULL: never used; the address of the book itself: freed */
	size_t size, number;
};

static struct {
	pthread_mutex_t lock;
	size_t n, numbers, used;
	struct block block[ROOM];
} book = {.lock = PTHREAD_MUTEX_INITIALIZER};

#define FREED ((void *)&book)

static size_t start_of(const void *at)
{
	return (size_t)(((uintptr_t)at >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 40) % ROOM;
}

/* Puts every block where a search finds it first, without the freed ones between. */
static void tidy_book(void)
{
	static struct block old[ROOM];
	memcpy(old, book.block, sizeof(old));
	memset(book.block, 0, sizeof(book.block));
	book.used = 0;
	for (size_t k = 0; k < ROOM; k++) {
		if (!old[k].at || old[k].at == FREED) {
			continue;
		}
		size_t i = start_of(old[k].at);
		while (book.block[i].at) {
			i = (i + 1) % ROOM;
		}
		book.block[i] = old[k];
		book.used++;
	}
}

static void *enter(void *at, size_t size)
{
	if (!at) {
		return NULL;
	}
	pthread_mutex_lock(&book.lock);
	if (book.used > ROOM * 3 / 4) {
		tidy_book();
	}
	if (book.used > ROOM * 3 / 4) {
		abort(); /* more blocks than a sweep should ever need */
	}
	size_t i = start_of(at);
	while (book.block[i].at && book.block[i].at != FREED) {
		i = (i + 1) % ROOM;
	}
	book.used += !book.block[i].at;
	book.block[i] = (struct block){.at = at, .size = size, .number = ++book.numbers};
	book.n++;
	pthread_mutex_unlock(&book.lock);
	return at;
}

/* What libc has allocated may be freed by us too: that is not in the book. */
static void leave(const void *at)
{
	if (!at) {
		return;
	}
	pthread_mutex_lock(&book.lock);
	size_t i = start_of(at);
	while (book.block[i].at && book.block[i].at != at) {
		i = (i + 1) % ROOM;
	}
	if (book.block[i].at) {
		book.block[i].at = FREED;
		book.n--;
	}
	pthread_mutex_unlock(&book.lock);
}

size_t inject_blocks(void)
{
	pthread_mutex_lock(&book.lock);
	size_t n = book.n;
	pthread_mutex_unlock(&book.lock);
	return n;
}

size_t inject_allocations(void)
{
	pthread_mutex_lock(&book.lock);
	size_t n = book.numbers;
	pthread_mutex_unlock(&book.lock);
	return n;
}

void inject_print_blocks(size_t since)
{
	int printed = 0;
	for (size_t i = 0; i < ROOM && printed < 8; i++) {
		const struct block *block = &book.block[i];
		if (block->at && block->at != FREED && block->number > since) {
			fprintf(stderr, "  %zu bytes, allocation %zu of this run\n", block->size,
				block->number - since);
			printed++;
		}
	}
}

size_t inject_descriptors(void)
{
	enum { LOOK_AT = 512 };
	size_t n = 0;
	for (int fd = 0; fd < LOOK_AT; fd++) {
		n += fcntl(fd, F_GETFD) >= 0;
	}
	return n;
}

/* --- memory ---------------------------------------------------------------------------------- */

static bool no_memory(void)
{
	bool none = fails(INJECT_MEMORY);
	if (none) {
		errno = ENOMEM;
	}
	return none;
}

void *__wrap_malloc(size_t n)
{
	return no_memory() ? NULL : enter(__real_malloc(n), n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory() ? NULL : enter(__real_calloc(n, size), n * size);
}

void *__wrap_realloc(void *at, size_t n)
{
	if (no_memory()) {
		return NULL;
	}
	/* Out of the book first: another thread may get the old address at once. */
	leave(at);
	void *moved = __real_realloc(at, n);
	if (!moved) {
		abort(); /* a real shortage: the book would be wrong from here on */
	}
	return enter(moved, n);
}

void *__wrap_aligned_alloc(size_t alignment, size_t n)
{
	return no_memory() ? NULL : enter(__real_aligned_alloc(alignment, n), n);
}

char *__wrap_strndup(const char *text, size_t n)
{
	size_t len = strnlen(text, n);
	char *copy = __wrap_malloc(len + 1);
	if (copy) {
		memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}

char *__wrap_strdup(const char *text)
{
	return __wrap_strndup(text, SIZE_MAX);
}

void __wrap_free(void *at)
{
	leave(at);
	__real_free(at);
}

#if QRT_WITH_REGION
/* libuv 1.44 aborts by itself when its table of descriptors cannot grow: no failure there. */
static void *uv_regrow(void *at, size_t n)
{
	leave(at);
	return enter(__real_realloc(at, n), n);
}
#endif

#if QRT_WITH_LEGACY
/* What libevent warns of is what was asked for. */
static void mute(int severity, const char *text)
{
	(void)severity;
	(void)text;
}
#endif

/* SQLite wants to know how large a block is; it is given the size it asked for. */
static int block_size(void *at)
{
	int size = 0;
	pthread_mutex_lock(&book.lock);
	size_t i = start_of(at);
	while (book.block[i].at && book.block[i].at != at) {
		i = (i + 1) % ROOM;
	}
	size = (int)book.block[i].size;
	pthread_mutex_unlock(&book.lock);
	return size;
}

static void *sqlite_malloc(int n)
{
	return __wrap_malloc((size_t)n);
}

static void *sqlite_realloc(void *at, int n)
{
	return __wrap_realloc(at, (size_t)n);
}

static int round_up(int n)
{
	return (n + 7) & ~7;
}

static int nothing_to_init(void *arg)
{
	(void)arg;
	return SQLITE_OK;
}

static void nothing_to_end(void *arg)
{
	(void)arg;
}

static const sqlite3_mem_methods sqlite_memory = {
    .xMalloc = sqlite_malloc,
    .xFree = __wrap_free,
    .xRealloc = sqlite_realloc,
    .xSize = block_size,
    .xRoundup = round_up,
    .xInit = nothing_to_init,
    .xShutdown = nothing_to_end,
};

void inject_hook_libraries(void)
{
	if (sqlite3_config(SQLITE_CONFIG_MALLOC, &sqlite_memory)) {
		abort();
	}
#if QRT_WITH_LEGACY
	event_set_log_callback(mute);
	event_set_mem_functions(__wrap_malloc, __wrap_realloc, __wrap_free);
#endif
#if QRT_WITH_REGION
	if (uv_replace_allocator(__wrap_malloc, uv_regrow, __wrap_calloc, __wrap_free)) {
		abort();
	}
#endif
}

/* --- the rest -------------------------------------------------------------------------------- */

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
	if (fails(INJECT_MAPPING)) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return __real_mmap(at, n, prot, flags, fd, offset);
}

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*fn)(void *),
			  void *arg)
{
	return fails(INJECT_THREAD) ? EAGAIN : __real_pthread_create(ret, attr, fn, arg);
}

static bool no_descriptor(void)
{
	bool none = fails(INJECT_DESCRIPTOR);
	if (none) {
		errno = EMFILE;
	}
	return none;
}

int __wrap_socket(int domain, int type, int protocol)
{
	return no_descriptor() ? -1 : __real_socket(domain, type, protocol);
}

int __wrap_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	return no_descriptor() ? -1 : __real_accept4(fd, addr, len, flags);
}

int __wrap_eventfd(unsigned count, int flags)
{
	return no_descriptor() ? -1 : __real_eventfd(count, flags);
}

int __wrap_signalfd(int fd, const sigset_t *set, int flags)
{
	return no_descriptor() ? -1 : __real_signalfd(fd, set, flags);
}
