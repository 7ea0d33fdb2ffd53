/*
 * The catalogue's tables, read product by product: what a quote needs is little, what a catalogue
 * holds may be much.
 */
#include <string.h>

#include "quotey/core/text.h"
#include "quotey/db/repo.h"
#include "quotey/db/sql.h"

/* Adds the part that a row describes. */
typedef enum qy_code add_row_fn(struct qy_catalog *catalog, const char *product_id,
				const struct qrt_db_stmt *row);

struct part {
	const char *table;
	const char *sql; /* ?1 is the product's id */
	add_row_fn *add;
};

static enum qy_code add_product(struct qy_catalog *catalog, const char *product_id,
				const struct qrt_db_stmt *row)
{
	struct qy_product product = {
	    .id = product_id,
	    .sku = qrt_db_text(row, 0),
	    .name = qrt_db_text(row, 1),
	    .description = qrt_db_text(row, 2),
	    .synonyms = qrt_db_text(row, 3),
	    .family = qrt_db_text(row, 5),
	    .is_addon = qrt_db_int(row, 6) != 0,
	    .list_price_minor = qrt_db_int(row, 7),
	    .has_unit_cost = !qrt_db_is_null(row, 8),
	    .unit_cost_minor = qrt_db_int(row, 8),
	    .currency = qrt_db_text(row, 9),
	    .active = qrt_db_int(row, 10) != 0,
	};
	enum qy_code code = qy_product_type_parse(qrt_db_text(row, 4), &product.type);

	return code == QY_OK ? qy_catalog_add_product(catalog, &product) : code;
}

static enum qy_code add_tier(struct qy_catalog *catalog, const char *product_id,
			     const struct qrt_db_stmt *row)
{
	struct qy_price_tier tier = {
	    .product_id = product_id,
	    .min_quantity = qrt_db_int(row, 0),
	    .unit_price_minor = qrt_db_int(row, 1),
	};

	return qy_catalog_add_tier(catalog, &tier);
}

static enum qy_code add_attribute(struct qy_catalog *catalog, const char *product_id,
				  const struct qrt_db_stmt *row)
{
	struct qy_product_attribute attribute = {
	    .product_id = product_id,
	    .key = qrt_db_text(row, 0),
	    .display_name = qrt_db_text(row, 1),
	    .required = qrt_db_int(row, 3) != 0,
	    .default_value = qrt_db_text(row, 4),
	    .sort_order = (int)qrt_db_int(row, 5),
	};
	enum qy_code code = qy_value_type_parse(qrt_db_text(row, 2), &attribute.value_type);

	return code == QY_OK ? qy_catalog_add_attribute(catalog, &attribute) : code;
}

static enum qy_code add_member(struct qy_catalog *catalog, const char *product_id,
			       const struct qrt_db_stmt *row)
{
	struct qy_bundle_member member = {
	    .bundle_id = product_id,
	    .member_id = qrt_db_text(row, 0),
	    .quantity = qrt_db_int(row, 1),
	    .sort_order = (int)qrt_db_int(row, 2),
	};

	return qy_catalog_add_member(catalog, &member);
}

static enum qy_code add_rule(struct qy_catalog *catalog, const char *product_id,
			     const struct qrt_db_stmt *row)
{
	struct qy_rule rule = {
	    .id = qrt_db_text(row, 0),
	    .product_id = product_id,
	    .other_product_id = qrt_db_text(row, 2),
	    .attribute_key = qrt_db_text(row, 3),
	    .min_value = qrt_db_text(row, 4),
	    .max_value = qrt_db_text(row, 5),
	    .message = qrt_db_text(row, 6),
	    .active = qrt_db_int(row, 7) != 0,
	};
	enum qy_code code = qy_rule_kind_parse(qrt_db_text(row, 1), &rule.kind);

	return code == QY_OK ? qy_catalog_add_rule(catalog, &rule) : code;
}

