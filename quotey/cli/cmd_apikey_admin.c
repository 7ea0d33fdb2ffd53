/* quotey apikey list and revoke. No secret is in the database, so none is shown. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/cli/database.h"
#include "quotey/cli/table.h"
#include "quotey/core/json_write.h"

#define SCOPES_SIZE 256

static void scopes_text(uint32_t scopes, char ret_text[SCOPES_SIZE])
{
	size_t used = 0;

	ret_text[0] = '\0';
	for (unsigned i = 0; i < QY_SCOPE_INDEX_COUNT; i++) {
		if (scopes & 1u << i && used < SCOPES_SIZE) {
			used += (size_t)snprintf(ret_text + used, SCOPES_SIZE - used, "%s%s",
						 used > 0 ? "," : "",
						 qy_scope_name((enum qy_scope)(1u << i)));
		}
	}
}

/* --- list ---------------------------------------------------------------------------------- */

static const char *const headings[] = {"id",	    "name",	  "scopes",  "rep",
				       "#a minute", "created at", "used at", "state"};

static const char *state_of(const struct qy_apikey *key, const char *now)
{
	return key->revoked_at[0] != '\0' ? "revoked"
	       : qy_apikey_live(key, now) ? "live"
					  : "expired";
}

static int print_table(struct qy_cli *cli, const struct qy_apikey *keys, size_t count,
		       const char *now)
{
	struct qy_cli_table table;
	char scopes[SCOPES_SIZE];
	bool whole;

	qy_cli_table_init(&table, headings, sizeof(headings) / sizeof(headings[0]));
	for (size_t i = 0; i < count; i++) {
		scopes_text(keys[i].scopes, scopes);
		qy_cli_table_format(&table, "qk_%s", keys[i].id);
		qy_cli_table_text(&table, keys[i].name);
		qy_cli_table_text(&table, scopes);
		qy_cli_table_text(&table, keys[i].rep_id);
		qy_cli_table_format(&table, "%u", keys[i].rate_per_minute);
		qy_cli_table_text(&table, keys[i].created_at);
		qy_cli_table_text(&table, keys[i].last_used_at);
		qy_cli_table_text(&table, state_of(&keys[i], now));
	}
	whole = qy_cli_table_print(&table, stdout);
	qy_cli_table_fini(&table);
	return whole ? 0 : qy_cli_fail(cli, QY_CLI_RUNTIME, "out of memory");
}

static void write_key(struct qy_json *json, const struct qy_apikey *key, const char *now)
{
	const struct {
		const char *name, *text;
	} texts[] = {
	    {"created_at", key->created_at},
	    {"expires_at", key->expires_at},
	    {"id", key->id},
	    {"last_used_at", key->last_used_at},
	    {"name", key->name},
	};
	char scopes[SCOPES_SIZE];

	scopes_text(key->scopes, scopes);
	qy_json_object_begin(json);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		qy_json_key(json, texts[i].name);
		qy_json_string(json, texts[i].text[0] != '\0' ? texts[i].text : NULL);
	}
	qy_json_key(json, "rate_per_minute");
	qy_json_integer(json, key->rate_per_minute);
	qy_json_key(json, "rep_id");
	qy_json_string(json, key->rep_id[0] != '\0' ? key->rep_id : NULL);
	qy_json_key(json, "revoked_at");
	qy_json_string(json, key->revoked_at[0] != '\0' ? key->revoked_at : NULL);
	qy_json_key(json, "scopes");
	qy_json_string(json, scopes);
	qy_json_key(json, "state");
	qy_json_string(json, state_of(key, now));
	qy_json_object_end(json);
}

static int print_json(struct qy_cli *cli, const struct qy_apikey *keys, size_t count,
		      const char *now)
{
	struct qy_json json;
	char *text = NULL;

	qy_json_init(&json);
	qy_json_array_begin(&json);
	for (size_t i = 0; i < count; i++) {
		write_key(&json, &keys[i], now);
	}
	qy_json_array_end(&json);
	if (qy_json_take(&json, &text) != QY_OK) {
		return qy_cli_fail(cli, QY_CLI_RUNTIME, "out of memory");
	}
	puts(text);
	free(text);
	return 0;
}

static int list(struct qrt_cx *cx, struct qy_cli *cli, struct qy_store *store, void *arg)
{
	struct qy_apikey *keys = NULL;
	char now[QY_TIMESTAMP_SIZE] = "";
	size_t count = 0;
	int64_t wall_ms = 0;
	enum qrt_err err = qrt_wall_ms(cx, &wall_ms);
	int code;

	(void)arg;
	if (!err && qy_timestamp_format(wall_ms, now) != QY_OK) {
		err = QRT_EFAILED;
	}
	if (!err) {
		err = qy_store_apikey_list(cx, store, &keys, &count);
	}
	if (err) {
		return qy_cli_database_fail(cx, cli, QY_CLI_DATABASE, err);
	}
	code = cli->json ? print_json(cli, keys, count, now) : print_table(cli, keys, count, now);
	free(keys);
	return code;
}

int qy_cmd_apikey_list(struct qy_cli *cli)
{
	int code = qy_cli_args(cli, NULL, 0, 0);

	return code != 0 ? code : qy_cli_database_run(cli, QY_CLI_SCHEMA_NEWEST, list, NULL);
}

/* --- revoke -------------------------------------------------------------------------------- */

static int revoke(struct qrt_cx *cx, struct qy_cli *cli, struct qy_store *store, void *arg)
{
	const char *id = arg;
	struct qy_fault fault;
	enum qrt_err err = qy_store_apikey_revoke(cx, store, id, &fault);

	if (err) {
		return qy_cli_database_fail(cx, cli, QY_CLI_DATABASE, err);
	}
	if (fault.kind != QY_FAULT_NONE) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "there is no API key qk_%s", id);
	}
	return qy_cli_done(cli, "qk_%s opens nothing from now on", id);
}

int qy_cmd_apikey_revoke(struct qy_cli *cli)
{
	int code = qy_cli_args(cli, NULL, 0, 1);
	char id[QY_APIKEY_ID_SIZE];
	const char *word;

	if (code != 0) {
		return code;
	}
	if (cli->n_words == 0) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "ID is missing; see quotey apikey list");
	}
	word = cli->words[0];
	word += strncmp(word, "qk_", 3) == 0 ? 3 : 0;
	/* A whole key will do, too; what follows is its secret and is not looked at. */
	if (strspn(word, "0123456789abcdef") != QY_APIKEY_ID_LEN ||
	    (word[QY_APIKEY_ID_LEN] != '\0' && word[QY_APIKEY_ID_LEN] != '_')) {
		return qy_cli_fail(cli, QY_CLI_CONFIG,
				   "ID is no id of an API key: qk_ and 8 of 0-9 and a-f");
	}
	memcpy(id, word, QY_APIKEY_ID_LEN);
	id[QY_APIKEY_ID_LEN] = '\0';
	return qy_cli_database_run(cli, QY_CLI_SCHEMA_NEWEST, revoke, id);
}
