/*
 * A recording as the JSON that Perfetto opens. A runtime is a process; each of
 * its tasks is a thread with one slice after the other:
 *
 *	ready ── RUN ──> running ── PARK ──> what it waits for ── UNPARK ──> ready
 *	  ^                 │ yield
 *	  └─────────────────┘
 *
 * Slices begin (B) and end (E) in pairs, whatever the ring has lost: an end
 * without its beginning is left out, and what is open at the last step ends
 * there. Regions are pairs of asynchronous events (b, e) with the region's id.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"
#include "shim/src/base/text.h"
#include "shim/src/trace/trace.h"

enum { CHUNK = 8192 };

/* --- writing --------------------------------------------------------------------------------- */

struct out {
	qrt_trace_write_fn *write;
	void *arg;
	enum qrt_err err; /* the first one; from then on nothing is written */
	size_t used;
	bool comma;
	char chunk[CHUNK];
};

static void flush(struct out *out)
{
	if (!out->err && out->used > 0) {
		out->err = out->write(out->arg, out->chunk, out->used);
	}
	out->used = 0;
}

static void put_bytes(struct out *out, const char *text, size_t n)
{
	if (out->used + n > CHUNK) {
		flush(out);
	}
	memcpy(out->chunk + out->used, text, n);
	out->used += n;
}

static void put(struct out *out, const char *fmt, ...) QRT_PRINTF(2, 3);

/* Short text of ours; names go by put_string. */
static void put(struct out *out, const char *fmt, ...)
{
	char text[256];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	QRT_ASSERT(n >= 0);
	QRT_ASSERT((size_t)n < sizeof(text));
	put_bytes(out, text, (size_t)n);
}

static void put_escaped(struct out *out, const char *text)
{
	for (; *text; text++) {
		char escape[QRT__JSON_ESCAPE_MAX];
		put_bytes(out, escape, qrt__json_escape(*text, escape));
	}
}

static void put_string(struct out *out, const char *text)
{
	put_bytes(out, "\"", 1);
	put_escaped(out, text ? text : "?");
	put_bytes(out, "\"", 1);
}

/* --- events ---------------------------------------------------------------------------------- */

/* A task or region that the recording mentions. */
struct mention {
	uint64_t key;	   /* 0: a free place */
	const char *name;  /* NULL: not known yet */
	const char *slice; /* of a task: what has begun; NULL: nothing */
	bool open;	   /* of a region: it has begun */
	bool told;	   /* its name has been written */
};

struct exporter {
	struct out *out;
	const struct qrt_trace *trace;
	unsigned pid;
	int64_t at_ns;
	uint64_t running; /* the task that runs; 0: none, or not known */
	struct mention *mentions;
	size_t mask;
};

/* Regions and tasks are numbered apart. */
static uint64_t task_key(uint64_t id)
{
	return id << 1;
}

static uint64_t region_key(uint64_t id)
{
	return id << 1 | 1;
}

