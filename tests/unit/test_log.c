/*
 * The log: what a line looks like, that nothing in a value can break out of it, that secrets stay
 * out, and that neither a full pipe nor a broken one holds up or ends who logs.
 */
#include "tests/lib/backends.h"
#include "tests/lib/test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <qrt/log.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quotey/json/json.h"

#define T0 INT64_C(1767323045678) /* 2026-01-02T03:04:05.678Z */

/* --- a log into memory ----------------------------------------------------------------------- */

static struct memory {
	char text[65536];
	size_t n;
	int64_t now_ms;
} memory;

static void keep(void *arg, const char *text, size_t n)
{
	struct memory *to = arg;

	assert_true(n < sizeof(to->text) - to->n);
	assert_int_equal(text[n - 1], '\n');
	memcpy(to->text + to->n, text, n);
	to->n += n;
	to->text[to->n] = '\0';
}

static int64_t now(void *arg)
{
	return ((struct memory *)arg)->now_ms;
}

static struct qrt_log *open_log(enum qrt_log_format format, const char *levels)
{
	const struct qrt_log_options opts = {
	    .format = format, .levels = levels, .sink = keep, .clock = now, .arg = &memory};
	struct qrt_log *log = NULL;

	memory = (struct memory){.now_ms = T0};
	assert_int_equal(qrt_log_open(&opts, NULL, &log), QRT_OK);
	return log;
}

static void assert_written(struct qrt_log **log, const char *text)
{
	qrt_log_close(log);
	assert_null(*log);
	assert_string_equal(memory.text, text);
}

/* --- formats --------------------------------------------------------------------------------- */

static void log_sample(struct qrt_log *log)
{
	const struct qrt_log_field fields[] = {QRT_LOG_TEXT("to", "region"),
					       QRT_LOG_TEXT("why", "a try"),
					       QRT_LOG_INT("ms", -7),
					       QRT_LOG_TEXT("none", ""),
					       {0}};

	qrt_log_write(log, &(struct qrt_log_line){.level = QRT_LOG_WARN,
						  .component = "host",
						  .message = "moved",
						  .fields = fields,
						  .correlation = "cor-1",
						  .path = "server/http request"});
	qrt_log(log, NULL, QRT_LOG_INFO, "db", "ready");
}

static void a_compact_line_shows_what_can_be_bare_bare(void **state)
{
	struct qrt_log *log = open_log(QRT_LOG_COMPACT, NULL);

	(void)state;
	log_sample(log);
	assert_written(&log, "2026-01-02T03:04:05.678Z warn host: moved to=region why=\"a try\" "
			     "ms=-7 none=\"\" correlation=cor-1 path=\"server/http request\"\n"
			     "2026-01-02T03:04:05.678Z info db: ready\n");
}

static void a_pretty_line_has_columns_and_a_second_line(void **state)
{
	struct qrt_log *log = open_log(QRT_LOG_PRETTY, NULL);

	(void)state;
	log_sample(log);
	assert_written(&log, "03:04:05.678  warn   host      moved\n"
			     "              to=region why=\"a try\" ms=-7 none=\"\" "
			     "correlation=cor-1 path=\"server/http request\"\n"
			     "03:04:05.678  info   db        ready\n");
}

static void a_json_line_is_one_object(void **state)
{
	struct qrt_log *log = open_log(QRT_LOG_JSON, NULL);

	(void)state;
	log_sample(log);
	assert_written(&log,
		       "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"warn\","
		       "\"component\":\"host\",\"message\":\"moved\",\"correlation\":\"cor-1\","
		       "\"path\":\"server/http request\",\"to\":\"region\",\"why\":\"a try\","
		       "\"ms\":-7,\"none\":\"\"}\n"
		       "{\"time\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\","
		       "\"component\":\"db\",\"message\":\"ready\"}\n");
}

