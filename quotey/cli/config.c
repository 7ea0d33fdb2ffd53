/*
 * Loads the configuration from its four sources in order, and answers for its values.
 * It must never hand out a configuration that any source had an error in.
 */
#include "quotey/cli/config.h"

#include <stdlib.h>
#include <string.h>

#include "quotey/cli/config_internal.h"

#define CONFIG_MAGIC 0x51c0f19u

static const char spaces[] = " \t\r\n\v\f";

static void value_fini(struct qy_config_value *value)
{
	if (value->text != NULL) {
		explicit_bzero(value->text, strlen(value->text));
	}
	free(value->text);
	free(value->source);
	free(value->shown);
	memset(value, 0, sizeof(*value));
}

/* Takes over nothing; on failure the value keeps what it had. */
static bool value_set(struct qy_config_value *value, const struct qy_config_key *key,
		      const char *text, int64_t number, const char *source)
{
	char masked[64];
	struct qy_config_value fresh = {.number = number};

	qy_config__mask(text, masked, sizeof(masked));
	fresh.text = strdup(text);
	fresh.source = strdup(source);
	fresh.shown = strdup(key->secret ? masked : text);
	if (fresh.text == NULL || fresh.source == NULL || fresh.shown == NULL) {
		value_fini(&fresh);
		return false;
	}
	value_fini(value);
	*value = fresh;
	return true;
}

bool qy_config__put(struct qy_config_load *load, size_t index, const char *raw, const char *where)
{
	const struct qy_config_key *key = qy_config__key(index);
	struct qy_config_fault fault;
	char trimmed[QY_CONFIG_VALUE_MAX + 1];
	char text[QY_CONFIG_VALUE_MAX + 1];
	int64_t number = 0;
	size_t len;
	bool ok = false;

	raw += strspn(raw, spaces);
	len = strlen(raw);
	while (len > 0 && strchr(spaces, raw[len - 1]) != NULL) {
		len--;
	}
	if (len > QY_CONFIG_VALUE_MAX) {
		qy_config__fault(&fault, "is too long", "give at most %d bytes",
				 QY_CONFIG_VALUE_MAX);
		load->bad[index] = true;
		qy_config__error(load, key->name, where, &fault);
		return false;
	}
	memcpy(trimmed, raw, len);
	trimmed[len] = '\0';
	if (!qy_config__value_parse(key, trimmed, text, &number, &fault)) {
		load->bad[index] = true;
		qy_config__error(load, key->name, where, &fault);
	} else if (!value_set(&load->config->values[index], key, text, number, where)) {
		load->errors.out_of_memory = true;
	} else {
		ok = true;
	}
	explicit_bzero(trimmed, sizeof(trimmed));
	explicit_bzero(text, sizeof(text));
	return ok;
}

static void load_defaults(struct qy_config_load *load)
{
	for (size_t i = 0; i < qy_config_key_count(); i++) {
		const struct qy_config_key *key = qy_config__key(i);

		if (!qy_config__put(load, i, key->initial, "default") &&
		    !load->errors.out_of_memory) {
			qy_config__impossible("the schema's own default is refused", key->name);
		}
	}
}

static void load_variable(struct qy_config_load *load, const char *entry)
{
	char name[QY_CONFIG_NAME_MAX + 2];
	const char *equals = strchr(entry, '=');
	int index;

	if (strncmp(entry, "QUOTEY_", 7) != 0 || strncmp(entry, "QUOTEY_TEST_", 12) == 0 ||
	    equals == NULL || equals[1 + strspn(equals + 1, spaces)] == '\0') {
		return;
	}
	/* A name too long to be known is cut to a length that no known name has. */
	snprintf(name, sizeof(name), "%.*s", (int)(equals - entry), entry);
	index = qy_config__find_variable(name);
	if (index < 0) {
		qy_config__unknown_variable(load, name);
	} else {
		qy_config__put(load, (size_t)index, equals + 1, name);
	}
}

