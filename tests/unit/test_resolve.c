/*
 * Name lookup: the system's resolver on the real backends, a table and its faults in the lab; a
 * caller leaves at once, and nothing is left of it but the lookup itself.
 */
#include <qrt/lab.h>
#include <qrt/resolve.h>
#include <qrt/stream.h>
#include <qrt/trial.h>
#include <stdio.h>
#include <string.h>

#include "shim/src/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/labs.h"
#include "tests/lib/test.h"

static bool has(const struct qrt_address *address, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(address[i].text, text) == 0) {
			return true;
		}
	}
	return false;
}

/* --- everywhere ------------------------------------------------------------------------------ */

static enum qrt_err play_numeric(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	static const char *const hosts[] = {"127.0.0.1", "::1", "2001:db8::17"};
	struct qrt_audit before, after;
	for (size_t i = 0; i < 3; i++) {
		struct qrt_address address;
		size_t n = 0;
		qrt_runtime_audit(qrt_cx_runtime(cx), &before);
		EXPECT(!qrt_resolve(cx, hosts[i], &address, 1, &n));
		qrt_runtime_audit(qrt_cx_runtime(cx), &after);
		EXPECT(n == 1 && strcmp(address.text, hosts[i]) == 0);
		EXPECT(before.ops_started == after.ops_started); /* at once */
	}
	return QRT_OK;
}

static void a_numeric_address_is_its_own_at_once(void **state)
{
	(void)state;
	on_each_backend(play_numeric, NULL);
}

static enum qrt_err play_localhost(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_address address[8];
	size_t n = 0;
	EXPECT(!qrt_resolve(cx, "localhost", address, 8, &n));
	EXPECT(n >= 1 && (has(address, n, "127.0.0.1") || has(address, n, "::1")));
	EXPECT(!qrt_resolve(cx, "localhost", address, 1, &n) && n == 1); /* the rest is cut */
	/* What came out is what connect takes. */
	int fd;
	uint16_t port;
	struct qrt_stream *stream;
	EXPECT(!qrt_socket_listen(cx, address[0].text, 0, &fd, &port));
	EXPECT(!qrt_connect(cx, address[0].text, port, &stream));
	qrt_stream_close(cx, &stream);
	qrt_socket_close(cx, fd);
	return QRT_OK;
}

static void localhost_is_found(void **state)
{
	(void)state;
	on_each_backend(play_localhost, NULL);
}

static enum qrt_err play_nowhere(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_address address;
	size_t n = 7;
	enum qrt_err err = qrt_resolve(cx, "no-such-host.invalid", &address, 1, &n);
	/* Without a name server at all the system cannot know that there is none. */
	EXPECT(err == QRT_ENOENT || (err == QRT_EAGAIN && !qrt_in_lab(cx)));
	EXPECT(strstr(qrt_detail(cx), "look up no-such-host.invalid: ") == qrt_detail(cx));
	EXPECT(n == 7);
	return QRT_OK;
}

static void a_name_that_is_none_is_an_error_of_its_own(void **state)
{
	(void)state;
	on_each_backend(play_nowhere, NULL);
}

static enum qrt_err play_bad_names(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_address address;
	size_t n = 7;
	char text[QRT_HOST_MAX + 2];
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	EXPECT(qrt_resolve(cx, "", &address, 1, &n) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "a host name of 0 bytes") == 0);
	EXPECT(qrt_resolve(cx, text, &address, 1, &n) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "a host name of more than 253 bytes") == 0);
	EXPECT(qrt_resolve(cx, "a b", &address, 1, &n) == QRT_EINVAL);
	EXPECT(strcmp(qrt_detail(cx), "host name, byte 2: not of a name") == 0);
	EXPECT(qrt_resolve(cx, "a\xc3\xa4", &address, 1, &n) == QRT_EINVAL);
	struct qrt_cx *narrow = qrt_cx_narrow(cx, QRT_CAP_ALL & ~(uint32_t)QRT_CAP_NET);
	EXPECT(qrt_resolve(narrow, "::1", &address, 1, &n) == QRT_ENOTCAPABLE);
	EXPECT(n == 7);
	return QRT_OK;
}

static void what_cannot_be_a_name_is_refused(void **state)
{
	(void)state;
	on_each_backend(play_bad_names, NULL);
}

/* --- leaving --------------------------------------------------------------------------------- */

