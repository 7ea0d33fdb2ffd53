/*
 * One WebSocket by libwebsockets: connected or adopted, its messages cut into
 * frames, what the library tells of it told to the shim.
 *
 * A link outlives its WebSocket: when the shim has let go, or has been told of
 * the end, the library still has to write a close, to hear the answer, or to
 * close a handle. A timer of the link's own bounds that.
 */
#include "backends/ws_lws.h"

#include <errno.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shim/src/base/text.h"

/*
 * A close is written like any other frame, by the number that the library has kept to itself since
 * its first release. By lws_close_reason it would be written only on the way to an end of which
 * the library holds the clock.
 */
enum { WRITE_CLOSE = 4 };
/* Frames written before others have their turn. */
enum { BURST = 16 };

/* --- links ----------------------------------------------------------------------------------- */

static void linger_over(struct qrt__timer *timer)
{
	qrt__lws_drop(QRT__CONTAINER(timer, struct qrt__lws_link, linger));
}

struct qrt__lws_link *qrt__lws_link_new(struct qrt__ws *ws)
{
	struct qrt__lws_link *link = calloc(1, sizeof(*link));
	if (link) {
		link->ws = ws;
		qrt__list_init(&link->node);
		qrt__list_init(&link->due);
		qrt__timer_init(&link->linger, linger_over);
	}
	return link;
}

void qrt__lws_link_free(struct qrt__lws_link *link)
{
	QRT_PRE(!link->wsi);
	qrt__lws_pump_close(link);
	if (link->all) {
		qrt__timer_stop(&link->all->rt->timers, &link->linger);
	}
	if (link->vhost) {
		qrt__lws_vhost_put(link->vhost);
	}
	qrt__list_remove(&link->node);
	free(link->headers);
	free(link);
}

void qrt__lws_over(struct qrt__lws_link *link, enum qrt_err err, unsigned code, const char *reason,
		   const char *detail)
{
	struct qrt__ws *ws = link->ws;
	if (ws) {
		link->ws = NULL;
		qrt__ws_ended(ws, err, code, reason, detail);
	}
}

/* There is something to write: on_writable comes to it. */
static void want_write(struct qrt__lws_link *link)
{
	link->writes = true;
	qrt__lws_pump_arm(link);
}

void qrt__lws_drop(struct qrt__lws_link *link)
{
	struct qrt_runtime *rt = link->all->rt;
	QRT_PRE(!link->ws);
	if (!lws_partial_buffered(link->wsi)) {
		lws_set_timeout(link->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_SYNC);
		return; /* the link may be gone */
	}
	/* The library would flush what it has first: nothing can be written now, so it gives up. */
	QRT_IGNORE(shutdown(lws_get_socket_fd(link->wsi), SHUT_RDWR),
		   "the peer may have been faster");
	link->stage = QRT__LWS_LEAVING;
	link->say = 0;
	qrt__timer_start(&rt->timers, &link->linger, qrt__now(rt) + QRT__LWS_LINGER_NS);
	want_write(link);
}

/* It has no WebSocket any more: says @code, hears the answer, ends. 0: has said it. */
static void leave(struct qrt__lws_link *link, unsigned code)
{
	struct qrt_runtime *rt = link->all->rt;
	link->stage = QRT__LWS_LEAVING;
	link->data = NULL;
	link->say = link->close_said ? 0 : code;
	link->wanted = true;
	qrt__timer_start(&rt->timers, &link->linger, qrt__now(rt) + QRT__LWS_LINGER_NS);
	want_write(link);
}

/* --- writing --------------------------------------------------------------------------------- */

/* A frame of what is in the chunk; false: the connection is dead. */
static bool put(struct qrt__lws_link *link, size_t n, int how)
{
	return lws_write(link->wsi, link->all->chunk, n, (enum lws_write_protocol)how) >= 0;
}

