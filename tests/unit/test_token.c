/*
 * Cancel tokens: a request on any thread reaches every region that is bound, on its own loop, and
 * none that has closed. Run this one under ThreadSanitizer too: half of it is about other threads.
 */
#include <pthread.h>
#include <qrt/cancel.h>
#include <qrt/region.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/backends.h"
#include "tests/lib/test.h"

#define HOUR (3600 * QRT_SEC)

static struct qrt_audit audit_of(struct qrt_cx *cx)
{
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	return audit;
}

/* --- requesters ---------------------------------------------------------------------------- */

struct request {
	struct qrt_cancel *token;
	enum qrt_cancel_kind kind;
	const char *reason;
	sem_t *begin; /* NULL: at once; else when it was posted @n times */
	int n;
};

static void *request_main(void *arg)
{
	struct request *request = arg;
	for (int i = 0; request->begin && i < request->n; i++) {
		sem_wait(request->begin);
	}
	qrt_cancel_request(request->token, request->kind, request->reason);
	return NULL;
}

/* A thread that is no runtime's has asked when this returns; the loop has not turned meanwhile. */
static enum qrt_err ask_elsewhere(struct qrt_cancel *token, enum qrt_cancel_kind kind)
{
	struct request request = {.token = token, .kind = kind, .reason = "the button"};
	pthread_t thread;
	EXPECT(pthread_create(&thread, NULL, request_main, &request) == 0);
	EXPECT(pthread_join(thread, NULL) == 0);
	return QRT_OK;
}

/* --- what is cancelled --------------------------------------------------------------------- */

struct sleeper {
	enum qrt_err err;
	bool asked;
	struct qrt_cancel_info info;
	sem_t *sleeps; /* or NULL */
};

static enum qrt_err sleeper(struct qrt_cx *cx, void *arg)
{
	struct sleeper *self = arg;
	if (self->sleeps) {
		sem_post(self->sleeps);
	}
	self->err = qrt_sleep(cx, HOUR);
	self->asked = qrt_cancel_requested(cx, &self->info);
	return self->err;
}

/* A region bound to @token, with a sleeper that sleeps by now. */
static enum qrt_err open_bound(struct qrt_cx *cx, struct qrt_cancel *token, struct sleeper *self,
			       struct qrt_region **ret_region)
{
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, ret_region));
	EXPECT(!qrt_region_bind(*ret_region, token));
	EXPECT(!qrt_spawn(*ret_region, sleeper, self));
	return qrt_sleep(cx, 1);
}

static enum qrt_err new_token(struct qrt_cancel *parent, const char *name,
			      struct qrt_cancel **ret_token)
{
	const struct qrt_cancel_options opts = {.name = name};
	return qrt_cancel_create(parent, &opts, ret_token);
}

static enum qrt_err thread_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_cancel *token;
	struct qrt_region *region;
	struct sleeper self = {0};
	EXPECT(!new_token(NULL, "stop button", &token));
	EXPECT(!qrt_cancel_info_of(token, NULL));
	EXPECT(!open_bound(cx, token, &self, &region));
	EXPECT(!ask_elsewhere(token, QRT_CANCEL_RESOURCE));
	EXPECT(audit_of(cx).cancels == 0); /* it has to come to the loop first */
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(self.err == QRT_ECANCELED && audit_of(cx).cancels == 1);
	EXPECT(audit_of(cx).cancels_by[QRT_CANCEL_RESOURCE] == 1);
	EXPECT(self.asked == is_structured(cx));
	if (self.asked) {
		EXPECT(self.info.kind == QRT_CANCEL_RESOURCE && self.info.levels == 0);
		EXPECT(strcmp(self.info.reason, "the button") == 0);
		EXPECT(strcmp(self.info.origin, "stop button") == 0);
		EXPECT(self.info.cleanup_until_ns - self.info.at_ns == 5 * QRT_SEC);
	}
	qrt_cancel_unref(&token);
	EXPECT(!token);
	qrt_cancel_unref(&token);
	return QRT_OK;
}

static void a_request_on_another_thread_cancels_what_is_bound(void **state)
{
	(void)state;
	on_each_backend(thread_scenario, NULL);
}

