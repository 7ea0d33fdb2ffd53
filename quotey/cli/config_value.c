/*
 * Turns the text of one value into its normal form, by the key's type, or says what is wrong with
 * it. It must never quote the value, look at another key, or do input or output.
 */
#include "quotey/cli/config_internal.h"

#include <stdlib.h>
#include <string.h>

#include <qrt/log.h>

#include "quotey/server/client_address.h"

struct parse {
	const struct qy_config_key *key;
	const char *text;
	char *out; /* Holds a copy of text already; a type may rewrite it. */
	int64_t *number;
	struct qy_config_fault *fault;
};

typedef bool type_parse_fn(struct parse *parse);

/* The length of the well-formed UTF-8 sequence at p, or 0. */
static size_t utf8_len(const unsigned char *p)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint32_t code;
	size_t len;

	if (p[0] < 0x80) {
		return 1;
	}
	len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4) {
		return 0;
	}
	code = p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
		return 0;
	}
	return len;
}

static bool text_is_clean(struct parse *parse)
{
	const unsigned char *p = (const unsigned char *)parse->text;

	while (*p != '\0') {
		size_t len = utf8_len(p);

		if (len == 0) {
			qy_config__fault(parse->fault, "is not valid UTF-8",
					 "save the file or set the value in UTF-8");
			return false;
		}
		if ((*p < 0x20 && *p != '\t') || *p == 0x7f) {
			qy_config__fault(parse->fault, "has a control character in it",
					 "remove the character");
			return false;
		}
		p += len;
	}
	return true;
}

/* Decimal digits only; more than 18 of them count as INT64_MAX, beyond every key's range. */
static bool digits(const char *text, int64_t *ret_number)
{
	int64_t number = 0;
	size_t len = strspn(text, "0123456789");

	if (len == 0 || text[len] != '\0') {
		return false;
	}
	if (len > 18) {
		*ret_number = INT64_MAX;
		return true;
	}
	for (size_t i = 0; i < len; i++) {
		number = number * 10 + (text[i] - '0');
	}
	*ret_number = number;
	return true;
}

/* Is the word of this length one of "a|b|c"? */
static bool is_choice(const char *choices, const char *word, size_t word_len)
{
	for (const char *p = choices; *p != '\0'; p += *p == '|') {
		size_t len = strcspn(p, "|");

		if (len == word_len && memcmp(p, word, len) == 0) {
			return true;
		}
		p += len;
	}
	return false;
}

static void choices_fault(struct parse *parse, const char *problem)
{
	char list[200];
	size_t n = 0;

	for (const char *p = parse->key->choices; *p != '\0' && n + 3 < sizeof(list); p++) {
		list[n++] = *p == '|' ? ',' : *p;
		if (*p == '|') {
			list[n++] = ' ';
		}
	}
	list[n] = '\0';
	qy_config__fault(parse->fault, problem, "use one of: %s", list);
}

static bool parse_string(struct parse *parse)
{
	size_t len = strlen(parse->text);

	if (len < (size_t)parse->key->min || len > (size_t)parse->key->max) {
		qy_config__fault(parse->fault, "has the wrong length",
				 "give a text of %lld to %lld bytes", (long long)parse->key->min,
				 (long long)parse->key->max);
		return false;
	}
	return true;
}

static bool parse_token(struct parse *parse)
{
	for (const char *p = parse->text; *p != '\0'; p++) {
		if (*p <= ' ' || *p > '~') {
			qy_config__fault(parse->fault, "has a space or a non-ASCII character",
					 "give the token without spaces, exactly as issued");
			return false;
		}
	}
	return parse_string(parse);
}

static bool parse_int(struct parse *parse)
{
	const struct qy_config_key *key = parse->key;
	const char *problem = NULL;
	int64_t number = 0;

	if (!digits(parse->text, &number)) {
		problem = "is not a whole number";
	} else if (number < key->min || number > key->max) {
		problem = "is out of range";
	}
	if (problem != NULL) {
		qy_config__fault(parse->fault, problem, "give a whole number from %lld to %lld",
				 (long long)key->min, (long long)key->max);
		return false;
	}
	snprintf(parse->out, QY_CONFIG_VALUE_MAX + 1, "%lld", (long long)number);
	*parse->number = number;
	return true;
}

