/*
 * Writes that share a commit, and what each of them is told: on every
 * backend of this build, with real lanes. What only a group can do is
 * expected where groups are promised; what is stored must be right everywhere.
 */
#include "tests/lib/test.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <qrt/lab.h>

#include "shim/src/db/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/database.h"

enum { CAST_MAX = 200 };

struct cast {
	struct qrt_db *db;
	struct qrt_region *region;
	struct db_writer gate;
	struct db_writer writer[CAST_MAX];
	unsigned n;
	struct qrt_db_stats before, after;
};

static struct cast cast; /* too large for a task's stack; one scenario at a time */

/* Opens a database whose writer, of @engine, is held. */
static enum qrt_err curtain_of(struct qrt_cx *cx, const struct qrt__db_engine *engine)
{
	memset(&cast, 0, sizeof(cast));
	EXPECT(db_open(cx, "group.db", NULL, &cast.db) == QRT_OK);
	EXPECT(db_write(cx, cast.db, DB_TABLES) == QRT_OK);
	EXPECT(db_write_by(cx, cast.db, engine) == QRT_OK);
	cast.db->group_ns = 3600 * QRT_SEC; /* however slow the machine is */
	EXPECT(qrt_region_open(cx, QRT_COLLECT, &cast.region) == QRT_OK);
	qrt_db_stats(cast.db, &cast.before);
	cast.gate =
	    (struct db_writer){.db = cast.db, .number = 1000, .play = DB_WAIT, .alone = true};
	return db_hold(cx, cast.region, &cast.gate);
}

static enum qrt_err curtain(struct qrt_cx *cx)
{
	return curtain_of(cx, &qrt__db_sqlite);
}

static enum qrt_err enter(struct qrt_cx *cx, enum db_play play)
{
	struct db_writer *writer = &cast.writer[cast.n++];
	writer->db = cast.db;
	writer->number = (int)cast.n;
	writer->play = play;
	return db_queue(cx, cast.region, writer, cast.n);
}

/* Lets the writer go, and waits for all. What is stored must be who was told OK, and the gate. */
static enum qrt_err finale(struct qrt_cx *cx)
{
	char want[1200] = "";
	size_t used = 0;
	atomic_store(&cast.gate.go, true);
	EXPECT(qrt_region_close(cx, &cast.region, QRT_OK) == QRT_OK);
	qrt_db_stats(cast.db, &cast.after);
	for (unsigned i = 0; i < cast.n; i++) {
		EXPECT(cast.writer[i].ended);
		if (!cast.writer[i].err) {
			used += (size_t)snprintf(want + used, sizeof(want) - used, "%d,",
						 cast.writer[i].number);
		}
	}
	snprintf(want + used, sizeof(want) - used, "1000");
	struct db_writer *gate = &cast.gate;
	EXPECT(gate->err == QRT_OK);
	if (strlen(want) < 190) {
		EXPECT(db_reads(cx, cast.db,
				"SELECT group_concat(n) FROM (SELECT n FROM t ORDER BY n)", want));
	}
	EXPECT(cast.after.queued == 0);
	qrt_db_close(cx, &cast.db);
	return QRT_OK;
}

static uint64_t commits(void)
{
	return cast.after.commits - cast.before.commits - 1; /* without the gate's */
}

static bool has_groups(struct qrt_cx *cx)
{
	return is_structured(cx) && !qrt_in_lab(cx); /* in the lab the seed says who is met */
}

/* --- sharing -------------------------------------------------------------------------------- */

static enum qrt_err twenty(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(curtain(cx) == QRT_OK);
	for (int i = 0; i < 20; i++) {
		EXPECT(enter(cx, DB_PLAIN) == QRT_OK);
	}
	EXPECT(finale(cx) == QRT_OK);
	EXPECT(cast.after.writes - cast.before.writes == 21);
	EXPECT(!has_groups(cx) || commits() == 1);
	EXPECT(is_structured(cx) || commits() == 20);
	EXPECT(cast.after.again == 0);
	return QRT_OK;
}

static void those_in_line_share_a_commit(void **state)
{
	(void)state;
	db_on_each_backend(twenty, NULL);
}

