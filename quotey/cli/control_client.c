/* The client side of the control listener. Never prints a token. */
#include "quotey/cli/control_client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qrt/control.h>

#include "quotey/cli/keyfile.h"

#define READ_TIMEOUT_MS 5000
/* A move may take its whole preparing and draining time. */
#define CHANGE_TIMEOUT_MS 35000
#define ADDRESS_SIZE 64

struct place {
	char address[ADDRESS_SIZE];
	uint16_t port;
};

/* --- where --------------------------------------------------------------------------------- */

/* "http://127.0.0.1:8080", "http://[::1]:8080", with or without a slash at its end. */
static bool parse_url(const char *url, struct place *ret_place)
{
	static const char scheme[] = "http://";
	const char *host = url + sizeof(scheme) - 1;
	const char *end, *port;
	size_t digits;
	unsigned long number;

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0) {
		return false;
	}
	if (*host == '[') {
		host++;
		end = strchr(host, ']');
		port = end != NULL && end[1] == ':' ? end + 2 : NULL;
	} else {
		end = strchr(host, ':');
		port = end != NULL ? end + 1 : NULL;
	}
	if (port == NULL || end == host || (size_t)(end - host) >= ADDRESS_SIZE) {
		return false;
	}
	digits = strspn(port, "0123456789");
	number = digits >= 1 && digits <= 5 ? strtoul(port, NULL, 10) : 0;
	if (number < 1 || number > 65535 ||
	    (port[digits] != '\0' && strcmp(port + digits, "/") != 0)) {
		return false;
	}
	memcpy(ret_place->address, host, (size_t)(end - host));
	ret_place->address[end - host] = '\0';
	ret_place->port = (uint16_t)number;
	return true;
}

static int find_place(struct qy_cli *cli, const char *control, struct place *ret_place)
{
	int64_t port = qy_config_int(cli->config, "control.port");
	const char *address = qy_config_str(cli->config, "control.bind_address");

	if (control != NULL) {
		return parse_url(control, ret_place)
			   ? 0
			   : qy_cli_fail(cli, QY_CLI_CONFIG,
					 "--control: \"%s\" is not http://ADDRESS:PORT with a"
					 " numeric address",
					 control);
	}
	if (port == 0 || strlen(address) >= sizeof(ret_place->address)) {
		return qy_cli_fail(cli, QY_CLI_CONFIG,
				   "control.port (%s) is 0: give the port that quotey start"
				   " printed, with --control http://ADDRESS:PORT",
				   qy_config_source(cli->config, "control.port"));
	}
	memcpy(ret_place->address, address, strlen(address) + 1);
	ret_place->port = (uint16_t)port;
	return 0;
}

/* --- with which token ---------------------------------------------------------------------- */

/* A missing key file is fatal only for what needs the token. *ret_token is "" without one. */
static int find_token(struct qy_cli *cli, bool is_change, struct qy_keys *keys,
		      const char **ret_token)
{
	const char *path = qy_config_str(cli->config, "security.key_file");
	char problem[QY_KEYFILE_PROBLEM_SIZE];

	*ret_token = qy_config_str(cli->config, "control.token");
	if ((*ret_token)[0] != '\0') {
		return 0;
	}
	if (qy_keyfile_read(path, /* create= */ false, keys, problem)) {
		*ret_token = keys->control_token;
		return 0;
	}
	return is_change
		   ? qy_cli_fail(cli, QY_CLI_CONFIG,
				 "the control token is needed: %s; or set control.token", problem)
		   : 0;
}

/* --- asking -------------------------------------------------------------------------------- */

static int no_answer(struct qy_cli *cli, const struct place *place, enum qrt_err err)
{
	if (err == QRT_EINVAL) {
		return qy_cli_fail(cli, QY_CLI_CONFIG,
				   "control listener: \"%s\" is no numeric address, or the token"
				   " does not fit into a header",
				   place->address);
	}
	return qy_cli_fail(cli, QY_CLI_RUNTIME, "control listener %s, port %u: %s%s",
			   place->address, (unsigned)place->port, qrt_err_text(err),
			   err == QRT_ECONNREFUSED ? "; is quotey start running?" : "");
}

void qy_cli_change_begin(struct qy_json *json)
{
	qy_json_init(json);
	qy_json_object_begin(json);
	qy_json_key(json, "actor");
	qy_json_string(json, "user:cli");
}

