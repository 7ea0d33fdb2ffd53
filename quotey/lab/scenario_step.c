/* The statements of a scenario, each read from its line. */
#include <string.h>

#include "quotey/db/apikey.h"
#include "quotey/lab/scenario_internal.h"

enum { RATE_MAX = 1000000, RATE_DEFAULT = 10000, LOOP_MAX = 100000000 };

static const char *const components[] = {"server", "db", "slack"};

enum { SERVER, DB, SLACK, N_COMPONENTS };
static const char *const places[] = {"legacy", "region"};

/* --- before everything that is played ------------------------------------------------------- */

static bool read_title(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_word word;

	if (reader->scenario->title || reader->placed_late || reader->scenario->server ||
	    reader->scenario->only_lab) {
		return qy_scenario__fail(reader, at, "the title stands once, before all else");
	}
	qy_scenario__rest(reader, &word);
	if (word.n == 0) {
		return qy_scenario__fail(reader, word.at, "here belongs the title, one sentence");
	}
	reader->scenario->title = qy_scenario__copy(reader, word.text, word.n);
	return reader->scenario->title != NULL;
}

/* only lab */
static bool read_only(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	if (reader->scenario->only_lab || reader->placed_late || reader->scenario->server) {
		return qy_scenario__fail(reader, at,
					 "only lab stands once, before all but the title");
	}
	reader->scenario->only_lab = true;
	return qy_scenario__must(reader, "lab",
				 "lab: in real time it would take too long, or "
				 "nothing would go wrong") &&
	       qy_scenario__end(reader);
}

/* One of server=PLACE, db=PLACE and slack=PLACE. */
static bool read_assignment(struct qy_scenario_reader *reader)
{
	struct qy_scenario *scenario = reader->scenario;
	const char **into[N_COMPONENTS] = {&scenario->server, &scenario->db, &scenario->slack};
	struct qy_scenario_word word, name;
	const char *equals;
	size_t which = 0, place = 0;

	if (!qy_scenario__word(reader, "server=PLACE db=PLACE", &word)) {
		return false;
	}
	equals = memchr(word.text, '=', word.n);
	if (!equals) {
		return qy_scenario__fail(reader, word.at, "a place is written as server=legacy");
	}
	name = word;
	name.n = (size_t)(equals - word.text);
	reader->at = word.text;
	/* The two words of "server=legacy", each checked where it stands. */
	while (which < N_COMPONENTS && !qy_scenario__word_is(&name, components[which])) {
		which++;
	}
	if (which == N_COMPONENTS) {
		return qy_scenario__unknown(reader, &name, "component", components, N_COMPONENTS);
	}
	reader->at = equals + 1;
	if (!qy_scenario__choice(reader, "place", places, 2, &place)) {
		return false;
	}
	if (*into[which] != NULL) {
		return qy_scenario__fail(reader, word.at, "%s has its place already",
					 components[which]);
	}
	*into[which] = places[place];
	scenario->has_slack |= which == SLACK;
	return true;
}

static bool read_place(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	if (reader->scenario->server || reader->scenario->db || reader->placed_late) {
		return qy_scenario__fail(reader, at, "place stands once, before all but the title");
	}
	if (!read_assignment(reader) || !read_assignment(reader) ||
	    (qy_scenario__more(reader) && !read_assignment(reader))) {
		return false;
	}
	/* A third one is slack's, and two are those of the others. */
	if (!reader->scenario->server || !reader->scenario->db) {
		return qy_scenario__fail(reader, at,
					 "place says where server and db start; slack=PLACE may "
					 "follow");
	}
	return qy_scenario__end(reader);
}

static bool read_seed(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	if (reader->started) {
		return qy_scenario__fail(reader, at,
					 "seed stands before the first request: Quotey opens "
					 "when the database is filled");
	}
	return qy_scenario__must(reader, "demo", "demo: the catalogue and quotes of the demo") &&
	       qy_scenario__end(reader) && qy_scenario__add(reader, QY_SCENARIO_SEED, at);
}

static bool read_scopes(struct qy_scenario_reader *reader, uint32_t *ret_scopes)
{
	struct qy_scenario_word word;
	const char *text;

	if (!qy_scenario__word(reader, "scopes: quotes:read,quotes:write", &word)) {
		return false;
	}
	text = qy_scenario__copy(reader, word.text, word.n);
	if (!text) {
		return false;
	}
	return qy_scopes_parse(text, ret_scopes) == QY_OK ||
	       qy_scenario__fail(reader, word.at,
				 "\"%.80s\" are no scopes; write some of quotes:read, "
				 "quotes:write, quotes:override, quotes:approve, quotes:send, "
				 "catalog:read, portal:manage, audit:read, admin, with commas",
				 text);
}

