/*
 * One fixed program in labs of many seeds, for compilers.sh: two runtimes, calls and a move
 * between them, connections, lanes, a database on the simulated disk, with faults. Prints what
 * came of each seed: hash, steps, choices, faults and time.
 *
 * Must never print or decide anything by an address, a real time or a name.
 */
#include <inttypes.h>
#include <qrt/chan.h>
#include <qrt/db.h>
#include <qrt/lab.h>
#include <qrt/lane.h>
#include <qrt/select.h>
#include <qrt/switchboard.h>
#include <stdio.h>
#include <stdlib.h>

enum { CLIENTS = 6, ROUNDS = 4, JOBS = 5 };

#define TRY(call)                                                                                  \
	do {                                                                                       \
		enum qrt_err try_err = (call);                                                     \
		if (try_err) {                                                                     \
			return try_err;                                                            \
		}                                                                                  \
	} while (0)

struct world {
	struct qrt_lab *lab;
	struct qrt_runtime *host, *a, *b;
	struct qrt_switchboard *sb;
	struct qrt_port *port;
	struct qrt_lane *lane;
	struct qrt_db *db;
	struct qrt_chan *chan;
	uint16_t tcp_port;
	int failed;
};

/* --- a component that counts ----------------------------------------------------------------- */

static void msg_free(struct qrt_msg *msg)
{
	free(msg);
}

static enum qrt_err counter_start(struct qrt_cx *cx, struct qrt_region *home, void *env,
				  void **ret_state)
{
	(void)cx, (void)home;
	*ret_state = env;
	return QRT_OK;
}

static void counter_stop(struct qrt_cx *cx, void *state)
{
	(void)cx, (void)state;
}

static enum qrt_err counter_handle(struct qrt_cx *cx, void *state, struct qrt_msg *msg,
				   struct qrt_msg **ret_reply)
{
	unsigned char byte;
	(void)state;
	enum qrt_err err = qrt_random(cx, &byte, 1);
	if (!err) {
		err = qrt_sleep(cx, 1000 + byte);
	}
	if (err) {
		msg->destroy(msg);
		return err;
	}
	msg->op++;
	*ret_reply = msg;
	return QRT_OK;
}

static const struct qrt_component counter = {
    .name = "counter",
    .caps = QRT_CAP_TIME | QRT_CAP_RANDOM,
    .start = counter_start,
    .stop = counter_stop,
    .handle = counter_handle,
};

static enum qrt_err count(struct qrt_cx *cx, void *arg)
{
	struct world *world = arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct qrt_msg *msg = calloc(1, sizeof(*msg)), *reply;
		if (!msg) {
			return QRT_ENOMEM;
		}
		msg->destroy = msg_free;
		TRY(qrt_call(cx, world->port, &msg, &reply));
		qrt_msg_destroy(&reply);
	}
	return QRT_OK;
}

/* --- connections, jobs, statements ----------------------------------------------------------- */

static enum qrt_err serve_one(struct qrt_cx *cx, void *arg)
{
	struct qrt_stream *stream = arg;
	char buf[64];
	size_t n;
	enum qrt_err err;
	while (!(err = qrt_read(cx, stream, buf, sizeof(buf), &n))) {
		if (qrt_write(cx, stream, buf, n)) {
			break;
		}
	}
	qrt_stream_close(cx, &stream);
	return QRT_OK;
}

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	struct qrt_listener *listener = arg;
	struct qrt_region *region;
	struct qrt_stream *stream;
	enum qrt_err err;
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	while (!(err = qrt_accept(cx, listener, &stream))) {
		TRY(qrt_spawn(region, serve_one, stream));
	}
	qrt_listener_close(cx, &listener);
	return qrt_region_close(cx, &region, QRT_OK);
}

static enum qrt_err ask(struct qrt_cx *cx, void *arg)
{
	struct world *world = arg;
	struct qrt_stream *stream;
	char buf[200] = "what is sent comes back";
	for (int i = 0; i < ROUNDS; i++) {
		enum qrt_err err = qrt_connect(cx, "127.0.0.1", world->tcp_port, &stream);
		if (err) {
			world->failed++;
			continue;
		}
		size_t done = 0, n;
		err = qrt_write(cx, stream, buf, sizeof(buf));
		while (!err && done < sizeof(buf)) {
			err = qrt_read(cx, stream, buf + done, sizeof(buf) - done, &n);
			done += err ? 0 : n;
		}
		world->failed += err != QRT_OK;
		qrt_stream_close(cx, &stream);
	}
	return QRT_OK;
}

static enum qrt_err job(struct qrt_job *self, void *arg)
{
	(void)self, (void)arg;
	return QRT_OK;
}

static enum qrt_err work(struct qrt_cx *cx, void *arg)
{
	struct world *world = arg;
	for (int i = 0; i < JOBS; i++) {
		TRY(qrt_blocking(cx, world->lane, job, NULL));
		TRY(qrt_chan_send(cx, world->chan, &i));
	}
	return QRT_OK;
}

static enum qrt_err create(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	return qrt_db_exec(conn, "CREATE TABLE t (n INTEGER, r BLOB)");
}

static enum qrt_err insert(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	return qrt_db_exec(conn, "INSERT INTO t VALUES (random(), randomblob(1000))");
}

