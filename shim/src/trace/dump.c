/*
 * What lives in a runtime, for people and programs: deadlocks and hogs, then
 * the tree of regions with their tasks and duties. One walk; report.c writes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/fiber/census.h"
#include "shim/src/internal.h"
#include "shim/src/base/report.h"
#include "shim/src/log/internal.h"
#include "shim/src/region/token.h"

enum { HOGS = 5, DEADLOCKS = 16 };

struct dump {
	struct qrt__report report;
	struct qrt_runtime *rt;
	int64_t now_ns;
	size_t tasks, deadlocks; /* written */
};

static void put_ms(struct dump *dump, const char *key, int64_t ns)
{
	qrt__report_number(&dump->report, key, ns / QRT_MS);
}

static void put_age(struct dump *dump, const char *key, int64_t since_ns)
{
	put_ms(dump, key, dump->now_ns - since_ns);
}

/* Negative: it should have been over by now. */
static void put_left(struct dump *dump, const char *key, int64_t until_ns)
{
	if (until_ns != QRT_NO_DEADLINE) {
		put_ms(dump, key, until_ns - dump->now_ns);
	}
}

static void put_budget(struct dump *dump, const struct qrt_cx *cx, const struct qrt__meter *meter,
		       unsigned priority)
{
	struct qrt__report *report = &dump->report;
	put_left(dump, "deadline_ms", cx->deadline_ns);
	if (meter->polls_given != INT64_MAX) {
		qrt__report_number(report, "polls_left", meter->polls);
	}
	if (meter->cost_given != INT64_MAX) {
		qrt__report_number(report, "cost_left", meter->cost);
	}
	if (priority) {
		qrt__report_number(report, "priority", priority);
	}
}

static void put_cancel(struct dump *dump, const struct qrt__cancel *cancel)
{
	struct qrt__report *report = &dump->report;
	const struct qrt_cancel_info *info = &cancel->info;
	if (!cancel->requested) {
		return;
	}
	qrt__report_text(report, "cancel", qrt_cancel_name(info->kind));
	qrt__report_text(report, "reason", info->reason);
	qrt__report_text(report, "cause", qrt_cancel_name(info->cause));
	qrt__report_text(report, "origin", info->origin);
	put_age(dump, "cancel_age_ms", info->at_ns);
	put_left(dump, "cleanup_left_ms", info->cleanup_until_ns);
	if (cancel->expired) {
		qrt__report_flag(report, "cleanup_expired");
	}
}

/* --- waits ----------------------------------------------------------------------------------- */

void qrt__wait_object(const struct qrt__wait *wait, char *ret_text, size_t n)
{
	const void *object = wait->object;
	ret_text[0] = '\0';
	if (!object) {
		return;
	}
	switch (wait->kind) {
	case QRT__WAIT_ACCEPT:
	case QRT__WAIT_CONNECT:
	case QRT__WAIT_READ:
	case QRT__WAIT_WRITE:
	case QRT__WAIT_TLS:
	case QRT__WAIT_SIGNAL:
		snprintf(ret_text, n, "descriptor %d", ((const struct qrt__socket *)object)->fd);
		break;
	case QRT__WAIT_JOIN:
		snprintf(ret_text, n, "%s", ((const struct qrt__region *)object)->name);
		break;
	case QRT__WAIT_LANE:
	case QRT__WAIT_CALL:
	case QRT__WAIT_WS:
		snprintf(ret_text, n, "%s", (const char *)object);
		break;
	default:
		break; /* the kind says it all */
	}
}

static void put_wait(struct dump *dump, const struct qrt_task *task)
{
	struct qrt__report *report = &dump->report;
	const struct qrt__wait *wait = task->wait;
	const struct qrt_task *holder = qrt__task_holder(task);
	char object[QRT__WAIT_OBJECT_SIZE];
	qrt__report_text(report, "state", "parked");
	qrt__report_text(report, "waits_for", qrt__wait_name(wait->kind));
	put_age(dump, "waits_ms", wait->since_ns);
	qrt__wait_object(wait, object, sizeof(object));
	if (object[0]) {
		qrt__report_text(report, "on", object);
	}
	if (wait->site) {
		qrt__report_text(report, "waits_at", wait->site);
	}
	if (holder) {
		qrt__report_number(report, "held_by", (int64_t)holder->id);
		qrt__report_text(report, "held_by_task", holder->name);
	}
	if (qrt__timer_running(&wait->timer)) {
		put_left(dump, "gives_up_ms", wait->timer.at_ns);
	}
}

/* --- tasks and duties ------------------------------------------------------------------------ */

/* It comes from outside, so it may be a secret. */
static void put_correlation(struct dump *dump, const struct qrt_task *task)
{
	const char *id = qrt__correlation_of(task->top ? &task->top->cx : &task->cx);
	char safe[QRT__LOG_VALUE_SIZE];
	if (id) {
		qrt__log_redact(id, safe);
		qrt__report_text(&dump->report, "correlation", safe);
	}
}

