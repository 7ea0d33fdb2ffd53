/*
 * What a lab hears of its runtimes: each step goes to the recording or the
 * replay, and each checkpoint of what is exposed to the sweep. Also on the
 * backends of real time: there nothing is recorded, and a sweep sees the
 * runtime of the region that is exposed.
 */
#include "backends/lab/lab.h"

static void step(void *arg, struct qrt_runtime *rt, const struct qrt__step *at)
{
	struct qrt_lab *lab = arg;
	if (lab->sweep.looking_at) {
		qrt__sweep_step(lab, at);
	}
	if (lab->replay && rt->driver == &qrt__driver_lab) {
		qrt__replay_step(lab, rt, at);
	}
}

static void checkpoint(void *arg, struct qrt_cx *cx)
{
	qrt__sweep_checkpoint(arg, cx);
}

void qrt__lab_observe(struct qrt_lab *lab, struct qrt_runtime *rt)
{
	rt->observer = (struct qrt__observer){.step = step, .arg = lab};
	if (qrt__sweep_wants_checkpoints(lab)) {
		rt->observer.checkpoint = checkpoint;
	}
	rt->tracing |= QRT__TRACING_OBSERVER;
}
