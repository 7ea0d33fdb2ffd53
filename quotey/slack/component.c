/*
 * The component: an instance, its manager, and how one instance hands over to another. Nothing here
 * or below knows on which backend it runs.
 */
#include <stdlib.h>

#include <qrt/sometimes.h>

#include "quotey/slack/internal.h"
#include "quotey/slack/messages.h"

/*
 * At most four from a line (hello, envelope, refresh, ended), and a slot is used again only when
 * the end of the line before was taken out; the rest is what the host says.
 */
#define INPUTS_MAX 32
/* How long the other instance is waited for in a move before this one says goodbye all the same. */
#define SUCCESSOR_MAX (4 * QRT_SEC)

void qy_slack_tell(struct qy_slack *slack, const struct qy_slack_input *input)
{
	enum qrt_err err = qrt_chan_try_send(slack->inputs, input);

	/* Once the manager has been told to end, it asks nobody any more. */
	QRT_ASSERT(err == QRT_OK || err == QRT_ECLOSED);
}

void qy_slack_publish(struct qy_slack *slack)
{
	struct qy_slack_status *status = slack->env->status;
	const struct qy_slack_view view = {.state = slack->machine.state,
					   .quiet = qy_slack_machine_lines(&slack->machine) == 0 &&
						    atomic_load(&slack->in_flight) == 0,
					   .stops = slack->stops};

	QRT_IGNORE(qrt_watch_set(slack->watch, &view), "it is open, and never finished");
	if (atomic_load(&status->active) == slack) {
		atomic_store(&status->state, (int)view.state);
	}
}

/* --- the manager ---------------------------------------------------------------------------- */

static void open_line(struct qy_slack *slack, unsigned slot)
{
	const struct qy_slack_input failed = {.event = QY_SLACK_ENDED, .line = slot};
	struct qy_slack_line *line = calloc(1, sizeof(*line));

	if (line != NULL) {
		line->slack = slack;
		line->slot = slot;
		slack->lines[slot] = line;
		if (!qrt_spawn(slack->lines_home, qy_slack_line_main, line)) {
			return;
		}
		slack->lines[slot] = NULL;
		free(line);
	}
	qy_slack_tell(slack, &failed);
}

/* Returns when to wake up. */
static int64_t step(struct qrt_cx *cx, struct qy_slack *slack, const struct qy_slack_input *input)
{
	enum qy_slack_state before = slack->machine.state;
	struct qy_slack_todo todo;

	qy_slack_machine_step(&slack->machine, input, qrt_deadline_in(cx, 0), &todo);
	for (unsigned i = 0; i < QY_SLACK_LINES; i++) {
		if (todo.close[i] && slack->lines[i] != NULL) {
			qy_slack_line_close(slack->lines[i]);
		}
	}
	if (todo.open >= 0) {
		open_line(slack, (unsigned)todo.open);
	}
	slack->stops += input->event == QY_SLACK_STOP;
	if (slack->machine.state != before) {
		qrt_log(slack->env->log, cx,
			slack->machine.state == QY_SLACK_DEGRADED ? QRT_LOG_ERROR : QRT_LOG_INFO,
			"slack", qy_slack_state_name(slack->machine.state),
			QRT_LOG_INT("failures", slack->machine.failures));
	}
	qy_slack_publish(slack);
	return todo.wake_ns;
}

static enum qrt_err next_input(struct qrt_cx *cx, struct qy_slack *slack, int64_t wake_ns,
			       struct qy_slack_input *ret_input)
{
	struct qrt_case cases[] = {qrt_case_recv(slack->inputs, ret_input)};
	size_t which;
	enum qrt_err err = qrt_select_until(cx, QRT_SELECT_ORDERED, cases, 1, wake_ns, &which);

	if (err == QRT_ETIMEDOUT && qrt_deadline_in(cx, 0) >= wake_ns) {
		*ret_input = (struct qy_slack_input){.event = QY_SLACK_TIMER};
		return QRT_OK;
	}
	return err;
}

