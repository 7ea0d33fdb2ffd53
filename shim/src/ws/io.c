/*
 * Messages of a WebSocket: those that arrive are put together and queued,
 * those that are sent lie with their senders until the driver has had them.
 * Nothing here is kept twice.
 */
#include <stdlib.h>

#include "shim/src/ws/ws.h"

/* Bytes that a message begins with, and up to which its room serves the next one. */
enum { ROOM_FIRST = 512, ROOM_KEPT = 4096 };

/* --- receiving ------------------------------------------------------------------------------ */

void qrt__ws_free_messages(struct qrt__ws *ws)
{
	free(ws->taken);
	free(ws->arriving);
	while (!qrt__list_empty(&ws->queue)) {
		free(QRT__CONTAINER(qrt__list_pop(&ws->queue), struct qrt__ws_arrival, node));
	}
}

/* Who receives again has done with the message before: its room may serve the next one. */
static void reuse_taken(struct qrt__ws *ws, enum qrt_ws_type type)
{
	struct qrt__ws_arrival *taken = ws->taken;
	if (ws->receiver && taken && taken->room <= ROOM_KEPT) {
		ws->taken = NULL;
		taken->type = type;
		taken->n = 0;
		ws->arriving = taken;
	}
}

/* Room for @n bytes more. */
static bool make_room(struct qrt__ws *ws, enum qrt_ws_type type, size_t n)
{
	if (!ws->arriving) {
		reuse_taken(ws, type);
	}
	struct qrt__ws_arrival *arriving = ws->arriving;
	size_t used = arriving ? arriving->n : 0, room = arriving ? arriving->room : ROOM_FIRST;
	while (room < used + n) {
		room *= 2;
	}
	if (arriving && room == arriving->room) {
		return true;
	}
	struct qrt__ws_arrival *bigger = realloc(arriving, sizeof(*bigger) + room + 1);
	if (!bigger) {
		return false;
	}
	if (!arriving) {
		*bigger = (struct qrt__ws_arrival){.type = type};
	}
	bigger->room = room;
	ws->arriving = bigger;
	return true;
}

/* The shim ends it: what the driver is to say, why, and what everybody is told. */
static unsigned refuse(struct qrt__ws *ws, unsigned code, enum qrt_err err, const char *why)
{
	struct qrt__ws_account *account = ws->account;
	strncpy(account->detail, why, sizeof(account->detail) - 1);
	ws->linked = false;
	ws->link = NULL;
	qrt__ws_over(ws, err, code);
	return code;
}

/* The message is whole. */
static unsigned arrived(struct qrt__ws *ws)
{
	struct qrt__ws_arrival *message = ws->arriving;
	struct qrt_ws_info *info = &ws->account->info;
	if (message->type == QRT_WS_TEXT && !qrt__utf8_valid(message->data, message->n)) {
		return refuse(ws, QRT_WS_BAD_TEXT, QRT_EPROTO, "the peer sent a text not in UTF-8");
	}
	message->data[message->n] = '\0';
	ws->arriving = NULL;
	info->received++;
	info->bytes_received += message->n;
	ws->queued++;
	ws->queued_bytes += message->n;
	qrt__list_append(&ws->queue, &message->node);
	struct qrt__wait *receiver = ws->receiver;
	if (receiver) {
		ws->receiver = NULL;
		qrt__unpark(receiver, QRT_OK);
	}
	qrt__ws_look_at_flow(ws);
	return 0;
}

unsigned qrt__ws_fragment(struct qrt__ws *ws, enum qrt_ws_type type, const char *data, size_t n,
			  bool final)
{
	qrt__ws_heard(ws);
	if (ws->state != QRT__WS_OPEN) {
		return 0; /* we have closed: thrown away */
	}
	size_t so_far = ws->arriving ? ws->arriving->n : 0;
	if (n > ws->limits.message_max - so_far) {
		return refuse(ws, QRT_WS_TOO_BIG, QRT_ELIMIT, "the peer sent too long a message");
	}
	if (!make_room(ws, type, n)) {
		return refuse(ws, QRT_WS_TRY_LATER, QRT_ENOMEM, "no memory for a message");
	}
	if (n > 0) {
		memcpy(ws->arriving->data + so_far, data, n);
		ws->arriving->n += n;
	}
	return final ? arrived(ws) : 0;
}

