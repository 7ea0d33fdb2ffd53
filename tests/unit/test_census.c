/*
 * The census of stack use: to the byte, per spawn site, over stacks that are used again, and only
 * where somebody has asked for it.
 */
#include <alloca.h>
#include <qrt/region.h>
#include <qrt/runtime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

enum { KIB = 1024, SITES_MAX = 256 };

/* How deep to go. */
struct depth {
	size_t n, skip;
};

/* Goes n bytes deeper and leaves one zero near the end: what is not paint need not be much. */
static __attribute__((noinline, no_sanitize_address, no_sanitize_thread)) void
use(const struct depth *depth)
{
	volatile char *bytes = alloca(depth->n);
	bytes[depth->skip] = 0;
}

static enum qrt_err deep(struct qrt_cx *cx, void *arg)
{
	use(arg);
	return qrt_yield(cx);
}

static enum qrt_err idle(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return qrt_yield(cx);
}

static enum qrt_err run_with(struct qrt_cx *cx, const char *name, qrt_task_fn *fn,
			     struct depth depth, size_t stack_bytes)
{
	const struct qrt_spawn_options opts = {
	    .name = name, .site = "here", .stack_bytes = stack_bytes};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn_with(region, &opts, fn, &depth));
	return qrt_region_close(cx, &region, QRT_OK);
}

static enum qrt_err run(struct qrt_cx *cx, const char *name, qrt_task_fn *fn, size_t n)
{
	return run_with(cx, name, fn, (struct depth){.n = n}, 0);
}

struct figures {
	unsigned long tasks, used_max, of;
};

static char text[64 * 1024];

/* What the dump says of @name; all zero when it says nothing. */
static struct figures figures_of(struct qrt_cx *cx, const char *name)
{
	char begin[64];
	struct figures figures = {0};
	snprintf(begin, sizeof(begin), "\n  stack %s spawned_at=here ", name);
	qrt_dump_text(cx, text, sizeof(text));
	const char *at = strstr(text, begin);
	if (at && sscanf(at + strlen(begin), "tasks=%lu used_max=%lu of=%lu", &figures.tasks,
			 &figures.used_max, &figures.of) != 3) {
		figures.tasks = 0;
	}
	return figures;
}

/* --- what is measured ---------------------------------------------------------------------- */

static enum qrt_err depth_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(!run(cx, "eight", deep, 8 * KIB));
	EXPECT(!run_with(cx, "less", deep, (struct depth){.n = 8 * KIB, .skip = 5}, 0));
	EXPECT(!run(cx, "more", deep, 8 * KIB + 32));
	EXPECT(!run(cx, "twenty", deep, 20 * KIB));
	EXPECT(!run_with(cx, "large", deep, (struct depth){.n = 300 * KIB}, 512 * KIB));
	struct figures eight = figures_of(cx, "eight"), more = figures_of(cx, "more"),
		       twenty = figures_of(cx, "twenty"), large = figures_of(cx, "large");
	EXPECT(eight.tasks == 1 && eight.used_max >= 8 * KIB);
	EXPECT(figures_of(cx, "less").used_max == eight.used_max - 5);
	EXPECT(more.used_max == eight.used_max + 32);
	EXPECT(twenty.used_max == eight.used_max + 12 * KIB);
	EXPECT(large.used_max == eight.used_max + 292 * KIB);
	EXPECT(large.of > 500 * KIB && large.of <= 512 * KIB && eight.of < large.of);
	EXPECT(twenty.used_max < twenty.of);
	return QRT_OK;
}

/* One stack after another task had it, and the maximum over several. */
static enum qrt_err again_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(!run(cx, "first", deep, 24 * KIB));
	EXPECT(!run(cx, "second", idle, 0));
	EXPECT(!run(cx, "third", deep, 12 * KIB));
	EXPECT(!run(cx, "third", deep, 16 * KIB));
	EXPECT(!run(cx, "third", deep, 8 * KIB));
	struct figures first = figures_of(cx, "first"), second = figures_of(cx, "second"),
		       third = figures_of(cx, "third");
	EXPECT(second.tasks == 1 && second.used_max > 512);
	EXPECT(second.used_max < first.used_max - 12 * KIB);
	EXPECT(third.tasks == 3 && third.used_max == first.used_max - 8 * KIB);
	/* The deepest come first. */
	EXPECT(strstr(text, "stack first") < strstr(text, "stack third"));
	EXPECT(strstr(text, "stack third") < strstr(text, "stack second"));
	EXPECT(!run(cx, "third", deep, 8 * KIB)); /* after the rows have been put in order */
	EXPECT(figures_of(cx, "third").tasks == 4 && figures_of(cx, "first").tasks == 1);
	return QRT_OK;
}

