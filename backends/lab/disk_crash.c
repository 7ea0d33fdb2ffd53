/*
 * The power loss: works out what is left of a disk, as a disk of its own.
 *
 * First one choice says how bad it is; then, where it matters, each unsynced
 * change has a choice of its own, in the order they were made. Changes that
 * survive are applied in that order to what was synced. A write has more ways
 * than to be there or not; they are what is promised of devices, no worse:
 *
 *	prefix		its first sectors (of 512 bytes)
 *	scattered	any of its sectors
 *	sliced		some sectors, and of the next one the bytes from one end
 *	ruined		all of it, but one sector is garbage: a sector of the
 *			device, with what stood beside the write; when the device
 *			is powersafe, only bytes that were written
 *	grown		the file has grown for it, but holds garbage there
 *
 * Must never write outside the sectors a write has touched, nor change the
 * old disk.
 */
#include "backends/lab/disk_state.h"

#include <stdlib.h>
#include <string.h>

enum mood { ALL_KEPT, ANYTHING, MOSTLY_KEPT, ALL_LOST, MOODS };
enum fate { KEPT, LOST, PREFIX, SCATTERED, SLICED, RUINED, GROWN, FATES };

enum { MOSTLY_ONE_IN = 8 };

struct crash {
	const struct qrt__disk *old;
	struct qrt__disk *disk; /* what is left */
	enum mood mood;
};

/* --- nodes of the new disk ----------------------------------------------------------------- */

/* What becomes of @old's content; NULL: no memory. */
static struct qrt__disk_node *twin_of(struct crash *crash, struct qrt__disk_node *old)
{
	if (old->twin) {
		return old->twin;
	}
	struct qrt__disk_node *twin = qrt__disk_node_new(crash->disk);
	if (!twin) {
		return NULL;
	}
	if (!qrt__disk_blob_reserve(&twin->synced, old->synced.n)) {
		qrt__disk_node_unref(crash->disk, twin);
		return NULL;
	}
	qrt__disk_blob_put(&twin->synced, 0, old->synced.bytes, old->synced.n);
	old->twin = twin;
	return twin;
}

/* The first reference of each twin was ours. */
static void release_twins(struct crash *crash)
{
	QRT__LIST_EACH(at, &crash->old->nodes) {
		struct qrt__disk_node *old = QRT__CONTAINER(at, struct qrt__disk_node, in_disk);
		if (old->twin) {
			qrt__disk_node_unref(crash->disk, old->twin);
			old->twin = NULL;
		}
	}
}

/* --- the fates of a write ------------------------------------------------------------------ */

struct torn {
	const struct qrt__disk_change *write;
	struct qrt__disk_blob *to;
	size_t begin, end; /* in the file */
};

/* Of the write, what lies in @from..@to of the file. */
static void keep(const struct torn *torn, size_t from, size_t to)
{
	from = from > torn->begin ? from : torn->begin;
	to = to < torn->end ? to : torn->end;
	if (from < to) {
		qrt__disk_blob_put(torn->to, from, torn->write->bytes + (from - torn->begin),
				   to - from);
	}
}

/* One of the sectors of @size bytes that the write touches: where it starts. */
static size_t any_sector(const struct crash *crash, const struct torn *torn, size_t size)
{
	size_t first = torn->begin / size;
	size_t n = (torn->end - 1) / size - first + 1;
	return (first + (size_t)qrt__disk_choose(crash->old, n)) * size;
}

/* Choice 0 gives zeros. */
static void garbage(const struct crash *crash, struct qrt__disk_blob *to, size_t from, size_t end)
{
	uint64_t seed = qrt__disk_choose(crash->old, UINT32_MAX);
	uint64_t x = seed;
	for (size_t i = from; i < end; i++) {
		x = x * UINT64_C(6364136223846793005) + seed;
		to->bytes[i] = (unsigned char)(x >> 56);
	}
}