/* Asked by a task of the same loop: at once, not a turn later. */
static enum qrt_err here_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_cancel *token;
	struct qrt_region *outer, *inner;
	struct sleeper one = {0}, two = {0};
	EXPECT(!new_token(NULL, NULL, &token));
	EXPECT(!open_bound(cx, token, &one, &outer));
	EXPECT(!open_bound(cx, token, &two, &inner));
	qrt_cancel_request(token, QRT_CANCEL_USER, "test");
	bool asked = is_structured(cx);
	EXPECT(audit_of(cx).cancels == 2); /* the inner one's own is no stronger */
	EXPECT(qrt_yield(cx) == (asked ? QRT_ECANCELED : QRT_OK));
	EXPECT(qrt_region_close(cx, &inner, QRT_OK) == QRT_ECANCELED);
	EXPECT(qrt_region_close(cx, &outer, QRT_OK) == QRT_ECANCELED);
	EXPECT(one.err == QRT_ECANCELED && two.err == QRT_ECANCELED);
	EXPECT(!asked ||
	       (one.info.kind == QRT_CANCEL_USER && strcmp(one.info.origin, "token") == 0));
	EXPECT(!asked || two.info.kind == QRT_CANCEL_PARENT);
	qrt_cancel_unref(&token);
	return QRT_OK;
}

static void a_request_by_a_task_of_the_same_loop_has_arrived_when_it_returns(void **state)
{
	(void)state;
	on_each_backend(here_scenario, NULL);
}

/* --- when it comes ------------------------------------------------------------------------- */

static enum qrt_err early_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_cancel *token;
	struct qrt_region *region;
	struct sleeper self = {0};
	EXPECT(!new_token(NULL, "early", &token));
	EXPECT(!ask_elsewhere(token, QRT_CANCEL_USER));
	EXPECT(qrt_cancel_info_of(token, NULL));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_region_bind(region, token));
	EXPECT(audit_of(cx).cancels == 1);
	if (is_structured(cx)) {
		EXPECT(qrt_spawn(region, sleeper, &self) == QRT_ECLOSED);
		EXPECT(qrt_yield(cx) == QRT_ECANCELED);
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_yield(cx));
	EXPECT(audit_of(cx).cancels == 1);
	qrt_cancel_unref(&token);
	return QRT_OK;
}

static void a_region_bound_to_a_token_that_was_asked_is_cancelled_at_once(void **state)
{
	(void)state;
	on_each_backend(early_scenario, NULL);
}

static enum qrt_err late_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_cancel *token;
	struct qrt_region *region;
	EXPECT(!new_token(NULL, "late", &token));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_region_bind(region, token));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region)); /* in the same memory */
	EXPECT(!ask_elsewhere(token, QRT_CANCEL_USER));
	qrt_cancel_request(token, QRT_CANCEL_SHUTDOWN, "test");
	EXPECT(!qrt_yield(cx));
	EXPECT(audit_of(cx).cancels == 0);
	qrt_cancel_unref(&token);
	return qrt_region_close(cx, &region, QRT_OK);
}

static void a_request_after_the_close_reaches_nobody(void **state)
{
	(void)state;
	on_each_backend(late_scenario, NULL);
}

/* The request is on its way while the region closes, and another takes its place. */
static enum qrt_err crossing_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_cancel *token;
	struct qrt_region *region;
	EXPECT(!new_token(NULL, "crossing", &token));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_region_bind(region, token));
	EXPECT(!ask_elsewhere(token, QRT_CANCEL_USER));
	EXPECT(!ask_elsewhere(token, QRT_CANCEL_SHUTDOWN)); /* one message for both */
	qrt_cancel_unref(&token);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < 3; i++) {
		EXPECT(!qrt_sleep(cx, 1));
	}
	EXPECT(audit_of(cx).cancels == 0);
	return qrt_region_close(cx, &region, QRT_OK);
}

static void a_request_that_crosses_the_close_is_dropped(void **state)
{
	(void)state;
	on_each_backend(crossing_scenario, NULL);
}

static enum qrt_err asker(struct qrt_cx *cx, void *arg)
{
	enum qrt_err err = qrt_sleep(cx, QRT_MS);
	if (!err) {
		qrt_cancel_request(arg, QRT_CANCEL_USER, "test");
	}
	return err;
}

