/*
 * The load generator against a server that misbehaves on purpose, on a thread
 * of its own and real sockets: the generator judges others, so what it leaves
 * out or makes better is tested here.
 */
#include "tests/bench/load.h"
#include "tests/bench/load_ws.h"
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { PEERS_MAX = 8, BYTES_MAX = 4096 };

/* What the server does with request number @at (from 1 on), and from then on. */
struct manners {
	enum { WELL, STALL, SILENCE, STATUS, HANGUP, OTHER_ECHO, PIECES } how;
	unsigned at;
	int stall_ms;
};

struct peer {
	int fd; /* -1: none */
	bool upgraded;
	size_t len;
	char bytes[BYTES_MAX];
};

struct server {
	struct manners manners;
	int listener, stop[2];
	struct sockaddr_storage addr;
	socklen_t addr_len;
	unsigned requests, pongs;
	pthread_t thread;
	struct peer peers[PEERS_MAX];
};

static void tell(struct peer *peer, const char *data, size_t len)
{
	(void)!send(peer->fd, data, len, MSG_NOSIGNAL);
}

static void hang_up(struct peer *peer)
{
	close(peer->fd);
	peer->fd = -1;
}

/* Whether request number @n is one that the manners are about. */
static bool is_chosen(const struct server *server, unsigned n)
{
	bool once = server->manners.how == STALL;

	return server->manners.how != WELL &&
	       (once ? n == server->manners.at : n >= server->manners.at);
}

static void answer_http(struct server *server, struct peer *peer)
{
	static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
	static const char bad[] = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";

	if (!is_chosen(server, ++server->requests)) {
		tell(peer, ok, sizeof(ok) - 1);
		return;
	}
	switch (server->manners.how) {
	case STALL:
		(void)poll(NULL, 0, server->manners.stall_ms); /* this is what is tested */
		tell(peer, ok, sizeof(ok) - 1);
		break;
	case STATUS:
		tell(peer, bad, sizeof(bad) - 1);
		break;
	case HANGUP:
		hang_up(peer);
		break;
	default: /* SILENCE */
		break;
	}
}

/* Takes the mask off; @data lies behind the key. */
static void unmask(char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		data[i] = (char)(data[i] ^ data[(ptrdiff_t)(i % 4) - 4]);
	}
}

/* Echoes of less than 126 bytes. */
static void answer_ws(struct server *server, struct peer *peer)
{
	size_t len = (unsigned char)peer->bytes[1] & 0x7f;
	char *data = peer->bytes + 6, frame[256] = {'\x82', (char)len};

	if ((peer->bytes[0] & 0x0f) >= LOAD_WS_CLOSE) {
		server->pongs += (peer->bytes[0] & 0x0f) == LOAD_WS_PONG;
		return;
	}
	unmask(data, len);
	memcpy(frame + 2, data, len);
	if (!is_chosen(server, ++server->requests)) {
		tell(peer, frame, len + 2);
	} else if (server->manners.how == OTHER_ECHO) {
		frame[2] ^= 1;
		tell(peer, frame, len + 2);
	} else if (server->manners.how == PIECES) {
		frame[0] = 2;
		frame[1] = 5;
		tell(peer, frame, 7);
		tell(peer, "\x89\x01?", 3); /* a ping in the middle */
		frame[5] = '\x80';
		frame[6] = (char)(len - 5);
		tell(peer, frame + 5, len - 5 + 2);
	}
}

static void upgrade(struct peer *peer)
{
	static const char yes[] =
	    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
	    "Connection: Upgrade\r\nSec-WebSocket-Accept: " LOAD_WS_ACCEPT "\r\n\r\n";

	peer->upgraded = true;
	tell(peer, yes, sizeof(yes) - 1);
}

/* Bytes of the first whole request, 0 while there is none. */
static size_t whole(const struct peer *peer)
{
	const char *end;

	if (peer->upgraded) {
		size_t need = peer->len < 2 ? 2 : ((unsigned char)peer->bytes[1] & 0x7f) + 6u;

		return peer->len >= need ? need : 0;
	}
	end = memmem(peer->bytes, peer->len, "\r\n\r\n", 4);
	return end == NULL ? 0 : (size_t)(end + 4 - peer->bytes);
}

static void on_bytes(struct server *server, struct peer *peer)
{
	ssize_t n = recv(peer->fd, peer->bytes + peer->len, BYTES_MAX - peer->len, 0);
	size_t used;

	if (n <= 0) {
		hang_up(peer);
		return;
	}
	peer->len += (size_t)n;
	while (peer->fd >= 0 && (used = whole(peer)) > 0) {
		if (peer->upgraded) {
			answer_ws(server, peer);
		} else if (memmem(peer->bytes, used, "Upgrade: websocket", 18) != NULL) {
			upgrade(peer);
		} else {
			answer_http(server, peer);
		}
		peer->len -= used;
		memmove(peer->bytes, peer->bytes + used, peer->len);
	}
}

