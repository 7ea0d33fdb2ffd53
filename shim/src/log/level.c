/* Levels by component: "info,db=debug". Pure. */
#include <stdio.h>
#include <string.h>

#include "shim/src/log/internal.h"

#define PROBLEM_SIZE 128

static const char *const names[QRT__LOG_LEVELS] = {
#define LEVEL_NAME(name, text) text,
    QRT_LOG_LEVELS(LEVEL_NAME)
#undef LEVEL_NAME
};

const char *qrt_log_level_name(enum qrt_log_level level)
{
	QRT_PRE(level < QRT__LOG_LEVELS);
	return names[level];
}

static bool level_of(const char *text, size_t n, enum qrt_log_level *ret_level)
{
	for (size_t i = 0; i < QRT__LOG_LEVELS; i++) {
		if (strlen(names[i]) == n && memcmp(names[i], text, n) == 0) {
			*ret_level = (enum qrt_log_level)i;
			return true;
		}
	}
	return false;
}

static bool refuse(char *ret_problem, const char *what, const char *text, size_t n)
{
	if (ret_problem != NULL) {
		snprintf(ret_problem, PROBLEM_SIZE, "\"%.*s\" %s", (int)(n < 40 ? n : 40), text,
			 what);
	}
	return false;
}

static bool is_name(const char *text, size_t n)
{
	size_t valid = strspn(text, "abcdefghijklmnopqrstuvwxyz_");

	return n > 0 && n <= QRT_LOG_NAME_MAX && valid >= n;
}

/* One part between commas. */
static bool take_part(const char *part, size_t n, bool first, struct qrt__log_levels *levels,
		      char *ret_problem)
{
	const char *equals = memchr(part, '=', n);
	size_t name_len = equals != NULL ? (size_t)(equals - part) : 0;
	enum qrt_log_level level;

	if (!level_of(part + (equals ? name_len + 1 : 0), n - (equals ? name_len + 1 : 0),
		      &level)) {
		return refuse(ret_problem, "has no level: trace, debug, info, warn, error or off",
			      part, n);
	}
	if (equals == NULL) {
		levels->common = level;
		return first || refuse(ret_problem, "must come first: it is for all", part, n);
	}
	if (!is_name(part, name_len)) {
		return refuse(ret_problem, "begins with no name of a component", part, n);
	}
	if (levels->n == QRT__LOG_COMPONENTS_MAX) {
		return refuse(ret_problem, "is one component too many", part, n);
	}
	memcpy(levels->own[levels->n].name, part, name_len);
	levels->own[levels->n++].level = level;
	return true;
}

bool qrt__log_levels_parse(const char *text, struct qrt__log_levels *ret_levels, char *ret_problem)
{
	struct qrt__log_levels levels = {.common = QRT_LOG_INFO};
	bool first = true;

	for (;;) {
		const char *part = text + strspn(text, " ");
		size_t n = strcspn(part, ",");
		size_t trimmed = n;

		while (trimmed > 0 && part[trimmed - 1] == ' ') {
			trimmed--;
		}
		if (!take_part(part, trimmed, first, &levels, ret_problem)) {
			return false;
		}
		if (part[n] == '\0') {
			break;
		}
		text = part + n + 1;
		first = false;
	}
	levels.lowest = levels.common;
	for (size_t i = 0; i < levels.n; i++) {
		if (levels.own[i].level < levels.lowest) {
			levels.lowest = levels.own[i].level;
		}
	}
	*ret_levels = levels;
	return true;
}

bool qrt__log_levels_want(const struct qrt__log_levels *levels, enum qrt_log_level level,
			  const char *component)
{
	if (level < levels->lowest) {
		return false;
	}
	for (size_t i = levels->n; i-- > 0;) {
		if (strcmp(levels->own[i].name, component) == 0) {
			return level >= levels->own[i].level;
		}
	}
	return level >= levels->common;
}

bool qrt_log_levels_check(const char *levels, char *ret_problem)
{
	struct qrt__log_levels ignored;

	return qrt__log_levels_parse(levels, &ignored, ret_problem);
}

const char *qrt_log_levels_next(const char *levels, char ret_name[QRT_LOG_NAME_MAX + 1])
{
	while (*levels != '\0') {
		const char *part = levels + strspn(levels, " ,");
		size_t n = strcspn(part, ",=");
		const char *rest = part + strcspn(part, ",");

		if (part[n] == '=' && n <= QRT_LOG_NAME_MAX) {
			memcpy(ret_name, part, n);
			ret_name[n] = '\0';
			return rest;
		}
		levels = rest;
	}
	return NULL;
}
