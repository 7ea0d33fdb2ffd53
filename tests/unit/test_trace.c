/*
 * Recordings: the JSON is what Perfetto reads, every beginning has its end
 * however much was lost, and recording changes nothing of what it records.
 */
#include "tests/lib/test.h"

#include <cjson/cJSON.h>
#include <pthread.h>
#include <qrt/cancel.h>
#include <qrt/ledger.h>
#include <qrt/runtime.h>
#include <qrt/sync.h>
#include <qrt/trace.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/internal.h"
#include "tests/lib/backends.h"

/* --- exporting ------------------------------------------------------------------------------- */

struct text {
	char *data;
	size_t n;
	size_t pieces, pieces_max; /* 0: any number */
	bool failed;
};

static enum qrt_err append(void *arg, const char *piece, size_t n)
{
	struct text *text = arg;
	if (text->failed) {
		abort(); /* it was told, and asks again */
	}
	if (text->pieces_max && text->pieces == text->pieces_max) {
		text->failed = true;
		return QRT_EIO;
	}
	text->pieces++;
	text->data = realloc(text->data, text->n + n + 1);
	memcpy(text->data + text->n, piece, n);
	text->n += n;
	text->data[text->n] = '\0';
	return QRT_OK;
}

static cJSON *export(struct qrt_trace *const *traces, size_t n)
{
	struct text text = {0};
	cJSON *all = NULL;
	if (!qrt_trace_export(traces, n, append, &text)) {
		all = cJSON_ParseWithLength(text.data, text.n);
	}
	free(text.data);
	return all;
}

