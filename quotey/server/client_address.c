/* Addresses and networks as texts, and which of them to believe. */
#include "quotey/server/client_address.h"

#include <arpa/inet.h>
#include <string.h>

#define V4_BITS 96

/* @n bytes of text, which need not end there. Returns how many bits it has beyond the prefix. */
static bool parse_address(const char *text, size_t n, uint8_t ret_bytes[16], unsigned *ret_skip)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	char copy[QY_CLIENT_SIZE];

	if (n == 0 || n >= sizeof(copy)) {
		return false;
	}
	memcpy(copy, text, n);
	copy[n] = '\0';
	if (inet_pton(AF_INET, copy, ret_bytes + 12) == 1) {
		memcpy(ret_bytes, mapped, sizeof(mapped));
		*ret_skip = V4_BITS;
		return true;
	}
	*ret_skip = 0;
	return inet_pton(AF_INET6, copy, ret_bytes) == 1;
}

static bool parse_bits(const char *text, unsigned max, unsigned *ret_bits)
{
	unsigned bits = 0;
	size_t i;

	for (i = 0; text[i] >= '0' && text[i] <= '9' && i < 3; i++) {
		bits = bits * 10 + (unsigned)(text[i] - '0');
	}
	*ret_bits = bits;
	return i > 0 && text[i] == '\0' && bits <= max;
}

static bool bit_of(const uint8_t bytes[16], unsigned index)
{
	return (bytes[index / 8] >> (7 - index % 8)) & 1;
}

bool qy_network_parse(const char *text, struct qy_network *ret_network)
{
	size_t n = strcspn(text, "/");
	struct qy_network network = {.bits = 128};
	unsigned skip = 0, bits = 0, i;

	if (!parse_address(text, n, network.bytes, &skip)) {
		return false;
	}
	if (text[n] == '/') {
		if (!parse_bits(text + n + 1, 128 - skip, &bits)) {
			return false;
		}
		network.bits = bits + skip;
	}
	for (i = network.bits; i < 128; i++) {
		if (bit_of(network.bytes, i)) {
			return false;
		}
	}
	*ret_network = network;
	return true;
}

bool qy_networks_parse(const char *text, struct qy_networks *ret_networks)
{
	struct qy_networks networks = {.n = 0};

	while (*text != '\0') {
		size_t n = strcspn(text, ",");
		char one[64];

		if (n >= sizeof(one) || networks.n == QY_NETWORKS_MAX) {
			return false;
		}
		memcpy(one, text, n);
		one[n] = '\0';
		if (!qy_network_parse(one, &networks.list[networks.n])) {
			return false;
		}
		networks.n++;
		text += n + (text[n] == ',');
	}
	*ret_networks = networks;
	return true;
}

static bool is_in(const struct qy_network *network, const uint8_t bytes[16])
{
	unsigned whole = network->bits / 8, i;

	if (memcmp(network->bytes, bytes, whole) != 0) {
		return false;
	}
	for (i = whole * 8; i < network->bits; i++) {
		if (bit_of(network->bytes, i) != bit_of(bytes, i)) {
			return false;
		}
	}
	return true;
}

static bool is_trusted(const struct qy_networks *trusted, const char *address)
{
	uint8_t bytes[16];
	unsigned skip;
	size_t i;

	if (trusted == NULL || !parse_address(address, strlen(address), bytes, &skip)) {
		return false;
	}
	for (i = 0; i < trusted->n; i++) {
		if (is_in(&trusted->list[i], bytes)) {
			return true;
		}
	}
	return false;
}

/* The address in "address:port" or "[address]:port". */
static void strip_port(const char *peer, char ret_address[QY_CLIENT_SIZE])
{
	bool v6 = peer[0] == '[';
	const char *start = peer + v6;
	size_t n = strcspn(start, v6 ? "]" : ":");

	if (n >= QY_CLIENT_SIZE) {
		n = 0;
	}
	memcpy(ret_address, start, n);
	ret_address[n] = '\0';
}

/* The first of a list, if it is an address. */
static bool take_first(const char *list, char ret_address[QY_CLIENT_SIZE])
{
	uint8_t bytes[16];
	unsigned skip;
	size_t n;

	if (list == NULL) {
		return false;
	}
	list += strspn(list, " \t");
	n = strcspn(list, ", \t");
	if (!parse_address(list, n, bytes, &skip)) {
		return false;
	}
	memcpy(ret_address, list, n);
	ret_address[n] = '\0';
	return true;
}

void qy_client_address(const struct qy_networks *trusted, const char *peer, const char *forwarded,
		       const char *real, char ret_address[QY_CLIENT_SIZE])
{
	strip_port(peer, ret_address);
	if ((forwarded != NULL || real != NULL) && is_trusted(trusted, ret_address) &&
	    !take_first(forwarded, ret_address)) {
		(void)take_first(real, ret_address);
	}
}
