/* One run of a program in a lab of its own, and what came of it. */
#include <qrt/oracle.h>
#include <qrt/trial.h>

#include <stdarg.h>
#include <stdio.h>

#include "backends/lab/lab.h"

enum qrt_err qrt_lab_fail(struct qrt_lab *lab, enum qrt_err err, const char *fmt, ...)
{
	if (!lab->detail[0]) {
		va_list args;
		va_start(args, fmt);
		vsnprintf(lab->detail, sizeof(lab->detail), fmt, args);
		va_end(args);
	}
	return err;
}

struct main_task {
	struct qrt_lab *lab;
	qrt_task_fn *fn;
	void *arg;
};

static enum qrt_err main_task(struct qrt_cx *cx, void *arg)
{
	struct main_task *main = arg;
	enum qrt_err err = main->fn(cx, main->arg);
	return err ? qrt_lab_fail(main->lab, err, "%s", qrt_detail(cx)) : QRT_OK;
}

enum qrt_err qrt_lab_main(struct qrt_lab *lab, const char *backend, qrt_task_fn *fn, void *arg)
{
	const struct qrt_runtime_options opts = {.backend = backend, .lab = lab};
	struct main_task main = {lab, fn, arg};
	struct qrt_runtime *rt;
	char detail[QRT__DETAIL_MAX] = "";
	enum qrt_err err = qrt_runtime_open(&opts, detail, &rt);
	if (err) {
		return qrt_lab_fail(lab, err, "backend %s: %s", backend, detail);
	}
	err = qrt_run_main(rt, main_task, &main);
	if (err) {
		err = qrt_lab_fail(lab, err, "main: %s", qrt_err_text(err));
	}
	qrt_runtime_close(&rt);
	return err;
}

/* Whether @err is what a point of @kind brings, and nothing worse. */
static bool expected(enum qrt_sweep_kind kind, enum qrt_err err)
{
	switch (kind) {
	case QRT_SWEEP_NONE:
	case QRT_SWEEP_CRASH:
	case QRT_SWEEPS:
		return false;
	case QRT_SWEEP_CANCEL:
	case QRT_SWEEP_CANCEL_TASK:
		return err == QRT_ECANCELED;
	case QRT_SWEEP_DEADLINE:
		return err == QRT_ETIMEDOUT || err == QRT_ECANCELED;
	case QRT_SWEEP_ALLOC:
		return err == QRT_ENOMEM || err == QRT_ECOMMITUNKNOWN;
	case QRT_SWEEP_IO:
		return err == QRT_EIO || err == QRT_ECONNRESET || err == QRT_ECONNREFUSED ||
		       err == QRT_EMFILE || err == QRT_EEOF || err == QRT_ECOMMITUNKNOWN;
	}
	return false;
}

static void take_figures(const struct qrt_lab *lab, struct qrt_lab_result *result)
{
	qrt_lab_stats(lab, &result->stats);
	qrt_lab_token(lab, result->token);
	result->points = atomic_load(&lab->sweep.points);
	result->fired = lab->sweep.fired;
	memcpy(result->point, lab->sweep.point, sizeof(result->point));
}

static void take_failure(const struct qrt_lab *lab, enum qrt_err err, const char *what,
			 struct qrt_lab_result *result)
{
	result->err = err;
	snprintf(result->detail, sizeof(result->detail), "%s%s%.200s", what, what[0] ? ": " : "",
		 lab->detail[0] ? lab->detail : qrt_err_text(err));
}

static bool relied_on(const char *const *names, const char *name)
{
	for (; names && *names; names++) {
		if (strcmp(*names, name) == 0) {
			return true;
		}
	}
	return false;
}

/* What the oracles have to say, of all but the fault that was planted on purpose. */
static enum qrt_err judge(struct qrt_lab *lab, const struct qrt_lab_program *program,
			  char *ret_detail)
{
	struct qrt_verdict verdicts[QRT_VERDICTS_MAX];
	size_t n = qrt_lab_verdicts(lab, verdicts, QRT_VERDICTS_MAX);
	for (size_t i = 0; i < n && i < QRT_VERDICTS_MAX; i++) {
		const struct qrt_verdict *verdict = &verdicts[i];
		bool blind = verdict->saw == 0 && relied_on(program->relies_on, verdict->name);
		if (verdict->violations > 0 || blind) {
			snprintf(ret_detail, QRT__DETAIL_MAX, "oracle \"%.60s\": %.180s",
				 verdict->name,
				 blind ? "no data, but it was relied on" : verdict->first);
			return QRT_EFAILED;
		}
	}
	return QRT_OK;
}

/* On what the crash has left, with nothing going wrong any more. */
static void recover(const struct qrt_lab_options *opts, const struct qrt_lab_program *program,
		    struct qrt_lab_disk *disk, struct qrt_lab_result *result)
{
	struct qrt_lab_options after = {.seed = opts->seed,
					.strategy = opts->strategy,
					.depth = opts->depth,
					.length = opts->length,
					.disk = true,
					.disk_image = disk};
	struct qrt_lab *lab;
	enum qrt_err err = qrt_lab_open(&after, result->detail, &lab);
	if (err) {
		result->err = err;
		return;
	}
	err = program->recover(lab, program->arg);
	if (err) {
		take_failure(lab, err, "after the crash", result);
	}
	qrt_lab_close(&lab);
}

enum qrt_err qrt_lab_try(const struct qrt_lab_options *opts, const struct qrt_lab_program *program,
			 struct qrt_lab_result *ret_result)
{
	struct qrt_lab_result *result = ret_result;
	struct qrt_lab *lab;
	*result = (struct qrt_lab_result){0};
	result->err = qrt_lab_open(opts, result->detail, &lab);
	if (result->err) {
		return result->err;
	}
	enum qrt_err err = program->run(lab, program->arg);
	take_figures(lab, result);
	if (err && !(result->fired && expected(opts->sweep.kind, err))) {
		take_failure(lab, err, "", result);
	} else if (opts->sweep.at > 0 && !result->fired && lab->joined > 0) {
		/* On real time a point more or less is no surprise. */
		result->err = QRT_EFAILED;
		snprintf(result->detail, sizeof(result->detail),
			 "it came to %llu points of %llu: the sweep's runs differ",
			 (unsigned long long)result->points, (unsigned long long)opts->sweep.at);
	} else {
		result->err = judge(lab, program, result->detail);
	}
	struct qrt_lab_disk *disk = qrt_lab_take_disk(lab);
	qrt_lab_close(&lab);
	if (disk && !result->err && program->recover) {
		recover(opts, program, disk, result);
	} else {
		qrt_lab_disk_free(&disk);
	}
	return result->err;
}