static const cJSON *get(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *string(const cJSON *object, const char *name)
{
	const cJSON *member = get(object, name);
	return cJSON_IsString(member) ? member->valuestring : "";
}

static double number(const cJSON *object, const char *name)
{
	const cJSON *member = get(object, name);
	return cJSON_IsNumber(member) ? member->valuedouble : -1;
}

static bool is(const cJSON *event, const char *ph, const char *name)
{
	return strcmp(string(event, "ph"), ph) == 0 && strcmp(string(event, "name"), name) == 0;
}

/* The first such event from @event on, or NULL. */
static const cJSON *next(const cJSON *event, const char *ph, const char *name)
{
	while (event && !is(event, ph, name)) {
		event = event->next;
	}
	return event;
}

static const cJSON *first(const cJSON *all, const char *ph, const char *name)
{
	return next(get(all, "traceEvents")->child, ph, name);
}

/* --- what every recording keeps to ----------------------------------------------------------- */

static enum qrt_err has_the_fields(const cJSON *event)
{
	const char *ph = string(event, "ph");
	EXPECT(strlen(ph) == 1 && strchr("MBEbei", ph[0]));
	EXPECT(cJSON_IsString(get(event, "name")) && string(event, "name")[0]);
	EXPECT(number(event, "ts") >= 0);
	EXPECT(number(event, "pid") >= 1);
	EXPECT(number(event, "tid") >= 0);
	if (ph[0] == 'M') {
		EXPECT(string(get(event, "args"), "name")[0]);
	} else if (ph[0] != 'E') {
		EXPECT(string(event, "cat")[0]);
	}
	if (ph[0] == 'b' || ph[0] == 'e') {
		EXPECT(string(event, "id")[0]);
	}
	if (ph[0] == 'i') {
		EXPECT(strcmp(string(event, "s"), "t") == 0 ||
		       strcmp(string(event, "s"), "p") == 0);
	}
	return QRT_OK;
}

/* What @event begins ends later: same thread, same name, and nothing else begins in between. */
static enum qrt_err ends(const cJSON *event)
{
	for (const cJSON *at = event->next; at; at = at->next) {
		bool same = number(at, "pid") == number(event, "pid") &&
			    number(at, "tid") == number(event, "tid");
		if (same && string(at, "ph")[0] == 'E') {
			EXPECT(strcmp(string(at, "name"), string(event, "name")) == 0);
			EXPECT(number(at, "ts") >= number(event, "ts"));
			return QRT_OK;
		}
		EXPECT(!same || string(at, "ph")[0] != 'B');
	}
	EXPECT(!"a slice without an end");
	return QRT_OK;
}

/* Who is ready is so until it runs, or until the recording ends. */
static enum qrt_err runs_next(const cJSON *ready)
{
	const cJSON *end = ready->next;
	while (number(end, "tid") != number(ready, "tid") || string(end, "ph")[0] != 'E') {
		end = end->next;
	}
	for (const cJSON *at = end->next; at && number(at, "pid") == number(end, "pid");
	     at = at->next) {
		if (number(at, "tid") == number(end, "tid") && string(at, "ph")[0] == 'B') {
			EXPECT(strcmp(string(at, "cat"), "running") == 0);
			EXPECT(number(at, "ts") == number(end, "ts"));
			return QRT_OK;
		}
	}
	return QRT_OK;
}

static enum qrt_err region_ends(const cJSON *event)
{
	for (const cJSON *at = event->next; at; at = at->next) {
		if (string(at, "ph")[0] == 'e' &&
		    strcmp(string(at, "id"), string(event, "id")) == 0) {
			EXPECT(strcmp(string(at, "name"), string(event, "name")) == 0);
			return QRT_OK;
		}
	}
	EXPECT(!"a region without an end");
	return QRT_OK;
}

static enum qrt_err is_sound(const cJSON *all)
{
	size_t begins = 0, stops = 0, opens = 0, closes = 0;
	double pid = 0, ts = 0;
	EXPECT(cJSON_IsArray(get(all, "traceEvents")));
	EXPECT(strcmp(string(all, "displayTimeUnit"), "ms") == 0);
	for (const cJSON *event = get(all, "traceEvents")->child; event; event = event->next) {
		EXPECT(!has_the_fields(event));
		char ph = string(event, "ph")[0];
		/* In the order of time, runtime by runtime. */
		EXPECT(number(event, "pid") != pid || number(event, "ts") >= ts);
		pid = number(event, "pid");
		ts = number(event, "ts");
		begins += ph == 'B';
		stops += ph == 'E';
		opens += ph == 'b';
		closes += ph == 'e';
		if (ph == 'B') {
			EXPECT(!ends(event));
			EXPECT(!is(event, "B", "ready") || !runs_next(event));
		} else if (ph == 'b') {
			EXPECT(!region_ends(event));
		}
	}
	EXPECT(begins == stops);
	EXPECT(opens == closes);
	return QRT_OK;
}

/* --- a program in which everything happens ---------------------------------------------------- */

static enum qrt_err holds(struct qrt_cx *cx, void *arg)
{
	struct qrt_lease lease;
	EXPECT(!qrt_mutex_lock(cx, arg, &lease));
	EXPECT(!qrt_sleep(cx, 2 * QRT_MS));
	EXPECT(!qrt_unlock(&lease));
	return QRT_OK;
}

static enum qrt_err wants(struct qrt_cx *cx, void *arg)
{
	struct qrt_lease lease;
	EXPECT(!qrt_yield(cx));
	EXPECT(!qrt_mutex_lock(cx, arg, &lease));
	EXPECT(!qrt_unlock(&lease));
	return QRT_OK;
}

static enum qrt_err forgets(struct qrt_cx *cx, void *arg)
{
	struct qrt_duty duty;
	(void)arg;
	return qrt_oblige(cx, QRT_DUTY_TRANSACTION, "umbrella", NULL, NULL, &duty);
}

static enum qrt_err sleeps(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return qrt_sleep(cx, 3600 * QRT_SEC);
}

static enum qrt_err refuses(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	/* Being forced is all that ends it. */
	while (!qrt_yield(cx) || cx->task) {
	}
	return QRT_OK;
}

static enum qrt_err region_of(struct qrt_cx *cx, const char *name, qrt_task_fn *fn)
{
	const struct qrt_region_options options = {.name = name, .policy = QRT_COLLECT};
	struct qrt_region *region;
	EXPECT(!qrt_region_open_with(cx, &options, &region));
	EXPECT(!qrt_spawn(region, fn, NULL));
	EXPECT(!qrt_yield(cx));
	if (fn != forgets) {
		qrt_region_cancel(region, QRT_CANCEL_USER, "seen enough");
	}
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "cancelled, or leaked");
	return QRT_OK;
}

