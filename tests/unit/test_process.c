/*
 * Child processes on every backend: what passes through their pipes, how they end and are stopped,
 * and that nothing of them is left: no zombie, no descriptor. In the lab the same programs are
 * played by functions, and its faults strike.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <qrt/lab.h>
#include <qrt/process.h>
#include <qrt/trial.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/backends.h"
#include "tests/lib/labs.h"
#include "tests/lib/test.h"

static const char deaf[] = "trap '' TERM; echo ready; while :; do read line; done",
		  both[] = "echo out; echo err >&2", seven[] = "exit 7",
		  suicide[] = "kill -TERM $$", where[] = "echo $A; pwd";

/* --- the same programs for the lab ----------------------------------------------------------- */

static int say(struct qrt_cx *cx, struct qrt_stream *to, const char *text)
{
	return to && qrt_write(cx, to, text, strlen(text)) ? -SIGPIPE : 0;
}

static int lab_cat(struct qrt_cx *cx, const struct qrt_lab_child *self)
{
	enum qrt_err err = self->in ? QRT_OK : QRT_EEOF;
	while (!err) {
		char buf[64];
		size_t n;
		err = qrt_read(cx, self->in, buf, sizeof(buf), &n);
		if (!err && self->out) {
			err = qrt_write(cx, self->out, buf, n);
		}
	}
	return err == QRT_EEOF ? 0 : err == QRT_ECANCELED ? -SIGTERM : 1;
}

static int lab_deaf(struct qrt_cx *cx, const struct qrt_lab_child *self)
{
	struct qrt_mask mask;
	char c;
	size_t n;
	if (qrt_mask_begin(cx, 0, &mask) || say(cx, self->out, "ready\n")) {
		return 1;
	}
	while (!qrt_read(cx, self->in, &c, 1, &n)) {
	}
	qrt_mask_end(cx, &mask);
	return 1;
}

static int lab_sh(struct qrt_cx *cx, const struct qrt_lab_child *self)
{
	const char *script = self->argv[1] && self->argv[2] ? self->argv[2] : "";
	if (strcmp(script, deaf) == 0) {
		return lab_deaf(cx, self);
	}
	if (strcmp(script, both) == 0) {
		say(cx, self->out, "out\n");
		return say(cx, self->err, "err\n");
	}
	if (strcmp(script, where) == 0) {
		say(cx, self->out, strchr(self->env[0], '=') + 1);
		say(cx, self->out, "\n");
		say(cx, self->out, self->cwd);
		return say(cx, self->out, "\n");
	}
	return strcmp(script, seven) == 0 ? 7 : strcmp(script, suicide) == 0 ? -SIGTERM : 127;
}

static enum qrt_err programs(struct qrt_cx *cx)
{
	struct qrt_lab *lab = qrt_cx_lab(cx);
	if (!qrt_in_lab(cx)) {
		return QRT_OK;
	}
	EXPECT(!qrt_lab_program(lab, "/bin/cat", lab_cat));
	return qrt_lab_program(lab, "/bin/sh", lab_sh);
}

/* --- helpers --------------------------------------------------------------------------------- */

static size_t open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;
	while (dir && readdir(dir)) {
		n++;
	}
	closedir(dir);
	return n;
}

static enum qrt_err nothing(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	(void)arg;
	return QRT_OK;
}

