/* Regions and tasks: close, policies, cancel, deadlines, nesting, capabilities, memory. */
#include <qrt/lab.h>
#include <stdio.h>
#include <string.h>

#include "tests/conformance/conformance.h"

struct book {
	int started, finished, cancelled, failed;
	struct qrt_aggregate all;
};

static void book_clean(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	(void)cx;
	qrt_aggregate_fini(&book->all);
}

static enum qrt_err quick(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	book->started++;
	TRY(qrt_yield(cx));
	book->finished++;
	return QRT_OK;
}

static enum qrt_err sleeper(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	book->started++;
	enum qrt_err err = qrt_sleep(cx, 3600 * QRT_SEC);
	book->cancelled += err == QRT_ECANCELED;
	return err;
}

static enum qrt_err failing(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	TRY(qrt_yield(cx));
	return qrt_fail(cx, QRT_EIO, "disk %d is full", 7);
}

/* Started here is parked: a sleeper stops nowhere between. */
static enum qrt_err until_started(struct qrt_cx *cx, const struct book *book, int n)
{
	while (book->started < n) {
		TRY(qrt_yield(cx));
	}
	return QRT_OK;
}

/* Descriptions of failures take memory: without it they are only counted. */
static enum qrt_err all_described(const struct qrt_aggregate *all)
{
	return all->n_kept == all->n_failures ? QRT_OK : QRT_ENOMEM;
}

static enum qrt_err close_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < 100; i++) {
		TRY(qrt_spawn(region, quick, book));
	}
	EXPECT(book->started == 0); /* a child does not run before its parent suspends */
	EXPECT(qrt_region_live(region) == 100);
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!region);
	EXPECT(book->finished == 100);
	return QRT_OK;
}

static enum qrt_err fail_fast_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < 5; i++) {
		TRY(qrt_spawn(region, sleeper, book));
	}
	TRY(until_started(cx, book, 5)); /* all of them wait: that much every engine reaches */
	TRY(qrt_spawn(region, failing, NULL));
	EXPECT_ERR(QRT_EIO, qrt_region_close_report(cx, &region, QRT_OK, &book->all));
	TRY(conformance_detail(cx, "disk 7 is full"));
	EXPECT(book->cancelled == 5);
	EXPECT(book->all.n_failures == 1);
	TRY(all_described(&book->all));
	EXPECT(book->all.kept[0].index == 5 && book->all.kept[0].err == QRT_EIO);
	EXPECT(strcmp(book->all.kept[0].name, "failing") == 0);
	EXPECT(strstr(book->all.kept[0].site, "regions.c:"));
	return QRT_OK;
}

static enum qrt_err collect_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	TRY(qrt_spawn(region, failing, NULL));
	TRY(qrt_spawn(region, quick, book));
	TRY(qrt_spawn(region, failing, NULL));
	EXPECT_ERR(QRT_EIO, qrt_region_close_report(cx, &region, QRT_OK, &book->all));
	EXPECT(book->finished == 1);
	EXPECT(book->all.n_failures == 2 && book->all.worst == QRT_OUTCOME_ERR);
	TRY(all_described(&book->all));
	EXPECT(book->all.kept[0].index == 0 && book->all.kept[1].index == 2);
	return QRT_OK;
}

static enum qrt_err body_error_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	TRY(qrt_spawn(region, sleeper, book));
	TRY(qrt_sleep(cx, QRT_MS));
	EXPECT_ERR(QRT_EPROTO, qrt_region_close(cx, &region, QRT_EPROTO));
	EXPECT(book->cancelled == 1);
	return QRT_OK;
}

static enum qrt_err nest(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	struct qrt_region *inner;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &inner);
	book->failed += err != QRT_OK;
	if (err) {
		return err;
	}
	err = qrt_spawn(inner, sleeper, book);
	if (!err) {
		err = qrt_spawn(inner, sleeper, book);
	}
	book->failed += err != QRT_OK;
	return qrt_region_close(cx, &inner, err);
}

static enum qrt_err subtree_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	TRY(qrt_spawn(region, nest, book));
	TRY(qrt_spawn(region, nest, book));
	while (book->started < 4 && !book->failed) {
		TRY(qrt_yield(cx));
	}
	bool failed = book->failed;
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	if (failed) {
		return qrt_region_close(cx, &region, QRT_OK); /* one nest could not be made */
	}
	/* Level-triggered: the body is in the region too. */
	EXPECT(qrt_sleep(cx, QRT_MS) == QRT_ECANCELED);
	EXPECT(qrt_checkpoint(cx) == QRT_ECANCELED);
	EXPECT(qrt_spawn(region, quick, book) == QRT_ECLOSED);
	EXPECT_ERR(QRT_ECANCELED, qrt_region_close(cx, &region, QRT_OK));
	EXPECT(book->cancelled == 4);
	EXPECT(!qrt_checkpoint(cx));
	return QRT_OK;
}

static enum qrt_err depth_scenario(struct qrt_cx *cx, void *arg)
{
	enum { DEPTH = 16 };
	struct book *book = arg;
	struct qrt_region *region[DEPTH];
	for (int i = 0; i < DEPTH; i++) {
		TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region[i]));
		TRY(qrt_spawn(region[i], quick, book));
	}
	EXPECT(qrt_region_live(region[0]) == DEPTH);
	for (int i = DEPTH - 1; i >= 0; i--) {
		TRY(qrt_region_close(cx, &region[i], QRT_OK));
	}
	EXPECT(book->finished == DEPTH);
	return QRT_OK;
}

