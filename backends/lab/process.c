/*
 * Child processes in the lab: programs that the test has written, each run as
 * a task of its parent's runtime at the other ends of the pipes. For the
 * parent it is a process: it ends at a moment of the seed's, with a status,
 * and a signal is all that reaches it.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "backends/lab/lab.h"
#include "backends/process_impl.h"

enum { PROGRAMS_MAX = 256, PID_FIRST = 1000 };
#define CRASH_MAX_NS QRT_SEC
#define AGAIN_NS QRT_MS
/* A program that was asked to end may take its time. */
#define ALL_THE_TIME (QRT_SEC * 3600 * 24 * 365)

struct program {
	struct qrt__list in_lab;
	qrt_lab_program_fn *fn;
	char path[];
};

/* From start until both have let go: the parent, and the task. */
struct process {
	struct qrt_runtime *rt;
	struct qrt_lab *lab;
	struct qrt__child *child; /* NULL: it was told, or left */
	qrt_lab_program_fn *fn;
	struct qrt_task *task; /* while it runs */
	bool stuck;	       /* it never runs */
	bool over;	       /* for its parent: what the task says now is nothing */
	struct qrt_child_status status;
	struct qrt__timer event; /* a crash, then the news of the end */
	int asked;		 /* the signal that asked it to end; 0: none */
	struct qrt__timer again; /* where a cancel is not remembered, it is said again */
	int fd[QRT_CHILD_ENDS];	 /* until they are streams */
	struct qrt_stream *stream[QRT_CHILD_ENDS];
	struct qrt_lab_child self;
	char *strings[2], *cwd;
};

/* --- programs -------------------------------------------------------------------------------- */

static struct program *find(const struct qrt_lab *lab, const char *path)
{
	QRT__LIST_EACH(node, &lab->programs) {
		struct program *program = QRT__CONTAINER(node, struct program, in_lab);
		if (strcmp(program->path, path) == 0) {
			return program;
		}
	}
	return NULL;
}

static void forget(struct qrt_lab *lab, struct program *program)
{
	qrt__list_remove(&program->in_lab);
	lab->n_programs--;
	free(program);
}

enum qrt_err qrt_lab_program(struct qrt_lab *lab, const char *path, qrt_lab_program_fn *fn)
{
	struct program *program = find(lab, path);
	size_t n = strlen(path);
	if (n == 0) {
		return QRT_EINVAL;
	}
	if (!fn && program) {
		forget(lab, program);
	}
	if (!fn || program) {
		if (fn) {
			program->fn = fn;
		}
		return QRT_OK;
	}
	if (lab->n_programs >= PROGRAMS_MAX) {
		return QRT_ELIMIT;
	}
	program = calloc(1, sizeof(*program) + n + 1);
	if (!program) {
		return QRT_ENOMEM;
	}
	program->fn = fn;
	memcpy(program->path, path, n);
	qrt__list_append(&lab->programs, &program->in_lab);
	lab->n_programs++;
	return QRT_OK;
}

void qrt__lab_programs_fini(struct qrt_lab *lab)
{
	while (!qrt__list_empty(&lab->programs)) {
		forget(lab, QRT__CONTAINER(lab->programs.next, struct program, in_lab));
	}
}

/* --- its end --------------------------------------------------------------------------------- */

/* Its ends of the pipes go with it. */
static void close_ends(struct process *process)
{
	for (int i = 0; i < QRT_CHILD_ENDS; i++) {
		qrt_stream_close(NULL, &process->stream[i]);
		if (process->fd[i] >= 0) {
			qrt__net_lab.close_fd(process->rt, process->fd[i]);
			process->fd[i] = -1;
		}
	}
}

static void maybe_free(struct process *process)
{
	if (process->child || process->task) {
		return;
	}
	qrt__timer_stop(&process->lab->events, &process->event);
	qrt__timer_stop(&process->lab->events, &process->again);
	free(process->strings[0]);
	free(process->strings[1]);
	free(process->cwd);
	free(process);
}

/* The news of its end has come. */
static void told(struct qrt__timer *timer)
{
	struct process *process = QRT__CONTAINER(timer, struct process, event);
	struct qrt__child *child = process->child;
	process->child = NULL;
	qrt__child_ended(child, &process->status);
	maybe_free(process);
}

