/* quotey runtime: status, history and moves of a running Quotey, over its control listener. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/cli/control_client.h"
#include "quotey/cli/table.h"

#define NAME_SIZE 64

static void print_raw(const char *text)
{
	size_t len = strlen(text);

	printf("%s%s", text, len > 0 && text[len - 1] == '\n' ? "" : "\n");
}

static int print_table(struct qy_cli *cli, struct qy_cli_table *table)
{
	bool whole = qy_cli_table_print(table, stdout);

	qy_cli_table_fini(table);
	return whole ? 0 : qy_cli_fail(cli, QY_CLI_RUNTIME, "out of memory");
}

/* --- status and history -------------------------------------------------------------------- */

static const char *const status_headings[] = {"component",  "backend", "previous",
					      "#in flight", "#moves",  "state"};

static int print_status(struct qy_cli *cli, const struct qy_doc *doc)
{
	struct qy_cli_table table;
	const struct qy_doc *stage = qy_cli_doc_items(doc, "components");

	qy_cli_table_init(&table, status_headings,
			  sizeof(status_headings) / sizeof(status_headings[0]));
	for (; stage != NULL; stage = qy_doc_next(stage)) {
		const char *backend = qy_cli_doc_text(stage, "backend");

		qy_cli_table_text(&table, qy_cli_doc_text(stage, "component"));
		qy_cli_table_text(&table, backend);
		qy_cli_table_text(&table, qy_cli_doc_text(stage, "previous"));
		qy_cli_table_format(&table, "%" PRId64, qy_cli_doc_number(stage, "in_flight"));
		qy_cli_table_format(&table, "%" PRId64, qy_cli_doc_number(stage, "moves"));
		qy_cli_table_text(&table, qy_cli_doc_true(stage, "moving") ? "moving"
					  : backend[0] != '\0'		   ? "serving"
									   : "stopped");
	}
	return print_table(cli, &table);
}

static const char *const history_headings[] = {"#seq",	      "at",	 "component", "from",
					       "to",	      "actor",	 "#ms",	      "#in flight",
					       "#stragglers", "outcome", "reason",    "detail"};

static int print_history(struct qy_cli *cli, const struct qy_doc *doc)
{
	struct qy_cli_table table;
	const struct qy_doc *move = qy_cli_doc_items(doc, "moves");

	qy_cli_table_init(&table, history_headings,
			  sizeof(history_headings) / sizeof(history_headings[0]));
	for (; move != NULL; move = qy_doc_next(move)) {
		qy_cli_table_format(&table, "%" PRId64, qy_cli_doc_number(move, "seq"));
		qy_cli_table_text(&table, qy_cli_doc_text(move, "at"));
		qy_cli_table_text(&table, qy_cli_doc_text(move, "component"));
		qy_cli_table_text(&table, qy_cli_doc_text(move, "from"));
		qy_cli_table_text(&table, qy_cli_doc_text(move, "to"));
		qy_cli_table_text(&table, qy_cli_doc_text(move, "actor"));
		qy_cli_table_format(&table, "%" PRId64, qy_cli_doc_number(move, "total_ms"));
		qy_cli_table_format(&table, "%" PRId64,
				    qy_cli_doc_number(move, "in_flight_at_flip"));
		qy_cli_table_format(&table, "%" PRId64, qy_cli_doc_number(move, "stragglers"));
		qy_cli_table_text(
		    &table, qy_cli_doc_true(move, "ok") ? "moved" : qy_cli_doc_text(move, "error"));
		qy_cli_table_text(&table, qy_cli_doc_text(move, "reason"));
		qy_cli_table_text(&table, qy_cli_doc_text(move, "detail"));
	}
	return print_table(cli, &table);
}

typedef int print_fn(struct qy_cli *cli, const struct qy_doc *doc);

static int ask_and_print(struct qy_cli *cli, const char *path, print_fn *print)
{
	struct qy_cli_question question = {.method = "GET", .path = path};
	const struct qy_cli_option options[] = {
	    {.name = "--control", .value = &question.control},
	};
	struct qy_cli_answer answer;
	int code = qy_cli_args(cli, options, 1, 0);

	if (code == 0) {
		code = qy_cli_ask(cli, &question, &answer);
	}
	if (code != 0) {
		return code;
	}
	if (answer.status != 200) {
		code = qy_cli_answer_fail(cli, &answer, path);
	} else if (cli->json) {
		print_raw(answer.text);
	} else {
		code = print(cli, answer.doc);
	}
	qy_cli_answer_fini(&answer);
	return code;
}

int qy_cmd_runtime_status(struct qy_cli *cli)
{
	return ask_and_print(cli, "/runtime", print_status);
}

int qy_cmd_runtime_history(struct qy_cli *cli)
{
	return ask_and_print(cli, "/runtime/history", print_history);
}

/* --- moves --------------------------------------------------------------------------------- */

