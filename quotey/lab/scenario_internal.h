/*
 * What the files of the scenario parser share: the reader of one file, its words, and the blocks
 * that are open. It must never be included outside quotey/lab/scenario*.c.
 *
 * Every function that returns bool returns false once something is wrong: then the first error
 * stands in the reader and nothing more is read.
 */
#ifndef QY_LAB_SCENARIO_INTERNAL_H
#define QY_LAB_SCENARIO_INTERNAL_H

#include "quotey/lab/scenario.h"

/* A word of a line: up to the next blank, or in quotes. */
struct qy_scenario_word {
	const char *text; /* not terminated */
	size_t n;
	struct qy_scenario_at at;
};

struct qy_scenario_block {
	struct qy_scenario_step *step; /* NULL: the file */
	struct qy_scenario_step **tail;
	size_t n_seen; /* of names, when it was opened */
	uint64_t work; /* statements played in it, once */
};

struct qy_scenario_reader {
	struct qy_scenario *scenario;
	struct qy_scenario_error *error;
	enum qy_code code;
	/* The line under way, and what lies behind it. */
	const char *line, *at, *line_end, *end;
	unsigned number;
	/* Blocks, the file's own first. */
	struct qy_scenario_block blocks[QY_SCENARIO_NESTING_MAX + 1];
	size_t n_blocks;
	size_t n_statements;
	/* Which names may be used here, in the order in which they appeared. */
	size_t seen[QY_SCENARIO_NAMES_MAX];
	size_t n_seen;
	/* What a clause belongs to; NULL after anything but a request. */
	struct qy_scenario_step *request;
	struct qy_scenario_clause **clause_tail;
	bool placed_late; /* something but title and place was there */
	bool started;	  /* something but title, place, seed and key was there */
};

/* --- memory (scenario.c) --- */

/* Zeroed, as long as the scenario; NULL: the reader's error is NO_MEMORY. */
void *qy_scenario__alloc(struct qy_scenario_reader *reader, size_t n);
const char *qy_scenario__copy(struct qy_scenario_reader *reader, const char *bytes, size_t n);

/* --- errors (scenario_fail.c) --- */

/* Always false. What is wrong and what would be right, as one text. */
bool qy_scenario__fail(struct qy_scenario_reader *reader, struct qy_scenario_at at,
		       const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Always false: @word is no @what; the nearest of @known, or all of them. */
bool qy_scenario__unknown(struct qy_scenario_reader *reader, const struct qy_scenario_word *word,
			  const char *what, const char *const known[], size_t n_known);

/* --- lines and words (scenario_lex.c) --- */

struct qy_scenario_at qy_scenario__at(const struct qy_scenario_reader *reader, const char *where);
/* Moves to the next line. False at the end, and after an error. */
bool qy_scenario__line(struct qy_scenario_reader *reader);
/* The same, to one that says something. */
bool qy_scenario__statement(struct qy_scenario_reader *reader);
/* Whether the line has a further word; takes nothing. */
bool qy_scenario__more(struct qy_scenario_reader *reader);
bool qy_scenario__word_is(const struct qy_scenario_word *word, const char *text);
/* Takes the next word; @what is missing otherwise. */
bool qy_scenario__word(struct qy_scenario_reader *reader, const char *what,
		       struct qy_scenario_word *ret_word);
/* Takes the next word if it is @text. */
bool qy_scenario__take(struct qy_scenario_reader *reader, const char *text);
/* The next word must be @text. */
bool qy_scenario__must(struct qy_scenario_reader *reader, const char *text, const char *why);
/* Nothing may follow. */
bool qy_scenario__end(struct qy_scenario_reader *reader);
/* Takes what is left of the line, without blanks around it. */
void qy_scenario__rest(struct qy_scenario_reader *reader, struct qy_scenario_word *ret_word);

/* --- values (scenario_value.c) --- */

/* One of @known; *ret_index of it. @what: "component". */
bool qy_scenario__choice(struct qy_scenario_reader *reader, const char *what,
			 const char *const known[], size_t n_known, size_t *ret_index);
bool qy_scenario__number(struct qy_scenario_reader *reader, const struct qy_scenario_word *word,
			 const char *what, unsigned min, unsigned max, unsigned *ret_number);
/* "500ms", or with @range also "1ms..50ms". */
bool qy_scenario__duration(struct qy_scenario_reader *reader, bool range, int64_t *ret_min_ns,
			   int64_t *ret_max_ns);
/* What follows the word `fault`. */
bool qy_scenario__fault(struct qy_scenario_reader *reader, struct qy_scenario_fault *ret_fault);

/* --- names (scenario_name.c) --- */

/* Makes a name visible from here on, or finds it again; one kind must not become another. */
bool qy_scenario__declare(struct qy_scenario_reader *reader, enum qy_scenario_name_kind kind,
			  const struct qy_scenario_word *word, size_t *ret_name);
/* A visible one. @key: it must be a key. */
bool qy_scenario__resolve(struct qy_scenario_reader *reader, const struct qy_scenario_word *word,
			  bool key, size_t *ret_name);
/* Forgets those that appeared after the first @n_seen, but for counters. */
void qy_scenario__hide(struct qy_scenario_reader *reader, size_t n_seen);

/* --- texts (scenario_text.c) --- */

/* A word, or texts in quotes, which may go on in lines that begin with one. @what is missing. */
bool qy_scenario__text(struct qy_scenario_reader *reader, const char *what,
		       struct qy_scenario_text *ret_text);
/* The same, or a block `<<END`; lines of one end in @line_end, the last one if @ends_last. */
bool qy_scenario__long_text(struct qy_scenario_reader *reader, const char *what,
			    const char *line_end, bool ends_last,
			    struct qy_scenario_text *ret_text);
/* What is left of the line as it is, but for ${names}. */
bool qy_scenario__rest_text(struct qy_scenario_reader *reader, struct qy_scenario_text *ret_text);

/* --- clauses (scenario_clause.c) --- */

/* Whether @word begins a clause; *ret_ok: it was a good one. */
bool qy_scenario__clause(struct qy_scenario_reader *reader, const struct qy_scenario_word *word,
			 bool *ret_ok);
/* What follows the query of `sql`: is, at least, at most. */
bool qy_scenario__comparison(struct qy_scenario_reader *reader, struct qy_scenario_step *step);

/* --- statements (scenario_parse.c, scenario_step.c) --- */

/* Adds a statement to the block under way; NULL after an error. */
struct qy_scenario_step *qy_scenario__add(struct qy_scenario_reader *reader,
					  enum qy_scenario_kind kind, struct qy_scenario_at at);
/* Opens the block of @step. */
bool qy_scenario__open(struct qy_scenario_reader *reader, struct qy_scenario_step *step);
bool qy_scenario__close(struct qy_scenario_reader *reader, struct qy_scenario_at at);
struct qy_scenario_block *qy_scenario__block(struct qy_scenario_reader *reader);

/* What follows the word `slack` (scenario_slack.c). */
bool qy_scenario__slack(struct qy_scenario_reader *reader, struct qy_scenario_at at);

typedef bool qy_scenario_step_fn(struct qy_scenario_reader *reader, struct qy_scenario_at at);
struct qy_scenario_word_step {
	const char *word;
	qy_scenario_step_fn *read;
};
/* The statements by their first word; methods are not among them. */
extern const struct qy_scenario_word_step qy_scenario__steps[];
extern const size_t qy_scenario__n_steps;
bool qy_scenario__request(struct qy_scenario_reader *reader, const struct qy_scenario_word *method);

#endif
