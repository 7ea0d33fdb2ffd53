/* quotey runtime kill: the brake, over the control listener of a running Quotey. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/cli/control_client.h"

static int make_body(struct qy_cli *cli, bool clear, const char *reason, char **ret_body)
{
	struct qy_json json;

	qy_cli_change_begin(&json);
	qy_json_key(&json, "clear");
	qy_json_boolean(&json, clear);
	return qy_cli_change_end(cli, &json, reason, ret_body);
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
			qy_cli_move_fail(cli, move);
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
		code = answer.status == 200 ? 0 : qy_cli_exit_code(QY_CLI_RUNTIME);
	} else {
		print_answer(cli, &answer);
		code = qy_cli_exit_code(cli->class);
	}
	qy_cli_answer_fini(&answer);
	return code;
}
