/*
 * The life of one connection: asked for, opened, greeted, read, left. In this order:
 *
 *	open ──> connect ──> hello ──> read ... ──> goodbye (ours), or lost ──> told ──> ended
 *
 * It is told to the manager once nothing more can be heard or said on it; what it had taken may
 * still be on its way into the database then.
 */
#include <stdlib.h>
#include <string.h>

#include <qrt/combine.h>
#include <qrt/sometimes.h>
#include <qrt/trial.h>

#include "quotey/slack/internal.h"

#define HELLO_MAX (10 * QRT_SEC)
#define MESSAGE_MAX ((size_t)1 << 20)
/* Pings, and how long silence may last: together 75 s. */
#define PING_EVERY (30 * QRT_SEC)
#define PONG_MAX (45 * QRT_SEC)
#define GOODBYE_MAX QRT_SEC

static void tell(struct qy_slack_line *line, enum qy_slack_event event)
{
	const struct qy_slack_input input = {.event = event,
					     .line = line->slot,
					     .end = line->end,
					     .retry_after_ns = line->retry_after_ns};

	if (!line->told) {
		line->told = event == QY_SLACK_ENDED;
		qy_slack_tell(line->slack, &input);
	}
}

/* --- goodbye -------------------------------------------------------------------------------- */

/* Under a mask: also who is cancelled says it, and gives the other side a moment. */
static void say_goodbye(struct qrt_cx *cx, struct qy_slack_line *line, unsigned code)
{
	struct qrt_mask mask;

	if (!qrt_mask_begin(cx, 2 * GOODBYE_MAX, &mask)) {
		QRT_IGNORE(qrt_ws_shutdown(cx, line->ws, code, NULL), "then it is dropped");
		qrt_mask_end(cx, &mask);
	}
}

static enum qrt_err until_acked(struct qrt_cx *cx, void *arg)
{
	struct qy_slack_line *line = arg;
	enum qrt_err err = QRT_OK;

	while (!err && line->taken > 0) {
		err = qrt_notify_wait(cx, line->moved);
	}
	return err;
}

/* A task: what was taken is acked first, then the reader learns that it is over. */
static enum qrt_err leave(struct qrt_cx *cx, void *arg)
{
	struct qy_slack_line *line = arg;

	QRT_IGNORE(qrt_timeout(cx, QY_SLACK_ACK_MAX, until_acked, line),
		   "what is not acked by then is sent again");
	say_goodbye(cx, line, QRT_WS_GOING_AWAY);
	return QRT_OK;
}

void qy_slack_line_close(struct qy_slack_line *line)
{
	if (line->leaving) {
		return;
	}
	line->leaving = true;
	if (line->moved != NULL) {
		QRT_IGNORE(qrt_notify_all(line->moved), "it is open");
	}
	if (line->work != NULL && !qrt_spawn(line->work, leave, line)) {
		return;
	}
	if (line->region != NULL) {
		qrt_region_cancel(line->region, QRT_CANCEL_USER, "the line is not needed");
	}
}

/* --- reading -------------------------------------------------------------------------------- */

/* Errors: ECLOSED: nothing is to be read after it. */
static enum qrt_err take_frame(struct qrt_cx *cx, struct qy_slack_line *line,
			       const struct qrt_ws_message *message)
{
	struct qy_slack_status *status = line->slack->env->status;
	int64_t received_ns = qrt_deadline_in(cx, 0);
	struct qy_slack_envelope envelope;
	enum qy_slack_frame frame = QY_SLACK_FRAME_BAD;

	if (message->type == QRT_WS_TEXT) {
		frame = qy_slack_frame_read(message->data, message->n, &envelope);
	}
	switch (frame) {
	case QY_SLACK_FRAME_HELLO:
		line->hello = true;
		return QRT_OK;
	case QY_SLACK_FRAME_REFRESH:
		if (line->hello && !line->refreshing) {
			line->refreshing = true;
			tell(line, QY_SLACK_REFRESH);
		}
		return QRT_OK;
	case QY_SLACK_FRAME_DISABLED:
		line->end = QY_SLACK_LINK_DISABLED;
		return QRT_ECLOSED;
	case QY_SLACK_FRAME_LOSS:
		return QRT_ECLOSED;
	case QY_SLACK_FRAME_ENVELOPE:
		if (line->hello && !line->enveloped) {
			line->enveloped = true;
			tell(line, QY_SLACK_ENVELOPE);
		}
		return qy_slack_receive(cx, line, &envelope, received_ns);
	case QY_SLACK_FRAME_NO_MEMORY:
		atomic_fetch_add(&status->failed, 1);
		return QRT_OK;
	case QY_SLACK_FRAME_BAD:
		QRT_SOMETIMES("a frame was skipped");
		atomic_fetch_add(&status->bad_frames, 1);
		return QRT_OK;
	}
	QRT_IMPOSSIBLE("a frame of another kind");
}

