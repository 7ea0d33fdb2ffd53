/* How tasks and regions end: finalizers, panics, and what they leave for the rest. */
#include <stdio.h>
#include <string.h>

#include "tests/conformance/conformance.h"

struct book {
	int finished, cancelled;
	size_t n;
	char order[64];
	struct qrt_aggregate all;
};

static void note(struct book *book, char c)
{
	if (book->n + 1 < sizeof(book->order)) {
		book->order[book->n++] = c;
	}
}

static void book_clean(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	(void)cx;
	qrt_aggregate_fini(&book->all);
}

static enum qrt_err quick(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	TRY(qrt_yield(cx));
	book->finished++;
	return QRT_OK;
}

static enum qrt_err sleeper(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	enum qrt_err err = qrt_sleep(cx, 3600 * QRT_SEC);
	book->cancelled += err == QRT_ECANCELED;
	return err;
}

static void finalizer_a(struct qrt_cx *cx, void *arg)
{
	/* No cancel reaches it, and it may not wait. */
	if (!qrt_checkpoint(cx) && qrt_sleep(cx, 1000) == QRT_ENOSUSPEND) {
		note(arg, 'a');
	}
}

static void finalizer_b(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	note(arg, 'b');
}

static enum qrt_err with_finalizers(struct qrt_cx *cx, void *arg)
{
	TRY(qrt_defer(cx, finalizer_a, arg));
	TRY(qrt_defer(cx, finalizer_b, arg));
	return sleeper(cx, arg);
}

static enum qrt_err finalizer_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, with_finalizers, book));
	TRY(qrt_sleep(cx, QRT_MS));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT_ERR(QRT_ECANCELED, qrt_region_close(cx, &region, QRT_OK));
	EXPECT(strcmp(book->order, "ba") == 0);
	return QRT_OK;
}

static enum qrt_err region_finalizer_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	char *memory = qrt_alloc(qrt_region_cx(region), 1);
	if (!memory) {
		return qrt_region_close(cx, &region, QRT_ENOMEM);
	}
	TRY(qrt_defer(qrt_region_cx(region), finalizer_a, book));
	TRY(qrt_defer(qrt_region_cx(region), finalizer_b, book));
	TRY(qrt_spawn(region, quick, book));
	EXPECT(book->n == 0);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(book->finished == 1);
	EXPECT(strcmp(book->order, "ba") == 0);
	return QRT_OK;
}

static enum qrt_err many_finalizers(struct qrt_cx *cx, void *arg)
{
	for (int i = 0; i < 20; i++) {
		TRY(qrt_defer(cx, finalizer_b, arg));
	}
	return QRT_OK;
}

static enum qrt_err many_finalizers_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	TRY(qrt_spawn(region, many_finalizers, book));
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	EXPECT(err || book->n == 20); /* what was registered, and nothing else, has run */
	return err;
}

/* Shortages are told as they are; only with everything at hand it panics. */
static enum qrt_err panicking(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *region;
	TRY(qrt_defer(cx, finalizer_b, arg));
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	enum qrt_err err = qrt_spawn(region, sleeper, arg);
	if (!err) {
		err = qrt_sleep(cx, QRT_MS); /* the child waits: every engine reaches it */
	}
	if (err) {
		return qrt_region_close(cx, &region, err);
	}
	qrt_panic(cx, "on purpose");
}

static enum qrt_err panic_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	TRY(qrt_spawn(region, panicking, book));
	TRY(qrt_spawn(region, quick, book));
	EXPECT_ERR(QRT_EPANIC, qrt_region_close_report(cx, &region, QRT_OK, &book->all));
	TRY(conformance_detail(cx, "panic: on purpose"));
	EXPECT(book->all.worst == QRT_OUTCOME_PANICKED);
	EXPECT(book->cancelled == 1 && book->finished == 1);
	EXPECT(strcmp(book->order, "b") == 0);
	return QRT_OK;
}

static enum qrt_err plain_panic(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	qrt_panic(cx, "on purpose");
}

static enum qrt_err panic_fail_fast_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, sleeper, book));
	TRY(qrt_sleep(cx, QRT_MS));
	TRY(qrt_spawn(region, plain_panic, NULL));
	EXPECT_ERR(QRT_EPANIC, qrt_region_close(cx, &region, QRT_OK));
	EXPECT(book->cancelled == 1);
	return QRT_OK;
}

#define BOOK .state_size = sizeof(struct book), .clean = book_clean

static const struct conformance_scenario scenarios[] = {
    {"finalizers run last first and undisturbed", finalizer_scenario, BOOK},
    {"a region's finalizers run when it closes", region_finalizer_scenario, BOOK},
    {"every registered finalizer runs exactly once", many_finalizers_scenario, BOOK},
    {"a panic is contained to its task", panic_scenario, BOOK},
    {"a panic is a failure to the policy", panic_fail_fast_scenario, BOOK},
};
CONFORMANCE_SUITE(endings, scenarios);
