/* Turns the words of a scenario into the lab's numbers. */
#include "quotey/lab/world.h"

#define ALWAYS 1000u

/* Where a share goes; NULL: the fault is no share. */
static unsigned *rate_of(struct qrt_lab_faults *faults, enum qy_scenario_fault_kind kind)
{
	unsigned *const rates[QY_SCENARIO_FAULT_KINDS] = {
	    [QY_SCENARIO_FAULT_RESET] = &faults->reset,
	    [QY_SCENARIO_FAULT_VANISH] = &faults->vanish,
	    [QY_SCENARIO_FAULT_REFUSE] = &faults->refuse,
	    [QY_SCENARIO_FAULT_SHORT] = &faults->cut,
	    [QY_SCENARIO_FAULT_DISK_IO_ERROR] = &faults->disk_error,
	    [QY_SCENARIO_FAULT_LOOKUP] = &faults->lookup_fail,
	    [QY_SCENARIO_FAULT_WS_DELAY] = &faults->ws_delay,
	    [QY_SCENARIO_FAULT_WS_DROP] = &faults->ws_drop,
	    [QY_SCENARIO_FAULT_WS_DUPLICATE] = &faults->ws_duplicate,
	    [QY_SCENARIO_FAULT_WS_CLOSE] = &faults->ws_close,
	    [QY_SCENARIO_FAULT_WS_PONG_LOSS] = &faults->ws_pong_loss,
	    [QY_SCENARIO_FAULT_CHILD_NO_START] = &faults->spawn_fail,
	    [QY_SCENARIO_FAULT_CHILD_CRASH] = &faults->child_crash,
	    [QY_SCENARIO_FAULT_CHILD_STUCK] = &faults->child_stuck,
	};

	return rates[kind];
}

static void add(struct qrt_lab_faults *faults, const struct qy_scenario_fault *fault)
{
	unsigned *rate = rate_of(faults, fault->kind);

	if (rate) {
		*rate = fault->per_thousand;
		return;
	}
	switch (fault->kind) {
	case QY_SCENARIO_FAULT_LATENCY:
		faults->latency_min_ns = fault->min_ns;
		faults->latency_max_ns = fault->max_ns;
		break;
	case QY_SCENARIO_FAULT_PARTITION:
		faults->partition = true;
		break;
	case QY_SCENARIO_FAULT_FDS:
		faults->fds_max = fault->number;
		break;
	case QY_SCENARIO_FAULT_DISK_FULL:
		faults->disk_full = true;
		break;
	case QY_SCENARIO_FAULT_DISK_SLOW_FSYNC:
		faults->sync_slow = fault->max_ns > 0 ? ALWAYS : 0;
		faults->sync_ns = fault->max_ns;
		break;
	default:
		QRT_IMPOSSIBLE("a fault of another kind");
	}
}

static enum qrt_err world_fault(struct qrt_cx *cx, void *arg, const struct qy_scenario_fault *fault)
{
	struct qy_lab_world *world = arg;
	struct qrt_lab_faults faults = world->faults;
	enum qrt_err err;

	add(&faults, fault);
	err = qrt_lab_set_faults(world->lab, &faults);
	if (err) {
		return qrt_fail(cx, err, "the lab has no such fault");
	}
	world->faults = faults;
	return QRT_OK;
}

static enum qrt_err world_heal(struct qrt_cx *cx, void *arg)
{
	struct qy_lab_world *world = arg;

	(void)cx;
	world->faults = (struct qrt_lab_faults){0};
	qrt_lab_heal(world->lab);
	return QRT_OK;
}

static enum qrt_err power(struct qrt_cx *cx, struct qy_lab_world *world, bool on)
{
	enum qrt_err err = qrt_lab_power(world->lab, on);

	return err == QRT_ENOTSUP ? qrt_fail(cx, err, "this lab has no simulated disk")
	       : err		  ? qrt_fail(cx, err, "the power of the lab")
				  : QRT_OK;
}

static enum qrt_err world_power_off(struct qrt_cx *cx, void *arg)
{
	return power(cx, arg, /* on= */ false);
}

static enum qrt_err world_power_on(struct qrt_cx *cx, void *arg)
{
	return power(cx, arg, /* on= */ true);
}

void qy_lab_world_init(struct qy_lab_world *world, struct qrt_lab *lab)
{
	*world = (struct qy_lab_world){.lab = lab,
				       .play = {.arg = world,
						.fault = world_fault,
						.heal = world_heal,
						.power_off = world_power_off,
						.power_on = world_power_on}};
}
