/*
 * Reads and makes the key file. A new one is written under a temporary name and then linked to its
 * own: the file is there whole or not at all, and two programs that start at once agree on one.
 */
#include "quotey/cli/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 4096
#define FILE_PATH_MAX 4096

struct field {
	const char *name;
	size_t offset;
};

static const struct field fields[] = {
    {"ledger_key", offsetof(struct qy_keys, ledger_key)},
    {"portal_key", offsetof(struct qy_keys, portal_key)},
    {"control_token", offsetof(struct qy_keys, control_token)},
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static char *value_of(struct qy_keys *keys, const struct field *field)
{
	return (char *)keys + field->offset;
}

void qy_keys_fini(struct qy_keys *keys)
{
	explicit_bzero(keys, sizeof(*keys));
}

__attribute__((format(printf, 3, 4))) static bool problem(char *ret_problem, const char *path,
							  const char *format, ...)
{
	va_list args;
	int used =
	    snprintf(ret_problem, QY_KEYFILE_PROBLEM_SIZE, "security.key_file %.300s: ", path);

	va_start(args, format);
	vsnprintf(ret_problem + used, QY_KEYFILE_PROBLEM_SIZE - (size_t)used, format, args);
	va_end(args);
	return false;
}

/* --- reading ------------------------------------------------------------------------------- */

static const struct field *find_field(const char *line, size_t len)
{
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (strlen(fields[i].name) == len && memcmp(fields[i].name, line, len) == 0) {
			return &fields[i];
		}
	}
	return NULL;
}

/* One line without its end: empty, a comment, or "name = value". NULL: good, else what is wrong. */
static const char *read_line(char *line, struct qy_keys *keys)
{
	static const char blanks[] = " \t\r";
	const struct field *field;
	size_t name_len, len;
	char *value;

	line += strspn(line, blanks);
	if (line[0] == '\0' || line[0] == '#') {
		return NULL;
	}
	name_len = strcspn(line, " \t=");
	field = find_field(line, name_len);
	value = line + name_len + strspn(line + name_len, blanks);
	if (field == NULL || *value != '=') {
		return "is not name = value with a known name";
	}
	value += 1 + strspn(value + 1, blanks);
	len = strspn(value, "0123456789abcdefABCDEF");
	if (len != QY_KEY_LEN || value[len + strspn(value + len, blanks)] != '\0') {
		return "does not hold 64 hex digits";
	}
	if (value_of(keys, field)[0] != '\0') {
		return "repeats a name";
	}
	memcpy(value_of(keys, field), value, len);
	return NULL;
}

static bool parse(const char *path, char *text, struct qy_keys *keys, char *ret_problem)
{
	unsigned number = 0;
	char *next;

	for (char *line = text; line != NULL; line = next) {
		const char *wrong;

		next = strchr(line, '\n');
		if (next != NULL) {
			*next++ = '\0';
		}
		number++;
		wrong = read_line(line, keys);
		if (wrong != NULL) {
			return problem(ret_problem, path, "line %u %s", number, wrong);
		}
	}
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (value_of(keys, &fields[i])[0] == '\0') {
			return problem(ret_problem, path, "%s is missing", fields[i].name);
		}
	}
	return true;
}

static bool check_owner(const char *path, const struct stat *st, char *ret_problem)
{
	if (!S_ISREG(st->st_mode)) {
		return problem(ret_problem, path, "is not a file");
	}
	if ((st->st_mode & (S_IRWXG | S_IRWXO)) != 0) {
		return problem(ret_problem, path,
			       "others than its owner may use it (mode %04o); chmod 600 it,"
			       " or remove it to get new keys",
			       (unsigned)st->st_mode & 07777);
	}
	if (st->st_uid != geteuid() && st->st_uid != 0) {
		return problem(ret_problem, path, "belongs to user %u, who could have read it",
			       (unsigned)st->st_uid);
	}
	return true;
}