static bool put_close(struct qrt__lws_link *link, unsigned code, const char *reason, size_t n)
{
	unsigned char *at = link->all->chunk;
	QRT_PRE(n <= QRT_WS_REASON_MAX);
	link->close_said = true;
	if (code == QRT_WS_NO_CODE) {
		return put(link, 0, WRITE_CLOSE);
	}
	at[0] = (unsigned char)(code >> 8);
	at[1] = (unsigned char)code;
	if (n > 0) {
		memcpy(at + 2, reason, n);
	}
	return put(link, 2 + n, WRITE_CLOSE);
}

static bool put_piece(struct qrt__lws_link *link)
{
	size_t left = link->n - link->at, n = left < QRT__LWS_CHUNK ? left : QRT__LWS_CHUNK;
	int how = link->at > 0 ? LWS_WRITE_CONTINUATION
			       : (link->type == QRT_WS_TEXT ? LWS_WRITE_TEXT : LWS_WRITE_BINARY);
	if (n > 0) {
		memcpy(link->all->chunk, link->data + link->at, n);
	}
	link->at += n;
	if (!put(link, n, n < left ? how | LWS_WRITE_NO_FIN : how)) {
		return false;
	}
	if (n == left) {
		link->data = NULL;
		qrt__ws_sent(link->ws);
	}
	return true;
}

/* Sets *ret_more when there may be more to say. False: the connection is dead. */
static bool put_next(struct qrt__lws_link *link, bool *ret_more)
{
	struct qrt__ws_frame frame;
	*ret_more = true;
	if (link->data) {
		return put_piece(link);
	}
	qrt__ws_next(link->ws, &frame);
	switch (frame.kind) {
	case QRT__WS_MESSAGE:
		link->data = frame.n > 0 ? frame.data : "";
		link->n = frame.n;
		link->at = 0;
		link->type = frame.type;
		return put_piece(link);
	case QRT__WS_PING:
		return put(link, 0, LWS_WRITE_PING);
	case QRT__WS_CLOSE:
		*ret_more = false;
		return put_close(link, frame.code, frame.data, frame.n);
	case QRT__WS_NOTHING:
	default:
		*ret_more = false;
		return true;
	}
}

