/*
 * The simulated disk: contents, names, and what of them has been synced. Must
 * never ask the system for anything but memory, nor know SQLite.
 */
#include "backends/lab/disk_state.h"

#include <stdlib.h>
#include <string.h>

enum {
	SIZE_MAX_DEFAULT = 64 << 20,
	UNSYNCED_MAX_DEFAULT = 16 << 20,
	FILES_MAX_DEFAULT = 256,
	SECTOR_DEFAULT = 4096,
	SECTOR_MAX = 65536
};

static const char *const op_names[] = {
#define OP_NAME(name, text) [name] = text,
    QRT__DISK_OPS(OP_NAME)
#undef OP_NAME
};

const char *qrt__disk_op_name(enum qrt__disk_op op)
{
	return (unsigned)op < QRT__DISK_OP_COUNT ? op_names[op] : "?";
}

/* --- hooks --------------------------------------------------------------------------------- */

uint64_t qrt__disk_choose(const struct qrt__disk *disk, uint64_t n)
{
	const struct qrt__disk_hooks *hooks = &disk->opts.hooks;
	uint64_t choice = hooks->choose ? hooks->choose(hooks->arg, n) : 0;
	QRT_ASSERT(choice < n);
	return choice;
}

void qrt__disk_spend(const struct qrt__disk *disk, int64_t ns)
{
	const struct qrt__disk_hooks *hooks = &disk->opts.hooks;
	if (hooks->spend && ns > 0) {
		hooks->spend(hooks->arg, ns);
	}
}

enum qrt_err qrt__disk_ask(struct qrt__disk *disk, enum qrt__disk_op op, const char *path)
{
	const struct qrt__disk_hooks *hooks = &disk->opts.hooks;
	uint64_t crashes = disk->stats.crashes;
	disk->stats.ops[op]++;
	disk->stats.ops_all++;
	qrt__disk_spend(disk, disk->opts.op_ns);
	enum qrt_err err = hooks->op ? hooks->op(hooks->arg, op, path) : QRT_OK;
	if (disk->stats.crashes != crashes) {
		return QRT_EIO;
	}
	disk->stats.faults += err ? 1 : 0;
	return err;
}

enum qrt_err qrt__disk_ask_file(struct qrt__disk_file *file, enum qrt__disk_op op)
{
	return file->node ? qrt__disk_ask(file->disk, op, file->path) : QRT_EIO;
}

/* --- bytes --------------------------------------------------------------------------------- */

bool qrt__disk_blob_reserve(struct qrt__disk_blob *blob, size_t n)
{
	if (n <= blob->room) {
		return true;
	}
	size_t room = blob->room > 0 ? blob->room : QRT__DISK_SECTOR;
	while (room < n) {
		room *= 2;
	}
	unsigned char *bytes = realloc(blob->bytes, room);
	if (!bytes) {
		return false;
	}
	blob->bytes = bytes;
	blob->room = room;
	return true;
}

void qrt__disk_blob_resize(struct qrt__disk_blob *blob, size_t n)
{
	QRT_PRE(n <= blob->room);
	if (n > blob->n) {
		memset(blob->bytes + blob->n, 0, n - blob->n);
	}
	blob->n = n;
}

void qrt__disk_blob_put(struct qrt__disk_blob *blob, size_t offset, const void *data, size_t n)
{
	if (n == 0) {
		return;
	}
	if (offset + n > blob->n) {
		qrt__disk_blob_resize(blob, offset + n);
	}
	memcpy(blob->bytes + offset, data, n);
}

static void blob_free(struct qrt__disk_blob *blob)
{
	free(blob->bytes);
	*blob = (struct qrt__disk_blob){0};
}

/* --- nodes and names ----------------------------------------------------------------------- */

struct qrt__disk_node *qrt__disk_node_new(struct qrt__disk *disk)
{
	struct qrt__disk_node *node = calloc(1, sizeof(*node));
	if (!node) {
		return NULL;
	}
	qrt__list_init(&node->files);
	qrt__list_append(&disk->nodes, &node->in_disk);
	node->refs = 1;
	return node;
}

static void change_free(struct qrt__disk *disk, struct qrt__disk_change *change)
{
	qrt__list_remove(&change->in_disk);
	disk->stats.unsynced -= sizeof(*change) + change->n;
	free(change);
}

void qrt__disk_node_unref(struct qrt__disk *disk, struct qrt__disk_node *node)
{
	QRT_PRE(node->refs > 0);
	if (--node->refs > 0) {
		return;
	}
	QRT__LIST_EACH(at, &disk->changes) {
		struct qrt__disk_change *change =
		    QRT__CONTAINER(at, struct qrt__disk_change, in_disk);
		if (change->node == node) {
			change_free(disk, change);
		}
	}
	QRT_ASSERT(qrt__list_empty(&node->files));
	QRT_ASSERT(!node->shm);
	qrt__list_remove(&node->in_disk);
	blob_free(&node->live);
	blob_free(&node->synced);
	free(node);
}

