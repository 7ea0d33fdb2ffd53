/* Two ends of a WebSocket; see ws_ends.h. */
#include "tests/lib/ws_ends.h"

#include <string.h>

#include "tests/lib/test.h"

enum { BULK_LAB = 200000, BULK_REAL = 32 << 20 };

struct outcome in_lab(const char *backend, uint64_t seed, const struct qrt_lab_faults *faults,
		      qrt_task_fn *fn, void *arg)
{
	struct qrt_lab_options opts = {.seed = seed};
	struct qrt_lab *lab;
	struct qrt_runtime *rt;
	if (faults) {
		opts.faults = *faults;
	}
	assert_int_equal(qrt_lab_open(&opts, NULL, &lab), QRT_OK);
	const struct qrt_runtime_options rt_opts = {.backend = backend, .lab = lab};
	assert_int_equal(qrt_runtime_open(&rt_opts, NULL, &rt), QRT_OK);
	struct outcome outcome = {.err = qrt_run_main(rt, fn, arg)};
	if (outcome.err) {
		print_message("%s, seed %d: %s\n", backend, (int)seed, qrt_err_name(outcome.err));
	}
	qrt_lab_stats(lab, &outcome.stats);
	qrt_runtime_audit(rt, &outcome.audit);
	qrt_runtime_close(&rt); /* asserts that nothing was left */
	qrt_lab_close(&lab);
	return outcome;
}

static bool is_lab(const char *backend)
{
	return strncmp(backend, "lab", 3) == 0;
}

static void on_some(bool labs, bool reals, const struct qrt_lab_faults *faults, qrt_task_fn *fn)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		if (reals && !is_lab(names[i])) {
			assert_int_equal(on_backend(names[i], fn, NULL), QRT_OK);
		}
		for (uint64_t seed = 0; labs && is_lab(names[i]) && seed < WS_SEEDS; seed++) {
			assert_int_equal(in_lab(names[i], seed, faults, fn, NULL).err, QRT_OK);
		}
	}
}

void in_labs(const struct qrt_lab_faults *faults, qrt_task_fn *fn)
{
	on_some(true, false, faults, fn);
}

void everywhere(qrt_task_fn *fn)
{
	on_some(true, true, NULL, fn);
}

bool is_real(struct qrt_cx *cx)
{
	return !qrt_cx_lab(cx);
}

enum qrt_err rest(struct qrt_cx *cx)
{
	return qrt_sleep(cx, is_real(cx) ? 10 * QRT_MS : QRT_SEC);
}

/* --- ends ------------------------------------------------------------------------------------ */

enum qrt_err accept_one(struct qrt_cx *cx, void *arg)
{
	struct ends *ends = arg;
	struct qrt_stream *stream;
	enum qrt_err err = qrt_accept(cx, ends->listener, &stream);
	if (!err) {
		err = qrt_ws_accept(cx, &stream, ends->accept, &ends->server);
		EXPECT(!stream);
	}
	snprintf(ends->detail, sizeof(ends->detail), "%s", err ? qrt_detail(cx) : "");
	ends->accepted = err;
	return QRT_OK;
}

enum qrt_err listen_here(struct qrt_cx *cx, struct ends *ends)
{
	int fd;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &ends->port));
	return qrt_listener_adopt(cx, fd, &ends->listener);
}

enum qrt_err dial(struct qrt_cx *cx, const struct ends *ends, const char *scheme,
		  struct qrt_ws **ret_ws)
{
	char url[64];
	snprintf(url, sizeof(url), "%s://127.0.0.1:%u/chat?x=1", scheme, ends->port);
	return qrt_ws_connect(cx, url, ends->connect, ret_ws);
}

enum qrt_err await_one(struct qrt_cx *cx, struct ends *ends)
{
	EXPECT(!listen_here(cx, ends));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &ends->region));
	return qrt_spawn(ends->region, accept_one, ends);
}

enum qrt_err until_accepted(struct qrt_cx *cx, struct ends *ends)
{
	while (!ends->server && !ends->accepted) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	return ends->accepted;
}

enum qrt_err open_ends(struct qrt_cx *cx, struct ends *ends)
{
	EXPECT(!await_one(cx, ends));
	enum qrt_err err = dial(cx, ends, "ws", &ends->client);
	if (err) {
		fprintf(stderr, "dial: %s: %s\n", qrt_err_name(err), qrt_detail(cx));
		return err;
	}
	return until_accepted(cx, ends);
}

enum qrt_err close_ends(struct qrt_cx *cx, struct ends *ends)
{
	qrt_ws_close(cx, &ends->client);
	qrt_ws_close(cx, &ends->server);
	qrt_listener_close(cx, &ends->listener);
	return qrt_region_close(cx, &ends->region, QRT_OK);
}

bool is_message(const struct qrt_ws_message *message, enum qrt_ws_type type, const char *text)
{
	return message->type == type && message->n == strlen(text) &&
	       memcmp(message->data, text, message->n + 1) == 0;
}

struct qrt_ws_info info_of(struct qrt_cx *cx, struct qrt_ws *ws)
{
	struct qrt_ws_info info = {.code = 0};
	QRT_IGNORE(qrt_ws_info(cx, ws, &info), "all zero then");
	return info;
}

const char *bulk(void)
{
	static char bytes[BULK_REAL];
	return bytes;
}

size_t bulk_size(struct qrt_cx *cx)
{
	return is_real(cx) ? BULK_REAL : BULK_LAB;
}

/* --- waiters --------------------------------------------------------------------------------- */

enum qrt_err waits_to_receive(struct qrt_cx *cx, void *arg)
{
	struct waiter *waiter = arg;
	waiter->err = qrt_ws_recv(cx, waiter->ws, &waiter->message);
	waiter->ended = true;
	return QRT_OK;
}

enum qrt_err waits_to_send(struct qrt_cx *cx, void *arg)
{
	struct waiter *waiter = arg;
	waiter->err = qrt_ws_send(cx, waiter->ws, QRT_WS_BINARY, bulk(), bulk_size(cx));
	waiter->ended = true;
	return QRT_OK;
}

enum qrt_err waits_for_goodbye(struct qrt_cx *cx, void *arg)
{
	struct waiter *waiter = arg;
	waiter->err = qrt_ws_shutdown(cx, waiter->ws, 1000, NULL);
	waiter->ended = true;
	return QRT_OK;
}