static struct mention *mention(struct exporter *ex, uint64_t key)
{
	size_t at = (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & ex->mask;
	while (ex->mentions[at].key && ex->mentions[at].key != key) {
		at = (at + 1) & ex->mask;
	}
	ex->mentions[at].key = key;
	return &ex->mentions[at];
}

/* {"ph":..,"ts":..,"pid":..,"tid":..,"name":.. and stays open. */
static void begin_event(struct exporter *ex, char ph, uint64_t tid, const char *name)
{
	struct out *out = ex->out;
	put(out,
	    "%s\n{\"ph\":\"%c\",\"ts\":%" PRId64 ".%03d,\"pid\":%u,\"tid\":%" PRIu64 ",\"name\":",
	    out->comma ? "," : "", ph, ex->at_ns / 1000, (int)(ex->at_ns % 1000), ex->pid, tid);
	out->comma = true;
	put_string(out, name);
}

static void end_event(struct exporter *ex)
{
	put_bytes(ex->out, "}", 1);
}

static void put_arg(struct exporter *ex, const char *comma, const char *key, const char *text)
{
	put(ex->out, "%s\"%s\":", comma, key);
	put_string(ex->out, text);
}

static void metadata(struct exporter *ex, uint64_t tid, const char *what, const char *name)
{
	begin_event(ex, 'M', tid, what);
	put(ex->out, ",\"args\":{\"name\":");
	put_string(ex->out, name);
	put(ex->out, "}");
	end_event(ex);
}

static void instant(struct exporter *ex, const char *category, const char *name)
{
	/* Of the thread it happened in, or of the whole process. */
	begin_event(ex, 'i', ex->running, name);
	put(ex->out, ",\"cat\":\"%s\",\"s\":\"%c\",\"args\":{", category, ex->running ? 't' : 'p');
}

static void end_instant(struct exporter *ex)
{
	put(ex->out, "}");
	end_event(ex);
}

/* The two texts of @step under these names come last. */
static void end_told(struct exporter *ex, const struct qrt__step *step, const char *name,
		     const char *site)
{
	put_arg(ex, ",", name, step->name);
	put_arg(ex, ",", site, step->site);
	end_instant(ex);
}

/* --- slices of tasks ------------------------------------------------------------------------- */

static void tell_name(struct exporter *ex, uint64_t id, const char *name)
{
	struct mention *task = mention(ex, task_key(id));
	char text[QRT__DETAIL_MAX];
	task->name = name ? name : task->name;
	if (!task->told && task->name) {
		snprintf(text, sizeof(text), "%s %" PRIu64, task->name, id);
		metadata(ex, id, "thread_name", text);
		task->told = true;
	}
}

static void end_slice(struct exporter *ex, uint64_t id)
{
	struct mention *task = mention(ex, task_key(id));
	if (task->slice) {
		begin_event(ex, 'E', id, task->slice);
		end_event(ex);
		task->slice = NULL;
	}
}

static void begin_slice(struct exporter *ex, uint64_t id, const char *category, const char *name,
			const char *site)
{
	end_slice(ex, id);
	mention(ex, task_key(id))->slice = name;
	begin_event(ex, 'B', id, name);
	put(ex->out, ",\"cat\":\"%s\",\"args\":{\"task\":%" PRIu64, category, id);
	if (site) {
		put_arg(ex, ",", "site", site);
	}
	put(ex->out, "}");
	end_event(ex);
}

/* Whoever ran runs no longer. */
static void stop_running(struct exporter *ex)
{
	if (ex->running) {
		end_slice(ex, ex->running);
		ex->running = 0;
	}
}

static void export_task_step(struct exporter *ex, const struct qrt__step *step)
{
	uint64_t id = step->a;
	switch (step->what) {
	case QRT__TRACE_STARTED:
	case QRT__TRACE_RUN:
		stop_running(ex);
		tell_name(ex, id, step->name);
		begin_slice(ex, id, "running", step->name, step->site);
		ex->running = id;
		break;
	case QRT__TRACE_PARK:
		stop_running(ex);
		begin_slice(ex, id, "waiting", qrt__wait_name((enum qrt__wait_kind)step->b),
			    step->site);
		break;
	case QRT__TRACE_YIELD:
		stop_running(ex);
		begin_slice(ex, id, "ready", "ready", NULL);
		break;
	case QRT__TRACE_UNPARK:
		begin_slice(ex, id, "ready", "ready", NULL);
		break;
	case QRT__TRACE_SPAWN:
		tell_name(ex, id, step->name);
		begin_slice(ex, id, "ready", "ready", step->site);
		break;
	case QRT__TRACE_END:
		tell_name(ex, id, step->name);
		end_slice(ex, id);
		ex->running = ex->running == id ? 0 : ex->running;
		break;
	default:
		break;
	}
}

/* --- regions and instants -------------------------------------------------------------------- */

static void region_event(struct exporter *ex, char ph, uint64_t id, const char *name)
{
	begin_event(ex, ph, ex->running, name);
	put(ex->out, ",\"cat\":\"region\",\"id\":\"%u.%" PRIu64 "\"", ex->pid, id);
}

static void export_region_step(struct exporter *ex, const struct qrt__step *step)
{
	struct mention *region = mention(ex, region_key(step->b));
	if (step->what == QRT__TRACE_OPEN) {
		region->open = true;
		region->name = step->name;
		region_event(ex, 'b', step->b, step->name);
		put(ex->out, ",\"args\":{\"task\":%" PRIu64, step->a);
		put_arg(ex, ",", "opened_by", step->site);
		put(ex->out, "}");
		end_event(ex);
	} else if (region->open) {
		region->open = false;
		region_event(ex, 'e', step->b, region->name);
		end_event(ex);
	}
}

static void export_cancel(struct exporter *ex, const struct qrt__step *step)
{
	bool of_task = step->what == QRT__TRACE_CANCEL_TASK;
	instant(ex, "cancel", "cancel");
	put_arg(ex, "", "kind", qrt_cancel_name((enum qrt_cancel_kind)step->a));
	end_told(ex, step, of_task ? "task" : "region", "reason");
}

static void export_step(struct exporter *ex, const struct qrt__step *step)
{
	ex->at_ns = step->at_ns;
	switch (step->what) {
	case QRT__TRACE_OPEN:
	case QRT__TRACE_CLOSE:
		export_region_step(ex, step);
		break;
	case QRT__TRACE_CANCEL:
	case QRT__TRACE_CANCEL_TASK:
		export_cancel(ex, step);
		break;
	case QRT__TRACE_FORCE:
		instant(ex, "force", "force");
		put(ex->out, "\"task\":%" PRIu64 ",\"refused\":%" PRIu64, step->a, step->b);
		put_arg(ex, ",", "site", step->site);
		end_instant(ex);
		break;
	case QRT__TRACE_STUCK:
		instant(ex, "stuck", "force");
		put(ex->out, "\"task\":%" PRIu64 ",\"ms\":%" PRIu64, step->a, step->b);
		end_told(ex, step, "waited_for", "held_by");
		break;
	case QRT__TRACE_DENIED:
		instant(ex, "denied", "capability");
		put(ex->out, "\"task\":%" PRIu64, step->a);
		end_told(ex, step, "capability", "site");
		break;
	case QRT__TRACE_LEAK:
		instant(ex, "leak", "leak");
		put_arg(ex, "", "duty", qrt__duty_name((enum qrt_duty_kind)step->a));
		end_told(ex, step, "what", "site");
		break;
	case QRT__TRACE_STALL:
		instant(ex, "stall", "stall");
		put(ex->out, "\"ms\":%" PRIu64, step->a / (uint64_t)QRT_MS);
		end_told(ex, step, "task", "site");
		break;
	case QRT__TRACE_GRANT:
		instant(ex, "grant", "grant");
		put(ex->out, "\"task\":%" PRIu64 ",\"case\":%" PRIu64, step->a, step->b);
		end_instant(ex);
		break;
	default:
		export_task_step(ex, step);
		break;
	}
}

/* What is open at the end of the recording ends with it. */
static void close_all(struct exporter *ex)
{
	ex->running = 0;
	for (size_t i = 0; i <= ex->mask; i++) {
		const struct mention *at = &ex->mentions[i];
		if (at->slice) {
			begin_event(ex, 'E', at->key >> 1, at->slice);
			end_event(ex);
		}
		if (at->open) {
			region_event(ex, 'e', at->key >> 1, at->name);
			end_event(ex);
		}
	}
}

static enum qrt_err export_one(struct out *out, const struct qrt_trace *trace, unsigned pid)
{
	size_t n = qrt_trace_kept(trace);
	size_t places = 16;
	while (places < n + n / 2) {
		places *= 2;
	}
	/* No step mentions two for the first time, so that there is always room. */
	struct exporter ex = {.out = out,
			      .trace = trace,
			      .pid = pid,
			      .mentions = calloc(places, sizeof(struct mention)),
			      .mask = places - 1};
	if (!ex.mentions) {
		return QRT_ENOMEM;
	}
	char name[QRT__DETAIL_MAX];
	ex.at_ns = n > 0 ? qrt__trace_at(trace, 0)->at_ns : 0;
	snprintf(name, sizeof(name), "%s (%s)", trace->runtime, trace->backend);
	metadata(&ex, 0, "process_name", name);
	metadata(&ex, 0, "thread_name", "loop");
	for (size_t i = 0; i < n && !out->err; i++) {
		export_step(&ex, qrt__trace_at(trace, i));
	}
	close_all(&ex);
	free(ex.mentions);
	return out->err;
}

static void put_summary(struct out *out, struct qrt_trace *const *traces, size_t n)
{
	const char *comma = "";
	put(out, "{\"displayTimeUnit\":\"ms\",\"otherData\":{");
	for (size_t i = 0; i < n; i++) {
		if (traces[i]) {
			put(out, "%s\"", comma);
			put_escaped(out, traces[i]->runtime);
			put(out, "\":\"%zu steps, %" PRIu64 " earlier ones lost\"",
			    qrt_trace_kept(traces[i]), qrt_trace_lost(traces[i]));
			comma = ",";
		}
	}
	put(out, "},\"traceEvents\":[");
}

enum qrt_err qrt_trace_export(struct qrt_trace *const *traces, size_t n, qrt_trace_write_fn *write,
			      void *arg)
{
	struct out *out = calloc(1, sizeof(*out));
	if (!out) {
		return QRT_ENOMEM;
	}
	out->write = write;
	out->arg = arg;
	enum qrt_err err = QRT_OK;
	put_summary(out, traces, n);
	for (size_t i = 0; i < n && !err; i++) {
		if (traces[i]) {
			err = export_one(out, traces[i], (unsigned)i + 1);
		}
	}
	put(out, "\n]}\n");
	flush(out);
	err = err ? err : out->err;
	free(out);
	return err;
}
