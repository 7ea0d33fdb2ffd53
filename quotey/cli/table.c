/* Aligned columns. Cells may hold any text: control characters are shown as blanks. */
#include "quotey/cli/table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/base.h>

void qy_cli_table_init(struct qy_cli_table *table, const char *const *headings, size_t n_columns)
{
	QRT_PRE(n_columns > 0);
	QRT_PRE(n_columns <= QY_CLI_COLUMNS_MAX);
	*table = (struct qy_cli_table){.headings = headings, .n_columns = n_columns};
}

void qy_cli_table_fini(struct qy_cli_table *table)
{
	for (size_t i = 0; i < table->n_cells; i++) {
		free(table->cells[i]);
	}
	free(table->cells);
	memset(table, 0, sizeof(*table));
}

static bool grow(struct qy_cli_table *table)
{
	size_t capacity = table->capacity > 0 ? 2 * table->capacity : 64;
	char **cells;

	if (table->n_cells < table->capacity) {
		return true;
	}
	cells = reallocarray(table->cells, capacity, sizeof(*cells));
	if (cells == NULL) {
		return false;
	}
	table->cells = cells;
	table->capacity = capacity;
	return true;
}

void qy_cli_table_text(struct qy_cli_table *table, const char *text)
{
	char *copy;

	if (table->out_of_memory) {
		return;
	}
	copy = strdup(text != NULL && text[0] != '\0' ? text : "-");
	if (copy == NULL || !grow(table)) {
		free(copy);
		table->out_of_memory = true;
		return;
	}
	for (unsigned char *p = (unsigned char *)copy; *p; p++) {
		if (*p < ' ' || *p == 0x7f) {
			*p = ' ';
		}
	}
	table->cells[table->n_cells++] = copy;
}

void qy_cli_table_format(struct qy_cli_table *table, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	qy_cli_table_text(table, text);
}

static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++) {
		width += ((unsigned char)*text & 0xc0) != 0x80;
	}
	return width;
}

static bool is_right(const struct qy_cli_table *table, size_t column)
{
	return table->headings[column][0] == '#';
}

static const char *heading(const struct qy_cli_table *table, size_t column)
{
	return table->headings[column] + is_right(table, column);
}

/* The last column is not filled up: no line ends in blanks. */
static void print_cell(const struct qy_cli_table *table, size_t column, const char *text,
		       size_t width, FILE *to)
{
	int fill = (int)(width - width_of(text));

	if (is_right(table, column)) {
		fprintf(to, "%*s%s", fill, "", text);
	} else if (column + 1 < table->n_columns) {
		fprintf(to, "%s%*s", text, fill, "");
	} else {
		fputs(text, to);
	}
	fputs(column + 1 < table->n_columns ? "  " : "\n", to);
}

bool qy_cli_table_print(const struct qy_cli_table *table, FILE *to)
{
	size_t widths[QY_CLI_COLUMNS_MAX];
	size_t n_cells = table->n_cells - table->n_cells % table->n_columns;

	for (size_t c = 0; c < table->n_columns; c++) {
		widths[c] = width_of(heading(table, c));
		for (size_t i = c; i < n_cells; i += table->n_columns) {
			size_t width = width_of(table->cells[i]);

			widths[c] = width > widths[c] ? width : widths[c];
		}
	}
	for (size_t c = 0; c < table->n_columns; c++) {
		print_cell(table, c, heading(table, c), widths[c], to);
	}
	for (size_t i = 0; i < n_cells; i++) {
		size_t c = i % table->n_columns;

		print_cell(table, c, table->cells[i], widths[c], to);
	}
	return !table->out_of_memory;
}
