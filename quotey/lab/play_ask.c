/* Requests: bytes out, an answer in or none within a minute, on the player's own connection. */
#include <stdio.h>
#include <string.h>

#include "quotey/lab/play_internal.h"

#define ANSWER_MAX (60 * QRT_SEC)
/* The longest text of a scenario, with the longest values in it. */
#define QUOTE_ID_SIZE 32
#define REQUEST_MAX ((size_t)8 << 20)

static const char address[] = "127.0.0.1";

/* --- what is sent --------------------------------------------------------------------------- */

static const struct qy_scenario_clause *find_body(const struct qy_scenario_step *step)
{
	const struct qy_scenario_clause *clause = step->clauses;

	while (clause && clause->kind != QY_SCENARIO_BODY) {
		clause = clause->next;
	}
	return clause;
}

static void put_headers(const struct qy_player *player, const struct qy_scenario_step *step,
			struct qy_buffer *out)
{
	if (step->has_name) {
		qy_buffer_text(out, "Authorization: Bearer ");
		qy_buffer_text(out, player->values[step->name]);
		qy_buffer_text(out, "\r\n");
	}
	for (const struct qy_scenario_clause *c = step->clauses; c; c = c->next) {
		if (c->kind == QY_SCENARIO_HEADER) {
			qy_buffer_text(out, c->header);
			qy_buffer_text(out, ": ");
			qy_player_expand(player, &c->text, out);
			qy_buffer_text(out, "\r\n");
		}
	}
}

static void make_request(const struct qy_player *player, const struct qy_scenario_step *step,
			 struct qy_buffer *out)
{
	const struct qy_scenario_clause *body = find_body(step);
	struct qy_buffer content;
	char length[48];

	qy_buffer_text(out, step->word);
	qy_buffer_text(out, " ");
	qy_player_expand(player, &step->text, out);
	qy_buffer_text(out, " HTTP/1.1\r\nHost: quotey.lab\r\n");
	put_headers(player, step, out);
	qy_buffer_init(&content, REQUEST_MAX);
	if (body) {
		qy_player_expand(player, &body->text, &content);
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", content.len);
		qy_buffer_text(out, length);
	}
	qy_buffer_text(out, "\r\n");
	if (content.len > 0) {
		qy_buffer_bytes(out, content.data, content.len);
	}
	out->err = out->err ? out->err : content.err;
	qy_buffer_fini(&content);
}

static void note(struct qy_player *player, const struct qy_scenario_step *step)
{
	struct qy_buffer path;

	if (step->kind == QY_SCENARIO_RAW) {
		qy_player_note(player, step, "raw");
		return;
	}
	qy_buffer_init(&path, REQUEST_MAX);
	qy_player_expand(player, &step->text, &path);
	qy_player_note(player, step, "%s %.400s", step->word, path.err ? "?" : path.data);
	qy_buffer_fini(&path);
}

/* --- the exchange --------------------------------------------------------------------------- */

struct exchange {
	struct qy_player *player;
	const struct qy_scenario_step *step;
	struct qrt_stream *stream; /* of this exchange; a raw one is alone */
	struct qy_buffer bytes;
	struct qy_lab_answer answer;
};

static enum qrt_err connect_to(struct qrt_cx *cx, struct exchange *exchange)
{
	struct qy_player *player = exchange->player;
	struct qrt_stream *stream;
	enum qrt_err err = qrt_connect(cx, address, player->stage->port, &stream);

	if (err) {
		return err;
	}
	/* It outlives the region of this exchange. */
	err = qrt_stream_give(cx, stream, player->home);
	if (err) {
		qrt_stream_close(cx, &stream);
		return err;
	}
	exchange->stream = stream;
	return QRT_OK;
}

/* A server may answer and close before it has everything: what it said is read all the same. */
static enum qrt_err exchange_bytes(struct qrt_cx *cx, struct exchange *exchange)
{
	bool is_head = exchange->step->word && strcmp(exchange->step->word, "HEAD") == 0;
	enum qrt_err err = exchange->stream ? QRT_OK : connect_to(cx, exchange);

	if (!err) {
		err = qrt_write(cx, exchange->stream, exchange->bytes.data, exchange->bytes.len);
	}
	if (err && (err != QRT_ECONNRESET || !exchange->stream)) {
		return err;
	}
	return qy_lab_answer_read(cx, exchange->stream, is_head, &exchange->answer);
}

/* With a minute for all of it; the errors of a lost connection come back as they are. */
static enum qrt_err exchange_in_time(struct qrt_cx *cx, struct exchange *exchange)
{
	const struct qrt_region_options opts = {
	    .name = "ask", .budget = {.deadline_ns = qrt_deadline_in(cx, ANSWER_MAX)}};
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open_with(cx, &opts, &region);

	if (err) {
		return err;
	}
	err = exchange_bytes(qrt_region_cx(region), exchange);
	return qrt_region_close(cx, &region, err);
}

/* Whether there was no answer because of the other side. */
static bool is_silence(enum qrt_err err)
{
	switch (err) {
	case QRT_ETIMEDOUT:
	case QRT_EEOF:
	case QRT_ECLOSED:
	case QRT_ECONNREFUSED:
	case QRT_ECONNRESET:
	case QRT_EMFILE:
	case QRT_EIO:
		return true;
	default:
		return false;
	}
}

/* The player's connection, unless what it leads to is about to go, or it is to be one alone. */
static void take_connection(struct qrt_cx *cx, struct exchange *exchange)
{
	struct qy_player *player = exchange->player;

	if (player->epoch != player->stage->epoch) {
		qrt_stream_close(cx, &player->stream);
	}
	if (exchange->step->kind != QY_SCENARIO_RAW) {
		exchange->stream = player->stream;
		player->stream = NULL;
	}
}

