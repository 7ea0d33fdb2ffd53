/*
 * The control listener: civetweb on its own OS threads, outside every loop.
 * It is the only file that knows civetweb. It must never touch a loop, a
 * fiber or a cx, never serve a file, and never keep a connection open after
 * its answer: civetweb gives a whole thread to every open connection.
 *
 * How idle peers are kept from starving it. A worker thread is held by a
 * connection from the moment it is taken up until its request has come in, at
 * most REQUEST_TIMEOUT_MS. There are WORKERS_PER_HANDLER worker threads for
 * each handler the caller asked for, so that up to that many silent peers cost
 * nothing; with n silent peers in front of it, a request is taken up after at
 * most floor(n / workers) * REQUEST_TIMEOUT_MS. Routes that are not OPEN share
 * `threads` places, so that handlers which wait for a wedged loop never use up
 * the workers that answer health.
 */
#include <arpa/inet.h>
#include <civetweb.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <qrt/control.h>
#include <qrt/digest.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	THREADS_DEFAULT = 8,
	THREADS_MAX = 64,
	WORKERS_PER_HANDLER = 8,
	REQUEST_TIMEOUT_MS = 1000,
	HEADER_MAX = 8192,
	TOKEN_MAX = 255,
	DETAIL_SIZE = 256,
	WRITE_PIECE = 65536,
	WRITE_TIMEOUT_MS = 5000,
	DRAIN_MAX = 1 << 20,
	WAKE_EVERY_MS = 10,
	CONTROL_MAGIC = 0x71c0417,
};

/* A numeric address and port. */
struct place {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} addr;
	socklen_t len;
	bool loopback;
	char text[INET6_ADDRSTRLEN + 16]; /* "127.0.0.1:80", "[::1]:80" */
};

struct qrt_control {
	unsigned magic;
	struct mg_context *ctx;
	const struct qrt_control_route *routes;
	size_t n_routes;
	void *app;
	uint16_t port;
	bool loopback;
	struct place place; /* with the picked port: for the opener and the closer only */
	size_t token_len;
	unsigned char token[TOKEN_MAX + 1]; /* zero padded: compared whole */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned active; /* requests under way, under lock */
	unsigned places; /* free places for guarded handlers, under lock */
	bool closing;	 /* under lock */
};

/* What goes out; every part is optional but the status. */
struct answer {
	int status;
	const char *content_type;
	const char *extra; /* whole header lines, each with its line end */
	const char *body;
	size_t len;
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- addresses ---------------------------------------------------------- */

/* Numeric addresses only: a name would mean a resolver, which can hang. */
static bool place_parse(const char *address, uint16_t port, struct place *ret_place)
{
	struct place p;

	memset(&p, 0, sizeof(p));
	if (inet_pton(AF_INET, address, &p.addr.v4.sin_addr) == 1) {
		p.addr.v4.sin_family = AF_INET;
		p.addr.v4.sin_port = htons(port);
		p.len = sizeof(p.addr.v4);
		p.loopback = (ntohl(p.addr.v4.sin_addr.s_addr) >> 24) == 127;
		snprintf(p.text, sizeof(p.text), "%s:%u", address, (unsigned)port);
	} else if (inet_pton(AF_INET6, address, &p.addr.v6.sin6_addr) == 1) {
		p.addr.v6.sin6_family = AF_INET6;
		p.addr.v6.sin6_port = htons(port);
		p.len = sizeof(p.addr.v6);
		p.loopback = IN6_IS_ADDR_LOOPBACK(&p.addr.v6.sin6_addr);
		snprintf(p.text, sizeof(p.text), "[%s]:%u", address, (unsigned)port);
	} else {
		return false;
	}
	*ret_place = p;
	return true;
}

/*
 * Asks the kernel why a place cannot be listened on: civetweb only says that
 * it failed. Whoever had the port may be gone by now, then this returns 0:
 * only the name of the error can be wrong by that race, never the refusal.
 */
static int place_why_not(const struct place *place)
{
	int fd, err = 0, one = 1;

	fd = socket(place->addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		return errno;
	}
	/* As civetweb does it, or connections in TIME_WAIT would look like a listener. */
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &place->addr.any, place->len) != 0 || listen(fd, 1) != 0) {
		err = errno;
	}
	close(fd);
	return err;
}

/* ---- answers ------------------------------------------------------------ */

