/*
 * A loop that is blocked on purpose: the control plane answers, says which
 * task hogs it, and the component moves away from it all the same.
 */
#include <pthread.h>
#include <qrt/control.h>
#include <qrt/lane.h>
#include <qrt/switchboard.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/server/control_routes.h"
#include "tests/lib/backends.h"
#include "tests/lib/test.h"

/* What holds the wedged loop: an OS-level wait, which no runtime can see or cut. */
struct latch {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool held, taken;
};

static void latch_hold(struct latch *latch)
{
	pthread_mutex_lock(&latch->lock);
	latch->taken = true;
	pthread_cond_broadcast(&latch->changed);
	while (latch->held) {
		pthread_cond_wait(&latch->changed, &latch->lock);
	}
	pthread_mutex_unlock(&latch->lock);
}

static void latch_wait_taken(struct latch *latch)
{
	pthread_mutex_lock(&latch->lock);
	while (!latch->taken) {
		pthread_cond_wait(&latch->changed, &latch->lock);
	}
	pthread_mutex_unlock(&latch->lock);
}

static void latch_release(struct latch *latch)
{
	pthread_mutex_lock(&latch->lock);
	latch->held = false;
	pthread_cond_broadcast(&latch->changed);
	pthread_mutex_unlock(&latch->lock);
}

/* --- a component that wedges its loop when asked ------------------------------------------------
 */

static enum qrt_err wedger_start(struct qrt_cx *cx, struct qrt_region *home, void *env,
				 void **ret_state)
{
	(void)cx;
	(void)home;
	*ret_state = env;
	return QRT_OK;
}

static void wedger_stop(struct qrt_cx *cx, void *state)
{
	(void)cx;
	(void)state;
}

enum { ASK_PLAIN, ASK_WEDGE };

static enum qrt_err wedger_handle(struct qrt_cx *cx, void *state, struct qrt_msg *msg,
				  struct qrt_msg **ret_reply)
{
	(void)cx;
	if (msg->op == ASK_WEDGE) {
		latch_hold(state);
	}
	*ret_reply = msg;
	return QRT_OK;
}

static const struct qrt_component wedger = {
    .name = "wedger",
    .start = wedger_start,
    .stop = wedger_stop,
    .handle = wedger_handle,
};

static void msg_free(struct qrt_msg *msg)
{
	free(msg);
}

struct asker {
	struct qrt_port *port;
	uint32_t op;
};

static enum qrt_err ask(struct qrt_cx *cx, void *arg)
{
	const struct asker *asker = arg;
	struct qrt_msg *msg = calloc(1, sizeof(*msg));
	struct qrt_msg *reply;
	*msg = (struct qrt_msg){.op = asker->op, .destroy = msg_free};
	enum qrt_err err = qrt_call(cx, asker->port, &msg, &reply);
	if (!err) {
		qrt_msg_destroy(&reply);
	}
	return err;
}

/* --- the stand ----------------------------------------------------------------------------------
 */

struct stand {
	struct latch latch;
	struct qrt_switchboard *sb;
	struct qrt_runtime *rt[2];
	struct qrt_control *control;
};

static enum qrt_err get(const struct stand *stand, const char *path, int *ret_status,
			char **ret_body)
{
	const struct qrt_control_target target = {
	    .address = "127.0.0.1", .port = qrt_control_port(stand->control), .timeout_ms = 5000};
	return qrt_control_ask(&target, "GET", path, NULL, ret_status, ret_body);
}

struct control_ask {
	struct stand *stand;
	const char *path, *contains;
	int status;
};

/* On a lane: the control client blocks. */
static enum qrt_err control_job(struct qrt_job *job, void *arg)
{
	const struct control_ask *ask_for = arg;
	int status;
	char *body = NULL;
	enum qrt_err err = get(ask_for->stand, ask_for->path, &status, &body);
	if (!err && (status != ask_for->status || !strstr(body, ask_for->contains))) {
		err = qrt_job_fail(job, QRT_EFAILED, "%s: %d %s", ask_for->path, status, body);
	}
	free(body);
	return err;
}

static enum qrt_err control_says(struct qrt_cx *cx, struct stand *stand, const char *path,
				 int status, const char *contains)
{
	struct qrt_lane *lane;
	struct control_ask ask_for = {stand, path, contains, status};
	enum qrt_err err = qrt_lane_open(cx, "control-client", 1, 1, &lane);
	if (!err) {
		err = qrt_blocking(cx, lane, control_job, &ask_for);
		qrt_lane_close(cx, &lane);
	}
	return err;
}

