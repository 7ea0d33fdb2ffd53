/*
 * Sockets and signals of the real system, for any driver that can watch a
 * descriptor. Everything is non-blocking; nothing here waits.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "backends/posix_unix.h"
#include "shim/src/internal.h"

enum { BACKLOG = 511, WHOLE_MAX = 1024 };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

static bool parse_address(const char *text, uint16_t port, union address *ret, socklen_t *ret_len)
{
	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &ret->v4.sin_addr) == 1) {
		ret->v4.sin_family = AF_INET;
		ret->v4.sin_port = htons(port);
		*ret_len = sizeof(ret->v4);
		return true;
	}
	if (inet_pton(AF_INET6, text, &ret->v6.sin6_addr) == 1) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		*ret_len = sizeof(ret->v6);
		return true;
	}
	return false;
}

static void print_address(const union address *address, char *ret_text)
{
	char ip[INET6_ADDRSTRLEN] = "";
	if (address->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->v4.sin_addr, ip, sizeof(ip));
		snprintf(ret_text, 64, "%s:%u", ip, ntohs(address->v4.sin_port));
	} else if (address->any.sa_family == AF_UNIX) {
		snprintf(ret_text, 64, "unix:"); /* who connects has no name */
	} else if (address->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address->v6.sin6_addr, ip, sizeof(ip));
		snprintf(ret_text, 64, "[%s]:%u", ip, ntohs(address->v6.sin6_port));
	}
}

static int tcp_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static enum qrt_err listen_at(struct qrt_runtime *rt, const char *text, uint16_t port, int *ret_fd,
			      uint16_t *ret_port, char *ret_detail)
{
	(void)rt;
	union address address;
	socklen_t len;
	if (qrt__is_unix(text)) {
		struct qrt__unix_name name;
		enum qrt_err err = qrt__unix_name_parse(text, &name, ret_detail);
		*ret_port = 0;
		return err ? err : qrt__unix_listen(&name, ret_fd, ret_detail);
	}
	if (!parse_address(text, port, &address, &len)) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "not a numeric address");
		return QRT_EINVAL;
	}
	int on = 1;
	int fd = tcp_socket(address.any.sa_family);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, &address.any, len) || listen(fd, BACKLOG) ||
	    getsockname(fd, &address.any, &len)) {
		enum qrt_err err = qrt__err_from_errno(errno);
		snprintf(ret_detail, QRT__DETAIL_MAX, "%s", strerror(errno));
		if (fd >= 0) {
			close(fd);
		}
		return err;
	}
	*ret_port =
	    ntohs(address.any.sa_family == AF_INET ? address.v4.sin_port : address.v6.sin6_port);
	*ret_fd = fd;
	return QRT_OK;
}

static enum qrt_err dup_fd(struct qrt_runtime *rt, int fd, int *ret_fd)
{
	(void)rt;
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0) {
		return qrt__err_from_errno(errno);
	}
	*ret_fd = copy;
	return QRT_OK;
}

static void close_fd(struct qrt_runtime *rt, int fd)
{
	(void)rt;
	qrt__unix_closing(fd);
	close(fd);
}

static void no_delay(int fd)
{
	int on = 1;
	QRT_IGNORE(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)),
		   "a socket without it only answers later");
}

static enum qrt_err connect_to(struct qrt_runtime *rt, const char *text, uint16_t port, int *ret_fd)
{
	(void)rt;
	union address address;
	socklen_t len;
	if (qrt__is_unix(text)) {
		struct qrt__unix_name name;
		char unused[QRT_DETAIL];
		enum qrt_err err = qrt__unix_name_parse(text, &name, unused);
		return err ? err : qrt__unix_connect(&name, ret_fd);
	}
	if (!parse_address(text, port, &address, &len)) {
		return QRT_EINVAL;
	}
	int fd = tcp_socket(address.any.sa_family);
	if (fd < 0) {
		return qrt__err_from_errno(errno);
	}
	no_delay(fd);
	if (connect(fd, &address.any, len) && errno != EINPROGRESS) {
		enum qrt_err err = qrt__err_from_errno(errno);
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return QRT_EAGAIN;
}

static enum qrt_err connect_result(struct qrt__socket *socket)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(socket->fd, SOL_SOCKET, SO_ERROR, &error, &len)) {
		error = errno;
	}
	return qrt__err_from_errno(error);
}

static void watch_ready(struct qrt__watch *watch, unsigned io);

struct posix_socket {
	struct qrt__watch watch;
	struct qrt__socket *socket;
};

static enum qrt_err open_socket(struct qrt__socket *socket)
{
	struct posix_socket *self = calloc(1, sizeof(*self));
	if (!self) {
		return QRT_ENOMEM;
	}
	/* An adopted descriptor may come from anywhere. */
	int flags = fcntl(socket->fd, F_GETFL);
	if (flags < 0 || fcntl(socket->fd, F_SETFL, flags | O_NONBLOCK)) {
		free(self);
		return QRT_EINVAL;
	}
	self->socket = socket;
	self->watch = (struct qrt__watch){.rt = socket->rt, .fd = socket->fd, .ready = watch_ready};
	enum qrt_err err = socket->rt->driver->watch_open(&self->watch);
	if (err) {
		free(self);
		return err;
	}
	socket->net = self;
	return QRT_OK;
}

