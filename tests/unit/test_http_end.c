/*
 * How requests end that do not simply end: the peer hangs up, the deadline passes, the server
 * drains or has no descriptor left. On every backend.
 */
#include "tests/lib/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <qrt/cancel.h>
#include <qrt/lab.h>

#include "tests/lib/http_site.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* --- handlers ------------------------------------------------------------------------------ */

/* Notes how it was asked to end, where that is remembered. */
static enum qrt_err watched(struct qrt_cx *cx, struct qrt_http_request *req,
			    struct qrt_http_response *resp)
{
	struct site *site = site_of(req);
	struct qrt_cancel_info info;
	enum qrt_err err = wait_released(cx, req, resp);

	if (err && qrt_cancel_requested(cx, &info)) {
		snprintf(site->last_detail, sizeof(site->last_detail), "%s",
			 info.kind == QRT_CANCEL_USER ? info.reason : qrt_cancel_name(info.kind));
	}
	site->count++;
	return err;
}

static enum qrt_err child_waits(struct qrt_cx *cx, void *arg)
{
	struct site *site = arg;
	enum qrt_err err;

	qrt__event_set(&site->entered);
	err = qrt__event_wait(cx, &site->release, QRT_NO_DEADLINE);
	site->wait_result = err;
	return err;
}

/* What it waits for is done by a child of its own region. */
static enum qrt_err by_child(struct qrt_cx *cx, struct qrt_http_request *req,
			     struct qrt_http_response *resp)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);

	(void)resp;
	err = err ? err : qrt_spawn(region, child_waits, site_of(req));
	err = qrt_region_close(cx, &region, err);
	site_of(req)->count++;
	return err;
}

/* Cut short at its deadline, it still has something to say. */
static enum qrt_err sorry(struct qrt_cx *cx, struct qrt_http_request *req,
			  struct qrt_http_response *resp)
{
	enum qrt_err err = wait_released(cx, req, resp);

	(void)req;
	return err == QRT_ETIMEDOUT ? say(resp, "sorry") : err;
}

/* Ignores every word, for as long as it is let; at most for a second. */
static enum qrt_err stubborn(struct qrt_cx *cx, struct qrt_http_request *req,
			     struct qrt_http_response *resp)
{
	struct site *site = site_of(req);
	int64_t end_ns = qrt_deadline_in(cx, QRT_SEC);
	struct qrt_mask mask;

	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	while (qrt_deadline_in(cx, 0) < end_ns) {
		QRT_IGNORE(qrt_sleep(cx, 5 * QRT_MS), "it is stubborn");
		site->waits++;
	}
	qrt_mask_end(cx, &mask);
	site->count++;
	return say(resp, "at last");
}

static enum qrt_err late(struct qrt_cx *cx, struct qrt_http_request *req,
			 struct qrt_http_response *resp)
{
	struct site *site = site_of(req);

	qrt__event_wait_masked(cx, &site->release);
	qrt__event_set(&site->entered);
	return say(resp, "at last");
}

static const struct site_route routes[] = {
    {"GET", "/", say_hello, {0}},
    {"GET", "/watched", watched, {0}},
    {"GET", "/child", by_child, {0}},
    {"GET", "/sorry", sorry, {0}},
    {"GET", "/stubborn", stubborn, {0}},
    {"GET", "/late", late, {0}},
    {"GET", "/quick", watched, {.deadline_ns = 20 * QRT_MS}},
};

static void run_on_each(site_fn *fn, const struct qrt_http_server_options *opts)
{
	struct site_play play = {.fn = fn, .routes = routes, .n_routes = ARRAY_LEN(routes)};

	if (opts) {
		play.opts = *opts;
	}
	site_on_each(&play);
}

static struct qrt_http_stats stats_of(const struct site *site)
{
	struct qrt_http_stats stats;

	qrt_http_server_stats(site->server, &stats);
	return stats;
}

/* Until no connection is left. */
static enum qrt_err drained(struct qrt_cx *cx, struct site *site)
{
	enum qrt_err err = qrt_http_server_drain(cx, site->server);

	return err ? err : qrt_http_server_resume(cx, site->server);
}

/* --- hang-ups ------------------------------------------------------------------------------ */

enum parting { CLOSES, RESETS, SHUTS_DOWN };

