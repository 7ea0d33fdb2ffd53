/* Ports and moves: real runtimes on their own threads, a host that moves a component under calls.
 */
#include <qrt/switchboard.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

/* What is to be cut off is given SHORT_NS, so that all else gets done in it on a busy machine. */
#define SHORT_NS (250 * QRT_MS)
#define LONG_NS (30 * QRT_SEC)

struct limits {
	int64_t prepare_ns, drain_ns;
};

static const struct limits patient = {LONG_NS, LONG_NS};
static const struct limits hurried_start = {SHORT_NS, LONG_NS};
static const struct limits hurried_drain = {LONG_NS, SHORT_NS};

/* --- a small component: doubles a number, after a while if asked ------------------------------ */

struct number {
	struct qrt_msg msg;
	int64_t value, wait_ns;
	char backend[16];
};

struct env {
	_Atomic int starts, stops, handled;
	_Atomic bool refuse, stall;
};

static void number_destroy(struct qrt_msg *msg)
{
	free(msg);
}

static struct qrt_msg *number_new(int64_t value, int64_t wait_ns)
{
	struct number *number = calloc(1, sizeof(*number));
	number->msg.destroy = number_destroy;
	number->value = value;
	number->wait_ns = wait_ns;
	return &number->msg;
}

static enum qrt_err doubler_start(struct qrt_cx *cx, struct qrt_region *home, void *env_arg,
				  void **ret_state)
{
	(void)home;
	struct env *env = env_arg;
	if (atomic_load(&env->refuse)) {
		return qrt_fail(cx, QRT_EACCES, "the doubler does not want to");
	}
	if (atomic_load(&env->stall)) {
		return qrt_sleep(cx, 3600 * QRT_SEC);
	}
	atomic_fetch_add(&env->starts, 1);
	*ret_state = env;
	return QRT_OK;
}

static void doubler_stop(struct qrt_cx *cx, void *state)
{
	(void)cx;
	struct env *env = state;
	atomic_fetch_add(&env->stops, 1);
}

static enum qrt_err doubler_handle(struct qrt_cx *cx, void *state, struct qrt_msg *msg,
				   struct qrt_msg **ret_reply)
{
	struct env *env = state;
	struct number *number = (struct number *)(void *)msg;
	enum qrt_err err = QRT_OK;
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	if (audit.duties_live == 0) { /* at least this call's: an answer is owed */
		err = qrt_fail(cx, QRT_EFAILED, "nothing is owed");
	} else if (number->value < 0) {
		err = qrt_fail(cx, QRT_EINVAL, "%lld is negative", (long long)number->value);
	} else if (number->wait_ns) {
		err = qrt_sleep(cx, number->wait_ns);
	}
	if (err) {
		msg->destroy(msg);
		return err;
	}
	number->value *= 2;
	snprintf(number->backend, sizeof(number->backend), "%s",
		 qrt_runtime_name(qrt_cx_runtime(cx)));
	atomic_fetch_add(&env->handled, 1);
	*ret_reply = msg;
	return QRT_OK;
}

static const struct qrt_component doubler = {
    .name = "doubler",
    .caps = QRT_CAP_TIME | QRT_CAP_SPAWN,
    .start = doubler_start,
    .stop = doubler_stop,
    .handle = doubler_handle,
};

/* --- the host ----------------------------------------------------------------------------------
 */

struct host {
	struct qrt_switchboard *sb;
	struct qrt_port *port;
	struct env env;
	const char *a, *b; /* the two places, and the names of their runtimes */
	_Atomic int journalled;
};

static void count_move(struct qrt_cx *cx, void *arg, const struct qrt_move *move)
{
	(void)cx;
	struct host *host = arg;
	QRT_ASSERT(move->component[0]);
	atomic_fetch_add(&host->journalled, 1);
}

static enum qrt_err ask(struct qrt_cx *cx, struct host *host, int64_t value, int64_t wait_ns,
			int64_t *ret_value, char *ret_backend)
{
	struct qrt_msg *msg = number_new(value, wait_ns);
	struct qrt_msg *reply;
	enum qrt_err err = qrt_call(cx, host->port, &msg, &reply);
	if (!err) {
		struct number *number = (struct number *)(void *)reply;
		*ret_value = number->value;
		strcpy(ret_backend, number->backend);
		qrt_msg_destroy(&reply);
	}
	return err;
}

