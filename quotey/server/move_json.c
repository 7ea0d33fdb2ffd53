/* A move as JSON. The flip is told in microseconds as well: it rounds to no milliseconds. */
#include "quotey/server/move_json.h"

#include "quotey/core/civil.h"

static void put_text(struct qy_json *json, const char *key, const char *text)
{
	qy_json_key(json, key);
	qy_json_string(json, text[0] != '\0' ? text : NULL);
}

static void put_number(struct qy_json *json, const char *key, int64_t value)
{
	qy_json_key(json, key);
	qy_json_integer(json, value);
}

void qy_move_write(struct qy_json *json, const struct qrt_move *move)
{
	char at[QY_TIMESTAMP_SIZE];

	if (qy_timestamp_format(move->at_wall_ms, at) != QY_OK) {
		at[0] = '\0';
	}
	qy_json_object_begin(json);
	put_text(json, "actor", move->actor);
	put_text(json, "at", at);
	put_text(json, "component", move->component);
	put_text(json, "detail", move->detail);
	put_number(json, "drain_ms", move->drain_ns / QRT_MS);
	put_text(json, "error", move->err ? qrt_err_name(move->err) : "");
	put_number(json, "flip_ms", move->flip_ns / QRT_MS);
	put_number(json, "flip_us", move->flip_ns / 1000);
	put_text(json, "from", move->from);
	put_number(json, "in_flight_at_flip", (int64_t)move->in_flight_at_flip);
	qy_json_key(json, "ok");
	qy_json_boolean(json, move->err == QRT_OK);
	put_number(json, "prepare_ms", move->prepare_ns / QRT_MS);
	put_text(json, "reason", move->reason);
	put_number(json, "seq", (int64_t)move->seq);
	put_number(json, "stragglers", (int64_t)move->stragglers);
	put_text(json, "to", move->to);
	put_number(json, "total_ms", move->total_ns / QRT_MS);
	qy_json_object_end(json);
}
