/*
 * Dumps: what they name, that they are valid JSON however little room there
 * is, and that they find who waits for each other.
 */
#include "tests/lib/test.h"

#include <cjson/cJSON.h>
#include <qrt/lane.h>
#include <qrt/oneshot.h>
#include <qrt/runtime.h>
#include <qrt/select.h>
#include <qrt/sync.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/src/internal.h"
#include "tests/lib/backends.h"

enum { SIZE = 1 << 20 };

/* Lets all run, in whatever order, until only the @busy tasks that never wait are left. */
static enum qrt_err let_run(struct qrt_cx *cx, size_t busy)
{
	do {
		EXPECT(!qrt_yield(cx));
	} while (cx->task->rt->n_ready > busy);
	return QRT_OK;
}

/* --- finding things in a dump ---------------------------------------------------------------- */

static char text[SIZE];

static cJSON *dump(struct qrt_cx *cx)
{
	size_t n = qrt_dump(cx, text, sizeof(text));
	return n == strlen(text) ? cJSON_Parse(text) : NULL;
}

static const cJSON *get(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool says(const cJSON *object, const char *name, const char *value)
{
	const cJSON *member = get(object, name);
	return cJSON_IsString(member) && strcmp(member->valuestring, value) == 0;
}

static bool says_site(const cJSON *object, const char *name)
{
	const cJSON *member = get(object, name);
	return cJSON_IsString(member) && strstr(member->valuestring, "test_dump.c:");
}

static double number(const cJSON *object, const char *name)
{
	const cJSON *member = get(object, name);
	return cJSON_IsNumber(member) ? member->valuedouble : -1;
}

/* The object anywhere below @from whose @name is @value. */
static const cJSON *find(const cJSON *from, const char *name, const char *value)
{
	if (cJSON_IsObject(from) && says(from, name, value)) {
		return from;
	}
	for (const cJSON *at = from ? from->child : NULL; at; at = at->next) {
		const cJSON *found = find(at, name, value);
		if (found) {
			return found;
		}
	}
	return NULL;
}

/* --- what a dump names ----------------------------------------------------------------------- */

struct shop {
	struct qrt_mutex *mutex, *other;
	struct qrt_region *region;
	bool open, go;
};

static enum qrt_err keeper(struct qrt_cx *cx, void *arg)
{
	struct shop *shop = arg;
	struct qrt_lease lease;
	struct qrt_mask mask;
	EXPECT(!qrt_mutex_lock(cx, shop->mutex, &lease));
	EXPECT(!qrt_mask_begin(cx, QRT_SEC, &mask));
	shop->open = true;
	while (!shop->go) {
		EXPECT(!qrt_yield(cx));
	}
	qrt_mask_end(cx, &mask);
	EXPECT(!qrt_unlock(&lease));
	return QRT_OK;
}

static enum qrt_err customer(struct qrt_cx *cx, void *arg)
{
	struct shop *shop = arg;
	struct qrt_lease lease;
	enum qrt_err err = qrt_mutex_lock(cx, shop->mutex, &lease);
	if (!err) {
		EXPECT(!qrt_unlock(&lease));
	}
	return err == QRT_ECANCELED ? QRT_OK : err;
}

static enum qrt_err sleeper(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = qrt_sleep(cx, 3600 * QRT_SEC);
	return err == QRT_ECANCELED ? QRT_OK : err;
}

static enum qrt_err open_shop(struct qrt_cx *cx, struct shop *shop)
{
	const struct qrt_region_options region = {
	    .name = "shop", .policy = QRT_COLLECT, .budget = {.polls = 1000, .cost = 50}};
	const struct qrt_spawn_options kept = {
	    .name = "keeper", .site = "test_dump.c:keeper", .budget = {.cost = 7, .priority = 2}};
	const struct qrt_spawn_options timed = {
	    .name = "customer",
	    .site = "test_dump.c:customer",
	    .budget = {.deadline_ns = qrt_deadline_in(cx, 60 * QRT_SEC)}};
	EXPECT(!qrt_mutex_open(cx, &shop->mutex));
	EXPECT(!qrt_region_open_with(cx, &region, &shop->region));
	EXPECT(!qrt_spawn_with(shop->region, &kept, keeper, shop));
	while (!shop->open) {
		EXPECT(!qrt_yield(cx));
	}
	EXPECT(!qrt_spawn_with(shop->region, &timed, customer, shop));
	EXPECT(!qrt_spawn(shop->region, sleeper, NULL));
	return let_run(cx, 1);
}

static enum qrt_err close_shop(struct qrt_cx *cx, struct shop *shop)
{
	shop->go = true;
	qrt_region_cancel(shop->region, QRT_CANCEL_USER, "closing time");
	enum qrt_err err = qrt_region_close(cx, &shop->region, QRT_OK);
	EXPECT(!qrt_mutex_close(&shop->mutex));
	return err == QRT_ECANCELED ? QRT_OK : err;
}

static enum qrt_err tasks_of(const cJSON *shop)
{
	const cJSON *tasks = get(shop, "tasks");
	const cJSON *kept = find(tasks, "task", "keeper");
	const cJSON *waits = find(tasks, "task", "customer");
	EXPECT(cJSON_GetArraySize(tasks) == 3);
	EXPECT(says(kept, "state", "ready"));
	EXPECT(says(kept, "spawned_at", "test_dump.c:keeper"));
	EXPECT(number(kept, "cost_left") == 7);
	EXPECT(number(kept, "priority") == 2);
	EXPECT(number(kept, "masks") == 1);
	EXPECT(number(kept, "polls_left") > 900 && number(kept, "polls_left") < 1000);
	EXPECT(says(find(kept, "duty", "lease"), "what", "mutex"));
	EXPECT(says(find(kept, "duty", "lease"), "holder", "keeper"));
	EXPECT(says_site(find(kept, "duty", "lease"), "made_at"));
	EXPECT(says(waits, "state", "parked"));
	EXPECT(says(waits, "waits_for", "mutex"));
	EXPECT(says_site(waits, "waits_at"));
	EXPECT(says(waits, "held_by_task", "keeper"));
	EXPECT(number(waits, "held_by") == number(kept, "id"));
	EXPECT(number(waits, "deadline_ms") > 1000 && number(waits, "deadline_ms") <= 60000);
	EXPECT(number(waits, "gives_up_ms") > 1000 && number(waits, "gives_up_ms") <= 60000);
	EXPECT(!get(waits, "masks"));
	EXPECT(says(find(tasks, "task", "sleeper"), "waits_for", "sleep"));
	EXPECT(says_site(find(tasks, "task", "sleeper"), "spawned_at"));
	return QRT_OK;
}

static enum qrt_err naming(struct qrt_cx *cx, void *arg)
{
	struct shop shop = {0};
	(void)arg;
	EXPECT(!open_shop(cx, &shop));
	cJSON *all = dump(cx);
	EXPECT(all);
	EXPECT(says(all, "backend", qrt_runtime_backend(qrt_cx_runtime(cx))));
	EXPECT(number(all, "tasks_live") == 4);
	EXPECT(cJSON_GetArraySize(get(all, "deadlocks")) == 0);
	EXPECT(says(get(all, "root"), "region", "root"));
	const cJSON *region = find(get(get(all, "root"), "regions"), "region", "shop");
	EXPECT(says(region, "state", "open"));
	EXPECT(says(region, "opened_by", "main"));
	EXPECT(says(region, "policy", "collect"));
	EXPECT(number(region, "cost_left") == 50);
	EXPECT(number(region, "age_ms") >= 0 && number(region, "age_ms") < 60000);
	EXPECT(!get(region, "cancel"));
	EXPECT(!get(region, "duties")); /* its lease stands with the task that holds it */
	EXPECT(cJSON_IsArray(get(region, "regions")));
	EXPECT(!tasks_of(region));
	EXPECT(!get(all, "cut"));
	cJSON_Delete(all);
	return close_shop(cx, &shop);
}

static enum qrt_err nests(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options outer = {.name = arg, .policy = QRT_COLLECT};
	const struct qrt_region_options inner = {.name = "inner", .policy = QRT_COLLECT};
	struct qrt_region *region, *nested;
	EXPECT(!qrt_region_open_with(cx, &outer, &region));
	EXPECT(!qrt_region_open_with(cx, &inner, &nested));
	enum qrt_err err = qrt_sleep(cx, 3600 * QRT_SEC);
	QRT_IGNORE(qrt_region_close(cx, &nested, QRT_OK), "cancelled");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "cancelled");
	return err == QRT_ECANCELED ? QRT_OK : err;
}

