/* Makes, finds and stamps API keys. A secret leaves this file once, in the text of a new key. */
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/db/job.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

struct key_job {
	struct qy_apikey key;
	struct qy_fault fault;
	char now[QY_TIMESTAMP_SIZE];
};

static void to_hex(const uint8_t *bytes, size_t n, char *ret_hex)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		ret_hex[2 * i] = digits[bytes[i] >> 4];
		ret_hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	ret_hex[2 * n] = '\0';
}

static enum qrt_err check_spec(const struct qy_apikey *spec, struct qy_fault *fault)
{
	int64_t ignored;

	if (qy_text_blank(spec->name)) {
		return qy_fault_invalid(fault, QY_INVALID_FIELD, "name", 0, "must not be empty");
	}
	if (spec->scopes == 0 || spec->scopes >> QY_SCOPE_INDEX_COUNT) {
		return qy_fault_invalid(fault, QY_INVALID_FIELD, "scopes", 0,
					"must name at least one scope");
	}
	if (spec->rate_per_minute > QY_APIKEY_RATE_MAX) {
		return qy_fault_invalid(fault, QY_INVALID_FIELD, "rate_per_minute", 0, NULL);
	}
	if (spec->expires_at[0] && qy_timestamp_parse(spec->expires_at, &ignored) != QY_OK) {
		return qy_fault_invalid(fault, QY_INVALID_FIELD, "expires_at", 0,
					"must read YYYY-MM-DDTHH:MM:SS.mmmZ");
	}
	return QRT_OK;
}

static enum qrt_err run_create(struct qrt_db_conn *conn, void *arg)
{
	struct key_job *job = arg;
	bool exists = true;
	enum qrt_err err = QRT_OK;

	qy_fault_init(&job->fault);
	if (job->key.rep_id[0]) {
		err = qy_repo_rep_exists(conn, job->key.rep_id, &exists);
	}
	if (!err && !exists) {
		return qy_fault_invalid(&job->fault, QY_INVALID_FIELD, "rep_id", 0,
					"no such sales rep");
	}
	return err ? err : qy_repo_apikey_insert(conn, &job->key);
}

/* Draws id and secret; the key keeps only the secret's hash. */
static enum qrt_err draw_key(struct qrt_cx *cx, struct qy_apikey *key,
			     char ret_text[QY_APIKEY_TEXT_SIZE])
{
	uint8_t random[(QY_APIKEY_ID_LEN + QY_APIKEY_SECRET_LEN) / 2];
	char *secret = ret_text + 3 + QY_APIKEY_ID_LEN + 1;
	enum qrt_err err = qrt_random(cx, random, sizeof(random));

	if (err) {
		return err;
	}
	to_hex(random, QY_APIKEY_ID_LEN / 2, key->id);
	memcpy(ret_text, "qk_", 3);
	memcpy(ret_text + 3, key->id, QY_APIKEY_ID_LEN);
	ret_text[3 + QY_APIKEY_ID_LEN] = '_';
	to_hex(random + QY_APIKEY_ID_LEN / 2, QY_APIKEY_SECRET_LEN / 2, secret);
	qrt_sha256_hex(secret, QY_APIKEY_SECRET_LEN, key->secret_hash);
	return QRT_OK;
}

enum qrt_err qy_store_apikey_create(struct qrt_cx *cx, struct qy_store *store,
				    const struct qy_apikey *spec,
				    char ret_text[QY_APIKEY_TEXT_SIZE], struct qy_fault *ret_fault)
{
	struct key_job job = {.key = *spec};
	struct qy_stamp stamp;
	char text[QY_APIKEY_TEXT_SIZE];
	enum qrt_err err;

	qy_fault_init(&job.fault);
	if (check_spec(spec, &job.fault)) {
		*ret_fault = job.fault;
		return QRT_OK;
	}
	err = qy_stamp_draw(cx, NULL, &stamp);
	if (!err) {
		err = draw_key(cx, &job.key, text);
	}
	if (err) {
		return err;
	}
	qy_text_cut(job.key.created_at, sizeof(job.key.created_at), stamp.now);
	if (!job.key.rate_per_minute) {
		job.key.rate_per_minute = QY_APIKEY_RATE_DEFAULT;
	}
	err = qy_job_write(cx, store, run_create, &job, &job.fault);
	if (err) {
		return err;
	}
	*ret_fault = job.fault;
	if (job.fault.kind == QY_FAULT_NONE) {
		memcpy(ret_text, text, sizeof(text));
	}
	return QRT_OK;
}

static enum qrt_err run_find(struct qrt_db_conn *conn, void *arg)
{
	struct key_job *job = arg;
	char id[QY_APIKEY_ID_SIZE];
	enum qrt_err err;

	qy_fault_init(&job->fault);
	memcpy(id, job->key.id, sizeof(id));
	err = qy_repo_apikey_load(conn, id, &job->key);
	return err == QRT_ENOENT ? qy_fault_not_found(&job->fault, "API key", id) : err;
}

enum qrt_err qy_store_apikey_find(struct qrt_cx *cx, struct qy_store *store, const char *id,
				  struct qy_apikey *ret_key, struct qy_fault *ret_fault)
{
	struct key_job job;
	enum qrt_err err;

	memset(&job, 0, sizeof(job));
	qy_text_cut(job.key.id, sizeof(job.key.id), id);
	err = qy_job_read_short(cx, store, run_find, &job, &job.fault);
	if (err) {
		return err;
	}
	*ret_fault = job.fault;
	if (job.fault.kind == QY_FAULT_NONE) {
		*ret_key = job.key;
	}
	return QRT_OK;
}

static enum qrt_err run_touch(struct qrt_db_conn *conn, void *arg)
{
	struct key_job *job = arg;

	return qy_repo_apikey_touch(conn, job->key.id, job->now);
}

enum qrt_err qy_store_apikey_touch(struct qrt_cx *cx, struct qy_store *store, const char *id)
{
	struct key_job job;
	struct qy_stamp stamp;
	enum qrt_err err = qy_stamp_draw(cx, NULL, &stamp);

	if (err) {
		return err;
	}
	memset(&job, 0, sizeof(job));
	qy_text_cut(job.key.id, sizeof(job.key.id), id);
	qy_text_cut(job.now, sizeof(job.now), stamp.now);
	return qy_job_write(cx, store, run_touch, &job, NULL);
}
