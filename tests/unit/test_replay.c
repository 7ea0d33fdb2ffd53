/*
 * Executions as tokens and as files: the same seed again, on the same build only; a file that
 * gives the choices, and the first step that differs when the program is another one.
 */
#include <qrt/lane.h>
#include <qrt/select.h>
#include <qrt/chan.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/backends.h"
#include "tests/lib/labs.h"
#include "tests/lib/test.h"

enum { SEEDS = 8, TEXT = 16384, FILE_MAX = 1 << 20, LETTERS = 26 };

/* --- files -------------------------------------------------------------------------------------
 */

static char recorded[64], again[64];

static int make_files(void **state)
{
	(void)state;
	strcpy(recorded, "/tmp/qrt-replay-XXXXXX");
	strcpy(again, "/tmp/qrt-replay-XXXXXX");
	int a = mkstemp(recorded), b = mkstemp(again);
	assert_true(a >= 0);
	assert_true(b >= 0);
	close(a);
	close(b);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	return unlink(recorded) | unlink(again);
}

static char *slurp(const char *path, size_t *ret_n)
{
	FILE *file = fopen(path, "re");
	char *text = calloc(1, FILE_MAX);
	assert_non_null(file);
	*ret_n = fread(text, 1, FILE_MAX - 1, file);
	assert_true(*ret_n < FILE_MAX - 1);
	fclose(file);
	return text;
}

static void spit(const char *path, const char *text, size_t n)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fwrite(text, 1, n, file) == n);
	assert_int_equal(fclose(file), 0);
}

static size_t lines_of(const char *text)
{
	size_t n = 0;
	for (; *text; text++) {
		n += *text == '\n';
	}
	return n;
}

/* --- a program of two runtimes that makes every kind of choice but the disk's --------------------
 */

struct program {
	unsigned letters; /* tasks */
	int64_t extra_ns; /* somebody sleeps longer */
	uint16_t port;
	struct qrt_runtime *other;
	char order[LETTERS + 1];
	size_t n;
};

struct letter {
	struct program *program;
	struct qrt_lane *lane;
	char c;
};

static enum qrt_err job(struct qrt_job *self, void *arg)
{
	(void)self, (void)arg;
	return QRT_OK;
}

static enum qrt_err write_letter(struct qrt_cx *cx, void *arg)
{
	struct letter *letter = arg;
	struct program *program = letter->program;
	program->order[program->n++] = letter->c;
	EXPECT(!qrt_blocking(cx, letter->lane, job, NULL));
	return letter->c == 'c' ? qrt_sleep(cx, 1 + program->extra_ns) : QRT_OK;
}

static enum qrt_err echo(struct qrt_cx *cx, void *arg)
{
	struct program *program = arg;
	struct qrt_listener *listener;
	struct qrt_stream *stream = NULL;
	char byte;
	int fd;
	EXPECT(!qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &program->port));
	EXPECT(!qrt_listener_adopt(cx, fd, &listener));
	enum qrt_err err = qrt_accept(cx, listener, &stream);
	while (!err) {
		err = lab_read(cx, stream, &byte, 1);
		if (!err) {
			err = qrt_write(cx, stream, &byte, 1);
		}
	}
	/* The main program may be over before its end of stream has arrived. */
	EXPECT(err == QRT_EEOF || err == QRT_ECANCELED);
	qrt_stream_close(cx, &stream);
	qrt_listener_close(cx, &listener);
	return QRT_OK;
}

static enum qrt_err select_one(struct qrt_cx *cx)
{
	struct qrt_chan *chan[2];
	struct qrt_case cases[2];
	int got = 0, value = 7;
	size_t which;
	for (int i = 0; i < 2; i++) {
		EXPECT(!qrt_chan_open(cx, sizeof(int), 1, NULL, &chan[i]));
		EXPECT(!qrt_chan_send(cx, chan[i], &value));
		cases[i] = qrt_case_recv(chan[i], &got);
	}
	EXPECT(!qrt_select(cx, QRT_SELECT_FAIR, cases, 2, &which));
	EXPECT(got == 7);
	for (int i = 0; i < 2; i++) {
		EXPECT(!qrt_chan_close(&chan[i]));
	}
	return QRT_OK;
}

