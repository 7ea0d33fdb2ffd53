/*
 * Fan-out: the lines of a quote are priced at once, each by a task of its own. When the region has
 * closed every line has its price; one that nobody sells ends the asking for all the others.
 */
#include <qrt/qrt.h>
#include <stdio.h>
#include <string.h>

struct article {
	const char *name;
	long cents;
	int64_t answers_in_ns; /* its supplier does */
};

static const struct article catalogue[] = {{"gateway", 129900, 30 * QRT_MS},
					   {"sensor", 4950, 20 * QRT_MS},
					   {"cable", 350, 10 * QRT_MS},
					   {"tower", 9900000, 3600 * QRT_SEC}};

struct quote {
	size_t asking, most_asking; /* suppliers, right now and at once */
};

struct line {
	struct quote *quote;
	const char *article;
	long pieces, cents;
};

/* Runs as a task per line; the sleep stands for the supplier's server. */
static enum qrt_err price_line(struct qrt_cx *cx, void *arg)
{
	struct line *line = arg;
	struct quote *quote = line->quote;
	for (size_t i = 0; i < sizeof(catalogue) / sizeof(catalogue[0]); i++) {
		if (strcmp(catalogue[i].name, line->article) == 0) {
			quote->asking++;
			if (quote->most_asking < quote->asking) {
				quote->most_asking = quote->asking;
			}
			enum qrt_err err = qrt_sleep(cx, catalogue[i].answers_in_ns);
			quote->asking--;
			line->cents = catalogue[i].cents * line->pieces;
			return err;
		}
	}
	return qrt_fail(cx, QRT_ENOENT, "nobody sells a %s", line->article);
}

static enum qrt_err price_all(struct qrt_cx *cx, struct line *lines, size_t n, long *ret_cents)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (err) {
		return err;
	}
	for (size_t i = 0; i < n && !err; i++) {
		err = qrt_spawn(region, price_line, &lines[i]);
	}
	err = qrt_region_close(cx, &region, err); /* waits for every line */
	if (!err) {
		*ret_cents = 0;
		for (size_t i = 0; i < n; i++) {
			*ret_cents += lines[i].cents;
		}
	}
	return err;
}

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	struct quote *quote = arg;
	struct line good[] = {
	    {quote, "gateway", 1, 0}, {quote, "sensor", 12, 0}, {quote, "cable", 12, 0}};
	struct line bad[] = {{quote, "tower", 1, 0}, {quote, "unicorn", 1, 0}};
	long cents = 0;
	enum qrt_err err = price_all(cx, good, 3, &cents);
	if (err || cents != 193500 || quote->most_asking != 3) {
		return qrt_fail(cx, QRT_EFAILED, "three lines cost %ld cents", cents);
	}
	printf("three suppliers asked at once: %ld.%02ld\n", cents / 100, cents % 100);
	err = price_all(cx, bad, 2, &cents);
	if (err != QRT_ENOENT || quote->asking != 0 || cents != 193500) {
		return qrt_fail(cx, QRT_EFAILED, "a bad line went unnoticed");
	}
	printf("%s: the slow supplier is not asked any more\n", qrt_detail(cx));
	return QRT_OK;
}

int main(int argc, char **argv)
{
	const struct qrt_runtime_options options = {.backend = argc > 1 ? argv[1] : "region"};
	struct qrt_runtime *rt;
	struct quote quote = {0};
	enum qrt_err err = qrt_runtime_open(&options, NULL, &rt);
	if (!err) {
		err = qrt_run_main(rt, run, &quote);
		qrt_runtime_close(&rt);
	}
	return err ? 1 : 0;
}