static enum qrt_err drain_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_cancel *token;
	struct qrt_region *outer, *region;
	struct sleeper self = {0};
	EXPECT(!new_token(NULL, "drain", &token));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &outer));
	EXPECT(!qrt_spawn(outer, asker, token));
	EXPECT(!open_bound(cx, token, &self, &region));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(self.err == QRT_ECANCELED);
	qrt_cancel_unref(&token);
	return qrt_region_close(cx, &outer, QRT_OK);
}

static void a_request_reaches_a_region_that_drains(void **state)
{
	(void)state;
	on_each_backend(drain_scenario, NULL);
}

/* --- strength ------------------------------------------------------------------------------ */

static enum qrt_err twice_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_cancel *token;
	struct qrt_region *region;
	struct sleeper self = {0};
	struct qrt_cancel_info first, info;
	EXPECT(!new_token(NULL, "twice", &token));
	EXPECT(!open_bound(cx, token, &self, &region));
	qrt_cancel_request(token, QRT_CANCEL_FAIL_FAST, "first");
	EXPECT(qrt_cancel_info_of(token, &first));
	EXPECT(!ask_elsewhere(token, QRT_CANCEL_RACE_LOST)); /* as severe, but later */
	qrt_cancel_request(token, QRT_CANCEL_USER, "weaker");
	EXPECT(qrt_cancel_info_of(token, &info));
	EXPECT(info.kind == QRT_CANCEL_FAIL_FAST && info.at_ns == first.at_ns);
	EXPECT(strcmp(info.reason, "first") == 0 && strcmp(info.origin, "twice") == 0);
	EXPECT(info.cleanup_until_ns == info.at_ns + 5 * QRT_SEC);
	EXPECT(audit_of(cx).cancels == 1);
	EXPECT(!ask_elsewhere(token, QRT_CANCEL_SHUTDOWN));
	EXPECT(qrt_cancel_info_of(token, &info));
	EXPECT(info.kind == QRT_CANCEL_SHUTDOWN && info.at_ns > first.at_ns);
	EXPECT(info.cleanup_until_ns == first.cleanup_until_ns); /* nobody got more time */
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(!self.asked || self.info.kind == QRT_CANCEL_FAIL_FAST ||
	       self.info.kind == QRT_CANCEL_SHUTDOWN);
	qrt_cancel_unref(&token);
	return QRT_OK;
}

static void a_second_request_only_strengthens(void **state)
{
	(void)state;
	on_each_backend(twice_scenario, NULL);
}

static enum qrt_err stronger_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_cancel *token;
	struct qrt_region *region;
	struct qrt_mask mask;
	struct qrt_cancel_info info;
	EXPECT(!new_token(NULL, NULL, &token));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_region_bind(region, token));
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	EXPECT(!ask_elsewhere(token, QRT_CANCEL_USER));
	EXPECT(!qrt_sleep(cx, 1));
	EXPECT(audit_of(cx).cancels == 1);
	EXPECT(!ask_elsewhere(token, QRT_CANCEL_SHUTDOWN));
	EXPECT(!qrt_sleep(cx, 1));
	EXPECT(audit_of(cx).cancels == 2);
	EXPECT(audit_of(cx).cancels_by[QRT_CANCEL_SHUTDOWN] == 1);
	EXPECT(!ask_elsewhere(token, QRT_CANCEL_USER));
	EXPECT(!qrt_sleep(cx, 1));
	EXPECT(audit_of(cx).cancels == 2);
	EXPECT(qrt_cancel_requested(cx, &info) == is_structured(cx));
	EXPECT(!is_structured(cx) || info.kind == QRT_CANCEL_SHUTDOWN);
	qrt_mask_end(cx, &mask);
	qrt_cancel_unref(&token);
	return qrt_region_close(cx, &region, QRT_OK);
}

static void a_stronger_request_arrives_and_a_weaker_one_does_not(void **state)
{
	(void)state;
	on_each_backend(stronger_scenario, NULL);
}

/* --- families ------------------------------------------------------------------------------ */

