/* Unix sockets of the real system: see posix_unix.c. */
#ifndef QRT_BACKENDS_POSIX_UNIX_H
#define QRT_BACKENDS_POSIX_UNIX_H

#include "shim/src/io/unix_name.h"

/* Errors: EADDRINUSE, ENOENT, EACCES, EMFILE, ENOMEM; the detail goes to @ret_detail. */
enum qrt_err qrt__unix_listen(const struct qrt__unix_name *name, int *ret_fd, char *ret_detail);
/*
 * Connected, or refused, at once; EAGAIN says that it is, and how can be asked. Errors: ENOENT,
 * ECONNREFUSED, EBUSY (the listener's queue is full), EACCES, EMFILE.
 */
enum qrt_err qrt__unix_connect(const struct qrt__unix_name *name, int *ret_fd);
/* @fd is about to be closed: if it is what qrt__unix_listen gave, its file goes. */
void qrt__unix_closing(int fd);

#endif