/* Not 0: the library is to close it. */
static int on_writable(struct qrt__lws_link *link)
{
	bool more = true;
	link->writes = false;
	if (!link->ws) {
		unsigned code = link->say;
		link->say = 0;
		return code == 0 || put_close(link, code, NULL, 0) ? 0 : -1;
	}
	for (int i = 0; i < BURST && more && !lws_partial_buffered(link->wsi); i++) {
		if (!put_next(link, &more)) {
			return -1;
		}
	}
	if (more) {
		want_write(link);
	}
	return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

static int on_message(struct qrt__lws_link *link, const char *data, size_t n)
{
	if (!link->ws) {
		return 0; /* thrown away, until the answer to our close */
	}
	unsigned code =
	    qrt__ws_fragment(link->ws, lws_frame_is_binary(link->wsi) ? QRT_WS_BINARY : QRT_WS_TEXT,
			     data, n, lws_is_final_fragment(link->wsi));
	if (code) {
		link->ws = NULL;
		leave(link, code);
	}
	return 0;
}

/* What the library answers to the peer's close stands in its payload. */
static void answer_with(char *payload, unsigned code)
{
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
}

/* 0: the library answers and ends; else it ends at once. */
static int on_peers_close(struct qrt__lws_link *link, char *payload, size_t n)
{
	if (!link->ws || link->close_said) {
		qrt__lws_over(link, QRT_EEOF, QRT_WS_NO_CODE, NULL, NULL);
		return -1; /* this was the answer */
	}
	link->close_said = true;
	link->stage = QRT__LWS_LEAVING;
	if (n == 0) {
		qrt__lws_over(link, QRT_EEOF, QRT_WS_NO_CODE, NULL, NULL);
		return 0;
	}
	if (n == 1) {
		lws_close_reason(link->wsi, LWS_CLOSE_STATUS_PROTOCOL_ERR, NULL, 0);
		qrt__lws_over(link, QRT_EPROTO, QRT_WS_PROTOCOL, NULL,
			      "the peer broke the protocol");
		return -1;
	}
	char reason[QRT_WS_REASON_MAX + 1];
	unsigned code = (unsigned)(unsigned char)payload[0] << 8 | (unsigned char)payload[1];
	snprintf(reason, sizeof(reason), "%.*s", (int)(n - 2), payload + 2);
	if (!qrt__utf8_valid(payload + 2, n - 2)) {
		answer_with(payload, QRT_WS_BAD_TEXT);
		qrt__lws_over(link, QRT_EPROTO, QRT_WS_BAD_TEXT, NULL,
			      "the peer closed with a reason not in UTF-8");
		return 0;
	}
	qrt__lws_over(link, QRT_EEOF, code, reason, NULL);
	return 0;
}

/* --- how it ends ----------------------------------------------------------------------------- */

/* Whether the peer has ended the connection: reading it once more finds nothing but that. */
static bool peer_has_gone(struct lws *wsi)
{
	char byte;
	ssize_t got = recv(lws_get_socket_fd(wsi), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
		return true;
	}
	SSL *tls = lws_get_ssl(wsi);
	return tls && (SSL_get_shutdown(tls) & SSL_RECEIVED_SHUTDOWN);
}

/*
 * The library has decided to end it. It does not say why: it had to if the peer broke the
 * protocol. As a server it has 1002 ready then, as a client it would not say a word.
 */
static void on_closing(struct qrt__lws_link *link)
{
	if (!link->ws || link->stage != QRT__LWS_OPEN || link->close_said) {
		return;
	}
	if (lws_get_close_length(link->wsi) == 0) {
		if (peer_has_gone(link->wsi)) {
			return;
		}
		lws_close_reason(link->wsi, LWS_CLOSE_STATUS_PROTOCOL_ERR, NULL, 0);
	}
	struct qrt_runtime *rt = link->all->rt;
	link->stage = QRT__LWS_LEAVING;
	qrt__timer_start(&rt->timers, &link->linger, qrt__now(rt) + QRT__LWS_LINGER_NS);
	qrt__lws_over(link, QRT_EPROTO, QRT_WS_PROTOCOL, NULL, "the peer broke the protocol");
}

static void on_closed(struct qrt__lws_link *link)
{
	qrt__lws_pump_close(link);
	/* After our close the peer need not answer. */
	bool expected = link->close_said;
	qrt__lws_over(link, expected ? QRT_EEOF : QRT_ECONNRESET,
		      expected ? QRT_WS_NO_CODE : QRT_WS_DROPPED, NULL, NULL);
}

static void on_destroyed(struct qrt__lws_link *link)
{
	on_closed(link);
	link->wsi = NULL;
	if (link->connecting) {
		link->connecting = false;
	} else {
		qrt__lws_link_free(link);
	}
}

/* Why there is no connection; QRT_OK: there is, or was. */
static enum qrt_err not_connected(struct lws *wsi)
{
	struct sockaddr_storage peer;
	socklen_t n = sizeof(int), peer_n = sizeof(peer);
	int fd = lws_get_socket_fd(wsi), error = 0;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 && error != 0) {
		return qrt__err_from_errno(error);
	}
	return getpeername(fd, (struct sockaddr *)&peer, &peer_n) == 0 ? QRT_OK : QRT_ECONNREFUSED;
}

