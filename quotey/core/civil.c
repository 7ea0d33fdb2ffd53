/*
 * Calendar arithmetic and the texts of dates and time stamps.
 *
 * Must never ask for the time and never use the C library's calendar, which reads the environment.
 */
#include "quotey/core/civil.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define MS_PER_DAY INT64_C(86400000)
#define DAYS_PER_400_YEARS 146097
/* Days from 0000-03-01 to 1970-01-01. */
#define EPOCH_FROM_MARCH_0000 719468
/* 0001-01-01 and 9999-12-31 in days since 1970-01-01. */
#define FIRST_DAY (-719162)
#define LAST_DAY 2932896

struct civil_date {
	int year;
	int month;
	int day;
};

/*
 * Years are counted from March here, so that the leap day is the last day of its year and months
 * have the regular lengths that (153 m + 2) / 5 sums up.
 */
static int64_t days_of(const struct civil_date *date)
{
	int year = date->month > 2 ? date->year : date->year - 1;
	int month = date->month > 2 ? date->month - 3 : date->month + 9;
	int64_t days = (int64_t)year * 365 + year / 4 - year / 100 + year / 400;

	return days + (153 * month + 2) / 5 + date->day - 1 - EPOCH_FROM_MARCH_0000;
}

static bool civil_of(int64_t days, struct civil_date *ret_date)
{
	int64_t shifted, era_day, year, day_of_year, month;

	if (days < FIRST_DAY || days > LAST_DAY) {
		return false;
	}
	shifted = days + EPOCH_FROM_MARCH_0000;
	era_day = shifted % DAYS_PER_400_YEARS;
	year = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) / 365;
	day_of_year = era_day - (365 * year + year / 4 - year / 100);
	month = (5 * day_of_year + 2) / 153;
	ret_date->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
	ret_date->month = (int)(month < 10 ? month + 3 : month - 9);
	ret_date->year = (int)(year + shifted / DAYS_PER_400_YEARS * 400);
	ret_date->year += ret_date->month <= 2;
	return true;
}

/* Rounds towards the past, so that times before 1970 get the right day. */
static int64_t day_of_ms(int64_t unix_ms)
{
	int64_t days = unix_ms / MS_PER_DAY;

	return unix_ms % MS_PER_DAY < 0 ? days - 1 : days;
}

/*
 * Reads fixed-width numbers: in the pattern, each letter stands for a digit of the number with that
 * index ('a' is 0), any other character for itself.
 */
static bool read_pattern(const char *text, const char *pattern, int *numbers, unsigned count)
{
	unsigned index;

	if (text == NULL || strlen(text) != strlen(pattern)) {
		return false;
	}
	memset(numbers, 0, count * sizeof(*numbers));
	for (; *pattern != '\0'; pattern++, text++) {
		if (*pattern < 'a' || *pattern > 'z') {
			if (*text != *pattern) {
				return false;
			}
			continue;
		}
		index = (unsigned)(*pattern - 'a');
		if (index >= count || *text < '0' || *text > '9') {
			return false;
		}
		numbers[index] = numbers[index] * 10 + (*text - '0');
	}
	return true;
}

/* A date is valid when it survives the way to a day number and back. */
static bool checked_days(const int numbers[3], int64_t *ret_days)
{
	struct civil_date date = {numbers[0], numbers[1], numbers[2]}, back;
	int64_t days;

	if (date.year < 1 || date.month < 1 || date.month > 12) {
		return false;
	}
	days = days_of(&date);
	if (!civil_of(days, &back) || back.month != date.month || back.day != date.day) {
		return false;
	}
	*ret_days = days;
	return true;
}

enum qy_code qy_timestamp_format(int64_t unix_ms, char ret_text[QY_TIMESTAMP_SIZE])
{
	char text[64];
	struct civil_date date;
	int64_t days = day_of_ms(unix_ms);
	int ms;

	if (!civil_of(days, &date)) {
		return QY_INVALID_FIELD;
	}
	ms = (int)(unix_ms - days * MS_PER_DAY);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", date.year, date.month,
		 date.day, ms / 3600000, ms / 60000 % 60, ms / 1000 % 60, ms % 1000);
	memcpy(ret_text, text, QY_TIMESTAMP_LEN);
	ret_text[QY_TIMESTAMP_LEN] = '\0';
	return QY_OK;
}

enum qy_code qy_timestamp_parse(const char *text, int64_t *ret_unix_ms)
{
	int numbers[7];
	int64_t days;

	if (!read_pattern(text, "aaaa-bb-ccTdd:ee:ff.gggZ", numbers, 7) ||
	    !checked_days(numbers, &days)) {
		return QY_INVALID_FIELD;
	}
	if (numbers[3] > 23 || numbers[4] > 59 || numbers[5] > 59) {
		return QY_INVALID_FIELD;
	}
	*ret_unix_ms = days * MS_PER_DAY + numbers[3] * INT64_C(3600000) + numbers[4] * 60000 +
		       numbers[5] * 1000 + numbers[6];
	return QY_OK;
}

enum qy_code qy_date_format(int64_t days, char ret_text[QY_DATE_SIZE])
{
	char text[48];
	struct civil_date date;

	if (!civil_of(days, &date)) {
		return QY_INVALID_FIELD;
	}
	snprintf(text, sizeof(text), "%04d-%02d-%02d", date.year, date.month, date.day);
	memcpy(ret_text, text, QY_DATE_LEN);
	ret_text[QY_DATE_LEN] = '\0';
	return QY_OK;
}

enum qy_code qy_date_parse(const char *text, int64_t *ret_days)
{
	int numbers[3];

	if (!read_pattern(text, "aaaa-bb-cc", numbers, 3) || !checked_days(numbers, ret_days)) {
		return QY_INVALID_FIELD;
	}
	return QY_OK;
}

enum qy_code qy_date_after(int64_t unix_ms, int days, char ret_text[QY_DATE_SIZE])
{
	return qy_date_format(day_of_ms(unix_ms) + days, ret_text);
}

enum qy_code qy_date_add(const char *date, int days, char ret_text[QY_DATE_SIZE])
{
	enum qy_code code;
	int64_t from;

	code = qy_date_parse(date, &from);
	if (code != QY_OK) {
		return code;
	}
	return qy_date_format(from + days, ret_text);
}

enum qy_code qy_valid_until(int64_t created_ms, char ret_text[QY_DATE_SIZE])
{
	return qy_date_after(created_ms, QY_VALIDITY_DAYS, ret_text);
}

enum qy_code qy_year_of(int64_t unix_ms, int *ret_year)
{
	struct civil_date date;

	if (!civil_of(day_of_ms(unix_ms), &date)) {
		return QY_INVALID_FIELD;
	}
	*ret_year = date.year;
	return QY_OK;
}
