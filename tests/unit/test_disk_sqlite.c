/*
 * Real SQLite on the simulated disk: power lost at every operation, every
 * call failing once, every size of disk; locks, snapshots, time and chance.
 * QRT_LAB_SEEDS: each sweep plays a tenth as many, usually two.
 */
#include "tests/lib/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "backends/lab/disk.h"
#include "backends/lab/random.h"
#include "shim/src/db/conn.h"

enum { STEPS = 7, CRASHES_MAX = 4096 };

/* How the database writes. @forgets: commits a power loss may take back. */
struct mode {
	const char *name, *journal, *synchronous;
	unsigned sector;
	bool powersafe;
	unsigned forgets;
};

static const struct mode modes[] = {
    {"wal", "WAL", "FULL", 4096, false, 0},
    {"wal, as on Unix", "WAL", "FULL", 4096, true, 0},
    {"truncate", "TRUNCATE", "FULL", 512, false, 0},
    {"truncate, wide sectors", "TRUNCATE", "FULL", 4096, false, 0},
    {"delete", "DELETE", "EXTRA", 512, true, 0},
    {"delete, wide sectors", "DELETE", "EXTRA", 4096, false, 0},
    {"persist", "PERSIST", "FULL", 4096, false, 0},
    /* Without EXTRA nobody syncs that the journal is gone: it may come back, once. */
    {"delete without its directory", "DELETE", "FULL", 512, false, 1},
};
enum { MODES = sizeof(modes) / sizeof(modes[0]) };

/* What an operation of the disk meets. */
struct plan {
	uint64_t n;	  /* operations so far */
	uint64_t fail_at; /* 0: never; this operation, from 1 */
	bool fail_on;	  /* and all after it */
	enum qrt_err with;
	struct qrt__lab_random random;
	bool keeps_all; /* every choice is 0 */
	int64_t now_ns;
	struct stand *crash_to; /* a power loss before each operation */
	bool changed;		/* something, since the last */
	struct qrt__disk *of;
};

/* A power loss that might have been, and what had been promised by then. */
struct crashed {
	struct qrt__disk *disk;
	unsigned acked;
	bool busy; /* a step was under way */
};

/* A disk, a database on it, and how far the work has come. */
struct stand {
	struct plan plan;
	struct qrt__disk *disk;
	struct qrt__disk_vfs *vfs;
	sqlite3 *db;
	unsigned acked;
	bool busy;
	unsigned n_crashed;
	struct crashed crashed[CRASHES_MAX];
};

/* Of the usual size 1; much is 5 or more. */
static double size_wanted(void)
{
	const char *text = getenv("QRT_LAB_SEEDS");
	unsigned n = text ? (unsigned)strtoul(text, NULL, 10) : 0;
	return n > 0 ? n / 20.0 : 1;
}

static unsigned seeds(unsigned usual)
{
	unsigned n = (unsigned)(usual * size_wanted());
	return n > 0 ? n : 1;
}

/* --- hooks --------------------------------------------------------------------------------- */

static uint64_t plan_choose(void *arg, uint64_t n)
{
	struct plan *plan = arg;
	return plan->keeps_all ? 0 : qrt__lab_below(&plan->random, n);
}

static void lose_power(struct stand *stand, struct qrt__disk *disk)
{
	struct crashed *crashed = &stand->crashed[stand->n_crashed++];
	assert_true(stand->n_crashed < CRASHES_MAX);
	assert_int_equal(qrt__disk_clone_crashed(disk, &crashed->disk), QRT_OK);
	qrt__disk_set_hooks(crashed->disk, &(struct qrt__disk_hooks){0});
	crashed->acked = stand->acked;
	crashed->busy = stand->busy;
}

static enum qrt_err plan_op(void *arg, enum qrt__disk_op op, const char *file)
{
	struct plan *plan = arg;
	(void)file;
	plan->n++;
	/* Where nothing has changed since the last one, a power loss is nothing new. */
	if (plan->crash_to && plan->changed) {
		lose_power(plan->crash_to, plan->of);
	}
	plan->changed = op == QRT__DISK_OPEN || op == QRT__DISK_WRITE || op == QRT__DISK_TRUNCATE ||
			op == QRT__DISK_SYNC || op == QRT__DISK_DELETE;
	bool fails = plan->fail_at > 0 &&
		     (plan->n == plan->fail_at || (plan->fail_on && plan->n > plan->fail_at));
	return fails ? plan->with : QRT_OK;
}

static void plan_spend(void *arg, int64_t ns)
{
	struct plan *plan = arg;
	plan->now_ns += ns;
}