static enum qrt_err read_one(struct qrt_cx *cx, struct qy_slack_line *line)
{
	struct qrt_ws_message message;
	enum qrt_err err = line->leaving ? QRT_ECLOSED : qrt_ws_recv(cx, line->ws, &message);

	return err ? err : take_frame(cx, line, &message);
}

static enum qrt_err until_hello(struct qrt_cx *cx, void *arg)
{
	struct qy_slack_line *line = arg;
	enum qrt_err err = QRT_OK;

	while (!err && !line->hello) {
		err = read_one(cx, line);
	}
	return err;
}

static enum qrt_err read_all(struct qrt_cx *cx, struct qy_slack_line *line)
{
	enum qrt_err err = qrt_timeout(cx, HELLO_MAX, until_hello, line);

	if (!err) {
		atomic_fetch_add(&line->slack->env->status->connects, 1);
		tell(line, QY_SLACK_HELLO);
	} else if (err == QRT_ETIMEDOUT) {
		err = qrt_fail(cx, err, "no hello");
	}
	while (!err) {
		err = read_one(cx, line);
	}
	return err;
}

/* --- the line ------------------------------------------------------------------------------- */

static enum qrt_err connect_line(struct qrt_cx *cx, struct qy_slack_line *line)
{
	const struct qrt_ws_connect_options opts = {.limits = {.message_max = MESSAGE_MAX,
							       .handshake_ns = HELLO_MAX,
							       .ping_ns = PING_EVERY,
							       .pong_ns = PONG_MAX,
							       .close_ns = GOODBYE_MAX}};
	char url[QY_SLACK_URL_SIZE];
	enum qrt_err err = line->leaving ? QRT_ECLOSED : qy_slack_open(cx, line, url);

	if (!err && !line->leaving) {
		err = qrt_ws_connect(cx, url, &opts, &line->ws);
	}
	if (!err && line->leaving) {
		err = QRT_ECLOSED;
	}
	explicit_bzero(url, sizeof(url));
	return err ? err : qrt_notify_open(cx, &line->moved);
}

static void log_end(struct qrt_cx *cx, const struct qy_slack_line *line, enum qrt_err err)
{
	/* Not of one that was to end. */
	if (!line->leaving && !line->refreshing && err != QRT_ECANCELED) {
		qrt_log(line->slack->env->log, cx, QRT_LOG_WARN, "slack", "no connection",
			QRT_LOG_TEXT("why", line->end == QY_SLACK_LINK_DISABLED
						? "the link was disabled"
					    : err == QRT_ECLOSED ? "Slack has asked to disconnect"
					    : qrt_detail(cx)[0] != '\0' ? qrt_detail(cx)
									: qrt_err_text(err)));
	}
}

static enum qrt_err serve_line(struct qrt_cx *cx, struct qy_slack_line *line)
{
	struct qrt_ws_info info = {.ended = QRT_OK};
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &line->work);
	enum qrt_err closed;

	if (err) {
		return err;
	}
	err = read_all(qrt_region_cx(line->work), line);
	log_end(cx, line, err);
	if (!qrt_ws_info(cx, line->ws, &info) && info.ended == QRT_OK && !line->leaving) {
		say_goodbye(cx, line, QRT_WS_NORMAL);
	}
	if (!line->leaving) {
		tell(line, QY_SLACK_ENDED);
	}
	closed = qrt_region_close(cx, &line->work, QRT_OK);
	return err ? err : closed;
}

static enum qrt_err run_line(struct qrt_cx *cx, struct qy_slack_line *line)
{
	enum qrt_err err = connect_line(cx, line);

	if (!err) {
		err = serve_line(cx, line);
	} else {
		log_end(cx, line, err);
	}
	qrt_ws_close(cx, &line->ws);
	QRT_IGNORE(qrt_notify_close(&line->moved), "nobody waits any more");
	return QRT_OK;
}

/* However the task ends: the manager must know, and the slot is free again. */
static void line_end(struct qrt_cx *cx, void *arg)
{
	struct qy_slack_line *line = arg;

	(void)cx;
	if (line->slack->lines[line->slot] == line) {
		line->slack->lines[line->slot] = NULL;
	}
	tell(line, QY_SLACK_ENDED);
	free(line);
}

enum qrt_err qy_slack_line_main(struct qrt_cx *cx, void *arg)
{
	struct qy_slack_line *line = arg;
	const struct qrt_region_options opts = {.name = "slack line", .policy = QRT_COLLECT};
	enum qrt_err err = qrt_defer(cx, line_end, line);

	if (err) {
		line_end(cx, line);
		return QRT_OK;
	}
	err = line->leaving ? QRT_ECLOSED : qrt_region_open_with(cx, &opts, &line->region);
	if (!err) {
		/* A sweep may cut it short anywhere. */
		QRT_IGNORE(qrt_lab_expose(line->region, QRT_EXPOSE_CANCEL), "it is open");
		err = run_line(qrt_region_cx(line->region), line);
		QRT_IGNORE(qrt_region_close(cx, &line->region, err), "its end has been told");
	}
	return QRT_OK;
}
