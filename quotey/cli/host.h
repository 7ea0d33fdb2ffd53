/*
 * The host: the part of `quotey start` that opens everything, waits for signals, and lets go of
 * everything. It runs as the first task of a runtime of its own, the supervisor, so that it is
 * never in the way of the components, nor they in its.
 *
 * It knows components by their tables and backends by their names, and never what either does.
 */
#ifndef QY_CLI_HOST_H
#define QY_CLI_HOST_H

#include <qrt/lane.h>
#include <qrt/log.h>
#include <qrt/rate.h>
#include <qrt/signal.h>
#include <qrt/stream.h>
#include <qrt/tls.h>

#include "quotey/cli/assign.h"
#include "quotey/cli/command.h"
#include "quotey/cli/keyfile.h"
#include "quotey/cli/place.h"
#include "quotey/db/component.h"
#include "quotey/server/client_address.h"
#include "quotey/server/control_routes.h"
#include "quotey/server/server.h"
#include "quotey/slack/slack.h"

#define QY_HOST_URL_SIZE 96

struct qy_host {
	struct qy_cli *cli;
	struct qy_keys keys;
	/* As the configuration had it when it was last read, and as things are started. */
	struct qy_assignment configured[QY_CLI_COMPONENTS_MAX];
	struct qy_assignment assigned[QY_CLI_COMPONENTS_MAX];

	struct qrt_log *log;
	struct qrt_runtime *supervisor;
	/* The supervisor first. A runtime that did not end is stuck: nobody may close it. */
	struct qrt_runtime *runtimes[1 + QY_CLI_PLACES_MAX];
	bool stuck[1 + QY_CLI_PLACES_MAX];
	size_t n_runtimes;

	struct qrt_signals *signals;
	struct qrt_lane *lane; /* for what blocks: files, the control listener, ends of runtimes */
	struct qrt_switchboard *switchboard;
	struct qy_db_env db_env;
	struct qy_server_env server_env;
	struct qy_server_counters counters;
	struct qy_networks trusted_proxies;
	struct qrt_rate *rate;
	struct qy_slack_env slack_env;
	struct qy_slack_status slack_status;
	struct qrt_tls *tls;	   /* of the web listener; NULL: plain */
	struct qrt_tls *slack_tls; /* NULL: its API is reached by http, or it is switched off */
	struct qrt_control *control;
	struct qy_control_env control_env;
	char web_url[QY_HOST_URL_SIZE];
	char control_url[QY_HOST_URL_SIZE];

	bool is_ready;	   /* the ready line was printed */
	bool is_stop_late; /* a component did not end when it was asked to */
	bool is_stopped;   /* everything was let go of */
	bool is_reloading;
	bool is_reload_wanted;
	int64_t stop_by_ns; /* once draining */
	struct {
		uint64_t in_flight; /* when the stop began */
		int64_t ms;	    /* until the components had stopped */
	} drain;
	int code; /* of the exit */
};

/* host.c: the first task of the supervisor; @arg is the host. */
enum qrt_err qy_host_main(struct qrt_cx *cx, void *arg);

/* host_open.c: everything up to the control listener. Returns the exit code. */
int qy_host_open(struct qrt_cx *cx, struct qy_host *host) __attribute__((warn_unused_result));

/* host_slack.c. Whether the configuration has the component at all. */
bool qy_host_has(const struct qy_host *host, const char *component);
/* Reads what it needs for TLS, if so; blocks, before any loop. Returns the exit code. */
int qy_host_prepare_slack(struct qy_host *host) __attribute__((warn_unused_result));
/* Adds it to the switchboard, if so. */
enum qrt_err qy_host_add_slack(struct qy_host *host) QRT_MUST_USE;

/* host_tls.c. Reads the certificate of the web listener, if it has one. Returns the exit code. */
int qy_host_tls_open(struct qrt_cx *cx, struct qy_host *host) __attribute__((warn_unused_result));
/* Reads it again, as @config says; what is wrong with it is logged, and changes nothing. */
void qy_host_tls_reload(struct qrt_cx *cx, struct qy_host *host, const struct qy_config *config);

/* host_move.c. The journal of the switchboard; @arg is the host. */
qrt_journal_fn qy_host_journal;
/* Moves every component to where it starts. Returns the exit code. */
int qy_host_assign(struct qrt_cx *cx, struct qy_host *host) __attribute__((warn_unused_result));
/* A task: reads the configuration again and moves what it moved; once more while that is wanted. */
enum qrt_err qy_host_reload(struct qrt_cx *cx, void *arg);

/* host_log.c. Opens the log; returns the exit code. */
int qy_host_log_open(struct qy_host *host) __attribute__((warn_unused_result));
/* Logs each line of @text as one of the component "dump". */
void qy_host_log_lines(const struct qy_host *host, const char *text);
/* Waits a little for what was logged: for who is about to end the process. */
void qy_host_log_flush(struct qy_host *host);

/* host_kill.c. A task: obeys the kill file; @arg is the host. */
enum qrt_err qy_host_watch(struct qrt_cx *cx, void *arg);

/* host_dump.c. A task: what lives in every runtime, to the log; @arg is the host. */
enum qrt_err qy_host_dump(struct qrt_cx *cx, void *arg);
/* The same for the runtimes of components only, from the supervisor's own thread, within @wait_ns
 * each. */
void qy_host_dump_components(const struct qy_host *host, int64_t wait_ns);
/* A task keeps a loop to itself: one line. The on_stall of every runtime; @arg is the host. */
void qy_host_stalled(void *arg, const struct qrt_stall *stall);

/*
 * host_stop.c. A task: lets go of everything that was opened, however much that is, and closes the
 * signals last, which ends the wait of the host.
 */
enum qrt_err qy_host_stop(struct qrt_cx *cx, void *arg);
/* After the supervisor has ended: what is left, said on stdout and in the log. Returns the exit
 * code.
 */
int qy_host_finish(struct qy_host *host);
/* The time to stop is over: names what is left and ends the process with exit code 3. */
_Noreturn void qy_host_give_up(struct qy_host *host);

#endif
