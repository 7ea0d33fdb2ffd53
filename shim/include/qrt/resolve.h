/*
 * Names of hosts and their addresses, as numeric text: what qrt_connect and its kin take. The
 * system's resolver answers, on a thread of its own, for it cannot be interrupted; in the lab a
 * table does (qrt_lab_name).
 */
#ifndef QRT_RESOLVE_H
#define QRT_RESOLVE_H

#include <qrt/cx.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QRT_ADDRESS_SIZE 46 /* of any numeric address, with its NUL */

struct qrt_address {
	char text[QRT_ADDRESS_SIZE]; /* "127.0.0.1", "::1" */
};

enum { QRT_HOST_MAX = 253, QRT_LOOKUPS_MAX = 16 };

/*
 * The addresses of @host, the best first: at most @n_max (1 or more) of them, the rest is left
 * out. A numeric address is its own, at once. Whoever is cancelled or late goes at once; the
 * lookup then ends by itself, and nobody hears of it. Suspends. Needs NET. Errors: ENOENT (no such
 * name, or none with an address), EAGAIN (its name server does not answer right now), EBUSY
 * (QRT_LOOKUPS_MAX run in this runtime, left ones too), EINVAL (no host name), EIO, ENOMEM.
 */
QRT_API enum qrt_err qrt_resolve(struct qrt_cx *cx, const char *host,
				 struct qrt_address *ret_addresses, size_t n_max,
				 size_t *ret_n) QRT_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