static bool parse_bool(struct parse *parse)
{
	*parse->number = strcmp(parse->text, "true") == 0;
	if (*parse->number == 0 && strcmp(parse->text, "false") != 0) {
		qy_config__fault(parse->fault, "is neither true nor false", "use true or false");
		return false;
	}
	return true;
}

static bool parse_enum(struct parse *parse)
{
	if (!is_choice(parse->key->choices, parse->text, strlen(parse->text))) {
		choices_fault(parse, "is not one of the choices");
		return false;
	}
	return true;
}

static bool parse_levels(struct parse *parse)
{
	const char *rest = parse->text;
	char name[QRT_LOG_NAME_MAX + 1];
	bool ok = qrt_log_levels_check(parse->text, NULL);

	while (ok && (rest = qrt_log_levels_next(rest, name)) != NULL) {
		ok = is_choice(parse->key->choices, name, strlen(name));
	}
	if (!ok) {
		qy_config__fault(parse->fault, "is not a level, or a list such as info,db=debug",
				 "give trace, debug, info, warn, error or off, then others for"
				 " any of %s",
				 parse->key->choices);
	}
	return ok;
}

static bool parse_web_url(struct parse *parse)
{
	const char *problem = qy_config__web_url_problem(parse->text);

	if (problem != NULL) {
		qy_config__fault(parse->fault, problem, "give a URL such as https://host/path");
		return false;
	}
	return parse_string(parse);
}

static bool parse_tls_url(struct parse *parse)
{
	if (!parse_web_url(parse)) {
		return false;
	}
	if (!qy_config__web_url_is_safe(parse->text)) {
		qy_config__fault(parse->fault, "is plain http to another machine",
				 "use https://, or a loopback host for tests");
		return false;
	}
	return true;
}

static bool parse_db_url(struct parse *parse)
{
	const char *text = parse->text;

	if (strcmp(text, ":memory:") == 0 || strcmp(text, "sqlite::memory:") == 0) {
		return true;
	}
	if (strncmp(text, "sqlite://", 9) != 0 || text[9] == '\0') {
		qy_config__fault(parse->fault, "is not a database URL",
				 "use sqlite://PATH, sqlite::memory: or :memory:");
		return false;
	}
	return true;
}

static bool parse_address(struct parse *parse)
{
	if (!qy_config__address_ok(parse->text)) {
		qy_config__fault(parse->fault, "is not a numeric IP address",
				 "give an address such as 127.0.0.1 or ::1");
		return false;
	}
	return true;
}

static bool parse_address_list(struct parse *parse)
{
	struct qy_networks networks;
	const char *p = parse->text;
	size_t n_out = 0;
	bool ok = true;

	/* Rewrites "a , b" as "a,b"; the result is never longer than the text. */
	while (ok) {
		char one[QY_CONFIG_NAME_MAX];
		size_t len;

		p += strspn(p, " \t");
		len = strcspn(p, ", \t");
		ok = len > 0 && len < sizeof(one);
		if (ok) {
			memcpy(one, p, len);
			one[len] = '\0';
			memcpy(parse->out + n_out, one, len);
			n_out += len;
			p += len + strspn(p + len, " \t");
			ok = *p == ',' || *p == '\0';
		}
		if (!ok || *p == '\0') {
			break;
		}
		parse->out[n_out++] = *p++;
	}
	parse->out[n_out] = '\0';
	ok = ok && qy_networks_parse(parse->out, &networks);
	if (!ok) {
		qy_config__fault(parse->fault, "is not a list of numeric IP addresses or networks",
				 "give up to %d separated by commas, such as 10.0.0.0/8, ::1",
				 QY_NETWORKS_MAX);
	}
	return ok;
}

