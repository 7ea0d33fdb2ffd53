/* What the local Slack says and hears: hellos, envelopes, acks, and what is to be sent again. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "quotey/json/json.h"
#include "quotey/lab/slack.h"

static bool is_open(const struct qy_lab_slack_link *link)
{
	return link->ws != NULL && !link->ended;
}

struct qy_lab_slack_link *qy_lab_slack_find(struct qy_lab_slack *slack, unsigned number)
{
	for (unsigned i = slack->n_links; i-- > 0;) {
		struct qy_lab_slack_link *link = slack->links[i];

		if (is_open(link) && (number == 0 ? link->greeted : link->number == number)) {
			return link;
		}
	}
	return NULL;
}

struct qy_lab_slack_link *qy_lab_slack_stranger(struct qy_lab_slack *slack)
{
	for (unsigned i = 0; i < slack->n_links; i++) {
		if (is_open(slack->links[i]) && !slack->links[i]->greeted) {
			return slack->links[i];
		}
	}
	return NULL;
}

/* --- envelopes ------------------------------------------------------------------------------ */

/* The id of what is an envelope, or an ack of one; false: it is neither. */
static bool read_id(const char *text, size_t n, char ret_id[QY_LAB_SLACK_WORD_SIZE])
{
	struct qy_doc_error error;
	struct qy_doc *doc = NULL;
	const struct qy_doc *id = NULL;
	bool found;

	if (!qy_doc_parse_foreign(text, n, &doc, &error)) {
		return false;
	}
	if (qy_doc_kind(doc) == QY_DOC_OBJECT) {
		id = qy_doc_member(doc, "envelope_id");
	}
	found = id != NULL && qy_doc_kind(id) == QY_DOC_STRING &&
		strlen(qy_doc_string(id)) < QY_LAB_SLACK_WORD_SIZE;
	if (found) {
		snprintf(ret_id, QY_LAB_SLACK_WORD_SIZE, "%s", qy_doc_string(id));
	}
	qy_doc_destroy(&doc);
	return found;
}

static struct qy_lab_slack_sent *find_sent(const struct qy_lab_slack *slack, const char *id)
{
	struct qy_lab_slack_sent *sent = slack->sent;

	while (sent != NULL && strcmp(sent->id, id) != 0) {
		sent = sent->next;
	}
	return sent;
}

/* The same envelope sent again, with whatever text, is one. */
static struct qy_lab_slack_sent *note_sent(struct qy_lab_slack *slack, const char *id,
					   const char *text)
{
	struct qy_lab_slack_sent *sent = find_sent(slack, id);
	char *copy = malloc(strlen(text) + 1);

	if (copy != NULL && sent == NULL) {
		sent = calloc(1, sizeof(*sent));
		if (sent != NULL) {
			snprintf(sent->id, sizeof(sent->id), "%s", id);
			*slack->sent_tail = sent;
			slack->sent_tail = &sent->next;
		}
	}
	if (copy == NULL || sent == NULL) {
		free(copy);
		return NULL;
	}
	free(sent->text);
	memcpy(copy, text, strlen(text) + 1);
	sent->text = copy;
	return sent;
}

void qy_lab_slack_hear(struct qy_lab_slack *slack, const struct qrt_ws_message *message)
{
	char id[QY_LAB_SLACK_WORD_SIZE];
	struct qy_lab_slack_sent *sent;

	if (message->type != QRT_WS_TEXT || !read_id(message->data, message->n, id)) {
		return;
	}
	sent = find_sent(slack, id);
	if (sent != NULL) {
		sent->acks++;
		if (slack->acked != NULL) {
			slack->acked(slack->acked_arg, id);
		}
		qy_lab_slack_changed(slack);
	}
}

unsigned qy_lab_slack_acks(const struct qy_lab_slack *slack, const char *envelope_id)
{
	const struct qy_lab_slack_sent *sent = find_sent(slack, envelope_id);

	return sent != NULL ? sent->acks : 0;
}

/* --- saying --------------------------------------------------------------------------------- */

enum qrt_err qy_lab_slack_send(struct qrt_cx *cx, struct qy_lab_slack_link *link, const char *text)
{
	char id[QY_LAB_SLACK_WORD_SIZE];

	if (read_id(text, strlen(text), id)) {
		struct qy_lab_slack_sent *sent = note_sent(link->slack, id, text);

		if (sent == NULL) {
			return qrt_fail(cx, QRT_ENOMEM, "an envelope");
		}
		sent->link = link->number;
	}
	return qrt_ws_send_text(cx, link->ws, text);
}

/* Whether it is lost if nobody sends it again. */
static bool is_stranded(const struct qy_lab_slack *slack, const struct qy_lab_slack_sent *sent)
{
	return sent->acks == 0 && sent->link > 0 && slack->links[sent->link - 1]->ended;
}

void qy_lab_slack_redeliver(struct qrt_cx *cx, struct qy_lab_slack *slack)
{
	struct qy_lab_slack_link *link = qy_lab_slack_find(slack, 0);
	struct qy_lab_slack_sent *sent = slack->sent;

	while (link != NULL && sent != NULL) {
		if (is_stranded(slack, sent)) {
			sent->link = link->number;
			if (qrt_ws_send_text(cx, link->ws, sent->text)) {
				return; /* the end of this one is going to be noted */
			}
		}
		sent = sent->next;
	}
}

enum qrt_err qy_lab_slack_greet(struct qrt_cx *cx, struct qy_lab_slack_link *link)
{
	static const char hello[] = "{\"type\":\"hello\",\"num_connections\":1,"
				    "\"debug_info\":{\"approximate_connection_time\":18060.5},"
				    "\"connection_info\":{\"app_id\":\"A0LOCAL\"}}";
	enum qrt_err err = qrt_ws_send_text(cx, link->ws, hello);

	if (!err) {
		link->greeted = true;
		qy_lab_slack_redeliver(cx, link->slack);
		qy_lab_slack_changed(link->slack);
	}
	return err;
}
