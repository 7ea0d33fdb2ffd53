/*
 * Scenes of messages: what is cancelled between the grant and the moment it
 * runs, permits that are used, aborted and forgotten, and mailboxes.
 */
#include <qrt/chan.h>
#include <qrt/mailbox.h>
#include <qrt/oneshot.h>
#include <qrt/region.h>

#include "shim/src/internal.h"
#include "tests/lab/scenes.h"

/* --- messages -------------------------------------------------------------------------------- */

enum { MESSAGES = 6 };

struct traffic {
	struct qrt_chan *chan;
	unsigned sum, n;
};

static enum qrt_err producer(struct qrt_cx *cx, void *arg)
{
	struct traffic *traffic = arg;
	for (unsigned i = 1; i <= MESSAGES; i++) {
		struct qrt_permit permit;
		unsigned value = i * 10;
		MUST(!qrt_reserve(cx, traffic->chan, &permit));
		if (i % 3 == 0) {
			MUST(!qrt_abort(&permit));
			MUST(!qrt_chan_send(cx, traffic->chan, &value));
		} else {
			MUST(!qrt_send(&permit, &value));
		}
	}
	return QRT_OK;
}

static enum qrt_err consumer(struct qrt_cx *cx, void *arg)
{
	struct traffic *traffic = arg;
	for (;;) {
		unsigned value;
		enum qrt_err err = qrt_chan_recv(cx, traffic->chan, &value);
		if (err) {
			return err == QRT_ECLOSED ? QRT_OK : err;
		}
		traffic->sum += value;
		traffic->n++;
	}
}

