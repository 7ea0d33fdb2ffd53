/* Names of Unix sockets, "unix:/path" and "unix:@name", which stand where addresses do. */
#ifndef QRT_UNIX_NAME_H
#define QRT_UNIX_NAME_H

#include <qrt/err.h>

#include <string.h>

enum { QRT__UNIX_NAME_MAX = 107 };

struct qrt__unix_name {
	bool abstract;			   /* has no file */
	size_t n;			   /* bytes of the text, without a NUL; 0: no name */
	char text[QRT__UNIX_NAME_MAX + 1]; /* the path, or what follows the @ */
};

static inline bool qrt__is_unix(const char *address)
{
	return strncmp(address, "unix:", 5) == 0;
}

/* Of an address that is one. Errors: EINVAL; what is wrong goes to @ret_detail (QRT_DETAIL). */
enum qrt_err qrt__unix_name_parse(const char *address, struct qrt__unix_name *ret_name,
				  char *ret_detail);

static inline bool qrt__unix_name_same(const struct qrt__unix_name *a,
				       const struct qrt__unix_name *b)
{
	return a->n == b->n && a->abstract == b->abstract && memcmp(a->text, b->text, a->n) == 0;
}

#endif
