/*
 * Operations on the files of the simulated disk, and what tests may do beside
 * them. Each operation asks the hook first and then happens whole or not at
 * all; only a write that the hook makes fail may leave a part behind.
 */
#include "backends/lab/disk_state.h"

#include <stdlib.h>
#include <string.h>

enum { SLOW_SYNC_ONE_IN = 8 };

/* --- paths --------------------------------------------------------------------------------- */

/* Takes the last part off the @n bytes at @path; returns what is left. */
static size_t drop_last(const char *path, size_t n)
{
	while (n > 0 && path[n - 1] != '/') {
		n--;
	}
	return n > 1 ? n - 1 : n;
}

static bool is_dots(const char *part, size_t n, const char *dots)
{
	return n == strlen(dots) && memcmp(part, dots, n) == 0;
}

enum qrt_err qrt__disk_path(const char *path, char ret_path[QRT__DISK_PATH_MAX + 1])
{
	char plain[QRT__DISK_PATH_MAX + 1];
	size_t n = 0;
	if (path[0] == '/') {
		plain[n++] = '/';
	}
	for (const char *at = path + strspn(path, "/"); *at != '\0'; at += strspn(at, "/")) {
		size_t part = strcspn(at, "/");
		if (is_dots(at, part, "..")) {
			n = drop_last(plain, n);
		} else if (!is_dots(at, part, ".")) {
			bool slash = n > 0 && plain[n - 1] != '/';
			if (n + slash + part > QRT__DISK_PATH_MAX) {
				return QRT_EINVAL;
			}
			if (slash) {
				plain[n++] = '/';
			}
			memcpy(plain + n, at, part);
			n += part;
		}
		at += part;
	}
	if (n == 0 || plain[n - 1] == '/') {
		return QRT_EINVAL;
	}
	memcpy(ret_path, plain, n);
	ret_path[n] = '\0';
	return QRT_OK;
}

/* --- open and close ------------------------------------------------------------------------ */

static struct qrt__disk_name *find_live(const struct qrt__disk *disk, const char *path)
{
	struct qrt__disk_name *name = qrt__disk_name_find(disk, path);
	return name && name->live ? name : NULL;
}

/* A new file under @path; it is unsynced. */
static enum qrt_err make(struct qrt__disk *disk, const char *path, struct qrt__disk_node **ret_node)
{
	if (disk->stats.files >= disk->opts.files_max) {
		return QRT_ELIMIT;
	}
	struct qrt__disk_change *change = qrt__disk_change_new(NULL, 0);
	struct qrt__disk_name *name = change ? qrt__disk_name_make(disk, path) : NULL;
	struct qrt__disk_node *node = name ? qrt__disk_node_new(disk) : NULL;
	if (!node) {
		free(change);
		if (name) {
			qrt__disk_name_settle(name);
		}
		return QRT_ENOMEM;
	}
	qrt__disk_name_see(disk, name, node);
	change->kind = QRT__DISK_LINKED;
	change->node = node;
	change->name = name;
	qrt__disk_unsynced(disk, change);
	*ret_node = node;
	return QRT_OK;
}

/* The content to open, with a reference of the caller's. */
static enum qrt_err find_node(struct qrt__disk *disk, const char *path, unsigned flags,
			      struct qrt__disk_node **ret_node)
{
	if (path[0] == '\0') {
		struct qrt__disk_node *node = qrt__disk_node_new(disk);
		if (!node) {
			return QRT_ENOMEM;
		}
		node->anonymous = true;
		*ret_node = node;
		return QRT_OK;
	}
	const struct qrt__disk_name *name = find_live(disk, path);
	if (!name) {
		return flags & QRT__DISK_CREATE ? make(disk, path, ret_node) : QRT_ENOENT;
	}
	if (flags & QRT__DISK_EXCLUSIVE) {
		return QRT_EEXIST;
	}
	name->live->refs++;
	*ret_node = name->live;
	return QRT_OK;
}

