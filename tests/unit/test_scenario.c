/*
 * Unit test of the scenario language: what a file becomes, and what every mistake is answered with,
 * to the letter and to the column. Plays nothing.
 */
#include "tests/lib/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/db/apikey.h"
#include "quotey/lab/scenario.h"
#include "quotey/lab/scenario_write.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define KEY "key writer scopes quotes:read,quotes:write\n"
#define PLACE "place server=legacy db=legacy\n"
#define TEN(s) s s s s s s s s s s

static struct qy_scenario *parse_bytes(const char *bytes, size_t n)
{
	struct qy_scenario *scenario = NULL;
	struct qy_scenario_error error = {{0, 0}, ""};
	enum qy_code code = qy_scenario_parse("t.scn", bytes, n, &scenario, &error);

	if (code != QY_OK) {
		fail_msg("%s: %s\n%.*s", qy_code_name(code), error.message, (int)n, bytes);
	}
	return scenario;
}

static struct qy_scenario *parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

/* The whole message but for the name of the file. */
static void refuse_bytes(const char *bytes, size_t n, const char *message)
{
	struct qy_scenario *scenario = NULL;
	struct qy_scenario_error error = {{0, 0}, ""};
	enum qy_code code = qy_scenario_parse("t.scn", bytes, n, &scenario, &error);

	if (code == QY_OK) {
		qy_scenario_destroy(&scenario);
		fail_msg("was taken: %.*s", (int)n, bytes);
	}
	assert_int_equal(code, QY_INVALID_FIELD);
	assert_null(scenario);
	assert_memory_equal(error.message, "t.scn:", 6);
	assert_string_equal(error.message + 6, message);
}

static void refuse(const char *text, const char *message)
{
	refuse_bytes(text, strlen(text), message);
}

/* --- what a file becomes -------------------------------------------------------------------- */

static const char whole[] = "# A scenario with everything in it.\n"
			    "title  Pricing while the server moves # not a comment\t\n"
			    "place db=legacy server=region   # a comment\n"
			    "\n"
			    "seed demo\n"
			    "key writer scopes quotes:read,quotes:write rate 12\n"
			    "key reader scopes quotes:read\n"
			    "POST /api/v1/quotes as writer\n"
			    "  header Content-Type: application/json # none either\n"
			    "  body {\"price\": \"$5\", \"who\": \"$${x}\"}\n"
			    "  expect 201 or 409 or nothing\n"
			    "  expect header Location has /api/v1/quotes/Q-\n"
			    "  expect header Retry-After absent\n"
			    "  expect body lacks \"a \\\"quoted\\\" text\\x00\"\n"
			    "  keep id from header Location after /quotes/\n"
			    "  keep total from body after \"total\\\":\\\"\" before \"\\\"\"\n"
			    "  count acked when 201 or 200\n"
			    "GET \"/api/v1/quotes/\" \"${id}\" as reader\n"
			    "  expect body is <<no\n"
			    "raw \"GET /\" \"a\"*9000\n"
			    "    \" HTTP/1.1\\r\\n\"\n"
			    "    \"\\r\\n\"\n"
			    "  expect 414\n"
			    "raw <<END\n"
			    "  GET / HTTP/1.1\n"
			    "    Host: ${id}\n"
			    "\n"
			    "  END\n"
			    "move server legacy\n"
			    "rollback server\n"
			    "wait 1500ms\n"
			    "fault reset 0.5%\n"
			    "fault latency 1ms..50ms\n"
			    "fault disk slow-fsync 200ms\n"
			    "fault disk io-error 100%\n"
			    "fault fds 3\n"
			    "fault partition\n"
			    "fault disk full\n"
			    "heal\n"
			    "crash\n"
			    "for n in 0..20\n"
			    "  repeat 3\n"
			    "    POST /api/v1/quotes/${id}/price\n"
			    "      body <<X\n"
			    "      {\"n\":\n"
			    "        ${n}}\n"
			    "      X\n"
			    "      keep last from body\n"
			    "  end\n"
			    "end\n"
			    "together\n"
			    "  branch 20\n"
			    "    GET /${last} as writer\n"
			    "      count seen when 200\n"
			    "  branch\n"
			    "    move db region\n"
			    "end\n"
			    "sql \"SELECT count(*) FROM quote\" at least ${seen}\n"
			    "sql \"SELECT max(id)\"\n"
			    "    \" FROM quote\" is \"Q-1\"\n"
			    "sql \"SELECT 1\" is nothing\n"
			    "check database\n";