static enum qrt_err part(struct qrt_cx *cx, struct site *site, const char *request,
			 enum parting parting)
{
	struct client *client;

	qrt__event_clear(&site->entered);
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, request));
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	if (parting == SHUTS_DOWN) {
		EXPECT(!qrt_stream_shutdown(cx, client->stream));
		/* Nothing is answered: the connection ends. */
		EXPECT(client_fill(cx, client) != QRT_OK);
		EXPECT(client->n == 0);
	}
	if (parting == RESETS) {
		qrt__stream_break(client->stream);
	}
	client_close(cx, &client);
	return drained(cx, site);
}

static enum qrt_err hangs_up(struct qrt_cx *cx, struct site *site)
{
	static const char *const requests[] = {GET("/watched"), GET("/watched") GET("/"),
					       GET("/child")};
	struct qrt_http_stats stats;

	/* What a child waits for a cancel need not reach where there is no structure. */
	size_t n = is_structured(cx) ? 3 : 2;

	for (size_t i = 0; i < n; i++) {
		for (enum parting parting = CLOSES; parting <= SHUTS_DOWN; parting++) {
			site->wait_result = QRT_OK;
			EXPECT(!part(cx, site, requests[i], parting));
			EXPECT(site->wait_result == QRT_ECANCELED);
			if (i < 2 && is_structured(cx)) {
				EXPECT(strcmp(site->last_detail, "the peer is gone") == 0);
			}
		}
	}
	stats = stats_of(site);
	EXPECT(site->count == 3 * n);
	EXPECT(stats.peers_gone == 3 * n);
	EXPECT(stats.in_flight == 0);
	EXPECT(stats.status[2] == 0 && stats.status[5] == 0);
	return QRT_OK;
}

static void who_hangs_up_cancels_the_request_at_once(void **state)
{
	const struct qrt_http_server_options opts = {.linger_ns = QRT_MS};

	(void)state;
	run_on_each(hangs_up, &opts);
}

static enum qrt_err asks_ahead(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, GET("/watched")));
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	/* More bytes are no hang-up, in the same piece or later. */
	for (int i = 0; i < 3; i++) {
		EXPECT(!client_send(cx, client, GET("/")));
		EXPECT(!qrt_sleep(cx, 2 * QRT_MS));
	}
	EXPECT(site->count == 0);
	qrt__event_set(&site->release);
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(body_is(&reply, "released"));
	client_take(client, &reply);
	for (int i = 0; i < 3; i++) {
		EXPECT(!client_reply(cx, client, false, &reply));
		EXPECT(body_is(&reply, "hello"));
		client_take(client, &reply);
	}
	EXPECT(stats_of(site).peers_gone == 0);
	client_close(cx, &client);
	return QRT_OK;
}

static void who_asks_ahead_has_not_hung_up(void **state)
{
	(void)state;
	run_on_each(asks_ahead, NULL);
}

/* Far more than is held for it. */
static enum qrt_err floods_ahead(struct qrt_cx *cx, struct site *site)
{
	const struct qrt_region_options soon = {.budget.deadline_ns =
						    qrt_deadline_in(cx, 300 * QRT_MS)};
	struct qrt_region *region;
	struct client *client;
	struct reply reply;
	unsigned sent = 0;
	enum qrt_err err = QRT_OK;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!client_send(cx, client, GET("/watched")));
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	EXPECT(!qrt_region_open_with(cx, &soon, &region));
	while (!err && sent < 1000 * 1000) {
		err = client_send(qrt_region_cx(region), client, GET("/"));
		sent += !err;
	}
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "nothing runs in it");
	EXPECT(err == QRT_ETIMEDOUT);
	qrt__event_set(&site->release);
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(body_is(&reply, "released"));
	client_close(cx, &client);
	return QRT_OK;
}

static void requests_ahead_are_held_within_bounds(void **state)
{
	(void)state;
	run_on_each(floods_ahead, NULL);
}

/* --- deadlines ----------------------------------------------------------------------------- */

static enum qrt_err within_the_grace(struct qrt_cx *cx, struct site *site)
{
	struct reply reply;