struct asker {
	const char *host;
	enum qrt_err err;
	size_t n;
	bool ended;
};

static enum qrt_err asks(struct qrt_cx *cx, void *arg)
{
	struct asker *asker = arg;
	struct qrt_address address[4];
	asker->err = qrt_resolve(cx, asker->host, address, 4, &asker->n);
	asker->ended = true;
	return QRT_OK;
}

enum { ASKERS = QRT_LOOKUPS_MAX + 4 };

/* They are cancelled before any poll: no lookup can have answered by then. */
static enum qrt_err play_leaving(struct qrt_cx *cx, void *arg)
{
	struct asker asker[ASKERS];
	struct qrt_region *region;
	int busy = 0, left = 0;
	(void)arg;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < ASKERS; i++) {
		asker[i] = (struct asker){.host = "localhost"};
		EXPECT(!qrt_spawn(region, asks, &asker[i]));
	}
	bool all = qrt_in_lab(cx); /* where no time passes meanwhile */
	for (int i = 0; i < 200 && (all || qrt_cx_runtime(cx)->lookups < QRT_LOOKUPS_MAX); i++) {
		EXPECT(!qrt_yield(cx));
	}
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	for (int i = 0; i < ASKERS; i++) {
		EXPECT(asker[i].ended);
		busy += asker[i].err == QRT_EBUSY;
		left += asker[i].err == QRT_ECANCELED;
		EXPECT(asker[i].err || asker[i].n > 0);
	}
	EXPECT(left > 0 && busy <= ASKERS - QRT_LOOKUPS_MAX);
	EXPECT(!all || (left == QRT_LOOKUPS_MAX && busy == ASKERS - QRT_LOOKUPS_MAX));
	/* Those that were left count until they have ended; then others may ask again. */
	for (int i = 0; i < 10000 && qrt_cx_runtime(cx)->lookups > 0; i++) {
		EXPECT(!qrt_sleep(cx, QRT_MS));
	}
	EXPECT(qrt_cx_runtime(cx)->lookups == 0);
	EXPECT(!asks(cx, &asker[0]) && !asker[0].err && asker[0].n > 0);
	return QRT_OK;
}

static void who_is_cancelled_leaves_and_the_lookup_ends_by_itself(void **state)
{
	(void)state;
	on_each_backend(play_leaving, NULL);
}

/* The runtime is closed over lookups that nobody waits for. */
static enum qrt_err play_left_to_the_end(struct qrt_cx *cx, void *arg)
{
	struct asker asker[4];
	struct qrt_region *region;
	(void)arg;
	EXPECT(!qrt_region_open(cx, QRT_COLLECT, &region));
	for (int i = 0; i < 4; i++) {
		asker[i] = (struct asker){.host = "no-such-host.invalid"};
		EXPECT(!qrt_spawn(region, asks, &asker[i]));
	}
	for (int i = 0; i < 1000 && qrt_cx_runtime(cx)->lookups < 4; i++) {
		EXPECT(!qrt_yield(cx));
	}
	qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	return qrt_region_close(cx, &region, QRT_OK);
}

static void a_runtime_may_be_closed_over_what_was_left(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		on_each_backend(play_left_to_the_end, NULL);
	}
}

/* --- the lab --------------------------------------------------------------------------------- */

struct play {
	struct qrt_lab_faults faults;
	enum qrt_err err[20];
	int64_t took_ns[20];
	int ok, again, none, slow;
};