static enum qrt_err program(struct qrt_cx *cx)
{
	struct qrt_mutex *mutex;
	struct qrt_region *region;
	EXPECT(!qrt_mutex_open(cx, &mutex));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, holds, mutex));
	EXPECT(!qrt_spawn(region, wants, mutex));
	EXPECT(!qrt_spawn(region, wants, mutex));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!region_of(cx, "sleepy", sleeps));
	EXPECT(!region_of(cx, "forgetful", forgets));
	if (is_structured(cx)) {
		EXPECT(!region_of(cx, "stubborn", refuses));
	}
	EXPECT(!qrt_mutex_close(&mutex));
	return QRT_OK;
}

static enum qrt_err record(struct qrt_cx *cx, size_t n, struct qrt_trace **ret_trace)
{
	EXPECT(!qrt_trace_start(cx, n));
	EXPECT(!program(cx));
	EXPECT(!qrt_trace_stop(cx, ret_trace));
	return QRT_OK;
}

/* --- tests ----------------------------------------------------------------------------------- */

static enum qrt_err instants(struct qrt_cx *cx, const cJSON *all)
{
	const cJSON *event = first(all, "i", "grant");
	EXPECT(event);
	EXPECT(number(get(event, "args"), "task") >= 1);
	event = first(all, "i", "cancel");
	EXPECT(event);
	EXPECT(strcmp(string(get(event, "args"), "kind"), "user") == 0);
	EXPECT(strcmp(string(get(event, "args"), "region"), "sleepy") == 0);
	EXPECT(strcmp(string(get(event, "args"), "reason"), "seen enough") == 0);
	event = first(all, "i", "leak");
	EXPECT(event);
	EXPECT(strcmp(string(get(event, "args"), "what"), "umbrella") == 0);
	EXPECT(strcmp(string(get(event, "args"), "duty"), "transaction") == 0);
	EXPECT(strstr(string(get(event, "args"), "site"), "test_trace.c:"));
	event = first(all, "i", "force");
	EXPECT(!event == !is_structured(cx));
	EXPECT(!event || number(get(event, "args"), "task") >= 1);
	return QRT_OK;
}

static enum qrt_err telling(struct qrt_cx *cx, void *arg)
{
	struct qrt_trace *trace = NULL;
	(void)arg;
	EXPECT(!record(cx, 100000, &trace));
	EXPECT(qrt_trace_lost(trace) == 0);
	cJSON *all = export(&trace, 1);
	EXPECT(all);
	EXPECT(!is_sound(all));
	EXPECT(strstr(string(get(first(all, "M", "process_name"), "args"), "name"),
		      qrt_runtime_backend(qrt_cx_runtime(cx))));
	/* A task: its name, where it came from, that it ran, and what it waited for. */
	const cJSON *slice = first(all, "B", "holds");
	EXPECT(slice);
	EXPECT(strcmp(string(slice, "cat"), "running") == 0);
	EXPECT(strstr(string(get(slice, "args"), "site"), "test_trace.c:"));
	const cJSON *waits = next(slice, "B", "sleep");
	EXPECT(waits);
	EXPECT(strcmp(string(waits, "cat"), "waiting") == 0);
	EXPECT(number(waits, "tid") == number(slice, "tid"));
	const cJSON *woken = next(waits, "E", "sleep");
	EXPECT(number(woken, "ts") - number(waits, "ts") >= 1000);
	EXPECT(first(all, "B", "mutex"));
	EXPECT(strstr(string(get(first(all, "B", "mutex"), "args"), "site"), "test_trace.c:"));
	EXPECT(first(all, "B", "ready"));
	EXPECT(first(all, "b", "sleepy"));
	EXPECT(strcmp(string(get(first(all, "b", "sleepy"), "args"), "opened_by"), "main") == 0);
	EXPECT(!instants(cx, all));
	cJSON_Delete(all);
	qrt_trace_destroy(&trace);
	EXPECT(!trace);
	return QRT_OK;
}

