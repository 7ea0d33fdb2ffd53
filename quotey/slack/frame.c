/*
 * Frames. The dedupe key says what of two deliveries is the same thing, so it is made of what
 * Slack itself tells things by; what it has not given, or given too long, is not used.
 */
#include "quotey/slack/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/json/json.h"

static const char id_characters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

void qy_slack_envelope_fini(struct qy_slack_envelope *envelope)
{
	if (envelope != NULL) {
		free(envelope->payload);
		memset(envelope, 0, sizeof(*envelope));
	}
}

/* A member that is a text of 1 to QY_INBOX_WORD_SIZE - 1 bytes; else "". @object may be NULL. */
static const char *word(const struct qy_doc *object, const char *name)
{
	const struct qy_doc *value = NULL;
	const char *text;

	if (object != NULL && qy_doc_kind(object) == QY_DOC_OBJECT) {
		value = qy_doc_member(object, name);
	}
	if (value == NULL || qy_doc_kind(value) != QY_DOC_STRING) {
		return "";
	}
	text = qy_doc_string(value);
	return strlen(text) < QY_INBOX_WORD_SIZE ? text : "";
}

static const struct qy_doc *part(const struct qy_doc *object, const char *name)
{
	return object != NULL && qy_doc_kind(object) == QY_DOC_OBJECT ? qy_doc_member(object, name)
								      : NULL;
}

/* --- what it is told by --------------------------------------------------------------------- */

/* "PREFIX:a" or "PREFIX:a:b"; nothing when one of them is missing. */
static bool make_key(char ret_key[QY_INBOX_KEY_SIZE], const char *prefix, const char *a,
		     const char *b)
{
	if (a[0] == '\0' || (b != NULL && b[0] == '\0')) {
		return false;
	}
	snprintf(ret_key, QY_INBOX_KEY_SIZE, "%s:%s%s%s", prefix, a, b != NULL ? ":" : "",
		 b != NULL ? b : "");
	return true;
}

static void make_thread(char ret_key[QY_INBOX_KEY_SIZE], const char *channel, const char *thread,
			const char *ts)
{
	const char *first = thread[0] != '\0' ? thread : ts;

	if (channel[0] != '\0' && first[0] != '\0') {
		snprintf(ret_key, QY_INBOX_KEY_SIZE, "%s:%s", channel, first);
	}
}

/* A message and the mention in it are one thing: they have one channel and one time stamp. */
static bool read_event(const struct qy_doc *payload, struct qy_inbox_item *item)
{
	const struct qy_doc *event = part(payload, "event");
	const char *type = word(event, "type");
	const char *channel = word(event, "channel");
	const char *ts = word(event, "ts");
	bool message = strcmp(type, "message") == 0 || strcmp(type, "app_mention") == 0;

	snprintf(item->event_id, sizeof(item->event_id), "%s", word(payload, "event_id"));
	make_thread(item->thread_key, channel, word(event, "thread_ts"), ts);
	return (message && make_key(item->dedupe_key, "msg", channel, ts)) ||
	       make_key(item->dedupe_key, "ev", item->event_id, NULL);
}

static bool read_command(const struct qy_doc *payload, struct qy_inbox_item *item)
{
	return make_key(item->dedupe_key, "cmd", word(payload, "trigger_id"), NULL);
}

static bool read_action(const struct qy_doc *payload, struct qy_inbox_item *item)
{
	const struct qy_doc *container = part(payload, "container");

	make_thread(item->thread_key, word(container, "channel_id"), word(container, "thread_ts"),
		    word(container, "message_ts"));
	return make_key(item->dedupe_key, "act", word(payload, "trigger_id"), NULL);
}

static const struct {
	const char *type;
	bool (*read)(const struct qy_doc *payload, struct qy_inbox_item *item);
} kinds[] = {
    {"events_api", read_event},
    {"slash_commands", read_command},
    {"interactive", read_action},
};