static enum qrt_err family_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_cancel *old, *middle, *young, *born;
	struct qrt_region *region;
	struct sleeper self = {0};
	struct qrt_cancel_info info;
	EXPECT(!new_token(NULL, "old", &old));
	EXPECT(!new_token(old, "middle", &middle));
	EXPECT(!new_token(middle, "young", &young));
	EXPECT(!open_bound(cx, young, &self, &region));
	EXPECT(!ask_elsewhere(middle, QRT_CANCEL_USER));
	EXPECT(!qrt_cancel_info_of(old, NULL));
	EXPECT(qrt_cancel_info_of(middle, &info) && info.kind == QRT_CANCEL_USER);
	EXPECT(qrt_cancel_info_of(young, &info));
	EXPECT(info.kind == QRT_CANCEL_PARENT && info.cause == QRT_CANCEL_USER);
	EXPECT(info.levels == 1 && strcmp(info.origin, "middle") == 0);
	EXPECT(!new_token(young, "born", &born));
	EXPECT(qrt_cancel_info_of(born, &info));
	EXPECT(info.levels == 2 && info.cause == QRT_CANCEL_USER);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	if (self.asked) {
		EXPECT(self.info.kind == QRT_CANCEL_PARENT && self.info.levels == 1);
		EXPECT(self.info.cause == QRT_CANCEL_USER);
		EXPECT(strcmp(self.info.origin, "middle") == 0);
		/* As in a region below one that was asked so. */
		EXPECT(self.info.cleanup_until_ns - self.info.at_ns == 10 * QRT_SEC);
	}
	qrt_cancel_request(old, QRT_CANCEL_SHUTDOWN, "test");
	EXPECT(qrt_cancel_info_of(born, &info));
	EXPECT(info.kind == QRT_CANCEL_SHUTDOWN && info.levels == 3);
	/* In any order: who is below keeps who is above. */
	qrt_cancel_unref(&old);
	qrt_cancel_unref(&young);
	qrt_cancel_unref(&middle);
	EXPECT(qrt_cancel_info_of(born, NULL));
	qrt_cancel_unref(&born);
	return QRT_OK;
}

static void who_is_below_is_asked_and_who_is_above_is_not(void **state)
{
	(void)state;
	on_each_backend(family_scenario, NULL);
}

static void families_are_only_so_deep(void **state)
{
	(void)state;
	struct qrt_cancel *chain[QRT_CANCEL_DEPTH_MAX], *more = NULL;
	struct qrt_cancel *parent = NULL;
	struct qrt_cancel_info info;
	for (size_t i = 0; i < QRT_CANCEL_DEPTH_MAX; i++) {
		assert_int_equal(qrt_cancel_create(parent, NULL, &chain[i]), QRT_OK);
		parent = chain[i];
	}
	assert_int_equal(qrt_cancel_create(parent, NULL, &more), QRT_ELIMIT);
	assert_null(more);
	qrt_cancel_request(chain[0], QRT_CANCEL_USER, "test");
	assert_true(qrt_cancel_info_of(parent, &info));
	assert_int_equal(info.levels, QRT_CANCEL_DEPTH_MAX - 1);
	for (size_t i = 0; i < QRT_CANCEL_DEPTH_MAX; i++) {
		qrt_cancel_unref(&chain[i]);
	}
}

/* --- deadline and cleanup ------------------------------------------------------------------ */

static enum qrt_err deadline_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_cancel_options soon = {.name = "soon",
						.deadline_ns = qrt_deadline_in(cx, QRT_MS)};
	const struct qrt_cancel_options later = {.deadline_ns = qrt_deadline_in(cx, HOUR)};
	struct qrt_cancel *parent, *token, *other;
	struct qrt_region *region;
	struct sleeper self = {0};
	struct qrt_cancel_info info;
	EXPECT(!qrt_cancel_create(NULL, &soon, &parent));
	EXPECT(!qrt_cancel_create(parent, &later, &token));
	EXPECT(!qrt_cancel_create(parent, NULL, &other));
	EXPECT(!open_bound(cx, token, &self, &region));
	bool asked = is_structured(cx);
	enum qrt_err err = asked ? QRT_ETIMEDOUT : QRT_ECANCELED;
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == err);
	EXPECT(self.err == err);
	/* It is the parent's, so whoever is below it is asked. */
	EXPECT(qrt_cancel_info_of(parent, &info) && info.kind == QRT_CANCEL_DEADLINE);
	EXPECT(strcmp(info.reason, "the token's deadline has passed") == 0);
	EXPECT(qrt_cancel_info_of(other, &info));
	EXPECT(info.kind == QRT_CANCEL_PARENT && info.cause == QRT_CANCEL_DEADLINE);
	uint64_t before = audit_of(cx).cancels;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_region_bind(region, other));
	EXPECT(audit_of(cx).cancels == before + 1);
	EXPECT(qrt_yield(cx) == (asked ? QRT_ETIMEDOUT : QRT_OK));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	qrt_cancel_unref(&parent);
	qrt_cancel_unref(&token);
	qrt_cancel_unref(&other);
	return QRT_OK;
}

