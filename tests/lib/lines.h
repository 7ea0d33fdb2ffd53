/* A log into memory, of all runtimes and threads of a test, at level debug. One at a time. */
#ifndef QRT_TESTS_LIB_LINES_H
#define QRT_TESTS_LIB_LINES_H

#include <qrt/log.h>

extern struct qrt_log *lines_log; /* between begin and end */

void lines_begin(void);
/* The text stays until the next begin. */
void lines_end(void);
const char *lines_text(void);
/* A line of component "test", without fields. */
#define SAY(cx, message) qrt_log(lines_log, (cx), QRT_LOG_INFO, "test", (message))
/* Whether exactly one line of that component says @message, with @rest, and no more, after it. */
bool lines_say(const char *message, const char *rest);

#endif