static void scatter(const struct crash *crash, const struct torn *torn)
{
	size_t at = torn->begin / QRT__DISK_SECTOR * QRT__DISK_SECTOR;
	for (; at < torn->end; at += QRT__DISK_SECTOR) {
		if (qrt__disk_choose(crash->old, 2) == 0) {
			keep(torn, at, at + QRT__DISK_SECTOR);
		}
	}
}

static void slice(const struct crash *crash, const struct torn *torn)
{
	size_t at = any_sector(crash, torn, QRT__DISK_SECTOR);
	size_t end = at + QRT__DISK_SECTOR;
	size_t cut = at + (size_t)qrt__disk_choose(crash->old, QRT__DISK_SECTOR);
	bool from_end = qrt__disk_choose(crash->old, 2) == 1;
	keep(torn, torn->begin, at);
	keep(torn, from_end ? cut : at, from_end ? end : cut);
}

static void ruin(const struct crash *crash, const struct torn *torn)
{
	const struct qrt__disk_options *opts = &crash->old->opts;
	size_t size = opts->powersafe ? QRT__DISK_SECTOR : opts->sector;
	keep(torn, torn->begin, torn->end);
	size_t from = any_sector(crash, torn, size);
	size_t to = from + size < torn->to->n ? from + size : torn->to->n;
	if (opts->powersafe) {
		from = from > torn->begin ? from : torn->begin;
		to = to < torn->end ? to : torn->end;
	}
	garbage(crash, torn->to, from, to);
}

static void grow(const struct crash *crash, const struct torn *torn)
{
	size_t from = torn->to->n;
	if (from < torn->end) {
		qrt__disk_blob_resize(torn->to, torn->end);
		garbage(crash, torn->to, from, torn->end);
	}
}

static void settle_write(const struct crash *crash, const struct torn *torn, enum fate fate)
{
	switch (fate) {
	case KEPT:
		keep(torn, torn->begin, torn->end);
		break;
	case PREFIX:
		keep(torn, torn->begin, any_sector(crash, torn, QRT__DISK_SECTOR));
		break;
	case SCATTERED:
		scatter(crash, torn);
		break;
	case SLICED:
		slice(crash, torn);
		break;
	case RUINED:
		ruin(crash, torn);
		break;
	case GROWN:
		grow(crash, torn);
		break;
	case LOST:
	case FATES:
		break;
	}
}

/* --- changes ------------------------------------------------------------------------------- */

/* One of the first @n fates. */
static enum fate choose_fate(const struct crash *crash, unsigned n)
{
	if (crash->mood == ALL_KEPT || crash->mood == ALL_LOST) {
		return crash->mood == ALL_KEPT ? KEPT : LOST;
	}
	if (crash->mood == MOSTLY_KEPT &&
	    qrt__disk_choose(crash->old, MOSTLY_ONE_IN) != MOSTLY_ONE_IN - 1) {
		return KEPT;
	}
	return (enum fate)qrt__disk_choose(crash->old, n);
}

static enum qrt_err settle_data(struct crash *crash, const struct qrt__disk_change *change)
{
	struct qrt__disk_node *twin = twin_of(crash, change->node);
	size_t end = change->offset + change->n;
	if (!twin || !qrt__disk_blob_reserve(&twin->synced, end)) {
		return QRT_ENOMEM;
	}
	if (change->kind == QRT__DISK_CUT) {
		if (choose_fate(crash, LOST + 1) == KEPT) {
			qrt__disk_blob_resize(&twin->synced, change->offset);
		}
		return QRT_OK;
	}
	struct torn torn = {
	    .write = change, .to = &twin->synced, .begin = change->offset, .end = end};
	settle_write(crash, &torn, choose_fate(crash, FATES));
	return QRT_OK;
}

