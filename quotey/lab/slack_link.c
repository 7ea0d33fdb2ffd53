/* Connections of the local Slack: the relay in front, and the WebSocket server behind it. */
#include <stdlib.h>
#include <string.h>

#include <qrt/combine.h>

#include "quotey/lab/slack.h"

#define PAUSE (10 * QRT_MS)

enum { CHUNK = 4096, TAG_SIZE = 4 };

static const char address[] = "127.0.0.1";

/* --- the relay ------------------------------------------------------------------------------ */

/* Waits while @link lets nothing pass: from Quotey when it is deaf, at all when it is silent. */
static enum qrt_err await_passage(struct qrt_cx *cx, const struct qy_lab_slack_link *link,
				  bool from_quotey)
{
	enum qrt_err err = QRT_OK;

	while (!err && link->front != NULL &&
	       (link->passage == QY_LAB_SLACK_SILENT ||
		(link->passage == QY_LAB_SLACK_DEAF && from_quotey))) {
		err = qrt_notify_wait(cx, link->slack->changed);
	}
	return !err && link->front == NULL ? QRT_ECLOSED : err;
}

/* Ends its relay: neither side hears of the other any more. */
static void drop(struct qrt_cx *cx, struct qy_lab_slack_link *link)
{
	qrt_stream_close(cx, &link->front);
	qrt_stream_close(cx, &link->back);
	qy_lab_slack_changed(link->slack);
}

static enum qrt_err pump(struct qrt_cx *cx, struct qy_lab_slack_link *link, bool from_quotey)
{
	struct qrt_stream *from = from_quotey ? link->front : link->back;
	struct qrt_stream *to = from_quotey ? link->back : link->front;
	char chunk[CHUNK];
	size_t n = 0;
	enum qrt_err err;

	while (!(err = qrt_read(cx, from, chunk, sizeof(chunk), &n)) &&
	       !(err = await_passage(cx, link, from_quotey)) &&
	       !(err = qrt_write(cx, to, chunk, n))) {
	}
	/* A proper end is passed on, all others take the connection with them. */
	if (err != QRT_EEOF || await_passage(cx, link, from_quotey) ||
	    qrt_stream_shutdown(cx, to)) {
		drop(cx, link);
	}
	link->pumps--;
	qy_lab_slack_changed(link->slack);
	return QRT_OK;
}

static enum qrt_err pump_from_quotey(struct qrt_cx *cx, void *arg)
{
	return pump(cx, arg, /* from_quotey= */ true);
}

static enum qrt_err pump_to_quotey(struct qrt_cx *cx, void *arg)
{
	return pump(cx, arg, /* from_quotey= */ false);
}

void qy_lab_slack_break(struct qrt_cx *cx, struct qy_lab_slack_link *link)
{
	drop(cx, link);
	qrt_ws_close(cx, &link->ws);
}

/* --- the server ----------------------------------------------------------------------------- */

/* A ticket is good for one connection. */
static int admit(void *arg, const struct qrt_ws_request *request, const char **ret_subprotocol)
{
	static const char before[] = "/link?ticket=";
	struct qy_lab_slack *slack = arg;
	unsigned long ticket = 0;

	(void)ret_subprotocol;
	if (strncmp(request->path, before, sizeof(before) - 1) == 0) {
		ticket = strtoul(request->path + sizeof(before) - 1, NULL, 10);
	}
	if (ticket == 0 || ticket > slack->n_tickets || !slack->tickets[ticket - 1]) {
		return 403;
	}
	slack->tickets[ticket - 1] = false;
	return 0;
}

static void note_open(struct qy_lab_slack_link *link)
{
	struct qy_lab_slack *slack = link->slack;

	slack->open_now++;
	if (slack->open_now > slack->open_peak) {
		slack->open_peak = slack->open_now;
	}
	qy_lab_slack_changed(slack);
}

static void note_end(struct qrt_cx *cx, struct qy_lab_slack_link *link)
{
	struct qrt_ws_info info;

	if (link->ws != NULL && !qrt_ws_info(cx, link->ws, &info)) {
		link->closed_by_quotey = info.by_peer;
		link->code = info.code;
	}
	link->ended = true;
	link->slack->open_now--;
	link->slack->last_ended = link->number;
	qrt_ws_close(cx, &link->ws);
	qy_lab_slack_changed(link->slack);
}

static enum qrt_err serve(struct qrt_cx *cx, struct qy_lab_slack_link *link)
{
	const struct qrt_ws_accept_options opts = {
	    .limits = {.ping_ns = QRT_WS_NEVER}, .admit = admit, .arg = link->slack};
	struct qrt_ws_message message;
	enum qrt_err err = qrt_ws_accept(cx, &link->served, &opts, &link->ws);