	EXPECT(!ask_once(cx, site, GET("/sorry"), &reply));
	EXPECT(reply.status == 200);
	EXPECT(!ask_once(cx, site, GET("/quick"), &reply));
	EXPECT(reply.status == 503);
	EXPECT(site->wait_result == QRT_ETIMEDOUT);
	EXPECT(stats_of(site).overdue == 2);
	return QRT_OK;
}

static void what_is_answered_within_the_grace_is_sent(void **state)
{
	const struct qrt_http_server_options opts = {.request_deadline_ns = 30 * QRT_MS};

	(void)state;
	run_on_each(within_the_grace, &opts);
}

static enum qrt_err past_the_grace(struct qrt_cx *cx, struct site *site)
{
	const char *backend = qrt_runtime_backend(qrt_cx_runtime(cx));
	int64_t begun_ns = qrt_deadline_in(cx, 0);
	struct client *client;
	struct reply reply;
	int64_t took_ns;

	EXPECT(!client_open(cx, site, &client));
	EXPECT(!ask(cx, client, GET("/stubborn"), &reply));
	took_ns = qrt_deadline_in(cx, 0) - begun_ns;
	EXPECT(reply.status == 503);
	EXPECT(reply.close);
	EXPECT(body_is(&reply, "the request took too long"));
	client_take(client, &reply);
	EXPECT(client_fill(cx, client) == QRT_EEOF);
	client_close(cx, &client);
	EXPECT(took_ns >= 75 * QRT_MS); /* loops count from when their turn began */
	if (strcmp(backend, "lab-legacy") == 0) {
		return QRT_OK; /* nobody forces it, and who would answer is it */
	}
	EXPECT(took_ns < 700 * QRT_MS);
	EXPECT(site->count == 0);
	if (is_structured(cx)) {
		unsigned waits = site->waits;

		/* It does not run any more. */
		EXPECT(!qrt_sleep(cx, 50 * QRT_MS));
		EXPECT(site->waits == waits);
	}
	return QRT_OK;
}

static void who_is_stubborn_is_answered_for_after_the_grace(void **state)
{
	const struct qrt_http_server_options opts = {.request_deadline_ns = 30 * QRT_MS,
						     .cancel_grace_ns = 50 * QRT_MS};

	(void)state;
	run_on_each(past_the_grace, &opts);
}

/* evhttp's server has answered for it: what it says then is nobody's, and counts for nothing. */
static enum qrt_err says_it_too_late(struct qrt_cx *cx, struct site *site)
{
	struct client *client;
	struct reply reply;

	if (!site->evhttp) {
		return QRT_OK; /* others wait for it */
	}
	EXPECT(!client_open(cx, site, &client));
	EXPECT(!ask(cx, client, GET("/late"), &reply));
	EXPECT(reply.status == 503);
	client_take(client, &reply);
	qrt__event_set(&site->release);
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	EXPECT(client_fill(cx, client) == QRT_EEOF);
	EXPECT(client->n == 0);
	client_close(cx, &client);
	EXPECT(!drained(cx, site));
	EXPECT(stats_of(site).status[5] == 1);
	EXPECT(stats_of(site).status[2] == 0);
	EXPECT(stats_of(site).in_flight == 0);
	return QRT_OK;
}

static void what_comes_after_the_answer_is_nobodys(void **state)
{
	const struct qrt_http_server_options opts = {.request_deadline_ns = 20 * QRT_MS,
						     .cancel_grace_ns = 20 * QRT_MS};

	(void)state;
	run_on_each(says_it_too_late, &opts);
}

/* --- draining ------------------------------------------------------------------------------ */

static enum qrt_err drain_reported(struct qrt_cx *cx, void *arg)
{
	struct site *site = arg;
	struct qrt_http_drain report = {0};
	enum qrt_err err = qrt_http_server_drain_report(cx, site->server, &report);

	EXPECT(!err);
	EXPECT(report.answered == 2); /* the one in work, the one that asked once more */
	EXPECT(report.refused == 1);
	EXPECT(report.idle_closed == 2);
	EXPECT(report.left == 0);
	site->count = 100;
	return QRT_OK;
}

static enum qrt_err reports(struct qrt_cx *cx, struct site *site)
{
	struct client *clients[5];
	struct qrt_region *region;
	struct reply reply;
	enum qrt_err err;

