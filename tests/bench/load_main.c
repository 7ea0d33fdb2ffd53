/* The load generator's command line; what it does: load.h. */
#include "tests/bench/load.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
	HEADERS_MAX = 16,
	HEADER_LEN_MAX = 1024,
	BODY_SENT_MAX = 1 << 20,
	TIMEOUT_DEFAULT_MS = 10000,
	MESSAGE_DEFAULT = 64,
};

static const char usage[] =
    "usage: load --url http://ADDRESS:PORT/path (--seconds S | --requests N)\n"
    "       load --url ws://ADDRESS:PORT/path ...    echoes over WebSocket\n"
    "       load --merge FILE...                     percentiles of several --hist together\n"
    "  --unix PATH                 connect there; the URL still names host and path\n"
    "  --method M, --body FILE     one request (default GET)\n"
    "  --mix FILE                  several in turn, a line each: METHOD PATH [BODY]\n"
    "  --header 'K: V'             for every request, up to 16 times\n"
    "  --message BYTES             of an echo (default 64)\n"
    "  --connections N             1 to 10000 (default 1), opened before the clock starts\n"
    "  --closed | --rate R         as fast as answers come (default) | R requests a second\n"
    "  --timeout MS                per request (default 10000)\n"
    "  --spin                      never sleeps; for a core of its own\n"
    "  --json                      one JSON line in place of a table\n"
    "  --hist FILE                 writes the latencies as a histogram\n"
    "  --answers FILE              writes each distinct answer (ids and times masked)\n"
    "latency counts from when a request was due, not from when it could be sent\n"
    "exit status: 0 no failure, 1 some request failed, 2 it could not run\n";

struct command {
	struct load_options run;
	struct load_target target;
	struct load_mix mix;
	const char *url, *unix_path, *method, *body_file, *mix_file, *answers_file, *hist_file;
	const char *headers[HEADERS_MAX];
	bool json, merge;
};

static double read_count(const char *name, const char *text, double min, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= min && value <= max)) {
		load_die("--%s %s: must be a number from %g to %g", name, text, min, max);
	}
	return value;
}

static void add_header(struct command *command, const char *text)
{
	size_t i;

	if (command->mix.n_headers == HEADERS_MAX) {
		load_die("--header: more than %d", HEADERS_MAX);
	}
	if (strchr(text, ':') == NULL || strlen(text) > HEADER_LEN_MAX) {
		load_die("--header '%.40s': must be 'Name: value', at most %d bytes", text,
			 HEADER_LEN_MAX);
	}
	for (i = 0; text[i] != '\0'; i++) {
		if ((unsigned char)text[i] < ' ') {
			load_die("--header '%.20s..': has a control character", text);
		}
	}
	command->headers[command->mix.n_headers++] = text;
}

/* Options that are a word. False: it is none of them. */
static bool set_text(struct command *command, int option, const char *value)
{
	static const struct {
		int option;
		size_t at;
	} texts[] = {
	    {'u', offsetof(struct command, url)},
	    {'U', offsetof(struct command, unix_path)},
	    {'m', offsetof(struct command, method)},
	    {'b', offsetof(struct command, body_file)},
	    {'x', offsetof(struct command, mix_file)},
	    {'a', offsetof(struct command, answers_file)},
	    {'H', offsetof(struct command, hist_file)},
	};
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (texts[i].option == option) {
			*(const char **)(void *)((char *)command + texts[i].at) = value;
			return true;
		}
	}
	return false;
}

/* Options that are a number. */
static bool set_number(struct load_options *run, int option, const char *value)
{
	switch (option) {
	case 'c':
		run->connections =
		    (unsigned)read_count("connections", value, 1, LOAD_CONNECTIONS_MAX);
		return true;
	case 'r':
		run->rate = read_count("rate", value, 1, LOAD_RATE_MAX);
		return true;
	case 's':
		run->seconds = read_count("seconds", value, 0.01, LOAD_SECONDS_MAX);
		return true;
	case 'n':
		run->requests = (uint64_t)read_count("requests", value, 1, 1e9);
		return true;
	case 'z':
		run->message = (size_t)read_count("message", value, 0, LOAD_MESSAGE_MAX);
		return true;
	case 't':
		run->timeout_ms = (int)read_count("timeout", value, 1, LOAD_TIMEOUT_MAX_MS);
		return true;
	default:
		return false;
	}
}