static void take(struct qrt__ws *ws, struct qrt_ws_message *ret_message)
{
	struct qrt__ws_arrival *message =
	    QRT__CONTAINER(qrt__list_pop(&ws->queue), struct qrt__ws_arrival, node);
	free(ws->taken);
	ws->taken = message;
	ws->queued--;
	ws->queued_bytes -= message->n;
	qrt__ws_look_at_flow(ws);
	*ret_message =
	    (struct qrt_ws_message){.type = message->type, .data = message->data, .n = message->n};
}

struct receiver {
	struct qrt__wait wait;
	struct qrt__ws *ws;
};

static void receiver_abort(struct qrt__wait *wait, enum qrt_err why)
{
	QRT__CONTAINER(wait, struct receiver, wait)->ws->receiver = NULL;
	qrt__unpark(wait, why);
}

static enum qrt_err await_message(struct qrt_cx *cx, struct qrt__ws *ws)
{
	struct receiver receiver = {.ws = ws};
	if (ws->receiver) {
		return qrt_fail(cx, QRT_EBUSY, "another task receives from this websocket");
	}
	enum qrt_err err = qrt__may_suspend(cx);
	if (err) {
		return err;
	}
	qrt__wait_init(&receiver.wait, cx, QRT__WAIT_WS, "receive", receiver_abort);
	ws->receiver = &receiver.wait;
	return qrt__ws_wait(cx, ws, &receiver.wait, QRT_NO_DEADLINE);
}

enum qrt_err qrt_ws_recv(struct qrt_cx *cx, struct qrt_ws *handle,
			 struct qrt_ws_message *ret_message)
{
	struct qrt__ws *ws;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	err = err ? err : qrt__ws_find(cx, handle, &ws);
	err = err ? err : qrt_checkpoint(cx);
	while (!err) {
		if (!qrt__list_empty(&ws->queue)) {
			take(ws, ret_message);
			return QRT_OK;
		}
		if (ws->state != QRT__WS_OPEN) {
			return qrt__ws_why(cx, ws);
		}
		err = await_message(cx, ws);
		/* Of its end the reason is kept; of its close nothing is. */
		if (err && err != QRT_ECANCELED && err != QRT_ETIMEDOUT &&
		    qrt__handle_object(handle, QRT__WS_MAGIC) == ws &&
		    ws->state >= QRT__WS_CLOSING) {
			return qrt__ws_why(cx, ws);
		}
	}
	return err;
}

/* --- sending -------------------------------------------------------------------------------- */

struct sender {
	struct qrt__wait wait;
	struct qrt__list node;
	struct qrt__ws *ws;
	enum qrt_ws_type type;
	const char *data;
	size_t n;
};

static struct sender *first_sender(struct qrt__ws *ws)
{
	return QRT__CONTAINER(ws->senders.next, struct sender, node);
}

void qrt__ws_fail_senders(struct qrt__ws *ws, enum qrt_err err)
{
	ws->sending = false;
	while (!qrt__list_empty(&ws->senders)) {
		struct sender *sender = first_sender(ws);
		qrt__list_remove(&sender->node);
		qrt__unpark(&sender->wait, err);
	}
}