enum qrt_err qrt__disk_open(struct qrt__disk *disk, const char *path, unsigned flags,
			    struct qrt__disk_file **ret_file)
{
	struct qrt__disk_file *file = calloc(1, sizeof(*file));
	if (!file) {
		return QRT_ENOMEM;
	}
	enum qrt_err err = path ? qrt__disk_path(path, file->path) : QRT_OK;
	if (!err) {
		err = qrt__disk_ask(disk, QRT__DISK_OPEN, file->path);
	}
	if (!err && disk->stats.handles >= QRT__DISK_HANDLES_MAX) {
		err = QRT_EMFILE;
	}
	if (!err) {
		err = find_node(disk, file->path, flags, &file->node);
	}
	if (err) {
		free(file);
		return err;
	}
	file->disk = disk;
	file->flags = flags;
	file->node->seen++;
	qrt__list_append(&disk->handles, &file->in_disk);
	qrt__list_append(&file->node->files, &file->in_node);
	disk->stats.handles++;
	*ret_file = file;
	return QRT_OK;
}

/* Takes the name away from what it names. The change is unsynced. */
static enum qrt_err unlink_name(struct qrt__disk *disk, const char *path)
{
	struct qrt__disk_name *name = find_live(disk, path);
	if (!name) {
		return QRT_ENOENT;
	}
	struct qrt__disk_change *change = qrt__disk_change_new(NULL, 0);
	if (!change) {
		return QRT_ENOMEM;
	}
	change->kind = QRT__DISK_UNLINKED;
	change->name = name;
	qrt__disk_name_see(disk, name, NULL);
	qrt__disk_unsynced(disk, change);
	return QRT_OK;
}

void qrt__disk_close(struct qrt__disk_file **file)
{
	struct qrt__disk_file *self = *file;
	if (!self) {
		return;
	}
	struct qrt__disk *disk = self->disk;
	qrt__disk_locks_fini(self);
	if (self->node) {
		const struct qrt__disk_name *name = find_live(disk, self->path);
		if (self->flags & QRT__DISK_DELETE_ON_CLOSE && name && name->live == self->node) {
			QRT_IGNORE(unlink_name(disk, self->path), "a close does what it can");
		}
		qrt__list_remove(&self->in_node);
		qrt__disk_node_unsee(disk, self->node);
	}
	qrt__list_remove(&self->in_disk);
	disk->stats.handles--;
	free(self);
	*file = NULL;
}

/* --- read and write ------------------------------------------------------------------------ */

enum qrt_err qrt__disk_read(struct qrt__disk_file *file, void *buf, size_t n, int64_t offset,
			    size_t *ret_n)
{
	enum qrt_err err = qrt__disk_ask_file(file, QRT__DISK_READ);
	if (err || offset < 0) {
		return err ? err : QRT_EINVAL;
	}
	const struct qrt__disk_blob *live = &file->node->live;
	size_t there = (uint64_t)offset < live->n ? live->n - (size_t)offset : 0;
	there = there < n ? there : n;
	if (there > 0) {
		memcpy(buf, live->bytes + offset, there);
	}
	if (n > there) {
		memset((char *)buf + there, 0, n - there);
	}
	*ret_n = there;
	return QRT_OK;
}

/* Room for @size bytes, seen and synced, within the disk's limit. */
static enum qrt_err make_room(struct qrt__disk *disk, struct qrt__disk_node *node, size_t size)
{
	size_t more = size > node->live.n ? size - node->live.n : 0;
	if (more > disk->opts.size_max ||
	    (more > 0 && disk->stats.bytes > disk->opts.size_max - more)) {
		return QRT_ELIMIT;
	}
	return qrt__disk_blob_reserve(&node->live, size) &&
		       (node->anonymous || qrt__disk_blob_reserve(&node->synced, size))
		   ? QRT_OK
		   : QRT_ENOMEM;
}

/* Makes @change of @node seen and unsynced; @size is the file's then. There is room. */
static void apply(struct qrt__disk *disk, struct qrt__disk_node *node,
		  struct qrt__disk_change *change)
{
	disk->stats.bytes -= node->live.n;
	if (change->kind == QRT__DISK_CUT) {
		qrt__disk_blob_resize(&node->live, change->offset);
	} else {
		qrt__disk_blob_put(&node->live, change->offset, change->bytes, change->n);
	}
	disk->stats.bytes += node->live.n;
	if (node->anonymous) {
		free(change);
		return;
	}
	change->node = node;
	qrt__disk_unsynced(disk, change);
}

