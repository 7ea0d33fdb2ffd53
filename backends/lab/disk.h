/*
 * A simulated disk: files in memory of which it is known what a power loss
 * would leave. Nothing here asks the system for time or randomness: every
 * choice is the caller's, through hooks, and equal choices give equal bytes.
 *
 *	disk.c		contents, names, what has been synced and what not
 *	disk_file.c	operations on files
 *	disk_crash.c	the power loss
 *	disk_lock.c	file locks and shared memory, between handles
 *	disk_vfs.c	SQLite over it
 *
 * The model. A write, truncate, create or delete is seen at once by every
 * handle, and stays unsynced until:
 *
 *	sync of a file		its data, and its own name if that is new
 *	QRT__DISK_SYNC_DIR	the first sync of such a handle: every name of its
 *				directory too (SQLite does so for journals)
 *	delete with sync_dir	every name of the directory
 *	too much unsynced	the oldest is written back, as systems do
 *
 * At a power loss each unsynced change survives, or not, by itself: later
 * ones may be there without earlier ones, in one file and between files. A
 * write may be torn: see disk_crash.c.
 *
 * A disk is used by one thread at a time, and two disks share nothing.
 */
#ifndef QRT_BACKENDS_LAB_DISK_H
#define QRT_BACKENDS_LAB_DISK_H

#include <qrt/err.h>

enum {
	QRT__DISK_PATH_MAX = 255,      /* bytes of a normalised path */
	QRT__DISK_SECTOR = 512,	       /* what a torn write is cut into */
	QRT__DISK_HANDLES_MAX = 1024,  /* open at once; then EMFILE */
	QRT__DISK_LOCK_SLOTS = 8,      /* of a shared memory */
	QRT__DISK_SHM_REGIONS_MAX = 64 /* of a shared memory; then ELIMIT */
};

#define QRT__DISK_OPS(X)                                                                           \
	X(QRT__DISK_OPEN, "open")                                                                  \
	X(QRT__DISK_READ, "read")                                                                  \
	X(QRT__DISK_WRITE, "write")                                                                \
	X(QRT__DISK_TRUNCATE, "truncate")                                                          \
	X(QRT__DISK_SYNC, "sync")                                                                  \
	X(QRT__DISK_DELETE, "delete")                                                              \
	X(QRT__DISK_LOCK, "lock")                                                                  \
	X(QRT__DISK_SHM_MAP, "shm-map")                                                            \
	X(QRT__DISK_SIZE, "size")                                                                  \
	X(QRT__DISK_ACCESS, "access")

enum qrt__disk_op {
#define QRT__DISK_OP_ENUM(name, text) name,
	QRT__DISK_OPS(QRT__DISK_OP_ENUM)
#undef QRT__DISK_OP_ENUM
	    QRT__DISK_OP_COUNT
};

/* "open"; "?" for a value that is none. */
const char *qrt__disk_op_name(enum qrt__disk_op op);

/* Each may be NULL: no fault, nothing lost, no time, zeros, 1970. */
struct qrt__disk_hooks {
	void *arg;
	/* A choice below @n; 0 is the dullest: no fault, nothing lost. */
	uint64_t (*choose)(void *arg, uint64_t n);
	/*
	 * Asked once before each operation: QRT_OK, or how it fails: EIO, ELIMIT (the disk is
	 * full), ENOMEM, EACCES, EMFILE, EBUSY (lock). @file: "" for one without a name. May
	 * clone or crash the disk; after a crash the operation fails. May not do more with it.
	 */
	enum qrt_err (*op)(void *arg, enum qrt__disk_op op, const char *file);
	/* An operation took so long, or somebody sleeps. Must not really wait. */
	void (*spend)(void *arg, int64_t ns);
	void (*random)(void *arg, void *buf, size_t n);
	int64_t (*wall_ms)(void *arg); /* since 1970 */
};

/* 0 takes the default. */
struct qrt__disk_options {
	struct qrt__disk_hooks hooks;
	size_t size_max;      /* bytes of all files; 64 MiB */
	size_t unsynced_max;  /* bytes, before the oldest is written back; 16 MiB */
	unsigned files_max;   /* 256 */
	unsigned sector;      /* what the device says; 4096; a power of two from 512 to 65536 */
	bool powersafe;	      /* a torn write damages no byte beside it in its sector */
	int64_t op_ns;	      /* each operation */
	int64_t sync_ns;      /* a sync, beside op_ns */
	int64_t slow_sync_ns; /* one in eight, when choose says so, instead of sync_ns */
};

