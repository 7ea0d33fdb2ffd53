/*
 * Texts of a scenario: a word, texts in quotes with C's escapes, a block of lines, or the rest of a
 * line; ${name} in any of them stands for its value, $${ for ${ itself.
 */
#include <string.h>

#include "quotey/lab/scenario_internal.h"

/* A text under construction. */
struct build {
	struct qy_scenario_reader *reader;
	struct qy_scenario_piece **tail;
	size_t n_bytes;
};

static void build_init(struct build *build, struct qy_scenario_reader *reader,
		       struct qy_scenario_text *text)
{
	text->first = NULL;
	*build = (struct build){.reader = reader, .tail = &text->first};
}

static struct qy_scenario_piece *add_piece(struct build *build)
{
	struct qy_scenario_piece *piece = qy_scenario__alloc(build->reader, sizeof(*piece));

	if (piece) {
		*build->tail = piece;
		build->tail = &piece->next;
	}
	return piece;
}

static bool add_bytes(struct build *build, const char *bytes, size_t n, unsigned times)
{
	struct qy_scenario_reader *reader = build->reader;
	struct qy_scenario_piece *piece;

	if (n == 0 || times == 0) {
		return true;
	}
	if (n > QY_SCENARIO_TEXT_MAX / times || n * times > QY_SCENARIO_TEXT_MAX - build->n_bytes) {
		return qy_scenario__fail(reader, qy_scenario__at(reader, reader->at),
					 "the text has more than %zu MiB; use a smaller number",
					 QY_SCENARIO_TEXT_MAX >> 20);
	}
	piece = add_piece(build);
	if (!piece) {
		return false;
	}
	build->n_bytes += n * times;
	piece->bytes = qy_scenario__copy(reader, bytes, n);
	piece->n_bytes = n;
	piece->times = times;
	return piece->bytes != NULL;
}

/* "${name}" at @from: adds its value; *ret_next is what follows it. */
static bool add_name(struct build *build, const char *from, const char *end, const char **ret_next)
{
	struct qy_scenario_reader *reader = build->reader;
	const char *close = memchr(from, '}', (size_t)(end - from));
	struct qy_scenario_word word = {.text = from + 2, .at = qy_scenario__at(reader, from)};
	struct qy_scenario_piece *piece;
	size_t name = 0;

	if (!close) {
		return qy_scenario__fail(reader, word.at,
					 "\"${\" is never closed; write ${name}, or $${ for ${");
	}
	word.n = (size_t)(close - word.text);
	if (!qy_scenario__resolve(reader, &word, /* key= */ false, &name)) {
		return false;
	}
	piece = add_piece(build);
	if (!piece) {
		return false;
	}
	piece->name = name;
	*ret_next = close + 1;
	return true;
}

/* Bytes as they are, but for names. */
static bool add_plain(struct build *build, const char *from, const char *end)
{
	const char *literal = from;

	while (from < end) {
		if (end - from >= 3 && memcmp(from, "$${", 3) == 0) {
			if (!add_bytes(build, literal, (size_t)(from - literal), 1)) {
				return false;
			}
			literal = from + 1;
			from += 3;
		} else if (end - from >= 2 && memcmp(from, "${", 2) == 0) {
			if (!add_bytes(build, literal, (size_t)(from - literal), 1) ||
			    !add_name(build, from, end, &from)) {
				return false;
			}
			literal = from;
		} else {
			from++;
		}
	}
	return add_bytes(build, literal, (size_t)(end - literal), 1);
}

/* --- in quotes ------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

/* The byte of the escape at @from, which is a backslash; returns its length, 0 when it is none. */
static size_t unescape(const char *from, const char *end, char *ret_byte)
{
	static const char letters[] = "\\\"nrt0";
	static const char bytes[] = "\\\"\n\r\t\0";
	const char *found;

	if (end - from < 2) {
		return 0;
	}
	found = memchr(letters, from[1], sizeof(letters) - 1);
	if (found) {
		*ret_byte = bytes[found - letters];
		return 2;
	}
	if (from[1] == 'x' && end - from >= 4 && hex_digit(from[2]) >= 0 &&
	    hex_digit(from[3]) >= 0) {
		*ret_byte = (char)(hex_digit(from[2]) * 16 + hex_digit(from[3]));
		return 4;
	}
	return 0;
}

