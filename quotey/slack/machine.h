/*
 * The life of the connection to Slack as a machine: what happens and when goes in, what is to be
 * done comes out. Pure: it must never read a clock, and never wait.
 *
 *	disabled, stopped ── start ──> connecting ── hello ──> connected
 *	                                │  ^   ^                │  │  ^
 *	                         failed │  │   │           lost │  │  │ the old line
 *	                                v  │   │                │  │  │ has ended
 *	                               backoff ─── delay over   │  │  │
 *	                                   ^   │                │  │  │
 *	                                   └───│────────────────┘  │  │
 *	                                   ^   │       replacement │  │
 *	                                   │   │ the new line      v  │
 *	                    both are lost  └── └ is not up yet ── refreshing
 *
 *	degraded	from connecting, connected and refreshing: after too many failures, or a
 *			refusal, or when the link was disabled. Attempts go on, one each cap; hello
 *			leads to connected
 *	stopped		from everywhere: stop
 *
 * A line is one WebSocket. At most two are there at any time: one that is to go, but is read until
 * it has gone, and the one that takes its place.
 */
#ifndef QY_SLACK_MACHINE_H
#define QY_SLACK_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#define QY_SLACK_LINES 2
#define QY_SLACK_NEVER INT64_MAX

#define QY_SLACK_STATES(X)                                                                         \
	X(QY_SLACK_DISABLED, "disabled")                                                           \
	X(QY_SLACK_CONNECTING, "connecting")                                                       \
	X(QY_SLACK_CONNECTED, "connected")                                                         \
	X(QY_SLACK_REFRESHING, "refreshing")                                                       \
	X(QY_SLACK_BACKOFF, "backoff")                                                             \
	X(QY_SLACK_DEGRADED, "degraded")                                                           \
	X(QY_SLACK_STOPPED, "stopped")

enum qy_slack_state {
#define QY_SLACK_STATE_ENUM(name, text) name,
	QY_SLACK_STATES(QY_SLACK_STATE_ENUM)
#undef QY_SLACK_STATE_ENUM
	    QY_SLACK_STATE_COUNT
};
/* "connected"; "?" for another number. Static. */
const char *qy_slack_state_name(int state);
/* Whether envelopes can come in. */
bool qy_slack_state_is_up(int state);

/* How long to wait, and how often. */
struct qy_slack_figures {
	unsigned base_delay_ms, max_delay_ms;
	unsigned max_retries; /* delays before it is degraded */
};
/* The delay after the failure number @failures (from 1), by the figures alone. */
int64_t qy_slack_delay_ns(const struct qy_slack_figures *figures, unsigned failures);

enum qy_slack_event {
	QY_SLACK_START,
	QY_SLACK_HAND_OVER, /* another instance takes over: no new lines, one is enough */
	QY_SLACK_STOP,
	QY_SLACK_TIMER,	   /* wake_ns has come */
	QY_SLACK_HELLO,	   /* on a line; so are all that follow */
	QY_SLACK_ENVELOPE, /* the first one */
	QY_SLACK_REFRESH,  /* a `disconnect` that asks for a replacement */
	QY_SLACK_ENDED,
};

enum qy_slack_end {
	QY_SLACK_LOST,		/* or never came to be */
	QY_SLACK_REFUSED,	/* the token is no good: it will not be soon */
	QY_SLACK_LINK_DISABLED, /* Socket Mode was switched off */
};

struct qy_slack_input {
	enum qy_slack_event event;
	unsigned line;
	/* ENDED */
	enum qy_slack_end end;
	int64_t retry_after_ns; /* 0: nobody said */
};

enum qy_slack_phase {
	QY_SLACK_NO_LINE,
	QY_SLACK_OPENING,
	QY_SLACK_UP,
	QY_SLACK_OLD,	  /* to be replaced, still read */
	QY_SLACK_CLOSING, /* we have told it to end */
};

struct qy_slack_machine {
	struct qy_slack_figures figures;
	enum qy_slack_state state;
	bool wanted;	   /* started and not stopped */
	bool handing_over; /* no attempts any more */
	unsigned failures; /* since it last went well */
	int64_t next_ns;   /* no attempt before it */
	struct {
		enum qy_slack_phase phase;
		int64_t hello_ns;
		int64_t close_ns; /* OLD: when we end it, if Slack does not */
		bool enveloped;
	} line[QY_SLACK_LINES];
};

/* What is to be done now. */
struct qy_slack_todo {
	int open; /* the line to open; -1: none */
	bool close[QY_SLACK_LINES];
	int64_t wake_ns; /* then TIMER; QY_SLACK_NEVER */
};

void qy_slack_machine_init(struct qy_slack_machine *machine,
			   const struct qy_slack_figures *figures);
void qy_slack_machine_step(struct qy_slack_machine *machine, const struct qy_slack_input *input,
			   int64_t now_ns, struct qy_slack_todo *ret_todo);
/* How many lines are there, in whatever phase. */
unsigned qy_slack_machine_lines(const struct qy_slack_machine *machine);

#endif
