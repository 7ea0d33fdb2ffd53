/*
 * SQLite over a simulated disk: a sqlite3_vfs whose every call is one of the
 * disk's, with the disk's hooks for randomness, time and sleep. The one file
 * of the lab that includes sqlite3.h. Must never reach the system's files nor
 * wait, and keeps nothing but what it registers with SQLite.
 *
 * Pages are not mapped into memory: version 2 of the file methods.
 */
#include "backends/lab/disk.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "backends/backend.h"

/* SQLite counts the milliseconds from noon of the first day of the Julian period. */
#define JULIAN_MS_OF_1970 INT64_C(210866760000000)

_Static_assert(QRT__DISK_LOCK_SLOTS == SQLITE_SHM_NLOCK, "as many slots as SQLite uses");
_Static_assert((int)QRT__DISK_SHARED == SQLITE_LOCK_SHARED, "the locks are SQLite's");
_Static_assert((int)QRT__DISK_RESERVED == SQLITE_LOCK_RESERVED, "the locks are SQLite's");
_Static_assert((int)QRT__DISK_PENDING == SQLITE_LOCK_PENDING, "the locks are SQLite's");
_Static_assert((int)QRT__DISK_EXCLUSIVE_LOCK == SQLITE_LOCK_EXCLUSIVE, "the locks are SQLite's");

struct qrt__disk_vfs {
	sqlite3_vfs vfs;
	struct qrt__disk *disk;
	int last_errno; /* sqlite3_system_errno */
	char name[32];
};

/* What SQLite allocates for a file. */
struct vfs_file {
	sqlite3_file base;
	struct qrt__disk_file *file;
	struct qrt__disk_vfs *vfs;
};

