/* Prices a quote by its own lines. */
#include "quotey/db/figures.h"

enum qy_code qy_figures(const struct qy_quote *quote, struct qy_pricing *ret_pricing)
{
	struct qy_quote copy;
	struct qy_pricing pricing;
	enum qy_code code = qy_quote_copy(quote, &copy);

	if (code != QY_OK) {
		return code;
	}
	/* A manual price stays as given, which is the point here. */
	for (size_t i = 0; i < copy.line_count; i++) {
		copy.lines[i].price_source = QY_PRICE_MANUAL;
	}
	code = qy_price(&copy, /* catalog= */ NULL, &pricing, /* ret_bad_position= */ NULL);
	qy_quote_fini(&copy);
	if (code != QY_OK) {
		return code;
	}
	for (size_t i = 0; i < pricing.line_count; i++) {
		pricing.lines[i].price_source = quote->lines[i].price_source;
	}
	*ret_pricing = pricing;
	return QY_OK;
}
