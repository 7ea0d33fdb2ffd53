/*
 * An HTTP/1.1 load client over epoll, for ci/demo and the measurements. It is
 * an independent peer: no runtime of ours, one thread, and it never retries,
 * so that every request has exactly one outcome and none is hidden.
 *
 * At a fixed rate, request k is due at start + k / rate whether or not the
 * server keeps up, and its latency counts from there: a stalled server is
 * charged for everybody who would have waited (no coordinated omission).
 */
#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
	CONNECTIONS_MAX = 1000,
	SECONDS_MAX = 600,
	RATE_MAX = 1000000,
	HEADERS_MAX = 16,
	HEADER_LEN_MAX = 1024,
	PATH_LEN_MAX = 2048,
	BODY_SENT_MAX = 1 << 20,
	MIX_MAX = 256,
	MIX_LINE_MAX = 65536,
	SEEN_MAX = 64,	  /* distinct answers kept per mix line */
	SAMPLE_MAX = 400, /* bytes of each that are shown */
	TIMEOUT_DEFAULT_MS = 10000,
	TIMEOUT_MAX_MS = 60000,
	BUFFER_FIRST = 16384,
	EVENTS_MAX = 256,
};

#define NS_PER_S 1000000000ll
#define NS_PER_MS 1000000ll
/* How long a connection rests after a failure, so that a dead server is not hammered. */
#define REST_NS (10 * NS_PER_MS)
/* How often stuck requests are looked for. */
#define SWEEP_NS (50 * NS_PER_MS)

enum outcome { OK, BAD_STATUS, REFUSED, RESET, TIMED_OUT, MALFORMED, UNSENT, N_OUTCOMES };

static const char *const outcome_names[N_OUTCOMES] = {
    [OK] = "ok",	 [BAD_STATUS] = "bad_status", [REFUSED] = "refused",
    [RESET] = "reset",	 [TIMED_OUT] = "timeout",     [MALFORMED] = "malformed",
    [UNSENT] = "unsent",
};

/* A distinct answer to one line of the mix. */
struct seen {
	uint64_t hash;
	int status;
	char sample[SAMPLE_MAX + 1];
};

struct line {
	char *method, *path;
	char *request; /* ready to send */
	size_t request_len;
	struct seen *seen;
	size_t n_seen;
	bool overflow; /* more than SEEN_MAX */
};

enum conn_state { DOWN, CONNECTING, SENDING, READING, IDLE };

struct conn {
	enum conn_state state;
	int fd;
	bool busy; /* has a request */
	struct line *line;
	size_t sent;
	int64_t intended_ns; /* latency counts from here */
	int64_t started_ns;  /* the time limit counts from here */
	int64_t rest_until_ns;
	char *data;
	size_t len, cap;
	struct conn *next; /* in the free or the resting queue */
};

struct queue {
	struct conn *head, *tail;
};

struct options {
	const char *url, *method, *body_file, *mix_file, *answers_file;
	const char *headers[HEADERS_MAX];
	size_t n_headers;
	unsigned connections;
	double rate; /* 0: closed loop */
	unsigned seconds;
	uint64_t requests; /* 0: no limit */
	int timeout_ms;
	bool json;
};

static struct options opts = {
    .method = "GET",
    .connections = 1,
    .timeout_ms = TIMEOUT_DEFAULT_MS,
};