static void a_deadline_asks_the_token_it_is_of(void **state)
{
	(void)state;
	on_each_backend(deadline_scenario, NULL);
}

/* One that nobody was there to notice, and one that comes after the close. */
static enum qrt_err unnoticed_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_cancel_options soon = {.deadline_ns = qrt_deadline_in(cx, QRT_MS)};
	struct qrt_cancel *token;
	struct qrt_region *region;
	EXPECT(!qrt_cancel_create(NULL, &soon, &token));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_region_bind(region, token));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_sleep(cx, 2 * QRT_MS));
	EXPECT(!qrt_cancel_info_of(token, NULL) && audit_of(cx).cancels == 0);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_region_bind(region, token));
	EXPECT(qrt_cancel_info_of(token, NULL) && audit_of(cx).cancels == 1);
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	qrt_cancel_unref(&token);
	return QRT_OK;
}

static void a_deadline_that_has_passed_counts_at_the_bind(void **state)
{
	(void)state;
	on_each_backend(unnoticed_scenario, NULL);
}

static enum qrt_err cleanup_of(struct qrt_cx *cx, int64_t tokens_ns, int64_t regions_ns,
			       int64_t *ret_ns)
{
	const struct qrt_cancel_options above = {.cleanup_ns = tokens_ns};
	const struct qrt_cancel_options looser = {.cleanup_ns = tokens_ns ? 2 * tokens_ns : 0};
	const struct qrt_region_options opts = {.cleanup_ns = regions_ns};
	struct qrt_cancel *parent, *token;
	struct qrt_region *region;
	struct qrt_cancel_info info;
	EXPECT(!qrt_cancel_create(NULL, &above, &parent));
	EXPECT(!qrt_cancel_create(parent, &looser, &token));
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(!qrt_region_bind(region, token));
	qrt_cancel_request(token, QRT_CANCEL_USER, "test");
	EXPECT(qrt_cancel_requested(cx, &info));
	*ret_ns = info.cleanup_until_ns - info.at_ns;
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	qrt_cancel_unref(&parent);
	qrt_cancel_unref(&token);
	return QRT_OK;
}

static enum qrt_err cleanup_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int64_t ns = 0;
	if (!is_structured(cx)) {
		return QRT_OK;
	}
	EXPECT(!cleanup_of(cx, 0, 0, &ns) && ns == 10 * QRT_SEC);
	EXPECT(!cleanup_of(cx, 3, 0, &ns) && ns == 3);
	EXPECT(!cleanup_of(cx, 0, HOUR, &ns) && ns == HOUR);
	EXPECT(!cleanup_of(cx, 3, HOUR, &ns) && ns == 3);
	EXPECT(!cleanup_of(cx, HOUR, 4, &ns) && ns == 4);
	return QRT_OK;
}

static void the_tighter_cleanup_holds(void **state)
{
	(void)state;
	on_each_backend(cleanup_scenario, NULL);
}

static enum qrt_err stubborn(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_mask mask;
	EXPECT(!qrt_mask_begin(cx, 0, &mask));
	return qrt_sleep(cx, HOUR);
}

static enum qrt_err forced_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_cancel_options short_of_time = {.cleanup_ns = QRT_MS};
	struct qrt_cancel *token;
	struct qrt_region *region;
	if (!is_structured(cx)) {
		return QRT_OK;
	}
	EXPECT(!qrt_cancel_create(NULL, &short_of_time, &token));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_region_bind(region, token));
	EXPECT(!qrt_spawn(region, stubborn, NULL));
	EXPECT(!qrt_sleep(cx, 1));
	EXPECT(!ask_elsewhere(token, QRT_CANCEL_USER));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	qrt_cancel_unref(&token);
	return QRT_OK;
}