static enum qrt_err program_main(struct qrt_cx *cx, void *arg)
{
	struct program *program = arg;
	struct letter letter[LETTERS];
	struct qrt_lane *lane;
	struct qrt_region *region;
	struct qrt_stream *stream;
	char buf[8] = "seven h";
	EXPECT(!qrt_lane_open(cx, "work", 2, LETTERS, &lane));
	EXPECT(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	for (unsigned i = 0; i < program->letters; i++) {
		letter[i] = (struct letter){program, lane, (char)('a' + i)};
		EXPECT(!qrt_spawn(region, write_letter, &letter[i]));
	}
	EXPECT(!qrt_region_close(cx, &region, QRT_OK));
	qrt_lane_close(cx, &lane);
	EXPECT(!select_one(cx));
	EXPECT(!qrt_connect(cx, "127.0.0.1", program->port, &stream));
	EXPECT(!qrt_write(cx, stream, buf, 7));
	EXPECT(!lab_read(cx, stream, buf, 7));
	qrt_stream_close(cx, &stream);
	return QRT_OK;
}

static enum qrt_err play(const struct qrt_lab_options *opts, struct program *program,
			 struct qrt_lab_stats *ret_stats)
{
	struct qrt_lab *lab = lab_open(opts);
	struct qrt_runtime *rt = lab_runtime(lab, "lab", "a");
	program->other = lab_runtime(lab, "lab-legacy", "b");
	program->n = 0;
	memset(program->order, 0, sizeof(program->order));
	lab_spawn(program->other, echo, program);
	CHECK(!qrt_runtime_start(program->other));
	enum qrt_err err = qrt_run_main(rt, program_main, program);
	CHECK(!qrt_shutdown(program->other, QRT_SEC));
	qrt_runtime_close(&program->other);
	qrt_runtime_close(&rt);
	if (ret_stats) {
		qrt_lab_stats(lab, ret_stats);
	}
	qrt_lab_close(&lab);
	return err;
}

/* Records one execution to `recorded`. */
static struct qrt_lab_stats record(enum qrt_lab_strategy strategy, uint64_t seed,
				   struct program *program)
{
	const struct qrt_lab_options opts = {
	    .seed = seed, .strategy = strategy, .record = recorded, .faults.job_slow = 100};
	struct qrt_lab_stats stats;
	assert_int_equal(play(&opts, program, &stats), QRT_OK);
	return stats;
}

/* --- recordings ----------------------------------------------------------------------------------
 */

static void a_replay_is_the_recorded_execution_to_its_last_line(void **state)
{
	(void)state;
	for (unsigned s = 0; s <= QRT_LAB_ROUND_ROBIN; s++) {
		for (uint64_t seed = 0; seed < SEEDS; seed++) {
			enum qrt_lab_strategy strategy = (enum qrt_lab_strategy)s;
			struct program first = {.letters = LETTERS}, second = first, third = first;
			struct qrt_lab_stats stats = record(strategy, seed, &first), now;
			size_t n, n_again;
			char *text = slurp(recorded, &n);
			const struct qrt_lab_options opts = {.seed = seed,
							     .strategy = strategy,
							     .replay = recorded,
							     .record = again,
							     .faults.job_slow = 100};
			assert_int_equal(play(&opts, &second, &now), QRT_OK);
			assert_true(now.hash == stats.hash);
			assert_true(now.now_ns == stats.now_ns);
			assert_string_equal(first.order, second.order);
			char *text_again = slurp(again, &n_again);
			assert_true(n == n_again);
			assert_memory_equal(text, text_again, n);
			assert_true(lines_of(text) > 200);
			assert_true(strncmp(text, "qrt-lab 1 qrt1-", 15) == 0);
			assert_non_null(strstr(text, "\ns 0 SPAWN "));
			assert_non_null(strstr(text, "\ns 1 SPAWN "));
			assert_non_null(strstr(text, "\nc runtime "));
			assert_non_null(strstr(text, "\nc network "));
			assert_non_null(strstr(text, "\nc lane "));
			assert_non_null(strstr(text, "\nc fault 1001 "));
			assert_true(seed == 0 || strstr(text, "\nc select 2 "));
			/* Being recorded changes nothing. */
			const struct qrt_lab_options plain = {
			    .seed = seed, .strategy = strategy, .faults.job_slow = 100};
			assert_int_equal(play(&plain, &third, &now), QRT_OK);
			assert_true(now.hash == stats.hash);
			free(text);
			free(text_again);
		}
	}
}

static void choices_come_from_the_file_whatever_the_seed(void **state)
{
	(void)state;
	struct program first = {.letters = LETTERS}, second = first, own = first;
	struct qrt_lab_stats stats = record(QRT_LAB_RANDOM, 11, &first), now;
	struct qrt_lab_options opts = {.seed = 12, .faults.job_slow = 100};
	assert_int_equal(play(&opts, &own, &now), QRT_OK);
	assert_string_not_equal(first.order, own.order);
	opts.replay = recorded;
	assert_int_equal(play(&opts, &second, &now), QRT_OK);
	assert_string_equal(first.order, second.order);
	assert_true(now.hash == stats.hash);
}

static void replay(void *arg)
{
	struct program *program = arg;
	const struct qrt_lab_options opts = {
	    .seed = 21, .replay = recorded, .faults.job_slow = 100};
	QRT_IGNORE(play(&opts, program, NULL), "it does not come back");
}

/* The line that begins with @what in @text, to @ret (256). */
static void line_of(const char *text, const char *what, char *ret)
{
	const char *at = strstr(text, what);
	if (!at) {
		fail_msg("no \"%s\" in %s", what, text);
	}
	snprintf(ret, 256, "%.*s", (int)strcspn(at + strlen(what), "\n"), at + strlen(what));
}

static void the_first_step_that_differs_is_shown_as_it_was_and_is(void **state)
{
	(void)state;
	struct program program = {.letters = LETTERS};
	record(QRT_LAB_RANDOM, 21, &program);
	size_t n;
	char text[TEXT], was[256], is[256];
	char *file = slurp(recorded, &n);

	struct program fewer = {.letters = LETTERS - 1};
	assert_true(dies(replay, &fewer, text, sizeof(text)));
	line_of(text, "  recorded: ", was);
	line_of(text, "  now:      ", is);
	assert_string_not_equal(was, is);
	unsigned long line;
	const char *at = strstr(text, " at line ");
	assert_non_null(at);
	line = strtoul(at + 9, NULL, 10);
	assert_true(line > LETTERS);
	/* It is that line of the file, and all before it were as recorded. */
	const char *there = file;
	for (unsigned long i = 1; i < line; i++) {
		there = strchr(there, '\n') + 1;
	}
	assert_true(strncmp(there, was, strlen(was)) == 0);
	assert_true(there[strlen(was)] == '\n');
	/* The 26th spawn is not there. */
	assert_true(strncmp(was, "s 0 SPAWN ", 10) == 0);
	assert_non_null(strstr(text, "the execution differs from the recorded one"));
	assert_non_null(strstr(text, "qrt: replay token qrt1-15-random-"));
	assert_non_null(strstr(text, " step "));

	struct program later = {.letters = LETTERS, .extra_ns = 1};
	assert_true(dies(replay, &later, text, sizeof(text)));
	line_of(text, "  recorded: ", was);
	line_of(text, "  now:      ", is);
	assert_true(strncmp(was, "s 0 ", 4) == 0);
	assert_true(strncmp(is, "s 0 ", 4) == 0);
	assert_string_not_equal(was, is);
	free(file);
}

static void who_does_more_or_less_than_was_recorded_differs_at_the_end(void **state)
{
	(void)state;
	struct program program = {.letters = LETTERS};
	record(QRT_LAB_RANDOM, 21, &program);
	size_t n;
	char text[TEXT], was[256], is[256];
	char *file = slurp(recorded, &n);
	size_t lines = lines_of(file);
	/* The file is at its end first. */
	size_t cut = n - 1;
	while (file[cut - 1] != '\n') {
		cut--;
	}
	spit(recorded, file, cut);
	assert_true(dies(replay, &program, text, sizeof(text)));
	line_of(text, "  recorded: ", was);
	line_of(text, "  now:      ", is);
	assert_string_equal(was, "(its end)");
	assert_true(strncmp(file + cut, is, strlen(is)) == 0);
	/* In the middle of a line. */
	spit(recorded, file, n - 3);
	assert_true(dies(replay, &program, text, sizeof(text)));
	line_of(text, "  recorded: ", was);
	assert_true(strncmp(file + cut, was, n - 3 - cut) == 0);
	/* The program is at its end first. */
	char *longer = malloc(n + 20);
	memcpy(longer, file, n);
	memcpy(longer + n, "s 0 RUN 1 0\n", 12);
	spit(recorded, longer, n + 12);
	assert_true(dies(replay, &program, text, sizeof(text)));
	line_of(text, "  recorded: ", was);
	line_of(text, "  now:      ", is);
	assert_string_equal(was, "s 0 RUN 1 0");
	assert_string_equal(is, "(its end)");
	char at_line[64];
	snprintf(at_line, sizeof(at_line), " at line %zu,", lines + 1);
	assert_non_null(strstr(text, at_line));
	free(longer);
	free(file);
}

/* A choice of the file that could not have been made. */
static void choices_that_cannot_be_are_no_choices(void **state)
{
	(void)state;
	struct program program = {.letters = LETTERS};
	record(QRT_LAB_RANDOM, 21, &program);
	static const char *const lines[] = {"c task 26 26\n", "c task 27 1\n", "c lane 26 1\n",
					    "c task 26\n",    "s 0 RUN 1 0\n", "\n"};
	size_t n;
	char *file = slurp(recorded, &n), text[TEXT], was[256];
	char *choice = strstr(file, "\nc task 26 ") + 1;
	assert_true(choice > file + 1);
	size_t before = (size_t)(choice - file), gone = strcspn(choice, "\n") + 1;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		size_t own = strlen(lines[i]);
		char *changed = malloc(n + own);
		memcpy(changed, file, before);
		memcpy(changed + before, lines[i], own);
		memcpy(changed + before + own, choice + gone, n - before - gone);
		spit(again, changed, n - gone + own);
		assert_int_equal(rename(again, recorded), 0);
		assert_true(dies(replay, &program, text, sizeof(text)));
		line_of(text, "  recorded: ", was);
		assert_true(strncmp(was, lines[i], own - 1) == 0);
		assert_int_equal(strlen(was), own - 1);
		assert_non_null(strstr(text, "  now:      c task 26\n"));
		free(changed);
		spit(again, "", 0);
	}
	free(file);
}

