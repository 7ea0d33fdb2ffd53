/*
 * The messages of the `db` component: one per operation of store.h. A message holds the arguments
 * on the way there and the results on the way back, and owns both.
 */
#ifndef QY_DB_MESSAGES_H
#define QY_DB_MESSAGES_H

#include "quotey/db/store.h"

#define QY_DB_OP_MAP(X)                                                                            \
	X(QUOTE_CREATE, quote_create)                                                              \
	X(QUOTE_GET, quote_get)                                                                    \
	X(QUOTE_LIST, quote_list)                                                                  \
	X(QUOTE_PRICE, quote_price)                                                                \
	X(QUOTE_PREVIEW, quote_preview)                                                            \
	X(PRODUCT_GET, product_get)                                                                \
	X(APIKEY_CREATE, apikey_create)                                                            \
	X(APIKEY_FIND, apikey_find)                                                                \
	X(APIKEY_TOUCH, apikey_touch)                                                              \
	X(DENIAL_APPEND, denial_append)                                                            \
	X(JOURNAL_APPEND, journal_append)                                                          \
	X(JOURNAL_LIST, journal_list)                                                              \
	X(INBOX_RECEIVE, inbox_receive)                                                            \
	X(INBOX_ACKED, inbox_acked)                                                                \
	X(SEED_LOAD, seed_load)                                                                    \
	X(SEED_CHECK, seed_check)                                                                  \
	X(SEED_CLEAN, seed_clean)                                                                  \
	X(PING, ping)

#define QY_DB_OP_ENUM(name, member) QY_DB_OP_##name,
enum qy_db_op { QY_DB_OP_MAP(QY_DB_OP_ENUM) QY_DB_OP_COUNT };
#undef QY_DB_OP_ENUM

/* First member of each. */
struct qy_db_msg {
	struct qrt_msg msg;
};

struct qy_msg_quote_create {
	struct qy_db_msg base;
	struct qy_origin origin;
	struct qy_quote quote; /* there and back */
	struct qy_fault fault;
};

struct qy_msg_quote_get {
	struct qy_db_msg base;
	char id[QY_QUOTE_ID_SIZE];
	struct qy_quote quote;
	struct qy_fault fault;
};

struct qy_msg_quote_list {
	struct qy_db_msg base;
	struct qy_quote_filter filter;
	struct qy_quote_list list;
};

struct qy_msg_quote_price {
	struct qy_db_msg base;
	struct qy_price_request request;
	struct qy_price_result result;
};

struct qy_msg_quote_preview {
	struct qy_db_msg base;
	char id[QY_QUOTE_ID_SIZE];
	struct qy_price_result result;
};

struct qy_msg_product_get {
	struct qy_db_msg base;
	char id_or_sku[QY_ID_TEXT_MAX + 1];
	struct qy_catalog catalog;
	struct qy_fault fault;
};

struct qy_msg_apikey_create {
	struct qy_db_msg base;
	struct qy_apikey spec;
	char text[QY_APIKEY_TEXT_SIZE]; /* wiped when the message goes */
	struct qy_fault fault;
};

struct qy_msg_apikey_find {
	struct qy_db_msg base;
	char id[QY_APIKEY_ID_SIZE];
	struct qy_apikey key;
	struct qy_fault fault;
};

struct qy_msg_apikey_touch {
	struct qy_db_msg base;
	char id[QY_APIKEY_ID_SIZE];
};

struct qy_msg_denial_append {
	struct qy_db_msg base;
	struct qy_origin origin;
	struct qy_denial denial;
};

struct qy_msg_journal_append {
	struct qy_db_msg base;
	struct qy_journal_entry entry;
};

struct qy_msg_journal_list {
	struct qy_db_msg base;
	unsigned limit;
	struct qy_journal journal;
};

struct qy_msg_inbox_receive {
	struct qy_db_msg base;
	struct qy_inbox_item item; /* its payload is the message's own */
	char *payload;
	struct qy_inbox_receipt receipt;
};

struct qy_msg_inbox_acked {
	struct qy_db_msg base;
	uint64_t seq;
};

struct qy_msg_seed {
	struct qy_db_msg base;
	struct qy_seed_report report;
};

struct qy_msg_ping {
	struct qy_db_msg base;
	struct qy_counts counts;
};

/* A zeroed message of that op, to be destroyed with qrt_msg_destroy; NULL: out of memory. */
void *qy_db_msg_new(enum qy_db_op op);

/* "quote_price"; "?" for another number. */
const char *qy_db_op_name(uint32_t op);

#endif