static enum qrt_err two_hundred(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(curtain(cx) == QRT_OK);
	for (int i = 0; i < CAST_MAX; i++) {
		EXPECT(enter(cx, DB_PLAIN) == QRT_OK);
	}
	EXPECT(finale(cx) == QRT_OK);
	EXPECT(commits() >= 4); /* 64 at most */
	EXPECT(!has_groups(cx) || commits() < 100);
	return QRT_OK;
}

static void a_group_is_bounded(void **state)
{
	(void)state;
	db_on_each_backend(two_hundred, NULL);
}

static enum qrt_err no_groups(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	EXPECT(curtain(cx) == QRT_OK);
	EXPECT(enter(cx, DB_PLAIN) == QRT_OK);
	EXPECT(enter(cx, DB_PLAIN) == QRT_OK);
	cast.writer[2].alone = true;
	EXPECT(enter(cx, DB_PLAIN) == QRT_OK);
	EXPECT(enter(cx, DB_LOSE) == QRT_OK);
	EXPECT(finale(cx) == QRT_OK);
	EXPECT(!has_groups(cx) || commits() == 2);
	EXPECT(atomic_load(&cast.writer[2].runs) == 1);
	EXPECT(cast.after.again == 0);
	return QRT_OK;
}

static void one_that_wants_to_be_alone_is(void **state)
{
	(void)state;
	db_on_each_backend(no_groups, NULL);
}

/* --- verdicts ------------------------------------------------------------------------------- */

/* A cast, what each is told, and what it takes where groups are promised. */
struct plot {
	const char *name;
	enum db_play play[5];
	enum qrt_err told[5];
	const char *says[5];
	unsigned commits, again;
};

static const struct plot plots[] = {
    {"says no first",
     {DB_REFUSE, DB_PLAIN, DB_PLAIN, DB_PLAIN, DB_PLAIN},
     {QRT_ECONFLICT},
     {"number 1 says no"},
     .commits = 1},
    {"says no in the middle",
     {DB_PLAIN, DB_PLAIN, DB_REFUSE, DB_PLAIN, DB_PLAIN},
     {0, 0, QRT_ECONFLICT},
     {0, 0, "number 3 says no"},
     .commits = 1},
    {"says no last",
     {DB_PLAIN, DB_PLAIN, DB_PLAIN, DB_PLAIN, DB_REFUSE},
     {0, 0, 0, 0, QRT_ECONFLICT},
     {0, 0, 0, 0, "number 5 says no"},
     .commits = 1},
    {"violates a constraint",
     {DB_PLAIN, DB_VIOLATE, DB_PLAIN, DB_VIOLATE, DB_PLAIN},
     {0, QRT_ECONFLICT, 0, QRT_ECONFLICT, 0},
     {0, "UNIQUE constraint failed: t.n in: INSERT INTO t VALUES (2)", 0, "VALUES (4)"},
     .commits = 1},
    {"loses the transaction",
     {DB_PLAIN, DB_PLAIN, DB_LOSE, DB_PLAIN, DB_PLAIN},
     {0, 0, QRT_ESTATE},
     {0, 0, "an error has ended the transaction"},
     .commits = 3, /* two by themselves, then those behind */
     .again = 2},
    {"loses it as the first",
     {DB_LOSE, DB_PLAIN, DB_PLAIN, DB_PLAIN, DB_PLAIN},
     {QRT_ESTATE},
     {"an error has ended the transaction"},
     .commits = 1},
    {"cannot be committed",
     {DB_PLAIN, DB_OWE, DB_PLAIN, DB_PLAIN, DB_PLAIN},
     {0, QRT_ECONFLICT},
     {0, "FOREIGN KEY constraint failed"},
     .commits = 4,
     .again = 5},
    {"all of them",
     {DB_REFUSE, DB_VIOLATE, DB_LOSE, DB_OWE, DB_PLAIN},
     {QRT_ECONFLICT, QRT_ECONFLICT, QRT_ESTATE, QRT_ECONFLICT, 0},
     {0},
     .commits = 1,
     .again = 2},
};

static enum qrt_err told_as(const struct plot *plot)
{
	for (unsigned i = 0; i < 5; i++) {
		const struct db_writer *writer = &cast.writer[i];
		if (writer->err != plot->told[i] ||
		    (plot->says[i] && !strstr(writer->detail, plot->says[i]))) {
			fprintf(stderr, "%s: number %u was told %s \"%s\"\n", plot->name, i + 1,
				qrt_err_name(writer->err), writer->detail);
			return QRT_EFAILED;
		}
		EXPECT(atomic_load(&cast.writer[i].runs) <= 2);
	}
	return QRT_OK;
}