static enum qrt_err write_all(struct qrt__disk *disk, struct qrt__disk_node *node, const void *data,
			      size_t n, size_t offset)
{
	enum qrt_err err = n <= SIZE_MAX - offset ? make_room(disk, node, offset + n) : QRT_ELIMIT;
	struct qrt__disk_change *change = err ? NULL : qrt__disk_change_new(data, n);
	if (!change) {
		return err ? err : QRT_ENOMEM;
	}
	change->kind = QRT__DISK_WROTE;
	change->offset = offset;
	apply(disk, node, change);
	return QRT_OK;
}

/* How much of a write of @n bytes a broken device may have done. */
static size_t part_done(const struct qrt__disk *disk, size_t n, size_t offset)
{
	size_t sectors = (offset + n - 1) / QRT__DISK_SECTOR - offset / QRT__DISK_SECTOR + 1;
	size_t done = (size_t)qrt__disk_choose(disk, sectors + 1);
	size_t end = (offset / QRT__DISK_SECTOR + done) * QRT__DISK_SECTOR;
	return done == 0 ? 0 : end - offset < n ? end - offset : n;
}

enum qrt_err qrt__disk_write(struct qrt__disk_file *file, const void *data, size_t n,
			     int64_t offset)
{
	enum qrt_err err = qrt__disk_ask_file(file, QRT__DISK_WRITE);
	if (!err && file->flags & QRT__DISK_READ_ONLY) {
		return QRT_EACCES;
	}
	if (n == 0 || offset < 0) {
		return err ? err : offset < 0 ? QRT_EINVAL : QRT_OK;
	}
	struct qrt__disk *disk = file->disk;
	if (!err) {
		return write_all(disk, file->node, data, n, (size_t)offset);
	}
	size_t part = err == QRT_EIO && file->node ? part_done(disk, n, (size_t)offset) : 0;
	if (part > 0) {
		QRT_IGNORE(write_all(disk, file->node, data, part, (size_t)offset),
			   "it has failed already");
	}
	return err;
}

enum qrt_err qrt__disk_truncate(struct qrt__disk_file *file, int64_t size)
{
	enum qrt_err err = qrt__disk_ask_file(file, QRT__DISK_TRUNCATE);
	if (!err && file->flags & QRT__DISK_READ_ONLY) {
		err = QRT_EACCES;
	}
	if (!err) {
		err = size < 0 ? QRT_EINVAL : make_room(file->disk, file->node, (size_t)size);
	}
	struct qrt__disk_change *change = err ? NULL : qrt__disk_change_new(NULL, 0);
	if (!change) {
		return err ? err : QRT_ENOMEM;
	}
	change->kind = QRT__DISK_CUT;
	change->offset = (size_t)size;
	apply(file->disk, file->node, change);
	return QRT_OK;
}

/* --- the rest ------------------------------------------------------------------------------ */

enum qrt_err qrt__disk_sync(struct qrt__disk_file *file)
{
	enum qrt_err err = qrt__disk_ask_file(file, QRT__DISK_SYNC);
	if (err) {
		return err;
	}
	struct qrt__disk *disk = file->disk;
	const struct qrt__disk_options *opts = &disk->opts;
	bool slow = opts->slow_sync_ns > 0 &&
		    qrt__disk_choose(disk, SLOW_SYNC_ONE_IN) == SLOW_SYNC_ONE_IN - 1;
	qrt__disk_spend(disk, slow ? opts->slow_sync_ns : opts->sync_ns);
	qrt__disk_sync_node(disk, file->node);
	if (file->flags & QRT__DISK_SYNC_DIR) {
		file->flags &= ~(unsigned)QRT__DISK_SYNC_DIR;
		qrt__disk_sync_dir(disk, file->path);
	}
	return QRT_OK;
}

enum qrt_err qrt__disk_size(struct qrt__disk_file *file, int64_t *ret_size)
{
	enum qrt_err err = qrt__disk_ask_file(file, QRT__DISK_SIZE);
	if (!err) {
		*ret_size = (int64_t)file->node->live.n;
	}
	return err;
}