	for (size_t i = 0; i < 5; i++) {
		EXPECT(!client_open(cx, site, &clients[i]));
		EXPECT(!ask(cx, clients[i], GET("/"), &reply));
		client_take(clients[i], &reply);
	}
	EXPECT(!client_send(cx, clients[0], GET("/watched")));
	EXPECT(!qrt__event_wait(cx, &site->entered, QRT_NO_DEADLINE));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	err = qrt_spawn(region, drain_reported, site);
	EXPECT(!err);
	EXPECT(!qrt_yield(cx));
	EXPECT(!ask(cx, clients[1], GET("/"), &reply));
	EXPECT(reply.status == 200 && reply.close);
	EXPECT(!ask(cx, clients[2], "BREW / HTTP/1.1\r\n\r\n", &reply));
	EXPECT(reply.status == 501);
	client_close(cx, &clients[2]);
	qrt__event_set(&site->release);
	EXPECT(!client_reply(cx, clients[0], false, &reply));
	EXPECT(reply.status == 200 && reply.close);
	client_close(cx, &clients[0]);
	client_close(cx, &clients[1]);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(site->count == 100);
	client_close(cx, &clients[3]);
	client_close(cx, &clients[4]);
	return QRT_OK;
}

static void a_drain_reports_what_became_of_everybody(void **state)
{
	const struct qrt_http_server_options opts = {.linger_ns = 100 * QRT_MS};

	(void)state;
	run_on_each(reports, &opts);
}

/* --- descriptors --------------------------------------------------------------------------- */

/* Takes all descriptors there are but @free_fds; gives them back with fds_free. */
struct fds {
	struct rlimit before;
	int fd[64];
	size_t n;
};

static void fds_take(struct fds *fds, size_t spare)
{
	struct rlimit few;
	int next = dup(0);

	close(next);
	getrlimit(RLIMIT_NOFILE, &fds->before);
	few = fds->before;
	few.rlim_cur = (rlim_t)next + 8;
	setrlimit(RLIMIT_NOFILE, &few);
	fds->n = 0;
	while (fds->n < 64 && (next = dup(0)) >= 0) {
		fds->fd[fds->n++] = next;
	}
	while (spare-- > 0 && fds->n > 0) {
		close(fds->fd[--fds->n]);
	}
}

static void fds_free(struct fds *fds)
{
	while (fds->n > 0) {
		close(fds->fd[--fds->n]);
	}
	setrlimit(RLIMIT_NOFILE, &fds->before);
}

static enum qrt_err asks_without(struct qrt_cx *cx, struct site *site, struct client **ret_client)
{
	EXPECT(!client_open(cx, site, ret_client));
	EXPECT(!client_send(cx, *ret_client, GET("/")));
	while (stats_of(site).accept_pauses == 0) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	return QRT_OK;
}

static enum qrt_err out_of_fds(struct qrt_cx *cx, struct site *site)
{
	struct qrt_lab *lab = qrt_cx_lab(cx);
	struct client *client = NULL;
	struct reply reply;
	enum qrt_err err;

	if (lab) {
		/* A listener and a client's end: none is left for the server's. */
		const struct qrt_lab_faults few = {.fds_max = 2};

		EXPECT(!qrt_lab_set_faults(lab, &few));
		err = asks_without(cx, site, &client);
		qrt_lab_heal(lab);
	} else {
		struct fds fds;

		fds_take(&fds, 1);
		err = asks_without(cx, site, &client);
		fds_free(&fds);
	}
	EXPECT(!err);
	EXPECT(!client_reply(cx, client, false, &reply));
	EXPECT(reply.status == 200);
	client_close(cx, &client);
	return QRT_OK;
}

static void without_descriptors_it_waits_and_goes_on(void **state)
{
	(void)state;
	run_on_each(out_of_fds, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_hangs_up_cancels_the_request_at_once),
	    cmocka_unit_test(who_asks_ahead_has_not_hung_up),
	    cmocka_unit_test(requests_ahead_are_held_within_bounds),
	    cmocka_unit_test(what_is_answered_within_the_grace_is_sent),
	    cmocka_unit_test(who_is_stubborn_is_answered_for_after_the_grace),
	    cmocka_unit_test(what_comes_after_the_answer_is_nobodys),
	    cmocka_unit_test(a_drain_reports_what_became_of_everybody),
	    cmocka_unit_test(without_descriptors_it_waits_and_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
