/*
 * Pipeline: orders as text are cut into lines, read, and added up, each stage a task, with a
 * channel of two places between them: no stage runs away from the next. The end runs through all
 * of them. So does a failure, on every backend, because a stage that stops says so both ways.
 */
#include <qrt/qrt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct order {
	unsigned line;
	long pieces, cents;
};

struct stages {
	const char *text;
	struct qrt_chan *lines;	 /* char *, owned: whoever receives one frees it */
	struct qrt_chan *orders; /* struct order */
	long total;
};

static void drop_line(void *element)
{
	free(*(char **)element);
}

static enum qrt_err cut(struct qrt_cx *cx, void *arg)
{
	struct stages *stages = arg;
	const char *at = stages->text;
	enum qrt_err err = QRT_OK;
	while (!err && *at != '\0') {
		size_t n = strcspn(at, "\n");
		struct qrt_permit permit;
		err = qrt_reserve(cx, stages->lines, &permit); /* before the line is made */
		if (err) {
			break;
		}
		char *line = strndup(at, n);
		if (line) {
			err = qrt_send(&permit, &line); /* neither waits nor is cancelled */
		} else {
			QRT_IGNORE(qrt_abort(&permit), "it is ours");
			err = QRT_ENOMEM;
		}
		at += n + (at[n] == '\n');
	}
	QRT_IGNORE(qrt_chan_finish(stages->lines), "it is open: its reader will get no more");
	return err == QRT_ECLOSED ? QRT_OK : err; /* closed: nobody reads any more */
}

static enum qrt_err read_orders(struct qrt_cx *cx, void *arg)
{
	struct stages *stages = arg;
	struct order order = {0};
	enum qrt_err err = QRT_OK;
	char *line;
	while (!err && !(err = qrt_chan_recv(cx, stages->lines, &line))) {
		order.line++;
		int found = sscanf(line, "%ld at %ld", &order.pieces, &order.cents);
		free(line);
		err = found == 2 ? qrt_chan_send(cx, stages->orders, &order)
				 : qrt_fail(cx, QRT_EINVAL, "line %u is no order", order.line);
	}
	QRT_IGNORE(qrt_chan_finish(stages->lines), "it is open: its writer need not go on");
	QRT_IGNORE(qrt_chan_finish(stages->orders), "it is open: its reader will get no more");
	return err == QRT_ECLOSED ? QRT_OK : err;
}

static enum qrt_err add_up(struct qrt_cx *cx, void *arg)
{
	struct stages *stages = arg;
	struct order order;
	enum qrt_err err;
	while (!(err = qrt_chan_recv(cx, stages->orders, &order))) {
		stages->total += order.pieces * order.cents;
	}
	return err == QRT_ECLOSED ? QRT_OK : err;
}

static enum qrt_err total_of(struct qrt_cx *cx, struct stages *stages)
{
	enum qrt_err err = qrt_chan_open(cx, sizeof(char *), 2, drop_line, &stages->lines);
	if (!err) {
		err = qrt_chan_open(cx, sizeof(struct order), 2, NULL, &stages->orders);
	}
	if (!err) {
		const struct qrt_branch branches[] = {{cut, stages, "cut"},
						      {read_orders, stages, "read"},
						      {add_up, stages, "add up"}};
		err = qrt_join(cx, branches, 3, NULL);
	}
	QRT_IGNORE(qrt_chan_close(&stages->lines), "open, or NULL; drops what nobody read");
	QRT_IGNORE(qrt_chan_close(&stages->orders), "open, or NULL");
	return err;
}

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	struct stages good = {.text = "2 at 1250\n1 at 99\n10 at 5\n3 at 100\n7 at 1\n1 at 2\n"};
	struct stages bad = {.text = "1 at 1\ntwo at 2\n3 at 3\n4 at 4\n5 at 5\n6 at 6\n"};
	(void)arg;
	enum qrt_err err = total_of(cx, &good);
	if (err || good.total != 2958) {
		return err ? err : QRT_EFAILED;
	}
	printf("six orders: %ld.%02ld\n", good.total / 100, good.total % 100);
	err = total_of(cx, &bad);
	if (err != QRT_EINVAL || strcmp(qrt_detail(cx), "line 2 is no order") != 0) {
		return QRT_EFAILED;
	}
	printf("%s: every stage has ended\n", qrt_detail(cx));
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