static void node_see(struct qrt__disk *disk, struct qrt__disk_node *node)
{
	node->refs++;
	if (node->seen++ == 0) {
		disk->stats.bytes += node->live.n;
	}
}

void qrt__disk_node_unsee(struct qrt__disk *disk, struct qrt__disk_node *node)
{
	if (--node->seen == 0) {
		disk->stats.bytes -= node->live.n;
		blob_free(&node->live);
	}
	qrt__disk_node_unref(disk, node);
}

struct qrt__disk_name *qrt__disk_name_find(const struct qrt__disk *disk, const char *path)
{
	QRT__LIST_EACH(at, &disk->names) {
		struct qrt__disk_name *name = QRT__CONTAINER(at, struct qrt__disk_name, in_disk);
		if (strcmp(name->path, path) == 0) {
			return name;
		}
	}
	return NULL;
}

struct qrt__disk_name *qrt__disk_name_make(struct qrt__disk *disk, const char *path)
{
	struct qrt__disk_name *name = qrt__disk_name_find(disk, path);
	if (!name) {
		name = calloc(1, sizeof(*name));
		if (!name) {
			return NULL;
		}
		QRT_PRE(strlen(path) <= QRT__DISK_PATH_MAX);
		strncpy(name->path, path, QRT__DISK_PATH_MAX);
		qrt__list_append(&disk->names, &name->in_disk);
	}
	return name;
}

void qrt__disk_name_see(struct qrt__disk *disk, struct qrt__disk_name *name,
			struct qrt__disk_node *node)
{
	struct qrt__disk_node *old = name->live;
	name->live = node;
	if (node) {
		node_see(disk, node);
		disk->stats.files++;
	}
	if (old) {
		qrt__disk_node_unsee(disk, old);
		disk->stats.files--;
	}
}

void qrt__disk_name_keep(struct qrt__disk *disk, struct qrt__disk_name *name,
			 struct qrt__disk_node *node)
{
	struct qrt__disk_node *old = name->synced;
	name->synced = node;
	if (node) {
		node->refs++;
	}
	if (old) {
		qrt__disk_node_unref(disk, old);
	}
}

void qrt__disk_name_settle(struct qrt__disk_name *name)
{
	if (!name->live && !name->synced && name->pending == 0) {
		qrt__list_remove(&name->in_disk);
		free(name);
	}
}

/* --- what is unsynced ---------------------------------------------------------------------- */

/* Makes @change what a power loss would leave. */
static void retire(struct qrt__disk *disk, struct qrt__disk_change *change)
{
	struct qrt__disk_node *node = change->node;
	struct qrt__disk_name *name = change->name;
	switch (change->kind) {
	case QRT__DISK_WROTE:
		qrt__disk_blob_put(&node->synced, change->offset, change->bytes, change->n);
		break;
	case QRT__DISK_CUT:
		qrt__disk_blob_resize(&node->synced, change->offset);
		break;
	case QRT__DISK_LINKED:
	case QRT__DISK_UNLINKED:
		name->pending--;
		qrt__disk_name_keep(disk, name, node);
		break;
	}
	change_free(disk, change);
	if (name) {
		qrt__disk_name_settle(name);
		if (node) {
			qrt__disk_node_unref(disk, node);
		}
	}
}

static struct qrt__disk_change *change_of(struct qrt__list *at)
{
	return QRT__CONTAINER(at, struct qrt__disk_change, in_disk);
}

struct qrt__disk_change *qrt__disk_change_new(const void *data, size_t n)
{
	struct qrt__disk_change *change = malloc(sizeof(*change) + n);
	if (!change) {
		return NULL;
	}
	*change = (struct qrt__disk_change){.n = n};
	if (n > 0) {
		memcpy(change->bytes, data, n);
	}
	return change;
}

void qrt__disk_unsynced(struct qrt__disk *disk, struct qrt__disk_change *change)
{
	if (change->name) {
		change->name->pending++;
		if (change->node) {
			change->node->refs++;
		}
	}
	disk->stats.unsynced += sizeof(*change) + change->n;
	qrt__list_append(&disk->changes, &change->in_disk);
	while (disk->stats.unsynced > disk->opts.unsynced_max) {
		retire(disk, change_of(disk->changes.next));
	}
}

