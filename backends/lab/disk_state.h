/*
 * The inside of the simulated disk, for its own files only: nodes (contents),
 * names, handles, and the list of what has not been synced.
 */
#ifndef QRT_BACKENDS_LAB_DISK_STATE_H
#define QRT_BACKENDS_LAB_DISK_STATE_H

#include "backends/lab/disk.h"
#include "shim/src/base/list.h"

/* Bytes that grow; never smaller than they were. */
struct qrt__disk_blob {
	unsigned char *bytes;
	size_t n, room;
};

struct qrt__disk_shm {
	unsigned refs; /* handles */
	size_t region_size;
	unsigned n_regions;
	void *region[QRT__DISK_SHM_REGIONS_MAX];
};

/* The content of a file, with a name or without. */
struct qrt__disk_node {
	struct qrt__list in_disk;
	unsigned refs;		      /* names, unsynced names, handles */
	unsigned seen;		      /* handles and the name that is seen: it takes room */
	bool anonymous;		      /* never had a name: nothing of it survives */
	struct qrt__disk_blob live;   /* what is read */
	struct qrt__disk_blob synced; /* always with room for what is unsynced */
	struct qrt__list files;
	struct qrt__disk_shm *shm;   /* while a handle has it */
	struct qrt__disk_node *twin; /* while a crash is worked out */
};

struct qrt__disk_name {
	struct qrt__list in_disk;
	struct qrt__disk_node *live, *synced; /* NULL: no such file */
	unsigned pending;		      /* changes that name it */
	char path[QRT__DISK_PATH_MAX + 1];
};

/* Something unsynced. */
struct qrt__disk_change {
	struct qrt__list in_disk;
	enum { QRT__DISK_WROTE, QRT__DISK_CUT, QRT__DISK_LINKED, QRT__DISK_UNLINKED } kind;
	struct qrt__disk_node *node; /* UNLINKED: NULL */
	struct qrt__disk_name *name; /* LINKED, UNLINKED */
	size_t offset;		     /* CUT: the new size */
	size_t n;
	unsigned char bytes[];
};

/* A handle. */
struct qrt__disk_file {
	struct qrt__list in_disk, in_node;
	struct qrt__disk *disk;
	struct qrt__disk_node *node; /* NULL: dead */
	unsigned flags;
	enum qrt__disk_lock lock;
	struct qrt__disk_shm *shm;
	unsigned shm_shared, shm_exclusive; /* a bit per slot */
	char path[QRT__DISK_PATH_MAX + 1];  /* "": it has no name */
};

struct qrt__disk {
	struct qrt__disk_options opts;
	struct qrt__list nodes, names, handles;
	struct qrt__list changes; /* the oldest first */
	struct qrt__disk_stats stats;
};

/* Asks the hook, spends the time. EIO when the power was lost meanwhile. */
QRT_MUST_USE enum qrt_err qrt__disk_ask(struct qrt__disk *disk, enum qrt__disk_op op,
					const char *path);
/* The same of a handle; EIO when it is dead. */
QRT_MUST_USE enum qrt_err qrt__disk_ask_file(struct qrt__disk_file *file, enum qrt__disk_op op);

uint64_t qrt__disk_choose(const struct qrt__disk *disk, uint64_t n);

void qrt__disk_spend(const struct qrt__disk *disk, int64_t ns);

/* false: no memory, and nothing has happened. */
bool qrt__disk_blob_reserve(struct qrt__disk_blob *blob, size_t n);
/* These need the room. A gap becomes zeros. */
void qrt__disk_blob_resize(struct qrt__disk_blob *blob, size_t n);
void qrt__disk_blob_put(struct qrt__disk_blob *blob, size_t offset, const void *data, size_t n);

struct qrt__disk_node *qrt__disk_node_new(struct qrt__disk *disk);
void qrt__disk_node_unref(struct qrt__disk *disk, struct qrt__disk_node *node);
/* A handle lets go of it: the opposite of seen and refs counted up. */
void qrt__disk_node_unsee(struct qrt__disk *disk, struct qrt__disk_node *node);
struct qrt__disk_name *qrt__disk_name_find(const struct qrt__disk *disk, const char *path);
struct qrt__disk_name *qrt__disk_name_make(struct qrt__disk *disk, const char *path);
/* Points @name to @node or NULL: what is seen, what a power loss would leave. */
void qrt__disk_name_see(struct qrt__disk *disk, struct qrt__disk_name *name,
			struct qrt__disk_node *node);
void qrt__disk_name_keep(struct qrt__disk *disk, struct qrt__disk_name *name,
			 struct qrt__disk_node *node);
/* Frees @name when nothing is known of it any more. */
void qrt__disk_name_settle(struct qrt__disk_name *name);

/* With a copy of @data, otherwise empty. NULL: no memory. */
struct qrt__disk_change *qrt__disk_change_new(const void *data, size_t n);
/* Takes @change, filled in; writes the oldest back when there is too much. */
void qrt__disk_unsynced(struct qrt__disk *disk, struct qrt__disk_change *change);
/* The data of @node, and its name when that is new; every name beside @path. */
void qrt__disk_sync_node(struct qrt__disk *disk, struct qrt__disk_node *node);
void qrt__disk_sync_dir(struct qrt__disk *disk, const char *path);
/* Forgets every name, node and change. No handle has a node. */
void qrt__disk_clear(struct qrt__disk *disk);

/* The rest of a handle's locks and shared memory, when it closes or dies. */
void qrt__disk_locks_fini(struct qrt__disk_file *file);

#endif
