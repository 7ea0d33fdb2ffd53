/*
 * A whole Quotey but for its host, on real sockets and a real database: what tests of the server
 * component and the control plane stand on. Web requests are asked by a task over a socket; control
 * handlers are called as the control listener does, from a thread that is no runtime's.
 */
#ifndef QRT_TESTS_LIB_STAND_H
#define QRT_TESTS_LIB_STAND_H

#include <qrt/log.h>

#include "quotey/db/component.h"
#include "quotey/db/store.h"
#include "quotey/server/client_address.h"
#include "quotey/server/control_routes.h"
#include "tests/lib/backends.h"
#include "tests/lib/http_client.h"

#define PLACES_MAX 4
#define QUOTES "/api/v1/quotes"
#define JSON "Content-Type: application/json\r\n"
#define BODY                                                                                       \
	"{\"currency\":\"USD\",\"lines\":[{\"product_id\":\"prd-team\",\"quantity\":2,"            \
	"\"unit_price\":\"10.00\"}]}"

struct stand {
	const char *backend;
	char path[64], url[80];
	struct qrt_runtime *supervisor;
	struct qrt_runtime *runtimes[PLACES_MAX + 1]; /* the supervisor first */
	size_t n_runtimes;
	struct qrt_switchboard *sb;
	struct qy_db_env db_env;
	struct qy_server_env server_env;
	struct qy_server_counters counters;
	struct qy_control_env control;
	uint16_t port;
	char writer[QY_APIKEY_TEXT_SIZE], boss[QY_APIKEY_TEXT_SIZE];
	struct qrt_rate *rate;
	struct qrt_log *log;
	char text[65536]; /* of the log */
};

struct question {
	const char *method, *path, *key, *headers, *body;
};

typedef void scenario_fn(struct stand *stand);

/*
 * Runs the scenario on each real backend of the build. The server component is started there; db is
 * added, and started when a scenario wants it.
 */
void on_each_stand(scenario_fn *scenario);
/* The same with more routes. */
void on_each_stand_with(const struct qrt_http_group *routes, scenario_fn *scenario);
/* Runs @fn as a task of the supervisor and expects QRT_OK. */
void stand_run(struct stand *stand, qrt_task_fn *fn);
/* Moves a component to the stand's backend. */
enum qrt_err stand_move(struct qrt_cx *cx, struct stand *stand, const char *component);
/* One request on a connection of its own. */
enum qrt_err stand_ask(struct qrt_cx *cx, struct stand *stand, const struct question *question,
		       struct http_answer *ret_answer);
/* Asks and compares status, a part of the body, and what every answer must have. */
enum qrt_err stand_expect(struct qrt_cx *cx, struct stand *stand, const struct question *question,
			  int status, const char *part);
/*
 * What the control listener does: finds the handler by method and path, and calls it. The answer's
 * text is the caller's.
 */
char *stand_control(struct stand *stand, const char *method, const char *path, const char *body,
		    int status);
/* The same; the answer's text has @part in it. */
void stand_control_has(struct stand *stand, const char *method, const char *path, const char *body,
		       int status, const char *part);
/* Moves db to the stand's backend; @arg is the stand. */
qrt_task_fn stand_start_db;

#endif
