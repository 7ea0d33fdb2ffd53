/*
 * The hunt for one mutant: plays all scenes for many seeds, each seed in a
 * worker process, and says what caught it.
 *
 *	hunt --list		the mutants: name, then a sentence
 *	hunt --field		the names of the five kinds that the field knows
 *	hunt STRATEGY SEEDS	of the mutant QRT_MUTANT (none: of the sound program), with
 *				"random" or "pct", seeds 1 to SEEDS in the lab:
 *				HITS|SMALLEST SEED|CAUGHT BY
 *	hunt first SEEDS	the same with both, up to the first hit
 *
 * Ends with 0 whether there were hits or not; 77 when this build has no mutants.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/lab/batch.h"
#include "shim/src/base/mutant.h"
#include "tests/lab/scenes.h"

#define RUN_NS (10 * QRT_SEC)
/* About so many steps a scene takes: among them PCT has its moments. */
enum { SCENE_STEPS = 60 };

#ifdef QRT_MUTANTS
enum { HAS_MUTANTS = 1 };
#else
enum { HAS_MUTANTS = 0 };
#endif

struct hunt {
	struct qrt__batch batch;
	enum qrt_lab_strategy strategy;
	bool first_only;
	uint64_t hits, smallest;
	char caught_by[160];
};

static void play(struct qrt__batch *batch, uint64_t seed, struct qrt_lab_result *ret_result)
{
	const struct hunt *hunt = QRT__CONTAINER(batch, struct hunt, batch);
	*ret_result = (struct qrt_lab_result){0};
	for (size_t i = 0; i < n_scenes && !ret_result->err; i++) {
		const struct qrt_lab_options opts = {.seed = seed,
						     .strategy = hunt->strategy,
						     .length = SCENE_STEPS,
						     .steps_max = 1000000};
		char detail[256];
		ret_result->err = scene_play(&scenes[i], &opts, "lab", detail);
		if (ret_result->err) {
			snprintf(ret_result->detail, sizeof(ret_result->detail), "%.20s: %.200s",
				 scenes[i].name,
				 detail[0] ? detail : qrt_err_text(ret_result->err));
		}
	}
}

/* The rest of the line after @intro in @text, up to one of @ends. */
static bool cut(const char *text, const char *intro, const char *ends, const char *as,
		char *ret_text)
{
	const char *at = strstr(text, intro);
	if (!at) {
		return false;
	}
	at += strlen(intro);
	snprintf(ret_text, sizeof(((struct hunt *)NULL)->caught_by), "%s%.*s", as,
		 (int)strcspn(at, ends), at);
	return true;
}

/* The first that spoke is it. */
static void name_it(struct hunt *hunt, const struct qrt_lab_result *result, const char *output)
{
	char *by = hunt->caught_by;
	if (cut(output, "qrt: oracle \"", "\"", "oracle: ", by) ||
	    cut(result->detail, "oracle \"", "\"", "oracle: ", by) ||
	    cut(output, "qrt: deadlock", "\n:,", "deadlock", by) ||
	    cut(output, "qrt: lab: ", "\n:,", "lab: ", by) ||
	    cut(output, " failed at ", "\n", "assertion: ", by)) {
		return;
	}
	snprintf(by, sizeof(hunt->caught_by), "%s%.100s",
		 result->err == QRT_EPANIC ? "" : "wrong result: ", result->detail);
}

static bool note(struct qrt__batch *batch, uint64_t seed, const struct qrt_lab_result *result,
		 const char *output)
{
	struct hunt *hunt = QRT__CONTAINER(batch, struct hunt, batch);
	if (!result->err) {
		return true;
	}
	if (getenv("HUNT_SHOW")) {
		fprintf(stderr, "%s%s\n", output, result->detail);
	}
	if (hunt->hits == 0 || seed < hunt->smallest) {
		hunt->smallest = seed;
		name_it(hunt, result, output);
	}
	hunt->hits++;
	return !hunt->first_only;
}

static enum qrt_err hunt_with(struct hunt *hunt, enum qrt_lab_strategy strategy, uint64_t n)
{
	hunt->strategy = strategy;
	hunt->batch = (struct qrt__batch){
	    .first = 1, .n = n, .jobs = 2, .run_ns = RUN_NS, .run = play, .done = note};
	return qrt__batch_run(&hunt->batch);
}

static int list(bool only_field)
{
	static const struct {
		const char *name, *text;
	} all[] = {
#define MUTANT(name, text) {#name, text},
	    QRT__MUTANTS(MUTANT)
#undef MUTANT
	};
	size_t n = sizeof(all) / sizeof(all[0]), from = 0;
	while (only_field && from < n && strcmp(all[from].name, "WAKEUP_LOST") != 0) {
		from++;
	}
	for (size_t i = from; i < n; i++) {
		printf("%s%s%s\n", all[i].name, only_field ? "" : " ",
		       only_field ? "" : all[i].text);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		return list(false);
	}
	if (argc == 2 && strcmp(argv[1], "--field") == 0) {
		return list(true);
	}
	char *end = NULL;
	unsigned long n = argc == 3 ? strtoul(argv[2], &end, 10) : 0;
	bool first = argc == 3 && strcmp(argv[1], "first") == 0;
	bool pct = argc == 3 && strcmp(argv[1], "pct") == 0;
	bool random = argc == 3 && strcmp(argv[1], "random") == 0;
	if (n == 0 || *end != '\0' || !(first || pct || random)) {
		fprintf(stderr, "usage: hunt --list | --field | {random|pct|first} SEEDS\n");
		return 2;
	}
	if (!HAS_MUTANTS) {
		fprintf(stderr, "hunt: this build has no mutants (configure --enable-mutants)\n");
		return 77;
	}
	struct hunt hunt = {.first_only = first};
	enum qrt_err err = QRT_OK;
	if (!pct) {
		err = hunt_with(&hunt, QRT_LAB_RANDOM, n);
	}
	if (!err && (pct || (first && hunt.hits == 0))) {
		err = hunt_with(&hunt, QRT_LAB_PCT, n);
	}
	if (err) {
		fprintf(stderr, "hunt: %s\n", qrt_err_text(err));
		return 1;
	}
	printf("%llu|%llu|%s\n", (unsigned long long)hunt.hits, (unsigned long long)hunt.smallest,
	       hunt.caught_by);
	return 0;
}
