/*
 * Secrets out of texts. What is recognised is a shape: the prefix that makers of tokens give them
 * for that very purpose, or the word Bearer. The rest of this file's duty is done by the names of
 * fields. Pure.
 */
#include <string.h>
#include <strings.h>

#include "shim/src/log/internal.h"

#define KEY_ID_LEN 8

bool qrt__log_key_secret(const char *key)
{
	static const char *const words[] = {"token",  "secret", "password", "passwd",
					    "cookie", "csrf",	"bearer",   "authorization",
					    "apikey", "api_key"};
	size_t len = strlen(key);

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i]);

		if (len >= n && strcasecmp(key + len - n, words[i]) == 0) {
			return true;
		}
	}
	return false;
}

static size_t span_hex(const char *text)
{
	return strspn(text, "0123456789abcdefABCDEF");
}

static size_t span_token(const char *text)
{
	return strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "-._~+/=");
}

/*
 * Whether a secret begins at @text: how much of it may be shown, and how much it takes in all.
 */
static bool secret_at(const char *text, size_t *ret_shown, size_t *ret_all)
{
	static const char *const prefixes[] = {"xoxb-", "xoxp-", "xoxa-",
					       "xoxs-", "xoxe-", "xapp-"};
	static const char bearer[] = "bearer ";
	size_t n;

	if (strncmp(text, "qk_", 3) == 0 && span_hex(text + 3) >= KEY_ID_LEN &&
	    text[3 + KEY_ID_LEN] == '_') {
		*ret_shown = 3 + KEY_ID_LEN + 1;
		*ret_all = *ret_shown + span_token(text + *ret_shown);
		return true;
	}
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		n = strlen(prefixes[i]);
		if (strncmp(text, prefixes[i], n) == 0) {
			*ret_shown = n;
			*ret_all = n + span_token(text + n);
			return true;
		}
	}
	if (strncasecmp(text, bearer, sizeof(bearer) - 1) == 0) {
		n = sizeof(bearer) - 1;
		n += strspn(text + n, " ");
		*ret_shown = sizeof(bearer) - 1;
		*ret_all = n + span_token(text + n);
		return *ret_all > n;
	}
	return false;
}

size_t qrt__log_redact(const char *text, char ret_text[QRT__LOG_VALUE_SIZE])
{
	size_t used = 0, shown = 0, all = 0;

	while (*text != '\0' && used < QRT_LOG_VALUE_MAX) {
		if (strchr("qxbB", *text) != NULL && secret_at(text, &shown, &all)) {
			memcpy(ret_text + used, text, shown);
			memcpy(ret_text + used + shown, "***", 3);
			used += shown + 3;
			text += all;
		} else {
			ret_text[used++] = *text++;
		}
	}
	if (*text != '\0') {
		/* Never in the middle of a code point: what follows one is no continuation byte. */
		ret_text[used] = *text;
		while (used > 0 && ((unsigned char)ret_text[used] & 0xc0) == 0x80) {
			used--;
		}
		memcpy(ret_text + used, "...", 3);
		used += 3;
	}
	ret_text[used] = '\0';
	return used;
}