static void times_are_right_at_the_edges_of_months_and_years(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} times[] = {
	    {1, "1970-01-01T00:00:00.001Z"},
	    {INT64_C(951782399999), "2000-02-28T23:59:59.999Z"},
	    {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
	    {INT64_C(1709251199000), "2024-02-29T23:59:59.000Z"},
	    {INT64_C(4107542399999), "2100-02-28T23:59:59.999Z"},
	    {INT64_C(4107542400000), "2100-03-01T00:00:00.000Z"},
	    {INT64_C(1798761599999), "2026-12-31T23:59:59.999Z"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct qrt_log *log = open_log(QRT_LOG_COMPACT, NULL);

		memory.now_ms = times[i].ms;
		qrt_log(log, NULL, QRT_LOG_INFO, "a", "b");
		qrt_log_close(&log);
		assert_memory_equal(memory.text, times[i].text, 24);
	}
}

/* --- hostile text ---------------------------------------------------------------------------- */

static void a_value_ends_neither_its_quotes_nor_its_line(void **state)
{
	static const struct {
		const char *value, *written;
	} values[] = {
	    {"a\nb", "a\\nb"},
	    {"a\r\n2026 error host: forged", "a\\r\\n2026 error host: forged"},
	    {"\" level=error x=\"", "\\\" level=error x=\\\""},
	    {"back\\slash", "back\\\\slash"},
	    {"\033[2Jwiped", "\\u001b[2Jwiped"},
	    {"tab\tbell\a", "tab\\tbell\\u0007"},
	    {"\x7f", "\\u007f"},
	    {"\xc2\x9b"
	     "31m",
	     "\\u009b31m"}, /* a C1 control: CSI */
	    {"\xe2\x80\xa8", "\\u2028"},
	    {"\xe2\x80\xae"
	     "desrever",
	     "\\u202edesrever"},
	    {"\xff\xc0\xaf", "\\ufffd\\ufffd\\ufffd"}, /* no UTF-8, an overlong slash */
	    {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"}, /* a surrogate */
	    {"cut \xe2\x82", "cut \\ufffd\\ufffd"},    /* half a code point */
	    {"gr\xc3\xbc\xc3\x9f \xf0\x9f\x91\x8d", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x91\x8d"},
	};
	char wanted[256];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct qrt_log *log = open_log(QRT_LOG_COMPACT, NULL);

		qrt_log(log, NULL, QRT_LOG_INFO, "a", "b", QRT_LOG_TEXT("v", values[i].value));
		qrt_log_close(&log);
		snprintf(wanted, sizeof(wanted), "2026-01-02T03:04:05.678Z info a: b v=\"%s\"\n",
			 values[i].written);
		assert_string_equal(memory.text, wanted);
		log = open_log(QRT_LOG_JSON, NULL);
		qrt_log(log, NULL, QRT_LOG_INFO, "a", values[i].value);
		qrt_log_close(&log);
		snprintf(wanted, sizeof(wanted), "\"message\":\"%s\"}\n", values[i].written);
		assert_non_null(strstr(memory.text, wanted));
	}
}

static void assert_json(const char *text, size_t n)
{
	struct qy_doc_error error;
	struct qy_doc *doc = NULL;

	if (!qy_doc_parse(text, n, &doc, &error)) {
		fail_msg("%s: %.200s", error.text, text);
	}
	qy_doc_destroy(&doc);
}

static void a_line_has_a_greatest_length_and_stays_whole(void **state)
{
	struct qrt_log *log = open_log(QRT_LOG_JSON, NULL);
	struct qrt_log_field fields[12] = {{0}};
	char controls[1024], letters[1024];

	(void)state;
	memset(controls, 1, sizeof(controls) - 1);
	controls[sizeof(controls) - 1] = '\0';
	memset(letters, 'x', sizeof(letters) - 1);
	letters[sizeof(letters) - 1] = '\0';
	for (size_t i = 0; i < 11; i++) {
		fields[i] = QRT_LOG_TEXT("k", i % 2 ? controls : letters);
	}
	qrt_log_write(log, &(struct qrt_log_line){.level = QRT_LOG_ERROR,
						  .component = "a",
						  .message = letters,
						  .fields = fields,
						  .correlation = controls,
						  .path = letters});
	assert_true(memory.n <= QRT_LOG_LINE_MAX);
	assert_non_null(strstr(memory.text, "xxx...\""));
	assert_non_null(strstr(memory.text, ",\"fields_left_out\":"));
	assert_json(memory.text, memory.n);
	memory.n = 0;
	qrt_log_write(log, &(struct qrt_log_line){.level = QRT_LOG_ERROR,
						  .component = controls,
						  .message = controls,
						  .fields = fields});
	assert_true(memory.n <= QRT_LOG_LINE_MAX);
	assert_json(memory.text, memory.n);
	qrt_log_close(&log);
}

static void a_cut_is_never_inside_a_code_point(void **state)
{
	char text[QRT_LOG_VALUE_MAX + 16];

	(void)state;
	for (size_t before = QRT_LOG_VALUE_MAX - 4; before <= QRT_LOG_VALUE_MAX; before++) {
		struct qrt_log *log = open_log(QRT_LOG_COMPACT, NULL);

		memset(text, 'x', before);
		strcpy(text + before, "\xf0\x9f\x91\x8d\xf0\x9f\x91\x8d");
		qrt_log(log, NULL, QRT_LOG_INFO, "a", "b", QRT_LOG_TEXT("v", text));
		qrt_log_close(&log);
		assert_null(strstr(memory.text, "fffd"));
		assert_non_null(strstr(memory.text, "..."));
	}
}

/* --- secrets --------------------------------------------------------------------------------- */

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void a_secret_is_known_by_its_shape(void **state)
{
	static const char *const texts[][2] = {
	    {"key qk_01234567_" HEX64 " given", "key qk_01234567_*** given"},
	    {"qk_01234567_" HEX64, "qk_01234567_***"},
	    {"Authorization: Bearer abc.def-ghi", "Authorization: Bearer ***"},
	    {"bearer   abc, and more", "bearer ***, and more"},
	    {"xoxb-12-ab xapp-1-A0-z", "xoxb-*** xapp-***"},
	    {"two qk_01234567_aa qk_89abcdef_bb", "two qk_01234567_*** qk_89abcdef_***"},
	    {"qk_0123 and bearer of news", "qk_0123 and bearer *** news"},
	    {"an xbox, quite big", "an xbox, quite big"},
	    {"Bearer a/b+c=", "Bearer ***"},
	    {"the bearer (of it)", "the bearer (of it)"},
	};
	char wanted[256];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct qrt_log *log = open_log(QRT_LOG_JSON, NULL);

		qrt_log(log, NULL, QRT_LOG_INFO, "a", texts[i][0],
			QRT_LOG_TEXT("value", texts[i][0]));
		qrt_log_close(&log);
		snprintf(wanted, sizeof(wanted), "\"message\":\"%s\",\"value\":\"%s\"}\n",
			 texts[i][1], texts[i][1]);
		assert_non_null(strstr(memory.text, wanted));
	}
}

static void a_secret_is_known_by_the_name_of_its_field(void **state)
{
	static const char *const secret[] = {"token",	       "app_token", "Authorization",
					     "Set-Cookie",     "password",  "secret",
					     "webhook_secret", "csrf",	    "api_key"};
	static const char *const open[] = {"key", "tokens", "key_id", "secretary", "bytes"};

	(void)state;
	for (size_t i = 0; i < sizeof(secret) / sizeof(secret[0]); i++) {
		struct qrt_log *log = open_log(QRT_LOG_COMPACT, NULL);

		qrt_log(log, NULL, QRT_LOG_INFO, "a", "b", QRT_LOG_TEXT(secret[i], "hunter2"));
		qrt_log(log, NULL, QRT_LOG_INFO, "a", "c", QRT_LOG_INT(secret[i], 4711));
		qrt_log_close(&log);
		assert_null(strstr(memory.text, "hunter2"));
		assert_null(strstr(memory.text, "4711"));
		assert_non_null(strstr(memory.text, "=***"));
	}
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		struct qrt_log *log = open_log(QRT_LOG_COMPACT, NULL);

		qrt_log(log, NULL, QRT_LOG_INFO, "a", "b", QRT_LOG_TEXT(open[i], "hunter2"));
		qrt_log_close(&log);
		assert_non_null(strstr(memory.text, "=hunter2"));
	}
}