static void print_move(const struct qy_doc *move)
{
	const char *from = qy_cli_doc_text(move, "from");
	const char *detail = qy_cli_doc_text(move, "detail");

	printf("%s: %s -> %s in %" PRId64 " ms (flip %" PRId64 " us, %" PRId64 " in flight,"
	       " %" PRId64 " stragglers)%s%s\n",
	       qy_cli_doc_text(move, "component"), from[0] != '\0' ? from : "-",
	       qy_cli_doc_text(move, "to"), qy_cli_doc_number(move, "total_ms"),
	       qy_cli_doc_number(move, "flip_us"), qy_cli_doc_number(move, "in_flight_at_flip"),
	       qy_cli_doc_number(move, "stragglers"), detail[0] != '\0' ? ": " : "", detail);
}

/* One move, or several in "moves". The first that failed is the outcome. */
static int print_moves(struct qy_cli *cli, const struct qy_cli_answer *answer, const char *what)
{
	const struct qy_doc *move = qy_cli_doc_items(answer->doc, "moves");

	if (move == NULL) {
		if (answer->status != 200) {
			return qy_cli_answer_fail(cli, answer, what);
		}
		print_move(answer->doc);
		return 0;
	}
	for (; move != NULL; move = qy_doc_next(move)) {
		if (qy_cli_doc_true(move, "ok")) {
			print_move(move);
		} else {
			qy_cli_move_fail(cli, move);
		}
	}
	return qy_cli_exit_code(cli->class);
}

/* @backend NULL: a rollback; @component NULL as well: of everything. */
static int make_body(struct qy_cli *cli, const char *component, const char *backend,
		     const char *reason, char **ret_body)
{
	struct qy_json json;

	qy_cli_change_begin(&json);
	if (backend != NULL) {
		qy_json_key(&json, "backend");
		qy_json_string(&json, backend);
	}
	if (component != NULL) {
		qy_json_key(&json, "component");
		qy_json_string(&json, component);
	}
	return qy_cli_change_end(cli, &json, reason, ret_body);
}

static int ask_move(struct qy_cli *cli, struct qy_cli_question *question, const char *what)
{
	struct qy_cli_answer answer;
	int code = qy_cli_ask(cli, question, &answer);

	if (code != 0) {
		return code;
	}
	if (!cli->json) {
		code = print_moves(cli, &answer, what);
	} else if (answer.status == 200) {
		print_raw(answer.text);
	} else {
		code = qy_cli_answer_fail(cli, &answer, what);
	}
	qy_cli_answer_fini(&answer);
	return code;
}

/* "server=region" into its two parts. */
static int split_word(struct qy_cli *cli, char ret_component[NAME_SIZE], const char **ret_backend)
{
	const char *word = cli->n_words > 0 ? cli->words[0] : "";
	size_t len = strcspn(word, "=");

	if (len == 0 || len >= NAME_SIZE || word[len] != '=' || word[len + 1] == '\0') {
		return qy_cli_fail(cli, QY_CLI_CONFIG,
				   "\"%s\" is not COMPONENT=BACKEND; for example server=region",
				   word);
	}
	memcpy(ret_component, word, len);
	ret_component[len] = '\0';
	*ret_backend = word + len + 1;
	if (strchr(*ret_backend, ':') != NULL) {
		return qy_cli_fail(cli, QY_CLI_CONFIG,
				   "\"%s\": a share of the work is not supported yet; give the"
				   " backend alone",
				   word);
	}
	return 0;
}

int qy_cmd_runtime_set(struct qy_cli *cli)
{
	struct qy_cli_question question = {
	    .method = "POST", .path = "/runtime/set", .is_change = true};
	const char *reason = NULL;
	const struct qy_cli_option options[] = {
	    {.name = "--control", .value = &question.control},
	    {.name = "--reason", .value = &reason},
	};
	char component[NAME_SIZE];
	const char *backend = NULL;
	char *body = NULL;
	int code = qy_cli_args(cli, options, 2, 1);

	if (code == 0) {
		code = split_word(cli, component, &backend);
	}
	if (code == 0) {
		code = make_body(cli, component, backend, reason, &body);
	}
	if (code == 0) {
		question.body = body;
		code = ask_move(cli, &question, cli->words[0]);
	}
	free(body);
	return code;
}

int qy_cmd_runtime_rollback(struct qy_cli *cli)
{
	struct qy_cli_question question = {
	    .method = "POST", .path = "/runtime/rollback", .is_change = true};
	const char *reason = NULL;
	const struct qy_cli_option options[] = {
	    {.name = "--control", .value = &question.control},
	    {.name = "--reason", .value = &reason},
	};
	char *body = NULL;
	int code = qy_cli_args(cli, options, 2, 1);

	if (code == 0) {
		code = make_body(cli, cli->n_words > 0 ? cli->words[0] : NULL, NULL, reason, &body);
	}
	if (code == 0) {
		question.body = body;
		code = ask_move(cli, &question, "rollback");
	}
	free(body);
	return code;
}