/* One run; a program has only one. */
static struct run {
	struct sockaddr_in addr;
	char host[64];
	char path[PATH_LEN_MAX + 1];
	struct line lines[MIX_MAX];
	size_t n_lines;
	struct conn *conns;
	struct queue free, resting;
	int epoll, timer;
	int64_t start_ns, end_ns;
	uint64_t issued, in_flight;
	uint64_t outcomes[N_OUTCOMES];
	uint64_t connects;
	int64_t last_answer_ns, gap_max_ns;
	struct load_hist hist;
} run;

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("loadgen: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static void *must_alloc(void *p)
{
	if (p == NULL) {
		die("out of memory");
	}
	return p;
}

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* ---- what was answered -------------------------------------------------- */

/* Tabs and line ends would break the table of answers. */
static void copy_sample(char *to, const char *from, size_t len)
{
	size_t i;

	len = len < SAMPLE_MAX ? len : SAMPLE_MAX;
	for (i = 0; i < len; i++) {
		to[i] = (unsigned char)from[i] < ' ' ? ' ' : from[i];
	}
	to[len] = '\0';
}

static void remember(struct line *line, const struct load_answer *answer)
{
	char *masked = must_alloc(malloc(answer->body_len + 1));
	size_t len = load_mask(answer->body, answer->body_len, masked), i;
	uint64_t hash = load_hash(masked, len);
	bool known = false;

	for (i = 0; i < line->n_seen && !known; i++) {
		known = line->seen[i].hash == hash && line->seen[i].status == answer->status;
	}
	if (!known && line->n_seen == SEEN_MAX) {
		line->overflow = true;
	} else if (!known) {
		if (line->seen == NULL) {
			line->seen = must_alloc(calloc(SEEN_MAX, sizeof(*line->seen)));
		}
		line->seen[line->n_seen].hash = hash;
		line->seen[line->n_seen].status = answer->status;
		copy_sample(line->seen[line->n_seen].sample, masked, len);
		line->n_seen++;
	}
	free(masked);
}

static int compare_seen(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	if (x->status != y->status) {
		return x->status < y->status ? -1 : 1;
	}
	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

/* Sorted and without counts, so that two runs with equal answers give equal files. */
static void write_answers(void)
{
	FILE *f = fopen(opts.answers_file, "w");
	size_t i, j;

	if (f == NULL) {
		die("%s: %s", opts.answers_file, strerror(errno));
	}
	for (i = 0; i < run.n_lines; i++) {
		struct line *line = &run.lines[i];

		if (line->n_seen > 0) {
			qsort(line->seen, line->n_seen, sizeof(*line->seen), compare_seen);
		}
		for (j = 0; j < line->n_seen; j++) {
			fprintf(f, "%zu\t%s %s\t%d\t%016" PRIx64 "\t%s\n", i + 1, line->method,
				line->path, line->seen[j].status, line->seen[j].hash,
				line->seen[j].sample);
		}
		if (line->overflow) {
			fprintf(f, "%zu\t%s %s\tmore than %d distinct answers\n", i + 1,
				line->method, line->path, SEEN_MAX);
		}
	}
	if (fclose(f) != 0) {
		die("%s: %s", opts.answers_file, strerror(errno));
	}
}

/* ---- connections -------------------------------------------------------- */

static void push(struct queue *q, struct conn *c)
{
	c->next = NULL;
	if (q->tail != NULL) {
		q->tail->next = c;
	} else {
		q->head = c;
	}
	q->tail = c;
}

static struct conn *pop(struct queue *q)
{
	struct conn *c = q->head;

	q->head = c->next;
	if (q->head == NULL) {
		q->tail = NULL;
	}
	return c;
}

static void drop(struct conn *c)
{
	if (c->fd >= 0) {
		close(c->fd); /* epoll forgets it by itself */
		c->fd = -1;
	}
	c->state = DOWN;
	c->len = 0;
}

/* The one place where a request ends. */
static void finish(struct conn *c, enum outcome outcome)
{
	int64_t now = now_ns();

	run.outcomes[outcome]++;
	run.in_flight--;
	c->busy = false;
	if (outcome == OK || outcome == BAD_STATUS) {
		if (run.last_answer_ns != 0 && now - run.last_answer_ns > run.gap_max_ns) {
			run.gap_max_ns = now - run.last_answer_ns;
		}
		run.last_answer_ns = now;
		load_hist_add(&run.hist, (uint64_t)(now - c->intended_ns));
		push(&run.free, c);
		return;
	}
	if (outcome == TIMED_OUT) {
		/* It waited at least this long; leaving it out would flatter the server. */
		load_hist_add(&run.hist, (uint64_t)(now - c->intended_ns));
	}
	drop(c);
	c->rest_until_ns = now + REST_NS;
	push(&run.resting, c);
}

static void fail_io(struct conn *c, int err)
{
	if (err == EMFILE || err == ENFILE || err == EADDRNOTAVAIL) {
		die("this machine gives no more sockets: %s", strerror(err));
	}
	finish(c, err == ECONNREFUSED ? REFUSED : RESET);
}

static void connect_start(struct conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	int one = 1;

	run.connects++;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0) {
		fail_io(c, errno);
		return;
	}
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	ev.data.ptr = c;
	if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0) {
		die("epoll: %s", strerror(errno));
	}
	c->state = CONNECTING;
	if (connect(c->fd, (struct sockaddr *)&run.addr, sizeof(run.addr)) != 0 &&
	    errno != EINPROGRESS) {
		fail_io(c, errno);
	}
}

