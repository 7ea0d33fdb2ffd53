/*
 * A TLS peer for tests/e2e/tls.sh, to be met by programs that are not ours:
 *
 *	tls_peer BACKEND serve CERT KEY ALPN
 *		says "port N"; of each connection what was agreed on and how it
 *		ended. Answers GET, else sends back what it reads. HUP: reads the
 *		files again, and says so. TERM: ends.
 *	tls_peer BACKEND connect PORT HOST CA ALPN TIMES
 *		says the same of TIMES connections to 127.0.0.1, each of which sends
 *		a line and reads to the end after one has come back.
 *
 * "-" stands for none. Exits 77 when the backend is not in the build.
 */
#include <qrt/qrt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 4096 };

struct peer {
	char **args;
	int n_args;
	const char *backend;
	struct qrt_tls *tls;
	struct qrt_lane *lane;
	struct qrt_listener *listener;
	struct qrt_region *connections;
	struct qrt_signals *signals;
};

static const char *or_null(const char *arg)
{
	return strcmp(arg, "-") == 0 ? NULL : arg;
}

static void say_info(const struct qrt_stream *stream)
{
	struct qrt_tls_info info;
	if (!qrt_tls_info(stream, &info)) {
		printf("agreed %s %s alpn=%s resumed=%d\n", info.version, info.cipher, info.alpn,
		       info.resumed);
	}
}

static void say_end(struct qrt_cx *cx, enum qrt_err err)
{
	printf("end %s %s\n", qrt_err_name(err), err && err != QRT_EEOF ? qrt_detail(cx) : "");
}

/* --- serving --------------------------------------------------------------------------------- */

static enum qrt_err answer_get(struct qrt_cx *cx, const struct peer *peer,
			       struct qrt_stream *stream)
{
	char text[200];
	int n = snprintf(text, sizeof(text),
			 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n"
			 "hello from %s\n",
			 strlen(peer->backend) + 12, peer->backend);
	enum qrt_err err = qrt_write(cx, stream, text, (size_t)n);
	return err ? err : qrt_stream_shutdown(cx, stream);
}

static enum qrt_err serve_stream(struct qrt_cx *cx, const struct peer *peer,
				 struct qrt_stream *stream)
{
	char buf[LINE];
	size_t n;
	enum qrt_err err = QRT_OK;
	while (!err) {
		err = qrt_read(cx, stream, buf, sizeof(buf), &n);
		if (!err && n > 4 && memcmp(buf, "GET ", 4) == 0) {
			err = answer_get(cx, peer, stream);
		} else if (!err) {
			err = qrt_write(cx, stream, buf, n);
		}
	}
	return err;
}

struct connection {
	struct peer *peer;
	struct qrt_stream *stream;
};

static enum qrt_err serve_connection(struct qrt_cx *cx, void *arg)
{
	struct connection connection = *(struct connection *)arg;
	free(arg);
	enum qrt_err err = qrt_tls_accept(cx, connection.peer->tls, &connection.stream);
	if (!err) {
		say_info(connection.stream);
		err = serve_stream(cx, connection.peer, connection.stream);
	}
	say_end(cx, err);
	qrt_stream_close(cx, &connection.stream);
	return QRT_OK;
}

static enum qrt_err accept_all(struct qrt_cx *cx, void *arg)
{
	struct peer *peer = arg;
	enum qrt_err err = QRT_OK;
	while (!err) {
		struct connection *connection = calloc(1, sizeof(*connection));
		if (!connection) {
			return QRT_ENOMEM;
		}
		connection->peer = peer;
		err = qrt_accept(cx, peer->listener, &connection->stream);
		err = err ? err : qrt_stream_give(cx, connection->stream, peer->connections);
		err = err ? err : qrt_spawn(peer->connections, serve_connection, connection);
		if (err) {
			qrt_stream_close(cx, &connection->stream);
			free(connection);
		}
	}
	return err;
}

/* Reads files, so not on the loop. */
static enum qrt_err reload_job(struct qrt_job *job, void *arg)
{
	char detail[QRT_DETAIL];
	struct peer *peer = arg;
	enum qrt_err err = qrt_tls_reload(peer->tls, detail);
	return err ? qrt_job_fail(job, err, "%s", detail) : QRT_OK;
}

