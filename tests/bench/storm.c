/*
 * Storms on a running server, one kind after the other: a crowd of bad peers
 * rages for a time while a well-behaved client asks at a fixed rate. A line of
 * TAP with the figures for each. It holds when
 *
 *	every good request was answered well, also in the worst moment,
 *	the server felt the storm (it had descriptors for it),
 *	and after it has none left of them, and not much more memory.
 *
 * The server is another process: nothing here knows what it is made of.
 */
#include "tests/bench/proc.h"
#include "tests/bench/storm.h"

#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { HEADERS_MAX = 4, SETTLE_MS = 5000, LOOK_MS = 5, QUIET_LOOKS = 20, ANSWER_MS = 5000 };

struct options {
	const char *url, *label, *kinds;
	const char *headers[HEADERS_MAX];
	size_t n_headers;
	pid_t pid;
	unsigned crowd, flood, opened_max, tick_ms, good;
	double seconds, rate;
	size_t growth_max_kib; /* 0: no limit, as under a sanitizer */
	double header_timeout; /* seconds the server allows a head; 0: the storms are shorter */
};

struct good_client {
	pthread_t thread;
	struct load_options options;
	const struct load_target *target;
	struct load_mix *mix;
	struct load_result result;
};

static struct options opts = {
    .label = "",
    .crowd = 48,
    .flood = 200,
    .opened_max = 20000,
    .tick_ms = 1000,
    .good = 2,
    .seconds = 10,
    .rate = 100,
};
static struct load_target target;
static struct load_mix mix;

static void *ask_well(void *arg)
{
	struct good_client *client = arg;

	load_run(&client->options, client->target, client->mix, &client->result);
	return NULL;
}

/* How many descriptors the server has; one that is gone ends everything. */
static size_t server_fds(void)
{
	size_t fds = proc_fds(opts.pid);

	if (fds == 0) {
		load_die("the server (process %d) is gone", (int)opts.pid);
	}
	return fds;
}

/* Waits until the server has @low to @high descriptors; returns how many it has. */
static size_t await_fds(size_t low, size_t high)
{
	size_t fds = server_fds();

	for (int waited = 0; (fds < low || fds > high) && waited < SETTLE_MS; waited += LOOK_MS) {
		(void)poll(NULL, 0, LOOK_MS);
		fds = server_fds();
	}
	return fds;
}

/* What it has when nobody is there: the number that does not change for a while. */
static size_t resting_fds(void)
{
	size_t fds = server_fds();
	int same = 0;

	for (int waited = 0; same < QUIET_LOOKS && waited < SETTLE_MS; waited += LOOK_MS) {
		size_t now;

		(void)poll(NULL, 0, LOOK_MS);
		now = server_fds();
		same = now == fds ? same + 1 : 0;
		fds = now;
	}
	return fds;
}

static void good_start(struct good_client *client, double seconds)
{
	memset(client, 0, sizeof(*client));
	client->options = (struct load_options){.connections = opts.good,
						.rate = opts.rate,
						.seconds = seconds,
						.timeout_ms = ANSWER_MS};
	client->target = &target;
	client->mix = &mix;
	if (pthread_create(&client->thread, NULL, ask_well, client) != 0) {
		load_die("no thread");
	}
}

/* The first requests make what a server makes once: caches, connections to its database. */
static size_t warm_up(void)
{
	static struct good_client client;

	good_start(&client, 0.1);
	pthread_join(client.thread, NULL);
	if (client.result.outcomes[LOAD_OK] != client.result.issued) {
		load_die("%s: not answered well even without a storm", opts.url);
	}
	return resting_fds();
}

static double mib(size_t bytes)
{
	return (double)bytes / (1 << 20);
}

static double at_ms(const struct load_result *result, double percent)
{
	return (double)load_hist_at(&result->hist, percent) / (double)LOAD_NS_PER_MS;
}

struct looks {
	struct proc_figures before, during, after;
};

