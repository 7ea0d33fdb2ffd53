/* What a run says about itself, and what all parts of the generator share. */
#include "tests/bench/load.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

static const char *const outcome_names[LOAD_N_OUTCOMES] = {
    [LOAD_OK] = "ok",	      [LOAD_BAD_STATUS] = "bad_status", [LOAD_REFUSED] = "refused",
    [LOAD_RESET] = "reset",   [LOAD_TIMED_OUT] = "timeout",	[LOAD_MALFORMED] = "malformed",
    [LOAD_UNSENT] = "unsent",
};

static double in_ms(uint64_t ns)
{
	return (double)ns / (double)LOAD_NS_PER_MS;
}

void load_report(const struct load_result *result, const struct load_mix *mix, bool json)
{
	static const struct {
		const char *name;
		double percent;
	} points[] = {
	    {"p50_ms", 50}, {"p90_ms", 90}, {"p95_ms", 95}, {"p99_ms", 99}, {"p999_ms", 99.9}};
	const char *line = json ? ",\"%s\":%" PRIu64 : "%-12s %" PRIu64 "\n";
	const char *real = json ? ",\"%s\":%.3f" : "%-12s %.3f\n";
	uint64_t ok = result->outcomes[LOAD_OK];
	size_t i;

	printf(json ? "{\"%s\":%" PRIu64 : line, "requests", result->issued);
	printf(line, "ok", ok);
	printf(line, "failed", result->issued - ok);
	for (i = LOAD_OK + 1; i < LOAD_N_OUTCOMES; i++) {
		printf(line, outcome_names[i], result->outcomes[i]);
	}
	printf(line, "connects", result->connects);
	printf(real, "seconds", result->seconds);
	printf(real, "ok_per_s", result->seconds > 0 ? (double)ok / result->seconds : 0);
	printf(real, "gap_max_ms", in_ms((uint64_t)result->gap_max_ns));
	printf(real, "late_max_ms", in_ms((uint64_t)result->late_max_ns));
	for (i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		printf(real, points[i].name, in_ms(load_hist_at(&result->hist, points[i].percent)));
	}
	printf(real, "max_ms", in_ms(result->hist.max));
	if (mix->n > 0 && mix->lines[0].seen != NULL) {
		printf(line, "distinct", load_seen_count(mix));
	}
	printf("%s", json ? "}\n" : "");
}

void load_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("load: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

void *load_must(void *p)
{
	if (p == NULL) {
		load_die("out of memory");
	}
	return p;
}

int64_t load_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * LOAD_NS_PER_S + ts.tv_nsec;
}

bool load_is_visible(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s <= ' ' || *s >= 0x7f) {
			return false;
		}
	}
	return true;
}