static enum qrt_err siblings(struct qrt_cx *cx, void *arg)
{
	static const char *const names[] = {"left", "middle", "right"};
	struct qrt_region *region;
	(void)arg;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (size_t i = 0; i < 3; i++) {
		EXPECT(!qrt_spawn(region, nests, (void *)(uintptr_t)names[i]));
	}
	EXPECT(!let_run(cx, 0));
	cJSON *all = dump(cx);
	const cJSON *parent = find(all, "region", "main");
	EXPECT(cJSON_GetArraySize(get(parent, "regions")) == 3);
	for (size_t i = 0; i < 3; i++) {
		const cJSON *at = find(get(parent, "regions"), "region", names[i]);
		EXPECT(at);
		EXPECT(says(get(at, "regions")->child, "region", "inner"));
		EXPECT(says(get(at, "regions")->child, "opened_by", "nests"));
	}
	cJSON_Delete(all);
	EXPECT(qrt_dump_text(cx, text, sizeof(text)) > 0);
	EXPECT(strstr(text, "\n     region right state=open"));
	EXPECT(strstr(text, "\n       region inner state=open"));
	qrt_region_cancel(region, QRT_CANCEL_USER, "enough");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "cancelled");
	return QRT_OK;
}

static void regions_stand_below_their_parents_beside_their_siblings(void **state)
{
	(void)state;
	on_each_backend(siblings, NULL);
}