static void send_some(struct conn *c)
{
	ssize_t n;

	while (c->sent < c->line->request_len) {
		n = send(c->fd, c->line->request + c->sent, c->line->request_len - c->sent,
			 MSG_NOSIGNAL);
		if (n < 0) {
			/* A server may refuse early: what it said is read first. */
			if (errno != EAGAIN) {
				c->state = READING;
			}
			return;
		}
		c->sent += (size_t)n;
	}
	c->state = READING;
}

static void take_answer(struct conn *c, const struct load_answer *answer)
{
	bool whole = c->sent == c->line->request_len;

	if (answer->used != c->len) {
		finish(c, MALFORMED); /* More than was asked for. */
		return;
	}
	if (opts.answers_file != NULL) {
		remember(c->line, answer);
	}
	if (answer->close || !whole) {
		drop(c);
	} else {
		c->state = IDLE;
		c->len = 0;
	}
	finish(c, answer->status < 400 ? OK : BAD_STATUS);
}

/* Returns false when the answer is settled, one way or the other. */
static bool look(struct conn *c, bool ended, int err)
{
	struct load_answer answer;

	c->data[c->len] = '\0';
	switch (load_read(c->data, c->len, ended, &answer)) {
	case LOAD_MORE:
		return true;
	case LOAD_WHOLE:
		take_answer(c, &answer);
		return false;
	case LOAD_BAD:
		if (ended) {
			fail_io(c, err != 0 ? err : ECONNRESET);
		} else {
			finish(c, MALFORMED);
		}
		return false;
	}
	return false;
}

static void make_room(struct conn *c)
{
	if (c->cap - c->len < 2) {
		c->cap = c->cap == 0 ? BUFFER_FIRST : c->cap * 2;
		c->data = must_alloc(realloc(c->data, c->cap));
	}
}

/* Reads until the kernel has no more, as edge-triggered events demand. */
static void read_some(struct conn *c)
{
	ssize_t n;

	for (;;) {
		make_room(c);
		n = recv(c->fd, c->data + c->len, c->cap - c->len - 1, 0);
		if (n < 0 && errno == EAGAIN) {
			return;
		}
		if (!c->busy) {
			drop(c); /* The server has closed a kept connection: its right. */
			return;
		}
		c->len += n > 0 ? (size_t)n : 0;
		if (!look(c, n <= 0, n < 0 ? errno : 0)) {
			return;
		}
	}
}

static void on_event(struct conn *c)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (c->state == CONNECTING) {
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err != 0) {
			fail_io(c, err);
			return;
		}
		c->state = SENDING;
	}
	if (c->state == SENDING) {
		send_some(c);
	}
	if (c->state != DOWN) {
		read_some(c);
	}
}

/* ---- the schedule ------------------------------------------------------- */

static int64_t due_ns(uint64_t k)
{
	return run.start_ns + (int64_t)((double)k * ((double)NS_PER_S / opts.rate));
}

static bool all_issued(int64_t now)
{
	if (opts.requests != 0 && run.issued >= opts.requests) {
		return true;
	}
	return (opts.rate > 0 ? due_ns(run.issued) : now) >= run.end_ns;
}

/*
 * A kept connection may have been closed by the server since: its right, and
 * no failure as long as nothing was sent on it. (A close that crosses with the
 * request on the wire does count, as a reset.)
 */
