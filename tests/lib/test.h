/*
 * The one place that includes cmocka, because cmocka.h needs these four headers before it.
 *
 * Must never grow helpers: those have headers of their own.
 */
#ifndef QRT_TESTS_LIB_TEST_H
#define QRT_TESTS_LIB_TEST_H

/* clang-format off: the order matters. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */

#endif
