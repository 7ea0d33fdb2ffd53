/* What lives in the runtimes, for an operator who reads stderr. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "quotey/cli/host.h"

#define DUMP_SIZE ((size_t)1 << 20)
#define DUMP_WAIT (1 * QRT_SEC)

/* A loop that does not answer is told about from outside. */
static void print_wedged(const struct qrt_runtime *rt)
{
	const char *task = NULL;
	const char *site = NULL;
	int64_t busy_ns = qrt_runtime_busy(rt, &task, &site);

	fprintf(stderr, "runtime %s does not answer; busy_ms=%" PRId64 " task=%s spawned_at=%s\n",
		qrt_runtime_name(rt), busy_ns / QRT_MS, task != NULL ? task : "?",
		site != NULL ? site : "?");
}

/* The runtimes from number @first on. False: there is no memory for it. */
static bool print_dumps(const struct qy_host *host, size_t first, int64_t wait_ns)
{
	char *text = malloc(DUMP_SIZE);

	if (text == NULL) {
		return false;
	}
	for (size_t i = first; i < host->n_runtimes; i++) {
		enum qrt_err err =
		    qrt_runtime_dump_text(host->runtimes[i], wait_ns, text, DUMP_SIZE);

		/* A dump that was cut says so itself. */
		if (err == QRT_OK || err == QRT_ELIMIT) {
			fprintf(stderr, "%s\n", text);
		} else if (err != QRT_ECLOSED) {
			print_wedged(host->runtimes[i]);
		}
	}
	free(text);
	return true;
}

/* On a thread of the runtime's own. */
void qy_host_stalled(void *arg, const struct qrt_stall *stall)
{
	(void)arg;
	if (stall->task != NULL) {
		fprintf(stderr,
			"quotey start: runtime %s: task %s, spawned at %s, has kept the loop for"
			" %" PRId64 " ms\n",
			stall->runtime, stall->task, stall->site, stall->held_ns / QRT_MS);
	} else {
		fprintf(stderr,
			"quotey start: runtime %s: its own work has kept the loop for %" PRId64
			" ms\n",
			stall->runtime, stall->held_ns / QRT_MS);
	}
}

void qy_host_dump_components(const struct qy_host *host, int64_t wait_ns)
{
	if (!print_dumps(host, 1, wait_ns)) {
		fputs("quotey start: no memory for a dump\n", stderr);
	}
}

static enum qrt_err dump_main(struct qrt_job *job, void *arg)
{
	return print_dumps(arg, 0, DUMP_WAIT) ? QRT_OK : qrt_job_fail(job, QRT_ENOMEM, "dump");
}

enum qrt_err qy_host_dump(struct qrt_cx *cx, void *arg)
{
	struct qy_host *host = arg;

	/* Off the loop, which is asked, too, and must be free to answer. */
	if (host->lane != NULL) {
		enum qrt_err err = qrt_blocking(cx, host->lane, dump_main, host);

		if (err) {
			fprintf(stderr, "quotey start: USR1: no dump: %s\n", qrt_err_text(err));
		}
	}
	return QRT_OK;
}
