/* Moves that the host makes by itself: at the start and when the file was read again. */
#include <stdio.h>
#include <string.h>

#include "quotey/cli/host.h"
#include "quotey/core/text.h"

/* --- journal ------------------------------------------------------------------------------- */

static void make_entry(const struct qrt_move *move, struct qy_journal_entry *entry)
{
	*entry = (struct qy_journal_entry){
	    .percent = 100,
	    .duration_ms = move->total_ns / QRT_MS,
	    .in_flight = move->in_flight_at_flip,
	    .stragglers = move->stragglers,
	};
	if (qy_timestamp_format(move->at_wall_ms, entry->at) != QY_OK) {
		entry->at[0] = '\0';
	}
	qy_text_cut(entry->component, sizeof(entry->component), move->component);
	qy_text_cut(entry->from_backend, sizeof(entry->from_backend), move->from);
	qy_text_cut(entry->to_backend, sizeof(entry->to_backend), move->to);
	qy_text_cut(entry->actor, sizeof(entry->actor), move->actor);
	qy_text_cut(entry->reason, sizeof(entry->reason), move->reason);
	qy_text_cut(entry->outcome, sizeof(entry->outcome),
		    move->err ? qrt_err_name(move->err) : "moved");
	qy_text_cut(entry->detail, sizeof(entry->detail), move->detail);
}

void qy_host_journal(struct qrt_cx *cx, void *arg, const struct qrt_move *move)
{
	struct qy_host *host = arg;
	struct qy_journal_entry entry;
	enum qrt_err err;

	make_entry(move, &entry);
	err = qy_db_journal_append(cx, host->server_env.db, &entry);
	if (err) {
		/* The move stands. What the journal should have said is said here. */
		fprintf(stderr,
			"quotey start: not journalled (%s): %s %s: %s -> %s by %s, \"%s\": %s %s\n",
			qrt_err_text(err), entry.at, entry.component,
			entry.from_backend[0] != '\0' ? entry.from_backend : "-", entry.to_backend,
			entry.actor, entry.reason, entry.outcome, entry.detail);
	}
}

/* --- start --------------------------------------------------------------------------------- */

int qy_host_assign(struct qrt_cx *cx, struct qy_host *host)
{
	/* By component: a database that does not open is no broken runtime. */
	static const enum qy_cli_class classes[QY_CLI_COMPONENTS_MAX] = {QY_CLI_DATABASE,
									 QY_CLI_RUNTIME};

	for (size_t i = 0; i < QY_CLI_COMPONENTS_MAX; i++) {
		struct qrt_move move;
		enum qrt_err err = qrt_switchboard_move(cx, host->switchboard, qy_cli_components[i],
							host->assigned[i].backend, QY_ACTOR_START,
							host->assigned[i].reason, &move);

		if (err) {
			return qy_cli_fail(host->cli, classes[i], "component %s on %s: %s",
					   qy_cli_components[i], host->assigned[i].backend,
					   move.detail[0] != '\0' ? move.detail
								  : qrt_err_text(err));
		}
	}
	return 0;
}

/* --- reload -------------------------------------------------------------------------------- */

struct load_job {
	const struct qy_config_sources *sources;
	struct qy_config *config; /* NULL: errors say why */
	struct qy_config_errors errors;
};

static enum qrt_err load_main(struct qrt_job *job, void *arg)
{
	struct load_job *load = arg;

	(void)job;
	return qy_config_load(load->sources, &load->config, &load->errors) == 0 ? QRT_OK
										: QRT_EFAILED;
}

static void move_changed(struct qrt_cx *cx, struct qy_host *host,
			 const struct qy_assignment *wanted)
{
	for (size_t i = 0; i < QY_CLI_COMPONENTS_MAX; i++) {
		struct qrt_move move;
		enum qrt_err err;

		if (strcmp(wanted[i].backend, host->configured[i].backend) == 0 ||
		    atomic_load(&host->control_env.draining)) {
			continue;
		}
		err = qrt_switchboard_move(cx, host->switchboard, qy_cli_components[i],
					   wanted[i].backend, QY_ACTOR_RELOAD, wanted[i].reason,
					   &move);
		if (err) {
			/* It counts as not read, so that the next HUP tries again. */
			fprintf(stderr, "quotey start: HUP: %s stays where it is: %s\n",
				qy_cli_components[i],
				move.detail[0] != '\0' ? move.detail : qrt_err_text(err));
		} else {
			fprintf(stderr, "quotey start: HUP: %s moved to %s (%s)\n",
				qy_cli_components[i], wanted[i].backend, wanted[i].reason);
			host->configured[i] = wanted[i];
		}
	}
}

static void reload_once(struct qrt_cx *cx, struct qy_host *host)
{
	struct load_job load = {.sources = &host->cli->sources};
	struct qy_assignment wanted[QY_CLI_COMPONENTS_MAX];
	char problem[QY_ASSIGN_PROBLEM_SIZE];
	enum qrt_err err = qrt_blocking(cx, host->lane, load_main, &load);

	if (load.config == NULL) {
		fprintf(stderr, "quotey start: HUP: nothing changes: %s\n",
			load.errors.n > 0 ? "the configuration has errors" : qrt_err_text(err));
		qy_config_errors_print(&load.errors, stderr);
	} else if (!qy_assign_by_config(load.config, wanted, problem)) {
		fprintf(stderr, "quotey start: HUP: nothing changes: %s\n", problem);
	} else {
		fprintf(stderr, "quotey start: HUP: configuration read again\n");
		move_changed(cx, host, wanted);
	}
	qy_config_errors_fini(&load.errors);
	qy_config_destroy(&load.config);
}

enum qrt_err qy_host_reload(struct qrt_cx *cx, void *arg)
{
	struct qy_host *host = arg;

	while (host->is_reload_wanted && !atomic_load(&host->control_env.draining)) {
		host->is_reload_wanted = false;
		reload_once(cx, host);
	}
	host->is_reloading = false;
	return QRT_OK;
}
