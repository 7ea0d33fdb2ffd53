/*
 * WebSockets at the level of messages, on every backend: what passes, what is refused, how one
 * ends, what a cancel leaves behind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"
#include "tests/lib/test.h"
#include "tests/lib/ws_ends.h"

/* --- messages pass --------------------------------------------------------------------------- */

static enum qrt_err play_echo(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct qrt_ws_message message;
	EXPECT(!open_ends(cx, &ends));
	EXPECT(!qrt_ws_send_text(cx, ends.client, "gr\xc3\xbc\xc3\x9f dich"));
	EXPECT(!qrt_ws_send(cx, ends.client, QRT_WS_BINARY, "a\0b", 3));
	EXPECT(!qrt_ws_send(cx, ends.client, QRT_WS_TEXT, NULL, 0));
	EXPECT(!qrt_ws_recv(cx, ends.server, &message));
	EXPECT(is_message(&message, QRT_WS_TEXT, "gr\xc3\xbc\xc3\x9f dich"));
	EXPECT(!qrt_ws_send(cx, ends.server, message.type, message.data, message.n));
	EXPECT(!qrt_ws_recv(cx, ends.server, &message));
	EXPECT(message.type == QRT_WS_BINARY && message.n == 3 &&
	       memcmp(message.data, "a\0b", 4) == 0);
	EXPECT(!qrt_ws_recv(cx, ends.server, &message) && is_message(&message, QRT_WS_TEXT, ""));
	EXPECT(!qrt_ws_recv(cx, ends.client, &message));
	EXPECT(is_message(&message, QRT_WS_TEXT, "gr\xc3\xbc\xc3\x9f dich"));
	struct qrt_ws_info info = info_of(cx, ends.client);
	EXPECT(info.sent == 3 && info.bytes_sent == 14 && info.received == 1 && info.queued == 0);
	EXPECT(info.bytes_received == 11 && !info.ended);
	return close_ends(cx, &ends);
}

static void messages_arrive_whole_and_in_order(void **state)
{
	(void)state;
	everywhere(play_echo);
}

/* Beside those of the application a library may send some of its own. */
static const char *header_of(const struct qrt_ws_request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcmp(request->headers[i].name, name) == 0) {
			return request->headers[i].value;
		}
	}
	return "not there";
}

static int admit(void *arg, const struct qrt_ws_request *request, const char **ret_subprotocol)
{
	bool fine = strcmp(request->path, "/chat?x=1") == 0 &&
		    strncmp(request->host, "127.0.0.1:", 10) == 0 &&
		    strcmp(header_of(request, "X-Key"), "k 1") == 0 &&
		    strcmp(header_of(request, "X-Empty"), "") == 0 && request->subprotocols[0] &&
		    strcmp(request->subprotocols[1], "v1") == 0 && !request->subprotocols[2];
	*ret_subprotocol = fine ? request->subprotocols[1] : NULL;
	return fine ? *(const int *)arg : 400;
}

static enum qrt_err play_admit(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int status = 0;
	static const char *const subprotocols[] = {"v2", "v1", NULL};
	static const struct qrt_ws_header headers[] = {{"X-Key", "k 1"}, {"X-Empty", ""}};
	const struct qrt_ws_connect_options connect = {
	    .headers = headers, .n_headers = 2, .subprotocols = subprotocols};
	const struct qrt_ws_accept_options accept = {.admit = admit, .arg = &status};
	struct ends ends = {.connect = &connect, .accept = &accept};
	EXPECT(!open_ends(cx, &ends));
	EXPECT(strcmp(info_of(cx, ends.client).subprotocol, "v1") == 0);
	EXPECT(strcmp(info_of(cx, ends.server).subprotocol, "v1") == 0);
	EXPECT(!close_ends(cx, &ends));

	status = 429;
	ends = (struct ends){.connect = &connect, .accept = &accept};
	EXPECT(!await_one(cx, &ends));
	EXPECT(dial(cx, &ends, "ws", &ends.client) == QRT_ECONNREFUSED);
	EXPECT(strstr(qrt_detail(cx), "answered with HTTP status 429"));
	EXPECT(strstr(qrt_detail(cx), "127.0.0.1:") == qrt_detail(cx));
	EXPECT(!ends.client);
	EXPECT(!close_ends(cx, &ends));
	EXPECT(ends.accepted == QRT_ECONNREFUSED && !ends.server);
	return QRT_OK;
}

