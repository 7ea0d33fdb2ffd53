/*
 * Combinators over the public calls: nothing here knows an engine. A contest
 * is a region of runners, one per branch; the first whose end decides it
 * cancels the rest. A runner reports by its finalizer, so that one that
 * panics or is forced has finished too.
 */
#include <qrt/combine.h>
#include <qrt/sync.h>
#include <stdio.h>

#include "shim/src/internal.h"

enum rule {
	ALL,	  /* the first failure decides */
	FIRST,	  /* the first end decides */
	FIRST_OK, /* the first success decides */
};

struct contest;

struct runner {
	struct contest *contest;
	const struct qrt_branch *branch;
	enum qrt_err err;
	bool returned; /* fn did, and that is err */
	bool ended;
};

/* On the stack of who called, which outlives the region. */
struct contest {
	enum rule rule;
	struct qrt_region *region;
	struct qrt_notify *ended; /* told of every end; NULL: nobody waits for that */
	const struct qrt_branch *branches;
	size_t n;
	const char *site;
	struct runner *runners; /* of the region's heap */
	size_t n_started;
	bool given_up;		      /* by its caller, with nothing decided */
	const struct runner *decider; /* NULL: not decided */
	size_t decider_index;
	enum qrt_err err; /* of the decider, when it returned */
	bool returned;
	char detail[256];
};

static bool decides(const struct runner *runner)
{
	bool ok = runner->returned && !runner->err;
	switch (runner->contest->rule) {
	case ALL:
		return !ok;
	case FIRST:
		return true;
	case FIRST_OK:
		return ok;
	}
	return false;
}

/* The end of a runner, however it came. */
static void runner_ended(struct qrt_cx *cx, void *arg)
{
	struct runner *runner = arg;
	struct contest *contest = runner->contest;
	runner->ended = true;
	if (!contest->decider && decides(runner)) {
		contest->decider = runner;
		contest->decider_index = (size_t)(runner - contest->runners);
		contest->returned = runner->returned;
		contest->err = runner->err;
		snprintf(contest->detail, sizeof(contest->detail), "%s", qrt_detail(cx));
		qrt__region_decided(contest->region);
		if (!QRT__MUTANT(LOSER_SPARED)) {
			qrt_region_cancel(contest->region, QRT_CANCEL_RACE_LOST,
					  "another branch decided");
		}
	}
	if (contest->ended) {
		QRT_IGNORE(qrt_notify_one(contest->ended), "closed: nobody waits any more");
	}
}

static enum qrt_err runner_main(struct qrt_cx *cx, void *arg)
{
	struct runner *runner = arg;
	if (runner->contest->decider || runner->contest->given_up) {
		return QRT_ECANCELED; /* too late to begin, whatever the engine remembers */
	}
	enum qrt_err err = qrt_defer(cx, runner_ended, runner);
	if (err) {
		runner->err = err;
		runner->returned = true;
		runner_ended(cx, runner);
		return err;
	}
	runner->err = runner->branch->fn(cx, runner->branch->arg);
	runner->returned = true;
	return runner->err;
}

static enum qrt_err start_next(struct contest *contest)
{
	size_t at = contest->n_started;
	const struct qrt_branch *branch = &contest->branches[at];
	struct runner *runner = &contest->runners[at];
	*runner = (struct runner){.contest = contest, .branch = branch};
	const char *name = branch->name ? branch->name : "branch";
	enum qrt_err err = qrt_spawn_at(contest->region, runner_main, runner, name, contest->site);
	contest->n_started += !err;
	return err;
}

static enum qrt_err open_contest(struct qrt_cx *cx, struct contest *contest, const char *name)
{
	if (contest->n > QRT_BRANCHES_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "%s: %zu branches, at most %u", name, contest->n,
				QRT_BRANCHES_MAX);
	}
	if (contest->n == 0 && contest->rule != ALL) {
		return qrt_fail(cx, QRT_EINVAL, "%s: no branches", name);
	}
	const struct qrt_region_options opts = {.name = name, .policy = QRT_COLLECT};
	enum qrt_err err = qrt_region_open_with(cx, &opts, &contest->region);
	if (err) {
		return err;
	}
	size_t bytes = (contest->n ? contest->n : 1) * sizeof(*contest->runners);
	contest->runners = qrt_alloc(qrt_region_cx(contest->region), bytes);
	if (!contest->runners) {
		return qrt_region_close(cx, &contest->region, QRT_ENOMEM);
	}
	return QRT_OK;
}

/* Drains, and says how it ended: as the decider returned, else as the region did, whose first
 * failure is a decider that did not. */
