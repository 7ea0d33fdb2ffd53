/*
 * The router: a tree of path segments. A literal segment goes before a parameter, whatever the
 * order of adding; a path that a more literal pattern has without the method still reaches the
 * less literal one. It must never look at anything of a request but its method and path.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/http/message.h"

#define SEGMENTS_MAX 32
#define PATTERN_MAX 512
#define METHOD_MAX 16
#define METHODS_MAX 8

/* A pattern with one method. */
struct route {
	char *method;
	char *pattern;
	qrt_http_handler_fn *handler;
	const struct qrt_http_group *group; /* of chains, or NULL */
	const struct qrt_http_route *row;   /* of the group */
	struct qrt_http_plan plan;
	char *params[SEGMENTS_MAX]; /* names, by order in the path */
	size_t n_params;
};

struct node {
	char *segment;	    /* NULL: a parameter, or the root */
	struct node *next;  /* sibling */
	struct node *child; /* the first literal one */
	struct node *param;
	struct route *routes[METHODS_MAX];
	size_t n_routes;
};

struct qrt_http_router {
	struct node root;
};

struct segment {
	const char *text;
	size_t len;
};

/* The walk of one path through the tree. */
struct walk {
	struct segment segments[SEGMENTS_MAX];
	size_t n;
	struct segment params[SEGMENTS_MAX];
	size_t n_params;
	const char *method;
	const struct node *reached[METHODS_MAX]; /* nodes that have the path but not the method */
	size_t n_reached;
};

enum qrt_err qrt_http_router_create(struct qrt_http_router **ret_router)
{
	struct qrt_http_router *router = calloc(1, sizeof(*router));

	if (!router) {
		return QRT_ENOMEM;
	}
	*ret_router = router;
	return QRT_OK;
}

static void route_destroy(struct route *route)
{
	if (!route) {
		return;
	}
	for (size_t i = 0; i < route->n_params; i++) {
		free(route->params[i]);
	}
	free(route->method);
	free(route->pattern);
	free(route);
}

/* Depth is bounded by SEGMENTS_MAX. */
static void node_fini(struct node *node)
{
	while (node->child) {
		struct node *child = node->child;

		node->child = child->next;
		node_fini(child);
		free(child);
	}
	if (node->param) {
		node_fini(node->param);
		free(node->param);
	}
	for (size_t i = 0; i < node->n_routes; i++) {
		route_destroy(node->routes[i]);
	}
	free(node->segment);
}

void qrt_http_router_destroy(struct qrt_http_router **router)
{
	if (!router || !*router) {
		return;
	}
	node_fini(&(*router)->root);
	free(*router);
	*router = NULL;
}

/* Cuts "/a/b" into "a" and "b"; "/" is one empty segment. Returns 0 when there are too many. */
static size_t path_cut(const char *path, struct segment *segments)
{
	size_t n = 0;

	while (*path == '/') {
		size_t len = strcspn(path + 1, "/");

		if (n == SEGMENTS_MAX) {
			return 0;
		}
		segments[n].text = path + 1;
		segments[n].len = len;
		n++;
		path += 1 + len;
	}
	return n;
}

/* --- adding -------------------------------------------------------------------------------- */

static bool param_name_valid(const struct segment *segment)
{
	if (segment->len < 3 || segment->text[segment->len - 1] != '}') {
		return false;
	}
	for (size_t i = 1; i < segment->len - 1; i++) {
		char c = segment->text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '_')) {
			return false;
		}
	}
	return true;
}

/* Notes the parameter's name in @route; a name may stand once. */
static enum qrt_err param_add(struct route *route, const struct segment *segment)
{
	char *name;

	if (!param_name_valid(segment)) {
		return QRT_EINVAL;
	}
	name = strndup(segment->text + 1, segment->len - 2);
	if (!name) {
		return QRT_ENOMEM;
	}
	for (size_t i = 0; i < route->n_params; i++) {
		if (strcmp(route->params[i], name) == 0) {
			free(name);
			return QRT_EINVAL;
		}
	}
	route->params[route->n_params++] = name;
	return QRT_OK;
}

static enum qrt_err segment_check(struct route *route, const struct segment *segment, bool last)
{
	if (segment->len == 0) {
		return last ? QRT_OK : QRT_EINVAL;
	}
	if (segment->text[0] == '{') {
		return param_add(route, segment);
	}
	for (size_t i = 0; i < segment->len; i++) {
		if (strchr("{}?#%", segment->text[i])) {
			return QRT_EINVAL;
		}
	}
	return QRT_OK;
}