static void give_connection(struct qrt_cx *cx, struct exchange *exchange, uint64_t epoch,
			    bool usable)
{
	struct qy_player *player = exchange->player;

	if (usable && exchange->step->kind != QY_SCENARIO_RAW) {
		player->stream = exchange->stream;
		player->epoch = epoch;
	} else {
		qrt_stream_close(cx, &exchange->stream);
	}
}

/* --- what is noted -------------------------------------------------------------------------- */

static const char *const headers_that_matter[] = {"Content-Type",
						  "Location",
						  "ETag",
						  "Allow",
						  "WWW-Authenticate",
						  "Cache-Control",
						  "X-Content-Type-Options",
						  "X-Frame-Options",
						  "Content-Security-Policy",
						  "Referrer-Policy",
						  "Permissions-Policy",
						  "X-Correlation-Id"};

static void note_header(struct qy_player *player, const struct qy_lab_answer *answer,
			const char *name)
{
	size_t n = 0;
	const char *value = qy_lab_answer_header(answer, name, &n);
	char text[512];

	if (value) {
		snprintf(text, sizeof(text), "< %s: %.*s\n", name, n < 400 ? (int)n : 400, value);
		qy_transcript_masked(player->out, text);
	}
}

/* Of raw bytes the status only: who parses HTTP writes the page (promise "protocol-fault-body"). */
/* An answer 201 with the place of a quote. */
static void tell_made(const struct qy_player *player, const struct qy_lab_answer *answer)
{
	static const char before[] = "/api/v1/quotes/";
	const struct qy_play_setup *setup = player->stage->setup;
	char id[QUOTE_ID_SIZE];
	size_t n;
	const char *location = qy_lab_answer_header(answer, "Location", &n);

	if (setup->made == NULL || answer->status != 201 || location == NULL ||
	    n <= sizeof(before) - 1 || strncmp(location, before, sizeof(before) - 1) != 0) {
		return;
	}
	snprintf(id, sizeof(id), "%.*s", (int)(n - (sizeof(before) - 1)),
		 location + sizeof(before) - 1);
	setup->made(setup->arg, id);
}

static void note_answer(struct qy_player *player, const struct qy_scenario_step *step,
			const struct qy_lab_answer *answer)
{
	size_t n = 0;

	qy_transcript_add(player->out, "< %u\n", answer->status);
	if (step->kind == QY_SCENARIO_RAW) {
		return;
	}
	for (size_t i = 0; i < sizeof(headers_that_matter) / sizeof(headers_that_matter[0]); i++) {
		note_header(player, answer, headers_that_matter[i]);
	}
	/* How long to wait depends on the moment. */
	if (qy_lab_answer_header(answer, "Retry-After", &n)) {
		qy_transcript_add(player->out, "< Retry-After: #\n");
	}
	if (answer->body.len > 0) {
		qy_transcript_masked(player->out, answer->body.data);
		qy_transcript_add(player->out, "\n");
	}
	if (answer->n_behind > 0) {
		qy_player_fail(player, step->at, "%zu bytes came behind the answer",
			       answer->n_behind);
	}
}

static enum qrt_err note_silence(struct qrt_cx *cx, struct qy_player *player,
				 const struct qy_scenario_step *step, enum qrt_err err)
{
	char why[320];

	snprintf(why, sizeof(why), "%s%s%s", qrt_err_text(err), qrt_detail(cx)[0] ? ": " : "",
		 qrt_detail(cx));
	player->stage->result->unanswered++;
	qy_transcript_add(player->out, "< nothing\n");
	return qy_play_judge(player, step, NULL, why);
}

enum qrt_err qy_play_ask(struct qrt_cx *cx, struct qy_player *player,
			 const struct qy_scenario_step *step)
{
	struct exchange exchange = {.player = player, .step = step};
	uint64_t epoch;
	enum qrt_err err = qy_play_move_by_turns(cx, player);

	if (err) {
		return err;
	}
	qy_buffer_init(&exchange.bytes, REQUEST_MAX);
	if (step->kind == QY_SCENARIO_RAW) {
		qy_player_expand(player, &step->text, &exchange.bytes);
	} else {
		make_request(player, step, &exchange.bytes);
	}
	if (exchange.bytes.err) {
		err = qrt_fail(cx, exchange.bytes.err, "line %u: the request", step->at.line);
		qy_buffer_fini(&exchange.bytes);
		return err;
	}
	note(player, step);
	player->stage->result->requests++;
	epoch = player->stage->epoch;
	take_connection(cx, &exchange);
	err = exchange_in_time(cx, &exchange);
	qy_buffer_fini(&exchange.bytes);
	give_connection(cx, &exchange, epoch,
			!err && !exchange.answer.closes && exchange.answer.n_behind == 0);
	if (!err) {
		tell_made(player, &exchange.answer);
		note_answer(player, step, &exchange.answer);
		err = qy_play_judge(player, step, &exchange.answer, NULL);
		qy_lab_answer_fini(&exchange.answer);
		return err;
	}
	if (err == QRT_EPROTO || err == QRT_ELIMIT) {
		qy_player_fail(player, step->at, "no answer to read: %s", qrt_detail(cx));
		return QRT_OK;
	}
	/* Our own end is no silence of the server's. */
	return is_silence(err) && !qrt_checkpoint(cx) ? note_silence(cx, player, step, err) : err;
}
