/*
 * What is asked of Quotey in the parity suite: the behaviours of the catalogue
 * (B-numbers) that reach the database or the wire, and the HTTP ones.
 */
#ifndef QRT_TESTS_PARITY_SCRIPT_H
#define QRT_TESTS_PARITY_SCRIPT_H

#include <stddef.h>

enum parity_key { KEY_WRITER, KEY_READER, KEY_NONE, KEY_WRONG };

struct parity_step {
	const char *what; /* the behaviour, one sentence */
	const char *method, *path;
	enum parity_key key;
	const char *headers;  /* further lines with CRLF, or "" */
	const char *body;     /* NULL: none */
	int status;	      /* what must be answered everywhere */
	const char *contains; /* and be in the body; NULL: nothing particular */
};

extern const struct parity_step parity_steps[];
extern const size_t parity_n_steps;

/* Bytes sent as they are, on a connection of their own. */
struct parity_raw {
	const char *what;
	const char *bytes; /* sent first */
	size_t filler;	   /* then so many 'a' */
	const char *after; /* then this */
	int status;	   /* 0: the connection is just closed, without an answer */
};

extern const struct parity_raw parity_raws[];
extern const size_t parity_n_raws;

#endif
