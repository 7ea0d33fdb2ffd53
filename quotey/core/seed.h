/*
 * The seed data as constant tables: products, sales reps and the four sample quotes.
 *
 * Data only. Nothing here depends on the time: whoever loads it stamps created_at, valid_until and
 * the like, because samples with dates of their own would be expired on arrival.
 */
#ifndef QY_CORE_SEED_H
#define QY_CORE_SEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quotey/core/catalog.h"
#include "quotey/core/code.h"
#include "quotey/core/quote.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QY_SEED_CHECKS 27

struct qy_seed_rep {
	const char *id;
	const char *external_user_ref;
	const char *name;
	const char *email;
	const char *role;
	const char *title;
	const char *team_id;
	const char *reports_to; /* NULL for the top; earlier in the table otherwise */
	const char *status;
};

struct qy_seed_line {
	const char *quote_id;
	const char *product_id;
	int64_t quantity;
	int64_t unit_price_minor;
	enum qy_price_source price_source;
	int discount_bps;
};

struct qy_seed_quote {
	const char *id;
	enum qy_flow_type flow_type;
	enum qy_status status;
	const char *account_id;
	const char *account_name;
	const char *deal_id;
	const char *currency;
	int term_months;
	int tax_rate_bps;
	const char *payment_terms;   /* NULL where the sample lacks it */
	const char *billing_country; /* NULL where the sample lacks it */
	const char *prior_quote_id;
	const char *discount_reason;
	const char *notes;
	const char *created_by;
	const char *sales_rep_id;
	size_t line_count;	/* what the checks expect */
	int64_t subtotal_minor; /* what the checks expect */
	int64_t discount_minor;
	int64_t total_minor;
};

struct qy_seed_flow_state {
	const char *quote_id;
	const char *current_step;
	int step_number;
	const char *required_fields_json;
	const char *missing_fields_json;
	const char *last_prompt; /* NULL: none was asked */
};

struct qy_seed_approval {
	const char *quote_id;
	const char *approver_role;
	const char *approval_type;
	const char *reason;
	const char *justification;
	int requested_discount_bps;
	const char *status;
	const char *assigned_to;
	const char *requested_by;
	const char *requested_by_rep_id;
};

/* Every table comes in an order that foreign keys allow; quotes name only earlier prior quotes. */
extern const struct qy_product qy_seed_products[];
extern const size_t qy_seed_product_count;
extern const struct qy_price_tier qy_seed_tiers[];
extern const size_t qy_seed_tier_count;
extern const struct qy_product_attribute qy_seed_attributes[];
extern const size_t qy_seed_attribute_count;
extern const struct qy_bundle_member qy_seed_members[];
extern const size_t qy_seed_member_count;
extern const struct qy_rule qy_seed_rules[];
extern const size_t qy_seed_rule_count;
extern const struct qy_rule_value qy_seed_rule_values[];
extern const size_t qy_seed_rule_value_count;
extern const struct qy_seed_rep qy_seed_reps[];
extern const size_t qy_seed_rep_count;
extern const struct qy_seed_quote qy_seed_quotes[];
extern const size_t qy_seed_quote_count;
extern const struct qy_seed_line qy_seed_lines[]; /* grouped by quote, in position order */
extern const size_t qy_seed_line_count;
extern const struct qy_seed_flow_state qy_seed_flow_states[];
extern const size_t qy_seed_flow_state_count;
extern const struct qy_seed_approval qy_seed_approvals[];
extern const size_t qy_seed_approval_count;

/* The seed products as a catalogue; the caller fini's it. Error: NO_MEMORY. */
enum qy_code qy_seed_catalog(struct qy_catalog *ret_catalog) QY_MUST_USE;

/* One sample quote with its lines, without any time; the caller fini's it. Error: NO_MEMORY. */
enum qy_code qy_seed_quote_make(const struct qy_seed_quote *seed,
				struct qy_quote *ret_quote) QY_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
