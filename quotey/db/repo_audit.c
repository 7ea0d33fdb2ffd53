/* The table audit_event. Append only; never holds secrets. */
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

/* "user:rep.sarah" in two; without a type it is the system's. */
static const char *split_actor(const char *actor, char *type, size_t size)
{
	const char *colon = strchr(actor, ':');
	size_t len = colon ? (size_t)(colon - actor) : 0;

	if (!colon || len == 0 || len >= size) {
		qy_text_cut(type, size, "system");
		return colon ? colon + 1 : actor;
	}
	memcpy(type, actor, len);
	type[len] = '\0';
	return colon + 1;
}

enum qrt_err qy_repo_audit_add(struct qrt_db_conn *conn, struct qy_stamp *stamp,
			       const struct qy_audit *audit)
{
	const char *metadata = audit->metadata_json ? audit->metadata_json : "{}";
	const char *actor_id;
	char actor_type[16];
	char id[QY_IDENT_SIZE];

	if (audit->id) {
		qy_text_cut(id, sizeof(id), audit->id);
	} else {
		qy_stamp_id(stamp, QY_ID_AUDIT, id);
	}
	actor_id = split_actor(stamp->origin.actor, actor_type, sizeof(actor_type));
	return qy_sql_run(
	    conn,
	    "INSERT INTO audit_event (id, seq, occurred_at, actor_type, actor_id,"
	    " quote_id, correlation_id, event_type, category, outcome, entity_type,"
	    " entity_id, action, before_json, after_json, metadata_json, created_at)"
	    " VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM audit_event), ?2,"
	    " ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?2)",
	    QY_ARGS(QY_T(id), QY_T(stamp->now), QY_T(actor_type), QY_T(actor_id),
		    QY_T(audit->quote_id), QY_T(stamp->origin.correlation), QY_T(audit->event_type),
		    QY_T(audit->category), QY_T(audit->outcome), QY_T(audit->entity_type),
		    QY_T(audit->entity_id), QY_T(audit->action), QY_T(audit->before_json),
		    QY_T(audit->after_json), QY_T(metadata)));
}