static void plan_random(void *arg, void *buf, size_t n)
{
	struct plan *plan = arg;
	for (size_t i = 0; i < n; i++) {
		((unsigned char *)buf)[i] = (unsigned char)qrt__lab_below(&plan->random, 256);
	}
}

static int64_t plan_wall_ms(void *arg)
{
	const struct plan *plan = arg;
	return INT64_C(1700000000000) + plan->now_ns / 1000000;
}

/* --- the stand ----------------------------------------------------------------------------- */

static struct stand *stand_new(uint64_t seed, const struct qrt__disk_options *with)
{
	struct stand *stand = calloc(1, sizeof(*stand));
	assert_non_null(stand);
	stand->plan.random.state = seed;
	struct qrt__disk_options opts = *with;
	opts.hooks = (struct qrt__disk_hooks){.arg = &stand->plan,
					      .choose = plan_choose,
					      .op = plan_op,
					      .spend = plan_spend,
					      .random = plan_random,
					      .wall_ms = plan_wall_ms};
	assert_int_equal(qrt__disk_create(&opts, &stand->disk), QRT_OK);
	assert_int_equal(qrt__disk_vfs_create(stand->disk, &stand->vfs), QRT_OK);
	stand->plan.of = stand->disk;
	return stand;
}

static void stand_free(struct stand *stand)
{
	for (unsigned i = 0; i < stand->n_crashed; i++) {
		qrt__disk_destroy(&stand->crashed[i].disk);
	}
	assert_int_equal(sqlite3_close(stand->db), SQLITE_OK);
	qrt__disk_vfs_destroy(&stand->vfs);
	assert_int_equal(qrt__disk_stats(stand->disk).handles, 0);
	qrt__disk_destroy(&stand->disk);
	free(stand);
}

static int db_open(const struct qrt__disk_vfs *vfs, sqlite3 **ret_db)
{
	int code = sqlite3_open_v2("./a.db", ret_db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
				   qrt__disk_vfs_name(vfs));
	if (*ret_db) {
		sqlite3_extended_result_codes(*ret_db, 1);
	}
	return code;
}

static int sql(sqlite3 *db, const char *text)
{
	return sqlite3_exec(db, text, NULL, NULL, NULL);
}

static void must(sqlite3 *db, const char *text)
{
	int code = sql(db, text);
	if (code != SQLITE_OK) {
		fail_msg("%s: %s (%d)", text, sqlite3_errmsg(db), code);
	}
}

/* The first column of the first row, "" for none; in @ret_text. */
static int ask(sqlite3 *db, const char *text, char ret_text[64])
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(db, text, -1, &stmt, NULL);
	ret_text[0] = '\0';
	if (code == SQLITE_OK) {
		code = sqlite3_step(stmt);
		if (code == SQLITE_ROW) {
			const char *got = (const char *)sqlite3_column_text(stmt, 0);
			snprintf(ret_text, 64, "%s", got ? got : "");
		}
		code = code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
	}
	/* A change of the journal is committed after its row. */
	int end = sqlite3_finalize(stmt);
	return code == SQLITE_OK ? end : code;
}

static void must_be(sqlite3 *db, const char *text, const char *expected)
{
	char got[64];
	assert_int_equal(ask(db, text, got), SQLITE_OK);
	assert_string_equal(got, expected);
}

/* --- the work ------------------------------------------------------------------------------ */

/* One transaction each; what they leave depends on all before them. */
static const char *const steps[STEPS] = {
    "BEGIN; CREATE TABLE t(id INTEGER PRIMARY KEY, step INT, body TEXT);"
    "CREATE INDEX t_body ON t(body); CREATE TABLE n(step INT); INSERT INTO n VALUES(0); COMMIT",
    "BEGIN; INSERT INTO t VALUES(1, 1, 'one'), (2, 1, 'two'); UPDATE n SET step = 1; COMMIT",
    /* More pages than the cache holds: some are written before the commit. */
    "BEGIN; WITH RECURSIVE c(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM c WHERE i < 24)"
    "INSERT INTO t SELECT i, 2, substr(hex(i * 7919) || hex(zeroblob(200)), 1, 300) FROM c;"
    "UPDATE n SET step = 2; COMMIT",
    "BEGIN; UPDATE t SET body = body || step, step = 3 WHERE id % 3 = 1; UPDATE n SET step = 3;"
    "COMMIT",
    "BEGIN; DELETE FROM t WHERE id > 13; UPDATE n SET step = 4; COMMIT",
    "BEGIN; INSERT INTO t SELECT id + 100, 5, body || 'x' FROM t; UPDATE n SET step = 5; COMMIT",
    "BEGIN; UPDATE t SET step = 6 WHERE id = 1; UPDATE n SET step = 6; COMMIT",
};

