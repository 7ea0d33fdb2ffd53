/* See stage.h. */
#include "tests/lib/stage.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/backends.h"

enum qrt_err stage_open(struct qrt_cx *cx, const struct peer_script *scripts, size_t n,
			const struct qrt_http_client_options *opts, struct stage *stage)
{
	memset(stage, 0, sizeof(*stage));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &stage->region));
	stage->cx = qrt_region_cx(stage->region);
	EXPECT(!peer_open(cx, stage->region, scripts, n, &stage->peer));
	EXPECT(!qrt_http_client_open(stage->cx, opts, &stage->client));
	snprintf(stage->url, sizeof(stage->url), "http://127.0.0.1:%u/a?b=c", stage->peer.port);
	return QRT_OK;
}

enum qrt_err stage_close(struct qrt_cx *cx, struct stage *stage)
{
	qrt_http_client_close(cx, &stage->client);
	peer_close(cx, &stage->peer);
	qrt_region_cancel(stage->region, QRT_CANCEL_USER, "the play is over");
	enum qrt_err err = qrt_region_close(cx, &stage->region, QRT_OK);
	return err == QRT_ECANCELED ? QRT_OK : err;
}

enum qrt_err stage_get(struct stage *stage, struct qrt_http_call **ret_call,
		       struct qrt_http_answer *ret_answer)
{
	const struct qrt_http_ask ask = {.url = stage->url, .report = &stage->report};
	return qrt_http_fetch(stage->cx, stage->client, &ask, ret_call, ret_answer);
}

enum qrt_err stage_expect(struct stage *stage, const char *body)
{
	struct qrt_http_call *call;
	struct qrt_http_answer answer;
	enum qrt_err err = stage_get(stage, &call, &answer);
	if (err) {
		fprintf(stderr, "%s %s\n", qrt_err_name(err), qrt_detail(stage->cx));
		return err;
	}
	EXPECT(answer.status == 200 && strcmp(answer.body, body) == 0);
	qrt_http_call_end(stage->cx, &call);
	return QRT_OK;
}

struct qrt_http_client_stats stage_stats(struct stage *stage)
{
	struct qrt_http_client_stats stats = {.calls = SIZE_MAX};
	QRT_IGNORE(qrt_http_client_stats(stage->cx, stage->client, &stats), "it shows in calls");
	return stats;
}

enum qrt_err stage_until(struct qrt_cx *cx, const size_t *counter, size_t n)
{
	for (int i = 0; i < 20000 && *counter < n; i++) {
		EXPECT(!(i < 1000 ? qrt_yield(cx) : qrt_sleep(cx, QRT_MS)));
	}
	EXPECT(*counter >= n);
	return QRT_OK;
}

bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), len = strlen(end);
	return n >= len && strcmp(text + n - len, end) == 0;
}
