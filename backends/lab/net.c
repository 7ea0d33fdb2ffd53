/*
 * The simulated network and signals, as the runtime calls them. All runtimes
 * of a lab share its ports and descriptors, as those of a process do.
 * Addresses are checked as the real net does and otherwise ignored: there is
 * one host.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/lab/lab.h"

enum {
	PORT_FIRST = 40000,
	PORT_LAST = 65535,
	ACCEPT_QUEUE = 128,
	/* A full accept queue does not answer: the connect is repeated after 1, 2, 4, ... s. */
	ATTEMPTS = 6,
	SIGNALS_MAX = 64,
	PEER_MAX = 64, /* the room behind ret_peer */
};

struct listener {
	struct qrt__lab_file file;
	struct qrt__list in_lab;
	struct qrt__lab_place place;
	struct qrt__list queue;
	size_t queued;
};

struct signal_set {
	struct qrt__lab_file file;
	struct qrt__list in_lab;
	uint64_t wanted;	  /* bit signo - 1 */
	int pending[SIGNALS_MAX]; /* in order of arrival, each at most once */
	size_t n_pending;
};

/* --- listeners ----------------------------------------------------------------------------- */

static unsigned listener_readiness(const struct qrt__lab_file *file)
{
	const struct listener *listener = QRT__CONTAINER(file, struct listener, file);
	return listener->queued > 0 ? QRT__IO_READ : 0;
}

static struct qrt__lab_conn *queue_pop(struct listener *listener)
{
	QRT_ASSERT(listener->queued > 0);
	listener->queued--;
	return QRT__CONTAINER(qrt__list_pop(&listener->queue), struct qrt__lab_conn, in_queue);
}

/* Who was in the queue has a connection that nobody will serve. */
static void listener_last_close(struct qrt__lab_file *file)
{
	struct listener *listener = QRT__CONTAINER(file, struct listener, file);
	while (listener->queued > 0) {
		qrt__lab_end_close(&queue_pop(listener)->end[1], true);
	}
	qrt__list_remove(&listener->in_lab);
	free(listener);
}

static const struct qrt__lab_file_kind listener_kind = {
    .name = "listener",
    .readiness = listener_readiness,
    .last_close = listener_last_close,
};

static struct listener *find_listener(const struct qrt_lab *lab, const struct qrt__lab_place *place)
{
	QRT__LIST_EACH(node, &lab->listeners) {
		struct listener *listener = QRT__CONTAINER(node, struct listener, in_lab);
		if (listener->place.port == place->port &&
		    qrt__unix_name_same(&listener->place.name, &place->name)) {
			return listener;
		}
	}
	return NULL;
}

/* 0 when every one is taken. */
static uint16_t free_port(struct qrt_lab *lab)
{
	for (int i = PORT_FIRST; i <= PORT_LAST; i++) {
		uint16_t port = lab->next_port < PORT_FIRST ? PORT_FIRST : lab->next_port;
		lab->next_port = (uint16_t)(port + 1); /* beyond the last: 0, so the first again */
		const struct qrt__lab_place place = {.port = port};
		if (!find_listener(lab, &place)) {
			return port;
		}
	}
	return 0;
}

/* Where an address and a port are: a Unix socket's name is a place of its own. */
static enum qrt_err parse_place(const char *address, uint16_t port,
				struct qrt__lab_place *ret_place, char *ret_detail)
{
	*ret_place = (struct qrt__lab_place){0};
	if (qrt__is_unix(address)) {
		return qrt__unix_name_parse(address, &ret_place->name, ret_detail);
	}
	if (!qrt__is_address(address)) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "not a numeric address");
		return QRT_EINVAL;
	}
	ret_place->port = port;
	return QRT_OK;
}