static enum qrt_err produce(struct qrt_cx *cx, void *arg)
{
	struct traffic *traffic = arg;
	struct qrt_region *region;
	MUST(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	enum qrt_err err = qrt_spawn(region, producer, traffic);
	if (!err) {
		err = qrt_spawn(region, producer, traffic);
	}
	err = qrt_region_close(cx, &region, err);
	return err ? err : qrt_chan_finish(traffic->chan);
}

static enum qrt_err a_oneshot_and_leftovers(struct qrt_cx *cx)
{
	struct qrt_oneshot *oneshot;
	struct qrt_permit permit;
	struct qrt_mailbox *mailbox;
	unsigned value = 7, got = 0;
	MUST(!qrt_oneshot_open(cx, sizeof(value), NULL, &oneshot, &permit));
	MUST(!qrt_send(&permit, &value));
	MUST(!qrt_oneshot_recv(cx, oneshot, &got));
	MUST(got == 7);
	MUST(!qrt_oneshot_close(&oneshot));
	MUST(!qrt_mailbox_open(cx, sizeof(value), 4, NULL, &mailbox));
	for (value = 1; value <= 3; value++) {
		MUST(!qrt_mailbox_try_send(mailbox, &value));
	}
	MUST(!qrt_mailbox_recv(cx, mailbox, &got));
	MUST(got == 1);
	MUST(!qrt_mailbox_recv(cx, mailbox, &got));
	MUST(!qrt_mailbox_close(&mailbox)); /* and drops the third */
	return QRT_OK;
}

static enum qrt_err messages_main(struct qrt_cx *cx, void *arg)
{
	struct traffic traffic = {0};
	struct qrt_region *region;
	(void)arg;
	MUST(!qrt_chan_open(cx, sizeof(unsigned), 3, NULL, &traffic.chan));
	MUST(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	enum qrt_err err = qrt_spawn(region, produce, &traffic);
	for (unsigned i = 0; i < 2 && !err; i++) {
		err = qrt_spawn(region, consumer, &traffic);
	}
	err = qrt_region_close(cx, &region, err);
	if (err) {
		return err;
	}
	MUST(traffic.n == 2 * MESSAGES);
	MUST(traffic.sum == 2 * 10 * MESSAGES * (MESSAGES + 1) / 2);
	MUST(!qrt_chan_close(&traffic.chan));
	return a_oneshot_and_leftovers(cx);
}

enum qrt_err scene_messages(const struct stage *stage)
{
	return qrt_lab_main(stage->lab, stage->backend, messages_main, NULL);
}

/* --- grants: a receiver that is cancelled when it has been granted -----------------------------
 */

#define PATIENCE (50 * QRT_MS)

struct meeting {
	struct qrt_chan *chan;
	struct qrt_region *victims; /* NULL: not open */
	bool over;		    /* they are too late */
};

/* With a time of their own: so their waits have timers. */
static enum qrt_err hold_victims(struct qrt_cx *cx, struct meeting *meeting, qrt_task_fn *victim)
{
	const struct qrt_region_options opts = {.name = "victims",
						.policy = QRT_COLLECT,
						.budget.deadline_ns =
						    qrt_deadline_in(cx, 10 * PATIENCE)};
	struct qrt_region *region;
	MUST(!qrt_region_open_with(cx, &opts, &region));
	enum qrt_err err = qrt_spawn(region, victim, meeting);
	meeting->victims = region;
	if (meeting->over) {
		qrt_region_cancel(region, QRT_CANCEL_USER, "it came late");
	}
	QRT_IGNORE(qrt_region_close(cx, &region, err), "cancelled, or too late to be");
	meeting->victims = NULL;
	return QRT_OK;
}

static enum qrt_err canceller(struct qrt_cx *cx, void *arg)
{
	struct meeting *meeting = arg;
	(void)cx;
	meeting->over = true;
	if (meeting->victims) {
		qrt_region_cancel(meeting->victims, QRT_CANCEL_USER, "right now");
	}
	return QRT_OK;
}

/* Passes on what it gets. */
static enum qrt_err receiving_victim(struct qrt_cx *cx, void *arg)
{
	struct meeting *meeting = arg;
	unsigned value;
	enum qrt_err err = qrt_chan_recv(cx, meeting->chan, &value);
	return err ? err : qrt_chan_try_send(meeting->chan, &value);
}

static enum qrt_err hold_receivers(struct qrt_cx *cx, void *arg)
{
	return hold_victims(cx, arg, receiving_victim);
}

static enum qrt_err recv_in_time(struct qrt_cx *cx, struct qrt_chan *chan, unsigned *ret_value)
{
	struct qrt_case arm = qrt_case_recv(chan, ret_value);
	size_t which;
	return qrt_select_until(cx, QRT_SELECT_ORDERED, &arm, 1, qrt_deadline_in(cx, PATIENCE),
				&which);
}

static enum qrt_err survivor(struct qrt_cx *cx, void *arg)
{
	struct meeting *meeting = arg;
	unsigned value = 0;
	enum qrt_err err = recv_in_time(cx, meeting->chan, &value);
	MUST(err != QRT_ETIMEDOUT); /* a lost wake-up, or a lost message */
	MUST(!err);
	MUST(value == 1);
	return QRT_OK;
}

static enum qrt_err send_one(struct qrt_cx *cx, void *arg)
{
	struct meeting *meeting = arg;
	unsigned value = 1;
	return qrt_chan_send(cx, meeting->chan, &value);
}

/* Two wait, in whatever order; then what they wait for and the cancel come at the same time. */
static enum qrt_err meet(struct qrt_cx *cx, struct meeting *meeting, qrt_task_fn *const fns[4])
{
	struct qrt_region *region;
	MUST(!qrt_region_open(cx, QRT_FAIL_FAST, &region));
	enum qrt_err err = qrt_spawn(region, fns[0], meeting);
	if (!err) {
		err = qrt_spawn(region, fns[1], meeting);
	}
	QRT_IGNORE(qrt_sleep(cx, 1000), "whoever fails meanwhile is heard of");
	if (!err) {
		err = qrt_spawn(region, fns[2], meeting);
	}
	if (!err) {
		err = qrt_spawn(region, fns[3], meeting);
	}
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err grants_main(struct qrt_cx *cx, void *arg)
{
	qrt_task_fn *const fns[4] = {hold_receivers, survivor, send_one, canceller};
	enum qrt_err err = QRT_OK;
	(void)arg;
	for (unsigned i = 0; i < 2 && !err; i++) {
		struct meeting meeting = {0};
		MUST(!qrt_chan_open(cx, sizeof(unsigned), 1, NULL, &meeting.chan));
		err = meet(cx, &meeting, fns);
		QRT_IGNORE(qrt_chan_close(&meeting.chan), "it is open");
	}
	return err;
}

enum qrt_err scene_grants(const struct stage *stage)
{
	return qrt_lab_main(stage->lab, stage->backend, grants_main, NULL);
}

/* --- slots: the same of a sender ---------------------------------------------------------------
 */

static enum qrt_err sending_victim(struct qrt_cx *cx, void *arg)
{
	struct meeting *meeting = arg;
	unsigned value = 2;
	return qrt_chan_send(cx, meeting->chan, &value);
}

static enum qrt_err hold_senders(struct qrt_cx *cx, void *arg)
{
	return hold_victims(cx, arg, sending_victim);
}

static enum qrt_err send_last(struct qrt_cx *cx, void *arg)
{
	struct meeting *meeting = arg;
	unsigned last = 3;
	struct qrt_case arm = qrt_case_send(meeting->chan, &last);
	size_t which;
	enum qrt_err err = qrt_select_until(cx, QRT_SELECT_ORDERED, &arm, 1,
					    qrt_deadline_in(cx, PATIENCE), &which);
	MUST(err != QRT_ETIMEDOUT); /* somebody has kept its slot */
	return err;
}

static enum qrt_err empty_it(struct qrt_cx *cx, void *arg)
{
	struct meeting *meeting = arg;
	unsigned value = 0;
	while (value != 3) {
		MUST(!recv_in_time(cx, meeting->chan, &value));
	}
	return QRT_OK;
}

static enum qrt_err slots_main(struct qrt_cx *cx, void *arg)
{
	qrt_task_fn *const fns[4] = {hold_senders, send_last, empty_it, canceller};
	unsigned first = 1;
	enum qrt_err err = QRT_OK;
	(void)arg;
	for (unsigned i = 0; i < 2 && !err; i++) {
		struct meeting meeting = {0};
		MUST(!qrt_chan_open(cx, sizeof(unsigned), 1, NULL, &meeting.chan));
		MUST(!qrt_chan_send(cx, meeting.chan, &first));
		err = meet(cx, &meeting, fns);
		QRT_IGNORE(qrt_chan_close(&meeting.chan), "it is open");
	}
	return err;
}

enum qrt_err scene_slots(const struct stage *stage)
{
	return qrt_lab_main(stage->lab, stage->backend, slots_main, NULL);
}
