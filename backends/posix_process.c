/*
 * Child processes of the real system, for any driver that can watch a
 * descriptor: posix_spawn to start them, a pidfd to hear of their end, so that
 * no signal of the host's (SIGCHLD) is touched. Each is reaped by its own pid,
 * once. A program is started with three descriptors and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/process_impl.h"
#include "shim/src/internal.h"

#ifdef __GLIBC_PREREQ
#if __GLIBC_PREREQ(2, 34)
/* For what a library of the host's has opened without close-on-exec. */
#define HAVE_CLOSEFROM
#endif
#endif

/* A process that has not been reaped. */
struct process {
	struct qrt__list in_rt;
	struct qrt_runtime *rt;
	struct qrt__child *child; /* NULL: it was left */
	pid_t pid;
	int pidfd;
	struct qrt__watch watch;
};

enum { PARENT, CHILD };

static int pidfd_open(pid_t pid)
{
#ifdef SYS_pidfd_open
	return (int)syscall(SYS_pidfd_open, pid, 0u); /* close-on-exec by itself */
#else
	(void)pid;
	errno = ENOSYS;
	return -1;
#endif
}

static void close_pair(int fd[2])
{
	for (int i = 0; i < 2; i++) {
		if (fd[i] >= 0) {
			close(fd[i]);
		}
		fd[i] = -1;
	}
}

/* --- its end --------------------------------------------------------------------------------- */

static void process_free(struct process *process)
{
	process->rt->driver->watch_close(&process->watch);
	qrt__list_remove(&process->in_rt);
	close(process->pidfd);
	free(process);
}

/* Reaps it; false: it has not ended. */
static bool reap(pid_t pid, int flags, struct qrt_child_status *ret_status)
{
	siginfo_t info = {.si_pid = 0};
	int result;
	do {
		result = waitid(P_PID, (id_t)pid, &info, WEXITED | flags);
	} while (result < 0 && errno == EINTR);
	if (result < 0) {
		/* A host that ignores SIGCHLD has the system reap: how it ended is not known. */
		*ret_status = (struct qrt_child_status){.signalled = false, .code = -1};
		return true;
	}
	if (info.si_pid == 0) {
		return false;
	}
	*ret_status = (struct qrt_child_status){.signalled = info.si_code != CLD_EXITED,
						.code = info.si_status};
	return true;
}

static void on_ready(struct qrt__watch *watch, unsigned io)
{
	struct process *process = QRT__CONTAINER(watch, struct process, watch);
	struct qrt__child *child = process->child;
	struct qrt_child_status status;
	(void)io;
	if (!reap(process->pid, WNOHANG, &status)) {
		return;
	}
	process_free(process);
	if (child) {
		qrt__child_ended(child, &status);
	}
}

static enum qrt_err process_signal(void *state, int signo)
{
	const struct process *process = state;
	/* Not reaped yet, so the pid and its group are still its own. */
	if (kill(-process->pid, signo) == 0 || errno == ESRCH) {
		return QRT_OK;
	}
	return qrt__err_from_errno(errno);
}

static void process_leave(void *state)
{
	struct process *process = state;
	struct qrt_child_status status;
	QRT_IGNORE(process_signal(process, SIGKILL), "then it can only be waited for");
	process->child = NULL;
	if (reap(process->pid, WNOHANG, &status)) {
		process_free(process);
	}
}

static void reap_all(struct qrt_runtime *rt)
{
	while (!qrt__list_empty(&rt->processes)) {
		struct process *process = QRT__CONTAINER(rt->processes.next, struct process, in_rt);
		struct qrt_child_status status;
		QRT_IGNORE(reap(process->pid, 0, &status), "it was killed when it was left");
		process_free(process);
	}
}

/* --- its beginning --------------------------------------------------------------------------- */

/* Out of the way of 0, 1 and 2, which the child's own ends are put upon. */
static bool make_high(int *fd)
{
	int high;
	if (*fd > STDERR_FILENO) {
		return true;
	}
	high = fcntl(*fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(*fd);
	*fd = high;
	return high >= 0;
}

/* A pipe's two ends: what it reads is a socket, as the parent's streams write with sendmsg(2). */
static bool make_pipe(enum qrt_child_end end, int ret_fd[2])
{
	int fd[2];
	bool made = end == QRT_CHILD_IN
			? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) == 0
			: pipe2(fd, O_CLOEXEC) == 0;
	if (!made) {
		return false;
	}
	if (end == QRT_CHILD_IN) {
		/* One way only. */
		QRT_IGNORE(shutdown(fd[PARENT], SHUT_RD), "then it could be written to, in vain");
	}
	ret_fd[PARENT] = fd[0];
	ret_fd[CHILD] = fd[1];
	return make_high(&ret_fd[CHILD]);
}

static int add_end(posix_spawn_file_actions_t *actions, int end, enum qrt_child_mode mode, int fd)
{
	switch (mode) {
	case QRT_CHILD_PIPE:
		return posix_spawn_file_actions_adddup2(actions, fd, end);
	case QRT_CHILD_NULL:
		return posix_spawn_file_actions_addopen(
		    actions, end, "/dev/null", end == STDIN_FILENO ? O_RDONLY : O_WRONLY, 0);
	case QRT_CHILD_INHERIT:
		return posix_spawn_file_actions_adddup2(actions, end, end);
	}
	QRT_IMPOSSIBLE("no such mode");
}