static void what_is_no_execution_is_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "qrt-lab 2 x\n", "#!/bin/sh\n", "qrt-lab 1"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct qrt_lab_options opts = {.seed = 1, .replay = recorded};
		struct qrt_lab *lab = NULL;
		char detail[256] = "", expected[256];
		spit(recorded, texts[i], strlen(texts[i]));
		assert_int_equal(qrt_lab_open(&opts, detail, &lab), QRT_EINVAL);
		snprintf(expected, sizeof(expected), "lab: %s is no recorded execution", recorded);
		assert_string_equal(detail, expected);
		assert_null(lab);
	}
	struct qrt_lab *lab = NULL;
	char detail[256] = "";
	const struct qrt_lab_options absent = {.replay = "/nowhere/x"};
	assert_int_equal(qrt_lab_open(&absent, detail, &lab), QRT_EIO);
	assert_string_equal(detail, "lab: replay /nowhere/x: No such file or directory");
	const struct qrt_lab_options nowhere = {.record = "/nowhere/x"};
	assert_int_equal(qrt_lab_open(&nowhere, detail, &lab), QRT_EIO);
	assert_string_equal(detail, "lab: record /nowhere/x: No such file or directory");
	assert_null(lab);
}

static void deadlock(void *arg)
{
	(void)arg;
	const struct qrt_lab_options opts = {.seed = 5, .record = recorded};
	struct qrt_lab *lab = lab_open(&opts);
	struct qrt_runtime *rt = lab_runtime(lab, "lab", NULL);
	struct program program = {0};
	QRT_IGNORE(qrt_run_main(rt, echo, &program), "it does not come back");
}