static struct qrt__disk_vfs *vfs_of(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static struct vfs_file *file_of(sqlite3_file *file)
{
	return (struct vfs_file *)(void *)file;
}

/* The one conversion to SQLite's codes. @code: what an EIO is called in this operation. */
static int sqlite_code(struct qrt__disk_vfs *self, enum qrt_err err, int code)
{
	switch (err) {
	case QRT_OK:
		return SQLITE_OK;
	case QRT_EBUSY:
		return SQLITE_BUSY;
	case QRT_ENOMEM:
		self->last_errno = ENOMEM;
		return code == SQLITE_CANTOPEN ? SQLITE_NOMEM : SQLITE_IOERR_NOMEM;
	case QRT_ELIMIT:
		self->last_errno = ENOSPC;
		return code == SQLITE_CANTOPEN ? code : SQLITE_FULL;
	case QRT_ENOENT:
		self->last_errno = ENOENT;
		return code == SQLITE_IOERR_DELETE ? SQLITE_IOERR_DELETE_NOENT : code;
	case QRT_EACCES:
		self->last_errno = EACCES;
		return code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_TRUNCATE ? SQLITE_READONLY
										   : code;
	case QRT_EEXIST:
		self->last_errno = EEXIST;
		return code;
	case QRT_EMFILE:
		self->last_errno = EMFILE;
		return code;
	case QRT_EINVAL:
		self->last_errno = EINVAL;
		return code;
	default:
		self->last_errno = EIO;
		return code;
	}
}

static int file_code(const struct vfs_file *self, enum qrt_err err, int code)
{
	return sqlite_code(self->vfs, err, code);
}

/* --- files --------------------------------------------------------------------------------- */

static int file_close(sqlite3_file *file)
{
	qrt__disk_close(&file_of(file)->file);
	return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *buf, int n, sqlite3_int64 offset)
{
	const struct vfs_file *self = file_of(file);
	size_t there = 0;
	enum qrt_err err = qrt__disk_read(self->file, buf, (size_t)n, offset, &there);
	if (err) {
		return file_code(self, err, SQLITE_IOERR_READ);
	}
	return there < (size_t)n ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *data, int n, sqlite3_int64 offset)
{
	const struct vfs_file *self = file_of(file);
	return file_code(self, qrt__disk_write(self->file, data, (size_t)n, offset),
			 SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	const struct vfs_file *self = file_of(file);
	return file_code(self, qrt__disk_truncate(self->file, size), SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *file, int flags)
{
	const struct vfs_file *self = file_of(file);
	(void)flags; /* of the data only or not: a file's size is always part of it */
	return file_code(self, qrt__disk_sync(self->file), SQLITE_IOERR_FSYNC);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
	const struct vfs_file *self = file_of(file);
	int64_t size = 0;
	enum qrt_err err = qrt__disk_size(self->file, &size);
	if (!err) {
		*ret_size = size;
	}
	return file_code(self, err, SQLITE_IOERR_FSTAT);
}

static int file_lock(sqlite3_file *file, int want)
{
	const struct vfs_file *self = file_of(file);
	return file_code(self, qrt__disk_lock(self->file, (enum qrt__disk_lock)want),
			 SQLITE_IOERR_LOCK);
}

static int file_unlock(sqlite3_file *file, int to)
{
	const struct vfs_file *self = file_of(file);
	return file_code(self, qrt__disk_unlock(self->file, (enum qrt__disk_lock)to),
			 SQLITE_IOERR_UNLOCK);
}

static int file_reserved(sqlite3_file *file, int *ret_reserved)
{
	const struct vfs_file *self = file_of(file);
	bool reserved = false;
	enum qrt_err err = qrt__disk_reserved(self->file, &reserved);
	*ret_reserved = reserved ? 1 : 0;
	return file_code(self, err, SQLITE_IOERR_CHECKRESERVEDLOCK);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
	if (op != QRT__DISK_RENAME) {
		return SQLITE_NOTFOUND;
	}
	struct qrt__disk_rename *rename = arg;
	rename->err = qrt__disk_rename(file_of(file)->file, rename->to, rename->replace);
	return SQLITE_OK;
}

static int file_sector(sqlite3_file *file)
{
	return (int)qrt__disk_options(file_of(file)->vfs->disk)->sector;
}

/* Promises nothing it does not have to: SQLite's shortcuts are for devices that do more. */
static int file_device(sqlite3_file *file)
{
	return qrt__disk_options(file_of(file)->vfs->disk)->powersafe
		   ? SQLITE_IOCAP_POWERSAFE_OVERWRITE
		   : 0;
}

static int file_shm_map(sqlite3_file *file, int region, int size, int extend,
			void volatile **ret_at)
{
	const struct vfs_file *self = file_of(file);
	void *at = NULL;
	enum qrt_err err =
	    qrt__disk_shm_map(self->file, (unsigned)region, (size_t)size, extend != 0, &at);
	*ret_at = at;
	return file_code(self, err, SQLITE_IOERR_SHMMAP);
}

static int file_shm_lock(sqlite3_file *file, int first, int n, int flags)
{
	const struct vfs_file *self = file_of(file);
	bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
	enum qrt_err err =
	    flags & SQLITE_SHM_UNLOCK
		? qrt__disk_shm_unlock(self->file, (unsigned)first, (unsigned)n, exclusive)
		: qrt__disk_shm_lock(self->file, (unsigned)first, (unsigned)n, exclusive);
	return file_code(self, err, SQLITE_IOERR_SHMLOCK);
}

static void file_shm_barrier(sqlite3_file *file)
{
	(void)file;
	atomic_thread_fence(memory_order_seq_cst);
}

/* Whether it is to be deleted does not matter: it goes with the last that has it. */
static int file_shm_unmap(sqlite3_file *file, int delete_it)
{
	(void)delete_it;
	qrt__disk_shm_unmap(file_of(file)->file);
	return SQLITE_OK;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_device,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

/* --- names --------------------------------------------------------------------------------- */

static unsigned open_flags(int flags)
{
	static const struct {
		int sqlite;
		unsigned disk;
	} table[] = {
	    {SQLITE_OPEN_READONLY, QRT__DISK_READ_ONLY},
	    {SQLITE_OPEN_CREATE, QRT__DISK_CREATE},
	    {SQLITE_OPEN_EXCLUSIVE, QRT__DISK_EXCLUSIVE},
	    {SQLITE_OPEN_DELETEONCLOSE, QRT__DISK_DELETE_ON_CLOSE},
	};
	unsigned found = 0;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		found |= flags & table[i].sqlite ? table[i].disk : 0;
	}
	/* What holds a commit must be there under its name once it is synced. */
	if (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL) &&
	    flags & SQLITE_OPEN_CREATE) {
		found |= QRT__DISK_SYNC_DIR;
	}
	return found;
}

static int vfs_open(sqlite3_vfs *vfs, sqlite3_filename path, sqlite3_file *file, int flags,
		    int *ret_flags)
{
	struct qrt__disk_vfs *self = vfs_of(vfs);
	struct vfs_file *opened = file_of(file);
	*opened = (struct vfs_file){.vfs = self}; /* without methods: not to be closed */
	enum qrt_err err = qrt__disk_open(self->disk, path, open_flags(flags), &opened->file);
	if (err) {
		return sqlite_code(self, err, SQLITE_CANTOPEN);
	}
	opened->base.pMethods = &file_methods;
	if (ret_flags) {
		*ret_flags = flags;
	}
	return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_dir)
{
	struct qrt__disk_vfs *self = vfs_of(vfs);
	return sqlite_code(self, qrt__disk_delete(self->disk, path, sync_dir != 0),
			   SQLITE_IOERR_DELETE);
}

/*
 * A file without content counts as none, as with SQLite's own for Unix: so
 * an empty log does not make SQLite take a database for one with a log.
 */
static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *ret_yes)
{
	struct qrt__disk_vfs *self = vfs_of(vfs);
	int64_t n = -1;
	enum qrt_err err = qrt__disk_access(self->disk, path, &n);
	*ret_yes = flags == SQLITE_ACCESS_EXISTS ? n > 0 : n >= 0;
	return sqlite_code(self, err, SQLITE_IOERR_ACCESS);
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int n, char *ret_path)
{
	char plain[QRT__DISK_PATH_MAX + 1];
	enum qrt_err err = qrt__disk_path(path, plain);
	size_t length = err ? 0 : strlen(plain);
	if (err || length >= (size_t)n) {
		return sqlite_code(vfs_of(vfs), QRT_EINVAL, SQLITE_CANTOPEN);
	}
	memcpy(ret_path, plain, length + 1);
	return SQLITE_OK;
}

/* --- no extensions from shared objects ------------------------------------------------------ */

static void *vfs_dl_open(sqlite3_vfs *vfs, const char *path)
{
	(void)vfs, (void)path;
	return NULL;
}

static void vfs_dl_error(sqlite3_vfs *vfs, int n, char *ret_text)
{
	(void)vfs;
	snprintf(ret_text, (size_t)n, "no extensions in the lab");
}

static void (*vfs_dl_sym(sqlite3_vfs *vfs, void *handle, const char *symbol))(void)
{
	(void)vfs, (void)handle, (void)symbol;
	return NULL;
}

static void vfs_dl_close(sqlite3_vfs *vfs, void *handle)
{
	(void)vfs, (void)handle;
}

/* --- randomness and time -------------------------------------------------------------------- */

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *ret_bytes)
{
	const struct qrt__disk_hooks *hooks = &qrt__disk_options(vfs_of(vfs)->disk)->hooks;
	memset(ret_bytes, 0, (size_t)n);
	if (hooks->random) {
		hooks->random(hooks->arg, ret_bytes, (size_t)n);
	}
	return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
	const struct qrt__disk_hooks *hooks = &qrt__disk_options(vfs_of(vfs)->disk)->hooks;
	if (hooks->spend && us > 0) {
		hooks->spend(hooks->arg, (int64_t)us * 1000);
	}
	return us;
}

