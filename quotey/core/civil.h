/*
 * Civil time as text: UTC time stamps, dates and date arithmetic (proleptic Gregorian).
 *
 * There is no clock in core: the time is always an argument, in milliseconds since 1970. Years
 * 0001 to 9999 are supported, so that every text has its fixed length and text order is time order.
 */
#ifndef QY_CORE_CIVIL_H
#define QY_CORE_CIVIL_H

#include <stdint.h>

#include "quotey/core/code.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QY_TIMESTAMP_LEN 24
#define QY_TIMESTAMP_SIZE (QY_TIMESTAMP_LEN + 1)
#define QY_DATE_LEN 10
#define QY_DATE_SIZE (QY_DATE_LEN + 1)
#define QY_VALIDITY_DAYS 30

/* "YYYY-MM-DDTHH:MM:SS.mmmZ". Error: INVALID_FIELD for a year outside 1..9999. */
enum qy_code qy_timestamp_format(int64_t unix_ms, char ret_text[QY_TIMESTAMP_SIZE]) QY_MUST_USE;

/* The reverse; takes that one form only. Error: INVALID_FIELD. */
enum qy_code qy_timestamp_parse(const char *text, int64_t *ret_unix_ms) QY_MUST_USE;

/* "YYYY-MM-DD" from and to days since 1970-01-01. Error: INVALID_FIELD. */
enum qy_code qy_date_format(int64_t days, char ret_text[QY_DATE_SIZE]) QY_MUST_USE;
enum qy_code qy_date_parse(const char *text, int64_t *ret_days) QY_MUST_USE;

/* The UTC date of a point in time plus a number of days. Error: INVALID_FIELD. */
enum qy_code qy_date_after(int64_t unix_ms, int days, char ret_text[QY_DATE_SIZE]) QY_MUST_USE;

/* The date a number of days (may be negative) after a date. Error: INVALID_FIELD. */
enum qy_code qy_date_add(const char *date, int days, char ret_text[QY_DATE_SIZE]) QY_MUST_USE;

/* The default valid_until of a quote created (or revised) now. Error: INVALID_FIELD. */
enum qy_code qy_valid_until(int64_t created_ms, char ret_text[QY_DATE_SIZE]) QY_MUST_USE;

/* The UTC year of a point in time, for new quote ids. Error: INVALID_FIELD. */
enum qy_code qy_year_of(int64_t unix_ms, int *ret_year) QY_MUST_USE;

#ifdef __cplusplus
}
#endif

#endif
