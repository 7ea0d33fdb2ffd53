/*
 * Reads a scenario line by line and builds its tree: finds what a line is, keeps the open blocks,
 * and counts what will be played, so that no file asks for more than a machine can do.
 */
#include <stdlib.h>
#include <string.h>

#include "quotey/lab/scenario_internal.h"

static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

enum { N_METHODS = sizeof(methods) / sizeof(methods[0]), KNOWN_MAX = 48 };

/* --- blocks --------------------------------------------------------------------------------- */

struct qy_scenario_block *qy_scenario__block(struct qy_scenario_reader *reader)
{
	return &reader->blocks[reader->n_blocks - 1];
}

static const char *block_word(const struct qy_scenario_step *step)
{
	return step->kind == QY_SCENARIO_REPEAT	    ? "repeat"
	       : step->kind == QY_SCENARIO_FOR	    ? "for"
	       : step->kind == QY_SCENARIO_TOGETHER ? "together"
						    : "branch";
}

struct qy_scenario_step *qy_scenario__add(struct qy_scenario_reader *reader,
					  enum qy_scenario_kind kind, struct qy_scenario_at at)
{
	struct qy_scenario_block *block = qy_scenario__block(reader);
	struct qy_scenario_step *step;

	if (reader->code != QY_OK) {
		return NULL;
	}
	if (block->step && block->step->kind == QY_SCENARIO_TOGETHER &&
	    kind != QY_SCENARIO_BRANCH) {
		qy_scenario__fail(reader, at,
				  "in together only branches stand; put a line with "
				  "branch before this");
		return NULL;
	}
	if (reader->n_statements == QY_SCENARIO_STATEMENTS_MAX) {
		qy_scenario__fail(reader, at,
				  "the file has more than %d statements; repeat and "
				  "for make one of many",
				  QY_SCENARIO_STATEMENTS_MAX);
		return NULL;
	}
	step = qy_scenario__alloc(reader, sizeof(*step));
	if (step) {
		reader->n_statements++;
		step->kind = kind;
		step->at = at;
		*block->tail = step;
		block->tail = &step->next;
		block->work++;
		reader->placed_late = true;
		reader->started |= kind != QY_SCENARIO_SEED && kind != QY_SCENARIO_MAKE_KEY;
	}
	return step;
}

bool qy_scenario__open(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	if (reader->n_blocks > QY_SCENARIO_NESTING_MAX) {
		return qy_scenario__fail(reader, step->at, "more than %d blocks in each other",
					 QY_SCENARIO_NESTING_MAX);
	}
	reader->blocks[reader->n_blocks++] = (struct qy_scenario_block){
	    .step = step, .tail = &step->first, .n_seen = reader->n_seen};
	return true;
}

bool qy_scenario__close(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_block block = *qy_scenario__block(reader);
	struct qy_scenario_block *outer;
	uint64_t times;

	if (reader->code != QY_OK) {
		return false;
	}
	if (!block.step) {
		return qy_scenario__fail(reader, at,
					 "no block is open here; end closes repeat, "
					 "for and together");
	}
	if (!block.step->first) {
		return qy_scenario__fail(reader, block.step->at, "nothing stands in this %s",
					 block_word(block.step));
	}
	/* What is kept in a loop is there after it, for it ran at least once; a branch is alone. */
	if (block.step->kind == QY_SCENARIO_BRANCH) {
		qy_scenario__hide(reader, block.n_seen);
	} else if (block.step->kind == QY_SCENARIO_FOR) {
		memmove(&reader->seen[block.n_seen], &reader->seen[block.n_seen + 1],
			(reader->n_seen - block.n_seen - 1) * sizeof(reader->seen[0]));
		reader->n_seen--;
	}
	reader->n_blocks--;
	outer = qy_scenario__block(reader);
	times =
	    block.step->kind == QY_SCENARIO_TOGETHER ? 1 : block.step->to - block.step->from + 1;
	outer->work += block.work * times;
	if (outer->work > QY_SCENARIO_WORK_MAX) {
		return qy_scenario__fail(reader, block.step->at,
					 "with this more than %d statements would be played",
					 QY_SCENARIO_WORK_MAX);
	}
	return true;
}

