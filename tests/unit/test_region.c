/* Regions and tasks, on every backend: what all promise, and what only the structured ones do. */
#include <qrt/lab.h>
#include <qrt/region.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

struct book {
	int started, finished, cancelled, finalized;
	char order[64];
};

static void note(struct book *book, char c)
{
	size_t n = strlen(book->order);
	if (n + 1 < sizeof(book->order)) {
		book->order[n] = c;
		book->order[n + 1] = '\0';
	}
}

static enum qrt_err quick(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	book->started++;
	enum qrt_err err = qrt_yield(cx);
	if (!err) {
		book->finished++;
	}
	return err;
}

static enum qrt_err sleeper(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	book->started++;
	enum qrt_err err = qrt_sleep(cx, 3600 * QRT_SEC);
	if (err == QRT_ECANCELED) {
		book->cancelled++;
	}
	return err;
}

static enum qrt_err failing(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = qrt_yield(cx);
	return err ? err : qrt_fail(cx, QRT_EIO, "disk %d is full", 7);
}

static enum qrt_err close_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct book book = {0};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < 100; i++) {
		EXPECT(!qrt_spawn(region, quick, &book));
	}
	EXPECT(book.started == 0); /* a child does not run before its parent suspends */
	EXPECT(qrt_region_live(region) == 100);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!region);
	EXPECT(book.finished == 100);
	return QRT_OK;
}

static void close_returns_after_every_child_ended(void **state)
{
	(void)state;
	on_each_backend(close_scenario, NULL);
}

static enum qrt_err fail_fast_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct book book = {0};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < 5; i++) {
		EXPECT(!qrt_spawn(region, sleeper, &book));
	}
	EXPECT(!qrt_sleep(cx, QRT_MS)); /* all of them wait: that much every engine reaches */
	EXPECT(book.started == 5);
	EXPECT(!qrt_spawn(region, failing, NULL));
	struct qrt_aggregate all;
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_EIO);
	EXPECT(strcmp(qrt_detail(cx), "disk 7 is full") == 0);
	EXPECT(book.cancelled == 5);
	EXPECT(all.n_failures == 1 && all.n_kept == 1);
	EXPECT(all.kept[0].index == 5 && all.kept[0].err == QRT_EIO);
	EXPECT(strcmp(all.kept[0].name, "failing") == 0);
	EXPECT(strstr(all.kept[0].site, "test_region.c:"));
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void the_first_failure_cancels_the_siblings(void **state)
{
	(void)state;
	on_each_backend(fail_fast_scenario, NULL);
}

static enum qrt_err collect_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct book book = {0};
	struct qrt_region *region;
	struct qrt_aggregate all;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, failing, NULL));
	EXPECT(!qrt_spawn(region, quick, &book));
	EXPECT(!qrt_spawn(region, failing, NULL));
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_EIO);
	EXPECT(book.finished == 1);
	EXPECT(all.n_failures == 2 && all.kept[0].index == 0 && all.kept[1].index == 2);
	EXPECT(all.worst == QRT_OUTCOME_ERR);
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void collecting_keeps_every_failure_in_order_of_spawning(void **state)
{
	(void)state;
	on_each_backend(collect_scenario, NULL);
}

static enum qrt_err nest(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *inner;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &inner);
	if (err) {
		return err;
	}
	err = qrt_spawn(inner, sleeper, arg);
	if (!err) {
		err = qrt_spawn(inner, sleeper, arg);
	}
	return qrt_region_close(cx, &inner, err);
}

static enum qrt_err subtree_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct book book = {0};
	struct qrt_region *region;
	if (!is_structured(cx)) {
		return QRT_OK;
	}
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, nest, &book));
	EXPECT(!qrt_spawn(region, nest, &book));
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(book.started == 4);
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	/* Level-triggered: the body is in the region too. */
	EXPECT(qrt_sleep(cx, QRT_MS) == QRT_ECANCELED);
	EXPECT(qrt_checkpoint(cx) == QRT_ECANCELED);
	EXPECT(qrt_spawn(region, quick, &book) == QRT_ECLOSED);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(book.cancelled == 4);
	EXPECT(!qrt_checkpoint(cx));
	return QRT_OK;
}

