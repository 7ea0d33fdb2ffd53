/* A crowd of bad peers over epoll; what each of them does is its kind's affair. */
#include "tests/bench/storm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { EVENTS_MAX = 128, WAIT_MS = 5 };

/* A machine that has no more local ports or descriptors for the crowd is asked again so much later.
 */
#define REST_NS (20 * LOAD_NS_PER_MS)

uint64_t storm_random(struct storm *storm)
{
	uint64_t x = storm->seed;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return storm->seed = x;
}

void storm_send(struct storm_peer *peer, const void *data, size_t len)
{
	(void)!send(peer->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void go(struct storm *storm, struct storm_peer *peer, bool reset)
{
	const struct linger linger = {.l_onoff = 1};

	if (peer->fd < 0) {
		return;
	}
	if (reset) {
		(void)setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	}
	close(peer->fd);
	peer->fd = -1;
	peer->connected = false;
	peer->since_ns = storm->now_ns;
}

static void come(struct storm *storm, struct storm_peer *peer)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	const struct sockaddr *addr = (const struct sockaddr *)(const void *)&storm->target->addr;
	int small = 2048;

	if (storm->counts.opened >= storm->opened_max) {
		return;
	}
	peer->fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	peer->since_ns = storm->now_ns;
	peer->step = 0;
	peer->len = 0;
	if (peer->fd < 0) {
		return;
	}
	if (storm->kind->slow_reader) {
		(void)setsockopt(peer->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	}
	ev.data.ptr = peer;
	if (epoll_ctl(storm->epoll, EPOLL_CTL_ADD, peer->fd, &ev) != 0) {
		load_die("epoll: %s", strerror(errno));
	}
	if (connect(peer->fd, addr, storm->target->addr_len) != 0 && errno != EINPROGRESS) {
		go(storm, peer, false);
	}
}

static void do_next(struct storm *storm, struct storm_peer *peer, enum storm_next next)
{
	if (next != STORM_STAY) {
		go(storm, peer, next == STORM_RESET);
		come(storm, peer);
	}
}

/* Who talks the protocol well gets answers; they are counted by their first line. */
static void count_answer(struct storm *storm, const struct storm_peer *peer)
{
	if (peer->len < 12 || memcmp(peer->bytes, "HTTP/1.", 7) != 0) {
		return;
	}
	if (peer->bytes[9] == '2') {
		storm->counts.answered++;
	} else if (memcmp(peer->bytes + 9, "503", 3) == 0) {
		storm->counts.refused++;
	} else {
		storm->counts.faulted++;
	}
}

/* Reads what there is. False: the server has ended it. */
static bool read_all(struct storm_peer *peer)
{
	char rest[STORM_BYTES];
	ssize_t n;

	do {
		bool room = peer->len < STORM_BYTES;

		n = room ? recv(peer->fd, peer->bytes + peer->len, STORM_BYTES - peer->len, 0)
			 : recv(peer->fd, rest, sizeof(rest), 0);
		peer->len += room && n > 0 ? (size_t)n : 0;
	} while (n > 0);
	return n < 0 && errno == EAGAIN;
}

static void on_event(struct storm *storm, struct storm_peer *peer, uint32_t events)
{
	bool lives = (events & (EPOLLERR | EPOLLHUP)) == 0;

	if (peer->fd < 0) {
		return;
	}
	if (!peer->connected && (events & EPOLLOUT) != 0 && lives) {
		peer->connected = true;
		storm->counts.opened++;
		enum storm_next next = storm->kind->connected(storm, peer);
		if (next != STORM_STAY) {
			do_next(storm, peer, next);
			return;
		}
	}
	if (storm->kind->readable != NULL && (events & (EPOLLIN | EPOLLRDHUP)) != 0) {
		size_t had = peer->len;

		lives = read_all(peer) && lives;
		if (had < 12 && peer->len >= 12) {
			count_answer(storm, peer);
		}
		if (lives && peer->len > had) {
			do_next(storm, peer, storm->kind->readable(storm, peer));
			return;
		}
	}
	if (!lives) {
		storm->counts.cut += peer->connected;
		do_next(storm, peer, STORM_LEAVE);
	}
}

static void tick_all(struct storm *storm)
{
	for (unsigned i = 0; i < storm->crowd; i++) {
		struct storm_peer *peer = &storm->peers[i];

		if (peer->fd < 0 && storm->now_ns - peer->since_ns > REST_NS) {
			come(storm, peer);
		} else if (peer->connected && storm->kind->tick != NULL) {
			do_next(storm, peer, storm->kind->tick(storm, peer));
		}
	}
}

static void gather(struct storm *storm)
{
	storm->epoll = epoll_create1(EPOLL_CLOEXEC);
	storm->peers = load_must(calloc(storm->crowd, sizeof(*storm->peers)));
	if (storm->epoll < 0) {
		load_die("epoll: %s", strerror(errno));
	}
	for (unsigned i = 0; i < storm->crowd; i++) {
		storm->peers[i].fd = -1;
		come(storm, &storm->peers[i]);
	}
}

void storm_rage(struct storm *storm, int64_t until_ns)
{
	struct epoll_event events[EVENTS_MAX];
	int64_t next_tick;

	storm->now_ns = load_now_ns();
	next_tick = storm->now_ns + storm->tick_ns;
	gather(storm);
	while (storm->now_ns < until_ns) {
		int n = epoll_wait(storm->epoll, events, EVENTS_MAX, WAIT_MS);

		storm->now_ns = load_now_ns();
		for (int i = 0; i < n; i++) {
			on_event(storm, events[i].data.ptr, events[i].events);
		}
		if (storm->now_ns >= next_tick) {
			next_tick = storm->now_ns + storm->tick_ns;
			tick_all(storm);
		}
	}
}

void storm_end(struct storm *storm)
{
	for (unsigned i = 0; i < storm->crowd; i++) {
		go(storm, &storm->peers[i], false);
	}
	free(storm->peers);
	storm->peers = NULL;
	close(storm->epoll);
}