static const struct qy_scenario_step *nth(const struct qy_scenario_step *step, size_t n)
{
	while (n-- > 0) {
		step = step->next;
	}
	return step;
}

static void a_file_becomes_its_tree(void **state)
{
	struct qy_scenario *s = parse(whole);
	const struct qy_scenario_step *post = nth(s->first, 3);
	const struct qy_scenario_clause *c = post->clauses;

	(void)state;
	assert_string_equal(s->title, "Pricing while the server moves # not a comment");
	assert_string_equal(s->server, "region");
	assert_string_equal(s->db, "legacy");
	assert_true(s->moves && s->together && s->needs_lab);
	assert_int_equal(s->n_names, 8);
	assert_int_equal(s->first->next->rate, 12);
	assert_int_equal(s->first->next->scopes, QY_SCOPE_QUOTES_READ | QY_SCOPE_QUOTES_WRITE);
	assert_int_equal(post->kind, QY_SCENARIO_REQUEST);
	assert_string_equal(post->word, "POST");
	assert_int_equal(post->at.line, 8);
	assert_int_equal(post->at.column, 1);
	assert_int_equal(c->kind, QY_SCENARIO_HEADER);
	assert_int_equal(c->at.column, 3);
	assert_int_equal(c->next->kind, QY_SCENARIO_BODY);
	assert_int_equal(c->next->text.first->n_bytes, 24);
	assert_memory_equal(c->next->text.first->bytes, "{\"price\": \"$5\", \"who\": \"", 24);
	assert_memory_equal(c->next->text.first->next->bytes, "${x}\"}", 6);
	c = c->next->next;
	assert_int_equal(c->n_status, 2);
	assert_int_equal(c->status[1], 409);
	assert_true(c->or_nothing);
	assert_int_equal(c->next->how, QY_SCENARIO_HAS);
	assert_int_equal(c->next->next->how, QY_SCENARIO_ABSENT);
	c = c->next->next->next;
	assert_int_equal(c->text.first->n_bytes, 16);
	assert_memory_equal(c->text.first->bytes, "a \"quoted\" text", 16);
	qy_scenario_destroy(&s);
	assert_null(s);
	qy_scenario_destroy(&s);
}

static void raw_texts_are_bytes(void **state)
{
	struct qy_scenario *s = parse(whole);
	const struct qy_scenario_step *raw = nth(s->first, 5);
	const struct qy_scenario_piece *piece = raw->text.first;

	(void)state;
	assert_int_equal(raw->kind, QY_SCENARIO_RAW);
	assert_int_equal(piece->next->times, 9000);
	assert_int_equal(piece->next->n_bytes, 1);
	assert_memory_equal(piece->next->next->next->bytes, "\r\n", 2);
	/* The lines of a block end in CR LF, and the indentation of its end is taken off. */
	piece = raw->next->text.first;
	assert_memory_equal(piece->bytes, "GET / HTTP/1.1", 14);
	assert_memory_equal(piece->next->bytes, "\r\n", 2);
	assert_memory_equal(piece->next->next->bytes, "  Host: ", 8);
	assert_null(piece->next->next->next->bytes);
	assert_string_equal(s->names[piece->next->next->next->name].text, "id");
	qy_scenario_destroy(&s);
}

static void faults_and_times_are_numbers(void **state)
{
	struct qy_scenario *s = parse(whole);
	const struct qy_scenario_step *wait = nth(s->first, 9);

	(void)state;
	assert_int_equal(wait->ns, INT64_C(1500000000));
	assert_int_equal(nth(wait, 1)->fault.per_thousand, 5);
	assert_int_equal(nth(wait, 2)->fault.kind, QY_SCENARIO_FAULT_LATENCY);
	assert_int_equal(nth(wait, 2)->fault.min_ns, 1000000);
	assert_int_equal(nth(wait, 2)->fault.max_ns, 50000000);
	assert_int_equal(nth(wait, 3)->fault.kind, QY_SCENARIO_FAULT_DISK_SLOW_FSYNC);
	assert_int_equal(nth(wait, 3)->fault.min_ns, 200000000);
	assert_int_equal(nth(wait, 3)->fault.max_ns, 200000000);
	assert_int_equal(nth(wait, 4)->fault.kind, QY_SCENARIO_FAULT_DISK_IO_ERROR);
	assert_int_equal(nth(wait, 4)->fault.per_thousand, 1000);
	assert_string_equal(nth(wait, 4)->fault.words, "disk io-error 100%");
	assert_int_equal(nth(wait, 5)->fault.kind, QY_SCENARIO_FAULT_FDS);
	assert_int_equal(nth(wait, 6)->fault.kind, QY_SCENARIO_FAULT_PARTITION);
	assert_int_equal(nth(wait, 7)->fault.kind, QY_SCENARIO_FAULT_DISK_FULL);
	qy_scenario_destroy(&s);
}

