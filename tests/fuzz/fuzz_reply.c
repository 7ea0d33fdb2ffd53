/*
 * Fuzz entry of the parser of answers: the first byte says what was asked, the rest is what a
 * server sends until it closes. Fed whole, byte by byte and in sevens, all must tell the same
 * story, under a limit that is soon reached and a wide one. Works with libFuzzer and replay.c.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/http/reply.h"

#define HEAD_TIGHT 512
#define HEAD_WIDE 4096 /* lets more headers in than a head may have */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What came out of the bytes. */
struct story {
	enum qrt__http_reply_state end;
	enum qrt_err err;
	uint64_t head, body; /* digests */
	size_t body_len;
	unsigned continues;
	bool keeps;
};

static void must(bool holds)
{
	if (!holds) {
		abort();
	}
}

static void mix(uint64_t *digest, const void *data, size_t n)
{
	const unsigned char *bytes = data;
	for (size_t i = 0; i < n; i++) {
		*digest = (*digest ^ bytes[i]) * UINT64_C(0x100000001b3);
	}
}

static void hear_head(const struct qrt__http_reply *reply, struct story *story)
{
	struct qrt_http_answer answer;
	qrt__http_reply_answer(reply, &answer);
	must(answer.status >= 200 && answer.status <= 599);
	must(story->head == 0);
	story->head = (uint64_t)answer.status;
	for (size_t i = 0; i < answer.n_headers; i++) {
		const struct qrt_http_header *header = &answer.headers[i];
		must(header->name[0] != '\0');
		must(!strpbrk(header->name, " :\t\r\n") && !strpbrk(header->value, "\r\n"));
		must(qrt_http_answer_header(&answer, header->name) != NULL);
		mix(&story->head, header->name, strlen(header->name) + 1);
		mix(&story->head, header->value, strlen(header->value) + 1);
	}
}

static void hear(const struct qrt__http_reply *reply, enum qrt__http_reply_state state,
		 struct story *story)
{
	if (state == QRT__REPLY_HEAD) {
		hear_head(reply, story);
	} else if (state == QRT__REPLY_CONTINUE) {
		must(story->head == 0);
		story->continues++;
	} else if (state == QRT__REPLY_DATA) {
		size_t n = 0;
		const char *piece = qrt__http_reply_piece(reply, &n);
		must(story->head != 0 && n > 0);
		mix(&story->body, piece, n);
		story->body_len += n;
	}
	story->end = state;
}

static bool is_end(enum qrt__http_reply_state state)
{
	return state == QRT__REPLY_DONE || state == QRT__REPLY_FAULT;
}

struct input {
	const char *data;
	size_t size;
	bool to_head;
	size_t head_max;
};

static struct story tell(const struct input *input, size_t piece)
{
	size_t size = input->size;
	struct story story = {.end = QRT__REPLY_MORE};
	struct qrt__http_reply *reply = NULL;
	size_t at = 0;
	if (qrt__http_reply_create(input->head_max, &reply)) {
		abort();
	}
	qrt__http_reply_reset(reply, input->to_head);
	while (!is_end(story.end) && (at < size || story.end != QRT__REPLY_MORE)) {
		size_t n = size - at < piece ? size - at : piece;
		size_t used = 0;
		enum qrt__http_reply_state state =
		    qrt__http_reply_feed(reply, input->data + at, n, &used);
		must(used <= n);
		must(state != QRT__REPLY_MORE || used == n);
		at += used;
		hear(reply, state, &story);
	}
	if (!is_end(story.end)) {
		story.end = qrt__http_reply_eof(reply);
	}
	struct qrt__http_reply_fault fault = qrt__http_reply_fault(reply);
	must((story.end == QRT__REPLY_FAULT) == (fault.err != QRT_OK));
	must((fault.err == QRT_OK) == (fault.why[0] == '\0'));
	story.err = fault.err;
	story.keeps = qrt__http_reply_keeps(reply);
	must(!story.keeps || story.end == QRT__REPLY_DONE);
	must(!input->to_head || story.body_len == 0);
	qrt__http_reply_destroy(&reply);
	return story;
}

/*
 * Behind the head a text is counted when its piece ends: a trailer both too long and malformed is
 * refused for the one or the other.
 */
static bool same_err(enum qrt_err a, enum qrt_err b)
{
	return a == b || (a == QRT_ELIMIT && b == QRT_EPROTO) ||
	       (a == QRT_EPROTO && b == QRT_ELIMIT);
}

static void must_agree(const struct story *a, const struct story *b)
{
	must(a->end == b->end && same_err(a->err, b->err));
	must(a->head == b->head && a->keeps == b->keeps);
	must(a->continues == b->continues);
	must(a->body_len == b->body_len && a->body == b->body);
}

static void must_agree_however_cut(const struct input *input)
{
	struct story whole = tell(input, SIZE_MAX);
	struct story single = tell(input, 1);
	struct story sevens = tell(input, 7);
	must_agree(&whole, &single);
	must_agree(&whole, &sevens);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0) {
		return 0;
	}
	struct input input = {.data = (const char *)data + 1,
			      .size = size - 1,
			      .to_head = data[0] == 'H',
			      .head_max = HEAD_TIGHT};
	must_agree_however_cut(&input);
	if (input.size > HEAD_TIGHT) {
		input.head_max = HEAD_WIDE;
		must_agree_however_cut(&input);
	}
	return 0;
}
