/* The behaviours asked in the parity suite; see script.h. */
#include "tests/parity/script.h"

#define JSON "Content-Type: application/json\r\n"
#define QUOTES "/api/v1/quotes"
#define HEADER                                                                                     \
	"\"account_name\":\"Acme Corp\",\"currency\":\"USD\",\"term_months\":12,"                  \
	"\"billing_country\":\"DE\",\"payment_terms\":\"net_30\""
#define LINE(product, quantity) "{\"product_id\":\"" product "\",\"quantity\":" quantity "}"
#define PRICED(product, quantity, price)                                                           \
	"{\"product_id\":\"" product "\",\"quantity\":" quantity ",\"unit_price\":\"" price "\"}"

#define CREATE(text, status, contains, lines)                                                      \
	{                                                                                          \
		text, "POST", QUOTES, KEY_WRITER, JSON, "{" HEADER ",\"lines\":[" lines "]}",      \
		    status, contains                                                               \
	}
#define PRICE(text, id, status, contains)                                                          \
	{                                                                                          \
		text, "POST", QUOTES "/" id "/price", KEY_WRITER, "", NULL, status, contains       \
	}
#define PREVIEW(text, id, status, contains)                                                        \
	{                                                                                          \
		text, "POST", QUOTES "/" id "/preview", KEY_READER, "", NULL, status, contains     \
	}
#define GET(text, path, status, contains)                                                          \
	{                                                                                          \
		text, "GET", path, KEY_READER, "", NULL, status, contains                          \
	}
#define REFUSED(text, body, status, contains)                                                      \
	{                                                                                          \
		text, "POST", QUOTES, KEY_WRITER, JSON, body, status, contains                     \
	}