static void what_failed_is_recorded_to_its_end(void **state)
{
	(void)state;
	char text[TEXT];
	size_t n;
	assert_true(dies(deadlock, NULL, text, sizeof(text)));
	char *file = slurp(recorded, &n);
	assert_true(n > 0 && file[n - 1] == '\n');
	assert_non_null(strstr(file, "\ns 0 PARK 1 ")); /* in accept, for ever */
	free(file);
}

/* --- dull choices
 * ---------------------------------------------------------------------------------- */

static void dull_choices_are_made_the_dullest_way(void **state)
{
	(void)state;
	enum { TASK, RUNTIME, SELECT, NETWORK, LANE, FAULT };
	const struct qrt_lab_dull all[] = {{.kind = TASK, .to = UINT64_MAX},
					   {.kind = RUNTIME, .to = UINT64_MAX},
					   {.kind = LANE, .to = UINT64_MAX},
					   {.kind = FAULT, .to = UINT64_MAX}};
	for (unsigned s = 0; s < QRT_LAB_ROUND_ROBIN; s++) {
		for (uint64_t seed = 1; seed < SEEDS; seed++) {
			struct qrt_lab_options opts = {.seed = seed,
						       .strategy = (enum qrt_lab_strategy)s,
						       .faults.job_slow = 1000};
			struct program drawn = {.letters = LETTERS}, dull = drawn, late = drawn;
			struct qrt_lab_stats slow, quick;
			assert_int_equal(play(&opts, &drawn, &slow), QRT_OK);
			assert_string_not_equal(drawn.order, "abcdefghijklmnopqrstuvwxyz");
			assert_true(slow.faults >= LETTERS);
			opts.dull = all;
			opts.n_dull = 4;
			assert_int_equal(play(&opts, &dull, &quick), QRT_OK);
			assert_string_equal(dull.order, "abcdefghijklmnopqrstuvwxyz");
			assert_int_equal(quick.faults, 0);
			assert_true(quick.now_ns < slow.now_ns);
			/* Only one kind: the others are drawn as ever. */
			opts.dull = &all[3];
			opts.n_dull = 1;
			assert_int_equal(play(&opts, &late, &quick), QRT_OK);
			assert_string_equal(late.order, drawn.order);
			assert_int_equal(quick.faults, 0);
			/* Only some: the ones before are drawn as ever. */
			const struct qrt_lab_dull from = {
			    .kind = TASK, .from = 13, .to = UINT64_MAX};
			opts.dull = &from;
			opts.n_dull = 1;
			assert_int_equal(play(&opts, &late, NULL), QRT_OK);
			assert_memory_equal(late.order, drawn.order, 8);
			assert_string_not_equal(late.order, drawn.order);
		}
	}
}