/* civetweb limits each write; this limits the sum, against a peer that reads byte by byte. */
static void write_all(struct mg_connection *conn, const char *data, size_t len)
{
	int64_t deadline = now_ms() + WRITE_TIMEOUT_MS;
	size_t piece;

	while (len > 0 && now_ms() < deadline) {
		piece = len < WRITE_PIECE ? len : WRITE_PIECE;
		if (mg_write(conn, data, piece) != (int)piece) {
			return;
		}
		data += piece;
		len -= piece;
	}
}

static int send_answer(struct mg_connection *conn, const struct answer *a)
{
	char head[1024];
	int n;

	n = snprintf(head, sizeof(head),
		     "HTTP/1.1 %d %s\r\n"
		     "Content-Type: %s\r\n"
		     "Content-Length: %zu\r\n"
		     "X-Content-Type-Options: nosniff\r\n"
		     "Cache-Control: no-store\r\n"
		     "%s"
		     "Connection: close\r\n\r\n",
		     a->status, mg_get_response_code_text(conn, a->status),
		     a->content_type != NULL ? a->content_type : "application/json", a->len,
		     a->extra != NULL ? a->extra : "");
	QRT_ASSERT(n > 0);
	QRT_ASSERT((size_t)n < sizeof(head));
	write_all(conn, head, (size_t)n);
	write_all(conn, a->body, a->len);
	return a->status;
}

/* @error is ours and static: nothing a peer sent is ever reflected. */
static int send_error(struct mg_connection *conn, int status, const char *error, const char *extra)
{
	char body[256];
	int n = snprintf(body, sizeof(body), "{\"error\":\"%s\",\"status\":%d}\n", error, status);

	QRT_ASSERT(n > 0);
	QRT_ASSERT((size_t)n < sizeof(body));
	return send_answer(conn, &(struct answer){
				     .status = status,
				     .extra = extra,
				     .body = body,
				     .len = (size_t)n,
				 });
}

/*
 * Closing a socket with unread bytes resets it, and the reset can overtake the
 * answer. So a refused body is read and dropped, within limits.
 */
static void drain(struct mg_connection *conn, const struct mg_request_info *info)
{
	int64_t deadline = now_ms() + REQUEST_TIMEOUT_MS;
	long long left = info->content_length;
	char bin[4096];
	int n;

	if (mg_get_header(conn, "Expect") != NULL) {
		return; /* The peer waits for our word and has sent nothing. */
	}
	if (left > DRAIN_MAX) {
		left = DRAIN_MAX;
	}
	while (left > 0 && now_ms() < deadline) {
		n = mg_read(conn, bin, sizeof(bin));
		if (n <= 0) {
			return;
		}
		left -= n;
	}
}

/* ---- who may ------------------------------------------------------------ */

/*
 * Takes the same time whatever the right token is: the whole padded buffer is
 * compared. What was offered is known to the peer, so its length may show.
 */
static bool token_is_right(const struct qrt_control *control, const char *offered)
{
	unsigned char padded[TOKEN_MAX + 1] = {0};
	size_t len = strlen(offered);

	if (len > TOKEN_MAX) {
		return false;
	}
	/* Tokens have no zero byte: equal buffers have equal lengths. */
	memcpy(padded, offered, len);
	return qrt_equal_ct(padded, control->token, sizeof(padded));
}

/* Returns 0 when the request may go on, else the status it was answered with. */
static int check_guard(const struct qrt_control *control, struct mg_connection *conn,
		       enum qrt_control_guard guard)
{
	static const char scheme[] = "Bearer ";
	const char *auth;

	if (guard == QRT_CONTROL_OPEN || (guard == QRT_CONTROL_READ && control->loopback)) {
		return 0;
	}
	if (control->token_len == 0) {
		return send_error(conn, 403, "no admin token is configured: changes are refused",
				  NULL);
	}
	auth = mg_get_header(conn, "Authorization");
	if (auth == NULL) {
		return send_error(conn, 401, "the admin token is missing",
				  "WWW-Authenticate: Bearer\r\n");
	}
	if (strncasecmp(auth, scheme, sizeof(scheme) - 1) != 0 ||
	    !token_is_right(control, auth + sizeof(scheme) - 1)) {
		return send_error(conn, 401, "the admin token is wrong",
				  "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n");
	}
	return 0;
}

/* A token that no header can carry would lock everybody out without a word. */
static bool token_is_usable(const char *token)
{
	size_t len = strlen(token), i;

	if (len > TOKEN_MAX) {
		return false;
	}
	for (i = 0; i < len; i++) {
		if (token[i] <= ' ' || token[i] >= 0x7f) {
			return false;
		}
	}
	return true;
}

