/* What a failed assertion does: print where, then abort; or a test's hook. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "shim/src/internal.h"

static _Atomic(qrt_assert_hook_fn *) assert_hook;

void qrt_assert_hook(qrt_assert_hook_fn *hook)
{
	atomic_store(&assert_hook, hook);
}

/* What a lab on this thread adds: the way to see it again. */
static _Thread_local void (*last_words)(void *arg);
static _Thread_local void *last_words_arg;

void qrt__last_words(void (*say)(void *arg), void *arg)
{
	last_words = say;
	last_words_arg = arg;
}

void qrt__assert_failed(const char *kind, const char *what, const char *site)
{
	qrt_assert_hook_fn *hook = atomic_load(&assert_hook);
	if (hook) {
		hook(kind, what, site);
	}
	fprintf(stderr, "qrt: %s failed at %s: %s\n", kind, site, what);
	if (last_words) {
		last_words(last_words_arg);
	}
	abort();
}