/* It has ended, for its parent: who hears of it in a while. */
static void over(struct process *process, bool signalled, int code)
{
	struct qrt_lab *lab = process->lab;
	process->over = true;
	process->status = (struct qrt_child_status){.signalled = signalled, .code = code};
	close_ends(process);
	if (process->child) {
		qrt__timer_init(&process->event, told);
		qrt__timer_start(&lab->events, &process->event,
				 lab->now_ns + qrt__lab_latency(lab));
	}
}

static void ask_task(struct process *process, const char *reason, int64_t cleanup_ns)
{
	struct qrt_lab *lab = process->lab;
	if (!process->task) {
		return;
	}
	const struct qrt_cancel_info request =
	    qrt__cancel_info(process->rt, QRT_CANCEL_USER, reason, cleanup_ns);
	process->rt->engine->cancel_task(process->task, &request);
	if (!process->rt->engine->structured) {
		qrt__timer_start(&lab->events, &process->again, lab->now_ns + AGAIN_NS);
	}
}

static void ask_again(struct qrt__timer *timer)
{
	ask_task(QRT__CONTAINER(timer, struct process, again), "signal", ALL_THE_TIME);
}

static void die(struct process *process, int signo)
{
	qrt__timer_stop(&process->lab->events, &process->event);
	over(process, true, signo);
	ask_task(process, "killed", 1);
}

static void crash(struct qrt__timer *timer)
{
	die(QRT__CONTAINER(timer, struct process, event), SIGSEGV);
}

static enum qrt_err process_signal(void *state, int signo)
{
	struct process *process = state;
	if (process->over) {
		return QRT_OK;
	}
	if (signo == SIGKILL) {
		die(process, signo);
	} else if (signo == SIGTERM || signo == SIGINT || signo == SIGHUP) {
		process->asked = process->asked ? process->asked : signo;
		ask_task(process, "signal", ALL_THE_TIME);
	}
	return QRT_OK;
}

static void process_leave(void *state)
{
	struct process *process = state;
	process->child = NULL;
	qrt__timer_stop(&process->lab->events, &process->event);
	if (!process->over) {
		die(process, SIGKILL);
	}
	maybe_free(process);
}

/* A task is no process: it has ended with the loop. */
static void reap_all(struct qrt_runtime *rt)
{
	(void)rt;
}

/* --- its life -------------------------------------------------------------------------------- */

/* However the task ends. */
static void task_ended(struct qrt_cx *cx, void *arg)
{
	struct process *process = arg;
	(void)cx;
	if (!process->over) {
		over(process, true, SIGABRT); /* it panicked: nothing was returned */
	}
	process->task = NULL;
	qrt__timer_stop(&process->lab->events, &process->again);
	maybe_free(process);
}

static enum qrt_err adopt_ends(struct qrt_cx *cx, struct process *process)
{
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < QRT_CHILD_ENDS && !err; i++) {
		int fd = process->fd[i];
		process->fd[i] = -1;
		if (fd >= 0) {
			err = qrt_stream_adopt(cx, fd, &process->stream[i]);
		}
	}
	process->self.in = process->stream[QRT_CHILD_IN];
	process->self.out = process->stream[QRT_CHILD_OUT];
	process->self.err = process->stream[QRT_CHILD_ERR];
	return err;
}

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	struct process *process = arg;
	enum qrt_err err = qrt_defer(cx, task_ended, process);
	if (err) {
		if (!process->over) {
			over(process, true, SIGKILL); /* as by the system, out of memory */
		}
		process->task = NULL;
		maybe_free(process);
		return QRT_OK;
	}
	if (!process->over && process->asked) {
		qrt__timer_stop(&process->lab->events, &process->event);
		over(process, true, process->asked); /* nothing holds it off yet */
	}
	if (process->over) {
		return QRT_OK; /* it died before it came to anything */
	}
	if (adopt_ends(cx, process)) {
		over(process, true, SIGKILL);
		return QRT_OK;
	}
	int code = process->fn(cx, &process->self);
	QRT_ASSERT(code >= -SIGRTMAX);
	QRT_ASSERT(code <= 255);
	if (!process->over) {
		qrt__timer_stop(&process->lab->events, &process->event);
		over(process, code < 0, code < 0 ? -code : code);
	}
	return QRT_OK;
}