static void blocks_hold_their_statements(void **state)
{
	struct qy_scenario *s = parse(whole);
	const struct qy_scenario_step *loop = nth(s->first, 19);
	const struct qy_scenario_step *together = loop->next;

	(void)state;
	assert_int_equal(loop->kind, QY_SCENARIO_FOR);
	assert_int_equal(loop->to, 20);
	assert_int_equal(loop->first->kind, QY_SCENARIO_REPEAT);
	assert_int_equal(loop->first->to, 3);
	assert_int_equal(loop->first->first->kind, QY_SCENARIO_REQUEST);
	assert_memory_equal(loop->first->first->clauses->text.first->bytes, "{\"n\":", 5);
	assert_int_equal(together->kind, QY_SCENARIO_TOGETHER);
	assert_int_equal(together->first->to, 20);
	assert_int_equal(together->first->next->to, 1);
	assert_null(together->first->next->next);
	assert_int_equal(together->first->next->first->kind, QY_SCENARIO_MOVE);
	assert_int_equal(together->next->how, QY_SCENARIO_AT_LEAST);
	assert_true(nth(together, 3)->is_nothing);
	assert_null(nth(together, 4)->next);
	qy_scenario_destroy(&s);
}

static void lines_may_end_as_on_windows(void **state)
{
	struct qy_scenario *s = parse("\xef\xbb\xbf" PLACE "GET /a\r\n  body <<E\r\nx\r\ny\r\nE\r\n"
				      "  expect 200\r\n");

	(void)state;
	assert_memory_equal(s->first->clauses->text.first->bytes, "x", 1);
	assert_memory_equal(s->first->clauses->text.first->next->bytes, "\n", 1);
	assert_int_equal(s->first->clauses->text.first->n_bytes, 1);
	qy_scenario_destroy(&s);
}

/* --- round trips ---------------------------------------------------------------------------- */

static void round_trip(const char *text)
{
	struct qy_buffer once, twice;
	struct qy_scenario *s = parse(text);

	qy_buffer_init(&once, 64 << 20);
	qy_buffer_init(&twice, 64 << 20);
	qy_scenario_write(s, &once);
	assert_int_equal(once.err, QRT_OK);
	qy_scenario_destroy(&s);
	s = parse_bytes(once.data, once.len);
	qy_scenario_write(s, &twice);
	assert_string_equal(once.data, twice.data);
	qy_scenario_destroy(&s);
	qy_buffer_fini(&once);
	qy_buffer_fini(&twice);
}

static void what_is_written_reads_back_the_same(void **state)
{
	(void)state;
	round_trip(whole);
	round_trip("GET /\n  header X-Empty:\n  body \"\"\n  expect nothing\nwait 0s\nwait 7ns\n"
		   "wait 90s\nwait 2min\n");
	/* A dollar and a brace that meet, and bytes that are no text. */
	round_trip("GET /\n  body \"\\xff\\x00\\\\ $\" \"{\" \"$${a}\"\n");
}

static void what_is_written_says_what_was_read(void **state)
{
	static const char text[] = "title One\n"
				   "place server=legacy db=region\n"
				   "key w scopes quotes:read,admin rate 7\n"
				   "together\n"
				   "  branch 2\n"
				   "    POST \"/a/\" as w\n"
				   "      header A: b ${w} $${c}\n"
				   "      body \"\\\"\\\\\\r\\n\\x00\\xff$\" \"${w}\" \"ab\"*3\n"
				   "      expect 200 or nothing\n"
				   "      keep x from header Location after \"=\" before \";\"\n"
				   "      count n when 200 or 201\n"
				   "    for i in 2..9\n"
				   "      fault latency 1ms..50ms\n"
				   "    end\n"
				   "end\n"
				   "sql \"SELECT \" \"${n}\" at least \"1\"\n";
	struct qy_scenario *s = parse(text);
	struct qy_buffer out;

	(void)state;
	qy_buffer_init(&out, 1 << 20);
	qy_scenario_write(s, &out);
	assert_string_equal(out.data, text);
	qy_scenario_destroy(&s);
	qy_buffer_fini(&out);
}

