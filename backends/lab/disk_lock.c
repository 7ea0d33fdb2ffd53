/*
 * File locks and shared memory of the simulated disk, between the handles of
 * one file. Nothing waits here: what cannot be had now is EBUSY.
 */
#include "backends/lab/disk_state.h"

#include <stdlib.h>

static struct qrt__disk_file *file_of(struct qrt__list *at)
{
	return QRT__CONTAINER(at, struct qrt__disk_file, in_node);
}

/* The highest lock another handle of the file has. */
static enum qrt__disk_lock others(const struct qrt__disk_file *file)
{
	enum qrt__disk_lock highest = QRT__DISK_UNLOCKED;
	QRT__LIST_EACH(at, &file->node->files) {
		const struct qrt__disk_file *other = file_of(at);
		if (other != file && other->lock > highest) {
			highest = other->lock;
		}
	}
	return highest;
}

enum qrt_err qrt__disk_lock(struct qrt__disk_file *file, enum qrt__disk_lock want)
{
	QRT_PRE(want > QRT__DISK_UNLOCKED);
	QRT_PRE(want <= QRT__DISK_EXCLUSIVE_LOCK);
	if (file->node && file->lock >= want) {
		return QRT_OK;
	}
	enum qrt_err err = qrt__disk_ask_file(file, QRT__DISK_LOCK);
	if (err) {
		return err;
	}
	QRT_PRE(want == QRT__DISK_SHARED || file->lock >= QRT__DISK_SHARED);
	enum qrt__disk_lock other = others(file);
	if (want == QRT__DISK_SHARED) {
		err = other >= QRT__DISK_PENDING ? QRT_EBUSY : QRT_OK;
	} else {
		err = other >= QRT__DISK_RESERVED ? QRT_EBUSY : QRT_OK;
	}
	if (!err && want == QRT__DISK_EXCLUSIVE_LOCK && other > QRT__DISK_UNLOCKED) {
		file->lock = QRT__DISK_PENDING; /* the readers end, and no new one comes */
		err = QRT_EBUSY;
	}
	if (!err) {
		file->lock = want;
	}
	return err;
}

enum qrt_err qrt__disk_unlock(struct qrt__disk_file *file, enum qrt__disk_lock to)
{
	QRT_PRE(to <= QRT__DISK_SHARED);
	file->lock = file->lock > to ? to : file->lock;
	return file->node ? QRT_OK : QRT_EIO;
}

enum qrt_err qrt__disk_reserved(struct qrt__disk_file *file, bool *ret_reserved)
{
	enum qrt_err err = qrt__disk_ask_file(file, QRT__DISK_LOCK);
	if (!err) {
		*ret_reserved =
		    file->lock >= QRT__DISK_RESERVED || others(file) >= QRT__DISK_RESERVED;
	}
	return err;
}

/* --- shared memory ------------------------------------------------------------------------- */

static void shm_unref(struct qrt__disk_shm *shm)
{
	if (--shm->refs > 0) {
		return;
	}
	for (unsigned i = 0; i < shm->n_regions; i++) {
		free(shm->region[i]);
	}
	free(shm);
}

/* Makes @file one of those that have the file's shared memory. */
static enum qrt_err shm_join(struct qrt__disk_file *file, size_t size)
{
	struct qrt__disk_node *node = file->node;
	if (!node->shm) {
		node->shm = calloc(1, sizeof(*node->shm));
		if (!node->shm) {
			return QRT_ENOMEM;
		}
		node->shm->region_size = size;
	}
	file->shm = node->shm;
	file->shm->refs++;
	return QRT_OK;
}

enum qrt_err qrt__disk_shm_map(struct qrt__disk_file *file, unsigned region, size_t size,
			       bool extend, void **ret_at)
{
	enum qrt_err err = qrt__disk_ask_file(file, QRT__DISK_SHM_MAP);
	if (!err && !file->shm) {
		err = shm_join(file, size);
	}
	if (err) {
		return err;
	}
	struct qrt__disk_shm *shm = file->shm;
	QRT_PRE(shm->region_size == size);
	if (region >= QRT__DISK_SHM_REGIONS_MAX) {
		return QRT_ELIMIT;
	}
	while (extend && shm->n_regions <= region) {
		void *bytes = calloc(1, size);
		if (!bytes) {
			return QRT_ENOMEM;
		}
		shm->region[shm->n_regions++] = bytes;
	}
	*ret_at = region < shm->n_regions ? shm->region[region] : NULL;
	return QRT_OK;
}

static unsigned slots(unsigned first, unsigned n)
{
	QRT_PRE(n > 0);
	QRT_PRE(first + n <= QRT__DISK_LOCK_SLOTS);
	return ((1u << n) - 1) << first;
}

enum qrt_err qrt__disk_shm_lock(struct qrt__disk_file *file, unsigned first, unsigned n,
				bool exclusive)
{
	unsigned mask = slots(first, n);
	enum qrt_err err = qrt__disk_ask_file(file, QRT__DISK_LOCK);
	if (err) {
		return err;
	}
	QRT_PRE(file->shm);
	QRT_PRE(((exclusive ? file->shm_shared : file->shm_exclusive) & mask) == 0);
	QRT__LIST_EACH(at, &file->node->files) {
		const struct qrt__disk_file *other = file_of(at);
		unsigned held = other->shm_exclusive | (exclusive ? other->shm_shared : 0);
		if (other != file && (held & mask) != 0) {
			return QRT_EBUSY;
		}
	}
	*(exclusive ? &file->shm_exclusive : &file->shm_shared) |= mask;
	return QRT_OK;
}

enum qrt_err qrt__disk_shm_unlock(struct qrt__disk_file *file, unsigned first, unsigned n,
				  bool exclusive)
{
	*(exclusive ? &file->shm_exclusive : &file->shm_shared) &= ~slots(first, n);
	return file->node ? QRT_OK : QRT_EIO;
}

void qrt__disk_shm_unmap(struct qrt__disk_file *file)
{
	struct qrt__disk_shm *shm = file->shm;
	if (!shm) {
		return;
	}
	/* The last one frees it, and the next to come starts anew. */
	if (shm->refs == 1 && file->node) {
		file->node->shm = NULL;
	}
	file->shm = NULL;
	file->shm_shared = 0;
	file->shm_exclusive = 0;
	shm_unref(shm);
}

void qrt__disk_locks_fini(struct qrt__disk_file *file)
{
	qrt__disk_shm_unmap(file);
	file->lock = QRT__DISK_UNLOCKED;
}