static void a_secret_at_the_cut_is_not_half_shown(void **state)
{
	char text[QRT_LOG_VALUE_MAX + 128];

	(void)state;
	for (size_t before = QRT_LOG_VALUE_MAX - 80; before <= QRT_LOG_VALUE_MAX; before++) {
		struct qrt_log *log = open_log(QRT_LOG_COMPACT, NULL);

		memset(text, '.', before);
		strcpy(text + before, "qk_01234567_" HEX64);
		qrt_log(log, NULL, QRT_LOG_INFO, "a", "b", QRT_LOG_TEXT("v", text));
		qrt_log_close(&log);
		assert_null(strstr(memory.text, "_00"));
	}
}

/* --- levels ---------------------------------------------------------------------------------- */

static void levels_go_by_component(void **state)
{
	struct qrt_log *log = open_log(QRT_LOG_COMPACT, "warn, db=debug,access=off");

	(void)state;
	assert_true(qrt_log_wants(log, QRT_LOG_WARN, "server"));
	assert_false(qrt_log_wants(log, QRT_LOG_INFO, "server"));
	assert_true(qrt_log_wants(log, QRT_LOG_DEBUG, "db"));
	assert_false(qrt_log_wants(log, QRT_LOG_TRACE, "db"));
	assert_false(qrt_log_wants(log, QRT_LOG_ERROR, "access"));
	assert_false(qrt_log_wants(NULL, QRT_LOG_ERROR, "server"));
	qrt_log(log, NULL, QRT_LOG_INFO, "server", "not wanted");
	qrt_log(log, NULL, QRT_LOG_ERROR, "access", "not wanted");
	qrt_log(NULL, NULL, QRT_LOG_ERROR, "server", "nowhere to go");
	assert_written(&log, "");
}

