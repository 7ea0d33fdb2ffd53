/* Labs for tests; see labs.h. */
#include "tests/lib/labs.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/src/internal.h"

struct qrt_lab *lab_open(const struct qrt_lab_options *opts)
{
	struct qrt_lab *lab = NULL;
	char detail[256] = "";
	enum qrt_err err = qrt_lab_open(opts, detail, &lab);
	if (err) {
		fprintf(stderr, "lab: %s: %s\n", qrt_err_name(err), detail);
	}
	CHECK(!err);
	return lab;
}

struct qrt_runtime *lab_runtime(struct qrt_lab *lab, const char *backend, const char *name)
{
	const struct qrt_runtime_options opts = {.backend = backend, .name = name, .lab = lab};
	struct qrt_runtime *rt = NULL;
	CHECK(!qrt_runtime_open(&opts, NULL, &rt));
	return rt;
}

void lab_spawn_named(struct qrt_runtime *rt, qrt_task_fn *fn, void *arg, const char *name)
{
	CHECK(!qrt__task_spawn(rt->root, fn, arg, name, QRT_SITE, NULL));
}

enum qrt_err lab_play(const struct qrt_lab_options *opts, const char *backend, qrt_task_fn *fn,
		      void *arg, struct qrt_lab_stats *ret_stats)
{
	struct qrt_lab *lab = lab_open(opts);
	struct qrt_runtime *rt = lab_runtime(lab, backend, NULL);
	enum qrt_err err = qrt_run_main(rt, fn, arg);
	qrt_runtime_close(&rt); /* asserts that nothing was left */
	if (ret_stats) {
		qrt_lab_stats(lab, ret_stats);
	}
	qrt_lab_close(&lab);
	return err;
}

uint64_t lab_hash(uint64_t seed, const struct qrt_lab_faults *faults, qrt_task_fn *fn, void *arg)
{
	const struct qrt_lab_options opts = {.seed = seed, .faults = *faults};
	struct qrt_lab_stats stats;
	CHECK(!lab_play(&opts, seed % 2 ? "lab" : "lab-legacy", fn, arg, &stats));
	return stats.hash;
}

int64_t lab_now(struct qrt_cx *cx)
{
	int64_t ns = -1;
	CHECK(!qrt_now(cx, &ns));
	return ns;
}

void lab_pair(struct qrt_cx *cx, struct qrt_stream **ret_a, struct qrt_stream **ret_b)
{
	int a, b;
	CHECK(!qrt_lab_pair(cx, &a, &b));
	CHECK(!qrt_stream_adopt(cx, a, ret_a));
	CHECK(!qrt_stream_adopt(cx, b, ret_b));
}

enum qrt_err lab_read(struct qrt_cx *cx, struct qrt_stream *stream, void *buf, size_t n)
{
	enum qrt_err err = QRT_OK;
	size_t got = 0;
	for (size_t done = 0; done < n && !err; done += got) {
		got = 0;
		err = qrt_read(cx, stream, (char *)buf + done, n - done, &got);
	}
	return err;
}

bool dies(void (*fn)(void *arg), void *arg, char *ret_text, size_t n)
{
	int fds[2], status;
	CHECK(pipe(fds) == 0);
	fflush(NULL);
	pid_t child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		fn(arg);
		_exit(0);
	}
	close(fds[1]);
	size_t at = 0;
	ssize_t got;
	while (at < n - 1 && (got = read(fds[0], ret_text + at, n - 1 - at)) > 0) {
		at += (size_t)got;
	}
	ret_text[at] = '\0';
	close(fds[0]);
	CHECK(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