/* --- tokens
 * ---------------------------------------------------------------------------------------- */

static const struct qrt_lab_options configured = {.seed = UINT64_C(0xfedcba9876543210),
						  .strategy = QRT_LAB_PCT,
						  .depth = 5,
						  .disk = true,
						  .config_hash = 77,
						  .heal_ns = QRT_SEC,
						  .faults = {.refuse = 3, .latency_max_ns = 9}};

static void token_of(const struct qrt_lab_options *opts, char *ret_token)
{
	struct qrt_lab *lab = lab_open(opts);
	qrt_lab_token(lab, ret_token);
	qrt_lab_close(&lab);
}

static void a_token_says_what_is_to_be_seen_again(void **state)
{
	(void)state;
	char token[QRT_LAB_TOKEN_SIZE], detail[256] = "";
	token_of(&configured, token);
	assert_true(strncmp(token, "qrt1-fedcba9876543210-pct5-", 27) == 0);
	struct qrt_lab_options opts = configured;
	opts.seed = 1;
	opts.strategy = QRT_LAB_RANDOM;
	opts.depth = 0;
	assert_int_equal(qrt_lab_token_read(token, false, &opts, detail), QRT_OK);
	assert_true(opts.seed == configured.seed);
	assert_int_equal(opts.strategy, QRT_LAB_PCT);
	assert_int_equal(opts.depth, 5);
	/* Every strategy, and what a sweep did. */
	for (unsigned s = 0; s <= QRT_LAB_ROUND_ROBIN; s++) {
		struct qrt_lab_options other = {.seed = 7,
						.strategy = (enum qrt_lab_strategy)s,
						.sweep = {.kind = QRT_SWEEP_CANCEL_TASK, .at = 12}};
		token_of(&other, token);
		struct qrt_lab_options read = {0};
		assert_int_equal(qrt_lab_token_read(token, false, &read, detail), QRT_OK);
		assert_true(read.seed == 7);
		assert_int_equal(read.strategy, s);
		assert_int_equal(read.depth, s == QRT_LAB_PCT ? 3 : 0);
		assert_int_equal(read.sweep.kind, QRT_SWEEP_CANCEL_TASK);
		assert_int_equal(read.sweep.at, 12);
	}
}

