/* What stands below a request: header, body, expect, keep, count; and the comparison of a query. */
#include <string.h>

#include "quotey/lab/scenario_internal.h"

enum { STATUS_MIN = 100, STATUS_MAX = 599 };

static const char header_characters[] =
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

static struct qy_scenario_clause *add(struct qy_scenario_reader *reader,
				      enum qy_scenario_clause_kind kind, struct qy_scenario_at at)
{
	struct qy_scenario_clause *clause = qy_scenario__alloc(reader, sizeof(*clause));

	if (clause) {
		clause->kind = kind;
		clause->at = at;
		*reader->clause_tail = clause;
		reader->clause_tail = &clause->next;
	}
	return clause;
}

static bool once(struct qy_scenario_reader *reader, enum qy_scenario_clause_kind kind,
		 struct qy_scenario_at at, const char *what)
{
	for (const struct qy_scenario_clause *c = reader->request->clauses; c; c = c->next) {
		if (c->kind == kind) {
			return qy_scenario__fail(reader, at, "%s is in line %u already", what,
						 c->at.line);
		}
	}
	return true;
}

/* A word of a header's characters. */
static bool header_name(struct qy_scenario_reader *reader, const struct qy_scenario_word *word,
			const char **ret_name)
{
	for (size_t i = 0; i < word->n; i++) {
		if (!strchr(header_characters, word->text[i]) || word->n > 128) {
			return qy_scenario__fail(reader, word->at,
						 "\"%.*s\" is no name of a header",
						 word->n < 40 ? (int)word->n : 40, word->text);
		}
	}
	*ret_name = qy_scenario__copy(reader, word->text, word->n);
	return *ret_name != NULL;
}

/* header NAME: VALUE */
static bool read_header(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_clause *clause;
	struct qy_scenario_word word;

	if (reader->request->kind == QY_SCENARIO_RAW) {
		return qy_scenario__fail(reader, at,
					 "raw sends its bytes as they are; write the "
					 "header into them");
	}
	if (!qy_scenario__word(reader, "a header: Content-Type: application/json", &word)) {
		return false;
	}
	if (word.n < 2 || word.text[word.n - 1] != ':') {
		return qy_scenario__fail(reader, word.at,
					 "a header is written as NAME: VALUE, with the colon "
					 "right behind the name");
	}
	word.n--;
	clause = add(reader, QY_SCENARIO_HEADER, at);
	return clause && header_name(reader, &word, &clause->header) &&
	       qy_scenario__rest_text(reader, &clause->text);
}

/* body REST-OF-LINE | "TEXT" | <<END */
static bool read_body(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_clause *clause;
	bool plain;

	if (reader->request->kind == QY_SCENARIO_RAW) {
		return qy_scenario__fail(reader, at,
					 "raw sends its bytes as they are; write the "
					 "body into them");
	}
	if (!once(reader, QY_SCENARIO_BODY, at, "the body of this request")) {
		return false;
	}
	if (!qy_scenario__more(reader)) {
		return qy_scenario__fail(reader, qy_scenario__at(reader, reader->at),
					 "here belongs the body; an empty one is \"\"");
	}
	plain = *reader->at != '"' &&
		(reader->line_end - reader->at < 2 || memcmp(reader->at, "<<", 2) != 0);
	clause = add(reader, QY_SCENARIO_BODY, at);
	if (!clause) {
		return false;
	}
	return plain ? qy_scenario__rest_text(reader, &clause->text)
		     : qy_scenario__long_text(reader, "a body", "\n", /* ends_last= */ false,
					      &clause->text) &&
			   qy_scenario__end(reader);
}

/* STATUS [or STATUS]... [or nothing] */
static bool read_statuses(struct qy_scenario_reader *reader, struct qy_scenario_clause *clause,
			  bool nothing_allowed)
{
	struct qy_scenario_word word;

	do {
		if (!qy_scenario__word(reader, "a status: 200", &word)) {
			return false;
		}
		if (nothing_allowed && qy_scenario__word_is(&word, "nothing")) {
			clause->or_nothing = true;
			continue;
		}
		if (clause->n_status == QY_SCENARIO_STATUSES_MAX) {
			return qy_scenario__fail(reader, word.at, "more than %d statuses",
						 QY_SCENARIO_STATUSES_MAX);
		}
		if (!qy_scenario__number(reader, &word, "status", STATUS_MIN, STATUS_MAX,
					 &clause->status[clause->n_status++])) {
			return false;
		}
	} while (qy_scenario__take(reader, "or"));
	return qy_scenario__end(reader);
}

static bool read_how(struct qy_scenario_reader *reader, struct qy_scenario_clause *clause)
{
	static const char *const words[] = {"is", "has", "lacks", "absent"};
	size_t n = clause->kind == QY_SCENARIO_EXPECT_HEADER ? 4 : 3;
	size_t how = 0;

	if (!qy_scenario__choice(reader, "expectation", words, n, &how)) {
		return false;
	}
	clause->how = (enum qy_scenario_how)how;
	return (clause->how == QY_SCENARIO_ABSENT ||
		qy_scenario__text(reader, "a text: \"3582.00\"", &clause->text)) &&
	       qy_scenario__end(reader);
}

