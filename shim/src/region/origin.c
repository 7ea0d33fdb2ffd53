/*
 * On whose behalf a task runs: that of the regions it is in, from the inside out, and beyond its
 * home, when a call has brought it there, that of the caller with its own. So nothing travels with
 * a call but the caller's address; the way is gone only when somebody asks.
 *
 * The caller may be on another runtime. It waits until the callee has ended, so all that is met on
 * the way stays; and what is read of it here is set before the call and never again, but for the
 * correlation ids, which are atomic and live as long as their regions.
 */
#include "shim/src/internal.h"

#include <string.h>

/* A region, and who is in it: the task that was asked for, or opened the last region before. */
struct place {
	const struct qrt_task *task;
	const struct qrt__region *region;
};

static struct place place_of(const struct qrt_cx *cx)
{
	return (struct place){cx->task, cx->region};
}

/* Who waits for the end of all that is done in @at's region on behalf of a call. */
static const struct qrt_cx *caller_at(const struct place *at)
{
	return at->region == at->task->home ? at->task->called_by : NULL;
}

/* One region outwards; false: it was the root. */
static bool go_out(struct place *at)
{
	const struct qrt_cx *caller = caller_at(at);
	*at = caller ? place_of(caller) : (struct place){at->region->opener, at->region->parent};
	return at->region != NULL;
}

const char *qrt__correlation_of(const struct qrt_cx *cx)
{
	struct place at = place_of(cx);
	const char *id;
	do {
		id = atomic_load_explicit(&at.region->correlation, memory_order_acquire);
	} while (!id && go_out(&at));
	return id;
}

/* --- paths ----------------------------------------------------------------------------------- */

#define CUT "..."

/* Written from its end, because the inner part tells more. */
struct path {
	char *buf;
	size_t begin;
};

/* False: there is no room for it, and what is there says so. */
static bool put_before(struct path *path, const char *text)
{
	size_t n = strlen(text);
	bool fits = n + strlen(CUT) <= path->begin;
	if (!fits) {
		text = CUT;
		n = strlen(CUT);
	}
	path->begin -= n;
	memcpy(path->buf + path->begin, text, n);
	return fits;
}

/* The region of @at, and how it is told from what lies outside of it. The root has no name. */
static bool put_place(struct path *path, const struct place *at)
{
	const struct qrt_cx *caller = caller_at(at);
	if (at->region->parent && !(put_before(path, "/") && put_before(path, at->region->name))) {
		return false;
	}
	return !caller || (put_before(path, " > ") && put_before(path, caller->task->name));
}

void qrt__path_of(const struct qrt_cx *cx, char *buf, size_t n)
{
	struct path path = {.buf = buf, .begin = n - 1};
	struct place at = place_of(cx);
	QRT_PRE(n > strlen(CUT));
	buf[path.begin] = '\0';
	if (put_before(&path, cx->task->name)) {
		while (put_place(&path, &at) && go_out(&at)) {
		}
	}
	memmove(buf, buf + path.begin, n - path.begin);
}
