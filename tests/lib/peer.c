/* The scripted peer: a task per connection; see peer.h. */
#include "tests/lib/peer.h"

#include <string.h>

#include "shim/src/io/layer.h"
#include "tests/lib/backends.h"

static bool ends_so(const char *text, size_t n, const char *end)
{
	size_t len = strlen(end);
	return n >= len && memcmp(text + n - len, end, len) == 0;
}

/* Hears until what came since @from ends with @until. */
static enum qrt_err hear(struct qrt_cx *cx, struct peer *peer, size_t i, struct qrt_stream *stream,
			 const char *until)
{
	size_t from = peer->n_heard[i];
	enum qrt_err err = QRT_OK;
	while (!err && !ends_so(peer->heard[i] + from, peer->n_heard[i] - from, until)) {
		size_t room = PEER_HEARD - 1 - peer->n_heard[i], n = 0;
		EXPECT(room > 0);
		/* Byte by byte: what is behind @until belongs to the next step. */
		err = qrt_read(cx, stream, peer->heard[i] + peer->n_heard[i], 1, &n);
		peer->n_heard[i] += err ? 0 : n;
	}
	return err;
}

static enum qrt_err hold(struct qrt_cx *cx, struct qrt_stream *stream)
{
	char block[4096];
	size_t n;
	enum qrt_err err = QRT_OK;
	while (!err) {
		err = qrt_read(cx, stream, block, sizeof(block), &n);
	}
	return err;
}

static enum qrt_err play(struct qrt_cx *cx, struct peer *peer, size_t i, struct qrt_stream *stream)
{
	enum qrt_err err = QRT_OK;
	for (size_t k = 0; k < PEER_STEPS && !err; k++) {
		const struct peer_step *step = &peer->scripts[i].steps[k];
		if (step->until) {
			err = hear(cx, peer, i, stream, step->until);
		}
		if (!err && step->say) {
			err = qrt_write(cx, stream, step->say, strlen(step->say));
		}
		peer->said += !err;
		if (!err && step->act == PEER_LATER) {
			err = qrt_sleep(cx, 20 * QRT_MS);
		}
		if (!err && step->act == PEER_CUT) {
			struct qrt__layer *layer = qrt__layer_of(stream);
			EXPECT(layer);
			layer->ops->spoil(layer); /* from now on it says nothing more */
			return QRT_OK;
		}
		if (!err && step->act == PEER_CLOSE) {
			return QRT_OK;
		}
		if (!err && step->act == PEER_DEAF) {
			return qrt_sleep_until(cx, QRT_NO_DEADLINE);
		}
		if (!err && (step->act == PEER_HOLD || (!step->until && !step->say))) {
			break;
		}
	}
	return err ? err : hold(cx, stream);
}

/* What one connection is given. */
struct guest {
	struct peer *peer;
	struct qrt_stream *stream;
	size_t i;
};

static enum qrt_err serve(struct qrt_cx *cx, void *arg)
{
	struct guest *guest = arg;
	struct peer *peer = guest->peer;
	enum qrt_err err = peer->tls ? qrt_tls_accept(cx, peer->tls, &guest->stream) : QRT_OK;
	if (!err) {
		err = play(cx, peer, guest->i, guest->stream);
	}
	qrt_stream_close(cx, &guest->stream);
	peer->ended++;
	(void)err; /* what it heard, and the other side, tell */
	return QRT_OK;
}

static enum qrt_err accept_all(struct qrt_cx *cx, void *arg)
{
	struct peer *peer = arg;
	enum qrt_err err = QRT_OK;
	while (!err) {
		struct qrt_stream *stream;
		err = qrt_accept(cx, peer->listener, &stream);
		if (err) {
			break;
		}
		struct guest *guest = qrt_alloc(cx, sizeof(*guest));
		err = guest ? qrt_stream_give(cx, stream, peer->region) : QRT_ENOMEM;
		if (!err) {
			EXPECT(peer->accepted < peer->n_scripts);
			*guest = (struct guest){peer, stream, peer->accepted++};
			err = qrt_spawn(peer->region, serve, guest);
		}
		if (err) {
			qrt_stream_close(cx, &stream);
		}
	}
	qrt_listener_close(cx, &peer->listener);
	bool told = err == QRT_ECANCELED || err == QRT_ECLOSED || err == QRT_ESTALE;
	return told ? QRT_OK : err;
}

enum qrt_err peer_open_at(struct qrt_cx *cx, struct qrt_region *region, const char *address,
			  const struct peer_script *scripts, size_t n_scripts, struct peer *peer)
{
	int fd;
	memset(peer, 0, sizeof(*peer));
	peer->scripts = scripts;
	peer->n_scripts = n_scripts;
	peer->region = region;
	EXPECT(n_scripts <= PEER_SCRIPTS);
	enum qrt_err err = qrt_socket_listen(cx, address, 0, &fd, &peer->port);
	if (!err) {
		err = qrt_listener_adopt(qrt_region_cx(region), fd, &peer->listener);
	}
	return err ? err : qrt_spawn(region, accept_all, peer);
}

enum qrt_err peer_open(struct qrt_cx *cx, struct qrt_region *region,
		       const struct peer_script *scripts, size_t n_scripts, struct peer *peer)
{
	return peer_open_at(cx, region, "127.0.0.1", scripts, n_scripts, peer);
}

void peer_close(struct qrt_cx *cx, struct peer *peer)
{
	qrt_listener_close(cx, &peer->listener);
}
