/* The lab's disk: what goes wrong with it, and when the power goes. */
#include <stdio.h>

#include "backends/lab/disk.h"
#include "backends/lab/lab.h"

static uint64_t choose(void *arg, uint64_t n)
{
	struct qrt_lab *lab = arg;
	return n > UINT32_MAX ? 0 : qrt__choose(lab, QRT__CHOOSE_DISK, (uint32_t)n);
}

/* Takes the picture that a power loss would leave; the run goes on as if nothing was. */
static enum qrt_err power_goes(struct qrt_lab *lab)
{
	return qrt__disk_clone_crashed(lab->disk, &lab->crashed);
}

static enum qrt_err before_op(void *arg, enum qrt__disk_op op, const char *file)
{
	struct qrt_lab *lab = arg;
	const struct qrt_lab_faults *faults = &lab->faults;
	(void)file;
	if (qrt__crash_point(lab)) {
		enum qrt_err err = power_goes(lab);
		if (err) {
			return err;
		}
	}
	if (lab->powerless) {
		return QRT_EIO;
	}
	bool makes_room = op == QRT__DISK_WRITE || op == QRT__DISK_TRUNCATE;
	if (makes_room && faults->disk_full) {
		return QRT_ELIMIT;
	}
	/* Whether somebody holds a lock is no fault of the disk's. */
	if (op != QRT__DISK_LOCK && (qrt__fault(lab, faults->disk_error) || qrt__io_point(lab))) {
		return QRT_EIO;
	}
	if (op == QRT__DISK_SYNC && qrt__fault(lab, faults->sync_slow)) {
		lab->job_ns += faults->sync_ns ? faults->sync_ns : QRT_SEC;
	}
	return QRT_OK;
}

static void spend(void *arg, int64_t ns)
{
	struct qrt_lab *lab = arg;
	lab->job_ns += ns;
}

static void fill(void *arg, void *buf, size_t n)
{
	struct qrt_lab *lab = arg;
	unsigned char *at = buf;
	for (size_t i = 0; i < n; i++) {
		at[i] = (unsigned char)qrt__lab_next(&lab->disk_random);
	}
}

static int64_t wall_ms(void *arg)
{
	struct qrt_lab *lab = arg;
	return QRT__LAB_EPOCH_MS + lab->now_ns / QRT_MS;
}

enum qrt_err qrt__lab_disk_open(struct qrt_lab *lab)
{
	const struct qrt__disk_options opts = {.hooks = {.arg = lab,
							 .choose = choose,
							 .op = before_op,
							 .spend = spend,
							 .random = fill,
							 .wall_ms = wall_ms}};
	enum qrt_err err = QRT_OK;
	if (lab->opts.disk_image) {
		lab->disk = (struct qrt__disk *)lab->opts.disk_image;
		lab->opts.disk_image = NULL;
		qrt__disk_set_hooks(lab->disk, &opts.hooks);
	} else {
		err = qrt__disk_create(&opts, &lab->disk);
	}
	lab->disk_random = qrt__lab_stream(lab->opts.seed, 33);
	if (!err) {
		err = qrt__disk_vfs_create(lab->disk, &lab->vfs);
	}
	if (!err) {
		qrt__disk_vfs_seed(lab->vfs);
	}
	return err;
}

void qrt__lab_disk_close(struct qrt_lab *lab)
{
	qrt__disk_vfs_destroy(&lab->vfs);
	qrt__disk_destroy(&lab->disk);
	qrt__disk_destroy(&lab->crashed);
}

enum qrt_err qrt_lab_power(struct qrt_lab *lab, bool on)
{
	if (!lab->disk) {
		return QRT_ENOTSUP;
	}
	enum qrt_err err = on || lab->powerless ? QRT_OK : qrt__disk_crash(lab->disk);
	if (!err) {
		lab->powerless = !on;
	}
	return err;
}

struct qrt_lab_disk *qrt_lab_take_disk(struct qrt_lab *lab)
{
	static const struct qrt__disk_hooks none;
	struct qrt__disk *disk = lab->crashed;
	if (disk) {
		qrt__disk_set_hooks(disk, &none);
	}
	lab->crashed = NULL;
	return (struct qrt_lab_disk *)disk;
}

void qrt_lab_disk_free(struct qrt_lab_disk **disk)
{
	qrt__disk_destroy((struct qrt__disk **)disk);
}