static void cancel_reaches_the_whole_subtree_on_structured_engines(void **state)
{
	(void)state;
	on_each_backend(subtree_scenario, NULL);
}

static enum qrt_err deadline_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	const struct qrt_region_options opts = {.budget.deadline_ns = qrt_deadline_in(cx, 2 * QRT_MS)};
	int64_t before, after;
	EXPECT(!qrt_now(cx, &before));
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	struct qrt_cx *inner = qrt_region_cx(region);
	EXPECT(qrt_sleep(inner, QRT_SEC) == QRT_ETIMEDOUT);
	EXPECT(qrt_checkpoint(inner) == QRT_ETIMEDOUT);
	EXPECT(!qrt_now(cx, &after));
	EXPECT(after - before >= 2 * QRT_MS);
	EXPECT(!qrt_in_lab(cx) || after - before == 2 * QRT_MS); /* exact where time is */
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_checkpoint(cx)); /* only what is in the region was late */
	return QRT_OK;
}

static void a_deadline_ends_waits_and_is_not_a_cancel(void **state)
{
	(void)state;
	on_each_backend(deadline_scenario, NULL);
}

static void finalizer_a(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	/* No cancel reaches it, and it may not wait. */
	if (!qrt_checkpoint(cx) && qrt_sleep(cx, 1000) == QRT_ENOSUSPEND) {
		note(book, 'a');
	}
}

static void finalizer_b(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	note(arg, 'b');
}

static enum qrt_err with_finalizers(struct qrt_cx *cx, void *arg)
{
	enum qrt_err err = qrt_defer(cx, finalizer_a, arg);
	if (!err) {
		err = qrt_defer(cx, finalizer_b, arg);
	}
	return err ? err : sleeper(cx, arg);
}

static enum qrt_err panicking(struct qrt_cx *cx, void *arg)
{
	enum qrt_err err = qrt_defer(cx, finalizer_b, arg);
	if (err) {
		return err;
	}
	struct qrt_region *region;
	err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (!err) {
		err = qrt_spawn(region, sleeper, arg);
	}
	if (!err) {
		err = qrt_yield(cx);
	}
	qrt_panic(cx, "on purpose");
}

static enum qrt_err finalizer_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct book book = {0};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	EXPECT(!qrt_spawn(region, with_finalizers, &book));
	EXPECT(!qrt_yield(cx));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(strcmp(book.order, "ba") == 0);
	return QRT_OK;
}

static enum qrt_err region_finalizer_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct book book = {0};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	char *memory = qrt_alloc(qrt_region_cx(region), 1);
	EXPECT(memory);
	EXPECT(!qrt_defer(qrt_region_cx(region), finalizer_a, &book));
	EXPECT(!qrt_defer(qrt_region_cx(region), finalizer_b, &book));
	EXPECT(!qrt_spawn(region, quick, &book));
	EXPECT(strcmp(book.order, "") == 0);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(book.finished == 1);
	EXPECT(strcmp(book.order, "ba") == 0);
	return QRT_OK;
}

static void a_regions_finalizers_run_when_it_closes(void **state)
{
	(void)state;
	on_each_backend(region_finalizer_scenario, NULL);
}

static void finalizers_run_last_first_and_undisturbed(void **state)
{
	(void)state;
	on_each_backend(finalizer_scenario, NULL);
}

static enum qrt_err panic_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct book book = {0};
	struct qrt_region *region;
	struct qrt_aggregate all;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, panicking, &book));
	EXPECT(!qrt_spawn(region, quick, &book));
	EXPECT(qrt_region_close_report(cx, &region, QRT_OK, &all) == QRT_EPANIC);
	EXPECT(strcmp(qrt_detail(cx), "panic: on purpose") == 0);
	EXPECT(all.worst == QRT_OUTCOME_PANICKED);
	EXPECT(book.cancelled == 1 && book.finished == 1);
	EXPECT(strcmp(book.order, "b") == 0);
	qrt_aggregate_fini(&all);
	return QRT_OK;
}

static void a_panic_is_contained_to_its_task(void **state)
{
	(void)state;
	on_each_backend(panic_scenario, NULL);
}

