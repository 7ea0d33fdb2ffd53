/*
 * The client side of the control listener: one HTTP/1.1 request over a plain
 * socket, for the command line. It blocks the calling thread, so it must never
 * be called on a loop's thread, and it never resolves a name or follows a
 * redirect.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <qrt/control.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	HEAD_MAX = 16384,
	BODY_MAX = 1 << 20,
	PATH_LEN_MAX = 2048,
	TOKEN_LEN_MAX = 255,
	ANSWER_FIRST = 8192,
	ADDRESS_TEXT_MAX = 64,
};

/* Bytes of an answer as they come; always NUL-terminated. */
struct answer {
	char *data;
	size_t len, cap;
	char *body; /* into data, once the head is whole */
	size_t body_len;
	int status;
	size_t body_max; /* what we take */
};

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static enum qrt_err err_of(int err)
{
	switch (err) {
	case ECONNREFUSED:
		return QRT_ECONNREFUSED;
	case ETIMEDOUT:
		return QRT_ETIMEDOUT;
	case ECONNRESET:
	case EPIPE:
		return QRT_ECONNRESET;
	case EMFILE:
	case ENFILE:
		return QRT_EMFILE;
	case ENOMEM:
		return QRT_ENOMEM;
	default:
		return QRT_EIO;
	}
}

static enum qrt_err wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left;
	int n;

	for (;;) {
		left = deadline - now_ms();
		if (left <= 0) {
			return QRT_ETIMEDOUT;
		}
		n = poll(&p, 1, (int)left);
		if (n > 0) {
			return QRT_OK;
		}
		if (n < 0 && errno != EINTR) {
			return err_of(errno);
		}
	}
}

/* Only visible characters: neither a path nor a token may end a header line early. */
static bool is_visible(const char *s, size_t len_max)
{
	size_t i;

	for (i = 0; s[i] != '\0'; i++) {
		if (i == len_max || s[i] <= ' ' || s[i] >= 0x7f) {
			return false;
		}
	}
	return i > 0;
}

static enum qrt_err connect_to(const struct qrt_control_target *target, int64_t deadline,
			       int *ret_fd)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} addr;
	socklen_t len, err_len = sizeof(int);
	enum qrt_err err = QRT_OK;
	int fd, failed = 0;

	memset(&addr, 0, sizeof(addr));
	if (inet_pton(AF_INET, target->address, &addr.v4.sin_addr) == 1) {
		addr.v4.sin_family = AF_INET;
		addr.v4.sin_port = htons(target->port);
		len = sizeof(addr.v4);
	} else if (inet_pton(AF_INET6, target->address, &addr.v6.sin6_addr) == 1) {
		addr.v6.sin6_family = AF_INET6;
		addr.v6.sin6_port = htons(target->port);
		len = sizeof(addr.v6);
	} else {
		return QRT_EINVAL;
	}
	fd = socket(addr.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return err_of(errno);
	}
	if (connect(fd, &addr.any, len) != 0) {
		if (errno != EINPROGRESS) {
			err = err_of(errno);
		} else {
			err = wait_for(fd, POLLOUT, deadline);
		}
	}
	if (err == QRT_OK) {
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &err_len);
		err = failed != 0 ? err_of(failed) : QRT_OK;
	}
	if (err != QRT_OK) {
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return QRT_OK;
}

static enum qrt_err send_all(int fd, const char *data, size_t len, int64_t deadline)
{
	enum qrt_err err;
	ssize_t n;

	while (len > 0) {
		n = send(fd, data, len, MSG_NOSIGNAL);
		if (n >= 0) {
			data += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			err = wait_for(fd, POLLOUT, deadline);
			if (err != QRT_OK) {
				return err;
			}
		} else if (errno != EINTR) {
			return err_of(errno);
		}
	}
	return QRT_OK;
}

static enum qrt_err send_request(int fd, const struct qrt_control_target *target,
				 const char *method, const char *path, const char *body,
				 int64_t deadline)
{
	bool v6 = strchr(target->address, ':') != NULL, has_token = target->token != NULL;
	char head[PATH_LEN_MAX + TOKEN_LEN_MAX + 512];
	size_t len = body != NULL ? strlen(body) : 0;
	enum qrt_err err;
	int n;

	n = snprintf(head, sizeof(head),
		     "%s %s HTTP/1.1\r\n"
		     "Host: %s%s%s:%u\r\n"
		     "%s%s%s"
		     "%s"
		     "Content-Length: %zu\r\n"
		     "Connection: close\r\n\r\n",
		     method, path, v6 ? "[" : "", target->address, v6 ? "]" : "",
		     (unsigned)target->port, has_token ? "Authorization: Bearer " : "",
		     has_token ? target->token : "", has_token ? "\r\n" : "",
		     body != NULL ? "Content-Type: application/json\r\n" : "", len);
	QRT_ASSERT(n > 0);
	QRT_ASSERT((size_t)n < sizeof(head));
	err = send_all(fd, head, (size_t)n, deadline);
	if (err == QRT_OK && len > 0) {
		err = send_all(fd, body, len, deadline);
	}
	return err;
}

/* One read. *ret_end says that the peer has ended the stream. */
static enum qrt_err answer_more(struct answer *a, int fd, int64_t deadline, bool *ret_end)
{
	enum qrt_err err = wait_for(fd, POLLIN, deadline);
	size_t cap;
	char *data;
	ssize_t n;

