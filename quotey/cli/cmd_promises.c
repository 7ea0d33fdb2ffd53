/* quotey runtime promises: what each backend of the build promises, side by side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/runtime.h>

#include "quotey/cli/command.h"
#include "quotey/cli/table.h"
#include "quotey/core/json_write.h"

/* What @backend answers to the promise @key; NULL: it does not have it. */
static const struct qrt_promise *find_promise(const char *backend, const char *key)
{
	size_t n;
	const struct qrt_promise *promises = qrt_backend_promises(backend, &n);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(promises[i].key, key) == 0) {
			return &promises[i];
		}
	}
	return NULL;
}

/* Whether a backend before number @before has it: then it has been listed. */
static bool seen_before(const char *const *backends, size_t before, const char *key)
{
	for (size_t i = 0; i < before; i++) {
		if (find_promise(backends[i], key) != NULL) {
			return true;
		}
	}
	return false;
}

typedef void row_fn(void *to, const char *const *backends, size_t n,
		    const struct qrt_promise *promise);

/* Every promise that any backend makes, once, in the order of the backends. */
static void each_promise(const char *const *backends, size_t n, row_fn *fn, void *to)
{
	for (size_t b = 0; b < n; b++) {
		size_t count;
		const struct qrt_promise *promises = qrt_backend_promises(backends[b], &count);

		for (size_t i = 0; i < count; i++) {
			if (!seen_before(backends, b, promises[i].key)) {
				fn(to, backends, n, &promises[i]);
			}
		}
	}
}

static void table_row(void *to, const char *const *backends, size_t n,
		      const struct qrt_promise *promise)
{
	qy_cli_table_text(to, promise->key);
	for (size_t b = 0; b < n; b++) {
		const struct qrt_promise *own = find_promise(backends[b], promise->key);

		qy_cli_table_text(to, own != NULL ? own->answer : NULL);
	}
	qy_cli_table_text(to, promise->text);
}

static int print_table(struct qy_cli *cli, const char *const *backends, size_t n)
{
	const char *headings[QY_CLI_COLUMNS_MAX] = {"promise"};
	struct qy_cli_table table;
	bool whole;

	for (size_t b = 0; b < n; b++) {
		headings[1 + b] = backends[b];
	}
	headings[1 + n] = "meaning";
	qy_cli_table_init(&table, headings, n + 2);
	each_promise(backends, n, table_row, &table);
	whole = qy_cli_table_print(&table, stdout);
	qy_cli_table_fini(&table);
	return whole ? 0 : qy_cli_fail(cli, QY_CLI_RUNTIME, "out of memory");
}

/* An array of answers: names of backends are not in the byte order that members need. */
static void json_row(void *to, const char *const *backends, size_t n,
		     const struct qrt_promise *promise)
{
	struct qy_json *json = to;

	qy_json_object_begin(json);
	qy_json_key(json, "answers");
	qy_json_array_begin(json);
	for (size_t b = 0; b < n; b++) {
		const struct qrt_promise *own = find_promise(backends[b], promise->key);

		qy_json_object_begin(json);
		qy_json_key(json, "answer");
		qy_json_string(json, own != NULL ? own->answer : NULL);
		qy_json_key(json, "backend");
		qy_json_string(json, backends[b]);
		qy_json_object_end(json);
	}
	qy_json_array_end(json);
	qy_json_key(json, "key");
	qy_json_string(json, promise->key);
	qy_json_key(json, "text");
	qy_json_string(json, promise->text);
	qy_json_object_end(json);
}

static int print_json(struct qy_cli *cli, const char *const *backends, size_t n)
{
	struct qy_json json;
	enum qy_code code;
	char *text;

	qy_json_init(&json);
	qy_json_array_begin(&json);
	each_promise(backends, n, json_row, &json);
	qy_json_array_end(&json);
	code = qy_json_take(&json, &text);
	if (code != QY_OK) {
		return qy_cli_fail(cli, QY_CLI_RUNTIME, "JSON: %s", qy_code_text(code));
	}
	puts(text);
	free(text);
	return 0;
}

int qy_cmd_runtime_promises(struct qy_cli *cli)
{
	size_t n;
	const char *const *backends = qrt_backend_names(&n);
	int code = qy_cli_args(cli, NULL, 0, 0);

	QRT_ASSERT(n + 2 <= QY_CLI_COLUMNS_MAX);
	if (code != 0) {
		return code;
	}
	return cli->json ? print_json(cli, backends, n) : print_table(cli, backends, n);
}