static void the_server_sees_the_request_and_may_refuse_it(void **state)
{
	(void)state;
	everywhere(play_admit);
}

/* The text that came first, while the next ones arrive; a binary may get its room. */
static enum qrt_err play_kept(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct qrt_ws_message message;
	EXPECT(!open_ends(cx, &ends));
	EXPECT(!qrt_ws_send_text(cx, ends.client, "the one that is looked at"));
	EXPECT(!qrt_ws_recv(cx, ends.server, &message));
	EXPECT(!qrt_ws_send(cx, ends.client, QRT_WS_BINARY, "behind it", 9) && !rest(cx));
	EXPECT(info_of(cx, ends.server).queued == 1);
	EXPECT(is_message(&message, QRT_WS_TEXT, "the one that is looked at"));
	EXPECT(!qrt_ws_recv(cx, ends.server, &message));
	EXPECT(is_message(&message, QRT_WS_BINARY, "behind it"));

	struct waiter receiver = {.ws = ends.server};
	EXPECT(!qrt_spawn(ends.region, waits_to_receive, &receiver) && !rest(cx));
	EXPECT(!qrt_ws_send_text(cx, ends.client, "into its room") && !rest(cx));
	EXPECT(receiver.ended && !receiver.err);
	EXPECT(is_message(&receiver.message, QRT_WS_TEXT, "into its room"));
	return close_ends(cx, &ends);
}

static void a_message_stays_until_the_next_is_asked_for(void **state)
{
	(void)state;
	everywhere(play_kept);
}

/* --- limits and backpressure ----------------------------------------------------------------- */

static enum qrt_err play_too_big(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_ws_accept_options accept = {.limits.message_max = 1000};
	struct ends ends = {.accept = &accept};
	struct qrt_ws_message message;
	EXPECT(!open_ends(cx, &ends));
	EXPECT(!qrt_ws_send(cx, ends.client, QRT_WS_BINARY, bulk(), 1000));
	EXPECT(!qrt_ws_send(cx, ends.client, QRT_WS_BINARY, bulk(), 1001));
	EXPECT(!qrt_ws_recv(cx, ends.server, &message) && message.n == 1000);
	EXPECT(qrt_ws_recv(cx, ends.server, &message) == QRT_ELIMIT);
	EXPECT(strcmp(qrt_detail(cx), "the peer sent too long a message") == 0);
	EXPECT(qrt_ws_recv(cx, ends.client, &message) == QRT_EEOF);
	struct qrt_ws_info client = info_of(cx, ends.client), server = info_of(cx, ends.server);
	EXPECT(client.by_peer && client.code == QRT_WS_TOO_BIG && client.ended == QRT_EEOF);
	EXPECT(!server.by_peer && server.code == QRT_WS_TOO_BIG && server.ended == QRT_ELIMIT);
	return close_ends(cx, &ends);
}

static void a_message_over_the_limit_closes_with_1009(void **state)
{
	(void)state;
	everywhere(play_too_big);
}

enum { BULKS = 40 };

struct pump {
	struct qrt_ws *ws;
	size_t n; /* bytes of the first message */
	int sent;
	enum qrt_err err;
};

static enum qrt_err pump_bulk(struct qrt_cx *cx, void *arg)
{
	struct pump *pump = arg;
	while (!pump->err && pump->sent < BULKS) {
		pump->err =
		    qrt_ws_send(cx, pump->ws, QRT_WS_BINARY, bulk(), pump->n + (size_t)pump->sent);
		pump->sent += !pump->err;
	}
	return QRT_OK;
}