static void levels_that_are_none_are_named(void **state)
{
	static const char *const bad[][2] = {
	    {"", "has no level"},	   {"loud", "\"loud\" has no level"},
	    {"info,", "has no level"},	   {"info,db", "\"db\" has no level"},
	    {"info,=debug", "no name"},	   {"info,Db=debug", "no name"},
	    {"info,d b=debug", "no name"}, {"info,debug", "\"debug\" must come first"},
	    {"info,db=", "has no level"},
	};
	char problem[128], detail[256], name[QRT_LOG_NAME_MAX + 1];
	struct qrt_log_options opts = {.sink = keep, .arg = &memory};
	struct qrt_log *log = NULL;
	const char *rest;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(qrt_log_levels_check(bad[i][0], problem));
		assert_non_null(strstr(problem, bad[i][1]));
		opts.levels = bad[i][0];
		assert_int_equal(qrt_log_open(&opts, detail, &log), QRT_EINVAL);
		assert_non_null(strstr(detail, problem));
	}
	assert_true(qrt_log_levels_check("db=trace", problem));
	rest = qrt_log_levels_next("info, db=debug,access=off", name);
	assert_string_equal(name, "db");
	rest = qrt_log_levels_next(rest, name);
	assert_string_equal(name, "access");
	assert_null(qrt_log_levels_next(rest, name));
}

/* --- repeats --------------------------------------------------------------------------------- */

#define AT "2026-01-02T03:04:"