/* The attempt of a client has failed; @why: in the library's words, or NULL. */
static void on_failed(struct qrt__lws_link *link, const char *why, size_t n)
{
	char text[200];
	unsigned status = lws_http_client_http_response(link->wsi);
	enum qrt_err err = not_connected(link->wsi);
	snprintf(text, sizeof(text), "%.*s", (int)(n < 160 ? n : 160), why ? why : "");
	text[strcspn(text, "\r\n")] = '\0';
	if (link->why[0]) {
		err = QRT_EACCES;
		snprintf(text, sizeof(text), "the server's certificate: %s", link->why);
	} else if (status != 0 && status != 101) {
		err = QRT_ECONNREFUSED;
		snprintf(text, sizeof(text), "the server answered with HTTP status %u", status);
	} else if (err) {
		snprintf(text, sizeof(text), "%s", qrt_err_text(err));
	} else {
		bool closed = strncasecmp(text, "closed before", 13) == 0 ||
			      strstr(text, "SYSCALL") || strcmp(text, "Peer hung up") == 0 ||
			      strcmp(text, "read failed") == 0;
		err = closed ? QRT_ECONNRESET : QRT_EPROTO;
	}
	qrt__lws_pump_close(link);
	qrt__lws_over(link, err, QRT_WS_DROPPED, NULL, text);
}

/* --- handshakes ------------------------------------------------------------------------------ */

static int add_headers(struct qrt__lws_link *link, unsigned char **at, size_t room)
{
	if (link->headers_n > room) {
		return -1;
	}
	if (link->headers_n > 0) {
		memcpy(*at, link->headers, link->headers_n);
		*at += link->headers_n;
	}
	return 0;
}

static int add_subprotocol(struct qrt__lws_link *link, struct lws_process_html_args *args)
{
	unsigned char *at = (unsigned char *)args->p, *end = at + args->max_len;
	size_t n = strlen(link->subprotocol);
	if (n == 0) {
		return 0;
	}
	int failed =
	    lws_add_http_header_by_name(link->wsi, (const unsigned char *)"sec-websocket-protocol:",
					(const unsigned char *)link->subprotocol, (int)n, &at, end);
	args->p = (char *)at;
	return failed;
}

/* The server has answered; its headers are there for the last time. */
static int on_answer(struct qrt__lws_link *link)
{
	char *to = link->subprotocol;
	int n = lws_hdr_copy(link->wsi, to, sizeof(link->subprotocol), WSI_TOKEN_PROTOCOL);
	return n < 0 ? -1 : 0;
}

static int on_open(struct qrt__lws_link *link)
{
	free(link->headers);
	link->headers = NULL;
	link->headers_n = 0;
	link->stage = QRT__LWS_OPEN;
	if (link->ws) {
		qrt__ws_opened(link->ws, link->subprotocol[0] ? link->subprotocol : NULL);
	}
	return 0;
}

/* 0: goes on, if the certificate was accepted, or @store's error is cleared. */
static int on_certificate(struct qrt__lws_link *link, X509_STORE_CTX *store, bool accepted)
{
	if (accepted) {
		return 0;
	}
	if (link->no_verify) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 0;
	}
	snprintf(link->why, sizeof(link->why), "%s",
		 X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
	return 1;
}

/* --- what the library calls ------------------------------------------------------------------ */

/* Of a server's link the library learns only after it has made its half. */
static struct qrt__lws_link *link_of(struct lws *wsi, int reason)
{
	struct qrt__lws_link *link = lws_get_opaque_user_data(wsi);
	if (link || reason != LWS_CALLBACK_SERVER_NEW_CLIENT_INSTANTIATED) {
		return link;
	}
	struct lws_vhost *vhost = lws_get_vhost(wsi);
	struct qrt__lws *all = vhost ? lws_vhost_user(vhost) : NULL;
	link = all ? all->adopting : NULL;
	if (link) {
		all->adopting = NULL;
		link->wsi = wsi;
		lws_set_opaque_user_data(wsi, link);
		lws_set_wsi_user(wsi, link);
	}
	return link;
}

static int on_io(struct qrt__lws_link *link, int reason, void *in, size_t n)
{
	switch (reason) {
	case LWS_CALLBACK_CLIENT_RECEIVE:
	case LWS_CALLBACK_RECEIVE:
		return on_message(link, in, n);
	case LWS_CALLBACK_CLIENT_WRITEABLE:
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return on_writable(link);
	case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
	case LWS_CALLBACK_RECEIVE_PONG:
		if (link->ws) {
			qrt__ws_pong(link->ws);
		}
		return 0;
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		return on_peers_close(link, in, n);
	default:
		return 0;
	}
}