/* expect STATUS... | expect header NAME HOW TEXT | expect body HOW TEXT */
static bool read_expect(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	bool raw = reader->request->kind == QY_SCENARIO_RAW;
	struct qy_scenario_clause *clause;
	struct qy_scenario_word word;

	if (qy_scenario__take(reader, "header")) {
		clause = add(reader, QY_SCENARIO_EXPECT_HEADER, at);
		return clause && qy_scenario__word(reader, "the name of a header", &word) &&
		       header_name(reader, &word, &clause->header) && read_how(reader, clause);
	}
	if (qy_scenario__take(reader, "body")) {
		clause = add(reader, QY_SCENARIO_EXPECT_BODY, at);
		return clause && read_how(reader, clause);
	}
	if (reader->code != QY_OK || !qy_scenario__more(reader)) {
		return qy_scenario__fail(reader, qy_scenario__at(reader, reader->at),
					 "here belongs what is expected: 201, header or body");
	}
	if (!once(reader, QY_SCENARIO_EXPECT_STATUS, at,
		  raw ? "the status of this answer" : "the status of this request")) {
		return false;
	}
	clause = add(reader, QY_SCENARIO_EXPECT_STATUS, at);
	return clause && read_statuses(reader, clause, /* nothing_allowed= */ true);
}

/* keep NAME from header NAME | body [after TEXT] [before TEXT] */
static bool read_keep(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	static const char *const places[] = {"header", "body"};
	struct qy_scenario_clause *clause = add(reader, QY_SCENARIO_KEEP, at);
	struct qy_scenario_word name, word;
	size_t place = 0;

	if (!clause || !qy_scenario__word(reader, "a name", &name) ||
	    !qy_scenario__must(reader, "from", "from header NAME, or from body") ||
	    !qy_scenario__choice(reader, "part of an answer", places, 2, &place)) {
		return false;
	}
	if (place == 0 && (!qy_scenario__word(reader, "the name of a header", &word) ||
			   !header_name(reader, &word, &clause->header))) {
		return false;
	}
	clause->has_after = qy_scenario__take(reader, "after");
	if (clause->has_after && !qy_scenario__text(reader, "a text", &clause->text)) {
		return false;
	}
	clause->has_before = qy_scenario__take(reader, "before");
	if (clause->has_before && !qy_scenario__text(reader, "a text", &clause->before)) {
		return false;
	}
	return qy_scenario__end(reader) &&
	       qy_scenario__declare(reader, QY_SCENARIO_KEPT, &name, &clause->name);
}

/* count NAME when STATUS [or STATUS]... */
static bool read_count(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_clause *clause = add(reader, QY_SCENARIO_COUNT, at);
	struct qy_scenario_word name;

	return clause && qy_scenario__word(reader, "a name", &name) &&
	       qy_scenario__declare(reader, QY_SCENARIO_COUNTER, &name, &clause->name) &&
	       qy_scenario__must(reader, "when", "when STATUS") &&
	       read_statuses(reader, clause, /* nothing_allowed= */ false);
}

bool qy_scenario__clause(struct qy_scenario_reader *reader, const struct qy_scenario_word *word,
			 bool *ret_ok)
{
	static const struct qy_scenario_word_step clauses[] = {
	    {"header", read_header}, {"body", read_body},   {"expect", read_expect},
	    {"keep", read_keep},     {"count", read_count},
	};

	for (size_t i = 0; i < sizeof(clauses) / sizeof(clauses[0]); i++) {
		if (!qy_scenario__word_is(word, clauses[i].word)) {
			continue;
		}
		*ret_ok = reader->request
			      ? clauses[i].read(reader, word->at)
			      : qy_scenario__fail(reader, word->at,
						  "%s belongs below a request; put one, such as "
						  "GET /api/v1/quotes, before it",
						  clauses[i].word);
		return true;
	}
	return false;
}

bool qy_scenario__comparison(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	static const char *const words[] = {"is", "at"};
	static const char *const bounds[] = {"least", "most"};
	size_t word = 0, bound = 0;

	if (!qy_scenario__choice(reader, "comparison", words, 2, &word)) {
		return false;
	}
	if (word == 0) {
		step->how = QY_SCENARIO_IS;
		step->is_nothing = qy_scenario__take(reader, "nothing");
	} else {
		if (!qy_scenario__choice(reader, "comparison", bounds, 2, &bound)) {
			return false;
		}
		step->how = bound == 0 ? QY_SCENARIO_AT_LEAST : QY_SCENARIO_AT_MOST;
	}
	return step->is_nothing || qy_scenario__text(reader, "a value", &step->value);
}