static void drop_if_ended(struct conn *c)
{
	char byte;

	if (c->state == IDLE && (recv(c->fd, &byte, 1, MSG_PEEK) >= 0 || errno != EAGAIN)) {
		drop(c);
	}
}

static void issue(struct conn *c, int64_t intended, int64_t now)
{
	drop_if_ended(c);
	c->line = &run.lines[run.issued % run.n_lines];
	c->sent = 0;
	c->busy = true;
	c->intended_ns = intended;
	c->started_ns = now;
	run.issued++;
	run.in_flight++;
	if (c->state == DOWN) {
		connect_start(c);
		return;
	}
	c->state = SENDING;
	send_some(c);
}

/* Gives out what is due to whoever is free. Returns when the next is due, 0 for no timer. */
static int64_t pump(void)
{
	int64_t now = now_ns(), due;

	while (run.resting.head != NULL && run.resting.head->rest_until_ns <= now) {
		push(&run.free, pop(&run.resting));
	}
	while (run.free.head != NULL && !all_issued(now)) {
		due = opts.rate > 0 ? due_ns(run.issued) : now;
		if (due > now) {
			return due;
		}
		issue(pop(&run.free), due, now);
		now = now_ns();
	}
	return run.resting.head != NULL && !all_issued(now) ? run.resting.head->rest_until_ns : 0;
}

static void sweep(int64_t now)
{
	int64_t limit = (int64_t)opts.timeout_ms * NS_PER_MS;
	unsigned i;

	for (i = 0; i < opts.connections; i++) {
		struct conn *c = &run.conns[i];

		if (c->busy && now - c->started_ns > limit) {
			finish(c, TIMED_OUT);
		}
	}
}

static void arm(int64_t at)
{
	struct itimerspec spec = {0};

	spec.it_value.tv_sec = at / NS_PER_S;
	spec.it_value.tv_nsec = at % NS_PER_S;
	if (timerfd_settime(run.timer, TFD_TIMER_ABSTIME, &spec, NULL) != 0) {
		die("timerfd: %s", strerror(errno));
	}
}

/*
 * What was due but found no free connection in the run's time, nor in the
 * time limit after it, was never sent: a failure, and not a silent one.
 */
static void count_unsent(int64_t now)
{
	while (opts.rate > 0 && !all_issued(now)) {
		run.issued++;
		run.outcomes[UNSENT]++;
	}
}

static void loop(void)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t next_sweep = 0, now, give_up, next;
	uint64_t ticks;
	int i, n;

	run.start_ns = now_ns();
	run.end_ns = run.start_ns + (int64_t)opts.seconds * NS_PER_S;
	give_up = run.end_ns + (int64_t)opts.timeout_ms * NS_PER_MS;
	for (;;) {
		next = pump();
		now = now_ns();
		if (now >= next_sweep) {
			sweep(now);
			next_sweep = now + SWEEP_NS;
		}
		if ((run.in_flight == 0 && all_issued(now)) || now > give_up) {
			break;
		}
		arm(next != 0 && next < next_sweep ? next : next_sweep);
		n = epoll_wait(run.epoll, events, EVENTS_MAX, -1);
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr == NULL) {
				(void)!read(run.timer, &ticks, sizeof(ticks));
			} else {
				on_event(events[i].data.ptr);
			}
		}
	}
	/* At most one sweep is missing for those still under way. */
	for (i = 0; i < (int)opts.connections; i++) {
		if (run.conns[i].busy) {
			finish(&run.conns[i], TIMED_OUT);
		}
	}
	count_unsent(now);
}

/* ---- preparing ---------------------------------------------------------- */

static char *read_file(const char *name, size_t max, size_t *ret_len)
{
	FILE *f = fopen(name, "r");
	char *data;
	size_t len;

	if (f == NULL) {
		die("%s: %s", name, strerror(errno));
	}
	data = must_alloc(malloc(max + 2));
	len = fread(data, 1, max + 1, f);
	if (ferror(f)) {
		die("%s: cannot be read", name);
	}
	if (len > max) {
		die("%s: larger than %zu bytes", name, max);
	}
	fclose(f);
	data[len] = '\0';
	*ret_len = len;
	return data;
}