/* ---- a request ---------------------------------------------------------- */

static bool enter(struct qrt_control *control)
{
	bool open;

	pthread_mutex_lock(&control->lock);
	open = !control->closing;
	if (open) {
		control->active++;
	}
	pthread_mutex_unlock(&control->lock);
	return open;
}

static void leave(struct qrt_control *control)
{
	pthread_mutex_lock(&control->lock);
	QRT_ASSERT(control->active > 0);
	control->active--;
	pthread_cond_broadcast(&control->changed);
	pthread_mutex_unlock(&control->lock);
}

/* Waits for a handler's place at most as long as for a request. */
static bool take_place(struct qrt_control *control)
{
	struct timespec until;
	bool got;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += REQUEST_TIMEOUT_MS / 1000;
	pthread_mutex_lock(&control->lock);
	while (control->places == 0) {
		if (pthread_cond_timedwait(&control->changed, &control->lock, &until) != 0) {
			break;
		}
	}
	got = control->places > 0;
	if (got) {
		control->places--;
	}
	pthread_mutex_unlock(&control->lock);
	return got;
}

_Static_assert(REQUEST_TIMEOUT_MS % 1000 == 0, "take_place adds whole seconds");

static void give_place(struct qrt_control *control)
{
	pthread_mutex_lock(&control->lock);
	control->places++;
	pthread_cond_broadcast(&control->changed);
	pthread_mutex_unlock(&control->lock);
}

static const struct qrt_control_route *find_route(const struct qrt_control *control,
						  const char *method, const char *path,
						  bool *ret_path_known)
{
	bool known = false;
	size_t i;

	for (i = 0; i < control->n_routes; i++) {
		const struct qrt_control_route *r = &control->routes[i];

		if (strcmp(r->path, path) != 0) {
			continue;
		}
		if (strcmp(r->method, method) == 0) {
			return r;
		}
		known = true;
	}
	*ret_path_known = known;
	return NULL;
}

static int send_wrong_method(const struct qrt_control *control, struct mg_connection *conn,
			     const char *path)
{
	char allow[256] = "Allow:";
	size_t used = strlen(allow), i;
	int n;

	for (i = 0; i < control->n_routes; i++) {
		const struct qrt_control_route *r = &control->routes[i];

		if (strcmp(r->path, path) != 0) {
			continue;
		}
		n = snprintf(allow + used, sizeof(allow) - used, "%s %s",
			     used > sizeof("Allow:") ? "," : "", r->method);
		if (n < 0 || (size_t)n >= sizeof(allow) - used - sizeof("\r\n")) {
			break; /* Cannot happen with real methods; a cut list is still true. */
		}
		used += (size_t)n;
	}
	memcpy(allow + used, "\r\n", sizeof("\r\n"));
	return send_error(conn, 405, "this path does not take this method", allow);
}

/*
 * Returns 0 and the length when the body may be read, else the status the
 * request was answered with. Chunked bodies are not taken: no length, no entry.
 */
static int check_body(struct mg_connection *conn, const struct mg_request_info *info,
		      size_t *ret_len)
{
	static const char *const with_body[] = {"POST", "PUT", "PATCH"};
	size_t i;

	if (mg_get_header(conn, "Transfer-Encoding") != NULL) {
		return send_error(conn, 411, "a Content-Length is required", NULL);
	}
	if (mg_get_header(conn, "Content-Length") == NULL) {
		for (i = 0; i < sizeof(with_body) / sizeof(with_body[0]); i++) {
			if (strcmp(info->request_method, with_body[i]) == 0) {
				return send_error(conn, 411, "a Content-Length is required", NULL);
			}
		}
		*ret_len = 0;
		return 0;
	}
	if (info->content_length < 0) {
		return send_error(conn, 400, "the Content-Length is not a number", NULL);
	}
	if (info->content_length > QRT_CONTROL_BODY_MAX) {
		int status = send_error(conn, 413, "the body is larger than 65536 bytes", NULL);

		drain(conn, info);
		return status;
	}
	*ret_len = (size_t)info->content_length;
	return 0;
}

_Static_assert(QRT_CONTROL_BODY_MAX == 65536, "the 413 text names the limit");

