/*
 * Unix sockets of the real system. Whoever makes a socket with a path makes a
 * file, and that goes when the descriptor is closed that was given then; not
 * when a duplicate of it is, nor when the file is another one by now. A file
 * that is there already is never removed: it may be somebody's.
 *
 * Which descriptor made which file is the process's affair, as both are; so
 * is the list of them.
 */
#include "backends/posix_unix.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shim/src/internal.h"

enum { BACKLOG = 511 };

/* A file that was made, and for which descriptor. Numbers are used again: inodes tell. */
struct made {
	struct qrt__list node;
	int fd;
	ino_t socket;
	dev_t device;
	ino_t file;
	char path[QRT__UNIX_NAME_MAX + 1];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct qrt__list all = {&all, &all}; /* under lock */
static _Atomic unsigned n_all;		    /* so that nobody pays who has none */

static socklen_t address_of(const struct qrt__unix_name *name, struct sockaddr_un *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	memcpy(ret->sun_path + name->abstract, name->text, name->n);
	/* An abstract name begins with a NUL, a path ends with one. */
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + name->n + 1);
}

static int unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* --- files ----------------------------------------------------------------------------------- */

/* The file of @path is @fd's, which has just made it. */
static bool remember(int fd, const char *path)
{
	struct stat socket, file;
	struct made *made = calloc(1, sizeof(*made));
	if (!made || fstat(fd, &socket) || lstat(path, &file)) {
		free(made);
		return false;
	}
	made->fd = fd;
	made->socket = socket.st_ino;
	made->device = file.st_dev;
	made->file = file.st_ino;
	snprintf(made->path, sizeof(made->path), "%s", path);
	pthread_mutex_lock(&lock);
	qrt__list_append(&all, &made->node);
	n_all++;
	pthread_mutex_unlock(&lock);
	return true;
}

static struct made *find(int fd)
{
	QRT__LIST_EACH(node, &all) {
		struct made *made = QRT__CONTAINER(node, struct made, node);
		if (made->fd == fd) {
			return made;
		}
	}
	return NULL;
}

static void remove_file(const struct made *made)
{
	struct stat socket, file;
	bool same = !fstat(made->fd, &socket) && socket.st_ino == made->socket &&
		    !lstat(made->path, &file) && file.st_dev == made->device &&
		    file.st_ino == made->file;
	if (same) {
		QRT_IGNORE(unlink(made->path), "nobody is there to be told");
	}
}

void qrt__unix_closing(int fd)
{
	if (atomic_load_explicit(&n_all, memory_order_relaxed) == 0) {
		return;
	}
	pthread_mutex_lock(&lock);
	struct made *made = find(fd);
	if (made) {
		qrt__list_remove(&made->node);
		n_all--;
	}
	pthread_mutex_unlock(&lock);
	if (made) {
		remove_file(made);
		free(made);
	}
}

/* --- sockets --------------------------------------------------------------------------------- */

static enum qrt_err failed(int fd, char *ret_detail)
{
	int error = errno;
	enum qrt_err err = qrt__err_from_errno(error);
	snprintf(ret_detail, QRT_DETAIL, "%s%s", strerror(error),
		 err == QRT_EADDRINUSE ? " (a socket that nobody serves any more has to be removed)"
				       : "");
	if (fd >= 0) {
		close(fd);
	}
	return err;
}

enum qrt_err qrt__unix_listen(const struct qrt__unix_name *name, int *ret_fd, char *ret_detail)
{
	struct sockaddr_un address;
	socklen_t len = address_of(name, &address);
	int fd = unix_socket();
	if (fd < 0 || bind(fd, (const struct sockaddr *)&address, len)) {
		return failed(fd, ret_detail);
	}
	if (!name->abstract && !remember(fd, name->text)) {
		QRT_IGNORE(unlink(name->text), "we have just made it");
		close(fd);
		return QRT_ENOMEM;
	}
	if (listen(fd, BACKLOG)) {
		int error = errno;
		qrt__unix_closing(fd);
		errno = error;
		return failed(fd, ret_detail);
	}
	*ret_fd = fd;
	return QRT_OK;
}

enum qrt_err qrt__unix_connect(const struct qrt__unix_name *name, int *ret_fd)
{
	struct sockaddr_un address;
	socklen_t len = address_of(name, &address);
	int fd = unix_socket();
	if (fd < 0) {
		return qrt__err_from_errno(errno);
	}
	if (connect(fd, (const struct sockaddr *)&address, len)) {
		/* EAGAIN here does not mean that it goes on: the queue is full. */
		enum qrt_err err = errno == EAGAIN ? QRT_EBUSY : qrt__err_from_errno(errno);
		close(fd);
		return err;
	}
	*ret_fd = fd;
	return QRT_EAGAIN;
}