static void put_who(struct dump *dump, const struct qrt_task *task)
{
	struct qrt__report *report = &dump->report;
	qrt__report_text(report, "task", task->name);
	qrt__report_number(report, "id", (int64_t)task->id);
	qrt__report_text(report, "spawned_at", task->site);
	if (task->wait) {
		put_wait(dump, task);
	} else {
		qrt__report_text(report, "state",
				 task->state == QRT__TASK_RUNNING ? "running" : "ready");
	}
	put_correlation(dump, task);
}

static void put_protection(struct dump *dump, const struct qrt_task *task)
{
	struct qrt__report *report = &dump->report;
	if (task->asked) {
		qrt__report_flag(report, "asked");
	}
	if (task->masks) {
		qrt__report_number(report, "masks", task->masks);
	}
	if (task->commits) {
		qrt__report_number(report, "commits", task->commits);
	}
	if (task->masks && task->mask_spent) {
		qrt__report_flag(report, "mask_spent");
	}
	if (task->forced) {
		qrt__report_flag(report, "forced");
	}
	if (task->finalizing) {
		qrt__report_flag(report, "finalizing");
	}
}

static void put_duty(struct dump *dump, const struct qrt__obligation *entry)
{
	struct qrt__report *report = &dump->report;
	if (!qrt__report_begin(report)) {
		return;
	}
	qrt__report_text(report, "duty", qrt__duty_name(entry->kind));
	qrt__report_text(report, "what", entry->what);
	qrt__report_text(report, "made_at", entry->site);
	qrt__report_text(report, "holder", entry->holder_name);
	if (qrt__duty_is_left(entry)) {
		qrt__report_flag(report, "left");
	}
	put_age(dump, "age_ms", entry->since_ns);
	if (qrt__report_fits(report)) {
		qrt__report_end(report);
	}
}

static void put_task(struct dump *dump, const struct qrt_task *task)
{
	struct qrt__report *report = &dump->report;
	if (!qrt__report_begin(report)) {
		return;
	}
	put_who(dump, task);
	put_age(dump, "age_ms", task->spawned_ns);
	put_budget(dump, &task->cx, &task->meter, task->priority);
	put_cancel(dump, &task->cancel);
	put_protection(dump, task);
	if (!qrt__report_fits(report)) {
		return;
	}
	dump->tasks++;
	if (!qrt__list_empty(&task->duties)) {
		qrt__report_array(report, "duties");
		QRT__LIST_EACH(node, &task->duties) {
			put_duty(dump, QRT__CONTAINER(node, struct qrt__obligation, in_holder));
		}
		qrt__report_array_end(report);
	}
	qrt__report_end(report);
}

/* --- regions --------------------------------------------------------------------------------- */

static const char *const policies[] = {
    [QRT_FAIL_FAST] = "fail-fast",
    [QRT_COLLECT] = "collect",
    [QRT_FIRST_SUCCESS] = "first-success",
    [QRT_SUPERVISE] = "supervise",
};

/* Those that the region answers for itself; the others stand with the tasks that hold them. */
static void put_duties_of_region(struct dump *dump, const struct qrt__region *region)
{
	bool any = false;
	QRT__LIST_EACH(node, &region->duties) {
		const struct qrt__obligation *entry =
		    QRT__CONTAINER(node, struct qrt__obligation, in_region);
		if (entry->holder || dump->report.cut) {
			continue;
		}
		if (!any) {
			qrt__report_array(&dump->report, "duties");
			any = true;
		}
		put_duty(dump, entry);
	}
	if (any) {
		qrt__report_array_end(&dump->report);
	}
}

/* All of @region but for its child regions. False: there is no room for it. */
static bool begin_region(struct dump *dump, const struct qrt__region *region)
{
	struct qrt__report *report = &dump->report;
	if (!qrt__report_begin(report)) {
		return false;
	}
	qrt__report_text(report, "region", region->name);
	qrt__report_text(report, "state", qrt__region_state_name(region->state));
	put_age(dump, "age_ms", region->opened_ns);
	if (region->opener) {
		qrt__report_text(report, "opened_by", region->opener->name);
		qrt__report_number(report, "opened_by_id", (int64_t)region->opener->id);
	}
	qrt__report_number(report, "id", (int64_t)region->id);
	qrt__report_text(report, "policy", policies[region->policy]);
	put_budget(dump, &region->cx, &region->meter, region->priority);
	put_cancel(dump, &region->cancel);
	if (region->binding) {
		qrt__report_text(report, "token", qrt__token_name(region->binding));
	}
	if (region->shielded) {
		qrt__report_flag(report, "shielded");
	}
	if (!qrt__report_fits(report)) {
		return false;
	}
	put_duties_of_region(dump, region);
	qrt__report_array(report, "tasks");
	QRT__LIST_EACH(node, &region->tasks) {
		if (!report->cut) {
			put_task(dump, QRT__CONTAINER(node, struct qrt_task, in_home));
		}
	}
	qrt__report_array_end(report);
	qrt__report_array(report, "regions");
	return true;
}

