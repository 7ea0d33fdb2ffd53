/*
 * Many idle connections, seen from outside: opens them, asks once on each and
 * keeps them, then looks at what the server costs while nobody says anything.
 * One line of JSON; it judges nothing but whether all were answered.
 */
#include "tests/bench/load.h"
#include "tests/bench/proc.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 256, AT_ONCE = 256, ANSWER_MAX = 16384, PATIENCE_MS = 30000 };

struct one {
	int fd;
	bool sent;
	size_t len;
	char *answer; /* NULL once it has come */
};

static struct {
	struct load_target target;
	struct load_mix mix;
	const char *headers[4];
	pid_t pid;
	unsigned n;
	double seconds;
	struct one *all;
	unsigned begun, answered;
	int epoll;
} run;

static void begin(struct one *one)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = one};
	const struct sockaddr *addr = (const struct sockaddr *)(const void *)&run.target.addr;

	run.begun++;
	one->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	one->answer = load_must(malloc(ANSWER_MAX + 1));
	if (one->fd < 0 ||
	    (connect(one->fd, addr, run.target.addr_len) != 0 && errno != EINPROGRESS) ||
	    epoll_ctl(run.epoll, EPOLL_CTL_ADD, one->fd, &ev) != 0) {
		load_die("connection %u: %s", run.begun, strerror(errno));
	}
}

static void on_event(struct one *one)
{
	const struct load_line *line = &run.mix.lines[0];
	struct load_answer answer;
	ssize_t n;

	if (!one->sent) {
		n = send(one->fd, line->request, line->request_len, MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN)) {
			return;
		}
		if (n != (ssize_t)line->request_len) {
			load_die("a request could not be sent: %s", strerror(errno));
		}
		one->sent = true;
	}
	while (one->answer != NULL &&
	       (n = recv(one->fd, one->answer + one->len, ANSWER_MAX - one->len, 0)) != -1) {
		one->len += (size_t)n;
		one->answer[one->len] = '\0';
		if (n == 0 || one->len == ANSWER_MAX) {
			load_die("connection %u was ended", (unsigned)(one - run.all));
		}
		if (load_http_read(one->answer, one->len, false, &answer) != LOAD_WHOLE) {
			continue;
		}
		if (answer.status >= 400 || answer.close) {
			load_die("answered %d%s", answer.status,
				 answer.close ? ", to be closed" : "");
		}
		free(one->answer);
		one->answer = NULL;
		run.answered++;
	}
}

/* At most so many are under way at once that no queue of the kernel overflows. */
static double open_all(void)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t start = load_now_ns();

	while (run.answered < run.n) {
		while (run.begun < run.n && run.begun - run.answered < AT_ONCE) {
			begin(&run.all[run.begun]);
		}
		int n = epoll_wait(run.epoll, events, EVENTS_MAX, PATIENCE_MS);
		if (n == 0) {
			load_die("%u of %u connections got no answer", run.n - run.answered, run.n);
		}
		for (int i = 0; i < n; i++) {
			on_event(events[i].data.ptr);
		}
	}
	return (double)(load_now_ns() - start) / (double)LOAD_NS_PER_S;
}

static struct proc_figures look(void)
{
	struct proc_figures figures;

	if (!proc_look(run.pid, &figures)) {
		load_die("the server (process %d) is gone", (int)run.pid);
	}
	return figures;
}

/* What the server spends per second while nobody asks. */
static void rest(double *ret_cpu_ms, double *ret_wakeups)
{
	struct proc_figures before = look(), after;
	int64_t start = load_now_ns();
	double seconds;

	(void)poll(NULL, 0, (int)(run.seconds * 1000)); /* this time is what is measured */
	after = look();
	seconds = (double)(load_now_ns() - start) / (double)LOAD_NS_PER_S;
	*ret_cpu_ms = (double)(after.cpu_ns - before.cpu_ns) / 1e6 / seconds;
	*ret_wakeups = (double)(after.wakeups - before.wakeups) / seconds;
}

/* Closes all; returns how many descriptors the server keeps too many of. */
static long close_all(size_t before)
{
	size_t fds = 0;

	for (unsigned i = 0; i < run.n; i++) {
		close(run.all[i].fd);
	}
	for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
		fds = proc_fds(run.pid);
		if (fds <= before) {
			break;
		}
		(void)poll(NULL, 0, 10);
	}
	return (long)fds - (long)before;
}

static const char usage[] =
    "usage: conns --url http://ADDRESS:PORT/path --pid PID [--header 'K: V']... [--connections N]\n"
    "             [--seconds S]    how long it looks at the resting server, twice\n";

static void parse_options(int argc, char **argv, const char **ret_url)
{
	static const struct option longs[] = {
	    {"url", required_argument, NULL, 'u'},
	    {"pid", required_argument, NULL, 'p'},
	    {"header", required_argument, NULL, 'h'},
	    {"seconds", required_argument, NULL, 's'},
	    {"connections", required_argument, NULL, 'c'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case 'u':
			*ret_url = optarg;
			break;
		case 'p':
			run.pid = (pid_t)atoi(optarg);
			break;
		case 'h':
			if (run.mix.n_headers < 4) {
				run.headers[run.mix.n_headers++] = optarg;
			}
			break;
		case 's':
			run.seconds = strtod(optarg, NULL);
			break;
		case 'c':
			run.n = (unsigned)atoi(optarg);
			break;
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (*ret_url == NULL || run.pid <= 0 || optind != argc || run.n == 0 || run.n > 1000000 ||
	    !(run.seconds > 0 && run.seconds < 3600)) {
		fputs(usage, stderr);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	const char *url = NULL;
	double seconds, cpu[2], wakeups[2];
	struct proc_figures before, with;

	run.n = 10000;
	run.seconds = 5;
	parse_options(argc, argv, &url);
	load_target_parse(url, &run.target);
	run.mix.host = run.target.host;
	run.mix.headers = run.headers;
	load_mix_add(&run.mix, "GET", run.target.path, NULL, 0);
	run.all = load_must(calloc(run.n, sizeof(*run.all)));
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (run.epoll < 0 || !proc_allow_fds(run.n + 64)) {
		load_die("not so many descriptors are allowed here");
	}
	rest(&cpu[0], &wakeups[0]);
	before = look();
	seconds = open_all();
	rest(&cpu[1], &wakeups[1]);
	with = look();
	long left = close_all(before.fds);
	printf("{\"connections\":%u,\"open_s\":%.3f,\"per_s\":%.0f,\"bytes_each\":%.0f,"
	       "\"rest_cpu_ms_per_s\":%.3f,\"rest_wakeups_per_s\":%.1f,"
	       "\"idle_cpu_ms_per_s\":%.3f,\"idle_wakeups_per_s\":%.1f,"
	       "\"resident_mib\":%.1f,\"after_mib\":%.1f,\"fds_left\":%ld}\n",
	       run.n, seconds, run.n / seconds,
	       ((double)with.resident - (double)before.resident) / run.n, cpu[0], wakeups[0],
	       cpu[1], wakeups[1], (double)with.resident / (1 << 20),
	       (double)look().resident / (1 << 20), left);
	load_mix_fini(&run.mix);
	free(run.all);
	close(run.epoll);
	return left > 0;
}