/* A copy of @strings, pointers and texts in one piece; NULL: no memory. */
static char *copy_strings(const char *const *strings)
{
	size_t n = 0, bytes = 0;
	for (; strings[n]; n++) {
		bytes += strlen(strings[n]) + 1;
	}
	char *copy = malloc((n + 1) * sizeof(char *) + bytes);
	if (!copy) {
		return NULL;
	}
	char **pointer = (char **)(void *)copy;
	char *text = copy + (n + 1) * sizeof(char *);
	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(strings[i]) + 1;
		pointer[i] = memcpy(text, strings[i], length);
		text += length;
	}
	pointer[n] = NULL;
	return copy;
}

static enum qrt_err process_new(struct qrt__child *child, const struct qrt_child_options *opts,
				struct process **ret_process)
{
	const char *const alone[] = {opts->path, NULL};
	const char *const none[] = {NULL};
	struct process *process = calloc(1, sizeof(*process));
	if (!process) {
		return QRT_ENOMEM;
	}
	process->strings[0] = copy_strings(opts->argv ? opts->argv : alone);
	process->strings[1] = copy_strings(opts->env ? opts->env : none);
	process->cwd = opts->cwd ? strdup(opts->cwd) : NULL;
	process->rt = qrt__child_runtime(child);
	process->lab = qrt__lab_of(process->rt);
	qrt__timer_init(&process->event, crash);
	qrt__timer_init(&process->again, ask_again);
	if (!process->strings[0] || !process->strings[1] || (opts->cwd && !process->cwd)) {
		maybe_free(process);
		return QRT_ENOMEM;
	}
	process->self.cwd = process->cwd;
	process->self.argv = (const char *const *)(void *)process->strings[0];
	process->self.env = (const char *const *)(void *)process->strings[1];
	process->fn = find(process->lab, opts->path)->fn;
	for (int i = 0; i < QRT_CHILD_ENDS; i++) {
		process->fd[i] = -1;
	}
	*ret_process = process;
	return QRT_OK;
}

/* What may happen to it, by the seed. */
static void draw_fate(struct process *process)
{
	struct qrt_lab *lab = process->lab;
	process->stuck = qrt__fault(lab, lab->faults.child_stuck);
	if (!process->stuck && qrt__fault(lab, lab->faults.child_crash)) {
		int64_t ns = qrt__choose_ns(lab, QRT__CHOOSE_FAULT, 0, CRASH_MAX_NS);
		qrt__timer_start(&lab->events, &process->event, lab->now_ns + ns);
	}
}

static enum qrt_err launch(struct process *process, const struct qrt_child_options *opts,
			   int fd[QRT_CHILD_ENDS])
{
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < QRT_CHILD_ENDS && !err; i++) {
		if (opts->mode[i] == QRT_CHILD_PIPE) {
			err = qrt__lab_pair(process->lab, &fd[i], &process->fd[i]);
		}
	}
	draw_fate(process);
	if (!err && !process->stuck) {
		err = qrt__task_spawn(process->rt->root, run, process, "child process", QRT_SITE,
				      &process->task);
	}
	return err;
}

static enum qrt_err start(struct qrt__child *child, const struct qrt_child_options *opts,
			  void **ret_state, int *ret_pid, int ret_fd[QRT_CHILD_ENDS])
{
	struct qrt_lab *lab = qrt__lab_of(qrt__child_runtime(child));
	int fd[QRT_CHILD_ENDS] = {-1, -1, -1};
	struct process *process;
	if (!find(lab, opts->path)) {
		return QRT_ENOENT;
	}
	if (qrt__fault(lab, lab->faults.spawn_fail)) {
		return QRT_EAGAIN;
	}
	enum qrt_err err = process_new(child, opts, &process);
	if (err) {
		return err;
	}
	err = launch(process, opts, fd);
	if (err) {
		for (int i = 0; i < QRT_CHILD_ENDS; i++) {
			if (fd[i] >= 0) {
				qrt__net_lab.close_fd(process->rt, fd[i]);
			}
		}
		close_ends(process);
		qrt__timer_stop(&lab->events, &process->event);
		maybe_free(process);
		return err;
	}
	process->child = child;
	memcpy(ret_fd, fd, sizeof(fd));
	*ret_state = process;
	*ret_pid = PID_FIRST + lab->last_pid++;
	return QRT_OK;
}

const struct qrt__process_impl qrt__process_lab = {
    .start = start,
    .signal = process_signal,
    .leave = process_leave,
    .reap_all = reap_all,
};
