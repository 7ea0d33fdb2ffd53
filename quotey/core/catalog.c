/*
 * The catalogue in memory.
 *
 * Must never keep a pointer of its caller: every text is copied into the catalogue, and freed with
 * it in one go. A row that fails may leave its texts behind until then, never a visible row.
 */
#include "quotey/core/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "quotey/core/decimal.h"
#include "quotey/core/money.h"
#include "quotey/core/text.h"

#define NAME_OF(name, text) text,
static const char *const product_type_names[] = {QY_PRODUCT_TYPE_MAP(NAME_OF)};
static const char *const value_type_names[] = {QY_VALUE_TYPE_MAP(NAME_OF)};
static const char *const rule_kind_names[] = {QY_RULE_KIND_MAP(NAME_OF)};
#undef NAME_OF

struct qy_catalog_text {
	struct qy_catalog_text *next;
	char text[];
};

const char *qy_product_type_name(enum qy_product_type type)
{
	return (unsigned)type < QY_PRODUCT_TYPE_COUNT ? product_type_names[type] : NULL;
}

enum qy_code qy_product_type_parse(const char *text, enum qy_product_type *ret_type)
{
	size_t index = qy_text_index(product_type_names, QY_PRODUCT_TYPE_COUNT, text);

	if (index == QY_PRODUCT_TYPE_COUNT) {
		return QY_INVALID_FIELD;
	}
	*ret_type = (enum qy_product_type)index;
	return QY_OK;
}

const char *qy_value_type_name(enum qy_value_type type)
{
	return (unsigned)type < QY_VALUE_TYPE_COUNT ? value_type_names[type] : NULL;
}

enum qy_code qy_value_type_parse(const char *text, enum qy_value_type *ret_type)
{
	size_t index = qy_text_index(value_type_names, QY_VALUE_TYPE_COUNT, text);

	if (index == QY_VALUE_TYPE_COUNT) {
		return QY_INVALID_FIELD;
	}
	*ret_type = (enum qy_value_type)index;
	return QY_OK;
}

const char *qy_rule_kind_name(enum qy_rule_kind kind)
{
	return (unsigned)kind < QY_RULE_KIND_COUNT ? rule_kind_names[kind] : NULL;
}

enum qy_code qy_rule_kind_parse(const char *text, enum qy_rule_kind *ret_kind)
{
	size_t index = qy_text_index(rule_kind_names, QY_RULE_KIND_COUNT, text);

	if (index == QY_RULE_KIND_COUNT) {
		return QY_INVALID_FIELD;
	}
	*ret_kind = (enum qy_rule_kind)index;
	return QY_OK;
}

void qy_catalog_init(struct qy_catalog *catalog)
{
	memset(catalog, 0, sizeof(*catalog));
}

static void entry_free(struct qy_catalog_entry *entry)
{
	size_t i;

	for (i = 0; i < entry->rule_count; i++) {
		free(entry->rules[i].values);
	}
	free(entry->rules);
	free(entry->members);
	free(entry->attributes);
	free(entry->tiers);
	free(entry);
}

void qy_catalog_fini(struct qy_catalog *catalog)
{
	struct qy_catalog_text *text;
	size_t i;

	if (catalog == NULL) {
		return;
	}
	for (i = 0; i < catalog->entry_count; i++) {
		entry_free(catalog->by_id[i]);
	}
	free(catalog->by_id);
	free(catalog->by_sku);
	while ((text = catalog->texts) != NULL) {
		catalog->texts = text->next;
		free(text);
	}
	qy_catalog_init(catalog);
}

/* Replaces the caller's text by the catalogue's own copy; NULL stays NULL. */
static enum qy_code adopt(struct qy_catalog *catalog, const char **text)
{
	struct qy_catalog_text *copy;
	size_t size;

	if (*text == NULL) {
		return QY_OK;
	}
	size = strlen(*text) + 1;
	copy = malloc(sizeof(*copy) + size);
	if (copy == NULL) {
		return QY_NO_MEMORY;
	}
	memcpy(copy->text, *text, size);
	copy->next = catalog->texts;
	catalog->texts = copy;
	*text = copy->text;
	return QY_OK;
}

static enum qy_code adopt_all(struct qy_catalog *catalog, const char **const texts[], size_t count)
{
	enum qy_code code = QY_OK;
	size_t i;

	for (i = 0; i < count && code == QY_OK; i++) {
		code = adopt(catalog, texts[i]);
	}
	return code;
}

/*
 * Gives the array, grown by one element of the given size, with a gap at index at; NULL when memory
 * is short, with the array as before.
 */
static void *open_gap(void *array, size_t count, size_t size, size_t at)
{
	char *grown = realloc(array, (count + 1) * size);

	if (grown != NULL) {
		memmove(grown + (at + 1) * size, grown + at * size, (count - at) * size);
	}
	return grown;
}