static bool is_visible(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s <= ' ' || *s >= 0x7f) {
			return false;
		}
	}
	return true;
}

static void parse_url(const char *url)
{
	static const char scheme[] = "http://";
	const char *slash, *colon, *name;
	char address[48];
	char *end;
	long port;

	if (strncmp(url, scheme, sizeof(scheme) - 1) != 0) {
		die("--url %s: must begin with http://", url);
	}
	name = url + sizeof(scheme) - 1;
	slash = strchr(name, '/');
	if (slash == NULL) {
		slash = name + strlen(name);
	}
	colon = memchr(name, ':', (size_t)(slash - name));
	if (colon == NULL || (size_t)(colon - name) >= sizeof(address)) {
		die("--url %s: must be http://ADDRESS:PORT/path", url);
	}
	memcpy(address, name, (size_t)(colon - name));
	address[colon - name] = '\0';
	port = strtol(colon + 1, &end, 10);
	if (end != slash || end == colon + 1 || port < 1 || port > 65535) {
		die("--url %s: '%.*s' is not a port", url, (int)(slash - colon - 1), colon + 1);
	}
	if (inet_pton(AF_INET, strcmp(address, "localhost") == 0 ? "127.0.0.1" : address,
		      &run.addr.sin_addr) != 1) {
		die("--url %s: '%s' is not a numeric IPv4 address", url, address);
	}
	run.addr.sin_family = AF_INET;
	run.addr.sin_port = htons((uint16_t)port);
	snprintf(run.host, sizeof(run.host), "%s:%ld", address, port);
	if (strlen(slash) > PATH_LEN_MAX || !is_visible(slash)) {
		die("--url: the path has blanks or is longer than %d", PATH_LEN_MAX);
	}
	snprintf(run.path, sizeof(run.path), "%s", *slash == '/' ? slash : "/");
}

static void add_line(const char *method, const char *path, const char *body, size_t body_len)
{
	struct line *line = &run.lines[run.n_lines++];
	char *text = NULL;
	size_t len, i, used;
	FILE *f = must_alloc(open_memstream(&text, &len));
	bool typed = false;

	line->method = must_alloc(strdup(method));
	line->path = must_alloc(strdup(path));
	fprintf(f, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, run.host);
	for (i = 0; i < opts.n_headers; i++) {
		fprintf(f, "%s\r\n", opts.headers[i]);
		typed = typed || strncasecmp(opts.headers[i], "Content-Type:", 13) == 0;
	}
	if (body != NULL) {
		if (!typed) {
			fputs("Content-Type: application/json\r\n", f);
		}
		fprintf(f, "Content-Length: %zu\r\n", body_len);
	}
	fputs("\r\n", f);
	used = body != NULL ? fwrite(body, 1, body_len, f) : body_len;
	if (fclose(f) != 0 || used != body_len) {
		die("out of memory");
	}
	line->request = text;
	line->request_len = len;
}

/* "METHOD PATH [BODY]"; empty lines and lines with # are left out. */
static void add_mix_line(char *text, size_t number)
{
	char *method = text, *path, *body;

	method += strspn(method, " \t");
	if (*method == '\0' || *method == '#') {
		return;
	}
	path = method + strcspn(method, " \t");
	if (*path != '\0') {
		*path++ = '\0';
		path += strspn(path, " \t");
	}
	body = path + strcspn(path, " \t");
	if (*body != '\0') {
		*body++ = '\0';
		body += strspn(body, " \t");
	}
	if (*path != '/' || strlen(path) > PATH_LEN_MAX || !is_visible(path)) {
		die("%s:%zu: must be METHOD /PATH [BODY]", opts.mix_file, number);
	}
	if (run.n_lines == MIX_MAX) {
		die("%s:%zu: more than %d requests", opts.mix_file, number, MIX_MAX);
	}
	add_line(method, path, *body != '\0' ? body : NULL, strlen(body));
}

