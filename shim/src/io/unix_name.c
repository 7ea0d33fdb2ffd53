/* Names of Unix sockets. Never looks at a file system. */
#include "shim/src/io/unix_name.h"

#include <stdio.h>

enum qrt_err qrt__unix_name_parse(const char *address, struct qrt__unix_name *ret_name,
				  char *ret_detail)
{
	const char *text = address + 5;
	bool abstract = *text == '@';
	text += abstract;
	size_t n = strlen(text);
	if (n > QRT__UNIX_NAME_MAX) {
		snprintf(ret_detail, QRT_DETAIL, "a name of %zu bytes, at most %d are possible", n,
			 QRT__UNIX_NAME_MAX);
		return QRT_EINVAL;
	}
	if (n < 1 || (!abstract && *text != '/')) {
		snprintf(ret_detail, QRT_DETAIL, "neither unix:/path nor unix:@name");
		return QRT_EINVAL;
	}
	memset(ret_name, 0, sizeof(*ret_name));
	ret_name->abstract = abstract;
	ret_name->n = n;
	memcpy(ret_name->text, text, n);
	return QRT_OK;
}
