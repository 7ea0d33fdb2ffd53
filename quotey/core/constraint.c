/*
 * Constraint checks.
 *
 * Must never stop at the first finding and never report in another order than the specification's:
 * the basic checks by line, then the catalogue's rules by line, kind and id, then bundle members.
 */
#include "quotey/core/constraint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/core/decimal.h"
#include "quotey/core/text.h"

/* Longer than any stored text, so that the final cut to size is the one that respects UTF-8. */
#define SCRATCH_SIZE 1024

static const char *const violation_names[] = {
#define NAME_OF(name) #name,
    QY_VIOLATION_MAP(NAME_OF)
#undef NAME_OF
};

/* One check under way. After an allocation failure the reports are dropped and code says so. */
struct check {
	const struct qy_quote *quote;
	const struct qy_catalog *catalog;
	const struct qy_line *line;
	const struct qy_catalog_entry *entry;
	bool is_first_use;
	struct qy_violations found;
	enum qy_code code;
};

const char *qy_violation_name(enum qy_violation_code code)
{
	return (unsigned)code < QY_VIOLATION_COUNT ? violation_names[code] : NULL;
}

void qy_violations_fini(struct qy_violations *violations)
{
	if (violations == NULL) {
		return;
	}
	free(violations->items);
	memset(violations, 0, sizeof(*violations));
}

static void report(struct check *check, enum qy_violation_code code, const char *message,
		   const char *suggestion)
{
	struct qy_violations *found = &check->found;
	struct qy_violation *item;

	if (check->code != QY_OK) {
		return;
	}
	if (found->count == found->capacity) {
		size_t capacity = found->capacity == 0 ? 8 : found->capacity * 2;

		item = realloc(found->items, capacity * sizeof(*item));
		if (item == NULL) {
			check->code = QY_NO_MEMORY;
			return;
		}
		found->items = item;
		found->capacity = capacity;
	}
	item = &found->items[found->count++];
	memset(item, 0, sizeof(*item));
	item->code = code;
	if (check->line != NULL) {
		item->position = check->line->position;
		qy_text_cut(item->product_id, sizeof(item->product_id), check->line->product_id);
	}
	qy_text_cut(item->message, sizeof(item->message), message);
	qy_text_cut(item->suggestion, sizeof(item->suggestion), suggestion);
}

/* Reports with the rule's own message, if it has one. */
static void report_rule(struct check *check, enum qy_violation_code code,
			const struct qy_rule *rule, const char *message, const char *suggestion)
{
	report(check, code, qy_text_blank(rule->message) ? message : rule->message, suggestion);
}

static const struct qy_line *first_line_of(const struct qy_quote *quote, const char *product_id)
{
	size_t i;

	for (i = 0; i < quote->line_count; i++) {
		if (strcmp(quote->lines[i].product_id, product_id) == 0) {
			return &quote->lines[i];
		}
	}
	return NULL;
}

/* At most 500 x 1000000, which cannot overflow. */
static int64_t quantity_of(const struct qy_quote *quote, const char *product_id)
{
	int64_t quantity = 0;
	size_t i;

	for (i = 0; i < quote->line_count; i++) {
		if (strcmp(quote->lines[i].product_id, product_id) == 0) {
			quantity += quote->lines[i].quantity;
		}
	}
	return quantity;
}

static void check_basics(struct check *check)
{
	const struct qy_line *line = check->line;
	char text[SCRATCH_SIZE];

	if (qy_text_blank(line->product_id)) {
		report(check, QY_VIOLATION_MISSING_PRODUCT_ID, "the line names no product",
		       "set the product id");
	} else if (!check->is_first_use) {
		snprintf(text, sizeof(text), "%s is already on line %u", line->product_id,
			 first_line_of(check->quote, line->product_id)->position);
		report(check, QY_VIOLATION_DUPLICATE_PRODUCT_ID, text, "merge the lines into one");
	}
	if (line->quantity == 0) {
		report(check, QY_VIOLATION_ZERO_QUANTITY, "the quantity is zero",
		       "set a quantity of at least 1 or remove the line");
	}
	if (line->unit_price_minor <= 0) {
		report(check, QY_VIOLATION_NON_POSITIVE_UNIT_PRICE,
		       "the unit price is not above zero", "set a unit price above zero");
	}
}