static void a_dump_names_regions_tasks_waits_budgets_and_duties(void **state)
{
	(void)state;
	on_each_backend(naming, NULL);
}

static enum qrt_err cancelling(struct qrt_cx *cx, void *arg)
{
	struct shop shop = {0};
	(void)arg;
	EXPECT(!open_shop(cx, &shop));
	qrt_region_cancel(shop.region, QRT_CANCEL_RESOURCE, "the till is \"empty\"");
	cJSON *all = dump(cx);
	const cJSON *region = find(all, "region", "shop");
	EXPECT(says(region, "cancel", "resource"));
	EXPECT(says(region, "reason", "the till is \"empty\""));
	EXPECT(says(region, "cause", "resource"));
	EXPECT(says(region, "origin", "main"));
	EXPECT(number(region, "cancel_age_ms") >= 0);
	EXPECT(number(region, "cleanup_left_ms") > 0);
	if (is_structured(cx)) {
		EXPECT(cJSON_IsTrue(get(find(region, "task", "keeper"), "asked")));
	}
	cJSON_Delete(all);
	return close_shop(cx, &shop);
}

static void a_dump_says_who_cancelled_what_and_why(void **state)
{
	(void)state;
	on_each_backend(cancelling, NULL);
}

static const char *line_of(const char *from, const char *begin)
{
	const char *at = strstr(from, begin);
	static char line[1024];
	if (!at) {
		return "";
	}
	size_t n = strcspn(at, "\n");
	n = n < sizeof(line) ? n : sizeof(line) - 1;
	memcpy(line, at, n);
	line[n] = '\0';
	return line;
}

static enum qrt_err as_text(struct qrt_cx *cx, void *arg)
{
	struct shop shop = {0};
	(void)arg;
	EXPECT(!open_shop(cx, &shop));
	EXPECT(qrt_dump_text(cx, text, sizeof(text)) == strlen(text));
	EXPECT(strncmp(text, "runtime ", 8) == 0);
	EXPECT(strstr(text, "\n region root state=open"));
	EXPECT(strstr(text, "\n   region shop state=open"));
	EXPECT(strstr(text, "\n     task keeper id="));
	EXPECT(strstr(text, "\n       duty lease what=mutex made_at="));
	EXPECT(strstr(line_of(text, "task customer"), " state=parked waits_for=mutex "));
	EXPECT(strstr(line_of(text, "task customer"), " held_by_task=keeper"));
	EXPECT(strstr(text, "\n  hog keeper id="));
	EXPECT(!strstr(text, "cut"));
	return close_shop(cx, &shop);
}

static void the_text_form_has_a_line_for_each(void **state)
{
	(void)state;
	on_each_backend(as_text, NULL);
}

static enum qrt_err odd_names(struct qrt_cx *cx, void *arg)
{
	static const char odd[] = "a \"b\" \\ c\n\x01 \xc3\xa9 \xff";
	const struct qrt_region_options options = {.name = odd, .policy = QRT_COLLECT};
	struct qrt_region *region;
	(void)arg;
	EXPECT(!qrt_region_open_with(cx, &options, &region));
	cJSON *all = dump(cx);
	EXPECT(all);
	/* Bytes beyond ASCII come as characters of their own: valid, whatever they were. */
	EXPECT(find(all, "region", "a \"b\" \\ c\n\x01 \xc3\x83\xc2\xa9 \xc3\xbf"));
	cJSON_Delete(all);
	EXPECT(qrt_dump_text(cx, text, sizeof(text)) > 0);
	EXPECT(strstr(text,
		      "region \"a \\\"b\\\" \\\\ c\\u000a\\u0001 \\u00c3\\u00a9 \\u00ff\" state="));
	return qrt_region_close(cx, &region, QRT_OK);
}