struct load {
	struct host *host;
	_Atomic bool stop;
	_Atomic int asked, failed;
	_Atomic int by_a, by_b;
};

static enum qrt_err asker(struct qrt_cx *cx, void *arg)
{
	struct load *load = arg;
	while (!atomic_load(&load->stop)) {
		int64_t value;
		char backend[16];
		enum qrt_err err = ask(cx, load->host, 21, 50000, &value, backend);
		atomic_fetch_add(&load->asked, 1);
		if (err || value != 42) {
			atomic_fetch_add(&load->failed, 1);
		} else {
			atomic_fetch_add(
			    strcmp(backend, load->host->a) == 0 ? &load->by_a : &load->by_b, 1);
		}
	}
	return QRT_OK;
}

static enum qrt_err moves_under_load(struct qrt_cx *cx, void *arg)
{
	struct host *host = arg;
	struct qrt_move move;
	EXPECT(!qrt_switchboard_move(cx, host->sb, "doubler", host->a, "test", "start", &move));
	EXPECT(move.err == QRT_OK && strcmp(move.from, "") == 0);
	struct load load = {.host = host};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < 8; i++) {
		EXPECT(!qrt_spawn(region, asker, &load));
	}
	for (int i = 0; i < 10; i++) {
		int seen = atomic_load(&load.asked);
		while (atomic_load(&load.asked) < seen + 40) {
			EXPECT(!qrt_sleep(cx, 100000));
		}
		const char *to = i % 2 ? host->a : host->b;
		EXPECT(!qrt_switchboard_move(cx, host->sb, "doubler", to, "test", "x", &move));
		EXPECT(strcmp(move.to, to) == 0 && move.stragglers == 0);
	}
	atomic_store(&load.stop, true);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(atomic_load(&load.failed) == 0);
	EXPECT(atomic_load(&load.by_a) > 0 && atomic_load(&load.by_b) > 0);
	EXPECT(atomic_load(&load.asked) == atomic_load(&host->env.handled));
	EXPECT(atomic_load(&host->env.starts) == 2); /* both stayed warm */
	return QRT_OK;
}

static enum qrt_err refused_moves_change_nothing(struct qrt_cx *cx, void *arg)
{
	struct host *host = arg;
	struct qrt_move move;
	struct qrt_stage stage;
	int64_t value;
	char backend[16];
	EXPECT(ask(cx, host, 1, 0, &value, backend) == QRT_ECLOSED);
	EXPECT(strcmp(qrt_detail(cx), "component doubler is not running") == 0);
	EXPECT(!qrt_switchboard_move(cx, host->sb, "doubler", host->a, "test", "start", &move));
	atomic_store(&host->env.refuse, true);
	EXPECT(qrt_switchboard_move(cx, host->sb, "doubler", host->b, "test", "x", &move) ==
	       QRT_EACCES);
	EXPECT(strcmp(move.detail, "prepare: the doubler does not want to") == 0);
	EXPECT(qrt_switchboard_stages(host->sb, &stage, 1) == 1);
	EXPECT(strcmp(stage.backend, host->a) == 0 && stage.moves == 1 && !stage.moving);
	EXPECT(!ask(cx, host, 4, 0, &value, backend) && value == 8);
	EXPECT(strcmp(backend, host->a) == 0);
	EXPECT(qrt_switchboard_move(cx, host->sb, "dubler", host->a, "test", "x", &move) ==
	       QRT_ENOENT);
	EXPECT(strcmp(move.detail, "unknown component \"dubler\"") == 0);
	EXPECT(qrt_switchboard_move(cx, host->sb, "doubler", "tokio", "test", "x", &move) ==
	       QRT_ENOTSUP);
	EXPECT(qrt_switchboard_rollback(cx, host->sb, "doubler", "test", "x", &move) == QRT_ESTATE);
	atomic_store(&host->env.refuse, false);
	atomic_store(&host->env.stall, true);
	EXPECT(qrt_switchboard_move(cx, host->sb, "doubler", host->b, "test", "x", &move) !=
	       QRT_OK);
	EXPECT(move.prepare_ns >= SHORT_NS);
	atomic_store(&host->env.stall, false);
	EXPECT(!ask(cx, host, 5, 0, &value, backend) && value == 10);
	EXPECT(atomic_load(&host->journalled) == 6);
	return QRT_OK;
}