/* Each time nothing may be left: no child, reaped or not, and no descriptor. */
static void everywhere(qrt_task_fn *fn)
{
	on_each_backend(nothing, NULL); /* what libraries open once and keep */
	size_t before = open_descriptors();
	on_each_backend(fn, NULL);
	assert_int_equal(open_descriptors(), before);
	errno = 0;
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static struct qrt_child_options sh(const char *const *argv)
{
	return (struct qrt_child_options){
	    .path = "/bin/sh",
	    .argv = argv,
	    .mode = {QRT_CHILD_PIPE, QRT_CHILD_PIPE, QRT_CHILD_PIPE},
	    .grace_ns = 20 * QRT_MS,
	};
}

#define SCRIPT(text) ((const char *const[]){"sh", "-c", (text), NULL})

/* Until end of stream, or @n bytes. */
static size_t read_text(struct qrt_cx *cx, struct qrt_stream *stream, char *text, size_t n)
{
	size_t used = 0, got = 0;
	while (used < n && !qrt_read(cx, stream, text + used, n - used, &got)) {
		used += got;
	}
	return used;
}

static bool says(struct qrt_cx *cx, struct qrt_stream *stream, const char *text)
{
	char buf[64] = "";
	size_t n = strlen(text);
	return read_text(cx, stream, buf, n) == n && memcmp(buf, text, n) == 0;
}

static bool at_end(struct qrt_cx *cx, struct qrt_stream *stream)
{
	char c;
	size_t n;
	return qrt_read(cx, stream, &c, 1, &n) == QRT_EEOF;
}

static bool ended(struct qrt_cx *cx, struct qrt_child *child, bool signalled, int code)
{
	struct qrt_child_status status = {.code = -2};
	enum qrt_err err = qrt_child_wait(cx, child, &status);
	if (err || status.signalled != signalled || status.code != code) {
		fprintf(stderr, "%s: %s %d\n", qrt_err_name(err),
			status.signalled ? "signal" : "exit", status.code);
		return false;
	}
	return true;
}

/* --- pipes and statuses ---------------------------------------------------------------------- */

static enum qrt_err play_cat(struct qrt_cx *cx, void *arg)
{
	const struct qrt_child_options opts = {.path = "/bin/cat",
					       .mode = {QRT_CHILD_PIPE, QRT_CHILD_PIPE}};
	struct qrt_child *child;
	(void)arg;
	EXPECT(!programs(cx));
	EXPECT(!qrt_child_open(cx, &opts, &child));
	struct qrt_stream *in = qrt_child_stream(child, QRT_CHILD_IN);
	struct qrt_stream *out = qrt_child_stream(child, QRT_CHILD_OUT);
	EXPECT(in && out && !qrt_child_stream(child, QRT_CHILD_ERR));
	EXPECT(qrt_child_pid(child) > 0);
	for (int i = 0; i < 5; i++) {
		EXPECT(!qrt_write(cx, in, "over and back\n", 14));
		EXPECT(says(cx, out, "over and back\n"));
	}
	qrt_stream_close(cx, &in);
	EXPECT(at_end(cx, out));
	EXPECT(ended(cx, child, false, 0));
	EXPECT(ended(cx, child, false, 0)); /* it stays so */
	EXPECT(!qrt_child_signal(cx, child, SIGTERM));
	qrt_child_close(cx, &child);
	EXPECT(!child);
	qrt_child_close(cx, &child);
	return QRT_OK;
}

static void what_goes_in_comes_out_and_end_of_input_ends_it(void **state)
{
	(void)state;
	everywhere(play_cat);
}

static enum qrt_err play_statuses(struct qrt_cx *cx, void *arg)
{
	struct qrt_child *child;
	(void)arg;
	EXPECT(!programs(cx));
	struct qrt_child_options opts = sh(SCRIPT(seven));
	EXPECT(!qrt_child_open(cx, &opts, &child) && ended(cx, child, false, 7));
	qrt_child_close(cx, &child);
	opts.argv = SCRIPT(suicide);
	EXPECT(!qrt_child_open(cx, &opts, &child) && ended(cx, child, true, SIGTERM));
	qrt_child_close(cx, &child);
	opts.argv = SCRIPT(both);
	EXPECT(!qrt_child_open(cx, &opts, &child));
	EXPECT(says(cx, qrt_child_stream(child, QRT_CHILD_ERR), "err\n"));
	EXPECT(says(cx, qrt_child_stream(child, QRT_CHILD_OUT), "out\n"));
	EXPECT(ended(cx, child, false, 0));
	EXPECT(at_end(cx, qrt_child_stream(child, QRT_CHILD_OUT)));
	qrt_child_close(cx, &child);
	opts.argv = SCRIPT(where);
	opts.env = (const char *const[]){"A=b c", NULL};
	opts.cwd = "/proc";
	EXPECT(!qrt_child_open(cx, &opts, &child));
	EXPECT(says(cx, qrt_child_stream(child, QRT_CHILD_OUT), "b c\n/proc\n"));
	EXPECT(ended(cx, child, false, 0));
	qrt_child_close(cx, &child);
	/* No pipes at all: it reads nothing, and nobody hears it. */
	const struct qrt_child_options quiet = {.path = "/bin/cat"};
	EXPECT(!qrt_child_open(cx, &quiet, &child) && ended(cx, child, false, 0));
	qrt_child_close(cx, &child);
	return QRT_OK;
}

static void how_it_ended_is_told_exactly(void **state)
{
	(void)state;
	everywhere(play_statuses);
}

/* --- stopping -------------------------------------------------------------------------------- */

static enum qrt_err play_stop(struct qrt_cx *cx, void *arg)
{
	struct qrt_child_options opts = {.path = "/bin/cat", .mode[QRT_CHILD_IN] = QRT_CHILD_PIPE};
	struct qrt_child_status status;
	struct qrt_child *child;
	int64_t before, after;
	(void)arg;
	EXPECT(!programs(cx));
	EXPECT(!qrt_child_open(cx, &opts, &child));
	EXPECT(!qrt_now(cx, &before));
	EXPECT(!qrt_child_stop(cx, child, &status));
	EXPECT(status.signalled && status.code == SIGTERM);
	EXPECT(!qrt_now(cx, &after) && after - before < 5 * QRT_SEC); /* the grace was not needed */
	EXPECT(!qrt_child_stop(cx, child, &status));		      /* it has ended */
	qrt_child_close(cx, &child);

	opts = sh(SCRIPT(deaf));
	EXPECT(!qrt_child_open(cx, &opts, &child));
	EXPECT(says(cx, qrt_child_stream(child, QRT_CHILD_OUT), "ready\n"));
	EXPECT(!qrt_now(cx, &before));
	EXPECT(!qrt_child_stop(cx, child, &status));
	EXPECT(status.signalled && status.code == SIGKILL);
	EXPECT(!qrt_now(cx, &after) && after - before >= 20 * QRT_MS);
	qrt_child_close(cx, &child);
	return QRT_OK;
}

static void who_does_not_heed_sigterm_is_killed_after_the_grace(void **state)
{
	(void)state;
	everywhere(play_stop);
}

static enum qrt_err play_deadline(struct qrt_cx *cx, void *arg)
{
	struct qrt_child_options opts = sh(SCRIPT(deaf));
	struct qrt_child *child;
	int64_t before, after;
	(void)arg;
	EXPECT(!programs(cx));
	EXPECT(!qrt_now(cx, &before));
	opts.deadline_ns = before + 30 * QRT_MS;
	EXPECT(!qrt_child_open(cx, &opts, &child));
	EXPECT(says(cx, qrt_child_stream(child, QRT_CHILD_OUT), "ready\n"));
	EXPECT(ended(cx, child, true, SIGKILL));
	EXPECT(!qrt_now(cx, &after) && after - before >= 50 * QRT_MS);
	qrt_child_close(cx, &child);
	opts = (struct qrt_child_options){.path = "/bin/cat",
					  .mode[QRT_CHILD_IN] = QRT_CHILD_PIPE,
					  .deadline_ns = 1}; /* long past */
	EXPECT(!qrt_child_open(cx, &opts, &child) && ended(cx, child, true, SIGTERM));
	qrt_child_close(cx, &child);
	return QRT_OK;
}

static void its_own_deadline_ends_it(void **state)
{
	(void)state;
	everywhere(play_deadline);
}

struct waiter {
	struct qrt_child *child;
	enum qrt_err err;
	bool stops, ended;
	struct qrt_child_status status;
};

static enum qrt_err waits(struct qrt_cx *cx, void *arg)
{
	struct waiter *waiter = arg;
	waiter->err = waiter->stops ? qrt_child_stop(cx, waiter->child, &waiter->status)
				    : qrt_child_wait(cx, waiter->child, &waiter->status);
	waiter->ended = true;
	return QRT_OK;
}

static enum qrt_err play_cancel(struct qrt_cx *cx, void *arg)
{
	struct qrt_child_options opts = sh(SCRIPT(deaf));
	struct qrt_region *region;
	struct qrt_child *child;
	(void)arg;
	EXPECT(!programs(cx));
	EXPECT(!qrt_child_open(cx, &opts, &child));
	EXPECT(says(cx, qrt_child_stream(child, QRT_CHILD_OUT), "ready\n"));
	struct waiter wait = {.child = child}, second = wait,
		      stop = {.child = child, .stops = true};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, waits, &wait));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(!waits(cx, &second) && second.err == QRT_EBUSY);
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(wait.err == QRT_ECANCELED); /* but the child goes on */
	/* A stop is not cut short: it returns when the child is gone. */
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, waits, &stop));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!stop.err && stop.status.signalled && stop.status.code == SIGKILL);
	qrt_child_close(cx, &child);
	return QRT_OK;
}

