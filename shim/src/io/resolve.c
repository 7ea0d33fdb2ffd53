/*
 * Name lookup off the loop. The system's resolver cannot be interrupted, so
 * each lookup is a thread that shares a counted piece of memory with whoever
 * asked: it may be left, and then ends by itself, after its runtime if need
 * be. Never touches a caller that has left, nor a runtime that is closed.
 */
#include <qrt/resolve.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "shim/src/internal.h"

enum { ANSWERS_MAX = 32 };

struct lookup {
	pthread_mutex_t lock;
	struct qrt_runtime *rt; /* under lock; NULL: it has been closed */
	bool own;		/* no thread uses it any more; under lock */
	struct qrt__list in_rt;
	struct caller *caller; /* loop thread; NULL: it has left */
	struct qrt__post done;
	struct qrt__timer timer; /* the lab's answer */
	char host[QRT_HOST_MAX + 1];
	enum qrt_err err;
	size_t n;
	struct qrt_address address[ANSWERS_MAX];
};

/* Who waits; on its stack. */
struct caller {
	struct qrt__wait wait;
	struct lookup *lookup;
};

/* Its runtime no longer counts it. */
static void leave_runtime(struct lookup *lookup)
{
	lookup->rt->lookups--;
	qrt__list_remove(&lookup->in_rt);
	lookup->rt = NULL;
}

static void lookup_free(struct lookup *lookup)
{
	pthread_mutex_destroy(&lookup->lock);
	free(lookup);
}

/* On the loop's thread: the answer is there, or nobody wants it. */
static void answered(struct lookup *lookup)
{
	struct caller *caller = lookup->caller;
	leave_runtime(lookup);
	if (caller) {
		lookup->caller = NULL;
		qrt__unpark(&caller->wait, lookup->err);
	} else {
		lookup_free(lookup);
	}
}

/* --- the system's resolver ------------------------------------------------------------------- */

static enum qrt_err from_eai(int code)
{
	switch (code) {
	case 0:
		return QRT_OK;
	case EAI_NONAME:
#ifdef EAI_NODATA
	case EAI_NODATA:
#endif
		return QRT_ENOENT;
	case EAI_AGAIN:
		return QRT_EAGAIN;
	case EAI_MEMORY:
		return QRT_ENOMEM;
	default:
		return QRT_EIO;
	}
}

static bool print(const struct addrinfo *info, struct qrt_address *ret)
{
	const void *address;
	if (info->ai_family == AF_INET) {
		address = &((const struct sockaddr_in *)(const void *)info->ai_addr)->sin_addr;
	} else if (info->ai_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)info->ai_addr;
		if (v6->sin6_scope_id) {
			return false; /* means nothing without its interface */
		}
		address = &v6->sin6_addr;
	} else {
		return false;
	}
	return inet_ntop(info->ai_family, address, ret->text, sizeof(ret->text));
}

static void ask_system(struct lookup *lookup)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *answer = NULL;
	lookup->err = from_eai(getaddrinfo(lookup->host, NULL, &hints, &answer));
	if (lookup->err) {
		return;
	}
	for (const struct addrinfo *at = answer; at && lookup->n < ANSWERS_MAX; at = at->ai_next) {
		lookup->n += print(at, &lookup->address[lookup->n]);
	}
	freeaddrinfo(answer);
	lookup->err = lookup->n > 0 ? QRT_OK : QRT_ENOENT;
}

static void lookup_done(struct qrt_runtime *rt, struct qrt__post *post)
{
	(void)rt;
	struct lookup *lookup = QRT__CONTAINER(post, struct lookup, done);
	/* Until its thread has let go of the lock. */
	pthread_mutex_lock(&lookup->lock);
	pthread_mutex_unlock(&lookup->lock);
	answered(lookup);
}

static void *lookup_thread(void *arg)
{
	struct lookup *lookup = arg;
	ask_system(lookup);
	pthread_mutex_lock(&lookup->lock);
	bool told = lookup->rt && qrt__post(lookup->rt, &lookup->done, lookup_done);
	bool mine = !told && !lookup->rt;
	lookup->own = !told;
	pthread_mutex_unlock(&lookup->lock);
	if (mine) {
		lookup_free(lookup);
	}
	return NULL;
}

void qrt__lookups_left(struct qrt_runtime *rt)
{
	while (rt->lookups > 0) {
		struct lookup *lookup = QRT__CONTAINER(rt->in_lookup.next, struct lookup, in_rt);
		pthread_mutex_lock(&lookup->lock);
		qrt__timer_stop(&rt->timers, &lookup->timer);
		leave_runtime(lookup);
		bool mine = lookup->own;
		pthread_mutex_unlock(&lookup->lock);
		if (mine) {
			lookup_free(lookup);
		}
	}
}

