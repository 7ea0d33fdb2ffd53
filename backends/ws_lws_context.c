/*
 * What the WebSockets of a runtime share: one context of libwebsockets, and a
 * vhost for each set of trusted roots in use. The library is never asked to
 * resolve, to listen, to read the environment, or to print.
 */
#include "backends/ws_lws.h"

#include <errno.h>
#include <libwebsockets.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The largest request of ours: a URL and all headers at their limits. */
enum { REQUEST_MAX = QRT_WS_URL_MAX + QRT_WS_HEADERS_MAX * (QRT_WS_HEADER_MAX + 4) + 4096 };
/* Its own deadlines are beyond any of ours, which end a link from outside. */
enum { NEVER_SECS = 24 * 3600, RESPONSE_MAX = 16 * 1024, READ_MAX = 8 * 1024 };

/* The library's set-up has globals: one thread at a time. */
static pthread_mutex_t setup = PTHREAD_MUTEX_INITIALIZER;

/* It prints into one buffer for all threads: so it says nothing, ever. */
static enum qrt_err failed(const char *what, int error, char *ret_detail)
{
	bool short_of_descriptors = error == EMFILE || error == ENFILE;
	snprintf(ret_detail, QRT__DETAIL_MAX, "libwebsockets: no %s", what);
	return short_of_descriptors ? QRT_EMFILE : QRT_ENOMEM;
}

/* --- the context ----------------------------------------------------------------------------- */

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
		    size_t n)
{
	return qrt__lws_callback(wsi, (int)reason, user, in, n);
}

static const struct lws_protocols protocols[] = {
    {.name = "qrt",
     .callback = on_event,
     .rx_buffer_size = READ_MAX,
     /* And the head of a frame. */
     .tx_packet_size = QRT__LWS_CHUNK + 16},
    {.name = NULL},
};

/* Who is alive is asked by the shim. */
static const lws_retry_bo_t never_ask = {.secs_since_valid_ping = 0};

static enum qrt_err context_new(struct qrt__lws *all, char *ret_detail)
{
	struct lws_context_creation_info info;
	memset(&info, 0, sizeof(info));
	info.port = CONTEXT_PORT_NO_LISTEN;
	info.options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS | LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
	info.pt_serv_buf_size = REQUEST_MAX;
	info.max_http_header_data = RESPONSE_MAX;
	info.timeout_secs = NEVER_SECS;
	pthread_mutex_lock(&setup);
	lws_set_log_level(0, NULL);
	errno = 0;
	all->context = lws_create_context(&info);
	int error = errno;
	pthread_mutex_unlock(&setup);
	return all->context ? QRT_OK : failed("context", error, ret_detail);
}

enum qrt_err qrt__lws_of(struct qrt_runtime *rt, char *ret_detail, struct qrt__lws **ret_all)
{
	if (rt->ws_state) {
		*ret_all = rt->ws_state;
		return QRT_OK;
	}
	struct qrt__lws *all = calloc(1, sizeof(*all));
	unsigned char *chunk = malloc(LWS_PRE + QRT__LWS_CHUNK);
	enum qrt_err err = QRT_ENOMEM;
	if (all && chunk) {
		all->rt = rt;
		all->chunk = chunk + LWS_PRE;
		qrt__list_init(&all->links);
		qrt__list_init(&all->due);
		qrt__list_init(&all->vhosts);
		err = context_new(all, ret_detail);
	}
	if (err) {
		free(chunk);
		free(all);
		return err;
	}
	rt->ws_state = all;
	*ret_all = all;
	return QRT_OK;
}

/* --- vhosts ---------------------------------------------------------------------------------- */

static void vhost_free(struct qrt__lws_vhost *vhost)
{
	qrt__list_remove(&vhost->node);
	free(vhost->ca_file);
	free(vhost->spelling);
	free(vhost);
}

/* Roots of somebody's own that nobody uses are read again for who comes next. */
static void sweep(struct qrt__lws *all)
{
	QRT__LIST_EACH(node, &all->vhosts) {
		struct qrt__lws_vhost *vhost = QRT__CONTAINER(node, struct qrt__lws_vhost, node);
		if (vhost->users == 0 && vhost->ca_file) {
			lws_vhost_destroy(vhost->vhost);
			vhost_free(vhost);
		}
	}
}

