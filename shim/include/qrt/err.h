/*
 * The one error type. 0 is success; timed out, cancelled and failed are three
 * different things. The detail of an error (native code, short text) lives in
 * the cx of the task that met it.
 */
#ifndef QRT_ERR_H
#define QRT_ERR_H

#include <qrt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* name, text: makes the enum, the texts and the test that checks them. */
#define QRT_ERRORS(X)                                                                              \
	X(QRT_OK, "success")                                                                       \
	X(QRT_ECANCELED, "cancelled")                                                              \
	X(QRT_ETIMEDOUT, "deadline passed")                                                        \
	X(QRT_ECLOSED, "closed")                                                                   \
	X(QRT_EEOF, "end of stream")                                                               \
	X(QRT_EAGAIN, "would have to wait")                                                        \
	X(QRT_EBUSY, "busy")                                                                       \
	X(QRT_ENOMEM, "out of memory")                                                             \
	X(QRT_ELIMIT, "limit reached")                                                             \
	X(QRT_EINVAL, "invalid argument")                                                          \
	X(QRT_ESTATE, "not allowed in this state")                                                 \
	X(QRT_ENOENT, "not found")                                                                 \
	X(QRT_EEXIST, "exists already")                                                            \
	X(QRT_ECONFLICT, "conflict")                                                               \
	X(QRT_ENOTCAPABLE, "capability missing")                                                   \
	X(QRT_ENOTSUP, "not supported")                                                            \
	X(QRT_EACCES, "permission denied")                                                         \
	X(QRT_EADDRINUSE, "address in use")                                                        \
	X(QRT_ECONNREFUSED, "connection refused")                                                  \
	X(QRT_ECONNRESET, "connection reset")                                                      \
	X(QRT_EMFILE, "out of file descriptors")                                                   \
	X(QRT_EPROTO, "peer broke the protocol")                                                   \
	X(QRT_EIO, "input/output error")                                                           \
	X(QRT_ECORRUPT, "data is damaged")                                                         \
	X(QRT_ECOMMITUNKNOWN, "the outcome of the commit is not known")                            \
	X(QRT_EPANIC, "task panicked")                                                             \
	X(QRT_ESTALE, "stale handle")                                                              \
	X(QRT_ENOTOWNER, "not the owner's to do")                                                  \
	X(QRT_EDEADLOCK, "would wait for itself")                                                  \
	X(QRT_ENOSUSPEND, "may not wait here")                                                     \
	X(QRT_ETHREAD, "called on a foreign thread")                                               \
	X(QRT_EOWNERDEAD, "its holder died with it")                                               \
	X(QRT_ELEAK, "obligation leaked")                                                          \
	X(QRT_EFAILED, "failed")                                                                   \
	X(QRT_EPEER, "the peer has fallen silent")                                                 \
	X(QRT_ENOSPC, "no space left")

enum qrt_err {
#define QRT__ERR_ENUM(name, text) name,
	QRT_ERRORS(QRT__ERR_ENUM)
#undef QRT__ERR_ENUM
	    QRT__ERR_COUNT
};

/* Bytes of a detail, with its NUL: the room behind a ret_detail. */
#define QRT_DETAIL 256

/* "QRT_EIO"; "QRT_E?" for a value that is none. Never NULL, static. */
QRT_API const char *qrt_err_name(enum qrt_err err);
/* "input/output error". Never NULL, static. */
QRT_API const char *qrt_err_text(enum qrt_err err);

#ifdef __cplusplus
}
#endif
#endif
