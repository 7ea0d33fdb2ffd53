/* Where a run goes: addresses are numbers, so that nothing is looked up. */
#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

/* What follows the scheme; NULL: it is neither. */
static const char *after_scheme(const char *url, bool *ret_ws)
{
	static const char http[] = "http://", ws[] = "ws://";

	*ret_ws = strncmp(url, ws, sizeof(ws) - 1) == 0;
	if (*ret_ws) {
		return url + sizeof(ws) - 1;
	}
	return strncmp(url, http, sizeof(http) - 1) == 0 ? url + sizeof(http) - 1 : NULL;
}

static uint16_t parse_port(const char *url, const char *text, const char *end)
{
	char *after;
	long port = strtol(text, &after, 10);

	if (after != end || after == text || port < 1 || port > 65535) {
		load_die("--url %s: '%.*s' is not a port", url, (int)(end - text), text);
	}
	return (uint16_t)port;
}

void load_target_parse(const char *url, struct load_target *ret_target)
{
	struct sockaddr_in *addr = (struct sockaddr_in *)(void *)&ret_target->addr;
	const char *slash, *colon, *name = after_scheme(url, &ret_target->ws);
	char address[48];

	if (name == NULL) {
		load_die("--url %s: must begin with http:// or ws://", url);
	}
	slash = name + strcspn(name, "/");
	colon = memchr(name, ':', (size_t)(slash - name));
	if (colon == NULL || (size_t)(colon - name) >= sizeof(address)) {
		load_die("--url %s: must be http://ADDRESS:PORT/path", url);
	}
	memcpy(address, name, (size_t)(colon - name));
	address[colon - name] = '\0';
	addr->sin_family = AF_INET;
	addr->sin_port = htons(parse_port(url, colon + 1, slash));
	if (inet_pton(AF_INET, strcmp(address, "localhost") == 0 ? "127.0.0.1" : address,
		      &addr->sin_addr) != 1) {
		load_die("--url %s: '%s' is not a numeric IPv4 address", url, address);
	}
	ret_target->addr_len = sizeof(*addr);
	snprintf(ret_target->host, sizeof(ret_target->host), "%.*s", (int)(slash - name), name);
	if (strlen(slash) > LOAD_PATH_MAX || !load_is_visible(slash)) {
		load_die("--url: the path has blanks or is longer than %d", LOAD_PATH_MAX);
	}
	snprintf(ret_target->path, sizeof(ret_target->path), "%s", *slash == '/' ? slash : "/");
}

void load_target_unix(struct load_target *target, const char *path)
{
	struct sockaddr_un *addr = (struct sockaddr_un *)(void *)&target->addr;

	if (path[0] == '\0' || strlen(path) >= sizeof(addr->sun_path)) {
		load_die("--unix '%s': must have 1 to %zu bytes", path, sizeof(addr->sun_path) - 1);
	}
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	memcpy(addr->sun_path, path, strlen(path) + 1);
	target->addr_len = sizeof(*addr);
}