/* Where the text that begins after the quote at reader->at ends; NULL: nowhere in this line. */
static const char *closing_quote(const struct qy_scenario_reader *reader)
{
	for (const char *c = reader->at + 1; c < reader->line_end; c++) {
		if (*c == '"') {
			return c;
		}
		c += *c == '\\' && c + 1 < reader->line_end;
	}
	return NULL;
}

/* The number of "..."*N, 1 without. */
static bool times_after(struct build *build, const char *close, unsigned *ret_times)
{
	struct qy_scenario_reader *reader = build->reader;
	struct qy_scenario_word word;
	const char *end = close + 2;

	reader->at = close + 1;
	*ret_times = 1;
	if (reader->at == reader->line_end || *reader->at != '*') {
		return true;
	}
	while (end < reader->line_end && *end >= '0' && *end <= '9') {
		end++;
	}
	word = (struct qy_scenario_word){.text = close + 2,
					 .n = (size_t)(end - close - 2),
					 .at = qy_scenario__at(reader, close + 2)};
	reader->at = end;
	return qy_scenario__number(reader, &word, "number of times", 1,
				   (unsigned)QY_SCENARIO_TEXT_MAX, ret_times);
}

/* The text between two quotes, escapes read; at most as long as it is written. */
static bool add_escaped(struct build *build, const char *from, const char *end, unsigned times)
{
	struct qy_scenario_reader *reader = build->reader;
	char *bytes = qy_scenario__alloc(reader, (size_t)(end - from) + 1);
	size_t n = 0;

	if (!bytes) {
		return false;
	}
	while (from < end) {
		if (*from == '\\') {
			size_t used = unescape(from, end, &bytes[n]);

			if (used == 0) {
				return qy_scenario__fail(reader, qy_scenario__at(reader, from),
							 "no such escape; there are \\\\ \\\" \\n "
							 "\\r \\t \\0 and \\x0f");
			}
			n++;
			from += used;
		} else if (end - from >= 3 && memcmp(from, "$${", 3) == 0) {
			bytes[n++] = '$';
			bytes[n++] = '{';
			from += 3;
		} else if (end - from >= 2 && memcmp(from, "${", 2) == 0) {
			if (times != 1) {
				return qy_scenario__fail(reader, qy_scenario__at(reader, from),
							 "a text with ${names} cannot be repeated");
			}
			if (!add_bytes(build, bytes, n, 1) || !add_name(build, from, end, &from)) {
				return false;
			}
			n = 0;
		} else {
			bytes[n++] = *from++;
		}
	}
	return add_bytes(build, bytes, n, times);
}

/* Whether the next line begins with a quote: then it is the one under way. */
static bool next_line_goes_on(struct qy_scenario_reader *reader)
{
	const char *c = reader->line_end;

	c += c < reader->end && *c == '\r';
	c += c < reader->end;
	while (c < reader->end && (*c == ' ' || *c == '\t')) {
		c++;
	}
	return c < reader->end && *c == '"' && qy_scenario__line(reader) &&
	       qy_scenario__more(reader);
}

static bool add_quoted(struct build *build)
{
	struct qy_scenario_reader *reader = build->reader;

	do {
		const char *from = reader->at + 1;
		const char *close = closing_quote(reader);
		unsigned times = 1;

		if (!close) {
			return qy_scenario__fail(reader, qy_scenario__at(reader, reader->at),
						 "the quote is never closed; a text ends in its "
						 "line, the next may go on with another");
		}
		if (!times_after(build, close, &times) || !add_escaped(build, from, close, times)) {
			return false;
		}
	} while (qy_scenario__more(reader) ? *reader->at == '"' : next_line_goes_on(reader));
	return reader->code == QY_OK;
}