/* Lines of what is written stay within what is read. */
static void long_texts_are_written_in_several_lines(void **state)
{
	char *text = malloc(300000);
	int used = sprintf(text, "GET /\n  body <<END\n");

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < 2000; i++) {
		used += sprintf(text + used, "%0100d\n", i);
	}
	sprintf(text + used, "END\n");
	round_trip(text);
	free(text);
}

/* --- mistakes ------------------------------------------------------------------------------- */

struct mistake {
	const char *text, *message;
};

static const struct mistake mistakes[] = {
    /* statements */
    {"", "1:1: nothing is played in this file; GET /api/v1/quotes asks for something"},
    {"seed demo\n", "1:1: nothing is played in this file; GET /api/v1/quotes asks for something"},
    {"GTE /a\n", "1:1: \"GTE\" is no statement; did you mean GET?"},
    {"heal\n  togehter\n", "2:3: \"togehter\" is no statement; did you mean together?"},
    {"heal\nexpct 200\n", "2:1: \"expct\" is no statement; did you mean expect?"},
    {"heal now\n", "1:6: the statement has ended before \"now\"; what follows needs a line of its "
		   "own, a comment a #"},
    {"heal\ntitle late\n", "2:1: the title stands once, before all else"},
    {"title a\ntitle b\n", "2:1: the title stands once, before all else"},
    {"title \nheal\n", "1:7: here belongs the title, one sentence"},
    {"heal\n" PLACE, "2:1: place stands once, before all but the title"},
    {"place server=legacy\n", "1:20: the line ends too early; here belongs server=PLACE db=PLACE"},
    {"place server=legacy server=legacy\n", "1:21: server has its place already"},
    {"place server=regoin db=legacy\n", "1:14: \"regoin\" is no place; did you mean region?"},
    {"place sever=region db=legacy\n", "1:7: \"sever\" is no component; did you mean server?"},
    {"place server db\n", "1:7: a place is written as server=legacy"},
    {"GET /\nseed demo\n", "2:1: seed stands before the first request: Quotey opens when the "
			   "database is filled"},
    {"seed demos\n", "1:6: here belongs demo: the catalogue and quotes of the demo"},
    {"GET /\n" KEY, "2:1: key stands before the first request"},
    {KEY KEY, "2:5: \"writer\" is a key already; choose another name"},
    {"key Writer scopes admin\n", "1:5: \"Writer\" is no name; a name is a small letter, then at "
				  "most 31 of a to z, 0 to 9 and _"},
    {"key w scopes quotes:raed\n",
     "1:14: \"quotes:raed\" are no scopes; write some of quotes:read, quotes:write, "
     "quotes:override, quotes:approve, quotes:send, catalog:read, portal:manage, audit:read, "
     "admin, with commas"},
    {"key w scopes admin rate 0\n",
     "1:25: \"0\" is no rate; it is a whole number from 1 to 1000000"},
    /* requests */
    {"GET\n", "1:4: the line ends too early; here belongs a path: /api/v1/quotes"},
    {"GET / as nobody\n", "1:10: \"nobody\" is no key; make it first: key NAME scopes "
			  "quotes:read"},
    {KEY "GET / as wirter\n", "2:10: \"wirter\" is no key; did you mean writer?"},
    {KEY "GET / like writer\n", "2:7: the statement has ended before \"like\"; what follows needs "
				"a line of its own, a comment a #"},
    {"header A: b\n", "1:1: header belongs below a request; put one, such as GET /api/v1/quotes, "
		      "before it"},
    {"GET /\nheal\nexpect 200\n", "3:1: expect belongs below a request; put one, such as GET "
				  "/api/v1/quotes, before it"},
    {"GET /\nheader A b\n", "2:8: a header is written as NAME: VALUE, with the colon right behind "
			    "the name"},
    {"GET /\nheader A(: b\n", "2:8: \"A(\" is no name of a header"},
    {"raw \"a\"\nheader A: b\n", "2:1: raw sends its bytes as they are; write the header into "
				 "them"},
    {"raw \"a\"\nbody x\n", "2:1: raw sends its bytes as they are; write the body into them"},
    {"GET /\nbody a\nbody b\n", "3:1: the body of this request is in line 2 already"},
    {"GET /\nbody\n", "2:5: here belongs the body; an empty one is \"\""},
    {"GET /\nexpect 200\nexpect 201\n", "3:1: the status of this request is in line 2 already"},
    {"GET /\nexpect\n", "2:7: here belongs what is expected: 201, header or body"},
    {"GET /\nexpect 99\n", "2:8: \"99\" is no status; it is a whole number from 100 to 599"},
    {"GET /\nexpect 200 or\n", "2:14: the line ends too early; here belongs a status: 200"},
    {"GET /\nexpect 200 nothing\n", "2:12: the statement has ended before \"nothing\"; what "
				    "follows needs a line of its own, a comment a #"},
    {"GET /\nexpect 200 or 200 or 200 or 200 or 200 or 200 or 200 or 200 or 200\n",
     "2:64: more than 8 statuses"},
    {"GET /\nexpect body hsa x\n", "2:13: \"hsa\" is no expectation; did you mean has?"},
    {"GET /\nexpect body absent\n", "2:13: \"absent\" is no expectation; write is, has or lacks"},
    {"GET /\nexpect header X is\n",
     "2:19: the line ends too early; here belongs a text: \"3582.00\""},
    {"GET /\nkeep id form body\n", "2:9: here belongs from header NAME, or from body"},
    {"GET /\nkeep id from trailer\n",
     "2:14: \"trailer\" is no part of an answer; write header or body"},
    {KEY "GET /\nkeep writer from body\n", "3:6: \"writer\" is a key already; choose another name"},
    {"GET /\ncount n if 200\n", "2:9: here belongs when STATUS"},
    {"GET /\ncount n when nothing\n",
     "2:14: \"nothing\" is no status; it is a whole number from 100 to 599"},
    {"GET /\nkeep n from body\ncount n when 200\n",
     "3:7: \"n\" is a kept value already; choose another name"},
    /* names */
    {"GET /${id}\n", "1:6: \"id\" has no value here; keep, count or for give one"},
    {KEY "GET /\nkeep quote from body\nGET /${qoute}\n",
     "4:6: \"qoute\" is no name that has a value here; did you mean quote?"},
    {KEY "GET /${zzzzzzzz}\n", "2:6: \"zzzzzzzz\" is no name that has a value here; write writer"},
    {"GET /${id\n", "1:6: \"${\" is never closed; write ${name}, or $${ for ${"},
    {"for n in 1..2\nGET /${n}\nend\nGET /${n}\n",
     "4:6: \"n\" has no value here; keep, count or for give one"},
    {"for n in 1..2\nfor n in 1..2\n",
     "2:5: \"n\" is the number of a loop already; choose another name"},
    {"together\nbranch\nGET /\nkeep x from body\nbranch\nGET /${x}\nend\n",
     "6:6: \"x\" has no value here; keep, count or for give one"},
    {"together\nbranch\nGET /\nkeep x from body\nend\nGET /${x}\n",
     "6:6: \"x\" has no value here; keep, count or for give one"},
    /* texts */
    {"raw \"abc\n", "1:5: the quote is never closed; a text ends in its line, the next may go on "
		    "with another"},
    {"raw \"ab\\\"\n", "1:5: the quote is never closed; a text ends in its line, the next may go "
		       "on with another"},
    {"raw \"ab\\q\"\n", "1:8: no such escape; there are \\\\ \\\" \\n \\r \\t \\0 and \\x0f"},
    {"raw \"ab\\x4\"\n", "1:8: no such escape; there are \\\\ \\\" \\n \\r \\t \\0 and \\x0f"},
    {"raw \"a\"*x\n", "1:9: \"\" is no number of times; it is a whole number from 1 to 4194304"},
    {"raw \"ab\"*4194304\n", "1:17: the text has more than 4 MiB; use a smaller number"},
    {"raw \"a\"*4194304 \"b\"\n", "1:20: the text has more than 4 MiB; use a smaller number"},
    {KEY "raw \"${writer}\"*2\n", "2:6: a text with ${names} cannot be repeated"},
    {"raw <<\n", "1:7: here belongs the closing word: <<END"},
    {"raw <<END x\nEND\n", "1:11: the statement has ended before \"x\"; what follows needs a line "
			   "of its own, a comment a #"},
    {"raw <<END\nEND of it\n",
     "1:7: the block is never closed; put a line with only END behind it"},
    {"GET /\nbody <<END\nx ${y}\nEND\n",
     "3:3: \"y\" has no value here; keep, count or for give one"},
    {"GET /\xc3\xa4\xe2\x82\xac"
     "${y}\n",
     "1:8: \"y\" has no value here; keep, count or for give one"},
    {"fault disk slow-fsync 1ms..2ms\n",
     "1:23: \"1ms..2ms\" is no time; write a whole number and us, ms, s or min, at most 1440min"},
    {"GET /\nheader A: b\r", "2:12: byte 0x0d is no text; write \\x0d in quotes"},
    {"heal\nGET /\xc3\xa4\xff\n", "2:7: byte 0xff is no text; write \\xff in quotes"},
    /* moves */
    {"move server region\n", "1:1: who moves must say where it starts; write place server=legacy "
			     "db=legacy above"},
    {"rollback db\n", "1:1: who moves must say where it starts; write place server=legacy "
		      "db=legacy above"},
    {PLACE "move servr region\n", "2:6: \"servr\" is no component; did you mean server?"},
    {PLACE "move web region\n", "2:6: \"web\" is no component; did you mean db?"},
    {PLACE "move server\n", "2:12: the line ends too early; here belongs place"},
    /* time and faults */
    {"wait\n", "1:5: the line ends too early; here belongs a time: 500ms, 2s"},
    {"wait 5\n", "1:6: \"5\" is no time; write a whole number and us, ms, s or min, at most "
		 "1440min"},
    {"wait 1.5s\n", "1:6: \"1.5s\" is no time; write a whole number and us, ms, s or min, at most "
		    "1440min"},
    {"wait 1ms..2ms\n", "1:6: \"1ms..2ms\" is no time; write a whole number and us, ms, s or min, "
			"at most 1440min"},
    {"wait 1441min\n", "1:6: \"1441min\" is no time; write a whole number and us, ms, s or min, "
		       "at most 1440min"},
    {"fault\n", "1:6: the line ends too early; here belongs fault"},
    {"fault rest 5%\n", "1:7: \"rest\" is no fault; did you mean reset?"},
    {"fault flood\n", "1:7: \"flood\" is no fault; write reset, vanish, refuse, short, latency, "
		      "partition, fds, disk, lookup, websocket or child"},
    {"fault disk fill\n", "1:12: \"fill\" is no fault of a disk; did you mean full?"},
    {"fault reset 5\n", "1:13: \"5\" is no share; write 0% to 100%, with at most one decimal"},
    {"fault reset 100.1%\n",
     "1:13: \"100.1%\" is no share; write 0% to 100%, with at most one decimal"},
    {"fault reset 0.01%\n",
     "1:13: \"0.01%\" is no share; write 0% to 100%, with at most one decimal"},
    {"fault latency 5ms..1ms\n", "1:15: \"5ms..1ms\" is no time; write a whole number and us, ms, "
				 "s or min, at most 1440min, or from..to"},
    {"fault fds many\n",
     "1:11: \"many\" is no number of descriptors; it is a whole number from 1 to 65535"},
    /* blocks */
    {"end\n", "1:1: no block is open here; end closes repeat, for and together"},
    {"heal\n repeat 2\nheal\n", "2:2: this repeat is never closed; write end"},
    {"together\nbranch\nheal\n", "2:1: this branch is never closed; write end"},
    {"repeat 2\nend\n", "1:1: nothing stands in this repeat"},
    {"together\nbranch\nheal\nbranch\nend\n", "4:1: nothing stands in this branch"},
    {"together\nend\n", "1:1: nothing stands in this together"},
    {"together\nheal\nend\n", "2:1: in together only branches stand; put a line with branch "
			      "before this"},
    {"branch\n", "1:1: branch belongs into together; a block in between must end first"},
    {"together\nbranch\nrepeat 2\nheal\nbranch\n",
     "5:1: branch belongs into together; a block in between must end first"},
    {"together\nbranch\ntogether\n", "3:1: a branch cannot divide again; put its parts beside it, "
				     "each a branch of its own"},
    {"together\nbranch 1001\n",
     "2:8: \"1001\" is no number of branches; it is a whole number from 1 to 1000"},
    {"repeat 100001\n",
     "1:8: \"100001\" is no number of times; it is a whole number from 1 to 100000"},
    {"repeat 100000\nrepeat 101\nheal\nend\nend\n",
     "1:1: with this more than 10000000 statements would be played"},
    {"for n in 5..4\n", "1:13: \"4\" is no last number; it is a whole number from 5 to 100004"},
    {"for n in 1-4\n", "1:10: a range is written as FROM..TO: 1..20"},
    {"for n of 1..4\n", "1:7: here belongs in FROM..TO"},
    {TEN("repeat 1\n"), "9:1: more than 8 blocks in each other"},
    /* queries */
    {"sql \"SELECT 1\"\n", "1:15: the line ends too early; here belongs comparison"},
    {"sql \"SELECT 1\" si 1\n", "1:16: \"si\" is no comparison; write is or at"},
    {"sql \"SELECT 1\" at lest 1\n", "1:19: \"lest\" is no comparison; did you mean least?"},
    {"sql \"SELECT 1\" is\n", "1:18: the line ends too early; here belongs a value"},
    {"check databases\n", "1:7: here belongs database"},
};