static int configure(sqlite3 *db, const struct mode *mode)
{
	char text[200], got[64];
	snprintf(text, sizeof(text),
		 "PRAGMA page_size=1024; PRAGMA cache_size=8; PRAGMA synchronous=%s;"
		 "PRAGMA wal_autocheckpoint=12",
		 mode->synchronous);
	int code = sql(db, text);
	if (code == SQLITE_OK) {
		snprintf(text, sizeof(text), "PRAGMA journal_mode=%s", mode->journal);
		code = ask(db, text, got);
	}
	/* What it cannot do, SQLite says by answering with the mode it has. */
	return code == SQLITE_OK && sqlite3_stricmp(got, mode->journal) != 0 ? SQLITE_CANTOPEN
									     : code;
}

/* Opens and works until something fails, whose code it returns. */
static int work(struct stand *stand, const struct mode *mode)
{
	int code = stand->db ? SQLITE_OK : db_open(stand->vfs, &stand->db);
	if (code == SQLITE_OK) {
		code = configure(stand->db, mode);
	}
	while (code == SQLITE_OK && stand->acked < STEPS) {
		stand->busy = true;
		code = sql(stand->db, steps[stand->acked]);
		if (code == SQLITE_OK) {
			stand->acked++;
			stand->busy = false;
		}
	}
	return code;
}

static void stop(struct stand *stand)
{
	if (stand->db && !sqlite3_get_autocommit(stand->db)) {
		sql(stand->db, "ROLLBACK");
	}
	assert_int_equal(sqlite3_close(stand->db), SQLITE_OK);
	stand->db = NULL;
}

/* A number for all that is in the tables; 0 when there are none. Negative: not readable. */
static int64_t digest(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	char n[64];
	if (ask(db, "SELECT count(*) FROM sqlite_schema", n) != SQLITE_OK) {
		return -1;
	}
	if (strcmp(n, "0") == 0) {
		return 0;
	}
	uint64_t sum = 14695981039346656037u;
	int code = sqlite3_prepare_v2(
	    db, "SELECT id || ' ' || step || ' ' || body FROM t UNION ALL SELECT step FROM n", -1,
	    &stmt, NULL);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		const char *text =
		    code == SQLITE_ROW ? (const char *)sqlite3_column_text(stmt, 0) : "";
		for (; text && *text != '\0'; text++) {
			sum = (sum ^ (unsigned char)*text) * 1099511628211u;
		}
	}
	sqlite3_finalize(stmt);
	return code == SQLITE_DONE ? (int64_t)(sum >> 2) + 1 : -1;
}

/* What the tables hold after each step; the first: before any. */
static int64_t expected[STEPS + 1];

static int expect_steps(void **state)
{
	(void)state;
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	for (unsigned i = 0; i < STEPS; i++) {
		expected[i] = digest(db);
		must(db, steps[i]);
	}
	expected[STEPS] = digest(db);
	for (unsigned i = 0; i < STEPS; i++) {
		assert_true(expected[i] >= 0);
		assert_true(expected[i] != expected[i + 1]);
	}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return 0;
}

/* How many steps the database on @disk holds, whole; -1: it is damaged, or holds half of one. */
static int steps_in(struct qrt__disk *disk)
{
	struct qrt__disk_vfs *vfs = NULL;
	sqlite3 *db = NULL;
	char text[64];
	int found = -1;
	assert_int_equal(qrt__disk_vfs_create(disk, &vfs), QRT_OK);
	if (db_open(vfs, &db) == SQLITE_OK &&
	    ask(db, "PRAGMA integrity_check", text) == SQLITE_OK && strcmp(text, "ok") == 0) {
		int64_t sum = digest(db);
		for (int i = 0; i <= STEPS && sum >= 0; i++) {
			found = sum == expected[i] ? i : found;
		}
	}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	qrt__disk_vfs_destroy(&vfs);
	return found;
}

static bool is_promised(int found, unsigned acked, bool busy, unsigned forgets)
{
	return found >= 0 && (unsigned)found + forgets >= acked &&
	       (unsigned)found <= acked + (busy ? 1 : 0);
}

/* --- power loss ---------------------------------------------------------------------------- */

struct tally {
	unsigned crashes, broken, forgotten, ahead;
};

