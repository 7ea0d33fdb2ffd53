/*
 * The catalogue in memory: products with their tiers, attributes, bundle members and rules.
 *
 * It is built row by row (by the database layer, or from the seed tables), then only read. The row
 * structs serve both as input and as content: an add function copies every text, so that the
 * caller's row may go away; pointers into the catalogue live until qy_catalog_fini.
 */
#ifndef QY_CORE_CATALOG_H
#define QY_CORE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quotey/core/code.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QY_PRODUCTS_MAX 10000
/* Tiers, attributes, members and rules of one product, and values of one rule, each. */
#define QY_PRODUCT_PARTS_MAX 64

#define QY_PRODUCT_TYPE_MAP(X)                                                                     \
	X(SIMPLE, "simple")                                                                        \
	X(CONFIGURABLE, "configurable")                                                            \
	X(BUNDLE, "bundle")

#define QY_VALUE_TYPE_MAP(X)                                                                       \
	X(INTEGER, "integer")                                                                      \
	X(DECIMAL, "decimal")                                                                      \
	X(ENUM, "enum")                                                                            \
	X(BOOLEAN, "boolean")                                                                      \
	X(TEXT, "text")

/* In the order in which violations are reported. */
#define QY_RULE_KIND_MAP(X)                                                                        \
	X(REQUIRES, "REQUIRES")                                                                    \
	X(EXCLUDES, "EXCLUDES")                                                                    \
	X(QUANTITY_RANGE, "QUANTITY_RANGE")                                                        \
	X(ATTRIBUTE_RANGE, "ATTRIBUTE_RANGE")                                                      \
	X(ATTRIBUTE_ENUM, "ATTRIBUTE_ENUM")

#define QY_CATALOG_ENUM(name, text) QY_PRODUCT_##name,
enum qy_product_type { QY_PRODUCT_TYPE_MAP(QY_CATALOG_ENUM) QY_PRODUCT_TYPE_COUNT };
#undef QY_CATALOG_ENUM
#define QY_CATALOG_ENUM(name, text) QY_VALUE_##name,
enum qy_value_type { QY_VALUE_TYPE_MAP(QY_CATALOG_ENUM) QY_VALUE_TYPE_COUNT };
#undef QY_CATALOG_ENUM
#define QY_CATALOG_ENUM(name, text) QY_RULE_##name,
enum qy_rule_kind { QY_RULE_KIND_MAP(QY_CATALOG_ENUM) QY_RULE_KIND_COUNT };
#undef QY_CATALOG_ENUM

/* The stored text, or NULL for a value outside the enum; and back: INVALID_FIELD for others. */
const char *qy_product_type_name(enum qy_product_type type);
enum qy_code qy_product_type_parse(const char *text, enum qy_product_type *ret_type) QY_MUST_USE;
const char *qy_value_type_name(enum qy_value_type type);
enum qy_code qy_value_type_parse(const char *text, enum qy_value_type *ret_type) QY_MUST_USE;
const char *qy_rule_kind_name(enum qy_rule_kind kind);
enum qy_code qy_rule_kind_parse(const char *text, enum qy_rule_kind *ret_kind) QY_MUST_USE;

struct qy_product {
	const char *id;
	const char *sku;
	const char *name;
	const char *description; /* may be NULL */
	const char *synonyms;	 /* blank-separated words, may be NULL */
	const char *family;	 /* may be NULL */
	const char *currency;
	enum qy_product_type type;
	bool is_addon;
	bool active;
	bool has_unit_cost;
	int64_t list_price_minor;
	int64_t unit_cost_minor; /* 0 without has_unit_cost */
};

struct qy_price_tier {
	const char *product_id;
	int64_t min_quantity;	  /* at least 1 */
	int64_t unit_price_minor; /* at least 1 */
};

struct qy_product_attribute {
	const char *product_id;
	const char *key;
	const char *display_name;
	enum qy_value_type value_type;
	bool required;
	const char *default_value; /* may be NULL */
	int sort_order;
};

