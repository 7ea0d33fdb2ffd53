/* quotey apikey: makes API keys. The secret is printed once and kept nowhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/cli/database.h"
#include "quotey/core/json_write.h"
#include "quotey/core/text.h"

static int print_key(struct qy_cli *cli, const struct qy_apikey *spec, const char *key)
{
	struct qy_json json;
	char *text;

	if (!cli->json) {
		puts(key);
		return 0;
	}
	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "key");
	qy_json_string(&json, key);
	qy_json_key(&json, "name");
	qy_json_string(&json, spec->name);
	qy_json_object_end(&json);
	if (qy_json_take(&json, &text) != QY_OK) {
		/* The key exists and nothing else will ever show it. */
		puts(key);
		return 0;
	}
	puts(text);
	explicit_bzero(text, strlen(text));
	free(text);
	return 0;
}

static int create(struct qrt_cx *cx, struct qy_cli *cli, struct qy_store *store, void *arg)
{
	const struct qy_apikey *spec = arg;
	char key[QY_APIKEY_TEXT_SIZE];
	struct qy_fault fault;
	enum qrt_err err = qy_store_apikey_create(cx, store, spec, key, &fault);
	int code;

	if (err) {
		return qy_cli_database_fail(cx, cli, QY_CLI_DATABASE, err);
	}
	if (fault.kind != QY_FAULT_NONE) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "%s: %s", fault.field, fault.text);
	}
	code = print_key(cli, spec, key);
	explicit_bzero(key, sizeof(key));
	return code;
}

/* Copies an option's text into a field of the key, which cuts nothing. */
static int take_text(struct qy_cli *cli, const char *option, const char *text, size_t size,
		     char *ret_field)
{
	if (text == NULL) {
		return 0;
	}
	if (strlen(text) >= size || !qy_utf8_valid(text, strlen(text))) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "%s: at most %zu bytes of UTF-8", option,
				   size - 1);
	}
	memcpy(ret_field, text, strlen(text) + 1);
	return 0;
}

int qy_cmd_apikey_create(struct qy_cli *cli)
{
	const char *name = NULL, *scopes = NULL, *rep = NULL, *rate = NULL, *expires = NULL;
	const struct qy_cli_option options[] = {
	    {.name = "--name", .value = &name},	      {.name = "--scopes", .value = &scopes},
	    {.name = "--rep", .value = &rep},	      {.name = "--rate", .value = &rate},
	    {.name = "--expires", .value = &expires},
	};
	struct qy_apikey spec = {0};
	int code = qy_cli_args(cli, options, sizeof(options) / sizeof(options[0]), 0);

	if (code == 0 && (name == NULL || scopes == NULL)) {
		code = qy_cli_fail(cli, QY_CLI_CONFIG, "%s is missing; usage: quotey %s %s",
				   name == NULL ? "--name" : "--scopes", cli->command->name,
				   cli->command->arguments);
	}
	if (code == 0 && qy_scopes_parse(scopes, &spec.scopes) != QY_OK) {
		code = qy_cli_fail(cli, QY_CLI_CONFIG,
				   "--scopes: \"%s\" is not a list of scopes; see quotey %s --help",
				   scopes, cli->command->name);
	}
	if (code == 0 && rate != NULL) {
		code = qy_cli_number(cli, "--rate", rate, 1, QY_APIKEY_RATE_MAX,
				     &spec.rate_per_minute);
	}
	if (code == 0) {
		code = take_text(cli, "--name", name, sizeof(spec.name), spec.name);
	}
	if (code == 0) {
		code = take_text(cli, "--rep", rep, sizeof(spec.rep_id), spec.rep_id);
	}
	if (code == 0) {
		code =
		    take_text(cli, "--expires", expires, sizeof(spec.expires_at), spec.expires_at);
	}
	return code != 0 ? code : qy_cli_database_run(cli, QY_CLI_SCHEMA_NEWEST, create, &spec);
}
