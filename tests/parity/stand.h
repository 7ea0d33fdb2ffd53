/*
 * A stand: one whole Quotey (server and db components behind a switchboard) on
 * one assignment of backends, with a fresh seeded database, and the script
 * played against it over the wire.
 */
#ifndef QRT_TESTS_PARITY_STAND_H
#define QRT_TESTS_PARITY_STAND_H

#include <qrt/err.h>

#include "tests/parity/transcript.h"

struct assignment {
	const char *name;
	const char *host;   /* backend of the supervisor, the client and, alone, of the lab */
	const char *server; /* where the components start; the host's name: the same runtime */
	const char *db;
	int move_every; /* moves a component before each so-many-th request; 0: never */
};

/* Plays everything; the transcript is the caller's to fini. Prints what went wrong. */
enum qrt_err stand_run(const struct assignment *assignment, struct transcript *ret_transcript);

#endif
