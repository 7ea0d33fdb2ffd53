/*
 * What stands around handlers: a chain of links, each of which looks at a request and calls the
 * rest of the chain, or answers by itself. Chains are constant tables; going through one allocates
 * nothing, and a link that does nothing costs two calls.
 *
 *	static enum qrt_err stamp(struct qrt_cx *cx, struct qrt_http_request *req,
 *				  struct qrt_http_response *resp, struct qrt_http_walk *walk)
 *	{
 *		enum qrt_err err = qrt_http_next(cx, req, resp, walk);
 *		return err ? err : qrt_http_set_header(resp, "X-Stamp", walk->arg);
 *	}
 *
 *	static const struct qrt_http_link links[] = {{stamp, "1"}, {0}};
 *	static const struct qrt_http_route routes[] = {{"GET", "/about", about, NULL, {0}}};
 *	static const struct qrt_http_group pages = {links, routes, 1};
 */
#ifndef QRT_HTTP_CHAIN_H
#define QRT_HTTP_CHAIN_H

#include <qrt/http.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_http_walk;

/* Suspends as what it calls. Its result is the handler's: see qrt_http_handler_fn. */
typedef enum qrt_err qrt_http_link_fn(struct qrt_cx *cx, struct qrt_http_request *req,
				      struct qrt_http_response *resp, struct qrt_http_walk *walk);

struct qrt_http_link {
	qrt_http_link_fn *fn; /* NULL ends the table */
	const void *arg;      /* walk->arg while it is called */
};

/* Where a request is in its chain. Lives on the stack of whoever began it. */
struct qrt_http_walk {
	const void *arg;		    /* of the link that was called last: read it first */
	const struct qrt_http_route *route; /* the matched one; NULL before routing */
	const struct qrt_http_link *next;   /* of qrt_http_next */
	qrt_http_handler_fn *handler; /* what the chain ends in; NULL once it has been called */
};

/*
 * Calls the next link, or the handler at the end. Once per link: ESTATE after the handler has been
 * called. @cx may be another than the link got, with less in it.
 */
QRT_API enum qrt_err qrt_http_next(struct qrt_cx *cx, struct qrt_http_request *req,
				   struct qrt_http_response *resp,
				   struct qrt_http_walk *walk) QRT_MUST_USE;
/* Runs a chain that stands before routing; its handler usually dispatches. */
QRT_API enum qrt_err qrt_http_chain(const struct qrt_http_link *links, qrt_http_handler_fn *handler,
				    struct qrt_cx *cx, struct qrt_http_request *req,
				    struct qrt_http_response *resp) QRT_MUST_USE;

/* --- routes with a chain --- */
struct qrt_http_route {
	const char *method, *pattern; /* as in qrt_http_route_add */
	qrt_http_handler_fn *handler;
	const void *about;	   /* what the application's links want to know of it */
	struct qrt_http_plan plan; /* zeros: as the server's options say */
};

struct qrt_http_group {
	const struct qrt_http_link *links;
	const struct qrt_http_route *routes;
	size_t n_routes;
};

/* Adds all routes behind the group's links; @group must outlive @router. As qrt_http_route_add. */
QRT_API enum qrt_err qrt_http_group_add(struct qrt_http_router *router,
					const struct qrt_http_group *group) QRT_MUST_USE;

/* --- what links of one request tell each other --- */
/* Zeroed memory that lives until the answer is out, longer than the request's region; or NULL. */
QRT_API void *qrt_http_alloc(struct qrt_http_request *req, size_t n);
QRT_API void qrt_http_set_local(struct qrt_http_request *req, void *local);
/* NULL unless it was set. */
QRT_API void *qrt_http_local(const struct qrt_http_request *req);

#ifdef __cplusplus
}
#endif
#endif
