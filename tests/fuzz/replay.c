/*
 * Runs a fuzz entry over every file of the folders named as arguments and prints TAP, so that
 * `make check` replays the corpora without libFuzzer. Link it with one fuzz_<name>.c.
 * Without arguments the folder is $srcdir/tests/fuzz/corpus/<name>, <name> being what follows the
 * last '_' of the program's own name (replay_config). It must never pass without a single file.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (8 * 1024 * 1024)
#define PATH_LEN 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct paths {
	char **list;
	size_t n;
};

static _Noreturn void bail_out(const char *what, const char *where)
{
	printf("Bail out! %s: %s\n", where, what);
	exit(1);
}

static void paths_add(struct paths *paths, const char *folder, const char *name)
{
	char path[PATH_LEN];
	struct stat info;
	char **grown;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path)) {
		bail_out("path too long", folder);
	}
	if (stat(path, &info) != 0) {
		bail_out(strerror(errno), path);
	}
	if (!S_ISREG(info.st_mode)) {
		return;
	}
	grown = realloc(paths->list, (paths->n + 1) * sizeof(*grown));
	if (grown == NULL) {
		bail_out("out of memory", folder);
	}
	paths->list = grown;
	paths->list[paths->n] = strdup(path);
	if (paths->list[paths->n] == NULL) {
		bail_out("out of memory", folder);
	}
	paths->n++;
}

static void paths_add_folder(struct paths *paths, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t before = paths->n;

	if (dir == NULL) {
		bail_out(strerror(errno), folder);
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.') {
			paths_add(paths, folder, entry->d_name);
		}
	}
	closedir(dir);
	if (paths->n == before) {
		bail_out("no input files", folder);
	}
}

static void paths_add_default(struct paths *paths, const char *program)
{
	const char *name = strrchr(program, '_');
	const char *srcdir = getenv("srcdir");
	char folder[PATH_LEN];

	if (name == NULL || strchr(name, '/') != NULL) {
		bail_out("no folder given", program);
	}
	if (snprintf(folder, sizeof(folder), "%s/tests/fuzz/corpus/%s",
		     srcdir != NULL ? srcdir : ".", name + 1) >= (int)sizeof(folder)) {
		bail_out("path too long", program);
	}
	paths_add_folder(paths, folder);
}

static int path_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The input lies in memory of exactly its size, so that a sanitizer sees a read behind it. */
static void replay(const char *path)
{
	FILE *stream = fopen(path, "rb");
	struct stat info;
	uint8_t *data;
	size_t size;

	if (stream == NULL || fstat(fileno(stream), &info) != 0) {
		bail_out(strerror(errno), path);
	}
	if (info.st_size > INPUT_MAX) {
		bail_out("input larger than 8 MiB", path);
	}
	size = (size_t)info.st_size;
	data = malloc(size > 0 ? size : 1);
	if (data == NULL) {
		bail_out("out of memory", path);
	}
	if (fread(data, 1, size, stream) != size) {
		bail_out("could not be read whole", path);
	}
	fclose(stream);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

int main(int argc, char **argv)
{
	struct paths paths = {0};

	/* A crash must not swallow the lines that say how far it came. */
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	for (int i = 1; i < argc; i++) {
		paths_add_folder(&paths, argv[i]);
	}
	if (argc < 2) {
		paths_add_default(&paths, argv[0]);
	}
	qsort(paths.list, paths.n, sizeof(*paths.list), path_compare);
	printf("1..%zu\n", paths.n);
	for (size_t i = 0; i < paths.n; i++) {
		replay(paths.list[i]);
		printf("ok %zu - %s\n", i + 1, paths.list[i]);
		free(paths.list[i]);
	}
	free(paths.list);
	return 0;
}