static enum qrt_err verdicts(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < sizeof(plots) / sizeof(plots[0]); i++) {
		const struct plot *plot = &plots[i];
		EXPECT(curtain(cx) == QRT_OK);
		for (int j = 0; j < 5; j++) {
			EXPECT(enter(cx, plot->play[j]) == QRT_OK);
		}
		EXPECT(finale(cx) == QRT_OK);
		EXPECT(told_as(plot) == QRT_OK);
		bool as_planned = !has_groups(cx) ||
				  (commits() == plot->commits && cast.after.again == plot->again);
		if (!as_planned) {
			fprintf(stderr, "%s: %llu commits, %llu again\n", plot->name,
				(unsigned long long)commits(),
				(unsigned long long)cast.after.again);
		}
		EXPECT(as_planned);
		EXPECT(cast.after.unknown == 0);
		char path[DB_PATH_SIZE];
		EXPECT(remove(db_path("group.db", path)) == 0);
	}
	return QRT_OK;
}

static void each_is_told_its_own_verdict(void **state)
{
	(void)state;
	db_on_each_backend(verdicts, NULL);
}

/* --- commits that go wrong ------------------------------------------------------------------ */

static struct qrt__db_engine bad; /* SQLite's, with another commit */

/* As if a sync had failed: SQLite has rolled back, and the log may have it all. */
static enum qrt_err commit_unknown(void *native)
{
	enum qrt_err err = qrt__db_sqlite.rollback(native);
	return err ? err : QRT_ECOMMITUNKNOWN;
}

static enum qrt_err unknown(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	bad = qrt__db_sqlite;
	bad.commit = commit_unknown;
	EXPECT(curtain_of(cx, &bad) == QRT_OK);
	for (int i = 0; i < 5; i++) {
		EXPECT(enter(cx, i == 1 ? DB_REFUSE : DB_PLAIN) == QRT_OK);
	}
	atomic_store(&cast.gate.go, true);
	EXPECT(qrt_region_close(cx, &cast.region, QRT_OK) == QRT_OK);
	for (unsigned i = 0; i < cast.n; i++) {
		EXPECT(cast.writer[i].err == (i == 1 ? QRT_ECONFLICT : QRT_ECOMMITUNKNOWN));
		EXPECT(i == 1 || strstr(cast.writer[i].detail, "group.db: commit: "));
		EXPECT(atomic_load(&cast.writer[i].runs) == 1); /* never made again */
	}
	qrt_db_stats(cast.db, &cast.after);
	EXPECT(cast.after.unknown == 5); /* the gate, too */
	EXPECT(cast.after.again == 0);
	qrt_db_close(cx, &cast.db);
	return QRT_OK;
}

static void when_a_commit_is_not_known_all_are_told_so(void **state)
{
	(void)state;
	db_on_each_backend(unknown, NULL);
}

/* --- cancel in every state ------------------------------------------------------------------ */

static atomic_bool committing, may_commit;

/* The commit that the second writer is part of. */
static enum qrt_err commit_slowly(void *native)
{
	while (atomic_load(&cast.writer[1].inside) && !atomic_load(&may_commit)) {
		atomic_store(&committing, true);
		sched_yield();
	}
	return qrt__db_sqlite.commit(native);
}

/* Where the one that is cancelled is; the one before it and the one behind it always get OK. */
enum state { IN_LINE, FIRST_READS, FIRST_WRITES, PART_READS, PART_WRITES, PART_DONE, IN_COMMIT };

static const struct {
	enum state state;
	const char *name;
	enum qrt_err told;
	int again; /* where groups are promised */
} states[] = {
    {IN_LINE, "in line", QRT_ECANCELED, 0},
    {FIRST_READS, "its statement reads", QRT_ECANCELED, 0},
    {FIRST_WRITES, "its statement writes", QRT_ECANCELED, 0},
    {PART_READS, "in a group, its statement reads", QRT_ECANCELED, 0},
    {PART_WRITES, "in a group, its statement writes", QRT_ECANCELED, 1},
    {PART_DONE, "in a group, another one runs", QRT_OK, 0},
    {IN_COMMIT, "in the commit", QRT_OK, 0},
};