static void a_cancelled_wait_leaves_it_running_a_cancelled_stop_does_not(void **state)
{
	(void)state;
	everywhere(play_cancel);
}

static enum qrt_err play_close(struct qrt_cx *cx, void *arg)
{
	struct qrt_child_options opts = sh(SCRIPT(deaf));
	struct qrt_child_status status;
	struct qrt_region *region;
	struct qrt_child *child, *stale;
	(void)arg;
	EXPECT(!programs(cx));
	EXPECT(!qrt_child_open(cx, &opts, &child));
	EXPECT(says(cx, qrt_child_stream(child, QRT_CHILD_OUT), "ready\n"));
	struct waiter wait = {.child = child};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, waits, &wait));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	stale = child;
	qrt_child_close(cx, &child);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(wait.err == QRT_ECLOSED);
	EXPECT(qrt_child_wait(cx, stale, &status) == QRT_ESTALE);
	EXPECT(qrt_child_stop(cx, stale, &status) == QRT_ESTALE);
	EXPECT(qrt_child_signal(cx, stale, SIGTERM) == QRT_ESTALE);
	EXPECT(!qrt_child_stream(stale, QRT_CHILD_OUT) && qrt_child_pid(stale) == 0);
	return QRT_OK;
}

static void a_close_kills_and_who_waits_is_told(void **state)
{
	(void)state;
	everywhere(play_close);
}