static enum qrt_err scenario(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	struct qrt_move move;
	const char *task, *site;
	struct asker wedge = {qrt_switchboard_port(stand->sb, "wedger"), ASK_WEDGE};
	struct asker plain = {wedge.port, ASK_PLAIN};
	EXPECT(!qrt_switchboard_move(cx, stand->sb, "wedger", "a", "test", "start", &move));

	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, ask, &wedge));
	EXPECT(!qrt_yield(cx));
	latch_wait_taken(&stand->latch);
	EXPECT(qrt_runtime_busy(stand->rt[0], &task, &site) > 0);
	EXPECT(strcmp(task, "wedger") == 0);

	enum qrt_err err = control_says(cx, stand, "/health/live", 503, "\"stuck_runtime\":\"a\"");
	if (!err) {
		err = control_says(cx, stand, "/metrics", 200, "quotey_");
	}
	if (!err) {
		err = control_says(cx, stand, "/regions", 200, "wedged_for_ms");
	}
	if (!err) {
		err = control_says(cx, stand, "/runtime", 200, "\"wedger\"");
	}
	/* The way out needs nothing from the wedged side. */
	if (!err) {
		err = qrt_switchboard_move(cx, stand->sb, "wedger", "b", "test", "wedged", &move);
	}
	if (!err && (move.stragglers != 1 || !strstr(move.detail, "does not answer"))) {
		err = qrt_fail(cx, QRT_EFAILED, "stragglers %d: %s", (int)move.stragglers,
			       move.detail);
	}
	if (!err) {
		err = ask(cx, &plain);
	}
	latch_release(&stand->latch);
	if (!err) {
		err = qrt_region_close(cx, &region, QRT_OK);
		/* It lives again as soon as it is back at its poll. */
		while (!err && qrt_runtime_busy(stand->rt[0], NULL, NULL) > 0) {
			err = qrt_yield(cx);
		}
		if (!err) {
			err = control_says(cx, stand, "/health/live", 200, "live");
		}
	}
	if (err) {
		fprintf(stderr, "%s: %s\n", qrt_err_name(err), qrt_detail(cx));
	}
	if (region) {
		err = qrt_region_close(cx, &region, err);
	}
	enum qrt_err stop = qrt_switchboard_stop(cx, stand->sb);
	return err ? err : stop;
}

static struct qrt_runtime *open_runtime(const char *backend, const char *name)
{
	const struct qrt_runtime_options opts = {.backend = backend, .name = name};
	struct qrt_runtime *rt;
	assert_int_equal(qrt_runtime_open(&opts, NULL, &rt), QRT_OK);
	return rt;
}

static void run(const char *wedged, const char *other)
{
	struct stand stand = {
	    .latch = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, true, false}};
	const struct qrt_switchboard_options opts = {.drain_max_ns = 50 * QRT_MS};
	struct qrt_runtime *supervisor = open_runtime(other, "supervisor");
	stand.rt[0] = open_runtime(wedged, "a");
	stand.rt[1] = open_runtime(other, "b");
	assert_int_equal(qrt_switchboard_create(&opts, &stand.sb), QRT_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(qrt_runtime_start(stand.rt[i]), QRT_OK);
		assert_int_equal(qrt_switchboard_add_runtime(stand.sb, i ? "b" : "a", stand.rt[i]),
				 QRT_OK);
	}
	assert_int_equal(qrt_switchboard_add_component(stand.sb, &wedger, &stand.latch), QRT_OK);
	struct qy_control_env env = {.sb = stand.sb,
				     .supervisor = supervisor,
				     .runtimes = stand.rt,
				     .n_runtimes = 2,
				     .stuck_after_ns = 1};
	const struct qrt_control_options control = {.address = "127.0.0.1",
						    .routes = qy_control_routes,
						    .n_routes = qy_control_route_count,
						    .app = &env};
	assert_int_equal(qrt_control_open(&control, NULL, &stand.control), QRT_OK);

	enum qrt_err err = qrt_run_main(supervisor, scenario, &stand);
	qrt_control_close(&stand.control);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(qrt_shutdown(stand.rt[i], 5 * QRT_SEC), QRT_OK);
	}
	qrt_switchboard_destroy(&stand.sb);
	for (int i = 0; i < 2; i++) {
		qrt_runtime_close(&stand.rt[i]);
	}
	qrt_runtime_close(&supervisor);
	assert_int_equal(err, QRT_OK);
}

static void the_control_plane_answers_and_the_component_moves_away(void **state)
{
	(void)state;
	size_t n;
	const char *const *names = real_backends(&n);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			run(names[i], names[j]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_control_plane_answers_and_the_component_moves_away),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
