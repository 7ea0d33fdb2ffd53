/*
 * The names of a scenario: keys, kept values, counters and loop variables. A name is visible from
 * where it appears to the end of its block, so that what is used has a value.
 */
#include <stdio.h>
#include <string.h>

#include "quotey/lab/scenario_internal.h"

static const char *const kinds[] = {
    [QY_SCENARIO_KEY] = "a key",
    [QY_SCENARIO_KEPT] = "a kept value",
    [QY_SCENARIO_COUNTER] = "a counter",
    [QY_SCENARIO_LOOP] = "the number of a loop",
};

/* The index among those seen, or n_seen. */
static size_t find(const struct qy_scenario_reader *reader, const struct qy_scenario_word *word)
{
	size_t i = 0;

	while (i < reader->n_seen &&
	       !qy_scenario__word_is(word, reader->scenario->names[reader->seen[i]].text)) {
		i++;
	}
	return i;
}

static bool is_name(const struct qy_scenario_word *word)
{
	bool good = word->n > 0 && word->n < QY_SCENARIO_NAME_SIZE && word->text[0] >= 'a' &&
		    word->text[0] <= 'z';

	for (size_t i = 0; i < word->n && good; i++) {
		char c = word->text[i];

		good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
	}
	return good;
}

static bool add(struct qy_scenario_reader *reader, enum qy_scenario_name_kind kind,
		const struct qy_scenario_word *word, size_t *ret_name)
{
	struct qy_scenario *scenario = reader->scenario;
	struct qy_scenario_name *name;

	if (scenario->n_names == QY_SCENARIO_NAMES_MAX) {
		return qy_scenario__fail(reader, word->at,
					 "the scenario has more than %d names; use one again",
					 QY_SCENARIO_NAMES_MAX);
	}
	name = &scenario->names[scenario->n_names];
	memcpy(name->text, word->text, word->n);
	name->kind = kind;
	reader->seen[reader->n_seen++] = scenario->n_names;
	*ret_name = scenario->n_names++;
	return true;
}

bool qy_scenario__declare(struct qy_scenario_reader *reader, enum qy_scenario_name_kind kind,
			  const struct qy_scenario_word *word, size_t *ret_name)
{
	const struct qy_scenario_name *name;
	size_t i;

	if (!is_name(word)) {
		return qy_scenario__fail(reader, word->at,
					 "\"%.*s\" is no name; a name is a small letter, then at "
					 "most %d of a to z, 0 to 9 and _",
					 word->n < 40 ? (int)word->n : 40, word->text,
					 QY_SCENARIO_NAME_SIZE - 2);
	}
	i = find(reader, word);
	if (i == reader->n_seen) {
		return add(reader, kind, word, ret_name);
	}
	name = &reader->scenario->names[reader->seen[i]];
	if (name->kind != kind || kind == QY_SCENARIO_KEY || kind == QY_SCENARIO_LOOP) {
		return qy_scenario__fail(reader, word->at,
					 "\"%s\" is %s already; choose another name", name->text,
					 kinds[name->kind]);
	}
	*ret_name = reader->seen[i];
	return true;
}

static bool no_such_name(struct qy_scenario_reader *reader, const struct qy_scenario_word *word,
			 bool key)
{
	const char *known[QY_SCENARIO_NAMES_MAX];
	size_t n = 0;

	for (size_t i = 0; i < reader->n_seen; i++) {
		const struct qy_scenario_name *name = &reader->scenario->names[reader->seen[i]];

		if (!key || name->kind == QY_SCENARIO_KEY) {
			known[n++] = name->text;
		}
	}
	if (n == 0) {
		return qy_scenario__fail(
		    reader, word->at,
		    key ? "\"%.*s\" is no key; make it first: key NAME scopes "
			  "quotes:read"
			: "\"%.*s\" has no value here; keep, count or for give "
			  "one",
		    word->n < 40 ? (int)word->n : 40, word->text);
	}
	return qy_scenario__unknown(reader, word, key ? "key" : "name that has a value here", known,
				    n);
}

bool qy_scenario__resolve(struct qy_scenario_reader *reader, const struct qy_scenario_word *word,
			  bool key, size_t *ret_name)
{
	size_t i;

	if (reader->code != QY_OK) {
		return false;
	}
	i = find(reader, word);
	if (i == reader->n_seen ||
	    (key && reader->scenario->names[reader->seen[i]].kind != QY_SCENARIO_KEY)) {
		return no_such_name(reader, word, key);
	}
	*ret_name = reader->seen[i];
	return true;
}

void qy_scenario__hide(struct qy_scenario_reader *reader, size_t n_seen)
{
	size_t kept = n_seen;

	for (size_t i = n_seen; i < reader->n_seen; i++) {
		if (reader->scenario->names[reader->seen[i]].kind == QY_SCENARIO_COUNTER) {
			reader->seen[kept++] = reader->seen[i];
		}
	}
	reader->n_seen = kept;
}
