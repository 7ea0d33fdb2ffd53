/* Text forms, scopes and checks of API keys. Never stores or prints a secret. */
#include "quotey/db/apikey.h"

#include <string.h>

static const char *const scope_names[] = {
#define QY_SCOPE_TEXT(name, text) text,
    QY_SCOPE_MAP(QY_SCOPE_TEXT)
#undef QY_SCOPE_TEXT
};

const char *qy_scope_name(enum qy_scope scope)
{
	for (unsigned i = 0; i < QY_SCOPE_INDEX_COUNT; i++) {
		if ((uint32_t)scope == 1u << i) {
			return scope_names[i];
		}
	}
	return NULL;
}

static enum qy_code scope_parse(const char *text, size_t len, enum qy_scope *ret_scope)
{
	for (unsigned i = 0; i < QY_SCOPE_INDEX_COUNT; i++) {
		if (strlen(scope_names[i]) == len && memcmp(scope_names[i], text, len) == 0) {
			*ret_scope = (enum qy_scope)(1u << i);
			return QY_OK;
		}
	}
	return QY_INVALID_FIELD;
}

enum qy_code qy_scope_parse(const char *text, enum qy_scope *ret_scope)
{
	return scope_parse(text, strlen(text), ret_scope);
}

enum qy_code qy_scopes_parse(const char *text, uint32_t *ret_scopes)
{
	uint32_t scopes = 0;

	for (;;) {
		enum qy_scope scope;
		size_t len;
		size_t end;

		text += strspn(text, " ");
		len = strcspn(text, ",");
		end = len;
		while (len > 0 && text[len - 1] == ' ') {
			len--;
		}
		if (scope_parse(text, len, &scope) != QY_OK) {
			return QY_INVALID_FIELD;
		}
		scopes |= scope;
		if (!text[end]) {
			*ret_scopes = scopes;
			return QY_OK;
		}
		text += end + 1;
	}
}

bool qy_apikey_allows(const struct qy_apikey *key, enum qy_scope scope)
{
	return (key->scopes & ((uint32_t)scope | QY_SCOPE_ADMIN)) != 0;
}

static bool all_hex(const char *text, size_t len)
{
	return strspn(text, "0123456789abcdef") >= len;
}

enum qy_code qy_apikey_parse(const char *text, char ret_id[QY_APIKEY_ID_SIZE],
			     char ret_secret[QY_APIKEY_SECRET_SIZE])
{
	if (!text || strlen(text) != QY_APIKEY_TEXT_SIZE - 1 || strncmp(text, "qk_", 3) != 0) {
		return QY_INVALID_FIELD;
	}
	text += 3;
	if (!all_hex(text, QY_APIKEY_ID_LEN) || text[QY_APIKEY_ID_LEN] != '_' ||
	    !all_hex(text + QY_APIKEY_ID_LEN + 1, QY_APIKEY_SECRET_LEN)) {
		return QY_INVALID_FIELD;
	}
	memcpy(ret_id, text, QY_APIKEY_ID_LEN);
	ret_id[QY_APIKEY_ID_LEN] = '\0';
	memcpy(ret_secret, text + QY_APIKEY_ID_LEN + 1, QY_APIKEY_SECRET_SIZE);
	return QY_OK;
}

bool qy_apikey_matches(const struct qy_apikey *key, const char secret[QY_APIKEY_SECRET_SIZE])
{
	char hash[QRT_SHA256_HEX_SIZE];

	qrt_sha256_hex(secret, QY_APIKEY_SECRET_LEN, hash);
	return qrt_equal_ct(hash, key->secret_hash, sizeof(hash));
}

bool qy_apikey_live(const struct qy_apikey *key, const char *now)
{
	if (key->revoked_at[0]) {
		return false;
	}
	/* Time stamps have one length, so text order is time order. */
	return !key->expires_at[0] || strcmp(now, key->expires_at) < 0;
}