struct qrt__disk_stats {
	uint64_t ops[QRT__DISK_OP_COUNT], ops_all;
	uint64_t faults;  /* operations that the hook made fail */
	uint64_t crashes; /* of this disk itself */
	size_t bytes, unsynced;
	unsigned files, handles;
};

struct qrt__disk;
struct qrt__disk_file;

/* Errors: EINVAL for a sector size that is none or a size nothing has, ENOMEM. */
QRT_MUST_USE enum qrt_err qrt__disk_create(const struct qrt__disk_options *opts,
					   struct qrt__disk **ret_disk);
/* Every handle has been closed. */
void qrt__disk_destroy(struct qrt__disk **disk);

const struct qrt__disk_options *qrt__disk_options(const struct qrt__disk *disk);
void qrt__disk_set_hooks(struct qrt__disk *disk, const struct qrt__disk_hooks *hooks);
/* From now on, at most SIZE_MAX / 4; what is more already stays. */
void qrt__disk_set_size_max(struct qrt__disk *disk, size_t bytes);
struct qrt__disk_stats qrt__disk_stats(const struct qrt__disk *disk);

/*
 * Power loss and back on again. Handles are dead after it: whatever is asked
 * of them fails with EIO, and they can be closed. ENOMEM: nothing has happened.
 */
QRT_MUST_USE enum qrt_err qrt__disk_crash(struct qrt__disk *disk);
/* What would be there after a power loss now, as a disk of its own with the same options. */
QRT_MUST_USE enum qrt_err qrt__disk_clone_crashed(const struct qrt__disk *disk,
						  struct qrt__disk **ret_disk);

/* --- for tests: not operations, no hook is asked ------------------------------------------- */

/* In the order of creation; NULL after the last. */
const char *qrt__disk_list(const struct qrt__disk *disk, size_t index);
/* The content, until the next operation; NULL when there is no such file. */
const void *qrt__disk_get(const struct qrt__disk *disk, const char *path, size_t *ret_n);
/* Replaces the content, or makes the file; synced at once. Errors: EINVAL, ELIMIT, ENOMEM. */
QRT_MUST_USE enum qrt_err qrt__disk_put(struct qrt__disk *disk, const char *path, const void *data,
					size_t n);

/* --- files --------------------------------------------------------------------------------- */

/*
 * Writes the one name of @path: without ".", ".." and doubled slashes. There
 * are no folders to make: a name may have slashes. EINVAL: empty or too long.
 */
QRT_MUST_USE enum qrt_err qrt__disk_path(const char *path, char ret_path[QRT__DISK_PATH_MAX + 1]);

enum {
	QRT__DISK_READ_ONLY = 1,
	QRT__DISK_CREATE = 2,
	QRT__DISK_EXCLUSIVE = 4, /* with CREATE: EEXIST when it is there */
	QRT__DISK_DELETE_ON_CLOSE = 8,
	QRT__DISK_SYNC_DIR = 16
};

/* @path NULL: a file without a name, gone with its handle. Also ENOENT, EEXIST, EMFILE, ELIMIT. */
QRT_MUST_USE enum qrt_err qrt__disk_open(struct qrt__disk *disk, const char *path, unsigned flags,
					 struct qrt__disk_file **ret_file);
/* Also of a dead one. Gives up its locks and its shared memory. NULL-safe. */
void qrt__disk_close(struct qrt__disk_file **file);
/* Fills @buf; what is past the end is zeros and not counted in @ret_n. */
QRT_MUST_USE enum qrt_err qrt__disk_read(struct qrt__disk_file *file, void *buf, size_t n,
					 int64_t offset, size_t *ret_n);
/* ELIMIT: the disk is full. No part has been written, except by an EIO of the hook. */
QRT_MUST_USE enum qrt_err qrt__disk_write(struct qrt__disk_file *file, const void *data, size_t n,
					  int64_t offset);
