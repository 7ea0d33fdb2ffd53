/*
 * A task that runs over its stack touches the guard below it. The handler
 * runs on a stack of its own, names the task and where it was spawned, and
 * lets the process die of the fault as it would have. Async-signal-safe calls
 * only.
 */
#include "shim/src/internal.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIGNAL_STACK = 32768 };

/* For the signal handler alone: it has no other way to know whose loop it interrupted. */
static __thread struct qrt_runtime *watched;
static __thread char *signal_stack;

static struct sigaction previous;
static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;

static void say(const char *text)
{
	QRT_IGNORE(write(STDERR_FILENO, text, strlen(text)), "nothing can be done about it");
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
	(void)context;
	struct qrt_task *task = watched ? watched->current : NULL;
	if (task && qrt__stack_guards(task->stack, info->si_addr)) {
		say("qrt: stack overflow in task ");
		say(task->name);
		say(", spawned at ");
		say(task->site);
		say("\n");
	}
	/* The instruction faults again, now with whatever was there before us. */
	sigaction(signo, &previous, NULL);
}

/* For each loop anew: somebody may have put a handler of his own in between. */
static void install(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	struct sigaction now;
	sigemptyset(&action.sa_mask);
	pthread_mutex_lock(&install_lock);
	sigaction(SIGSEGV, NULL, &now);
	if (now.sa_sigaction != on_fault) {
		previous = now;
		sigaction(SIGSEGV, &action, NULL);
	}
	pthread_mutex_unlock(&install_lock);
}

struct qrt_runtime *qrt__overflow_watch(struct qrt_runtime *rt)
{
	struct qrt_runtime *outer = watched;
	install();
	watched = rt;
	if (!signal_stack) {
		signal_stack = malloc(SIGNAL_STACK);
	}
	if (!outer && signal_stack) { /* without one an overflow will die without a name */
		stack_t stack = {.ss_sp = signal_stack, .ss_size = SIGNAL_STACK};
		sigaltstack(&stack, NULL);
	}
	return outer;
}

void qrt__overflow_unwatch(struct qrt_runtime *outer)
{
	stack_t off = {.ss_flags = SS_DISABLE};
	watched = outer;
	if (outer) {
		return;
	}
	sigaltstack(&off, NULL);
	free(signal_stack);
	signal_stack = NULL;
}
