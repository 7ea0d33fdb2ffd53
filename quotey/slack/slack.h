/*
 * The `slack` component: the connection to Slack's Socket Mode, and the inbox. What Slack sends is
 * stored through the port of `db`, committed, and only then acked; who handles it reads the table.
 *
 *	instance (a region)
 *	├── manager: one task, has the machine (machine.h), opens and closes lines
 *	│   └── line: a task and a region each, at most two that are open; reads
 *	│       └── envelope: a task and a region each; stores, acks
 *	└── handler of the port: tells the instance that is left when this one is up
 *
 * In a move both sides are connected for a moment: the one that is left reads on until the other
 * has had its hello, acks what it has taken, and says goodbye. What it did not ack, Slack sends
 * again.
 */
#ifndef QY_SLACK_SLACK_H
#define QY_SLACK_SLACK_H

#include <qrt/component.h>
#include <qrt/log.h>
#include <qrt/port.h>

#include "quotey/slack/status.h"

struct qrt_tls;

/* What a request to Slack has room for. */
#define QY_SLACK_BASE_URL_MAX 1000
#define QY_SLACK_TOKEN_MAX 1000

/* No ack goes out when the commit is not there by then, counted from the frame's arrival. */
#define QY_SLACK_STORE_MAX (2500 * QRT_MS)
#define QY_SLACK_ACK_MAX (3 * QRT_SEC)

/* What the host gives; it outlives every instance, which change only the status. */
struct qy_slack_env {
	struct qrt_port *db;   /* of the component `db` */
	struct qrt_port *self; /* of this component */
	/* "https://slack.com/api", without a slash at its end; at most QY_SLACK_BASE_URL_MAX. */
	const char *api_base_url;
	const char *app_token; /* at most QY_SLACK_TOKEN_MAX */
	struct qy_slack_figures figures;
	struct qrt_tls *tls; /* for https; NULL: the API is reached by http only */
	struct qy_slack_status *status;
	struct qrt_log *log; /* NULL: silent */
};

/* Name "slack"; env is a struct qy_slack_env. */
extern const struct qrt_component qy_slack_component;

#endif