/* Works with a power loss before each operation; counts what was found after them. */
static void sweep_crashes(const struct mode *mode, uint64_t seed, bool keeps_all,
			  struct tally *tally)
{
	struct stand *stand =
	    stand_new(seed, &(struct qrt__disk_options){.sector = mode->sector,
							.powersafe = mode->powersafe});
	stand->plan.crash_to = stand;
	stand->plan.keeps_all = keeps_all;
	qrt__disk_vfs_seed(stand->vfs);
	assert_int_equal(work(stand, mode), SQLITE_OK);
	stop(stand);
	stand->plan.crash_to = NULL;
	for (unsigned i = 0; i < stand->n_crashed; i++) {
		const struct crashed *crashed = &stand->crashed[i];
		int found = steps_in(crashed->disk);
		bool kept = is_promised(found, crashed->acked, crashed->busy, mode->forgets);
		if (!kept && strcmp(mode->synchronous, "OFF") != 0) {
			print_message("# %s, seed %u, operation %u: %d steps of %u\n", mode->name,
				      (unsigned)seed, i + 1, found, crashed->acked);
		}
		tally->crashes++;
		tally->broken += kept ? 0 : 1;
		tally->forgotten += found >= 0 && (unsigned)found < crashed->acked ? 1 : 0;
		tally->ahead += found >= 0 && (unsigned)found > crashed->acked ? 1 : 0;
	}
	assert_int_equal(steps_in(stand->disk), STEPS);
	stand_free(stand);
}

static void a_power_loss_at_any_operation_keeps_what_was_committed(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODES; m++) {
		struct tally tally = {0};
		for (unsigned seed = 1; seed <= seeds(2); seed++) {
			sweep_crashes(&modes[m], seed, false, &tally);
		}
		assert_true(tally.crashes > 100);
		assert_int_equal(tally.broken, 0);
		if (modes[m].forgets == 0) {
			assert_int_equal(tally.forgotten, 0);
		} else {
			assert_true(tally.forgotten > 0);
		}
		/* Some had reached the disk before they said so; a delete that is synced cannot. */
		if (strcmp(modes[m].journal, "DELETE") != 0) {
			assert_true(tally.ahead > 0);
		}
	}
}

static const struct mode unsafe[] = {
    {"wal off", "WAL", "OFF", 4096, false, 0},
    {"truncate off", "TRUNCATE", "OFF", 4096, false, 0},
    {"delete off", "DELETE", "OFF", 512, true, 0},
};

static void without_syncs_a_power_loss_breaks_promises(void **state)
{
	(void)state;
	for (size_t m = 0; m < sizeof(unsafe) / sizeof(unsafe[0]); m++) {
		struct tally tally = {0};
		for (unsigned seed = 1; seed <= 2; seed++) {
			sweep_crashes(&unsafe[m], seed, false, &tally);
		}
		assert_true(tally.broken > tally.crashes / 10);
		assert_true(tally.forgotten > 0);
	}
}

static void a_disk_that_loses_nothing_breaks_nothing(void **state)
{
	(void)state;
	for (size_t m = 0; m < sizeof(unsafe) / sizeof(unsafe[0]); m++) {
		struct tally tally = {0};
		sweep_crashes(&unsafe[m], 1, true, &tally);
		assert_true(tally.crashes > 50);
		assert_int_equal(tally.broken, 0);
	}
}

static void after_a_power_loss_every_call_of_the_old_handles_fails(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODES; m++) {
		struct stand *stand = stand_new(m, &(struct qrt__disk_options){0});
		sqlite3 *again = NULL;
		assert_int_equal(work(stand, &modes[m]), SQLITE_OK);
		must(stand->db, "BEGIN; UPDATE n SET step = 99");
		assert_int_equal(qrt__disk_crash(stand->disk), QRT_OK);
		assert_int_equal(db_open(stand->vfs, &again), SQLITE_OK);
		must_be(again, "PRAGMA integrity_check", "ok");
		assert_true(digest(again) == expected[STEPS] ||
			    (modes[m].forgets && digest(again) == expected[STEPS - 1]));
		must(again, "UPDATE n SET step = 7");
		assert_int_equal(sql(stand->db, "UPDATE t SET step = 99; COMMIT") & 0xff,
				 SQLITE_IOERR);
		sql(stand->db, "ROLLBACK");
		assert_int_equal(sql(stand->db, "SELECT * FROM t") & 0xff, SQLITE_IOERR);
		must_be(again, "SELECT step FROM n", "7");
		assert_int_equal(sqlite3_close(stand->db), SQLITE_OK);
		stand->db = NULL;
		must(again, "UPDATE n SET step = 8");
		must_be(again, "PRAGMA integrity_check", "ok");
		assert_int_equal(sqlite3_close(again), SQLITE_OK);
		stand_free(stand);
	}
}

/* --- failing calls ------------------------------------------------------------------------- */

struct fault {
	enum qrt_err with;
	bool on; /* it stays so */
};

