/*
 * The outcome of a command, and how it is printed. Texts may come from anywhere (file names,
 * servers), so what is no UTF-8 is replaced before it goes into JSON.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/cli/command.h"
#include "quotey/core/json_write.h"
#include "quotey/core/text.h"

struct class_entry {
	const char *name;
	int exit_code;
};

static const struct class_entry classes[QY_CLI_CLASS_COUNT] = {
#define CLASS_ENTRY(name, text, code) {text, code},
    QY_CLI_CLASS_MAP(CLASS_ENTRY)
#undef CLASS_ENTRY
};

const char *qy_cli_class_name(enum qy_cli_class class)
{
	return classes[class].name;
}

int qy_cli_exit_code(enum qy_cli_class class)
{
	return classes[class].exit_code;
}

/* One line of valid UTF-8, whatever came in. */
static void make_printable(char *text)
{
	bool valid = qy_utf8_valid(text, strlen(text));

	for (unsigned char *p = (unsigned char *)text; *p; p++) {
		if (*p < ' ' || *p == 0x7f) {
			*p = ' ';
		} else if (!valid && *p >= 0x80) {
			*p = '?';
		}
	}
}

static void set_message(struct qy_cli *cli, const char *format, va_list args)
{
	char text[QY_CLI_MESSAGE_SIZE];

	vsnprintf(text, sizeof(text), format, args);
	qy_text_cut(cli->message, sizeof(cli->message), text);
	make_printable(cli->message);
}

int qy_cli_fail(struct qy_cli *cli, enum qy_cli_class class, const char *format, ...)
{
	va_list args;

	if (cli->class == QY_CLI_NONE) {
		cli->class = class;
		va_start(args, format);
		set_message(cli, format, args);
		va_end(args);
	}
	return qy_cli_exit_code(cli->class);
}

int qy_cli_done(struct qy_cli *cli, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	set_message(cli, format, args);
	va_end(args);
	return 0;
}

static void print_json(const struct qy_cli *cli)
{
	struct qy_json json;
	char *text;

	qy_json_init(&json);
	qy_json_object_begin(&json);
	qy_json_key(&json, "command");
	qy_json_string(&json, cli->command != NULL ? cli->command->name : NULL);
	qy_json_key(&json, "error_class");
	qy_json_string(&json, cli->class != QY_CLI_NONE ? qy_cli_class_name(cli->class) : NULL);
	qy_json_key(&json, "message");
	qy_json_string(&json, cli->message);
	qy_json_key(&json, "status");
	qy_json_string(&json, cli->class != QY_CLI_NONE ? "error" : "ok");
	qy_json_object_end(&json);
	if (qy_json_take(&json, &text) == QY_OK) {
		puts(text);
		free(text);
	} else {
		puts("{\"status\":\"error\"}");
	}
}

void qy_cli_report(struct qy_cli *cli)
{
	unsigned flags = cli->command != NULL ? cli->command->flags : 0;
	bool failed = cli->class != QY_CLI_NONE;

	if (failed) {
		fprintf(stderr, "quotey%s%s: %s\n", cli->command != NULL ? " " : "",
			cli->command != NULL ? cli->command->name : "", cli->message);
	}
	if (failed ? cli->json || (flags & (QY_CLI_REPORTS | QY_CLI_MACHINE)) != 0
		   : (flags & QY_CLI_REPORTS) != 0 && !cli->help) {
		print_json(cli);
	}
}
