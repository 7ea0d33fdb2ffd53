/* The `db` component: one handler per operation, found by its number. Decides nothing itself. */
#include "quotey/db/component.h"

#include <stdlib.h>

#include "quotey/core/text.h"
#include "quotey/db/messages.h"
#include "quotey/db/migrate.h"
#include "quotey/db/store.h"

struct instance {
	struct qy_store store;
	struct qrt_log *log;
};

typedef enum qrt_err handle_fn(struct qrt_cx *cx, struct qy_store *store, void *msg);

static enum qrt_err handle_quote_create(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_quote_create *msg = arg;

	return qy_store_quote_create(cx, store, &msg->origin, &msg->quote, &msg->fault);
}

static enum qrt_err handle_quote_get(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_quote_get *msg = arg;

	return qy_store_quote_get(cx, store, msg->id, &msg->quote, &msg->fault);
}

static enum qrt_err handle_quote_list(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_quote_list *msg = arg;

	return qy_store_quote_list(cx, store, &msg->filter, &msg->list);
}

static enum qrt_err handle_quote_price(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_quote_price *msg = arg;

	return qy_store_quote_price(cx, store, &msg->request, &msg->result);
}

static enum qrt_err handle_quote_preview(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_quote_preview *msg = arg;

	return qy_store_quote_preview(cx, store, msg->id, &msg->result);
}

static enum qrt_err handle_product_get(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_product_get *msg = arg;

	return qy_store_product_get(cx, store, msg->id_or_sku, &msg->catalog, &msg->fault);
}

static enum qrt_err handle_apikey_create(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_apikey_create *msg = arg;

	return qy_store_apikey_create(cx, store, &msg->spec, msg->text, &msg->fault);
}

static enum qrt_err handle_apikey_find(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_apikey_find *msg = arg;

	return qy_store_apikey_find(cx, store, msg->id, &msg->key, &msg->fault);
}

static enum qrt_err handle_apikey_touch(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_apikey_touch *msg = arg;

	return qy_store_apikey_touch(cx, store, msg->id);
}

static enum qrt_err handle_denial_append(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_denial_append *msg = arg;

	return qy_store_denial_append(cx, store, &msg->origin, &msg->denial);
}

static enum qrt_err handle_journal_append(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_journal_append *msg = arg;

	return qy_store_journal_append(cx, store, &msg->entry);
}

static enum qrt_err handle_journal_list(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_journal_list *msg = arg;

	return qy_store_journal_list(cx, store, msg->limit, &msg->journal);
}

static enum qrt_err handle_inbox_receive(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	struct qy_msg_inbox_receive *msg = arg;

	return qy_store_inbox_receive(cx, store, &msg->item, &msg->receipt);
}

static enum qrt_err handle_inbox_acked(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	return qy_store_inbox_acked(cx, store, ((struct qy_msg_inbox_acked *)arg)->seq);
}

static enum qrt_err handle_seed_load(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	return qy_store_seed_load(cx, store, &((struct qy_msg_seed *)arg)->report);
}

static enum qrt_err handle_seed_check(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	return qy_store_seed_check(cx, store, &((struct qy_msg_seed *)arg)->report);
}

static enum qrt_err handle_seed_clean(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	return qy_store_seed_clean(cx, store, &((struct qy_msg_seed *)arg)->report);
}

static enum qrt_err handle_ping(struct qrt_cx *cx, struct qy_store *store, void *arg)
{
	return qy_store_ping(cx, store, &((struct qy_msg_ping *)arg)->counts);
}

static handle_fn *const handlers[QY_DB_OP_COUNT] = {
#define QY_DB_OP_HANDLER(name, member) [QY_DB_OP_##name] = handle_##member,
    QY_DB_OP_MAP(QY_DB_OP_HANDLER)
#undef QY_DB_OP_HANDLER
};

static const char *const names[QY_DB_OP_COUNT] = {
#define QY_DB_OP_NAME(name, member) [QY_DB_OP_##name] = #member,
    QY_DB_OP_MAP(QY_DB_OP_NAME)
#undef QY_DB_OP_NAME
};

static enum qrt_err start(struct qrt_cx *cx, struct qrt_region *home, void *env, void **ret_state)
{
	const struct qy_db_env *db_env = env;
	struct instance *instance = calloc(1, sizeof(*instance));
	enum qrt_err err;

	(void)home;
	if (!instance) {
		return qrt_fail(cx, QRT_ENOMEM, "db");
	}
	instance->log = db_env->log;
	err = qrt_db_open(cx, &db_env->options, &instance->store.db);
	if (!err) {
		err = qy_migrate_verify(cx, instance->store.db, &qy_migrations);
	}
	if (err) {
		/* Closing may meet errors of its own; the first detail is the one to keep. */
		char detail[256];

		qy_text_cut(detail, sizeof(detail), qrt_detail(cx));
		qrt_db_close(cx, &instance->store.db);
		free(instance);
		return qrt_fail(cx, err, "%s", detail);
	}
	*ret_state = instance;
	return QRT_OK;
}