static enum db_play play_of(enum state state)
{
	switch (state) {
	case FIRST_READS:
	case PART_READS:
		return DB_SELECT_ON;
	case FIRST_WRITES:
	case PART_WRITES:
		return DB_INSERT_ON;
	default:
		return DB_PLAIN;
	}
}

/* Until @victim is where it is to be cancelled. */
static enum qrt_err until(struct qrt_cx *cx, enum state state, struct db_writer *victim,
			  struct db_writer *behind)
{
	enum qrt_err err = QRT_OK;
	if (state == IN_LINE) {
		return QRT_OK;
	}
	atomic_store(&cast.gate.go, true);
	if (state == PART_DONE) {
		return db_until_inside(cx, behind);
	}
	while (!err && state == IN_COMMIT && !atomic_load(&committing)) {
		err = qrt_yield(cx);
	}
	return err || state == IN_COMMIT ? err : db_until_busy(cx, victim);
}

static enum qrt_err cancel_in(struct qrt_cx *cx, size_t row)
{
	enum state state = states[row].state;
	bool leads = state == FIRST_READS || state == FIRST_WRITES;
	struct qrt_region *doomed;
	EXPECT(curtain_of(cx, &bad) == QRT_OK);
	EXPECT(qrt_region_open(cx, QRT_COLLECT, &doomed) == QRT_OK);
	if (!leads) {
		EXPECT(enter(cx, DB_PLAIN) == QRT_OK);
	}
	struct db_writer *victim = &cast.writer[cast.n++];
	victim->db = cast.db;
	victim->number = (int)cast.n;
	victim->play = play_of(state);
	EXPECT(db_queue(cx, doomed, victim, cast.n) == QRT_OK);
	struct db_writer *behind = &cast.writer[cast.n];
	EXPECT(enter(cx, state == PART_DONE ? DB_WAIT : DB_PLAIN) == QRT_OK);
	EXPECT(until(cx, state, victim, behind) == QRT_OK);
	EXPECT(!victim->ended || !is_structured(cx));
	qrt_region_cancel(doomed, QRT_CANCEL_USER, "test");
	if (state == IN_LINE) { /* taken back at once: nobody has let the writer go */
		EXPECT(qrt_region_close(cx, &doomed, QRT_OK) == QRT_OK);
		EXPECT(atomic_load(&victim->runs) == 0);
	}
	atomic_store(&may_commit, true);
	atomic_store(&behind->go, true);
	if (doomed) {
		EXPECT(qrt_region_close(cx, &doomed, QRT_OK) == QRT_OK);
	}
	EXPECT(finale(cx) == QRT_OK);
	EXPECT(victim->err == states[row].told);
	EXPECT(leads || cast.writer[0].err == QRT_OK);
	EXPECT(behind->err == QRT_OK);
	EXPECT(!has_groups(cx) || (int)cast.after.again == states[row].again);
	return QRT_OK;
}

static enum qrt_err cancelled(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* a job is one step there: nobody else can run and cancel it */
	}
	bad = qrt__db_sqlite;
	bad.commit = commit_slowly;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		char path[DB_PATH_SIZE];
		atomic_store(&committing, false);
		atomic_store(&may_commit, states[i].state != IN_COMMIT);
		enum qrt_err err = cancel_in(cx, i);
		if (err) {
			fprintf(stderr, "cancelled: %s\n", states[i].name);
			return err;
		}
		EXPECT(remove(db_path("group.db", path)) == 0);
	}
	return QRT_OK;
}

static void a_cancel_in_any_state_concerns_one_alone(void **state)
{
	(void)state;
	db_on_each_backend(cancelled, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(those_in_line_share_a_commit),
	    cmocka_unit_test(a_group_is_bounded),
	    cmocka_unit_test(one_that_wants_to_be_alone_is),
	    cmocka_unit_test(each_is_told_its_own_verdict),
	    cmocka_unit_test(when_a_commit_is_not_known_all_are_told_so),
	    cmocka_unit_test(a_cancel_in_any_state_concerns_one_alone),
	};
	return cmocka_run_group_tests_name("db_group", tests, db_make_folder, db_remove_folder);
}
