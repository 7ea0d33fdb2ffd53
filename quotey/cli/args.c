/* A command's own arguments: options by a table, the rest are words. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/cli/command.h"

static const struct qy_cli_option *find_option(const struct qy_cli_option *options, size_t n,
					       const char *arg, size_t len)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(options[i].name) == len && strncmp(options[i].name, arg, len) == 0) {
			return &options[i];
		}
	}
	return NULL;
}

/* Takes args[*at], which looks like an option, and the value that follows it. */
static int take_option(struct qy_cli *cli, const struct qy_cli_option *options, size_t n,
		       size_t *at)
{
	const char *arg = cli->args[*at];
	const char *equals = strchr(arg, '=');
	size_t len = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
	const struct qy_cli_option *option = find_option(options, n, arg, len);

	if (option == NULL) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "unknown option %.*s; see quotey %s --help",
				   (int)len, arg, cli->command->name);
	}
	if (option->flag != NULL) {
		if (equals != NULL || *option->flag) {
			return qy_cli_fail(cli, QY_CLI_CONFIG, "%s %s", option->name,
					   equals != NULL ? "takes no value" : "is given twice");
		}
		*option->flag = true;
		return 0;
	}
	if (*option->value != NULL) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "%s is given twice", option->name);
	}
	if (equals == NULL && *at + 1 == cli->n_args) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "%s needs a value", option->name);
	}
	*option->value = equals != NULL ? equals + 1 : cli->args[++*at];
	return 0;
}

int qy_cli_args(struct qy_cli *cli, const struct qy_cli_option *options, size_t n_options,
		size_t words_max)
{
	bool words_only = false;
	int code = 0;

	for (size_t i = 0; i < cli->n_args && code == 0; i++) {
		const char *arg = cli->args[i];

		if (!words_only && strcmp(arg, "--") == 0) {
			words_only = true;
		} else if (!words_only && arg[0] == '-' && arg[1] != '\0') {
			code = take_option(cli, options, n_options, &i);
		} else if (cli->n_words == words_max) {
			code = qy_cli_fail(cli, QY_CLI_CONFIG,
					   "unexpected argument \"%s\"; usage: quotey %s %s", arg,
					   cli->command->name, cli->command->arguments);
		} else {
			cli->words[cli->n_words++] = arg;
		}
	}
	return code;
}

int qy_cli_number(struct qy_cli *cli, const char *what, const char *text, unsigned min,
		  unsigned max, unsigned *ret_number)
{
	size_t len = strlen(text);
	unsigned long number;

	if (len >= 1 && len <= 9 && strspn(text, "0123456789") == len) {
		number = strtoul(text, NULL, 10);
		if (number >= min && number <= max) {
			*ret_number = (unsigned)number;
			return 0;
		}
	}
	return qy_cli_fail(cli, QY_CLI_CONFIG, "%s: \"%s\" is not a whole number from %u to %u",
			   what, text, min, max);
}