static void on_connection(struct server *server)
{
	int fd = accept(server->listener, NULL, NULL);

	for (size_t i = 0; i < PEERS_MAX && fd >= 0; i++) {
		if (server->peers[i].fd < 0) {
			server->peers[i] = (struct peer){.fd = fd};
			fd = -1;
		}
	}
	if (fd >= 0) {
		close(fd);
	}
}

static void *serve(void *arg)
{
	struct server *server = arg;
	struct pollfd fds[2 + PEERS_MAX];

	for (;;) {
		fds[0] = (struct pollfd){.fd = server->stop[0], .events = POLLIN};
		fds[1] = (struct pollfd){.fd = server->listener, .events = POLLIN};
		for (size_t i = 0; i < PEERS_MAX; i++) {
			fds[2 + i] = (struct pollfd){.fd = server->peers[i].fd, .events = POLLIN};
		}
		(void)poll(fds, 2 + PEERS_MAX, -1);
		if (fds[0].revents) {
			return NULL;
		}
		for (size_t i = 0; i < PEERS_MAX; i++) {
			if (fds[2 + i].fd >= 0 && fds[2 + i].revents) {
				on_bytes(server, &server->peers[i]);
			}
		}
		if (fds[1].revents) {
			on_connection(server);
		}
	}
}

/* On loopback, or with @path on a UNIX socket there. */
static void server_start(struct server *server, struct manners manners, const char *path)
{
	struct sockaddr_in *in = (struct sockaddr_in *)(void *)&server->addr;
	struct sockaddr_un *un = (struct sockaddr_un *)(void *)&server->addr;

	memset(server, 0, sizeof(*server));
	server->manners = manners;
	server->addr_len = path ? sizeof(*un) : sizeof(*in);
	if (path) {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof(un->sun_path), "%s", path);
	} else {
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	}
	for (size_t i = 0; i < PEERS_MAX; i++) {
		server->peers[i].fd = -1;
	}
	server->listener = socket(server->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(pipe(server->stop), 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&server->addr, server->addr_len),
			 0);
	assert_int_equal(listen(server->listener, 64), 0);
	assert_int_equal(
	    getsockname(server->listener, (struct sockaddr *)&server->addr, &server->addr_len), 0);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_stop(struct server *server)
{
	assert_int_equal(write(server->stop[1], "x", 1), 1);
	pthread_join(server->thread, NULL);
	for (size_t i = 0; i < PEERS_MAX; i++) {
		if (server->peers[i].fd >= 0) {
			hang_up(&server->peers[i]);
		}
	}
	close(server->listener);
	close(server->stop[0]);
	close(server->stop[1]);
}

static struct server the_server;
static struct load_result result;

/* One run against a server with these manners; over a UNIX socket with @path. */
static void run(struct manners manners, const struct load_options *options, const char *path,
		bool ws)
{
	static struct load_mix mix;
	struct load_target target = {0};
	char url[64];

	server_start(&the_server, manners, path);
	snprintf(url, sizeof(url), "%s://127.0.0.1:%d/", ws ? "ws" : "http",
		 path ? 80 : ntohs(((struct sockaddr_in *)(void *)&the_server.addr)->sin_port));
	load_target_parse(url, &target);
	if (path) {
		load_target_unix(&target, path);
	}
	mix.host = target.host;
	if (!ws) {
		load_mix_add(&mix, "GET", "/", NULL, 0);
	}
	load_run(options, &target, &mix, &result);
	load_mix_fini(&mix);
	server_stop(&the_server);
}

static uint64_t sum_of_outcomes(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < LOAD_N_OUTCOMES; i++) {
		sum += result.outcomes[i];
	}
	return sum;
}

/*
 * At 1000 requests a second, 200 fall due while the server stalls for 200 ms: those due in its
 * first 100 ms wait 100 ms or longer, and the 20 due in the first 20 ms are enough for the slowest
 * 1 %. A generator that counts from when it could send sees no more of them than it has
 * connections.
 */
