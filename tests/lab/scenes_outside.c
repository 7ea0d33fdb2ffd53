/* Scenes of what lies outside a task's own loop: another runtime, lanes, a database. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <qrt/db.h>
#include <qrt/lane.h>
#include <qrt/mailbox.h>
#include <qrt/oracle.h>
#include <qrt/region.h>

#include "shim/src/internal.h"
#include "tests/lab/scenes.h"

/* --- calls: two runtimes -----------------------------------------------------------------------
 */

enum { CALLS = 2, POSTS = 5 };

struct calls {
	struct qrt_runtime *other;
	struct qrt_mailbox *mailbox;
	_Atomic int dropped;
};

static enum qrt_err answer(struct qrt_cx *cx, void *arg)
{
	(void)arg;
	return scene_pause(cx, 300);
}

static void dropped(void *arg)
{
	struct calls *calls = arg;
	atomic_fetch_add(&calls->dropped, 1);
}

/* Waits a little less than the answer may take. */
static enum qrt_err call_and_leave(struct qrt_cx *cx, void *arg)
{
	struct calls *calls = arg;
	for (unsigned i = 0; i < CALLS; i++) {
		const struct qrt__call_options opts = {.rt = calls->other,
						       .caps = QRT_CAP_ALL,
						       .abandon = true,
						       .deadline_ns = QRT_NO_DEADLINE,
						       .leave_ns = qrt_deadline_in(cx, 250 * 1000),
						       .name = "answer",
						       .site = QRT_SITE};
		enum qrt_err err = qrt__call(cx, &opts, answer, calls, dropped);
		MUST(!err || err == QRT_ETIMEDOUT || err == QRT_ECANCELED);
	}
	return QRT_OK;
}

static enum qrt_err post_some(struct qrt_cx *cx, void *arg)
{
	struct calls *calls = arg;
	for (unsigned i = 1; i <= POSTS; i++) {
		MUST(!qrt_mailbox_send(cx, calls->mailbox, &i));
	}
	return QRT_OK;
}

static enum qrt_err call_poster(struct qrt_cx *cx, void *arg)
{
	struct calls *calls = arg;
	const struct qrt__call_options opts = {.rt = calls->other,
					       .caps = QRT_CAP_ALL,
					       .deadline_ns = QRT_NO_DEADLINE,
					       .name = "post",
					       .site = QRT_SITE};
	return qrt__call(cx, &opts, post_some, calls, NULL);
}

static enum qrt_err receive_all(struct qrt_cx *cx, void *arg)
{
	struct calls *calls = arg;
	for (unsigned i = 1; i <= POSTS; i++) {
		unsigned got = 0;
		MUST(!qrt_mailbox_recv(cx, calls->mailbox, &got));
		MUST(got == i);
	}
	return QRT_OK;
}

