/*
 * A table for people: collects cells row by row, then prints them in aligned columns.
 *
 * The first error (memory) sticks and the print says so; widths count characters, not bytes.
 */
#ifndef QY_CLI_TABLE_H
#define QY_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define QY_CLI_COLUMNS_MAX 16

struct qy_cli_table {
	const char *const *headings; /* "#" before a heading: its column stands to the right */
	size_t n_columns;
	char **cells;
	size_t n_cells;
	size_t capacity;
	bool out_of_memory;
};

/* @headings must outlive the table. At most QY_CLI_COLUMNS_MAX columns. */
void qy_cli_table_init(struct qy_cli_table *table, const char *const *headings, size_t n_columns);
void qy_cli_table_fini(struct qy_cli_table *table);

/* The next cell, in reading order. NULL and "" show as "-". */
void qy_cli_table_text(struct qy_cli_table *table, const char *text);
void qy_cli_table_format(struct qy_cli_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Prints headings and rows. False: memory had run out, and what is printed is not all. */
bool qy_cli_table_print(const struct qy_cli_table *table, FILE *to);

#endif
