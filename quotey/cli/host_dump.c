/* What lives in the runtimes, for an operator who reads the log. */
#include <stdlib.h>

#include "quotey/cli/host.h"

#define DUMP_SIZE ((size_t)1 << 20)
#define DUMP_WAIT (1 * QRT_SEC)

/* A loop that does not answer is told about from outside. */
static void tell_wedged(const struct qy_host *host, const struct qrt_runtime *rt)
{
	const char *task = NULL;
	const char *site = NULL;
	int64_t busy_ns = qrt_runtime_busy(rt, &task, &site);

	qrt_log(host->log, NULL, QRT_LOG_INFO, "dump", "a runtime does not answer",
		QRT_LOG_TEXT("runtime", qrt_runtime_name(rt)),
		QRT_LOG_INT("busy_ms", busy_ns / QRT_MS), QRT_LOG_TEXT("task", task),
		QRT_LOG_TEXT("spawned_at", site));
}

/* The runtimes from number @first on. False: there is no memory for it. */
static bool log_dumps(const struct qy_host *host, size_t first, int64_t wait_ns)
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
			qy_host_log_lines(host, text);
		} else if (err != QRT_ECLOSED) {
			tell_wedged(host, host->runtimes[i]);
		}
	}
	free(text);
	return true;
}

/* On a thread of the runtime's own. */
void qy_host_stalled(void *arg, const struct qrt_stall *stall)
{
	const struct qy_host *host = arg;

	qrt_log(host->log, NULL, QRT_LOG_WARN, "runtime",
		stall->task != NULL ? "a task keeps the loop to itself"
				    : "the loop's own work keeps it from tasks",
		QRT_LOG_TEXT("runtime", stall->runtime), QRT_LOG_TEXT("task", stall->task),
		QRT_LOG_TEXT("spawned_at", stall->site),
		QRT_LOG_INT("ms", stall->held_ns / QRT_MS));
}

void qy_host_dump_components(const struct qy_host *host, int64_t wait_ns)
{
	if (!log_dumps(host, 1, wait_ns)) {
		qrt_log(host->log, NULL, QRT_LOG_ERROR, "host", "no memory for a dump");
	}
}

static enum qrt_err dump_main(struct qrt_job *job, void *arg)
{
	return log_dumps(arg, 0, DUMP_WAIT) ? QRT_OK : qrt_job_fail(job, QRT_ENOMEM, "dump");
}

enum qrt_err qy_host_dump(struct qrt_cx *cx, void *arg)
{
	struct qy_host *host = arg;

	/* Off the loop, which is asked, too, and must be free to answer. */
	if (host->lane != NULL) {
		enum qrt_err err = qrt_blocking(cx, host->lane, dump_main, host);

		if (err) {
			qrt_log(host->log, cx, QRT_LOG_ERROR, "host", "USR1: no dump",
				QRT_LOG_TEXT("error", qrt_err_text(err)));
		}
	}
	return QRT_OK;
}
