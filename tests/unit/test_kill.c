/*
 * The kill: what it moves, what it holds, and that clearing moves nothing; by command on real
 * backends, by its file's sign there and in the lab's time.
 */
#include "tests/lib/test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/server/kill.h"
#include "tests/lib/stand.h"

/* The backend that is not the stand's; NULL when the build has no other. */
static const char *other_of(const struct stand *stand)
{
	const char *other = strcmp(stand->backend, "legacy") == 0 ? "region" : "legacy";
	size_t n;

	return qrt_backend_promises(other, &n) != NULL ? other : NULL;
}

static void assert_both_on(struct stand *stand, const char *backend)
{
	char part[64];

	snprintf(part, sizeof(part), "\"backend\":\"%s\",\"component\":\"db\"", backend);
	stand_control_has(stand, "GET", "/runtime", "", 200, part);
	snprintf(part, sizeof(part), "\"backend\":\"%s\",\"component\":\"server\"", backend);
	stand_control_has(stand, "GET", "/runtime", "", 200, part);
}

/* --- by command ------------------------------------------------------------------------------ */

static void by_command(struct stand *stand)
{
	const char *other = other_of(stand);
	static const char killed[] = " warn control: killed: all goes to the fallback ";
	char back[128], part[128];

	stand->control.fallback = other != NULL ? other : stand->backend;
	stand_run(stand, stand_start_db);
	stand_control_has(stand, "GET", "/runtime", "", 200, "\"killed\":[]");
	stand_control_has(stand, "GET", "/metrics", "", 200, "\nquotey_killed 0\n");
	stand_control_has(stand, "POST", "/runtime/kill", "{\"reason\":\"smoke\"}", 200,
			  "{\"killed\":true,\"moves\":[{");
	assert_both_on(stand, stand->control.fallback);
	stand_control_has(stand, "GET", "/runtime", "", 200, "\"killed\":[\"command\"]");
	stand_control_has(stand, "GET", "/metrics", "", 200, "\nquotey_killed 1\n");
	assert_non_null(strstr(stand->text, killed));
	/* Held: wherever one wants to go. */
	snprintf(back, sizeof(back), "{\"component\":\"server\",\"backend\":\"%s\"}",
		 stand->backend);
	snprintf(part, sizeof(part), "Everything is held on %s until the kill is cleared.",
		 stand->control.fallback);
	stand_control_has(stand, "POST", "/runtime/set", back, other != NULL ? 409 : 200,
			  other != NULL ? part : "\"ok\":true");
	stand_control_has(stand, "POST", "/runtime/rollback", "", 409, "\"code\":\"KILLED\"");
	/* But to the fallback, and killed it may be again, which is no news. */
	snprintf(back, sizeof(back), "{\"component\":\"server\",\"backend\":\"%s\"}",
		 stand->control.fallback);
	stand_control_has(stand, "POST", "/runtime/set", back, 200, "\"ok\":true");
	stand_control_has(stand, "POST", "/runtime/kill", "", 200, "\"ok\":true");
	assert_null(strstr(strstr(stand->text, killed) + 1, killed));
	assert_both_on(stand, stand->control.fallback);
	/* Cleared: nothing moves, but may. */
	stand_control_has(stand, "POST", "/runtime/kill", "{\"clear\":true}", 200,
			  "{\"killed\":false,\"ok\":true}");
	assert_both_on(stand, stand->control.fallback);
	if (other != NULL) {
		stand_control_has(stand, "POST", "/runtime/rollback", "", 200, "\"ok\":true");
		assert_both_on(stand, stand->backend);
		stand_control_has(stand, "GET", "/runtime/history", "", 200,
				  "\"reason\":\"smoke\"");
	}
}

static void a_kill_moves_and_holds_until_it_is_cleared(void **state)
{
	(void)state;
	on_each_stand(by_command);
}

static void bad_requests(struct stand *stand)
{
	stand->control.fallback = stand->backend;
	stand_control_has(stand, "POST", "/runtime/kill", "{\"clear\":1}", 422, "clear");
	stand_control_has(stand, "POST", "/runtime/kill", "{\"clean\":true}", 422, "clean");
	stand_control_has(stand, "POST", "/runtime/kill", "{\"actor\":\"me\"}", 400, "actor");
	stand_control_has(stand, "POST", "/runtime/kill", "[", 400, "");
	stand_control_has(stand, "GET", "/runtime", "", 200, "\"killed\":[]");
	atomic_store(&stand->control.draining, true);
	stand_control_has(stand, "POST", "/runtime/kill", "", 503, "stopped");
	stand_control_has(stand, "POST", "/runtime/rollback", "", 503, "SERVICE_UNAVAILABLE");
	stand_control_has(stand, "GET", "/runtime/history", "", 200, "\"seq\":1,");
	/* To be released is never too late. */
	stand_control_has(stand, "POST", "/runtime/kill", "{\"clear\":true}", 200, "\"ok\":true");
	atomic_store(&stand->control.draining, false);
}

