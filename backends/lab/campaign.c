/* A program run for many seeds, or once for each point of a sweep; what is printed meanwhile. */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/lab/batch.h"
#include "backends/lab/campaign.h"
#include "backends/posix_clock.h"

#define RUN_NS (60 * QRT_SEC)
enum { OUTPUT_SHOWN = 6000 };

struct campaign {
	struct qrt__batch batch;
	const struct qrt_lab_options *opts;
	const struct qrt_lab_program *program;
	const struct qrt_lab_trials *trials;
	struct qrt_lab_report report;
	enum qrt_sweep_kind kind;
	int64_t begun_ns;
	bool shown; /* a line of progress stands there, without its end */
};

static struct campaign *campaign_of(struct qrt__batch *batch)
{
	return QRT__CONTAINER(batch, struct campaign, batch);
}

/* What @item stands for: a seed, or a point. */
static struct qrt_lab_options options_of(const struct campaign *campaign, uint64_t item)
{
	struct qrt_lab_options opts = *campaign->opts;
	if (campaign->kind == QRT_SWEEP_NONE) {
		opts.seed = item;
	} else {
		opts.sweep = (struct qrt_sweep_point){.kind = campaign->kind, .at = item};
	}
	return opts;
}

/* The first step that differs, printed by the replay, which ends this process. */
static void show_difference(struct qrt_lab_options *opts, const struct qrt_lab_program *program)
{
	struct qrt_lab_result ignored;
	char path[] = "/tmp/qrt-lab-XXXXXX";
	int fd = mkstemp(path);
	if (fd < 0) {
		return;
	}
	close(fd);
	opts->record = path;
	QRT_IGNORE(qrt_lab_try(opts, program, &ignored), "it has been told of");
	opts->record = NULL;
	opts->replay = path;
	QRT_IGNORE(qrt_lab_try(opts, program, &ignored), "it has been told of");
	unlink(path);
}

static void run_item(struct qrt__batch *batch, uint64_t item, struct qrt_lab_result *result)
{
	struct campaign *campaign = campaign_of(batch);
	struct qrt_lab_options opts = options_of(campaign, item);
	QRT_IGNORE(qrt_lab_try(&opts, campaign->program, result), "it is in the result");
	uint64_t twice = campaign->trials->twice;
	if (result->err || twice == 0 || item % twice != 0) {
		return;
	}
	struct qrt_lab_result again;
	QRT_IGNORE(qrt_lab_try(&opts, campaign->program, &again), "it is in the result");
	if (again.stats.hash != result->stats.hash) {
		snprintf(result->detail, sizeof(result->detail),
			 "not deterministic: hash %016" PRIx64 ", then %016" PRIx64,
			 result->stats.hash, again.stats.hash);
		result->err = QRT_EFAILED;
		show_difference(&opts, campaign->program);
	}
}

/* --- what is printed ---------------------------------------------------------------------------
 */

static void end_line(struct campaign *campaign)
{
	if (campaign->shown) {
		fprintf(campaign->trials->out, "\n");
		campaign->shown = false;
	}
}

static void progress(struct qrt__batch *batch)
{
	struct campaign *campaign = campaign_of(batch);
	FILE *out = campaign->trials->out;
	if (!out) {
		return;
	}
	const struct qrt_lab_report *report = &campaign->report;
	double real_s = (double)(qrt__posix_now(NULL) - campaign->begun_ns) / (double)QRT_SEC;
	bool over = isatty(fileno(out));
	fprintf(out,
		"%s%s: %" PRIu64 " of %" PRIu64 " runs, %.0f/s, %.1f s of virtual time, %" PRIu64
		" failures%s",
		over ? "\r" : "", campaign->program->name, report->runs, batch->n,
		real_s > 0 ? (double)report->runs / real_s : 0.0,
		(double)report->virtual_ns / (double)QRT_SEC, report->failures, over ? "" : "\n");
	fflush(out);
	campaign->shown = over;
}

static const char *tail(const char *text)
{
	size_t n = strlen(text);
	return n > OUTPUT_SHOWN ? text + n - OUTPUT_SHOWN : text;
}

