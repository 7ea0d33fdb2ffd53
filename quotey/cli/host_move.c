/* Moves that the host makes by itself: at the start and when the file was read again. */
#include <string.h>

#include "quotey/cli/host.h"
#include "quotey/core/text.h"
#include "quotey/server/kill.h"

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

static void log_move(struct qrt_cx *cx, const struct qy_host *host, const struct qrt_move *move,
		     const struct qy_journal_entry *entry)
{
	qrt_log(host->log, cx, move->err ? QRT_LOG_WARN : QRT_LOG_INFO, "host",
		move->err ? "a move was refused" : "moved", QRT_LOG_TEXT("what", entry->component),
		QRT_LOG_TEXT("from", entry->from_backend), QRT_LOG_TEXT("to", entry->to_backend),
		QRT_LOG_TEXT("actor", entry->actor), QRT_LOG_TEXT("reason", entry->reason),
		QRT_LOG_INT("ms", entry->duration_ms), QRT_LOG_INT("in_flight", entry->in_flight),
		QRT_LOG_INT("stragglers", entry->stragglers),
		QRT_LOG_TEXT("outcome", entry->outcome), QRT_LOG_TEXT("detail", entry->detail));
}

void qy_host_journal(struct qrt_cx *cx, void *arg, const struct qrt_move *move)
{
	struct qy_host *host = arg;
	struct qy_journal_entry entry;
	enum qrt_err err;

	make_entry(move, &entry);
	log_move(cx, host, move, &entry);
	err = qy_db_journal_append(cx, host->server_env.db, &entry);
	if (err) {
		/* The move stands. What the journal should have said is said here. */
		qrt_log(
		    host->log, cx, QRT_LOG_ERROR, "host", "a move was not journalled",
		    QRT_LOG_TEXT("error", qrt_err_text(err)), QRT_LOG_TEXT("at", entry.at),
		    QRT_LOG_TEXT("what", entry.component), QRT_LOG_TEXT("from", entry.from_backend),
		    QRT_LOG_TEXT("to", entry.to_backend), QRT_LOG_TEXT("actor", entry.actor),
		    QRT_LOG_TEXT("reason", entry.reason), QRT_LOG_TEXT("outcome", entry.outcome),
		    QRT_LOG_TEXT("detail", entry.detail));
	}
}

/* --- start --------------------------------------------------------------------------------- */

int qy_host_assign(struct qrt_cx *cx, struct qy_host *host)
{
	/* By component: a database that does not open is no broken runtime. */
	static const enum qy_cli_class classes[QY_CLI_COMPONENTS_MAX] = {
	    QY_CLI_DATABASE, QY_CLI_RUNTIME, QY_CLI_RUNTIME};

	for (size_t i = 0; i < QY_CLI_COMPONENTS_MAX; i++) {
		struct qrt_move move;
		enum qrt_err err;

		if (!qy_host_has(host, qy_cli_components[i])) {
			continue;
		}
		err = qrt_switchboard_move(cx, host->switchboard, qy_cli_components[i],
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

/* A kill holds everything where it is; what the file says counts as not read. */
static bool is_held(struct qrt_cx *cx, const struct qy_host *host, size_t i,
		    const struct qy_assignment *wanted)
{
	if (!qy_killed(&host->control_env)) {
		return false;
	}
	qrt_log(host->log, cx, QRT_LOG_WARN, "host", "HUP: held by the kill",
		QRT_LOG_TEXT("what", qy_cli_components[i]), QRT_LOG_TEXT("to", wanted->backend));
	return true;
}

static void move_changed(struct qrt_cx *cx, struct qy_host *host,
			 const struct qy_assignment *wanted)
{
	for (size_t i = 0; i < QY_CLI_COMPONENTS_MAX; i++) {
		struct qrt_move move;
		enum qrt_err err;

		if (!qy_host_has(host, qy_cli_components[i]) ||
		    strcmp(wanted[i].backend, host->configured[i].backend) == 0 ||
		    atomic_load(&host->control_env.draining) || is_held(cx, host, i, &wanted[i])) {
			continue;
		}
		err = qrt_switchboard_move(cx, host->switchboard, qy_cli_components[i],
					   wanted[i].backend, QY_ACTOR_RELOAD, wanted[i].reason,
					   &move);
		if (err) {
			/* It counts as not read, so that the next HUP tries again. */
			qrt_log(host->log, cx, QRT_LOG_ERROR, "host", "HUP: stays where it is",
				QRT_LOG_TEXT("what", qy_cli_components[i]),
				QRT_LOG_TEXT("detail", move.detail[0] != '\0' ? move.detail
									      : qrt_err_text(err)));
		} else {
			host->configured[i] = wanted[i];
		}
	}
}

static void log_errors(const struct qy_host *host, const struct qy_config_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++) {
		qrt_log(host->log, NULL, QRT_LOG_ERROR, "host", "HUP: bad configuration",
			QRT_LOG_TEXT("setting", errors->list[i].key),
			QRT_LOG_TEXT("where", errors->list[i].where),
			QRT_LOG_TEXT("problem", errors->list[i].problem),
			QRT_LOG_TEXT("fix", errors->list[i].fix));
	}
}

static void reload_once(struct qrt_cx *cx, struct qy_host *host)
{
	struct load_job load = {.sources = &host->cli->sources};
	struct qy_assignment wanted[QY_CLI_COMPONENTS_MAX];
	char problem[QY_ASSIGN_PROBLEM_SIZE];
	enum qrt_err err = qrt_blocking(cx, host->lane, load_main, &load);

	if (load.config == NULL) {
		log_errors(host, &load.errors);
		qrt_log(host->log, cx, QRT_LOG_ERROR, "host", "HUP: nothing changes",
			QRT_LOG_TEXT("why", load.errors.n > 0 ? "the configuration has errors"
							      : qrt_err_text(err)));
	} else if (!qy_assign_by_config(load.config, wanted, problem)) {
		qrt_log(host->log, cx, QRT_LOG_ERROR, "host", "HUP: nothing changes",
			QRT_LOG_TEXT("why", problem));
	} else {
		qrt_log(host->log, cx, QRT_LOG_INFO, "host", "HUP: configuration read again");
		qy_host_tls_reload(cx, host, load.config);
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
