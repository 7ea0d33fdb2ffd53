/*
 * A control listener with a route of each kind, for its tests, and what asks it over real sockets.
 */
#ifndef QRT_TESTS_LIB_CONTROL_SITE_H
#define QRT_TESTS_LIB_CONTROL_SITE_H

#include <qrt/control.h>
#include <stdint.h>

enum {
	THREADS = 2,
	/* What control.c promises: workers per handler place, and the time to send a request. */
	WORKERS = THREADS * 8,
	REQUEST_MS = 1000,
	/* For a loaded machine; far below one more round of REQUEST_MS where it matters. */
	SLACK_MS = 800,
	PATIENCE_MS = 20000,
};

struct control_site {
	struct qrt_control *control;
	struct qrt_control_target target;
};

/*
 * GET /health (open), /metrics, /wedge (waits at the gate), /large (8 MiB, open), /nothing (no
 * status); POST and PUT /runtime/set say the body back.
 */
struct qrt_control_options control_options(const char *address, const char *token);
/* On a port of the system's choice; the gate is shut. */
struct control_site control_site_open(const char *address, const char *token);
/* Asks and compares; @body_want may be NULL. */
void control_ask(const struct control_site *site, const char *request, const char *body,
		 int status_want, const char *body_want);
/* A connection of one's own. */
int control_dial(uint16_t port);

/* Until @n wedged handlers wait; lets all of them go. */
void gate_wait_inside(unsigned n);
void gate_open(void);

int64_t now_ms(void);

#endif