static size_t dir_length(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Looked up anew each time: what is retired may take others with it. */
static struct qrt__disk_change *first_in_dir(const struct qrt__disk *disk, const char *path)
{
	size_t n = dir_length(path);
	QRT__LIST_EACH(at, &disk->changes) {
		struct qrt__disk_change *change = change_of(at);
		if (change->name && dir_length(change->name->path) == n &&
		    memcmp(change->name->path, path, n) == 0) {
			return change;
		}
	}
	return NULL;
}

static struct qrt__disk_change *first_of_name(const struct qrt__disk *disk,
					      const struct qrt__disk_name *name)
{
	QRT__LIST_EACH(at, &disk->changes) {
		if (change_of(at)->name == name) {
			return change_of(at);
		}
	}
	return NULL;
}

/* The making of the name of @node, while that is unsynced. */
static struct qrt__disk_change *link_of(const struct qrt__disk *disk,
					const struct qrt__disk_node *node)
{
	QRT__LIST_EACH(at, &disk->changes) {
		struct qrt__disk_change *change = change_of(at);
		if (change->kind == QRT__DISK_LINKED && change->node == node) {
			return change;
		}
	}
	return NULL;
}

void qrt__disk_sync_dir(struct qrt__disk *disk, const char *path)
{
	struct qrt__disk_change *change = first_in_dir(disk, path);
	for (; change; change = first_in_dir(disk, path)) {
		retire(disk, change);
	}
}

void qrt__disk_sync_node(struct qrt__disk *disk, struct qrt__disk_node *node)
{
	QRT__LIST_EACH(at, &disk->changes) {
		struct qrt__disk_change *change = change_of(at);
		if (change->node == node && !change->name) {
			retire(disk, change);
		}
	}
	/* A name's changes keep their order: what was before its making goes with it. */
	struct qrt__disk_change *link = link_of(disk, node);
	for (bool done = !link; !done;) {
		struct qrt__disk_change *change = first_of_name(disk, link->name);
		done = change == link;
		retire(disk, change);
	}
}

/* --- create and destroy -------------------------------------------------------------------- */

enum qrt_err qrt__disk_create(const struct qrt__disk_options *opts, struct qrt__disk **ret_disk)
{
	struct qrt__disk_options all = *opts;
	all.size_max = all.size_max ? all.size_max : SIZE_MAX_DEFAULT;
	all.unsynced_max = all.unsynced_max ? all.unsynced_max : UNSYNCED_MAX_DEFAULT;
	all.files_max = all.files_max ? all.files_max : FILES_MAX_DEFAULT;
	all.sector = all.sector ? all.sector : SECTOR_DEFAULT;
	if (all.sector < QRT__DISK_SECTOR || all.sector > SECTOR_MAX ||
	    (all.sector & (all.sector - 1)) != 0 || all.size_max > SIZE_MAX / 4) {
		return QRT_EINVAL;
	}
	struct qrt__disk *disk = calloc(1, sizeof(*disk));
	if (!disk) {
		return QRT_ENOMEM;
	}
	disk->opts = all;
	qrt__list_init(&disk->nodes);
	qrt__list_init(&disk->names);
	qrt__list_init(&disk->handles);
	qrt__list_init(&disk->changes);
	*ret_disk = disk;
	return QRT_OK;
}

void qrt__disk_clear(struct qrt__disk *disk)
{
	while (!qrt__list_empty(&disk->changes)) {
		struct qrt__disk_change *change = change_of(disk->changes.next);
		struct qrt__disk_node *node = change->name ? change->node : NULL;
		if (change->name) {
			change->name->pending--;
		}
		change_free(disk, change);
		if (node) {
			qrt__disk_node_unref(disk, node);
		}
	}
	QRT__LIST_EACH(at, &disk->names) {
		struct qrt__disk_name *name = QRT__CONTAINER(at, struct qrt__disk_name, in_disk);
		qrt__disk_name_see(disk, name, NULL);
		qrt__disk_name_keep(disk, name, NULL);
		qrt__disk_name_settle(name);
	}
	QRT_POST(qrt__list_empty(&disk->names));
	QRT_POST(qrt__list_empty(&disk->nodes));
}

void qrt__disk_destroy(struct qrt__disk **disk)
{
	if (!*disk) {
		return;
	}
	QRT_PRE(qrt__list_empty(&(*disk)->handles));
	qrt__disk_clear(*disk);
	free(*disk);
	*disk = NULL;
}

const struct qrt__disk_options *qrt__disk_options(const struct qrt__disk *disk)
{
	return &disk->opts;
}

void qrt__disk_set_hooks(struct qrt__disk *disk, const struct qrt__disk_hooks *hooks)
{
	disk->opts.hooks = *hooks;
}

void qrt__disk_set_size_max(struct qrt__disk *disk, size_t bytes)
{
	QRT_PRE(bytes <= SIZE_MAX / 4);
	disk->opts.size_max = bytes;
}

struct qrt__disk_stats qrt__disk_stats(const struct qrt__disk *disk)
{
	return disk->stats;
}
