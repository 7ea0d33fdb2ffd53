/*
 * Lines and words of a scenario. A line ends at LF or CR LF; a comment begins with # where a word
 * would. Columns count characters, so that an editor finds the place.
 */
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/lab/scenario_internal.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct qy_scenario_at qy_scenario__at(const struct qy_scenario_reader *reader, const char *where)
{
	struct qy_scenario_at at = {.line = reader->number, .column = 1};

	for (const char *c = reader->line; c < where; c++) {
		at.column += ((unsigned char)*c & 0xc0) != 0x80;
	}
	return at;
}

/* The first character that no text may have, or NULL. */
static const char *find_bad(const char *line, const char *end)
{
	while (line < end) {
		size_t n = 1;

		while (n < 4 && n < (size_t)(end - line) && !qy_utf8_valid(line, n)) {
			n++;
		}
		if (((unsigned char)*line < ' ' && *line != '\t') || *line == 0x7f ||
		    !qy_utf8_valid(line, n)) {
			return line;
		}
		line += n;
	}
	return NULL;
}

static bool check_line(struct qy_scenario_reader *reader)
{
	const char *bad;

	if ((size_t)(reader->line_end - reader->line) > QY_SCENARIO_LINE_MAX) {
		return qy_scenario__fail(
		    reader, qy_scenario__at(reader, reader->line),
		    "the line has more than %zu KiB; \"a\"*9000 is nine thousand a",
		    QY_SCENARIO_LINE_MAX >> 10);
	}
	bad = find_bad(reader->line, reader->line_end);
	return !bad || qy_scenario__fail(reader, qy_scenario__at(reader, bad),
					 "byte 0x%02x is no text; write \\x%02x in quotes",
					 (unsigned char)*bad, (unsigned char)*bad);
}

bool qy_scenario__line(struct qy_scenario_reader *reader)
{
	const char *line = reader->number == 0 ? reader->line : reader->line_end;
	const char *end;

	if (reader->code != QY_OK) {
		return false;
	}
	if (reader->number > 0 && line < reader->end) {
		line += *line == '\r' ? 2 : 1;
	}
	if (line >= reader->end) {
		return false;
	}
	end = memchr(line, '\n', (size_t)(reader->end - line));
	end = end ? end : reader->end;
	reader->number++;
	reader->line = reader->at = line;
	/* Only before a LF: anywhere else a CR is no text. */
	if (end > line && end[-1] == '\r' && end < reader->end) {
		end--;
	}
	reader->line_end = end;
	return check_line(reader);
}

static void skip_blanks(struct qy_scenario_reader *reader)
{
	while (reader->at < reader->line_end && is_blank(*reader->at)) {
		reader->at++;
	}
}

bool qy_scenario__more(struct qy_scenario_reader *reader)
{
	skip_blanks(reader);
	return reader->at < reader->line_end && *reader->at != '#';
}

bool qy_scenario__statement(struct qy_scenario_reader *reader)
{
	while (qy_scenario__line(reader)) {
		if (qy_scenario__more(reader)) {
			return true;
		}
	}
	return false;
}

bool qy_scenario__word_is(const struct qy_scenario_word *word, const char *text)
{
	return strlen(text) == word->n && memcmp(word->text, text, word->n) == 0;
}

/* The next word without taking it. */
static void peek(struct qy_scenario_reader *reader, struct qy_scenario_word *ret_word)
{
	const char *end = reader->at;

	while (end < reader->line_end && !is_blank(*end)) {
		end++;
	}
	*ret_word = (struct qy_scenario_word){.text = reader->at,
					      .n = (size_t)(end - reader->at),
					      .at = qy_scenario__at(reader, reader->at)};
}

bool qy_scenario__word(struct qy_scenario_reader *reader, const char *what,
		       struct qy_scenario_word *ret_word)
{
	if (reader->code != QY_OK) {
		return false;
	}
	if (!qy_scenario__more(reader)) {
		return qy_scenario__fail(reader, qy_scenario__at(reader, reader->at),
					 "the line ends too early; here belongs %s", what);
	}
	peek(reader, ret_word);
	reader->at += ret_word->n;
	return true;
}

bool qy_scenario__take(struct qy_scenario_reader *reader, const char *text)
{
	struct qy_scenario_word word;

	if (reader->code != QY_OK || !qy_scenario__more(reader)) {
		return false;
	}
	peek(reader, &word);
	if (!qy_scenario__word_is(&word, text)) {
		return false;
	}
	reader->at += word.n;
	return true;
}

bool qy_scenario__must(struct qy_scenario_reader *reader, const char *text, const char *why)
{
	struct qy_scenario_word word;

	if (!qy_scenario__word(reader, why, &word)) {
		return false;
	}
	return qy_scenario__word_is(&word, text) ||
	       qy_scenario__fail(reader, word.at, "here belongs %s", why);
}

bool qy_scenario__end(struct qy_scenario_reader *reader)
{
	struct qy_scenario_word word;

	if (reader->code != QY_OK) {
		return false;
	}
	if (!qy_scenario__more(reader)) {
		return true;
	}
	peek(reader, &word);
	return qy_scenario__fail(reader, word.at,
				 "the statement has ended before \"%.*s\"; what follows needs a "
				 "line of its own, a comment a #",
				 word.n < 40 ? (int)word.n : 40, word.text);
}

void qy_scenario__rest(struct qy_scenario_reader *reader, struct qy_scenario_word *ret_word)
{
	const char *end = reader->line_end;

	skip_blanks(reader);
	while (end > reader->at && is_blank(end[-1])) {
		end--;
	}
	*ret_word = (struct qy_scenario_word){.text = reader->at,
					      .n = (size_t)(end - reader->at),
					      .at = qy_scenario__at(reader, reader->at)};
	reader->at = reader->line_end;
}