static void read_mix(void)
{
	size_t len, number = 1;
	char *text = read_file(opts.mix_file, (size_t)MIX_MAX * 4096, &len), *line = text, *end;

	for (; line != NULL; line = end, number++) {
		end = strchr(line, '\n');
		if (end != NULL) {
			*end++ = '\0';
		}
		line[strcspn(line, "\r")] = '\0';
		if (strlen(line) > MIX_LINE_MAX) {
			die("%s:%zu: longer than %d", opts.mix_file, number, MIX_LINE_MAX);
		}
		add_mix_line(line, number);
	}
	free(text);
	if (run.n_lines == 0) {
		die("%s: has no request", opts.mix_file);
	}
}

static void prepare(void)
{
	struct epoll_event ev = {.events = EPOLLIN};
	size_t len = 0;
	char *body = NULL;
	unsigned i;

	parse_url(opts.url);
	if (opts.mix_file != NULL) {
		read_mix();
	} else {
		if (opts.body_file != NULL) {
			body = read_file(opts.body_file, BODY_SENT_MAX, &len);
		}
		add_line(opts.method, run.path, body, len);
		free(body);
	}
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	run.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (run.epoll < 0 || run.timer < 0 ||
	    epoll_ctl(run.epoll, EPOLL_CTL_ADD, run.timer, &ev) != 0) {
		die("epoll: %s", strerror(errno));
	}
	run.conns = must_alloc(calloc(opts.connections, sizeof(*run.conns)));
	for (i = 0; i < opts.connections; i++) {
		run.conns[i].fd = -1;
		push(&run.free, &run.conns[i]);
	}
}

/* ---- the report --------------------------------------------------------- */

static double at_ms(double percent)
{
	return (double)load_hist_at(&run.hist, percent) / (double)NS_PER_MS;
}

static void report(double seconds)
{
	uint64_t failed = run.issued - run.outcomes[OK];
	double gap = (double)run.gap_max_ns / (double)NS_PER_MS;
	double per_second = seconds > 0 ? (double)run.outcomes[OK] / seconds : 0;
	const char *line = opts.json ? ",\"%s\":%" PRIu64 : "%-12s %" PRIu64 "\n";
	const char *real = opts.json ? ",\"%s\":%.3f" : "%-12s %.3f\n";
	uint64_t distinct = 0;
	size_t i;

	for (i = 0; i < run.n_lines; i++) {
		distinct += run.lines[i].n_seen;
	}
	printf(opts.json ? "{\"%s\":%" PRIu64 : line, "requests", run.issued);
	printf(line, "ok", run.outcomes[OK]);
	printf(line, "failed", failed);
	for (i = OK + 1; i < N_OUTCOMES; i++) {
		printf(line, outcome_names[i], run.outcomes[i]);
	}
	printf(line, "connects", run.connects);
	printf(real, "seconds", seconds);
	printf(real, "ok_per_s", per_second);
	printf(real, "gap_max_ms", gap);
	printf(real, "p50_ms", at_ms(50));
	printf(real, "p95_ms", at_ms(95));
	printf(real, "p99_ms", at_ms(99));
	printf(real, "max_ms", (double)run.hist.max / (double)NS_PER_MS);
	if (opts.answers_file != NULL) {
		printf(line, "distinct", distinct);
	}
	printf("%s", opts.json ? "}\n" : "");
}

/* ---- the command line --------------------------------------------------- */

static const char usage[] =
    "usage: loadgen --url http://ADDRESS:PORT/path (--seconds S | --requests N)\n"
    "  --method M, --body FILE     one request (default GET)\n"
    "  --mix FILE                  several in turn, a line each: METHOD PATH [BODY]\n"
    "  --header 'K: V'             for every request, up to 16 times\n"
    "  --connections N             1 to 1000 (default 1)\n"
    "  --closed | --rate R         as fast as answers come (default) | R requests a second\n"
    "  --timeout MS                per request (default 10000)\n"
    "  --json                      one JSON line in place of a table\n"
    "  --answers FILE              writes each distinct answer (ids and times masked)\n"
    "exit status: 0 no failure, 1 some request failed, 2 it could not run\n";

