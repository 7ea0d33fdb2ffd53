/*
 * A scenario back as a file: for people who want to see what was read, and for tools that drop a
 * statement and play the rest. Parsing what is written gives the same tree, but for the places.
 */
#include <stdio.h>
#include <string.h>

#include "quotey/db/apikey.h"
#include "quotey/lab/scenario_write.h"

enum { QUOTED_MAX = 8192, NUMBER_SIZE = 96 };

struct writer {
	const struct qy_scenario *scenario;
	struct qy_buffer *out;
	int depth;
	size_t line_at; /* where the line under way begins */
};

static void put(struct writer *writer, const char *text)
{
	qy_buffer_text(writer->out, text);
}

static void put_line(struct writer *writer, int further)
{
	for (int i = 0; i < writer->depth + further; i++) {
		put(writer, "  ");
	}
}

static void put_number(struct writer *writer, const char *format, unsigned number)
{
	char text[NUMBER_SIZE];

	snprintf(text, sizeof(text), format, number);
	put(writer, text);
}

/* --- texts ---------------------------------------------------------------------------------- */

static void put_escaped(struct writer *writer, char c, char next)
{
	char text[8];

	if (c == '"' || c == '\\') {
		snprintf(text, sizeof(text), "\\%c", c);
	} else if (c == '\n' || c == '\r' || c == '\t') {
		snprintf(text, sizeof(text), "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
	} else if ((unsigned char)c < ' ' || (unsigned char)c >= 0x7f) {
		snprintf(text, sizeof(text), "\\x%02x", (unsigned char)c);
	} else {
		snprintf(text, sizeof(text), c == '$' && next == '{' ? "$%c" : "%c", c);
	}
	put(writer, text);
}

static void put_quoted(struct writer *writer, const struct qy_scenario_piece *piece)
{
	put(writer, "\"");
	for (size_t i = 0; i < piece->n_bytes; i++) {
		if (i > 0 && i % QUOTED_MAX == 0 && piece->times == 1) {
			put(writer, "\"\n");
			writer->line_at = writer->out->len;
			put_line(writer, 2);
			put(writer, "\"");
		}
		put_escaped(writer, piece->bytes[i],
			    i + 1 < piece->n_bytes ? piece->bytes[i + 1] : '\0');
	}
	put(writer, "\"");
	if (piece->times != 1) {
		put_number(writer, "*%u", piece->times);
	}
}

/* Every piece is a text in quotes of its own; together they are one, on several lines if long. */
static void put_text(struct writer *writer, const struct qy_scenario_text *text)
{
	if (!text->first) {
		put(writer, " \"\"");
	}
	for (const struct qy_scenario_piece *piece = text->first; piece; piece = piece->next) {
		if (writer->out->len - writer->line_at > QUOTED_MAX && piece != text->first) {
			put(writer, "\n");
			writer->line_at = writer->out->len;
			put_line(writer, 1);
		}
		put(writer, " ");
		if (piece->bytes) {
			put_quoted(writer, piece);
		} else {
			put(writer, "\"${");
			put(writer, writer->scenario->names[piece->name].text);
			put(writer, "}\"");
		}
	}
}

/* The value of a header: to the end of the line, and so without quotes. */
static void put_plain(struct writer *writer, const struct qy_scenario_text *text)
{
	put(writer, " ");
	for (const struct qy_scenario_piece *piece = text->first; piece; piece = piece->next) {
		if (!piece->bytes) {
			put(writer, "${");
			put(writer, writer->scenario->names[piece->name].text);
			put(writer, "}");
			continue;
		}
		for (size_t i = 0; i < piece->n_bytes; i++) {
			bool opens = piece->bytes[i] == '$' && i + 1 < piece->n_bytes &&
				     piece->bytes[i + 1] == '{';

			put(writer, opens ? "$" : "");
			qy_buffer_bytes(writer->out, &piece->bytes[i], 1);
		}
	}
}

/* --- clauses -------------------------------------------------------------------------------- */

static void put_statuses(struct writer *writer, const struct qy_scenario_clause *clause)
{
	for (size_t i = 0; i < clause->n_status; i++) {
		put_number(writer, i == 0 ? " %u" : " or %u", clause->status[i]);
	}
	if (clause->or_nothing) {
		put(writer, clause->n_status ? " or nothing" : " nothing");
	}
}

static void put_how(struct writer *writer, const struct qy_scenario_clause *clause)
{
	static const char *const words[] = {" is", " has", " lacks", " absent"};

	put(writer, words[clause->how]);
	if (clause->how != QY_SCENARIO_ABSENT) {
		put_text(writer, &clause->text);
	}
}

static void put_keep(struct writer *writer, const struct qy_scenario_clause *clause)
{
	put(writer, "keep ");
	put(writer, writer->scenario->names[clause->name].text);
	put(writer, clause->header ? " from header " : " from body");
	put(writer, clause->header ? clause->header : "");
	if (clause->has_after) {
		put(writer, " after");
		put_text(writer, &clause->text);
	}
	if (clause->has_before) {
		put(writer, " before");
		put_text(writer, &clause->before);
	}
}

static void put_clause(struct writer *writer, const struct qy_scenario_clause *clause)
{
	writer->line_at = writer->out->len;
	put_line(writer, 1);
	switch (clause->kind) {
	case QY_SCENARIO_HEADER:
		put(writer, "header ");
		put(writer, clause->header);
		put(writer, ":");
		put_plain(writer, &clause->text);
		break;
	case QY_SCENARIO_BODY:
		put(writer, "body");
		put_text(writer, &clause->text);
		break;
	case QY_SCENARIO_EXPECT_STATUS:
		put(writer, "expect");
		put_statuses(writer, clause);
		break;
	case QY_SCENARIO_EXPECT_HEADER:
		put(writer, "expect header ");
		put(writer, clause->header);
		put_how(writer, clause);
		break;
	case QY_SCENARIO_EXPECT_BODY:
		put(writer, "expect body");
		put_how(writer, clause);
		break;
	case QY_SCENARIO_KEEP:
		put_keep(writer, clause);
		break;
	case QY_SCENARIO_COUNT:
		put(writer, "count ");
		put(writer, writer->scenario->names[clause->name].text);
		put(writer, " when");
		put_statuses(writer, clause);
		break;
	}
	put(writer, "\n");
}

/* --- statements ----------------------------------------------------------------------------- */

static void put_key(struct writer *writer, const struct qy_scenario_step *step)
{
	const char *comma = " ";

	put(writer, "key ");
	put(writer, writer->scenario->names[step->name].text);
	put(writer, " scopes");
	for (int i = 0; i < QY_SCOPE_INDEX_COUNT; i++) {
		if (step->scopes & 1u << i) {
			put(writer, comma);
			put(writer, qy_scope_name((enum qy_scope)(1u << i)));
			comma = ",";
		}
	}
	put_number(writer, " rate %u", step->rate);
}

static void put_request(struct writer *writer, const struct qy_scenario_step *step)
{
	put(writer, step->word);
	put_text(writer, &step->text);
	if (step->has_name) {
		put(writer, " as ");
		put(writer, writer->scenario->names[step->name].text);
	}
}

/* The largest unit that leaves no rest. */
static void put_time(struct writer *writer, int64_t ns)
{
	static const struct {
		const char *format;
		int64_t ns;
	} units[] = {{" %umin", INT64_C(60000000000)},
		     {" %us", INT64_C(1000000000)},
		     {" %ums", INT64_C(1000000)},
		     {" %uus", INT64_C(1000)},
		     {" %uns", INT64_C(1)}};
	size_t i = 0;

	while (ns % units[i].ns != 0) {
		i++;
	}
	put_number(writer, units[i].format, (unsigned)(ns / units[i].ns));
}

static void put_sql(struct writer *writer, const struct qy_scenario_step *step)
{
	put(writer, "sql");
	put_text(writer, &step->text);
	put(writer, step->how == QY_SCENARIO_IS		? " is"
		    : step->how == QY_SCENARIO_AT_LEAST ? " at least"
							: " at most");
	if (step->is_nothing) {
		put(writer, " nothing");
	} else {
		put_text(writer, &step->value);
	}
}

static void put_move(struct writer *writer, const struct qy_scenario_step *step)
{
	put(writer, step->kind == QY_SCENARIO_MOVE ? "move " : "rollback ");
	put(writer, step->word);
	if (step->kind == QY_SCENARIO_MOVE) {
		put(writer, " ");
		put(writer, step->place);
	}
}

static void put_loop(struct writer *writer, const struct qy_scenario_step *step)
{
	put(writer, "for ");
	put(writer, writer->scenario->names[step->name].text);
	put_number(writer, " in %u..", step->from);
	put_number(writer, "%u", step->to);
}

static void put_slack_words(struct writer *writer, const struct qy_scenario_slack *slack)
{
	static const char *const words[QY_SCENARIO_SLACK_KINDS] = {
	    [QY_SCENARIO_SLACK_HELLO] = "hello",
	    [QY_SCENARIO_SLACK_GREETS] = "greets",
	    [QY_SCENARIO_SLACK_SEND] = "send",
	    [QY_SCENARIO_SLACK_DISCONNECT] = "disconnect ",
	    [QY_SCENARIO_SLACK_CLOSE] = "close",
	    [QY_SCENARIO_SLACK_DROP] = "drop",
	    [QY_SCENARIO_SLACK_DEAF] = "deaf",
	    [QY_SCENARIO_SLACK_SILENT] = "silent",
	    [QY_SCENARIO_SLACK_AWAKE] = "awake",
	    [QY_SCENARIO_SLACK_REFUSE] = "refuse open ",
	    [QY_SCENARIO_SLACK_ALLOW] = "allow open",
	    [QY_SCENARIO_SLACK_EXPECT_ACK] = "expect ack",
	    [QY_SCENARIO_SLACK_EXPECT_NO_ACK] = "expect no ack",
	    [QY_SCENARIO_SLACK_EXPECT_STATE] = "expect state ",
	    [QY_SCENARIO_SLACK_EXPECT_OPENS] = "expect opens",
	    [QY_SCENARIO_SLACK_EXPECT_CONNECTIONS] = "expect connections",
	    [QY_SCENARIO_SLACK_EXPECT_AT_MOST] = "expect connections at most",
	    [QY_SCENARIO_SLACK_EXPECT_CLOSE] = "expect close",
	};

	put(writer, "slack ");
	put(writer, words[slack->kind]);
	put(writer, slack->word ? slack->word : "");
}

static void put_slack(struct writer *writer, const struct qy_scenario_step *step)
{
	const struct qy_scenario_slack *slack = &step->slack;
	bool send = slack->kind == QY_SCENARIO_SLACK_SEND;
	bool ack = slack->kind == QY_SCENARIO_SLACK_EXPECT_ACK;
	bool times = ack || slack->kind == QY_SCENARIO_SLACK_REFUSE;

	put_slack_words(writer, slack);
	if (send && slack->connection > 0) {
		put_number(writer, " on %u", slack->connection);
	}
	if (send || ack || slack->kind == QY_SCENARIO_SLACK_EXPECT_NO_ACK) {
		put_text(writer, &step->text);
	}
	if (slack->kind == QY_SCENARIO_SLACK_REFUSE && slack->ns > 0) {
		put(writer, " after");
		put_time(writer, slack->ns);
	}
	/* None is a number that can be expected; nothing happens none times. */
	if (times ? slack->number > 0
		  : slack->number > 0 || slack->kind == QY_SCENARIO_SLACK_EXPECT_OPENS ||
			slack->kind == QY_SCENARIO_SLACK_EXPECT_CONNECTIONS ||
			slack->kind == QY_SCENARIO_SLACK_EXPECT_AT_MOST) {
		put_number(writer, times ? " %u times" : " %u", slack->number);
	}
	if (!send && slack->connection > 0) {
		put_number(writer, " on %u", slack->connection);
	}
	if (slack->kind != QY_SCENARIO_SLACK_REFUSE && slack->ns > 0) {
		put(writer, " within");
		put_time(writer, slack->ns);
	}
}

static void put_statement(struct writer *writer, const struct qy_scenario_step *step)
{
	switch (step->kind) {
	case QY_SCENARIO_MAKE_KEY:
		put_key(writer, step);
		break;
	case QY_SCENARIO_REQUEST:
		put_request(writer, step);
		break;
	case QY_SCENARIO_RAW:
		put(writer, "raw");
		put_text(writer, &step->text);
		break;
	case QY_SCENARIO_MOVE:
	case QY_SCENARIO_ROLLBACK:
		put_move(writer, step);
		break;
	case QY_SCENARIO_WAIT:
		put(writer, "wait");
		put_time(writer, step->ns);
		break;
	case QY_SCENARIO_FAULT:
		put(writer, "fault ");
		put(writer, step->fault.words);
		break;
	case QY_SCENARIO_SLACK:
		put_slack(writer, step);
		break;
	case QY_SCENARIO_REPEAT:
		put_number(writer, "repeat %u", step->to);
		break;
	case QY_SCENARIO_FOR:
		put_loop(writer, step);
		break;
	case QY_SCENARIO_BRANCH:
		put_number(writer, "branch %u", step->to);
		break;
	case QY_SCENARIO_SQL:
		put_sql(writer, step);
		break;
	default:
		put(writer, step->kind == QY_SCENARIO_SEED    ? "seed demo"
			    : step->kind == QY_SCENARIO_HEAL  ? "heal"
			    : step->kind == QY_SCENARIO_CRASH ? "crash"
			    : step->kind == QY_SCENARIO_CHECK ? "check database"
							      : "together");
		break;
	}
	put(writer, "\n");
}

/* At most QY_SCENARIO_NESTING_MAX deep, as the parser has seen to. */
static void put_steps(struct writer *writer, const struct qy_scenario_step *step)
{
	for (; step; step = step->next) {
		writer->line_at = writer->out->len;
		put_line(writer, 0);
		put_statement(writer, step);
		for (const struct qy_scenario_clause *c = step->clauses; c; c = c->next) {
			put_clause(writer, c);
		}
		if (step->first) {
			writer->depth++;
			put_steps(writer, step->first);
			writer->depth--;
		}
		/* The end of together closes the last branch, too. */
		if (step->first && step->kind != QY_SCENARIO_BRANCH) {
			put_line(writer, 0);
			put(writer, "end\n");
		}
	}
}

void qy_scenario_write(const struct qy_scenario *scenario, struct qy_buffer *out)
{
	struct writer writer = {.scenario = scenario, .out = out};

	if (scenario->title[0] != '\0') {
		put(&writer, "title ");
		put(&writer, scenario->title);
		put(&writer, "\n");
	}
	if (scenario->only_lab) {
		put(&writer, "only lab\n");
	}
	if (scenario->server) {
		put(&writer, "place server=");
		put(&writer, scenario->server);
		put(&writer, " db=");
		put(&writer, scenario->db);
		put(&writer, scenario->slack ? " slack=" : "");
		put(&writer, scenario->slack ? scenario->slack : "");
		put(&writer, "\n");
	}
	put_steps(&writer, scenario->first);
}