static void load_set(struct qy_config_load *load, const char *set)
{
	char name[QY_CONFIG_NAME_MAX + 2];
	const char *equals = strchr(set, '=');
	struct qy_config_fault fault;
	int index;

	if (equals == NULL || memchr(set, '.', (size_t)(equals - set)) == NULL) {
		qy_config__fault(&fault, "is not section.key=value",
				 "write --set section.key=value");
		qy_config__error(load, "argument", "--set", &fault);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)(equals - set), set);
	index = qy_config__find(name);
	if (index < 0) {
		qy_config__unknown_key(load, name, "--set");
	} else {
		qy_config__put(load, (size_t)index, equals + 1, "--set");
	}
}

/* A component that names no backend runs on the common one. */
static void inherit_backend(struct qy_config_load *load)
{
	const char *common = qy_config_str(load->config, "runtime.backend");

	for (size_t i = 0; i < qy_config_key_count(); i++) {
		const struct qy_config_key *key = qy_config__key(i);
		struct qy_config_value *value = &load->config->values[i];

		if (key->type == QY_CONFIG_BACKEND && value->text[0] == '\0' &&
		    !value_set(value, key, common, 0, "runtime.backend")) {
			load->errors.out_of_memory = true;
		}
	}
}

int qy_config_load(const struct qy_config_sources *sources, struct qy_config **ret_config,
		   struct qy_config_errors *ret_errors)
{
	struct qy_config_load load = {.sources = sources};

	load.config = calloc(1, sizeof(*load.config));
	if (load.config == NULL) {
		load.errors.out_of_memory = true;
		*ret_errors = load.errors;
		return -1;
	}
	load.config->magic = CONFIG_MAGIC;
	load_defaults(&load);
	if (!load.errors.out_of_memory) {
		qy_config__file_load(&load);
		for (char **p = sources->environ; p != NULL && *p != NULL; p++) {
			load_variable(&load, *p);
		}
		for (size_t i = 0; i < sources->n_sets; i++) {
			load_set(&load, sources->sets[i]);
		}
		inherit_backend(&load);
		qy_config__check(&load);
	}
	*ret_errors = load.errors;
	if (load.errors.n > 0 || load.errors.out_of_memory) {
		qy_config_destroy(&load.config);
		return -1;
	}
	*ret_config = load.config;
	return 0;
}

void qy_config_destroy(struct qy_config **config)
{
	if (config == NULL || *config == NULL) {
		return;
	}
	if ((*config)->magic != CONFIG_MAGIC) {
		qy_config__impossible("not a configuration", "destroy");
	}
	for (size_t i = 0; i < QY_CONFIG_KEYS_MAX; i++) {
		value_fini(&(*config)->values[i]);
	}
	(*config)->magic = 0;
	free(*config);
	*config = NULL;
}

static const struct qy_config_value *value_of(const struct qy_config *config, const char *key)
{
	int index = qy_config__find(key);

	if (config == NULL || config->magic != CONFIG_MAGIC) {
		qy_config__impossible("not a configuration", key);
	}
	if (index < 0) {
		qy_config__impossible("no such key", key);
	}
	return &config->values[index];
}

static int64_t number_of(const struct qy_config *config, const char *key, enum qy_config_type type)
{
	const struct qy_config_value *value = value_of(config, key);

	if (qy_config__key((size_t)qy_config__find(key))->type != type) {
		qy_config__impossible("asked for as another type", key);
	}
	return value->number;
}

const char *qy_config_str(const struct qy_config *config, const char *key)
{
	return value_of(config, key)->text;
}

int64_t qy_config_int(const struct qy_config *config, const char *key)
{
	return number_of(config, key, QY_CONFIG_INT);
}

bool qy_config_bool(const struct qy_config *config, const char *key)
{
	return number_of(config, key, QY_CONFIG_BOOL) != 0;
}

const char *qy_config_source(const struct qy_config *config, const char *key)
{
	return value_of(config, key)->source;
}

const char *qy_config_shown(const struct qy_config *config, const char *key)
{
	return value_of(config, key)->shown;
}