const struct parity_step parity_steps[] = {
    /* Quotes are numbered Q-<year>-0001 and so on; @N@ in a path stands for the N-th one. */
    CREATE("B017 prd-team 199 has list price", 201, "\"total\":\"3582.00\"",
	   LINE("prd-team", "199")),
    PRICE("B017 199 at list price is 3582.00, and priced", "@1@", 200, "\"total\":\"3582.00\""),
    CREATE("B017 prd-team 200 reaches a tier", 201, "\"total\":\"3300.00\"",
	   LINE("prd-team", "200")),
    PREVIEW("B017 the trace names the tier", "@2@", 200, "\"tier_min_quantity\":200"),
    PRICE("B017 the tier's price is stored", "@2@", 200, "\"price_source\":\"tier\""),
    CREATE("B017 500 reach the second tier", 201, "\"total\":\"7500.00\"", LINE("prd-team", "500")),
    CREATE("B014 discount and tax need a discount", 201, "\"discount_bps\":500",
	   "{\"product_id\":\"prd-analytics\",\"quantity\":4,\"discount_bps\":500}"),
    PRICE("B014 4 x 6.50 at 5 % is 24.70", "@4@", 200, "\"total\":\"24.70\""),
    CREATE("B011 two lines give six trace steps", 201, "\"lines\":[",
	   LINE("prd-sso", "2") "," LINE("prd-api", "1")),
    PREVIEW("B011 the trace ends in the total", "@5@", 200, "\"step\":\"total\""),
    PREVIEW("B020 the same preview again", "@5@", 200, "\"step\":\"total\""),
    PRICE("B011 2 x 2.00 + 3.25", "@5@", 200, "\"total\":\"7.25\""),
    PRICE("B021 pricing a priced quote is not in the table", "@5@", 409, "INVALID_TRANSITION"),
    GET("B021 the stored quote reads back", QUOTES "/@5@", 200, "\"status\":\"priced\""),

    CREATE("B024 a quote without lines can be drafted", 201, "\"lines\":[]", ""),
    PRICE("B024 but not priced: exactly EMPTY_QUOTE", "@6@", 422, "EMPTY_QUOTE"),
    CREATE("B025 duplicates", 201, "Q-",
	   LINE("prd-sso", "1") "," LINE("prd-api", "1") "," LINE("prd-sso",
								  "1") "," LINE("prd-sso", "1")),
    PRICE("B025 two DUPLICATE_PRODUCT_ID on lines 3 and 4", "@7@", 422, "DUPLICATE_PRODUCT_ID"),
    CREATE("B026 zero quantity", 201, "Q-", LINE("prd-sso", "0")),
    PRICE("B026 ZERO_QUANTITY", "@8@", 422, "ZERO_QUANTITY"),
    CREATE("B028 enterprise alone", 201, "Q-",
	   "{\"product_id\":\"prd-enterprise\",\"quantity\":5,\"attributes\":{\"region\":\"eu\"}}"),
    PRICE("B028 REQUIRES support", "@9@", 422, "prd-support"),
    GET("B035 a violated quote is unchanged", QUOTES "/@9@", 200, "\"status\":\"draft\""),
    CREATE("B028 with support", 201, "Q-",
	   "{\"product_id\":\"prd-enterprise\",\"quantity\":5,\"attributes\":{\"region\":\"eu\"}}"
	   "," LINE("prd-support", "1")),
    PRICE("B028 adding it clears the violation", "@10@", 200, "\"status\":\"priced\""),
    CREATE("B029 starter with enterprise", 201, "Q-",
	   "{\"product_id\":\"prd-enterprise\",\"quantity\":5,\"attributes\":{\"region\":\"eu\"}}"
	   "," LINE("prd-support", "1") "," LINE("prd-starter", "1")),
    PREVIEW("B029 one EXCLUDES", "@11@", 200, "EXCLUDES"),
    CREATE("B030 quantity out of range", 201, "Q-",
	   "{\"product_id\":\"prd-enterprise\",\"quantity\":4,\"attributes\":{\"region\":\"eu\"}}"
	   "," LINE("prd-support", "1")),
    PREVIEW("B030 QUANTITY_RANGE", "@12@", 200, "QUANTITY_RANGE"),
    CREATE("B031 B032 attributes out of range", 201, "Q-",
	   "{\"product_id\":\"prd-enterprise\",\"quantity\":5,\"attributes\":{\"region\":\"apac\","
	   "\"retention_days\":366}}," LINE("prd-support", "1")),
    PREVIEW("B031 ATTRIBUTE_RANGE", "@13@", 200, "ATTRIBUTE_RANGE"),
    PREVIEW("B032 ATTRIBUTE_ENUM", "@13@", 200, "ATTRIBUTE_ENUM"),
    CREATE("B033 a bundle lacks a member", 201, "Q-",
	   LINE("prd-growth", "2") "," LINE("prd-team", "20") "," LINE("prd-sso", "19")),
    PRICE("B033 BUNDLE_MEMBER_MISSING names prd-sso", "@14@", 422, "BUNDLE_MEMBER_MISSING"),

    REFUSED("B019 quantity 1,000,001", "{" HEADER ",\"lines\":[" LINE("prd-sso", "1000001") "]}",
	    400, "QUANTITY_LIMIT"),
    REFUSED("B004 unknown currency", "{\"currency\":\"ZZZ\",\"lines\":[]}", 400, "currency"),
    REFUSED("unknown product", "{" HEADER ",\"lines\":[" LINE("prd-nope", "1") "]}", 400,
	    "UNKNOWN_PRODUCT"),
    {"missing fields keep the draft", "POST", QUOTES, KEY_WRITER, JSON,
     "{\"account_name\":\"Acme\",\"currency\":\"USD\",\"lines\":[" LINE("prd-sso", "1") "]}", 201,
     "\"billing_country\":null"},
    PRICE("missing fields are listed, in order", "@15@", 200, "payment_terms"),

    GET("B109 seed: net new", QUOTES "/quote-netnew-001", 200, "\"subtotal\":\"2500.00\""),
    GET("B109 seed: renewal", QUOTES "/quote-renewal-001", 200, "\"subtotal\":\"7300.00\""),
    GET("B109 seed: discount", QUOTES "/quote-discount-001", 200, "\"total\":\"450.00\""),
    GET("a list page", QUOTES "?limit=3&offset=1", 200, "quote"),
    GET("a filtered list", QUOTES "?status=priced", 200, "quote-renewal-001"),
    GET("an empty list", QUOTES "?status=sent&account_id=nobody", 200, "[]"),
    GET("a bad filter", QUOTES "?status=wonderful", 400, "status"),
    GET("a bad limit", QUOTES "?limit=101", 400, "limit"),
    GET("an unknown quote", QUOTES "/Q-1999-0001", 404, "not_found"),
    GET("a bad id", QUOTES "/..%2F..", 404, "error"),
    PRICE("pricing an unknown quote", "Q-1999-0001", 404, "not_found"),
    GET("an id in lower case", QUOTES "/@1l@", 200, "\"status\":\"priced\""),
    {"HEAD is GET without body", "HEAD", QUOTES "/@1@", KEY_READER, "", NULL, 200, NULL},
    {"a stale If-Match", "POST", QUOTES "/@3@/price", KEY_WRITER, "If-Match: \"77\"\r\n", NULL, 412,
     "conflict"},

    {"B157 no key", "GET", QUOTES, KEY_NONE, "", NULL, 401, "permission_denied"},
    {"B157 a wrong key", "GET", QUOTES, KEY_WRONG, "", NULL, 401, "permission_denied"},
    {"B157 no scope", "POST", QUOTES "/@3@/price", KEY_READER, "", NULL, 403, "permission_denied"},
    {"B156 a given correlation id is echoed", "GET", QUOTES "/@1@", KEY_READER,
     "X-Correlation-Id: parity-7\r\n", NULL, 200, NULL},
    {"B156 a bad one is replaced", "GET", QUOTES "/@1@", KEY_READER,
     "X-Correlation-Id: no/t good\r\n", NULL, 200, NULL},
    {"B159 text/plain", "POST", QUOTES, KEY_WRITER, "Content-Type: text/plain\r\n", "{}", 415,
     "validation_error"},
    {"B159 no content type", "POST", QUOTES, KEY_WRITER, "", "{}", 415, "validation_error"},
    REFUSED("B159 not JSON", "{", 400, "validation_error"),
    REFUSED("B159 an unknown member", "{\"colour\":1,\"lines\":[]}", 422, "colour"),
    REFUSED("B159 a missing member", "{\"currency\":\"USD\"}", 422, "lines"),
    REFUSED("B159 a number as amount",
	    "{" HEADER ",\"lines\":[{\"product_id\":\"prd-sso\",\"quantity\":1,\"unit_price\":2}]}",
	    422, "unit_price"),
    REFUSED("a member twice", "{\"currency\":\"USD\",\"currency\":\"EUR\",\"lines\":[]}", 400,
	    "validation_error"),
    {"B159 a wrong method", "DELETE", QUOTES, KEY_WRITER, "", NULL, 405, "validation_error"},
    {"an unknown path", "GET", "/api/v2/quotes", KEY_READER, "", NULL, 404, "not_found"},
};
const size_t parity_n_steps = sizeof(parity_steps) / sizeof(parity_steps[0]);

const struct parity_raw parity_raws[] = {
    {"B158 a declared body over 2 MiB",
     "POST /api/v1/quotes HTTP/1.1\r\nHost: a\r\nContent-Length: 2097153\r\n\r\n", 0, "", 413},
    {"B158 headers over 64 KiB", "GET /api/v1/quotes HTTP/1.1\r\nHost: a\r\nX-Long: ", 70000,
     "\r\n\r\n", 431},
    {"a request line over 8 KiB", "GET /", 9000, " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
    {"not HTTP at all", "hello\r\n\r\n", 0, "", 400},
    {"both length and chunked",
     "POST /api/v1/quotes HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
     "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
     0, "", 400},
};
const size_t parity_n_raws = sizeof(parity_raws) / sizeof(parity_raws[0]);