/* What did not hold; NULL: all did. */
static const char *verdict(const struct storm *storm, const struct load_result *good,
			   const struct looks *looks)
{
	size_t grown = looks->after.resident > looks->before.resident
			   ? looks->after.resident - looks->before.resident
			   : 0;

	if (good->issued == 0 || good->outcomes[LOAD_OK] != good->issued) {
		return "a good request was not answered well";
	}
	if (storm->counts.opened == 0 ||
	    looks->during.fds < looks->before.fds + (storm->kind->stays ? storm->crowd / 2 : 0)) {
		return "the server felt no storm";
	}
	if (storm->kind->flood && storm->counts.refused + storm->counts.cut == 0) {
		return "the flood met no limit";
	}
	if (opts.header_timeout > 0 && opts.seconds > opts.header_timeout + 1 &&
	    strcmp(storm->kind->name, "slow-header") == 0 && storm->counts.cut < storm->crowd) {
		return "a head was allowed to take for ever";
	}
	if (looks->after.fds > looks->before.fds) {
		return "descriptors are left";
	}
	if (opts.growth_max_kib != 0 && grown > opts.growth_max_kib * 1024) {
		return "the memory has grown too much";
	}
	return NULL;
}

static bool report(const struct storm *storm, const struct load_result *good,
		   const struct looks *looks)
{
	const struct storm_counts *counts = &storm->counts;
	const char *wrong = verdict(storm, good, looks);

	printf("%s - %s %s: %llu of %llu good requests served, p50 %.2f p95 %.2f max %.2f ms; "
	       "%llu bad connections, %llu ended by the server, %llu answered, %llu refused, "
	       "%llu faulted; descriptors %zu, %zu, %zu; resident %.1f, %.1f, %.1f MiB\n",
	       wrong ? "not ok" : "ok", opts.label, storm->kind->name,
	       (unsigned long long)good->outcomes[LOAD_OK], (unsigned long long)good->issued,
	       at_ms(good, 50), at_ms(good, 95), at_ms(good, 100),
	       (unsigned long long)counts->opened, (unsigned long long)counts->cut,
	       (unsigned long long)counts->answered, (unsigned long long)counts->refused,
	       (unsigned long long)counts->faulted, looks->before.fds, looks->during.fds,
	       looks->after.fds, mib(looks->before.resident), mib(looks->during.resident),
	       mib(looks->after.resident));
	if (wrong) {
		printf("# %s\n", wrong);
	}
	fflush(stdout);
	return wrong == NULL;
}

static void look(struct proc_figures *ret_figures)
{
	if (!proc_look(opts.pid, ret_figures)) {
		load_die("the server (process %d) is gone", (int)opts.pid);
	}
}

static bool one_storm(const struct storm_kind *kind, size_t resting)
{
	static struct good_client client;
	struct storm storm = {
	    .kind = kind,
	    .target = &target,
	    .line = &mix.lines[0],
	    .crowd = kind->flood ? opts.flood : opts.crowd,
	    .opened_max = opts.opened_max,
	    .tick_ns = opts.tick_ms * LOAD_NS_PER_MS,
	    .seed = 88172645463325252u,
	};
	struct looks looks;

	look(&looks.before);
	looks.before.fds = resting;
	/* Asks from before the storm until after it has ended; is there first. */
	good_start(&client, opts.seconds * 1.25);
	(void)await_fds(resting + opts.good, SIZE_MAX);
	storm_rage(&storm, load_now_ns() + (int64_t)(opts.seconds * (double)LOAD_NS_PER_S));
	look(&looks.during);
	storm_end(&storm);
	pthread_join(client.thread, NULL);
	(void)await_fds(0, resting);
	look(&looks.after);
	return report(&storm, &client.result, &looks);
}

/* Whether the list of names, "" for all, has this one. */
static bool is_wanted(const char *name)
{
	const char *at = opts.kinds ? strstr(opts.kinds, name) : NULL;
	size_t len = strlen(name);

	return !opts.kinds ||
	       (at && (at == opts.kinds || at[-1] == ',') && (at[len] == '\0' || at[len] == ','));
}

/* --- the command line ------------------------------------------------------ */