static void check_requires(struct check *check, const struct qy_rule *rule)
{
	char text[SCRATCH_SIZE];

	if (!check->is_first_use || first_line_of(check->quote, rule->other_product_id) != NULL) {
		return;
	}
	snprintf(text, sizeof(text), "%s requires %s", rule->product_id, rule->other_product_id);
	report_rule(check, QY_VIOLATION_REQUIRES, rule, text, rule->other_product_id);
}

static void check_excludes(struct check *check, const struct qy_rule *rule)
{
	char text[SCRATCH_SIZE];

	if (!check->is_first_use || first_line_of(check->quote, rule->other_product_id) == NULL) {
		return;
	}
	snprintf(text, sizeof(text), "%s cannot be combined with %s", rule->product_id,
		 rule->other_product_id);
	report_rule(check, QY_VIOLATION_EXCLUDES, rule, text, rule->other_product_id);
}

/* The catalogue takes only rules whose bounds are decimals, so an unreadable one means open. */
static bool within(const struct qy_rule *rule, int64_t millionths)
{
	int64_t bound;

	if (qy_decimal_parse(rule->min_value, &bound) && millionths < bound) {
		return false;
	}
	return !qy_decimal_parse(rule->max_value, &bound) || millionths <= bound;
}

static void describe_range(const struct qy_rule *rule, char *text, size_t size)
{
	if (rule->max_value == NULL) {
		snprintf(text, size, "at least %s", rule->min_value);
	} else if (rule->min_value == NULL) {
		snprintf(text, size, "at most %s", rule->max_value);
	} else {
		snprintf(text, size, "from %s to %s", rule->min_value, rule->max_value);
	}
}

static void check_quantity(struct check *check, const struct qy_rule *rule)
{
	char range[QY_VIOLATION_TEXT_SIZE], text[SCRATCH_SIZE];
	int64_t quantity = check->line->quantity;

	if (within(rule, quantity * QY_DECIMAL_ONE)) {
		return;
	}
	describe_range(rule, range, sizeof(range));
	snprintf(text, sizeof(text), "the quantity of %s is %" PRId64 ", allowed is %s",
		 rule->product_id, quantity, range);
	report_rule(check, QY_VIOLATION_QUANTITY_RANGE, rule, text, range);
}

/*
 * The value that counts for an attribute rule: the line's, else the default. NULL without either;
 * ret_required then tells whether its absence is a fault.
 */
static const char *effective_value(const struct check *check, const char *key, bool *ret_required)
{
	const char *value = qy_line_attribute(check->line, key);
	size_t i;

	*ret_required = false;
	for (i = 0; i < check->entry->attribute_count; i++) {
		const struct qy_product_attribute *attribute = &check->entry->attributes[i];

		if (strcmp(attribute->key, key) == 0) {
			*ret_required = attribute->required;
			return value != NULL ? value : attribute->default_value;
		}
	}
	return value;
}

static void describe_value(const char *key, const char *value, const char *allowed, char *text)
{
	if (value == NULL) {
		snprintf(text, SCRATCH_SIZE, "%s is required, allowed is %s", key, allowed);
	} else {
		snprintf(text, SCRATCH_SIZE, "%s is \"%s\", allowed is %s", key, value, allowed);
	}
}

static void check_attribute_range(struct check *check, const struct qy_rule *rule)
{
	char range[QY_VIOLATION_TEXT_SIZE], text[SCRATCH_SIZE];
	const char *value;
	int64_t millionths;
	bool required;

	value = effective_value(check, rule->attribute_key, &required);
	if (value == NULL && !required) {
		return;
	}
	if (value != NULL && qy_decimal_parse(value, &millionths) && within(rule, millionths)) {
		return;
	}
	describe_range(rule, range, sizeof(range));
	describe_value(rule->attribute_key, value, range, text);
	report_rule(check, QY_VIOLATION_ATTRIBUTE_RANGE, rule, text, range);
}