static void end_region(struct dump *dump)
{
	qrt__report_array_end(&dump->report);
	qrt__report_end(&dump->report);
}

static const struct qrt__region *first_child(const struct qrt__region *region)
{
	return qrt__list_empty(&region->children)
		   ? NULL
		   : QRT__CONTAINER(region->children.next, struct qrt__region, in_parent);
}

static const struct qrt__region *next_sibling(const struct qrt__region *region)
{
	const struct qrt__list *next = region->in_parent.next;
	return next == &region->parent->children
		   ? NULL
		   : QRT__CONTAINER(next, struct qrt__region, in_parent);
}

/* Without recursion: regions may be nested as deep as there is memory, and a stack is not. */
static void put_regions(struct dump *dump, const struct qrt__region *root)
{
	const struct qrt__region *at = root;
	const struct qrt__region *next = first_child(root);
	if (!begin_region(dump, root)) {
		qrt__report_none(&dump->report);
		return;
	}
	for (;;) {
		if (next && begin_region(dump, next)) {
			at = next;
			next = first_child(at);
			continue;
		}
		end_region(dump);
		if (at == root) {
			return;
		}
		next = next_sibling(at);
		at = at->parent;
	}
}

/* --- deadlocks and hogs ---------------------------------------------------------------------- */

static void put_cycle(struct qrt_task *const *tasks, size_t n_shown, size_t n, void *arg)
{
	struct dump *dump = arg;
	struct qrt__report *report = &dump->report;
	if (dump->deadlocks == DEADLOCKS || !qrt__report_begin(report)) {
		return;
	}
	qrt__report_number(report, "deadlocked", (int64_t)n);
	if (n_shown < n) {
		qrt__report_number(report, "shown", (int64_t)n_shown);
	}
	if (!qrt__report_fits(report)) {
		return;
	}
	dump->deadlocks++;
	qrt__report_array(report, "tasks");
	for (size_t i = 0; i < n_shown && qrt__report_begin(report); i++) {
		put_who(dump, tasks[i]);
		if (qrt__report_fits(report)) {
			qrt__report_end(report);
		}
	}
	qrt__report_array_end(report);
	qrt__report_end(report);
}

static void put_hogs(struct dump *dump)
{
	struct qrt__report *report = &dump->report;
	struct qrt__hog hogs[HOGS];
	size_t n = qrt__find_hogs(dump->rt, hogs, HOGS);
	qrt__report_array(report, "hogs");
	for (size_t i = 0; i < n && qrt__report_begin(report); i++) {
		const struct qrt_task *task = hogs[i].task;
		qrt__report_text(report, "hog", task->name);
		qrt__report_number(report, "id", (int64_t)task->id);
		qrt__report_number(report, "waiters", (int64_t)hogs[i].waiters);
		qrt__report_text(report, "spawned_at", task->site);
		if (qrt__report_fits(report)) {
			qrt__report_end(report);
		}
	}
	qrt__report_array_end(report);
}

/* --- stacks ---------------------------------------------------------------------------------- */

static void put_stacks(struct dump *dump, struct qrt__census *census)
{
	struct qrt__report *report = &dump->report;
	const struct qrt__census_row *rows;
	size_t n = qrt__census_rows(census, &rows);
	qrt__report_array(report, "stacks");
	for (size_t i = 0; i < n && qrt__report_begin(report); i++) {
		qrt__report_text(report, "stack", rows[i].name);
		qrt__report_text(report, "spawned_at", rows[i].site);
		qrt__report_number(report, "tasks", (int64_t)rows[i].tasks);
		qrt__report_number(report, "used_max", (int64_t)rows[i].used_max);
		qrt__report_number(report, "of", (int64_t)rows[i].stack_size);
		if (qrt__report_fits(report)) {
			qrt__report_end(report);
		}
	}
	if (qrt__census_left_out(census) > 0 && qrt__report_begin(report)) {
		qrt__report_text(report, "stack", "(left out)");
		qrt__report_number(report, "tasks", (int64_t)qrt__census_left_out(census));
		if (qrt__report_fits(report)) {
			qrt__report_end(report);
		}
	}
	qrt__report_array_end(report);
}

/* --- all of it ------------------------------------------------------------------------------- */

static uint64_t tasks_live(const struct qrt_runtime *rt)
{
	return atomic_load_explicit(&rt->tasks_live, memory_order_relaxed);
}