static void a_token_of_another_build_is_refused_unless_forced(void **state)
{
	(void)state;
	char token[QRT_LAB_TOKEN_SIZE], detail[256] = "";
	token_of(&configured, token);
	struct qrt_lab_options opts = configured;
	char *build = token + strlen("qrt1-fedcba9876543210-pct5-");
	*build = *build == '0' ? '1' : '0';
	opts.seed = 1;
	assert_int_equal(qrt_lab_token_read(token, false, &opts, detail), QRT_ECONFLICT);
	assert_non_null(strstr(detail, "the token is of build "));
	assert_true(opts.seed == 1);
	assert_int_equal(qrt_lab_token_read(token, false, &opts, NULL), QRT_ECONFLICT);
	assert_int_equal(qrt_lab_token_read(token, true, &opts, detail), QRT_OK);
	assert_true(opts.seed == configured.seed);
}

/* Whether a token of @configured is refused by options that differ so. */
static void refused(const struct qrt_lab_options *opts, const char *token)
{
	char detail[256] = "";
	struct qrt_lab_options read = *opts;
	assert_int_equal(qrt_lab_token_read(token, false, &read, detail), QRT_ECONFLICT);
	assert_non_null(strstr(detail, "the token is of another configuration"));
	assert_int_equal(qrt_lab_token_read(token, true, &read, detail), QRT_OK);
}

static void a_token_of_another_configuration_is_refused_unless_forced(void **state)
{
	(void)state;
	char token[QRT_LAB_TOKEN_SIZE];
	token_of(&configured, token);
#define DIFFERS(field, value)                                                                      \
	do {                                                                                       \
		struct qrt_lab_options opts = configured;                                          \
		opts.field = (value);                                                              \
		refused(&opts, token);                                                             \
	} while (0)
	DIFFERS(config_hash, 78);
	DIFFERS(disk, false);
	DIFFERS(heal_ns, 0);
	DIFFERS(faults.refuse, 4);
	DIFFERS(faults.reset, 1);
	DIFFERS(faults.vanish, 1);
	DIFFERS(faults.cut, 1);
	DIFFERS(faults.job_slow, 1);
	DIFFERS(faults.disk_error, 1);
	DIFFERS(faults.sync_slow, 1);
	DIFFERS(faults.partition, true);
	DIFFERS(faults.disk_full, true);
	DIFFERS(faults.latency_min_ns, 1);
	DIFFERS(faults.latency_max_ns, 8);
	DIFFERS(faults.sync_ns, 1);
	DIFFERS(faults.bytes_per_s, 1);
	DIFFERS(faults.pipe_bytes, 1);
	DIFFERS(faults.fds_max, 1);
#undef DIFFERS
}