static enum qrt_err calls_main(struct qrt_cx *cx, void *arg)
{
	struct calls *calls = arg;
	struct qrt_region *region;
	MUST(!qrt_mailbox_open(cx, sizeof(unsigned), 3, NULL, &calls->mailbox));
	MUST(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	enum qrt_err err = qrt_spawn(region, call_and_leave, calls);
	if (!err) {
		err = qrt_spawn(region, call_poster, calls);
	}
	if (!err) {
		err = qrt_spawn(region, receive_all, calls);
	}
	err = qrt_region_close(cx, &region, err);
	QRT_IGNORE(qrt_mailbox_close(&calls->mailbox), "it is open");
	return err;
}

enum qrt_err scene_calls(const struct stage *stage)
{
	const struct qrt_runtime_options opts = {.backend = stage->other, .lab = stage->lab};
	struct calls calls = {0};
	enum qrt_err err = qrt_runtime_open(&opts, NULL, &calls.other);
	if (err) {
		return err;
	}
	err = qrt_runtime_start(calls.other);
	if (!err) {
		err = qrt_lab_main(stage->lab, stage->backend, calls_main, &calls);
		enum qrt_err stopped = qrt_shutdown(calls.other, 10 * QRT_SEC);
		err = err ? err : stopped;
	}
	qrt_runtime_close(&calls.other);
	if (!err && atomic_load(&calls.dropped) != CALLS) {
		err = qrt_lab_fail(stage->lab, QRT_EFAILED, "%d calls of %d let go of their share",
				   atomic_load(&calls.dropped), CALLS);
	}
	return err;
}

/* --- jobs: taken back while they wait for their lane -------------------------------------------
 */

enum { JOBS = 4 };

struct jobs {
	struct qrt_lane *lane;
	_Atomic unsigned ran;
};

static enum qrt_err job(struct qrt_job *self, void *arg)
{
	struct jobs *jobs = arg;
	atomic_fetch_add(&jobs->ran, 1);
	return qrt_job_checkpoint(self);
}

static enum qrt_err ask_lane(struct qrt_cx *cx, void *arg)
{
	struct jobs *jobs = arg;
	enum qrt_err err = QRT_OK;
	for (unsigned i = 0; i < 3 && !err; i++) {
		err = qrt_blocking(cx, jobs->lane, job, jobs);
	}
	return err;
}

static enum qrt_err jobs_main(struct qrt_cx *cx, void *arg)
{
	struct jobs *jobs = arg;
	struct qrt_region *region;
	MUST(!qrt_lane_open(cx, "lane", 1, 16, &jobs->lane));
	MUST(!qrt_region_open(cx, QRT_COLLECT, &region));
	enum qrt_err err = QRT_OK;
	for (unsigned i = 0; i < JOBS && !err; i++) {
		err = qrt_spawn(region, ask_lane, jobs);
	}
	QRT_IGNORE(scene_pause(cx, 2000), "nobody cancels this task");
	qrt_region_cancel(region, QRT_CANCEL_USER, "while jobs are in line");
	enum qrt_err closed = qrt_region_close(cx, &region, err);
	qrt_lane_close(cx, &jobs->lane);
	MUST(!closed || closed == QRT_ECANCELED);
	return err;
}

enum qrt_err scene_jobs(const struct stage *stage)
{
	struct jobs jobs = {0};
	return qrt_lab_main(stage->lab, stage->backend, jobs_main, &jobs);
}

/* --- database ----------------------------------------------------------------------------------
 */

enum { WRITERS = 3, WRITES = 4 };

struct ledger {
	struct qrt_lab *lab;
	struct qrt_db *db;
	char url[128];
	struct entry {
		unsigned id, runs; /* of its job */
		enum qrt_err err;
	} entry[WRITERS * WRITES];
	unsigned writers;
};

static enum qrt_err make_table(struct qrt_db_conn *conn, void *arg)
{
	(void)arg;
	return qrt_db_exec(conn, "CREATE TABLE entry (id INTEGER NOT NULL)");
}

static enum qrt_err write_entry(struct qrt_db_conn *conn, void *arg)
{
	struct entry *entry = arg;
	struct qrt_db_stmt *stmt;
	entry->runs++;
	enum qrt_err err = qrt_db_prepare(conn, "INSERT INTO entry VALUES (?)", &stmt);
	if (err) {
		return err;
	}
	qrt_db_bind_int(stmt, 1, entry->id);
	err = qrt_db_run(stmt);
	qrt_db_finish(&stmt);
	return err;
}

static enum qrt_err count_entries(struct qrt_db_conn *conn, void *arg)
{
	struct ledger *ledger = arg;
	struct qrt_db_stmt *stmt;
	bool row = false;
	for (unsigned i = 0; i < WRITERS * WRITES; i++) {
		struct entry *entry = &ledger->entry[i];
		enum qrt_err err =
		    qrt_db_prepare(conn, "SELECT count(*) FROM entry WHERE id = ?", &stmt);
		if (err) {
			return err;
		}
		qrt_db_bind_int(stmt, 1, entry->id);
		err = qrt_db_step(stmt, &row);
		int64_t n = !err && row ? qrt_db_int(stmt, 0) : -1;
		qrt_db_finish(&stmt);
		int64_t least = entry->err ? 0 : 1;
		int64_t most = !entry->err || entry->err == QRT_ECOMMITUNKNOWN ? 1 : 0;
		qrt_lab_fact(ledger->lab, "database whole", n >= least && n <= most,
			     "write %u ended with %s and is there %lld times", entry->id,
			     qrt_err_name(entry->err), (long long)n);
		/* Whatever is there: who does not know whether it was done may not do it again. */
		qrt_lab_fact(ledger->lab, "database whole", entry->runs <= 1,
			     "write %u was made %u times, the first without a known outcome",
			     entry->id, entry->runs);
	}
	enum qrt_err err = qrt_db_prepare(conn, "PRAGMA integrity_check", &stmt);
	if (err) {
		return err;
	}
	err = qrt_db_step(stmt, &row);
	const char *text = !err && row ? qrt_db_text(stmt, 0) : "?";
	qrt_lab_fact(ledger->lab, "database whole", strcmp(text, "ok") == 0,
		     "PRAGMA integrity_check: %s", text);
	qrt_db_finish(&stmt);
	return err;
}

static enum qrt_err writer(struct qrt_cx *cx, void *arg)
{
	struct ledger *ledger = arg;
	unsigned first = ledger->writers++ * WRITES;
	for (unsigned i = first; i < first + WRITES; i++) {
		struct entry *entry = &ledger->entry[i];
		entry->id = i + 1;
		entry->err = qrt_db_write(cx, ledger->db, write_entry, entry);
	}
	return QRT_OK;
}

/* The disk fails now and then while they write. */
static enum qrt_err write_all(struct qrt_cx *cx, struct ledger *ledger)
{
	const struct qrt_lab_faults faults = {.disk_error = 10};
	struct qrt_region *region;
	MUST(!qrt_region_open(cx, QRT_COLLECT, &region));
	enum qrt_err err = qrt_lab_set_faults(ledger->lab, &faults);
	for (unsigned i = 0; i < WRITERS && !err; i++) {
		err = qrt_spawn(region, writer, ledger);
	}
	err = qrt_region_close(cx, &region, err);
	qrt_lab_heal(ledger->lab);
	return err;
}

static enum qrt_err database_main(struct qrt_cx *cx, void *arg)
{
	struct ledger *ledger = arg;
	const struct qrt_db_options opts = {
	    .url = ledger->url, .readers = 1, .synchronous_full = true};
	MUST(!qrt_db_open(cx, &opts, &ledger->db));
	enum qrt_err err = qrt_db_write(cx, ledger->db, make_table, NULL);
	if (!err) {
		err = write_all(cx, ledger);
	}
	qrt_db_close(cx, &ledger->db);
	/* Anew: what is in the file counts, not what a connection remembers. */
	if (!err) {
		err = qrt_db_open(cx, &opts, &ledger->db);
	}
	if (!err) {
		err = qrt_db_write(cx, ledger->db, count_entries, ledger);
	}
	qrt_db_close(cx, &ledger->db);
	return err;
}

enum qrt_err scene_database(const struct stage *stage)
{
	struct ledger ledger = {.lab = stage->lab};
	char folder[] = "/tmp/qrt-scene-XXXXXX";
	bool simulated = strncmp(stage->backend, "lab", 3) == 0;
	if (!simulated && !mkdtemp(folder)) {
		return QRT_EIO;
	}
	const char *at = simulated ? "scene" : folder;
	snprintf(ledger.url, sizeof(ledger.url), "sqlite://%s/entries.db", at);
	enum qrt_err err = qrt_lab_main(stage->lab, stage->backend, database_main, &ledger);
	if (!simulated) {
		static const char *const files[] = {"entries.db", "entries.db-wal",
						    "entries.db-shm"};
		char path[160];
		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
			snprintf(path, sizeof(path), "%s/%s", folder, files[i]);
			unlink(path);
		}
		rmdir(folder);
	}
	return err;
}
