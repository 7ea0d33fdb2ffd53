/*
 * On whose behalf a line is written: the correlation id and the path go along with a call, within a
 * runtime and across, into regions, tasks, lane jobs and further calls, as long as anybody may ask,
 * and no farther.
 */
#include <cjson/cJSON.h>
#include <pthread.h>
#include <qrt/lab.h>
#include <qrt/lane.h>
#include <qrt/switchboard.h>
#include <qrt/trace.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/backends.h"
#include "tests/lib/labs.h"
#include "tests/lib/lines.h"
#include "tests/lib/test.h"

enum { CALLERS = 4, CALLS = 8, DUMP_SIZE = 65536 };

/* --- two components: the outer one calls the inner one --------------------------------------- */

struct ask {
	struct qrt_msg msg;
	const char *own; /* an id of the handler's, or NULL */
	int64_t wait_ns;
	int n;		 /* 0: the whole tour, else one line with the number */
	const char *who; /* of that line */
	char *dump;	 /* of DUMP_SIZE bytes, or NULL */
};

/* The handler, or the job, has come as far as it does by itself. */
static _Atomic bool waits;

static struct site {
	struct qrt_switchboard *sb;
	struct qrt_port *outer, *inner;
	struct qrt_lane *lane;
} site;

static void ask_destroy(struct qrt_msg *msg)
{
	free(msg);
}

static enum qrt_err call(struct qrt_cx *cx, struct qrt_port *port, const struct ask *what)
{
	struct ask *ask = malloc(sizeof(*ask));
	struct qrt_msg *msg = &ask->msg, *reply = NULL;
	*ask = *what;
	ask->msg.destroy = ask_destroy;
	enum qrt_err err = qrt_call(cx, port, &msg, &reply);
	qrt_msg_destroy(&reply);
	return err;
}

static enum qrt_err say_in_job(struct qrt_job *job, void *arg)
{
	(void)arg;
	qrt_log_job(lines_log, job, QRT_LOG_INFO, "test", "job");
	return QRT_OK;
}

static enum qrt_err helper(struct qrt_cx *cx, void *arg)
{
	SAY(cx, arg);
	return QRT_OK;
}

static void say_finalized(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	SAY(cx, "finalized");
}

/* A region of the handler's own, correlated with @own if that is not NULL; a task in it. */
static enum qrt_err in_region(struct qrt_cx *cx, const char *own, char *message)
{
	const struct qrt_region_options opts = {.name = "part"};
	struct qrt_region *part;
	EXPECT(!qrt_region_open_with(cx, &opts, &part));
	if (own) {
		EXPECT(!qrt_log_correlate(qrt_region_cx(part), own));
	}
	SAY(qrt_region_cx(part), own ? "in its own" : "inside");
	enum qrt_err err = qrt_spawn_at(part, helper, message, "helper", QRT_SITE);
	return qrt_region_close(cx, &part, err);
}

static enum qrt_err tour(struct qrt_cx *cx, const struct ask *ask)
{
	EXPECT(!qrt_defer(cx, say_finalized, NULL));
	SAY(cx, "handled");
	EXPECT(!in_region(cx, NULL, "helped"));
	EXPECT(!qrt_blocking(cx, site.lane, say_in_job, NULL));
	EXPECT(!call(cx, site.inner, &(const struct ask){.who = "inner"}));
	if (ask->own) {
		EXPECT(!in_region(cx, ask->own, "owned"));
	}
	if (ask->dump) {
		QRT_IGNORE(qrt_dump(cx, ask->dump, DUMP_SIZE), "as much as fits");
	}
	atomic_store(&waits, true);
	return ask->wait_ns ? qrt_sleep(cx, ask->wait_ns) : QRT_OK;
}

static enum qrt_err outer_handle(struct qrt_cx *cx, void *state, struct qrt_msg *msg,
				 struct qrt_msg **ret_reply)
{
	const struct ask *ask = (const struct ask *)(void *)msg;
	enum qrt_err err;
	(void)state;
	if (ask->n) {
		err = qrt_yield(cx);
		qrt_log(lines_log, cx, QRT_LOG_INFO, "test", "one", QRT_LOG_INT("n", ask->n),
			QRT_LOG_TEXT("for", ask->who));
	} else {
		err = tour(cx, ask);
	}
	if (err) {
		qrt_msg_destroy(&msg);
		return err;
	}
	*ret_reply = msg;
	return QRT_OK;
}