static enum qrt_err listen_at(struct qrt_runtime *rt, const char *address, uint16_t port,
			      int *ret_fd, uint16_t *ret_port, char *ret_detail)
{
	struct qrt_lab *lab = qrt__lab_of(rt);
	struct qrt__lab_place place;
	enum qrt_err err = parse_place(address, port, &place, ret_detail);
	if (err) {
		return err;
	}
	bool named = place.name.n > 0;
	if (!named && port == 0) {
		place.port = free_port(lab);
	}
	if ((!named && place.port == 0) || find_listener(lab, &place)) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "Address already in use");
		return QRT_EADDRINUSE;
	}
	struct listener *listener = calloc(1, sizeof(*listener));
	if (!listener) {
		return QRT_ENOMEM;
	}
	qrt__lab_file_init(&listener->file, lab, &listener_kind);
	qrt__list_init(&listener->queue);
	listener->place = place;
	err = qrt__lab_fd_open(&listener->file, ret_fd);
	if (err) {
		free(listener);
		return err;
	}
	qrt__list_append(&lab->listeners, &listener->in_lab);
	*ret_port = place.port;
	return QRT_OK;
}

static enum qrt_err accept_one(struct qrt__socket *socket, int *ret_fd, char *ret_peer)
{
	struct qrt_lab *lab = qrt__lab_of(socket->rt);
	struct qrt__lab_file *file = qrt__lab_fd_file(lab, socket->fd, &listener_kind);
	if (!file) {
		return QRT_EINVAL;
	}
	struct listener *listener = QRT__CONTAINER(file, struct listener, file);
	if (listener->queued == 0) {
		return QRT_EAGAIN;
	}
	struct qrt__lab_conn *conn =
	    QRT__CONTAINER(listener->queue.next, struct qrt__lab_conn, in_queue);
	enum qrt_err err = qrt__lab_fd_open(&conn->end[1].file, ret_fd);
	if (err) {
		return err;
	}
	struct qrt__lab_conn *popped = queue_pop(listener);
	QRT_ASSERT(popped == conn);
	/* The lab is one machine: its peers have the address and the rights of such. */
	snprintf(ret_peer, PEER_MAX, "127.0.0.1:%llu", (unsigned long long)conn->number % 65536);
	return QRT_OK;
}

/* --- connections --------------------------------------------------------------------------- */

/* As the system has it: a path that nobody serves is gone, and a full queue is said at once. */
static enum qrt_err refusal(const struct qrt__lab_conn *conn, const struct listener *listener)
{
	if (conn->place.name.n > 0 && listener && listener->queued == ACCEPT_QUEUE) {
		return QRT_EBUSY;
	}
	bool path = conn->place.name.n > 0 && !conn->place.name.abstract;
	return path && !listener ? QRT_ENOENT : QRT_ECONNREFUSED;
}

static void decide(struct qrt__timer *timer)
{
	struct qrt__lab_conn *conn = QRT__CONTAINER(timer, struct qrt__lab_conn, decide);
	struct qrt_lab *lab = conn->lab;
	struct listener *listener = find_listener(lab, &conn->place);
	bool named = conn->place.name.n > 0;
	bool full = listener && listener->queued == ACCEPT_QUEUE;
	bool no_answer = lab->faults.partition || (full && !named);
	if (no_answer && conn->attempts < ATTEMPTS) {
		qrt__timer_start(&lab->events, timer, lab->now_ns + (QRT_SEC << conn->attempts++));
		return;
	}
	bool refused =
	    !listener || full || qrt__fault(lab, lab->faults.refuse) || qrt__io_point(lab);
	if (!no_answer && !refused) {
		qrt__lab_conn_established(conn);
		qrt__list_append(&listener->queue, &conn->in_queue);
		listener->queued++;
		qrt__lab_touch(&listener->file);
	} else {
		conn->state = QRT__LAB_FAILED;
		conn->err = no_answer ? QRT_ETIMEDOUT : refusal(conn, listener);
	}
	qrt__lab_touch(&conn->end[0].file);
}

static enum qrt_err connect_to(struct qrt_runtime *rt, const char *address, uint16_t port,
			       int *ret_fd)
{
	struct qrt_lab *lab = qrt__lab_of(rt);
	struct qrt__lab_place place;
	char unused[QRT__DETAIL_MAX];
	enum qrt_err err = parse_place(address, port, &place, unused);
	if (err) {
		return err;
	}
	struct qrt__lab_conn *conn = qrt__lab_conn_new(lab, decide);
	if (!conn) {
		return QRT_ENOMEM;
	}
	err = qrt__lab_fd_open(&conn->end[0].file, ret_fd);
	if (err) {
		qrt__lab_end_close(&conn->end[0], false);
		return err;
	}
	conn->place = place;
	qrt__timer_start(&lab->events, &conn->decide, lab->now_ns + qrt__lab_latency(lab));
	return QRT_EAGAIN;
}