static enum qrt_err until_term(struct qrt_cx *cx, struct peer *peer)
{
	int signo = 0;
	enum qrt_err err = QRT_OK;
	while (!err && signo != SIGTERM) {
		err = qrt_signal_wait(cx, peer->signals, &signo);
		if (!err && signo == SIGHUP) {
			enum qrt_err reloaded = qrt_blocking(cx, peer->lane, reload_job, peer);
			printf("reload %s %s\n", qrt_err_name(reloaded),
			       reloaded ? qrt_detail(cx) : "");
		}
	}
	return err;
}

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	static const int signos[] = {SIGHUP, SIGTERM};
	struct peer *peer = arg;
	uint16_t port;
	int fd;
	enum qrt_err err = qrt_signal_open(cx, signos, 2, &peer->signals);
	err = err ? err : qrt_lane_open(cx, "files", 1, 4, &peer->lane);
	err = err ? err : qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &port);
	err = err ? err : qrt_listener_adopt(cx, fd, &peer->listener);
	err = err ? err : qrt_region_open(cx, QRT_COLLECT, &peer->connections);
	if (err) {
		return err;
	}
	err = qrt_spawn(peer->connections, accept_all, peer);
	printf("port %u\n", port);
	err = err ? err : until_term(cx, peer);
	qrt_listener_close(cx, &peer->listener);
	qrt_region_cancel(peer->connections, QRT_CANCEL_SHUTDOWN, "TERM");
	QRT_IGNORE(qrt_region_close(cx, &peer->connections, err), "it is the end");
	qrt_signal_close(cx, &peer->signals);
	qrt_lane_close(cx, &peer->lane);
	return err;
}

/* --- connecting ------------------------------------------------------------------------------ */

/* Until a line has come back, then to the end. */
static enum qrt_err talk(struct qrt_cx *cx, struct qrt_stream *stream)
{
	char buf[LINE];
	size_t n;
	enum qrt_err err = qrt_write(cx, stream, "hello there\n", 12);
	while (!err) {
		err = qrt_read(cx, stream, buf, sizeof(buf), &n);
		if (!err) {
			printf("got %.*s", (int)n, buf);
			if (memchr(buf, '\n', n)) {
				err = qrt_stream_shutdown(cx, stream);
			}
		}
	}
	return err;
}

static enum qrt_err connect_once(struct qrt_cx *cx, struct peer *peer)
{
	struct qrt_stream *stream = NULL;
	enum qrt_err err = qrt_connect(cx, "127.0.0.1", (uint16_t)atoi(peer->args[0]), &stream);
	err = err ? err : qrt_tls_connect(cx, peer->tls, peer->args[1], &stream);
	if (!err) {
		say_info(stream);
		err = talk(cx, stream);
	}
	say_end(cx, err);
	qrt_stream_close(cx, &stream);
	return QRT_OK;
}

static enum qrt_err connect_all(struct qrt_cx *cx, void *arg)
{
	struct peer *peer = arg;
	enum qrt_err err = QRT_OK;
	for (int i = atoi(peer->args[4]); i > 0 && !err; i--) {
		err = connect_once(cx, peer);
	}
	return err;
}

/* --- the program ----------------------------------------------------------------------------- */

static qrt_task_fn *prepare(struct peer *peer, const char *what)
{
	char detail[QRT_DETAIL] = "";
	qrt_task_fn *fn = NULL;
	if (strcmp(what, "serve") == 0 && peer->n_args == 3) {
		const struct qrt_tls_server_options opts = {.cert_file = peer->args[0],
							    .key_file = peer->args[1],
							    .alpn = or_null(peer->args[2]),
							    .handshake_ns = 5 * QRT_SEC};
		fn = qrt_tls_server_create(&opts, detail, &peer->tls) ? NULL : serve;
	} else if (strcmp(what, "connect") == 0 && peer->n_args == 5) {
		const struct qrt_tls_client_options opts = {.ca_file = or_null(peer->args[2]),
							    .alpn = or_null(peer->args[3]),
							    .handshake_ns = 5 * QRT_SEC};
		fn = qrt_tls_client_create(&opts, detail, &peer->tls) ? NULL : connect_all;
	}
	if (!fn) {
		fprintf(stderr, "tls_peer %s: %s\n", what, detail);
	}
	return fn;
}

int main(int argc, char **argv)
{
	size_t n;
	if (argc < 3) {
		return 2;
	}
	struct peer peer = {.backend = argv[1], .args = argv + 3, .n_args = argc - 3};
	if (!qrt_backend_promises(peer.backend, &n)) {
		return 77;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	qrt_task_fn *fn = prepare(&peer, argv[2]);
	if (!fn) {
		return 1;
	}
	const struct qrt_runtime_options opts = {.backend = peer.backend};
	struct qrt_runtime *rt;
	enum qrt_err err = qrt_runtime_open(&opts, NULL, &rt);
	if (!err) {
		err = qrt_run_main(rt, fn, &peer);
		qrt_runtime_close(&rt);
	}
	qrt_tls_unref(&peer.tls);
	return err ? 1 : 0;
}
