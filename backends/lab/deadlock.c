/*
 * What the lab says when nothing can happen any more: every task, where it was
 * spawned, what it waits for and since when, in the tree of regions.
 */
#include "backends/lab/lab.h"

#include <stdio.h>

static void print_time(int64_t ns)
{
	fprintf(stderr, "%lld.%09lld s", (long long)(ns / QRT_SEC), (long long)(ns % QRT_SEC));
}

static void print_object(const struct qrt__wait *wait)
{
	if (!wait->object) {
		return;
	}
	switch (wait->kind) {
	case QRT__WAIT_ACCEPT:
	case QRT__WAIT_CONNECT:
	case QRT__WAIT_READ:
	case QRT__WAIT_WRITE:
	case QRT__WAIT_SIGNAL:
		fprintf(stderr, " on descriptor %d",
			((const struct qrt__socket *)wait->object)->fd);
		break;
	case QRT__WAIT_JOIN:
		fprintf(stderr, " of %s", ((const struct qrt__region *)wait->object)->name);
		break;
	case QRT__WAIT_LANE:
	case QRT__WAIT_CALL:
		fprintf(stderr, " %s", (const char *)wait->object);
		break;
	default:
		break; /* the kind says it all */
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

static void print_region(const struct qrt__region *region, int depth)
{
	fprintf(stderr, "qrt: %*sregion %s (%s)\n", depth, "", region->name,
		qrt__region_state_name(region->state));
	QRT__LIST_EACH(node, &region->tasks) {
		print_task(QRT__CONTAINER(node, struct qrt_task, in_home), depth + 2);
	}
	QRT__LIST_EACH(node, &region->children) {
		print_region(QRT__CONTAINER(node, struct qrt__region, in_parent), depth + 2);
	}
}

void qrt__lab_deadlock(struct qrt__lab *lab)
{
	fprintf(stderr, "qrt: deadlock in the lab: runtime %s, seed %llu, at ", lab->rt->name,
		(unsigned long long)lab->seed);
	print_time(lab->now_ns);
	fprintf(stderr, "\n");
	print_region(lab->rt->root, 2);
	qrt__assert_failed("progress", "deadlock in the lab: nothing can happen any more",
			   QRT_SITE);
}