/* A message that was begun cannot be taken back: what the peer would read is no message. */
static void sender_abort(struct qrt__wait *wait, enum qrt_err why)
{
	struct sender *sender = QRT__CONTAINER(wait, struct sender, wait);
	struct qrt__ws *ws = sender->ws;
	bool begun = ws->sending && first_sender(ws) == sender;
	qrt__list_remove(&sender->node);
	qrt__unpark(wait, why);
	if (begun) {
		strncpy(ws->account->detail,
			"the websocket was dropped: a message was given up half-way",
			sizeof(ws->account->detail) - 1);
		qrt__ws_let_go(ws, 0);
		qrt__ws_over(ws, QRT_ECONNRESET, QRT_WS_DROPPED);
	}
}

void qrt__ws_next(struct qrt__ws *ws, struct qrt__ws_frame *ret_frame)
{
	struct qrt__ws_account *account = ws->account;
	QRT_PRE(!ws->sending);
	*ret_frame = (struct qrt__ws_frame){.kind = QRT__WS_NOTHING};
	if (ws->ping_due && ws->state == QRT__WS_OPEN) {
		ws->ping_due = false;
		account->info.pings++;
		ret_frame->kind = QRT__WS_PING;
	} else if (!qrt__list_empty(&ws->senders)) {
		const struct sender *sender = first_sender(ws);
		ws->sending = true;
		*ret_frame = (struct qrt__ws_frame){.kind = QRT__WS_MESSAGE,
						    .type = sender->type,
						    .data = sender->data,
						    .n = sender->n};
	} else if (ws->close_due) {
		ws->close_due = false;
		*ret_frame = (struct qrt__ws_frame){.kind = QRT__WS_CLOSE,
						    .code = ws->close_code,
						    .data = account->close_reason,
						    .n = strlen(account->close_reason)};
	}
}

void qrt__ws_sent(struct qrt__ws *ws)
{
	struct sender *sender = first_sender(ws);
	QRT_PRE(ws->sending);
	ws->sending = false;
	ws->account->info.sent++;
	ws->account->info.bytes_sent += sender->n;
	qrt__list_remove(&sender->node);
	qrt__unpark(&sender->wait, QRT_OK);
}

enum qrt_err qrt_ws_send(struct qrt_cx *cx, struct qrt_ws *handle, enum qrt_ws_type type,
			 const void *data, size_t n)
{
	struct qrt__ws *ws;
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	err = err ? err : qrt__ws_find(cx, handle, &ws);
	if (!err && n > QRT_WS_BYTES_MAX) {
		err = qrt_fail(cx, QRT_EINVAL, "a message of %zu bytes", n);
	}
	if (!err && type == QRT_WS_TEXT && !qrt__utf8_valid(data, n)) {
		err = qrt_fail(cx, QRT_EINVAL, "a text that is not UTF-8");
	}
	if (!err) {
		err = qrt__suspending(cx);
	}
	if (err) {
		return err;
	}
	if (ws->state != QRT__WS_OPEN) {
		return qrt__ws_why(cx, ws);
	}
	struct sender sender = {.ws = ws, .type = type, .data = data, .n = n};
	qrt__wait_init(&sender.wait, cx, QRT__WAIT_WS, "send", sender_abort);
	qrt__list_append(&ws->senders, &sender.node);
	ws->impl->wake(ws);
	err = qrt__ws_wait(cx, ws, &sender.wait, QRT_NO_DEADLINE);
	if (err == QRT_ECLOSED && sender.wait.result == QRT_OK) {
		return QRT_OK; /* first it was sent, then it was closed */
	}
	/* Of its end the reason is kept; of its close nothing is. */
	if (err && err != QRT_ECANCELED && err != QRT_ETIMEDOUT &&
	    qrt__handle_object(handle, QRT__WS_MAGIC) == ws && ws->state == QRT__WS_ENDED) {
		return qrt__ws_why(cx, ws);
	}
	return err;
}

enum qrt_err qrt_ws_send_text(struct qrt_cx *cx, struct qrt_ws *ws, const char *text)
{
	return qrt_ws_send(cx, ws, QRT_WS_TEXT, text, strlen(text));
}