/* key NAME scopes A,B [rate N] */
static bool read_key(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_word name, word;
	struct qy_scenario_step *step;

	if (reader->started) {
		return qy_scenario__fail(reader, at, "key stands before the first request");
	}
	step = qy_scenario__add(reader, QY_SCENARIO_MAKE_KEY, at);
	if (!step || !qy_scenario__word(reader, "a name", &name) ||
	    !qy_scenario__declare(reader, QY_SCENARIO_KEY, &name, &step->name) ||
	    !qy_scenario__must(reader, "scopes", "scopes A,B") ||
	    !read_scopes(reader, &step->scopes)) {
		return false;
	}
	step->rate = RATE_DEFAULT;
	if (qy_scenario__take(reader, "rate") &&
	    (!qy_scenario__word(reader, "requests a minute", &word) ||
	     !qy_scenario__number(reader, &word, "rate", 1, RATE_MAX, &step->rate))) {
		return false;
	}
	return qy_scenario__end(reader);
}

/* --- what is played ------------------------------------------------------------------------- */

/* METHOD PATH [as KEY] */
bool qy_scenario__request(struct qy_scenario_reader *reader, const struct qy_scenario_word *method)
{
	struct qy_scenario_step *step = qy_scenario__add(reader, QY_SCENARIO_REQUEST, method->at);
	struct qy_scenario_word word;

	if (!step || !qy_scenario__text(reader, "a path: /api/v1/quotes", &step->text)) {
		return false;
	}
	step->word = qy_scenario__copy(reader, method->text, method->n);
	step->has_name = qy_scenario__take(reader, "as");
	if (step->has_name &&
	    (!qy_scenario__word(reader, "the name of a key", &word) ||
	     !qy_scenario__resolve(reader, &word, /* key= */ true, &step->name))) {
		return false;
	}
	reader->request = step;
	reader->clause_tail = &step->clauses;
	return qy_scenario__end(reader);
}

/* raw "TEXT"... | raw <<END, whose lines end in CR LF */
static bool read_raw(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_step *step = qy_scenario__add(reader, QY_SCENARIO_RAW, at);

	if (!step ||
	    !qy_scenario__long_text(reader, "bytes: \"GET / HTTP/1.1\\r\\n\\r\\n\"", "\r\n",
				    /* ends_last= */ true, &step->text)) {
		return false;
	}
	reader->request = step;
	reader->clause_tail = &step->clauses;
	return qy_scenario__end(reader);
}

static bool read_component(struct qy_scenario_reader *reader, struct qy_scenario_step *step)
{
	size_t which = 0;

	if (!step) {
		return false;
	}
	if (!reader->scenario->server) {
		return qy_scenario__fail(reader, step->at,
					 "who moves must say where it starts; write place "
					 "server=legacy db=legacy above");
	}
	if (!qy_scenario__choice(reader, "component", components, N_COMPONENTS, &which)) {
		return false;
	}
	if (which == SLACK && !reader->scenario->slack) {
		return qy_scenario__fail(reader, step->at,
					 "slack has no place to move from; write slack=legacy "
					 "behind place above");
	}
	reader->scenario->moves = true;
	step->word = components[which];
	return true;
}

/* move COMPONENT PLACE */
static bool read_move(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_step *step = qy_scenario__add(reader, QY_SCENARIO_MOVE, at);
	size_t place = 0;

	if (!read_component(reader, step) ||
	    !qy_scenario__choice(reader, "place", places, 2, &place)) {
		return false;
	}
	step->place = places[place];
	return qy_scenario__end(reader);
}

static bool read_rollback(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	return read_component(reader, qy_scenario__add(reader, QY_SCENARIO_ROLLBACK, at)) &&
	       qy_scenario__end(reader);
}

static bool read_wait(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_step *step = qy_scenario__add(reader, QY_SCENARIO_WAIT, at);
	int64_t max = 0;

	return step && qy_scenario__duration(reader, /* range= */ false, &step->ns, &max) &&
	       qy_scenario__end(reader);
}

static bool read_fault(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_step *step = qy_scenario__add(reader, QY_SCENARIO_FAULT, at);

	reader->scenario->needs_lab = true;
	return step && qy_scenario__fault(reader, &step->fault) && qy_scenario__end(reader);
}

static bool read_heal(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	return qy_scenario__add(reader, QY_SCENARIO_HEAL, at) && qy_scenario__end(reader);
}

static bool read_crash(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	reader->scenario->needs_lab = true;
	return qy_scenario__add(reader, QY_SCENARIO_CRASH, at) && qy_scenario__end(reader);
}

/* sql "QUERY" is VALUE | is nothing | at least N | at most N */
static bool read_sql(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_step *step = qy_scenario__add(reader, QY_SCENARIO_SQL, at);

	return step &&
	       qy_scenario__long_text(reader, "a query: \"SELECT count(*) FROM quote\"", "\n",
				      /* ends_last= */ true, &step->text) &&
	       qy_scenario__comparison(reader, step) && qy_scenario__end(reader);
}

