/*
 * One connection of the generator: connects, sends what it has been given,
 * reads until the answer is whole. Never looks at the schedule, and never
 * sends before the answer to what it sent last has come.
 */
#include "tests/bench/load_run.h"
#include "tests/bench/load_ws.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BUFFER_FIRST = 16384 };

void load_conn_init(struct load_run *run, struct load_conn *c)
{
	c->fd = -1;
	if (run->target->ws) {
		size_t size = run->options->message, i;

		c->frame = load_must(malloc(size + LOAD_WS_HEAD_MAX));
		c->echo = load_must(malloc(size + 1));
		for (i = 0; i < size; i++) {
			c->echo[i] = (char)('a' + i % 26);
		}
	}
}

void load_conn_drop(struct load_conn *c)
{
	if (c->fd >= 0) {
		close(c->fd); /* epoll forgets it by itself */
		c->fd = -1;
	}
	c->state = CONN_DOWN;
	c->len = 0;
	c->message_len = 0;
}

void load_conn_fini(struct load_run *run, struct load_conn *c)
{
	char frame[2 + LOAD_WS_HEAD_MAX];

	if (run->target->ws && c->state == CONN_IDLE) {
		size_t len = load_ws_frame(LOAD_WS_CLOSE, 1, "\x03\xe8", 2, frame); /* 1000 */

		(void)!send(c->fd, frame, len, MSG_NOSIGNAL);
	}
	load_conn_drop(c);
	free(c->data);
	free(c->frame);
	free(c->echo);
}

/* Ends what the connection was about, and the connection. */
static void fail(struct load_run *run, struct load_conn *c, enum load_outcome outcome)
{
	load_conn_drop(c);
	if (c->asked) {
		load_run_finish(run, c, outcome);
	} else if (c->opening) {
		load_run_opened(run, c);
	}
}

static void fail_io(struct load_run *run, struct load_conn *c, int err)
{
	if (err == EMFILE || err == ENFILE || err == EADDRNOTAVAIL) {
		load_die("this machine gives no more sockets: %s", strerror(err));
	}
	fail(run, c, err == ECONNREFUSED ? LOAD_REFUSED : LOAD_RESET);
}

void load_conn_open(struct load_run *run, struct load_conn *c)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	const struct sockaddr *addr = (const struct sockaddr *)(const void *)&run->target->addr;
	int one = 1;

	run->result->connects++;
	c->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0) {
		fail_io(run, c, errno);
		return;
	}
	if (addr->sa_family == AF_INET) {
		(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	}
	ev.data.ptr = c;
	if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0) {
		load_die("epoll: %s", strerror(errno));
	}
	c->state = CONN_CONNECTING;
	if (connect(c->fd, addr, run->target->addr_len) != 0 && errno != EINPROGRESS) {
		fail_io(run, c, errno);
	}
}

static void send_some(struct load_conn *c)
{
	while (c->sent < c->out_len) {
		ssize_t n = send(c->fd, c->out + c->sent, c->out_len - c->sent, MSG_NOSIGNAL);

		if (n < 0) {
			/* A server may refuse early: what it said is read first. */
			return;
		}
		c->sent += (size_t)n;
	}
}

static void send_all(struct load_conn *c, const char *data, size_t len)
{
	c->out = data;
	c->out_len = len;
	c->sent = 0;
	send_some(c);
}

/* The echo of request n is told from all others by its first bytes. */
static void send_echo(struct load_run *run, struct load_conn *c)
{
	char number[17];
	size_t size = run->options->message, len;

	snprintf(number, sizeof(number), "%016" PRIx64, c->number);
	memcpy(c->echo, number, size < 16 ? size : 16);
	len = load_ws_frame(LOAD_WS_BINARY, (uint32_t)c->number * 2654435761u, c->echo, size,
			    c->frame);
	send_all(c, c->frame, len);
}

static void begin(struct load_run *run, struct load_conn *c)
{
	c->state = CONN_BUSY;
	if (run->target->ws) {
		send_echo(run, c);
	} else {
		send_all(c, c->line->request, c->line->request_len);
	}
}

/*
 * A kept connection may have been closed by the server since: its right, and
 * no failure as long as nothing was sent on it. (A close that crosses with the
 * request on the wire does count, as a reset.)
 */
static bool has_ended(const struct load_run *run, const struct load_conn *c)
{
	char byte;
	ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK);

	if (n > 0) {
		return !run->target->ws; /* A word in parting; over WebSocket it may be a ping. */
	}
	return n == 0 || errno != EAGAIN;
}

void load_conn_ask(struct load_run *run, struct load_conn *c)
{
	if (c->state == CONN_IDLE && has_ended(run, c)) {
		load_conn_drop(c);
	}
	if (c->state == CONN_IDLE) {
		begin(run, c);
	} else if (c->state == CONN_DOWN) {
		load_conn_open(run, c);
	}
}

static void opened(struct load_run *run, struct load_conn *c)
{
	c->state = CONN_IDLE;
	if (c->asked) {
		begin(run, c);
	} else if (c->opening) {
		load_run_opened(run, c);
	}
}

/* --- reading ------------------------------------------------------------- */

/* Forgets the first @n bytes behind the message so far. */
static void consume(struct load_conn *c, size_t n)
{
	c->len -= n;
	memmove(c->data + c->message_len, c->data + c->message_len + n, c->len - c->message_len);
	c->data[c->len] = '\0';
}