static enum qrt_err narrow_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	const struct qrt_region_options opts = {.caps = QRT_CAP_SPAWN};
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	struct qrt_cx *inner = qrt_region_cx(region);
	int64_t now;
	EXPECT(qrt_now(inner, &now) == QRT_ENOTCAPABLE);
	EXPECT(strcmp(qrt_detail(cx), "task main lacks capability time") == 0);
	struct qrt_region *deeper;
	const struct qrt_region_options more = {.caps = QRT_CAP_ALL};
	EXPECT(!qrt_region_open_with(inner, &more, &deeper));
	EXPECT(qrt_cx_caps(qrt_region_cx(deeper)) == QRT_CAP_SPAWN); /* narrowing only removes */
	EXPECT(!qrt_region_close(inner, &deeper, QRT_OK));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	EXPECT(audit.not_capable == 1);
	return QRT_OK;
}

static void capabilities_only_narrow(void **state)
{
	(void)state;
	on_each_backend(narrow_scenario, NULL);
}

static enum qrt_err memory_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (size_t n = 1; n < 100000; n *= 3) {
		char *bytes = qrt_alloc(qrt_region_cx(region), n);
		EXPECT(bytes && bytes[0] == 0 && bytes[n - 1] == 0);
		memset(bytes, 1, n);
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

static void region_memory_lives_as_long_as_the_region(void **state)
{
	(void)state;
	on_each_backend(memory_scenario, NULL);
}

static enum qrt_err many_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct book book = {0};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < 2000; i++) {
		EXPECT(!qrt_spawn(region, sleeper, &book));
	}
	EXPECT(!qrt_sleep(cx, QRT_MS));
	EXPECT(book.started == 2000);
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(book.cancelled == 2000);
	return QRT_OK;
}

static void thousands_of_parked_tasks_are_cancelled_and_joined(void **state)
{
	(void)state;
	on_each_backend(many_scenario, NULL);
}

/* Deep on purpose; the compiler may neither flatten nor forget it. */
static __attribute__((noinline)) int dig(volatile char *above, int depth)
{
	volatile char room[512];
	room[0] = above[0];
	room[511] = (char)depth;
	return depth > 100000 ? room[0] : dig(room, depth + 1) + room[511];
}

static enum qrt_err overflowing(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	volatile char start = 1;
	*(int *)arg = dig(&start, 0);
	return QRT_OK;
}

static void a_stack_overflow_names_the_task(void **state)
{
	(void)state;
	int pipe_fds[2];
	assert_int_equal(pipe(pipe_fds), 0);
	pid_t child = fork();
	if (child == 0) {
		int result = 0;
		dup2(pipe_fds[1], STDERR_FILENO);
		signal(SIGSEGV, SIG_DFL);
		size_t n;
		_exit(on_backend(qrt_backend_names(&n)[0], overflowing, &result) == QRT_OK);
	}
	close(pipe_fds[1]);
	char text[4096] = "";
	size_t used = 0;
	ssize_t got;
	while ((got = read(pipe_fds[0], text + used, sizeof(text) - 1 - used)) > 0) {
		used += (size_t)got;
	}
	close(pipe_fds[0]);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(!WIFEXITED(status) || WEXITSTATUS(status) != 0);
	assert_non_null(strstr(text, "qrt: stack overflow in task main"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(close_returns_after_every_child_ended),
	    cmocka_unit_test(the_first_failure_cancels_the_siblings),
	    cmocka_unit_test(collecting_keeps_every_failure_in_order_of_spawning),
	    cmocka_unit_test(cancel_reaches_the_whole_subtree_on_structured_engines),
	    cmocka_unit_test(a_deadline_ends_waits_and_is_not_a_cancel),
	    cmocka_unit_test(finalizers_run_last_first_and_undisturbed),
	    cmocka_unit_test(a_regions_finalizers_run_when_it_closes),
	    cmocka_unit_test(a_panic_is_contained_to_its_task),
	    cmocka_unit_test(capabilities_only_narrow),
	    cmocka_unit_test(region_memory_lives_as_long_as_the_region),
	    cmocka_unit_test(thousands_of_parked_tasks_are_cancelled_and_joined),
	    cmocka_unit_test(a_stack_overflow_names_the_task),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