/* NULL when the socket is no stream. */
static struct qrt__lab_end *end_of(const struct qrt__socket *socket)
{
	struct qrt__lab_file *file =
	    qrt__lab_fd_file(qrt__lab_of(socket->rt), socket->fd, &qrt__lab_end_kind);
	return file ? QRT__CONTAINER(file, struct qrt__lab_end, file) : NULL;
}

static enum qrt_err connect_result(struct qrt__socket *socket)
{
	const struct qrt__lab_end *end = end_of(socket);
	if (!end) {
		return QRT_EINVAL;
	}
	QRT_PRE(end->conn->state != QRT__LAB_CONNECTING);
	return end->conn->state == QRT__LAB_FAILED ? end->conn->err : QRT_OK;
}

static enum qrt_err read_some(struct qrt__socket *socket, void *buf, size_t n, size_t *ret_n)
{
	struct qrt__lab_end *end = end_of(socket);
	enum qrt_err err = end ? qrt__lab_end_read(end, buf, n, ret_n) : QRT_EINVAL;
	qrt__trace(socket->rt, QRT__TRACE_IO, (uint64_t)socket->fd, err ? 0 : *ret_n);
	return err;
}

static enum qrt_err write_some(struct qrt__socket *socket, const struct iovec *iov, size_t n_iov,
			       size_t *ret_n)
{
	struct qrt__lab_end *end = end_of(socket);
	enum qrt_err err = end ? qrt__lab_end_write(end, iov, n_iov, ret_n) : QRT_EINVAL;
	qrt__trace(socket->rt, QRT__TRACE_IO, (uint64_t)socket->fd, err ? 0 : *ret_n);
	return err;
}

static enum qrt_err shutdown_socket(struct qrt__socket *socket)
{
	struct qrt__lab_end *end = end_of(socket);
	return end ? qrt__lab_end_shutdown(end) : QRT_EINVAL;
}

static void reset_socket(struct qrt__socket *socket)
{
	struct qrt__lab_end *end = end_of(socket);
	if (end) {
		qrt__lab_conn_reset(end->conn);
	}
}

enum qrt_err qrt__lab_pair(struct qrt_lab *lab, int *ret_a, int *ret_b)
{
	struct qrt__lab_conn *conn = qrt__lab_conn_new(lab, decide);
	if (!conn) {
		return QRT_ENOMEM;
	}
	qrt__lab_conn_established(conn);
	int a, b;
	enum qrt_err err = qrt__lab_fd_open(&conn->end[0].file, &a);
	if (err) {
		qrt__lab_end_close(&conn->end[1], false);
		qrt__lab_end_close(&conn->end[0], false);
		return err;
	}
	err = qrt__lab_fd_open(&conn->end[1].file, &b);
	if (err) {
		qrt__lab_end_close(&conn->end[1], false);
		qrt__lab_fd_close(qrt__lab_fd_find(lab, a));
		return err;
	}
	*ret_a = a;
	*ret_b = b;
	return QRT_OK;
}

/* --- descriptors --------------------------------------------------------------------------- */

static enum qrt_err dup_fd(struct qrt_runtime *rt, int fd, int *ret_fd)
{
	struct qrt__lab_descriptor *descriptor = qrt__lab_fd_find(qrt__lab_of(rt), fd);
	return descriptor ? qrt__lab_fd_open(descriptor->file, ret_fd) : QRT_EINVAL;
}

static void close_fd(struct qrt_runtime *rt, int fd)
{
	struct qrt__lab_descriptor *descriptor = qrt__lab_fd_find(qrt__lab_of(rt), fd);
	if (!descriptor) {
		return; /* as close(2): adopting a number that is none ends here too */
	}
	QRT_PRE(!descriptor->socket);
	qrt__lab_fd_close(descriptor);
}

static enum qrt_err open_socket(struct qrt__socket *socket)
{
	struct qrt__lab_descriptor *descriptor =
	    qrt__lab_fd_find(qrt__lab_of(socket->rt), socket->fd);
	if (!descriptor) {
		return QRT_EINVAL;
	}
	QRT_PRE(!descriptor->socket);
	descriptor->socket = socket;
	socket->net = descriptor;
	return QRT_OK;
}

