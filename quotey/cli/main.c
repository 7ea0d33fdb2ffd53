/*
 * The program `quotey`: finds the command, loads the configuration for it, runs it, and reports
 * its outcome. It must never know what any command does.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quotey/cli/command.h"

/* Given by configure; absent only in builds by hand. */
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unreleased"
#endif
#define CONFIG_FILE "quotey.conf"

static qy_cli_run_fn cmd_help;
static qy_cli_run_fn cmd_version;

/* A group's commands stand together: help and hints are made from this table. */
static const struct qy_cli_command commands[] = {
    {"start", "", "run Quotey until TERM or INT",
     "Migrates the database, starts every component where it is assigned, and prints one JSON\n"
     "line with the addresses once it serves. HUP reads the configuration again and moves the\n"
     "components whose backend changed in it; USR1 writes all live regions to stderr; a second\n"
     "TERM or INT ends at once with exit code 3.\n",
     QY_CLI_MACHINE, qy_cmd_start},
    {"migrate", "[--to N | --down N]", "bring the schema up, or down to step N",
     "--to N    apply steps up to number N\n"
     "--down N  revert the steps above number N, and lose what they hold\n",
     QY_CLI_REPORTS, qy_cmd_migrate},
    {"seed", "[--clean]", "load the seed data and check it, or remove it",
     "Loading twice changes nothing.\n", QY_CLI_REPORTS, qy_cmd_seed},
    {"db backup", "FILE [--force]", "copy the database while it is used",
     "FILE is there as a whole, or as it was. --force replaces one that exists.\n", QY_CLI_REPORTS,
     qy_cmd_db_backup},
    {"db check", "[--full]", "look for damage in the database",
     "--full  compares also indexes with their tables, and looks at every reference\n"
     "What is found is printed; a start looks, too, as the setting database.check says.\n",
     QY_CLI_REPORTS, qy_cmd_db_check},
    {"apikey create", "--name NAME --scopes A,B [--rep ID] [--rate N] [--expires TIME]",
     "make an API key and print it, this once",
     "--scopes   quotes:read, quotes:write, quotes:override, quotes:approve, quotes:send,\n"
     "           catalog:read, portal:manage, audit:read, admin\n"
     "--rep      the sales rep it acts for\n"
     "--rate     requests a minute, 60 unless told otherwise\n"
     "--expires  2030-01-31T00:00:00.000Z; never unless told otherwise\n",
     QY_CLI_MACHINE, qy_cmd_apikey_create},
    {"apikey list", "", "list the API keys, without their secrets", "", 0, qy_cmd_apikey_list},
    {"apikey revoke", "ID", "make an API key useless from now on",
     "ID is the first part of the key: qk_0123abcd, or 0123abcd.\n", QY_CLI_REPORTS,
     qy_cmd_apikey_revoke},
    {"quote list", "[--status S] [--account ID] [--limit N] [--offset N]", "list quotes",
     "The newest first, 20 unless told otherwise, at most 100.\n", 0, qy_cmd_quote_list},
    {"quote show", "ID", "show one quote as it is stored", "", 0, qy_cmd_quote_show},
    {"quote price", "ID", "show what a quote would cost; changes nothing", "", 0,
     qy_cmd_quote_price},
    {"runtime status", "[--control URL]", "show which backend runs each component", "", 0,
     qy_cmd_runtime_status},
    {"runtime set", "COMPONENT=BACKEND [--reason TEXT] [--control URL]",
     "move a component to a backend, while it works", "", QY_CLI_MACHINE, qy_cmd_runtime_set},
    {"runtime rollback", "[COMPONENT] [--reason TEXT] [--control URL]",
     "move a component back to where it was; without a name, every one that was moved", "",
     QY_CLI_MACHINE, qy_cmd_runtime_rollback},
    {"runtime kill", "[--clear] [--reason TEXT] [--control URL]",
     "send every component to the fallback backend and hold it there",
     "The fallback is runtime.fallback. Until it is cleared, moves to anywhere else are refused.\n"
     "--clear   hold no longer; moves nothing: runtime rollback takes all back with one flip\n",
     QY_CLI_MACHINE, qy_cmd_runtime_kill},
    {"runtime history", "[--control URL]", "show the moves, the newest first", "", 0,
     qy_cmd_runtime_history},
    {"runtime promises", "", "show what each backend of this build promises", "", QY_CLI_NO_CONFIG,
     qy_cmd_runtime_promises},
    {"runtime trace", "[--secs N] [--events N] [--control URL]",
     "record what the runtimes do, as JSON that Perfetto opens",
     "--secs    how long, 1 unless told otherwise, at most 20\n"
     "--events  steps kept per runtime, the last ones; 50000 unless told otherwise\n",
     0, qy_cmd_runtime_trace},
    {"config", "", "show the configuration in force and where each value comes from", "", 0,
     qy_cmd_config},
    {"lab play", "FILE --backend legacy|region|lab [--seed N] [--transcript]",
     "play a scenario and check what it expects",
     "FILE is a scenario: requests, moves, faults, waits and expectations, in plain text.\n"
     "--backend     where: a real backend, or the lab with its own time and network. On region\n"
     "              the places legacy and region of the file are exchanged, so that every move\n"
     "              is one there, too\n"
     "--seed        of the lab, 1 unless told otherwise\n"
     "--transcript  print what was answered and stored, with ids and times masked\n",
     QY_CLI_NO_CONFIG, qy_cmd_lab_play},
    {"lab run", "FILE [--seeds N] [--jobs J]", "play a scenario in the lab, for many seeds",
     "--seeds       how many, 1000 unless told otherwise; --seed N is the first, 1\n"
     "--jobs        processes at a time, 1\n"
     "--strategy    who runs next: random, pct (--depth N, 3), round\n"
     "--keep-going  after a failure\n"
     "--twice N     one run of N is made twice and must be the same, 16; 0: none\n"
     "--shrink OUT  writes the first failure, shrunk, to OUT: for lab replay --trace\n"
     "Ends with what was reached and what never was, and with a token for the first failure.\n",
     QY_CLI_NO_CONFIG, qy_cmd_lab_run},
    {"lab sweep", "FILE --cancel|--cancel-task|--deadline|--alloc|--io|--crash",
     "play a scenario once for each of its points, with something done there",
     "--cancel      each checkpoint of a request: the request is cancelled\n"
     "--cancel-task the same, of the one task that is at the checkpoint\n"
     "--deadline    the request's deadline has passed there\n"
     "--alloc       each allocation fails\n"
     "--io          each connect, transfer, descriptor and disk operation fails; in the lab\n"
     "--crash       the power goes at each disk operation; in the lab\n"
     "--backend     legacy, region or lab; lab unless told otherwise\n"
     "and --seed, --jobs, --strategy, --keep-going as for lab run. Answers may then differ from\n"
     "what the file expects; what was answered must be stored, and the database must be whole.\n",
     QY_CLI_NO_CONFIG, qy_cmd_lab_sweep},
    {"lab replay", "TOKEN FILE [--force] [--trace IN] [--record OUT]",
     "play a scenario as a token says, once",
     "TOKEN is what a failure has printed. It is refused by another build, and for another file;\n"
     "--force tries all the same.\n"
     "--record      writes the execution to OUT\n"
     "--trace       takes every choice from IN, and stops where the execution differs from it\n",
     QY_CLI_NO_CONFIG, qy_cmd_lab_replay},
    {"parity", "FILE...", "play scenarios on both real backends and compare them",
     "Each FILE is played on legacy and on region; one that does not say where it starts also\n"
     "with its components apart. Exit code 1 when answers or tables differ; the difference is\n"
     "printed.\n",
     QY_CLI_NO_CONFIG, qy_cmd_parity},
    {"version", "", "print the version", "", QY_CLI_NO_CONFIG, cmd_version},
    {"help", "[COMMAND]", "print this, or what a command takes", "", QY_CLI_NO_CONFIG, cmd_help},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const char global_help[] =
    "For every command:\n"
    "  --config FILE            read FILE instead of " CONFIG_FILE "\n"
    "  --set section.key=value  override a setting; may be repeated\n"
    "  --json                   print JSON instead of a table\n"
    "  --help                   print what the command takes\n"
    "\n"
    "Exit codes: 0 done; 1 parity found a difference; 2 usage or configuration; 3 runtime;\n"
    "4 database; 5 migration or seed load; 6 verification.\n";

/* --- help ---------------------------------------------------------------------------------- */

static void print_overview(void)
{
	puts("quotey " PACKAGE_VERSION
	     ": quotes, priced and stored, on a runtime that moves while it works\n");
	puts("Usage: quotey COMMAND [OPTIONS]\n");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		printf("  %-18s %s\n", commands[i].name, commands[i].summary);
	}
	printf("\n%s", global_help);
}