static enum qy_code add_rule_value(struct qy_catalog *catalog, const char *product_id,
				   const struct qrt_db_stmt *row)
{
	struct qy_rule_value value = {
	    .rule_id = qrt_db_text(row, 0),
	    .value = qrt_db_text(row, 1),
	};

	(void)product_id;
	return qy_catalog_add_rule_value(catalog, &value);
}

/* In an order in which each row finds what it refers to. */
static const struct part parts[] = {
    {"product",
     "SELECT sku, name, description, synonyms, product_type, family, is_addon,"
     " list_price_minor, unit_cost_minor, currency, active FROM product WHERE id = ?1",
     add_product},
    {"price_tier",
     "SELECT min_quantity, unit_price_minor FROM price_tier WHERE product_id = ?1"
     " ORDER BY min_quantity",
     add_tier},
    {"product_attribute",
     "SELECT key, display_name, value_type, required, default_value, sort_order"
     " FROM product_attribute WHERE product_id = ?1 ORDER BY sort_order, key",
     add_attribute},
    {"bundle_member",
     "SELECT member_id, quantity, sort_order FROM bundle_member WHERE bundle_id = ?1"
     " ORDER BY sort_order, member_id",
     add_member},
    {"constraint_rule",
     "SELECT id, kind, other_product_id, attribute_key, min_value, max_value, message, active"
     " FROM constraint_rule WHERE product_id = ?1 ORDER BY id",
     add_rule},
    {"constraint_rule",
     "SELECT r.id, v.value FROM constraint_rule AS r, json_each(r.enum_json) AS v"
     " WHERE r.product_id = ?1 AND r.enum_json IS NOT NULL ORDER BY r.id, v.key",
     add_rule_value},
};

static enum qrt_err load_part(struct qrt_db_conn *conn, const struct part *part,
			      const char *product_id, struct qy_catalog *catalog)
{
	QRT_AUTO_STMT rows = NULL;
	bool row = false;
	enum qrt_err err = qy_sql_open(conn, part->sql, QY_ARGS(QY_T(product_id)), &rows);

	while (!err && !(err = qrt_db_step(rows, &row)) && row) {
		err = qy_sql_code(conn, part->add(catalog, product_id, rows), part->table,
				  product_id);
	}
	return err;
}

enum qrt_err qy_repo_product_load(struct qrt_db_conn *conn, const char *id,
				  struct qy_catalog *catalog)
{
	enum qrt_err err = QRT_OK;

	if (qy_catalog_find_id(catalog, id)) {
		return QRT_OK;
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !err; i++) {
		err = load_part(conn, &parts[i], id, catalog);
		if (!err && i == 0 && !qy_catalog_find_id(catalog, id)) {
			return QRT_OK;
		}
	}
	return err;
}

enum qrt_err qy_repo_product_resolve(struct qrt_db_conn *conn, const char *id_or_sku,
				     char ret_id[QY_ID_TEXT_MAX + 1])
{
	struct qy_arg arg = QY_T(id_or_sku);

	return qy_sql_word(conn,
			   "SELECT id FROM product WHERE id = ?1 OR sku = ?1"
			   " ORDER BY id <> ?1 LIMIT 1",
			   &arg, QY_ID_TEXT_MAX + 1, ret_id);
}

enum qrt_err qy_repo_catalog_for(struct qrt_db_conn *conn, const struct qy_quote *quote,
				 struct qy_catalog *ret_catalog)
{
	struct qy_catalog catalog;
	enum qrt_err err = QRT_OK;

	qy_catalog_init(&catalog);
	for (size_t i = 0; i < quote->line_count && !err; i++) {
		const char *id = quote->lines[i].product_id;

		if (!qy_text_blank(id)) {
			err = qy_repo_product_load(conn, id, &catalog);
		}
	}
	if (err) {
		qy_catalog_fini(&catalog);
		return err;
	}
	*ret_catalog = catalog;
	return QRT_OK;
}
