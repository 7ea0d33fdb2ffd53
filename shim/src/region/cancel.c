/*
 * The cancel protocol's bookkeeping: requests and how they add up, what a
 * checkpoint answers, masks, commit sections, and the end of patience. Whom a
 * request reaches is the engine's promise, not this file's.
 *
 *	            request                          cleanup budget spent
 *	not asked ───────────> asked: each checkpoint ──────────────> forced: the next
 *	     ^                 refuses, waits are cut                 checkpoint abandons
 *	     │                   │ mask: not now
 *	     └── the region that was cancelled closes
 */
#include <qrt/cancel.h>
#include <stdio.h>

#include "shim/src/internal.h"

struct kind {
	const char *name;
	int severity;
	int64_t cleanup_ns;
};

static const struct kind kinds[] = {
#define KIND(name, text, severity, cleanup_ms) [name] = {text, severity, (cleanup_ms)*QRT_MS},
    QRT_CANCEL_KINDS(KIND)
#undef KIND
};

const char *qrt_cancel_name(enum qrt_cancel_kind kind)
{
	return kinds[kind].name;
}

int qrt_cancel_severity(enum qrt_cancel_kind kind)
{
	return kinds[kind].severity;
}

/* --- requests ------------------------------------------------------------------------------ */

/*
 * A total order, so that the merge does not depend on which came first to us. Levels and causes
 * come before the names of kinds: of what is asked in one moment the stronger above must not be
 * the weaker below, where both are called "parent".
 */
static bool stronger(const struct qrt_cancel_info *a, const struct qrt_cancel_info *b)
{
	int difference = kinds[a->kind].severity - kinds[b->kind].severity;
	if (difference != 0) {
		return difference > 0;
	}
	if (a->at_ns != b->at_ns) {
		return a->at_ns < b->at_ns;
	}
	if (a->levels != b->levels) {
		return a->levels > b->levels;
	}
	difference = kinds[a->cause].severity - kinds[b->cause].severity;
	if (difference != 0) {
		return difference > 0;
	}
	return a->kind != b->kind ? a->kind < b->kind : a->cause < b->cause;
}

struct qrt_cancel_info qrt_cancel_merge(struct qrt_cancel_info a, struct qrt_cancel_info b)
{
	struct qrt_cancel_info both = stronger(&b, &a) ? b : a;
	both.cleanup_until_ns =
	    a.cleanup_until_ns < b.cleanup_until_ns ? a.cleanup_until_ns : b.cleanup_until_ns;
	return both;
}

struct qrt_cancel_info qrt__cancel_info_at(enum qrt_cancel_kind kind, const char *reason,
					   const char *origin, int64_t at_ns, int64_t cleanup_ns)
{
	return (struct qrt_cancel_info){
	    .kind = kind,
	    .cause = kind,
	    .reason = reason,
	    .origin = origin,
	    .at_ns = at_ns,
	    .cleanup_until_ns = at_ns + (cleanup_ns ? cleanup_ns : kinds[kind].cleanup_ns),
	};
}

struct qrt_cancel_info qrt__cancel_info(struct qrt_runtime *rt, enum qrt_cancel_kind kind,
					const char *reason, int64_t cleanup_ns)
{
	const char *origin = rt->current ? rt->current->name : "outside";
	return qrt__cancel_info_at(kind, reason, origin, qrt__now(rt), cleanup_ns);
}

bool qrt__cancel_request(struct qrt__cancel *cancel, const struct qrt_cancel_info *request)
{
	if (!cancel->requested) {
		cancel->requested = true;
		cancel->info = *request;
		return true;
	}
	bool sooner = request->cleanup_until_ns < cancel->info.cleanup_until_ns;
	if (!sooner && !stronger(request, &cancel->info)) {
		return false; /* what stands is as strong, and earlier */
	}
	cancel->info = qrt_cancel_merge(cancel->info, *request);
	return true;
}

struct qrt_cancel_info qrt__cancel_below(const struct qrt_cancel_info *above)
{
	struct qrt_cancel_info below = *above;
	below.levels++;
	if (kinds[above->kind].severity < kinds[QRT_CANCEL_PARENT].severity) {
		below.kind = QRT_CANCEL_PARENT;
	}
	return below;
}

bool qrt__cancel_enters(const struct qrt__region *region)
{
	const struct qrt_task *opener = region->opener;
	if (!region->shielded || opener->masks == 0) {
		return true;
	}
	/* What a commit section has opened is part of it. */
	return opener->commits == 0 && (opener->mask_spent || opener->forced);
}

