/* Counts, logs and audits refusals. */
#include "quotey/server/denied.h"

#include <stdio.h>

#include "quotey/core/text.h"
#include "quotey/server/middleware.h"

/* A row is worth no longer wait than this. */
#define ROW_MAX_NS (250 * QRT_MS)

static void fill(struct qy_denial *denial, const struct qrt_http_request *req, const char *code,
		 const char *key_id)
{
	const struct qy_visit *visit = qy_visit_of(req);

	*denial = (struct qy_denial){.unaudited = 0};
	qy_text_cut(denial->code, sizeof(denial->code), code);
	qy_text_cut(denial->client, sizeof(denial->client), visit->client);
	qy_text_cut(denial->key_id, sizeof(denial->key_id), key_id);
	qy_text_cut(denial->method, sizeof(denial->method), qrt_http_method(req));
	qy_text_cut(denial->route, sizeof(denial->route), qrt_http_route(req));
}

/* Whether one more row may be written in this minute. */
static bool may_write(struct qrt_cx *cx, const struct qy_server *server)
{
	struct qrt_rate_verdict verdict = {.allowed = false};
	int64_t now_ns = 0;

	return qrt_now(cx, &now_ns) == QRT_OK &&
	       qrt_rate_take(server->rate, "auth.denied", QY_DENIED_ROWS_PER_MINUTE, now_ns,
			     &verdict) == QRT_OK &&
	       verdict.allowed;
}

static enum qrt_err write_row(struct qrt_cx *cx, const struct qy_server *server,
			      const struct qy_denial *denial, const char *correlation)
{
	const struct qrt_region_options opts = {
	    .name = "audit a denial",
	    .policy = QRT_COLLECT,
	    .budget.deadline_ns = qrt_deadline_in(cx, ROW_MAX_NS),
	};
	struct qrt_region *region = NULL;
	struct qy_origin origin;
	char actor[QY_ACTOR_SIZE];
	enum qrt_err err = qrt_region_open_with(cx, &opts, &region);

	if (err) {
		return err;
	}
	if (denial->key_id[0] != '\0') {
		snprintf(actor, sizeof(actor), "service:qk_%s", denial->key_id);
	} else {
		snprintf(actor, sizeof(actor), "system:server");
	}
	qy_origin_set(&origin, actor, correlation);
	err = qy_db_denial_append(qrt_region_cx(region), server->env->db, &origin, denial);
	return qrt_region_close(cx, &region, err);
}

/* @counter may be NULL: then nobody counts. */
static void add(_Atomic uint64_t *counter, uint64_t n)
{
	if (counter != NULL) {
		atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
	}
}

void qy_denied(struct qrt_cx *cx, const struct qrt_http_request *req, const char *code,
	       const char *key_id)
{
	struct qy_server *server = qrt_http_app(req);
	struct qy_server_counters *counters = server->env->counters;
	_Atomic uint64_t *unaudited = counters != NULL ? &counters->unaudited : NULL;
	const struct qy_visit *visit = qy_visit_of(req);
	const char *correlation = visit->exchange != NULL ? visit->exchange->correlation : NULL;
	struct qy_denial denial;

	qrt_log(server->env->log, cx, QRT_LOG_WARN, "server", "denied", QRT_LOG_TEXT("code", code),
		QRT_LOG_TEXT("client", visit->client), QRT_LOG_TEXT("key", key_id),
		QRT_LOG_TEXT("route", qrt_http_route(req)));
	add(counters != NULL ? &counters->denied : NULL, 1);
	if (!may_write(cx, server)) {
		add(unaudited, 1);
		return;
	}
	fill(&denial, req, code, key_id);
	/* Taken before the wait: of several rows under way each tells its own, and none twice. */
	denial.unaudited = unaudited != NULL ? atomic_exchange(unaudited, 0) : 0;
	if (write_row(cx, server, &denial, correlation) != QRT_OK) {
		add(unaudited, denial.unaudited + 1);
	}
}
