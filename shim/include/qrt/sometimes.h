/*
 * Marks in the code of a program: places that its tests should sometimes
 * reach. A campaign tells which of them none of its runs has reached: what was
 * not reached was not tested. In production a mark costs a load and a branch.
 */
#ifndef QRT_SOMETIMES_H
#define QRT_SOMETIMES_H

#include <qrt/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_mark {
	const char *name, *site;
	bool reached; /* read and written as one, relaxed */
};

#if defined(__clang__)
#define QRT__MARK_ENTRY __attribute__((section("qrt_marks"), used, no_sanitize("address")))
#else
#define QRT__MARK_ENTRY __attribute__((section("qrt_marks"), used))
#endif

/* @text: what has happened here, a literal: QRT_SOMETIMES("a quote was priced twice at once"). */
#define QRT_SOMETIMES(text)                                                                        \
	do {                                                                                       \
		static struct qrt_mark qrt__mark = {text, QRT_SITE, false};                        \
		static struct qrt_mark *const qrt__mark_entry QRT__MARK_ENTRY = &qrt__mark;        \
		if (!__atomic_load_n(&qrt__mark.reached, __ATOMIC_RELAXED)) {                      \
			__atomic_store_n(&qrt__mark.reached, true, __ATOMIC_RELAXED);              \
		}                                                                                  \
		(void)qrt__mark_entry;                                                             \
	} while (0)

/* The marks of the program or library this is compiled into. */
extern struct qrt_mark *const __start_qrt_marks[] __attribute__((weak, visibility("hidden")));
extern struct qrt_mark *const __stop_qrt_marks[] __attribute__((weak, visibility("hidden")));

struct qrt_marks {
	struct qrt_mark *const *first, *const *end; /* NULL, NULL: none */
};
#define QRT_MARKS ((struct qrt_marks){__start_qrt_marks, __stop_qrt_marks})

#ifdef __cplusplus
}
#endif
#endif