static void set_option(struct command *command, int option, const char *value)
{
	if (set_text(command, option, value) || set_number(&command->run, option, value)) {
		return;
	}
	switch (option) {
	case 'h':
		add_header(command, value);
		break;
	case 'l':
		command->run.rate = 0;
		break;
	case 'p':
		command->run.spin = true;
		break;
	case 'j':
		command->json = true;
		break;
	case 'M':
		command->merge = true;
		break;
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void parse_options(struct command *command, int argc, char **argv)
{
	static const struct option longs[] = {
	    {"url", required_argument, NULL, 'u'},
	    {"unix", required_argument, NULL, 'U'},
	    {"method", required_argument, NULL, 'm'},
	    {"body", required_argument, NULL, 'b'},
	    {"mix", required_argument, NULL, 'x'},
	    {"answers", required_argument, NULL, 'a'},
	    {"hist", required_argument, NULL, 'H'},
	    {"header", required_argument, NULL, 'h'},
	    {"closed", no_argument, NULL, 'l'},
	    {"spin", no_argument, NULL, 'p'},
	    {"json", no_argument, NULL, 'j'},
	    {"merge", no_argument, NULL, 'M'},
	    {"rate", required_argument, NULL, 'r'},
	    {"connections", required_argument, NULL, 'c'},
	    {"seconds", required_argument, NULL, 's'},
	    {"requests", required_argument, NULL, 'n'},
	    {"timeout", required_argument, NULL, 't'},
	    {"message", required_argument, NULL, 'z'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		set_option(command, option, optarg);
	}
	if (command->merge ? optind == argc
			   : command->url == NULL || optind != argc ||
				 (command->run.seconds == 0 && command->run.requests == 0)) {
		fputs(usage, stderr);
		exit(2);
	}
	if (command->mix_file != NULL && command->body_file != NULL) {
		load_die("--mix and --body exclude each other");
	}
	if (!load_is_visible(command->method) || command->method[0] == '\0') {
		load_die("--method '%s': is none", command->method);
	}
	if (strcmp(command->method, "HEAD") == 0) {
		load_die("--method HEAD: its answers have no body to read");
	}
	if (command->run.seconds == 0) {
		command->run.seconds = LOAD_SECONDS_MAX;
	}
}

static char *read_body(const char *name, size_t *ret_len)
{
	FILE *f = fopen(name, "r");
	char *data = load_must(malloc(BODY_SENT_MAX + 1));

	if (f == NULL) {
		load_die("%s: %s", name, strerror(errno));
	}
	*ret_len = fread(data, 1, BODY_SENT_MAX + 1, f);
	if (ferror(f)) {
		load_die("%s: cannot be read", name);
	}
	if (*ret_len > BODY_SENT_MAX) {
		load_die("%s: larger than %d bytes", name, BODY_SENT_MAX);
	}
	fclose(f);
	return data;
}

static void prepare(struct command *command)
{
	struct load_mix *mix = &command->mix;
	size_t len = 0;
	char *body = NULL;

	load_target_parse(command->url, &command->target);
	if (command->unix_path != NULL) {
		load_target_unix(&command->target, command->unix_path);
	}
	mix->host = command->target.host;
	mix->headers = command->headers;
	if (command->target.ws) {
		return;
	}
	if (command->mix_file != NULL) {
		load_mix_read(mix, command->mix_file);
	} else {
		if (command->body_file != NULL) {
			body = read_body(command->body_file, &len);
		}
		load_mix_add(mix, command->method, command->target.path, body, len);
		free(body);
	}
	if (command->answers_file != NULL) {
		load_seen_start(mix);
	}
}

static void write_hist(const struct load_hist *hist, const char *file)
{
	FILE *f = fopen(file, "w");

	if (f == NULL) {
		load_die("%s: %s", file, strerror(errno));
	}
	load_hist_write(hist, f);
	if (fclose(f) != 0) {
		load_die("%s: %s", file, strerror(errno));
	}
}

static void merge(struct load_result *result, char *const *files)
{
	static struct load_hist one;

	for (; *files != NULL; files++) {
		FILE *f = fopen(*files, "r");

		if (f == NULL) {
			load_die("%s: %s", *files, strerror(errno));
		}
		if (!load_hist_read(f, &one)) {
			load_die("%s: is not a histogram of load --hist", *files);
		}
		fclose(f);
		load_hist_merge(&result->hist, &one);
	}
	result->issued = result->outcomes[LOAD_OK] = result->hist.count;
}

int main(int argc, char **argv)
{
	static struct command command = {
	    .run = {.connections = 1, .timeout_ms = TIMEOUT_DEFAULT_MS, .message = MESSAGE_DEFAULT},
	    .method = "GET",
	};
	static struct load_result result;

	parse_options(&command, argc, argv);
	if (command.merge) {
		merge(&result, argv + optind);
	} else {
		prepare(&command);
		load_run(&command.run, &command.target, &command.mix, &result);
	}
	load_report(&result, &command.mix, command.json);
	if (command.hist_file != NULL) {
		write_hist(&result.hist, command.hist_file);
	}
	if (command.answers_file != NULL) {
		load_seen_write(&command.mix, command.answers_file);
	}
	load_mix_fini(&command.mix);
	return result.outcomes[LOAD_OK] == result.issued ? 0 : 1;
}
