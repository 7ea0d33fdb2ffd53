/*
 * Supervised loop: a task that reads a feed for ever fails on one message and panics on another.
 * It is started again, after a short pause, and goes on behind the bad one. A task that can do
 * nothing but fail is given up, with its failure.
 */
#include <qrt/qrt.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const messages[] = {"40", "oops", "2", "", "58"};
enum { MESSAGES = sizeof(messages) / sizeof(messages[0]) };

/* What outlives a start is not the task's: it belongs to whoever opened the region. */
struct feed {
	size_t next;
	long sum;
	unsigned starts;
};

static enum qrt_err read_feed(struct qrt_cx *cx, void *arg)
{
	struct feed *feed = arg;
	feed->starts++;
	while (feed->next < MESSAGES) {
		const char *message = messages[feed->next++]; /* taken, however it ends */
		char *end;
		enum qrt_err err = qrt_yield(cx);
		if (err) {
			return err;
		}
		if (!*message) {
			qrt_panic(cx, "an empty message");
		}
		long number = strtol(message, &end, 10);
		if (*end) {
			return qrt_fail(cx, QRT_EPROTO, "\"%s\" is no number", message);
		}
		feed->sum += number;
	}
	return QRT_OK;
}

static enum qrt_err always_fail(struct qrt_cx *cx, void *arg)
{
	struct feed *feed = arg;
	feed->starts++;
	return qrt_fail(cx, QRT_ECONNREFUSED, "no feed");
}

static enum qrt_err supervise(struct qrt_cx *cx, qrt_task_fn *fn, struct feed *feed,
			      size_t *ret_restarts)
{
	const struct qrt_region_options options = {
	    .name = "feed",
	    .policy = QRT_SUPERVISE,
	    .supervision = {.backoff_min_ns = QRT_MS, .restarts_max = 3, .period_ns = QRT_SEC * 60},
	};
	struct qrt_aggregate all;
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open_with(cx, &options, &region);
	if (err) {
		return err;
	}
	err = qrt_spawn(region, fn, feed);
	err = qrt_region_close_report(cx, &region, err, &all);
	*ret_restarts = all.n_restarts;
	qrt_aggregate_fini(&all);
	return err;
}

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	struct feed feed = {0}, dead = {0};
	size_t restarts = 0;
	(void)arg;
	enum qrt_err err = supervise(cx, read_feed, &feed, &restarts);
	if (err || feed.sum != 100 || feed.starts != 3 || restarts != 2) {
		return err ? err : QRT_EFAILED;
	}
	printf("read to its end in %u starts: %ld\n", feed.starts, feed.sum);
	err = supervise(cx, always_fail, &dead, &restarts);
	if (err != QRT_ECONNREFUSED || dead.starts != 4) {
		return QRT_EFAILED;
	}
	printf("given up after %u starts: %s\n", dead.starts, qrt_detail(cx));
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