static bool read_check(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	return qy_scenario__must(reader, "database", "database") && qy_scenario__end(reader) &&
	       qy_scenario__add(reader, QY_SCENARIO_CHECK, at);
}

/* --- blocks --------------------------------------------------------------------------------- */

static bool read_repeat(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_step *step = qy_scenario__add(reader, QY_SCENARIO_REPEAT, at);
	struct qy_scenario_word word;

	if (!step || !qy_scenario__word(reader, "how often: 200", &word) ||
	    !qy_scenario__number(reader, &word, "number of times", 1, QY_SCENARIO_REPEAT_MAX,
				 &step->to)) {
		return false;
	}
	step->from = 1;
	return qy_scenario__end(reader) && qy_scenario__open(reader, step);
}

/* for NAME in A..B */
static bool read_for(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_step *step = qy_scenario__add(reader, QY_SCENARIO_FOR, at);
	struct qy_scenario_word name, range, first, last;
	const char *dots;

	if (!step || !qy_scenario__word(reader, "a name", &name) ||
	    !qy_scenario__must(reader, "in", "in FROM..TO") ||
	    !qy_scenario__word(reader, "FROM..TO: 1..20", &range)) {
		return false;
	}
	dots = memchr(range.text, '.', range.n);
	if (!dots || (size_t)(dots - range.text) + 2 >= range.n || dots[1] != '.') {
		return qy_scenario__fail(reader, range.at, "a range is written as FROM..TO: 1..20");
	}
	first = last = range;
	first.n = (size_t)(dots - range.text);
	last.text = dots + 2;
	last.n = range.n - first.n - 2;
	last.at.column += (unsigned)first.n + 2;
	if (!qy_scenario__number(reader, &first, "number", 0, LOOP_MAX, &step->from) ||
	    !qy_scenario__number(reader, &last, "last number", step->from,
				 step->from + QY_SCENARIO_REPEAT_MAX - 1, &step->to)) {
		return false;
	}
	return qy_scenario__end(reader) && qy_scenario__open(reader, step) &&
	       qy_scenario__declare(reader, QY_SCENARIO_LOOP, &name, &step->name);
}

static bool read_together(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_step *step;

	for (size_t i = 1; i < reader->n_blocks; i++) {
		if (reader->blocks[i].step->kind == QY_SCENARIO_TOGETHER) {
			return qy_scenario__fail(reader, at,
						 "a branch cannot divide again; put its parts "
						 "beside it, each a branch of its own");
		}
	}
	reader->scenario->together = true;
	step = qy_scenario__add(reader, QY_SCENARIO_TOGETHER, at);
	return step && qy_scenario__end(reader) && qy_scenario__open(reader, step);
}

/* branch [N]: so many of it */
static bool read_branch(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_step *block = qy_scenario__block(reader)->step;
	struct qy_scenario_step *step;
	struct qy_scenario_word word;

	if (block && block->kind == QY_SCENARIO_BRANCH) {
		if (!qy_scenario__close(reader, at)) {
			return false;
		}
		block = qy_scenario__block(reader)->step;
	}
	if (!block || block->kind != QY_SCENARIO_TOGETHER) {
		return qy_scenario__fail(reader, at,
					 "branch belongs into together; a block in between must "
					 "end first");
	}
	step = qy_scenario__add(reader, QY_SCENARIO_BRANCH, at);
	if (!step) {
		return false;
	}
	step->from = step->to = 1;
	if (qy_scenario__more(reader) &&
	    (!qy_scenario__word(reader, "how many", &word) ||
	     !qy_scenario__number(reader, &word, "number of branches", 1, QY_SCENARIO_BRANCHES_MAX,
				  &step->to))) {
		return false;
	}
	return qy_scenario__end(reader) && qy_scenario__open(reader, step);
}

static bool read_end(struct qy_scenario_reader *reader, struct qy_scenario_at at)
{
	struct qy_scenario_step *block = qy_scenario__block(reader)->step;

	/* One end closes the last branch and what it stands in. */
	if (block && block->kind == QY_SCENARIO_BRANCH && !qy_scenario__close(reader, at)) {
		return false;
	}
	return qy_scenario__close(reader, at) && qy_scenario__end(reader);
}

const struct qy_scenario_word_step qy_scenario__steps[] = {
    {"title", read_title},
    {"place", read_place},
    {"seed", read_seed},
    {"key", read_key},
    {"raw", read_raw},
    {"move", read_move},
    {"rollback", read_rollback},
    {"wait", read_wait},
    {"fault", read_fault},
    {"heal", read_heal},
    {"crash", read_crash},
    {"repeat", read_repeat},
    {"for", read_for},
    {"together", read_together},
    {"branch", read_branch},
    {"end", read_end},
    {"sql", read_sql},
    {"check", read_check},
    {"slack", qy_scenario__slack},
    {"only", read_only},
};
const size_t qy_scenario__n_steps = sizeof(qy_scenario__steps) / sizeof(qy_scenario__steps[0]);
