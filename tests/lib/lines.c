/* A log into memory; see lines.h. */
#include "tests/lib/lines.h"

#include <stdio.h>
#include <string.h>

#include "tests/lib/test.h"

struct qrt_log *lines_log;

static struct {
	char text[65536];
	size_t n;
} lines;

/* Under the log's lock. */
static void keep(void *arg, const char *text, size_t n)
{
	(void)arg;
	QRT_ASSERT(n < sizeof(lines.text) - lines.n);
	memcpy(lines.text + lines.n, text, n);
	lines.n += n;
	lines.text[lines.n] = '\0';
}

void lines_begin(void)
{
	const struct qrt_log_options opts = {.levels = "debug", .sink = keep};
	lines.n = 0;
	lines.text[0] = '\0';
	assert_int_equal(qrt_log_open(&opts, NULL, &lines_log), QRT_OK);
}

void lines_end(void)
{
	qrt_log_close(&lines_log);
}

const char *lines_text(void)
{
	return lines.text;
}

bool lines_say(const char *message, const char *rest)
{
	char start[64], whole[512];
	snprintf(start, sizeof(start), " info test: %s ", message);
	snprintf(whole, sizeof(whole), "%s%s\n", start, rest);
	const char *at = strstr(lines.text, start);
	if (at && !strstr(at + 1, start) && strncmp(at, whole, strlen(whole)) == 0) {
		return true;
	}
	fprintf(stderr, "not once \"%s%s\" in\n%s", start, rest, lines.text);
	return false;
}