static void classify(const struct qy_doc *payload, struct qy_inbox_item *item)
{
	bool known = false, keyed = false;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !known; i++) {
		known = strcmp(item->kind, kinds[i].type) == 0;
		keyed = known && kinds[i].read(payload, item);
	}
	item->ignored = !known;
	if (!keyed) {
		snprintf(item->dedupe_key, sizeof(item->dedupe_key), "env:%s", item->envelope_id);
	}
}

/* --- frames --------------------------------------------------------------------------------- */

static bool is_envelope_id(const char *id)
{
	size_t n = strlen(id);

	return n > 0 && n < QY_INBOX_ENVELOPE_SIZE && strspn(id, id_characters) == n;
}

static enum qy_slack_frame read_envelope(const char *text, const struct qy_doc *doc,
					 struct qy_slack_envelope *ret_envelope)
{
	struct qy_slack_envelope envelope = {.payload = NULL};
	const struct qy_doc *payload = qy_doc_member(doc, "payload");
	const char *id = word(doc, "envelope_id"), *from = "{}";
	size_t n = 2;

	if (!is_envelope_id(id)) {
		return QY_SLACK_FRAME_BAD;
	}
	/* Others than the three kinds need not have one. */
	if (payload != NULL && !qy_doc_span(text, "payload", &from, &n)) {
		return QY_SLACK_FRAME_BAD;
	}
	snprintf(envelope.item.envelope_id, sizeof(envelope.item.envelope_id), "%s", id);
	snprintf(envelope.item.kind, sizeof(envelope.item.kind), "%s", word(doc, "type"));
	classify(payload, &envelope.item);
	if (!envelope.item.ignored && (payload == NULL || qy_doc_kind(payload) != QY_DOC_OBJECT)) {
		return QY_SLACK_FRAME_BAD;
	}
	envelope.payload = malloc(n + 1);
	if (envelope.payload == NULL) {
		return QY_SLACK_FRAME_NO_MEMORY;
	}
	memcpy(envelope.payload, from, n);
	envelope.payload[n] = '\0';
	envelope.item.payload_json = envelope.payload;
	*ret_envelope = envelope;
	return QY_SLACK_FRAME_ENVELOPE;
}

static enum qy_slack_frame read_disconnect(const struct qy_doc *doc)
{
	const char *reason = word(doc, "reason");

	if (strcmp(reason, "warning") == 0 || strcmp(reason, "refresh_requested") == 0) {
		return QY_SLACK_FRAME_REFRESH;
	}
	return strcmp(reason, "link_disabled") == 0 ? QY_SLACK_FRAME_DISABLED : QY_SLACK_FRAME_LOSS;
}

static enum qy_slack_frame read_object(const char *text, const struct qy_doc *doc,
				       struct qy_slack_envelope *ret_envelope)
{
	const char *type;

	if (qy_doc_kind(doc) != QY_DOC_OBJECT) {
		return QY_SLACK_FRAME_BAD;
	}
	type = word(doc, "type");
	if (qy_doc_member(doc, "envelope_id") != NULL) {
		return type[0] != '\0' ? read_envelope(text, doc, ret_envelope)
				       : QY_SLACK_FRAME_BAD;
	}
	if (strcmp(type, "hello") == 0) {
		return QY_SLACK_FRAME_HELLO;
	}
	return strcmp(type, "disconnect") == 0 ? read_disconnect(doc) : QY_SLACK_FRAME_BAD;
}

enum qy_slack_frame qy_slack_frame_read(const char *text, size_t n,
					struct qy_slack_envelope *ret_envelope)
{
	struct qy_doc_error error = {.fault = QY_DOC_FINE};
	struct qy_doc *doc = NULL;
	enum qy_slack_frame frame;

	/* Others say what is in it: numbers of any kind, too. */
	if (!qy_doc_parse_foreign(text, n, &doc, &error)) {
		return error.fault == QY_DOC_NO_MEMORY ? QY_SLACK_FRAME_NO_MEMORY
						       : QY_SLACK_FRAME_BAD;
	}
	frame = read_object(text, doc, ret_envelope);
	qy_doc_destroy(&doc);
	return frame;
}
