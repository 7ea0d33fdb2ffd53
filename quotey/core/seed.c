/*
 * The seed tables, and their form in memory.
 *
 * Must never hold a time or an id that is drawn: two loads of this data must be equal.
 */
#include "quotey/core/seed.h"

#include "quotey/core/text.h"

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

#define TEAM_SALES "team-sales"
#define TEAM_OPERATIONS "team-operations"

#define SEAT(product_id, product_sku, product_name, words, price, cost)                            \
	.id = (product_id), .sku = (product_sku), .name = (product_name), .synonyms = (words),     \
	.family = "seats", .currency = "USD", .active = true, .has_unit_cost = true,               \
	.list_price_minor = (price), .unit_cost_minor = (cost)

#define ADDON(product_id, product_sku, product_name, words, price, cost)                           \
	.id = (product_id), .sku = (product_sku), .name = (product_name), .synonyms = (words),     \
	.family = "add-ons", .currency = "USD", .active = true, .is_addon = true,                  \
	.has_unit_cost = true, .list_price_minor = (price), .unit_cost_minor = (cost)

#define SERVICE(product_id, product_sku, product_name, price, cost)                                \
	.id = (product_id), .sku = (product_sku), .name = (product_name), .family = "services",    \
	.currency = "USD", .active = true, .has_unit_cost = true, .list_price_minor = (price),     \
	.unit_cost_minor = (cost)

const struct qy_product qy_seed_products[] = {
    {SEAT("prd-starter", "SEAT-START", "Starter Seat", "starter basic", 1000, 400),
     .description = "One seat of the starter plan"},
    {SEAT("prd-team", "SEAT-TEAM", "Team Seat", "premium team", 1800, 700),
     .description = "One seat of the team plan"},
    {SEAT("prd-enterprise", "SEAT-ENT", "Enterprise Seat", "enterprise", 4200, 1500),
     .description = "One seat of the enterprise plan", .type = QY_PRODUCT_CONFIGURABLE},
    {ADDON("prd-sso", "ADD-SSO", "Single Sign-On", "sso security compliance", 200, 50),
     .description = "Single sign-on for one seat"},
    {ADDON("prd-api", "ADD-API", "API Access", "api api_access", 325, 100),
     .description = "API access for one seat"},
    {ADDON("prd-analytics", "ADD-BI", "Analytics", "analytics", 650, 200),
     .description = "Analytics for one seat"},
    {SERVICE("prd-support", "SVC-SUPPORT", "Premium Support", 120000, 60000),
     .description = "Support with a named contact", .is_addon = true},
    {SERVICE("prd-onboarding", "SVC-ONBOARD", "Onboarding", 50000, 20000),
     .description = "Guided introduction of a new team"},
    {SERVICE("prd-expansion", "SVC-EXPAND", "Expansion Package", 500000, 200000),
     .description = "Roll-out to further departments"},
    {.id = "prd-growth",
     .sku = "BND-GROWTH",
     .name = "Growth Bundle",
     .description = "Ten team seats with single sign-on",
     .family = "bundles",
     .currency = "USD",
     .type = QY_PRODUCT_BUNDLE,
     .active = true,
     .has_unit_cost = true,
     .list_price_minor = 9900,
     .unit_cost_minor = 1000},
};
const size_t qy_seed_product_count = COUNT_OF(qy_seed_products);

const struct qy_price_tier qy_seed_tiers[] = {
    {"prd-starter", 100, 900},
    {"prd-starter", 500, 800},
    {"prd-team", 200, 1650},
    {"prd-team", 500, 1500},
};
const size_t qy_seed_tier_count = COUNT_OF(qy_seed_tiers);

const struct qy_product_attribute qy_seed_attributes[] = {
    {"prd-enterprise", "region", "Region", QY_VALUE_ENUM, true, NULL, 1},
    {"prd-enterprise", "retention_days", "Retention in days", QY_VALUE_INTEGER, false, "90", 2},
};
const size_t qy_seed_attribute_count = COUNT_OF(qy_seed_attributes);

const struct qy_bundle_member qy_seed_members[] = {
    {"prd-growth", "prd-team", 10, 1},
    {"prd-growth", "prd-sso", 10, 2},
};
const size_t qy_seed_member_count = COUNT_OF(qy_seed_members);