/* --- asking ---------------------------------------------------------------------------------- */

static void lookup_due(struct qrt__timer *timer)
{
	answered(QRT__CONTAINER(timer, struct lookup, timer));
}

static enum qrt_err lookup_start(struct qrt_runtime *rt, const char *host,
				 struct lookup **ret_lookup)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	pthread_t thread;
	if (!lookup) {
		return QRT_ENOMEM;
	}
	pthread_mutex_init(&lookup->lock, NULL);
	snprintf(lookup->host, sizeof(lookup->host), "%s", host);
	qrt__timer_init(&lookup->timer, lookup_due);
	lookup->rt = rt;
	rt->lookups++;
	qrt__list_append(&rt->in_lookup, &lookup->in_rt);
	if (rt->driver->lookup) {
		struct qrt__lookup answer = {.address = lookup->address, .n_max = ANSWERS_MAX};
		rt->driver->lookup(rt, host, &answer);
		lookup->own = true;
		lookup->n = answer.n;
		lookup->err = answer.err;
		qrt__timer_start(&rt->timers, &lookup->timer, qrt__now(rt) + answer.delay_ns);
	} else if (qrt__thread_start(&thread, lookup_thread, lookup, "qrt-lookup")) {
		leave_runtime(lookup);
		lookup_free(lookup);
		return QRT_ENOMEM;
	} else {
		/* Not by itself: it could be gone before it has been given its name. */
		pthread_detach(thread);
	}
	*ret_lookup = lookup;
	return QRT_OK;
}

static void caller_abort(struct qrt__wait *wait, enum qrt_err why)
{
	QRT__CONTAINER(wait, struct caller, wait)->lookup->caller = NULL;
	qrt__unpark(wait, why);
}

bool qrt__is_address(const char *text)
{
	struct in6_addr any;
	return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

static bool is_numeric(const char *host, struct qrt_address *ret)
{
	if (!qrt__is_address(host)) {
		return false;
	}
	snprintf(ret->text, sizeof(ret->text), "%s", host);
	return true;
}

static enum qrt_err host_check(struct qrt_cx *cx, const char *host)
{
	size_t n = strnlen(host, QRT_HOST_MAX + 1);
	if (n < 1 || n > QRT_HOST_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "a host name of %s bytes",
				n ? "more than 253" : "0");
	}
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)host[i] <= ' ' || (unsigned char)host[i] >= 0x7f) {
			return qrt_fail(cx, QRT_EINVAL, "host name, byte %zu: not of a name",
					i + 1);
		}
	}
	return QRT_OK;
}

enum qrt_err qrt_resolve(struct qrt_cx *cx, const char *host, struct qrt_address *ret_addresses,
			 size_t n_max, size_t *ret_n)
{
	QRT__ANCHORED(cx); /* whatever becomes of the task: the answer is freed */
	struct qrt_runtime *rt = cx->task->rt;
	QRT_PRE(n_max > 0);
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_NET);
	err = err ? err : host_check(cx, host);
	if (!err) {
		err = qrt__suspending(cx);
	}
	if (err) {
		return err;
	}
	if (is_numeric(host, &ret_addresses[0])) {
		*ret_n = 1;
		return QRT_OK;
	}
	if (rt->lookups >= QRT_LOOKUPS_MAX) {
		return qrt_fail(cx, QRT_EBUSY, "%d name lookups run already", QRT_LOOKUPS_MAX);
	}
	struct caller caller;
	err = lookup_start(rt, host, &caller.lookup);
	if (err) {
		return err;
	}
	qrt__wait_init(&caller.wait, cx, QRT__WAIT_LOOKUP, NULL, caller_abort);
	caller.lookup->caller = &caller;
	err = qrt__park(cx, &caller.wait, QRT_NO_DEADLINE);
	if (caller.wait.aborted) {
		return qrt_fail(cx, err, "look up %s: %s", host, qrt_err_text(err));
	}
	struct lookup *lookup = caller.lookup;
	size_t n = lookup->n < n_max ? lookup->n : n_max;
	if (!err) {
		memcpy(ret_addresses, lookup->address, n * sizeof(*ret_addresses));
		*ret_n = n;
	}
	lookup_free(lookup);
	return err ? qrt_fail(cx, err, "look up %s: %s", host, qrt_err_text(err)) : QRT_OK;
}
