/*
 * One run of a scenario in a lab, and what must hold after it: every quote that an answer 201 told
 * of is there, every envelope that was acked, too, and the database is whole.
 */
#include "quotey/cli/lab_trial.h"

#include <qrt/oracle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/db/migrate.h"
#include "quotey/db/store.h"
#include "quotey/lab/invariants.h"

#define FINDINGS_MAX ((size_t)64 << 10)

enum qrt_err qy_cli_trial_init(struct qy_cli_trial *trial, struct qy_cli *cli,
			       const struct qy_scenario *scenario, const struct qy_cli_cast *cast,
			       bool swept)
{
	*trial =
	    (struct qy_cli_trial){.cli = cli, .scenario = scenario, .cast = cast, .swept = swept};
	trial->made = calloc(QY_CLI_TRIAL_QUOTES_MAX, sizeof(*trial->made));
	trial->acked = calloc(QY_CLI_TRIAL_ACKS_MAX, sizeof(*trial->acked));
	if (trial->made == NULL || trial->acked == NULL) {
		qy_cli_trial_fini(trial);
		return QRT_ENOMEM;
	}
	return QRT_OK;
}

void qy_cli_trial_fini(struct qy_cli_trial *trial)
{
	free(trial->made);
	free(trial->acked);
	trial->made = NULL;
	trial->acked = NULL;
}

static void note_made(void *arg, const char *quote_id)
{
	struct qy_cli_trial *trial = arg;

	/* After a crash the disk that counts no longer hears of it. */
	if (!qrt_lab_crashed(trial->lab) && trial->n_made < QY_CLI_TRIAL_QUOTES_MAX) {
		snprintf(trial->made[trial->n_made++], QY_CLI_TRIAL_ID_SIZE, "%s", quote_id);
	}
}

static void note_acked(void *arg, const char *envelope_id)
{
	struct qy_cli_trial *trial = arg;

	if (!qrt_lab_crashed(trial->lab) && trial->n_acked < QY_CLI_TRIAL_ACKS_MAX) {
		snprintf(trial->acked[trial->n_acked++], QY_CLI_TRIAL_ENVELOPE_SIZE, "%s",
			 envelope_id);
	}
}

/* --- looking at the database ------------------------------------------------------------------ */

static enum qrt_err look_for_quotes(struct qrt_cx *cx, const struct qy_cli_trial *trial,
				    struct qy_store *store)
{
	for (size_t i = 0; i < trial->n_made; i++) {
		struct qy_quote quote;
		struct qy_fault fault;
		enum qrt_err err = qy_store_quote_get(cx, store, trial->made[i], &quote, &fault);

		if (!err && fault.kind != QY_FAULT_NONE) {
			return qrt_fail(cx, QRT_EFAILED,
					"quote %s is not there, but an answer said so: %s",
					trial->made[i], fault.text);
		}
		if (err) {
			return qrt_prefix(cx, err, trial->made[i]);
		}
		qy_quote_fini(&quote);
	}
	return QRT_OK;
}

static enum qrt_err look_for_envelopes(struct qrt_cx *cx, const struct qy_cli_trial *trial,
				       struct qy_store *store)
{
	for (size_t i = 0; i < trial->n_acked; i++) {
		bool found = false;
		enum qrt_err err = qy_lab_has_envelope(cx, store, trial->acked[i], &found);

		if (err) {
			return qrt_prefix(cx, err, trial->acked[i]);
		}
		if (!found) {
			return qrt_fail(cx, QRT_EFAILED,
					"envelope %s is not there, but it was acked",
					trial->acked[i]);
		}
	}
	return QRT_OK;
}

static enum qrt_err look_for_breaks(struct qrt_cx *cx, const struct qy_cli_trial *trial,
				    struct qy_store *store)
{
	struct qy_buffer findings;
	unsigned broken = 0;
	enum qrt_err err;

	qy_buffer_init(&findings, FINDINGS_MAX);
	err = qy_lab_invariants(cx, store, &findings, &broken);
	if (!err) {
		(void)qrt_lab_fact(trial->lab, "database whole", broken == 0, "%.200s",
				   findings.data != NULL ? findings.data : "");
	}
	if (!err && broken > 0) {
		err =
		    qrt_fail(cx, QRT_ECORRUPT, "the database is not whole: %.200s", findings.data);
	}
	qy_buffer_fini(&findings);
	return err;
}

/* As `quotey start` would find it: what is missing of the schema is made first. */
static enum qrt_err look(struct qrt_cx *cx, void *arg, const char *url)
{
	const struct qy_cli_trial *trial = arg;
	const struct qrt_db_options options = {.url = url, .readers = 1};
	struct qy_migrate_report migrated;
	struct qy_store store;
	enum qrt_err err = qrt_db_open(cx, &options, &store.db);

	if (err) {
		return qrt_prefix(cx, err, "open the database again");
	}
	err = qy_migrate_up(cx, store.db, &qy_migrations, 0, &migrated);
	if (!err) {
		err = look_for_breaks(cx, trial, &store);
	}
	if (!err) {
		err = look_for_quotes(cx, trial, &store);
	}
	if (!err) {
		err = look_for_envelopes(cx, trial, &store);
	}
	qrt_db_close(cx, &store.db);
	return err;
}

/* --- the program -------------------------------------------------------------------------------
 */

/* The first line of what did not come as expected. */
static enum qrt_err fail_expectation(struct qrt_lab *lab, const struct qy_play_result *result)
{
	const char *report = result->report.data != NULL ? result->report.data : "";

	return qrt_lab_fail(lab, QRT_EFAILED, "%.*s", (int)strcspn(report, "\n"), report);
}

static enum qrt_err run(struct qrt_lab *lab, void *arg)
{
	struct qy_cli_trial *trial = arg;
	const struct qy_cli_trial_hooks hooks = {
	    .made = note_made, .acked = note_acked, .after = look, .arg = trial};
	struct qy_cli_cast cast = *trial->cast;
	struct qy_cli cli = *trial->cli; /* each run has an outcome of its own */
	struct qy_play_result result;
	enum qrt_err err;

	trial->lab = lab;
	trial->n_made = 0;
	trial->n_acked = 0;
	cast.lab = lab;
	err = qy_cli_play_in(&cli, trial->scenario, &cast, &hooks, &result);
	if (err) {
		err = qrt_lab_fail(lab, err, "%s", cli.message);
	} else if (result.failures > 0 && !trial->swept) {
		err = fail_expectation(lab, &result);
	}
	qy_play_result_fini(&result);
	return err;
}

static enum qrt_err recover_main(struct qrt_cx *cx, void *arg)
{
	return look(cx, arg, qy_cli_lab_url);
}

static enum qrt_err recover(struct qrt_lab *lab, void *arg)
{
	struct qy_cli_trial *trial = arg;

	trial->lab = lab;
	return qrt_lab_main(lab, "lab", recover_main, trial);
}

struct qrt_lab_program qy_cli_trial_program(struct qy_cli_trial *trial)
{
	return (struct qrt_lab_program){.name = trial->scenario->file,
					.run = run,
					.recover = trial->cast->in_lab ? recover : NULL,
					.arg = trial};
}