static enum qrt_err inner_handle(struct qrt_cx *cx, void *state, struct qrt_msg *msg,
				 struct qrt_msg **ret_reply)
{
	(void)state;
	SAY(cx, "called on");
	*ret_reply = msg;
	return QRT_OK;
}

static enum qrt_err outer_start(struct qrt_cx *cx, struct qrt_region *home, void *env,
				void **ret_state)
{
	(void)home;
	*ret_state = env;
	return qrt_lane_open(cx, "files", 1, 8, &site.lane);
}

static enum qrt_err outer_resume(struct qrt_cx *cx, void *state)
{
	(void)state;
	SAY(cx, "resumed");
	return QRT_OK;
}

static enum qrt_err outer_drain(struct qrt_cx *cx, void *state)
{
	(void)cx, (void)state;
	return QRT_OK;
}

static void outer_stop(struct qrt_cx *cx, void *state)
{
	(void)state;
	qrt_lane_close(cx, &site.lane);
}

static enum qrt_err inner_start(struct qrt_cx *cx, struct qrt_region *home, void *env,
				void **ret_state)
{
	(void)cx, (void)home;
	*ret_state = env;
	return QRT_OK;
}

static void inner_stop(struct qrt_cx *cx, void *state)
{
	(void)cx, (void)state;
}

static const struct qrt_component outer = {
    .name = "outer",
    .caps = QRT_CAP_TIME | QRT_CAP_SPAWN | QRT_CAP_BLOCKING | QRT_CAP_CALL | QRT_CAP_TRACE,
    .start = outer_start,
    .resume = outer_resume,
    .drain = outer_drain,
    .stop = outer_stop,
    .handle = outer_handle,
};
static const struct qrt_component inner = {
    .name = "inner",
    .caps = QRT_CAP_TIME,
    .start = inner_start,
    .stop = inner_stop,
    .handle = inner_handle,
};

/* --- places: one runtime, several, several in a lab ------------------------------------------ */

struct play {
	qrt_task_fn *fn;
	void *arg;
	const char *outer_at, *inner_at; /* places; NULL: the runtime that plays */
};

/* A task of @name in a region "request" that is correlated with @id, unless that is NULL. */
static enum qrt_err on_behalf(struct qrt_cx *cx, const char *id, const char *name, qrt_task_fn *fn,
			      void *arg)
{
	const struct qrt_region_options opts = {.name = "request"};
	struct qrt_region *request;
	EXPECT(!qrt_region_open_with(cx, &opts, &request));
	if (id) {
		EXPECT(!qrt_log_correlate(qrt_region_cx(request), id));
	}
	enum qrt_err err = qrt_spawn_at(request, fn, arg, name, QRT_SITE);
	return qrt_region_close(cx, &request, err);
}

static enum qrt_err cancel_it(struct qrt_cx *cx, void *arg)
{
	while (!atomic_load(&waits)) {
		EXPECT(!qrt_sleep(cx, 100000));
	}
	qrt_region_cancel(arg, QRT_CANCEL_USER, "enough");
	return QRT_OK;
}

/* The same, and cancels it once it waits. */
static enum qrt_err on_behalf_until(struct qrt_cx *cx, const char *id, qrt_task_fn *fn, void *arg)
{
	const struct qrt_region_options opts = {.name = "request", .policy = QRT_COLLECT};
	struct qrt_region *watch, *request;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &watch));
	EXPECT(!qrt_region_open_with(cx, &opts, &request));
	EXPECT(!qrt_log_correlate(qrt_region_cx(request), id));
	EXPECT(!qrt_spawn_at(watch, cancel_it, request, "watch", QRT_SITE));
	enum qrt_err err = qrt_spawn_at(request, fn, arg, "caller", QRT_SITE);
	err = qrt_region_close(cx, &request, err);
	EXPECT(!qrt_region_close(cx, &watch, QRT_OK));
	return err;
}

static enum qrt_err move(struct qrt_cx *cx, void *arg)
{
	const struct play *play = arg;
	struct qrt_move done;
	EXPECT(!qrt_switchboard_move(cx, site.sb, "outer", play->outer_at, "test", "", &done));
	return qrt_switchboard_move(cx, site.sb, "inner", play->inner_at, "test", "", &done);
}

