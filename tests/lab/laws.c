/* Running laws: seeds, the two runs, the replay line. See laws.h. */
#include "tests/lab/laws.h"

#include <inttypes.h>
#include <qrt/runtime.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/test.h"

enum { NAME_MAX_BYTES = 96, RUNS_MAX = 1000000 };

static struct {
	unsigned runs;
	bool replays;
	char law[NAME_MAX_BYTES], backend[16]; /* backend empty: all of the law's runs */
	uint64_t program, schedule;
} wanted = {.runs = 1};

/* What the replay line is about. */
static struct law_run current;

/* --- failing -------------------------------------------------------------------------------- */

void law_tell(const struct law_run *run, const char *fmt, ...)
{
	va_list args;
	if (!run->told) {
		return;
	}
	fprintf(stderr, "# ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
}

/* Also from a signal handler, so with write alone. */
static void say_replay(void)
{
	char line[NAME_MAX_BYTES + 96];
	if (!current.law) {
		return;
	}
	int n = snprintf(line, sizeof(line), "# QRT_LAWS_SEED=%s:%s:%" PRIu64 ":%" PRIu64 "\n",
			 current.law, current.backend, current.program, current.schedule);
	QRT_IGNORE(write(STDERR_FILENO, line, (size_t)n), "there is nobody left to tell");
	current.law = NULL; /* once */
}

void law_broken(const char *site, const char *what)
{
	fprintf(stderr, "# law %s is broken: %s (%s)\n", current.law, what, site);
	abort();
}

/* An assertion of the runtime, a deadlock in the lab, somebody who has no more patience. */
static void on_signal(int signo)
{
	say_replay();
	signal(signo, SIG_DFL);
	raise(signo);
}

/* With a sanitizer in the program its reports end with the line too. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* --- what is to be run ---------------------------------------------------------------------- */

static bool read_number(const char *text, uint64_t *ret_number, const char **ret_rest)
{
	char *end;
	if (*text < '0' || *text > '9') {
		return false;
	}
	*ret_number = strtoull(text, &end, 10);
	*ret_rest = end;
	return true;
}

static bool read_seed(const char *text)
{
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : strlen(text);
	if (n == 0 || n >= sizeof(wanted.law)) {
		return false;
	}
	memcpy(wanted.law, text, n);
	if (!colon) {
		return true;
	}
	const char *backend = colon + 1;
	colon = strchr(backend, ':');
	if (!colon || (size_t)(colon - backend) >= sizeof(wanted.backend)) {
		return false;
	}
	memcpy(wanted.backend, backend, (size_t)(colon - backend));
	const char *rest;
	wanted.replays = true;
	return read_number(colon + 1, &wanted.program, &rest) && *rest == ':' &&
	       read_number(rest + 1, &wanted.schedule, &rest) && *rest == '\0';
}

bool laws_begin(void)
{
	const char *seed = getenv("QRT_LAWS_SEED");
	const char *runs = getenv("QRT_LAWS_RUNS");
	const char *rest;
	uint64_t n = 1;
	if (runs && (!read_number(runs, &n, &rest) || *rest || n == 0 || n > RUNS_MAX)) {
		fprintf(stderr, "QRT_LAWS_RUNS=%s: not a number from 1 to %d\n", runs, RUNS_MAX);
		return false;
	}
	wanted.runs = (unsigned)n;
	if (seed && !read_seed(seed)) {
		fprintf(stderr, "QRT_LAWS_SEED=%s: not law[:backend:program:schedule]\n", seed);
		return false;
	}
	signal(SIGABRT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	if (__sanitizer_set_death_callback) {
		__sanitizer_set_death_callback(say_replay);
	}
	return true;
}

bool laws_want(const char *name)
{
	return !wanted.law[0] || strcmp(name, wanted.law) == 0;
}

/* --- running -------------------------------------------------------------------------------- */

struct outcome {
	uint64_t log, hash;
};

struct scene {
	law_fn *fn;
	struct law_run *run;
};

static enum qrt_err in_task(struct qrt_cx *cx, void *arg)
{
	struct scene *scene = arg;
	scene->fn(cx, scene->run);
	return QRT_OK;
}

static struct outcome play(const struct law *law, bool varied)
{
	struct law_run run = current;
	run.varied = varied;
	run.draw = (struct qrt__lab_random){.state = qrt__lab_mix(run.program)};
	if (law->ground == ON_NOTHING) {
		law->fn(NULL, &run);
		return (struct outcome){.log = run.log};
	}
	const struct qrt_runtime_options opts = {.backend = run.backend, .seed = run.schedule};
	struct scene scene = {.fn = law->fn, .run = &run};
	struct qrt_runtime *rt;
	char detail[256] = "";
	enum qrt_err err = qrt_runtime_open(&opts, detail, &rt);
	if (err) {
		fail_msg("open %s: %s %s", run.backend, qrt_err_name(err), detail);
	}
	err = qrt_run_main(rt, in_task, &scene);
	if (err) {
		law_broken(QRT_SITE, qrt_err_name(err));
	}
	struct qrt_audit audit;
	qrt_runtime_audit(rt, &audit);
	qrt_runtime_close(&rt); /* asserts that nothing was left */
	return (struct outcome){.log = run.log, .hash = audit.trace_hash};
}

static void play_twice(const struct law *law, const char *backend, uint64_t program,
		       uint64_t schedule)
{
	current = (struct law_run){.law = law->name,
				   .backend = backend,
				   .structured = strcmp(backend, "lab") == 0,
				   .told = wanted.replays,
				   .program = program,
				   .schedule = schedule};
	struct outcome first = play(law, false);
	current.told = false;
	struct outcome second = play(law, law->compares);
	LAW(first.log == second.log);
	LAW(law->compares || first.hash == second.hash);
	current.law = NULL;
}

void law_holds(const struct law *law)
{
	static const char *const grounds[] = {"none", "lab", "lab-legacy"};
	size_t first = law->ground == ON_NOTHING ? 0 : 1;
	size_t last = (size_t)law->ground;
	if (wanted.replays) {
		play_twice(law, wanted.backend, wanted.program, wanted.schedule);
		return;
	}
	for (size_t at = first; at <= last; at++) {
		for (uint64_t program = 1; program <= (uint64_t)law->programs * wanted.runs;
		     program++) {
			/* Seed 0 is first come first served; the others are drawn anew each time.
			 */
			for (uint64_t i = 0; i < law->schedules; i++) {
				uint64_t schedule = i ? program * law->schedules + i : 0;
				play_twice(law, grounds[at], program, schedule);
			}
		}
	}
}

/* --- what laws share ------------------------------------------------------------------------ */

enum qrt_err law_settle(struct qrt_cx *cx)
{
	return qrt_sleep(cx, 1);
}

enum qrt_cancel_kind draw_kind(struct qrt__lab_random *draw)
{
	return (enum qrt_cancel_kind)draw_below(draw, QRT__CANCEL_KINDS);
}