static void every_mistake_is_named_with_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mistakes); i++) {
		refuse(mistakes[i].text, mistakes[i].message);
	}
}

static void a_nul_byte_is_no_text(void **state)
{
	(void)state;
	refuse_bytes("heal\nhe\0al\n", 11, "2:3: byte 0x00 is no text; write \\x00 in quotes");
}

/* --- limits --------------------------------------------------------------------------------- */

static void limits_hold_and_are_named(void **state)
{
	char *text = malloc(QY_SCENARIO_FILE_MAX + 2);
	size_t used = 0;

	(void)state;
	assert_non_null(text);
	memset(text, '\n', QY_SCENARIO_FILE_MAX + 1);
	refuse_bytes(text, QY_SCENARIO_FILE_MAX + 1, "1:1: the file has more than 1 MiB");
	memcpy(text, "heal\n#", 6);
	memset(text + 6, 'x', QY_SCENARIO_LINE_MAX);
	refuse_bytes(text, 6 + QY_SCENARIO_LINE_MAX,
		     "2:1: the line has more than 64 KiB; \"a\"*9000 is nine thousand a");
	for (int i = 0; i <= QY_SCENARIO_STATEMENTS_MAX; i++) {
		used += (size_t)sprintf(text + used, "heal\n");
	}
	refuse_bytes(text, used,
		     "10001:1: the file has more than 10000 statements; repeat and for make one "
		     "of many");
	used -= 5;
	struct qy_scenario *scenario = parse_bytes(text, used);
	qy_scenario_destroy(&scenario);
	used = (size_t)sprintf(text, "GET /\n");
	for (int i = 0; i <= QY_SCENARIO_NAMES_MAX; i++) {
		used += (size_t)sprintf(text + used, "keep n%d from body\n", i);
	}
	refuse_bytes(text, used, "258:6: the scenario has more than 256 names; use one again");
	free(text);
}