static enum qrt_err play_main(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	if (!play->outer_at) {
		play->outer_at = play->inner_at = "here";
		EXPECT(!qrt_switchboard_add_runtime(site.sb, "here", qrt_cx_runtime(cx)));
	}
	EXPECT(!qrt_switchboard_add_component(site.sb, &outer, &site));
	EXPECT(!qrt_switchboard_add_component(site.sb, &inner, &site));
	site.outer = qrt_switchboard_port(site.sb, "outer");
	site.inner = qrt_switchboard_port(site.sb, "inner");
	enum qrt_err err = on_behalf(cx, "cor-move", "mover", move, play);
	err = err ? err : play->fn(cx, play->arg);
	enum qrt_err stopped = qrt_switchboard_stop(cx, site.sb);
	return err ? err : stopped;
}

static void in_one_runtime(const char *backend, qrt_task_fn *fn, void *arg)
{
	struct play play = {.fn = fn, .arg = arg};
	lines_begin();
	assert_int_equal(qrt_switchboard_create(NULL, &site.sb), QRT_OK);
	assert_int_equal(on_backend(backend, play_main, &play), QRT_OK);
	qrt_switchboard_destroy(&site.sb);
	lines_end();
}

static struct qrt_runtime *open_runtime(const char *backend, const char *name)
{
	const struct qrt_runtime_options opts = {.backend = backend, .name = name};
	struct qrt_runtime *rt;
	assert_int_equal(qrt_runtime_open(&opts, NULL, &rt), QRT_OK);
	return rt;
}

/* Plays on @host, with the components on @a and @b; closes all three. */
static void in_three_runtimes(struct qrt_runtime *host, struct qrt_runtime *a,
			      struct qrt_runtime *b, qrt_task_fn *fn, void *arg)
{
	struct play play = {.fn = fn, .arg = arg, .outer_at = "a", .inner_at = "b"};
	lines_begin();
	assert_int_equal(qrt_switchboard_create(NULL, &site.sb), QRT_OK);
	assert_int_equal(qrt_runtime_start(a), QRT_OK);
	assert_int_equal(qrt_runtime_start(b), QRT_OK);
	assert_int_equal(qrt_switchboard_add_runtime(site.sb, "a", a), QRT_OK);
	assert_int_equal(qrt_switchboard_add_runtime(site.sb, "b", b), QRT_OK);
	assert_int_equal(qrt_run_main(host, play_main, &play), QRT_OK);
	assert_int_equal(qrt_shutdown(a, 5 * QRT_SEC), QRT_OK);
	assert_int_equal(qrt_shutdown(b, 5 * QRT_SEC), QRT_OK);
	qrt_switchboard_destroy(&site.sb);
	qrt_runtime_close(&a);
	qrt_runtime_close(&b);
	qrt_runtime_close(&host);
	lines_end();
}

/* Returns the lab's hash. */
static uint64_t in_a_lab(uint64_t seed, qrt_task_fn *fn, void *arg)
{
	const struct qrt_lab_options opts = {.seed = seed};
	struct qrt_lab *lab = lab_open(&opts);
	struct qrt_lab_stats stats;
	in_three_runtimes(lab_runtime(lab, "lab", "host"), lab_runtime(lab, "lab-legacy", "a"),
			  lab_runtime(lab, "lab", "b"), fn, arg);
	qrt_lab_stats(lab, &stats);
	qrt_lab_close(&lab);
	return stats.hash;
}

/* Each backend by itself, each pair of real ones beside each other, and three in a lab. */
static void everywhere(qrt_task_fn *fn, void *arg)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		in_one_runtime(names[i], fn, arg);
	}
	names = real_backends(&n);
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++) {
			in_three_runtimes(open_runtime(names[i], "host"),
					  open_runtime(names[j], "a"), open_runtime(names[i], "b"),
					  fn, arg);
		}
	}
	(void)in_a_lab(1, fn, arg);
}

/* --- lines of a call
 * ------------------------------------------------------------------------------ */

static enum qrt_err ask_tour(struct qrt_cx *cx, void *arg)
{
	EXPECT(!call(cx, site.outer, arg));
	SAY(cx, "back");
	return QRT_OK;
}

