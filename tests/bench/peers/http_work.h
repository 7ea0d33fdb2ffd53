/*
 * What the HTTP peers in C answer, as tests/bench/serve.c says; by SQLite
 * itself, one statement prepared once. Never includes anything of ours.
 */
#ifndef TESTS_BENCH_HTTP_WORK_H
#define TESTS_BENCH_HTTP_WORK_H

#include <stddef.h>
#include <stdint.h>

enum { WORK_BODY_MAX = 256 };

struct work_answer {
	int status;
	const char *type;
	char body[WORK_BODY_MAX];
	size_t len;
};

/* Opens the database of the rows, NULL for none; ends the program over one that cannot be read. */
void work_open(const char *file);
void work_close(void);
void work_answer(const char *path, size_t len, struct work_answer *ret_answer);
/* A listening socket on a free loopback port, non-blocking; its port. */
int work_listen(uint16_t *ret_port);
void work_die(const char *what) __attribute__((noreturn));

#endif
