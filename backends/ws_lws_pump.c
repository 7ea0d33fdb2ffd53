/*
 * Readiness for libwebsockets: each of its sockets is watched as any other of
 * the driver's, and it is asked to serve the one that is ready.
 *
 * When it wants to write, it does not say so. It may after anything that has
 * moved: then it is asked to, once; it writes, or finds nothing to do. So an
 * idle connection wakes nobody, and no clock is needed.
 *
 * A socket nearly always takes what there is to write. So the system is not
 * asked first: what the tasks of a turn have to say is written before the loop
 * polls again, each link once. Only of one that has more then, or of which the
 * library has kept a part, the system says when. A message costs a read and a
 * write, and no change of what is watched. Before the poll, senders go on: most
 * are about to receive.
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

/* The system says when it can be read if that is wanted, and when written if @writes. */
static void watch_for(struct qrt__lws_link *link, bool writes)
{
	writes |= lws_partial_buffered(link->wsi);
	unsigned io = (link->wanted ? QRT__IO_READ : 0u) | (writes ? QRT__IO_WRITE : 0u);
	if (io != link->armed) {
		link->armed = io;
		link->all->rt->driver->watch_arm(&link->watch, io);
	}
}

void qrt__lws_pump_arm(struct qrt__lws_link *link)
{
	bool serving = link->all && link->all->pumping == link;
	if (!link->watched || link->stage == QRT__LWS_HEAD || serving) {
		return; /* when it has been served it is done */
	}
	bool asks = link->writes || link->moved > 0;
	bool waits = link->stage == QRT__LWS_OPENING || link->armed & QRT__IO_WRITE ||
		     lws_partial_buffered(link->wsi);
	if (waits || !asks) {
		watch_for(link, asks);
		return;
	}
	watch_for(link, false);
	if (qrt__list_empty(&link->due)) {
		qrt__list_append(&link->all->due, &link->due);
	}
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

/* False: it has gone. */
static bool serve(struct qrt__lws_link *link, short events)
{
	struct qrt__lws *all = link->all;
	struct lws_pollfd pollfd = {
	    .fd = link->watch.fd, .events = LWS_POLLIN | LWS_POLLOUT, .revents = events};
	all->pumping = link;
	lws_service_fd(all->context, &pollfd);
	serve_what_was_read(all->context);
	bool lives = all->pumping == link;
	all->pumping = NULL;
	return lives;
}

static void ready(struct qrt__watch *watch, unsigned io)
{
	struct qrt__lws_link *link = QRT__CONTAINER(watch, struct qrt__lws_link, watch);
	if (has_failed(link)) {
		return;
	}
	if (io & QRT__IO_READ) {
		link->moved = link->stage == QRT__LWS_OPENING ? STEPS_OPENING : STEPS;
	} else if (link->moved > 0) {
		link->moved--;
	}
	if (serve(link,
		  (io & QRT__IO_READ ? LWS_POLLIN : 0) | (io & QRT__IO_WRITE ? LWS_POLLOUT : 0))) {
		qrt__lws_pump_arm(link);
	}
}

bool qrt__lws_write_due(struct qrt_runtime *rt, int64_t *timeout_ns)
{
	struct qrt__lws *all = rt->ws_state;
	if (!all) {
		return false;
	}
	if (qrt__list_empty(&all->due)) {
		all->tasks_first = false;
		return false;
	}
	bool senders = false;
	while (!qrt__list_empty(&all->due)) {
		struct qrt__lws_link *link =
		    QRT__CONTAINER(qrt__list_pop(&all->due), struct qrt__lws_link, due);
		link->moved = 0;
		senders |= link->ws != NULL; /* who was let go waits for its peer only */
		if (serve(link, LWS_POLLOUT)) {
			watch_for(link, link->writes);
		}
	}
	*timeout_ns = 0;
	all->tasks_first = senders && !all->tasks_first;
	return all->tasks_first;
}

enum qrt_err qrt__lws_pump_open(struct qrt__lws_link *link, int fd)
{
	struct qrt_runtime *rt = link->all->rt;
	link->watch = (struct qrt__watch){.rt = rt, .fd = fd, .ready = ready};
	enum qrt_err err = rt->driver->watch_open(&link->watch);
	if (!err) {
		link->watched = true;
		link->armed = 0;
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
		qrt__list_remove(&link->due);
		link->watch.rt->driver->watch_close(&link->watch);
		if (link->all->pumping == link) {
			link->all->pumping = NULL;
		}
	}
}