static void equal_lines_are_one_and_then_a_number(void **state)
{
	struct qrt_log *log = open_log(QRT_LOG_COMPACT, NULL);
	struct qrt_log_stats stats;

	(void)state;
	for (int i = 0; i < 5; i++) {
		char correlation[16];

		snprintf(correlation, sizeof(correlation), "cor-%d", i);
		qrt_log_write(log, &(struct qrt_log_line){.level = QRT_LOG_WARN,
							  .component = "db",
							  .message = "busy",
							  .correlation = correlation});
		memory.now_ms += 1000;
	}
	qrt_log(log, NULL, QRT_LOG_WARN, "db", "busy", QRT_LOG_INT("n", 1));
	qrt_log(log, NULL, QRT_LOG_ERROR, "db", "busy");
	memory.now_ms += 5001;
	qrt_log(log, NULL, QRT_LOG_WARN, "db", "busy");
	qrt_log(log, NULL, QRT_LOG_WARN, "db", "busy");
	qrt_log_stats(log, &stats);
	assert_int_equal(stats.repeats, 5);
	assert_int_equal(stats.dropped, 0);
	assert_written(
	    &log, AT "05.678Z warn db: busy correlation=cor-0\n" AT "10.678Z warn db: busy n=1\n" AT
		     "10.678Z error db: busy\n" AT "15.679Z warn db: busy ... repeated 4 times\n" AT
		     "15.679Z warn db: busy\n" AT "15.679Z warn db: busy ... repeated 1 times\n");
}

static void lines_that_are_each_wanted_are_no_repeats(void **state)
{
	struct qrt_log *log = open_log(QRT_LOG_COMPACT, NULL);
	const struct qrt_log_line line = {
	    .level = QRT_LOG_INFO, .component = "access", .message = "GET", .each = true};

	(void)state;
	for (int i = 0; i < 3; i++) {
		qrt_log_write(log, &line);
	}
	assert_written(&log, AT "05.678Z info access: GET\n" AT "05.678Z info access: GET\n" AT
				"05.678Z info access: GET\n");
}

static void who_is_pushed_out_of_the_memory_is_told_first(void **state)
{
	struct qrt_log *log = open_log(QRT_LOG_COMPACT, NULL);

	(void)state;
	qrt_log(log, NULL, QRT_LOG_INFO, "a", "first");
	qrt_log(log, NULL, QRT_LOG_INFO, "a", "first");
	for (int i = 0; i < 32; i++) {
		memory.now_ms++;
		qrt_log(log, NULL, QRT_LOG_INFO, "a", "other", QRT_LOG_INT("i", i));
	}
	assert_non_null(strstr(memory.text,
			       "other i=30\n" AT "05.710Z info a: first ... repeated 1 times\n" AT
			       "05.710Z info a: other i=31\n"));
	qrt_log_close(&log);
}

/* --- descriptors ----------------------------------------------------------------------------- */

static struct qrt_log *open_on(int fd, size_t queue_bytes)
{
	const struct qrt_log_options opts = {.fd = fd, .queue_bytes = queue_bytes, .repeat_ms = 1};
	struct qrt_log *log = NULL;

	assert_int_equal(qrt_log_open(&opts, NULL, &log), QRT_OK);
	return log;
}

/* Reads what is there within @wait_ms of the last byte; returns lines, checks that they are whole.
 */
static size_t read_lines(int fd, int wait_ms, const char *part, size_t *ret_matches)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	static char text[1 << 20];
	size_t n = 0, lines = 0;
	ssize_t got;

	while (poll(&ready, 1, wait_ms) > 0 &&
	       (got = read(fd, text + n, sizeof(text) - 1 - n)) > 0) {
		n += (size_t)got;
	}
	text[n] = '\0';
	*ret_matches = 0;
	for (char *line = text; *line != '\0'; lines++) {
		char *end = strchr(line, '\n');

		assert_non_null(end);
		*end = '\0';
		assert_memory_equal(line, "20", 2);
		*ret_matches += strstr(line, part) != NULL;
		line = end + 1;
	}
	return lines;
}