static void a_request_that_is_none_kills_nothing(void **state)
{
	(void)state;
	on_each_stand(bad_requests);
}

/* --- in the middle of a rollback of everything ------------------------------------------------ */

/* A component that does nothing; what happens when it is resumed is the test's. */
struct piece {
	struct qrt_component component;
	_Atomic unsigned *kills; /* set to QY_KILL_COMMAND then, as somebody's kill would */
	enum qrt_err err;
	_Atomic unsigned resumed;
};

static enum qrt_err piece_start(struct qrt_cx *cx, struct qrt_region *home, void *env,
				void **ret_state)
{
	(void)cx;
	(void)home;
	*ret_state = env;
	return QRT_OK;
}

static enum qrt_err piece_resume(struct qrt_cx *cx, void *state)
{
	struct piece *piece = state;

	atomic_fetch_add(&piece->resumed, 1);
	if (piece->kills != NULL) {
		atomic_store(piece->kills, QY_KILL_COMMAND);
	}
	return piece->err ? qrt_fail(cx, piece->err, "it will not") : QRT_OK;
}

static enum qrt_err piece_drain(struct qrt_cx *cx, void *state)
{
	(void)cx;
	(void)state;
	return QRT_OK;
}

static void piece_stop(struct qrt_cx *cx, void *state)
{
	(void)cx;
	(void)state;
}

#define PIECE(text)                                                                                \
	{                                                                                          \
		.component = {                                                                     \
			.name = (text),                                                            \
			.start = piece_start,                                                      \
			.resume = piece_resume,                                                    \
			.drain = piece_drain,                                                      \
			.stop = piece_stop                                                         \
		}                                                                                  \
	}

static struct piece pieces[2];

static enum qrt_err move_pieces(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	const char *const places[] = {stand->backend, other_of(stand)};
	struct qrt_move move;

	for (size_t i = 0; i < 2; i++) {
		const char *name = pieces[i].component.name;

		EXPECT(!qrt_switchboard_add_component(stand->sb, &pieces[i].component, &pieces[i]));
		for (size_t j = 0; j < 2; j++) {
			EXPECT(!qrt_switchboard_move(cx, stand->sb, name, places[j], "system:test",
						     "", &move));
		}
	}
	return QRT_OK;
}

static void roll_back(struct stand *stand)
{
	if (other_of(stand) == NULL) {
		return;
	}
	pieces[0] = (struct piece)PIECE("one");
	pieces[1] = (struct piece)PIECE("two");
	stand_run(stand, move_pieces);
	/* One that fails does not hold up the other, and is the answer. */
	pieces[0].err = QRT_EIO;
	stand_control_has(stand, "POST", "/runtime/rollback", "", 503, "\"ok\":false}");
	assert_int_equal(atomic_load(&pieces[1].resumed), 3);
	pieces[0].err = QRT_OK;
	/* One that is killed meanwhile: the other is left to the kill. */
	pieces[0].kills = &stand->control.kill_causes;
	stand_control_has(stand, "POST", "/runtime/rollback", "", 200, "\"ok\":true}");
	assert_int_equal(atomic_load(&pieces[0].resumed), 4);
	assert_int_equal(atomic_load(&pieces[1].resumed), 3);
	atomic_store(&stand->control.kill_causes, 0);
}

static void a_rollback_of_all_ends_where_a_kill_comes(void **state)
{
	(void)state;
	on_each_stand(roll_back);
}

/* --- by the file ----------------------------------------------------------------------------- */

static struct sign {
	_Atomic bool there, broken;
	_Atomic unsigned asked;
} sign;

static enum qrt_err probe(struct qrt_cx *cx, void *arg, bool *ret_there)
{
	(void)cx;
	(void)arg;
	atomic_fetch_add(&sign.asked, 1);
	if (atomic_load(&sign.broken)) {
		return QRT_EIO;
	}
	*ret_there = atomic_load(&sign.there);
	return QRT_OK;
}

static enum qrt_err watch(struct qrt_cx *cx, void *arg)
{
	return qy_kill_watch(cx, arg, probe, NULL);
}

static enum qrt_err until(struct qrt_cx *cx, struct stand *stand, unsigned causes)
{
	enum qrt_err err = QRT_OK;

