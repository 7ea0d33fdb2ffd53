/*
 * A WebSocket echo by libwebsockets on its own poll loop, as its examples do
 * it: what our echo has on top of this is ours.
 */
#include <libwebsockets.h>
#include <stdbool.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 65536 };

struct session {
	unsigned char *data; /* LWS_PRE bytes of room, then the message so far */
	size_t len;
	bool whole;
};

static volatile sig_atomic_t told;
static struct lws_context *context;

static void on_term(int signo)
{
	told = signo;
	lws_cancel_service(context);
}

static int take(struct lws *wsi, struct session *session, const void *in, size_t len)
{
	if (session->len + len > MESSAGE_MAX) {
		return -1;
	}
	memcpy(session->data + LWS_PRE + session->len, in, len);
	session->len += len;
	session->whole = lws_is_final_fragment(wsi);
	if (session->whole) {
		lws_callback_on_writable(wsi);
	}
	return 0;
}

static int give(struct lws *wsi, struct session *session)
{
	size_t len = session->len;

	if (!session->whole) {
		return 0;
	}
	session->len = 0;
	session->whole = false;
	return lws_write(wsi, session->data + LWS_PRE, len, LWS_WRITE_BINARY) < (int)len ? -1 : 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		    size_t len)
{
	struct session *session = user;

	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		session->data = malloc(LWS_PRE + MESSAGE_MAX);
		return session->data ? 0 : -1;
	case LWS_CALLBACK_RECEIVE:
		return take(wsi, session, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return give(wsi, session);
	case LWS_CALLBACK_CLOSED:
		free(session->data);
		session->data = NULL;
		return 0;
	default:
		return 0;
	}
}

int main(void)
{
	static const struct lws_protocols protocols[] = {
	    {"echo", on_event, sizeof(struct session), MESSAGE_MAX, 0, NULL, 0},
	    {NULL, NULL, 0, 0, 0, NULL, 0},
	};
	struct lws_context_creation_info info = {0};
	struct sigaction action = {.sa_handler = on_term};
	struct lws_vhost *vhost;

	lws_set_log_level(LLL_ERR, NULL);
	info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DISABLE_IPV6;
	info.protocols = protocols;
	info.iface = "127.0.0.1";
	context = lws_create_context(&info);
	vhost = context ? lws_create_vhost(context, &info) : NULL;
	if (!vhost) {
		fputs("ws_lws: no context\n", stderr);
		return 1;
	}
	sigaction(SIGTERM, &action, NULL);
	printf("ws://127.0.0.1:%d/\n", lws_get_vhost_listen_port(vhost));
	fflush(stdout);
	while (!told && lws_service(context, 0) >= 0) {
		continue;
	}
	lws_context_destroy(context);
	return 0;
}
