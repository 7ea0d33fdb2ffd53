/* Steps of the execution: into the lab's hash, into a recording, or both. */
#include "shim/src/trace/trace.h"

#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"

const char *qrt__trace_what(unsigned what)
{
	static const char *const names[] = {"?",
#define STEP_NAME(name) #name,
					    QRT__TRACE_STEPS(STEP_NAME)
#undef STEP_NAME
	};
	return what < sizeof(names) / sizeof(names[0]) ? names[what] : "?";
}

/* Into the lab's hash: the order of steps counts, and which runtime made them. */
static void mix(struct qrt_runtime *rt, unsigned what, uint64_t a, uint64_t b)
{
	/* Multiply-xorshift mixing of three words; any change of order changes the hash. */
	uint64_t h = *rt->hash;
	const uint64_t words[] = {what + (rt->lab_index << 8), a, b};
	for (size_t i = 0; i < 3; i++) {
		h = (h ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		h ^= h >> 29;
	}
	*rt->hash = h;
	atomic_store_explicit(&rt->trace_hash, h, memory_order_relaxed);
}

void qrt__trace_step(struct qrt_runtime *rt, unsigned what, uint64_t a, uint64_t b,
		     const char *name, const char *site)
{
	if ((rt->tracing & QRT__TRACING_HASH) && what < QRT__TRACE_UNHASHED) {
		mix(rt, what, a, b);
	}
	if (!(rt->tracing & (QRT__TRACING_RING | QRT__TRACING_OBSERVER))) {
		return;
	}
	const struct qrt__step step = {
	    .at_ns = qrt__now(rt), .a = a, .b = b, .name = name, .site = site, .what = what};
	if (rt->tracing & QRT__TRACING_RING) {
		struct qrt_trace *trace = rt->trace;
		trace->step[trace->n++ % trace->size] = step;
	}
	if (rt->tracing & QRT__TRACING_OBSERVER) {
		rt->observer.step(rt->observer.arg, rt, &step);
	}
}

void qrt__tell_observer(struct qrt_runtime *rt, unsigned what, uint64_t a, uint64_t b,
			const char *name, const char *site)
{
	/* Not rt->tracing: the loop's thread changes that while others tell of messages. */
	if (rt->observer.step) {
		const struct qrt__step step = {.at_ns = qrt__now(rt),
					       .a = a,
					       .b = b,
					       .name = name,
					       .site = site,
					       .what = what};
		rt->observer.step(rt->observer.arg, rt, &step);
	}
}

void qrt__tell_element(struct qrt_runtime *rt, unsigned what, const void *a, const void *element,
		       size_t size)
{
	if (!rt->observer.step) {
		return;
	}
	/* FNV-1a (Fowler, Noll, Vo): enough to tell one from the other. */
	uint64_t digest = UINT64_C(0xcbf29ce484222325);
	const unsigned char *byte = element;
	for (size_t i = 0; i < size; i++) {
		digest = (digest ^ byte[i]) * UINT64_C(0x100000001b3);
	}
	qrt__tell_observer(rt, what, (uintptr_t)a, digest, NULL, NULL);
}

static enum qrt_err may_trace(struct qrt_cx *cx)
{
	if (!qrt__on_thread_of(cx->task->rt)) {
		return QRT_ETHREAD;
	}
	return qrt_cx_require(cx, QRT_CAP_TRACE);
}

enum qrt_err qrt_trace_start(struct qrt_cx *cx, size_t n_events)
{
	enum qrt_err err = may_trace(cx);
	if (err) {
		return err;
	}
	struct qrt_runtime *rt = cx->task->rt;
	if (n_events == 0 || n_events > QRT_TRACE_EVENTS_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "a recording of %zu steps, not of 1 to %u",
				n_events, QRT_TRACE_EVENTS_MAX);
	}
	if (rt->trace) {
		return qrt_fail(cx, QRT_EBUSY, "runtime %s is being recorded", rt->name);
	}
	struct qrt_trace *trace = calloc(1, sizeof(*trace) + n_events * sizeof(trace->step[0]));
	if (!trace) {
		return QRT_ENOMEM;
	}
	memcpy(trace->runtime, rt->name, sizeof(trace->runtime));
	trace->backend = rt->backend->name;
	trace->size = n_events;
	rt->trace = trace;
	rt->tracing |= QRT__TRACING_RING;
	/* Of what runs now no step will tell that it began to. */
	struct qrt_task *task = cx->task;
	qrt__trace_step(rt, QRT__TRACE_STARTED, task->id, 0, task->name, task->site);
	return QRT_OK;
}

enum qrt_err qrt_trace_stop(struct qrt_cx *cx, struct qrt_trace **ret_trace)
{
	enum qrt_err err = may_trace(cx);
	if (err) {
		return err;
	}
	struct qrt_runtime *rt = cx->task->rt;
	if (!rt->trace) {
		return qrt_fail(cx, QRT_ESTATE, "runtime %s is not being recorded", rt->name);
	}
	*ret_trace = rt->trace;
	rt->trace = NULL;
	rt->tracing &= ~(unsigned)QRT__TRACING_RING;
	return QRT_OK;
}

void qrt__trace_ended(struct qrt_runtime *rt)
{
	rt->tracing &= ~(unsigned)QRT__TRACING_RING;
	qrt_trace_destroy(&rt->trace);
}

size_t qrt_trace_kept(const struct qrt_trace *trace)
{
	return trace->n < trace->size ? (size_t)trace->n : trace->size;
}

uint64_t qrt_trace_lost(const struct qrt_trace *trace)
{
	return trace->n - qrt_trace_kept(trace);
}

void qrt_trace_destroy(struct qrt_trace **trace)
{
	free(*trace);
	*trace = NULL;
}
