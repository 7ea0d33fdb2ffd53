/* Chains of links around handlers. It must never look into a request itself: links do. */
#include <qrt/http_chain.h>

#include <string.h>

#include "shim/src/http/message.h"

enum qrt_err qrt_http_next(struct qrt_cx *cx, struct qrt_http_request *req,
			   struct qrt_http_response *resp, struct qrt_http_walk *walk)
{
	const struct qrt_http_link *link = walk->next;
	qrt_http_handler_fn *handler = walk->handler;

	if (link->fn != NULL) {
		walk->next++;
		walk->arg = link->arg;
		return link->fn(cx, req, resp, walk);
	}
	if (handler == NULL) {
		return QRT_ESTATE;
	}
	walk->handler = NULL;
	return handler(cx, req, resp);
}

enum qrt_err qrt_http_chain(const struct qrt_http_link *links, qrt_http_handler_fn *handler,
			    struct qrt_cx *cx, struct qrt_http_request *req,
			    struct qrt_http_response *resp)
{
	struct qrt_http_walk walk = {.next = links, .handler = handler};

	return qrt_http_next(cx, req, resp, &walk);
}

enum qrt_err qrt__http_group_run(const struct qrt_http_group *group,
				 const struct qrt_http_route *route, struct qrt_cx *cx,
				 struct qrt_http_request *req, struct qrt_http_response *resp)
{
	struct qrt_http_walk walk = {
	    .route = route, .next = group->links, .handler = route->handler};

	return qrt_http_next(cx, req, resp, &walk);
}

enum qrt_err qrt_http_group_add(struct qrt_http_router *router, const struct qrt_http_group *group)
{
	enum qrt_err err = QRT_OK;

	for (size_t i = 0; i < group->n_routes && !err; i++) {
		err = qrt__http_route_add_in(router, group, &group->routes[i]);
	}
	return err;
}

/* --- of one request ------------------------------------------------------------------------- */

void *qrt_http_alloc(struct qrt_http_request *req, size_t n)
{
	void *memory = qrt__http_arena_alloc(req->arena, n);

	if (memory != NULL) {
		memset(memory, 0, n);
	}
	return memory;
}

void qrt_http_set_local(struct qrt_http_request *req, void *local)
{
	req->local = local;
}

void *qrt_http_local(const struct qrt_http_request *req)
{
	return req->local;
}