static enum qrt_err play_slow_receiver(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_ws_accept_options accept = {
	    .limits = {.queue_bytes = 100000, .ping_ns = QRT_SEC, .pong_ns = QRT_SEC}};
	struct ends ends = {.accept = &accept};
	struct qrt_ws_message message;
	EXPECT(!open_ends(cx, &ends));
	struct pump pump = {.ws = ends.client, .n = is_real(cx) ? 1000000 : 50000};
	EXPECT(!qrt_spawn(ends.region, pump_bulk, &pump));
	if (is_real(cx)) {
		/* What the system holds is its affair, but not all of forty million bytes. */
		EXPECT(!rest(cx));
		EXPECT(pump.sent < BULKS);
	} else {
		EXPECT(!qrt_sleep(cx, 90 * QRT_SEC)); /* nobody takes the other for dead */
		/* Two in the queue and a third on top of it, the pipe's 64 KiB, one that waits. */
		EXPECT(pump.sent >= 3 && pump.sent <= 5);
		EXPECT(info_of(cx, ends.server).queued >= 2);
	}
	EXPECT(info_of(cx, ends.server).queued <= 3);
	for (int i = 0; i < BULKS; i++) {
		EXPECT(!qrt_ws_recv(cx, ends.server, &message));
		EXPECT(message.n == pump.n + (size_t)i);
	}
	EXPECT(pump.sent == BULKS);
	return close_ends(cx, &ends);
}

static void a_slow_receiver_stops_its_sender_and_loses_nothing(void **state)
{
	(void)state;
	everywhere(play_slow_receiver);
}

static enum qrt_err play_many_small(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct qrt_ws_message message;
	EXPECT(!open_ends(cx, &ends));
	for (int i = 0; i < 3 * QRT_WS_QUEUE_MAX; i++) {
		EXPECT(!qrt_ws_send(cx, ends.client, QRT_WS_TEXT, "m", 1));
	}
	EXPECT(!rest(cx));
	size_t queued = info_of(cx, ends.server).queued;
	/* What one read has brought may come on top. */
	EXPECT(queued >= QRT_WS_QUEUE_MAX && queued <= 3 * QRT_WS_QUEUE_MAX);
	for (int i = 0; i < 3 * QRT_WS_QUEUE_MAX; i++) {
		EXPECT(!qrt_ws_recv(cx, ends.server, &message));
	}
	return close_ends(cx, &ends);
}

static void the_queue_is_bounded_in_messages_too(void **state)
{
	(void)state;
	everywhere(play_many_small);
}

/* --- how one ends ---------------------------------------------------------------------------- */

static enum qrt_err play_shutdown(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct qrt_ws_message message;
	EXPECT(!open_ends(cx, &ends));
	struct waiter receiver = {.ws = ends.client}, second = {.ws = ends.client};
	EXPECT(!qrt_ws_send_text(cx, ends.client, "last words"));
	EXPECT(!qrt_spawn(ends.region, waits_to_receive, &receiver));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(!qrt_spawn(ends.region, waits_to_receive, &second));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(second.err == QRT_EBUSY);
	EXPECT(!qrt_ws_shutdown(cx, ends.client, 4321, "enough"));
	EXPECT(receiver.ended && receiver.err == QRT_ECLOSED);
	EXPECT(!qrt_ws_recv(cx, ends.server, &message)); /* what came before the end */
	EXPECT(is_message(&message, QRT_WS_TEXT, "last words"));
	EXPECT(qrt_ws_recv(cx, ends.server, &message) == QRT_EEOF);
	EXPECT(strcmp(qrt_detail(cx), "the peer has closed the websocket: 4321 enough") == 0);
	EXPECT(qrt_ws_send_text(cx, ends.server, "x") == QRT_EEOF);
	EXPECT(qrt_ws_recv(cx, ends.client, &message) == QRT_ECLOSED);
	EXPECT(qrt_ws_send_text(cx, ends.client, "x") == QRT_ECLOSED);
	struct qrt_ws_info client = info_of(cx, ends.client), server = info_of(cx, ends.server);
	EXPECT(server.by_peer && server.code == 4321 && strcmp(server.reason, "enough") == 0);
	EXPECT(server.ended == QRT_EEOF);
	EXPECT(!client.by_peer && client.code == 4321 && client.ended == QRT_ECLOSED);
	EXPECT(!qrt_ws_shutdown(cx, ends.client, 1000, NULL)); /* it has ended */
	EXPECT(!qrt_ws_shutdown(cx, ends.server, 1000, NULL));
	EXPECT(info_of(cx, ends.server).code == 4321);
	return close_ends(cx, &ends);
}