static void a_message_fits_whatever_the_file_is_called(void **state)
{
	char name[1000];
	struct qy_scenario *scenario = NULL;
	struct qy_scenario_error error;

	(void)state;
	memset(name, 'f', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(qy_scenario_parse(name, "key w scopes x\n", 15, &scenario, &error),
			 QY_INVALID_FIELD);
	assert_int_equal(error.at.line, 1);
	assert_int_equal(error.at.column, 14);
	assert_non_null(strstr(error.message, ":1:14: \"x\" are no scopes"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_becomes_its_tree),
	    cmocka_unit_test(raw_texts_are_bytes),
	    cmocka_unit_test(faults_and_times_are_numbers),
	    cmocka_unit_test(blocks_hold_their_statements),
	    cmocka_unit_test(lines_may_end_as_on_windows),
	    cmocka_unit_test(what_is_written_reads_back_the_same),
	    cmocka_unit_test(what_is_written_says_what_was_read),
	    cmocka_unit_test(long_texts_are_written_in_several_lines),
	    cmocka_unit_test(every_mistake_is_named_with_its_place),
	    cmocka_unit_test(a_nul_byte_is_no_text),
	    cmocka_unit_test(limits_hold_and_are_named),
	    cmocka_unit_test(a_message_fits_whatever_the_file_is_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
