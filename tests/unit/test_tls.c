/* TLS between two ends of ours, on each backend: what is said arrives, and how it ends is told. */
#include <qrt/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"
#include "tests/lib/tls_pair.h"

struct fixture {
	struct qrt_tls *server, *client;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	fixture->server = tls_server();
	fixture->client = tls_client();
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	qrt_tls_unref(&fixture->server);
	qrt_tls_unref(&fixture->client);
	free(fixture);
	return 0;
}

static enum qrt_err play_talk(struct qrt_cx *cx, void *arg)
{
	const struct fixture *fixture = arg;
	struct tls_pair pair = {.server = fixture->server,
				.client = fixture->client,
				.at_server = tls_echo,
				.at_client = tls_talk};
	enum qrt_err err = tls_pair_well(cx, &pair);
	EXPECT(err || strcmp(pair.client_info.version, "TLSv1.3") == 0);
	EXPECT(err || strcmp(pair.client_info.cipher, pair.server_info.cipher) == 0);
	EXPECT(err || strcmp(pair.client_alpn, "") == 0);
	return err;
}

static void what_is_said_is_heard_and_so_is_the_end(void **state)
{
	on_each_backend(play_talk, *state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_said_is_heard_and_so_is_the_end),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
