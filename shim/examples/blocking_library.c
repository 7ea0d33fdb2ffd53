/*
 * Blocking library: a call that knows nothing of tasks, here a read of a pipe, runs on a thread of
 * a lane. Nobody else waits for it, and when it takes too long it is broken off by what the
 * library itself offers for that, here a byte from our end of the pipe.
 */
#include <qrt/qrt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct scanner {
	int fd[2];
	struct qrt_lane *lane;
	char code[16];
	size_t turns; /* of the rest of the program meanwhile */
};

/* On the loop's thread, while the job is blocked: makes its read return. */
static void break_read(void *arg)
{
	struct scanner *scanner = arg;
	if (write(scanner->fd[1], "", 1) != 1) {
		perror("write");
	}
}

/* On a thread of the lane. */
static enum qrt_err scan_job(struct qrt_job *job, void *arg)
{
	struct scanner *scanner = arg;
	qrt_job_on_interrupt(job, break_read, scanner);
	enum qrt_err err = qrt_job_checkpoint(job); /* it may have come before the hook was set */
	ssize_t n = err ? 0 : read(scanner->fd[0], scanner->code, sizeof(scanner->code) - 1);
	qrt_job_on_interrupt(job, NULL, NULL);
	if (!err && n < 0) {
		err = qrt_job_fail(job, QRT_EIO, "the scanner is broken");
	}
	scanner->code[n > 0 ? n : 0] = '\0';
	return err ? err : qrt_job_checkpoint(job); /* the truth: was it broken off? */
}

static enum qrt_err scan(struct qrt_cx *cx, void *arg)
{
	struct scanner *scanner = arg;
	return qrt_blocking(cx, scanner->lane, scan_job, scanner);
}

/* The rest of the program goes on; after a while somebody holds an article to the scanner. */
static enum qrt_err sell(struct qrt_cx *cx, void *arg)
{
	struct scanner *scanner = arg;
	if (write(scanner->fd[1], "4006381", 7) != 7) {
		return QRT_EIO;
	}
	for (scanner->turns = 0; scanner->turns < 100; scanner->turns++) {
		enum qrt_err err = qrt_yield(cx);
		if (err) {
			return err;
		}
	}
	return QRT_OK;
}

static enum qrt_err use(struct qrt_cx *cx, struct scanner *scanner)
{
	const struct qrt_branch both[] = {{scan, scanner, "scan"}, {sell, scanner, "sell"}};
	enum qrt_err err = qrt_join(cx, both, 2, NULL);
	if (err || strcmp(scanner->code, "4006381") != 0 || scanner->turns != 100) {
		return err ? err : QRT_EFAILED;
	}
	printf("scanned %s while the program went on\n", scanner->code);
	if (qrt_in_lab(cx)) {
		printf("skipped in the lab, which has no threads: breaking a read off\n");
		return QRT_OK;
	}
	err = qrt_timeout(cx, 20 * QRT_MS, scan, scanner);
	if (err != QRT_ETIMEDOUT || scanner->code[0] != '\0') {
		return QRT_EFAILED;
	}
	printf("nothing to scan: the read was broken off\n");
	return QRT_OK;
}

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	struct scanner *scanner = arg;
	enum qrt_err err = qrt_lane_open(cx, "scanner", 1, 1, &scanner->lane);
	if (!err) {
		err = use(cx, scanner);
	}
	qrt_lane_close(cx, &scanner->lane);
	return err;
}

int main(int argc, char **argv)
{
	const struct qrt_runtime_options options = {.backend = argc > 1 ? argv[1] : "region"};
	struct qrt_runtime *rt;
	struct scanner scanner = {0};
	enum qrt_err err = pipe(scanner.fd) ? QRT_EIO : qrt_runtime_open(&options, NULL, &rt);
	if (!err) {
		err = qrt_run_main(rt, run, &scanner);
		qrt_runtime_close(&rt);
	}
	return err ? 1 : 0;
}