static enum qrt_err with_an_id(struct qrt_cx *cx, void *arg)
{
	struct ask ask = {.own = "cor-own"};
	(void)arg;
	EXPECT(!on_behalf(cx, "cor-7", "caller", ask_tour, &ask));
#define FROM "correlation=cor-7 path=\"request/caller > outer/"
	EXPECT(lines_say("handled", FROM "outer\""));
	EXPECT(lines_say("finalized", FROM "outer\""));
	EXPECT(lines_say("inside", FROM "part/outer\""));
	EXPECT(lines_say("helped", FROM "part/helper\""));
	EXPECT(lines_say("job", FROM "outer > files\""));
	EXPECT(lines_say("called on", FROM "outer > inner/inner\""));
	EXPECT(lines_say("in its own",
			 "correlation=cor-own path=\"request/caller > outer/part/outer\""));
	EXPECT(
	    lines_say("owned", "correlation=cor-own path=\"request/caller > outer/part/helper\""));
	EXPECT(lines_say("back", "correlation=cor-7 path=request/caller"));
	/* A command may be left by who gave it. */
	EXPECT(lines_say("resumed", "path=\"outer/component resume\""));
	return QRT_OK;
}

static void all_that_a_callee_does_carries_the_id_of_the_caller(void **state)
{
	(void)state;
	everywhere(with_an_id, NULL);
}

static enum qrt_err any_tour(struct qrt_cx *cx, void *arg)
{
	struct ask ask = {0};
	return on_behalf(cx, arg, "caller", ask_tour, &ask);
}

static enum qrt_err without_an_id(struct qrt_cx *cx, void *arg)
{
	EXPECT(!any_tour(cx, arg));
	EXPECT(lines_say("handled", "path=\"request/caller > outer/outer\""));
	EXPECT(lines_say("job", "path=\"request/caller > outer/outer > files\""));
	EXPECT(lines_say("called on", "path=\"request/caller > outer/outer > inner/inner\""));
	return QRT_OK;
}

static void without_an_id_there_is_the_path(void **state)
{
	(void)state;
	everywhere(without_an_id, NULL);
}

static enum qrt_err ask_often(struct qrt_cx *cx, void *arg)
{
	for (int i = 1; i <= CALLS; i++) {
		EXPECT(!call(cx, site.outer, &(const struct ask){.n = i, .who = arg}));
	}
	return QRT_OK;
}

/* Its callees may be asking for the id at that very moment. */
static enum qrt_err correlate_again(struct qrt_cx *cx, void *arg)
{
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < CALLS && !err; i++) {
		err = qrt_log_correlate(cx, arg);
		err = err ? err : qrt_sleep(cx, 10000);
	}
	return err;
}

static enum qrt_err own_request(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *request;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &request));
	EXPECT(!qrt_log_correlate(qrt_region_cx(request), arg));
	EXPECT(!qrt_spawn(request, ask_often, arg));
	EXPECT(!qrt_spawn(request, correlate_again, arg));
	return qrt_region_close(cx, &request, QRT_OK);
}

static enum qrt_err several_callers(struct qrt_cx *cx, void *arg)
{
	char *const ids[CALLERS] = {"cor-a", "cor-b", "cor-c", "cor-d"};
	struct qrt_region *region;
	int right = 0;
	(void)arg;
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (int i = 0; i < CALLERS; i++) {
		EXPECT(!qrt_spawn_at(region, own_request, ids[i], "asker", QRT_SITE));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	for (const char *at = lines_text(); (at = strstr(at, " for=")); at++) {
		const char *id = strstr(at, " correlation=");
		EXPECT(id && strncmp(at + strlen(" for="), id + strlen(" correlation="), 5) == 0);
		right++;
	}
	EXPECT(right == CALLERS * CALLS);
	return QRT_OK;
}

static void callers_at_the_same_time_are_not_mixed_up(void **state)
{
	(void)state;
	everywhere(several_callers, NULL);
}

static enum qrt_err ask_only(struct qrt_cx *cx, void *arg)
{
	return call(cx, site.outer, arg);
}

static enum qrt_err too_late(struct qrt_cx *cx, void *arg)
{
	struct ask ask = {.wait_ns = 3600 * QRT_SEC};
	(void)arg;
	atomic_store(&waits, false);
	EXPECT(on_behalf_until(cx, "cor-late", ask_only, &ask) == QRT_ECANCELED);
	EXPECT(lines_say("finalized",
			 "correlation=cor-late path=\"main/request/caller > outer/outer\""));
	return QRT_OK;
}

static void the_end_of_a_callee_that_was_cancelled_carries_it_too(void **state)
{
	(void)state;
	everywhere(too_late, NULL);
}

static void an_id_changes_nothing_of_a_run_in_the_lab(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		uint64_t hash = in_a_lab(seed, any_tour, NULL);
		char *without = strdup(lines_text());
		assert_true(hash == in_a_lab(seed, any_tour, "cor-7"));
		assert_string_not_equal(without, lines_text());
		free(without);
	}
}