static void print_failure(struct campaign *campaign, uint64_t item,
			  const struct qrt_lab_result *result, const char *output)
{
	FILE *out = campaign->trials->out;
	if (!out) {
		return;
	}
	end_line(campaign);
	fprintf(out, "%s: %s %" PRIu64 " failed: %s: %s\n", campaign->program->name,
		campaign->kind == QRT_SWEEP_NONE ? "seed" : qrt_sweep_name(campaign->kind), item,
		qrt_err_name(result->err), result->detail);
	if (result->point[0]) {
		fprintf(out, "  at %s\n", result->point);
	}
	if (output[0]) {
		fprintf(out, "%s%s", tail(output), output[strlen(output) - 1] == '\n' ? "" : "\n");
	}
}

static void print_marks(const struct campaign *campaign)
{
	FILE *out = campaign->trials->out;
	const struct qrt_marks *marks = &campaign->trials->marks;
	for (size_t i = 0; i < campaign->batch.n_marks; i++) {
		if (!marks->first[i]->reached) {
			fprintf(out, "  never: %s (%s)\n", marks->first[i]->name,
				marks->first[i]->site);
		}
	}
}

static void print_summary(struct campaign *campaign)
{
	FILE *out = campaign->trials->out;
	const struct qrt_lab_report *report = &campaign->report;
	if (!out) {
		return;
	}
	end_line(campaign);
	double real_s = (double)report->real_ns / (double)QRT_SEC;
	double virtual_s = (double)report->virtual_ns / (double)QRT_SEC;
	fprintf(out, "%s", campaign->program->name);
	if (campaign->kind != QRT_SWEEP_NONE) {
		fprintf(out, " --%s: %" PRIu64 " points,", qrt_sweep_name(campaign->kind),
			report->points);
	} else {
		fprintf(out, ":");
	}
	fprintf(out,
		" %" PRIu64 " runs, %" PRIu64 " failures, %" PRIu64 " steps, %" PRIu64
		" faults; %.1f s, %.0f runs/s, %.1f x real time",
		report->runs, report->failures, report->steps, report->faults, real_s,
		real_s > 0 ? (double)report->runs / real_s : 0.0,
		real_s > 0 ? virtual_s / real_s : 0.0);
	if (report->marks > 0) {
		fprintf(out, "; %zu of %zu marks reached", report->marks_reached, report->marks);
	}
	fprintf(out, "\n");
	print_marks(campaign);
}

/* --- running -------------------------------------------------------------------------------------
 */

static bool item_done(struct qrt__batch *batch, uint64_t item, const struct qrt_lab_result *result,
		      const char *output)
{
	struct campaign *campaign = campaign_of(batch);
	struct qrt_lab_report *report = &campaign->report;
	report->runs++;
	report->steps += result->stats.steps;
	report->faults += result->stats.faults;
	report->virtual_ns += result->stats.now_ns;
	if (campaign->kind != QRT_SWEEP_NONE && item == 0) {
		report->points = result->points;
	}
	if (!result->err) {
		return true;
	}
	report->failures++;
	print_failure(campaign, item, result, output);
	if (report->first_failure == 0 || item < report->first_failure) {
		report->first_failure = item;
		report->first = *result;
	}
	return campaign->trials->keep_going;
}

static enum qrt_err run_batch(struct campaign *campaign, uint64_t first, uint64_t n)
{
	const struct qrt_lab_trials *trials = campaign->trials;
	campaign->batch = (struct qrt__batch){.first = first,
					      .n = n,
					      .jobs = trials->jobs,
					      .run_ns = trials->run_ns ? trials->run_ns : RUN_NS,
					      .marks = trials->marks,
					      .run = run_item,
					      .done = item_done,
					      .tick = progress};
	return qrt__batch_run(&campaign->batch);
}

/* A token for what has died before it could say its own: the options are known. */
static void complete_token(struct campaign *campaign)
{
	struct qrt_lab_result *first = &campaign->report.first;
	if (!first->token[0]) {
		struct qrt_lab_options opts = options_of(campaign, campaign->report.first_failure);
		qrt__token_of(&opts, first->token);
	}
}

