/*
 * Reads quotey.conf through libinih. The packaged library gives the handler no line numbers and
 * reports only the first malformed line, so lines are fed to it one by one and looked at on the
 * way: each line's kind is noted, and a key line that did not reach the handler was malformed.
 * It must never change a line it passes on, except to blank out one that it has refused.
 */
#include "quotey/cli/config_internal.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

enum line_kind {
	LINE_EMPTY, /* Also comments. */
	LINE_SECTION,
	LINE_PAIR
};

struct file {
	struct qy_config_load *load;
	const char *name;
	const char *next;
	const char *end;
	unsigned line;
	enum line_kind kind;
	bool handled;	       /* The handler has seen this line. */
	bool section_lost;     /* The header was malformed, so whose keys these are is not known. */
	unsigned section_line; /* Of an unknown section no key of which was reported yet, or 0. */
	char section[QY_CONFIG_NAME_MAX + 2];
	unsigned key_line[QY_CONFIG_KEYS_MAX];
	char *where; /* "name:line" */
	size_t where_size;
};

static const char *where(struct file *file, unsigned line)
{
	snprintf(file->where, file->where_size, "%s:%u", file->name, line);
	return file->where;
}

static void line_error(struct file *file, const char *what, const char *problem, const char *fix)
{
	struct qy_config_fault fault;

	qy_config__fault(&fault, problem, "%s", fix);
	qy_config__error(file->load, what, where(file, file->line), &fault);
}

/* An unknown section is reported by its keys; one without keys is reported here. */
static void section_finish(struct file *file)
{
	if (file->section_line != 0) {
		qy_config__unknown_section(file->load, file->section,
					   where(file, file->section_line));
		file->section_line = 0;
	}
}

static void section_start(struct file *file, const char *header)
{
	size_t len = strcspn(header + 1, "]");
	const char *rest = header + 1 + len;

	section_finish(file);
	file->section_lost = *rest != ']';
	if (file->section_lost) {
		line_error(file, "section", "has no closing ]", "write [section]");
		return;
	}
	rest++;
	rest += strspn(rest, " \t\r\n\v\f");
	if (*rest != '\0' && *rest != ';' && *rest != '#') {
		line_error(file, "section", "has text behind its closing ]",
			   "put the key on a line of its own");
	}
	snprintf(file->section, sizeof(file->section), "%.*s", (int)len, header + 1);
	if (!qy_config__section_known(file->section)) {
		file->section_line = file->line;
	}
}

/* What became of the line given out last. */
static void line_finish(struct file *file)
{
	if (file->kind == LINE_PAIR && !file->handled && !file->section_lost) {
		line_error(file, "line", "is neither [section], key = value nor a comment",
			   "write key = value");
	}
}

static void line_start(struct file *file, const char *line)
{
	if (file->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0) {
		line += 3;
	}
	while (isspace((unsigned char)*line)) {
		line++;
	}
	file->handled = false;
	file->kind = LINE_PAIR;
	if (*line == '\0' || *line == ';' || *line == '#') {
		file->kind = LINE_EMPTY;
	} else if (*line == '[') {
		file->kind = LINE_SECTION;
		section_start(file, line);
	}
}

/* libinih's reader, after fgets. A refused line goes on as an empty one. */
static char *next_line(char *buffer, int size, void *arg)
{
	struct file *file = arg;
	const char *start = file->next;
	const char *newline;
	size_t len;

	line_finish(file);
	file->kind = LINE_EMPTY;
	if (start == file->end) {
		section_finish(file);
		return NULL;
	}
	newline = memchr(start, '\n', (size_t)(file->end - start));
	file->next = newline == NULL ? file->end : newline + 1;
	file->line++;
	len = (size_t)(file->next - start);
	buffer[0] = '\0';
	if (memchr(start, '\0', len) != NULL) {
		line_error(file, "line", "has a NUL byte in it", "remove the byte");
	} else if (len > QY_CONFIG_LINE_MAX || len >= (size_t)size) {
		line_error(file, "line", "is too long", "shorten the line");
	} else {
		memcpy(buffer, start, len);
		buffer[len] = '\0';
		line_start(file, buffer);
	}
	if (buffer[0] == '\0') {
		memcpy(buffer, "\n", 2);
	}
	return buffer;
}