static void print_command(const struct qy_cli_command *command)
{
	printf("Usage: quotey %s %s\n\n%s.\n", command->name, command->arguments, command->summary);
	if (command->details[0] != '\0') {
		printf("\n%s", command->details);
	}
	printf("\n%s", global_help);
}

/* Whether @name is the group of @command: "quote" of "quote list". */
static bool is_group_of(const struct qy_cli_command *command, const char *name)
{
	size_t len = strlen(name);

	return strncmp(command->name, name, len) == 0 && command->name[len] == ' ';
}

static size_t group_size(const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < N_COMMANDS; i++) {
		n += is_group_of(&commands[i], name);
	}
	return n;
}

static void print_group(const char *name)
{
	printf("Usage: quotey %s COMMAND [OPTIONS]\n\n", name);
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (is_group_of(&commands[i], name)) {
			printf("  %-18s %s\n", commands[i].name, commands[i].summary);
		}
	}
	printf("\n%s", global_help);
}

/* --- finding the command ------------------------------------------------------------------- */

/* The command of the first one or two arguments; *ret_used of them. NULL: there is none. */
static const struct qy_cli_command *find_command(const char *const *args, size_t n,
						 size_t *ret_used)
{
	char name[64];

	for (size_t used = n < 2 ? n : 2; used > 0; used--) {
		snprintf(name, sizeof(name), used == 2 ? "%s %s" : "%s", args[0],
			 used == 2 ? args[1] : "");
		for (size_t i = 0; i < N_COMMANDS; i++) {
			if (strcmp(commands[i].name, name) == 0) {
				*ret_used = used;
				return &commands[i];
			}
		}
	}
	return NULL;
}

