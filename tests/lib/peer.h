/*
 * A scripted peer on loopback, for tests of clients: a server that says what
 * it is told, byte by byte, and keeps what it heard. Each connection plays
 * the next script.
 */
#ifndef QRT_TESTS_LIB_PEER_H
#define QRT_TESTS_LIB_PEER_H

#include <qrt/tls.h>

enum { PEER_SCRIPTS = 16, PEER_STEPS = 8, PEER_HEARD = 1024 };

enum peer_act {
	PEER_GO_ON, /* with the next step; after the last one: like PEER_HOLD */
	PEER_CLOSE, /* having read all there is: an end in good order */
	PEER_HOLD,  /* hear what comes until the other side closes */
	PEER_DEAF,  /* hear nothing more, and do not end */
	PEER_LATER, /* go on after 20 ms */
	PEER_CUT,   /* close below TLS: without its goodbye */
};

struct peer_step {
	const char *until; /* wait until what was heard since the last step ends so; NULL: not */
	const char *say;   /* NULL: nothing */
	enum peer_act act;
};

struct peer_script {
	struct peer_step steps[PEER_STEPS];
};

struct peer {
	uint16_t port;
	struct qrt_tls *tls; /* the caller's; NULL: in the clear */
	const struct peer_script *scripts;
	size_t n_scripts;
	size_t accepted, ended;		      /* connections */
	size_t said;			      /* steps that were played */
	char heard[PEER_SCRIPTS][PEER_HEARD]; /* on each, NUL-terminated */
	size_t n_heard[PEER_SCRIPTS];
	/* The rest is its own. */
	struct qrt_region *region;
	struct qrt_listener *listener;
};

/* Listens on @address and plays in @region, until that is cancelled. */
enum qrt_err peer_open_at(struct qrt_cx *cx, struct qrt_region *region, const char *address,
			  const struct peer_script *scripts, size_t n_scripts, struct peer *peer);
enum qrt_err peer_open(struct qrt_cx *cx, struct qrt_region *region,
		       const struct peer_script *scripts, size_t n_scripts, struct peer *peer);

/* Takes no more connections. */
void peer_close(struct qrt_cx *cx, struct peer *peer);

#endif
