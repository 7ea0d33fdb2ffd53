/* Stores the seed's products and sales reps. Never changes a row that is there. */
#include <stdlib.h>
#include <string.h>

#include "quotey/core/json_write.h"
#include "quotey/core/seed.h"
#include "quotey/db/seed_rows.h"
#include "quotey/db/sql.h"

static enum qrt_err add_products(struct qrt_db_conn *conn, const char *now)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_product_count && !err; i++) {
		const struct qy_product *p = &qy_seed_products[i];
		struct qy_arg cost = QY_N(p->unit_cost_minor);

		err = qy_sql_run(conn,
				 "INSERT INTO product (id, sku, name, description, synonyms,"
				 " product_type, family, is_addon, list_price_minor,"
				 " unit_cost_minor, currency, active, created_at, updated_at)"
				 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,"
				 " ?13) ON CONFLICT DO NOTHING",
				 QY_ARGS(QY_T(p->id), QY_T(p->sku), QY_T(p->name),
					 QY_T(p->description), QY_T(p->synonyms),
					 QY_T(qy_product_type_name(p->type)), QY_T(p->family),
					 QY_N(p->is_addon), QY_N(p->list_price_minor),
					 p->has_unit_cost ? cost : QY_T(NULL), QY_T(p->currency),
					 QY_N(p->active), QY_T(now)));
	}
	return err;
}

static enum qrt_err add_tiers(struct qrt_db_conn *conn, const char *now)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_tier_count && !err; i++) {
		const struct qy_price_tier *tier = &qy_seed_tiers[i];

		err = qy_sql_run(conn,
				 "INSERT INTO price_tier (product_id, min_quantity,"
				 " unit_price_minor, created_at) VALUES (?1, ?2, ?3, ?4)"
				 " ON CONFLICT DO NOTHING",
				 QY_ARGS(QY_T(tier->product_id), QY_N(tier->min_quantity),
					 QY_N(tier->unit_price_minor), QY_T(now)));
	}
	return err;
}

static enum qrt_err add_attributes(struct qrt_db_conn *conn, const char *now)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_attribute_count && !err; i++) {
		const struct qy_product_attribute *a = &qy_seed_attributes[i];

		err = qy_sql_run(conn,
				 "INSERT INTO product_attribute (product_id, key, display_name,"
				 " value_type, required, default_value, sort_order, created_at)"
				 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
				 QY_ARGS(QY_T(a->product_id), QY_T(a->key), QY_T(a->display_name),
					 QY_T(qy_value_type_name(a->value_type)), QY_N(a->required),
					 QY_T(a->default_value), QY_N(a->sort_order), QY_T(now)));
	}
	return err;
}

static enum qrt_err add_members(struct qrt_db_conn *conn, const char *now)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_member_count && !err; i++) {
		const struct qy_bundle_member *m = &qy_seed_members[i];

		err = qy_sql_run(conn,
				 "INSERT INTO bundle_member (bundle_id, member_id, quantity,"
				 " sort_order, created_at) VALUES (?1, ?2, ?3, ?4, ?5)"
				 " ON CONFLICT DO NOTHING",
				 QY_ARGS(QY_T(m->bundle_id), QY_T(m->member_id), QY_N(m->quantity),
					 QY_N(m->sort_order), QY_T(now)));
	}
	return err;
}

/* The values of an ATTRIBUTE_ENUM rule as a JSON array; NULL for other rules. */
static enum qy_code values_json(const struct qy_rule *rule, char **ret_json)
{
	struct qy_json json;

	if (rule->kind != QY_RULE_ATTRIBUTE_ENUM) {
		*ret_json = NULL;
		return QY_OK;
	}
	qy_json_init(&json);
	qy_json_array_begin(&json);
	for (size_t i = 0; i < qy_seed_rule_value_count; i++) {
		if (strcmp(qy_seed_rule_values[i].rule_id, rule->id) == 0) {
			qy_json_string(&json, qy_seed_rule_values[i].value);
		}
	}
	qy_json_array_end(&json);
	return qy_json_take(&json, ret_json);
}

static enum qrt_err add_rule(struct qrt_db_conn *conn, const struct qy_rule *rule, const char *now)
{
	char *values = NULL;
	enum qy_code code = values_json(rule, &values);
	enum qrt_err err = qy_sql_code(conn, code, "constraint_rule", rule->id);

	if (!err) {
		err = qy_sql_run(conn,
				 "INSERT INTO constraint_rule (id, kind, product_id,"
				 " other_product_id, attribute_key, min_value, max_value,"
				 " enum_json, message, active, created_at, updated_at)"
				 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?11)"
				 " ON CONFLICT DO NOTHING",
				 QY_ARGS(QY_T(rule->id), QY_T(qy_rule_kind_name(rule->kind)),
					 QY_T(rule->product_id), QY_T(rule->other_product_id),
					 QY_T(rule->attribute_key), QY_T(rule->min_value),
					 QY_T(rule->max_value), QY_T(values), QY_T(rule->message),
					 QY_N(rule->active), QY_T(now)));
	}
	free(values);
	return err;
}

static enum qrt_err add_rules(struct qrt_db_conn *conn, const char *now)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_rule_count && !err; i++) {
		err = add_rule(conn, &qy_seed_rules[i], now);
	}
	return err;
}

static enum qrt_err add_reps(struct qrt_db_conn *conn, const char *now)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < qy_seed_rep_count && !err; i++) {
		const struct qy_seed_rep *rep = &qy_seed_reps[i];

		err = qy_sql_run(conn,
				 "INSERT INTO sales_rep (id, external_user_ref, name, email, role,"
				 " title, team_id, reports_to, status, created_at, updated_at)"
				 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10)"
				 " ON CONFLICT DO NOTHING",
				 QY_ARGS(QY_T(rep->id), QY_T(rep->external_user_ref),
					 QY_T(rep->name), QY_T(rep->email), QY_T(rep->role),
					 QY_T(rep->title), QY_T(rep->team_id),
					 QY_T(rep->reports_to), QY_T(rep->status), QY_T(now)));
	}
	return err;
}

enum qrt_err qy_seed_rows_catalogue(struct qrt_db_conn *conn, const char *now)
{
	static enum qrt_err (*const tables[])(struct qrt_db_conn *, const char *) = {
	    add_products, add_tiers, add_attributes, add_members, add_rules, add_reps,
	};
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && !err; i++) {
		err = tables[i](conn, now);
	}
	return err;
}