static void a_shutdown_is_heard_with_code_and_reason(void **state)
{
	(void)state;
	everywhere(play_shutdown);
}

/* Both say goodbye at once; what was under way is thrown away. */
static enum qrt_err play_both_close(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	EXPECT(!open_ends(cx, &ends));
	struct waiter other = {.ws = ends.server};
	EXPECT(!qrt_ws_send_text(cx, ends.server, "crossing"));
	EXPECT(!qrt_spawn(ends.region, waits_for_goodbye, &other));
	EXPECT(!qrt_ws_shutdown(cx, ends.client, 1000, NULL));
	while (!other.ended) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	EXPECT(other.err == QRT_OK);
	return close_ends(cx, &ends);
}

static void two_closes_at_once_are_both_fine(void **state)
{
	(void)state;
	everywhere(play_both_close);
}

/* With a full queue nothing is read any more: still the peer's close must be heard. */
static enum qrt_err play_close_with_full_queue(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_ws_connect_options connect = {.limits.queue_bytes = 1};
	struct ends ends = {.connect = &connect};
	struct qrt_ws_message message;
	EXPECT(!open_ends(cx, &ends));
	for (int i = 0; i < 4; i++) {
		EXPECT(!qrt_ws_send(cx, ends.server, QRT_WS_BINARY, bulk(), 8000));
	}
	EXPECT(!rest(cx));
	size_t queued = info_of(cx, ends.client).queued;
	EXPECT(queued >= 1 && queued < 4);
	EXPECT(!qrt_ws_shutdown(cx, ends.client, 1000, NULL));
	EXPECT(info_of(cx, ends.client).queued == queued); /* the others were thrown away */
	for (size_t i = 0; i < queued; i++) {
		EXPECT(!qrt_ws_recv(cx, ends.client, &message) && message.n == 8000);
	}
	EXPECT(qrt_ws_recv(cx, ends.client, &message) == QRT_ECLOSED);
	EXPECT(qrt_ws_recv(cx, ends.server, &message) == QRT_EEOF);
	return close_ends(cx, &ends);
}

static void after_our_close_what_arrives_is_thrown_away(void **state)
{
	(void)state;
	everywhere(play_close_with_full_queue);
}

static enum qrt_err play_close_while_waited_for(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_ws_accept_options accept = {
	    .limits = {.queue_bytes = 1, .message_max = 64 << 20}};
	struct ends ends = {.accept = &accept};
	EXPECT(!open_ends(cx, &ends));
	struct waiter receiver = {.ws = ends.client}, first = receiver, next = receiver;
	EXPECT(!qrt_spawn(ends.region, waits_to_receive, &receiver));
	EXPECT(!qrt_ws_send_text(cx, ends.client, "fills the queue"));
	EXPECT(!qrt_spawn(ends.region, waits_to_send, &first));
	EXPECT(!qrt_spawn(ends.region, waits_to_send, &next));
	EXPECT(!rest(cx));
	EXPECT(!receiver.ended && !first.ended && !next.ended);
	qrt_ws_close(cx, &ends.client);
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(receiver.err == QRT_ECLOSED && first.err == QRT_ECLOSED && next.err == QRT_ECLOSED);
	struct qrt_ws_message message;
	EXPECT(!qrt_ws_recv(cx, ends.server, &message));
	/* Half of the next one came: no close could follow. */
	EXPECT(qrt_ws_recv(cx, ends.server, &message) == QRT_ECONNRESET);
	struct qrt_ws_info info = info_of(cx, ends.server);
	EXPECT(info.code == QRT_WS_DROPPED && !info.by_peer);
	return close_ends(cx, &ends);
}

