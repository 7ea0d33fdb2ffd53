/*
 * One envelope: stored, committed, and only then acked, on the line on which it came. Whatever goes
 * wrong before the commit has been told: no ack, and Slack sends it again.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <qrt/sometimes.h>
#include <qrt/trial.h>

#include "quotey/db/store.h"
#include "quotey/slack/internal.h"

struct receiving {
	struct qy_slack_line *line;
	struct qy_slack_envelope envelope;
	int64_t received_ns;
	struct qy_inbox_receipt receipt;
};

static struct qy_slack_status *status_of(const struct receiving *receiving)
{
	return receiving->line->slack->env->status;
}

/* However the task ends. */
static void receiving_end(struct qrt_cx *cx, void *arg)
{
	struct receiving *receiving = arg;
	struct qy_slack_line *line = receiving->line;
	struct qy_slack *slack = line->slack;

	(void)cx;
	line->taken--;
	QRT_IGNORE(qrt_notify_all(line->moved), "a line that has ended waits no more");
	if (atomic_fetch_sub(&slack->in_flight, 1) == 1) {
		qy_slack_publish(slack);
	}
	qy_slack_envelope_fini(&receiving->envelope);
	free(receiving);
}

/* --- storing -------------------------------------------------------------------------------- */

static enum qrt_err store(struct qrt_cx *cx, struct receiving *receiving)
{
	const struct qrt_region_options opts = {
	    .name = "slack envelope",
	    .budget.deadline_ns = receiving->received_ns + QY_SLACK_STORE_MAX,
	};
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open_with(cx, &opts, &region);

	if (err) {
		return err;
	}
	/* A sweep may cut it short here. */
	QRT_IGNORE(qrt_lab_expose(region, QRT_EXPOSE_CANCEL), "it is open");
	QRT_IGNORE(qrt_log_correlate(qrt_region_cx(region), receiving->envelope.item.envelope_id),
		   "its lines are found without, too");
	err = qy_db_inbox_receive(qrt_region_cx(region), receiving->line->slack->env->db,
				  &receiving->envelope.item, &receiving->receipt);
	return qrt_region_close(cx, &region, err);
}

/* Whether the commit is there, in time. */
static bool is_stored(struct qrt_cx *cx, struct receiving *receiving, enum qrt_err err)
{
	struct qy_slack_status *status = status_of(receiving);

	if (qrt_deadline_in(cx, 0) - receiving->received_ns > QY_SLACK_STORE_MAX ||
	    err == QRT_ETIMEDOUT) {
		QRT_SOMETIMES("an envelope was not acked: its commit was late");
		atomic_fetch_add(&status->late, 1);
		return false;
	}
	if (err) {
		QRT_SOMETIMES("an envelope was not acked: it could not be stored");
		atomic_fetch_add(&status->failed, 1);
		qrt_log(receiving->line->slack->env->log, cx, QRT_LOG_WARN, "slack",
			"an envelope is not stored",
			QRT_LOG_TEXT("envelope", receiving->envelope.item.envelope_id),
			QRT_LOG_TEXT("why", qrt_detail(cx)[0] != '\0' ? qrt_detail(cx)
								      : qrt_err_text(err)));
		return false;
	}
	if (receiving->receipt.duplicate) {
		QRT_SOMETIMES("an envelope was known");
		atomic_fetch_add(&status->duplicates, 1);
	} else {
		atomic_fetch_add(&status->received, 1);
	}
	return true;
}

/* --- acking --------------------------------------------------------------------------------- */

static enum qrt_err ack(struct qrt_cx *cx, struct receiving *receiving)
{
	const struct qrt_region_options opts = {
	    .name = "slack ack",
	    .budget.deadline_ns = receiving->received_ns + QY_SLACK_ACK_MAX,
	};
	struct qrt_region *region;
	char text[QY_INBOX_ENVELOPE_SIZE + 32];
	enum qrt_err err = qrt_region_open_with(cx, &opts, &region);

	if (err) {
		return err;
	}
	/* An id has no character that would have to be escaped. */
	snprintf(text, sizeof(text), "{\"envelope_id\":\"%s\"}",
		 receiving->envelope.item.envelope_id);
	err = qrt_ws_send_text(qrt_region_cx(region), receiving->line->ws, text);
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err receive(struct qrt_cx *cx, struct receiving *receiving)
{
	struct qy_slack_status *status = status_of(receiving);
	enum qrt_err err = store(cx, receiving);

	if (!is_stored(cx, receiving, err)) {
		return err;
	}
	err = ack(cx, receiving);
	if (err) {
		QRT_SOMETIMES("an envelope was stored, but its ack could not be sent");
		atomic_fetch_add(&status->unsent, 1);
		return err;
	}
	atomic_fetch_add(&status->acks, 1);
	QRT_IGNORE(qy_db_inbox_acked(cx, receiving->line->slack->env->db, receiving->receipt.seq),
		   "only the time of the ack is lost");
	return QRT_OK;
}

static enum qrt_err receive_main(struct qrt_cx *cx, void *arg)
{
	struct receiving *receiving = arg;
	enum qrt_err err = qrt_defer(cx, receiving_end, receiving);

	if (err) {
		receiving_end(cx, receiving);
		return QRT_OK;
	}
	QRT_IGNORE(receive(cx, receiving), "it has been counted; Slack sends it again");
	return QRT_OK;
}

/* --- taking --------------------------------------------------------------------------------- */

static enum qrt_err wait_for_room(struct qrt_cx *cx, struct qy_slack_line *line)
{
	enum qrt_err err = QRT_OK;

	while (!err && line->taken >= QY_SLACK_TAKEN_MAX && !line->leaving) {
		QRT_SOMETIMES("a line was not read on: too many envelopes were under way");
		err = qrt_notify_wait(cx, line->moved);
	}
	return !err && line->leaving ? QRT_ECLOSED : err;
}

static enum qrt_err begin(struct qy_slack_line *line, struct qy_slack_envelope *envelope,
			  int64_t received_ns)
{
	struct receiving *receiving = calloc(1, sizeof(*receiving));
	enum qrt_err err;

	QRT_ASSERT(line->taken < QY_SLACK_TAKEN_MAX);
	if (receiving == NULL) {
		return QRT_ENOMEM;
	}
	receiving->line = line;
	receiving->envelope = *envelope;
	receiving->received_ns = received_ns;
	err = qrt_spawn(line->work, receive_main, receiving);
	if (err) {
		free(receiving);
		return err;
	}
	*envelope = (struct qy_slack_envelope){.payload = NULL};
	line->taken++;
	atomic_fetch_add(&line->slack->in_flight, 1);
	return QRT_OK;
}

enum qrt_err qy_slack_receive(struct qrt_cx *cx, struct qy_slack_line *line,
			      struct qy_slack_envelope *envelope, int64_t received_ns)
{
	enum qrt_err err = wait_for_room(cx, line);

	if (!err) {
		err = begin(line, envelope, received_ns);
	}
	if (err == QRT_ENOMEM || err == QRT_ELIMIT) {
		/* For a moment, perhaps: the line goes on, and Slack sends it again. */
		atomic_fetch_add(&line->slack->env->status->failed, 1);
		err = QRT_OK;
	}
	qy_slack_envelope_fini(envelope);
	return err;
}
