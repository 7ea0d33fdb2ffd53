/* Calls through a port within one runtime: answers, errors, deadline, cancel, start and stop. */
#include <qrt/switchboard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/conformance.h"

/* --- a component that doubles numbers -------------------------------------------------------- */

struct number {
	struct qrt_msg msg;
	int64_t value, wait_ns;
	int destroyed;
};

struct board {
	struct qrt_switchboard *sb;
	struct qrt_port *port;
	struct number number;
	struct qrt_msg *reply;
	enum qrt_err result;
	bool refuse;
	int starts, stops, handled;
};

/* The message lies in the board: it outlives everything, and says whether it was let go. */
static void number_destroy(struct qrt_msg *msg)
{
	((struct number *)(void *)msg)->destroyed++;
}

static struct qrt_msg *number_make(struct board *board, int64_t value, int64_t wait_ns)
{
	board->number =
	    (struct number){.msg = {.destroy = number_destroy}, .value = value, .wait_ns = wait_ns};
	return &board->number.msg;
}

static enum qrt_err doubler_start(struct qrt_cx *cx, struct qrt_region *home, void *env,
				  void **ret_state)
{
	struct board *board = env;
	(void)home;
	if (board->refuse) {
		return qrt_fail(cx, QRT_EACCES, "the doubler does not want to");
	}
	board->starts++;
	*ret_state = board;
	return QRT_OK;
}

static void doubler_stop(struct qrt_cx *cx, void *state)
{
	struct board *board = state;
	(void)cx;
	board->stops++;
}

