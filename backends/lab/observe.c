/*
 * What a lab hears of its runtimes: each step goes to the recording or the
 * replay, and to the oracles, and each checkpoint of what is exposed to the
 * sweep. Also on the backends of real time: there nothing is recorded, and a
 * sweep sees the runtime of the region that is exposed.
 */
#include "backends/lab/oracle.h"

static void step(void *arg, struct qrt_runtime *rt, const struct qrt__step *at)
{
	struct qrt__oracle *oracle = arg;
	struct qrt_lab *lab = oracle->lab;
	bool recorded = at->what < QRT__TRACE_UNRECORDED;
	if (recorded && lab->sweep.looking_at) {
		qrt__sweep_step(lab, at);
	}
	if (recorded && lab->replay && rt->driver == &qrt__driver_lab) {
		qrt__replay_step(lab, rt, at);
	}
	if (at->what == QRT__TRACE_GONE) {
		rt->tracing &= ~(unsigned)QRT__TRACING_OBSERVER;
		rt->observer = (struct qrt__observer){0};
	}
	qrt__oracle_step(oracle, at);
}

static void checkpoint(void *arg, struct qrt_cx *cx)
{
	const struct qrt__oracle *oracle = arg;
	qrt__sweep_checkpoint(oracle->lab, cx);
}

enum qrt_err qrt__lab_observe(struct qrt_lab *lab, struct qrt_runtime *rt)
{
	struct qrt__oracle *oracle;
	enum qrt_err err = qrt__oracle_open(lab, rt, &oracle);
	if (err) {
		return err;
	}
	rt->observer = (struct qrt__observer){.step = step, .arg = oracle};
	if (qrt__sweep_wants_checkpoints(lab)) {
		rt->observer.checkpoint = checkpoint;
	}
	rt->tracing |= QRT__TRACING_OBSERVER;
	return QRT_OK;
}
