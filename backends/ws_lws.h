/*
 * WebSockets by libwebsockets, as its own files see them: ws_lws.c (one link, and what the library
 * tells of it), ws_lws_context.c (what all links of a runtime share), ws_lws_pump.c (readiness of
 * its sockets), ws_lws_accept.c (a server's handshake).
 */
#ifndef QRT_BACKENDS_WS_LWS_H
#define QRT_BACKENDS_WS_LWS_H

#include <sys/stat.h>

#include "backends/ws_impl.h"
#include "shim/src/internal.h"

struct lws;
struct lws_context;
struct lws_vhost;

/* Bytes of a message that are written as one frame; no more than that is ever buffered. */
enum { QRT__LWS_CHUNK = 64 * 1024 };
/* For how long a link that was let go may take to say goodbye. */
#define QRT__LWS_LINGER_NS (2 * QRT_SEC)

/* What connections with the same trusted roots share. */
struct qrt__lws_vhost {
	struct qrt__list node;
	struct lws_vhost *vhost;
	bool secure;
	char *ca_file;	  /* NULL: the system's */
	char *spelling;	  /* of it, for the library */
	struct stat read; /* of that file, as it was */
	unsigned users;
};

/* One per runtime, made for its first WebSocket, gone with the runtime. */
struct qrt__lws {
	struct qrt_runtime *rt;
	struct lws_context *context;
	struct qrt__list links, vhosts;
	unsigned n_read;		/* files of roots, so far */
	struct qrt__list due;		/* links that are asked to write before the loop polls */
	bool tasks_first;		/* the loop did not poll the last time */
	struct qrt__lws_link *adopting; /* between two calls of the library */
	struct qrt__lws_link *pumping;	/* the one that is served; NULL: it has gone */
	unsigned char *chunk;		/* where frames are made, behind the library's headroom */
};

/*
 *	server: head ──> opening ──> open ──> leaving
 *	client:          opening ──> open ──> leaving
 */
enum qrt__lws_stage { QRT__LWS_HEAD, QRT__LWS_OPENING, QRT__LWS_OPEN, QRT__LWS_LEAVING };

struct qrt__lws_link {
	struct qrt__list node;
	struct qrt__lws *all; /* NULL while a server's head is read */
	struct qrt__ws *ws;   /* NULL: the shim has let go, or has been told of the end */
	struct lws *wsi;      /* NULL: none yet, or gone */
	struct qrt__lws_vhost *vhost;
	enum qrt__lws_stage stage;
	bool connecting;	  /* inside of the call that begins it */
	struct qrt__timer linger; /* runs while it may take its time to end */
	char subprotocol[QRT_WS_SUBPROTOCOL_MAX + 1];

	/* A client's, until the handshake is over. */
	char *headers; /* lines of the application's own */
	size_t headers_n;
	bool no_verify;
	char why[160]; /* what was wrong with the server's certificate; "": nothing */

	/* The message that is being sent: data is NULL when there is none. */
	const char *data;
	size_t n, at;
	enum qrt_ws_type type;
	bool close_said;
	unsigned say; /* the code of a close that is to be said; 0: none */

	/* Of its socket, or of the descriptor from which a server's head is read. */
	struct qrt__watch watch;
	struct qrt__list due; /* in all's list, or alone */
	bool watched;
	unsigned armed; /* what it is watched for */
	bool connected; /* the attempt has not failed */
	bool wanted;	/* messages are */
	bool writes;	/* we have something to write */
	unsigned moved; /* the library may want to write, too: so often it is still asked */

	struct qrt__lws_head *head; /* a server's, see ws_lws_accept.c */
};

/* --- ws_lws.c -------------------------------------------------------------------------------- */

/* NULL: no memory. */
struct qrt__lws_link *qrt__lws_link_new(struct qrt__ws *ws);
void qrt__lws_link_free(struct qrt__lws_link *link);
/* Tells the shim, unless it has let go. */
void qrt__lws_over(struct qrt__lws_link *link, enum qrt_err err, unsigned code, const char *reason,
		   const char *detail);
/* Ends it without a word. It may live on for a while, to be closed. */
void qrt__lws_drop(struct qrt__lws_link *link);
/* What the library calls. */
int qrt__lws_callback(struct lws *wsi, int reason, void *user, void *in, size_t n);
/* The link gets the socket @fd, on which the client's request is @head of @n bytes. */
void qrt__lws_adopt(struct qrt__lws_link *link, int fd, const char *head, size_t n);

/* --- ws_lws_context.c ------------------------------------------------------------------------ */

/* The runtime's, made if there is none. Errors: ENOMEM, EMFILE, with @ret_detail. */
enum qrt_err qrt__lws_of(struct qrt_runtime *rt, char *ret_detail, struct qrt__lws **ret_all);
/* A use of one with these roots, until vhost_put. Errors: EINVAL (the file), ENOMEM. */
enum qrt_err qrt__lws_vhost_get(struct qrt__lws *all, bool secure, const char *ca_file,
				char *ret_detail, struct qrt__lws_vhost **ret_vhost);
void qrt__lws_vhost_put(struct qrt__lws_vhost *vhost);

/* --- ws_lws_pump.c --------------------------------------------------------------------------- */

/* The link's descriptor is to be watched. Errors: EMFILE, ENOMEM. */
enum qrt_err qrt__lws_pump_open(struct qrt__lws_link *link, int fd);
void qrt__lws_pump_close(struct qrt__lws_link *link);
/* What is to be watched, or written, may have changed. */
void qrt__lws_pump_arm(struct qrt__lws_link *link);

/* --- ws_lws_accept.c ------------------------------------------------------------------------- */

enum qrt_err qrt__lws_accept(struct qrt__ws *ws, int fd, const struct qrt_ws_accept_options *opts);
void qrt__lws_head_free(struct qrt__lws_link *link);

/* --- for the drivers ------------------------------------------------------------------------- */

extern const struct qrt__ws_impl qrt__ws_lws;
/*
 * Before the loop polls for *@timeout_ns: lets those write that have something to. True: tasks go
 * first, there is to be no poll; never twice in a row, so that nobody who just sends keeps others
 * from being heard. Then it may set *timeout_ns to 0.
 */
bool qrt__lws_write_due(struct qrt_runtime *rt, int64_t *timeout_ns);
/* Before the loop goes: closes what is left, and the library's context if there is one. */
void qrt__lws_close(struct qrt_runtime *rt);

#endif
