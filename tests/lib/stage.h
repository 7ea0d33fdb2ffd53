/* What tests of the HTTP client share: a region with a scripted peer and a client in it. */
#ifndef QRT_TESTS_LIB_STAGE_H
#define QRT_TESTS_LIB_STAGE_H

#include <qrt/http_client.h>

#include "tests/lib/peer.h"

struct stage {
	struct qrt_region *region;
	struct qrt_cx *cx; /* the region's */
	struct peer peer;
	struct qrt_http_client *client;
	struct qrt_http_report report; /* of the last call */
	char url[64];		       /* "http://127.0.0.1:PORT/a?b=c" */
};

enum qrt_err stage_open(struct qrt_cx *cx, const struct peer_script *scripts, size_t n,
			const struct qrt_http_client_options *opts, struct stage *stage);
/* Closes the client, ends the peer, and tells what went wrong there. */
enum qrt_err stage_close(struct qrt_cx *cx, struct stage *stage);

/* Fetches the stage's URL. */
enum qrt_err stage_get(struct stage *stage, struct qrt_http_call **ret_call,
		       struct qrt_http_answer *ret_answer);
/* The same, and expects 200 with @body. */
enum qrt_err stage_expect(struct stage *stage, const char *body);
struct qrt_http_client_stats stage_stats(struct stage *stage);
/* Until a counter has come to @n. */
enum qrt_err stage_until(struct qrt_cx *cx, const size_t *counter, size_t n);

bool ends_with(const char *text, const char *end);

#endif