static enum qrt_err route_create(const char *method, const char *pattern,
				 qrt_http_handler_fn *handler, struct route **ret_route)
{
	struct route *route = calloc(1, sizeof(*route));

	if (!route) {
		return QRT_ENOMEM;
	}
	route->handler = handler;
	route->method = strdup(method);
	route->pattern = strdup(pattern);
	if (!route->method || !route->pattern) {
		route_destroy(route);
		return QRT_ENOMEM;
	}
	*ret_route = route;
	return QRT_OK;
}

static struct node *literal_find(const struct node *node, const struct segment *segment)
{
	struct node *child = node->child;

	for (; child; child = child->next) {
		if (strncmp(child->segment, segment->text, segment->len) == 0 &&
		    child->segment[segment->len] == '\0') {
			return child;
		}
	}
	return NULL;
}

/* The child for @segment, made when missing. NULL: out of memory. */
static struct node *child_get(struct node *node, const struct segment *segment)
{
	bool is_param = segment->len > 0 && segment->text[0] == '{';
	struct node *child = is_param ? node->param : literal_find(node, segment);

	if (child) {
		return child;
	}
	child = calloc(1, sizeof(*child));
	if (!child) {
		return NULL;
	}
	if (is_param) {
		node->param = child;
		return child;
	}
	child->segment = strndup(segment->text, segment->len);
	if (!child->segment) {
		free(child);
		return NULL;
	}
	child->next = node->child;
	node->child = child;
	return child;
}

static const struct route *route_find(const struct node *node, const char *method)
{
	for (size_t i = 0; i < node->n_routes; i++) {
		if (strcmp(node->routes[i]->method, method) == 0) {
			return node->routes[i];
		}
	}
	return NULL;
}

/* A failure leaves at most empty nodes behind, which match nothing. */
static enum qrt_err route_insert(struct qrt_http_router *router, struct route *route)
{
	struct segment segments[SEGMENTS_MAX];
	size_t n = path_cut(route->pattern, segments);
	struct node *node = &router->root;
	enum qrt_err err;

	if (n == 0) {
		return QRT_EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		err = segment_check(route, &segments[i], i + 1 == n);
		if (err) {
			return err;
		}
	}
	for (size_t i = 0; i < n; i++) {
		node = child_get(node, &segments[i]);
		if (!node) {
			return QRT_ENOMEM;
		}
	}
	if (route_find(node, route->method)) {
		return QRT_EEXIST;
	}
	if (node->n_routes == METHODS_MAX) {
		return QRT_EINVAL;
	}
	node->routes[node->n_routes++] = route;
	return QRT_OK;
}

static enum qrt_err add(struct qrt_http_router *router, const struct qrt_http_group *group,
			const struct qrt_http_route *row)
{
	struct route *route = NULL;
	enum qrt_err err;

	if (row->plan.deadline_ns < 0 || row->plan.body_max > SIZE_MAX / 4 || !row->method ||
	    !row->pattern || !row->handler || row->pattern[0] != '/' ||
	    strlen(row->pattern) > PATTERN_MAX || strlen(row->method) > METHOD_MAX ||
	    !qrt__http_name_valid(row->method)) {
		return QRT_EINVAL;
	}
	err = route_create(row->method, row->pattern, row->handler, &route);
	if (err) {
		return err;
	}
	route->group = group;
	route->row = row;
	route->plan = row->plan;
	err = route_insert(router, route);
	if (err) {
		route_destroy(route);
	}
	return err;
}

enum qrt_err qrt_http_route_add_planned(struct qrt_http_router *router, const char *method,
					const char *pattern, qrt_http_handler_fn *handler,
					const struct qrt_http_plan *plan)
{
	const struct qrt_http_route row = {
	    .method = method, .pattern = pattern, .handler = handler, .plan = *plan};

	return add(router, NULL, &row);
}

enum qrt_err qrt_http_route_add(struct qrt_http_router *router, const char *method,
				const char *pattern, qrt_http_handler_fn *handler)
{
	const struct qrt_http_route row = {
	    .method = method, .pattern = pattern, .handler = handler};

	return add(router, NULL, &row);
}

enum qrt_err qrt__http_route_add_in(struct qrt_http_router *router,
				    const struct qrt_http_group *group,
				    const struct qrt_http_route *row)
{
	return add(router, group, row);
}

/* --- finding ------------------------------------------------------------------------------- */

static const struct route *node_answer(const struct node *node, struct walk *walk)
{
	const struct route *route = route_find(node, walk->method);

	if (!route && strcmp(walk->method, "HEAD") == 0) {
		route = route_find(node, "GET");
	}
	if (!route && node->n_routes > 0 && walk->n_reached < METHODS_MAX) {
		walk->reached[walk->n_reached++] = node;
	}
	return route;
}