static void what_was_logged_before_a_close_is_written(void **state)
{
	struct qrt_log *log;
	size_t matches;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	log = open_on(ends[1], 0);
	for (int i = 0; i < 500; i++) {
		qrt_log(log, NULL, QRT_LOG_INFO, "test", "line", QRT_LOG_INT("i", i));
	}
	assert_true(qrt_log_flush(log, 10 * QRT_SEC));
	qrt_log(log, NULL, QRT_LOG_INFO, "test", "last");
	qrt_log_close(&log);
	close(ends[1]);
	assert_int_equal(read_lines(ends[0], 5000, "last", &matches), 501);
	assert_int_equal(matches, 1);
	close(ends[0]);
}

/* Nobody reads: whoever logs goes on all the same, and hears later what is missing. */
static void a_full_pipe_holds_nobody_up(void **state)
{
	struct qrt_log_stats stats;
	struct qrt_log *log;
	size_t matches, lines;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	log = open_on(ends[1], 16384);
	for (int i = 0; i < 20000; i++) {
		qrt_log(log, NULL, QRT_LOG_INFO, "test", "line", QRT_LOG_INT("i", i));
	}
	qrt_log_stats(log, &stats);
	assert_true(stats.dropped > 15000);
	/* Itself, and words about what was dropped when there was room for them. */
	assert_in_range(stats.lines + stats.dropped, 20000, 20010);
	assert_false(qrt_log_flush(log, QRT_MS));
	lines = read_lines(ends[0], 200, "dropped", &matches);
	assert_int_equal(lines, stats.lines);
	qrt_log(log, NULL, QRT_LOG_INFO, "test", "again");
	assert_true(qrt_log_flush(log, 10 * QRT_SEC));
	lines = read_lines(ends[0], 200, "dropped", &matches);
	assert_int_equal(lines, 2);
	assert_int_equal(matches, 1);
	/* And a close does not wait for a reader for ever. */
	for (int i = 0; i < 20000; i++) {
		qrt_log(log, NULL, QRT_LOG_INFO, "test", "line", QRT_LOG_INT("i", i));
	}
	qrt_log_close(&log);
	close(ends[0]);
	close(ends[1]);
}

static void assert_survives(int fd)
{
	struct qrt_log *log = open_on(fd, 0);
	struct qrt_log_stats stats;

	for (int i = 0; i < 3; i++) {
		qrt_log(log, NULL, QRT_LOG_INFO, "test", "line", QRT_LOG_INT("i", i));
		assert_true(qrt_log_flush(log, 10 * QRT_SEC));
	}
	qrt_log_stats(log, &stats);
	assert_true(stats.write_errors >= 3);
	assert_true(stats.dropped >= 3);
	qrt_log_close(&log);
}

static void a_reader_that_is_gone_and_a_full_disk_end_nothing(void **state)
{
	int ends[2], full;

	(void)state;
	signal(SIGPIPE, SIG_DFL); /* the writer's thread does not hear it */
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	close(ends[0]);
	assert_survives(ends[1]);
	close(ends[1]);
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	assert_survives(full);
	close(full);
}

static void *log_many(void *arg)
{
	for (int i = 0; i < 500; i++) {
		qrt_log(arg, NULL, QRT_LOG_INFO, "test", "from a thread", QRT_LOG_INT("i", i),
			QRT_LOG_INT("thread", (int64_t)pthread_self()));
	}
	return NULL;
}

static void lines_of_several_threads_do_not_mix(void **state)
{
	pthread_t threads[4];
	struct qrt_log *log;
	size_t matches;
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	log = open_on(fileno(file), (size_t)1 << 20);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, log_many, log), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
	}
	qrt_log_close(&log);
	assert_int_equal(lseek(fileno(file), 0, SEEK_SET), 0);
	assert_int_equal(read_lines(fileno(file), 100, "info test: from a thread i=", &matches),
			 2000);
	assert_int_equal(matches, 2000);
	fclose(file);
}

/* --- with a cx ------------------------------------------------------------------------------- */