/* The first entry whose key is not less than the key looked for. */
static size_t lower_bound(struct qy_catalog_entry *const *entries, size_t count, const char *key,
			  bool use_sku)
{
	size_t low = 0, high = count, middle;
	const char *found;

	while (low < high) {
		middle = low + (high - low) / 2;
		found = use_sku ? entries[middle]->product.sku : entries[middle]->product.id;
		if (strcmp(found, key) < 0) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static struct qy_catalog_entry *find_entry(const struct qy_catalog *catalog, const char *key,
					   bool use_sku)
{
	struct qy_catalog_entry *const *entries;
	const char *found;
	size_t at;

	if (catalog == NULL || key == NULL) {
		return NULL;
	}
	entries = use_sku ? catalog->by_sku : catalog->by_id;
	at = lower_bound(entries, catalog->entry_count, key, use_sku);
	if (at == catalog->entry_count) {
		return NULL;
	}
	found = use_sku ? entries[at]->product.sku : entries[at]->product.id;
	return strcmp(found, key) == 0 ? entries[at] : NULL;
}

const struct qy_catalog_entry *qy_catalog_find_id(const struct qy_catalog *catalog, const char *id)
{
	return find_entry(catalog, id, /* use_sku= */ false);
}

const struct qy_catalog_entry *qy_catalog_find(const struct qy_catalog *catalog,
					       const char *id_or_sku)
{
	const struct qy_catalog_entry *entry = find_entry(catalog, id_or_sku, /* use_sku= */ false);

	return entry != NULL ? entry : find_entry(catalog, id_or_sku, /* use_sku= */ true);
}

static bool is_id(const char *text)
{
	return !qy_text_blank(text) && strlen(text) <= 64 && qy_utf8_valid(text, strlen(text));
}

static enum qy_code check_product(const struct qy_catalog *catalog, const struct qy_product *row)
{
	int exponent;

	if (!is_id(row->id) || !is_id(row->sku) || qy_text_blank(row->name) ||
	    (unsigned)row->type >= QY_PRODUCT_TYPE_COUNT || row->list_price_minor < 0 ||
	    row->unit_cost_minor < 0) {
		return QY_INVALID_FIELD;
	}
	if (catalog->entry_count >= QY_PRODUCTS_MAX) {
		return QY_CATALOG_LIMIT;
	}
	if (find_entry(catalog, row->id, false) != NULL ||
	    find_entry(catalog, row->sku, true) != NULL) {
		return QY_DUPLICATE_ID;
	}
	return qy_currency_exponent(row->currency, &exponent);
}

static enum qy_code reserve_entry(struct qy_catalog *catalog)
{
	struct qy_catalog_entry **grown;
	size_t capacity;

	if (catalog->entry_count < catalog->entry_capacity) {
		return QY_OK;
	}
	capacity = catalog->entry_capacity == 0 ? 16 : catalog->entry_capacity * 2;
	grown = realloc(catalog->by_id, capacity * sizeof(*grown));
	if (grown == NULL) {
		return QY_NO_MEMORY;
	}
	catalog->by_id = grown;
	grown = realloc(catalog->by_sku, capacity * sizeof(*grown));
	if (grown == NULL) {
		return QY_NO_MEMORY;
	}
	catalog->by_sku = grown;
	catalog->entry_capacity = capacity;
	return QY_OK;
}

static void insert_entry(struct qy_catalog_entry **entries, size_t count, size_t at,
			 struct qy_catalog_entry *entry)
{
	memmove(entries + at + 1, entries + at, (count - at) * sizeof(*entries));
	entries[at] = entry;
}

enum qy_code qy_catalog_add_product(struct qy_catalog *catalog, const struct qy_product *row)
{
	struct qy_catalog_entry *entry;
	struct qy_product made = *row;
	const char **const texts[] = {&made.id,		 &made.sku,	 &made.name,
				      &made.description, &made.synonyms, &made.family,
				      &made.currency};
	size_t count = catalog->entry_count;
	enum qy_code code;

	if ((code = check_product(catalog, row)) != QY_OK ||
	    (code = reserve_entry(catalog)) != QY_OK ||
	    (code = adopt_all(catalog, texts, sizeof(texts) / sizeof(texts[0]))) != QY_OK) {
		return code;
	}
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL) {
		return QY_NO_MEMORY;
	}
	if (!made.has_unit_cost) {
		made.unit_cost_minor = 0;
	}
	entry->product = made;
	insert_entry(catalog->by_id, count, lower_bound(catalog->by_id, count, made.id, false),
		     entry);
	insert_entry(catalog->by_sku, count, lower_bound(catalog->by_sku, count, made.sku, true),
		     entry);
	catalog->entry_count++;
	return QY_OK;
}

/* The entry that a dependent row belongs to, which must have room for one part more. */
static enum qy_code entry_for(struct qy_catalog *catalog, const char *product_id,
			      struct qy_catalog_entry **ret_entry)
{
	struct qy_catalog_entry *entry = find_entry(catalog, product_id, /* use_sku= */ false);

	if (entry == NULL) {
		return QY_UNKNOWN_PRODUCT;
	}
	*ret_entry = entry;
	return QY_OK;
}

enum qy_code qy_catalog_add_tier(struct qy_catalog *catalog, const struct qy_price_tier *row)
{
	struct qy_catalog_entry *entry;
	struct qy_price_tier *grown;
	enum qy_code code;
	size_t at = 0;

	if (row->min_quantity < 1 || row->unit_price_minor < 1) {
		return QY_INVALID_FIELD;
	}
	code = entry_for(catalog, row->product_id, &entry);
	if (code != QY_OK) {
		return code;
	}
	while (at < entry->tier_count && entry->tiers[at].min_quantity < row->min_quantity) {
		at++;
	}
	if (at < entry->tier_count && entry->tiers[at].min_quantity == row->min_quantity) {
		return QY_DUPLICATE_ID;
	}
	if (entry->tier_count >= QY_PRODUCT_PARTS_MAX) {
		return QY_CATALOG_LIMIT;
	}
	grown = open_gap(entry->tiers, entry->tier_count, sizeof(*grown), at);
	if (grown == NULL) {
		return QY_NO_MEMORY;
	}
	entry->tiers = grown;
	grown[at] = *row;
	grown[at].product_id = entry->product.id;
	entry->tier_count++;
	return QY_OK;
}

static int attribute_order(const struct qy_product_attribute *a,
			   const struct qy_product_attribute *b)
{
	if (a->sort_order != b->sort_order) {
		return a->sort_order < b->sort_order ? -1 : 1;
	}
	return strcmp(a->key, b->key);
}

enum qy_code qy_catalog_add_attribute(struct qy_catalog *catalog,
				      const struct qy_product_attribute *row)
{
	struct qy_product_attribute made = *row, *grown;
	const char **const texts[] = {&made.key, &made.display_name, &made.default_value};
	struct qy_catalog_entry *entry;
	enum qy_code code;
	size_t at = 0, i;

	if (!is_id(row->key) || (unsigned)row->value_type >= QY_VALUE_TYPE_COUNT) {
		return QY_INVALID_FIELD;
	}
	code = entry_for(catalog, row->product_id, &entry);
	if (code != QY_OK) {
		return code;
	}
	for (i = 0; i < entry->attribute_count; i++) {
		if (strcmp(entry->attributes[i].key, row->key) == 0) {
			return QY_DUPLICATE_ID;
		}
		at += attribute_order(&entry->attributes[i], row) < 0;
	}
	if (entry->attribute_count >= QY_PRODUCT_PARTS_MAX) {
		return QY_CATALOG_LIMIT;
	}
	code = adopt_all(catalog, texts, sizeof(texts) / sizeof(texts[0]));
	if (code != QY_OK) {
		return code;
	}
	grown = open_gap(entry->attributes, entry->attribute_count, sizeof(*grown), at);
	if (grown == NULL) {
		return QY_NO_MEMORY;
	}
	entry->attributes = grown;
	made.product_id = entry->product.id;
	grown[at] = made;
	entry->attribute_count++;
	return QY_OK;
}

static int member_order(const struct qy_bundle_member *a, const struct qy_bundle_member *b)
{
	if (a->sort_order != b->sort_order) {
		return a->sort_order < b->sort_order ? -1 : 1;
	}
	return strcmp(a->member_id, b->member_id);
}

enum qy_code qy_catalog_add_member(struct qy_catalog *catalog, const struct qy_bundle_member *row)
{
	struct qy_bundle_member made = *row, *grown;
	struct qy_catalog_entry *entry;
	enum qy_code code;
	size_t at = 0, i;

	if (!is_id(row->member_id) || row->quantity < 1 || row->quantity > INT32_MAX) {
		return QY_INVALID_FIELD;
	}
	code = entry_for(catalog, row->bundle_id, &entry);
	if (code != QY_OK) {
		return code;
	}
	for (i = 0; i < entry->member_count; i++) {
		if (strcmp(entry->members[i].member_id, row->member_id) == 0) {
			return QY_DUPLICATE_ID;
		}
		at += member_order(&entry->members[i], row) < 0;
	}
	if (entry->member_count >= QY_PRODUCT_PARTS_MAX) {
		return QY_CATALOG_LIMIT;
	}
	code = adopt(catalog, &made.member_id);
	if (code != QY_OK) {
		return code;
	}
	grown = open_gap(entry->members, entry->member_count, sizeof(*grown), at);
	if (grown == NULL) {
		return QY_NO_MEMORY;
	}
	entry->members = grown;
	made.bundle_id = entry->product.id;
	grown[at] = made;
	entry->member_count++;
	return QY_OK;
}

static struct qy_catalog_rule *find_rule(const struct qy_catalog *catalog, const char *id)
{
	size_t i, k;

	for (i = 0; i < catalog->entry_count; i++) {
		struct qy_catalog_entry *entry = catalog->by_id[i];

		for (k = 0; k < entry->rule_count; k++) {
			if (qy_text_equal(entry->rules[k].row.id, id)) {
				return &entry->rules[k];
			}
		}
	}
	return NULL;
}

static bool is_bound(const char *text)
{
	int64_t value;

	return text == NULL || qy_decimal_parse(text, &value);
}

/* Each kind needs its operands; a rule without them would never fire, or always. */
static enum qy_code check_rule(const struct qy_rule *row)
{
	bool complete = false;

	switch (row->kind) {
	case QY_RULE_REQUIRES:
	case QY_RULE_EXCLUDES:
		complete = is_id(row->other_product_id);
		break;
	case QY_RULE_QUANTITY_RANGE:
		complete = row->min_value != NULL || row->max_value != NULL;
		break;
	case QY_RULE_ATTRIBUTE_RANGE:
		complete =
		    is_id(row->attribute_key) && (row->min_value != NULL || row->max_value != NULL);
		break;
	case QY_RULE_ATTRIBUTE_ENUM:
		complete = is_id(row->attribute_key);
		break;
	case QY_RULE_KIND_COUNT:
		break;
	}
	if (!complete || !is_id(row->id) || !is_bound(row->min_value) ||
	    !is_bound(row->max_value)) {
		return QY_INVALID_FIELD;
	}
	return QY_OK;
}

static bool rule_before(const struct qy_rule *a, const struct qy_rule *b)
{
	return a->kind != b->kind ? a->kind < b->kind : strcmp(a->id, b->id) < 0;
}

enum qy_code qy_catalog_add_rule(struct qy_catalog *catalog, const struct qy_rule *row)
{
	struct qy_rule made = *row;
	const char **const texts[] = {&made.id,	       &made.other_product_id, &made.attribute_key,
				      &made.min_value, &made.max_value,	       &made.message};
	struct qy_catalog_entry *entry;
	struct qy_catalog_rule *grown;
	enum qy_code code;
	size_t at = 0;

	if ((code = check_rule(row)) != QY_OK ||
	    (code = entry_for(catalog, row->product_id, &entry)) != QY_OK) {
		return code;
	}
	if (find_rule(catalog, row->id) != NULL) {
		return QY_DUPLICATE_ID;
	}
	if (entry->rule_count >= QY_PRODUCT_PARTS_MAX) {
		return QY_CATALOG_LIMIT;
	}
	code = adopt_all(catalog, texts, sizeof(texts) / sizeof(texts[0]));
	if (code != QY_OK) {
		return code;
	}
	while (at < entry->rule_count && rule_before(&entry->rules[at].row, row)) {
		at++;
	}
	grown = open_gap(entry->rules, entry->rule_count, sizeof(*grown), at);
	if (grown == NULL) {
		return QY_NO_MEMORY;
	}
	entry->rules = grown;
	made.product_id = entry->product.id;
	grown[at] = (struct qy_catalog_rule){.row = made};
	entry->rule_count++;
	return QY_OK;
}

enum qy_code qy_catalog_add_rule_value(struct qy_catalog *catalog, const struct qy_rule_value *row)
{
	struct qy_catalog_rule *rule = find_rule(catalog, row->rule_id);
	const char *value = row->value, **grown;
	enum qy_code code;

	if (rule == NULL) {
		return QY_INVALID_ID;
	}
	if (rule->row.kind != QY_RULE_ATTRIBUTE_ENUM || value == NULL) {
		return QY_INVALID_FIELD;
	}
	if (rule->value_count >= QY_PRODUCT_PARTS_MAX) {
		return QY_CATALOG_LIMIT;
	}
	code = adopt(catalog, &value);
	if (code != QY_OK) {
		return code;
	}
	grown = open_gap(rule->values, rule->value_count, sizeof(*grown), rule->value_count);
	if (grown == NULL) {
		return QY_NO_MEMORY;
	}
	rule->values = grown;
	rule->values[rule->value_count] = value;
	rule->value_count++;
	return QY_OK;
}

const struct qy_price_tier *qy_catalog_tier(const struct qy_catalog_entry *entry, int64_t quantity)
{
	size_t i = entry->tier_count;

	while (i > 0) {
		i--;
		if (entry->tiers[i].min_quantity <= quantity) {
			return &entry->tiers[i];
		}
	}
	return NULL;
}