static enum qrt_err rollback_goes_back(struct qrt_cx *cx, void *arg)
{
	struct host *host = arg;
	struct qrt_move move, history[8];
	EXPECT(!qrt_switchboard_move(cx, host->sb, "doubler", host->a, "test", "start", &move));
	EXPECT(!qrt_switchboard_move(cx, host->sb, "doubler", host->b, "test", "go", &move));
	EXPECT(!qrt_switchboard_rollback(cx, host->sb, "doubler", "test", "back", &move));
	EXPECT(strcmp(move.from, host->b) == 0 && strcmp(move.to, host->a) == 0);
	int64_t value;
	char backend[16];
	EXPECT(!ask(cx, host, 3, 0, &value, backend) && strcmp(backend, host->a) == 0);
	EXPECT(qrt_switchboard_history(host->sb, history, 8) == 3);
	EXPECT(history[0].seq == 3 && strcmp(history[0].reason, "back") == 0);
	EXPECT(!qrt_switchboard_move(cx, host->sb, "doubler", host->a, "test", "again", &move));
	EXPECT(move.err == QRT_OK && move.prepare_ns == 0); /* already there */
	return QRT_OK;
}

static enum qrt_err errors_and_deadlines_travel(struct qrt_cx *cx, void *arg)
{
	struct host *host = arg;
	struct qrt_move move;
	int64_t value, before, after;
	char backend[16];
	for (int i = 0; i < 2; i++) {
		const char *to = i ? host->b : host->a;
		EXPECT(!qrt_switchboard_move(cx, host->sb, "doubler", to, "t", "start", &move));
		EXPECT(ask(cx, host, -1, 0, &value, backend) == QRT_EINVAL);
		EXPECT(strcmp(qrt_detail(cx), "-1 is negative") == 0);
		struct qrt_region *region;
		const struct qrt_region_options opts = {.budget.deadline_ns =
							    qrt_deadline_in(cx, 5 * QRT_MS)};
		EXPECT(!qrt_now(cx, &before));
		EXPECT(!qrt_region_open_with(cx, &opts, &region));
		EXPECT(ask(qrt_region_cx(region), host, 1, 3600 * QRT_SEC, &value, backend) ==
		       QRT_ETIMEDOUT);
		EXPECT(!qrt_region_close(cx, &region, QRT_OK));
		EXPECT(!qrt_now(cx, &after));
		EXPECT(after - before >= 5 * QRT_MS);
		EXPECT(after - before < LONG_NS);
	}
	return QRT_OK;
}

static enum qrt_err slow_asker(struct qrt_cx *cx, void *arg)
{
	int64_t value;
	char backend[16];
	return ask(cx, arg, 1, 3600 * QRT_SEC, &value, backend);
}

static enum qrt_err stragglers_are_named(struct qrt_cx *cx, void *arg)
{
	struct host *host = arg;
	struct qrt_move move;
	struct qrt_stage stage;
	struct qrt_region *region;
	EXPECT(!qrt_switchboard_move(cx, host->sb, "doubler", host->a, "test", "start", &move));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, slow_asker, host));
	do {
		EXPECT(!qrt_sleep(cx, 100000));
		EXPECT(qrt_switchboard_stages(host->sb, &stage, 1) == 1);
	} while (stage.in_flight == 0);
	EXPECT(!qrt_switchboard_move(cx, host->sb, "doubler", host->b, "test", "x", &move));
	EXPECT(move.in_flight_at_flip == 1 && move.stragglers == 1);
	EXPECT(strstr(move.detail, "1 still under way"));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	return QRT_OK;
}

/* --- how each scenario is run ------------------------------------------------------------------
 */

struct scenario {
	struct host *host;
	qrt_task_fn *fn;
};