static void arm_socket(struct qrt__socket *socket, unsigned io)
{
	qrt__lab_fd_arm(socket->net, io);
}

static void close_socket(struct qrt__socket *socket)
{
	struct qrt__lab_descriptor *descriptor = socket->net;
	QRT_PRE(descriptor->socket == socket);
	socket->net = NULL;
	qrt__lab_fd_close(descriptor);
}

/* --- signals ------------------------------------------------------------------------------- */

static unsigned signals_readiness(const struct qrt__lab_file *file)
{
	const struct signal_set *set = QRT__CONTAINER(file, struct signal_set, file);
	return set->n_pending > 0 ? QRT__IO_READ : 0;
}

static void signals_last_close(struct qrt__lab_file *file)
{
	struct signal_set *set = QRT__CONTAINER(file, struct signal_set, file);
	qrt__list_remove(&set->in_lab);
	free(set);
}

static const struct qrt__lab_file_kind signals_kind = {
    .name = "signals",
    .readiness = signals_readiness,
    .last_close = signals_last_close,
};

static bool is_signal(int signo)
{
	return signo >= 1 && signo <= SIGNALS_MAX;
}

static uint64_t signal_bit(int signo)
{
	return UINT64_C(1) << (signo - 1);
}

static enum qrt_err signals_fd(struct qrt_runtime *rt, const int *signos, size_t n, int *ret_fd)
{
	struct qrt_lab *lab = qrt__lab_of(rt);
	uint64_t wanted = 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_signal(signos[i])) {
			return QRT_EINVAL;
		}
		wanted |= signal_bit(signos[i]);
	}
	struct signal_set *set = calloc(1, sizeof(*set));
	if (!set) {
		return QRT_ENOMEM;
	}
	set->wanted = wanted;
	qrt__lab_file_init(&set->file, lab, &signals_kind);
	enum qrt_err err = qrt__lab_fd_open(&set->file, ret_fd);
	if (err) {
		free(set);
		return err;
	}
	qrt__list_append(&lab->signal_sets, &set->in_lab);
	return QRT_OK;
}

static enum qrt_err signal_read(struct qrt__socket *socket, int *ret_signo)
{
	struct qrt__lab_file *file =
	    qrt__lab_fd_file(qrt__lab_of(socket->rt), socket->fd, &signals_kind);
	if (!file) {
		return QRT_EINVAL;
	}
	struct signal_set *set = QRT__CONTAINER(file, struct signal_set, file);
	if (set->n_pending == 0) {
		return QRT_EAGAIN;
	}
	*ret_signo = set->pending[0];
	set->n_pending--;
	memmove(set->pending, set->pending + 1, set->n_pending * sizeof(set->pending[0]));
	return QRT_OK;
}

/* A signal that is pending already is not queued twice: standard signals are not counted. */
static void add_pending(struct signal_set *set, int signo)
{
	for (size_t i = 0; i < set->n_pending; i++) {
		if (set->pending[i] == signo) {
			return;
		}
	}
	QRT_ASSERT(set->n_pending < SIGNALS_MAX);
	set->pending[set->n_pending++] = signo;
	qrt__lab_touch(&set->file);
}

enum qrt_err qrt__lab_raise(struct qrt_lab *lab, int signo)
{
	enum qrt_err err = QRT_ENOENT;
	if (!is_signal(signo)) {
		return err;
	}
	QRT__LIST_EACH(node, &lab->signal_sets) {
		struct signal_set *set = QRT__CONTAINER(node, struct signal_set, in_lab);
		if (set->wanted & signal_bit(signo)) {
			add_pending(set, signo);
			err = QRT_OK;
		}
	}
	return err;
}

const struct qrt__net qrt__net_lab = {
    .listen = listen_at,
    .dup = dup_fd,
    .close_fd = close_fd,
    .connect = connect_to,
    .connect_result = connect_result,
    .open = open_socket,
    .arm = arm_socket,
    .accept = accept_one,
    .read = read_some,
    .write = write_some,
    .shutdown = shutdown_socket,
    .reset = reset_socket,
    .close = close_socket,
    .signals = signals_fd,
    .signal_read = signal_read,
};