static void a_recording_tells_what_tasks_and_regions_did(void **state)
{
	(void)state;
	on_each_backend(telling, NULL);
}

static enum qrt_err losing(struct qrt_cx *cx, void *arg)
{
	static const size_t sizes[] = {1, 2, 3, 5, 7, 11, 20, 40};
	(void)arg;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct qrt_trace *trace = NULL;
		EXPECT(!record(cx, sizes[i], &trace));
		EXPECT(qrt_trace_kept(trace) == sizes[i]);
		EXPECT(qrt_trace_lost(trace) > 0);
		cJSON *all = export(&trace, 1);
		EXPECT(all);
		EXPECT(!is_sound(all));
		/* Without the beginning of what runs to the end it is still known who does. */
		EXPECT(strstr(string(get(all, "otherData"), qrt_runtime_name(qrt_cx_runtime(cx))),
			      " earlier ones lost"));
		cJSON_Delete(all);
		qrt_trace_destroy(&trace);
	}
	return QRT_OK;
}

static void a_ring_that_has_lost_the_beginning_is_still_balanced(void **state)
{
	(void)state;
	on_each_backend(losing, NULL);
}

static enum qrt_err unfinished(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options options = {.name = "left open", .policy = QRT_COLLECT};
	struct qrt_region *region;
	struct qrt_trace *trace = NULL;
	(void)arg;
	EXPECT(!qrt_trace_start(cx, 1000));
	EXPECT(!qrt_region_open_with(cx, &options, &region));
	EXPECT(!qrt_spawn(region, sleeps, NULL));
	EXPECT(!qrt_yield(cx));
	EXPECT(!qrt_trace_stop(cx, &trace));
	/* What is parked now ends in the next one, which knows nothing of its beginning. */
	struct qrt_trace *second = NULL;
	EXPECT(!qrt_trace_start(cx, 1000));
	qrt_region_cancel(region, QRT_CANCEL_USER, "enough");
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "cancelled");
	EXPECT(!qrt_trace_stop(cx, &second));
	struct qrt_trace *both[] = {trace, NULL, second};
	cJSON *all = export(both, 3);
	EXPECT(!is_sound(all));
	EXPECT(first(all, "B", "sleep"));
	EXPECT(first(all, "e", "left open"));
	EXPECT(number(first(all, "i", "cancel"), "pid") == 3);
	cJSON_Delete(all);
	qrt_trace_destroy(&trace);
	qrt_trace_destroy(&second);
	return QRT_OK;
}

static void what_is_open_at_the_end_of_a_recording_ends_there(void **state)
{
	(void)state;
	on_each_backend(unfinished, NULL);
}

static enum qrt_err odd(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options options = {.name = "a \"b\" \\\n\xff",
						   .policy = QRT_COLLECT};
	struct qrt_region *region;
	struct qrt_trace *trace = NULL;
	(void)arg;
	EXPECT(!qrt_trace_start(cx, 1000));
	EXPECT(!qrt_region_open_with(cx, &options, &region));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_trace_stop(cx, &trace));
	cJSON *all = export(&trace, 1);
	EXPECT(first(all, "b", "a \"b\" \\\n\xc3\xbf"));
	cJSON_Delete(all);
	qrt_trace_destroy(&trace);
	return QRT_OK;
}

static void odd_names_are_escaped(void **state)
{
	(void)state;
	on_each_backend(odd, NULL);
}

/* --- the lab's hash -------------------------------------------------------------------------- */

static enum qrt_err plain(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return program(cx);
}