void qrt__cancel_region(struct qrt__region *region, enum qrt_cancel_kind kind, const char *reason)
{
	const struct qrt_cancel_info request =
	    qrt__cancel_info(region->rt, kind, reason, region->cleanup_ns);
	region->rt->engine->cancel_region(region, &request);
}

void qrt__cancel_scope(struct qrt__region *region, enum qrt_cancel_kind kind, const char *reason)
{
	const struct qrt_cancel_info request =
	    qrt__cancel_info(region->rt, kind, reason, region->cleanup_ns);
	region->rt->engine->cancel_scope(region, &request);
}

void qrt__cancel_task(struct qrt_task *task, enum qrt_cancel_kind kind, const char *reason)
{
	const struct qrt_cancel_info request = qrt__cancel_info(task->rt, kind, reason, 0);
	task->rt->engine->cancel_task(task, &request);
}

/* What @task is asked by; NULL when it is not. */
static const struct qrt__cancel *request_of(const struct qrt_task *task)
{
	const struct qrt__cancel *own = &task->cancel;
	const struct qrt__cancel *scope = &qrt__task_scope(task)->cancel;
	if (!own->requested) {
		return scope->requested ? scope : NULL;
	}
	return scope->requested && stronger(&scope->info, &own->info) ? scope : own;
}

bool qrt_cancel_requested(const struct qrt_cx *cx, struct qrt_cancel_info *ret_info)
{
	const struct qrt__cancel *request = cx->task->asked ? request_of(cx->task) : NULL;
	if (request && ret_info) {
		*ret_info = request->info;
	}
	return request;
}

enum qrt_err qrt__cancel_err(const struct qrt_task *task)
{
	const struct qrt__cancel *request = request_of(task);
	return request && request->info.cause == QRT_CANCEL_DEADLINE ? QRT_ETIMEDOUT
								     : QRT_ECANCELED;
}

/* --- what reaches a task -------------------------------------------------------------------- */

#define NOT_ASKED INT64_MAX

static int64_t earlier_of(int64_t at_ns, const struct qrt__cancel *cancel)
{
	return cancel->requested && cancel->info.at_ns < at_ns ? cancel->info.at_ns : at_ns;
}

/*
 * Since when @task has been asked to end, in whatever region it works now: one that was opened
 * under a mask has not been told what the mask holds back.
 */
static int64_t asked_since(const struct qrt_task *task)
{
	if (!task->rt->engine->structured) {
		return NOT_ASKED;
	}
	int64_t since = earlier_of(earlier_of(NOT_ASKED, &task->cancel), &task->home->cancel);
	for (const struct qrt__region *region = task->top; region; region = region->outer) {
		since = earlier_of(since, &region->cancel);
	}
	return since;
}

/* When the mask's own budget ends. */
static int64_t mask_until(const struct qrt_task *task, int64_t asked_ns)
{
	int64_t from = asked_ns > task->mask_begun_ns ? asked_ns : task->mask_begun_ns;
	return from + task->mask_ns;
}

static void time_mask(struct qrt_task *task)
{
	struct qrt__timers *timers = &task->rt->timers;
	int64_t asked_ns = asked_since(task);
	bool bounded = task->masks > 0 && task->mask_ns != QRT_NO_DEADLINE;
	if (!bounded || asked_ns == NOT_ASKED || task->mask_spent) {
		qrt__timer_stop(timers, &task->mask_timer);
		return;
	}
	qrt__timer_start(timers, &task->mask_timer, mask_until(task, asked_ns));
}

/* The same when the requests have changed: a stronger one later gives the mask no more time. */
static void time_mask_again(struct qrt_task *task)
{
	if (!qrt__timer_running(&task->mask_timer) || asked_since(task) == NOT_ASKED) {
		time_mask(task);
	}
}

void qrt__cancel_look(struct qrt_task *task)
{
	const struct qrt__region *scope = qrt__task_scope(task);
	task->asked =
	    task->rt->engine->structured && (task->cancel.requested || scope->cancel.requested);
	/* Who closes its region waits for others: the end of their patience is not its own. */
	bool only_closes = scope->opener == task && scope->state > QRT__REGION_OPEN;
	task->forced = task->cancel.expired || (scope->cancel.expired && !only_closes);
	if (!task->asked) {
		task->refused = 0;
	}
	if (task->masks > 0) {
		time_mask_again(task);
	}
}