static void a_tokens_cleanup_is_enforced(void **state)
{
	(void)state;
	on_each_backend(forced_scenario, NULL);
}

/* --- several threads ----------------------------------------------------------------------- */

struct pair {
	struct qrt_cancel *token;
	sem_t sleeps;
};

static enum qrt_err pair_scenario(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	struct sleeper self = {.sleeps = &pair->sleeps};
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_region_bind(region, pair->token));
	EXPECT(!qrt_spawn(region, sleeper, &self));
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_ECANCELED);
	EXPECT(self.err == QRT_ECANCELED);
	return QRT_OK;
}

static void *region_main(void *arg)
{
	return (void *)(uintptr_t)on_backend("region", pair_scenario, arg);
}

static void *legacy_main(void *arg)
{
	return (void *)(uintptr_t)on_backend("legacy", pair_scenario, arg);
}

static bool in_build(const char *backend)
{
	size_t n;
	return qrt_backend_promises(backend, &n);
}

static void one_token_reaches_several_runtimes(void **state)
{
	(void)state;
	struct pair pair;
	struct request request = {.kind = QRT_CANCEL_USER, .reason = "both", .begin = &pair.sleeps};
	pthread_t thread[3];
	void *result;
	int n = 0;
	assert_int_equal(sem_init(&pair.sleeps, 0, 0), 0);
	assert_int_equal(qrt_cancel_create(NULL, NULL, &pair.token), QRT_OK);
	if (in_build("region")) {
		assert_int_equal(pthread_create(&thread[n++], NULL, region_main, &pair), 0);
	}
	if (in_build("legacy")) {
		assert_int_equal(pthread_create(&thread[n++], NULL, legacy_main, &pair), 0);
	}
	request.n = n;
	request.token = qrt_cancel_ref(pair.token);
	assert_int_equal(pthread_create(&thread[n], NULL, request_main, &request), 0);
	for (int i = 0; i < n; i++) {
		pthread_join(thread[i], &result);
		assert_int_equal((int)(uintptr_t)result, QRT_OK);
	}
	pthread_join(thread[n], NULL);
	qrt_cancel_unref(&pair.token);
	assert_true(qrt_cancel_info_of(request.token, NULL));
	qrt_cancel_unref(&request.token);
	sem_destroy(&pair.sleeps);
}

/* One region that is bound and closed while somebody asks the token, or the one above it. */
static enum qrt_err race_once(struct qrt_cx *cx, struct qrt_cancel *token, sem_t *begin, int i)
{
	bool before_bind = i & 1, after_bind = !before_bind;
	struct qrt_region *region;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	if (before_bind) {
		sem_post(begin);
	}
	EXPECT(!qrt_region_bind(region, token));
	if (after_bind) {
		sem_post(begin);
	}
	if (i & 2) {
		QRT_IGNORE(qrt_yield(cx), "it may be asked by now");
	}
	return qrt_region_close(cx, &region, QRT_OK);
}

static enum qrt_err race_scenario(struct qrt_cx *cx, void *arg)
{
	enum { ROUNDS = 400 };
	sem_t *begin = arg;
	for (int i = 0; i < ROUNDS; i++) {
		struct qrt_cancel *old, *token;
		struct request request = {
		    .kind = QRT_CANCEL_SHUTDOWN, .reason = "race", .begin = begin, .n = 1};
		pthread_t thread;
		EXPECT(!new_token(NULL, "old", &old));
		EXPECT(!new_token(old, "race", &token));
		if (i & 4) {
			qrt_cancel_request(token, QRT_CANCEL_USER, "it was before");
		}
		request.token = i & 8 ? old : token;
		EXPECT(pthread_create(&thread, NULL, request_main, &request) == 0);
		EXPECT(!race_once(cx, token, begin, i));
		qrt_cancel_unref(i & 8 ? &token : &old); /* not the one that is being asked */
		EXPECT(pthread_join(thread, NULL) == 0);
		qrt_cancel_unref(&old);
		qrt_cancel_unref(&token);
	}
	return QRT_OK;
}

static void requests_may_race_with_bind_and_close(void **state)
{
	(void)state;
	sem_t begin;
	assert_int_equal(sem_init(&begin, 0, 0), 0);
	on_each_backend(race_scenario, &begin);
	sem_destroy(&begin);
}