int qrt__lws_callback(struct lws *wsi, int reason, void *user, void *in, size_t n)
{
	struct qrt__lws_link *link = link_of(wsi, reason);
	if (!link || (!link->wsi && reason != LWS_CALLBACK_WSI_DESTROY)) {
		return 0;
	}
	switch (reason) {
	case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
		return add_headers(link, in, n);
	case LWS_CALLBACK_ADD_HEADERS:
		return add_subprotocol(link, in);
	case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH:
		return on_answer(link);
	case LWS_CALLBACK_OPENSSL_PERFORM_SERVER_CERT_VERIFICATION:
		return on_certificate(link, user, n != 0);
	case LWS_CALLBACK_CLIENT_ESTABLISHED:
	case LWS_CALLBACK_ESTABLISHED:
		return on_open(link);
	case LWS_CALLBACK_WS_CLIENT_DROP_PROTOCOL:
	case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
		on_closing(link);
		return 0;
	case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
		on_failed(link, in, n);
		return 0;
	case LWS_CALLBACK_CLIENT_CLOSED:
	case LWS_CALLBACK_CLOSED:
	case LWS_CALLBACK_CLOSED_CLIENT_HTTP:
	case LWS_CALLBACK_CLOSED_HTTP:
		on_closed(link);
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		on_destroyed(link);
		return 0;
	default:
		return on_io(link, reason, in, n);
	}
}

void qrt__lws_adopt(struct qrt__lws_link *link, int fd, const char *head, size_t n)
{
	struct qrt__lws *all = link->all;
	qrt__list_append(&all->links, &link->node);
	all->adopting = link;
	struct lws *wsi = lws_adopt_socket_vhost_readbuf(link->vhost->vhost, fd, head, n);
	if (all->adopting == link) {
		/* It was not even made: the descriptor is closed. */
		all->adopting = NULL;
		qrt__lws_over(link, QRT_ECONNRESET, QRT_WS_DROPPED, NULL, "no memory");
		qrt__lws_link_free(link);
	} else if (wsi && link->wsi && qrt__lws_pump_open(link, fd)) {
		qrt__lws_over(link, QRT_ECONNRESET, QRT_WS_DROPPED, NULL, "no memory");
		qrt__lws_drop(link);
	}
}

/* --- what the shim calls --------------------------------------------------------------------- */

/* "name: value" and CRLF for each header of the application's own. */
static enum qrt_err make_headers(struct qrt__lws_link *link,
				 const struct qrt_ws_connect_options *opts)
{
	size_t room = 1;
	for (size_t i = 0; i < opts->n_headers; i++) {
		room += strlen(opts->headers[i].name) + strlen(opts->headers[i].value) + 4;
	}
	link->headers = malloc(room);
	if (!link->headers) {
		return QRT_ENOMEM;
	}
	for (size_t i = 0; i < opts->n_headers; i++) {
		link->headers_n +=
		    (size_t)snprintf(link->headers + link->headers_n, room - link->headers_n,
				     "%s: %s\r\n", opts->headers[i].name, opts->headers[i].value);
	}
	return QRT_OK;
}

/* "a,b" into @to. */
static void join_subprotocols(const char *const *names, char *to, size_t room)
{
	size_t n = 0;
	to[0] = '\0';
	for (; names && *names; names++) {
		n += (size_t)snprintf(to + n, room - n, "%s%s", n > 0 ? "," : "", *names);
	}
}

