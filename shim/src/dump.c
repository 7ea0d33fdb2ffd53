/*
 * What lives in a runtime, as JSON: regions, their tasks, and for each task
 * what it waits for, since when, and where it was spawned.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"

struct out {
	char *buf;
	size_t n, used; /* used may run past n: then the text was cut */
};

static void put(struct out *out, const char *fmt, ...) QRT_PRINTF(2, 3);

static void put(struct out *out, const char *fmt, ...)
{
	va_list args;
	size_t room = out->used < out->n ? out->n - out->used : 0;
	va_start(args, fmt);
	int n = vsnprintf(room ? out->buf + out->used : NULL, room, fmt, args);
	va_end(args);
	out->used += n > 0 ? (size_t)n : 0;
}

static int64_t ms_since(const struct qrt_runtime *rt, int64_t then_ns)
{
	return (rt->driver->now((struct qrt_runtime *)(uintptr_t)rt) - then_ns) / QRT_MS;
}

/* Names and sites are identifiers and paths of our own sources: nothing to escape. */
static void put_task(struct out *out, const struct qrt_task *task)
{
	put(out, "{\"task\":\"%s\",\"id\":%llu,\"spawned_at\":\"%s\"", task->name,
	    (unsigned long long)task->id, task->site);
	if (task->wait) {
		put(out, ",\"state\":\"parked\",\"waits_for\":\"%s\",\"waits_ms\":%lld",
		    qrt__wait_name(task->wait->kind),
		    (long long)ms_since(task->rt, task->wait->since_ns));
	} else {
		put(out, ",\"state\":\"%s\"",
		    task->state == QRT__TASK_RUNNING ? "running" : "ready");
	}
	if (task->cancel.requested) {
		put(out, ",\"cancel\":\"%s\"", qrt_cancel_name(task->cancel.info.kind));
	}
	put(out, "}");
}

static void put_region(struct out *out, const struct qrt__region *region)
{
	put(out, "{\"region\":\"%s\",\"state\":\"%s\",\"age_ms\":%lld", region->name,
	    qrt__region_state_name(region->state),
	    (long long)ms_since(region->rt, region->opened_ns));
	if (region->opener) {
		put(out, ",\"opened_by\":\"%s\"", region->opener->name);
	}
	if (region->cancel.requested) {
		put(out, ",\"cancel\":\"%s\",\"reason\":\"%s\"",
		    qrt_cancel_name(region->cancel.info.kind), region->cancel.info.reason);
	}
	put(out, ",\"tasks\":[");
	const char *comma = "";
	QRT__LIST_EACH(node, &region->tasks) {
		put(out, "%s", comma);
		put_task(out, QRT__CONTAINER(node, struct qrt_task, in_home));
		comma = ",";
	}
	put(out, "],\"regions\":[");
	comma = "";
	QRT__LIST_EACH(node, &region->children) {
		put(out, "%s", comma);
		put_region(out, QRT__CONTAINER(node, struct qrt__region, in_parent));
		comma = ",";
	}
	put(out, "]}");
}

size_t qrt_dump(struct qrt_cx *cx, char *buf, size_t n)
{
	struct qrt_runtime *rt = cx->task->rt;
	if (qrt_cx_require(cx, QRT_CAP_TRACE)) {
		return (size_t)snprintf(buf, n, "{\"error\":\"capability trace is missing\"}");
	}
	struct out out = {.buf = buf, .n = n};
	put(&out, "{\"runtime\":\"%s\",\"backend\":\"%s\",\"tasks_live\":%llu,\"root\":", rt->name,
	    rt->backend->name,
	    (unsigned long long)atomic_load_explicit(&rt->tasks_live, memory_order_relaxed));
	put_region(&out, rt->root);
	put(&out, "}");
	if (out.used >= n) {
		return (size_t)snprintf(buf, n,
					"{\"runtime\":\"%s\",\"error\":\"dump of %zu bytes is "
					"larger than %zu\"}",
					rt->name, out.used, n);
	}
	return out.used;
}

struct dump_call {
	size_t n;
	_Atomic int refs; /* the asker and the task share it */
	char text[];
};

static void dump_unref(void *arg)
{
	struct dump_call *call = arg;
	if (atomic_fetch_sub(&call->refs, 1) == 1) {
		free(call);
	}
}

static enum qrt_err dump_task(struct qrt_cx *cx, void *arg)
{
	struct dump_call *call = arg;
	qrt_dump(cx, call->text, call->n);
	return QRT_OK;
}

enum qrt_err qrt_runtime_dump(struct qrt_runtime *rt, int64_t timeout_ns, char *buf, size_t n)
{
	struct dump_call *call = calloc(1, sizeof(*call) + n);
	if (!call) {
		return QRT_ENOMEM;
	}
	call->n = n;
	atomic_init(&call->refs, 2);
	enum qrt_err err = qrt_runtime_call(rt, timeout_ns, dump_task, call, dump_unref);
	if (!err) {
		memcpy(buf, call->text, n);
	}
	dump_unref(call);
	return err;
}
