/*
 * Unknown names, answered with the nearest known one. It must never quote a name that may be a
 * secret: who writes "token = key" the wrong way round puts the token where a name belongs.
 */
#include "quotey/cli/config_internal.h"

#include <string.h>

#include "quotey/core/text.h"

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.";
static const char doubtful[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-0123456789";

/*
 * A name may be quoted if it looks like a name. Digits and '-' are in nearly every token and in no
 * key, so they are let through only where the whole is close to a known name.
 */
static const char *quotable(const char *name, size_t distance)
{
	size_t len = strnlen(name, QY_CONFIG_NAME_MAX + 1);
	bool plain = strspn(name, letters) == len;
	bool near = distance * 3 <= len && strspn(name, doubtful) == len;

	return len > 0 && len <= QY_CONFIG_NAME_MAX && (plain || near) ? name : "(unreadable name)";
}

void qy_config__unknown_key(struct qy_config_load *load, const char *name, const char *where)
{
	struct qy_config_fault fault;
	const char *nearest = "";
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < qy_config_key_count() && !qy_config__errors_full(load); i++) {
		size_t distance = qy_text_distance(name, qy_config_key_name(i));

		if (distance < best) {
			best = distance;
			nearest = qy_config_key_name(i);
		}
	}
	qy_config__fault(&fault, "is not a known key",
			 "the nearest known key is %s; correct the name or remove it", nearest);
	qy_config__error(load, quotable(name, best), where, &fault);
}

void qy_config__unknown_section(struct qy_config_load *load, const char *name, const char *where)
{
	struct qy_config_fault fault;
	char section[QY_CONFIG_NAME_MAX + 1];
	char nearest[QY_CONFIG_NAME_MAX + 1] = "";
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < qy_config_key_count() && !qy_config__errors_full(load); i++) {
		const char *key = qy_config_key_name(i);
		size_t distance;

		snprintf(section, sizeof(section), "%.*s", (int)qy_config__section_len(key), key);
		distance = qy_text_distance(name, section);
		if (distance < best) {
			best = distance;
			memcpy(nearest, section, sizeof(nearest));
		}
	}
	qy_config__fault(&fault, "is not a known section",
			 "the nearest known section is %s; correct the name or remove it", nearest);
	qy_config__error(load, quotable(name, best), where, &fault);
}

void qy_config__unknown_variable(struct qy_config_load *load, const char *name)
{
	struct qy_config_fault fault;
	char variable[QY_CONFIG_NAME_MAX + 1];
	char nearest[QY_CONFIG_NAME_MAX + 1] = "";
	size_t best = SIZE_MAX;
	const char *shown;

	for (size_t i = 0; i < qy_config_key_count() && !qy_config__errors_full(load); i++) {
		size_t distance;

		qy_config__variable_name(i, variable);
		distance = qy_text_distance(name, variable);
		if (distance < best) {
			best = distance;
			memcpy(nearest, variable, sizeof(nearest));
		}
	}
	/* Somebody chose this name for a variable, so digits in it do not make it a secret. */
	shown = quotable(name, 0);
	qy_config__fault(&fault, "is not a known variable",
			 "the nearest known variable is %s; correct the name or unset it", nearest);
	qy_config__error(load, shown, shown, &fault);
}
