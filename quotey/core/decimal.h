/*
 * Exact decimals with at most six places, for the bounds and values of catalogue rules.
 *
 * A decimal is a count of millionths; there is no floating point behind it.
 */
#ifndef QY_CORE_DECIMAL_H
#define QY_CORE_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QY_DECIMAL_PLACES 6
#define QY_DECIMAL_ONE 1000000

/*
 * Reads an optional "-", digits and up to six decimals. False (and nothing written) for any other
 * text, and for numbers whose millionths do not fit into 64 bits.
 */
bool qy_decimal_parse(const char *text, int64_t *ret_millionths);

#ifdef __cplusplus
}
#endif

#endif
