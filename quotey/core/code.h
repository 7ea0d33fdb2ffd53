/*
 * The domain's error codes: one list makes the enum, the names and the texts.
 *
 * Core has codes of its own and never uses the shim's, because it must compile and be tested
 * without any runtime; the layers above translate where they answer somebody.
 */
#ifndef QY_CORE_CODE_H
#define QY_CORE_CODE_H

#ifdef __cplusplus
extern "C" {
#endif

#define QY_MUST_USE __attribute__((warn_unused_result))

/* X(name, text): the name is literal on every wire, the text is for people and may change. */
#define QY_CODE_MAP(X)                                                                             \
	X(OK, "ok")                                                                                \
	X(MONEY_SYNTAX, "the amount is not a plain decimal number")                                \
	X(MONEY_SCALE, "the amount has more fraction digits than its currency")                    \
	X(MONEY_OVERFLOW, "the amount does not fit into 64 bits of minor units")                   \
	X(UNKNOWN_CURRENCY, "the currency is not one of the supported ISO 4217 codes")             \
	X(CURRENCY_MISMATCH, "the amounts are in different currencies")                            \
	X(BPS_SYNTAX, "the rate is not a decimal number with at most two decimals")                \
	X(BPS_RANGE, "the rate is outside 0 to 100 percent")                                       \
	X(QUANTITY_LIMIT, "the quantity is outside 0 to 1000000")                                  \
	X(LINE_LIMIT, "the quote already has 500 lines")                                           \
	X(INVALID_ID, "the identifier is malformed")                                               \
	X(INVALID_FIELD, "the field's value is not acceptable")                                    \
	X(TEXT_TOO_LONG, "the text is longer than its field allows")                               \
	X(UNKNOWN_PRODUCT, "the product is not in the catalogue")                                  \
	X(DUPLICATE_ID, "the identifier is already in use")                                        \
	X(CATALOG_LIMIT, "the catalogue is full")                                                  \
	X(JSON_MISUSE, "the JSON writer was called out of order")                                  \
	X(NO_MEMORY, "out of memory")

enum qy_code {
#define QY_CODE_ENUM(name, text) QY_##name,
	QY_CODE_MAP(QY_CODE_ENUM)
#undef QY_CODE_ENUM
	    QY_CODE_COUNT
};

/* The literal name ("MONEY_SYNTAX"), or "UNKNOWN_CODE" for a value outside the enum. */
const char *qy_code_name(enum qy_code code);

/* One sentence part for people, without a full stop; never NULL. */
const char *qy_code_text(enum qy_code code);

#ifdef __cplusplus
}
#endif

#endif