static enum qrt_err manage(struct qrt_cx *cx, void *arg)
{
	struct qy_slack *slack = arg;
	const struct qrt_region_options opts = {.name = "slack lines", .policy = QRT_COLLECT};
	const struct qy_slack_input stop = {.event = QY_SLACK_STOP};
	int64_t wake_ns = QY_SLACK_NEVER;
	struct qy_slack_input input;
	enum qrt_err err = qrt_region_open_with(cx, &opts, &slack->lines_home);

	if (err) {
		return err;
	}
	while (!(err = next_input(cx, slack, wake_ns, &input))) {
		wake_ns = step(cx, slack, &input);
	}
	step(cx, slack, &stop);
	return qrt_region_close(cx, &slack->lines_home, err == QRT_ECLOSED ? QRT_OK : err);
}

/* --- start and stop ------------------------------------------------------------------------- */

/* After the manager and all lines have ended. */
static void close_all(struct qrt_cx *cx, void *arg)
{
	struct qy_slack *slack = arg;

	qrt_http_client_close(cx, &slack->http);
	QRT_IGNORE(qrt_chan_close(&slack->inputs), "nobody waits any more");
	QRT_IGNORE(qrt_watch_close(&slack->watch), "the same");
}

static enum qrt_err open_all(struct qrt_cx *cx, struct qrt_region *home, struct qy_slack *slack)
{
	const struct qrt_http_client_options http = {.no_keep_alive = true, .tls = slack->env->tls};
	const struct qy_slack_view view = {.state = QY_SLACK_DISABLED, .quiet = true};
	enum qrt_err err = qrt_defer(cx, close_all, slack);

	if (!err) {
		err = qrt_chan_open(cx, sizeof(struct qy_slack_input), INPUTS_MAX, NULL,
				    &slack->inputs);
	}
	if (!err) {
		err = qrt_watch_open(cx, &view, &slack->watch);
	}
	if (!err) {
		err = qrt_http_client_open(cx, &http, &slack->http);
	}
	return err ? err : qrt_spawn(home, manage, slack);
}

static enum qrt_err slack_start(struct qrt_cx *cx, struct qrt_region *home, void *env,
				void **ret_state)
{
	struct qy_slack *slack = qrt_alloc(cx, sizeof(*slack));
	enum qrt_err err;

	if (slack == NULL) {
		return qrt_fail(cx, QRT_ENOMEM, "slack: out of memory");
	}
	slack->env = env;
	qy_slack_machine_init(&slack->machine, &slack->env->figures);
	err = open_all(cx, home, slack);
	if (err) {
		return qrt_fail(cx, err, "slack: %s", qrt_err_text(err));
	}
	*ret_state = slack;
	return QRT_OK;
}

/* What is open ends by itself: the manager closes its lines, and the home waits for all of them. */
static void slack_stop(struct qrt_cx *cx, void *state)
{
	struct qy_slack *slack = state;

	(void)cx;
	QRT_IGNORE(qrt_chan_finish(slack->inputs), "it is open");
}

/* --- moves ---------------------------------------------------------------------------------- */

static enum qrt_err slack_resume(struct qrt_cx *cx, void *state)
{
	struct qy_slack *slack = state;
	const struct qy_slack_input start = {.event = QY_SLACK_START};

	(void)cx;
	slack->wanted = true;
	atomic_store(&slack->env->status->active, slack);
	qy_slack_tell(slack, &start);
	return QRT_OK;
}

static void destroy_msg(struct qrt_msg *msg)
{
	free(msg);
}

/* Asks the port, which leads to the other instance by now; at a shutdown it leads here. */
static enum qrt_err ask_successor(struct qrt_cx *cx, struct qy_slack *slack)
{
	struct qy_slack_msg_await_up *ask = calloc(1, sizeof(*ask));
	struct qrt_msg *msg = ask != NULL ? &ask->msg : NULL;
	struct qrt_msg *reply = NULL;
	enum qrt_err err;