static void what_is_no_token_is_named(void **state)
{
	(void)state;
	static const char b[] = "0123456789abcdef-0123456789abcdef";
	static const char *const before[] = {"qrt2-1-random-",
					     "qrt1--random-",
					     "qrt1-1-pct-",
					     "qrt1-1-pct0-",
					     "qrt1-1-pct17-",
					     "qrt1-1-random3-",
					     "qrt1-1-fifo-",
					     "qrt1-01-random-",
					     "qrt1-0x1-round-",
					     "qrt1-+1-round-",
					     "qrt1- 1-round-",
					     "qrt1--1-round-",
					     "qrt1-1-pct03-",
					     "qrt1-1-pct4294967299-",
					     "qrt1-A-round-",
					     " qrt1-1-round-",
					     "qrt1-11111111111111111-round-",
					     "qrt1-1-round"};
	static const char *const after[] = {"0",
					    "-",
					    "-x.1",
					    "-cancel.",
					    "-cancel.0",
					    "-cancel.1x",
					    "-cancel.01",
					    " ",
					    "-none.1",
					    "_cancel.1",
					    "-cancel.18446744073709551616"};
	char text[256], detail[256];
	struct qrt_lab_options opts = {.seed = 42};
	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", before[i], b);
		if (qrt_lab_token_read(text, true, &opts, detail) != QRT_EINVAL) {
			fail_msg("%s is taken", text);
		}
		assert_non_null(strstr(detail, "is no token: qrt1-SEED-STRATEGY-BUILD-CONFIG"));
	}
	for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++) {
		snprintf(text, sizeof(text), "qrt1-1-random-%s%s", b, after[i]);
		if (qrt_lab_token_read(text, true, &opts, detail) != QRT_EINVAL) {
			fail_msg("%s is taken", text);
		}
	}
	assert_int_equal(qrt_lab_token_read("", true, &opts, NULL), QRT_EINVAL);
	assert_true(opts.seed == 42);
	snprintf(text, sizeof(text), "qrt1-1-random-%s-cancel.1", b);
	assert_int_equal(qrt_lab_token_read(text, true, &opts, detail), QRT_OK);
	assert_true(opts.seed == 1);
}

/* --- every failure says its token
 * ------------------------------------------------------------------ */

static enum qrt_err asserts(struct qrt_cx *cx, void *arg)
{
	(void)cx;
	QRT_ASSERT(!arg);
	return QRT_OK;
}

static enum qrt_err leaves_open(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	int a, b;
	return qrt_lab_pair(cx, &a, &b);
}

static enum qrt_err spins(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	enum qrt_err err = QRT_OK;
	while (!err) {
		err = qrt_yield(cx);
	}
	return err;
}

static void fails(void *arg)
{
	qrt_task_fn *const *fn = arg;
	struct program program = {0};
	const struct qrt_lab_options opts = {.seed = 31, .steps_max = 500};
	QRT_IGNORE(lab_play(&opts, "lab-legacy", *fn, &program, NULL), "it does not come back");
}

static void every_failure_prints_its_token(void **state)
{
	(void)state;
	static qrt_task_fn *const failing[] = {asserts, leaves_open, spins, echo};
	char token[QRT_LAB_TOKEN_SIZE], text[TEXT], line[256];
	const struct qrt_lab_options opts = {.seed = 31};
	token_of(&opts, token);
	for (size_t i = 0; i < sizeof(failing) / sizeof(failing[0]); i++) {
		qrt_task_fn *fn = failing[i];
		assert_true(dies(fails, &fn, text, sizeof(text)));
		line_of(text, "qrt: replay token ", line);
		assert_string_equal(line, token);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_replay_is_the_recorded_execution_to_its_last_line),
	    cmocka_unit_test(choices_come_from_the_file_whatever_the_seed),
	    cmocka_unit_test(the_first_step_that_differs_is_shown_as_it_was_and_is),
	    cmocka_unit_test(who_does_more_or_less_than_was_recorded_differs_at_the_end),
	    cmocka_unit_test(choices_that_cannot_be_are_no_choices),
	    cmocka_unit_test(what_is_no_execution_is_refused),
	    cmocka_unit_test(what_failed_is_recorded_to_its_end),
	    cmocka_unit_test(dull_choices_are_made_the_dullest_way),
	    cmocka_unit_test(a_token_says_what_is_to_be_seen_again),
	    cmocka_unit_test(a_token_of_another_build_is_refused_unless_forced),
	    cmocka_unit_test(a_token_of_another_configuration_is_refused_unless_forced),
	    cmocka_unit_test(what_is_no_token_is_named),
	    cmocka_unit_test(every_failure_prints_its_token),
	};
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