static void a_stall_is_charged_to_everybody_who_would_have_waited(void **state)
{
	const struct load_options options = {
	    .connections = 4, .rate = 1000, .seconds = 0.5, .timeout_ms = 5000};

	(void)state;
	run((struct manners){STALL, 150, 200}, &options, NULL, false);
	assert_int_equal(result.issued, 500);
	assert_int_equal(result.outcomes[LOAD_OK], 500);
	assert_int_equal(result.hist.count, 500);
	assert_in_range(load_hist_above(&result.hist, 100 * LOAD_NS_PER_MS), 90, 500);
	assert_true(load_hist_at(&result.hist, 99) >= 180 * LOAD_NS_PER_MS);
	assert_true(result.gap_max_ns >= 190 * LOAD_NS_PER_MS);
	assert_int_equal(result.connects, 4);
}

static void in_a_closed_loop_the_next_request_follows_the_answer(void **state)
{
	const struct load_options options = {
	    .connections = 3, .seconds = 10, .requests = 300, .timeout_ms = 5000};

	(void)state;
	run((struct manners){STALL, 150, 50}, &options, NULL, false);
	assert_int_equal(result.issued, 300);
	assert_int_equal(result.outcomes[LOAD_OK], 300);
	assert_int_equal(result.connects, 3);
	assert_true(result.hist.max >= 50 * LOAD_NS_PER_MS);
}

/* One connection, and silence from the third request on: two answers, one time limit, and the rest.
 */
static void what_is_not_answered_or_never_sent_has_waited_too(void **state)
{
	const struct load_options options = {
	    .connections = 1, .rate = 100, .seconds = 0.1, .timeout_ms = 300};

	(void)state;
	run((struct manners){SILENCE, 3, 0}, &options, NULL, false);
	assert_int_equal(result.issued, 10);
	assert_int_equal(result.outcomes[LOAD_OK], 2);
	assert_in_range(result.outcomes[LOAD_TIMED_OUT], 1, 2);
	assert_int_equal(result.outcomes[LOAD_TIMED_OUT] + result.outcomes[LOAD_UNSENT], 8);
	assert_int_equal(result.hist.count, 10);
	assert_int_equal(load_hist_above(&result.hist, 250 * LOAD_NS_PER_MS), 8);
}

static void each_failure_has_one_outcome_of_its_own(void **state)
{
	static const struct {
		int how;
		enum load_outcome outcome;
		bool ws;
	} cases[] = {
	    {STATUS, LOAD_BAD_STATUS, false},
	    {HANGUP, LOAD_RESET, false},
	    {OTHER_ECHO, LOAD_MALFORMED, true},
	};
	const struct load_options options = {
	    .connections = 2, .rate = 400, .seconds = 0.05, .timeout_ms = 2000, .message = 20};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		run((struct manners){cases[i].how, 11, 0}, &options, NULL, cases[i].ws);
		assert_int_equal(result.issued, 20);
		assert_int_equal(sum_of_outcomes(), 20);
		assert_int_equal(result.outcomes[LOAD_OK], 10);
		assert_int_equal(result.outcomes[cases[i].outcome], 10);
	}
}

static void nobody_there_is_refused(void **state)
{
	const struct load_options options = {
	    .connections = 2, .rate = 100, .seconds = 0.05, .timeout_ms = 1000};
	static struct load_mix mix = {.host = "nobody"};
	struct load_target target = {0};

	(void)state;
	load_target_parse("http://127.0.0.1:1/", &target);
	load_mix_add(&mix, "GET", "/", NULL, 0);
	load_run(&options, &target, &mix, &result);
	load_mix_fini(&mix);
	assert_int_equal(result.issued, 5);
	assert_int_equal(result.outcomes[LOAD_REFUSED], 5);
}

static void an_echo_is_whole_also_in_pieces_with_a_ping_between_and_over_a_unix_socket(void **state)
{
	const struct load_options options = {.connections = 3,
					     .rate = 1000,
					     .seconds = 0.1,
					     .timeout_ms = 2000,
					     .message = 40,
					     .spin = true};
	char folder[] = "/tmp/test_load_XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s", folder);
	run((struct manners){PIECES, 20, 0}, &options, path, true);
	assert_int_equal(result.outcomes[LOAD_OK], 100);
	assert_int_equal(result.issued, 100);
	assert_int_equal(result.connects, 3);
	/* The last ones may lie unread when the server stops. */
	assert_in_range(the_server.pongs, 81 - 3, 81);
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_stall_is_charged_to_everybody_who_would_have_waited),
	    cmocka_unit_test(in_a_closed_loop_the_next_request_follows_the_answer),
	    cmocka_unit_test(what_is_not_answered_or_never_sent_has_waited_too),
	    cmocka_unit_test(each_failure_has_one_outcome_of_its_own),
	    cmocka_unit_test(nobody_there_is_refused),
	    cmocka_unit_test(
		an_echo_is_whole_also_in_pieces_with_a_ping_between_and_over_a_unix_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