	if (ask == NULL) {
		return QRT_ENOMEM;
	}
	ask->from = slack;
	ask->msg.op = QY_SLACK_OP_AWAIT_UP;
	ask->msg.destroy = destroy_msg;
	err = qrt_call(cx, slack->env->self, &msg, &reply);
	if (!err) {
		QRT_SOMETIMES("an instance went when the other one was connected");
		qrt_msg_destroy(&reply);
	}
	return err;
}

static enum qrt_err await_successor(struct qrt_cx *cx, struct qy_slack *slack)
{
	const struct qrt_region_options opts = {
	    .name = "slack successor", .budget.deadline_ns = qrt_deadline_in(cx, SUCCESSOR_MAX)};
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open_with(cx, &opts, &region);

	if (err) {
		return err;
	}
	err = ask_successor(qrt_region_cx(region), slack);
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err await_quiet(struct qrt_cx *cx, struct qy_slack *slack)
{
	struct qy_slack_view view;
	uint64_t seen = 0;
	enum qrt_err err;

	while (!(err = qrt_watch_changed(cx, slack->watch, &seen)) &&
	       !(err = qrt_watch_get(slack->watch, &view, NULL))) {
		if (view.stops == slack->stops_asked && view.quiet) {
			return QRT_OK;
		}
	}
	return err;
}

/* Reads on until the other instance is connected: so nothing waits at Slack for long. */
static enum qrt_err slack_drain(struct qrt_cx *cx, void *state)
{
	struct qy_slack *slack = state;
	const struct qy_slack_input hand_over = {.event = QY_SLACK_HAND_OVER};
	const struct qy_slack_input stop = {.event = QY_SLACK_STOP};

	if (atomic_load(&slack->in_flight) > 0) {
		QRT_SOMETIMES("slack was drained while envelopes were under way");
	}
	qy_slack_tell(slack, &hand_over);
	QRT_IGNORE(await_successor(cx, slack), "there may be none, or it may fail to connect");
	slack->wanted = false;
	slack->stops_asked++;
	qy_slack_tell(slack, &stop);
	return await_quiet(cx, slack);
}

static size_t slack_in_flight(void *state)
{
	const struct qy_slack *slack = state;

	return atomic_load(&slack->in_flight);
}

/* --- messages ------------------------------------------------------------------------------- */

static enum qrt_err await_up(struct qrt_cx *cx, struct qy_slack *slack,
			     const struct qy_slack_msg_await_up *ask)
{
	struct qy_slack_view view;
	uint64_t seen = 0;
	enum qrt_err err;

	if (ask->from == slack) {
		return qrt_fail(cx, QRT_ESTATE, "slack: there is no other instance");
	}
	while (!(err = qrt_watch_changed(cx, slack->watch, &seen)) &&
	       !(err = qrt_watch_get(slack->watch, &view, NULL))) {
		/* The manager may not have come to what the host has asked for. */
		if (!slack->wanted) {
			return qrt_fail(cx, QRT_ESTATE, "slack: it does not mean to be connected");
		}
		if (qy_slack_state_is_up(view.state)) {
			return QRT_OK;
		}
	}
	return err;
}

static enum qrt_err slack_handle(struct qrt_cx *cx, void *state, struct qrt_msg *msg,
				 struct qrt_msg **ret_reply)
{
	enum qrt_err err = msg->op == QY_SLACK_OP_AWAIT_UP
			       ? await_up(cx, state, (const struct qy_slack_msg_await_up *)msg)
			       : qrt_fail(cx, QRT_ENOTSUP, "slack has no operation %u", msg->op);

	if (err) {
		qrt_msg_destroy(&msg);
		return err;
	}
	*ret_reply = msg;
	return QRT_OK;
}

const struct qrt_component qy_slack_component = {
    .name = "slack",
    .caps = QRT_CAP_NET | QRT_CAP_SPAWN | QRT_CAP_TIME | QRT_CAP_CALL,
    .start = slack_start,
    .resume = slack_resume,
    .drain = slack_drain,
    .stop = slack_stop,
    .handle = slack_handle,
    .in_flight = slack_in_flight,
};
