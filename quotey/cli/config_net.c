/*
 * Addresses and URLs in the configuration, judged as texts. It must never look a name up: loading
 * does not touch the network.
 */
#include "quotey/cli/config_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

bool qy_config__address_ok(const char *text)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

bool qy_config__address_is_loopback(const char *text)
{
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		return (ntohl(v4.s_addr) >> 24) == 127;
	}
	if (inet_pton(AF_INET6, text, &v6) == 1) {
		return IN6_IS_ADDR_LOOPBACK(&v6) ||
		       (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
	}
	return false;
}

/* The part after "http://" or "https://", or NULL. */
static const char *after_scheme(const char *text)
{
	if (strncmp(text, "http://", 7) == 0) {
		return text + 7;
	}
	if (strncmp(text, "https://", 8) == 0) {
		return text + 8;
	}
	return NULL;
}

/* Copies the host of "host[:port]" or "[v6][:port]"; sets the rest. False if there is none. */
static bool split_host(const char *authority, size_t len, char *ret_host, const char **ret_rest)
{
	const char *start = authority;
	size_t n = 0;

	if (len > 0 && authority[0] == '[') {
		const char *close = memchr(authority, ']', len);

		if (close == NULL) {
			return false;
		}
		start = authority + 1;
		n = (size_t)(close - start);
		*ret_rest = close + 1;
	} else {
		while (n < len && authority[n] != ':') {
			n++;
		}
		*ret_rest = authority + n;
	}
	if (n == 0 || n > 255) {
		return false;
	}
	memcpy(ret_host, start, n);
	ret_host[n] = '\0';
	return start == authority || strchr(ret_host, ':') != NULL;
}

/* "" or ":1" to ":65535". */
static bool port_ok(const char *text, size_t len)
{
	unsigned port = 0;

	if (len == 0) {
		return true;
	}
	if (text[0] != ':' || len < 2 || len > 6) {
		return false;
	}
	for (size_t i = 1; i < len; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return false;
		}
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	return port >= 1 && port <= 65535;
}

const char *qy_config__web_url_problem(const char *text)
{
	const char *authority = after_scheme(text);
	const char *rest;
	char host[256];
	size_t len;

	if (authority == NULL) {
		return "does not begin with http:// or https://";
	}
	for (const char *p = text; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~' || strchr("\"<>\\^`{|}", *p) != NULL) {
			return "has a character that must be percent-encoded in a URL";
		}
	}
	len = strcspn(authority, "/?#");
	if (memchr(authority, '@', len) != NULL) {
		return "has a user name or password in it";
	}
	if (!split_host(authority, len, host, &rest)) {
		return "has no host";
	}
	if (authority[0] == '[' ? !qy_config__address_ok(host)
				: host[strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789"
						    "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-_")] != '\0') {
		return "has a host that is not a name or an address";
	}
	if (!port_ok(rest, len - (size_t)(rest - authority))) {
		return "has a port that is not a number from 1 to 65535";
	}
	return NULL;
}

bool qy_config__web_url_is_safe(const char *text)
{
	const char *authority = after_scheme(text);
	const char *rest;
	char host[256];

	if (authority == NULL || strncmp(text, "https:", 6) == 0) {
		return authority != NULL;
	}
	if (!split_host(authority, strcspn(authority, "/?#"), host, &rest)) {
		return false;
	}
	return strcmp(host, "localhost") == 0 || qy_config__address_is_loopback(host);
}