/* --- jobs that are left
 * --------------------------------------------------------------------------- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool open;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

static void set_gate(bool open)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = open;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static enum qrt_err wait_at_gate(struct qrt_job *job, void *arg)
{
	(void)arg;
	qrt_log_job(lines_log, job, QRT_LOG_INFO, "test", "begun");
	atomic_store(&waits, true);
	pthread_mutex_lock(&gate.lock);
	while (!gate.open) {
		pthread_cond_wait(&gate.changed, &gate.lock);
	}
	pthread_mutex_unlock(&gate.lock);
	qrt_log_job(lines_log, job, QRT_LOG_INFO, "test", "left");
	return QRT_OK;
}

static enum qrt_err leave(struct qrt_cx *cx, void *arg)
{
	const struct qrt_job_options opts = {.drop = free, .grace_ns = QRT_MS};
	return qrt_blocking_detachable(cx, site.lane, &opts, wait_at_gate, arg);
}

static enum qrt_err leave_and_go_on(struct qrt_cx *cx, void *arg)
{
	EXPECT(!qrt_lane_open(cx, "slow", 1, 1, &site.lane));
	atomic_store(&waits, false);
	set_gate(false);
	enum qrt_err err = on_behalf_until(cx, "cor-left", leave, arg);
	set_gate(true); /* by now nothing of the request is left */
	qrt_lane_close(cx, &site.lane);
	return err == QRT_ECANCELED ? QRT_OK : QRT_EFAILED;
}

static void a_job_that_was_left_keeps_the_id(void **state)
{
	size_t n;
	const char *const *names = real_backends(&n);
	(void)state;
	for (size_t i = 0; i < n; i++) {
		lines_begin();
		assert_int_equal(on_backend(names[i], leave_and_go_on, NULL), QRT_OK);
		assert_true(
		    lines_say("begun", "correlation=cor-left path=\"main/request/caller > slow\""));
		assert_true(lines_say("left", "correlation=cor-left path=slow"));
		lines_end();
	}
}

/* --- ids and paths of any length
 * ------------------------------------------------------------------- */

static enum qrt_err odd_ids(struct qrt_cx *cx, void *arg)
{
	char id[QRT_LOG_CORRELATION_MAX + 64], expected[512];
	(void)arg;
	memset(id, 'i', sizeof(id));
	id[sizeof(id) - 1] = '\0';
	memcpy(id + QRT_LOG_CORRELATION_MAX - 1, "\xc3\xa4", 2); /* over the edge */
	EXPECT(!on_behalf(cx, id, "caller", helper, "long"));
	snprintf(expected, sizeof(expected), "correlation=%.*s path=request/caller",
		 QRT_LOG_CORRELATION_MAX - 1, id);
	EXPECT(lines_say("long", expected));
	EXPECT(!on_behalf(cx, "a\n2026 b=\"c\"", "caller", helper, "odd"));
	EXPECT(lines_say("odd", "correlation=\"a\\n2026 b=\\\"c\\\"\" path=request/caller"));
	EXPECT(!on_behalf(cx, "qk_01234567_abcdef", "caller", helper, "secret"));
	EXPECT(lines_say("secret", "correlation=qk_01234567_*** path=request/caller"));
	return QRT_OK;
}