static void who_waits_hears_of_the_close_and_half_a_message_drops(void **state)
{
	(void)state;
	everywhere(play_close_while_waited_for);
}

static enum qrt_err play_plain_close(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct qrt_ws_message message;
	EXPECT(!open_ends(cx, &ends));
	EXPECT(!qrt_ws_send_text(cx, ends.client, "hello"));
	qrt_ws_close(cx, &ends.client);
	EXPECT(!qrt_ws_recv(cx, ends.server, &message) &&
	       is_message(&message, QRT_WS_TEXT, "hello"));
	EXPECT(qrt_ws_recv(cx, ends.server, &message) == QRT_EEOF);
	EXPECT(info_of(cx, ends.server).code == QRT_WS_GOING_AWAY);
	return close_ends(cx, &ends);
}

static void a_plain_close_says_1001(void **state)
{
	(void)state;
	everywhere(play_plain_close);
}

static enum qrt_err play_silent_goodbye(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	int64_t before, after;
	struct qrt_lab_faults faults = {.partition = true};
	EXPECT(!open_ends(cx, &ends));
	EXPECT(!qrt_lab_set_faults(qrt_cx_lab(cx), &faults));
	EXPECT(!qrt_now(cx, &before));
	EXPECT(qrt_ws_shutdown(cx, ends.client, 1000, NULL) == QRT_EPEER);
	EXPECT(!qrt_now(cx, &after) && after - before == 5 * QRT_SEC);
	EXPECT(info_of(cx, ends.client).ended == QRT_ECLOSED);
	qrt_lab_heal(qrt_cx_lab(cx));
	return close_ends(cx, &ends);
}

static void a_shutdown_does_not_wait_for_ever(void **state)
{
	(void)state;
	in_labs(NULL, play_silent_goodbye);
}

/* --- cancel ---------------------------------------------------------------------------------- */

static enum qrt_err play_cancelled_waits(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct qrt_region *doomed;
	struct qrt_ws_message message;
	EXPECT(!open_ends(cx, &ends));
	struct waiter receiver = {.ws = ends.server};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &doomed));
	EXPECT(!qrt_spawn(doomed, waits_to_receive, &receiver));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(!qrt_ws_send_text(cx, ends.client, "for the next"));
	qrt_region_cancel(doomed, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_region_close(cx, &doomed, QRT_OK));
	EXPECT(receiver.err == QRT_ECANCELED);
	EXPECT(!qrt_ws_recv(cx, ends.server, &message)); /* nothing is lost */
	EXPECT(is_message(&message, QRT_WS_TEXT, "for the next"));
	return close_ends(cx, &ends);
}

static void a_cancelled_receive_has_taken_nothing(void **state)
{
	(void)state;
	everywhere(play_cancelled_waits);
}

/* Two senders: the first is half-way, the second has not begun. */
struct stuck {
	struct ends ends;
	struct waiter first, next;
	struct qrt_region *doomed;
};

static enum qrt_err get_stuck(struct qrt_cx *cx, struct stuck *stuck)
{
	static const struct qrt_ws_accept_options accept = {
	    .limits = {.queue_bytes = 1, .message_max = 64 << 20}};
	*stuck = (struct stuck){.ends.accept = &accept};
	EXPECT(!open_ends(cx, &stuck->ends));
	stuck->first.ws = stuck->next.ws = stuck->ends.client;
	EXPECT(!qrt_ws_send_text(cx, stuck->ends.client, "fills the queue"));
	EXPECT(!rest(cx));
	return QRT_OK;
}