const struct qy_rule qy_seed_rules[] = {
    {.id = "rule-enterprise-support",
     .kind = QY_RULE_REQUIRES,
     .product_id = "prd-enterprise",
     .other_product_id = "prd-support",
     .message = "Enterprise seats need premium support",
     .active = true},
    {.id = "rule-starter-enterprise",
     .kind = QY_RULE_EXCLUDES,
     .product_id = "prd-starter",
     .other_product_id = "prd-enterprise",
     .message = "Starter and enterprise seats cannot be on one quote",
     .active = true},
    {.id = "rule-enterprise-quantity",
     .kind = QY_RULE_QUANTITY_RANGE,
     .product_id = "prd-enterprise",
     .min_value = "5",
     .max_value = "5000",
     .message = "Enterprise seats are sold in quantities of 5 to 5000",
     .active = true},
    {.id = "rule-enterprise-retention",
     .kind = QY_RULE_ATTRIBUTE_RANGE,
     .product_id = "prd-enterprise",
     .attribute_key = "retention_days",
     .min_value = "30",
     .max_value = "365",
     .message = "Retention is 30 to 365 days",
     .active = true},
    {.id = "rule-enterprise-region",
     .kind = QY_RULE_ATTRIBUTE_ENUM,
     .product_id = "prd-enterprise",
     .attribute_key = "region",
     .message = "The region is eu or us",
     .active = true},
};
const size_t qy_seed_rule_count = COUNT_OF(qy_seed_rules);

const struct qy_rule_value qy_seed_rule_values[] = {
    {"rule-enterprise-region", "eu"},
    {"rule-enterprise-region", "us"},
};
const size_t qy_seed_rule_value_count = COUNT_OF(qy_seed_rule_values);

const struct qy_seed_rep qy_seed_reps[] = {
    {"cro.noor", "U0NOOR001", "Noor Haddad", "noor@quotey.example", "cro", "Chief Revenue Officer",
     TEAM_SALES, NULL, "active"},
    {"vp.lee", "U0LEE0001", "Lee Park", "lee@quotey.example", "vp", "VP Sales", TEAM_SALES,
     "cro.noor", "active"},
    {"mgr.dana", "U0DANA001", "Dana Weiss", "dana@quotey.example", "manager", "Sales Manager",
     TEAM_SALES, "vp.lee", "active"},
    {"rep.sarah", "U0SARAH01", "Sarah Lind", "sarah@quotey.example", "ae", "Account Executive",
     TEAM_SALES, "mgr.dana", "active"},
    {"rep.mike", "U0MIKE001", "Mike Orlov", "mike@quotey.example", "ae", "Account Executive",
     TEAM_SALES, "mgr.dana", "active"},
    {"rep.jenny", "U0JENNY01", "Jenny Okoro", "jenny@quotey.example", "ae", "Account Executive",
     TEAM_SALES, "mgr.dana", "active"},
    {"ops.kim", "U0KIM0001", "Kim Duarte", "kim@quotey.example", "ops", "Deal Desk",
     TEAM_OPERATIONS, NULL, "active"},
};
const size_t qy_seed_rep_count = COUNT_OF(qy_seed_reps);