QRT_MUST_USE enum qrt_err qrt__disk_truncate(struct qrt__disk_file *file, int64_t size);
QRT_MUST_USE enum qrt_err qrt__disk_sync(struct qrt__disk_file *file);
QRT_MUST_USE enum qrt_err qrt__disk_size(struct qrt__disk_file *file, int64_t *ret_size);
/* ENOENT. Handles that are open keep the file without its name. */
QRT_MUST_USE enum qrt_err qrt__disk_delete(struct qrt__disk *disk, const char *path, bool sync_dir);
/*
 * The name of @file is @to from now on, lasting; who had that before keeps the content without it.
 * A power loss meanwhile leaves the old name, the new one, or both. EEXIST: not @replace. Counts as
 * a sync.
 */
QRT_MUST_USE enum qrt_err qrt__disk_rename(struct qrt__disk_file *file, const char *to,
					   bool replace);
/* @ret_n: its bytes; -1 when there is none. */
QRT_MUST_USE enum qrt_err qrt__disk_access(struct qrt__disk *disk, const char *path,
					   int64_t *ret_n);

/* --- locks --------------------------------------------------------------------------------- */

/*
 * Any number may hold SHARED; beside them one RESERVED, who will write. With
 * PENDING nobody new may take SHARED; EXCLUSIVE is alone. SHARED comes first.
 */
enum qrt__disk_lock {
	QRT__DISK_UNLOCKED,
	QRT__DISK_SHARED,
	QRT__DISK_RESERVED,
	QRT__DISK_PENDING,
	QRT__DISK_EXCLUSIVE_LOCK
};

/* Upwards; nothing when it has that much. EBUSY; an attempt at EXCLUSIVE may leave PENDING. */
QRT_MUST_USE enum qrt_err qrt__disk_lock(struct qrt__disk_file *file, enum qrt__disk_lock want);
/* Down to SHARED or UNLOCKED. No operation: only a dead handle fails. */
QRT_MUST_USE enum qrt_err qrt__disk_unlock(struct qrt__disk_file *file, enum qrt__disk_lock to);
/* Whether any handle has RESERVED or more. */
QRT_MUST_USE enum qrt_err qrt__disk_reserved(struct qrt__disk_file *file, bool *ret_reserved);

/*
 * Memory shared by the handles of one file, in regions of one size, zeros at
 * first; it goes with the last handle that lets go of it, and at a crash. A
 * region that does not exist and is not to be made gives NULL.
 */
QRT_MUST_USE enum qrt_err qrt__disk_shm_map(struct qrt__disk_file *file, unsigned region,
					    size_t size, bool extend, void **ret_at);
/* Slots @first..@first+@n-1, all or none; EBUSY. Never from shared to exclusive or back. */
QRT_MUST_USE enum qrt_err qrt__disk_shm_lock(struct qrt__disk_file *file, unsigned first,
					     unsigned n, bool exclusive);
QRT_MUST_USE enum qrt_err qrt__disk_shm_unlock(struct qrt__disk_file *file, unsigned first,
					       unsigned n, bool exclusive);
void qrt__disk_shm_unmap(struct qrt__disk_file *file);

/* --- SQLite: disk_vfs.c -------------------------------------------------------------------- */

struct qrt__disk_vfs;

/* Under a name that no other living one has; never the default. @disk outlives it. ENOMEM. */
QRT_MUST_USE enum qrt_err qrt__disk_vfs_create(struct qrt__disk *disk,
					       struct qrt__disk_vfs **ret_vfs);
/* Every database on it has been closed. NULL-safe. */
void qrt__disk_vfs_destroy(struct qrt__disk_vfs **vfs);
/*
 * For sqlite3_open_v2. Differs from run to run: never trace it, and give it
 * to nothing whose order or size may depend on it.
 */
const char *qrt__disk_vfs_name(const struct qrt__disk_vfs *vfs);
/*
 * SQLite has one generator of random numbers for the whole process (the salts
 * of its logs, random()). Starts it anew from this disk's hook: before a run
 * that is to be repeated. No other thread may use SQLite meanwhile.
 */
void qrt__disk_vfs_seed(struct qrt__disk_vfs *vfs);

#endif