void qrt__cancel_deliver(struct qrt_task *task)
{
	qrt__cancel_look(task);
	if (task->wait && qrt__cancel_reaches(task)) {
		qrt__wait_abort(task->wait, qrt__cancel_err(task));
	}
}

/* The detail of a forced end: what was asked, and what kept the task from it. */
static void say_forced(struct qrt_task *task)
{
	const struct qrt_cancel_info *info = &request_of(task)->info;
	long long asked_ms = (long long)((qrt__now(task->rt) - info->at_ns) / QRT_MS);
	char *at = task->detail;
	size_t n = sizeof(task->detail);
	int used = snprintf(at, n, "forced %lld ms after a %s cancel by %s: ", asked_ms,
			    kinds[info->kind].name, info->origin);
	if (used < 0 || (size_t)used >= n) {
		return;
	}
	if (task->stuck_in) {
		snprintf(at + used, n - (size_t)used, "waited %lld ms for %s%s%s",
			 (long long)(task->stuck_ns / QRT_MS), task->stuck_in,
			 task->stuck_holder ? ", held by " : "",
			 task->stuck_holder ? task->stuck_holder : "");
	} else {
		snprintf(at + used, n - (size_t)used, "%u checkpoints refused it", task->refused);
	}
}

enum qrt_err qrt__cancel_refuse(struct qrt_task *task)
{
	if (!qrt__cancel_reaches(task)) {
		return QRT_OK;
	}
	enum qrt_err err = qrt__cancel_err(task);
	/* One that neither ends nor waits must not keep the loop from the others either. */
	if ((task->forced || ++task->refused > QRT_CLEANUP_POLLS) && !task->anchors) {
		QRT__COUNT(task->rt->forced, 1);
		task->forced = true;
		task->abandoned = true;
		say_forced(task);
		qrt__trace_named(task->rt, QRT__TRACE_FORCE, task->id, task->refused, task->name,
				 task->site);
		qrt__task_abandon(task, err, QRT_OUTCOME_CANCELLED);
	}
	return err;
}

/* A mask of @task has ended, or no longer holds: what it kept from regions below comes to them. */
static void catch_up(struct qrt_task *task)
{
	const struct qrt__engine *engine = task->rt->engine;
	if (!engine->structured || QRT__MUTANT(CANCEL_FORGOTTEN)) {
		return;
	}
	/* Inside out will do: what an outer one is told it passes on. */
	for (struct qrt__region *region = task->top; region; region = region->outer) {
		if (!qrt__cancel_enters(region)) {
			continue;
		}
		if (task->cancel.requested) {
			engine->cancel_region(region, &task->cancel.info);
		}
		if (region->parent->cancel.requested) {
			const struct qrt_cancel_info below =
			    qrt__cancel_below(&region->parent->cancel.info);
			engine->cancel_region(region, &below);
		}
	}
}

/* --- the end of patience -------------------------------------------------------------------- */

/* For the report: the wait is about to be cut. */
static void note_stuck(struct qrt_task *task)
{
	const struct qrt_task *holder = qrt__task_holder(task);
	task->stuck_in = qrt__wait_name(task->wait->kind);
	task->stuck_holder = holder ? holder->name : NULL;
	task->stuck_ns = qrt__now(task->rt) - task->wait->since_ns;
	qrt__trace_named(task->rt, QRT__TRACE_STUCK, task->id, (uint64_t)(task->stuck_ns / QRT_MS),
			 task->stuck_in, task->stuck_holder);
}

/* Masks no longer hold, commit sections do. */
static void force(struct qrt_task *task)
{
	if (task->wait && !task->commits) {
		note_stuck(task);
	}
	task->forced = task->commits == 0;
	catch_up(task);
	qrt__cancel_deliver(task); /* looks anew whether what it does now is what expired */
}

static void task_patience_ends(struct qrt__timer *timer)
{
	struct qrt_task *task = QRT__CONTAINER(timer, struct qrt_task, patience);
	task->cancel.expired = true;
	force(task);
}

static void mask_patience_ends(struct qrt__timer *timer)
{
	struct qrt_task *task = QRT__CONTAINER(timer, struct qrt_task, mask_timer);
	task->mask_spent = true;
	qrt__cancel_deliver(task);
	catch_up(task);
}

static void region_patience_ends(struct qrt__timer *timer)
{
	struct qrt__region *region = QRT__CONTAINER(timer, struct qrt__region, patience);
	region->cancel.expired = true;
	if (region->opener) {
		force(region->opener);
	}
	QRT__LIST_EACH(node, &region->tasks) {
		force(QRT__CONTAINER(node, struct qrt_task, in_home));
	}
}

