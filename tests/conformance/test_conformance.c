/* Every scenario of the conformance suite on every backend of the build, one test each. */
#include "tests/conformance/conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/test.h"

enum { HANG_SECS = 60 };

/* Once on a fresh runtime; what has happened goes to @ret_hash, in the lab. */
static void play_once(const struct conformance_row *row, uint64_t *ret_hash)
{
	const struct qrt_runtime_options opts = {.backend = row->backend, .seed = 1};
	char detail[256] = "";
	struct qrt_runtime *rt;
	struct qrt_audit audit;
	alarm(HANG_SECS); /* rather killed than waited for; its name is the last one printed */
	enum qrt_err err = qrt_runtime_open(&opts, detail, &rt);
	if (err) {
		fail_msg("open %s: %s %s", row->backend, qrt_err_name(err), detail);
	}
	void *memory = calloc(1, row->scenario->state_size + 1);
	assert_non_null(memory);
	err = conformance_play(rt, row->scenario, memory, NULL, NULL);
	qrt_runtime_audit(rt, &audit);
	qrt_runtime_close(&rt); /* asserts that nothing was left */
	free(memory);
	alarm(0);
	if (err) {
		fail_msg("%s: %s", qrt_err_name(err), conformance_where());
	}
	*ret_hash = audit.trace_hash;
}

/* In the lab twice: step by step the same. */
static void play(void **state)
{
	const struct conformance_row *row = *state;
	uint64_t first, second;
	play_once(row, &first);
	if (strncmp(row->backend, "lab", 3) == 0) {
		play_once(row, &second);
		assert_true(first == second);
		assert_true(first != 0);
	}
}

int main(void)
{
	struct conformance_row *row;
	size_t n = conformance_rows(&row);
	struct CMUnitTest *test = calloc(n, sizeof(*test));
	if (n == 0 || !test) {
		return 1;
	}
	for (size_t i = 0; i < n; i++) {
		test[i] = (struct CMUnitTest){
		    .name = row[i].name, .test_func = play, .initial_state = &row[i]};
	}
	/* The function behind cmocka's macro, which counts an array at compile time. */
	int failed = _cmocka_run_group_tests("conformance", test, n, NULL, NULL);
	free(test);
	free(row);
	return failed;
}