static int fill_actions(posix_spawn_file_actions_t *actions, const struct qrt_child_options *opts,
			int fd[QRT_CHILD_ENDS][2])
{
	int error = 0;
	for (int i = 0; i < QRT_CHILD_ENDS && !error; i++) {
		error = add_end(actions, i, opts->mode[i], fd[i][CHILD]);
	}
#ifdef HAVE_CLOSEFROM
	if (!error) {
		error = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	}
#endif
	if (!error && opts->cwd) {
		error = posix_spawn_file_actions_addchdir_np(actions, opts->cwd);
	}
	return error;
}

/* A group of its own, no signal blocked, all as they are by default. */
static int fill_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	sigdelset(&all, SIGKILL);
	sigdelset(&all, SIGSTOP);
	int error = posix_spawnattr_setsigmask(attributes, &none);
	error = error ? error : posix_spawnattr_setsigdefault(attributes, &all);
	error = error ? error : posix_spawnattr_setpgroup(attributes, 0);
	return error ? error
		     : posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK |
								POSIX_SPAWN_SETSIGDEF |
								POSIX_SPAWN_SETPGROUP);
}

static enum qrt_err spawn(const struct qrt_child_options *opts, int fd[QRT_CHILD_ENDS][2],
			  pid_t *ret_pid)
{
	const char *const alone[] = {opts->path, NULL};
	const char *const none[] = {NULL};
	const char *const *argv = opts->argv ? opts->argv : alone;
	const char *const *env = opts->env ? opts->env : none;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error = posix_spawn_file_actions_init(&actions);
	if (error) {
		return qrt__err_from_errno(error);
	}
	error = posix_spawnattr_init(&attributes);
	if (!error) {
		error = fill_actions(&actions, opts, fd);
		error = error ? error : fill_attributes(&attributes);
		error = error ? error
			      : posix_spawn(ret_pid, opts->path, &actions, &attributes,
					    (char *const *)(uintptr_t)argv,
					    (char *const *)(uintptr_t)env);
		posix_spawnattr_destroy(&attributes);
	}
	posix_spawn_file_actions_destroy(&actions);
	/* No such format, no directory, too much of argv: what was asked for cannot be run. */
	bool nonsense = error == ENOEXEC || error == E2BIG || error == ELOOP ||
			error == ENAMETOOLONG || error == EISDIR;
	return nonsense ? QRT_EINVAL : error == ENOTDIR ? QRT_ENOENT : qrt__err_from_errno(error);
}

/* Watches what has just been started; on failure it is killed and reaped. */
static enum qrt_err watch(struct process *process)
{
	struct qrt_child_status status;
	enum qrt_err err = QRT_OK;
	process->pidfd = pidfd_open(process->pid);
	if (process->pidfd < 0) {
		err = qrt__err_from_errno(errno);
	} else {
		process->watch =
		    (struct qrt__watch){.rt = process->rt, .fd = process->pidfd, .ready = on_ready};
		err = process->rt->driver->watch_open(&process->watch);
	}
	if (!err) {
		process->rt->driver->watch_arm(&process->watch, QRT__IO_READ);
		qrt__list_append(&process->rt->processes, &process->in_rt);
		return QRT_OK;
	}
	kill(-process->pid, SIGKILL);
	QRT_IGNORE(reap(process->pid, 0, &status), "nobody will ask");
	if (process->pidfd >= 0) {
		close(process->pidfd);
	}
	return err;
}

static bool system_can_watch(void)
{
	int fd = pidfd_open(getpid());
	if (fd < 0) {
		return errno != ENOSYS && errno != EPERM;
	}
	close(fd);
	return true;
}

static enum qrt_err start(struct qrt__child *child, const struct qrt_child_options *opts,
			  void **ret_state, int *ret_pid, int ret_fd[QRT_CHILD_ENDS])
{
	int fd[QRT_CHILD_ENDS][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
	enum qrt_err err = system_can_watch() ? QRT_OK : QRT_ENOTSUP;
	struct process *process = err ? NULL : calloc(1, sizeof(*process));
	if (!process) {
		return err ? err : QRT_ENOMEM;
	}
	*process = (struct process){.rt = qrt__child_runtime(child), .child = child};
	for (int i = 0; i < QRT_CHILD_ENDS && !err; i++) {
		if (opts->mode[i] == QRT_CHILD_PIPE && !make_pipe((enum qrt_child_end)i, fd[i])) {
			err = qrt__err_from_errno(errno);
		}
	}
	err = err ? err : spawn(opts, fd, &process->pid);
	err = err ? err : watch(process);
	for (int i = 0; i < QRT_CHILD_ENDS; i++) {
		if (!err) {
			ret_fd[i] = fd[i][PARENT];
			fd[i][PARENT] = -1;
		}
		close_pair(fd[i]);
	}
	if (err) {
		free(process);
		return err;
	}
	*ret_state = process;
	*ret_pid = process->pid;
	return QRT_OK;
}

const struct qrt__process_impl qrt__process_posix = {
    .start = start,
    .signal = process_signal,
    .leave = process_leave,
    .reap_all = reap_all,
};
