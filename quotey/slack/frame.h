/*
 * What Slack says on a line, read from its JSON. Pure, but for memory. What is in a payload is not
 * judged here: it is kept as it came, for who handles it.
 */
#ifndef QY_SLACK_FRAME_H
#define QY_SLACK_FRAME_H

#include <stddef.h>

#include "quotey/db/inbox.h"

enum qy_slack_frame {
	QY_SLACK_FRAME_BAD, /* no JSON, or not as it should be: to be skipped */
	QY_SLACK_FRAME_NO_MEMORY,
	QY_SLACK_FRAME_HELLO,
	QY_SLACK_FRAME_REFRESH,	 /* disconnect: warning, refresh_requested */
	QY_SLACK_FRAME_DISABLED, /* disconnect: link_disabled */
	QY_SLACK_FRAME_LOSS,	 /* disconnect: any other reason */
	QY_SLACK_FRAME_ENVELOPE,
};

struct qy_slack_envelope {
	struct qy_inbox_item item; /* its payload is the envelope's own */
	char *payload;
};
/* NULL-safe; leaves an empty one. */
void qy_slack_envelope_fini(struct qy_slack_envelope *envelope);

/*
 * Reads @n bytes, which a NUL must follow. *ret_envelope is written for an envelope only, and then
 * the caller's to fini.
 */
enum qy_slack_frame qy_slack_frame_read(const char *text, size_t n,
					struct qy_slack_envelope *ret_envelope);

#endif