/* Where the sweep's first failing point is: a run that does nothing there. */
static void look_at_point(struct campaign *campaign)
{
	struct campaign look = *campaign;
	struct qrt_lab_options opts = options_of(campaign, campaign->report.first_failure);
	opts.sweep.look = true;
	struct qrt_lab_result result = {0};
	qrt__try_apart(&opts, campaign->program, look.trials->run_ns, &result);
	if (result.point[0]) {
		memcpy(campaign->report.first.point, result.point, sizeof(result.point));
	}
}

static enum qrt_err conclude(struct campaign *campaign, struct qrt_lab_report *ret_report)
{
	struct qrt_lab_report *report = &campaign->report;
	FILE *out = campaign->trials->out;
	report->real_ns = qrt__posix_now(NULL) - campaign->begun_ns;
	report->marks = campaign->batch.n_marks;
	report->marks_reached = campaign->batch.marks_reached;
	if (report->failures > 0) {
		complete_token(campaign);
		if (campaign->kind != QRT_SWEEP_NONE) {
			look_at_point(campaign);
		}
	}
	print_summary(campaign);
	if (report->failures > 0 && out) {
		fprintf(out, "first failure: %s %" PRIu64 "%s%s\nreplay token %s\n",
			campaign->kind == QRT_SWEEP_NONE ? "seed" : qrt_sweep_name(campaign->kind),
			report->first_failure, report->first.point[0] ? ", at " : "",
			report->first.point, report->first.token);
	}
	if (report->failures > 0 && campaign->trials->shrunk) {
		struct qrt_lab_options opts = options_of(campaign, report->first_failure);
		qrt__shrink(&opts, campaign->program, campaign->trials, &report->first);
	}
	*ret_report = *report;
	return report->failures > 0 ? QRT_EFAILED : QRT_OK;
}

/* PCT finds more when it knows how long a run is: one in turn tells. */
static void find_length(struct qrt_lab_options *opts, const struct qrt_lab_program *program,
			const struct qrt_lab_trials *trials)
{
	if (opts->strategy != QRT_LAB_PCT || opts->length > 0 || opts->sweep.at > 0) {
		return;
	}
	struct qrt_lab_options in_turn = *opts;
	struct qrt_lab_result result = {0};
	in_turn.strategy = QRT_LAB_ROUND_ROBIN;
	qrt__try_apart(&in_turn, program, trials->run_ns, &result);
	opts->length = result.stats.steps < UINT32_MAX ? (uint32_t)result.stats.steps : 0;
}

enum qrt_err qrt_lab_campaign(const struct qrt_lab_options *opts,
			      const struct qrt_lab_program *program, uint64_t n,
			      const struct qrt_lab_trials *trials,
			      struct qrt_lab_report *ret_report)
{
	struct qrt_lab_options with_length = *opts;
	struct campaign campaign = {.opts = &with_length,
				    .program = program,
				    .trials = trials,
				    .begun_ns = qrt__posix_now(NULL)};
	find_length(&with_length, program, trials);
	enum qrt_err err = run_batch(&campaign, opts->seed, n);
	return err ? err : conclude(&campaign, ret_report);
}

enum qrt_err qrt_lab_sweep(const struct qrt_lab_options *opts,
			   const struct qrt_lab_program *program, enum qrt_sweep_kind kind,
			   const struct qrt_lab_trials *trials, struct qrt_lab_report *ret_report)
{
	struct campaign campaign = {.opts = opts,
				    .program = program,
				    .trials = trials,
				    .kind = kind,
				    .begun_ns = qrt__posix_now(NULL)};
	if (kind == QRT_SWEEP_NONE || kind >= QRT_SWEEPS ||
	    (kind == QRT_SWEEP_CRASH && (!program->recover || !opts->disk))) {
		return QRT_EINVAL;
	}
	/* Point 0 is never come to: it only counts them. */
	enum qrt_err err = run_batch(&campaign, 0, 1);
	if (err || campaign.report.failures > 0) {
		return err ? err : conclude(&campaign, ret_report);
	}
	campaign.report = (struct qrt_lab_report){.points = campaign.report.points};
	err = run_batch(&campaign, 1, campaign.report.points);
	return err ? err : conclude(&campaign, ret_report);
}