	if (err) {
		link->ended = true;
		return err;
	}
	note_open(link);
	if (link->slack->greets) {
		QRT_IGNORE(qy_lab_slack_greet(cx, link), "its end is noted below");
	}
	while (link->ws != NULL && !(err = qrt_ws_recv(cx, link->ws, &message))) {
		qy_lab_slack_hear(link->slack, &message);
	}
	note_end(cx, link);
	qy_lab_slack_redeliver(cx, link->slack);
	return err;
}

/* What was said last may still be in the relay. */
static enum qrt_err until_relayed(struct qrt_cx *cx, void *arg)
{
	const struct qy_lab_slack_link *link = arg;
	enum qrt_err err = QRT_OK;

	while (!err && link->pumps > 0) {
		err = qrt_notify_wait(cx, link->slack->changed);
	}
	return err;
}

static enum qrt_err start_pumps(struct qrt_region *region, struct qy_lab_slack_link *link)
{
	enum qrt_err err = qrt_spawn(region, pump_from_quotey, link);

	link->pumps += !err;
	if (!err) {
		err = qrt_spawn(region, pump_to_quotey, link);
		link->pumps += !err;
	}
	return err;
}

static enum qrt_err run_link(struct qrt_cx *cx, void *arg)
{
	struct qy_lab_slack_link *link = arg;
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &region);

	if (!err) {
		err = start_pumps(region, link);
		if (!err) {
			QRT_IGNORE(serve(qrt_region_cx(region), link), "it has been noted");
			QRT_IGNORE(qrt_timeout(cx, QRT_SEC, until_relayed, link),
				   "what is not through by then is lost");
		}
		drop(cx, link);
		QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "its ends have been noted");
	}
	link->ended = true;
	drop(cx, link);
	qrt_stream_close(cx, &link->served);
	return QRT_OK;
}

/* --- taking connections --------------------------------------------------------------------- */

/* Descriptors may be scarce for a moment. */
static enum qrt_err accept_patiently(struct qrt_cx *cx, struct qrt_listener *listener,
				     struct qrt_stream **ret_stream)
{
	enum qrt_err err;

	while ((err = qrt_accept(cx, listener, ret_stream)) == QRT_EMFILE || err == QRT_ENOMEM ||
	       err == QRT_ELIMIT) {
		err = qrt_sleep(cx, PAUSE);
		if (err) {
			break;
		}
	}
	return err;
}

static enum qrt_err read_tag(struct qrt_cx *cx, struct qrt_stream *stream, uint32_t *ret_tag)
{
	size_t at = 0, n = 0;
	char bytes[TAG_SIZE];
	enum qrt_err err = QRT_OK;

	while (!err && at < sizeof(bytes)) {
		err = qrt_read(cx, stream, bytes + at, sizeof(bytes) - at, &n);
		at += n;
	}
	memcpy(ret_tag, bytes, sizeof(*ret_tag));
	return err;
}

/* The two ends behind the relay. What an attempt that failed has left in line is let go. */
static enum qrt_err connect_behind(struct qrt_cx *cx, struct qy_lab_slack_link *link)
{
	uint32_t tag = 0;
	enum qrt_err err = qrt_connect(cx, address, link->slack->back_port, &link->back);

	if (!err) {
		err = qrt_write(cx, link->back, &link->tag, sizeof(link->tag));
	}
	while (!err && tag != link->tag) {
		qrt_stream_close(cx, &link->served);
		err = accept_patiently(cx, link->slack->back, &link->served);
		if (!err && read_tag(cx, link->served, &tag)) {
			tag = 0;
		}
	}
	return err;
}

static void take(struct qrt_cx *cx, struct qy_lab_slack *slack, struct qrt_stream *front)
{
	struct qy_lab_slack_link *link = NULL;
	enum qrt_err err;

	if (slack->n_links < QY_LAB_SLACK_LINKS_MAX) {
		link = calloc(1, sizeof(*link));
	}
	if (link == NULL) {
		qrt_stream_close(cx, &front);
		return;
	}
	link->slack = slack;
	link->front = front;
	link->tag = ++slack->last_tag;
	err = connect_behind(cx, link);
	if (!err) {
		link->number = slack->n_links + 1;
		err = qrt_spawn(slack->home, run_link, link);
	}
	if (err) {
		drop(cx, link);
		qrt_stream_close(cx, &link->served);
		free(link);
		return;
	}
	slack->links[slack->n_links++] = link;
}

enum qrt_err qy_lab_slack_accept(struct qrt_cx *cx, void *arg)
{
	struct qy_lab_slack *slack = arg;
	struct qrt_stream *front = NULL;

	while (!accept_patiently(cx, slack->front, &front)) {
		take(cx, slack, front);
	}
	return QRT_OK;
}
