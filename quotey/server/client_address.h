/*
 * Who a request comes from: the peer, or, when the peer is a proxy that is trusted, whom it names.
 * Pure: addresses are texts here, nothing is looked up.
 */
#ifndef QY_SERVER_CLIENT_ADDRESS_H
#define QY_SERVER_CLIENT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QY_NETWORKS_MAX 32
/* "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255" */
#define QY_CLIENT_SIZE 46

/* As IPv6, where IPv4 is ::ffff:0:0/96. */
struct qy_network {
	uint8_t bytes[16];
	unsigned bits;
};

struct qy_networks {
	size_t n;
	struct qy_network list[QY_NETWORKS_MAX];
};

/* "10.0.0.0/8", "::1", "192.0.2.7"; a prefix with bits beyond its length is none. */
bool qy_network_parse(const char *text, struct qy_network *ret_network);
/* Several, separated by commas; "" is none. False: one is none, or there are too many. */
bool qy_networks_parse(const char *text, struct qy_networks *ret_networks);

/*
 * The client's address without a port. @peer as qrt_http_peer has it. The first address of
 * @forwarded (X-Forwarded-For), else @real (X-Real-IP), counts when @peer is one of @trusted; both
 * may be NULL, and what is no address is not believed. "" when not even the peer is known.
 */
void qy_client_address(const struct qy_networks *trusted, const char *peer, const char *forwarded,
		       const char *real, char ret_address[QY_CLIENT_SIZE]);

#endif
