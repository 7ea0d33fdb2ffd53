/*
 * The migrations: numbered steps of the schema, each with its way back. Data only.
 *
 * A step that has been released never changes, because databases remember its checksum; a change
 * of the schema is a new step.
 */
#ifndef QY_DB_MIGRATIONS_H
#define QY_DB_MIGRATIONS_H

#include <stddef.h>

struct qy_migration {
	unsigned number;  /* from 1, without gaps */
	const char *name; /* "catalogue" */
	const char *up;
	const char *down;
};

struct qy_migration_set {
	const struct qy_migration *steps; /* step i has number i + 1 */
	unsigned count;
};

/* Quotey's own; tests bring others. */
extern const struct qy_migration_set qy_migrations;

#endif
