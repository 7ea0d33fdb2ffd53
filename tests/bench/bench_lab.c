/*
 * How fast the lab is: seeds a second, and virtual time to real time, of 1,000
 * tasks that pass messages on. bench_lab SEEDS JOBS
 */
#include <qrt/qrt.h>
#include <qrt/trial.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAIRS = 500, MESSAGES = 10, ROOM = 4 };

struct pair {
	struct qrt_chan *chan;
	int sum;
};

static enum qrt_err produce(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	enum qrt_err err = QRT_OK;
	for (int i = 1; i <= MESSAGES && !err; i++) {
		err = qrt_chan_send(cx, pair->chan, &i);
		if (!err && i % 3 == 0) {
			err = qrt_sleep(cx, QRT_MS);
		}
	}
	return err;
}

static enum qrt_err consume(struct qrt_cx *cx, void *arg)
{
	struct pair *pair = arg;
	enum qrt_err err = QRT_OK;
	for (int i = 0; i < MESSAGES && !err; i++) {
		int value;
		err = qrt_chan_recv(cx, pair->chan, &value);
		pair->sum += err ? 0 : value;
	}
	return err;
}

static enum qrt_err crowd(struct qrt_cx *cx, void *arg)
{
	struct pair *pairs = arg;

	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (err) {
		return err;
	}
	for (int i = 0; i < PAIRS && !err; i++) {
		pairs[i].sum = 0;
		err = qrt_chan_open(cx, sizeof(int), ROOM, NULL, &pairs[i].chan);
		if (!err) {
			err = qrt_spawn(region, produce, &pairs[i]);
		}
		if (!err) {
			err = qrt_spawn(region, consume, &pairs[i]);
		}
	}
	err = qrt_region_close(cx, &region, err);
	for (int i = 0; i < PAIRS && !err; i++) {
		err = qrt_chan_close(&pairs[i].chan);
		if (!err && pairs[i].sum != MESSAGES * (MESSAGES + 1) / 2) {
			err = qrt_fail(cx, QRT_EFAILED, "pair %d has %d", i, pairs[i].sum);
		}
	}
	return err;
}

static enum qrt_err run(struct qrt_lab *lab, void *arg)
{
	return qrt_lab_main(lab, "lab", crowd, arg);
}

int main(int argc, char **argv)
{
	static struct pair pairs[PAIRS];
	static const char *const names[] = {"1,000 tasks, random", "1,000 tasks, pct",
					    "1,000 tasks, round robin"};
	uint64_t seeds = argc > 1 ? strtoull(argv[1], NULL, 10) : 100;
	const struct qrt_lab_trials trials = {.jobs = argc > 2 ? (unsigned)atoi(argv[2]) : 1,
					      .out = stdout};
	for (unsigned strategy = 0; strategy < 3; strategy++) {
		const struct qrt_lab_program program = {
		    .name = names[strategy], .run = run, .arg = pairs};
		const struct qrt_lab_options opts = {.seed = 1,
						     .strategy = (enum qrt_lab_strategy)strategy};
		struct qrt_lab_report report;
		if (qrt_lab_campaign(&opts, &program, seeds, &trials, &report)) {
			return 1;
		}
	}
	return 0;
}
