/*
 * A local Slack: what answers `apps.connections.open`, and the other end of the WebSockets. It says
 * what a scenario has it say, and keeps in mind what it was told. As the real one it sends again
 * what was not acked when a connection has ended, on the next one that has had its hello.
 *
 *	Quotey ── http ──> open: a ticket, good for one connection
 *	Quotey <── bytes ──> relay <── bytes ──> WebSocket server
 *
 * The relay is where a connection breaks without a word, or one side hears nothing of the other.
 * All of it runs as tasks of the host; it must never look into Quotey.
 */
#ifndef QY_LAB_SLACK_H
#define QY_LAB_SLACK_H

#include <qrt/http.h>
#include <qrt/stream.h>
#include <qrt/sync.h>
#include <qrt/ws.h>

#define QY_LAB_SLACK_LINKS_MAX 256
#define QY_LAB_SLACK_TOKEN "xapp-local"
#define QY_LAB_SLACK_WORD_SIZE 65

/* What passes the relay. */
enum qy_lab_slack_passage {
	QY_LAB_SLACK_OPEN,
	QY_LAB_SLACK_DEAF,   /* nothing arrives from Quotey */
	QY_LAB_SLACK_SILENT, /* nothing goes either way */
};

/* One connection, by its number from 1. */
struct qy_lab_slack_link {
	struct qy_lab_slack *slack;
	unsigned number;
	uint32_t tag;			 /* tells it apart behind the relay */
	struct qrt_stream *front, *back; /* the relay's ends: to Quotey, to the server */
	struct qrt_stream *served;	 /* the server's end, until the handshake */
	struct qrt_ws *ws;		 /* NULL before the handshake and after the end */
	enum qy_lab_slack_passage passage;
	unsigned pumps; /* of the relay, that go on */
	bool greeted;	/* has had its hello */
	bool ended;
	bool closed_by_quotey;
	unsigned code; /* of the close */
};

/* What was sent and is to be acked. */
struct qy_lab_slack_sent {
	struct qy_lab_slack_sent *next;
	char id[QY_LAB_SLACK_WORD_SIZE];
	char *text;
	unsigned link; /* the connection it was sent on last; 0: none yet */
	unsigned acks;
};

struct qy_lab_slack {
	struct qrt_region *home;
	struct qrt_notify *changed;
	struct qrt_http_server *http;
	struct qrt_http_router *router;
	struct qrt_listener *front, *back;
	uint16_t api_port, front_port, back_port;

	bool greets; /* every connection, by itself */
	/* What `open` answers. */
	char refusal[QY_LAB_SLACK_WORD_SIZE]; /* "": a ticket */
	unsigned refusals;		      /* so many times; 0: until it is allowed again */
	unsigned retry_after_secs;	      /* 0: does not say */

	unsigned opens; /* answered, in whatever way */
	bool *tickets;	/* by number: not used yet */
	unsigned n_tickets;
	struct qy_lab_slack_link *links[QY_LAB_SLACK_LINKS_MAX]; /* by number - 1 */
	unsigned n_links;
	uint32_t last_tag;
	unsigned open_now, open_peak;
	unsigned last_ended; /* its number */
	struct qy_lab_slack_sent *sent, **sent_tail;

	/* Hears of each ack; may be NULL. */
	void (*acked)(void *arg, const char *envelope_id);
	void *acked_arg;
};

/* --- slack.c --- */

/* Begins to serve, by tasks in @home, whose own cx is @cx. */
enum qrt_err qy_lab_slack_open(struct qrt_cx *cx, struct qrt_region *home,
			       struct qy_lab_slack *ret_slack) QRT_MUST_USE;
/* Ends everything; suspends until its tasks have ended or are about to. NULL-safe in all parts. */
void qy_lab_slack_close(struct qrt_cx *cx, struct qy_lab_slack *slack);
/* Frees what it remembers: after @home was closed. */
void qy_lab_slack_forget(struct qy_lab_slack *slack);
/* Something has changed: whoever waits looks again. */
void qy_lab_slack_changed(struct qy_lab_slack *slack);

/* --- slack_link.c --- */

/* The task that takes connections; @arg is the slack. */
qrt_task_fn qy_lab_slack_accept;
/* Breaks it off without a word, and is done with it. */
void qy_lab_slack_break(struct qrt_cx *cx, struct qy_lab_slack_link *link);

/* --- slack_say.c --- */

/* The connection @number, or with 0 the newest one that is open and greeted; NULL: none. */
struct qy_lab_slack_link *qy_lab_slack_find(struct qy_lab_slack *slack, unsigned number);
/* The oldest one that is open and not greeted; NULL: none. */
struct qy_lab_slack_link *qy_lab_slack_stranger(struct qy_lab_slack *slack);
/* Greets it, and sends again what was not acked on connections that have ended. */
enum qrt_err qy_lab_slack_greet(struct qrt_cx *cx, struct qy_lab_slack_link *link) QRT_MUST_USE;
/*
 * Sends @text; one that is an envelope is to be acked from then on. Errors: those of qrt_ws_send,
 * which leave an envelope to be sent again.
 */
enum qrt_err qy_lab_slack_send(struct qrt_cx *cx, struct qy_lab_slack_link *link,
			       const char *text) QRT_MUST_USE;
/* What was not acked on connections that have ended, once more on the newest one. */
void qy_lab_slack_redeliver(struct qrt_cx *cx, struct qy_lab_slack *slack);
/* What Quotey says on a connection. */
void qy_lab_slack_hear(struct qy_lab_slack *slack, const struct qrt_ws_message *message);
/* How often @envelope_id was acked. */
unsigned qy_lab_slack_acks(const struct qy_lab_slack *slack, const char *envelope_id);

#endif
