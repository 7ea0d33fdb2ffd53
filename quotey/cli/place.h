/*
 * The backends that Quotey can serve on in this build, and the runtimes that the program opens on
 * them. Names come from the build and from here, and nowhere else is one backend told from another.
 */
#ifndef QY_CLI_PLACE_H
#define QY_CLI_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include <qrt/runtime.h>

#define QY_CLI_PLACES_MAX 2
#define QY_CLI_PLACE_LIST_SIZE 64

struct qy_cli_place {
	const char *backend; /* "legacy" */
	const char *loop;    /* the name of its runtime: "legacy-loop" */
};

/* The places of this build; returns how many, at least one. They are static. */
size_t qy_cli_places(const struct qy_cli_place *ret_places[QY_CLI_PLACES_MAX]);
/* Whether @backend is one of them. */
bool qy_cli_place_known(const char *backend);
/* "legacy, region", for messages. */
void qy_cli_place_list(char ret_text[QY_CLI_PLACE_LIST_SIZE]);
/* The backend on which the program itself waits: the best one there is. Static. */
const char *qy_cli_place_own(void);

#endif
