/*
 * Laws as property tests: on generated programs, in the lab, over many seeds.
 * The laws themselves stand beside each other by what they are about; here
 * is only the list.
 */
#include "tests/lab/laws.h"

#include <stdio.h>

#include "tests/lib/test.h"

enum { LAWS_MAX = 64 };

static void holds(void **state)
{
	law_holds(*state);
}

static size_t add(struct CMUnitTest *tests, size_t n, const struct law *laws, size_t n_laws)
{
	for (size_t i = 0; i < n_laws; i++) {
		if (!laws_want(laws[i].name)) {
			continue;
		}
		assert_true(n < LAWS_MAX);
		/* cmocka hands it to the test as its state, and never writes to it. */
		tests[n++] = (struct CMUnitTest){.name = laws[i].name,
						 .test_func = holds,
						 .initial_state = (void *)(uintptr_t)&laws[i]};
	}
	return n;
}

int main(void)
{
	static struct CMUnitTest tests[LAWS_MAX];
	if (!laws_begin()) {
		return 99;
	}
	size_t n = add(tests, 0, laws_algebra, n_laws_algebra);
	n = add(tests, n, laws_regions, n_laws_regions);
	n = add(tests, n, laws_waiting, n_laws_waiting);
	n = add(tests, n, laws_programs, n_laws_programs);
	if (n == 0) {
		fprintf(stderr, "QRT_LAWS_SEED: there is no such law\n");
		return 99;
	}
	return _cmocka_run_group_tests("laws", tests, n, NULL, NULL);
}
