/*
 * What the files of the component share: an instance, and a line of it. It must never be included
 * outside quotey/slack.
 */
#ifndef QY_SLACK_INTERNAL_H
#define QY_SLACK_INTERNAL_H

#include <qrt/chan.h>
#include <qrt/http_client.h>
#include <qrt/sync.h>
#include <qrt/watch.h>
#include <qrt/ws.h>

#include "quotey/slack/frame.h"
#include "quotey/slack/slack.h"
#include "quotey/slack/url.h"

/* Envelopes of a line under way at once; with more it is not read on. */
#define QY_SLACK_TAKEN_MAX 32

struct qy_slack_line;

/* What whoever waits for an instance wants to know. */
struct qy_slack_view {
	enum qy_slack_state state;
	bool quiet;	/* no line is open, no envelope under way */
	uint64_t stops; /* that have been carried out */
};

/* An instance. All but in_flight belong to its loop. */
struct qy_slack {
	struct qy_slack_env *env;
	struct qrt_http_client *http;
	struct qrt_chan *inputs; /* of struct qy_slack_input, to the manager */
	struct qrt_watch *watch; /* of struct qy_slack_view */
	struct qy_slack_machine machine;
	bool wanted;		       /* resumed and not drained: what the host wants now */
	uint64_t stops_asked, stops;   /* drains, and how many the manager has come to */
	struct qrt_region *lines_home; /* the manager's */
	struct qy_slack_line *lines[QY_SLACK_LINES];
	_Atomic size_t in_flight; /* envelopes that were taken and are neither acked nor given up */
};

/* One connection. Its memory is that of its task. */
struct qy_slack_line {
	struct qy_slack *slack;
	unsigned slot;
	struct qrt_region *region; /* while it is being opened: to cancel that */
	struct qrt_region *work;   /* envelopes, and who says goodbye; NULL: not open yet */
	struct qrt_ws *ws;
	struct qrt_notify *moved; /* an envelope has ended, or the line is to */
	size_t taken;		  /* envelopes under way */
	bool leaving;		  /* no more frames are taken */
	bool hello, enveloped, refreshing, told;
	enum qy_slack_end end;
	int64_t retry_after_ns;
};

/* --- component.c --- */

/* Tells the manager. Never waits. */
void qy_slack_tell(struct qy_slack *slack, const struct qy_slack_input *input);
/* Somebody may wait for what has changed. */
void qy_slack_publish(struct qy_slack *slack);

/* --- open.c --- */

/*
 * Asks Slack for the URL of a connection; it is good for one. Suspends, for 10 s at most. Errors:
 * EFAILED (Slack said no), EPROTO (an answer that is none, or leads where we must not go), those of
 * qrt_http_fetch. The line's end and retry_after_ns are set as the answer has it.
 */
enum qrt_err qy_slack_open(struct qrt_cx *cx, struct qy_slack_line *line,
			   char ret_url[QY_SLACK_URL_SIZE]) QRT_MUST_USE;

/* --- line.c --- */

/* The task of a line; @arg is the line, which it frees. */
qrt_task_fn qy_slack_line_main;
/* Tells it to end: what it has taken is still acked. Never waits. */
void qy_slack_line_close(struct qy_slack_line *line);

/* --- receive.c --- */

/*
 * Takes over *@envelope, which came at @received_ns: stores it and acks it on @line, in a task of
 * its own. Suspends while too many are under way.
 */
enum qrt_err qy_slack_receive(struct qrt_cx *cx, struct qy_slack_line *line,
			      struct qy_slack_envelope *envelope, int64_t received_ns) QRT_MUST_USE;

#endif