static const char usage[] =
    "usage: storm --url http://ADDRESS:PORT/path --pid PID\n"
    "  --header 'K: V'    of good requests, up to 4 times\n"
    "  --storms A,B       of slow-read slow-header flood idle half-close reset garbage (all)\n"
    "  --seconds S        of each (10)        --tick MS    between slow bytes (1000)\n"
    "  --crowd N          bad peers (48)      --flood N    of a flood (200)\n"
    "  --opened N         connections of one storm at most (20000)\n"
    "  --good N           good connections (2) --rate R    good requests per second (100)\n"
    "  --growth KIB       of the server's memory per storm at most (no limit)\n"
    "  --header-timeout S after which the server must have cut every slow header\n"
    "  --label TEXT       for the report\n";

static double read_number(const char *name, const char *text, double min, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= min && value <= max)) {
		load_die("--%s %s: must be a number from %g to %g", name, text, min, max);
	}
	return value;
}

static void set_option(int option, const char *value)
{
	switch (option) {
	case 'u':
		opts.url = value;
		break;
	case 'l':
		opts.label = value;
		break;
	case 'k':
		opts.kinds = value;
		break;
	case 'h':
		if (opts.n_headers == HEADERS_MAX) {
			load_die("--header: more than %d", HEADERS_MAX);
		}
		opts.headers[opts.n_headers++] = value;
		break;
	case 'p':
		opts.pid = (pid_t)read_number("pid", value, 1, 1 << 30);
		break;
	case 's':
		opts.seconds = read_number("seconds", value, 0.01, 3600);
		break;
	case 't':
		opts.tick_ms = (unsigned)read_number("tick", value, 1, 60000);
		break;
	case 'c':
		opts.crowd = (unsigned)read_number("crowd", value, 1, 10000);
		break;
	case 'f':
		opts.flood = (unsigned)read_number("flood", value, 1, 10000);
		break;
	case 'o':
		opts.opened_max = (unsigned)read_number("opened", value, 1, 1e9);
		break;
	case 'g':
		opts.good = (unsigned)read_number("good", value, 1, 1000);
		break;
	case 'r':
		opts.rate = read_number("rate", value, 1, 1e6);
		break;
	case 'm':
		opts.growth_max_kib = (size_t)read_number("growth", value, 0, 1e9);
		break;
	case 'd':
		opts.header_timeout = read_number("header-timeout", value, 0, 3600);
		break;
	default:
		fputs(usage, stderr);
		exit(2);
	}
}

static void parse_options(int argc, char **argv)
{
	static const struct option longs[] = {
	    {"url", required_argument, NULL, 'u'},
	    {"label", required_argument, NULL, 'l'},
	    {"storms", required_argument, NULL, 'k'},
	    {"header", required_argument, NULL, 'h'},
	    {"pid", required_argument, NULL, 'p'},
	    {"seconds", required_argument, NULL, 's'},
	    {"tick", required_argument, NULL, 't'},
	    {"crowd", required_argument, NULL, 'c'},
	    {"flood", required_argument, NULL, 'f'},
	    {"opened", required_argument, NULL, 'o'},
	    {"good", required_argument, NULL, 'g'},
	    {"rate", required_argument, NULL, 'r'},
	    {"growth", required_argument, NULL, 'm'},
	    {"header-timeout", required_argument, NULL, 'd'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		set_option(option, optarg);
	}
	if (opts.url == NULL || opts.pid == 0 || optind != argc) {
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	size_t resting, i, asked = 0, held = 0;

	parse_options(argc, argv);
	load_target_parse(opts.url, &target);
	mix.host = target.host;
	mix.headers = opts.headers;
	mix.n_headers = opts.n_headers;
	load_mix_add(&mix, "GET", target.path, NULL, 0);
	if (!proc_allow_fds((size_t)opts.flood + opts.crowd + 64)) {
		load_die("not so many descriptors are allowed here");
	}
	resting = warm_up();
	for (i = 0; i < storm_n_kinds; i++) {
		if (is_wanted(storm_kinds[i].name)) {
			asked++;
			held += one_storm(&storm_kinds[i], resting);
		}
	}
	load_mix_fini(&mix);
	if (asked == 0) {
		load_die("--storms %s: names none", opts.kinds);
	}
	return held == asked ? 0 : 1;
}
