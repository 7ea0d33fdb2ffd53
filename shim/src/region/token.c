/*
 * Cancel tokens: a request made on any thread, carried to the loops of the
 * regions that are bound to the token, there to become an ordinary cancel.
 *
 *	any thread                      the region's loop
 *	request ── lock: merge ── post ─────────────> arrive: cancel_region
 *	                                              close: unbind ── post in the air:
 *	                                                    arrive frees the binding
 *
 * A token and those below it are a family with one lock, the oldest's. A token
 * lives as long as somebody refers to it: its owners, its children, bindings.
 * Never touches a region on another thread than its own, nor calls anybody's
 * code with the lock held.
 */
#include "shim/src/region/token.h"

#include <qrt/cancel.h>
#include <stdlib.h>
#include <time.h>

#include "shim/src/internal.h"

struct qrt_cancel {
	struct qrt_cancel *parent, *oldest; /* NULL, itself: the oldest */
	pthread_mutex_t lock;		    /* of the whole family; the oldest's */
	const char *name;
	unsigned depth;
	int64_t deadline_ns; /* met with the parent's */
	int64_t cleanup_ns;  /* the same; 0: that of the request's kind */

	/* Under the lock. */
	size_t refs;
	struct qrt__list children, in_parent;
	struct qrt__list bindings;
	struct qrt__cancel cancel;
	int64_t patience_ns; /* the cleanup that was asked for, as a time from its arrival */
	int64_t last_ns;     /* the oldest's: when somebody last asked */
};

struct qrt__binding {
	struct qrt_cancel *token;
	struct qrt_runtime *rt;
	struct qrt__region *region; /* the loop's thread only; NULL: it has closed */
	struct qrt__timer deadline; /* the same */
	struct qrt__list in_token;  /* under the lock */
	bool due;		    /* under the lock: it will be told, here or by the post */
	struct qrt__post post;
	struct qrt__binding *next_here; /* of those that the requester tells itself */
};

/* Bindings that live on the requester's own thread, in the order of telling. */
struct here {
	struct qrt__binding *first, **end;
};

static void lock(struct qrt_cancel *token)
{
	pthread_mutex_lock(&token->oldest->lock);
}

static void unlock(struct qrt_cancel *token)
{
	pthread_mutex_unlock(&token->oldest->lock);
}

/* --- life ---------------------------------------------------------------------------------- */

static int64_t tighter(int64_t own, int64_t parents)
{
	return own && (!parents || own < parents) ? own : parents;
}

static struct qrt_cancel *token_new(const struct qrt_cancel_options *opts)
{
	struct qrt_cancel *token = calloc(1, sizeof(*token));
	if (!token) {
		return NULL;
	}
	token->oldest = token;
	token->name = opts->name ? opts->name : "token";
	token->deadline_ns = opts->deadline_ns ? opts->deadline_ns : QRT_NO_DEADLINE;
	token->cleanup_ns = opts->cleanup_ns;
	token->refs = 1;
	qrt__list_init(&token->children);
	qrt__list_init(&token->in_parent);
	qrt__list_init(&token->bindings);
	return token;
}

/* What a token gets of its parent's request. Under the lock. Returns whether it changed. */
static bool inherit(struct qrt_cancel *token)
{
	const struct qrt_cancel *parent = token->parent;
	struct qrt_cancel_info below = qrt__cancel_below(&parent->cancel.info);
	int64_t patience_ns = tighter(token->cleanup_ns, parent->patience_ns);
	below.cleanup_until_ns -= parent->patience_ns - patience_ns;
	if (!qrt__cancel_request(&token->cancel, &below)) {
		return false;
	}
	token->patience_ns = tighter(patience_ns, token->patience_ns);
	return true;
}

static void enter_family(struct qrt_cancel *token, struct qrt_cancel *parent)
{
	token->parent = parent;
	token->oldest = parent->oldest;
	token->depth = parent->depth + 1;
	token->cleanup_ns = tighter(token->cleanup_ns, parent->cleanup_ns);
	if (parent->deadline_ns < token->deadline_ns) {
		token->deadline_ns = parent->deadline_ns;
	}
	lock(parent);
	parent->refs++;
	qrt__list_append(&parent->children, &token->in_parent);
	if (parent->cancel.requested) {
		inherit(token);
	}
	unlock(parent);
}