	while (!err && qy_killed(&stand->control) != causes) {
		err = qrt_sleep(cx, QRT_MS);
	}
	return err;
}

static enum qrt_err both_on(struct qrt_cx *cx, struct stand *stand, const char *backend)
{
	struct qrt_stage stages[QRT_COMPONENTS_MAX];
	enum qrt_err err = QRT_OK;
	bool there = false;

	while (!err && !there) {
		there = qrt_switchboard_stages(stand->sb, stages, QRT_COMPONENTS_MAX) == 2 &&
			strcmp(stages[0].backend, backend) == 0 &&
			strcmp(stages[1].backend, backend) == 0;
		err = there ? QRT_OK : qrt_sleep(cx, QRT_MS);
	}
	return err;
}

static enum qrt_err with_a_watch(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .flags = QRT_CANCEL_REST};
	struct stand *stand = arg;
	struct qrt_region *region = NULL;

	EXPECT(!stand_move(cx, stand, "db"));
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, watch, &stand->control));
	EXPECT(!until(cx, stand, 0));
	atomic_store(&sign.there, true);
	EXPECT(!until(cx, stand, QY_KILL_FILE));
	EXPECT(!both_on(cx, stand, stand->control.fallback));
	/* Somebody moves it by a way that does not ask: it is brought back. */
	EXPECT(!stand_move(cx, stand, "server"));
	EXPECT(!both_on(cx, stand, stand->control.fallback));
	atomic_store(&sign.there, false);
	EXPECT(!until(cx, stand, 0));
	EXPECT(!both_on(cx, stand, stand->control.fallback));
	/* Where a cancel is not remembered the flag ends it. */
	atomic_store(&stand->control.draining, true);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_OK);
	atomic_store(&stand->control.draining, false);
	return QRT_OK;
}

static void by_file(struct stand *stand)
{
	const char *other = other_of(stand);

	stand->control.fallback = other != NULL ? other : stand->backend;
	stand->control.kill_every_ns = 5 * QRT_MS;
	atomic_store(&sign.there, false);
	stand_run(stand, with_a_watch);
	assert_non_null(strstr(stand->text, " actor=system:kill-file "));
	assert_non_null(strstr(stand->text, "the kill is cleared: nothing moves back by itself "
					    "cause=file\n"));
	stand_control_has(stand, "GET", "/runtime", "", 200, "\"killed\":[]");
}

static void while_the_file_is_there_all_is_held(void **state)
{
	(void)state;
	on_each_stand(by_file);
}

static void both_causes(struct stand *stand)
{
	stand->control.fallback = stand->backend;
	atomic_fetch_or(&stand->control.kill_causes, QY_KILL_FILE);
	stand_control_has(stand, "POST", "/runtime/kill", "", 200, "\"ok\":true");
	stand_control_has(stand, "GET", "/runtime", "", 200, "\"killed\":[\"command\",\"file\"]");
	stand_control_has(stand, "POST", "/runtime/kill", "{\"clear\":true}", 409, "KILL_FILE");
	stand_control_has(stand, "GET", "/runtime", "", 200, "\"killed\":[\"file\"]");
	assert_int_equal(qy_kill_clear(&stand->control, QY_KILL_COMMAND), QY_KILL_FILE);
	assert_int_equal(qy_kill_clear(&stand->control, QY_KILL_FILE), 0);
}

/* The database cannot be opened where it is to go; the others go all the same. */
static void half_killed(struct stand *stand)
{
	const char *other = other_of(stand);
	const char *url = stand->db_env.options.url;
	char move[64], *text;

	if (other == NULL) {
		return;
	}
	stand->control.fallback = other;
	stand_run(stand, stand_start_db);
	stand->db_env.options.url = "sqlite:///nowhere/at/all.db";
	text = stand_control(stand, "POST", "/runtime/kill", "", 503);
	assert_non_null(strstr(text, "\"ok\":false"));
	assert_non_null(strstr(text, "\"component\":\"server\""));
	free(text);
	stand_control_has(stand, "POST", "/runtime/kill", "{\"clear\":true}", 200, "\"ok\":true");
	snprintf(move, sizeof(move), "{\"component\":\"db\",\"backend\":\"%s\"}", other);
	stand_control_has(stand, "POST", "/runtime/set", move, 503, "\"error\":\"QRT_ENOENT\"");
	stand->db_env.options.url = url;
	stand_control_has(stand, "POST", "/runtime/kill", "", 200, "\"ok\":true");
	stand_control_has(stand, "GET", "/runtime", "", 200, "\"killed\":[\"command\"]");
	assert_both_on(stand, other);
}

