/*
 * GET /regions: the tree of live regions and tasks of every runtime. A loop that does not answer
 * is reported with the task it is stuck in.
 */
#include "quotey/server/control_handlers.h"

#include <stdlib.h>

#include "quotey/server/control_reply.h"

#define DUMP_FIRST (64 * 1024)
#define DUMP_MAX (4 * 1024 * 1024)
#define DUMP_WAIT_NS (500 * QRT_MS)
#define ANSWER_MAX (32 * 1024 * 1024)

/* Adds what the writer holds. */
static void add_json(struct qy_buffer *out, struct qy_json *json)
{
	char *text = NULL;
	enum qy_code code = qy_json_take(json, &text);

	qy_buffer_text(out, code == QY_OK ? text : "null");
	if (code == QY_OK) {
		free(text);
	}
}

static void add_wedged(struct qy_buffer *out, const struct qrt_runtime *rt)
{
	const char *task = NULL, *site = NULL;
	int64_t busy_ns = qrt_runtime_busy(rt, &task, &site);
	struct qy_json json;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "backend");
	qy_json_string(&json, qrt_runtime_backend(rt));
	qy_json_key(&json, "runtime");
	qy_json_string(&json, qrt_runtime_name(rt));
	qy_json_key(&json, "spawned_at");
	qy_json_string(&json, site);
	qy_json_key(&json, "task");
	qy_json_string(&json, task);
	qy_json_key(&json, "wedged_for_ms");
	qy_json_integer(&json, busy_ns / QRT_MS);
	qy_json_object_end(&json);
	add_json(out, &json);
}

static void add_failed(struct qy_buffer *out, const struct qrt_runtime *rt, enum qrt_err err)
{
	struct qy_json json;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "error");
	qy_json_string(&json, qrt_err_text(err));
	qy_json_key(&json, "runtime");
	qy_json_string(&json, qrt_runtime_name(rt));
	qy_json_object_end(&json);
	add_json(out, &json);
}

/*
 * A whole dump, or, of what is larger than DUMP_MAX, one that says that it was cut. The caller
 * frees *ret_text.
 */
static enum qrt_err dump(struct qrt_runtime *rt, char **ret_text)
{
	size_t size = DUMP_FIRST;

	for (;;) {
		char *text = malloc(size);
		enum qrt_err err;

		if (text == NULL) {
			return QRT_ENOMEM;
		}
		text[0] = '\0';
		err = qrt_runtime_dump(rt, DUMP_WAIT_NS, text, size);
		if (!err || (err == QRT_ELIMIT && size >= DUMP_MAX)) {
			*ret_text = text;
			return QRT_OK;
		}
		free(text);
		if (err != QRT_ELIMIT) {
			return err;
		}
		size *= 4;
	}
}

static void add_runtime(struct qy_buffer *out, struct qrt_runtime *rt)
{
	char *text = NULL;
	enum qrt_err err = dump(rt, &text);

	if (err == QRT_ETIMEDOUT) {
		add_wedged(out, rt);
	} else if (err) {
		add_failed(out, rt, err);
	} else {
		qy_buffer_text(out, text);
	}
	free(text);
}

void qy_control_regions(void *app, const struct qrt_control_request *req,
			struct qrt_control_reply *reply)
{
	const struct qy_control_env *env = app;
	struct qy_buffer out;
	size_t i;

	(void)req;
	qy_buffer_init(&out, ANSWER_MAX);
	qy_buffer_text(&out, "[");
	for (i = 0; i < env->n_runtimes; i++) {
		if (i > 0) {
			qy_buffer_text(&out, ",");
		}
		add_runtime(&out, env->runtimes[i]);
	}
	qy_buffer_text(&out, "]");
	qy_control_reply_buffer(reply, 200, NULL, &out);
}