static enum qrt_err long_path(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options opts = {.name = "a region of some length, among others"};
	struct qrt_region *region[9];
	struct qrt_log_line line = {0};
	char path[QRT_LOG_PATH_SIZE], small[12];
	(void)arg;
	for (size_t i = 0; i < 9; i++) {
		EXPECT(!qrt_region_open_with(cx, &opts, &region[i]));
	}
	qrt_log_line_of(&line, qrt_region_cx(region[8]), path, sizeof(path));
	EXPECT(line.path == path && strlen(path) < sizeof(path) && strlen(path) > 200);
	EXPECT(strncmp(path, ".../a region", 12) == 0 || strncmp(path, "...a region", 11) == 0);
	EXPECT(strcmp(path + strlen(path) - 12, " others/main") == 0);
	qrt_log_line_of(&line, qrt_region_cx(region[8]), small, sizeof(small));
	EXPECT(strcmp(small, ".../main") == 0);
	for (size_t i = 9; i-- > 0;) {
		EXPECT(!qrt_region_close(cx, &region[i], QRT_OK));
	}
	return QRT_OK;
}

static void ids_and_paths_are_cut_and_cannot_break_a_line(void **state)
{
	(void)state;
	lines_begin();
	assert_int_equal(on_backend("lab", odd_ids, NULL), QRT_OK);
	assert_int_equal(on_backend("lab", long_path, NULL), QRT_OK);
	lines_end();
}

/* --- dumps
 * ------------------------------------------------------------------------------------------ */

/* The object below @from whose task is @name and not at rest, as a component's resident is. */
static const cJSON *find_task(const cJSON *from, const char *name)
{
	const cJSON *task = cJSON_GetObjectItemCaseSensitive(from, "task");
	const cJSON *on = cJSON_GetObjectItemCaseSensitive(from, "waits_for");
	bool rests = cJSON_IsString(on) && strcmp(on->valuestring, "event") == 0;
	if (cJSON_IsString(task) && strcmp(task->valuestring, name) == 0 && !rests) {
		return from;
	}
	for (const cJSON *at = from ? from->child : NULL; at; at = at->next) {
		const cJSON *found = find_task(at, name);
		if (found) {
			return found;
		}
	}
	return NULL;
}

static bool dump_says(const char *text, const char *task, const char *id)
{
	cJSON *dump = cJSON_Parse(text);
	const cJSON *found = find_task(dump, task);
	const cJSON *correlation = cJSON_GetObjectItemCaseSensitive(found, "correlation");
	bool right =
	    found && (id ? cJSON_IsString(correlation) && strcmp(correlation->valuestring, id) == 0
			 : !correlation);
	if (!right) {
		fprintf(stderr, "task %s has not %s in\n%s\n", task, id ? id : "no id", text);
	}
	cJSON_Delete(dump);
	return right;
}

static enum qrt_err dumped(struct qrt_cx *cx, void *arg)
{
	static char text[DUMP_SIZE]; /* too large for a task's stack */
	struct ask ask = {.dump = text};
	(void)arg;
	EXPECT(!on_behalf(cx, "cor-\"\n\xff-d", "caller", ask_tour, &ask));
	/* A byte that is no UTF-8 is shown as the code point of its number. */
	EXPECT(dump_says(text, "outer", "cor-\"\n\xc3\xbf-d"));
	bool together = strstr(text, "\"task\":\"caller\"") != NULL;
	EXPECT(!together || dump_says(text, "caller", "cor-\"\n\xc3\xbf-d"));
	EXPECT(!together || dump_says(text, "main", "cor-\"\n\xc3\xbf-d"));
	EXPECT(!on_behalf(cx, "qk_01234567_abcdef", "caller", ask_tour, &ask));
	EXPECT(dump_says(text, "outer", "qk_01234567_***"));
	EXPECT(!on_behalf(cx, NULL, "caller", ask_tour, &ask));
	EXPECT(dump_says(text, "outer", NULL));
	return QRT_OK;
}

static void a_dump_shows_on_whose_behalf_a_task_runs(void **state)
{
	(void)state;
	everywhere(dumped, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_that_a_callee_does_carries_the_id_of_the_caller),
	    cmocka_unit_test(without_an_id_there_is_the_path),
	    cmocka_unit_test(callers_at_the_same_time_are_not_mixed_up),
	    cmocka_unit_test(the_end_of_a_callee_that_was_cancelled_carries_it_too),
	    cmocka_unit_test(an_id_changes_nothing_of_a_run_in_the_lab),
	    cmocka_unit_test(a_job_that_was_left_keeps_the_id),
	    cmocka_unit_test(ids_and_paths_are_cut_and_cannot_break_a_line),
	    cmocka_unit_test(a_dump_shows_on_whose_behalf_a_task_runs),
	};
	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