static void put_expanded(struct file *file, size_t index, const char *value)
{
	struct qy_config_load *load = file->load;
	const char *name = qy_config_key_name(index);
	struct qy_config_fault fault;
	char text[QY_CONFIG_VALUE_MAX + 1];

	if (file->key_line[index] != 0) {
		qy_config__fault(&fault, "is set twice", "remove it here or in line %u",
				 file->key_line[index]);
		qy_config__error(load, name, where(file, file->line), &fault);
		return;
	}
	file->key_line[index] = file->line;
	if (!qy_config__expand(value, load->sources->environ, text, &fault)) {
		load->bad[index] = true;
		qy_config__error(load, name, where(file, file->line), &fault);
	} else {
		qy_config__put(load, index, text, where(file, file->line));
	}
	explicit_bzero(text, sizeof(text));
}

/* libinih's handler. Errors are noted by us, so it always goes on. */
static int pair(void *arg, const char *section, const char *key, const char *value)
{
	struct file *file = arg;
	char name[QY_CONFIG_NAME_MAX + 2];
	int index;

	file->handled = true;
	if (file->section_lost) {
		return 1;
	}
	if (section[0] == '\0') {
		line_error(file, "line", "stands before the first section",
			   "put the key under a [section]");
		return 1;
	}
	if (key[0] == '\0') {
		line_error(file, "line", "has no key before its value", "write key = value");
		return 1;
	}
	/* A name too long to be known is cut to a length that no known name has. */
	if (snprintf(name, sizeof(name), "%s.%s", file->section, key) < 0) {
		name[0] = '\0';
	}
	index = qy_config__find(name);
	if (index < 0) {
		file->section_line = 0;
		qy_config__unknown_key(file->load, name, where(file, file->line));
	} else {
		put_expanded(file, (size_t)index, value);
	}
	return 1;
}

static void parse(struct qy_config_load *load, const char *bytes, size_t n_bytes)
{
	const char *name = load->sources->path != NULL ? load->sources->path : "file";
	struct file *file = calloc(1, sizeof(*file));
	int result;

	if (file == NULL) {
		load->errors.out_of_memory = true;
		return;
	}
	*file = (struct file){.load = load, .name = name, .next = bytes, .end = bytes + n_bytes};
	file->where_size = strlen(name) + 16;
	file->where = malloc(file->where_size);
	if (file->where == NULL) {
		load->errors.out_of_memory = true;
		free(file);
		return;
	}
	/* The library's defaults cut lines at 200 bytes and take an indented key for a value. */
	ini_use_stack = false;
	ini_max_line = QY_CONFIG_LINE_MAX + 3;
	ini_initial_alloc = QY_CONFIG_LINE_MAX + 3;
	ini_allow_multiline = false;
	result = ini_parse_stream(next_line, file, pair, file);
	if (result < 0) {
		load->errors.out_of_memory = true;
	} else if (result > 0 && load->errors.n == 0) {
		file->line = (unsigned)result;
		line_error(file, "line", "cannot be understood", "write key = value");
	}
	free(file->where);
	free(file);
}

static void file_error(struct qy_config_load *load, const char *problem, const char *fix)
{
	struct qy_config_fault fault;

	qy_config__fault(&fault, problem, "%s", fix);
	qy_config__error(load, "configuration file", load->sources->path, &fault);
}

static void too_large(struct qy_config_load *load)
{
	file_error(load, "is larger than 1 MiB", "name the right file or shorten it");
}

static void read_file(struct qy_config_load *load, FILE *stream)
{
	char *bytes = malloc(QY_CONFIG_FILE_MAX + 1);
	size_t n;

	if (bytes == NULL) {
		load->errors.out_of_memory = true;
		return;
	}
	n = fread(bytes, 1, QY_CONFIG_FILE_MAX + 1, stream);
	if (ferror(stream)) {
		file_error(load, strerror(errno), "name a readable file");
	} else if (n > QY_CONFIG_FILE_MAX) {
		too_large(load);
	} else {
		parse(load, bytes, n);
	}
	explicit_bzero(bytes, n);
	free(bytes);
}

void qy_config__file_load(struct qy_config_load *load)
{
	const struct qy_config_sources *sources = load->sources;
	FILE *stream;

	if (sources->file_bytes != NULL) {
		if (sources->n_file_bytes > QY_CONFIG_FILE_MAX) {
			too_large(load);
			return;
		}
		parse(load, sources->file_bytes, sources->n_file_bytes);
		return;
	}
	if (sources->path == NULL) {
		return;
	}
	stream = fopen(sources->path, "rbe");
	if (stream == NULL) {
		if (errno != ENOENT || sources->file_required) {
			file_error(load, strerror(errno), "name a readable file");
		}
		return;
	}
	/* Unbuffered: the bytes may hold secrets, and stdio's buffer would keep a copy of them. */
	setvbuf(stream, NULL, _IONBF, 0);
	read_file(load, stream);
	fclose(stream);
}