static enum qrt_err recorded(struct qrt_cx *cx, void *arg)
{
	struct qrt_trace *trace = NULL;
	size_t *n = arg;
	EXPECT(!record(cx, *n, &trace));
	*n = qrt_trace_kept(trace);
	qrt_trace_destroy(&trace);
	return QRT_OK;
}

static uint64_t hash_of(const char *backend, uint64_t seed, qrt_task_fn *fn, void *arg)
{
	const struct qrt_runtime_options options = {.backend = backend, .seed = seed};
	struct qrt_runtime *rt;
	struct qrt_audit audit;
	assert_int_equal(qrt_runtime_open(&options, NULL, &rt), QRT_OK);
	assert_int_equal(qrt_run_main(rt, fn, arg), QRT_OK);
	qrt_runtime_audit(rt, &audit);
	qrt_runtime_close(&rt);
	return audit.trace_hash;
}

static void recording_changes_nothing_of_the_labs_hash(void **state)
{
	static const char *const labs[] = {"lab", "lab-legacy"};
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (uint64_t seed = 0; seed < 5; seed++) {
			size_t n = 5000;
			uint64_t hash = hash_of(labs[i], seed, plain, NULL);
			assert_true(hash != 0);
			assert_true(hash == hash_of(labs[i], seed, recorded, &n));
			assert_true(n > 20);
		}
	}
}

/* --- stalls ---------------------------------------------------------------------------------- */

static enum qrt_err hogs(struct qrt_cx *cx, void *arg)
{
	int64_t until = *(int64_t *)arg + qrt_deadline_in(cx, 0);
	while (qrt_deadline_in(cx, 0) < until) {
	}
	return QRT_OK;
}

static enum qrt_err stalling(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *region;
	struct qrt_trace *trace = NULL;
	EXPECT(!qrt_trace_start(cx, 1000));
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	EXPECT(!qrt_spawn(region, hogs, arg));
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	EXPECT(!qrt_sleep(cx, 1)); /* to the end of the turn, and back */
	EXPECT(!qrt_trace_stop(cx, &trace));
	cJSON *all = export(&trace, 1);
	const cJSON *event = first(all, "i", "stall");
	EXPECT(event);
	EXPECT(number(get(event, "args"), "ms") >= 3);
	EXPECT(!is_sound(all));
	cJSON_Delete(all);
	qrt_trace_destroy(&trace);
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	EXPECT(audit.lag_max_ns >= 3 * (uint64_t)QRT_MS);
	EXPECT(audit.lag_ns <= audit.lag_max_ns);
	EXPECT(audit.ready >= 1);
	EXPECT(audit.stalls == 0); /* nobody watches */
	return QRT_OK;
}

static void a_long_turn_is_in_the_recording_and_in_the_audit(void **state)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	(void)state;
	for (size_t i = 0; i < n; i++) {
		int64_t ns = 3 * QRT_MS;
		const struct qrt_runtime_options options = {.backend = names[i],
							    .stall_ns = 2 * QRT_MS};
		struct qrt_runtime *rt;
		if (strncmp(names[i], "lab", 3) == 0) {
			continue; /* no time passes there while a task runs */
		}
		assert_int_equal(qrt_runtime_open(&options, NULL, &rt), QRT_OK);
		assert_int_equal(qrt_run_main(rt, stalling, &ns), QRT_OK);
		qrt_runtime_close(&rt);
	}
}

/* --- misuse and shortage --------------------------------------------------------------------- */

static void *start_elsewhere(void *arg)
{
	struct qrt_trace *trace = NULL;
	bool refused = qrt_trace_start(arg, 10) == QRT_ETHREAD;
	refused = refused && qrt_trace_stop(arg, &trace) == QRT_ETHREAD;
	return refused ? arg : NULL;
}

