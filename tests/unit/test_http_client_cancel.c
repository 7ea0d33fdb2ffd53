/*
 * A call of the HTTP client is cancelled, late, or let down by its server, in each of its phases,
 * on each backend: it says so, says what was sent, and leaves nothing; its client goes on.
 */
#include <qrt/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/stage.h"
#include "tests/lib/test.h"
#include "tests/lib/tls_pair.h"

#define HEAD_END "\r\n\r\n"
#define YES "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"

enum { LARGE = 32 * 1024 * 1024 };
enum end { CANCELLED, LATE, LET_DOWN, ENDS };

static const char *const end_names[ENDS] = {"cancelled", "late", "let down"};
static const enum qrt_err end_errs[ENDS] = {QRT_ECANCELED, QRT_ETIMEDOUT, QRT_EPEER};

/* How to get a call into a phase, to stay there. */
struct row {
	enum qrt_http_phase phase;
	struct peer_step step; /* of the server's */
	const char *scheme, *host;
	bool held;  /* another call has the only connection */
	bool large; /* it sends more than goes */
	bool sent;
	bool only_cancelled; /* the phase passes too soon for the other ends */
	bool no_let_down;    /* nobody but the caller bounds it */
};

static const struct row rows[] = {
    {.phase = QRT_HTTP_IN_LINE,
     .step = {HEAD_END, NULL, PEER_HOLD},
     .held = true,
     .no_let_down = true},
    {.phase = QRT_HTTP_LOOKUP,
     .step = {HEAD_END, NULL, PEER_HOLD},
     .host = "localhost",
     .only_cancelled = true},
    {.phase = QRT_HTTP_CONNECT, .step = {HEAD_END, NULL, PEER_HOLD}, .only_cancelled = true},
    {.phase = QRT_HTTP_HANDSHAKE, .step = {NULL, "", PEER_DEAF}, .scheme = "https"},
    {.phase = QRT_HTTP_SEND, .step = {NULL, "", PEER_DEAF}, .large = true, .sent = true},
    {.phase = QRT_HTTP_HEAD,
     .step = {HEAD_END, "HTTP/1.1 200 OK\r\nA: b", PEER_HOLD},
     .sent = true},
    {.phase = QRT_HTTP_BODY,
     .step = {HEAD_END, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", PEER_HOLD},
     .sent = true},
    /* What a redirect says beside where it leads. */
    {.phase = QRT_HTTP_BODY,
     .step = {HEAD_END, "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 9\r\n\r\nhalf",
	      PEER_HOLD},
     .sent = true,
     .no_let_down = true},
};

struct play {
	const struct row *row;
	enum end end;
	struct stage *stage;
	char *body;
	struct qrt_task *victim; /* while it lives */
	enum qrt_err err;
	char detail[256];
};

static enum qrt_err victim(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	struct stage *stage = play->stage;
	struct qrt_http_call *call = NULL;
	struct qrt_http_answer answer;
	const struct qrt_http_ask ask = {.method = "PUT",
					 .url = stage->url,
					 .body = play->body,
					 .body_len = play->row->large ? LARGE : 0,
					 .redirects_max = 3,
					 .report = &stage->report};
	play->victim = cx->task;
	play->err = qrt_http_fetch(cx, stage->client, &ask, &call, &answer);
	play->victim = NULL;
	snprintf(play->detail, sizeof(play->detail), "%s", qrt_detail(cx));
	qrt_http_call_end(cx, &call);
	return QRT_OK;
}

/* Until it waits in its phase. */
static enum qrt_err let_park(struct qrt_cx *cx, const struct play *play)
{
	const struct qrt_http_report *report = &play->stage->report;
	bool in_phase = false;
	for (int i = 0; i < 20000 && !in_phase; i++) {
		in_phase = play->victim && play->victim->wait && report->phase == play->row->phase;
		if (!in_phase) {
			EXPECT(!(i < 100 ? qrt_yield(cx) : qrt_sleep(cx, QRT_MS / 4)));
		}
	}
	EXPECT(in_phase);
	return QRT_OK;
}

static enum qrt_err run_victim(struct qrt_cx *cx, struct play *play)
{
	const struct qrt_region_options opts = {
	    .policy = QRT_COLLECT,
	    .budget = {.deadline_ns = play->end == LATE ? qrt_deadline_in(cx, 40 * QRT_MS) : 0}};
	struct qrt_region *region;
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_spawn(region, victim, play));
	if (play->end == CANCELLED) {
		EXPECT(!let_park(cx, play));
		qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	}
	/* The deadline of the region is the outcome of the region, too. */
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "what the call says is looked at");
	return QRT_OK;
}