static bool is_code_of(int code, enum qrt_err with)
{
	int primary = code & 0xff;
	if (primary == SQLITE_CANTOPEN || primary == SQLITE_OK) {
		return true;
	}
	if (with == QRT_ENOMEM) {
		return primary == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM;
	}
	return primary == (with == QRT_ELIMIT ? SQLITE_FULL : SQLITE_IOERR);
}

/* The @n-th operation fails. Returns whether it came to that. */
static bool fail_once(const struct mode *mode, const struct fault *fault, uint64_t n,
		      uint64_t *ret_felt)
{
	struct qrt__disk *left = NULL;
	struct stand *stand = stand_new(
	    n, &(struct qrt__disk_options){.sector = mode->sector, .powersafe = mode->powersafe});
	stand->plan.fail_at = n;
	stand->plan.with = fault->with;
	stand->plan.fail_on = fault->on;
	int code = work(stand, mode);
	*ret_felt += code != SQLITE_OK ? 1 : 0;
	assert_true(is_code_of(code, fault->with));
	stop(stand);
	bool reached = stand->plan.n >= n;
	stand->plan.fail_at = 0;
	assert_int_equal(qrt__disk_clone_crashed(stand->disk, &left), QRT_OK);
	assert_true(is_promised(steps_in(stand->disk), stand->acked, stand->busy, 0));
	assert_true(is_promised(steps_in(left), stand->acked, stand->busy, mode->forgets));
	qrt__disk_destroy(&left);
	stand_free(stand);
	return reached;
}

static void a_call_that_fails_damages_nothing(void **state)
{
	static const struct fault faults[] = {
	    {QRT_EIO, false}, {QRT_EIO, true}, {QRT_ELIMIT, false}, {QRT_ENOMEM, false}};
	(void)state;
	int64_t before = sqlite3_memory_used();
	for (unsigned m = 0; m < MODES; m += 2) {
		for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++) {
			/* The first at every call; the rest at every one when there is time. */
			unsigned stride = f == 0 || size_wanted() >= 5 ? 1 : 8;
			uint64_t n = 1, runs = 1, felt = 0;
			for (; fail_once(&modes[m], &faults[f], n, &felt); n += stride) {
				runs++;
			}
			assert_true(n > 300);
			assert_true(felt > runs / 2);
		}
	}
	assert_int_equal(sqlite3_memory_used(), before);
}

static void a_full_disk_damages_nothing_and_work_goes_on_when_there_is_room(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MODES; m += 2) {
		int code = SQLITE_FULL;
		unsigned full = 0;
		for (size_t size = 1; code != SQLITE_OK; size += 1500) {
			struct stand *stand =
			    stand_new(size, &(struct qrt__disk_options){.size_max = size});
			code = work(stand, &modes[m]);
			assert_true(code == SQLITE_FULL || code == SQLITE_OK);
			full += code == SQLITE_FULL ? 1 : 0;
			assert_true(qrt__disk_stats(stand->disk).bytes <= size);
			if (!sqlite3_get_autocommit(stand->db)) {
				sql(stand->db, "ROLLBACK");
			}
			qrt__disk_set_size_max(stand->disk, 64 << 20);
			must_be(stand->db, "PRAGMA integrity_check", "ok");
			assert_int_equal(digest(stand->db), expected[stand->acked]);
			assert_int_equal(work(stand, &modes[m]), SQLITE_OK);
			stop(stand);
			assert_int_equal(steps_in(stand->disk), STEPS);
			stand_free(stand);
		}
		assert_true(full > 5);
	}
}

/* --- the same again ------------------------------------------------------------------------ */

static uint64_t sum_of(const struct qrt__disk *disk)
{
	uint64_t sum = 14695981039346656037u;
	const char *path = NULL;
	for (size_t i = 0; (path = qrt__disk_list(disk, i)); i++) {
		size_t n = 0;
		const unsigned char *bytes = qrt__disk_get(disk, path, &n);
		for (size_t b = 0; b < n; b++) {
			sum = (sum ^ bytes[b]) * 1099511628211u;
		}
		sum = (sum ^ strlen(path)) * 1099511628211u;
	}
	return sum;
}

static uint64_t play(uint64_t seed)
{
	struct stand *stand = stand_new(seed, &(struct qrt__disk_options){.slow_sync_ns = 100});
	uint64_t sum = 0;
	stand->plan.crash_to = stand;
	qrt__disk_vfs_seed(stand->vfs);
	assert_int_equal(work(stand, &modes[0]), SQLITE_OK);
	must(stand->db, "UPDATE n SET step = random()");
	for (unsigned i = 0; i < stand->n_crashed; i++) {
		sum = qrt__lab_mix(sum ^ sum_of(stand->crashed[i].disk));
	}
	sum = qrt__lab_mix(sum ^ sum_of(stand->disk)) ^ (uint64_t)stand->plan.now_ns;
	stand->plan.crash_to = NULL;
	stand_free(stand);
	return sum;
}

