/*
 * Ends of connections that evhttp has no words for. It shuts connections down in good order or
 * without a word; who is owed an answer gets it here, past evhttp, best effort.
 */
#include "backends/legacy/http_evhttp.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

void qrt__ev_conn_kill(struct qrt__ev_conn *conn)
{
	conn->ev = NULL; /* freed with it */
	evhttp_connection_free(conn->evcon);
}

void qrt__ev_conn_break(struct qrt__ev_conn *conn)
{
	/* One that is dissolved before it is closed is reset. */
	const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	QRT_IGNORE(connect(conn->fd, &nobody, sizeof(nobody)), "it is closed in any case");
	qrt__ev_conn_kill(conn);
}

static void on_dropped(evutil_socket_t fd, short what, void *arg)
{
	char part[8192];
	ssize_t n = recv(fd, part, sizeof(part), MSG_DONTWAIT);

	(void)what;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		qrt__ev_conn_kill(arg);
	}
}

/*
 * The peer may still be sending: closing with unread bytes would make the system throw our answer
 * away on its way.
 */
static void linger(struct qrt__ev_conn *conn)
{
	bufferevent_disable(conn->bev, EV_READ | EV_WRITE);
	conn->dropper =
	    event_new(conn->server->events, conn->fd, EV_READ | EV_PERSIST, on_dropped, conn);
	if (!conn->dropper || event_add(conn->dropper, NULL) || shutdown(conn->fd, SHUT_WR)) {
		qrt__ev_conn_kill(conn);
		return;
	}
	qrt__ev_phase_enter(conn, QRT__EV_LINGERS);
}

static void send_last_words(struct qrt__ev_conn *conn, const struct qrt_http_response *resp)
{
	const struct qrt__http_head how = {.close = true};
	struct iovec iov[2];
	struct msghdr message = {.msg_iov = iov, .msg_iovlen = 2};
	const char *head;

	if (qrt__http_response_head(resp, &how, &head, &iov[0].iov_len)) {
		return;
	}
	iov[0].iov_base = (void *)(uintptr_t)head;
	iov[1].iov_base = (void *)(uintptr_t)resp->body;
	iov[1].iov_len = resp->body_len;
	QRT_IGNORE(sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT),
		   "the peer did not listen");
	qrt__http_count_refusal(&conn->server->base, resp->status);
}

/* The connection's own request and response may be in a handler's hands. */
static void answer_and_end(struct qrt__ev_conn *conn, int status, const char *why)
{
	struct qrt_http_server *server = &conn->server->base;
	struct qrt__http_arena arena;
	struct qrt_http_request req;
	struct qrt_http_response resp;

	qrt__http_arena_init(&arena);
	qrt__http_request_init(&req, &arena);
	qrt__http_response_init(&resp, &arena, &req);
	req.app = server->opts.app;
	qrt__ev_peer_set(&req, conn->evcon);
	qrt__http_answer(server, &req, &resp, status, why);
	send_last_words(conn, &resp);
	qrt__http_arena_fini(&arena);
	linger(conn);
}

void qrt__ev_answer_fault(struct qrt__ev_conn *conn)
{
	const char *why = "";
	int status = qrt__http_parser_fault(conn->guard, &why);

	answer_and_end(conn, status, why);
}

void qrt__ev_answer_timeout(struct qrt__ev_conn *conn)
{
	answer_and_end(conn, 408, "the request did not come in time");
}

/* The handler has had its deadline and the grace: nobody here can make it end. */
void qrt__ev_answer_overdue(struct qrt__ev_conn *conn)
{
	if (qrt__http_response_begun(&conn->resp)) {
		qrt__ev_conn_break(conn);
		return;
	}
	conn->ev = NULL; /* its answer, if one comes, is nobody's */
	answer_and_end(conn, 503, "the request took too long");
}
