/* quotey runtime kill: the brake, over the control listener of a running Quotey. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/cli/control_client.h"
#include "quotey/core/json_write.h"

static int make_body(struct qy_cli *cli, bool clear, const char *reason, char **ret_body)
{
	struct qy_json json;
	enum qy_code code;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "actor");
	qy_json_string(&json, "user:cli");
	qy_json_key(&json, "clear");
	qy_json_boolean(&json, clear);
	if (reason != NULL) {
		qy_json_key(&json, "reason");
		qy_json_string(&json, reason);
	}
	qy_json_object_end(&json);
	code = qy_json_take(&json, ret_body);
	return code == QY_OK ? 0
			     : qy_cli_fail(cli, QY_CLI_CONFIG, "arguments: %s", qy_code_text(code));
}

static void print_answer(struct qy_cli *cli, const struct qy_cli_answer *answer)
{
	const struct qy_doc *move = qy_cli_doc_items(answer->doc, "moves");

	if (!qy_cli_doc_true(answer->doc, "killed")) {
		puts("cleared; nothing has moved: see quotey runtime rollback");
	}
	for (; move != NULL; move = qy_doc_next(move)) {
		if (qy_cli_doc_true(move, "ok")) {
			printf("%s: held on %s\n", qy_cli_doc_text(move, "component"),
			       qy_cli_doc_text(move, "to"));
		} else {
			qy_cli_fail(cli, QY_CLI_RUNTIME, "%s: %s",
				    qy_cli_doc_text(move, "component"),
				    qy_cli_doc_text(move, "detail"));
		}
	}
}

int qy_cmd_runtime_kill(struct qy_cli *cli)
{
	struct qy_cli_question question = {
	    .method = "POST", .path = "/runtime/kill", .is_change = true};
	const char *reason = NULL;
	bool clear = false;
	const struct qy_cli_option options[] = {
	    {.name = "--control", .value = &question.control},
	    {.name = "--reason", .value = &reason},
	    {.name = "--clear", .flag = &clear},
	};
	struct qy_cli_answer answer;
	char *body = NULL;
	int code = qy_cli_args(cli, options, sizeof(options) / sizeof(options[0]), 0);

	if (code == 0) {
		code = make_body(cli, clear, reason, &body);
	}
	if (code == 0) {
		question.body = body;
		code = qy_cli_ask(cli, &question, &answer);
	}
	free(body);
	if (code != 0) {
		return code;
	}
	if (qy_cli_doc_items(answer.doc, "moves") == NULL && answer.status != 200) {
		code = qy_cli_answer_fail(cli, &answer, "kill");
	} else if (cli->json) {
		printf("%s\n", answer.text);
	} else {
		print_answer(cli, &answer);
		code = qy_cli_exit_code(cli->class);
	}
	qy_cli_answer_fini(&answer);
	return code;
}