/* --- blocks --------------------------------------------------------------------------------- */

static bool only_word(const struct qy_scenario_reader *reader, const struct qy_scenario_word *word,
		      size_t *ret_indent)
{
	size_t indent = 0;
	size_t n = (size_t)(reader->line_end - reader->line);

	while (indent < n && (reader->line[indent] == ' ' || reader->line[indent] == '\t')) {
		indent++;
	}
	while (n > indent && (reader->line[n - 1] == ' ' || reader->line[n - 1] == '\t')) {
		n--;
	}
	*ret_indent = indent;
	return n - indent == word->n && memcmp(reader->line + indent, word->text, word->n) == 0;
}

/* Looks for the line with the closing word; the reader's place is the caller's to put back. */
static bool find_close(struct qy_scenario_reader *reader, const struct qy_scenario_word *word,
		       size_t *ret_indent)
{
	while (qy_scenario__line(reader)) {
		if (only_word(reader, word, ret_indent)) {
			return true;
		}
	}
	return qy_scenario__fail(reader, word->at,
				 "the block is never closed; put a line with only %.*s behind it",
				 word->n < 40 ? (int)word->n : 40, word->text);
}

static bool add_block(struct build *build, const char *line_end, bool ends_last)
{
	struct qy_scenario_reader *reader = build->reader;
	struct qy_scenario_reader begin;
	struct qy_scenario_word word;
	size_t indent = 0, closing = 0;
	bool first = true;

	if (!qy_scenario__word(reader, "<<END", &word)) {
		return false;
	}
	word.text += 2;
	word.n -= 2;
	word.at.column += 2;
	if (word.n == 0) {
		return qy_scenario__fail(reader, word.at, "here belongs the closing word: <<END");
	}
	begin = *reader;
	if (!qy_scenario__end(reader) || !find_close(reader, &word, &closing)) {
		return false;
	}
	*reader = begin;
	while (qy_scenario__line(reader) && !only_word(reader, &word, &indent)) {
		const char *from = reader->line + (indent < closing ? indent : closing);

		if ((!first && !ends_last && !add_bytes(build, line_end, strlen(line_end), 1)) ||
		    !add_plain(build, from, reader->line_end) ||
		    (ends_last && !add_bytes(build, line_end, strlen(line_end), 1))) {
			return false;
		}
		first = false;
	}
	reader->at = reader->line_end;
	return reader->code == QY_OK;
}

/* --- what others call ----------------------------------------------------------------------- */

bool qy_scenario__text(struct qy_scenario_reader *reader, const char *what,
		       struct qy_scenario_text *ret_text)
{
	struct qy_scenario_word word;
	struct build build;

	build_init(&build, reader, ret_text);
	if (reader->code == QY_OK && qy_scenario__more(reader) && *reader->at == '"') {
		return add_quoted(&build);
	}
	return qy_scenario__word(reader, what, &word) &&
	       add_plain(&build, word.text, word.text + word.n);
}

bool qy_scenario__long_text(struct qy_scenario_reader *reader, const char *what,
			    const char *line_end, bool ends_last, struct qy_scenario_text *ret_text)
{
	struct build build;

	if (reader->code == QY_OK && qy_scenario__more(reader) &&
	    reader->line_end - reader->at >= 2 && memcmp(reader->at, "<<", 2) == 0) {
		build_init(&build, reader, ret_text);
		return add_block(&build, line_end, ends_last);
	}
	return qy_scenario__text(reader, what, ret_text);
}

bool qy_scenario__rest_text(struct qy_scenario_reader *reader, struct qy_scenario_text *ret_text)
{
	struct qy_scenario_word word;
	struct build build;

	build_init(&build, reader, ret_text);
	qy_scenario__rest(reader, &word);
	return add_plain(&build, word.text, word.text + word.n);
}