static enum qrt_err forgets(struct qrt_cx *cx, void *arg)
{
	struct qrt_child_options opts = sh(SCRIPT(deaf));
	return qrt_child_open(cx, &opts, (struct qrt_child **)arg);
}

static enum qrt_err play_forgotten(struct qrt_cx *cx, void *arg)
{
	struct qrt_child *child = NULL;
	struct qrt_region *region;
	struct qrt_audit before, after;
	(void)arg;
	if (qrt_in_lab(cx) && !is_structured(cx)) {
		return QRT_OK; /* there a program is a task, which the loop would wait for */
	}
	EXPECT(!programs(cx));
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, forgets, &child));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ELEAK);
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	if (is_structured(cx)) {
		EXPECT(strstr(qrt_detail(cx), "child process") &&
		       strstr(qrt_detail(cx), "test_process.c"));
		EXPECT(qrt_child_pid(child) == 0);
		EXPECT(after.leaks - before.leaks == 1); /* its streams go with it */
		EXPECT(after.streams_live == before.streams_live);
	}
	return QRT_OK; /* elsewhere the runtime's close kills it */
}

static void a_region_kills_what_was_left_running_and_names_it(void **state)
{
	(void)state;
	everywhere(play_forgotten);
}

/* --- what is refused ------------------------------------------------------------------------- */

static enum qrt_err refused(struct qrt_cx *cx, struct qrt_child_options opts, enum qrt_err want,
			    const char *detail)
{
	struct qrt_child *child = NULL;
	enum qrt_err err = qrt_child_open(cx, &opts, &child);
	if (err != want || child || !strstr(qrt_detail(cx), detail)) {
		fprintf(stderr, "%s %s\n", qrt_err_name(err), qrt_detail(cx));
		return QRT_EFAILED;
	}
	return QRT_OK;
}

#define OPTS(...) ((struct qrt_child_options){__VA_ARGS__})