static double read_count(const char *name, const char *text, double min, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= min && value <= max)) {
		die("--%s %s: must be a number from %.0f to %.0f", name, text, min, max);
	}
	return value;
}

static void add_header(const char *text)
{
	size_t i;

	if (opts.n_headers == HEADERS_MAX) {
		die("--header: more than %d", HEADERS_MAX);
	}
	if (strchr(text, ':') == NULL || strlen(text) > HEADER_LEN_MAX) {
		die("--header '%.40s': must be 'Name: value', at most %d bytes", text,
		    HEADER_LEN_MAX);
	}
	for (i = 0; text[i] != '\0'; i++) {
		if ((unsigned char)text[i] < ' ') {
			die("--header '%.20s..': has a control character", text);
		}
	}
	opts.headers[opts.n_headers++] = text;
}

static void set_option(int option, const char *value)
{
	switch (option) {
	case 'u':
		opts.url = value;
		break;
	case 'm':
		opts.method = value;
		break;
	case 'b':
		opts.body_file = value;
		break;
	case 'x':
		opts.mix_file = value;
		break;
	case 'a':
		opts.answers_file = value;
		break;
	case 'h':
		add_header(value);
		break;
	case 'l':
		opts.rate = 0;
		break;
	case 'j':
		opts.json = true;
		break;
	case 'c':
		opts.connections = (unsigned)read_count("connections", value, 1, CONNECTIONS_MAX);
		break;
	case 'r':
		opts.rate = read_count("rate", value, 1, RATE_MAX);
		break;
	case 's':
		opts.seconds = (unsigned)read_count("seconds", value, 1, SECONDS_MAX);
		break;
	case 'n':
		opts.requests = (uint64_t)read_count("requests", value, 1, 1e9);
		break;
	case 't':
		opts.timeout_ms = (int)read_count("timeout", value, 1, TIMEOUT_MAX_MS);
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
	    {"method", required_argument, NULL, 'm'},
	    {"body", required_argument, NULL, 'b'},
	    {"mix", required_argument, NULL, 'x'},
	    {"answers", required_argument, NULL, 'a'},
	    {"header", required_argument, NULL, 'h'},
	    {"closed", no_argument, NULL, 'l'},
	    {"json", no_argument, NULL, 'j'},
	    {"connections", required_argument, NULL, 'c'},
	    {"rate", required_argument, NULL, 'r'},
	    {"seconds", required_argument, NULL, 's'},
	    {"requests", required_argument, NULL, 'n'},
	    {"timeout", required_argument, NULL, 't'},
	    {NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		set_option(option, optarg);
	}
	if (opts.url == NULL || optind != argc || (opts.seconds == 0 && opts.requests == 0)) {
		fputs(usage, stderr);
		exit(2);
	}
	if (opts.mix_file != NULL && opts.body_file != NULL) {
		die("--mix and --body exclude each other");
	}
	if (!is_visible(opts.method) || opts.method[0] == '\0') {
		die("--method '%s': is none", opts.method);
	}
	if (strcmp(opts.method, "HEAD") == 0) {
		die("--method HEAD: its answers have no body to read");
	}
	if (opts.seconds == 0) {
		opts.seconds = SECONDS_MAX;
	}
}

static void clean_up(void)
{
	size_t i;

	for (i = 0; i < opts.connections; i++) {
		drop(&run.conns[i]);
		free(run.conns[i].data);
	}
	for (i = 0; i < run.n_lines; i++) {
		free(run.lines[i].method);
		free(run.lines[i].path);
		free(run.lines[i].request);
		free(run.lines[i].seen);
	}
	free(run.conns);
	close(run.timer);
	close(run.epoll);
}

int main(int argc, char **argv)
{
	double seconds;

	parse_options(argc, argv);
	prepare();
	loop();
	seconds = (double)(now_ns() - run.start_ns) / (double)NS_PER_S;
	report(seconds);
	if (opts.answers_file != NULL) {
		write_answers();
	}
	clean_up();
	return run.outcomes[OK] == run.issued ? 0 : 1;
}
