/*
 * The stubs: each packs one message, sends it through the port and unpacks the answer. The `db`
 * component answers with the very message it was sent.
 */
#include <qrt/sometimes.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/db/messages.h"

#define AUTO_MSG __attribute__((cleanup(drop))) void *

static void drop(void **owned)
{
	struct qrt_msg *msg = *owned;

	qrt_msg_destroy(&msg);
	*owned = NULL;
}

/* Sends *@msg; afterwards it is the answer, or NULL. */
static enum qrt_err ask(struct qrt_cx *cx, struct qrt_port *db, void **msg)
{
	struct qrt_msg *sent = *msg;
	struct qrt_msg *reply = NULL;
	uint32_t op = sent->op;
	enum qrt_err err;

	*msg = NULL;
	err = qrt_call(cx, db, &sent, &reply);
	if (err == QRT_ECLOSED) {
		QRT_SOMETIMES("db was called while it was not running");
	}
	if (err) {
		return err;
	}
	QRT_ASSERT(reply != NULL);
	QRT_ASSERT(reply->op == op);
	*msg = reply;
	return QRT_OK;
}

static enum qrt_err new_msg(struct qrt_cx *cx, enum qy_db_op op, void **ret_msg)
{
	*ret_msg = qy_db_msg_new(op);
	return *ret_msg ? QRT_OK : qrt_fail(cx, QRT_ENOMEM, "message %s", qy_db_op_name(op));
}

enum qrt_err qy_db_quote_create(struct qrt_cx *cx, struct qrt_port *db,
				const struct qy_origin *origin, struct qy_quote *quote,
				struct qy_fault *ret_fault)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_quote_create *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_QUOTE_CREATE, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	msg->origin = *origin;
	msg->quote = *quote;
	qy_quote_init(quote);
	err = ask(cx, db, &owned);
	if (err) {
		return err;
	}
	msg = owned;
	*quote = msg->quote;
	qy_quote_init(&msg->quote);
	*ret_fault = msg->fault;
	return QRT_OK;
}

enum qrt_err qy_db_quote_get(struct qrt_cx *cx, struct qrt_port *db, const char *id,
			     struct qy_quote *ret_quote, struct qy_fault *ret_fault)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_quote_get *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_QUOTE_GET, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	qy_text_cut(msg->id, sizeof(msg->id), id);
	err = ask(cx, db, &owned);
	if (err) {
		return err;
	}
	msg = owned;
	*ret_quote = msg->quote;
	qy_quote_init(&msg->quote);
	*ret_fault = msg->fault;
	return QRT_OK;
}

enum qrt_err qy_db_quote_list(struct qrt_cx *cx, struct qrt_port *db,
			      const struct qy_quote_filter *filter, struct qy_quote_list *ret_list)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_quote_list *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_QUOTE_LIST, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	msg->filter = *filter;
	err = ask(cx, db, &owned);
	if (err) {
		return err;
	}
	msg = owned;
	*ret_list = msg->list;
	memset(&msg->list, 0, sizeof(msg->list));
	return QRT_OK;
}

enum qrt_err qy_db_quote_price(struct qrt_cx *cx, struct qrt_port *db,
			       const struct qy_price_request *request,
			       struct qy_price_result *ret_result)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_quote_price *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_QUOTE_PRICE, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	msg->request = *request;
	err = ask(cx, db, &owned);
	if (err) {
		return err;
	}
	msg = owned;
	*ret_result = msg->result;
	memset(&msg->result, 0, sizeof(msg->result));
	return QRT_OK;
}

enum qrt_err qy_db_quote_preview(struct qrt_cx *cx, struct qrt_port *db, const char *id,
				 struct qy_price_result *ret_result)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_quote_preview *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_QUOTE_PREVIEW, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	qy_text_cut(msg->id, sizeof(msg->id), id);
	err = ask(cx, db, &owned);
	if (err) {
		return err;
	}
	msg = owned;
	*ret_result = msg->result;
	memset(&msg->result, 0, sizeof(msg->result));
	return QRT_OK;
}

enum qrt_err qy_db_product_get(struct qrt_cx *cx, struct qrt_port *db, const char *id_or_sku,
			       struct qy_catalog *ret_catalog, struct qy_fault *ret_fault)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_product_get *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_PRODUCT_GET, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	qy_text_cut(msg->id_or_sku, sizeof(msg->id_or_sku), id_or_sku);
	err = ask(cx, db, &owned);
	if (err) {
		return err;
	}
	msg = owned;
	*ret_catalog = msg->catalog;
	qy_catalog_init(&msg->catalog);
	*ret_fault = msg->fault;
	return QRT_OK;
}

enum qrt_err qy_db_apikey_create(struct qrt_cx *cx, struct qrt_port *db,
				 const struct qy_apikey *spec, char ret_text[QY_APIKEY_TEXT_SIZE],
				 struct qy_fault *ret_fault)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_apikey_create *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_APIKEY_CREATE, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	msg->spec = *spec;
	err = ask(cx, db, &owned);
	if (err) {
		return err;
	}
	msg = owned;
	*ret_fault = msg->fault;
	if (msg->fault.kind == QY_FAULT_NONE) {
		memcpy(ret_text, msg->text, sizeof(msg->text));
	}
	return QRT_OK;
}