int qy_cli_change_end(struct qy_cli *cli, struct qy_json *json, const char *reason, char **ret_body)
{
	enum qy_code code;

	if (reason != NULL) {
		qy_json_key(json, "reason");
		qy_json_string(json, reason);
	}
	qy_json_object_end(json);
	code = qy_json_take(json, ret_body);
	return code == QY_OK ? 0
			     : qy_cli_fail(cli, QY_CLI_CONFIG, "arguments: %s", qy_code_text(code));
}

int qy_cli_ask(struct qy_cli *cli, const struct qy_cli_question *question,
	       struct qy_cli_answer *ret_answer)
{
	struct qrt_control_target target = {
	    .timeout_ms = question->is_change ? CHANGE_TIMEOUT_MS : READ_TIMEOUT_MS,
	    .body_max = question->text_max,
	};
	struct qy_cli_answer answer = {0};
	struct qy_doc_error error;
	struct qy_keys keys = {0};
	struct place place;
	enum qrt_err err = QRT_OK;
	int code = find_place(cli, question->control, &place);

	if (code == 0) {
		code = find_token(cli, question->is_change, &keys, &target.token);
	}
	if (code == 0) {
		target.address = place.address;
		target.port = place.port;
		target.token = target.token[0] != '\0' ? target.token : NULL;
		err = qrt_control_ask(&target, question->method, question->path, question->body,
				      &answer.status, &answer.text);
	}
	qy_keys_fini(&keys);
	if (code != 0 || err) {
		return code != 0 ? code : no_answer(cli, &place, err);
	}
	if (question->text_max > 0 && answer.status == 200) {
		*ret_answer = answer;
		return 0;
	}
	if (!qy_doc_parse(answer.text, strlen(answer.text), &answer.doc, &error)) {
		code = qy_cli_fail(cli, QY_CLI_RUNTIME, "%s: the answer is no JSON: %s",
				   question->path, error.text);
		qy_cli_answer_fini(&answer);
		return code;
	}
	*ret_answer = answer;
	return 0;
}

void qy_cli_answer_fini(struct qy_cli_answer *answer)
{
	qy_doc_destroy(&answer->doc);
	free(answer->text);
	answer->text = NULL;
}

int qy_cli_answer_fail(struct qy_cli *cli, const struct qy_cli_answer *answer, const char *what)
{
	/* A refused request says "error"; a failed move has "detail", and the error's name. */
	const char *detail = qy_cli_doc_text(answer->doc, "detail");
	const char *error = qy_cli_doc_text(answer->doc, "error");
	bool is_ours = answer->status >= 400 && answer->status < 500 && answer->status != 409;

	return qy_cli_fail(cli, is_ours ? QY_CLI_CONFIG : QY_CLI_RUNTIME, "%s: %s", what,
			   detail[0] != '\0'  ? detail
			   : error[0] != '\0' ? error
					      : "refused");
}

/* --- reading the answer -------------------------------------------------------------------- */

static const struct qy_doc *member_of(const struct qy_doc *object, const char *name,
				      enum qy_doc_kind kind)
{
	const struct qy_doc *member = NULL;

	if (object != NULL && qy_doc_kind(object) == QY_DOC_OBJECT) {
		member = qy_doc_member(object, name);
	}
	return member != NULL && qy_doc_kind(member) == kind ? member : NULL;
}

void qy_cli_move_fail(struct qy_cli *cli, const struct qy_doc *move)
{
	qy_cli_fail(cli, QY_CLI_RUNTIME, "%s: %s", qy_cli_doc_text(move, "component"),
		    qy_cli_doc_text(move, "detail"));
}

const char *qy_cli_doc_text(const struct qy_doc *object, const char *name)
{
	const struct qy_doc *member = member_of(object, name, QY_DOC_STRING);

	return member != NULL ? qy_doc_string(member) : "";
}

int64_t qy_cli_doc_number(const struct qy_doc *object, const char *name)
{
	const struct qy_doc *member = member_of(object, name, QY_DOC_INTEGER);

	return member != NULL ? qy_doc_integer(member) : 0;
}

bool qy_cli_doc_true(const struct qy_doc *object, const char *name)
{
	const struct qy_doc *member = member_of(object, name, QY_DOC_BOOLEAN);

	return member != NULL && qy_doc_boolean(member);
}

const struct qy_doc *qy_cli_doc_items(const struct qy_doc *object, const char *name)
{
	const struct qy_doc *member = member_of(object, name, QY_DOC_ARRAY);

	return member != NULL ? qy_doc_first(member) : NULL;
}
