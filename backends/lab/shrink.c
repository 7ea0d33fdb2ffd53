/*
 * The same failure with fewer choices. Whatever is not needed for it is made
 * the dullest way: faults first, then latencies, at last the schedule. Each
 * kind as a whole, then halves of it, halves of those, and so on (Zeller and
 * Hildebrandt: "Simplifying and isolating failure-inducing input", 2002,
 * without its complements). After each choice that is made another way the
 * rest of the run may go another way, too; what counts is that it still
 * fails as it did.
 */
#include <inttypes.h>

#include "backends/lab/batch.h"
#include "backends/lab/campaign.h"

enum { DULL_MAX = 64, RUNS_MAX = 300 };

struct shrink {
	struct qrt_lab_options opts; /* as far as it has got */
	struct qrt_lab_dull dull[DULL_MAX];
	const struct qrt_lab_program *program;
	const struct qrt_lab_trials *trials;
	const struct qrt_lab_result *failure;
	uint64_t n_of[QRT__CHOICE_KINDS]; /* of the last failing run */
	unsigned runs;
};

struct apart {
	struct qrt__batch batch;
	const struct qrt_lab_options *opts;
	const struct qrt_lab_program *program;
	struct qrt_lab_result *result;
};

static void run_apart(struct qrt__batch *batch, uint64_t item, struct qrt_lab_result *result)
{
	struct apart *apart = QRT__CONTAINER(batch, struct apart, batch);
	(void)item;
	QRT_IGNORE(qrt_lab_try(apart->opts, apart->program, result), "it is in the result");
}

static bool done_apart(struct qrt__batch *batch, uint64_t item, const struct qrt_lab_result *result,
		       const char *output)
{
	struct apart *apart = QRT__CONTAINER(batch, struct apart, batch);
	(void)item, (void)output;
	*apart->result = *result;
	return true;
}

static void try_apart(struct apart *apart, int64_t run_ns)
{
	apart->batch = (struct qrt__batch){.n = 1,
					   .jobs = 1,
					   .run_ns = run_ns ? run_ns : 60 * QRT_SEC,
					   .run = run_apart,
					   .done = done_apart};
	enum qrt_err err = qrt__batch_run(&apart->batch);
	if (err) {
		apart->result->err = err;
	}
}

void qrt__try_apart(const struct qrt_lab_options *opts, const struct qrt_lab_program *program,
		    int64_t run_ns, struct qrt_lab_result *ret_result)
{
	struct apart apart = {.opts = opts, .program = program, .result = ret_result};
	try_apart(&apart, run_ns);
}

/* Whether it fails as it did, with the dull choices so far. */
static bool still_fails(struct shrink *shrink)
{
	struct qrt_lab_result result = {0};
	struct apart apart = {.opts = &shrink->opts, .program = shrink->program, .result = &result};
	shrink->runs++;
	try_apart(&apart, shrink->trials->run_ns);
	bool same = result.err == shrink->failure->err &&
		    strcmp(result.detail, shrink->failure->detail) == 0;
	if (same) {
		memcpy(shrink->n_of, apart.batch.n_of, sizeof(shrink->n_of));
	}
	return same;
}

/* Makes choices @from to @to of @kind dull, if they are not needed. */
static bool try_dull(struct shrink *shrink, unsigned kind, uint64_t from, uint64_t to)
{
	if (shrink->opts.n_dull == DULL_MAX || shrink->runs == RUNS_MAX || from >= to) {
		return false;
	}
	shrink->dull[shrink->opts.n_dull++] =
	    (struct qrt_lab_dull){.kind = kind, .from = from, .to = to};
	if (still_fails(shrink)) {
		return true;
	}
	shrink->opts.n_dull--;
	return false;
}

static void shrink_kind(struct shrink *shrink, unsigned kind)
{
	if (shrink->n_of[kind] == 0 || try_dull(shrink, kind, 0, UINT64_MAX)) {
		return;
	}
	/* Nothing is needed that comes after its end; then blocks, ever smaller. */
	uint64_t n = shrink->n_of[kind];
	for (uint64_t size = n / 2; size > 0 && size >= n / 64; size /= 2) {
		for (uint64_t from = 0; from < n; from += size) {
			bool dull_already = false;
			for (size_t i = 0; i < shrink->opts.n_dull; i++) {
				const struct qrt_lab_dull *dull = &shrink->dull[i];
				dull_already |= dull->kind == kind && dull->from <= from &&
						dull->to >= from + size;
			}
			if (!dull_already) {
				try_dull(shrink, kind, from, from + size);
			}
		}
	}
}

/* How many choices of @kind are still drawn. */
static uint64_t lively(const struct shrink *shrink, unsigned kind)
{
	uint64_t n = 0;
	for (uint64_t i = 0; i < shrink->n_of[kind]; i++) {
		bool is_dull = false;
		for (size_t k = 0; k < shrink->opts.n_dull && !is_dull; k++) {
			const struct qrt_lab_dull *dull = &shrink->dull[k];
			is_dull = dull->kind == kind && i >= dull->from && i < dull->to;
		}
		n += !is_dull;
	}
	return n;
}

static void print_outcome(const struct shrink *shrink, const uint64_t *before)
{
	FILE *out = shrink->trials->out;
	if (!out) {
		return;
	}
	fprintf(out, "shrunk in %u runs, choices:", shrink->runs);
	for (unsigned kind = 0; kind < QRT__CHOICE_KINDS; kind++) {
		if (before[kind] > 0) {
			fprintf(out, " %s %" PRIu64 " -> %" PRIu64, qrt__choice_name(kind),
				before[kind], lively(shrink, kind));
		}
	}
	fprintf(out, "; recorded in %s\n", shrink->trials->shrunk);
}

void qrt__shrink(const struct qrt_lab_options *opts, const struct qrt_lab_program *program,
		 const struct qrt_lab_trials *trials, const struct qrt_lab_result *failure)
{
	static const unsigned order[] = {
	    QRT__CHOOSE_FAULT,	QRT__CHOOSE_DISK,    QRT__CHOOSE_LANE, QRT__CHOOSE_NETWORK,
	    QRT__CHOOSE_SELECT, QRT__CHOOSE_RUNTIME, QRT__CHOOSE_TASK};
	struct shrink shrink = {
	    .opts = *opts, .program = program, .trials = trials, .failure = failure};
	shrink.opts.dull = shrink.dull;
	if (!still_fails(&shrink)) {
		if (trials->out) {
			fprintf(trials->out, "not shrunk: it does not fail again\n");
		}
		return;
	}
	uint64_t before[QRT__CHOICE_KINDS];
	memcpy(before, shrink.n_of, sizeof(before));
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		shrink_kind(&shrink, order[i]);
	}
	shrink.opts.record = trials->shrunk;
	still_fails(&shrink);
	print_outcome(&shrink, before);
}