static enum qrt_err close_contest(struct qrt_cx *cx, struct contest *contest, enum qrt_err err,
				  struct qrt_aggregate *ret_aggregate)
{
	struct qrt_aggregate all;
	if (err) {
		contest->given_up = true;
		qrt_region_cancel(contest->region, QRT_CANCEL_FAIL_FAST, "its caller gave up");
	}
	enum qrt_err closed = qrt_region_close_report(cx, &contest->region, err, &all);
	enum qrt_err result = closed;
	if (contest->decider && contest->returned) {
		bool leaked = !contest->err && closed == QRT_ELEAK;
		result = leaked ? QRT_ELEAK : contest->err;
	}
	if (result && contest->decider && result != QRT_ELEAK) {
		QRT_IGNORE(qrt_fail(cx, result, "%s", contest->detail), "only the detail");
	}
	if (ret_aggregate) {
		*ret_aggregate = all;
	} else {
		qrt_aggregate_fini(&all);
	}
	return result;
}

static enum qrt_err run_contest(struct qrt_cx *cx, struct contest *contest, const char *name,
				size_t *ret_winner, struct qrt_aggregate *ret_aggregate)
{
	if (ret_aggregate) {
		*ret_aggregate = (struct qrt_aggregate){0};
	}
	enum qrt_err err = open_contest(cx, contest, name);
	if (err) {
		return err;
	}
	while (contest->n_started < contest->n && !err) {
		err = start_next(contest);
	}
	err = close_contest(cx, contest, err, ret_aggregate);
	if (ret_winner && contest->decider) {
		*ret_winner = contest->decider_index;
	}
	return err;
}

enum qrt_err qrt_join_at(struct qrt_cx *cx, const struct qrt_branch *branches, size_t n,
			 const char *site, struct qrt_aggregate *ret_aggregate)
{
	struct contest contest = {.rule = ALL, .branches = branches, .n = n, .site = site};
	return run_contest(cx, &contest, "join", NULL, ret_aggregate);
}

enum qrt_err qrt_race_at(struct qrt_cx *cx, const struct qrt_branch *branches, size_t n,
			 const char *site, size_t *ret_winner, struct qrt_aggregate *ret_aggregate)
{
	struct contest contest = {.rule = FIRST, .branches = branches, .n = n, .site = site};
	return run_contest(cx, &contest, "race", ret_winner, ret_aggregate);
}

enum qrt_err qrt_first_ok_at(struct qrt_cx *cx, const struct qrt_branch *branches, size_t n,
			     const char *site, size_t *ret_winner,
			     struct qrt_aggregate *ret_aggregate)
{
	struct contest contest = {.rule = FIRST_OK, .branches = branches, .n = n, .site = site};
	return run_contest(cx, &contest, "first ok", ret_winner, ret_aggregate);
}

/* --- hedge ---------------------------------------------------------------------------------- */

/* Until the branch started last has failed, or has had its time, or all is decided. */
static enum qrt_err hedge_pause(struct contest *contest, int64_t delay_ns)
{
	struct qrt_cx *cx = qrt_region_cx(contest->region);
	int64_t until_ns = qrt_deadline_in(cx, delay_ns);
	const struct runner *last = &contest->runners[contest->n_started - 1];
	while (!contest->decider && !last->ended) {
		size_t which;
		struct qrt_case ended = qrt_case_notified(contest->ended);
		enum qrt_err err =
		    qrt_select_until(cx, QRT_SELECT_ORDERED, &ended, 1, until_ns, &which);
		if (err == QRT_ETIMEDOUT && qrt_cx_deadline(cx) > until_ns) {
			return qrt_checkpoint(cx);
		}
		if (err) {
			return err;
		}
	}
	return QRT_OK;
}

static enum qrt_err hedge_start(struct contest *contest, int64_t delay_ns)
{
	enum qrt_err err = QRT_OK;
	while (!err && !contest->decider && contest->n_started < contest->n) {
		err = start_next(contest);
		if (!err && contest->n_started < contest->n) {
			err = hedge_pause(contest, delay_ns);
		}
	}
	return err;
}

enum qrt_err qrt_hedge_at(struct qrt_cx *cx, const struct qrt_hedge *hedge, const char *site,
			  size_t *ret_winner, struct qrt_aggregate *ret_aggregate)
{
	struct contest contest = {
	    .rule = FIRST_OK, .branches = hedge->branches, .n = hedge->n, .site = site};
	struct qrt_notify *ended;
	if (ret_aggregate) {
		*ret_aggregate = (struct qrt_aggregate){0};
	}
	if (hedge->delay_ns < 0) {
		return qrt_fail(cx, QRT_EINVAL, "hedge: a delay of %lld ns",
				(long long)hedge->delay_ns);
	}
	enum qrt_err err = qrt_notify_open_at(cx, site, &ended);
	if (err) {
		return err;
	}
	contest.ended = ended;
	err = open_contest(cx, &contest, "hedge");
	if (!err) {
		err = hedge_start(&contest, hedge->delay_ns);
		err = close_contest(cx, &contest, err, ret_aggregate);
	}
	QRT_IGNORE(qrt_notify_close(&ended), "it is open, and ours");
	if (ret_winner && contest.decider) {
		*ret_winner = contest.decider_index;
	}
	return err;
}

