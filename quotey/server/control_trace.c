/*
 * POST /trace: records every runtime for some seconds and answers with the recording. One
 * at a time. A loop that does not answer is left out; what it was asked it does, and undoes, in
 * order, when it comes back.
 */
#include "quotey/server/control_handlers.h"

#include <stdlib.h>

#include <qrt/trace.h>

#include "quotey/server/control_reply.h"
#include "quotey/server/control_task.h"
#include "quotey/server/shape.h"

#define SECS_DEFAULT 1
#define SECS_MAX 20
#define EVENTS_DEFAULT 50000
#define EVENTS_MAX 100000
#define RUNTIMES_MAX 8
#define ASK_MAX_NS (500 * QRT_MS)
/* A stop must not have to wait for the end of a recording. */
#define SLEEP_NS (100 * QRT_MS)
#define ANSWER_MAX ((size_t)128 << 20)

struct wish {
	int64_t secs, events;
};

static const struct qy_member_rule rules[] = {
    {"secs", QY_DOC_INTEGER, false},
    {"events", QY_DOC_INTEGER, false},
};

/* Of a member that may be absent. */
static bool take(const struct qy_doc *body, const char *name, int64_t max, int64_t *number,
		 struct qy_error *error)
{
	const struct qy_doc *member = qy_doc_member(body, name);

	if (member == NULL) {
		return true;
	}
	*number = qy_doc_integer(member);
	if (*number < 1 || *number > max) {
		qy_error_set(error, 400, "INVALID_FIELD", "%s: must be from 1 to %d", name,
			     (int)max);
		return false;
	}
	return true;
}

static bool read_wish(const struct qrt_control_request *req, struct wish *ret_wish,
		      struct qy_error *error)
{
	struct wish wish = {SECS_DEFAULT, EVENTS_DEFAULT};
	struct qy_doc *body = NULL;
	bool good = true;

	if (req->body_len > 0) {
		good = qy_body_parse(req->body, req->body_len, &body, error) &&
		       qy_shape_check(body, rules, sizeof(rules) / sizeof(rules[0]), "", error) &&
		       take(body, "secs", SECS_MAX, &wish.secs, error) &&
		       take(body, "events", EVENTS_MAX, &wish.events, error);
		qy_doc_destroy(&body);
	}
	if (good) {
		*ret_wish = wish;
	}
	return good;
}

/* --- work on the runtimes -------------------------------------------------------------------- */

struct recorder {
	struct qy_control_task task;
	struct qy_control_env *env; /* outlives the control listener, and so every wait for us */
	struct wish wish;
	struct qrt_trace *trace;
	enum qrt_err err;
};

static void recorder_fini(struct qy_control_task *task)
{
	struct recorder *recorder = (struct recorder *)task;

	qrt_trace_destroy(&recorder->trace);
}

static struct recorder *recorder_new(struct qy_control_env *env, const struct wish *wish)
{
	struct recorder *recorder = calloc(1, sizeof(*recorder));

	if (recorder != NULL) {
		recorder->task.fini = recorder_fini;
		recorder->env = env;
		recorder->wish = *wish;
	}
	return recorder;
}

static enum qrt_err start_main(struct qrt_cx *cx, void *arg)
{
	struct recorder *recorder = arg;

	recorder->err = qrt_trace_start(cx, (size_t)recorder->wish.events);
	return QRT_OK;
}

static enum qrt_err stop_main(struct qrt_cx *cx, void *arg)
{
	struct recorder *recorder = arg;

	recorder->err = qrt_trace_stop(cx, &recorder->trace);
	return QRT_OK;
}

static enum qrt_err wait_main(struct qrt_cx *cx, void *arg)
{
	struct recorder *recorder = arg;
	int64_t until_ns = qrt_deadline_in(cx, recorder->wish.secs * QRT_SEC);
	enum qrt_err err = QRT_OK;

	while (!err && qrt_deadline_in(cx, 0) < until_ns &&
	       !atomic_load(&recorder->env->draining)) {
		int64_t left_ns = until_ns - qrt_deadline_in(cx, 0);

		err = qrt_sleep(cx, left_ns < SLEEP_NS ? left_ns : SLEEP_NS);
	}
	return err;
}

