/* A task that outgrows its stack; what regions owe is in tests/conformance/regions.c. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

/* Deep on purpose; the compiler may neither flatten nor forget it. */
static __attribute__((noinline)) int dig(volatile char *above, int depth)
{
	volatile char room[512];
	room[0] = above[0];
	room[511] = (char)depth;
	return depth > 100000 ? room[0] : dig(room, depth + 1) + room[511];
}

static enum qrt_err overflowing(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	volatile char start = 1;
	*(int *)arg = dig(&start, 0);
	return QRT_OK;
}

static void a_stack_overflow_names_the_task(void **state)
{
	(void)state;
	int pipe_fds[2];
	assert_int_equal(pipe(pipe_fds), 0);
	pid_t child = fork();
	if (child == 0) {
		int result = 0;
		dup2(pipe_fds[1], STDERR_FILENO);
		signal(SIGSEGV, SIG_DFL);
		size_t n;
		_exit(on_backend(qrt_backend_names(&n)[0], overflowing, &result) == QRT_OK);
	}
	close(pipe_fds[1]);
	char text[4096] = "";
	size_t used = 0;
	ssize_t got;
	while ((got = read(pipe_fds[0], text + used, sizeof(text) - 1 - used)) > 0) {
		used += (size_t)got;
	}
	close(pipe_fds[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
	assert_non_null(strstr(text, "qrt: stack overflow in task main"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_stack_overflow_names_the_task),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
