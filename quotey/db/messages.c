/* Allocates messages and frees what is left in them. */
#include "quotey/db/messages.h"

#include <stdlib.h>
#include <string.h>

typedef void fini_fn(void *msg);

static void fini_quote_create(void *msg)
{
	qy_quote_fini(&((struct qy_msg_quote_create *)msg)->quote);
}

static void fini_quote_get(void *msg)
{
	qy_quote_fini(&((struct qy_msg_quote_get *)msg)->quote);
}

static void fini_quote_list(void *msg)
{
	qy_quote_list_fini(&((struct qy_msg_quote_list *)msg)->list);
}

static void fini_quote_price(void *msg)
{
	qy_price_result_fini(&((struct qy_msg_quote_price *)msg)->result);
}

static void fini_quote_preview(void *msg)
{
	qy_price_result_fini(&((struct qy_msg_quote_preview *)msg)->result);
}

static void fini_product_get(void *msg)
{
	qy_catalog_fini(&((struct qy_msg_product_get *)msg)->catalog);
}

static void fini_apikey_create(void *msg)
{
	/* The memory goes back to the heap: without the secret. */
	explicit_bzero(((struct qy_msg_apikey_create *)msg)->text, QY_APIKEY_TEXT_SIZE);
}

static void fini_journal_list(void *msg)
{
	qy_journal_fini(&((struct qy_msg_journal_list *)msg)->journal);
}

static void fini_inbox_receive(void *msg)
{
	free(((struct qy_msg_inbox_receive *)msg)->payload);
}

static const struct {
	size_t size;
	fini_fn *fini; /* NULL: nothing to free */
} kinds[QY_DB_OP_COUNT] = {
    [QY_DB_OP_QUOTE_CREATE] = {sizeof(struct qy_msg_quote_create), fini_quote_create},
    [QY_DB_OP_QUOTE_GET] = {sizeof(struct qy_msg_quote_get), fini_quote_get},
    [QY_DB_OP_QUOTE_LIST] = {sizeof(struct qy_msg_quote_list), fini_quote_list},
    [QY_DB_OP_QUOTE_PRICE] = {sizeof(struct qy_msg_quote_price), fini_quote_price},
    [QY_DB_OP_QUOTE_PREVIEW] = {sizeof(struct qy_msg_quote_preview), fini_quote_preview},
    [QY_DB_OP_PRODUCT_GET] = {sizeof(struct qy_msg_product_get), fini_product_get},
    [QY_DB_OP_APIKEY_CREATE] = {sizeof(struct qy_msg_apikey_create), fini_apikey_create},
    [QY_DB_OP_APIKEY_FIND] = {sizeof(struct qy_msg_apikey_find), NULL},
    [QY_DB_OP_APIKEY_TOUCH] = {sizeof(struct qy_msg_apikey_touch), NULL},
    [QY_DB_OP_DENIAL_APPEND] = {sizeof(struct qy_msg_denial_append), NULL},
    [QY_DB_OP_JOURNAL_APPEND] = {sizeof(struct qy_msg_journal_append), NULL},
    [QY_DB_OP_JOURNAL_LIST] = {sizeof(struct qy_msg_journal_list), fini_journal_list},
    [QY_DB_OP_INBOX_RECEIVE] = {sizeof(struct qy_msg_inbox_receive), fini_inbox_receive},
    [QY_DB_OP_INBOX_ACKED] = {sizeof(struct qy_msg_inbox_acked), NULL},
    [QY_DB_OP_SEED_LOAD] = {sizeof(struct qy_msg_seed), NULL},
    [QY_DB_OP_SEED_CHECK] = {sizeof(struct qy_msg_seed), NULL},
    [QY_DB_OP_SEED_CLEAN] = {sizeof(struct qy_msg_seed), NULL},
    [QY_DB_OP_PING] = {sizeof(struct qy_msg_ping), NULL},
};

static const char *const names[QY_DB_OP_COUNT] = {
#define QY_DB_OP_NAME(name, member) #member,
    QY_DB_OP_MAP(QY_DB_OP_NAME)
#undef QY_DB_OP_NAME
};

static void destroy(struct qrt_msg *msg)
{
	if (kinds[msg->op].fini) {
		kinds[msg->op].fini(msg);
	}
	free(msg);
}

void *qy_db_msg_new(enum qy_db_op op)
{
	struct qy_db_msg *msg;

	QRT_PRE(op < QY_DB_OP_COUNT);
	msg = calloc(1, kinds[op].size);
	if (msg) {
		msg->msg.op = op;
		msg->msg.destroy = destroy;
	}
	return msg;
}

const char *qy_db_op_name(uint32_t op)
{
	return op < QY_DB_OP_COUNT ? names[op] : "?";
}