static enum qrt_err play_cancel_not_begun(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct stuck stuck;
	struct qrt_ws_message message;
	EXPECT(!get_stuck(cx, &stuck));
	EXPECT(!qrt_spawn(stuck.ends.region, waits_to_send, &stuck.first));
	EXPECT(!rest(cx));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &stuck.doomed));
	EXPECT(!qrt_spawn(stuck.doomed, waits_to_send, &stuck.next));
	EXPECT(!rest(cx));
	qrt_region_cancel(stuck.doomed, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_region_close(cx, &stuck.doomed, QRT_OK));
	EXPECT(stuck.next.err == QRT_ECANCELED && !stuck.first.ended);
	EXPECT(!qrt_ws_recv(cx, stuck.ends.server, &message));
	EXPECT(!qrt_ws_recv(cx, stuck.ends.server, &message) && message.n == bulk_size(cx));
	EXPECT(!qrt_ws_send_text(cx, stuck.ends.client, "goes on"));
	EXPECT(!qrt_ws_recv(cx, stuck.ends.server, &message));
	EXPECT(is_message(&message, QRT_WS_TEXT, "goes on"));
	EXPECT(stuck.first.ended && !stuck.first.err);
	return close_ends(cx, &stuck.ends);
}

static void a_send_cancelled_before_its_first_byte_leaves_no_trace(void **state)
{
	(void)state;
	everywhere(play_cancel_not_begun);
}

static enum qrt_err play_cancel_half_way(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct stuck stuck;
	struct qrt_ws_message message;
	EXPECT(!get_stuck(cx, &stuck));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &stuck.doomed));
	EXPECT(!qrt_spawn(stuck.doomed, waits_to_send, &stuck.first));
	EXPECT(!rest(cx));
	EXPECT(!qrt_spawn(stuck.ends.region, waits_to_send, &stuck.next));
	EXPECT(!rest(cx));
	EXPECT(!stuck.first.ended && !stuck.next.ended);
	qrt_region_cancel(stuck.doomed, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_region_close(cx, &stuck.doomed, QRT_OK));
	EXPECT(stuck.first.err == QRT_ECANCELED);
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(stuck.next.err == QRT_ECONNRESET);
	EXPECT(qrt_ws_recv(cx, stuck.ends.client, &message) == QRT_ECONNRESET);
	EXPECT(strstr(qrt_detail(cx), "given up half-way"));
	EXPECT(!qrt_ws_recv(cx, stuck.ends.server, &message)); /* what was whole before */
	EXPECT(qrt_ws_recv(cx, stuck.ends.server, &message) == QRT_ECONNRESET);
	return close_ends(cx, &stuck.ends);
}

static void a_send_cancelled_half_way_drops_the_connection(void **state)
{
	(void)state;
	everywhere(play_cancel_half_way);
}

static enum qrt_err dials(struct qrt_cx *cx, void *arg)
{
	struct ends *ends = arg;
	ends->accepted = dial(cx, ends, "ws", &ends->client);
	return QRT_OK;
}

static enum qrt_err says_goodbye_late(struct qrt_cx *cx, void *arg)
{
	struct ends *ends = arg;
	ends->accepted = qrt_ws_shutdown(cx, ends->client, 1000, NULL);
	/* A cancelled task cannot wait, but it can end it. */
	qrt_ws_close(cx, &ends->client);
	return QRT_OK;
}

static enum qrt_err play_cancelled_opening(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct qrt_region *doomed;
	EXPECT(!listen_here(cx, &ends)); /* where nobody accepts */
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &ends.region));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &doomed));
	EXPECT(!qrt_spawn(doomed, dials, &ends));
	EXPECT(!rest(cx));
	qrt_region_cancel(doomed, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_region_close(cx, &doomed, QRT_OK));
	EXPECT(ends.accepted == QRT_ECANCELED && !ends.client);
	EXPECT(!close_ends(cx, &ends));
	return QRT_OK;
}