static enum qrt_err book(struct qrt_cx *cx, void *arg)
{
	struct world *world = arg;
	for (int i = 0; i < ROUNDS; i++) {
		world->failed += qrt_db_write(cx, world->db, insert, NULL) != QRT_OK;
	}
	return QRT_OK;
}

/* --- all of it ---------------------------------------------------------------------------------
 */

static enum qrt_err play(struct qrt_cx *cx, struct world *world)
{
	struct qrt_region *region;
	struct qrt_move move;
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, book, world));
	for (int i = 0; i < CLIENTS; i++) {
		TRY(qrt_spawn(region, ask, world));
		TRY(qrt_spawn(region, i % 2 ? count : work, world));
	}
	for (int i = 0; i < JOBS * CLIENTS / 2; i++) {
		int got;
		size_t which;
		struct qrt_case cases[] = {qrt_case_recv(world->chan, &got),
					   qrt_case_recv(world->chan, &got)};
		TRY(qrt_select(cx, QRT_SELECT_FAIR, cases, 2, &which));
		if (i % 5 == 4) {
			TRY(qrt_switchboard_move(cx, world->sb, "counter", i % 2 ? "a" : "b",
						 "test", "x", &move));
		}
	}
	return qrt_region_close(cx, &region, QRT_OK);
}

static enum qrt_err world_main(struct qrt_cx *cx, void *arg)
{
	struct world *world = arg;
	const struct qrt_db_options db = {
	    .url = "sqlite:///same.db", .readers = 1, .synchronous_full = true};
	const struct qrt_lab_faults faults = {.refuse = 50,
					      .reset = 20,
					      .job_slow = 100,
					      .disk_error = 20,
					      .sync_slow = 50,
					      .bytes_per_s = 3000001};
	struct qrt_listener *listener;
	struct qrt_region *server;
	struct qrt_move move;
	int fd;
	TRY(qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &world->tcp_port));
	TRY(qrt_listener_adopt(cx, fd, &listener));
	TRY(qrt_lane_open(cx, "work", 2, 16, &world->lane));
	TRY(qrt_chan_open(cx, sizeof(int), 2, NULL, &world->chan));
	TRY(qrt_db_open(cx, &db, &world->db));
	TRY(qrt_db_write(cx, world->db, create, NULL));
	TRY(qrt_switchboard_move(cx, world->sb, "counter", "a", "test", "start", &move));
	TRY(qrt_region_open(cx, QRT_COLLECT, &server));
	TRY(qrt_spawn(server, serve, listener));
	TRY(qrt_lab_set_faults(world->lab, &faults));
	TRY(play(cx, world));
	qrt_lab_heal(world->lab);
	qrt_region_cancel(server, QRT_CANCEL_USER, "enough");
	TRY(qrt_region_close(cx, &server, QRT_OK));
	qrt_db_close(cx, &world->db);
	TRY(qrt_chan_close(&world->chan));
	qrt_lane_close(cx, &world->lane);
	return qrt_switchboard_stop(cx, world->sb);
}

static enum qrt_err runtime_open(struct qrt_lab *lab, const char *backend, const char *name,
				 struct qrt_runtime **ret_rt)
{
	const struct qrt_runtime_options opts = {.backend = backend, .name = name, .lab = lab};
	return qrt_runtime_open(&opts, NULL, ret_rt);
}

static enum qrt_err run(uint64_t seed)
{
	const struct qrt_lab_options opts = {
	    .seed = seed, .strategy = (enum qrt_lab_strategy)(seed % 3), .disk = true};
	struct world world = {0};
	struct qrt_lab_stats stats;
	TRY(qrt_lab_open(&opts, NULL, &world.lab));
	TRY(runtime_open(world.lab, "lab", "host", &world.host));
	TRY(runtime_open(world.lab, "lab", "a", &world.a));
	TRY(runtime_open(world.lab, "lab-legacy", "b", &world.b));
	TRY(qrt_switchboard_create(NULL, &world.sb));
	TRY(qrt_runtime_start(world.a));
	TRY(qrt_runtime_start(world.b));
	TRY(qrt_switchboard_add_runtime(world.sb, "a", world.a));
	TRY(qrt_switchboard_add_runtime(world.sb, "b", world.b));
	TRY(qrt_switchboard_add_component(world.sb, &counter, &world));
	world.port = qrt_switchboard_port(world.sb, "counter");
	TRY(qrt_run_main(world.host, world_main, &world));
	TRY(qrt_shutdown(world.a, QRT_SEC));
	TRY(qrt_shutdown(world.b, QRT_SEC));
	qrt_switchboard_destroy(&world.sb);
	qrt_runtime_close(&world.a);
	qrt_runtime_close(&world.b);
	qrt_runtime_close(&world.host);
	qrt_lab_stats(world.lab, &stats);
	qrt_lab_close(&world.lab);
	printf("%" PRIu64 " %016" PRIx64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %d\n",
	       seed, stats.hash, stats.steps, stats.choices, stats.faults, stats.now_ns,
	       world.failed);
	return QRT_OK;
}

int main(int argc, char **argv)
{
	uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 50;
	for (uint64_t seed = 0; seed < seeds; seed++) {
		enum qrt_err err = run(seed);
		if (err) {
			fprintf(stderr, "seed %" PRIu64 ": %s\n", seed, qrt_err_name(err));
			return 1;
		}
	}
	return 0;
}
