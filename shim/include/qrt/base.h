/*
 * What every qrt header stands on: export and compiler attributes, and the
 * assertions. Never anything with behaviour of its own.
 */
#ifndef QRT_BASE_H
#define QRT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define QRT_API __attribute__((visibility("default")))
#define QRT_MUST_USE __attribute__((warn_unused_result))
#define QRT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define QRT_NORETURN __attribute__((noreturn))

#define QRT__STR(x) #x
#define QRT__XSTR(x) QRT__STR(x)

/* The place in the source where this stands, as a static string. */
#define QRT_SITE __FILE__ ":" QRT__XSTR(__LINE__)

/* A node of an intrusive list; here only so that callers can own the memory of one. */
struct qrt__list {
	struct qrt__list *next, *prev;
};

/* Drops a must-use result on purpose; @why is for the reader. */
#define QRT_IGNORE(call, why)                                                                      \
	do {                                                                                       \
		__auto_type qrt__ignored = (call);                                                 \
		(void)qrt__ignored;                                                                \
	} while (0)

/*
 * Assertions, on in every build. They are for what cannot happen; never for
 * memory, peers, files, configuration or time. One condition each.
 */
#define QRT_ASSERT(cond) QRT__CHECK("assertion", cond)
#define QRT_PRE(cond) QRT__CHECK("precondition", cond)
#define QRT_POST(cond) QRT__CHECK("postcondition", cond)
#define QRT_IMPOSSIBLE(why) qrt__assert_failed("impossible", why, QRT_SITE)

#define QRT__CHECK(kind, cond)                                                                     \
	do {                                                                                       \
		if (__builtin_expect(!(cond), 0)) {                                                \
			qrt__assert_failed(kind, #cond, QRT_SITE);                                 \
		}                                                                                  \
	} while (0)

/* Prints and aborts, unless a test has set a hook that does not return. */
QRT_API void qrt__assert_failed(const char *kind, const char *what, const char *site) QRT_NORETURN;

/* Called instead of abort; must not return. NULL restores abort. For tests. */
typedef void qrt_assert_hook_fn(const char *kind, const char *what, const char *site);
QRT_API void qrt_assert_hook(qrt_assert_hook_fn *hook);

#ifdef __cplusplus
}
#endif
#endif