static void equal_seeds_give_equal_bytes(void **state)
{
	(void)state;
	sqlite3_vfs *usual = sqlite3_vfs_find(NULL);
	uint64_t first = play(5);
	assert_true(play(5) == first);
	assert_true(play(6) != first);
	assert_true(play(5) == first);
	assert_ptr_equal(sqlite3_vfs_find(NULL), usual);
}

/* --- two connections ----------------------------------------------------------------------- */

static struct stand *two(const char *journal, sqlite3 **ret_other)
{
	struct stand *stand = stand_new(1, &(struct qrt__disk_options){0});
	char text[64];
	assert_int_equal(db_open(stand->vfs, &stand->db), SQLITE_OK);
	assert_int_equal(db_open(stand->vfs, ret_other), SQLITE_OK);
	snprintf(text, sizeof(text), "PRAGMA journal_mode=%s", journal);
	must(stand->db, text);
	must(stand->db, "CREATE TABLE v(x); INSERT INTO v VALUES(1)");
	return stand;
}

static void writers_and_readers_of_a_journal_keep_out_of_each_others_way(void **state)
{
	(void)state;
	sqlite3 *other = NULL;
	struct stand *stand = two("DELETE", &other);
	sqlite3 *db = stand->db;
	must(db, "BEGIN IMMEDIATE; UPDATE v SET x = 2");
	must_be(other, "SELECT x FROM v", "1");
	assert_int_equal(sql(other, "BEGIN IMMEDIATE"), SQLITE_BUSY);
	must(other, "BEGIN");
	must_be(other, "SELECT x FROM v", "1");
	assert_int_equal(sql(db, "COMMIT"), SQLITE_BUSY); /* somebody reads */
	sqlite3 *third = NULL;
	assert_int_equal(db_open(stand->vfs, &third), SQLITE_OK);
	assert_int_equal(sql(third, "SELECT x FROM v"), SQLITE_BUSY); /* no new reader */
	must(other, "COMMIT");
	must(db, "COMMIT");
	must_be(third, "SELECT x FROM v", "2");
	must(db, "BEGIN EXCLUSIVE");
	assert_int_equal(sql(third, "SELECT x FROM v"), SQLITE_BUSY);
	must(db, "COMMIT");
	assert_int_equal(sqlite3_close(third), SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	stand_free(stand);
}

static void readers_of_a_log_keep_what_they_saw(void **state)
{
	(void)state;
	sqlite3 *other = NULL;
	size_t n = 0;
	struct stand *stand = two("WAL", &other);
	sqlite3 *db = stand->db;
	must(other, "BEGIN");
	must_be(other, "SELECT x FROM v", "1");
	must(db, "UPDATE v SET x = 2");
	must_be(other, "SELECT x FROM v", "1");
	assert_int_equal(sql(other, "UPDATE v SET x = 3"), SQLITE_BUSY_SNAPSHOT);
	must_be(db, "PRAGMA wal_checkpoint(TRUNCATE)", "1"); /* busy: a reader needs the log */
	must_be(other, "SELECT x FROM v", "1");
	must(other, "COMMIT");
	must_be(other, "SELECT x FROM v", "2");
	must_be(db, "PRAGMA wal_checkpoint(TRUNCATE)", "0");
	assert_non_null(qrt__disk_get(stand->disk, "a.db-wal", &n));
	assert_int_equal(n, 0);
	must(other, "BEGIN IMMEDIATE; UPDATE v SET x = 4");
	assert_int_equal(sql(db, "UPDATE v SET x = 5"), SQLITE_BUSY);
	must(other, "COMMIT");
	must_be(db, "SELECT x FROM v", "4");
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	must_be(db, "SELECT x FROM v", "4");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	stand->db = NULL;
	assert_null(qrt__disk_get(stand->disk, "a.db-wal", &n)); /* the last one out */
	stand_free(stand);
}

/* --- the rest ------------------------------------------------------------------------------ */

static void a_large_database_sorts_and_shrinks_on_the_disk(void **state)
{
	(void)state;
	struct stand *stand = stand_new(1, &(struct qrt__disk_options){0});
	size_t before = 0, after = 0;
	assert_int_equal(db_open(stand->vfs, &stand->db), SQLITE_OK);
	must(stand->db, "PRAGMA journal_mode=WAL; PRAGMA temp_store=FILE; PRAGMA cache_size=20;"
			"CREATE TABLE b(x, y);"
			"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < "
			"5000) INSERT INTO b SELECT i * 7919 % 5003, zeroblob(1000) FROM c");
	must(stand->db, "CREATE TEMP TABLE sorted AS SELECT x, y FROM b ORDER BY x, y");
	must_be(stand->db, "SELECT count(*) FROM sorted", "5000");
	must(stand->db, "PRAGMA wal_checkpoint(TRUNCATE)");
	assert_non_null(qrt__disk_get(stand->disk, "a.db", &before));
	assert_true(before > 5000000);
	assert_true(qrt__disk_stats(stand->disk).bytes > before); /* the temporary one, unnamed */
	assert_null(qrt__disk_list(stand->disk, 2));
	must(stand->db, "DELETE FROM b WHERE x > 10; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
	must_be(stand->db, "PRAGMA integrity_check", "ok");
	assert_non_null(qrt__disk_get(stand->disk, "a.db", &after));
	assert_true(after < before / 50);
	stop(stand);
	assert_int_equal(qrt__disk_stats(stand->disk).bytes, after);
	stand_free(stand);
}

static void time_is_the_hooks_and_waiting_takes_none_of_ours(void **state)
{
	(void)state;
	sqlite3 *other = NULL;
	struct stand *stand = two("WAL", &other);
	must_be(stand->db, "SELECT strftime('%s', 'now')", "1700000000");
	stand->plan.now_ns = INT64_C(90000000000);
	must_be(stand->db, "SELECT strftime('%s', 'now')", "1700000090");
	assert_int_equal(sqlite3_busy_timeout(other, 3600 * 1000), SQLITE_OK);
	must(stand->db, "BEGIN IMMEDIATE");
	assert_int_equal(sql(other, "BEGIN IMMEDIATE"), SQLITE_BUSY);
	/* SQLite's own way of waiting takes the full hour, of the hook's time. */
	assert_true(stand->plan.now_ns >= (90 + 3590) * INT64_C(1000000000));
	must(stand->db, "COMMIT");
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	stand_free(stand);
}

static void what_cannot_be_opened_says_why(void **state)
{
	(void)state;
	struct stand *stand = stand_new(1, &(struct qrt__disk_options){.files_max = 1});
	const char *name = qrt__disk_vfs_name(stand->vfs);
	sqlite3 *db = NULL;
	char path[400];
	assert_int_equal(sqlite3_open_v2("b.db", &db, SQLITE_OPEN_READWRITE, name),
			 SQLITE_CANTOPEN);
	assert_int_equal(sqlite3_system_errno(db), ENOENT);
	sqlite3_close(db);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(
	    sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, name),
	    SQLITE_CANTOPEN);
	sqlite3_close(db);
	stand->plan.fail_at = stand->plan.n + 1;
	stand->plan.with = QRT_EMFILE;
	assert_int_equal(db_open(stand->vfs, &db), SQLITE_CANTOPEN);
	assert_int_equal(sqlite3_system_errno(db), EMFILE);
	sqlite3_close(db);
	assert_int_equal(db_open(stand->vfs, &stand->db), SQLITE_OK);
	assert_int_equal(sql(stand->db, "CREATE TABLE v(x)"), SQLITE_CANTOPEN); /* its journal */
	assert_int_equal(sqlite3_system_errno(stand->db), ENOSPC);
	stop(stand);
	/* A file that must only be read. */
	assert_int_equal(sqlite3_open_v2("a.db", &stand->db, SQLITE_OPEN_READONLY, name),
			 SQLITE_OK);
	assert_int_equal(sql(stand->db, "CREATE TABLE v(x)"), SQLITE_READONLY);
	stand_free(stand);
}

/* Only what opening asks of a runtime: no clock, no time of its own. */
static enum qrt_err engine_open(const struct stand *stand, struct qrt_db_conn *conn)
{
	static const struct qrt__driver driver;
	static struct qrt_runtime rt;
	const struct qrt__db_target target = {.path = "a.db",
					      .disk = qrt__disk_vfs_name(stand->vfs),
					      .create = true,
					      .synchronous_full = true};
	void *native = NULL;
	rt.driver = &driver;
	*conn = (struct qrt_db_conn){.rt = &rt, .engine = &qrt__db_sqlite};
	enum qrt_err err = qrt__db_sqlite.open(conn, &target, &native);
	if (!err) {
		qrt__db_sqlite.close(native);
	}
	return err;
}

static void the_engine_opens_no_database_without_its_log(void **state)
{
	struct qrt_db_conn conn;
	unsigned failed = 0;
	uint64_t n = 1;
	(void)state;
	for (bool reached = true; reached; n++) {
		struct stand *stand = stand_new(n, &(struct qrt__disk_options){0});
		stand->plan.fail_at = n;
		stand->plan.with = QRT_EIO;
		enum qrt_err err = engine_open(stand, &conn);
		reached = stand->plan.n >= n;
		stand->plan.fail_at = 0;
		if (err) {
			failed++;
			assert_true(err == QRT_EIO || err == QRT_EACCES);
			assert_true(conn.detail[0] != '\0');
		} else {
			assert_int_equal(db_open(stand->vfs, &stand->db), SQLITE_OK);
			must_be(stand->db, "PRAGMA journal_mode", "wal");
		}
		stand_free(stand);
	}
	assert_true(failed > 20);
}

static void calls_answer_as_sqlite_expects(void **state)
{
	(void)state;
	struct stand *stand = stand_new(1, &(struct qrt__disk_options){.sector = 1024});
	struct stand *safe = stand_new(1, &(struct qrt__disk_options){.powersafe = true});
	sqlite3_vfs *vfs = sqlite3_vfs_find(qrt__disk_vfs_name(stand->vfs));
	sqlite3_file *file = NULL;
	char buf[8] = "xxxxxxx";
	int yes = -1;
	assert_int_equal(db_open(stand->vfs, &stand->db), SQLITE_OK);
	assert_int_equal(db_open(safe->vfs, &safe->db), SQLITE_OK);
	/* No promise that would let SQLite take a shortcut. */
	sqlite3_file_control(safe->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	assert_int_equal(file->pMethods->xDeviceCharacteristics(file),
			 SQLITE_IOCAP_POWERSAFE_OVERWRITE);
	assert_int_equal(file->pMethods->xSectorSize(file), 4096);
	sqlite3_file_control(stand->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	assert_int_equal(file->pMethods->xDeviceCharacteristics(file), 0);
	assert_int_equal(file->pMethods->xSectorSize(file), 1024);
	assert_int_equal(file->pMethods->iVersion, 2);
	assert_int_equal(file->pMethods->xWrite(file, "abc", 3, 0), SQLITE_OK);
	assert_int_equal(file->pMethods->xRead(file, buf, 8, 1), SQLITE_IOERR_SHORT_READ);
	assert_memory_equal(buf, "bc\0\0\0\0\0\0", 8);
	assert_int_equal(file->pMethods->xRead(file, buf, 2, 1), SQLITE_OK);
	assert_int_equal(file->pMethods->xTruncate(file, 0), SQLITE_OK);
	assert_int_equal(vfs->xDelete(vfs, "nobody", 0), SQLITE_IOERR_DELETE_NOENT);
	/* Without content it does not count as there. */
	assert_int_equal(vfs->xAccess(vfs, "a.db", SQLITE_ACCESS_EXISTS, &yes), SQLITE_OK);
	assert_int_equal(yes, 0);
	assert_int_equal(vfs->xAccess(vfs, "a.db", SQLITE_ACCESS_READWRITE, &yes), SQLITE_OK);
	assert_int_equal(yes, 1);
	assert_int_equal(vfs->xAccess(vfs, "b.db", SQLITE_ACCESS_READWRITE, &yes), SQLITE_OK);
	assert_int_equal(yes, 0);
	stand_free(stand);
	stand_free(safe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_power_loss_at_any_operation_keeps_what_was_committed),
	    cmocka_unit_test(without_syncs_a_power_loss_breaks_promises),
	    cmocka_unit_test(a_disk_that_loses_nothing_breaks_nothing),
	    cmocka_unit_test(after_a_power_loss_every_call_of_the_old_handles_fails),
	    cmocka_unit_test(a_call_that_fails_damages_nothing),
	    cmocka_unit_test(a_full_disk_damages_nothing_and_work_goes_on_when_there_is_room),
	    cmocka_unit_test(equal_seeds_give_equal_bytes),
	    cmocka_unit_test(writers_and_readers_of_a_journal_keep_out_of_each_others_way),
	    cmocka_unit_test(readers_of_a_log_keep_what_they_saw),
	    cmocka_unit_test(a_large_database_sorts_and_shrinks_on_the_disk),
	    cmocka_unit_test(time_is_the_hooks_and_waiting_takes_none_of_ours),
	    cmocka_unit_test(what_cannot_be_opened_says_why),
	    cmocka_unit_test(the_engine_opens_no_database_without_its_log),
	    cmocka_unit_test(calls_answer_as_sqlite_expects),
	};

	return cmocka_run_group_tests(tests, expect_steps, NULL);
}