static enum qrt_err play_table(struct qrt_cx *cx, void *arg)
{
	struct qrt_lab *lab = qrt_cx_lab(cx);
	static const char *const two[] = {"10.0.0.1", "2001:db8::1", NULL};
	static const char *const bad[] = {"10.0.0.1", "ten", NULL};
	static const char *const none[] = {NULL};
	static const char *const nine[] = {"::1", "::2", "::3", "::4", "::5",
					   "::6", "::7", "::8", "::9", NULL};
	struct qrt_address address[4];
	size_t n = 0;
	(void)arg;
	EXPECT(!qrt_lab_name(lab, "slack.test", two));
	EXPECT(!qrt_resolve(cx, "Slack.TEST", address, 4, &n) && n == 2);
	EXPECT(strcmp(address[0].text, two[0]) == 0 && strcmp(address[1].text, two[1]) == 0);
	EXPECT(qrt_lab_name(lab, "slack.test", bad) == QRT_EINVAL);
	EXPECT(qrt_lab_name(lab, "slack.test", none) == QRT_EINVAL);
	EXPECT(qrt_lab_name(lab, "slack.test", nine) == QRT_EINVAL);
	EXPECT(qrt_lab_name(lab, "", two) == QRT_EINVAL);
	EXPECT(!qrt_resolve(cx, "slack.test", address, 4, &n) && n == 2); /* as it was */
	EXPECT(!qrt_lab_name(lab, "slack.test", two + 1));
	EXPECT(!qrt_resolve(cx, "slack.test", address, 4, &n) && n == 1);
	EXPECT(!qrt_lab_name(lab, "slack.test", NULL));
	EXPECT(qrt_resolve(cx, "slack.test", address, 4, &n) == QRT_ENOENT);
	enum qrt_err err = QRT_OK;
	int added = 0;
	while (!err) {
		char host[16];
		snprintf(host, sizeof(host), "h%d", added);
		err = qrt_lab_name(lab, host, two);
		added += !err;
	}
	EXPECT(err == QRT_ELIMIT && added == 1024);
	return QRT_OK;
}

static enum qrt_err play_faults(struct qrt_cx *cx, void *arg)
{
	struct play *play = arg;
	struct qrt_address address[4];
	for (int i = 0; i < 20; i++) {
		int64_t before, after;
		size_t n;
		EXPECT(!qrt_now(cx, &before));
		enum qrt_err err = qrt_resolve(cx, "localhost", address, 4, &n);
		EXPECT(!qrt_now(cx, &after) && after > before);
		play->ok += !err;
		play->again += err == QRT_EAGAIN;
		play->none += err == QRT_ENOENT;
		play->slow += after - before >= 20 * QRT_SEC;
	}
	return play->ok + play->again + play->none == 20 ? QRT_OK : QRT_EFAILED;
}

static enum qrt_err play_deadline(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options opts = {
	    .budget = {.deadline_ns = qrt_deadline_in(cx, QRT_SEC)}};
	const struct qrt_lab_faults faults = {.partition = true};
	struct qrt_region *region;
	struct qrt_address address;
	int64_t before, after;
	size_t n;
	(void)arg;
	EXPECT(!qrt_lab_set_faults(qrt_cx_lab(cx), &faults));
	EXPECT(!qrt_now(cx, &before));
	EXPECT(!qrt_region_open_with(cx, &opts, &region));
	EXPECT(qrt_resolve(qrt_region_cx(region), "far.test", &address, 1, &n) == QRT_ETIMEDOUT);
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "its deadline has passed");
	EXPECT(!qrt_now(cx, &after) && after - before == QRT_SEC);
	EXPECT(qrt_resolve(cx, "far.test", &address, 1, &n) == QRT_EAGAIN);
	return QRT_OK;
}

static void the_lab_answers_from_its_table(void **state)
{
	const struct qrt_lab_faults none = {.cut = 0};
	(void)state;
	for (uint64_t seed = 0; seed < 4; seed++) {
		lab_hash(seed, &none, play_table, NULL);
		lab_hash(seed, &none, play_deadline, NULL);
	}
}

static void the_lab_fails_in_each_way_a_resolver_does(void **state)
{
	const struct qrt_lab_faults faults = {.lookup_fail = 500};
	struct play all = {.ok = 0};
	(void)state;
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct play first = {.ok = 0}, second = {.ok = 0};
		uint64_t hash = lab_hash(seed, &faults, play_faults, &first);
		assert_true(hash == lab_hash(seed, &faults, play_faults, &second));
		assert_int_equal(first.slow, second.slow);
		all.ok += first.ok;
		all.none += first.none;
		all.again += first.again;
		all.slow += first.slow;
	}
	assert_true(all.ok > 50 && all.none > 5 && all.again > 5 && all.slow > 5);
	assert_true(all.again > all.slow);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_numeric_address_is_its_own_at_once),
	    TEST(localhost_is_found),
	    TEST(a_name_that_is_none_is_an_error_of_its_own),
	    TEST(what_cannot_be_a_name_is_refused),
	    TEST(who_is_cancelled_leaves_and_the_lookup_ends_by_itself),
	    TEST(a_runtime_may_be_closed_over_what_was_left),
	    TEST(the_lab_answers_from_its_table),
	    TEST(the_lab_fails_in_each_way_a_resolver_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
