/*
 * Constraints: everything that keeps a quote from being submitted, in a fixed order.
 *
 * A pure function of quote and catalogue. It says what is wrong and suggests a way out; it never
 * repairs anything.
 */
#ifndef QY_CORE_CONSTRAINT_H
#define QY_CORE_CONSTRAINT_H

#include <stddef.h>

#include "quotey/core/catalog.h"
#include "quotey/core/code.h"
#include "quotey/core/quote.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QY_VIOLATION_TEXT_SIZE 256

/* The literal codes. */
#define QY_VIOLATION_MAP(X)                                                                        \
	X(EMPTY_QUOTE)                                                                             \
	X(MISSING_PRODUCT_ID)                                                                      \
	X(DUPLICATE_PRODUCT_ID)                                                                    \
	X(ZERO_QUANTITY)                                                                           \
	X(NON_POSITIVE_UNIT_PRICE)                                                                 \
	X(REQUIRES)                                                                                \
	X(EXCLUDES)                                                                                \
	X(QUANTITY_RANGE)                                                                          \
	X(ATTRIBUTE_RANGE)                                                                         \
	X(ATTRIBUTE_ENUM)                                                                          \
	X(BUNDLE_MEMBER_MISSING)

#define QY_CONSTRAINT_ENUM(name) QY_VIOLATION_##name,
enum qy_violation_code { QY_VIOLATION_MAP(QY_CONSTRAINT_ENUM) QY_VIOLATION_COUNT };
#undef QY_CONSTRAINT_ENUM

/* The literal code ("EMPTY_QUOTE"), or NULL for a value outside the enum. */
const char *qy_violation_name(enum qy_violation_code code);

struct qy_violation {
	enum qy_violation_code code;
	unsigned position;		     /* of the line; 0 for the quote as a whole */
	char product_id[QY_ID_TEXT_MAX + 1]; /* of the line; "" if it has none */
	char message[QY_VIOLATION_TEXT_SIZE];
	/* REQUIRES, EXCLUDES, BUNDLE_MEMBER_MISSING: the other product's id; else an advice. */
	char suggestion[QY_VIOLATION_TEXT_SIZE];
};

struct qy_violations {
	struct qy_violation *items;
	size_t count;
	size_t capacity;
};

/*
 * Checks the quote; a NULL catalogue is an empty one. QY_OK means that the check was made, and
 * ret_violations->count == 0 that the quote is valid. The caller fini's the list. Error: NO_MEMORY,
 * with ret_violations untouched.
 *
 * Rules about the whole quote (REQUIRES, EXCLUDES, bundles) are reported once, on the first line
 * with the rule's product, and count the quantities of all lines with one product together.
 */
enum qy_code qy_check(const struct qy_quote *quote, const struct qy_catalog *catalog,
		      struct qy_violations *ret_violations) QY_MUST_USE;

/* Frees the list and leaves an empty one. NULL is fine. */
void qy_violations_fini(struct qy_violations *violations);

#ifdef __cplusplus
}
#endif

#endif