static enum qrt_err play_refused(struct qrt_cx *cx, void *arg)
{
	static const char *many[QRT_CHILD_STRINGS_MAX + 2];
	static char big[QRT_CHILD_BYTES_MAX + 1];
	static const char *const big_argv[] = {big, NULL}, *const no_argv[] = {NULL};
	static const char *const bad_env[] = {"A=", "B", NULL};
	(void)arg;
	EXPECT(!programs(cx));
	for (int i = 0; i <= QRT_CHILD_STRINGS_MAX; i++) {
		many[i] = "x";
	}
	memset(big, 'x', sizeof(big) - 1);
	EXPECT(!refused(cx, OPTS(.path = ""), QRT_EINVAL, "no program"));
	EXPECT(!refused(cx, OPTS(.path = "/bin/cat", .argv = no_argv), QRT_EINVAL, "argv[0]"));
	EXPECT(!refused(cx, OPTS(.path = "/bin/cat", .argv = many), QRT_EINVAL, "more than 4096"));
	EXPECT(
	    !refused(cx, OPTS(.path = "/bin/cat", .argv = big_argv), QRT_EINVAL, "1048576 bytes"));
	EXPECT(!refused(cx, OPTS(.path = "/bin/cat", .env = bad_env), QRT_EINVAL, "env string 2"));
	EXPECT(!refused(cx, OPTS(.path = "/bin/cat", .grace_ns = -1), QRT_EINVAL, "below 0"));
	EXPECT(!refused(cx, OPTS(.path = "/no/such", .mode[0] = QRT_CHILD_PIPE), QRT_ENOENT,
			"child process /no/such: not found"));
	struct qrt_child *child = NULL;
	const struct qrt_child_options cat = {.path = "/bin/cat", .mode[0] = QRT_CHILD_PIPE};
	struct qrt_cx *narrow = qrt_cx_narrow(cx, QRT_CAP_ALL & ~(uint32_t)QRT_CAP_PROCESS);
	EXPECT(qrt_child_open(narrow, &cat, &child) == QRT_ENOTCAPABLE && !child);
	narrow = qrt_cx_narrow(cx, QRT_CAP_ALL & ~(uint32_t)QRT_CAP_NET);
	EXPECT(qrt_child_open(narrow, &cat, &child) == QRT_ENOTCAPABLE && !child);
	EXPECT(!qrt_child_open(cx, &cat, &child));
	EXPECT(qrt_child_signal(cx, child, 0) == QRT_EINVAL);
	EXPECT(qrt_child_signal(cx, child, 1000) == QRT_EINVAL);
	qrt_child_close(cx, &child);
	if (!qrt_in_lab(cx)) {
		EXPECT(!refused(cx, OPTS(.path = "/etc/passwd"), QRT_EACCES, "permission denied"));
		EXPECT(!refused(cx, OPTS(.path = "/bin/cat", .cwd = "/no/such"), QRT_ENOENT,
				"not found"));
		EXPECT(!refused(cx, OPTS(.path = "/bin/cat/x"), QRT_ENOENT, "not found"));
	}
	return QRT_OK;
}

static void what_cannot_be_started_is_refused_with_one_error(void **state)
{
	(void)state;
	everywhere(play_refused);
}

/* --- the real system ------------------------------------------------------------------------- */

static enum qrt_err play_clean_start(struct qrt_cx *cx, void *arg)
{
	static const char *const ls[] = {"ls", "/proc/self/fd", NULL};
	struct qrt_child_options opts = {
	    .path = "/bin/ls",
	    .argv = ls,
	    .mode = {QRT_CHILD_NULL, QRT_CHILD_PIPE, QRT_CHILD_INHERIT}};
	struct qrt_child *child;
	struct qrt_child_status status;
	(void)arg;
	if (qrt_in_lab(cx)) {
		return QRT_OK;
	}
	EXPECT(!qrt_child_open(cx, &opts, &child));
	char text[64] = "";
	read_text(cx, qrt_child_stream(child, QRT_CHILD_OUT), text, sizeof(text) - 1);
	EXPECT(strcmp(text, "0\n1\n2\n3\n") == 0); /* 3 is the folder that it lists */
	EXPECT(ended(cx, child, false, 0));
	qrt_child_close(cx, &child);
	/* A signal the parent blocks or ignores is neither for the child. */
	opts = (struct qrt_child_options){.path = "/bin/cat", .mode[QRT_CHILD_IN] = QRT_CHILD_PIPE};
	EXPECT(!qrt_child_open(cx, &opts, &child));
	EXPECT(!qrt_child_stop(cx, child, &status));
	EXPECT(status.signalled && status.code == SIGTERM);
	qrt_child_close(cx, &child);
	return QRT_OK;
}

static void a_program_inherits_no_descriptor_and_no_signal_mask(void **state)
{
	int fd = open("/dev/null", O_RDONLY); /* not close-on-exec */
	struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
	sigset_t term, mask;
	(void)state;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &mask);
	sigaction(SIGTERM, &ignore, &before);
	everywhere(play_clean_start);
	sigaction(SIGTERM, &before, NULL);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	close(fd);
}