enum qrt_err qrt_cancel_create(struct qrt_cancel *parent, const struct qrt_cancel_options *opts,
			       struct qrt_cancel **ret_cancel)
{
	const struct qrt_cancel_options none = {0};
	opts = opts ? opts : &none;
	if (opts->deadline_ns < 0 || opts->cleanup_ns < 0) {
		return QRT_EINVAL;
	}
	if (parent && parent->depth + 1 >= QRT_CANCEL_DEPTH_MAX) {
		return QRT_ELIMIT;
	}
	struct qrt_cancel *token = token_new(opts);
	if (!token) {
		return QRT_ENOMEM;
	}
	if (parent) {
		enter_family(token, parent);
	} else {
		pthread_mutex_init(&token->lock, NULL);
	}
	*ret_cancel = token;
	return QRT_OK;
}

struct qrt_cancel *qrt_cancel_ref(struct qrt_cancel *token)
{
	lock(token);
	token->refs++;
	unlock(token);
	return token;
}

void qrt_cancel_unref(struct qrt_cancel **token_ptr)
{
	struct qrt_cancel *token = *token_ptr;
	*token_ptr = NULL;
	while (token) {
		struct qrt_cancel *parent = token->parent;
		lock(token);
		bool last = --token->refs == 0;
		if (last) {
			qrt__list_remove(&token->in_parent);
		}
		unlock(token);
		if (!last) {
			return;
		}
		if (!parent) {
			pthread_mutex_destroy(&token->lock);
		}
		free(token);
		token = parent; /* which the child referred to */
	}
}

/* --- telling ------------------------------------------------------------------------------- */

static void binding_free(struct qrt__binding *binding)
{
	qrt_cancel_unref(&binding->token);
	free(binding);
}

/* On the region's loop: what the token has been asked becomes a cancel of the region. */
static void tell(struct qrt__binding *binding)
{
	struct qrt_cancel *token = binding->token;
	struct qrt__region *region = binding->region;
	lock(token);
	binding->due = false;
	const struct qrt_cancel_info asked = token->cancel.info;
	int64_t patience_ns = token->patience_ns;
	unlock(token);
	if (!region) {
		binding_free(binding);
		return;
	}
	/* Stamped anew: this loop's clock may be another than the requester's. */
	int64_t own_ns = region->cleanup_ns;
	struct qrt_cancel_info request =
	    qrt__cancel_info(region->rt, asked.kind, asked.reason,
			     own_ns ? tighter(own_ns, token->cleanup_ns) : patience_ns);
	request.cause = asked.cause;
	request.levels = asked.levels;
	request.origin = asked.origin;
	region->rt->engine->cancel_region(region, &request);
}

static void arrive(struct qrt_runtime *rt, struct qrt__post *post)
{
	(void)rt;
	tell(QRT__CONTAINER(post, struct qrt__binding, post));
}

/* Sees to it that what is bound to @token is told. Under the lock. */
static void notify(struct qrt_cancel *token, struct here *here)
{
	QRT__LIST_EACH(node, &token->bindings) {
		struct qrt__binding *binding = QRT__CONTAINER(node, struct qrt__binding, in_token);
		if (binding->due) {
			continue; /* it will be told all that is known by then */
		}
		binding->due = true;
		if (qrt__on_thread_of(binding->rt)) {
			binding->next_here = NULL;
			*here->end = binding;
			here->end = &binding->next_here;
		} else if (!qrt__post(binding->rt, &binding->post, arrive)) {
			QRT_IMPOSSIBLE("a loop ended over a region that was open");
		}
	}
}

/* Passes on what @token has been asked. As deep as QRT_CANCEL_DEPTH_MAX. Under the lock. */
static void spread(struct qrt_cancel *token, struct here *here)
{
	notify(token, here);
	QRT__LIST_EACH(node, &token->children) {
		struct qrt_cancel *child = QRT__CONTAINER(node, struct qrt_cancel, in_parent);
		if (inherit(child)) {
			spread(child, here);
		}
	}
}

static int64_t clock_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * QRT_SEC + ts.tv_nsec;
}

/* No two requests of a family have one time, so that "the earlier" is always known. */
static int64_t request_time(struct qrt_cancel *oldest)
{
	int64_t now = clock_ns();
	oldest->last_ns = now > oldest->last_ns ? now : oldest->last_ns + 1;
	return oldest->last_ns;
}

