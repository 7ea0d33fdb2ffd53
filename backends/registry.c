/* The backends of this build: the only global state there is. */
#include "backends/backend.h"

#include <string.h>

const struct qrt__backend *const qrt__backends[] = {
#ifdef QRT_WITH_LEGACY
    &qrt__backend_legacy,
#endif
#ifdef QRT_WITH_REGION
    &qrt__backend_region,
#endif
    &qrt__backend_lab,	  &qrt__backend_lab_legacy, NULL,
};

const struct qrt__backend *qrt__backend_find(const char *name)
{
	for (size_t i = 0; qrt__backends[i]; i++) {
		if (strcmp(qrt__backends[i]->name, name) == 0) {
			QRT_ASSERT(qrt__backends[i]->abi == QRT__BACKEND_ABI);
			return qrt__backends[i];
		}
	}
	return NULL;
}

const char *const *qrt_backend_names(size_t *ret_n)
{
	static const char *const names[] = {
#ifdef QRT_WITH_LEGACY
	    "legacy",
#endif
#ifdef QRT_WITH_REGION
	    "region",
#endif
	    "lab",
	    "lab-legacy",
	};
	*ret_n = sizeof(names) / sizeof(names[0]);
	return names;
}

const struct qrt_promise *qrt_backend_promises(const char *backend, size_t *ret_n)
{
	const struct qrt__backend *found = qrt__backend_find(backend);
	*ret_n = found ? found->n_promises : 0;
	return found ? found->promises : NULL;
}