struct qy_bundle_member {
	const char *bundle_id;
	const char *member_id;
	int64_t quantity; /* at least 1 */
	int sort_order;
};

struct qy_rule {
	const char *id;
	enum qy_rule_kind kind;
	const char *product_id;
	const char *other_product_id; /* REQUIRES, EXCLUDES; else NULL */
	const char *attribute_key;    /* ATTRIBUTE_*; else NULL */
	const char *min_value;	      /* *_RANGE: decimal with at most 6 places, NULL is open */
	const char *max_value;
	const char *message; /* NULL: a standard one is made */
	bool active;
};

/* One value of an ATTRIBUTE_ENUM rule: the elements of constraint_rule.enum_json. */
struct qy_rule_value {
	const char *rule_id;
	const char *value;
};

struct qy_catalog_rule {
	struct qy_rule row;
	const char **values; /* in the order they were added */
	size_t value_count;
};

struct qy_catalog_entry {
	struct qy_product product;
	struct qy_price_tier *tiers; /* by min_quantity, ascending */
	size_t tier_count;
	struct qy_product_attribute *attributes; /* by sort_order, then key */
	size_t attribute_count;
	struct qy_bundle_member *members; /* by sort_order, then member id */
	size_t member_count;
	struct qy_catalog_rule *rules; /* by kind, then id; inactive ones too */
	size_t rule_count;
};

struct qy_catalog_text;

struct qy_catalog {
	struct qy_catalog_entry **by_id;
	struct qy_catalog_entry **by_sku;
	size_t entry_count;
	size_t entry_capacity;
	struct qy_catalog_text *texts; /* every text the catalogue owns */
};

void qy_catalog_init(struct qy_catalog *catalog);

/* Frees everything and leaves an empty catalogue. NULL is fine. */
void qy_catalog_fini(struct qy_catalog *catalog);

/*
 * Each adds one row, products before what refers to them; on failure the catalogue is unchanged.
 * Errors: INVALID_FIELD for an absent text, a bad number or a rule that lacks what its kind needs,
 * UNKNOWN_CURRENCY, UNKNOWN_PRODUCT for a row of a product that is not there (other_product_id and
 * member_id may name unknown ones), DUPLICATE_ID, CATALOG_LIMIT, NO_MEMORY.
 */
enum qy_code qy_catalog_add_product(struct qy_catalog *catalog,
				    const struct qy_product *row) QY_MUST_USE;
enum qy_code qy_catalog_add_tier(struct qy_catalog *catalog,
				 const struct qy_price_tier *row) QY_MUST_USE;
enum qy_code qy_catalog_add_attribute(struct qy_catalog *catalog,
				      const struct qy_product_attribute *row) QY_MUST_USE;
enum qy_code qy_catalog_add_member(struct qy_catalog *catalog,
				   const struct qy_bundle_member *row) QY_MUST_USE;
enum qy_code qy_catalog_add_rule(struct qy_catalog *catalog, const struct qy_rule *row) QY_MUST_USE;

/* INVALID_ID for a rule that is not there, INVALID_FIELD for one that is no ATTRIBUTE_ENUM. */
enum qy_code qy_catalog_add_rule_value(struct qy_catalog *catalog,
				       const struct qy_rule_value *row) QY_MUST_USE;

/* By product id only, or by id and then by SKU; active or not. NULL if there is none. */
const struct qy_catalog_entry *qy_catalog_find_id(const struct qy_catalog *catalog, const char *id);
const struct qy_catalog_entry *qy_catalog_find(const struct qy_catalog *catalog,
					       const char *id_or_sku);

/* The tier that prices this quantity, or NULL when the list price does. */
const struct qy_price_tier *qy_catalog_tier(const struct qy_catalog_entry *entry, int64_t quantity);

#ifdef __cplusplus
}
#endif

#endif
