/*
 * A server's handshake. The client's request is read and judged here: the
 * library keeps neither the path as it came nor headers it has no name for,
 * and chooses among subprotocols by itself. It gets a plain request with the
 * same key, answers that, and goes on with the connection.
 */
#include "backends/ws_lws.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ROOM_FIRST = 2048 };

struct qrt__lws_head {
	int fd;
	const struct qrt_ws_accept_options *opts;
	size_t n, room;
	char *data;
	struct qrt__ws_request request;
};

/* The head goes, the descriptor stays. */
static int take_fd(struct qrt__lws_link *link)
{
	struct qrt__lws_head *head = link->head;
	int fd = head->fd;
	if (link->watched) {
		link->watched = false;
		link->watch.rt->driver->watch_close(&link->watch);
	}
	free(head->data);
	free(head);
	link->head = NULL;
	return fd;
}

void qrt__lws_head_free(struct qrt__lws_link *link)
{
	close(take_fd(link));
	qrt__lws_link_free(link);
}

/* It has come to nothing. */
static void give_up(struct qrt__lws_link *link, enum qrt_err err, const char *detail)
{
	struct qrt__ws *ws = link->ws;
	qrt__lws_head_free(link);
	qrt__ws_ended(ws, err, QRT_WS_DROPPED, NULL, detail);
}

/* --- the answer ------------------------------------------------------------------------------ */

static const char *status_text(int status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 426:
		return "Upgrade Required";
	case 429:
		return "Too Many Requests";
	case 503:
		return "Service Unavailable";
	default:
		return "Refused";
	}
}

static void refuse(struct qrt__lws_link *link, int status, const char *why)
{
	char text[256];
	int n =
	    snprintf(text, sizeof(text),
		     "HTTP/1.1 %d %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n", status,
		     status_text(status),
		     status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : "");
	/* It fits into an empty buffer; who does not hear it finds the connection closed. */
	QRT_IGNORE(send(link->head->fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT), "see above");
	if (why) {
		snprintf(text, sizeof(text), "not a websocket's handshake: %s (answered with %d)",
			 why, status);
	} else {
		snprintf(text, sizeof(text), "refused with HTTP status %d", status);
	}
	give_up(link, why ? QRT_EPROTO : QRT_ECONNREFUSED, text);
}

/* The library takes over. */
static void hand_over(struct qrt__lws_link *link)
{
	struct qrt_runtime *rt = qrt__ws_runtime(link->ws);
	char plain[256], detail[QRT__DETAIL_MAX] = "";
	struct qrt__lws *all;
	int n =
	    snprintf(plain, sizeof(plain),
		     "GET / HTTP/1.1\r\nHost: qrt\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		     "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n",
		     link->head->request.key);
	enum qrt_err err = qrt__lws_of(rt, detail, &all);
	if (!err) {
		err = qrt__lws_vhost_get(all, false, NULL, detail, &link->vhost);
	}
	if (err) {
		give_up(link, QRT_ECONNRESET, detail[0] ? detail : "no memory");
		return;
	}
	int fd = take_fd(link);
	link->all = all;
	link->stage = QRT__LWS_OPENING;
	qrt__lws_adopt(link, fd, plain, (size_t)n);
}

static void judge(struct qrt__lws_link *link, size_t length)
{
	struct qrt__lws_head *head = link->head;
	const struct qrt_ws_accept_options *opts = head->opts;
	const char *subprotocol = NULL;
	if (length < head->n) {
		refuse(link, 400, "more than the request");
		return;
	}
	int status = qrt__ws_request_parse(head->data, length, &head->request);
	if (status) {
		refuse(link, status, head->request.why);
		return;
	}
	status = opts->admit ? opts->admit(opts->arg, &head->request.request, &subprotocol) : 0;
	if (status) {
		refuse(link, status, NULL);
		return;
	}
	snprintf(link->subprotocol, sizeof(link->subprotocol), "%s",
		 subprotocol ? subprotocol : "");
	hand_over(link);
}

/* --- the request ----------------------------------------------------------------------------- */

static bool make_room(struct qrt__lws_head *head)
{
	if (head->n < head->room) {
		return true;
	}
	size_t room = head->room ? 2 * head->room : ROOM_FIRST;
	char *bigger = realloc(head->data, room);
	if (bigger) {
		head->data = bigger;
		head->room = room;
	}
	return bigger != NULL;
}

static void ready(struct qrt__watch *watch, unsigned io)
{
	struct qrt__lws_link *link = QRT__CONTAINER(watch, struct qrt__lws_link, watch);
	struct qrt__lws_head *head = link->head;
	(void)io;
	if (!make_room(head)) {
		give_up(link, QRT_ECONNRESET, "no memory");
		return;
	}
	ssize_t got = recv(head->fd, head->data + head->n, head->room - head->n, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (got <= 0) {
		give_up(link, QRT_ECONNRESET, NULL);
		return;
	}
	head->n += (size_t)got;
	size_t length = qrt__ws_head_length(head->data, head->n);
	if (length > 0) {
		judge(link, length);
	} else if (head->n >= QRT__WS_HEAD_MAX) {
		refuse(link, 431, "too long");
	}
}

enum qrt_err qrt__lws_accept(struct qrt__ws *ws, int fd, const struct qrt_ws_accept_options *opts)
{
	struct qrt_runtime *rt = qrt__ws_runtime(ws);
	struct qrt__lws_link *link = opts->cert_file ? NULL : qrt__lws_link_new(ws);
	struct qrt__lws_head *head = link ? calloc(1, sizeof(*head)) : NULL;
	enum qrt_err err = opts->cert_file ? QRT_ENOTSUP : QRT_ENOMEM;
	if (head) {
		head->fd = fd;
		head->opts = opts;
		link->head = head;
		link->stage = QRT__LWS_HEAD;
		link->watch = (struct qrt__watch){.rt = rt, .fd = fd, .ready = ready};
		err = rt->driver->watch_open(&link->watch);
	}
	if (err) {
		close(fd);
		free(head);
		if (link) {
			qrt__lws_link_free(link);
		}
		return err;
	}
	link->watched = true;
	rt->driver->watch_arm(&link->watch, QRT__IO_READ);
	*qrt__ws_link(ws) = link;
	return QRT_OK;
}