static int vfs_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *ret_ms)
{
	const struct qrt__disk_hooks *hooks = &qrt__disk_options(vfs_of(vfs)->disk)->hooks;
	*ret_ms = JULIAN_MS_OF_1970 + (hooks->wall_ms ? hooks->wall_ms(hooks->arg) : 0);
	return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *ret_days)
{
	sqlite3_int64 ms = 0;
	int code = vfs_time_ms(vfs, &ms);
	*ret_days = (double)ms / 86400000.0;
	return code;
}

static int vfs_last_error(sqlite3_vfs *vfs, int n, char *ret_text)
{
	if (n > 0 && ret_text) {
		ret_text[0] = '\0';
	}
	return vfs_of(vfs)->last_errno;
}

/* --- register ------------------------------------------------------------------------------- */

enum qrt_err qrt__disk_vfs_create(struct qrt__disk *disk, struct qrt__disk_vfs **ret_vfs)
{
	struct qrt__disk_vfs *self = calloc(1, sizeof(*self));
	if (!self) {
		return QRT_ENOMEM;
	}
	/* No two that live have one address; a counter would have to be shared by all. */
	snprintf(self->name, sizeof(self->name), "qrt-disk-%p", (void *)self);
	self->disk = disk;
	self->vfs = (sqlite3_vfs){
	    .iVersion = 2,
	    .szOsFile = sizeof(struct vfs_file),
	    .mxPathname = QRT__DISK_PATH_MAX,
	    .zName = self->name,
	    .pAppData = self,
	    .xOpen = vfs_open,
	    .xDelete = vfs_delete,
	    .xAccess = vfs_access,
	    .xFullPathname = vfs_full_path,
	    .xDlOpen = vfs_dl_open,
	    .xDlError = vfs_dl_error,
	    .xDlSym = vfs_dl_sym,
	    .xDlClose = vfs_dl_close,
	    .xRandomness = vfs_randomness,
	    .xSleep = vfs_sleep,
	    .xCurrentTime = vfs_time,
	    .xGetLastError = vfs_last_error,
	    .xCurrentTimeInt64 = vfs_time_ms,
	};
	if (sqlite3_vfs_register(&self->vfs, 0) != SQLITE_OK) {
		free(self);
		return QRT_ENOMEM;
	}
	*ret_vfs = self;
	return QRT_OK;
}

void qrt__disk_vfs_destroy(struct qrt__disk_vfs **vfs)
{
	if (!*vfs) {
		return;
	}
	sqlite3_vfs_unregister(&(*vfs)->vfs);
	free(*vfs);
	*vfs = NULL;
}

const char *qrt__disk_vfs_name(const struct qrt__disk_vfs *vfs)
{
	return vfs->name;
}

/* The generator takes its seed from the default, the first time it is asked after a reset. */
void qrt__disk_vfs_seed(struct qrt__disk_vfs *vfs)
{
	sqlite3_vfs *usual = sqlite3_vfs_find(NULL);
	unsigned char byte = 0;
	sqlite3_vfs_register(&vfs->vfs, 1);
	sqlite3_randomness(0, NULL);
	sqlite3_randomness(1, &byte);
	if (usual) { /* the default again */
		sqlite3_vfs_register(usual, 1);
	}
}
