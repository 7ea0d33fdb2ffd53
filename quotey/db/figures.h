/*
 * What a quote costs as it is stored: from the prices on its lines, without the catalogue. For
 * readers; the operation `price` goes by the catalogue instead.
 */
#ifndef QY_DB_FIGURES_H
#define QY_DB_FIGURES_H

#include "quotey/core/pricing.h"
#include "quotey/core/quote.h"

/* Pure. The caller fini's *ret_pricing. Errors: MONEY_OVERFLOW, NO_MEMORY and qy_price's others. */
enum qy_code qy_figures(const struct qy_quote *quote, struct qy_pricing *ret_pricing) QY_MUST_USE;

#endif
