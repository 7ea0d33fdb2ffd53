/*
 * Commit section: money moves between two accounts, with a wait in the middle, and is cancelled
 * before, in and after that wait. Either nothing has happened or all of it; never half.
 */
#include <qrt/qrt.h>
#include <stdio.h>
#include <string.h>

enum step { READING, MOVING, THANKING, STEPS };

struct transfer {
	enum step step;		   /* what it waits for, or did */
	struct qrt_notify *answer; /* of the rates, of the journal, of the mail server */
	long from, to;
	bool thanked;
};

static enum qrt_err wait_for(struct qrt_cx *cx, struct transfer *transfer, enum step step)
{
	transfer->step = step;
	return qrt_notify_wait(cx, transfer->answer);
}

static enum qrt_err move_money(struct qrt_cx *cx, void *arg)
{
	struct transfer *transfer = arg;
	struct qrt_mask section;
	enum qrt_err err = wait_for(cx, transfer, READING);
	if (!err) {
		err = qrt_commit_begin(cx, &section); /* cancelled: then nothing was done */
	}
	if (err) {
		return err;
	}
	transfer->from -= 30;
	err = wait_for(cx, transfer, MOVING); /* a cancel does not reach this wait */
	if (err) {
		transfer->from += 30;
	} else {
		transfer->to += 30;
	}
	qrt_commit_end(cx, &section);
	if (!err) {
		err = wait_for(cx, transfer, THANKING); /* but this one */
		transfer->thanked = !err;
	}
	return err;
}

/* Cancels it when it is at @step, then lets everything answer. */
static enum qrt_err cancel_at(struct qrt_cx *cx, struct transfer *transfer, enum step step)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_notify_open(cx, &transfer->answer);
	if (!err) {
		err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	}
	if (err) {
		return err;
	}
	err = qrt_spawn(region, move_money, transfer);
	for (bool cancelled = false; !err && qrt_region_live(region) > 0;) {
		err = qrt_yield(cx);
		if (!cancelled && transfer->step == step) {
			qrt_region_cancel(region, QRT_CANCEL_USER, "the customer thinks again");
			cancelled = true;
		}
		QRT_IGNORE(qrt_notify_one(transfer->answer), "it is open");
	}
	err = qrt_region_close(cx, &region, err);
	QRT_IGNORE(qrt_notify_close(&transfer->answer), "it is open");
	return err;
}

/* Where a cancel is forgotten once it found nothing to end, a later wait is not told of it. */
static bool remembers_cancel(const struct qrt_cx *cx)
{
	size_t n;
	const struct qrt_promise *promises =
	    qrt_backend_promises(qrt_runtime_backend(qrt_cx_runtime(cx)), &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(promises[i].key, "cancel-remembered") == 0) {
			return strcmp(promises[i].answer, "yes") == 0;
		}
	}
	return false;
}

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	static const char *const when[] = {"before", "in", "after"};
	bool remembers = remembers_cancel(cx);
	(void)arg;
	for (int step = READING; step < STEPS; step++) {
		struct transfer transfer = {.step = STEPS, .from = 100};
		enum qrt_err err = cancel_at(cx, &transfer, (enum step)step);
		long moved = step == READING ? 0 : 30;
		bool forgot = step == MOVING && !remembers;
		if (err != (forgot ? QRT_OK : QRT_ECANCELED)) {
			return qrt_fail(cx, QRT_EFAILED, "it says %s", qrt_err_name(err));
		}
		if (transfer.from != 100 - moved || transfer.to != moved ||
		    transfer.thanked != forgot) {
			return qrt_fail(cx, QRT_EFAILED, "%ld and %ld", transfer.from, transfer.to);
		}
		printf("cancelled %s the section: %ld moved%s\n", when[step], moved,
		       forgot ? " (skipped: this backend does not remember a cancel)" : "");
	}
	return QRT_OK;
}

int main(int argc, char **argv)
{
	const struct qrt_runtime_options options = {.backend = argc > 1 ? argv[1] : "region"};
	struct qrt_runtime *rt;
	enum qrt_err err = qrt_runtime_open(&options, NULL, &rt);
	if (!err) {
		err = qrt_run_main(rt, run, NULL);
		qrt_runtime_close(&rt);
	}
	return err ? 1 : 0;
}
