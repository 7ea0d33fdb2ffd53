/* What the connection to Slack tells of itself, for whoever shows it. Any thread may read it. */
#ifndef QY_SLACK_STATUS_H
#define QY_SLACK_STATUS_H

#include <stdatomic.h>
#include <stdint.h>

#include "quotey/slack/machine.h"

#ifdef __cplusplus
#error "quotey/slack is C: it uses _Atomic"
#endif

/* X(member, what it counts) */
#define QY_SLACK_COUNTERS(X)                                                                       \
	X(opens, "Connections to Slack that were asked for.")                                      \
	X(connects, "Connections to Slack that came to a hello.")                                  \
	X(received, "Envelopes that were stored.")                                                 \
	X(duplicates, "Envelopes that were known.")                                                \
	X(acks, "Envelopes that were acked.")                                                      \
	X(late, "Envelopes not acked: their commit was not there in time.")                        \
	X(failed, "Envelopes not acked: they could not be stored.")                                \
	X(unsent, "Envelopes stored whose ack could not be sent.")                                 \
	X(bad_frames, "Frames skipped: no JSON, or not as it should be.")

/* Of all instances. */
struct qy_slack_status {
	_Atomic int state; /* enum qy_slack_state, of the instance that is active */
	_Atomic(const void *) active;
#define QY_SLACK_COUNTER(member, help) _Atomic uint64_t member;
	QY_SLACK_COUNTERS(QY_SLACK_COUNTER)
#undef QY_SLACK_COUNTER
};

#endif
