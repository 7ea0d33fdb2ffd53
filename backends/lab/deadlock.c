/*
 * What the lab says when nothing can happen any more: every task, where it was
 * spawned, what it waits for and since when, in the tree of regions; then who
 * waits for each other.
 */
#include "backends/lab/lab.h"

#include <stdio.h>

static void print_time(int64_t ns)
{
	fprintf(stderr, "%lld.%09lld s", (long long)(ns / QRT_SEC), (long long)(ns % QRT_SEC));
}

static void print_object(const struct qrt__wait *wait)
{
	char object[QRT__WAIT_OBJECT_SIZE];
	qrt__wait_object(wait, object, sizeof(object));
	if (object[0]) {
		fprintf(stderr, " %s %s", wait->kind == QRT__WAIT_JOIN ? "of" : "on", object);
	}
}

static void print_task(const struct qrt_task *task, int depth)
{
	fprintf(stderr, "qrt: %*stask %llu %s, spawned at %s, ", depth, "",
		(unsigned long long)task->id, task->name, task->site);
	if (!task->wait) {
		fprintf(stderr, "waits for nothing\n");
		return;
	}
	fprintf(stderr, "waits for %s", qrt__wait_name(task->wait->kind));
	print_object(task->wait);
	fprintf(stderr, " since ");
	print_time(task->wait->since_ns);
	fprintf(stderr, "\n");
}

/* Without recursion, as regions may be nested deeper than a stack. */
static void print_regions(const struct qrt__region *root)
{
	int depth = 2;
	for (const struct qrt__region *at = root, *next; at; at = next) {
		fprintf(stderr, "qrt: %*sregion %s (%s)\n", depth, "", at->name,
			qrt__region_state_name(at->state));
		QRT__LIST_EACH(node, &at->tasks) {
			print_task(QRT__CONTAINER(node, struct qrt_task, in_home), depth + 2);
		}
		next = qrt__next_region(at);
		for (const struct qrt__region *up = at; next && up != next->parent;
		     up = up->parent) {
			depth -= 2;
		}
		depth += 2;
	}
}

/* Who waits for whom in a circle, if that is why. */
static void print_cycles(struct qrt_runtime *rt)
{
	static char text[16384]; /* the process is about to end, maybe for lack of memory */
	size_t n = qrt__dump_deadlocks(rt, text, sizeof(text));
	fprintf(stderr, "qrt: %zu wait%s in a circle\n", n, n == 1 ? "" : "s");
	if (text[0]) {
		fprintf(stderr, "%s\n", text);
	}
}

static void print_all(struct qrt_lab *lab, const char *what)
{
	fprintf(stderr, "qrt: %s, seed %llu, at ", what, (unsigned long long)lab->opts.seed);
	print_time(lab->now_ns);
	fprintf(stderr, ", after %llu steps\n", (unsigned long long)lab->steps);
	QRT__LIST_EACH(node, &lab->runtimes) {
		struct qrt_runtime *rt = QRT__CONTAINER(node, struct qrt__member, in_lab)->rt;
		fprintf(stderr, "qrt: runtime %s\n", rt->name);
		print_regions(rt->root);
		print_cycles(rt);
	}
}

void qrt__lab_deadlock(struct qrt_lab *lab)
{
	print_all(lab, "deadlock in the lab");
	qrt__assert_failed("progress", "deadlock in the lab: nothing can happen any more",
			   QRT_SITE);
}

void qrt__lab_livelock(struct qrt_lab *lab, const char *why)
{
	print_all(lab, "livelock in the lab");
	qrt__assert_failed("progress", why, QRT_SITE);
}