static void stop(struct qrt_cx *cx, void *state)
{
	struct instance *instance = state;

	qrt_db_close(cx, &instance->store.db);
	free(instance);
}

/* One line for each operation, for who asks for them: it costs less than a statement. */
static void log_operation(struct qrt_cx *cx, const struct instance *instance, uint32_t op,
			  int64_t began_ns, enum qrt_err err)
{
	const char *detail = qrt_detail(cx);
	int64_t now_ns = began_ns;
	char path[QRT_LOG_PATH_SIZE];
	struct qrt_log_line line = {.level = QRT_LOG_DEBUG,
				    .component = "db",
				    .message = err ? "failed" : "done",
				    .each = true};

	QRT_IGNORE(qrt_now(cx, &now_ns), "it took no time, then");
	const struct qrt_log_field fields[] = {
	    QRT_LOG_TEXT("operation", names[op]),
	    QRT_LOG_INT("us", (now_ns - began_ns) / 1000),
	    {.key = err ? "why" : NULL, .text = detail[0] != '\0' ? detail : qrt_err_text(err)},
	    {0},
	};
	line.fields = fields;
	qrt_log_line_of(&line, cx, path, sizeof(path));
	qrt_log_write(instance->log, &line);
}

static enum qrt_err operate(struct qrt_cx *cx, struct instance *instance, struct qrt_msg *msg)
{
	int64_t began_ns = 0;
	enum qrt_err err;

	if (!qrt_log_wants(instance->log, QRT_LOG_DEBUG, "db")) {
		return handlers[msg->op](cx, &instance->store, msg);
	}
	QRT_IGNORE(qrt_now(cx, &began_ns), "it took no time, then");
	err = handlers[msg->op](cx, &instance->store, msg);
	log_operation(cx, instance, msg->op, began_ns, err);
	return err;
}

static enum qrt_err handle(struct qrt_cx *cx, void *state, struct qrt_msg *msg,
			   struct qrt_msg **ret_reply)
{
	enum qrt_err err;

	if (msg->op >= QY_DB_OP_COUNT) {
		err = qrt_fail(cx, QRT_ENOTSUP, "db has no operation %u", msg->op);
	} else {
		err = operate(cx, state, msg);
	}
	if (err) {
		qrt_msg_destroy(&msg);
		return err;
	}
	*ret_reply = msg;
	return QRT_OK;
}

static size_t figures(void *state, struct qrt_figure *ret_figures, size_t n_max)
{
	const struct instance *instance = state;
	struct qrt_db_stats stats;
	size_t n = 0;

	qrt_db_stats(instance->store.db, &stats);
	const struct qrt_figure all[] = {
	    {"db_reads_total", "Reads that succeeded on a lane.", false, stats.reads},
	    {"db_short_reads_total", "Reads that ended on the loop.", false, stats.shorts},
	    {"db_fallbacks_total", "Short reads that had to go to a lane.", false, stats.fallbacks},
	    {"db_writes_total", "Writes that succeeded.", false, stats.writes},
	    {"db_commits_total", "Transactions of writes; fewer than writes: they shared.", false,
	     stats.commits},
	    {"db_writes_again_total", "Writes run once more, as their group was lost.", false,
	     stats.again},
	    {"db_rollbacks_total", "Writes that were rolled back.", false, stats.rollbacks},
	    {"db_unknown_total", "Writes of which nobody knows whether they are stored.", false,
	     stats.unknown},
	    {"db_checkpoints_total", "Checkpoints of the log.", false, stats.checkpoints},
	    {"db_checkpoints_pressing_total",
	     "Checkpoints between writes, as the log had grown too long.", false,
	     stats.checkpoints_pressing},
	    {"db_checkpoints_failed_total", "Checkpoints that failed.", false,
	     stats.checkpoints_failed},
	    {"db_log_pages", "Pages of the log that no checkpoint has moved.", true,
	     stats.log_pages},
	    {"db_queued", "Jobs that wait or run.", true, stats.queued},
	};
	for (; n < n_max && n < sizeof(all) / sizeof(all[0]); n++) {
		ret_figures[n] = all[n];
	}
	return n;
}

const struct qrt_component qy_db_component = {
    .name = "db",
    .caps = QRT_CAP_DB | QRT_CAP_BLOCKING | QRT_CAP_TIME | QRT_CAP_RANDOM | QRT_CAP_SPAWN,
    .start = start,
    .stop = stop,
    .handle = handle,
    .figures = figures,
};
