/*
 * Parity: the same script on every assignment of backends, compared with the
 * first one: statuses, headers that matter, bodies, and the tables afterwards.
 * Speaks TAP itself, because an assignment that this build lacks is a skip.
 */
#include <qrt/runtime.h>
#include <stdio.h>
#include <string.h>

#include "tests/parity/stand.h"

static const struct assignment assignments[] = {
    {"legacy", "legacy", "legacy", "legacy", 0},
    {"region", "region", "region", "region", 0},
    {"server=region db=legacy", "region", "region", "legacy", 0},
    {"server=legacy db=region", "region", "legacy", "region", 0},
    {"moved while it works", "region", "legacy", "legacy", 3},
    {"lab", "lab", "lab", "lab", 0},
    {"lab-legacy", "lab-legacy", "lab-legacy", "lab-legacy", 0},
};

enum { N = sizeof(assignments) / sizeof(assignments[0]) };

static bool in_this_build(const struct assignment *a)
{
	const char *const needed[] = {a->host, a->server, a->db, a->move_every ? "region" : a->db};
	for (size_t i = 0; i < 4; i++) {
		size_t n;
		if (!qrt_backend_promises(needed[i], &n)) {
			return false;
		}
	}
	return true;
}

int main(void)
{
	struct transcript reference = {0};
	const char *reference_name = NULL;
	int failed = 0;
	printf("1..%d\n", N);
	for (int i = 0; i < N; i++) {
		const struct assignment *a = &assignments[i];
		if (!in_this_build(a)) {
			printf("ok %d - parity on %s # SKIP not in this build\n", i + 1, a->name);
			continue;
		}
		struct transcript transcript = {0};
		bool right = stand_run(a, &transcript) == QRT_OK && transcript.text;
		if (right && reference_name) {
			right =
			    transcript_diff(&reference, reference_name, &transcript, a->name) == 0;
		}
		printf("%s %d - parity on %s\n", right ? "ok" : "not ok", i + 1, a->name);
		fflush(stdout);
		failed += !right;
		if (!reference_name && transcript.text) {
			reference = transcript;
			reference_name = a->name;
		} else {
			transcript_fini(&transcript);
		}
	}
	transcript_fini(&reference);
	return failed ? 1 : 0;
}