const struct qy_seed_quote qy_seed_quotes[] = {
    {.id = "quote-netnew-001",
     .flow_type = QY_FLOW_NET_NEW,
     .status = QY_STATUS_DRAFT,
     .account_id = "acct-acme",
     .account_name = "Acme Corp",
     .deal_id = "deal-acme-001",
     .currency = "USD",
     .term_months = 12,
     .notes = "Country and terms are still open",
     .created_by = "user:rep.sarah",
     .sales_rep_id = "rep.sarah",
     .line_count = 3,
     .subtotal_minor = 250000,
     .total_minor = 250000},
    {.id = "quote-renewal-000",
     .flow_type = QY_FLOW_RENEWAL_EXPANSION,
     .status = QY_STATUS_SENT,
     .account_id = "acct-globex",
     .account_name = "Globex Ltd",
     .deal_id = "deal-globex-000",
     .currency = "USD",
     .term_months = 12,
     .payment_terms = "net_30",
     .billing_country = "US",
     .notes = "The term that is running",
     .created_by = "user:rep.mike",
     .sales_rep_id = "rep.mike",
     .line_count = 2,
     .subtotal_minor = 185000,
     .total_minor = 185000},
    {.id = "quote-renewal-001",
     .flow_type = QY_FLOW_RENEWAL_EXPANSION,
     .status = QY_STATUS_PRICED,
     .account_id = "acct-globex",
     .account_name = "Globex Ltd",
     .deal_id = "deal-globex-001",
     .currency = "USD",
     .term_months = 12,
     .payment_terms = "net_30",
     .billing_country = "US",
     .prior_quote_id = "quote-renewal-000",
     .created_by = "user:rep.mike",
     .sales_rep_id = "rep.mike",
     .line_count = 3,
     .subtotal_minor = 730000,
     .total_minor = 730000},
    {.id = "quote-discount-001",
     .flow_type = QY_FLOW_DISCOUNT_EXCEPTION,
     .status = QY_STATUS_APPROVAL,
     .account_id = "acct-initech",
     .account_name = "Initech GmbH",
     .deal_id = "deal-initech-001",
     .currency = "USD",
     .term_months = 12,
     .payment_terms = "net_60",
     .billing_country = "DE",
     .discount_reason = "Matches the offer of a competitor",
     .created_by = "user:rep.jenny",
     .sales_rep_id = "rep.jenny",
     .line_count = 2,
     .subtotal_minor = 60000,
     .discount_minor = 15000,
     .total_minor = 45000},
};
const size_t qy_seed_quote_count = COUNT_OF(qy_seed_quotes);

const struct qy_seed_line qy_seed_lines[] = {
    {"quote-netnew-001", "prd-team", 100, 1800, QY_PRICE_LIST, 0},
    {"quote-netnew-001", "prd-sso", 100, 200, QY_PRICE_LIST, 0},
    {"quote-netnew-001", "prd-onboarding", 1, 50000, QY_PRICE_LIST, 0},
    {"quote-renewal-000", "prd-team", 75, 1800, QY_PRICE_LIST, 0},
    {"quote-renewal-000", "prd-onboarding", 1, 50000, QY_PRICE_LIST, 0},
    {"quote-renewal-001", "prd-team", 100, 1800, QY_PRICE_LIST, 0},
    {"quote-renewal-001", "prd-onboarding", 1, 50000, QY_PRICE_LIST, 0},
    {"quote-renewal-001", "prd-expansion", 1, 500000, QY_PRICE_LIST, 0},
    {"quote-discount-001", "prd-starter", 50, 1000, QY_PRICE_LIST, 2500},
    {"quote-discount-001", "prd-sso", 50, 200, QY_PRICE_LIST, 2500},
};
const size_t qy_seed_line_count = COUNT_OF(qy_seed_lines);

#define REQUIRED_ALWAYS                                                                            \
	"\"account_name\",\"lines\",\"currency\",\"term_months\",\"billing_country\","             \
	"\"payment_terms\""

const struct qy_seed_flow_state qy_seed_flow_states[] = {
    {"quote-netnew-001", "gather_requirements", 1, "[" REQUIRED_ALWAYS "]",
     "[\"billing_country\",\"payment_terms\"]",
     "Which country is the quote billed to, and on what payment terms?"},
    {"quote-renewal-001", "validate_expansion", 3, "[" REQUIRED_ALWAYS ",\"prior_quote_id\"]", "[]",
     NULL},
    {"quote-discount-001", "awaiting_approval", 4, "[" REQUIRED_ALWAYS ",\"discount_reason\"]",
     "[]", NULL},
};
const size_t qy_seed_flow_state_count = COUNT_OF(qy_seed_flow_states);

const struct qy_seed_approval qy_seed_approvals[] = {
    {.quote_id = "quote-discount-001",
     .approver_role = "sales_manager",
     .approval_type = "discount_override",
     .reason = "discount-cap: 25.00 % requested, 20.00 % allowed",
     .justification = "Matches the offer of a competitor",
     .requested_discount_bps = 2500,
     .status = "pending",
     .assigned_to = "mgr.dana",
     .requested_by = "user:rep.jenny",
     .requested_by_rep_id = "rep.jenny"},
};
const size_t qy_seed_approval_count = COUNT_OF(qy_seed_approvals);

static enum qy_code add_products(struct qy_catalog *catalog)
{
	enum qy_code code = QY_OK;
	size_t i;