/* Returns 0 when all of @len bytes are in @body, else the answered status. */
static int read_body(struct mg_connection *conn, char *body, size_t len)
{
	int64_t deadline = now_ms() + REQUEST_TIMEOUT_MS;
	const char *expect = mg_get_header(conn, "Expect");
	size_t have = 0;
	int n;

	if (expect != NULL && strcasecmp(expect, "100-continue") == 0) {
		static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

		write_all(conn, go_on, sizeof(go_on) - 1);
	}
	while (have < len) {
		n = mg_read(conn, body + have, len - have);
		if (n <= 0 || now_ms() >= deadline) {
			return send_error(conn, 408, "the body did not arrive in time", NULL);
		}
		have += (size_t)n;
	}
	body[len] = '\0';
	return 0;
}

static int run_handler(struct qrt_control *control, struct mg_connection *conn,
		       const struct qrt_control_route *route, const struct qrt_control_request *req)
{
	struct qrt_control_reply reply = {0};
	bool guarded = route->guard != QRT_CONTROL_OPEN;
	int status;

	if (guarded && !take_place(control)) {
		return send_error(conn, 503, "every control handler is busy", "Retry-After: 1\r\n");
	}
	route->handler(control->app, req, &reply);
	if (guarded) {
		give_place(control);
	}
	if (reply.status < 200 || reply.status > 599) {
		status = send_error(conn, 500, "the handler gave no valid status", NULL);
	} else {
		status = send_answer(conn, &(struct answer){
					       .status = reply.status,
					       .content_type = reply.content_type,
					       .body = reply.body,
					       .len = reply.body != NULL ? reply.body_len : 0,
					   });
	}
	free(reply.body);
	return status;
}

static int serve(struct qrt_control *control, struct mg_connection *conn,
		 const struct mg_request_info *info)
{
	const char *path = info->local_uri_raw != NULL ? info->local_uri_raw : "";
	const struct qrt_control_route *route;
	struct qrt_control_request req;
	bool path_known = false;
	size_t len = 0;
	char *body;
	int status;

	route = find_route(control, info->request_method, path, &path_known);
	if (route == NULL) {
		status = path_known ? send_wrong_method(control, conn, path)
				    : send_error(conn, 404, "no such path", NULL);
		drain(conn, info);
		return status;
	}
	status = check_guard(control, conn, route->guard);
	if (status != 0) {
		drain(conn, info);
		return status;
	}
	status = check_body(conn, info, &len);
	if (status != 0) {
		return status;
	}
	body = malloc(len + 1);
	if (body == NULL) {
		return send_error(conn, 503, "out of memory", NULL);
	}
	status = read_body(conn, body, len);
	if (status == 0) {
		req = (struct qrt_control_request){
		    .method = info->request_method,
		    .path = path,
		    .query = info->query_string != NULL ? info->query_string : "",
		    .body = body,
		    .body_len = len,
		};
		status = run_handler(control, conn, route, &req);
	}
	free(body);
	return status;
}

/* ---- civetweb's callbacks ----------------------------------------------- */

/* Takes every request, so civetweb itself never answers one with a file. */
static int on_request(struct mg_connection *conn)
{
	const struct mg_request_info *info = mg_get_request_info(conn);
	struct qrt_control *control = info->user_data;
	int status;

	QRT_PRE(control->magic == CONTROL_MAGIC);
	if (!enter(control)) {
		return send_error(conn, 503, "the control server is closing", NULL);
	}
	status = serve(control, conn, info);
	leave(control);
	return status;
}

/* civetweb's own refusals (malformed, too long) get our form; its text may quote the peer. */
static int on_http_error(struct mg_connection *conn, int status, const char *errmsg)
{
	(void)errmsg;
	send_error(conn, status, mg_get_response_code_text(conn, status), NULL);
	return 0;
}

/*
 * A library does not log. (Access lines have no callback on purpose: for them
 * civetweb would call localtime, which its threads do not share well.)
 */
static int on_log(const struct mg_connection *conn, const char *message)
{
	(void)conn;
	(void)message;
	return 1;
}

/* ---- open and close ----------------------------------------------------- */

/* civetweb counts its users, but not safely between threads. */
static pthread_mutex_t library_lock = PTHREAD_MUTEX_INITIALIZER;

static void library_hold(bool hold)
{
	pthread_mutex_lock(&library_lock);
	if (hold) {
		(void)mg_init_library(MG_FEATURES_DEFAULT);
	} else {
		(void)mg_exit_library();
	}
	pthread_mutex_unlock(&library_lock);
}