/* Depth is bounded by SEGMENTS_MAX, the number of visits by the size of the tree. */
static const struct route *walk_from(const struct node *node, size_t depth, struct walk *walk)
{
	const struct segment *segment = &walk->segments[depth];
	const struct route *route = NULL;
	const struct node *child;

	if (depth == walk->n) {
		return node_answer(node, walk);
	}
	child = literal_find(node, segment);
	if (child) {
		route = walk_from(child, depth + 1, walk);
	}
	if (!route && node->param && segment->len > 0) {
		walk->params[walk->n_params++] = *segment;
		route = walk_from(node->param, depth + 1, walk);
		if (!route) {
			walk->n_params--;
		}
	}
	return route;
}

/* Room for every method of every node, each with its HEAD. */
#define ALLOW_MAX (METHODS_MAX * METHODS_MAX * (METHOD_MAX + 8))

/* Case tells methods apart, other than the words of headers. */
static bool allow_has(const char *allow, const char *method)
{
	size_t n = strlen(method);

	for (const char *at = allow; (at = strstr(at, method)); at += n) {
		if ((at == allow || at[-1] == ' ') && (at[n] == ',' || at[n] == '\0')) {
			return true;
		}
	}
	return false;
}

static void allow_add(char *allow, const char *method)
{
	size_t used = strlen(allow);

	if (!allow_has(allow, method)) {
		snprintf(allow + used, ALLOW_MAX - used, "%s%s", used > 0 ? ", " : "", method);
	}
}

/* "GET, HEAD, POST" of all nodes that have the path. */
static enum qrt_err allow_set(const struct walk *walk, struct qrt_http_response *resp)
{
	char allow[ALLOW_MAX] = "";

	for (size_t i = 0; i < walk->n_reached; i++) {
		const struct node *node = walk->reached[i];

		for (size_t j = 0; j < node->n_routes; j++) {
			const char *method = node->routes[j]->method;

			allow_add(allow, method);
			if (strcmp(method, "GET") == 0) {
				allow_add(allow, "HEAD");
			}
		}
	}
	return qrt_http_set_header(resp, "Allow", allow);
}

static enum qrt_err params_set(const struct walk *walk, const struct route *route,
			       struct qrt_http_request *req)
{
	QRT_ASSERT(walk->n_params == route->n_params);
	for (size_t i = 0; i < route->n_params; i++) {
		const struct segment *value = &walk->params[i];
		const char *copy = qrt__http_arena_text(req->arena, value->text, value->len);
		enum qrt_err err =
		    copy ? qrt__http_request_add_param(req, route->params[i], copy) : QRT_ENOMEM;

		if (err) {
			return err;
		}
	}
	return QRT_OK;
}

/* The route of @req, or NULL: then @walk has reached what has other methods. */
static const struct route *find(const struct qrt_http_router *router,
				const struct qrt_http_request *req, struct walk *walk)
{
	walk->method = req->method;
	walk->n_params = 0;
	walk->n_reached = 0;
	walk->n = path_cut(req->path, walk->segments);
	return walk->n > 0 ? walk_from(&router->root, 0, walk) : NULL;
}

void qrt_http_router_plan(const struct qrt_http_router *router, const struct qrt_http_request *req,
			  struct qrt_http_plan *ret_plan)
{
	struct walk walk;
	const struct route *route = find(router, req, &walk);

	if (route) {
		*ret_plan = route->plan;
	}
}

/*
 * The route, with @req knowing its parameters; or what is wrong. Not inlined: the walk takes more
 * of a task's stack than all the rest of a request, and the handler has no use for it.
 */
static enum qrt_err __attribute__((noinline))
route_take(const struct qrt_http_router *router, struct qrt_http_request *req,
	   struct qrt_http_response *resp, const struct route **ret_route)
{
	struct walk walk;
	const struct route *route = find(router, req, &walk);
	enum qrt_err err;

	if (!route) {
		err = walk.n_reached > 0 ? allow_set(&walk, resp) : QRT_ENOENT;
		return err ? err : QRT_ENOTSUP;
	}
	*ret_route = route;
	return params_set(&walk, route, req);
}

enum qrt_err qrt_http_dispatch(struct qrt_http_router *router, struct qrt_cx *cx,
			       struct qrt_http_request *req, struct qrt_http_response *resp)
{
	const struct route *route = NULL;
	enum qrt_err err = route_take(router, req, resp, &route);

	if (err) {
		return err;
	}
	req->route = route->pattern;
	return route->group ? qrt__http_group_run(route->group, route->row, cx, req, resp)
			    : route->handler(cx, req, resp);
}
