/*
 * Descriptors of the lab: one table for all its runtimes. Readiness is level-triggered,
 * as with poll(2): a socket hears of what it can do in every poll, until it is
 * done or no longer wanted. Whatever may change the readiness of a file sets a
 * bit; only descriptors with that bit are looked at, in the order of fds.
 */
#include "backends/lab/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORD = 64 };

static size_t index_of(const struct qrt__lab_descriptor *descriptor)
{
	return (size_t)(descriptor->fd - QRT__LAB_FD_FIRST);
}

static void heat(struct qrt_lab *lab, size_t index)
{
	lab->hot[index / WORD] |= UINT64_C(1) << index % WORD;
}

void qrt__lab_file_init(struct qrt__lab_file *file, struct qrt_lab *lab,
			const struct qrt__lab_file_kind *kind)
{
	file->kind = kind;
	file->lab = lab;
	qrt__list_init(&file->descriptors);
}

static enum qrt_err grow(struct qrt_lab *lab)
{
	size_t n = lab->n_slots ? lab->n_slots * 2 : WORD;
	if (n > QRT__LAB_FDS_MAX) {
		return QRT_EMFILE;
	}
	uint64_t *hot = realloc(lab->hot, n / WORD * sizeof(*hot));
	if (!hot) {
		return QRT_ENOMEM;
	}
	lab->hot = hot;
	struct qrt__lab_descriptor **slot = realloc(lab->slot, n * sizeof(*slot));
	if (!slot) {
		return QRT_ENOMEM;
	}
	lab->slot = slot;
	memset(hot + lab->n_slots / WORD, 0, (n - lab->n_slots) / WORD * sizeof(*hot));
	for (size_t i = lab->n_slots; i < n; i++) {
		slot[i] = NULL;
	}
	lab->n_slots = n;
	return QRT_OK;
}

enum qrt_err qrt__lab_fd_open(struct qrt__lab_file *file, int *ret_fd)
{
	struct qrt_lab *lab = file->lab;
	size_t index = lab->free_from;
	if ((lab->faults.fds_max && lab->n_fds >= lab->faults.fds_max) || qrt__io_point(lab)) {
		return QRT_EMFILE;
	}
	while (index < lab->n_slots && lab->slot[index]) {
		index++;
	}
	enum qrt_err err = index == lab->n_slots ? grow(lab) : QRT_OK;
	if (err) {
		return err;
	}
	struct qrt__lab_descriptor *descriptor = calloc(1, sizeof(*descriptor));
	if (!descriptor) {
		return QRT_ENOMEM;
	}
	descriptor->fd = QRT__LAB_FD_FIRST + (int)index;
	descriptor->file = file;
	qrt__list_append(&file->descriptors, &descriptor->in_file);
	lab->slot[index] = descriptor;
	lab->free_from = index + 1;
	lab->n_fds++;
	*ret_fd = descriptor->fd;
	return QRT_OK;
}

struct qrt__lab_descriptor *qrt__lab_fd_find(const struct qrt_lab *lab, int fd)
{
	if (fd < QRT__LAB_FD_FIRST || (size_t)(fd - QRT__LAB_FD_FIRST) >= lab->n_slots) {
		return NULL;
	}
	return lab->slot[fd - QRT__LAB_FD_FIRST];
}

struct qrt__lab_file *qrt__lab_fd_file(const struct qrt_lab *lab, int fd,
				       const struct qrt__lab_file_kind *kind)
{
	struct qrt__lab_descriptor *descriptor = qrt__lab_fd_find(lab, fd);
	return descriptor && descriptor->file->kind == kind ? descriptor->file : NULL;
}

static void forget(struct qrt__lab_descriptor *descriptor)
{
	struct qrt_lab *lab = descriptor->file->lab;
	size_t index = index_of(descriptor);
	QRT_ASSERT(lab->slot[index] == descriptor);
	lab->slot[index] = NULL;
	lab->n_fds--;
	if (index < lab->free_from) {
		lab->free_from = index;
	}
	qrt__list_remove(&descriptor->in_file);
	free(descriptor);
}

void qrt__lab_fd_close(struct qrt__lab_descriptor *descriptor)
{
	struct qrt__lab_file *file = descriptor->file;
	forget(descriptor);
	if (qrt__list_empty(&file->descriptors)) {
		file->kind->last_close(file);
	}
}

void qrt__lab_fd_arm(struct qrt__lab_descriptor *descriptor, unsigned io)
{
	descriptor->armed = io;
	heat(descriptor->file->lab, index_of(descriptor));
}

void qrt__lab_touch(const struct qrt__lab_file *file)
{
	QRT__LIST_EACH(node, &file->descriptors) {
		heat(file->lab,
		     index_of(QRT__CONTAINER(node, struct qrt__lab_descriptor, in_file)));
	}
}

void qrt__lab_touch_all(struct qrt_lab *lab)
{
	for (size_t i = 0; i < lab->n_slots; i++) {
		if (lab->slot[i]) {
			heat(lab, i);
		}
	}
}

/* Whether there was something to tell; then it is looked at again in the next poll. */
static bool deliver_one(struct qrt_lab *lab, size_t index)
{
	struct qrt__lab_descriptor *descriptor = lab->slot[index];
	if (!descriptor || !descriptor->armed || !(descriptor->socket || descriptor->ready)) {
		return false;
	}
	unsigned io = descriptor->armed & descriptor->file->kind->readiness(descriptor->file);
	if (!io) {
		return false;
	}
	heat(lab, index);
	if (descriptor->ready) {
		/* What it has read or written may have made others ready: they are told, too. */
		lab->told_again |= descriptor->ready(descriptor->ready_arg, io);
		return true;
	}
	/* Changes the armed set at most; its tasks run, and close things, after this poll. */
	qrt__socket_ready(descriptor->socket, io);
	return true;
}

static bool deliver_all(struct qrt_lab *lab)
{
	bool any = false;
	for (size_t word = 0; word < lab->n_slots / WORD; word++) {
		uint64_t bits = lab->hot[word];
		lab->hot[word] = 0;
		for (; bits; bits &= bits - 1) {
			any |= deliver_one(lab, word * WORD + (size_t)__builtin_ctzll(bits));
		}
	}
	return any;
}

bool qrt__lab_deliver(struct qrt_lab *lab)
{
	bool any = false;
	do {
		lab->told_again = false;
		any |= deliver_all(lab);
	} while (lab->told_again);
	return any;
}

size_t qrt__lab_table_fini(struct qrt_lab *lab)
{
	size_t leaked = 0;
	for (size_t i = 0; i < lab->n_slots; i++) {
		struct qrt__lab_descriptor *descriptor = lab->slot[i];
		if (descriptor) {
			leaked++;
			fprintf(stderr, "qrt: lab: descriptor %d (%s) was never closed\n",
				descriptor->fd, descriptor->file->kind->name);
			qrt__lab_fd_close(descriptor);
		}
	}
	free(lab->slot);
	free(lab->hot);
	lab->slot = NULL;
	lab->hot = NULL;
	lab->n_slots = 0;
	return leaked;
}
