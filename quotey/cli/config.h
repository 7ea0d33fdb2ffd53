/*
 * Quotey's configuration: reads quotey.conf, the environment and --set, and answers "what is the
 * value of section.key, and where did it come from".
 *
 * Order, later wins: built-in default < file < environment QUOTEY_<SECTION>_<KEY> < --set. Every
 * source is checked even where a later one overrides it, and all errors are reported at once.
 *
 * It must never put a value into an error text: any value may be a secret typed at the wrong place.
 * It needs no runtime; loading reads one file and blocks while it does.
 */
#ifndef QY_CLI_CONFIG_H
#define QY_CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Limits; each is an error that names the line, the variable or --set. */
#define QY_CONFIG_FILE_MAX (1024 * 1024)
#define QY_CONFIG_LINE_MAX 8192
#define QY_CONFIG_VALUE_MAX 4096
/* Errors kept; the rest is only counted, so that a junk file cannot fill memory or the screen. */
#define QY_CONFIG_ERRORS_MAX 100

struct qy_config;

/*
 * Where to read from. A zeroed struct means: defaults only. Nothing is kept after the load.
 *
 *   path           file to read, or NULL for none; its text is used in source names ("path:12")
 *   file_required  the file was asked for by name, so its absence is an error
 *   file_bytes     if not NULL, the file's contents (n_file_bytes long); path is then not opened
 *   environ        NULL-ended "NAME=value" list, or NULL for none. Also serves ${VAR}.
 *   sets, n_sets   the arguments of --set, "section.key=value"; a later one wins
 */
struct qy_config_sources {
	const char *path;
	bool file_required;
	const void *file_bytes;
	size_t n_file_bytes;
	char **environ;
	const char *const *sets;
	size_t n_sets;
};

/* One error. All four texts are there, none holds a configured value. */
struct qy_config_error {
	char *key;     /* "database.url", or what was written instead of a known key */
	char *where;   /* "quotey.conf:12", "QUOTEY_WEB_PORT", "--set" */
	char *problem; /* "is not a whole number" */
	char *fix;     /* "give a whole number from 0 to 65535" */
};

struct qy_config_errors {
	struct qy_config_error *list;
	size_t n;
	size_t n_dropped; /* Found after the list was full. */
	bool out_of_memory;
};

/*
 * Load everything. Returns 0 and a configuration that the caller destroys, or -1 with
 * ret_config untouched. ret_errors is set in both cases (empty after success) and is the
 * caller's to fini. Reloading for SIGHUP is loading again and swapping on success.
 * Not to be called from two threads at once: libinih keeps its settings in process-wide variables.
 * It reads a file and takes some 20 KiB of stack, so call it from a plain thread, not from a fiber.
 */
int qy_config_load(const struct qy_config_sources *sources, struct qy_config **ret_config,
		   struct qy_config_errors *ret_errors) __attribute__((warn_unused_result));

/* Wipes and frees; NULL-safe, NULLs the caller's pointer. */
void qy_config_destroy(struct qy_config **config);

/*
 * Values by "section.key". An unknown key, or qy_config_int/bool on a key of another type, is a
 * programming error and aborts. Texts belong to the configuration and live as long as it does.
 * qy_config_str serves every type (normalised: "8080", "true", "legacy"); never NULL, "" is unset.
 */
const char *qy_config_str(const struct qy_config *config, const char *key);
int64_t qy_config_int(const struct qy_config *config, const char *key);
bool qy_config_bool(const struct qy_config *config, const char *key);

/*
 * Where the value came from: "default", "quotey.conf:12", "QUOTEY_WEB_PORT", "--set", or
 * "runtime.backend" for a component that has no backend of its own.
 */
const char *qy_config_source(const struct qy_config *config, const char *key);

/* The value as it may be printed: secrets as their first five characters and "***". */
const char *qy_config_shown(const struct qy_config *config, const char *key);

/* All keys in the order of the schema, for `quotey config`. index < qy_config_key_count(). */
size_t qy_config_key_count(void);
const char *qy_config_key_name(size_t index);

/* One line per error: "key (where): problem; fix". */
void qy_config_errors_print(const struct qy_config_errors *errors, FILE *to);
void qy_config_errors_fini(struct qy_config_errors *errors);

#ifdef __cplusplus
}
#endif

#endif /* QY_CLI_CONFIG_H */
