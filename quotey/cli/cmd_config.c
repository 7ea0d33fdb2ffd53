/* quotey config: every key, its value as it may be shown, and where that came from. */
#include <stdio.h>
#include <stdlib.h>

#include "quotey/cli/command.h"
#include "quotey/cli/table.h"
#include "quotey/core/json_write.h"

static const char *const headings[] = {"key", "value", "source"};

static int print_table(struct qy_cli *cli)
{
	struct qy_cli_table table;
	bool whole;

	qy_cli_table_init(&table, headings, sizeof(headings) / sizeof(headings[0]));
	for (size_t i = 0; i < qy_config_key_count(); i++) {
		const char *key = qy_config_key_name(i);

		qy_cli_table_text(&table, key);
		qy_cli_table_text(&table, qy_config_shown(cli->config, key));
		qy_cli_table_text(&table, qy_config_source(cli->config, key));
	}
	whole = qy_cli_table_print(&table, stdout);
	qy_cli_table_fini(&table);
	return whole ? 0 : qy_cli_fail(cli, QY_CLI_RUNTIME, "out of memory");
}

static int print_json(struct qy_cli *cli)
{
	struct qy_json json;
	enum qy_code code;
	char *text;

	qy_json_init(&json);
	qy_json_array_begin(&json);
	for (size_t i = 0; i < qy_config_key_count(); i++) {
		const char *key = qy_config_key_name(i);

		qy_json_object_begin(&json);
		qy_json_key(&json, "key");
		qy_json_string(&json, key);
		qy_json_key(&json, "source");
		qy_json_string(&json, qy_config_source(cli->config, key));
		qy_json_key(&json, "value");
		qy_json_string(&json, qy_config_shown(cli->config, key));
		qy_json_object_end(&json);
	}
	qy_json_array_end(&json);
	code = qy_json_take(&json, &text);
	if (code != QY_OK) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "JSON: %s", qy_code_text(code));
	}
	puts(text);
	free(text);
	return 0;
}

int qy_cmd_config(struct qy_cli *cli)
{
	int code = qy_cli_args(cli, NULL, 0, 0);

	if (code != 0) {
		return code;
	}
	return cli->json ? print_json(cli) : print_table(cli);
}