/* --- lines ---------------------------------------------------------------------------------- */

static bool unknown_statement(struct qy_scenario_reader *reader,
			      const struct qy_scenario_word *word)
{
	static const char *const clauses[] = {"header", "body", "expect", "keep", "count"};
	const char *known[KNOWN_MAX];
	size_t n = 0;

	for (size_t i = 0; i < qy_scenario__n_steps; i++) {
		known[n++] = qy_scenario__steps[i].word;
	}
	for (size_t i = 0; i < N_METHODS; i++) {
		known[n++] = methods[i];
	}
	for (size_t i = 0; i < sizeof(clauses) / sizeof(clauses[0]); i++) {
		known[n++] = clauses[i];
	}
	return qy_scenario__unknown(reader, word, "statement", known, n);
}

static bool read_statement(struct qy_scenario_reader *reader)
{
	struct qy_scenario_word word;
	bool ok = false;

	if (!qy_scenario__word(reader, "a statement", &word)) {
		return false;
	}
	if (qy_scenario__clause(reader, &word, &ok)) {
		return ok;
	}
	reader->request = NULL;
	for (size_t i = 0; i < N_METHODS; i++) {
		if (qy_scenario__word_is(&word, methods[i])) {
			return qy_scenario__request(reader, &word);
		}
	}
	for (size_t i = 0; i < qy_scenario__n_steps; i++) {
		if (qy_scenario__word_is(&word, qy_scenario__steps[i].word)) {
			return qy_scenario__steps[i].read(reader, word.at);
		}
	}
	return unknown_statement(reader, &word);
}

static bool read_file(struct qy_scenario_reader *reader)
{
	const struct qy_scenario_step *open;

	while (qy_scenario__statement(reader)) {
		if (!read_statement(reader)) {
			return false;
		}
	}
	if (reader->code != QY_OK) {
		return false;
	}
	open = qy_scenario__block(reader)->step;
	if (open) {
		return qy_scenario__fail(reader, open->at, "this %s is never closed; write end",
					 block_word(open));
	}
	return reader->started ||
	       qy_scenario__fail(reader, (struct qy_scenario_at){1, 1},
				 "nothing is played in this file; GET /api/v1/quotes asks for "
				 "something");
}

static struct qy_scenario *create(struct qy_scenario_reader *reader, const char *file)
{
	struct qy_scenario *scenario = calloc(1, sizeof(*scenario));

	reader->scenario = scenario;
	if (!scenario) {
		reader->code = QY_NO_MEMORY;
		return NULL;
	}
	scenario->file = "";
	scenario->file = qy_scenario__copy(reader, file, strlen(file));
	scenario->names =
	    qy_scenario__alloc(reader, QY_SCENARIO_NAMES_MAX * sizeof(*scenario->names));
	reader->blocks[0].tail = &scenario->first;
	reader->n_blocks = 1;
	return scenario;
}

static uint64_t hash_of(const char *bytes, size_t n)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < n; i++) {
		hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
	}
	return hash;
}

enum qy_code qy_scenario_parse(const char *file, const char *bytes, size_t n,
			       struct qy_scenario **ret_scenario,
			       struct qy_scenario_error *ret_error)
{
	struct qy_scenario_error error = {{0, 0}, ""};
	struct qy_scenario_reader reader = {
	    .error = &error, .line = bytes, .at = bytes, .line_end = bytes, .end = bytes + n};
	struct qy_scenario *scenario = create(&reader, file);

	if (reader.code == QY_OK && n > QY_SCENARIO_FILE_MAX) {
		qy_scenario__fail(&reader, (struct qy_scenario_at){1, 1},
				  "the file has more than %zu MiB", QY_SCENARIO_FILE_MAX >> 20);
	}
	if (reader.code == QY_OK && n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		reader.line += 3;
	}
	if (reader.code == QY_OK && read_file(&reader)) {
		scenario->title = scenario->title ? scenario->title : "";
		scenario->hash = hash_of(bytes, n);
		*ret_scenario = scenario;
		return QY_OK;
	}
	qy_scenario_destroy(&scenario);
	if (reader.code == QY_INVALID_FIELD) {
		*ret_error = error;
	}
	return reader.code;
}
