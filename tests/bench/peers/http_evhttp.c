/* libevent's evhttp as it comes, without anything of ours around it. */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/peers/http_work.h"

static void on_request(struct evhttp_request *req, void *arg)
{
	const char *path = evhttp_request_get_uri(req);
	struct evbuffer *body = evhttp_request_get_output_buffer(req);
	struct work_answer answer;

	(void)arg;
	work_answer(path, strlen(path), &answer);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", answer.type);
	evbuffer_add(body, answer.body, answer.len);
	evhttp_send_reply(req, answer.status, answer.status == 200 ? "OK" : "Not Found", NULL);
}

static void on_term(evutil_socket_t signo, short what, void *arg)
{
	(void)signo;
	(void)what;
	event_base_loopexit(arg, NULL);
}

int main(int argc, char **argv)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = base ? evhttp_new(base) : NULL;
	struct event *term = base ? evsignal_new(base, SIGTERM, on_term, base) : NULL;
	uint16_t port;
	int listener = work_listen(&port);

	work_open(argc > 1 ? argv[1] : NULL);
	if (!http || !term || event_add(term, NULL) || evhttp_accept_socket(http, listener)) {
		work_die("evhttp");
	}
	evhttp_set_gencb(http, on_request, NULL);
	printf("http://127.0.0.1:%u\n", port);
	fflush(stdout);
	event_base_dispatch(base);
	evhttp_free(http);
	event_free(term);
	event_base_free(base);
	work_close();
	return 0;
}