static int no_such_command(struct qy_cli *cli)
{
	const char *name = cli->args[0];
	char list[256] = "";
	size_t used = 0;

	if (group_size(name) == 0) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "unknown command \"%s\"; see quotey help",
				   name);
	}
	for (size_t i = 0; i < N_COMMANDS && used < sizeof(list); i++) {
		if (is_group_of(&commands[i], name)) {
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
						 used > 0 ? ", " : "",
						 commands[i].name + strlen(name) + 1);
		}
	}
	if (cli->n_args > 1) {
		return qy_cli_fail(cli, QY_CLI_CONFIG,
				   "unknown command \"%s %s\"; after \"%s\" may come: %s", name,
				   cli->args[1], name, list);
	}
	return qy_cli_fail(cli, QY_CLI_CONFIG, "\"%s\" is not complete; after it may come: %s",
			   name, list);
}

static int help_for(struct qy_cli *cli)
{
	const struct qy_cli_command *command;
	size_t used = 0;

	if (cli->n_args == 0) {
		print_overview();
		return 0;
	}
	command = find_command(cli->args, cli->n_args, &used);
	if (command != NULL) {
		print_command(command);
		return 0;
	}
	if (cli->n_args == 1 && group_size(cli->args[0]) > 0) {
		print_group(cli->args[0]);
		return 0;
	}
	return no_such_command(cli);
}

static int cmd_help(struct qy_cli *cli)
{
	return help_for(cli);
}

static int cmd_version(struct qy_cli *cli)
{
	int code = qy_cli_args(cli, NULL, 0, 0);

	if (code == 0) {
		puts("quotey " PACKAGE_VERSION);
	}
	return code;
}

/* --- global options ------------------------------------------------------------------------ */