/* --- misuse and telling -------------------------------------------------------------------- */

struct foreign {
	struct qrt_region *region;
	struct qrt_cancel *token;
	enum qrt_err err;
};

static void *bind_main(void *arg)
{
	struct foreign *foreign = arg;
	foreign->err = qrt_region_bind(foreign->region, foreign->token);
	return NULL;
}

static enum qrt_err bind_while_it_closes(struct qrt_cx *cx, void *arg)
{
	struct foreign *foreign = arg;
	enum qrt_err err = qrt_yield(cx);
	foreign->err = qrt_region_bind(foreign->region, foreign->token);
	return err;
}

static enum qrt_err misuse_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	const struct qrt_cancel_options past = {.deadline_ns = -1}, less = {.cleanup_ns = -1};
	struct qrt_cancel *token = NULL;
	struct qrt_region *region;
	struct foreign foreign;
	pthread_t thread;
	EXPECT(qrt_cancel_create(NULL, &past, &token) == QRT_EINVAL);
	EXPECT(qrt_cancel_create(NULL, &less, &token) == QRT_EINVAL && !token);
	EXPECT(!new_token(NULL, NULL, &token));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	foreign = (struct foreign){.region = region, .token = token};
	EXPECT(pthread_create(&thread, NULL, bind_main, &foreign) == 0);
	EXPECT(pthread_join(thread, NULL) == 0);
	EXPECT(foreign.err == QRT_ETHREAD);
	EXPECT(!qrt_spawn(region, bind_while_it_closes, &foreign));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(foreign.err == QRT_ECLOSED);
	EXPECT(qrt_region_bind(foreign.region, token) == QRT_ESTALE);
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_region_bind(region, token));
	EXPECT(qrt_region_bind(region, token) == QRT_EBUSY);
	qrt_cancel_unref(&token);
	return qrt_region_close(cx, &region, QRT_OK);
}

static void misuse_has_a_name(void **state)
{
	(void)state;
	on_each_backend(misuse_scenario, NULL);
}

static enum qrt_err dump_scenario(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static char text[16 * 1024];
	struct qrt_cancel *token;
	struct qrt_region *region;
	EXPECT(!new_token(NULL, "stop button", &token));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(qrt_dump_text(cx, text, sizeof(text)) > 0 && !strstr(text, "token="));
	EXPECT(!qrt_region_bind(region, token));
	qrt_cancel_unref(&token);
	EXPECT(qrt_dump_text(cx, text, sizeof(text)) > 0);
	EXPECT(strstr(text, "token=\"stop button\""));
	return qrt_region_close(cx, &region, QRT_OK);
}

static void a_dump_names_the_token(void **state)
{
	(void)state;
	on_each_backend(dump_scenario, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_on_another_thread_cancels_what_is_bound),
	    cmocka_unit_test(a_request_by_a_task_of_the_same_loop_has_arrived_when_it_returns),
	    cmocka_unit_test(a_region_bound_to_a_token_that_was_asked_is_cancelled_at_once),
	    cmocka_unit_test(a_request_after_the_close_reaches_nobody),
	    cmocka_unit_test(a_request_that_crosses_the_close_is_dropped),
	    cmocka_unit_test(a_request_reaches_a_region_that_drains),
	    cmocka_unit_test(a_second_request_only_strengthens),
	    cmocka_unit_test(a_stronger_request_arrives_and_a_weaker_one_does_not),
	    cmocka_unit_test(who_is_below_is_asked_and_who_is_above_is_not),
	    cmocka_unit_test(families_are_only_so_deep),
	    cmocka_unit_test(a_deadline_asks_the_token_it_is_of),
	    cmocka_unit_test(a_deadline_that_has_passed_counts_at_the_bind),
	    cmocka_unit_test(the_tighter_cleanup_holds),
	    cmocka_unit_test(a_tokens_cleanup_is_enforced),
	    cmocka_unit_test(one_token_reaches_several_runtimes),
	    cmocka_unit_test(requests_may_race_with_bind_and_close),
	    cmocka_unit_test(misuse_has_a_name),
	    cmocka_unit_test(a_dump_names_the_token),
	};
	return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