static enum qrt_err doubler_handle(struct qrt_cx *cx, void *state, struct qrt_msg *msg,
				   struct qrt_msg **ret_reply)
{
	struct board *board = state;
	struct number *number = (struct number *)(void *)msg;
	enum qrt_err err = QRT_OK;
	board->handled++;
	if (number->value < 0) {
		err = qrt_fail(cx, QRT_EINVAL, "%lld is negative", (long long)number->value);
	} else if (number->wait_ns > 0) {
		err = qrt_sleep(cx, number->wait_ns);
	}
	if (err) {
		msg->destroy(msg);
		return err;
	}
	number->value *= 2;
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

/* --- scenarios ------------------------------------------------------------------------------- */

static void board_clean(struct qrt_cx *cx, void *arg)
{
	struct board *board = arg;
	qrt_msg_destroy(&board->reply);
	if (board->sb) {
		QRT_IGNORE(qrt_switchboard_stop(cx, board->sb), "who is stopped is stopped");
	}
	qrt_switchboard_destroy(&board->sb);
}

static enum qrt_err board_open(struct qrt_cx *cx, struct board *board)
{
	struct qrt_runtime *rt = qrt_cx_runtime(cx);
	const struct qrt_switchboard_options opts = {.journal = NULL};
	TRY(qrt_switchboard_create(&opts, &board->sb));
	TRY(qrt_switchboard_add_runtime(board->sb, qrt_runtime_backend(rt), rt));
	TRY(qrt_switchboard_add_component(board->sb, &doubler, board));
	board->port = qrt_switchboard_port(board->sb, "doubler");
	EXPECT(board->port);
	return QRT_OK;
}

static enum qrt_err board_start(struct qrt_cx *cx, struct board *board)
{
	struct qrt_move move;
	return qrt_switchboard_move(cx, board->sb, "doubler",
				    qrt_runtime_backend(qrt_cx_runtime(cx)), "test", "first",
				    &move);
}

static enum qrt_err call(struct qrt_cx *cx, struct board *board, int64_t value, int64_t wait_ns)
{
	qrt_msg_destroy(&board->reply);
	struct qrt_msg *msg = number_make(board, value, wait_ns);
	enum qrt_err err = qrt_call(cx, board->port, &msg, &board->reply);
	/* Moved, whatever the result: either it is the reply, or it was let go. */
	bool accounted = !msg && (err ? !board->reply && board->number.destroyed == 1
				      : board->reply == &board->number.msg);
	return accounted ? err : QRT_EFAILED;
}

static enum qrt_err answer_scenario(struct qrt_cx *cx, void *arg)
{
	struct board *board = arg;
	TRY(board_open(cx, board));
	EXPECT_ERR(QRT_ECLOSED, call(cx, board, 20, 0));
	EXPECT(strcmp(qrt_detail(cx), "component doubler is not running") == 0);
	TRY(board_start(cx, board));
	TRY(call(cx, board, 21, 0));
	EXPECT(board->number.value == 42);
	EXPECT_ERR(QRT_EINVAL, call(cx, board, -1, 0));
	EXPECT(strcmp(qrt_detail(cx), "-1 is negative") == 0);
	TRY(call(cx, board, 3, QRT_MS));
	EXPECT(board->number.value == 6);
	TRY(qrt_switchboard_stop(cx, board->sb));
	EXPECT(board->starts == 1 && board->stops == 1);
	EXPECT_ERR(QRT_ECLOSED, call(cx, board, 20, 0));
	return QRT_OK;
}

static enum qrt_err deadline_scenario(struct qrt_cx *cx, void *arg)
{
	struct board *board = arg;
	struct qrt_region *region;
	TRY(board_open(cx, board));
	TRY(board_start(cx, board));
	const struct qrt_region_options soon = {.budget.deadline_ns = qrt_deadline_in(cx, QRT_MS)};
	TRY(qrt_region_open_with(cx, &soon, &region));
	EXPECT_ERR(QRT_ETIMEDOUT, call(qrt_region_cx(region), board, 1, 3600 * QRT_SEC));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	TRY(call(cx, board, 4, 0));
	EXPECT(board->number.value == 8);
	return QRT_OK;
}

static enum qrt_err long_call(struct qrt_cx *cx, void *arg)
{
	struct board *board = arg;
	board->result = call(cx, board, 1, 3600 * QRT_SEC);
	return QRT_OK;
}

static enum qrt_err cancel_scenario(struct qrt_cx *cx, void *arg)
{
	struct board *board = arg;
	struct qrt_region *region;
	TRY(board_open(cx, board));
	TRY(board_start(cx, board));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, long_call, board));
	TRY(qrt_sleep(cx, QRT_MS));
	TRY(board->result);
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT_ERR(QRT_ECANCELED, board->result);
	EXPECT(board->handled == 1);
	TRY(call(cx, board, 5, 0));
	EXPECT(board->number.value == 10);
	return QRT_OK;
}

static enum qrt_err refused_start_scenario(struct qrt_cx *cx, void *arg)
{
	struct board *board = arg;
	struct qrt_region *region;
	const struct qrt_region_options none = {.caps = QRT_CAP_SPAWN};
	TRY(board_open(cx, board));
	board->refuse = true;
	EXPECT_ERR(QRT_EACCES, board_start(cx, board));
	EXPECT_ERR(QRT_ECLOSED, call(cx, board, 1, 0));
	board->refuse = false;
	TRY(board_start(cx, board)); /* a refusal leaves nothing in the way */
	TRY(call(cx, board, 1, 0));
	TRY(qrt_region_open_with(cx, &none, &region));
	EXPECT(call(qrt_region_cx(region), board, 1, 0) == QRT_ENOTCAPABLE);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

#define BOARD .state_size = sizeof(struct board), .clean = board_clean

static const struct conformance_scenario scenarios[] = {
    {"a call brings the handler's answer or its error", answer_scenario, BOARD},
    {"a late call is late for its caller and ended for its handler", deadline_scenario, BOARD},
    {"a cancelled call returns when its handler has ended", cancel_scenario, BOARD},
    {"a component that refuses to start can be asked again", refused_start_scenario, BOARD},
};
CONFORMANCE_SUITE(ports, scenarios);
