/*
 * Checks and copies, on every backend: real files, real damage.
 */
#include "tests/lib/test.h"

#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <qrt/lab.h>

#include "shim/src/db/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/database.h"

#define FILL(n)                                                                                    \
	"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < " #n ")"         \
	" INSERT INTO heap SELECT zeroblob(2000) FROM c"

/* --- checks --------------------------------------------------------------------------------- */

/* Puts @bytes of rubbish at @offset of the file. */
static void damage(const char *name, long offset, int bytes)
{
	char path[DB_PATH_SIZE];
	FILE *file = fopen(db_path(name, path), "r+");
	if (file) {
		fseek(file, offset, SEEK_SET);
		while (bytes-- > 0) {
			fputc(0xa5, file);
		}
		fclose(file);
	}
}

static enum qrt_err checks(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	char text[2000] = "x";
	EXPECT(db_open(cx, "check.db", NULL, &db) == QRT_OK);
	EXPECT(db_write(cx, db, DB_TABLES "; CREATE INDEX by_x ON heap (x);" FILL(500)) == QRT_OK);
	EXPECT(qrt_db_check(cx, db, false, text, sizeof(text)) == QRT_OK);
	EXPECT(text[0] == '\0');
	EXPECT(qrt_db_check(cx, db, true, NULL, 0) == QRT_OK);
	/* A reference into nowhere: only the full check looks for that. */
	EXPECT(db_write(cx, db,
			"CREATE TABLE loose (t INTEGER); INSERT INTO loose VALUES (7), (8);"
			"ALTER TABLE loose ADD COLUMN u INTEGER REFERENCES t (n)") == QRT_OK);
	EXPECT(qrt_db_check(cx, db, true, NULL, 0) == QRT_OK);
	qrt_db_close(cx, &db);
	damage("check.db", 100 * 4096, 4096);
	EXPECT(db_open(cx, "check.db", NULL, &db) == QRT_OK);
	EXPECT(qrt_db_check(cx, db, false, text, sizeof(text)) == QRT_ECORRUPT);
	EXPECT(strstr(qrt_detail(cx), "check.db: "));
	EXPECT(strstr(qrt_detail(cx), "the first: "));
	EXPECT(strchr(text, '\n'));
	EXPECT(qrt_db_check(cx, db, true, text, 10) == QRT_ECORRUPT); /* no room for a line */
	EXPECT(text[0] == '\0');
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void damage_is_found_and_described(void **state)
{
	(void)state;
	db_on_each_backend(checks, NULL);
}

/* --- copies --------------------------------------------------------------------------------- */

/* How many files of the folder begin with @name. */
static int files_like(const char *name)
{
	char path[DB_PATH_SIZE];
	DIR *dir = opendir(db_path("", path));
	struct dirent *entry;
	int n = 0;
	while (dir && (entry = readdir(dir))) {
		n += strncmp(entry->d_name, name, strlen(name)) == 0;
	}
	if (dir) {
		closedir(dir);
	}
	return n;
}

static enum qrt_err is_a_copy(struct qrt_cx *cx, const char *name, const char *rows)
{
	struct qrt_db *copy = NULL;
	const struct qrt_db_options opts = {.readers = 1, .must_exist = true};
	EXPECT(db_open(cx, name, &opts, &copy) == QRT_OK);
	EXPECT(qrt_db_check(cx, copy, true, NULL, 0) == QRT_OK);
	EXPECT(db_reads(cx, copy, "SELECT count(*) FROM heap", rows));
	EXPECT(db_write(cx, copy, "INSERT INTO heap VALUES (1)") == QRT_OK);
	qrt_db_close(cx, &copy);
	return QRT_OK;
}

static enum qrt_err copies(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	char to[DB_PATH_SIZE];
	db_path("copy.db", to);
	EXPECT(db_open(cx, "whole.db", NULL, &db) == QRT_OK);
	EXPECT(db_write(cx, db, DB_TABLES ";" FILL(1000)) == QRT_OK);
	EXPECT(qrt_db_backup(cx, db, to, false) == QRT_OK);
	EXPECT(is_a_copy(cx, "copy.db", "1000") == QRT_OK);
	EXPECT(qrt_db_backup(cx, db, to, false) == QRT_EEXIST);
	EXPECT(strstr(qrt_detail(cx), "copy.db: File exists"));
	EXPECT(db_write(cx, db, FILL(10)) == QRT_OK);
	EXPECT(qrt_db_backup(cx, db, to, true) == QRT_OK);
	EXPECT(is_a_copy(cx, "copy.db", "1010") == QRT_OK);
	/* Over itself, over one in use, into no folder, to no name. */
	EXPECT(qrt_db_backup(cx, db, db_path("whole.db", to), true) == QRT_EBUSY);
	EXPECT(strstr(qrt_detail(cx), "it is a database in use"));
	EXPECT(qrt_db_backup(cx, db, db_path("none/copy.db", to), false) == QRT_ENOENT);
	EXPECT(qrt_db_backup(cx, db, "", false) == QRT_EINVAL);
	EXPECT(files_like("copy.db") == 1); /* nothing partial is left */
	EXPECT(files_like("whole.db.") == 0);
	EXPECT(db_reads(cx, db, "SELECT count(*) FROM heap", "1010"));
	qrt_db_close(cx, &db);
	const struct qrt_db_options opts = {.must_exist = true};
	EXPECT(db_open(cx, "absent.db", &opts, &db) == QRT_ENOENT);
	EXPECT(files_like("absent.db") == 0);
	return QRT_OK;
}

static void a_copy_is_whole_and_replaces_only_when_told_to(void **state)
{
	(void)state;
	db_on_each_backend(copies, NULL);
}

static enum qrt_err memory_copy(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	struct qrt_db *db = NULL;
	char to[DB_PATH_SIZE];
	const struct qrt_db_options opts = {.url = ":memory:"};
	EXPECT(qrt_db_open(cx, &opts, &db) == QRT_OK);
	EXPECT(db_write(cx, db, DB_TABLES ";" FILL(100)) == QRT_OK);
	EXPECT(qrt_db_check(cx, db, true, NULL, 0) == QRT_OK);
	EXPECT(qrt_db_backup(cx, db, db_path("memory.db", to), false) == QRT_OK);
	EXPECT(is_a_copy(cx, "memory.db", "100") == QRT_OK);
	qrt_db_close(cx, &db);
	return QRT_OK;
}

static void one_in_memory_can_be_kept(void **state)
{
	(void)state;
	db_on_each_backend(memory_copy, NULL);
}

static struct qrt__db_engine bad; /* SQLite's, with something else in it */
static atomic_bool copying, may_copy;

static enum qrt_err step_slowly(void *copy, unsigned pages, unsigned *ret_left)
{
	atomic_store(&copying, true);
	while (!atomic_load(&may_copy)) {
		sched_yield(); /* a thread of a lane, not the loop */
	}
	return qrt__db_sqlite.copy_step(copy, pages, ret_left);
}

struct backup {
	struct qrt_db *db;
	enum qrt_err err;
};

static enum qrt_err backup_task(struct qrt_cx *cx, void *arg)
{
	struct backup *backup = arg;
	char to[DB_PATH_SIZE];
	backup->err = qrt_db_backup(cx, backup->db, db_path("held.copy", to), false);
	return QRT_OK;
}

/* Begins a copy that takes no page before it may. */
static enum qrt_err begin_copy(struct qrt_cx *cx, struct backup *backup, struct qrt_region *region)
{
	bad = qrt__db_sqlite;
	bad.copy_step = step_slowly;
	atomic_store(&copying, false);
	atomic_store(&may_copy, false);
	for (unsigned i = 0; i < backup->db->n_readers; i++) {
		backup->db->readers[i].engine = &bad;
	}
	enum qrt_err err = qrt_spawn(region, backup_task, backup);
	while (!err && !atomic_load(&copying)) {
		err = qrt_yield(cx);
	}
	return err;
}

/* Writes go on meanwhile, and are not in it; a cancel between its steps ends it. */
static enum qrt_err meanwhile(struct qrt_cx *cx, void *arg)
{
	const bool *cancel = arg;
	struct backup backup = {0};
	struct qrt_region *region;
	if (qrt_in_lab(cx)) {
		return QRT_OK; /* a copy is one step there */
	}
	EXPECT(db_open(cx, "held.db", NULL, &backup.db) == QRT_OK);
	EXPECT(db_write(cx, backup.db, DB_TABLES ";" FILL(1000)) == QRT_OK);
	EXPECT(qrt_region_open(cx, QRT_COLLECT, &region) == QRT_OK);
	EXPECT(begin_copy(cx, &backup, region) == QRT_OK);
	EXPECT(db_write(cx, backup.db, FILL(500)) == QRT_OK);
	if (*cancel) {
		qrt_region_cancel(region, QRT_CANCEL_USER, "test");
	}
	atomic_store(&may_copy, true);
	EXPECT(qrt_region_close(cx, &region, QRT_OK) == QRT_OK);
	EXPECT(backup.err == (*cancel ? QRT_ECANCELED : QRT_OK));
	EXPECT(files_like("held.copy") == !*cancel);
	EXPECT(*cancel || is_a_copy(cx, "held.copy", "1000") == QRT_OK);
	EXPECT(db_reads(cx, backup.db, "SELECT count(*) FROM heap", "1500"));
	qrt_db_close(cx, &backup.db);
	return QRT_OK;
}

static void writes_go_on_while_it_is_copied(void **state)
{
	bool cancel = false;
	(void)state;
	db_on_each_backend(meanwhile, &cancel);
}

static void a_copy_is_cancelled_between_its_steps(void **state)
{
	bool cancel = true;
	(void)state;
	db_on_each_backend(meanwhile, &cancel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(damage_is_found_and_described),
	    cmocka_unit_test(a_copy_is_whole_and_replaces_only_when_told_to),
	    cmocka_unit_test(one_in_memory_can_be_kept),
	    cmocka_unit_test(writes_go_on_while_it_is_copied),
	    cmocka_unit_test(a_copy_is_cancelled_between_its_steps),
	};
	return cmocka_run_group_tests_name("db_upkeep", tests, db_make_folder, db_remove_folder);
}
