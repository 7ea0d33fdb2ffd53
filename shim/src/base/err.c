/* Names and texts of enum qrt_err, and the one conversion of errno values. */
#include <qrt/err.h>

#include <errno.h>

#include "shim/src/internal.h"

struct err_text {
	const char *name, *text;
};

static const struct err_text err_texts[] = {
#define ERR_TEXT(name, text) [name] = {#name, text},
    QRT_ERRORS(ERR_TEXT)
#undef ERR_TEXT
};

const char *qrt_err_name(enum qrt_err err)
{
	return (unsigned)err < QRT__ERR_COUNT ? err_texts[err].name : "QRT_E?";
}

const char *qrt_err_text(enum qrt_err err)
{
	return (unsigned)err < QRT__ERR_COUNT ? err_texts[err].text : "unknown error";
}

enum qrt_err qrt__err_from_errno(int error)
{
	switch (error) {
	case 0:
		return QRT_OK;
	case EAGAIN:
#if EWOULDBLOCK != EAGAIN
	case EWOULDBLOCK:
#endif
	case EINPROGRESS:
		return QRT_EAGAIN;
	case ENOMEM:
	case ENOBUFS:
		return QRT_ENOMEM;
	case EMFILE:
	case ENFILE:
		return QRT_EMFILE;
	case EACCES:
	case EPERM:
	case EROFS:
		return QRT_EACCES;
	case ENOENT:
		return QRT_ENOENT;
	case ENOSPC:
	case EDQUOT:
		return QRT_ENOSPC;
	case EEXIST:
		return QRT_EEXIST;
	case EADDRINUSE:
		return QRT_EADDRINUSE;
	case ECONNREFUSED:
		return QRT_ECONNREFUSED;
	case ECONNRESET:
	case ECONNABORTED:
	case EPIPE:
	case ENOTCONN:
		return QRT_ECONNRESET;
	case ETIMEDOUT:
		return QRT_ETIMEDOUT;
	case EINVAL:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case EBADF:
		return QRT_EINVAL;
	default:
		return QRT_EIO;
	}
}