static bool unchanged(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Whether what @vhost has read is what @ca_file, NULL for the system's roots, holds now. */
static bool has_roots(const struct qrt__lws_vhost *vhost, const char *ca_file,
		      const struct stat *now)
{
	if (!vhost->ca_file || !ca_file) {
		return vhost->ca_file == ca_file;
	}
	return strcmp(vhost->ca_file, ca_file) == 0 && unchanged(&vhost->read, now);
}

static struct qrt__lws_vhost *vhost_find(struct qrt__lws *all, bool secure, const char *ca_file,
					 const struct stat *now)
{
	QRT__LIST_EACH(node, &all->vhosts) {
		struct qrt__lws_vhost *vhost = QRT__CONTAINER(node, struct qrt__lws_vhost, node);
		if (vhost->secure == secure && has_roots(vhost, ca_file, now)) {
			return vhost;
		}
	}
	return NULL;
}

/*
 * The library shares what it has read among vhosts that name the same file, old or new. So each
 * reading names it in a way of its own: with another pattern of empty steps, by @serial. Malloc'd.
 */
static char *respell(const char *path, unsigned serial)
{
	enum { BITS = 16 };
	char *text = malloc(strlen(path) + 2 * BITS + sizeof("./"));
	char *to = text ? stpcpy(text, path[0] == '/' ? "/" : "./") : NULL;
	for (int i = 0; text && i < BITS; i++) {
		to = stpcpy(to, serial >> i & 1 ? "./" : "/");
	}
	if (text) {
		stpcpy(to, path);
	}
	return text;
}

static struct lws_vhost *vhost_create(struct qrt__lws *all, const struct qrt__lws_vhost *vhost)
{
	struct lws_context_creation_info info;
	memset(&info, 0, sizeof(info));
	info.vhost_name = vhost->secure ? "wss" : "ws";
	info.port = vhost->secure ? CONTEXT_PORT_NO_LISTEN : CONTEXT_PORT_NO_LISTEN_SERVER;
	info.protocols = protocols;
	info.user = all;
	info.retry_and_idle_policy = &never_ask;
	info.connect_timeout_secs = NEVER_SECS;
	info.timeout_secs = NEVER_SECS;
	info.http_proxy_address = ""; /* else the environment names one */
	if (vhost->secure) {
		info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
		info.ssl_client_options_set = SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1;
	}
	if (vhost->ca_file) {
		info.options |= LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS;
		info.client_ssl_ca_filepath = vhost->spelling;
	}
	pthread_mutex_lock(&setup);
	errno = 0;
	struct lws_vhost *created = lws_create_vhost(all->context, &info);
	pthread_mutex_unlock(&setup);
	return created;
}

enum qrt_err qrt__lws_vhost_get(struct qrt__lws *all, bool secure, const char *ca_file,
				char *ret_detail, struct qrt__lws_vhost **ret_vhost)
{
	ca_file = secure ? ca_file : NULL;
	sweep(all);
	struct stat now = {0};
	/* The library would go on without: nobody would be trusted, and nobody told why. */
	if (ca_file && (stat(ca_file, &now) != 0 || access(ca_file, R_OK) != 0)) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "ca_file %s: %s", ca_file, strerror(errno));
		return QRT_EINVAL;
	}
	struct qrt__lws_vhost *vhost = vhost_find(all, secure, ca_file, &now);
	if (vhost) {
		vhost->users++;
		*ret_vhost = vhost;
		return QRT_OK;
	}
	vhost = calloc(1, sizeof(*vhost));
	if (!vhost) {
		return QRT_ENOMEM;
	}
	qrt__list_append(&all->vhosts, &vhost->node);
	vhost->secure = secure;
	vhost->read = now;
	vhost->ca_file = ca_file ? strdup(ca_file) : NULL;
	vhost->spelling = ca_file ? respell(ca_file, all->n_read++) : NULL;
	if (ca_file && (!vhost->ca_file || !vhost->spelling)) {
		vhost_free(vhost);
		return QRT_ENOMEM;
	}
	vhost->vhost = vhost_create(all, vhost);
	if (!vhost->vhost) {
		int error = errno;
		vhost_free(vhost);
		return failed("vhost", error, ret_detail);
	}
	vhost->users = 1;
	*ret_vhost = vhost;
	return QRT_OK;
}

void qrt__lws_vhost_put(struct qrt__lws_vhost *vhost)
{
	QRT_PRE(vhost->users > 0);
	vhost->users--; /* swept later: the library has not let go of it yet */
}

/* --- the end --------------------------------------------------------------------------------- */

/* Those who were let go with a last word may say it, if that needs no waiting. */
static void last_turns(struct qrt__lws *all)
{
	enum { TURNS = 4 };
	for (int i = 0; i < TURNS; i++) {
		bool somebody = false;
		QRT__LIST_EACH(node, &all->links) {
			somebody |= QRT__CONTAINER(node, struct qrt__lws_link, node)->say != 0;
		}
		if (!somebody) {
			return;
		}
		all->rt->driver->poll(all->rt, 0);
	}
}

void qrt__lws_close(struct qrt_runtime *rt)
{
	struct qrt__lws *all = rt->ws_state;
	if (!all) {
		return;
	}
	last_turns(all);
	QRT__LIST_EACH(node, &all->links) {
		struct qrt__lws_link *link = QRT__CONTAINER(node, struct qrt__lws_link, node);
		QRT_ASSERT(!link->ws);
		qrt__timer_stop(&rt->timers, &link->linger);
		qrt__lws_pump_close(link);
	}
	pthread_mutex_lock(&setup);
	lws_context_destroy(all->context);
	pthread_mutex_unlock(&setup);
	while (!qrt__list_empty(&all->links)) {
		struct qrt__lws_link *link =
		    QRT__CONTAINER(all->links.next, struct qrt__lws_link, node);
		link->wsi = NULL;
		qrt__lws_link_free(link);
	}
	while (!qrt__list_empty(&all->vhosts)) {
		vhost_free(QRT__CONTAINER(all->vhosts.next, struct qrt__lws_vhost, node));
	}
	free(all->chunk - LWS_PRE);
	free(all);
	rt->ws_state = NULL;
}
