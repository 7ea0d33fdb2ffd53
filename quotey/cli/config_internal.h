/*
 * What the files of the configuration module share: the schema's shape, a value under way, and the
 * state of one load. It must never be included outside quotey/cli/config*.c.
 */
#ifndef QY_CLI_CONFIG_INTERNAL_H
#define QY_CLI_CONFIG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quotey/cli/config.h"

enum qy_config_type {
	QY_CONFIG_STRING,	/* any text; min..max is its length */
	QY_CONFIG_TOKEN,	/* visible ASCII, fit for an HTTP header; min..max is its length */
	QY_CONFIG_INT,		/* min..max */
	QY_CONFIG_BOOL,		/* true, false */
	QY_CONFIG_ENUM,		/* one of choices, separated by '|' */
	QY_CONFIG_WEB_URL,	/* http or https */
	QY_CONFIG_TLS_URL,	/* https, or http to a loopback host */
	QY_CONFIG_DB_URL,	/* sqlite://path, sqlite::memory: or :memory: */
	QY_CONFIG_ADDRESS,	/* numeric IPv4 or IPv6 address */
	QY_CONFIG_ADDRESS_LIST, /* addresses and networks, separated by commas */
	QY_CONFIG_HEX,		/* exactly max hexadecimal digits */
	QY_CONFIG_COLOR,	/* #rrggbb */
	QY_CONFIG_LEVELS,	/* "info,db=debug": of the components in choices */
	QY_CONFIG_BACKEND,	/* legacy or region, with an optional :percent */
	QY_CONFIG_N_TYPES
};

/* A row of the schema. A key may be set to nothing exactly if its default is nothing. */
struct qy_config_key {
	const char *name; /* "section.key" */
	enum qy_config_type type;
	const char *initial;
	int64_t min;
	int64_t max;
	const char *choices;
	bool secret;
};

#define QY_CONFIG_KEYS_MAX 128
#define QY_CONFIG_NAME_MAX 64 /* Longest key or variable name that is compared or quoted. */

struct qy_config_value {
	char *text;
	int64_t number; /* QY_CONFIG_INT, and 0 or 1 for QY_CONFIG_BOOL. */
	char *source;
	char *shown;
};

struct qy_config {
	unsigned magic;
	struct qy_config_value values[QY_CONFIG_KEYS_MAX];
};

/* What is wrong and what to do, as written into an error. Long enough for every text used. */
struct qy_config_fault {
	char problem[256];
	char fix[512];
};

/* One load under way. */
struct qy_config_load {
	const struct qy_config_sources *sources;
	struct qy_config *config;
	struct qy_config_errors errors;
	/* Some source gave this key a bad value, so rules between keys stay silent about it. */
	bool bad[QY_CONFIG_KEYS_MAX];
};

/* config_schema.c. Index of a key, or -1. Variable names need QY_CONFIG_NAME_MAX + 1 bytes. */
const struct qy_config_key *qy_config__key(size_t index);
size_t qy_config__section_len(const char *name);
bool qy_config__section_known(const char *section);
int qy_config__find(const char *name);
int qy_config__find_variable(const char *variable);
void qy_config__variable_name(size_t index, char *ret_name);

/* config_nearest.c. */
void qy_config__unknown_key(struct qy_config_load *load, const char *name, const char *where);
void qy_config__unknown_section(struct qy_config_load *load, const char *name, const char *where);
void qy_config__unknown_variable(struct qy_config_load *load, const char *name);

/* config_error.c. add() copies; printf-like helper fills a fault's fields. */
void qy_config__fault(struct qy_config_fault *fault, const char *problem, const char *fix_format,
		      ...) __attribute__((format(printf, 3, 4)));
void qy_config__error(struct qy_config_load *load, const char *key, const char *where,
		      const struct qy_config_fault *fault);
bool qy_config__errors_full(const struct qy_config_load *load);

/*
 * config_value.c. Checks text (trimmed, not too long) against the key's type. On success
 * writes the normalised text (QY_CONFIG_VALUE_MAX + 1 bytes) and number; else fills ret_fault.
 */
bool qy_config__value_parse(const struct qy_config_key *key, const char *text, char *ret_text,
			    int64_t *ret_number, struct qy_config_fault *ret_fault);
/* The printable form of a secret. */
void qy_config__mask(const char *text, char *ret_text, size_t size);

/* config_net.c. Addresses and URLs, as texts only: nothing is looked up. */
bool qy_config__address_ok(const char *text);
bool qy_config__address_is_loopback(const char *text);
/* NULL if good, else what is wrong. */
const char *qy_config__web_url_problem(const char *text);
bool qy_config__web_url_is_safe(const char *text);

/*
 * config_expand.c. Replaces ${VAR} in a file value; out has QY_CONFIG_VALUE_MAX + 1 bytes. Never
 * replaces twice: what a variable holds is taken as it is.
 */
bool qy_config__expand(const char *text, char **environ, char *ret_text,
		       struct qy_config_fault *ret_fault);

/* config_file.c. */
void qy_config__file_load(struct qy_config_load *load);

/* config_check.c. Rules between keys, on the final values. */
void qy_config__check(struct qy_config_load *load);

/* config.c. Checks raw and makes it the value of the key, or adds an error. */
bool qy_config__put(struct qy_config_load *load, size_t index, const char *raw, const char *where);

/* A broken promise inside the program. */
_Noreturn void qy_config__impossible(const char *what, const char *name);

#endif /* QY_CLI_CONFIG_INTERNAL_H */