/* Runs @fn on @rt. *ret_trace, which may be NULL, gets the recording if there is one. */
static enum qrt_err run(struct qrt_runtime *rt, struct recorder *recorder, qrt_task_fn *fn,
			int64_t patience_ns, struct qrt_trace **ret_trace)
{
	enum qrt_err err;

	if (recorder == NULL) {
		return QRT_ENOMEM;
	}
	err = qy_control_task_run(rt, patience_ns, fn, &recorder->task);
	if (!err) {
		err = recorder->err;
	}
	if (!err && ret_trace != NULL) {
		*ret_trace = recorder->trace;
		recorder->trace = NULL;
	}
	qy_control_task_drop(recorder);
	return err;
}

/* Recordings of the runtimes that took part; *ret_err of one that did not. */
static size_t record(struct qy_control_env *env, const struct wish *wish,
		     struct qrt_trace *ret_traces[RUNTIMES_MAX], enum qrt_err *ret_err)
{
	size_t n = env->n_runtimes < RUNTIMES_MAX ? env->n_runtimes : RUNTIMES_MAX, i;
	size_t started = 0;
	enum qrt_err err;

	for (i = 0; i < n; i++) {
		ret_traces[i] = NULL;
		err = run(env->runtimes[i], recorder_new(env, wish), start_main, ASK_MAX_NS, NULL);
		*ret_err = err ? err : *ret_err;
		started += err == QRT_OK;
	}
	if (started > 0) {
		/* However it ends, what has been recorded by then is the answer. */
		QRT_IGNORE(run(env->supervisor, recorder_new(env, wish), wait_main,
			       (wish->secs + 1) * QRT_SEC, NULL),
			   "a shorter recording");
	}
	for (i = 0; i < n; i++) {
		/* Also where the start was not answered: it may have come late. */
		err = run(env->runtimes[i], recorder_new(env, wish), stop_main, ASK_MAX_NS,
			  &ret_traces[i]);
		*ret_err = err ? err : *ret_err;
	}
	return n;
}

/* --- the answer ------------------------------------------------------------------------------ */

static enum qrt_err add(void *arg, const char *text, size_t n)
{
	struct qy_buffer *out = arg;

	qy_buffer_bytes(out, text, n);
	return out->err;
}

static void reply_traces(struct qrt_control_reply *reply, struct qrt_trace **traces, size_t n,
			 enum qrt_err err)
{
	struct qy_buffer out;
	struct qy_error error;
	bool any = false;
	size_t i;

	for (i = 0; i < n; i++) {
		any = any || traces[i] != NULL;
	}
	if (!any) {
		qy_error_set(&error, 503, "SERVICE_UNAVAILABLE", "Nothing was recorded: %s.",
			     qrt_err_text(err));
		qy_control_reply_error(reply, &error);
		return;
	}
	qy_buffer_init(&out, ANSWER_MAX);
	QRT_IGNORE(qrt_trace_export(traces, n, add, &out), "the buffer remembers it");
	qy_control_reply_buffer(reply, 200, NULL, &out);
}

void qy_control_trace(void *app, const struct qrt_control_request *req,
		      struct qrt_control_reply *reply)
{
	struct qy_control_env *env = app;
	struct qrt_trace *traces[RUNTIMES_MAX];
	enum qrt_err err = QRT_OK;
	struct qy_error error;
	struct wish wish;
	size_t n, i;

	if (!read_wish(req, &wish, &error)) {
		qy_control_reply_error(reply, &error);
		return;
	}
	if (atomic_exchange(&env->is_recording, true)) {
		qy_error_set(&error, 409, "CONFLICT", "Another recording is under way.");
		qy_control_reply_error(reply, &error);
		return;
	}
	n = record(env, &wish, traces, &err);
	atomic_store(&env->is_recording, false);
	reply_traces(reply, traces, n, err);
	for (i = 0; i < n; i++) {
		qrt_trace_destroy(&traces[i]);
	}
}