static void region_deadline(struct qrt__timer *timer)
{
	struct qrt__region *region = QRT__CONTAINER(timer, struct qrt__region, deadline);
	qrt__cancel_region(region, QRT_CANCEL_DEADLINE, "the region's deadline has passed");
}

void qrt__cancel_watch_region(struct qrt__region *region)
{
	qrt__timer_start(&region->rt->timers, &region->patience,
			 region->cancel.info.cleanup_until_ns);
}

void qrt__cancel_watch_task(struct qrt_task *task)
{
	qrt__timer_start(&task->rt->timers, &task->patience, task->cancel.info.cleanup_until_ns);
}

void qrt__cancel_at_deadline(struct qrt__region *region)
{
	qrt__timer_start(&region->rt->timers, &region->deadline, region->cx.deadline_ns);
}

void qrt__cancel_init_task(struct qrt_task *task)
{
	qrt__timer_init(&task->patience, task_patience_ends);
	qrt__timer_init(&task->mask_timer, mask_patience_ends);
	task->mask_ns = QRT_NO_DEADLINE;
	qrt__cancel_look(task);
}

void qrt__cancel_fini_task(struct qrt_task *task)
{
	qrt__timer_stop(&task->rt->timers, &task->patience);
	qrt__timer_stop(&task->rt->timers, &task->mask_timer);
}

void qrt__cancel_init_region(struct qrt__region *region)
{
	qrt__timer_init(&region->patience, region_patience_ends);
	qrt__timer_init(&region->deadline, region_deadline);
}

void qrt__cancel_fini_region(struct qrt__region *region)
{
	qrt__timer_stop(&region->rt->timers, &region->patience);
	qrt__timer_stop(&region->rt->timers, &region->deadline);
}

/* --- masks ---------------------------------------------------------------------------------- */

static int64_t outer_left(const struct qrt_task *task, int64_t now)
{
	if (task->masks == 0) {
		return QRT_NO_DEADLINE;
	}
	int64_t asked_ns = asked_since(task);
	if (task->mask_ns == QRT_NO_DEADLINE || asked_ns == NOT_ASKED) {
		return task->mask_ns;
	}
	int64_t left = mask_until(task, asked_ns) - now;
	return left > 0 ? left : 0;
}

static enum qrt_err mask_begin(struct qrt_cx *cx, int64_t budget_ns, struct qrt_mask *ret_mask)
{
	struct qrt_task *task = cx->task;
	if (task->masks >= QRT_MASK_DEPTH_MAX) {
		return qrt_fail(cx, QRT_ELIMIT, "%d masks within each other", QRT_MASK_DEPTH_MAX);
	}
	*ret_mask = (struct qrt_mask){.outer_ns_ = task->mask_ns,
				      .outer_begun_ns_ = task->mask_begun_ns,
				      .outer_spent_ = task->mask_spent};
	int64_t now = qrt__now(task->rt);
	int64_t left = outer_left(task, now);
	task->mask_ns = budget_ns && budget_ns < left ? budget_ns : left;
	task->mask_begun_ns = now;
	task->masks++;
	time_mask(task);
	return QRT_OK;
}

enum qrt_err qrt_mask_begin(struct qrt_cx *cx, int64_t budget_ns, struct qrt_mask *ret_mask)
{
	if (budget_ns < 0) {
		return qrt_fail(cx, QRT_EINVAL, "a mask of %lld ns", (long long)budget_ns);
	}
	return mask_begin(cx, budget_ns, ret_mask);
}

void qrt_mask_end(struct qrt_cx *cx, struct qrt_mask *mask)
{
	struct qrt_task *task = cx->task;
	QRT_PRE(task->masks > task->commits);
	task->masks--;
	task->mask_ns = mask->outer_ns_;
	task->mask_begun_ns = mask->outer_begun_ns_;
	task->mask_spent = mask->outer_spent_;
	time_mask(task);
	catch_up(task);
}

enum qrt_err qrt_commit_begin(struct qrt_cx *cx, struct qrt_mask *ret_mask)
{
	enum qrt_err err = qrt_checkpoint(cx);
	if (!err) {
		err = mask_begin(cx, 0, ret_mask);
	}
	if (!err) {
		cx->task->commits++;
	}
	return err;
}

void qrt_commit_end(struct qrt_cx *cx, struct qrt_mask *mask)
{
	QRT_PRE(cx->task->commits > 0);
	cx->task->commits--;
	qrt_mask_end(cx, mask);
}