/* Reads up to @size - 1 bytes, and says whether that was all. */
static bool read_all(int fd, char *text, size_t size, bool *ret_all)
{
	size_t used = 0;
	ssize_t n = 1;

	while (n > 0 && used < size - 1) {
		n = read(fd, text + used, size - 1 - used);
		if (n < 0 && errno == EINTR) {
			n = 1;
			continue;
		}
		used += n > 0 ? (size_t)n : 0;
	}
	text[used] = '\0';
	*ret_all = n == 0 && strlen(text) == used;
	return n >= 0;
}

static bool read_fd(const char *path, int fd, struct qy_keys *ret_keys, char *ret_problem)
{
	char text[FILE_MAX + 2];
	struct qy_keys keys = {0};
	struct stat st;
	bool all = false;
	bool good;

	if (fstat(fd, &st) != 0) {
		return problem(ret_problem, path, "%s", strerror(errno));
	}
	if (!check_owner(path, &st, ret_problem)) {
		return false;
	}
	if (!read_all(fd, text, sizeof(text), &all)) {
		return problem(ret_problem, path, "%s", strerror(errno));
	}
	good = all ? parse(path, text, &keys, ret_problem)
		   : problem(ret_problem, path,
			     "is no key file: it is longer than %d bytes, or"
			     " holds a NUL",
			     FILE_MAX);
	if (good) {
		*ret_keys = keys;
	}
	explicit_bzero(text, sizeof(text));
	qy_keys_fini(&keys);
	return good;
}

/* --- making -------------------------------------------------------------------------------- */

static bool draw_key(char ret_key[QY_KEY_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char random[QY_KEY_LEN / 2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
		return false;
	}
	for (size_t i = 0; i < sizeof(random); i++) {
		ret_key[2 * i] = digits[random[i] >> 4];
		ret_key[2 * i + 1] = digits[random[i] & 15];
	}
	ret_key[QY_KEY_LEN] = '\0';
	explicit_bzero(random, sizeof(random));
	return true;
}

/* The text of a new file, or false: there is no randomness. */
static bool draw_text(char *text, size_t size)
{
	char key[QY_KEY_SIZE];
	size_t used;
	bool drawn = true;

	used = (size_t)snprintf(text, size,
				"# Made by quotey start. Whoever can read this file can sign and"
				" administer.\n");
	for (size_t i = 0; i < N_FIELDS && drawn; i++) {
		drawn = draw_key(key);
		if (drawn) {
			used += (size_t)snprintf(text + used, size - used, "%s = %s\n",
						 fields[i].name, key);
		}
	}
	explicit_bzero(key, sizeof(key));
	return drawn;
}

static bool write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR) {
			return false;
		}
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
	}
	return fsync(fd) == 0;
}

/* Makes the file unless it is there by now. */
static bool create_file(const char *path, char *ret_problem)
{
	char temporary[FILE_PATH_MAX];
	char suffix[QY_KEY_SIZE];
	char text[512];
	int fd, error = 0;

	if (!draw_key(suffix) || !draw_text(text, sizeof(text))) {
		return problem(ret_problem, path, "no random bytes: %s", strerror(errno));
	}
	if (snprintf(temporary, sizeof(temporary), "%s.new-%.8s", path, suffix) >=
	    (int)sizeof(temporary)) {
		return problem(ret_problem, path, "%s", strerror(ENAMETOOLONG));
	}
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		error = errno;
		explicit_bzero(text, sizeof(text));
		return problem(ret_problem, path, "cannot be made: %s", strerror(error));
	}
	if (!write_all(fd, text) || (link(temporary, path) != 0 && errno != EEXIST)) {
		error = errno;
	}
	explicit_bzero(text, sizeof(text));
	close(fd);
	unlink(temporary);
	return error == 0 || problem(ret_problem, path, "cannot be made: %s", strerror(error));
}

bool qy_keyfile_read(const char *path, bool create, struct qy_keys *ret_keys, char *ret_problem)
{
	/* Without O_NONBLOCK a fifo would hold the program here. */
	const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	int fd = open(path, flags);
	bool good;

	if (fd < 0 && errno == ENOENT && create) {
		if (!create_file(path, ret_problem)) {
			return false;
		}
		fd = open(path, flags);
	}
	if (fd < 0) {
		return problem(ret_problem, path, "%s", strerror(errno));
	}
	good = read_fd(path, fd, ret_keys, ret_problem);
	close(fd);
	return good;
}