static void watch_ready(struct qrt__watch *watch, unsigned io)
{
	qrt__socket_ready(QRT__CONTAINER(watch, struct posix_socket, watch)->socket, io);
}

static void arm_socket(struct qrt__socket *socket, unsigned io)
{
	struct posix_socket *self = socket->net;
	socket->rt->driver->watch_arm(&self->watch, io);
}

static enum qrt_err accept_one(struct qrt__socket *socket, int *ret_fd, char *ret_peer)
{
	for (;;) {
		union address address;
		socklen_t len = sizeof(address);
		int fd = accept4(socket->fd, &address.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			no_delay(fd);
			print_address(&address, ret_peer);
			*ret_fd = fd;
			return QRT_OK;
		}
		/* A connection that died in the queue is not the listener's failure. */
		if (errno != ECONNABORTED && errno != EINTR) {
			return qrt__err_from_errno(errno);
		}
	}
}

/* Of sockets recv is the shorter way into the kernel; the output of a child is a pipe. */
static ssize_t receive(int fd, void *buf, size_t n)
{
	ssize_t got = recv(fd, buf, n, 0);
	return got < 0 && errno == ENOTSOCK ? read(fd, buf, n) : got;
}

static enum qrt_err read_some(struct qrt__socket *socket, void *buf, size_t n, size_t *ret_n)
{
	ssize_t got;
	do {
		got = receive(socket->fd, buf, n);
	} while (got < 0 && errno == EINTR);
	if (got < 0) {
		return qrt__err_from_errno(errno);
	}
	if (got == 0) {
		return QRT_EEOF;
	}
	*ret_n = (size_t)got;
	return QRT_OK;
}

/* Copies all slices to @whole. Returns how many bytes, or 0 when they are more than WHOLE_MAX. */
static size_t join_slices(const struct iovec *iov, size_t n_iov, char *whole)
{
	size_t n = 0;
	for (size_t i = 0; i < n_iov; i++) {
		if (iov[i].iov_len > WHOLE_MAX - n) {
			return 0;
		}
		memcpy(whole + n, iov[i].iov_base, iov[i].iov_len);
		n += iov[i].iov_len;
	}
	return n;
}

/* The kernel takes longer to look at a list of slices than a few bytes take to be joined. */
static ssize_t send_slices(int fd, const struct iovec *iov, size_t n_iov)
{
	char whole[WHOLE_MAX];
	struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n_iov};
	if (n_iov == 1) {
		return send(fd, iov->iov_base, iov->iov_len, MSG_NOSIGNAL);
	}
	size_t n = join_slices(iov, n_iov, whole);
	return n > 0 ? send(fd, whole, n, MSG_NOSIGNAL) : sendmsg(fd, &message, MSG_NOSIGNAL);
}

static enum qrt_err write_some(struct qrt__socket *socket, const struct iovec *iov, size_t n_iov,
			       size_t *ret_n)
{
	ssize_t sent;
	do {
		sent = send_slices(socket->fd, iov, n_iov);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0) {
		return qrt__err_from_errno(errno);
	}
	*ret_n = (size_t)sent;
	return QRT_OK;
}

static enum qrt_err shutdown_socket(struct qrt__socket *socket)
{
	return shutdown(socket->fd, SHUT_WR) ? qrt__err_from_errno(errno) : QRT_OK;
}

static void reset_socket(struct qrt__socket *socket)
{
	const struct linger at_once = {.l_onoff = 1};
	QRT_IGNORE(setsockopt(socket->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)),
		   "what has no such option has no reset");
}

static void close_socket(struct qrt__socket *socket)
{
	struct posix_socket *self = socket->net;
	socket->rt->driver->watch_close(&self->watch);
	qrt__unix_closing(socket->fd);
	close(socket->fd);
	free(self);
}

static enum qrt_err signals_fd(struct qrt_runtime *rt, const int *signos, size_t n, int *ret_fd)
{
	(void)rt;
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < n; i++) {
		if (sigaddset(&set, signos[i])) {
			return QRT_EINVAL;
		}
	}
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0) {
		return qrt__err_from_errno(errno);
	}
	*ret_fd = fd;
	return QRT_OK;
}

static enum qrt_err signal_read(struct qrt__socket *socket, int *ret_signo)
{
	struct signalfd_siginfo info;
	ssize_t got;
	do {
		got = read(socket->fd, &info, sizeof(info));
	} while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof(info)) {
		return got < 0 ? qrt__err_from_errno(errno) : QRT_EIO;
	}
	*ret_signo = (int)info.ssi_signo;
	return QRT_OK;
}

const struct qrt__net qrt__net_posix = {
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
