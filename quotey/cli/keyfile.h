/*
 * The key file: the secrets that Quotey makes for itself at its first start. Three lines of
 * "name = 64 hex digits" in a file that only its owner may read.
 *
 * Never shows a key. Never uses a file that others could have read or have written.
 */
#ifndef QY_CLI_KEYFILE_H
#define QY_CLI_KEYFILE_H

#include <stdbool.h>
#include <stddef.h>

#define QY_KEY_LEN 64
#define QY_KEY_SIZE (QY_KEY_LEN + 1)
#define QY_KEYFILE_PROBLEM_SIZE 512

struct qy_keys {
	char ledger_key[QY_KEY_SIZE];
	char portal_key[QY_KEY_SIZE];
	char control_token[QY_KEY_SIZE];
};

/*
 * Reads the file; with @create, makes it (mode 0600) when it does not exist. False: ret_problem
 * (QY_KEYFILE_PROBLEM_SIZE bytes) names the file and says why not.
 */
bool qy_keyfile_read(const char *path, bool create, struct qy_keys *ret_keys, char *ret_problem)
    __attribute__((warn_unused_result));

/* Wipes the keys. */
void qy_keys_fini(struct qy_keys *keys);

#endif