static void odd_names_are_escaped(void **state)
{
	(void)state;
	assert_int_equal(on_backend("lab", odd_names, NULL), QRT_OK);
}

static enum qrt_err without_cap(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_cx *narrow = qrt_cx_narrow(cx, QRT_CAP_ALL & ~(uint32_t)QRT_CAP_TRACE);
	EXPECT(narrow);
	qrt_dump(narrow, text, sizeof(text));
	EXPECT(strcmp(text, "{\"error\":\"capability trace is missing\"}") == 0);
	EXPECT(qrt_find_deadlock(narrow, text, sizeof(text)) == 0);
	EXPECT(text[0] == '\0');
	return QRT_OK;
}

static void a_dump_needs_its_capability(void **state)
{
	(void)state;
	on_each_backend(without_cap, NULL);
}

/* --- bounded --------------------------------------------------------------------------------- */

static enum qrt_err every_size(struct qrt_cx *cx, void *arg)
{
	struct shop shop = {0};
	(void)arg;
	EXPECT(!open_shop(cx, &shop));
	size_t whole = qrt_dump(cx, text, sizeof(text));
	bool was_cut = true;
	for (size_t n = 1; n < whole + 400; n++) {
		char *small = malloc(n); /* of its own, for the sanitizer to guard its end */
		size_t length = qrt_dump(cx, small, n);
		cJSON *all = n > 64 ? cJSON_Parse(small) : NULL;
		bool cut = n <= 64 || cJSON_IsTrue(get(all, "cut"));
		EXPECT(n <= 64 || (all && length == strlen(small) && length < n));
		/* Never whole again and cut once more; whole only when it has room. */
		EXPECT(was_cut || !cut);
		EXPECT(cut || length == whole);
		if (cut && n >= 512) {
			EXPECT(number(all, "tasks_left_out") >= 1);
			EXPECT(says(all, "backend", "lab"));
		}
		was_cut = cut;
		cJSON_Delete(all);
		free(small);
	}
	EXPECT(!was_cut);
	return close_shop(cx, &shop);
}

static void a_dump_of_any_size_is_valid_and_says_when_it_was_cut(void **state)
{
	(void)state;
	assert_int_equal(on_backend("lab", every_size, NULL), QRT_OK);
}

static enum qrt_err every_text_size(struct qrt_cx *cx, void *arg)
{
	struct shop shop = {0};
	(void)arg;
	EXPECT(!open_shop(cx, &shop));
	size_t whole = qrt_dump_text(cx, text, sizeof(text));
	for (size_t n = 256; n < whole + 400; n += 3) {
		char *small = malloc(n);
		size_t length = qrt_dump_text(cx, small, n);
		EXPECT(length == strlen(small) && length < n);
		EXPECT(length == whole || strstr(small, "\ncut tasks_left_out="));
		/* What is there is there in whole lines, as in the whole dump. */
		EXPECT(strncmp(small, text, strcspn(small, "\n")) == 0);
		free(small);
	}
	return close_shop(cx, &shop);
}

static void a_text_of_any_size_says_when_it_was_cut(void **state)
{
	(void)state;
	assert_int_equal(on_backend("lab", every_text_size, NULL), QRT_OK);
}

static enum qrt_err deep(struct qrt_cx *cx, void *arg)
{
	enum { DEPTH = 3000 };
	struct qrt_region **region = calloc(DEPTH, sizeof(struct qrt_region *));
	(void)arg;
	for (size_t i = 0; i < DEPTH; i++) {
		EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region[i]));
	}
	char *all = malloc(SIZE);
	EXPECT(qrt_dump(cx, all, SIZE) > DEPTH * 50);
	EXPECT(!strstr(all, "\"cut\""));
	EXPECT(qrt_dump(cx, all, 40000) < 40000);
	EXPECT(strstr(all, ",\"cut\":true,\"tasks_left_out\":0}"));
	for (size_t i = DEPTH; i-- > 0;) {
		EXPECT(!qrt_region_close(cx, &region[i], QRT_OK));
	}
	free(all);
	free(region);
	return QRT_OK;
}