static void describe_values(const struct qy_catalog_rule *rule, char *text, size_t size)
{
	size_t used = 0, i;

	text[0] = '\0';
	for (i = 0; i < rule->value_count && used + 1 < size; i++) {
		if (i > 0) {
			qy_text_cut(text + used, size - used, ", ");
			used += strlen(text + used);
		}
		qy_text_cut(text + used, size - used, rule->values[i]);
		used += strlen(text + used);
	}
}

static void check_attribute_enum(struct check *check, const struct qy_catalog_rule *rule)
{
	char values[QY_VIOLATION_TEXT_SIZE], text[SCRATCH_SIZE];
	const char *value;
	bool required;

	value = effective_value(check, rule->row.attribute_key, &required);
	if (value == NULL && !required) {
		return;
	}
	if (value != NULL &&
	    qy_text_index(rule->values, rule->value_count, value) < rule->value_count) {
		return;
	}
	describe_values(rule, values, sizeof(values));
	describe_value(rule->row.attribute_key, value, values, text);
	report_rule(check, QY_VIOLATION_ATTRIBUTE_ENUM, &rule->row, text, values);
}

static void check_rule(struct check *check, const struct qy_catalog_rule *rule)
{
	if (!rule->row.active) {
		return;
	}
	switch (rule->row.kind) {
	case QY_RULE_REQUIRES:
		check_requires(check, &rule->row);
		break;
	case QY_RULE_EXCLUDES:
		check_excludes(check, &rule->row);
		break;
	case QY_RULE_QUANTITY_RANGE:
		check_quantity(check, &rule->row);
		break;
	case QY_RULE_ATTRIBUTE_RANGE:
		check_attribute_range(check, &rule->row);
		break;
	case QY_RULE_ATTRIBUTE_ENUM:
		check_attribute_enum(check, rule);
		break;
	case QY_RULE_KIND_COUNT:
		break;
	}
}

static void check_members(struct check *check)
{
	const char *bundle_id = check->entry->product.id;
	int64_t bundles, needed, there;
	char text[SCRATCH_SIZE];
	size_t i;

	if (!check->is_first_use) {
		return;
	}
	bundles = quantity_of(check->quote, bundle_id);
	for (i = 0; i < check->entry->member_count; i++) {
		const struct qy_bundle_member *member = &check->entry->members[i];

		/* A member's quantity has 31 bits and a quote's at most 29, so the product fits. */
		needed = bundles * member->quantity;
		there = quantity_of(check->quote, member->member_id);
		if (there >= needed && first_line_of(check->quote, member->member_id) != NULL) {
			continue;
		}
		snprintf(text, sizeof(text),
			 "%" PRId64 " x %s need %" PRId64 " x %s, the quote has %" PRId64, bundles,
			 bundle_id, needed, member->member_id, there);
		report(check, QY_VIOLATION_BUNDLE_MEMBER_MISSING, text, member->member_id);
	}
}

static void check_catalog(struct check *check)
{
	size_t i;

	if (qy_text_blank(check->line->product_id)) {
		return;
	}
	check->entry = qy_catalog_find_id(check->catalog, check->line->product_id);
	if (check->entry == NULL || !check->entry->product.active) {
		return;
	}
	for (i = 0; i < check->entry->rule_count; i++) {
		check_rule(check, &check->entry->rules[i]);
	}
	check_members(check);
}

static void for_each_line(struct check *check, void (*step)(struct check *check))
{
	size_t i;

	for (i = 0; i < check->quote->line_count; i++) {
		check->line = &check->quote->lines[i];
		check->is_first_use =
		    first_line_of(check->quote, check->line->product_id) == check->line;
		step(check);
	}
}

enum qy_code qy_check(const struct qy_quote *quote, const struct qy_catalog *catalog,
		      struct qy_violations *ret_violations)
{
	struct check check = {.quote = quote, .catalog = catalog, .code = QY_OK};

	if (quote->line_count == 0) {
		report(&check, QY_VIOLATION_EMPTY_QUOTE, "the quote has no lines",
		       "add at least one line");
	} else {
		for_each_line(&check, check_basics);
		for_each_line(&check, check_catalog);
	}
	if (check.code != QY_OK) {
		qy_violations_fini(&check.found);
		return check.code;
	}
	*ret_violations = check.found;
	return QY_OK;
}
