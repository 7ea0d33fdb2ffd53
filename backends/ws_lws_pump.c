/*
 * Readiness for libwebsockets: each of its sockets is watched as any other of
 * the driver's, and it is asked to serve the one that is ready.
 *
 * When it wants to write, it does not say so. It may after anything that has
 * moved: then the socket is watched for that too, once; it writes, or finds
 * nothing to do. So an idle connection wakes nobody, and no clock is needed.
 *
 * It never stops reading by itself: told to in the midst of a TLS record, it
 * (4.1) would serve the rest of it for ever. It is just not asked to read.
 *
 * Its plugin for libuv is not used. That closes a descriptor of its own twice,
 * by which time another thread may have got the number, and forgets the handle
 * of a connection that was refused.
 */
#include <libwebsockets.h>
#include <sys/socket.h>

#include "backends/ws_lws.h"

/* While it is being opened, one step leads to the next without a byte from the peer. */
enum { STEPS_OPENING = 8, STEPS = 1, FORCED_MAX = 64 };

void qrt__lws_pump_arm(struct qrt__lws_link *link)
{
	bool serving = link->all && link->all->pumping == link;
	if (!link->watched || link->stage == QRT__LWS_HEAD || serving) {
		return; /* when it has been served it is done */
	}
	bool writes = link->writes || link->moved > 0 || lws_partial_buffered(link->wsi);
	link->all->rt->driver->watch_arm(&link->watch, (link->wanted ? QRT__IO_READ : 0u) |
							   (writes ? QRT__IO_WRITE : 0u));
}

/* It has read more than it has told of: what came with the answer to a handshake. */
static void serve_what_was_read(struct lws_context *context)
{
	for (int i = 0; i < FORCED_MAX && lws_service_adjust_timeout(context, 1, 0) == 0; i++) {
		lws_service(context, -1);
	}
}

/*
 * A connection that was refused is ended here, where its descriptor is still watched: the library
 * would close it first, and say nothing of the reason.
 */
static bool has_failed(struct qrt__lws_link *link)
{
	int error = 0;
	socklen_t n = sizeof(error);
	if (link->stage != QRT__LWS_OPENING || link->connected ||
	    getsockopt(link->watch.fd, SOL_SOCKET, SO_ERROR, &error, &n)) {
		return false;
	}
	link->connected = error == 0;
	if (error) {
		enum qrt_err err = qrt__err_from_errno(error);
		qrt__lws_over(link, err, QRT_WS_DROPPED, NULL, qrt_err_text(err));
		qrt__lws_pump_close(link);
		qrt__lws_drop(link);
	}
	return error != 0;
}

static void ready(struct qrt__watch *watch, unsigned io)
{
	struct qrt__lws_link *link = QRT__CONTAINER(watch, struct qrt__lws_link, watch);
	struct qrt__lws *all = link->all;
	struct lws_pollfd pollfd = {.fd = watch->fd, .events = LWS_POLLIN | LWS_POLLOUT};
	if (has_failed(link)) {
		return;
	}
	pollfd.revents =
	    (io & QRT__IO_READ ? LWS_POLLIN : 0) | (io & QRT__IO_WRITE ? LWS_POLLOUT : 0);
	if (io & QRT__IO_READ) {
		link->moved = link->stage == QRT__LWS_OPENING ? STEPS_OPENING : STEPS;
	} else if (link->moved > 0) {
		link->moved--;
	}
	all->pumping = link;
	lws_service_fd(all->context, &pollfd);
	serve_what_was_read(all->context);
	if (all->pumping == link) {
		all->pumping = NULL;
		qrt__lws_pump_arm(link);
	}
}

enum qrt_err qrt__lws_pump_open(struct qrt__lws_link *link, int fd)
{
	struct qrt_runtime *rt = link->all->rt;
	link->watch = (struct qrt__watch){.rt = rt, .fd = fd, .ready = ready};
	enum qrt_err err = rt->driver->watch_open(&link->watch);
	if (!err) {
		link->watched = true;
		link->wanted = true;
		link->moved = STEPS_OPENING;
		qrt__lws_pump_arm(link);
	}
	return err;
}

void qrt__lws_pump_close(struct qrt__lws_link *link)
{
	if (link->watched) {
		link->watched = false;
		link->watch.rt->driver->watch_close(&link->watch);
		if (link->all->pumping == link) {
			link->all->pumping = NULL;
		}
	}
}