void qrt_cancel_request(struct qrt_cancel *token, enum qrt_cancel_kind kind, const char *reason)
{
	struct here here = {.end = &here.first};
	lock(token);
	const struct qrt_cancel_info request = qrt__cancel_info_at(
	    kind, reason, token->name, request_time(token->oldest), token->cleanup_ns);
	if (qrt__cancel_request(&token->cancel, &request)) {
		token->patience_ns =
		    tighter(request.cleanup_until_ns - request.at_ns, token->patience_ns);
		spread(token, &here);
	}
	unlock(token);
	/* Nothing of this thread closes a region meanwhile, and no others may. */
	while (here.first) {
		struct qrt__binding *binding = here.first;
		here.first = binding->next_here;
		tell(binding);
	}
}

bool qrt_cancel_info_of(struct qrt_cancel *token, struct qrt_cancel_info *ret_info)
{
	lock(token);
	bool requested = token->cancel.requested;
	if (requested && ret_info) {
		*ret_info = token->cancel.info;
	}
	unlock(token);
	return requested;
}

/* --- binding ------------------------------------------------------------------------------- */

/* @token's deadline has passed, or one above it: whose it is, is asked. */
static void expire(struct qrt_cancel *token, int64_t now_ns)
{
	struct qrt_cancel *whose = token;
	for (struct qrt_cancel *at = token->parent; at; at = at->parent) {
		whose = at->deadline_ns <= now_ns ? at : whose;
	}
	qrt_cancel_request(whose, QRT_CANCEL_DEADLINE, "the token's deadline has passed");
}

static void deadline_passed(struct qrt__timer *timer)
{
	struct qrt__binding *binding = QRT__CONTAINER(timer, struct qrt__binding, deadline);
	expire(binding->token, qrt__now(binding->rt));
}

static enum qrt_err may_bind(const struct qrt__region *region)
{
	if (!region) {
		return QRT_ESTALE;
	}
	if (!qrt__on_thread_of(region->rt)) {
		return QRT_ETHREAD;
	}
	if (!region->opener) {
		return QRT_EINVAL; /* the root ends with its loop, not before */
	}
	if (region->state != QRT__REGION_OPEN) {
		return QRT_ECLOSED;
	}
	return region->binding ? QRT_EBUSY : QRT_OK;
}

/* From here on a request finds it. Returns whether there has been one: to be told by the caller. */
static bool enter_token(struct qrt__binding *binding)
{
	struct qrt_cancel *token = binding->token;
	lock(token);
	token->refs++;
	qrt__list_append(&token->bindings, &binding->in_token);
	bool requested = token->cancel.requested;
	binding->due = requested;
	unlock(token);
	return requested;
}

enum qrt_err qrt_region_bind(struct qrt_region *handle, struct qrt_cancel *token)
{
	struct qrt__region *region = qrt__region_of(handle);
	enum qrt_err err = may_bind(region);
	if (err) {
		return err;
	}
	struct qrt__binding *binding = calloc(1, sizeof(*binding));
	if (!binding) {
		return QRT_ENOMEM;
	}
	struct qrt_runtime *rt = region->rt;
	binding->token = token;
	binding->rt = rt;
	binding->region = region;
	qrt__timer_init(&binding->deadline, deadline_passed);
	region->binding = binding;
	if (enter_token(binding)) {
		tell(binding);
	}
	if (token->deadline_ns <= qrt__now(rt)) {
		expire(token, qrt__now(rt));
	} else if (token->deadline_ns != QRT_NO_DEADLINE) {
		qrt__timer_start(&rt->timers, &binding->deadline, token->deadline_ns);
	}
	return QRT_OK;
}

void qrt__token_unbind(struct qrt__region *region)
{
	struct qrt__binding *binding = region->binding;
	struct qrt_cancel *token = binding->token;
	region->binding = NULL;
	qrt__timer_stop(&region->rt->timers, &binding->deadline);
	lock(token);
	qrt__list_remove(&binding->in_token);
	bool due = binding->due;
	unlock(token);
	binding->region = NULL;
	if (!due) {
		binding_free(binding); /* else by the post that is on its way */
	}
}

const char *qrt__token_name(const struct qrt__binding *binding)
{
	return binding->token->name;
}
