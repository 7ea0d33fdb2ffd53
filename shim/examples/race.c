/*
 * Race: one file, three mirrors. One refuses, one is silent, one delivers; the delivery counts as
 * soon as it is there. Then nothing of the others is left, not even their connections, and who
 * failed can be told.
 */
#include <qrt/qrt.h>
#include <stdio.h>
#include <string.h>

struct mirror {
	struct qrt_listener *listener; /* NULL: it refuses */
	uint16_t port;
	bool silent;
	char file[16]; /* as it came from there */
};

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	struct mirror *mirror = arg;
	struct qrt_stream *stream;
	enum qrt_err err = qrt_accept(cx, mirror->listener, &stream);
	if (err) {
		return err == QRT_ECLOSED ? QRT_OK : err; /* it was over before anybody came */
	}
	err = mirror->silent ? qrt_sleep(cx, 3600 * QRT_SEC) : qrt_write(cx, stream, "catalog", 7);
	qrt_stream_close(cx, &stream);
	return err;
}

static enum qrt_err fetch(struct qrt_cx *cx, void *arg)
{
	struct mirror *mirror = arg;
	struct qrt_stream *stream;
	size_t have = 0, n = 0;
	enum qrt_err err = qrt_connect(cx, "127.0.0.1", mirror->port, &stream);
	if (err) {
		return err;
	}
	do { /* a read may bring less than there is: the end of the stream is the end of the file */
		have += n;
		err =
		    qrt_read(cx, stream, mirror->file + have, sizeof(mirror->file) - 1 - have, &n);
	} while (!err);
	qrt_stream_close(cx, &stream); /* also when the race is lost: then the read is cut short */
	return err == QRT_EEOF && have > 0 ? QRT_OK : err;
}

static enum qrt_err fetch_first(struct qrt_cx *cx, struct mirror *mirrors)
{
	const struct qrt_branch branches[] = {{fetch, &mirrors[0], "near"},
					      {fetch, &mirrors[1], "far"},
					      {fetch, &mirrors[2], "farther"}};
	struct qrt_aggregate losers;
	size_t winner = 0;
	enum qrt_err err = qrt_first_ok(cx, branches, 3, &winner, &losers);
	for (size_t i = 0; i < losers.n_kept; i++) {
		printf("%s: %s\n", losers.kept[i].name, qrt_err_text(losers.kept[i].err));
	}
	qrt_aggregate_fini(&losers);
	if (!err && (winner != 2 || strcmp(mirrors[2].file, "catalog") != 0)) {
		return qrt_fail(cx, QRT_EFAILED, "mirror %zu won", winner);
	}
	return err;
}

static enum qrt_err listen_on(struct qrt_cx *cx, struct mirror *mirror, bool refuses)
{
	int fd;
	enum qrt_err err = qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &mirror->port);
	if (!err && refuses) {
		qrt_socket_close(cx, fd);
	} else if (!err) {
		err = qrt_listener_adopt(cx, fd, &mirror->listener);
	}
	return err;
}

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options options = {.name = "mirrors", .flags = QRT_CANCEL_REST};
	struct mirror *mirrors = arg;
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open_with(cx, &options, &region);
	if (err) {
		return err;
	}
	struct qrt_cx *inside = qrt_region_cx(region);
	for (size_t i = 0; i < 3 && !err; i++) {
		err = listen_on(inside, &mirrors[i], i == 0);
		if (!err && mirrors[i].listener) {
			err = qrt_spawn(region, serve, &mirrors[i]);
		}
	}
	if (!err) {
		err = fetch_first(inside, mirrors);
	}
	for (size_t i = 0; i < 3; i++) {
		qrt_listener_close(inside, &mirrors[i].listener);
	}
	err = qrt_region_close(cx, &region, err);
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	if (!err && audit.streams_live > 0) {
		return qrt_fail(cx, QRT_EFAILED, "connections are left");
	}
	if (!err) {
		printf("farther: delivered, and no connection is left\n");
	}
	return err;
}

int main(int argc, char **argv)
{
	const struct qrt_runtime_options options = {.backend = argc > 1 ? argv[1] : "region"};
	struct qrt_runtime *rt;
	struct mirror mirrors[3] = {[1] = {.silent = true}};
	enum qrt_err err = qrt_runtime_open(&options, NULL, &rt);
	if (!err) {
		err = qrt_run_main(rt, run, mirrors);
		qrt_runtime_close(&rt);
	}
	return err ? 1 : 0;
}
