/*
 * Fuzz entry of the JSON border: the bytes are a document. What is read must keep the limits, and
 * written again it must read back as the same; the foreign way must read it, too, as the same.
 * What is refused must say why. Works with libFuzzer and replay.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/json/json.h"

#define SPANS_MAX 8 /* members whose place in the text is looked up */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken rule ends the program, which is what a fuzzer takes for a finding. */
static void must(bool holds)
{
	if (!holds) {
		abort();
	}
}

/* --- writing a document ---------------------------------------------------------------------- */

static void write_text(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\' || c < ' ') {
			fprintf(to, "\\u%04x", c);
		} else {
			fputc(c, to);
		}
	}
	fputc('"', to);
}

static void check_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at != '\0') {
		size_t n = *at < 0x80 ? 1 : *at < 0xe0 ? 2 : *at < 0xf0 ? 3 : 4;

		must(*at < 0x80 || (*at >= 0xc2 && *at <= 0xf4));
		must(*at != 0xe0 || at[1] >= 0xa0); /* overlong */
		must(*at != 0xed || at[1] < 0xa0);  /* half of a pair */
		must(*at != 0xf0 || at[1] >= 0x90);
		must(*at != 0xf4 || at[1] < 0x90);
		for (size_t i = 1; i < n; i++) {
			must((at[i] & 0xc0) == 0x80);
		}
		at += n;
	}
}

static void write_value(FILE *to, const struct qy_doc *value, int depth, size_t *count);

static void write_children(FILE *to, const struct qy_doc *value, int depth, size_t *count)
{
	bool object = qy_doc_kind(value) == QY_DOC_OBJECT;
	size_t n = 0;

	fputc(object ? '{' : '[', to);
	for (const struct qy_doc *child = qy_doc_first(value); child; child = qy_doc_next(child)) {
		const char *name = qy_doc_name(child);

		fputs(n++ > 0 ? "," : "", to);
		check_utf8(name);
		if (object) {
			must(qy_doc_member(value, name) == child); /* the only one of its name */
			write_text(to, name);
			fputc(':', to);
		} else {
			must(name[0] == '\0');
		}
		write_value(to, child, depth + 1, count);
	}
	must(!object || n <= QY_DOC_MEMBERS_MAX);
	fputc(object ? '}' : ']', to);
}

static void write_value(FILE *to, const struct qy_doc *value, int depth, size_t *count)
{
	enum qy_doc_kind kind = qy_doc_kind(value);

	must(depth <= QY_DOC_DEPTH_MAX);
	must(++*count <= QY_DOC_VALUES_MAX);
	must(qy_doc_kind_name(kind)[0] != '\0');
	switch (kind) {
	case QY_DOC_NULL:
		fputs("null", to);
		break;
	case QY_DOC_BOOLEAN:
		fputs(qy_doc_boolean(value) ? "true" : "false", to);
		break;
	case QY_DOC_INTEGER:
		must(qy_doc_integer(value) <= QY_DOC_INTEGER_MAX);
		must(qy_doc_integer(value) >= -QY_DOC_INTEGER_MAX);
		fprintf(to, "%" PRId64, qy_doc_integer(value));
		break;
	case QY_DOC_FRACTION:
		fputs("0.5", to);
		break;
	case QY_DOC_STRING:
		check_utf8(qy_doc_string(value));
		write_text(to, qy_doc_string(value));
		break;
	case QY_DOC_ARRAY:
	case QY_DOC_OBJECT:
		write_children(to, value, depth, count);
		break;
	}
}

/* As canonical text; the caller frees it. */
static char *written(const struct qy_doc *doc)
{
	char *text = NULL;
	size_t len, count = 0;
	FILE *to = open_memstream(&text, &len);

	must(to != NULL);
	write_value(to, doc, 0, &count);
	must(fclose(to) == 0);
	return text;
}

/* --- reading it ------------------------------------------------------------------------------ */

typedef bool parse_fn(const char *text, size_t length, struct qy_doc **ret_doc,
		      struct qy_doc_error *ret_error);

static void check_error(const struct qy_doc_error *error)
{
	must(error->fault > QY_DOC_FINE && error->fault <= QY_DOC_NO_MEMORY);
	must(error->text[0] != '\0');
	must(memchr(error->text, '\0', sizeof(error->text)) != NULL);
}

/* What @parse makes of it, as text; NULL: it refuses, for the reason in *ret_fault. */
static char *read_by(parse_fn *parse, const char *text, size_t size, enum qy_doc_fault *ret_fault)
{
	struct qy_doc *doc = NULL;
	struct qy_doc_error error;
	char *as_text;

	if (!parse(text, size, &doc, &error)) {
		must(doc == NULL);
		check_error(&error);
		*ret_fault = error.fault;
		return NULL;
	}
	*ret_fault = QY_DOC_FINE;
	as_text = written(doc);
	qy_doc_destroy(&doc);
	must(doc == NULL);
	return as_text;
}

static void check_again(const char *text)
{
	enum qy_doc_fault fault;
	char *again = read_by(qy_doc_parse, text, strlen(text), &fault);

	must(again != NULL && strcmp(again, text) == 0);
	free(again);
}

/* Where a member is found in the text, there stands its value. */
static void check_spans(const char *text, size_t size)
{
	struct qy_doc *doc = NULL;
	struct qy_doc_error error;
	int n = 0;

	must(qy_doc_parse(text, size, &doc, &error));
	for (const struct qy_doc *child = qy_doc_kind(doc) == QY_DOC_OBJECT ? qy_doc_first(doc)
									    : NULL;
	     child && n < SPANS_MAX; child = qy_doc_next(child), n++) {
		const char *from;
		size_t length;

		if (qy_doc_span(text, qy_doc_name(child), &from, &length)) {
			must(from > text && from + length < text + size);
			char *piece = strndup(from, length), *want = written(child), *got;
			enum qy_doc_fault fault;

			got = read_by(qy_doc_parse, piece, length, &fault);
			must(got != NULL && strcmp(got, want) == 0);
			free(piece);
			free(want);
			free(got);
		}
	}
	qy_doc_destroy(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Exactly so long, and the NUL that the contract asks for. */
	char *text = malloc(size + 1);
	enum qy_doc_fault fault, foreign_fault;
	char *strict, *foreign;

	must(text != NULL);
	memcpy(text, size > 0 ? (const void *)data : "", size);
	text[size] = '\0';
	strict = read_by(qy_doc_parse, text, size, &fault);
	foreign = read_by(qy_doc_parse_foreign, text, size, &foreign_fault);
	if (strict != NULL) {
		must(foreign != NULL && strcmp(strict, foreign) == 0);
		check_again(strict);
		check_spans(text, size);
	} else if (foreign != NULL) {
		must(fault == QY_DOC_NUMBER); /* all that it is laxer about */
	}
	free(strict);
	free(foreign);
	free(text);
	return 0;
}