static bool parse_hex(struct parse *parse)
{
	size_t len = strlen(parse->text);

	if (len != (size_t)parse->key->max ||
	    strspn(parse->text, "0123456789abcdefABCDEF") != len) {
		qy_config__fault(parse->fault, "is not a key in hexadecimal",
				 "give exactly %lld hexadecimal digits",
				 (long long)parse->key->max);
		return false;
	}
	return true;
}

static bool parse_color(struct parse *parse)
{
	if (parse->text[0] != '#' || strlen(parse->text) != 7 ||
	    strspn(parse->text + 1, "0123456789abcdefABCDEF") != 6) {
		qy_config__fault(parse->fault, "is not a colour",
				 "give # and six hexadecimal digits, such as #2563eb");
		return false;
	}
	return true;
}

/* The normal form is the bare name, as a share of 100 % is the only one there is for now. */
static bool parse_backend(struct parse *parse)
{
	size_t len = strcspn(parse->text, ":");
	int64_t percent = 100;

	if (!is_choice(parse->key->choices, parse->text, len)) {
		choices_fault(parse, "does not name a backend");
		return false;
	}
	if (parse->text[len] == ':' &&
	    (!digits(parse->text + len + 1, &percent) || percent > 100)) {
		qy_config__fault(parse->fault,
				 "has a percentage that is not a number from 0 to 100",
				 "write the backend's name alone");
		return false;
	}
	if (percent < 100) {
		qy_config__fault(parse->fault, "canary percentages are not available yet",
				 "write the backend's name alone");
		return false;
	}
	parse->out[len] = '\0';
	return true;
}

static type_parse_fn *const types[QY_CONFIG_N_TYPES] = {
    [QY_CONFIG_STRING] = parse_string,	 [QY_CONFIG_TOKEN] = parse_token,
    [QY_CONFIG_INT] = parse_int,	 [QY_CONFIG_BOOL] = parse_bool,
    [QY_CONFIG_ENUM] = parse_enum,	 [QY_CONFIG_WEB_URL] = parse_web_url,
    [QY_CONFIG_TLS_URL] = parse_tls_url, [QY_CONFIG_DB_URL] = parse_db_url,
    [QY_CONFIG_ADDRESS] = parse_address, [QY_CONFIG_ADDRESS_LIST] = parse_address_list,
    [QY_CONFIG_HEX] = parse_hex,	 [QY_CONFIG_COLOR] = parse_color,
    [QY_CONFIG_LEVELS] = parse_levels,	 [QY_CONFIG_BACKEND] = parse_backend,
};

bool qy_config__value_parse(const struct qy_config_key *key, const char *text, char *ret_text,
			    int64_t *ret_number, struct qy_config_fault *ret_fault)
{
	int64_t number = 0;
	struct parse parse = {
	    .key = key, .text = text, .out = ret_text, .number = &number, .fault = ret_fault};

	if (!text_is_clean(&parse)) {
		return false;
	}
	memcpy(ret_text, text, strlen(text) + 1);
	if (text[0] == '\0') {
		if (key->initial[0] != '\0') {
			qy_config__fault(ret_fault, "is empty",
					 "give a value, or remove it to use the default");
			return false;
		}
	} else if (!types[key->type](&parse)) {
		return false;
	}
	*ret_number = number;
	return true;
}

/*
 * Five characters of a short secret would be most of it, so a secret of fewer than ten bytes
 * shows none. Characters, not bytes: a cut UTF-8 sequence would spoil the terminal.
 */
void qy_config__mask(const char *text, char *ret_text, size_t size)
{
	size_t n = 0;

	if (strlen(text) >= 10) {
		for (int i = 0; i < 5 && text[n] != '\0'; i++) {
			n += utf8_len((const unsigned char *)text + n);
		}
	}
	snprintf(ret_text, size, "%.*s%s", (int)n, text, text[0] == '\0' ? "" : "***");
}
