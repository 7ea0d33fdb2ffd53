/* Which backends there are to serve on: those of the build but for the lab's. */
#include "quotey/cli/place.h"

#include <stdio.h>
#include <string.h>

/* In the order in which they are shown. The last one built is the program's own. */
static const struct qy_cli_place known[QY_CLI_PLACES_MAX] = {
    {"legacy", "legacy-loop"},
    {"region", "region-loop"},
};

static bool is_built(const char *backend)
{
	size_t n;
	const char *const *names = qrt_backend_names(&n);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], backend) == 0) {
			return true;
		}
	}
	return false;
}

size_t qy_cli_places(const struct qy_cli_place *ret_places[QY_CLI_PLACES_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < QY_CLI_PLACES_MAX; i++) {
		if (is_built(known[i].backend)) {
			ret_places[n++] = &known[i];
		}
	}
	QRT_ASSERT(n > 0); /* configure refuses a build without */
	return n;
}

bool qy_cli_place_known(const char *backend)
{
	const struct qy_cli_place *places[QY_CLI_PLACES_MAX];
	size_t n = qy_cli_places(places);

	for (size_t i = 0; i < n; i++) {
		if (strcmp(places[i]->backend, backend) == 0) {
			return true;
		}
	}
	return false;
}

void qy_cli_place_list(char ret_text[QY_CLI_PLACE_LIST_SIZE])
{
	const struct qy_cli_place *places[QY_CLI_PLACES_MAX];
	size_t n = qy_cli_places(places);
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		used += (size_t)snprintf(ret_text + used, QY_CLI_PLACE_LIST_SIZE - used, "%s%s",
					 i > 0 ? ", " : "", places[i]->backend);
	}
}

const char *qy_cli_place_own(void)
{
	const struct qy_cli_place *places[QY_CLI_PLACES_MAX];

	size_t n = qy_cli_places(places);

	return places[n - 1]->backend;
}