/* Member by member into one document, the most telling ones first. */
static void put_runtime(struct dump *dump)
{
	struct qrt__report *report = &dump->report;
	struct qrt_runtime *rt = dump->rt;
	if (!qrt__report_begin(report)) {
		return;
	}
	qrt__report_text(report, "runtime", rt->name);
	qrt__report_text(report, "backend", rt->backend->name);
	qrt__report_number(report, "tasks_live", (int64_t)tasks_live(rt));
	if (!qrt__report_fits(report)) {
		return;
	}
	qrt__report_array(report, "deadlocks");
	qrt__find_cycles(rt, put_cycle, dump);
	qrt__report_array_end(report);
	put_hogs(dump);
	qrt__report_member(report, "root");
	put_regions(dump, rt->root);
	if (rt->census) {
		put_stacks(dump, rt->census);
	}
	if (report->cut) {
		qrt__report_note_cut(report, tasks_live(rt) - dump->tasks);
	}
	qrt__report_end(report);
}

static size_t dump_to(struct qrt_cx *cx, bool as_text, char *buf, size_t n, bool *ret_cut)
{
	struct dump dump = {.rt = cx->task->rt, .now_ns = qrt__now(cx->task->rt)};
	if (qrt_cx_require(cx, QRT_CAP_TRACE)) {
		return (size_t)snprintf(buf, n, "{\"error\":\"capability trace is missing\"}");
	}
	if (n < QRT__REPORT_MIN) {
		*ret_cut = true;
		return (size_t)snprintf(buf, n, "{\"cut\":true}");
	}
	qrt__report_init(&dump.report, buf, n, as_text);
	put_runtime(&dump);
	QRT_POST(dump.report.used < n);
	*ret_cut = dump.report.cut;
	return dump.report.used;
}

size_t qrt_dump(struct qrt_cx *cx, char *buf, size_t n)
{
	bool cut;
	return dump_to(cx, false, buf, n, &cut);
}

size_t qrt_dump_text(struct qrt_cx *cx, char *buf, size_t n)
{
	bool cut;
	return dump_to(cx, true, buf, n, &cut);
}

/* For a report without room. */
static void only_count(struct qrt_task *const *tasks, size_t n_shown, size_t n, void *arg)
{
	(void)tasks;
	(void)n_shown;
	(void)n;
	(void)arg;
}

size_t qrt__dump_deadlocks(struct qrt_runtime *rt, char *buf, size_t n)
{
	struct dump dump = {.rt = rt, .now_ns = qrt__now(rt)};
	if (n < QRT__REPORT_MIN) {
		if (n > 0) {
			buf[0] = '\0';
		}
		return qrt__find_cycles(rt, only_count, NULL);
	}
	qrt__report_init(&dump.report, buf, n, true);
	return qrt__find_cycles(rt, put_cycle, &dump);
}

size_t qrt_find_deadlock(struct qrt_cx *cx, char *buf, size_t n)
{
	if (qrt_cx_require(cx, QRT_CAP_TRACE)) {
		if (n > 0) {
			buf[0] = '\0';
		}
		return 0;
	}
	return qrt__dump_deadlocks(cx->task->rt, buf, n);
}

/* --- from another thread --------------------------------------------------------------------- */

struct dump_call {
	size_t n;
	bool as_text, cut;
	_Atomic int refs; /* the asker and the task share it */
	char text[];
};

static void dump_unref(void *arg)
{
	struct dump_call *call = arg;
	if (atomic_fetch_sub(&call->refs, 1) == 1) {
		free(call);
	}
}

static enum qrt_err dump_task(struct qrt_cx *cx, void *arg)
{
	struct dump_call *call = arg;
	dump_to(cx, call->as_text, call->text, call->n, &call->cut);
	return QRT_OK;
}

static enum qrt_err dump_from_outside(struct qrt_runtime *rt, int64_t timeout_ns, bool as_text,
				      char *buf, size_t n)
{
	struct dump_call *call = calloc(1, sizeof(*call) + n);
	if (!call) {
		return QRT_ENOMEM;
	}
	call->n = n;
	call->as_text = as_text;
	atomic_init(&call->refs, 2);
	enum qrt_err err = qrt_runtime_call(rt, timeout_ns, dump_task, call, dump_unref);
	if (!err) {
		memcpy(buf, call->text, n);
		err = call->cut ? QRT_ELIMIT : QRT_OK;
	}
	dump_unref(call);
	return err;
}

enum qrt_err qrt_runtime_dump(struct qrt_runtime *rt, int64_t timeout_ns, char *buf, size_t n)
{
	return dump_from_outside(rt, timeout_ns, false, buf, n);
}

enum qrt_err qrt_runtime_dump_text(struct qrt_runtime *rt, int64_t timeout_ns, char *buf, size_t n)
{
	return dump_from_outside(rt, timeout_ns, true, buf, n);
}
