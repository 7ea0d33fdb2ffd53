/*
 * The quote id validator and the texts of new identifiers.
 *
 * Must never draw a number: counters and random bytes are arguments.
 */
#include "quotey/core/ident.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define ALPHANUMERIC "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define LINE_INFIX "-ql-"

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

enum qy_code qy_quote_id_normalize(const char *text, char ret_id[QY_QUOTE_ID_SIZE])
{
	size_t length, i;
	bool fold;

	if (text == NULL) {
		return QY_INVALID_ID;
	}
	length = strspn(text, ALPHANUMERIC "_-");
	if (length < QY_QUOTE_ID_MIN || length > QY_QUOTE_ID_MAX || text[length] != '\0' ||
	    text[0] == '-' || text[0] == '_') {
		return QY_INVALID_ID;
	}
	fold = upper(text[0]) == 'Q' && text[1] == '-';
	for (i = 0; i <= length; i++) {
		ret_id[i] = fold ? upper(text[i]) : text[i];
	}
	return QY_OK;
}

enum qy_code qy_quote_id_format(int year, uint64_t number, char ret_id[QY_QUOTE_ID_SIZE])
{
	if (year < 1 || year > 9999 || number == 0) {
		return QY_INVALID_ID;
	}
	snprintf(ret_id, QY_QUOTE_ID_SIZE, "Q-%04d-%04" PRIu64, year, number);
	return QY_OK;
}

enum qy_code qy_line_id_format(const char *quote_id, uint64_t number, char ret_id[QY_LINE_ID_SIZE])
{
	char checked[QY_QUOTE_ID_SIZE];
	enum qy_code code;

	code = qy_quote_id_normalize(quote_id, checked);
	if (code != QY_OK) {
		return code;
	}
	if (number == 0) {
		return QY_INVALID_ID;
	}
	snprintf(ret_id, QY_LINE_ID_SIZE, "%s" LINE_INFIX "%" PRIu64, checked, number);
	return QY_OK;
}

enum qy_code qy_line_id_number(const char *quote_id, const char *line_id, uint64_t *ret_number)
{
	size_t length;
	uint64_t number = 0;
	const char *digit;

	if (quote_id == NULL || line_id == NULL) {
		return QY_INVALID_ID;
	}
	length = strlen(quote_id);
	if (strncmp(line_id, quote_id, length) != 0 ||
	    strncmp(line_id + length, LINE_INFIX, strlen(LINE_INFIX)) != 0) {
		return QY_INVALID_ID;
	}
	digit = line_id + length + strlen(LINE_INFIX);
	if (*digit < '1' || *digit > '9') {
		return QY_INVALID_ID;
	}
	for (; *digit != '\0'; digit++) {
		if (*digit < '0' || *digit > '9' ||
		    __builtin_mul_overflow(number, (uint64_t)10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*digit - '0'), &number)) {
			return QY_INVALID_ID;
		}
	}
	*ret_number = number;
	return QY_OK;
}

enum qy_code qy_ident_format(const char *prefix, const uint8_t random[QY_IDENT_RANDOM],
			     char ret_id[QY_IDENT_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	size_t length = prefix == NULL ? 0 : strlen(prefix), i;
	char *next;

	if (length == 0 || length > QY_IDENT_PREFIX_MAX) {
		return QY_INVALID_ID;
	}
	memcpy(ret_id, prefix, length);
	next = ret_id + length;
	for (i = 0; i < QY_IDENT_RANDOM; i++) {
		*next++ = hex[random[i] >> 4];
		*next++ = hex[random[i] & 15];
	}
	*next = '\0';
	return QY_OK;
}

bool qy_correlation_valid(const char *text)
{
	size_t length;

	if (text == NULL) {
		return false;
	}
	length = strspn(text, ALPHANUMERIC "_-");
	return length >= 1 && length <= QY_CORRELATION_MAX && text[length] == '\0';
}