static enum qrt_err settle_name(struct crash *crash, const char *path, struct qrt__disk_node *node)
{
	struct qrt__disk_node *twin = node ? twin_of(crash, node) : NULL;
	struct qrt__disk_name *name = qrt__disk_name_make(crash->disk, path);
	if (!name || (node && !twin)) {
		return QRT_ENOMEM;
	}
	qrt__disk_name_keep(crash->disk, name, twin);
	return QRT_OK;
}

static enum qrt_err settle_change(struct crash *crash, const struct qrt__disk_change *change)
{
	if (!change->name) {
		return settle_data(crash, change);
	}
	return choose_fate(crash, LOST + 1) == KEPT
		   ? settle_name(crash, change->name->path, change->node)
		   : QRT_OK;
}

/* What has survived is what is seen now. */
static enum qrt_err power_on(struct qrt__disk *disk)
{
	QRT__LIST_EACH(at, &disk->names) {
		struct qrt__disk_name *name = QRT__CONTAINER(at, struct qrt__disk_name, in_disk);
		struct qrt__disk_node *node = name->synced;
		if (!node) {
			qrt__disk_name_settle(name);
			continue;
		}
		if (!qrt__disk_blob_reserve(&node->live, node->synced.n)) {
			return QRT_ENOMEM;
		}
		qrt__disk_blob_put(&node->live, 0, node->synced.bytes, node->synced.n);
		qrt__disk_name_see(disk, name, node);
	}
	return QRT_OK;
}

static enum qrt_err settle(struct crash *crash)
{
	crash->mood = (enum mood)qrt__disk_choose(crash->old, MOODS);
	QRT__LIST_EACH(at, &crash->old->names) {
		const struct qrt__disk_name *name =
		    QRT__CONTAINER(at, struct qrt__disk_name, in_disk);
		enum qrt_err err =
		    name->synced ? settle_name(crash, name->path, name->synced) : QRT_OK;
		if (err) {
			return err;
		}
	}
	QRT__LIST_EACH(at, &crash->old->changes) {
		enum qrt_err err =
		    settle_change(crash, QRT__CONTAINER(at, struct qrt__disk_change, in_disk));
		if (err) {
			return err;
		}
	}
	return power_on(crash->disk);
}

enum qrt_err qrt__disk_clone_crashed(const struct qrt__disk *disk, struct qrt__disk **ret_disk)
{
	struct crash crash = {.old = disk};
	enum qrt_err err = qrt__disk_create(&disk->opts, &crash.disk);
	if (err) {
		return err;
	}
	err = settle(&crash);
	release_twins(&crash);
	if (err) {
		qrt__disk_destroy(&crash.disk);
		return err;
	}
	*ret_disk = crash.disk;
	return QRT_OK;
}

static void kill_handles(struct qrt__disk *disk)
{
	QRT__LIST_EACH(at, &disk->handles) {
		struct qrt__disk_file *file = QRT__CONTAINER(at, struct qrt__disk_file, in_disk);
		if (!file->node) {
			continue;
		}
		/* Its owner may still look at shared memory: that stays until it lets go. */
		file->node->shm = NULL;
		qrt__list_remove(&file->in_node);
		qrt__disk_node_unsee(disk, file->node);
		file->node = NULL;
	}
}

static void move_list(struct qrt__list *to, struct qrt__list *from)
{
	while (!qrt__list_empty(from)) {
		qrt__list_append(to, qrt__list_pop(from));
	}
}

enum qrt_err qrt__disk_crash(struct qrt__disk *disk)
{
	struct qrt__disk *left = NULL;
	enum qrt_err err = qrt__disk_clone_crashed(disk, &left);
	if (err) {
		return err;
	}
	kill_handles(disk);
	qrt__disk_clear(disk);
	move_list(&disk->nodes, &left->nodes);
	move_list(&disk->names, &left->names);
	disk->stats.files = left->stats.files;
	disk->stats.bytes = left->stats.bytes;
	disk->stats.crashes++;
	left->stats.files = 0;
	left->stats.bytes = 0;
	qrt__disk_destroy(&left);
	return QRT_OK;
}
