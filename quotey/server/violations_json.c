/* Constraint violations as JSON: null stands for "the quote as a whole" and for "no product". */
#include "quotey/server/violations_json.h"

static void write_one(struct qy_json *json, const struct qy_violation *violation)
{
	qy_json_object_begin(json);
	qy_json_key(json, "code");
	qy_json_string(json, qy_violation_name(violation->code));
	qy_json_key(json, "message");
	qy_json_string(json, violation->message);
	qy_json_key(json, "position");
	if (violation->position > 0) {
		qy_json_integer(json, violation->position);
	} else {
		qy_json_null(json);
	}
	qy_json_key(json, "product_id");
	qy_json_string(json, violation->product_id[0] != '\0' ? violation->product_id : NULL);
	qy_json_key(json, "suggestion");
	qy_json_string(json, violation->suggestion[0] != '\0' ? violation->suggestion : NULL);
	qy_json_object_end(json);
}

void qy_violations_write(struct qy_json *json, const struct qy_violations *violations)
{
	size_t i;

	qy_json_array_begin(json);
	for (i = 0; i < violations->count; i++) {
		write_one(json, &violations->items[i]);
	}
	qy_json_array_end(json);
}