static void regions_nested_deeper_than_a_stack_are_dumped(void **state)
{
	(void)state;
	on_each_backend(deep, NULL);
}

static void a_runtime_is_dumped_from_another_thread(void **state)
{
	const struct qrt_runtime_options options = {.backend = "lab", .name = "asked"};
	struct qrt_runtime *rt;
	char small[300];
	(void)state;
	assert_int_equal(qrt_runtime_open(&options, NULL, &rt), QRT_OK);
	assert_int_equal(qrt_runtime_start(rt), QRT_OK);
	assert_int_equal(qrt_runtime_dump(rt, 60 * QRT_SEC, text, sizeof(text)), QRT_OK);
	assert_non_null(strstr(text, "{\"runtime\":\"asked\""));
	assert_int_equal(qrt_runtime_dump_text(rt, 60 * QRT_SEC, text, sizeof(text)), QRT_OK);
	assert_non_null(strstr(text, "runtime asked backend=lab"));
	assert_int_equal(qrt_runtime_dump(rt, 60 * QRT_SEC, small, sizeof(small)), QRT_ELIMIT);
	assert_non_null(strstr(small, "\"cut\":true"));
	assert_int_equal(qrt_shutdown(rt, 60 * QRT_SEC), QRT_OK);
	assert_int_equal(qrt_runtime_dump(rt, QRT_SEC, text, sizeof(text)), QRT_ECLOSED);
	qrt_runtime_close(&rt);
}

/* --- deadlocks ------------------------------------------------------------------------------- */

struct pair {
	struct qrt_mutex *first, *second;
	size_t *ready, wanted; /* who has its first one, and how many must before they go on */
};

/* Takes one, waits until all have theirs, and wants the other. */
static enum qrt_err takes_both(struct qrt_cx *cx, void *arg)
{
	const struct pair *pair = arg;
	struct qrt_lease first, second;
	EXPECT(!qrt_mutex_lock(cx, pair->first, &first));
	++*pair->ready;
	while (*pair->ready < pair->wanted) {
		EXPECT(!qrt_yield(cx));
	}
	enum qrt_err err = qrt_mutex_lock(cx, pair->second, &second);
	if (!err) {
		EXPECT(!qrt_unlock(&second));
	}
	EXPECT(!qrt_unlock(&first));
	return err == QRT_ECANCELED ? QRT_OK : err;
}

static enum qrt_err end_all(struct qrt_cx *cx, struct qrt_region **region)
{
	qrt_region_cancel(*region, QRT_CANCEL_USER, "enough");
	enum qrt_err err = qrt_region_close(cx, region, QRT_OK);
	return err == QRT_ECANCELED ? QRT_OK : err;
}

static enum qrt_err crosswise(struct qrt_cx *cx, void *arg)
{
	size_t ready = 0;
	struct pair ab = {.ready = &ready, .wanted = 2}, ba;
	struct qrt_region *region;
	(void)arg;
	EXPECT(!qrt_mutex_open(cx, &ab.first));
	EXPECT(!qrt_mutex_open(cx, &ab.second));
	ba = (struct pair){ab.second, ab.first, &ready, 2};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(qrt_find_deadlock(cx, text, sizeof(text)) == 0);
	EXPECT(text[0] == '\0');
	const struct qrt_spawn_options one = {.name = "one", .site = "test_dump.c:one"};
	const struct qrt_spawn_options two = {.name = "two", .site = "test_dump.c:two"};
	EXPECT(!qrt_spawn_with(region, &one, takes_both, &ab));
	EXPECT(!qrt_spawn_with(region, &two, takes_both, &ba));
	EXPECT(!let_run(cx, 0));
	/* Somebody who waits for one of them is not part of it. */
	struct shop shop = {.mutex = ab.first};
	EXPECT(!qrt_spawn(region, customer, &shop));
	EXPECT(!let_run(cx, 0));