	for (i = 0; i < qy_seed_product_count && code == QY_OK; i++) {
		code = qy_catalog_add_product(catalog, &qy_seed_products[i]);
	}
	for (i = 0; i < qy_seed_tier_count && code == QY_OK; i++) {
		code = qy_catalog_add_tier(catalog, &qy_seed_tiers[i]);
	}
	for (i = 0; i < qy_seed_attribute_count && code == QY_OK; i++) {
		code = qy_catalog_add_attribute(catalog, &qy_seed_attributes[i]);
	}
	for (i = 0; i < qy_seed_member_count && code == QY_OK; i++) {
		code = qy_catalog_add_member(catalog, &qy_seed_members[i]);
	}
	return code;
}

static enum qy_code add_rules(struct qy_catalog *catalog)
{
	enum qy_code code = QY_OK;
	size_t i;

	for (i = 0; i < qy_seed_rule_count && code == QY_OK; i++) {
		code = qy_catalog_add_rule(catalog, &qy_seed_rules[i]);
	}
	for (i = 0; i < qy_seed_rule_value_count && code == QY_OK; i++) {
		code = qy_catalog_add_rule_value(catalog, &qy_seed_rule_values[i]);
	}
	return code;
}

enum qy_code qy_seed_catalog(struct qy_catalog *ret_catalog)
{
	struct qy_catalog catalog;
	enum qy_code code;

	qy_catalog_init(&catalog);
	if ((code = add_products(&catalog)) != QY_OK || (code = add_rules(&catalog)) != QY_OK) {
		qy_catalog_fini(&catalog);
		return code;
	}
	*ret_catalog = catalog;
	return QY_OK;
}

static enum qy_code set_texts(const struct qy_seed_quote *seed, struct qy_quote *quote)
{
	const struct {
		enum qy_quote_field field;
		const char *text;
	} texts[] = {
	    {QY_FIELD_ID, seed->id},
	    {QY_FIELD_ACCOUNT_ID, seed->account_id},
	    {QY_FIELD_ACCOUNT_NAME, seed->account_name},
	    {QY_FIELD_DEAL_ID, seed->deal_id},
	    {QY_FIELD_CURRENCY, seed->currency},
	    {QY_FIELD_PAYMENT_TERMS, seed->payment_terms},
	    {QY_FIELD_BILLING_COUNTRY, seed->billing_country},
	    {QY_FIELD_PRIOR_QUOTE_ID, seed->prior_quote_id},
	    {QY_FIELD_DISCOUNT_REASON, seed->discount_reason},
	    {QY_FIELD_NOTES, seed->notes},
	    {QY_FIELD_CREATED_BY, seed->created_by},
	    {QY_FIELD_SALES_REP_ID, seed->sales_rep_id},
	};
	enum qy_code code = QY_OK;
	size_t i;

	for (i = 0; i < COUNT_OF(texts) && code == QY_OK; i++) {
		code = qy_quote_set(quote, texts[i].field, texts[i].text);
	}
	return code;
}

static enum qy_code add_lines(const struct qy_seed_quote *seed, struct qy_quote *quote)
{
	enum qy_code code = QY_OK;
	size_t i;

	for (i = 0; i < qy_seed_line_count && code == QY_OK; i++) {
		const struct qy_seed_line *row = &qy_seed_lines[i];
		const struct qy_line_spec spec = {
		    .product_id = row->product_id,
		    .quantity = row->quantity,
		    .unit_price_minor = row->unit_price_minor,
		    .price_source = row->price_source,
		    .discount_bps = row->discount_bps,
		};

		if (qy_text_equal(row->quote_id, seed->id)) {
			code = qy_quote_add_line(quote, &spec, /* ret_line= */ NULL);
		}
	}
	return code;
}

enum qy_code qy_seed_quote_make(const struct qy_seed_quote *seed, struct qy_quote *ret_quote)
{
	struct qy_quote quote;
	enum qy_code code;

	qy_quote_init(&quote);
	quote.flow_type = seed->flow_type;
	quote.status = seed->status;
	if ((code = set_texts(seed, &quote)) != QY_OK ||
	    (code = qy_quote_set_term(&quote, seed->term_months)) != QY_OK ||
	    (code = qy_quote_set_tax_rate(&quote, seed->tax_rate_bps)) != QY_OK ||
	    (code = add_lines(seed, &quote)) != QY_OK) {
		qy_quote_fini(&quote);
		return code;
	}
	*ret_quote = quote;
	return QY_OK;
}