static void control_free(struct qrt_control *control)
{
	pthread_cond_destroy(&control->changed);
	pthread_mutex_destroy(&control->lock);
	control->magic = 0;
	explicit_bzero(control->token, sizeof(control->token));
	free(control);
}

static struct qrt_control *control_new(const struct qrt_control_options *opts,
				       const struct place *place)
{
	struct qrt_control *control = calloc(1, sizeof(*control));
	pthread_condattr_t attr;

	if (control == NULL) {
		return NULL;
	}
	control->magic = CONTROL_MAGIC;
	control->routes = opts->routes;
	control->n_routes = opts->n_routes;
	control->app = opts->app;
	control->loopback = place->loopback;
	control->place = *place;
	control->places = opts->threads != 0 ? opts->threads : THREADS_DEFAULT;
	if (opts->token != NULL) {
		control->token_len = strlen(opts->token);
		memcpy(control->token, opts->token, control->token_len);
	}
	pthread_mutex_init(&control->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&control->changed, &attr);
	pthread_condattr_destroy(&attr);
	return control;
}

/*
 * Starts civetweb with every signal blocked, which its threads inherit: the
 * program's signals are not theirs, and a peer that goes away must not raise
 * SIGPIPE there. (civetweb also sets SIGPIPE to be ignored in the process.)
 */
static bool civetweb_start(struct qrt_control *control, char *why, size_t why_size)
{
	static const struct mg_callbacks callbacks = {
	    .begin_request = on_request,
	    .http_error = on_http_error,
	    .log_message = on_log,
	};
	char workers[16], timeout[16], header[16];
	const char *options[] = {
	    "listening_ports",
	    control->place.text,
	    "num_threads",
	    workers,
	    "request_timeout_ms",
	    timeout,
	    "max_request_size",
	    header,
	    "enable_keep_alive",
	    "no",
	    "tcp_nodelay",
	    "1",
	    "connection_queue",
	    "64",
	    "listen_backlog",
	    "128",
	    "decode_url",
	    "no",
	    "enable_directory_listing",
	    "no",
	    "enable_auth_domain_check",
	    "no",
	    "access_control_allow_origin",
	    "",
	    "access_control_allow_methods",
	    "",
	    "access_control_allow_headers",
	    "",
	    NULL,
	};
	struct mg_init_data init = {&callbacks, control, options};
	unsigned code = 0;
	struct mg_error_data error = {&code, why, why_size};
	sigset_t all, before;

	snprintf(workers, sizeof(workers), "%u", control->places * WORKERS_PER_HANDLER);
	snprintf(timeout, sizeof(timeout), "%d", REQUEST_TIMEOUT_MS);
	snprintf(header, sizeof(header), "%d", HEADER_MAX);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	control->ctx = mg_start2(&init, &error);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return control->ctx != NULL;
}

/* Turns a start that failed into an error and a sentence. */
static enum qrt_err explain(const struct place *place, const char *why, char *ret_detail)
{
	int err = place_why_not(place);

	snprintf(ret_detail, DETAIL_SIZE, "control: cannot listen on %s: %s", place->text,
		 err != 0 ? strerror(err) : why);
	switch (err) {
	case EADDRINUSE:
		return QRT_EADDRINUSE;
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return QRT_EINVAL;
	case EACCES:
		return QRT_EACCES;
	case EMFILE:
	case ENFILE:
		return QRT_EMFILE;
	default:
		return QRT_EFAILED;
	}
}

static enum qrt_err check_options(const struct qrt_control_options *opts, struct place *ret_place,
				  char *ret_detail)
{
	bool has_token = opts->token != NULL && opts->token[0] != '\0';

	if (opts->address == NULL || !place_parse(opts->address, opts->port, ret_place)) {
		snprintf(ret_detail, DETAIL_SIZE, "control: '%.64s' is not a numeric address",
			 opts->address != NULL ? opts->address : "");
		return QRT_EINVAL;
	}
	if (opts->threads > THREADS_MAX) {
		snprintf(ret_detail, DETAIL_SIZE, "control: %u threads asked for, at most %d",
			 opts->threads, THREADS_MAX);
		return QRT_EINVAL;
	}
	if (has_token && !token_is_usable(opts->token)) {
		snprintf(ret_detail, DETAIL_SIZE,
			 "control: the token must be 1 to %d printable characters without spaces",
			 TOKEN_MAX);
		return QRT_EINVAL;
	}
	if (!ret_place->loopback && !has_token) {
		snprintf(ret_detail, DETAIL_SIZE,
			 "control: %s is not a loopback address: an admin token is required",
			 ret_place->text);
		return QRT_EINVAL;
	}
	if (ret_place->addr.any.sa_family == AF_INET6 && mg_check_feature(MG_FEATURES_IPV6) == 0) {
		snprintf(ret_detail, DETAIL_SIZE,
			 "control: cannot listen on %s: civetweb is built without IPv6",
			 ret_place->text);
		return QRT_ENOTSUP;
	}
	return QRT_OK;
}