	EXPECT(qrt_find_deadlock(cx, text, sizeof(text)) == 1);
	EXPECT(strncmp(text, "deadlocked 2\n", 13) == 0);
	EXPECT(strstr(text, "task one id="));
	EXPECT(strstr(text, "spawned_at=test_dump.c:two"));
	EXPECT(!strstr(text, "customer"));
	EXPECT(qrt_find_deadlock(cx, text, 10) == 1);
	cJSON *all = dump(cx);
	const cJSON *dead = get(all, "deadlocks");
	EXPECT(cJSON_GetArraySize(dead) == 1);
	EXPECT(number(dead->child, "deadlocked") == 2);
	const cJSON *tasks = get(dead->child, "tasks");
	EXPECT(cJSON_GetArraySize(tasks) == 2);
	/* Each waits for the next one, the last for the first. */
	EXPECT(number(tasks->child, "held_by") == number(tasks->child->next, "id"));
	EXPECT(number(tasks->child->next, "held_by") == number(tasks->child, "id"));
	EXPECT(says(tasks->child, "waits_for", "mutex"));
	EXPECT(says_site(tasks->child, "waits_at"));
	cJSON_Delete(all);
	EXPECT(!end_all(cx, &region));
	EXPECT(qrt_find_deadlock(cx, text, sizeof(text)) == 0);
	EXPECT(!qrt_mutex_close(&ab.first));
	EXPECT(!qrt_mutex_close(&ab.second));
	return QRT_OK;
}

static void two_that_lock_crosswise_are_found(void **state)
{
	(void)state;
	on_each_backend(crosswise, NULL);
}

/* Holds the lock and closes a region in which a task wants it. */
static enum qrt_err closes_over(struct qrt_cx *cx, void *arg)
{
	struct shop *shop = arg;
	struct qrt_lease lease;
	EXPECT(!qrt_mutex_lock(cx, shop->mutex, &lease));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &shop->region));
	EXPECT(!qrt_spawn(shop->region, sleeper, NULL));
	EXPECT(!qrt_spawn(shop->region, customer, shop));
	struct qrt_region *region = shop->region;
	enum qrt_err err = qrt_region_close(cx, &region, QRT_OK);
	EXPECT(!qrt_unlock(&lease));
	return err == QRT_ECANCELED ? QRT_OK : err;
}

static enum qrt_err by_close(struct qrt_cx *cx, void *arg)
{
	struct shop shop = {0};
	struct qrt_region *region;
	(void)arg;
	EXPECT(!qrt_mutex_open(cx, &shop.mutex));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, closes_over, &shop));
	EXPECT(!let_run(cx, 0));
	EXPECT(qrt_find_deadlock(cx, text, sizeof(text)) == 1);
	EXPECT(strncmp(text, "deadlocked 2\n", 13) == 0);
	EXPECT(strstr(text, "waits_for=\"region close\""));
	EXPECT(strstr(text, "on=closes_over"));
	EXPECT(strstr(text, "task customer"));
	EXPECT(!strstr(text, "sleeper"));
	qrt_region_cancel(shop.region, QRT_CANCEL_USER, "enough");
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_mutex_close(&shop.mutex));
	return QRT_OK;
}

static void a_close_over_a_task_that_wants_the_closers_lock_is_found(void **state)
{
	(void)state;
	on_each_backend(by_close, NULL);
}

static enum qrt_err calls_over(struct qrt_cx *cx, void *arg)
{
	struct shop *shop = arg;
	struct qrt_lease lease;
	const struct qrt__call_options opts = {.rt = qrt_cx_runtime(cx),
					       .caps = QRT_CAP_ALL,
					       .deadline_ns = QRT_NO_DEADLINE,
					       .name = "callee",
					       .site = QRT_SITE};
	EXPECT(!qrt_mutex_lock(cx, shop->mutex, &lease));
	enum qrt_err err = qrt__call(cx, &opts, customer, shop, NULL);
	EXPECT(!qrt_unlock(&lease));
	return err == QRT_ECANCELED ? QRT_OK : err;
}

static enum qrt_err by_call(struct qrt_cx *cx, void *arg)
{
	struct shop shop = {0};
	struct qrt_region *region;
	(void)arg;
	EXPECT(!qrt_mutex_open(cx, &shop.mutex));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, calls_over, &shop));
	EXPECT(!let_run(cx, 0));
	EXPECT(qrt_find_deadlock(cx, text, sizeof(text)) == 1);
	EXPECT(strncmp(text, "deadlocked 2\n", 13) == 0);
	EXPECT(strstr(line_of(text, "task calls_over"), "waits_for=\"port call\""));
	EXPECT(strstr(line_of(text, "task calls_over"), "on=callee"));
	EXPECT(strstr(line_of(text, "task calls_over"), "held_by_task=callee"));
	EXPECT(strstr(line_of(text, "task callee"), "waits_for=mutex"));
	EXPECT(!end_all(cx, &region));
	EXPECT(!qrt_mutex_close(&shop.mutex));
	return QRT_OK;
}