static void what_cannot_be_moved_is_told_and_the_others_go(void **state)
{
	(void)state;
	on_each_stand(half_killed);
}

static void a_command_does_not_clear_the_file(void **state)
{
	(void)state;
	on_each_stand(both_causes);
}

/* --- in virtual time ------------------------------------------------------------------------- */

static enum qrt_err watched_for_a_while(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .flags = QRT_CANCEL_REST};
	const struct qrt_switchboard_options none = {0};
	struct qy_control_env *env = arg;
	struct qrt_region *region = NULL;

	EXPECT(!qrt_switchboard_create(&none, &env->sb));
	atomic_store(&sign.asked, 0);
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, watch, env));
	EXPECT(!qrt_sleep(cx, 10 * QRT_SEC + QRT_SEC / 2));
	EXPECT(atomic_load(&sign.asked) == 11);
	EXPECT(qy_killed(env) == 0);
	atomic_store(&sign.there, true);
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	EXPECT(qy_killed(env) == QY_KILL_FILE);
	/* Who cannot say whether it is there changes nothing. */
	atomic_store(&sign.there, false);
	atomic_store(&sign.broken, true);
	EXPECT(!qrt_sleep(cx, 3 * QRT_SEC));
	EXPECT(qy_killed(env) == QY_KILL_FILE);
	atomic_store(&sign.broken, false);
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	EXPECT(qy_killed(env) == 0);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_OK);
	qrt_switchboard_destroy(&env->sb);
	return QRT_OK;
}

static unsigned failed_moves(const struct qy_control_env *env)
{
	struct qrt_move moves[32];
	size_t n = qrt_switchboard_history(env->sb, moves, 32);
	unsigned failed = 0;

	for (size_t i = 0; i < n; i++) {
		failed += moves[i].err == QRT_ENOTSUP;
	}
	return failed;
}

/* A component has no place on the fallback: that is tried each time, and holds nobody up. */
static enum qrt_err watched_in_vain(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options opts = {.policy = QRT_COLLECT, .flags = QRT_CANCEL_REST};
	const struct qrt_switchboard_options none = {0};
	unsigned asked;
	struct qy_server_env server = {.listen_fd = -1};
	struct qy_control_env *env = arg;
	struct qrt_region *region = NULL;

	EXPECT(!qrt_switchboard_create(&none, &env->sb));
	EXPECT(!qrt_switchboard_add_component(env->sb, &qy_server_component, &server));
	atomic_store(&sign.there, true);
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, watch, env));
	EXPECT(!qrt_sleep(cx, 3 * QRT_SEC + QRT_SEC / 2));
	EXPECT(qy_killed(env) == QY_KILL_FILE);
	EXPECT(failed_moves(env) == 4);
	atomic_store(&sign.there, false);
	EXPECT(!qrt_sleep(cx, QRT_SEC));
	EXPECT(qy_killed(env) == 0);
	/* The flag alone ends it. */
	atomic_store(&env->draining, true);
	asked = atomic_load(&sign.asked);
	EXPECT(!qrt_sleep(cx, 3 * QRT_SEC));
	EXPECT(atomic_load(&sign.asked) == asked);
	atomic_store(&env->draining, false);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_OK);
	qrt_switchboard_destroy(&env->sb);
	return QRT_OK;
}

static void what_cannot_be_moved_is_tried_again(void **state)
{
	struct qy_control_env env = {.fallback = "nowhere"};

	(void)state;
	assert_int_equal(on_backend("lab", watched_in_vain, &env), QRT_OK);
	assert_int_equal(on_backend("lab-legacy", watched_in_vain, &env), QRT_OK);
}

static void the_file_is_looked_for_every_second(void **state)
{
	struct qy_control_env env = {.fallback = "lab"};

	(void)state;
	atomic_store(&sign.there, false);
	assert_int_equal(on_backend("lab", watched_for_a_while, &env), QRT_OK);
	assert_int_equal(on_backend("lab-legacy", watched_for_a_while, &env), QRT_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_kill_moves_and_holds_until_it_is_cleared),
	    cmocka_unit_test(a_request_that_is_none_kills_nothing),
	    cmocka_unit_test(while_the_file_is_there_all_is_held),
	    cmocka_unit_test(a_command_does_not_clear_the_file),
	    cmocka_unit_test(what_cannot_be_moved_is_told_and_the_others_go),
	    cmocka_unit_test(a_rollback_of_all_ends_where_a_kill_comes),
	    cmocka_unit_test(the_file_is_looked_for_every_second),
	    cmocka_unit_test(what_cannot_be_moved_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
