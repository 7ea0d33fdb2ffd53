/* Two ends of a TLS connection; see tls_pair.h. */
#include "tests/lib/tls_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"

static struct qrt_tls *or_abort(enum qrt_err err, const char *detail, struct qrt_tls *tls)
{
	if (err) {
		fprintf(stderr, "TLS: %s: %s\n", qrt_err_name(err), detail);
		abort();
	}
	return tls;
}

struct qrt_tls *tls_server_with(const struct qrt_tls_server_options *opts)
{
	char detail[QRT_DETAIL] = "";
	struct qrt_tls *tls = NULL;
	enum qrt_err err = qrt_tls_server_create(opts, detail, &tls);
	return or_abort(err, detail, tls);
}

struct qrt_tls *tls_client_with(const struct qrt_tls_client_options *opts)
{
	char detail[QRT_DETAIL] = "";
	struct qrt_tls *tls = NULL;
	enum qrt_err err = qrt_tls_client_create(opts, detail, &tls);
	return or_abort(err, detail, tls);
}

struct qrt_tls *tls_server(void)
{
	const struct qrt_tls_server_options opts = {.cert_file = certs()->cert,
						    .key_file = certs()->key};
	return tls_server_with(&opts);
}

struct qrt_tls *tls_client(void)
{
	const struct qrt_tls_client_options opts = {.ca_file = certs()->ca};
	return tls_client_with(&opts);
}

/* --- sides ----------------------------------------------------------------------------------- */

enum qrt_err tls_to_the_end(struct qrt_cx *cx, struct tls_pair *pair, struct qrt_stream *stream)
{
	char buf[4096];
	size_t n;
	enum qrt_err err = QRT_OK;
	(void)pair;
	while (!err) {
		err = qrt_read(cx, stream, buf, sizeof(buf), &n);
	}
	return err == QRT_EEOF ? QRT_OK : err;
}

static enum qrt_err only_end(struct qrt_cx *cx, struct tls_pair *pair, struct qrt_stream *stream)
{
	enum qrt_err err = qrt_stream_shutdown(cx, stream);
	return err ? err : tls_to_the_end(cx, pair, stream);
}

enum qrt_err tls_echo(struct qrt_cx *cx, struct tls_pair *pair, struct qrt_stream *stream)
{
	char buf[4096];
	enum qrt_err err = QRT_OK;
	(void)pair;
	while (!err) {
		size_t n;
		err = qrt_read(cx, stream, buf, sizeof(buf), &n);
		if (!err) {
			err = qrt_write(cx, stream, buf, n);
		}
	}
	return err == QRT_EEOF ? qrt_stream_shutdown(cx, stream) : err;
}

enum qrt_err tls_read_all(struct qrt_cx *cx, struct qrt_stream *stream, void *buf, size_t n)
{
	size_t got;
	enum qrt_err err = QRT_OK;
	for (size_t at = 0; !err && at < n; at += got) {
		err = qrt_read(cx, stream, (char *)buf + at, n - at, &got);
	}
	return err;
}

enum qrt_err tls_talk(struct qrt_cx *cx, struct tls_pair *pair, struct qrt_stream *stream)
{
	char buf[6];
	enum qrt_err err = qrt_write(cx, stream, "hello", 6);
	err = err ? err : tls_read_all(cx, stream, buf, 6);
	EXPECT(err || strcmp(buf, "hello") == 0);
	err = err ? err : qrt_stream_shutdown(cx, stream);
	return err ? err : tls_to_the_end(cx, pair, stream);
}

/* --- a connection ---------------------------------------------------------------------------- */

struct play {
	struct tls_pair *pair;
	struct qrt_listener *listener;
};

static void note(struct qrt_cx *cx, enum qrt_err err, enum qrt_err *ret_err, char *ret_detail)
{
	*ret_err = err;
	snprintf(ret_detail, QRT_DETAIL, "%s", err ? qrt_detail(cx) : "");
}

static void note_info(const struct qrt_stream *stream, struct qrt_tls_info *ret_info,
		      char ret_alpn[32])
{
	if (!qrt_tls_info(stream, ret_info)) {
		snprintf(ret_alpn, 32, "%s", ret_info->alpn);
		ret_info->alpn = NULL;
	}
}

static enum qrt_err be_server(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	struct tls_pair *pair = play->pair;
	struct qrt_stream *stream = NULL;
	enum qrt_err err = qrt_accept(cx, play->listener, &stream);
	if (err) {
		qrt_listener_close(cx, &play->listener); /* nobody would answer the client */
	}
	err = err ? err : qrt_tls_accept(cx, pair->server, &stream);
	if (!err) {
		note_info(stream, &pair->server_info, pair->server_alpn);
		err = (pair->at_server ? pair->at_server : only_end)(cx, pair, stream);
	}
	note(cx, err, &pair->server_err, pair->server_detail);
	qrt_stream_close(cx, &stream);
	return QRT_OK;
}

static void be_client(struct qrt_cx *cx, struct play *play)
{
	struct tls_pair *pair = play->pair;
	struct qrt_stream *stream = NULL;
	const char *address = pair->address ? pair->address : "127.0.0.1";
	const char *host = pair->host ? pair->host : "server.test";
	enum qrt_err err = qrt_connect(cx, address, pair->port, &stream);
	if (err) {
		qrt_listener_close(cx, &play->listener); /* the server would wait for ever */
	}
	err = err ? err : qrt_tls_connect(cx, pair->client, host, &stream);
	if (!err) {
		note_info(stream, &pair->client_info, pair->client_alpn);
		err = (pair->at_client ? pair->at_client : only_end)(cx, pair, stream);
	}
	note(cx, err, &pair->client_err, pair->client_detail);
	qrt_stream_close(cx, &stream);
}

enum qrt_err tls_pair_play(struct qrt_cx *cx, struct tls_pair *pair)
{
	struct play play = {.pair = pair};
	struct qrt_region *region;
	int fd;
	enum qrt_err err = qrt_socket_listen(cx, pair->address ? pair->address : "127.0.0.1",
					     pair->port, &fd, &pair->port);
	err = err ? err : qrt_listener_adopt(cx, fd, &play.listener);
	if (err) {
		return err;
	}
	err = qrt_region_open(cx, QRT_COLLECT, &region);
	if (!err) {
		err = qrt_spawn(region, be_server, &play);
		if (!err) {
			be_client(qrt_region_cx(region), &play);
		}
		err = qrt_region_close(cx, &region, err);
	}
	qrt_listener_close(cx, &play.listener);
	return err;
}

enum qrt_err tls_pair_well(struct qrt_cx *cx, struct tls_pair *pair)
{
	enum qrt_err err = tls_pair_play(cx, pair);
	if (!err && (pair->server_err || pair->client_err)) {
		fprintf(stderr, "server: %s %s; client: %s %s\n", qrt_err_name(pair->server_err),
			pair->server_detail, qrt_err_name(pair->client_err), pair->client_detail);
		return QRT_EFAILED;
	}
	return err;
}