static void a_callee_that_wants_its_callers_lock_is_found(void **state)
{
	(void)state;
	on_each_backend(by_call, NULL);
}

enum { RING = 1000 };

/* @close: the last one wants what the first one holds. */
static enum qrt_err ring(struct qrt_cx *cx, bool closed)
{
	size_t ready = 0;
	struct qrt_mutex **mutex = calloc(RING + 1, sizeof(struct qrt_mutex *));
	struct pair *pairs = calloc(RING, sizeof(*pairs));
	struct qrt_region *region;
	for (size_t i = 0; i < RING + 1; i++) {
		EXPECT(!qrt_mutex_open(cx, &mutex[i]));
	}
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	struct qrt_lease last;
	EXPECT(!qrt_mutex_lock(cx, mutex[RING], &last));
	for (size_t i = 0; i < RING; i++) {
		pairs[i] =
		    (struct pair){mutex[i], mutex[closed ? (i + 1) % RING : i + 1], &ready, RING};
		EXPECT(!qrt_spawn(region, takes_both, &pairs[i]));
	}
	EXPECT(!let_run(cx, 0));
	EXPECT(qrt_find_deadlock(cx, text, sizeof(text)) == (closed ? 1 : 0));
	if (closed) {
		EXPECT(strncmp(text, "deadlocked 1000 shown=32\n", 25) == 0);
		EXPECT(strstr(text, "task takes_both"));
	}
	EXPECT(!end_all(cx, &region));
	EXPECT(!qrt_unlock(&last));
	for (size_t i = 0; i < RING + 1; i++) {
		EXPECT(!qrt_mutex_close(&mutex[i]));
	}
	free(mutex);
	free(pairs);
	return QRT_OK;
}

static enum qrt_err rings(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(!ring(cx, true));
	return ring(cx, false);
}

static void a_long_chain_is_a_deadlock_only_when_it_is_closed(void **state)
{
	(void)state;
	on_each_backend(rings, NULL);
}

static enum qrt_err either(struct qrt_cx *cx, void *arg)
{
	struct shop *shop = arg;
	struct qrt_lease held, lease;
	size_t index;
	EXPECT(!qrt_mutex_lock(cx, shop->other, &held));
	struct qrt_case cases[] = {qrt_case_lock(shop->mutex, &lease),
				   qrt_case_lock(shop->mutex, &lease)};
	enum qrt_err err = qrt_select(cx, QRT_SELECT_ORDERED, cases, 2, &index);
	if (!err) {
		EXPECT(!qrt_unlock(&lease));
	}
	EXPECT(!qrt_unlock(&held));
	return err == QRT_ECANCELED ? QRT_OK : err;
}

static enum qrt_err no_blame(struct qrt_cx *cx, void *arg)
{
	struct shop shop = {0};
	struct qrt_lease lease;
	struct qrt_region *region;
	(void)arg;
	EXPECT(!qrt_mutex_open(cx, &shop.mutex));
	EXPECT(!qrt_mutex_open(cx, &shop.other));
	EXPECT(!qrt_mutex_lock(cx, shop.mutex, &lease));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, either, &shop));
	EXPECT(!let_run(cx, 0));
	EXPECT(qrt_find_deadlock(cx, text, sizeof(text)) == 0);
	EXPECT(qrt_dump_text(cx, text, sizeof(text)) > 0);
	EXPECT(strstr(line_of(text, "task either"), "waits_for=select"));
	EXPECT(!strstr(text, "hog"));
	EXPECT(!qrt_unlock(&lease));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_mutex_close(&shop.mutex));
	EXPECT(!qrt_mutex_close(&shop.other));
	return QRT_OK;
}

static void who_waits_for_several_blames_nobody(void **state)
{
	(void)state;
	on_each_backend(no_blame, NULL);
}