static enum qrt_err misuse(struct qrt_cx *cx, void *arg)
{
	struct qrt_trace *trace = NULL;
	struct qrt_cx *narrow = qrt_cx_narrow(cx, QRT_CAP_ALL & ~(uint32_t)QRT_CAP_TRACE);
	pthread_t thread;
	void *refused = NULL;
	(void)arg;
	EXPECT(qrt_trace_start(narrow, 10) == QRT_ENOTCAPABLE);
	EXPECT(qrt_trace_stop(narrow, &trace) == QRT_ENOTCAPABLE);
	EXPECT(qrt_trace_start(cx, 0) == QRT_EINVAL);
	EXPECT(strstr(qrt_detail(cx), "0 steps"));
	EXPECT(qrt_trace_start(cx, QRT_TRACE_EVENTS_MAX + 1) == QRT_EINVAL);
	EXPECT(qrt_trace_stop(cx, &trace) == QRT_ESTATE);
	EXPECT(strstr(qrt_detail(cx), "is not being recorded"));
	EXPECT(!pthread_create(&thread, NULL, start_elsewhere, cx));
	pthread_join(thread, &refused);
	EXPECT(refused == cx);
	EXPECT(!trace);
	EXPECT(!qrt_trace_start(cx, 10));
	EXPECT(qrt_trace_start(cx, 10) == QRT_EBUSY);
	EXPECT(strstr(qrt_detail(cx), "is being recorded"));
	return QRT_OK; /* with the recording running: the runtime frees it */
}

static void misuse_is_refused_by_name(void **state)
{
	(void)state;
	on_each_backend(misuse, NULL);
}

static enum qrt_err short_write(struct qrt_cx *cx, void *arg)
{
	struct qrt_trace *trace = NULL;
	(void)arg;
	EXPECT(!qrt_trace_start(cx, 100000));
	for (int i = 0; i < 2000; i++) {
		EXPECT(!qrt_yield(cx));
	}
	EXPECT(!qrt_trace_stop(cx, &trace));
	struct text text = {.pieces_max = 3};
	EXPECT(qrt_trace_export(&trace, 1, append, &text) == QRT_EIO);
	EXPECT(text.pieces == 3);
	EXPECT(text.n > 0 && text.n <= 3 * 8192);
	free(text.data);
	qrt_trace_destroy(&trace);
	return QRT_OK;
}

static void an_error_of_the_writer_ends_the_export(void **state)
{
	(void)state;
	on_each_backend(short_write, NULL);
}

static enum qrt_err keeps(struct qrt_cx *cx, void *arg)
{
	return record(cx, 1000, arg);
}

static void a_recording_outlives_its_runtime(void **state)
{
	const struct qrt_runtime_options options = {.backend = "lab", .name = "gone"};
	struct qrt_trace *trace = NULL;
	struct qrt_runtime *rt;
	(void)state;
	assert_int_equal(qrt_runtime_open(&options, NULL, &rt), QRT_OK);
	assert_int_equal(qrt_run_main(rt, keeps, &trace), QRT_OK);
	qrt_runtime_close(&rt);
	cJSON *all = export(&trace, 1);
	assert_int_equal(is_sound(all), QRT_OK);
	assert_string_equal(string(get(first(all, "M", "process_name"), "args"), "name"),
			    "gone (lab)");
	cJSON_Delete(all);
	qrt_trace_destroy(&trace);
	qrt_trace_destroy(&trace);
	all = export(NULL, 0);
	assert_int_equal(cJSON_GetArraySize(get(all, "traceEvents")), 0);
	cJSON_Delete(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_recording_tells_what_tasks_and_regions_did),
	    cmocka_unit_test(a_ring_that_has_lost_the_beginning_is_still_balanced),
	    cmocka_unit_test(what_is_open_at_the_end_of_a_recording_ends_there),
	    cmocka_unit_test(odd_names_are_escaped),
	    cmocka_unit_test(recording_changes_nothing_of_the_labs_hash),
	    cmocka_unit_test(a_long_turn_is_in_the_recording_and_in_the_audit),
	    cmocka_unit_test(misuse_is_refused_by_name),
	    cmocka_unit_test(an_error_of_the_writer_ends_the_export),
	    cmocka_unit_test(a_recording_outlives_its_runtime),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
