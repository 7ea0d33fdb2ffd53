/* qrt_control_ask, the client of the control listener: which answers it takes, what it sends. */
#include "tests/lib/test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/control_site.h"

/* --- peers that answer --------------------------------------------------------------------- */

struct peer {
	int listener;
	uint16_t port;
	const char *answer; /* NULL: says nothing until the client leaves */
	pthread_t thread;
};

/* Takes one connection, reads once, says its piece, and waits for the end. */
static void *peer_main(void *arg)
{
	struct peer *peer = arg;
	char bin[4096];
	int fd = accept(peer->listener, NULL, NULL);

	if (recv(fd, bin, sizeof(bin), 0) > 0 && peer->answer != NULL) {
		(void)!send(fd, peer->answer, strlen(peer->answer), MSG_NOSIGNAL);
		shutdown(fd, SHUT_WR);
	}
	while (recv(fd, bin, sizeof(bin), 0) > 0) {
	}
	close(fd);
	return NULL;
}

static void peer_start(struct peer *peer, const char *answer)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer->answer = answer;
	peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(peer->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(peer->listener, 1), 0);
	assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&addr, &len), 0);
	peer->port = ntohs(addr.sin_port);
	assert_int_equal(pthread_create(&peer->thread, NULL, peer_main, peer), 0);
}

static void the_client_takes_no_answer_that_is_not_strictly_one(void **state)
{
	static const struct {
		const char *answer;
		enum qrt_err err;
	} cases[] = {
	    {"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", QRT_OK},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 200 OK\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 200 OK\r\n\r\n\r\nContent-Length: 2\r\n", QRT_EPROTO},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/1.1 999 OK\r\nContent-Length: 2\r\n\r\nhi", QRT_EPROTO},
	    {"HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nhi", QRT_EPROTO},
	    {"SSH-2.0-OpenSSH\r\n", QRT_EPROTO},
	    {"", QRT_EPROTO},
	    {NULL, QRT_ETIMEDOUT},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct qrt_control_target target = {.address = "127.0.0.1"};
		struct peer peer;
		char *body = NULL;
		int status = -1;

		peer_start(&peer, cases[i].answer);
		target.port = peer.port;
		target.timeout_ms = cases[i].answer != NULL ? PATIENCE_MS : 100;
		assert_int_equal(qrt_control_ask(&target, "GET", "/", NULL, &status, &body),
				 cases[i].err);
		if (cases[i].err == QRT_OK) {
			assert_int_equal(status, 200);
			assert_string_equal(body, "hi");
			free(body);
		} else {
			assert_int_equal(status, -1);
			assert_null(body);
		}
		pthread_join(peer.thread, NULL);
		close(peer.listener);
	}
}

static void the_client_takes_no_more_than_it_was_told_to(void **state)
{
	struct control_site f = control_site_open("127.0.0.1", NULL);
	char *body = NULL;
	int status = 0;

	(void)state;
	assert_int_equal(qrt_control_ask(&f.target, "GET", "/large", NULL, &status, &body),
			 QRT_EPROTO);
	f.target.body_max = (8 << 20) - 1;
	assert_int_equal(qrt_control_ask(&f.target, "GET", "/large", NULL, &status, &body),
			 QRT_EPROTO);
	assert_null(body);
	f.target.body_max = 8 << 20;
	assert_int_equal(qrt_control_ask(&f.target, "GET", "/large", NULL, &status, &body), QRT_OK);
	assert_int_equal(status, 200);
	free(body);
	qrt_control_close(&f.control);
}

static void the_client_sends_no_request_that_could_be_two(void **state)
{
	struct qrt_control_target target = {.address = "127.0.0.1", .port = 1, .timeout_ms = 100};
	char *body = NULL;
	int status;

	(void)state;
	assert_int_equal(qrt_control_ask(&target, "GET", "/a b", NULL, &status, &body), QRT_EINVAL);
	assert_int_equal(qrt_control_ask(&target, "GET", "/\r\nX: y", NULL, &status, &body),
			 QRT_EINVAL);
	assert_int_equal(qrt_control_ask(&target, "GET", "x", NULL, &status, &body), QRT_EINVAL);
	assert_int_equal(qrt_control_ask(&target, "", "/", NULL, &status, &body), QRT_EINVAL);
	target.token = "a\r\nX: y";
	assert_int_equal(qrt_control_ask(&target, "GET", "/", NULL, &status, &body), QRT_EINVAL);
	target.token = NULL;
	target.timeout_ms = 0;
	assert_int_equal(qrt_control_ask(&target, "GET", "/", NULL, &status, &body), QRT_EINVAL);
	target.timeout_ms = 100;
	target.address = "localhost";
	assert_int_equal(qrt_control_ask(&target, "GET", "/", NULL, &status, &body), QRT_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_client_takes_no_answer_that_is_not_strictly_one),
	    cmocka_unit_test(the_client_takes_no_more_than_it_was_told_to),
	    cmocka_unit_test(the_client_sends_no_request_that_could_be_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