/* The library's half; NULL: there is none, errno may say why. */
static struct lws *begin(struct qrt__lws_link *link, const struct qrt__ws_target *target)
{
	char names[QRT_WS_SUBPROTOCOLS_MAX * (QRT_WS_SUBPROTOCOL_MAX + 1) + 1];
	struct lws_client_connect_info info;
	memset(&info, 0, sizeof(info));
	join_subprotocols(target->opts->subprotocols, names, sizeof(names));
	info.context = link->all->context;
	info.vhost = link->vhost->vhost;
	info.address = target->address;
	info.port = target->port;
	info.path = target->path;
	info.host = target->authority;
	info.protocol = names[0] ? names : NULL;
	info.local_protocol_name = "qrt";
	info.alpn = "http/1.1";
	info.userdata = link;
	info.opaque_user_data = link;
	info.pwsi = &link->wsi;
	info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT;
	if (target->secure) {
		info.ssl_connection |= LCCSCF_USE_SSL;
	}
	if (target->opts->no_verify) {
		info.ssl_connection |= LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK;
	}
	errno = 0;
	return lws_client_connect_via_info(&info);
}

/* An attempt that is over before it began: nobody is told but the caller. */
static enum qrt_err not_begun(struct qrt__lws_link *link)
{
	int error = errno;
	bool destroyed = !link->connecting;
	link->connecting = false;
	link->wsi = NULL;
	if (destroyed) {
		qrt__lws_link_free(link); /* else when the library has closed its handle */
	}
	return error == EMFILE || error == ENFILE ? QRT_EMFILE
	       : error == ENOMEM		  ? QRT_ENOMEM
						  : QRT_ECONNREFUSED;
}

static enum qrt_err connect_link(struct qrt__ws *ws, const struct qrt__ws_target *target)
{
	struct qrt__lws *all;
	enum qrt_err err = qrt__lws_of(qrt__ws_runtime(ws), target->detail, &all);
	if (err) {
		return err;
	}
	/* The library would take the bracket for the name that the certificate must have. */
	if (target->secure && target->authority[0] == '[') {
		snprintf(target->detail, QRT__DETAIL_MAX, "wss to an address in brackets");
		return QRT_ENOTSUP;
	}
	struct qrt__lws_link *link = qrt__lws_link_new(NULL);
	err = link ? make_headers(link, target->opts) : QRT_ENOMEM;
	if (!err) {
		err = qrt__lws_vhost_get(all, target->secure, target->opts->ca_file, target->detail,
					 &link->vhost);
	}
	if (err) {
		if (link) {
			qrt__lws_link_free(link);
		}
		return err;
	}
	link->all = all;
	link->stage = QRT__LWS_OPENING;
	link->no_verify = target->opts->no_verify;
	link->connecting = true;
	qrt__list_append(&all->links, &link->node);
	struct lws *wsi = begin(link, target);
	if (!wsi || !link->connecting) {
		return not_begun(link);
	}
	link->connecting = false;
	err = qrt__lws_pump_open(link, lws_get_socket_fd(wsi));
	if (err) {
		qrt__lws_drop(link);
		return err;
	}
	link->ws = ws;
	*qrt__ws_link(ws) = link;
	return QRT_OK;
}

static void flow(struct qrt__ws *ws, bool wanted)
{
	struct qrt__lws_link *link = *qrt__ws_link(ws);
	link->wanted = wanted;
	qrt__lws_pump_arm(link);
}

static void wake(struct qrt__ws *ws)
{
	struct qrt__lws_link *link = *qrt__ws_link(ws);
	if (!link->writes) {
		want_write(link);
	}
}

static void end(struct qrt__ws *ws, unsigned code)
{
	struct qrt__lws_link *link = *qrt__ws_link(ws);
	link->ws = NULL;
	if (link->stage == QRT__LWS_HEAD) {
		qrt__lws_head_free(link);
	} else if (code == 0 || link->stage != QRT__LWS_OPEN || link->data) {
		qrt__lws_drop(link);
	} else {
		leave(link, code);
	}
}

const struct qrt__ws_impl qrt__ws_lws = {
    .name = "libwebsockets",
    .connect = connect_link,
    .accept = qrt__lws_accept,
    .flow = flow,
    .wake = wake,
    .end = end,
};
