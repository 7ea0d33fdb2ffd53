/* What is asked for: requests made once, as bytes ready to send. */
#include "tests/bench/load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FILE_MAX = LOAD_MIX_MAX * 4096, LINE_MAX_BYTES = 65536 };

void load_mix_add(struct load_mix *mix, const char *method, const char *path, const char *body,
		  size_t body_len)
{
	struct load_line *line = &mix->lines[mix->n++];
	char *text = NULL;
	size_t len, i, used;
	FILE *f = load_must(open_memstream(&text, &len));
	bool typed = false;

	line->method = load_must(strdup(method));
	line->path = load_must(strdup(path));
	fprintf(f, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, path, mix->host);
	for (i = 0; i < mix->n_headers; i++) {
		fprintf(f, "%s\r\n", mix->headers[i]);
		typed = typed || strncasecmp(mix->headers[i], "Content-Type:", 13) == 0;
	}
	if (body != NULL) {
		if (!typed) {
			fputs("Content-Type: application/json\r\n", f);
		}
		fprintf(f, "Content-Length: %zu\r\n", body_len);
	}
	fputs("\r\n", f);
	used = body != NULL ? fwrite(body, 1, body_len, f) : body_len;
	if (fclose(f) != 0 || used != body_len) {
		load_die("out of memory");
	}
	line->request = text;
	line->request_len = len;
}

/* Cuts the next word off *@text. */
static char *take_word(char **text)
{
	char *word = *text + strspn(*text, " \t"), *end = word + strcspn(word, " \t");

	*text = end + (*end != '\0');
	*end = '\0';
	return word;
}

static void add_text(struct load_mix *mix, char *text, const char *file, size_t number)
{
	char *method = take_word(&text), *path, *body;

	if (*method == '\0' || *method == '#') {
		return;
	}
	path = take_word(&text);
	body = text + strspn(text, " \t");
	if (*path != '/' || strlen(path) > LOAD_PATH_MAX || !load_is_visible(path)) {
		load_die("%s:%zu: must be METHOD /PATH [BODY]", file, number);
	}
	if (mix->n == LOAD_MIX_MAX) {
		load_die("%s:%zu: more than %d requests", file, number, LOAD_MIX_MAX);
	}
	load_mix_add(mix, method, path, *body != '\0' ? body : NULL, strlen(body));
}

void load_mix_read(struct load_mix *mix, const char *file)
{
	FILE *f = fopen(file, "r");
	char *line = load_must(malloc(LINE_MAX_BYTES + 2));
	size_t number = 0, total = 0;

	if (f == NULL) {
		load_die("%s: %s", file, strerror(errno));
	}
	while (fgets(line, LINE_MAX_BYTES + 2, f) != NULL) {
		number++;
		total += strlen(line);
		if (total > FILE_MAX || strlen(line) > LINE_MAX_BYTES) {
			load_die("%s:%zu: the line or the file is too long", file, number);
		}
		line[strcspn(line, "\r\n")] = '\0';
		add_text(mix, line, file, number);
	}
	if (ferror(f)) {
		load_die("%s: cannot be read", file);
	}
	fclose(f);
	free(line);
	if (mix->n == 0) {
		load_die("%s: has no request", file);
	}
}

void load_mix_fini(struct load_mix *mix)
{
	size_t i;

	for (i = 0; i < mix->n; i++) {
		free(mix->lines[i].method);
		free(mix->lines[i].path);
		free(mix->lines[i].request);
		load_seen_destroy(&mix->lines[i].seen);
	}
	mix->n = 0;
}
