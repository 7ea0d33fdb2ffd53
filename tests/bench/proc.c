/* Reads /proc; see proc.h. */
#include "tests/bench/proc.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Calls @fn for each entry of a folder; false: it cannot be read. */
static bool each(const char *folder, void (*fn)(const char *path, void *arg), void *arg)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[512];

	if (dir == NULL) {
		return false;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
			fn(path, arg);
		}
	}
	closedir(dir);
	return true;
}

static void count_one(const char *path, void *arg)
{
	size_t *n = arg;

	(void)path;
	++*n;
}

size_t proc_fds(pid_t pid)
{
	char folder[64];
	size_t n = 0;

	snprintf(folder, sizeof(folder), "/proc/%d/fd", (int)pid);
	return each(folder, count_one, &n) ? n : 0;
}

static uint64_t number_after(const char *path, const char *name)
{
	FILE *f = fopen(path, "r");
	char line[256];
	uint64_t value = 0;
	size_t len = strlen(name);

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, name, len) == 0) {
			value = strtoull(line + len, NULL, 10);
			break;
		}
	}
	if (f != NULL) {
		fclose(f);
	}
	return value;
}

static void add_thread(const char *path, void *arg)
{
	struct proc_figures *figures = arg;
	char file[600];

	figures->threads++;
	snprintf(file, sizeof(file), "%s/schedstat", path); /* ns on a processor come first */
	figures->cpu_ns += (int64_t)number_after(file, "");
	snprintf(file, sizeof(file), "%s/status", path);
	figures->wakeups += number_after(file, "voluntary_ctxt_switches:");
}

bool proc_look(pid_t pid, struct proc_figures *ret_figures)
{
	struct proc_figures figures = {0};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	if (!each(path, add_thread, &figures)) {
		return false;
	}
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	figures.resident = number_after(path, "VmRSS:") * 1024;
	figures.fds = proc_fds(pid);
	*ret_figures = figures;
	return figures.fds > 0;
}

bool proc_allow_fds(size_t n)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
		return false;
	}
	if (limit.rlim_cur >= n) {
		return true;
	}
	limit.rlim_cur = limit.rlim_max < n ? limit.rlim_max : n;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= n;
}
