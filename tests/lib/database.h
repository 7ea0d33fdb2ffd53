/*
 * What tests of databases share: a folder of their own, statements as jobs,
 * and writers that do what they are told to, so that a test has them in line
 * behind each other. Never asserts inside a task.
 */
#ifndef QRT_TESTS_LIB_DATABASE_H
#define QRT_TESTS_LIB_DATABASE_H

#include <stdatomic.h>

#include <qrt/db.h>
#include <qrt/region.h>

enum { DB_PATH_SIZE = 300 };

/* Setup and teardown of a group of tests. */
int db_make_folder(void **state);
int db_remove_folder(void **state);
/* "FOLDER/name" and "sqlite://FOLDER/name", in @buf. */
const char *db_path(const char *name, char buf[DB_PATH_SIZE]);
const char *db_url(const char *name, char buf[DB_PATH_SIZE]);
/* on_each_backend, with nothing in the folder before each. */
void db_on_each_backend(qrt_task_fn *scenario, void *arg);

/* @opts may be NULL; its url is not looked at. */
enum qrt_err db_open(struct qrt_cx *cx, const char *name, const struct qrt_db_options *opts,
		     struct qrt_db **ret_db);
/* Statements separated by semicolons, in a transaction of their own. */
enum qrt_err db_write(struct qrt_cx *cx, struct qrt_db *db, const char *sql);
/* Whether the first column of the first row is @want; says so when not. */
bool db_reads(struct qrt_cx *cx, struct qrt_db *db, const char *sql, const char *want);

/*
 * From now on @db writes by @engine, SQLite's with something else in it. Done on its lane, which
 * may be at work for nobody in particular.
 */
struct qrt__db_engine;
enum qrt_err db_write_by(struct qrt_cx *cx, struct qrt_db *db, const struct qrt__db_engine *engine);

/* Until no checkpoint is at work, nor on its way, on either lane. */
enum qrt_err db_rest(struct qrt_cx *cx, struct qrt_db *db);

/* What a writer does after it has put its number into the table t. */
enum db_play {
	DB_PLAIN,     /* nothing: it says yes */
	DB_REFUSE,    /* says no, with ECONFLICT */
	DB_VIOLATE,   /* does what a constraint forbids */
	DB_LOSE,      /* loses the whole transaction, and says yes */
	DB_OWE,	      /* breaks a promise that only the commit asks for */
	DB_SELECT_ON, /* reads without end, or in short statements where nothing interrupts */
	DB_INSERT_ON, /* the same, writing */
	DB_WAIT,      /* waits for `go`; in the lab nothing */
};

/* In a table as this makes it. */
#define DB_TABLES                                                                                  \
	"CREATE TABLE t (n INTEGER PRIMARY KEY);"                                                  \
	"CREATE TABLE owes (n INTEGER REFERENCES t (n) DEFERRABLE INITIALLY DEFERRED);"            \
	"CREATE TABLE heap (x)"

struct db_writer {
	struct qrt_db *db;
	int number;
	enum db_play play;
	bool alone;
	atomic_bool inside; /* it has put its number there */
	atomic_bool busy;   /* of DB_SELECT_ON and DB_INSERT_ON: that statement has begun */
	atomic_bool go;
	atomic_int runs;
	bool interruptible, in_lab;
	bool ended;
	enum qrt_err err;
	char detail[256];
};

/* A task; arg: a writer. Its result is kept there, and is no failure of the task. */
qrt_task_fn db_writer_task;
/*
 * Holds the writer's lane with @gate (a writer with DB_WAIT and alone), until its `go`. In the lab
 * nobody holds anything, and jobs run when the seed says: these three wait for nothing there.
 */
enum qrt_err db_hold(struct qrt_cx *cx, struct qrt_region *region, struct db_writer *gate);
/* Spawns @writer and waits until it is in line behind @before others. */
enum qrt_err db_queue(struct qrt_cx *cx, struct qrt_region *region, struct db_writer *writer,
		      unsigned before);
/* Waits until it has put its number there. */
enum qrt_err db_until_inside(struct qrt_cx *cx, struct db_writer *writer);
/* Waits until the statement of a DB_SELECT_ON or DB_INSERT_ON has begun. */
enum qrt_err db_until_busy(struct qrt_cx *cx, struct db_writer *writer);

#endif
