/* Escapes. */
#include "shim/src/text.h"

#include <stdio.h>

size_t qrt__json_escape(char c, char ret_text[QRT__JSON_ESCAPE_MAX])
{
	unsigned char byte = (unsigned char)c;
	if (byte < 0x20 || byte > 0x7e) {
		return (size_t)snprintf(ret_text, QRT__JSON_ESCAPE_MAX, "\\u%04x", byte);
	}
	size_t n = 0;
	if (c == '"' || c == '\\') {
		ret_text[n++] = '\\';
	}
	ret_text[n++] = c;
	ret_text[n] = '\0';
	return n;
}
