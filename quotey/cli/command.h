/*
 * What every command of the `quotey` program gets and gives back: global options, configuration,
 * its own arguments, and the one outcome that the program reports at its end.
 *
 * A command never prints an error and never exits: it returns qy_cli_fail(...), and main prints.
 */
#ifndef QY_CLI_COMMAND_H
#define QY_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "quotey/cli/config.h"

#define QY_CLI_MESSAGE_SIZE 2048
#define QY_CLI_SETS_MAX 256
#define QY_CLI_ARGS_MAX 256

/* X(NAME, class on the wire, exit code) */
#define QY_CLI_CLASS_MAP(X)                                                                        \
	X(NONE, "", 0)                                                                             \
	X(CONFIG, "config_validation", 2)                                                          \
	X(RUNTIME, "runtime_init", 3)                                                              \
	X(DATABASE, "db_connectivity", 4)                                                          \
	X(MIGRATION, "migration", 5)                                                               \
	X(SEED, "seed_execution", 5)                                                               \
	X(SEED_CHECK, "seed_verification", 6)                                                      \
	X(VERIFY, "verification", 6)                                                               \
	X(DIFFERENCE, "difference", 1)

enum qy_cli_class {
#define QY_CLI_CLASS_ENUM(name, text, code) QY_CLI_##name,
	QY_CLI_CLASS_MAP(QY_CLI_CLASS_ENUM)
#undef QY_CLI_CLASS_ENUM
	    QY_CLI_CLASS_COUNT
};

struct qy_cli;
/* Returns the exit code: 0, or what qy_cli_fail returned. */
typedef int qy_cli_run_fn(struct qy_cli *cli);

enum qy_cli_flag {
	QY_CLI_NO_CONFIG = 1u << 0, /* works without a valid configuration */
	QY_CLI_REPORTS = 1u << 1,   /* a success is one JSON line, a failure too */
	QY_CLI_MACHINE = 1u << 2,   /* a failure is one JSON line also without --json */
};

struct qy_cli_command {
	const char *name;      /* "migrate", "quote list" */
	const char *arguments; /* "[--to N | --down N]" */
	const char *summary;   /* one line */
	const char *details;   /* whole lines, or "" */
	unsigned flags;	       /* enum qy_cli_flag */
	qy_cli_run_fn *run;
};

struct qy_cli {
	const struct qy_cli_command *command; /* NULL until it is known */
	struct qy_config *config;	      /* NULL with QY_CLI_NO_CONFIG */
	struct qy_config_sources sources;     /* as the configuration was loaded, for reloading */
	const char *sets[QY_CLI_SETS_MAX];
	bool json;
	bool help;
	/* What is left for the command. */
	const char *args[QY_CLI_ARGS_MAX];
	size_t n_args;
	/* Filled in by qy_cli_args. */
	const char *words[QY_CLI_ARGS_MAX];
	size_t n_words;
	/* The outcome. */
	enum qy_cli_class class;
	char message[QY_CLI_MESSAGE_SIZE];
};

/* Sets the outcome and returns its exit code. The first failure stays: later ones are its echo. */
int qy_cli_fail(struct qy_cli *cli, enum qy_cli_class class, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Sets the text of a success and returns 0. */
int qy_cli_done(struct qy_cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

const char *qy_cli_class_name(enum qy_cli_class class);
int qy_cli_exit_code(enum qy_cli_class class);

/* Prints the outcome: one line on stderr for a failure, and the JSON line where it is due. */
void qy_cli_report(struct qy_cli *cli);

/* An option of a command: exactly one of value (takes one) and flag is set. */
struct qy_cli_option {
	const char *name; /* "--to" */
	const char **value;
	bool *flag;
};

/*
 * Sorts cli->args into options and words: "--to 3", "--to=3", and everything after "--" is a word.
 * More words than @words_max, unknown and repeated options fail. Returns 0 or the exit code.
 */
int qy_cli_args(struct qy_cli *cli, const struct qy_cli_option *options, size_t n_options,
		size_t words_max) __attribute__((warn_unused_result));

/* Reads a whole decimal number of @min..@max; @what names it in the error. 0 or the exit code. */
int qy_cli_number(struct qy_cli *cli, const char *what, const char *text, unsigned min,
		  unsigned max, unsigned *ret_number) __attribute__((warn_unused_result));

/* The commands, one file each; main.c has the table. */
int qy_cmd_start(struct qy_cli *cli);
int qy_cmd_migrate(struct qy_cli *cli);
int qy_cmd_seed(struct qy_cli *cli);
int qy_cmd_db_backup(struct qy_cli *cli);
int qy_cmd_db_check(struct qy_cli *cli);
int qy_cmd_apikey_create(struct qy_cli *cli);
int qy_cmd_apikey_list(struct qy_cli *cli);
int qy_cmd_apikey_revoke(struct qy_cli *cli);
int qy_cmd_quote_list(struct qy_cli *cli);
int qy_cmd_quote_show(struct qy_cli *cli);
int qy_cmd_quote_price(struct qy_cli *cli);
int qy_cmd_runtime_status(struct qy_cli *cli);
int qy_cmd_runtime_set(struct qy_cli *cli);
int qy_cmd_runtime_rollback(struct qy_cli *cli);
int qy_cmd_runtime_history(struct qy_cli *cli);
int qy_cmd_runtime_promises(struct qy_cli *cli);
int qy_cmd_runtime_kill(struct qy_cli *cli);
int qy_cmd_runtime_trace(struct qy_cli *cli);
int qy_cmd_config(struct qy_cli *cli);
int qy_cmd_lab_play(struct qy_cli *cli);
int qy_cmd_lab_run(struct qy_cli *cli);
int qy_cmd_lab_sweep(struct qy_cli *cli);
int qy_cmd_lab_replay(struct qy_cli *cli);
int qy_cmd_parity(struct qy_cli *cli);

#endif
