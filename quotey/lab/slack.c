/* Opening and closing the local Slack, and its one method: apps.connections.open. */
#include "quotey/lab/slack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "/api/apps.connections.open"

static const char address[] = "127.0.0.1";

enum { TICKETS_MAX = 65536, ANSWER_SIZE = 256 };

void qy_lab_slack_changed(struct qy_lab_slack *slack)
{
	if (slack->changed != NULL) {
		QRT_IGNORE(qrt_notify_all(slack->changed), "it is open");
	}
}

/* --- apps.connections.open ------------------------------------------------------------------ */

static enum qrt_err answer(struct qrt_http_response *resp, int status, const char *body)
{
	enum qrt_err err = qrt_http_set_header(resp, "Content-Type", "application/json");

	qrt_http_set_status(resp, status);
	return err ? err : qrt_http_set_body(resp, body, strlen(body));
}

static enum qrt_err refuse(struct qy_lab_slack *slack, struct qrt_http_response *resp)
{
	bool limited = strcmp(slack->refusal, "ratelimited") == 0;
	char body[ANSWER_SIZE], seconds[24];
	enum qrt_err err = QRT_OK;

	snprintf(body, sizeof(body), "{\"ok\":false,\"error\":\"%s\"}", slack->refusal);
	if (slack->retry_after_secs > 0) {
		snprintf(seconds, sizeof(seconds), "%u", slack->retry_after_secs);
		err = qrt_http_set_header(resp, "Retry-After", seconds);
	}
	if (slack->refusals > 0 && --slack->refusals == 0) {
		slack->refusal[0] = '\0';
	}
	return err ? err : answer(resp, limited ? 429 : 200, body);
}

static enum qrt_err give_ticket(struct qy_lab_slack *slack, struct qrt_http_response *resp)
{
	char body[ANSWER_SIZE];

	if (slack->n_tickets == TICKETS_MAX) {
		return QRT_ELIMIT;
	}
	slack->tickets[slack->n_tickets++] = true;
	snprintf(body, sizeof(body), "{\"ok\":true,\"url\":\"ws://%s:%u/link?ticket=%u\"}", address,
		 slack->front_port, slack->n_tickets);
	return answer(resp, 200, body);
}

static enum qrt_err on_open(struct qrt_cx *cx, struct qrt_http_request *req,
			    struct qrt_http_response *resp)
{
	struct qy_lab_slack *slack = qrt_http_app(req);
	const char *who = qrt_http_header(req, "Authorization");
	enum qrt_err err;

	(void)cx;
	slack->opens++;
	if (who == NULL || strcmp(who, "Bearer " QY_LAB_SLACK_TOKEN) != 0) {
		err = answer(resp, 200, "{\"ok\":false,\"error\":\"invalid_auth\"}");
	} else if (slack->refusal[0] != '\0') {
		err = refuse(slack, resp);
	} else {
		err = give_ticket(slack, resp);
	}
	qy_lab_slack_changed(slack);
	return err;
}

static enum qrt_err dispatch(struct qrt_cx *cx, struct qrt_http_request *req,
			     struct qrt_http_response *resp)
{
	struct qy_lab_slack *slack = qrt_http_app(req);
	enum qrt_err err = qrt_http_dispatch(slack->router, cx, req, resp);

	if (err == QRT_ENOENT || err == QRT_ENOTSUP) {
		qrt_http_set_status(resp, err == QRT_ENOENT ? 404 : 405);
		err = QRT_OK;
	}
	return err;
}

/* --- opening -------------------------------------------------------------------------------- */

static enum qrt_err open_api(struct qrt_cx *cx, struct qy_lab_slack *slack)
{
	const struct qrt_http_server_options opts = {.handler = dispatch, .app = slack};
	int fd = -1;
	enum qrt_err err = qrt_http_router_create(&slack->router);

	if (!err) {
		err = qrt_http_route_add(slack->router, "POST", PATH, on_open);
	}
	if (!err) {
		err = qrt_socket_listen(cx, address, 0, &fd, &slack->api_port);
	}
	if (!err) {
		err = qrt_http_server_open(cx, slack->home, fd, &opts, &slack->http);
	}
	return err ? err : qrt_http_server_resume(cx, slack->http);
}

static enum qrt_err listen_at(struct qrt_cx *cx, uint16_t *ret_port,
			      struct qrt_listener **ret_listener)
{
	int fd = -1;
	enum qrt_err err = qrt_socket_listen(cx, address, 0, &fd, ret_port);

	return err ? err : qrt_listener_adopt(cx, fd, ret_listener);
}

/* After all of its tasks have ended. */
static void close_changed(struct qrt_cx *cx, void *arg)
{
	struct qy_lab_slack *slack = arg;

	(void)cx;
	QRT_IGNORE(qrt_notify_close(&slack->changed), "nobody waits any more");
}

static enum qrt_err open_all(struct qrt_cx *cx, struct qy_lab_slack *slack)
{
	enum qrt_err err = qrt_defer(cx, close_changed, slack);

	if (!err) {
		err = qrt_notify_open(cx, &slack->changed);
	}
	if (!err) {
		err = listen_at(cx, &slack->front_port, &slack->front);
	}
	if (!err) {
		err = listen_at(cx, &slack->back_port, &slack->back);
	}
	if (!err) {
		err = open_api(cx, slack);
	}
	return err ? err : qrt_spawn(slack->home, qy_lab_slack_accept, slack);
}

enum qrt_err qy_lab_slack_open(struct qrt_cx *cx, struct qrt_region *home,
			       struct qy_lab_slack *ret_slack)
{
	enum qrt_err err;

	*ret_slack = (struct qy_lab_slack){.home = home};
	ret_slack->sent_tail = &ret_slack->sent;
	ret_slack->tickets = calloc(TICKETS_MAX, sizeof(*ret_slack->tickets));
	if (ret_slack->tickets == NULL) {
		return qrt_fail(cx, QRT_ENOMEM, "a local Slack");
	}
	err = open_all(cx, ret_slack);
	return err ? qrt_prefix(cx, err, "a local Slack") : QRT_OK;
}

void qy_lab_slack_close(struct qrt_cx *cx, struct qy_lab_slack *slack)
{
	qrt_listener_close(cx, &slack->front);
	qrt_listener_close(cx, &slack->back);
	for (unsigned i = 0; i < slack->n_links; i++) {
		qy_lab_slack_break(cx, slack->links[i]);
	}
	if (slack->http != NULL) {
		qrt_http_server_close(cx, &slack->http);
	}
}

void qy_lab_slack_forget(struct qy_lab_slack *slack)
{
	while (slack->sent != NULL) {
		struct qy_lab_slack_sent *sent = slack->sent;

		slack->sent = sent->next;
		free(sent->text);
		free(sent);
	}
	for (unsigned i = 0; i < slack->n_links; i++) {
		free(slack->links[i]);
	}
	qrt_http_router_destroy(&slack->router);
	free(slack->tickets);
	slack->tickets = NULL;
	slack->n_links = 0;
}