static enum qrt_err panics(struct qrt_cx *cx, void *arg)
{
	use(arg);
	qrt_panic(cx, "test");
}

/* One that ends without coming back from where it was. */
static enum qrt_err panic_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(run(cx, "panics", panics, 16 * KIB) == QRT_EPANIC);
	EXPECT(!run(cx, "idle", idle, 0));
	EXPECT(figures_of(cx, "panics").used_max > 16 * KIB);
	EXPECT(figures_of(cx, "idle").used_max < 16 * KIB);
	return QRT_OK;
}

/* More sites than there are rows. */
static enum qrt_err many_scenario(struct qrt_cx *cx, void *arg)
{
	static char names[SITES_MAX + 10][8];
	(void)arg;
	for (size_t i = 0; i < SITES_MAX + 10; i++) {
		snprintf(names[i], sizeof(names[i]), "n%zu", i);
		EXPECT(!run(cx, names[i], idle, 0));
	}
	EXPECT(!run(cx, names[0], idle, 0));
	EXPECT(figures_of(cx, "n0").tasks == 2 && figures_of(cx, "n255").tasks == 1);
	EXPECT(figures_of(cx, "n256").tasks == 0);
	EXPECT(strstr(text, "\n  stack \"(left out)\" tasks=10"));
	return QRT_OK;
}

static enum qrt_err json_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(!run(cx, "one", idle, 0));
	size_t n = qrt_dump(cx, text, sizeof(text));
	EXPECT(
	    strstr(text, ",\"stacks\":[{\"stack\":\"one\",\"spawned_at\":\"here\",\"tasks\":1,"));
	EXPECT(strcmp(text + n - 3, "}]}") == 0);
	/* In too little room the tree goes first. */
	qrt_dump(cx, text, n);
	EXPECT(strstr(text, "\"stacks\":[]") && strstr(text, "\"cut\":true"));
	return QRT_OK;
}

static enum qrt_err off_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(!run(cx, "one", idle, 0));
	qrt_dump(cx, text, sizeof(text));
	EXPECT(!strstr(text, "stack"));
	return QRT_OK;
}

/* --- the tests ----------------------------------------------------------------------------- */

static void on_each_with_census(qrt_task_fn *scenario)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		const struct qrt_runtime_options opts = {
		    .backend = names[i], .seed = 1, .stack_census = true};
		struct qrt_runtime *rt;
		assert_int_equal(qrt_runtime_open(&opts, NULL, &rt), QRT_OK);
		assert_int_equal(qrt_run_main(rt, scenario, NULL), QRT_OK);
		qrt_runtime_close(&rt);
	}
}

static void the_depth_of_a_stack_is_known_to_the_byte(void **state)
{
	(void)state;
	on_each_with_census(depth_scenario);
}

static void a_stack_is_measured_anew_for_each_task(void **state)
{
	(void)state;
	on_each_with_census(again_scenario);
}

static void a_task_that_panics_is_measured_too(void **state)
{
	(void)state;
	on_each_with_census(panic_scenario);
}

static void sites_beyond_the_table_are_counted(void **state)
{
	(void)state;
	on_each_with_census(many_scenario);
}

static void a_dump_has_the_stacks_behind_the_tree(void **state)
{
	(void)state;
	on_each_with_census(json_scenario);
}

static void nothing_is_measured_unless_asked_for(void **state)
{
	(void)state;
	on_each_backend(off_scenario, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_depth_of_a_stack_is_known_to_the_byte),
	    cmocka_unit_test(a_stack_is_measured_anew_for_each_task),
	    cmocka_unit_test(a_task_that_panics_is_measured_too),
	    cmocka_unit_test(sites_beyond_the_table_are_counted),
	    cmocka_unit_test(a_dump_has_the_stacks_behind_the_tree),
	    cmocka_unit_test(nothing_is_measured_unless_asked_for),
	};
	return cmocka_run_group_tests_name("census", tests, NULL, NULL);
}