enum qrt_err qrt__disk_delete(struct qrt__disk *disk, const char *path, bool sync_dir)
{
	char plain[QRT__DISK_PATH_MAX + 1];
	enum qrt_err err = qrt__disk_path(path, plain);
	if (!err) {
		err = qrt__disk_ask(disk, QRT__DISK_DELETE, plain);
	}
	if (!err) {
		err = unlink_name(disk, plain);
	}
	if (!err && sync_dir) {
		qrt__disk_sync_dir(disk, plain);
	}
	return err;
}

enum qrt_err qrt__disk_rename(struct qrt__disk_file *file, const char *to, bool replace)
{
	char plain[QRT__DISK_PATH_MAX + 1];
	struct qrt__disk *disk = file->disk;
	enum qrt_err err = qrt__disk_path(to, plain);
	if (!err) {
		err = qrt__disk_ask_file(file, QRT__DISK_SYNC);
	}
	if (!err && !replace && find_live(disk, plain)) {
		err = QRT_EEXIST;
	}
	struct qrt__disk_change *change = err ? NULL : qrt__disk_change_new(NULL, 0);
	struct qrt__disk_name *name = change ? qrt__disk_name_make(disk, plain) : NULL;
	if (!err) {
		err = name ? unlink_name(disk, file->path) : QRT_ENOMEM;
	}
	if (err) {
		free(change);
		if (name) {
			qrt__disk_name_settle(name);
		}
		return err;
	}
	qrt__disk_name_see(disk, name, file->node);
	change->kind = QRT__DISK_LINKED;
	change->node = file->node;
	change->name = name;
	qrt__disk_unsynced(disk, change);
	memcpy(file->path, plain, sizeof(plain));
	qrt__disk_sync_node(disk, file->node);
	qrt__disk_sync_dir(disk, plain);
	return QRT_OK;
}

enum qrt_err qrt__disk_access(struct qrt__disk *disk, const char *path, int64_t *ret_n)
{
	char plain[QRT__DISK_PATH_MAX + 1];
	enum qrt_err err = qrt__disk_path(path, plain);
	if (!err) {
		err = qrt__disk_ask(disk, QRT__DISK_ACCESS, plain);
	}
	if (!err) {
		const struct qrt__disk_name *name = find_live(disk, plain);
		*ret_n = name ? (int64_t)name->live->live.n : -1;
	}
	return err;
}

/* --- for tests ----------------------------------------------------------------------------- */

const char *qrt__disk_list(const struct qrt__disk *disk, size_t index)
{
	QRT__LIST_EACH(at, &disk->names) {
		const struct qrt__disk_name *name =
		    QRT__CONTAINER(at, struct qrt__disk_name, in_disk);
		if (name->live && index-- == 0) {
			return name->path;
		}
	}
	return NULL;
}

const void *qrt__disk_get(const struct qrt__disk *disk, const char *path, size_t *ret_n)
{
	char plain[QRT__DISK_PATH_MAX + 1];
	const struct qrt__disk_name *name =
	    qrt__disk_path(path, plain) == QRT_OK ? find_live(disk, plain) : NULL;
	if (!name) {
		return NULL;
	}
	*ret_n = name->live->live.n;
	return *ret_n > 0 ? (const void *)name->live->live.bytes : "";
}

enum qrt_err qrt__disk_put(struct qrt__disk *disk, const char *path, const void *data, size_t n)
{
	char plain[QRT__DISK_PATH_MAX + 1];
	struct qrt__disk_node *node = NULL;
	enum qrt_err err = qrt__disk_path(path, plain);
	bool made = !err && !find_live(disk, plain);
	if (!err) {
		err = find_node(disk, plain, QRT__DISK_CREATE, &node);
	}
	if (err) {
		return err;
	}
	err = make_room(disk, node, n);
	if (!err) {
		qrt__disk_sync_node(disk, node);
		disk->stats.bytes += n;
		disk->stats.bytes -= node->live.n;
		qrt__disk_blob_resize(&node->live, 0);
		qrt__disk_blob_put(&node->live, 0, data, n);
		qrt__disk_blob_resize(&node->synced, 0);
		qrt__disk_blob_put(&node->synced, 0, data, n);
	} else if (made) {
		QRT_IGNORE(unlink_name(disk, plain), "it was made just now");
	}
	qrt__disk_node_unref(disk, node);
	return err;
}
