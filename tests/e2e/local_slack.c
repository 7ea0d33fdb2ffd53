/*
 * The local Slack as a program of its own, for scripts: prints where its API is, greets everybody,
 * sends each line of its input as a frame, and prints each ack. Ends with its input.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/lane.h>
#include <qrt/runtime.h>

#include "quotey/lab/slack.h"

#define CONNECTION_MAX (60 * QRT_SEC)

enum { LINE_SIZE = 1 << 16 };

static void on_ack(void *arg, const char *envelope_id)
{
	(void)arg;
	printf("ack %s\n", envelope_id);
}

struct input {
	char line[LINE_SIZE];
	bool ended;
};

static enum qrt_err read_line(struct qrt_job *job, void *arg)
{
	struct input *input = arg;

	(void)job;
	input->ended = fgets(input->line, sizeof(input->line), stdin) == NULL;
	input->line[strcspn(input->line, "\n")] = '\0';
	return QRT_OK;
}

static enum qrt_err say(struct qrt_cx *cx, struct qy_lab_slack *slack, const char *frame)
{
	struct qrt_case cases[] = {qrt_case_notified(slack->changed)};
	int64_t until_ns = qrt_deadline_in(cx, CONNECTION_MAX);
	struct qy_lab_slack_link *link;
	enum qrt_err err = QRT_OK;
	size_t which;

	while (!(link = qy_lab_slack_find(slack, 0)) && !err) {
		err = qrt_select_until(cx, QRT_SELECT_ORDERED, cases, 1, until_ns, &which);
	}
	return err ? err : qy_lab_slack_send(cx, link, frame);
}

static enum qrt_err serve(struct qrt_cx *cx, struct qy_lab_slack *slack)
{
	static struct input input;
	struct qrt_lane *lane;
	enum qrt_err err = qrt_lane_open(cx, "input", 1, 1, &lane);

	slack->greets = true;
	slack->acked = on_ack;
	printf("http://127.0.0.1:%u/api\n", slack->api_port);
	while (!err && !(err = qrt_blocking(cx, lane, read_line, &input)) && !input.ended) {
		err = say(cx, slack, input.line);
	}
	qrt_lane_close(cx, &lane);
	return err;
}

static enum qrt_err slack_main(struct qrt_cx *cx, void *arg)
{
	struct qrt_region *outside;
	struct qy_lab_slack slack;
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &outside);

	(void)arg;
	if (err) {
		return err;
	}
	err = qy_lab_slack_open(qrt_region_cx(outside), outside, &slack);
	if (!err) {
		err = serve(cx, &slack);
		printf("connections %u at most %u\n", slack.n_links, slack.open_peak);
	}
	qy_lab_slack_close(cx, &slack);
	err = qrt_region_close(cx, &outside, err);
	qy_lab_slack_forget(&slack);
	return err;
}

int main(int argc, char **argv)
{
	const struct qrt_runtime_options options = {.backend = argc > 1 ? argv[1] : "region"};
	struct qrt_runtime *rt;
	enum qrt_err err;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (qrt_runtime_open(&options, NULL, &rt)) {
		return EXIT_FAILURE;
	}
	err = qrt_run_main(rt, slack_main, NULL);
	if (err) {
		fprintf(stderr, "local_slack: %s\n", qrt_err_text(err));
	}
	qrt_runtime_close(&rt);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
