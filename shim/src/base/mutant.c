/* Which mutant this process is; nothing in builds without mutants. */
#include "shim/src/base/mutant.h"

#ifdef QRT_MUTANTS
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum qrt__mutant chosen(void)
{
	static const char *const names[] = {"",
#define MUTANT_NAME(name, text) #name,
					    QRT__MUTANTS(MUTANT_NAME)
#undef MUTANT_NAME
	};
	const char *name = getenv("QRT_MUTANT");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name ? name : "", names[i]) == 0) {
			return (enum qrt__mutant)i;
		}
	}
	fprintf(stderr, "qrt: QRT_MUTANT is \"%s\", and no mutant has that name\n", name);
	exit(2);
}

enum qrt__mutant qrt__mutant(void)
{
	static _Atomic int known = -1;
	int mutant = atomic_load_explicit(&known, memory_order_relaxed);
	if (mutant < 0) {
		mutant = (int)chosen();
		atomic_store_explicit(&known, mutant, memory_order_relaxed);
	}
	return (enum qrt__mutant)mutant;
}
#endif
