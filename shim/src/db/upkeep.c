/*
 * What somebody asks of a whole database: whether it is damaged, and copies.
 * Both are long reads on a reader.
 */
#include <qrt/db.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/db/internal.h"

/* Pages between two looks whether a copy is still wanted: 400 KiB. */
#define COPY_PAGES 100u
#define PARTIAL ".partial"

/* --- checks --------------------------------------------------------------------------------- */

struct check {
	bool full;
	struct qrt__db_findings findings;
};

static enum qrt_err run_check(struct qrt_db_conn *conn, void *arg)
{
	struct check *check = arg;
	check->findings.n = 0;
	check->findings.used = 0;
	enum qrt_err err = conn->engine->check(conn->native, check->full, &check->findings);
	if (!err && check->findings.n > 0) {
		const char *text = check->findings.text;
		err = qrt_db_fail(conn, QRT_ECORRUPT, "%u findings, the first: %.*s",
				  check->findings.n, (int)strcspn(text, "\n"), text);
	}
	return err;
}

enum qrt_err qrt_db_check(struct qrt_cx *cx, struct qrt_db *db, bool full, char *ret_text, size_t n)
{
	char first[QRT__DETAIL_MAX];
	struct check check = {.full = full, .findings = {.text = first, .size = sizeof(first)}};
	if (n > 0) {
		check.findings.text = ret_text;
		check.findings.size = n;
	}
	check.findings.text[0] = '\0';
	struct qrt__db_flow flow = {.db = db,
				    .work = {.fn = run_check, .arg = &check, .patient = true}};
	return qrt__db_submit(cx, &flow);
}

/* --- copies --------------------------------------------------------------------------------- */

static enum qrt_err copy_pages(struct qrt_db_conn *conn, void *native)
{
	enum qrt_err err = QRT_OK;
	for (unsigned left = 1; !err && left > 0;) {
		err = qrt__db_conn_check(conn);
		if (!err) {
			err = conn->engine->copy_step(native, COPY_PAGES, &left);
		}
	}
	return err;
}

static enum qrt_err run_copy(struct qrt_db_conn *conn, void *arg)
{
	const struct qrt__db_copy *copy = arg;
	void *native = NULL;
	enum qrt_err err = conn->engine->copy_open(conn->native, copy, &native);
	if (!err) {
		err = copy_pages(conn, native);
	}
	if (!err) {
		err = conn->engine->copy_publish(native);
	}
	if (native) {
		conn->engine->copy_close(native);
	}
	if (!err) {
		return QRT_OK;
	}
	char why[QRT__DETAIL_MAX];
	snprintf(why, sizeof(why), "%s", conn->detail_err == err ? conn->detail : "");
	return qrt_db_fail(conn, err, "copy to %.100s: %.100s", copy->to,
			   why[0] ? why : qrt_err_text(err));
}

enum qrt_err qrt_db_backup(struct qrt_cx *cx, struct qrt_db *db, const char *path, bool replace)
{
	size_t n = strlen(path) + sizeof(PARTIAL) + 18;
	if (path[0] == '\0' || n > QRT__DB_PATH_MAX - 16) {
		return qrt_fail(cx, QRT_EINVAL, "backup: a path of %zu bytes", strlen(path));
	}
	uint64_t token;
	struct qrt_runtime *rt = cx->task->rt;
	rt->driver->random(rt, &token, sizeof(token));
	char *partial = malloc(n);
	if (!partial) {
		return qrt_fail(cx, QRT_ENOMEM, "no memory for a path");
	}
	struct qrt__db_copy copy = {.to = path, .partial = partial, .replace = replace};
	snprintf(partial, n, "%s.%016llx" PARTIAL, path, (unsigned long long)token);
	struct qrt__db_flow flow = {.db = db,
				    .work = {.fn = run_copy, .arg = &copy, .patient = true}};
	QRT__ANCHORED(cx);
	enum qrt_err err = qrt__db_submit(cx, &flow);
	free(partial);
	return err;
}
