/* What URLs and forms escape. */
#include <qrt/http.h>

static int hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	if (c >= 'a' && c <= 'f') {
		return c - 'a' + 10;
	}
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum qrt_err qrt_http_decode(const char *text, size_t n, bool plus_is_space, char *ret_text,
			     size_t size)
{
	size_t to = 0;

	for (size_t from = 0; from < n; from++, to++) {
		char c = text[from];

		if (c == '%') {
			int high = n - from > 2 ? hex_value(text[from + 1]) : -1;
			int low = high >= 0 ? hex_value(text[from + 2]) : -1;

			if (low < 0) {
				return QRT_EINVAL;
			}
			c = (char)(high * 16 + low);
			from += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c == '\0') {
			return QRT_EINVAL; /* it would cut the text short */
		}
		if (to + 1 >= size) {
			return QRT_ELIMIT;
		}
		ret_text[to] = c;
	}
	if (to >= size) {
		return QRT_ELIMIT;
	}
	ret_text[to] = '\0';
	return QRT_OK;
}
