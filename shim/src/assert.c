/* What a failed assertion does: print where, then abort; or a test's hook. */
#include <qrt/base.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static _Atomic(qrt_assert_hook_fn *) assert_hook;

void qrt_assert_hook(qrt_assert_hook_fn *hook)
{
	atomic_store(&assert_hook, hook);
}

void qrt__assert_failed(const char *kind, const char *what, const char *site)
{
	qrt_assert_hook_fn *hook = atomic_load(&assert_hook);
	if (hook) {
		hook(kind, what, site);
	}
	fprintf(stderr, "qrt: %s failed at %s: %s\n", kind, site, what);
	abort();
}
