/* Headers of every answer. Must never copy anything of a request but a valid correlation id. */
#include "quotey/server/headers.h"

#include <string.h>

#include "quotey/core/ident.h"

struct header {
	const char *name, *value;
};

static const struct header fixed[] = {
    {"Content-Security-Policy",
     "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
     "img-src 'self'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "strict-origin-when-cross-origin"},
    {"Permissions-Policy",
     "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), "
     "magnetometer=(), microphone=(), midi=(), payment=(), usb=()"},
    {"Cache-Control", "no-store"},
};

/*
 * A new id without a cx, because protocol faults are answered without one: digits of a hash of the
 * instance's random seed and a counter.
 */
static void new_correlation(struct qy_server *server, char ret_id[QY_IDENT_SIZE])
{
	uint8_t input[sizeof(server->seed) + sizeof(server->next_correlation)];
	uint8_t digest[QRT_SHA256_SIZE];
	enum qy_code code;

	memcpy(input, server->seed, sizeof(server->seed));
	memcpy(input + sizeof(server->seed), &server->next_correlation,
	       sizeof(server->next_correlation));
	server->next_correlation++;
	qrt_sha256(input, sizeof(input), digest);
	code = qy_ident_format(QY_ID_CORRELATION, digest, ret_id);
	QRT_ASSERT(code == QY_OK);
}

enum qrt_err qy_headers_set(struct qy_server *server, const struct qrt_http_request *req,
			    struct qrt_http_response *resp)
{
	const char *correlation = NULL;
	char made[QY_IDENT_SIZE];
	size_t i;

	for (i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		enum qrt_err err = qrt_http_set_header(resp, fixed[i].name, fixed[i].value);

		if (err) {
			return err;
		}
	}
	if (qrt_http_response_header(resp, QY_HEADER_CORRELATION) != NULL) {
		return QRT_OK;
	}
	if (req != NULL) {
		correlation = qrt_http_header(req, QY_HEADER_CORRELATION);
	}
	if (!qy_correlation_valid(correlation)) {
		new_correlation(server, made);
		correlation = made;
	}
	return qrt_http_set_header(resp, QY_HEADER_CORRELATION, correlation);
}