enum qrt_err qy_db_apikey_find(struct qrt_cx *cx, struct qrt_port *db, const char *id,
			       struct qy_apikey *ret_key, struct qy_fault *ret_fault)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_apikey_find *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_APIKEY_FIND, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	qy_text_cut(msg->id, sizeof(msg->id), id);
	err = ask(cx, db, &owned);
	if (err) {
		return err;
	}
	msg = owned;
	*ret_fault = msg->fault;
	if (msg->fault.kind == QY_FAULT_NONE) {
		*ret_key = msg->key;
	}
	return QRT_OK;
}

enum qrt_err qy_db_apikey_touch(struct qrt_cx *cx, struct qrt_port *db, const char *id)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_apikey_touch *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_APIKEY_TOUCH, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	qy_text_cut(msg->id, sizeof(msg->id), id);
	return ask(cx, db, &owned);
}

enum qrt_err qy_db_denial_append(struct qrt_cx *cx, struct qrt_port *db,
				 const struct qy_origin *origin, const struct qy_denial *denial)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_denial_append *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_DENIAL_APPEND, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	msg->origin = *origin;
	msg->denial = *denial;
	return ask(cx, db, &owned);
}

enum qrt_err qy_db_journal_append(struct qrt_cx *cx, struct qrt_port *db,
				  const struct qy_journal_entry *entry)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_journal_append *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_JOURNAL_APPEND, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	msg->entry = *entry;
	return ask(cx, db, &owned);
}

enum qrt_err qy_db_journal_list(struct qrt_cx *cx, struct qrt_port *db, unsigned limit,
				struct qy_journal *ret_journal)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_journal_list *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_JOURNAL_LIST, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	msg->limit = limit;
	err = ask(cx, db, &owned);
	if (err) {
		return err;
	}
	msg = owned;
	*ret_journal = msg->journal;
	memset(&msg->journal, 0, sizeof(msg->journal));
	return QRT_OK;
}

enum qrt_err qy_db_inbox_receive(struct qrt_cx *cx, struct qrt_port *db,
				 const struct qy_inbox_item *item,
				 struct qy_inbox_receipt *ret_receipt)
{
	AUTO_MSG owned = NULL;
	struct qy_msg_inbox_receive *msg;
	enum qrt_err err = new_msg(cx, QY_DB_OP_INBOX_RECEIVE, &owned);

	if (err) {
		return err;
	}
	msg = owned;
	msg->item = *item;
	if (qy_text_copy(item->payload_json, &msg->payload) != QY_OK) {
		return qrt_fail(cx, QRT_ENOMEM, "a payload");
	}
	msg->item.payload_json = msg->payload;
	err = ask(cx, db, &owned);
	if (err) {
		return err;
	}
	msg = owned;
	*ret_receipt = msg->receipt;
	return QRT_OK;
}

enum qrt_err qy_db_inbox_acked(struct qrt_cx *cx, struct qrt_port *db, uint64_t seq)
{
	AUTO_MSG owned = NULL;
	enum qrt_err err = new_msg(cx, QY_DB_OP_INBOX_ACKED, &owned);

	if (err) {
		return err;
	}
	((struct qy_msg_inbox_acked *)owned)->seq = seq;
	return ask(cx, db, &owned);
}

static enum qrt_err ask_seed(struct qrt_cx *cx, struct qrt_port *db, enum qy_db_op op,
			     struct qy_seed_report *ret_report)
{
	AUTO_MSG owned = NULL;
	enum qrt_err err = new_msg(cx, op, &owned);

	if (!err) {
		err = ask(cx, db, &owned);
	}
	if (!err) {
		*ret_report = ((struct qy_msg_seed *)owned)->report;
	}
	return err;
}

enum qrt_err qy_db_seed_load(struct qrt_cx *cx, struct qrt_port *db,
			     struct qy_seed_report *ret_report)
{
	return ask_seed(cx, db, QY_DB_OP_SEED_LOAD, ret_report);
}

enum qrt_err qy_db_seed_check(struct qrt_cx *cx, struct qrt_port *db,
			      struct qy_seed_report *ret_report)
{
	return ask_seed(cx, db, QY_DB_OP_SEED_CHECK, ret_report);
}

enum qrt_err qy_db_seed_clean(struct qrt_cx *cx, struct qrt_port *db,
			      struct qy_seed_report *ret_report)
{
	return ask_seed(cx, db, QY_DB_OP_SEED_CLEAN, ret_report);
}

enum qrt_err qy_db_ping(struct qrt_cx *cx, struct qrt_port *db, struct qy_counts *ret_counts)
{
	AUTO_MSG owned = NULL;
	enum qrt_err err = new_msg(cx, QY_DB_OP_PING, &owned);

	if (!err) {
		err = ask(cx, db, &owned);
	}
	if (!err) {
		*ret_counts = ((struct qy_msg_ping *)owned)->counts;
	}
	return err;
}