static enum qrt_err play_group(struct qrt_cx *cx, void *arg)
{
	struct qrt_child_options opts =
	    sh(SCRIPT("exec 3<&0; cat <&3 & echo ready; while :; do wait; done"));
	struct qrt_child *child;
	(void)arg;
	if (qrt_in_lab(cx)) {
		return QRT_OK;
	}
	EXPECT(!qrt_child_open(cx, &opts, &child));
	EXPECT(says(cx, qrt_child_stream(child, QRT_CHILD_OUT), "ready\n"));
	EXPECT(!qrt_child_signal(cx, child, SIGKILL));
	/* The pipe ends only when the last one who holds it is gone. */
	EXPECT(at_end(cx, qrt_child_stream(child, QRT_CHILD_OUT)));
	EXPECT(ended(cx, child, true, SIGKILL));
	qrt_child_close(cx, &child);
	return QRT_OK;
}

static void a_signal_goes_to_all_of_its_group(void **state)
{
	(void)state;
	everywhere(play_group);
}

enum { CROWD = 50 };

static enum qrt_err play_crowd(struct qrt_cx *cx, void *arg)
{
	const struct qrt_child_options opts = {.path = "/bin/cat",
					       .mode = {QRT_CHILD_PIPE, QRT_CHILD_PIPE}};
	struct qrt_child *child[CROWD];
	(void)arg;
	EXPECT(!programs(cx));
	for (int i = 0; i < CROWD; i++) {
		EXPECT(!qrt_child_open(cx, &opts, &child[i]));
	}
	for (int i = 0; i < CROWD; i++) {
		char text[16];
		snprintf(text, sizeof(text), "%d\n", i);
		EXPECT(
		    !qrt_write(cx, qrt_child_stream(child[i], QRT_CHILD_IN), text, strlen(text)));
	}
	for (int i = 0; i < CROWD; i++) {
		char text[16];
		snprintf(text, sizeof(text), "%d\n", i);
		EXPECT(says(cx, qrt_child_stream(child[i], QRT_CHILD_OUT), text));
		if (i % 2) {
			qrt_child_close(cx, &child[i]); /* without asking */
			continue;
		}
		struct qrt_stream *in = qrt_child_stream(child[i], QRT_CHILD_IN);
		qrt_stream_close(cx, &in);
		EXPECT(ended(cx, child[i], false, 0));
		qrt_child_close(cx, &child[i]);
	}
	return QRT_OK;
}

static void many_at_once_have_ends_of_their_own(void **state)
{
	(void)state;
	everywhere(play_crowd);
}

/* --- faults ---------------------------------------------------------------------------------- */

enum { TRIES = 10 };

struct fate {
	int started, refused, well, crashed, killed;
};

static enum qrt_err play_fate(struct qrt_cx *cx, void *arg)
{
	struct fate *fate = arg;
	struct qrt_child_options opts = {.path = "/bin/cat",
					 .mode = {QRT_CHILD_PIPE, QRT_CHILD_PIPE}};
	EXPECT(!programs(cx));
	for (int i = 0; i < TRIES; i++) {
		struct qrt_child *child;
		struct qrt_child_status status;
		enum qrt_err err = qrt_child_open(cx, &opts, &child);
		if (err) {
			EXPECT(err == QRT_EAGAIN);
			fate->refused++;
			continue;
		}
		EXPECT(!qrt_sleep(cx, QRT_SEC / 2)); /* some crash meanwhile */
		struct qrt_stream *in = qrt_child_stream(child, QRT_CHILD_IN);
		qrt_stream_close(cx, &in);
		EXPECT(!qrt_sleep(cx, QRT_SEC));
		EXPECT(!qrt_child_stop(cx, child, &status));
		fate->started++;
		fate->well += !status.signalled && status.code == 0;
		fate->crashed += status.signalled && status.code == SIGSEGV;
		fate->killed += status.signalled && status.code == SIGKILL;
		qrt_child_close(cx, &child);
	}
	EXPECT(fate->well + fate->crashed + fate->killed == fate->started);
	return QRT_OK;
}