static enum qrt_err hogging(struct qrt_cx *cx, void *arg)
{
	struct shop shop = {0}, small = {0};
	(void)arg;
	EXPECT(!open_shop(cx, &shop));
	EXPECT(!qrt_mutex_open(cx, &small.mutex));
	/* One that holds the small lock and waits for the keeper; three that wait for it. */
	size_t ready = 0;
	struct pair pair = {small.mutex, shop.mutex, &ready, 1};
	EXPECT(!qrt_spawn(shop.region, takes_both, &pair));
	EXPECT(!let_run(cx, 1));
	for (int i = 0; i < 3; i++) {
		EXPECT(!qrt_spawn(shop.region, customer, &small));
	}
	EXPECT(!let_run(cx, 1));
	/* And one that another waits for. */
	struct qrt_lease own;
	struct shop mine = {0};
	EXPECT(!qrt_mutex_open(cx, &mine.mutex));
	EXPECT(!qrt_mutex_lock(cx, mine.mutex, &own));
	EXPECT(!qrt_spawn(shop.region, customer, &mine));
	EXPECT(!let_run(cx, 1));
	cJSON *all = dump(cx);
	const cJSON *hogs = get(all, "hogs");
	EXPECT(cJSON_GetArraySize(hogs) == 2);
	EXPECT(says(hogs->child->next, "hog", "main"));
	EXPECT(number(hogs->child->next, "waiters") == 1);
	EXPECT(says(hogs->child, "hog", "keeper"));
	/* The customer, the one with the small lock, and the three behind it. */
	EXPECT(number(hogs->child, "waiters") == 5);
	cJSON_Delete(all);
	EXPECT(!qrt_unlock(&own));
	EXPECT(!close_shop(cx, &shop));
	EXPECT(!qrt_mutex_close(&small.mutex));
	EXPECT(!qrt_mutex_close(&mine.mutex));
	return QRT_OK;
}

static void the_hog_at_the_end_of_the_chains_is_named(void **state)
{
	(void)state;
	on_each_backend(hogging, NULL);
}

/* --- in the lab ------------------------------------------------------------------------------ */

static enum qrt_err stuck(struct qrt_cx *cx, void *arg)
{
	size_t ready = 0;
	struct pair ab = {.ready = &ready, .wanted = 2}, ba;
	struct qrt_region *region;
	(void)arg;
	EXPECT(!qrt_mutex_open(cx, &ab.first));
	EXPECT(!qrt_mutex_open(cx, &ab.second));
	ba = (struct pair){ab.second, ab.first, &ready, 2};
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, takes_both, &ab));
	EXPECT(!qrt_spawn(region, takes_both, &ba));
	return qrt_region_close(cx, &region, QRT_OK);
}

static void the_labs_report_names_the_circle(void **state)
{
	int fds[2];
	char said[8192] = "";
	size_t n = 0;
	ssize_t got;
	(void)state;
	assert_int_equal(pipe(fds), 0);
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		on_backend("lab", stuck, NULL);
		_exit(0);
	}
	close(fds[1]);
	while (n < sizeof(said) - 1 && (got = read(fds[0], said + n, sizeof(said) - 1 - n)) > 0) {
		n += (size_t)got;
	}
	close(fds[0]);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_non_null(strstr(said, "qrt: 1 wait in a circle\ndeadlocked 2\n"));
	assert_non_null(strstr(said, "waits_for=mutex"));
	assert_non_null(strstr(said, "\nqrt:   region root (open)\n"));
	assert_non_null(
	    strstr(said, "\nqrt:     region main (draining)\nqrt:       task 2 takes_both"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_dump_names_regions_tasks_waits_budgets_and_duties),
	    cmocka_unit_test(regions_stand_below_their_parents_beside_their_siblings),
	    cmocka_unit_test(a_dump_says_who_cancelled_what_and_why),
	    cmocka_unit_test(the_text_form_has_a_line_for_each),
	    cmocka_unit_test(odd_names_are_escaped),
	    cmocka_unit_test(a_dump_needs_its_capability),
	    cmocka_unit_test(a_dump_of_any_size_is_valid_and_says_when_it_was_cut),
	    cmocka_unit_test(a_text_of_any_size_says_when_it_was_cut),
	    cmocka_unit_test(regions_nested_deeper_than_a_stack_are_dumped),
	    cmocka_unit_test(a_runtime_is_dumped_from_another_thread),
	    cmocka_unit_test(two_that_lock_crosswise_are_found),
	    cmocka_unit_test(a_close_over_a_task_that_wants_the_closers_lock_is_found),
	    cmocka_unit_test(a_callee_that_wants_its_callers_lock_is_found),
	    cmocka_unit_test(a_long_chain_is_a_deadlock_only_when_it_is_closed),
	    cmocka_unit_test(who_waits_for_several_blames_nobody),
	    cmocka_unit_test(the_hog_at_the_end_of_the_chains_is_named),
	    cmocka_unit_test(the_labs_report_names_the_circle),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