static int take_global(struct qy_cli *cli, const char *name, const char *value)
{
	if (value == NULL) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "%s needs a value", name);
	}
	if (strcmp(name, "--config") == 0) {
		if (cli->sources.file_required) {
			return qy_cli_fail(cli, QY_CLI_CONFIG, "--config is given twice");
		}
		cli->sources.path = value;
		cli->sources.file_required = true;
		return 0;
	}
	if (cli->sources.n_sets == QY_CLI_SETS_MAX) {
		return qy_cli_fail(cli, QY_CLI_CONFIG, "more than %d times --set", QY_CLI_SETS_MAX);
	}
	cli->sets[cli->sources.n_sets++] = value;
	return 0;
}

static int split_arguments(struct qy_cli *cli, int argc, char **argv)
{
	bool words_only = false;
	int code = 0;

	for (int i = 1; i < argc && code == 0; i++) {
		const char *arg = argv[i];

		words_only |= strcmp(arg, "--") == 0;
		if (!words_only && (strcmp(arg, "--config") == 0 || strcmp(arg, "--set") == 0)) {
			code = take_global(cli, arg, i + 1 < argc ? argv[i + 1] : NULL);
			i++;
		} else if (!words_only && strncmp(arg, "--config=", 9) == 0) {
			code = take_global(cli, "--config", arg + 9);
		} else if (!words_only && strncmp(arg, "--set=", 6) == 0) {
			code = take_global(cli, "--set", arg + 6);
		} else if (!words_only && strcmp(arg, "--json") == 0) {
			cli->json = true;
		} else if (!words_only && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
			cli->help = true;
		} else if (cli->n_args == QY_CLI_ARGS_MAX) {
			code = qy_cli_fail(cli, QY_CLI_CONFIG, "more than %d arguments",
					   QY_CLI_ARGS_MAX);
		} else {
			cli->args[cli->n_args++] = arg;
		}
	}
	return code;
}

/* --- running ------------------------------------------------------------------------------- */

static int load_config(struct qy_cli *cli)
{
	struct qy_config_errors errors;
	int code = 0;

	if (qy_config_load(&cli->sources, &cli->config, &errors) != 0) {
		qy_config_errors_print(&errors, stderr);
		if (errors.n == 0) {
			code = qy_cli_fail(cli, QY_CLI_CONFIG, "out of memory");
		} else {
			const struct qy_config_error *first = &errors.list[0];

			code = qy_cli_fail(cli, QY_CLI_CONFIG,
					   "%zu error%s in the configuration; %s (%s): %s; %s",
					   errors.n + errors.n_dropped,
					   errors.n + errors.n_dropped == 1 ? "" : "s", first->key,
					   first->where, first->problem, first->fix);
		}
	}
	qy_config_errors_fini(&errors);
	return code;
}

static int run(struct qy_cli *cli)
{
	size_t used = 0;

	if (cli->help) {
		return help_for(cli);
	}
	if (cli->n_args == 0) {
		print_overview();
		return qy_cli_fail(cli, QY_CLI_CONFIG, "no command given");
	}
	if (strcmp(cli->args[0], "--version") == 0) {
		cli->args[0] = "version";
	}
	cli->command = find_command(cli->args, cli->n_args, &used);
	if (cli->command == NULL) {
		return no_such_command(cli);
	}
	cli->n_args -= used;
	memmove(cli->args, cli->args + used, cli->n_args * sizeof(cli->args[0]));
	if ((cli->command->flags & QY_CLI_NO_CONFIG) == 0) {
		int code = load_config(cli);

		if (code != 0) {
			return code;
		}
	}
	return cli->command->run(cli);
}

/* A database opened where stderr should be would be written into by the next complaint. */
static void hold_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0) {
		close(fd);
	}
}

int main(int argc, char **argv)
{
	static struct qy_cli cli;
	int code;

	hold_standard_descriptors();
	/* A reader that went away is an error of write, not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	cli.sources.path = CONFIG_FILE;
	cli.sources.environ = environ;
	cli.sources.sets = cli.sets;
	code = split_arguments(&cli, argc, argv);
	if (code == 0) {
		code = run(&cli);
	}
	qy_cli_report(&cli);
	qy_config_destroy(&cli.config);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "quotey: cannot write to standard output: %s\n", strerror(errno));
		return code != 0 ? code : qy_cli_exit_code(QY_CLI_RUNTIME);
	}
	return code;
}