static void in_the_lab_children_fail_to_start_crash_and_hang(void **state)
{
	const struct qrt_lab_faults faults = {
	    .spawn_fail = 200, .child_crash = 400, .child_stuck = 200};
	struct fate all = {.started = 0};
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct fate first = {.started = 0}, second = {.started = 0};
		uint64_t hash = lab_hash(seed, &faults, play_fate, &first);
		assert_true(hash == lab_hash(seed, &faults, play_fate, &second));
		assert_memory_equal(&first, &second, sizeof(first));
		all.refused += first.refused;
		all.well += first.well;
		all.crashed += first.crashed;
		all.killed += first.killed;
	}
	assert_true(all.refused > 20 && all.well > 20 && all.crashed > 10 && all.killed > 15);
}

static int waits_for_ever(struct qrt_cx *cx, const struct qrt_lab_child *self)
{
	(void)self;
	/* Tidies up, which is refused like the rest, and ends. */
	enum qrt_err first = qrt_sleep(cx, 3600 * QRT_SEC), second = qrt_sleep(cx, 3600 * QRT_SEC);
	return first && second ? 3 : 4;
}

static enum qrt_err play_programs(struct qrt_cx *cx, void *arg)
{
	struct qrt_lab *lab = qrt_cx_lab(cx);
	const struct qrt_child_options opts = {.path = "/a"};
	struct qrt_child_status status;
	struct qrt_child *child;
	(void)arg;
	EXPECT(qrt_lab_program(lab, "", lab_cat) == QRT_EINVAL);
	EXPECT(qrt_child_open(cx, &opts, &child) == QRT_ENOENT);
	EXPECT(!qrt_lab_program(lab, "/a", lab_cat) && !qrt_lab_program(lab, "/a", waits_for_ever));
	EXPECT(!qrt_child_open(cx, &opts, &child));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(!qrt_child_signal(cx, child, SIGUSR1)); /* unheard */
	EXPECT(!qrt_child_signal(cx, child, SIGKILL));
	EXPECT(ended(cx, child, true, SIGKILL));
	qrt_child_close(cx, &child);
	EXPECT(!qrt_child_open(cx, &opts, &child));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(!qrt_child_stop(cx, child, &status) && !status.signalled && status.code == 3);
	qrt_child_close(cx, &child);
	/* What comes before it has set anything up finds it without defence. */
	const struct qrt_child_options early = sh(SCRIPT(deaf));
	EXPECT(!programs(cx) && !qrt_child_open(cx, &early, &child));
	EXPECT(!qrt_child_stop(cx, child, &status));
	EXPECT(status.signalled && status.code == SIGTERM);
	qrt_child_close(cx, &child);
	EXPECT(!qrt_lab_program(lab, "/bin/sh", NULL) && !qrt_lab_program(lab, "/bin/cat", NULL));
	EXPECT(!qrt_lab_program(lab, "/a", NULL));
	EXPECT(qrt_child_open(cx, &opts, &child) == QRT_ENOENT);
	enum qrt_err err = QRT_OK;
	int added = 0;
	while (!err) {
		char path[16];
		snprintf(path, sizeof(path), "/p%d", added);
		err = qrt_lab_program(lab, path, lab_cat);
		added += !err;
	}
	EXPECT(err == QRT_ELIMIT && added == 256);
	return QRT_OK;
}

static void the_lab_plays_the_programs_it_was_given(void **state)
{
	const struct qrt_lab_faults none = {.cut = 0};
	(void)state;
	for (uint64_t seed = 0; seed < 8; seed++) {
		lab_hash(seed, &none, play_programs, NULL);
		lab_hash(seed, &none, play_cat, NULL);
		lab_hash(seed, &none, play_close, NULL);
		lab_hash(seed, &none, play_crowd, NULL);
	}
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_goes_in_comes_out_and_end_of_input_ends_it),
	    TEST(how_it_ended_is_told_exactly),
	    TEST(who_does_not_heed_sigterm_is_killed_after_the_grace),
	    TEST(its_own_deadline_ends_it),
	    TEST(a_cancelled_wait_leaves_it_running_a_cancelled_stop_does_not),
	    TEST(a_close_kills_and_who_waits_is_told),
	    TEST(a_region_kills_what_was_left_running_and_names_it),
	    TEST(what_cannot_be_started_is_refused_with_one_error),
	    TEST(a_program_inherits_no_descriptor_and_no_signal_mask),
	    TEST(a_signal_goes_to_all_of_its_group),
	    TEST(many_at_once_have_ends_of_their_own),
	    TEST(in_the_lab_children_fail_to_start_crash_and_hang),
	    TEST(the_lab_plays_the_programs_it_was_given),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