	if (err != QRT_OK) {
		return err;
	}
	if (a->cap - a->len < 2) {
		cap = a->cap == 0 ? ANSWER_FIRST : a->cap * 2;
		if (a->cap > HEAD_MAX + a->body_max) {
			return QRT_EPROTO;
		}
		data = realloc(a->data, cap);
		if (data == NULL) {
			return QRT_ENOMEM;
		}
		a->data = data;
		a->cap = cap;
	}
	n = recv(fd, a->data + a->len, a->cap - a->len - 1, 0);
	if (n < 0) {
		return errno == EINTR || errno == EAGAIN ? QRT_OK : err_of(errno);
	}
	a->len += (size_t)n;
	a->data[a->len] = '\0';
	*ret_end = n == 0;
	return QRT_OK;
}

/* "HTTP/1.1 200 OK": that version, three digits, a space. */
static bool parse_status(const char *line, int *ret_status)
{
	static const char version[] = "HTTP/1.1 ";
	const char *p = line + sizeof(version) - 1;
	int i, status = 0;

	if (strncmp(line, version, sizeof(version) - 1) != 0) {
		return false;
	}
	for (i = 0; i < 3; i++) {
		if (p[i] < '0' || p[i] > '9') {
			return false;
		}
		status = status * 10 + (p[i] - '0');
	}
	if (p[3] != ' ' || status < 200 || status > 599) {
		return false;
	}
	*ret_status = status;
	return true;
}

static bool parse_length(const char *value, size_t max, size_t *ret_len)
{
	size_t len = 0;

	if (*value < '0' || *value > '9') {
		return false;
	}
	for (; *value >= '0' && *value <= '9'; value++) {
		len = len * 10 + (size_t)(*value - '0');
		if (len > max) {
			return false;
		}
	}
	*ret_len = len;
	return *value == '\r';
}

/* The value of Content-Length in the lines before @end; NULL when there is none. */
static const char *find_length(const char *head, const char *end)
{
	static const char name[] = "Content-Length:";
	const char *line = strchr(head, '\n');

	while (line != NULL && line < end) {
		line++;
		if (strncasecmp(line, name, sizeof(name) - 1) == 0) {
			line += sizeof(name) - 1;
			return line + strspn(line, " \t");
		}
		line = strchr(line, '\n');
	}
	return NULL;
}

/* Looks for the head; QRT_EAGAIN when it is not whole yet. */
static enum qrt_err parse_head(struct answer *a)
{
	char *end = strstr(a->data, "\r\n\r\n");
	const char *value;
	int status;

	if (end == NULL) {
		bool hopeless = a->len > HEAD_MAX || memchr(a->data, '\0', a->len) != NULL;

		return hopeless ? QRT_EPROTO : QRT_EAGAIN;
	}
	value = find_length(a->data, end);
	if (!parse_status(a->data, &status) || value == NULL ||
	    !parse_length(value, a->body_max, &a->body_len)) {
		return QRT_EPROTO;
	}
	a->status = status;
	a->body = end + 4;
	return QRT_OK;
}

static enum qrt_err read_answer(int fd, int64_t deadline, struct answer *a)
{
	enum qrt_err err;
	bool end = false;
	size_t head_len = 0;

	while (a->body == NULL || a->len < head_len + a->body_len) {
		if (end) {
			return QRT_EPROTO; /* The stream ended before the answer did. */
		}
		err = answer_more(a, fd, deadline, &end);
		if (err != QRT_OK) {
			return err;
		}
		if (a->data == NULL || a->len == 0) {
			continue;
		}
		/* Growing may have moved the bytes: find the head anew. */
		err = parse_head(a);
		if (err != QRT_OK && err != QRT_EAGAIN) {
			return err;
		}
		head_len = a->body != NULL ? (size_t)(a->body - a->data) : 0;
	}
	return QRT_OK;
}

enum qrt_err qrt_control_ask(const struct qrt_control_target *target, const char *method,
			     const char *path, const char *body, int *ret_status, char **ret_body)
{
	struct answer a = {.body_max = target->body_max ? target->body_max : BODY_MAX};
	int64_t deadline;
	enum qrt_err err;
	int fd = -1;

	QRT_PRE(target != NULL);
	QRT_PRE(method != NULL);
	QRT_PRE(path != NULL);
	if (target->address == NULL || !is_visible(target->address, ADDRESS_TEXT_MAX) ||
	    target->timeout_ms <= 0 || !is_visible(method, 16) || path[0] != '/' ||
	    !is_visible(path, PATH_LEN_MAX)) {
		return QRT_EINVAL;
	}
	if (target->token != NULL && !is_visible(target->token, TOKEN_LEN_MAX)) {
		return QRT_EINVAL;
	}
	deadline = now_ms() + target->timeout_ms;
	err = connect_to(target, deadline, &fd);
	if (err != QRT_OK) {
		return err;
	}
	err = send_request(fd, target, method, path, body, deadline);
	if (err == QRT_OK) {
		err = read_answer(fd, deadline, &a);
	}
	close(fd);
	if (err != QRT_OK) {
		free(a.data);
		return err;
	}
	memmove(a.data, a.body, a.body_len);
	a.data[a.body_len] = '\0';
	*ret_status = a.status;
	*ret_body = a.data;
	return QRT_OK;
}
