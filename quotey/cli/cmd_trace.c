/* quotey runtime trace: a recording of a running Quotey, over its control listener. */
#include <stdio.h>
#include <stdlib.h>

#include "quotey/cli/control_client.h"

#define TEXT_MAX ((size_t)128 << 20)
#define SECS_MAX 20
#define EVENTS_MAX 100000
#define BODY_SIZE 64

static int make_body(struct qy_cli *cli, const char *secs, const char *events,
		     char ret_body[BODY_SIZE])
{
	unsigned n_secs = 1, n_events = 50000;
	int code = 0;

	if (secs != NULL) {
		code = qy_cli_number(cli, "--secs", secs, 1, SECS_MAX, &n_secs);
	}
	if (code == 0 && events != NULL) {
		code = qy_cli_number(cli, "--events", events, 1, EVENTS_MAX, &n_events);
	}
	snprintf(ret_body, BODY_SIZE, "{\"secs\":%u,\"events\":%u}", n_secs, n_events);
	return code;
}

int qy_cmd_runtime_trace(struct qy_cli *cli)
{
	char body[BODY_SIZE];
	struct qy_cli_question question = {.method = "POST",
					   .path = "/trace",
					   .body = body,
					   .is_change = true,
					   .text_max = TEXT_MAX};
	const char *secs = NULL;
	const char *events = NULL;
	const struct qy_cli_option options[] = {
	    {.name = "--control", .value = &question.control},
	    {.name = "--secs", .value = &secs},
	    {.name = "--events", .value = &events},
	};
	struct qy_cli_answer answer;
	int code = qy_cli_args(cli, options, sizeof(options) / sizeof(options[0]), 0);

	if (code == 0) {
		code = make_body(cli, secs, events, body);
	}
	if (code == 0) {
		code = qy_cli_ask(cli, &question, &answer);
	}
	if (code != 0) {
		return code;
	}
	if (answer.status == 200) {
		fputs(answer.text, stdout);
	} else {
		code = qy_cli_answer_fail(cli, &answer, "trace");
	}
	qy_cli_answer_fini(&answer);
	return code;
}