static void take_answer(struct load_run *run, struct load_conn *c, const struct load_answer *answer)
{
	if (answer->used != c->len) {
		fail(run, c, LOAD_MALFORMED); /* More than was asked for. */
		return;
	}
	if (c->line->seen != NULL) {
		load_seen_add(c->line, answer);
	}
	if (answer->close || c->sent < c->out_len) {
		load_conn_drop(c);
	} else {
		c->state = CONN_IDLE;
		c->len = 0;
	}
	load_run_finish(run, c, answer->status < 400 ? LOAD_OK : LOAD_BAD_STATUS);
}

static enum load_read look_http(struct load_run *run, struct load_conn *c, bool ended)
{
	struct load_answer answer;
	enum load_read got = load_http_read(c->data, c->len, ended, &answer);

	if (got == LOAD_WHOLE) {
		take_answer(run, c, &answer);
	}
	return got;
}

static void send_pong(struct load_conn *c, const struct load_ws_frame *ping)
{
	char pong[LOAD_WS_CONTROL_MAX + LOAD_WS_HEAD_MAX];
	size_t len = load_ws_frame(LOAD_WS_PONG, 1, ping->data, ping->len, pong);

	(void)!send(c->fd, pong, len, MSG_NOSIGNAL);
}

/* A whole message has come: the echo, or nothing that was asked for. */
static void take_echo(struct load_run *run, struct load_conn *c)
{
	size_t len = c->message_len;
	bool same = c->state == CONN_BUSY && len == run->options->message &&
		    memcmp(c->data, c->echo, len) == 0;

	c->message_len = 0;
	if (same && c->len == len) {
		c->len = 0;
		c->state = CONN_IDLE;
		load_run_finish(run, c, LOAD_OK);
	} else {
		fail(run, c, LOAD_MALFORMED);
	}
}

static enum load_read look_ws(struct load_run *run, struct load_conn *c)
{
	struct load_ws_frame frame;
	enum load_read got;

	while ((got = load_ws_read(c->data + c->message_len, c->len - c->message_len, &frame)) ==
	       LOAD_WHOLE) {
		if (frame.opcode == LOAD_WS_CLOSE ||
		    (frame.opcode < LOAD_WS_CLOSE && (frame.opcode == 0) != (c->message_len > 0))) {
			return LOAD_BAD;
		}
		if (frame.opcode == LOAD_WS_PING) {
			send_pong(c, &frame);
		}
		if (frame.opcode >= LOAD_WS_CLOSE) {
			consume(c, frame.used);
			continue;
		}
		consume(c, frame.used - frame.len);
		c->message_len += frame.len;
		if (frame.last) {
			take_echo(run, c);
			return LOAD_WHOLE;
		}
	}
	return got;
}

static enum load_read look_upgrade(struct load_run *run, struct load_conn *c)
{
	size_t used = 0;
	enum load_read got = load_ws_accept(c->data, c->len, &used);

	if (got == LOAD_WHOLE) {
		consume(c, used);
		opened(run, c);
	}
	return got;
}

static enum load_read look_at(struct load_run *run, struct load_conn *c, bool ended)
{
	if (c->state == CONN_UPGRADING) {
		return look_upgrade(run, c);
	}
	if (run->target->ws) {
		return look_ws(run, c);
	}
	return c->state == CONN_BUSY ? look_http(run, c, ended) : LOAD_BAD;
}

/* Returns false when there is nothing more to read: the answer came, or the connection is gone. */
static bool look(struct load_run *run, struct load_conn *c, bool ended, int err)
{
	enum load_read got;

	c->data[c->len] = '\0';
	got = look_at(run, c, ended);
	if (got == LOAD_WHOLE) {
		return false;
	}
	if (ended) {
		fail_io(run, c, err != 0 ? err : ECONNRESET);
		return false;
	}
	if (got == LOAD_BAD) {
		fail(run, c, LOAD_MALFORMED);
		return false;
	}
	return true;
}

static void make_room(struct load_conn *c)
{
	if (c->cap - c->len < 2) {
		c->cap = c->cap == 0 ? BUFFER_FIRST : c->cap * 2;
		c->data = load_must(realloc(c->data, c->cap));
	}
}

/*
 * Reads once, as much as there is room for, and looks; again only when it may
 * have been cut off. An answer that came ends the reading: what the kernel may
 * still have is seen before the next request (has_ended) or rings again.
 */
static void read_some(struct load_run *run, struct load_conn *c)
{
	ssize_t n;

	do {
		make_room(c);
		n = recv(c->fd, c->data + c->len, c->cap - c->len - 1, 0);
		if (n < 0 && errno == EAGAIN) {
			return;
		}
		c->len += n > 0 ? (size_t)n : 0;
	} while (look(run, c, n <= 0, n < 0 ? errno : 0));
}

static void connected(struct load_run *run, struct load_conn *c)
{
	socklen_t len = sizeof(int);
	int err = 0;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err != 0) {
		fail_io(run, c, err);
	} else if (run->target->ws) {
		c->state = CONN_UPGRADING;
		send_all(c, run->upgrade, run->upgrade_len);
	} else {
		opened(run, c);
	}
}

void load_conn_event(struct load_run *run, struct load_conn *c)
{
	if (c->state == CONN_CONNECTING) {
		connected(run, c);
	} else if (c->state == CONN_UPGRADING || c->state == CONN_BUSY) {
		send_some(c);
	}
	if (c->state != CONN_DOWN) {
		read_some(run, c);
	}
}