static enum qrt_err deadline_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	const struct qrt_region_options opts = {.budget.deadline_ns =
						    qrt_deadline_in(cx, 2 * QRT_MS)};
	int64_t before, after;
	TRY(qrt_now(cx, &before));
	TRY(qrt_region_open_with(cx, &opts, &region));
	struct qrt_cx *inner = qrt_region_cx(region);
	EXPECT(qrt_sleep(inner, QRT_SEC) == QRT_ETIMEDOUT);
	EXPECT(qrt_checkpoint(inner) == QRT_ETIMEDOUT);
	TRY(qrt_now(cx, &after));
	EXPECT(after - before >= 2 * QRT_MS);
	EXPECT(!qrt_in_lab(cx) || after - before == 2 * QRT_MS); /* exact where time is */
	TRY(qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_checkpoint(cx)); /* only what is in the region was late */
	EXPECT(!qrt_checkpoint(cx)); /* only what is in the region was late */
	return QRT_OK;
}

static enum qrt_err late(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	enum qrt_err err = qrt_sleep(cx, 3600 * QRT_SEC);
	book->finished += err == QRT_ETIMEDOUT;
	return QRT_OK;
}

static enum qrt_err inherited_deadline_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	struct qrt_region *outer, *inner;
	const struct qrt_region_options soon = {.budget.deadline_ns =
						    qrt_deadline_in(cx, 2 * QRT_MS)};
	const struct qrt_region_options later = {.budget.deadline_ns =
						     qrt_deadline_in(cx, QRT_SEC)};
	TRY(qrt_region_open_with(cx, &soon, &outer));
	TRY(qrt_region_open_with(qrt_region_cx(outer), &later, &inner));
	EXPECT(qrt_cx_deadline(qrt_region_cx(inner)) ==
	       soon.budget.deadline_ns); /* never loosens */
	for (int i = 0; i < 3; i++) {
		TRY(qrt_spawn(inner, late, book));
	}
	TRY(qrt_region_close(cx, &inner, QRT_OK));
	TRY(qrt_region_close(cx, &outer, QRT_OK));
	EXPECT(book->finished == 3);
	return QRT_OK;
}

static enum qrt_err narrow_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region, *deeper;
	const struct qrt_region_options opts = {.caps = QRT_CAP_SPAWN};
	const struct qrt_region_options more = {.caps = QRT_CAP_ALL};
	struct qrt_audit before, after;
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	TRY(qrt_region_open_with(cx, &opts, &region));
	struct qrt_cx *inner = qrt_region_cx(region);
	int64_t now;
	EXPECT(qrt_now(inner, &now) == QRT_ENOTCAPABLE);
	EXPECT(strcmp(qrt_detail(cx), "task main lacks capability time") == 0);
	TRY(qrt_region_open_with(inner, &more, &deeper));
	EXPECT(qrt_cx_caps(qrt_region_cx(deeper)) == QRT_CAP_SPAWN); /* narrowing only removes */
	TRY(qrt_region_close(inner, &deeper, QRT_OK));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	EXPECT(after.not_capable == before.not_capable + 1);
	return QRT_OK;
}

static enum qrt_err memory_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (size_t n = 1; n < 100000; n *= 3) {
		char *bytes = qrt_alloc(qrt_region_cx(region), n);
		if (!bytes) {
			return qrt_region_close(cx, &region, QRT_ENOMEM);
		}
		EXPECT(bytes[0] == 0 && bytes[n - 1] == 0);
		memset(bytes, 1, n);
	}
	EXPECT(!qrt_alloc(qrt_region_cx(region), SIZE_MAX));
	TRY(qrt_region_close(cx, &region, QRT_OK));
	return QRT_OK;
}

static enum qrt_err many_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	int n = (int)conformance_scale(2000, 100);
	struct qrt_region *region;
	TRY(qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < n; i++) {
		TRY(qrt_spawn(region, sleeper, book));
	}
	TRY(until_started(cx, book, n));
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT_ERR(QRT_ECANCELED, qrt_region_close(cx, &region, QRT_OK));
	EXPECT(book->cancelled == n);
	return QRT_OK;
}

/* The runtime is whole after a failure of the region beside it. */
static enum qrt_err again_scenario(struct qrt_cx *cx, void *arg)
{
	struct book *book = arg;
	for (int i = 0; i < 3; i++) {
		struct qrt_region *region;
		TRY(qrt_region_open(cx, QRT_FAIL_FAST, &region));
		TRY(qrt_spawn(region, failing, NULL));
		TRY(qrt_spawn(region, quick, book));
		EXPECT_ERR(QRT_EIO, qrt_region_close(cx, &region, QRT_OK));
		EXPECT(!qrt_checkpoint(cx));
	}
	EXPECT(book->started == 3);
	return QRT_OK;
}

#define BOOK .state_size = sizeof(struct book), .clean = book_clean

static const struct conformance_scenario scenarios[] = {
    {"close returns after every child ended", close_scenario, BOOK},
    {"the first failure cancels the siblings", fail_fast_scenario, BOOK},
    {"collecting keeps every failure in order of spawning", collect_scenario, BOOK},
    {"a body that fails cancels its children", body_error_scenario, BOOK},
    {"cancel reaches the whole subtree", subtree_scenario, BOOK, .needs = CONFORMANCE_STRUCTURED},
    {"regions nest, and close in reverse order", depth_scenario, BOOK},
    {"a deadline ends waits and is not a cancel", deadline_scenario, BOOK},
    {"the earlier deadline holds for everything inside", inherited_deadline_scenario, BOOK},
    {"capabilities only narrow", narrow_scenario, BOOK},
    {"region memory lives as long as the region", memory_scenario, BOOK},
    {"thousands of parked tasks are cancelled and joined", many_scenario, BOOK},
    {"a region's failure is over when it is closed", again_scenario, BOOK},
};
CONFORMANCE_SUITE(regions, scenarios);