static enum qrt_err check(const struct play *play)
{
	const struct qrt_http_report *report = &play->stage->report;
	struct qrt_http_client_stats stats = stage_stats(play->stage);
	bool fits = play->err == end_errs[play->end] && report->phase == play->row->phase &&
		    report->sent == play->row->sent && stats.waiting == 0 &&
		    stats.calls == play->row->held && stats.connections == stats.calls &&
		    strstr(play->detail, "PUT http") == play->detail;
	if (!fits) {
		fprintf(stderr, "%s, %s: %s \"%s\", %s, sent %d, %zu calls, %zu connections\n",
			qrt_http_phase_text(play->row->phase), end_names[play->end],
			qrt_err_name(play->err), play->detail, qrt_http_phase_text(report->phase),
			report->sent, stats.calls, stats.connections);
		return QRT_EFAILED;
	}
	const char *phase = qrt_http_phase_text(report->phase);
	char end[96];
	snprintf(end, sizeof(end), "%s%s%s", phase, play->end == LET_DOWN ? "" : ": ",
		 play->end == LET_DOWN ? " took too long" : qrt_err_text(play->err));
	EXPECT(ends_with(play->detail, end));
	return QRT_OK;
}

/* What is left of it is good for the next one. */
static enum qrt_err go_on(struct qrt_cx *cx, struct stage *stage, struct qrt_http_call **held)
{
	qrt_http_call_end(stage->cx, held);
	EXPECT(stage_stats(stage).connections == 0);
	struct peer other;
	static const struct peer_script script = {{{HEAD_END, YES, PEER_GO_ON}}};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!peer_open(cx, region, &script, 1, &other));
	snprintf(stage->url, sizeof(stage->url), "http://127.0.0.1:%u/", other.port);
	EXPECT(!stage_expect(stage, "yes"));
	qrt_region_cancel(region, QRT_CANCEL_USER, "it has answered");
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	return err == QRT_ECANCELED ? QRT_OK : err;
}

static enum qrt_err play_one(struct qrt_cx *cx, struct play *play, struct qrt_tls *tls)
{
	const struct row *row = play->row;
	const struct peer_script script = {{row->step}};
	const struct peer_script scripts[2] = {script, script};
	bool let_down = play->end == LET_DOWN;
	const struct qrt_http_client_options opts = {
	    .connections_max = row->held ? 1 : 0,
	    .connect_ns = let_down ? 40 * QRT_MS : 0,
	    .head_ns = let_down ? 40 * QRT_MS : 0,
	    .silence_ns = let_down ? 40 * QRT_MS : 0,
	    .tls = tls,
	};
	static struct stage stage;
	struct qrt_http_call *held = NULL;
	EXPECT(!stage_open(cx, scripts, 2, &opts, &stage));
	play->stage = &stage;
	if (row->held) {
		const struct qrt_http_ask ask = {.url = stage.url};
		EXPECT(!qrt_http_call_begin(stage.cx, stage.client, &ask, &held));
	}
	snprintf(stage.url, sizeof(stage.url), "%s://%s:%u/", row->scheme ? row->scheme : "http",
		 row->host ? row->host : "127.0.0.1", stage.peer.port);
	EXPECT(!run_victim(cx, play));
	EXPECT(!check(play));
	EXPECT(!go_on(cx, &stage, &held));
	return stage_close(cx, &stage);
}

struct cell {
	enum end end;
	struct qrt_tls *tls;
};

static enum qrt_err play_rows(struct qrt_cx *cx, void *arg)
{
	const struct cell *cell = arg;
	char *body = calloc(1, LARGE);
	enum qrt_err err = body ? QRT_OK : QRT_ENOMEM;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !err; i++) {
		if (cell->end == CANCELLED ||
		    !(rows[i].only_cancelled || (cell->end == LET_DOWN && rows[i].no_let_down))) {
			struct play play = {
			    .row = &rows[i], .end = cell->end, .body = rows[i].large ? body : NULL};
			err = play_one(cx, &play, cell->tls);
		}
	}
	free(body);
	return err;
}

static void play_end(enum end end)
{
	struct cell cell = {end, tls_client()};
	on_each_backend(play_rows, &cell);
	qrt_tls_unref(&cell.tls);
}

static void it_is_cancelled_in_every_phase(void **state)
{
	(void)state;
	play_end(CANCELLED);
}

static void its_own_deadline_is_told_from_others(void **state)
{
	(void)state;
	play_end(LATE);
}

static void a_server_that_lets_it_down_is_told_from_others(void **state)
{
	(void)state;
	play_end(LET_DOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_cancelled_in_every_phase),
	    cmocka_unit_test(its_own_deadline_is_told_from_others),
	    cmocka_unit_test(a_server_that_lets_it_down_is_told_from_others),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
