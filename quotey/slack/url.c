/* Reads only as much of a URL as says who is at its other end; what is unusual is refused. */
#include "quotey/slack/url.h"

#include <string.h>

#define LETTERS "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static const char domain[] = ".slack.com";

static bool equals(const char *text, size_t n, const char *wanted)
{
	return n == strlen(wanted) && memcmp(text, wanted, n) == 0;
}

static bool is_printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text <= ' ' || *text > '~' || *text == '\\' || *text == '#') {
			return false;
		}
	}
	return true;
}

/* Four numbers, the first of them 127. */
static bool is_loopback_v4(const char *text, size_t n)
{
	size_t at = 0;

	for (int part = 0; part < 4; part++) {
		size_t digits = strspn(text + at, DIGITS);

		if (digits == 0 || digits > 3 || (part == 0 && !equals(text, digits, "127"))) {
			return false;
		}
		at += digits;
		if (part < 3 && text[at++] != '.') {
			return false;
		}
	}
	return at == n;
}

static bool is_loopback(const char *host, size_t n)
{
	return equals(host, n, "localhost") || equals(host, n, "[::1]") || is_loopback_v4(host, n);
}

static bool is_slack(const char *host, size_t n)
{
	size_t n_domain = sizeof(domain) - 1;

	return n > n_domain && host[0] != '.' && memcmp(host + n - n_domain, domain, n_domain) == 0;
}

/* The length of the host; 0: it is followed by something that has no place there. */
static size_t host_length(const char *host)
{
	size_t n = *host == '[' ? strcspn(host, "]") + 1 : strspn(host, LETTERS DIGITS ".-");
	const char *behind = host + (n <= strlen(host) ? n : 0);

	if (*behind == ':') {
		size_t digits = strspn(behind + 1, DIGITS);

		behind += digits > 0 && digits <= 5 ? digits + 1 : 0;
	}
	return *behind == '/' || *behind == '?' || *behind == '\0' ? n : 0;
}

bool qy_slack_url_allowed(const char *url, const char **ret_why)
{
	bool secure = strncmp(url, "wss://", 6) == 0;
	const char *host = url + (secure ? 6 : 5);
	size_t n;

	*ret_why = NULL;
	if (strlen(url) >= QY_SLACK_URL_SIZE || !is_printable(url)) {
		*ret_why = "it is too long, or has characters that no URL has";
	} else if (!secure && strncmp(url, "ws://", 5) != 0) {
		*ret_why = "it is neither wss nor ws";
	} else if ((n = host_length(host)) == 0) {
		*ret_why = "its host is malformed";
	} else if (secure ? !is_slack(host, n) : !is_loopback(host, n)) {
		*ret_why =
		    secure ? "its host does not end in .slack.com" : "ws is for this machine only";
	}
	return *ret_why == NULL;
}
