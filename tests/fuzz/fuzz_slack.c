/*
 * Fuzz entry of what Slack says: the bytes are a frame, or a URL that it sends us to. Works with
 * libFuzzer and with replay.c. What is taken as an envelope must fit the table it goes into.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/json/json.h"
#include "quotey/slack/frame.h"
#include "quotey/slack/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken rule ends the program, which is what a fuzzer takes for a finding. */
static void must(bool holds)
{
	if (!holds) {
		abort();
	}
}

static void check_envelope(const struct qy_slack_envelope *envelope)
{
	static const char id_characters[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	const struct qy_inbox_item *item = &envelope->item;
	struct qy_doc_error error;
	struct qy_doc *doc = NULL;
	size_t n = strlen(item->envelope_id);

	must(n > 0 && strspn(item->envelope_id, id_characters) == n);
	must(item->dedupe_key[0] != '\0' && item->kind[0] != '\0');
	must(item->payload_json == envelope->payload);
	/* What was cut out of a document is one. */
	must(qy_doc_parse_foreign(envelope->payload, strlen(envelope->payload), &doc, &error));
	must(item->ignored || qy_doc_kind(doc) == QY_DOC_OBJECT);
	qy_doc_destroy(&doc);
}

static void check_url(const char *url)
{
	const char *why;

	if (qy_slack_url_allowed(url, &why)) {
		must(strncmp(url, "wss://", 6) == 0 || strncmp(url, "ws://", 5) == 0);
		must(strpbrk(url, "@\\# ") == NULL || strchr(url + 6, '/') != NULL ||
		     strchr(url, '?') != NULL);
		must(strncmp(url, "ws://", 5) != 0 || strstr(url, ".slack.com/") == NULL ||
		     strchr(url + 5, '/') < strstr(url, ".slack.com/") ||
		     strchr(url + 5, '?') != NULL);
	} else {
		must(why != NULL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct qy_slack_envelope envelope = {.payload = NULL};
	char *text = malloc(size + 1);

	if (text == NULL) {
		return 0;
	}
	if (size > 0) {
		memcpy(text, data, size);
	}
	text[size] = '\0';
	if (qy_slack_frame_read(text, size, &envelope) == QY_SLACK_FRAME_ENVELOPE) {
		check_envelope(&envelope);
		qy_slack_envelope_fini(&envelope);
	} else {
		must(envelope.payload == NULL);
	}
	check_url(text);
	free(text);
	return 0;
}
