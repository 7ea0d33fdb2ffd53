/* The list of suites, and how one scenario is played; see conformance.h. */
#include "tests/conformance/conformance.h"

#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"

const struct conformance_suite *const conformance_suites[] = {
#define CONFORMANCE_ENTRY(suite) &conformance_##suite,
    CONFORMANCE_SUITES(CONFORMANCE_ENTRY)
#undef CONFORMANCE_ENTRY
	NULL,
};

bool conformance_brief;

/* Scenarios run one at a time, on the thread that plays them. */
static char where[256];

static bool applies(const struct conformance_scenario *scenario, const char *backend)
{
	bool structured = strcmp(backend, "region") == 0 || strcmp(backend, "lab") == 0;
	bool lab = strncmp(backend, "lab", 3) == 0;
	return (structured || !(scenario->needs & CONFORMANCE_STRUCTURED)) &&
	       (lab || !(scenario->needs & CONFORMANCE_LAB));
}

static size_t add_rows(struct conformance_row *row, const struct conformance_suite *suite)
{
	size_t n = 0, n_backends;
	const char *const *backend = qrt_backend_names(&n_backends);
	for (size_t i = 0; i < suite->n * n_backends; i++) {
		const struct conformance_scenario *scenario = &suite->scenario[i / n_backends];
		const char *on = backend[i % n_backends];
		if (applies(scenario, on)) {
			row[n].scenario = scenario;
			row[n].backend = on;
			snprintf(row[n].name, sizeof(row[n].name), "%s: %s (%s)", suite->name,
				 scenario->name, on);
			n++;
		}
	}
	return n;
}

size_t conformance_rows(struct conformance_row **ret_rows)
{
	size_t most = 0, n = 0, n_backends;
	qrt_backend_names(&n_backends);
	for (size_t i = 0; conformance_suites[i]; i++) {
		most += conformance_suites[i]->n * n_backends;
	}
	struct conformance_row *rows = calloc(most, sizeof(*rows));
	if (!rows) {
		return 0;
	}
	for (size_t i = 0; conformance_suites[i]; i++) {
		n += add_rows(rows + n, conformance_suites[i]);
	}
	*ret_rows = rows;
	return n;
}

const char *conformance_where(void)
{
	return where;
}

bool conformance_is_shortage(enum qrt_err err)
{
	return err == QRT_ENOMEM || err == QRT_EMFILE || err == QRT_EAGAIN;
}

enum qrt_err conformance_failed(const char *site, const char *call, enum qrt_err err)
{
	if (!where[0]) {
		snprintf(where, sizeof(where), "%s: %s: %s", site, call, qrt_err_name(err));
	}
	return err;
}

enum qrt_err conformance_expected(const char *site, const char *call, enum qrt_err err,
				  enum qrt_err want)
{
	if (conformance_is_shortage(err)) {
		return conformance_failed(site, call, err);
	}
	fprintf(stderr, "%s: expected %s of %s, not %s\n", site, qrt_err_name(want), call,
		qrt_err_name(err));
	return conformance_failed(site, call, QRT_EFAILED);
}

enum qrt_err conformance_detail(const struct qrt_cx *cx, const char *want)
{
	const char *detail = qrt_detail(cx);
	if (!detail[0]) {
		return QRT_ENOMEM;
	}
	if (strcmp(detail, want) != 0) {
		fprintf(stderr, "expected \"%s\", not \"%s\"\n", want, detail);
		return QRT_EFAILED;
	}
	return QRT_OK;
}

enum qrt_err conformance_fill(struct qrt_cx *cx, struct conformance_filler *filler)
{
	const size_t room = sizeof(filler->duty) / sizeof(filler->duty[0]);
	do {
		EXPECT(filler->n < room);
		TRY(qrt_oblige(cx, QRT_DUTY_OTHER, "filler", NULL, NULL, &filler->duty[filler->n]));
		filler->n++;
	} while (cx->task->rt->obligations.free);
	return QRT_OK;
}

void conformance_empty(struct conformance_filler *filler)
{
	while (filler->n > 0) {
		QRT_IGNORE(qrt_settle(&filler->duty[--filler->n]), "its region may have ended");
	}
}

static void cancel_tree(struct qrt__region *region)
{
	qrt_region_cancel(qrt__region_handle(region), QRT_CANCEL_PARENT,
			  "the scenario ended early");
	QRT__LIST_EACH(node, &region->children) {
		cancel_tree(QRT__CONTAINER(node, struct qrt__region, in_parent));
	}
}

/*
 * A scenario that gives up leaves its regions open. Detached tasks hear of a
 * cancel only while they wait, so there it is said again until all are gone.
 */
static enum qrt_err end_left_open(struct qrt_cx *cx, enum qrt_err err)
{
	while (cx->task->top) {
		struct qrt_region *region = qrt__region_handle(cx->task->top);
		cancel_tree(cx->task->top);
		while (!is_structured(cx) && qrt_region_live(region) > 0) {
			QRT_IGNORE(qrt_sleep(cx, QRT_MS / 10), "it only lets the others run");
			cancel_tree(cx->task->top);
		}
		/* Cancelled because a child failed: then the child says what went wrong. */
		enum qrt_err closed = qrt_region_close(cx, &region, err);
		err = err == QRT_ECANCELED ? closed : err;
	}
	return err;
}

struct play {
	const struct conformance_scenario *scenario;
	void *state;
	conformance_between_fn *between;
	void *between_arg;
};

static enum qrt_err play_task(struct qrt_cx *cx, void *arg)
{
	const struct play *play = arg;
	enum qrt_err err = play->scenario->fn(cx, play->state);
	if (play->between) {
		play->between(play->between_arg);
	}
	bool left_open = cx->task->top;
	if (!err && left_open) {
		fprintf(stderr, "the scenario succeeded with a region open\n");
		err = QRT_EFAILED;
	}
	err = end_left_open(cx, err);
	if (play->scenario->clean) {
		play->scenario->clean(cx, play->state);
	}
	if (!qrt__list_empty(&cx->task->duties)) {
		fprintf(stderr, "the scenario ended with a duty unsettled\n");
		err = QRT_EFAILED;
	}
	return err;
}

enum qrt_err conformance_play(struct qrt_runtime *rt, const struct conformance_scenario *scenario,
			      void *state, conformance_between_fn *between, void *between_arg)
{
	struct play play = {
	    .scenario = scenario, .state = state, .between = between, .between_arg = between_arg};
	where[0] = '\0';
	if (scenario->state_size > 0) {
		memset(state, 0, scenario->state_size);
	}
	return qrt_run_main(rt, play_task, &play);
}
