/* What Slack has sent, as it goes into the table inbox: plain data. */
#ifndef QY_DB_INBOX_H
#define QY_DB_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#define QY_INBOX_ENVELOPE_SIZE 65 /* an id of 1 to 64 letters, digits, _ and - */
#define QY_INBOX_WORD_SIZE 129	  /* an id or a name that Slack has given */
#define QY_INBOX_KEY_SIZE 272	  /* made of two of them */

/* One envelope. */
struct qy_inbox_item {
	char envelope_id[QY_INBOX_ENVELOPE_SIZE];
	char kind[QY_INBOX_WORD_SIZE];	   /* the envelope's type: "events_api" */
	char event_id[QY_INBOX_WORD_SIZE]; /* "": none */
	char dedupe_key[QY_INBOX_KEY_SIZE];
	char thread_key[QY_INBOX_KEY_SIZE]; /* "": it belongs to no thread */
	bool ignored;			    /* nobody is going to handle it */
	const char *payload_json;
};

/* What has become of it. */
struct qy_inbox_receipt {
	uint64_t seq;	/* of its row; of a duplicate, that of the one that was first */
	bool duplicate; /* it was known; nothing was stored */
};

#endif