static void an_opening_can_be_cancelled(void **state)
{
	(void)state;
	everywhere(play_cancelled_opening);
}

static enum qrt_err play_cancelled_goodbye(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *doomed;
	struct ends ends = {.port = 0};
	struct qrt_lab_faults faults = {.partition = true};
	EXPECT(!open_ends(cx, &ends));
	EXPECT(!qrt_lab_set_faults(qrt_cx_lab(cx), &faults));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &doomed));
	EXPECT(!qrt_spawn(doomed, says_goodbye_late, &ends));
	EXPECT(!rest(cx));
	qrt_region_cancel(doomed, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_region_close(cx, &doomed, QRT_OK));
	EXPECT(ends.accepted == QRT_ECANCELED && !ends.client);
	qrt_lab_heal(qrt_cx_lab(cx));
	struct qrt_ws_message message;
	EXPECT(qrt_ws_recv(cx, ends.server, &message) == QRT_EEOF);
	EXPECT(info_of(cx, ends.server).code == QRT_WS_NORMAL);
	return close_ends(cx, &ends);
}

static void a_goodbye_can_be_cancelled(void **state)
{
	(void)state;
	in_labs(NULL, play_cancelled_goodbye);
}

/* --- the ledger ------------------------------------------------------------------------------ */

static enum qrt_err forgets_it(struct qrt_cx *cx, void *arg)
{
	struct ends *ends = arg;
	return dial(cx, ends, "ws", &ends->client);
}

static enum qrt_err play_forgotten(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct ends ends = {.port = 0};
	struct qrt_region *region;
	struct qrt_ws_message message;
	EXPECT(!await_one(cx, &ends));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, forgets_it, &ends));
	while (!ends.server) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	EXPECT(err == QRT_ELEAK); /* where nothing is released the root has it now */
	if (is_structured(cx)) {
		EXPECT(strstr(qrt_detail(cx), "websocket") && strstr(qrt_detail(cx), "ws_ends.c"));
		EXPECT(qrt_ws_recv(cx, ends.server, &message) == QRT_EEOF);
		EXPECT(info_of(cx, ends.server).code == QRT_WS_GOING_AWAY);
		EXPECT(qrt_ws_send_text(cx, ends.client, "x") == QRT_ESTALE);
	}
	return close_ends(cx, &ends);
}

static void a_region_closes_what_was_left_open_and_names_it(void **state)
{
	(void)state;
	everywhere(play_forgotten);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(messages_arrive_whole_and_in_order),
	    TEST(the_server_sees_the_request_and_may_refuse_it),
	    TEST(a_message_stays_until_the_next_is_asked_for),
	    TEST(a_message_over_the_limit_closes_with_1009),
	    TEST(a_slow_receiver_stops_its_sender_and_loses_nothing),
	    TEST(the_queue_is_bounded_in_messages_too),
	    TEST(a_shutdown_is_heard_with_code_and_reason),
	    TEST(two_closes_at_once_are_both_fine),
	    TEST(after_our_close_what_arrives_is_thrown_away),
	    TEST(who_waits_hears_of_the_close_and_half_a_message_drops),
	    TEST(a_plain_close_says_1001),
	    TEST(a_shutdown_does_not_wait_for_ever),
	    TEST(a_cancelled_receive_has_taken_nothing),
	    TEST(a_send_cancelled_before_its_first_byte_leaves_no_trace),
	    TEST(a_send_cancelled_half_way_drops_the_connection),
	    TEST(an_opening_can_be_cancelled),
	    TEST(a_goodbye_can_be_cancelled),
	    TEST(a_region_closes_what_was_left_open_and_names_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