/* --- timeout -------------------------------------------------------------------------------- */

enum qrt_err qrt_timeout_at(struct qrt_cx *cx, int64_t ns, qrt_task_fn *fn, void *arg,
			    const char *name, const char *site)
{
	struct qrt_region *region;
	if (ns <= 0) {
		return qrt_fail(cx, QRT_ETIMEDOUT, "no time for %s", name);
	}
	const struct qrt_region_options opts = {.name = "timeout",
						.budget.deadline_ns = qrt_deadline_in(cx, ns)};
	enum qrt_err err = qrt_region_open_with(cx, &opts, &region);
	if (err) {
		return err;
	}
	err = qrt_spawn_at(region, fn, arg, name, site);
	return qrt_region_close(cx, &region, err);
}

/* --- retry ---------------------------------------------------------------------------------- */

bool qrt_retry_transient(enum qrt_err err, unsigned attempt, void *arg)
{
	(void)attempt;
	(void)arg;
	switch (err) {
	case QRT_EAGAIN:
	case QRT_EBUSY:
	case QRT_ETIMEDOUT:
	case QRT_EMFILE:
	case QRT_ECONNREFUSED:
	case QRT_ECONNRESET:
		return true;
	default:
		return false;
	}
}

/* The pause after failure number @attempt, without jitter; saturates. */
static int64_t pause_after(const struct qrt_retry *policy, unsigned attempt)
{
	int64_t max = policy->delay_max_ns ? policy->delay_max_ns : QRT_NO_DEADLINE;
	int64_t factor = policy->factor ? policy->factor : 2;
	int64_t pause = policy->delay_ns;
	for (unsigned i = 1; i < attempt && factor > 1 && pause > 0 && pause < max; i++) {
		pause = pause > max / factor ? max : pause * factor;
	}
	return pause < max ? pause : max;
}

static enum qrt_err jittered(struct qrt_cx *cx, const struct qrt_retry *policy, int64_t *pause)
{
	uint32_t dice;
	if (!policy->jitter_percent || !(qrt_cx_caps(cx) & QRT_CAP_RANDOM)) {
		return QRT_OK;
	}
	enum qrt_err err = qrt_random(cx, &dice, sizeof(dice));
	if (!err) {
		double share = dice / 4294967296.0 * policy->jitter_percent / 100.0;
		*pause -= (int64_t)((double)*pause * share);
	}
	return err;
}

static enum qrt_err attempt_once(struct qrt_cx *cx, qrt_task_fn *fn, void *arg)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (err) {
		return err;
	}
	err = fn(qrt_region_cx(region), arg);
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err check_retry(struct qrt_cx *cx, const struct qrt_retry *policy)
{
	if (policy->jitter_percent > 100) {
		return qrt_fail(cx, QRT_EINVAL, "retry: a jitter of %u percent",
				policy->jitter_percent);
	}
	if (policy->delay_ns < 0 || policy->delay_max_ns < 0) {
		return qrt_fail(cx, QRT_EINVAL, "retry: a negative delay");
	}
	return policy->delay_ns ? qrt_cx_require(cx, QRT_CAP_TIME) : QRT_OK;
}

enum qrt_err qrt_retry(struct qrt_cx *cx, const struct qrt_retry *policy, qrt_task_fn *fn,
		       void *arg)
{
	unsigned attempts = policy->attempts ? policy->attempts : 3;
	qrt_retry_fn *again = policy->again ? policy->again : qrt_retry_transient;
	enum qrt_err err = check_retry(cx, policy);
	if (err) {
		return err;
	}
	for (unsigned attempt = 1;; attempt++) {
		err = attempt_once(cx, fn, arg);
		if (!err || err == QRT_ECANCELED || attempt == attempts ||
		    !again(err, attempt, policy->again_arg)) {
			return err;
		}
		int64_t pause = pause_after(policy, attempt);
		enum qrt_err stopped = jittered(cx, policy, &pause);
		if (!stopped && qrt_deadline_in(cx, pause) >= qrt_cx_deadline(cx)) {
			return err;
		}
		if (!stopped) {
			stopped = pause > 0 ? qrt_sleep(cx, pause) : qrt_yield(cx);
		}
		if (stopped) {
			return stopped;
		}
	}
}