static enum qrt_err host_main(struct qrt_cx *cx, void *arg)
{
	struct scenario *scenario = arg;
	enum qrt_err err = scenario->fn(cx, scenario->host);
	enum qrt_err stop = qrt_switchboard_stop(cx, scenario->host->sb);
	return err ? err : stop;
}

static struct qrt_runtime *open_runtime(const char *backend, const char *name)
{
	const struct qrt_runtime_options opts = {.backend = backend, .name = name};
	struct qrt_runtime *rt;
	char detail[256] = "";
	assert_int_equal(qrt_runtime_open(&opts, detail, &rt), QRT_OK);
	return rt;
}

/* The host on the backend of a; the places on backends a and b (may be of one kind). */
static void run(const char *a, const char *b, qrt_task_fn *fn, struct limits limits)
{
	struct host host = {.a = "a", .b = "b"};
	const struct qrt_switchboard_options opts = {.prepare_max_ns = limits.prepare_ns,
						     .drain_max_ns = limits.drain_ns,
						     .journal = count_move,
						     .journal_arg = &host};
	struct qrt_runtime *supervisor = open_runtime(a, "supervisor");
	struct qrt_runtime *rt_a = open_runtime(a, "a");
	struct qrt_runtime *rt_b = open_runtime(b, "b");
	assert_int_equal(qrt_runtime_start(rt_a), QRT_OK);
	assert_int_equal(qrt_runtime_start(rt_b), QRT_OK);
	assert_int_equal(qrt_switchboard_create(&opts, &host.sb), QRT_OK);
	assert_int_equal(qrt_switchboard_add_runtime(host.sb, host.a, rt_a), QRT_OK);
	assert_int_equal(qrt_switchboard_add_runtime(host.sb, host.b, rt_b), QRT_OK);
	assert_int_equal(qrt_switchboard_add_component(host.sb, &doubler, &host.env), QRT_OK);
	assert_int_equal(qrt_switchboard_add_component(host.sb, &doubler, &host.env), QRT_EEXIST);
	host.port = qrt_switchboard_port(host.sb, "doubler");
	assert_non_null(host.port);

	struct scenario scenario = {.host = &host, .fn = fn};
	enum qrt_err err = qrt_run_main(supervisor, host_main, &scenario);
	assert_int_equal(qrt_shutdown(rt_a, 5 * QRT_SEC), QRT_OK);
	assert_int_equal(qrt_shutdown(rt_b, 5 * QRT_SEC), QRT_OK);
	qrt_switchboard_destroy(&host.sb);
	qrt_runtime_close(&rt_a);
	qrt_runtime_close(&rt_b);
	qrt_runtime_close(&supervisor);
	assert_int_equal(atomic_load(&host.env.starts), atomic_load(&host.env.stops));
	assert_int_equal(err, QRT_OK);
}

/* Every pair of real backends, and each with itself: a pair of one kind must work as well. */
static void on_each_pair(qrt_task_fn *fn, struct limits limits)
{
	size_t n;
	const char *const *names = real_backends(&n);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			run(names[i], names[j], fn, limits);
		}
	}
}

static void ten_moves_under_load_lose_nothing(void **state)
{
	(void)state;
	on_each_pair(moves_under_load, patient);
}

static void a_refused_move_changes_nothing_and_says_why(void **state)
{
	(void)state;
	on_each_pair(refused_moves_change_nothing, hurried_start);
}

static void a_rollback_returns_to_the_warm_side(void **state)
{
	(void)state;
	on_each_pair(rollback_goes_back, patient);
}

static void errors_details_and_deadlines_cross_runtimes(void **state)
{
	(void)state;
	on_each_pair(errors_and_deadlines_travel, patient);
}

static void what_does_not_end_in_the_drain_is_a_named_straggler(void **state)
{
	(void)state;
	on_each_pair(stragglers_are_named, hurried_drain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ten_moves_under_load_lose_nothing),
	    cmocka_unit_test(a_refused_move_changes_nothing_and_says_why),
	    cmocka_unit_test(a_rollback_returns_to_the_warm_side),
	    cmocka_unit_test(errors_details_and_deadlines_cross_runtimes),
	    cmocka_unit_test(what_does_not_end_in_the_drain_is_a_named_straggler),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