static enum qrt_err inner(struct qrt_cx *cx, void *arg)
{
	qrt_log(arg, cx, QRT_LOG_INFO, "test", "inside",
		QRT_LOG_TEXT("on", qrt_runtime_backend(qrt_cx_runtime(cx))));
	return QRT_OK;
}

static enum qrt_err placed(struct qrt_cx *cx, void *arg)
{
	const struct qrt_region_options opts = {.name = "outer", .policy = QRT_COLLECT};
	struct qrt_region *outer = NULL;
	enum qrt_err err;

	EXPECT(!qrt_region_open_with(cx, &opts, &outer));
	EXPECT(!qrt_log_correlate(qrt_region_cx(outer), "cor-7"));
	err = qrt_spawn_at(outer, inner, arg, "worker", QRT_SITE);
	EXPECT(!qrt_region_close(cx, &outer, err));
	qrt_log(arg, cx, QRT_LOG_INFO, "test", "outside");
	return QRT_OK;
}

static void a_line_of_a_task_says_where_it_is_and_for_whom(void **state)
{
	struct qrt_log *log = open_log(QRT_LOG_COMPACT, NULL);
	size_t n, said = 0;

	(void)state;
	on_each_backend(placed, log);
	qrt_log_close(&log);
	qrt_backend_names(&n);
	for (const char *at = memory.text; (at = strstr(at, "inside")) != NULL; at++, said++) {
		const char *end = strchr(at, '\n');

		assert_non_null(end);
		assert_memory_equal(end - 36, " correlation=cor-7 path=outer/worker\n", 37);
	}
	assert_int_equal(said, n);
	/* The region's id went with the region. */
	assert_null(strstr(memory.text, "outside correlation"));
}

static void in_the_lab_lines_have_its_time_and_are_the_same_twice(void **state)
{
	char first[1024];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct qrt_log *log = open_log(QRT_LOG_JSON, NULL);

		memory.now_ms = 0; /* it must not be asked */
		assert_int_equal(on_backend("lab", placed, log), QRT_OK);
		qrt_log_close(&log);
		assert_null(strstr(memory.text, "1970-01-01"));
		assert_true(memory.n > 100 && memory.n < sizeof(first));
		if (i == 0) {
			memcpy(first, memory.text, memory.n + 1);
		}
	}
	assert_string_equal(memory.text, first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_compact_line_shows_what_can_be_bare_bare),
	    cmocka_unit_test(a_pretty_line_has_columns_and_a_second_line),
	    cmocka_unit_test(a_json_line_is_one_object),
	    cmocka_unit_test(times_are_right_at_the_edges_of_months_and_years),
	    cmocka_unit_test(a_value_ends_neither_its_quotes_nor_its_line),
	    cmocka_unit_test(a_line_has_a_greatest_length_and_stays_whole),
	    cmocka_unit_test(a_cut_is_never_inside_a_code_point),
	    cmocka_unit_test(a_secret_is_known_by_its_shape),
	    cmocka_unit_test(a_secret_is_known_by_the_name_of_its_field),
	    cmocka_unit_test(a_secret_at_the_cut_is_not_half_shown),
	    cmocka_unit_test(levels_go_by_component),
	    cmocka_unit_test(levels_that_are_none_are_named),
	    cmocka_unit_test(equal_lines_are_one_and_then_a_number),
	    cmocka_unit_test(lines_that_are_each_wanted_are_no_repeats),
	    cmocka_unit_test(who_is_pushed_out_of_the_memory_is_told_first),
	    cmocka_unit_test(what_was_logged_before_a_close_is_written),
	    cmocka_unit_test(a_full_pipe_holds_nobody_up),
	    cmocka_unit_test(a_reader_that_is_gone_and_a_full_disk_end_nothing),
	    cmocka_unit_test(lines_of_several_threads_do_not_mix),
	    cmocka_unit_test(a_line_of_a_task_says_where_it_is_and_for_whom),
	    cmocka_unit_test(in_the_lab_lines_have_its_time_and_are_the_same_twice),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