enum qrt_err qrt_control_open(const struct qrt_control_options *opts, char *ret_detail,
			      struct qrt_control **ret_control)
{
	char detail[DETAIL_SIZE], why[128] = "";
	struct qrt_control *control;
	struct mg_server_port port;
	struct place place;
	enum qrt_err err;

	QRT_PRE(opts != NULL);
	QRT_PRE(ret_control != NULL);
	QRT_PRE(opts->routes != NULL || opts->n_routes == 0);
	if (ret_detail == NULL) {
		ret_detail = detail;
	}
	err = check_options(opts, &place, ret_detail);
	if (err != QRT_OK) {
		return err;
	}
	control = control_new(opts, &place);
	if (control == NULL) {
		snprintf(ret_detail, DETAIL_SIZE, "control: out of memory");
		return QRT_ENOMEM;
	}
	library_hold(true);
	if (!civetweb_start(control, why, sizeof(why))) {
		err = explain(&place, why, ret_detail);
		library_hold(false);
		control_free(control);
		return err;
	}
	QRT_ASSERT(mg_get_server_ports(control->ctx, 1, &port) == 1);
	control->port = (uint16_t)port.port;
	QRT_POST(control->port != 0);
	QRT_ASSERT(place_parse(opts->address, control->port, &control->place));
	*ret_control = control;
	return QRT_OK;
}

uint16_t qrt_control_port(const struct qrt_control *control)
{
	QRT_PRE(control != NULL);
	QRT_PRE(control->magic == CONTROL_MAGIC);
	return control->port;
}

/*
 * civetweb looks for the word to stop only when its accepting thread wakes,
 * every two seconds by itself. This wakes it by connections until one fails,
 * which means that the listening socket is gone, or until mg_stop is back.
 */
struct waker {
	const struct place *place;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	bool done; /* under lock */
};

static void *waker_main(void *arg)
{
	struct waker *w = arg;
	struct timespec until;
	bool listening = true;
	int fd;

	pthread_mutex_lock(&w->lock);
	while (!w->done && listening) {
		fd = socket(w->place->addr.any.sa_family,
			    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		listening = fd >= 0 && (connect(fd, &w->place->addr.any, w->place->len) == 0 ||
					errno == EINPROGRESS);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += WAKE_EVERY_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		(void)pthread_cond_timedwait(&w->moved, &w->lock, &until);
		if (fd >= 0) {
			close(fd);
		}
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void civetweb_stop(struct qrt_control *control)
{
	struct waker w = {
	    .place = &control->place,
	    .lock = PTHREAD_MUTEX_INITIALIZER,
	    .moved = PTHREAD_COND_INITIALIZER,
	};
	sigset_t all, before;
	bool waking;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	/* Without the thread the stop only takes longer. */
	waking = pthread_create(&w.thread, NULL, waker_main, &w) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	mg_stop(control->ctx);
	if (waking) {
		pthread_mutex_lock(&w.lock);
		w.done = true;
		pthread_cond_signal(&w.moved);
		pthread_mutex_unlock(&w.lock);
		pthread_join(w.thread, NULL);
	}
	pthread_cond_destroy(&w.moved);
	pthread_mutex_destroy(&w.lock);
}

/*
 * The wait is our own: once civetweb is told to stop it cuts answers short.
 * What arrives from now on is told 503.
 */
void qrt_control_close(struct qrt_control **control)
{
	struct qrt_control *c;

	QRT_PRE(control != NULL);
	c = *control;
	if (c == NULL) {
		return;
	}
	QRT_PRE(c->magic == CONTROL_MAGIC);
	*control = NULL;
	pthread_mutex_lock(&c->lock);
	c->closing = true;
	while (c->active > 0) {
		pthread_cond_wait(&c->changed, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	civetweb_stop(c);
	library_hold(false);
	control_free(c);
}
