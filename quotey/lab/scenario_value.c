/* Numbers, durations, shares and faults of a scenario. */
#include <string.h>

#include "quotey/lab/scenario_internal.h"

#define US INT64_C(1000)
#define MS INT64_C(1000000)
#define S INT64_C(1000000000)
#define DURATION_MAX (INT64_C(86400) * S)

enum { NUMBER_DIGITS_MAX = 9, FDS_MAX = 65535 };

bool qy_scenario__choice(struct qy_scenario_reader *reader, const char *what,
			 const char *const known[], size_t n_known, size_t *ret_index)
{
	struct qy_scenario_word word;

	if (!qy_scenario__word(reader, what, &word)) {
		return false;
	}
	for (size_t i = 0; i < n_known; i++) {
		if (qy_scenario__word_is(&word, known[i])) {
			*ret_index = i;
			return true;
		}
	}
	return qy_scenario__unknown(reader, &word, what, known, n_known);
}

/* The digits at the start of a text; returns how many, 0 also when there are too many. */
static size_t digits(const char *text, size_t n, unsigned *ret_number)
{
	unsigned number = 0;
	size_t i = 0;

	while (i < n && text[i] >= '0' && text[i] <= '9') {
		if (i == NUMBER_DIGITS_MAX) {
			return 0;
		}
		number = number * 10 + (unsigned)(text[i++] - '0');
	}
	*ret_number = number;
	return i;
}

bool qy_scenario__number(struct qy_scenario_reader *reader, const struct qy_scenario_word *word,
			 const char *what, unsigned min, unsigned max, unsigned *ret_number)
{
	unsigned number = 0;
	size_t n = digits(word->text, word->n, &number);

	if (n == 0 || n != word->n || number < min || number > max) {
		return qy_scenario__fail(
		    reader, word->at, "\"%.*s\" is no %s; it is a whole number from %u to %u",
		    word->n < 40 ? (int)word->n : 40, word->text, what, min, max);
	}
	*ret_number = number;
	return true;
}

/* One duration at the start of a text; returns its length, 0 when there is none. */
static size_t duration(const char *text, size_t n, int64_t *ret_ns)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {{"ms", MS}, {"us", US}, {"ns", 1}, {"s", S}, {"min", 60 * S}};
	unsigned number = 0;
	size_t used = digits(text, n, &number);
	size_t letters = used;

	while (letters < n && text[letters] >= 'a' && text[letters] <= 'z') {
		letters++;
	}
	for (size_t i = 0; used > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].name) == letters - used &&
		    memcmp(text + used, units[i].name, letters - used) == 0 &&
		    number <= DURATION_MAX / units[i].ns) {
			*ret_ns = number * units[i].ns;
			return letters;
		}
	}
	return 0;
}

bool qy_scenario__duration(struct qy_scenario_reader *reader, bool range, int64_t *ret_min_ns,
			   int64_t *ret_max_ns)
{
	struct qy_scenario_word word;
	int64_t min = 0, max = 0;
	size_t n;

	if (!qy_scenario__word(reader, range ? "a time: 50ms, or 1ms..50ms" : "a time: 500ms, 2s",
			       &word)) {
		return false;
	}
	n = duration(word.text, word.n, &min);
	max = min;
	if (n > 0 && n < word.n && range && word.n - n > 2 && memcmp(word.text + n, "..", 2) == 0) {
		size_t more = duration(word.text + n + 2, word.n - n - 2, &max);

		n = more > 0 ? n + 2 + more : 0;
	}
	if (n != word.n || max < min) {
		return qy_scenario__fail(reader, word.at,
					 "\"%.*s\" is no time; write a whole number and us, ms, s "
					 "or min, at most 1440min%s",
					 word.n < 40 ? (int)word.n : 40, word.text,
					 range ? ", or from..to" : "");
	}
	*ret_min_ns = min;
	*ret_max_ns = max;
	return true;
}

/* "5%" or "0.5%": at most one decimal. */
static bool share(struct qy_scenario_reader *reader, unsigned *ret_per_thousand)
{
	struct qy_scenario_word word;
	unsigned whole = 0, tenths = 0;
	size_t used;

	if (!qy_scenario__word(reader, "a share: 5%", &word)) {
		return false;
	}
	used = digits(word.text, word.n, &whole);
	if (used > 0 && used + 1 < word.n && word.text[used] == '.') {
		used = digits(word.text + used + 1, 1, &tenths) == 1 ? used + 2 : 0;
	}
	if (used == 0 || used + 1 != word.n || word.text[used] != '%' || whole > 100 ||
	    whole * 10 + tenths > 1000) {
		return qy_scenario__fail(reader, word.at,
					 "\"%.*s\" is no share; write 0%% to 100%%, with at most "
					 "one decimal",
					 word.n < 40 ? (int)word.n : 40, word.text);
	}
	*ret_per_thousand = whole * 10 + tenths;
	return true;
}

static bool fault_argument(struct qy_scenario_reader *reader, struct qy_scenario_fault *fault)
{
	struct qy_scenario_word word;

	switch (fault->kind) {
	case QY_SCENARIO_FAULT_PARTITION:
	case QY_SCENARIO_FAULT_DISK_FULL:
		return true;
	case QY_SCENARIO_FAULT_LATENCY:
	case QY_SCENARIO_FAULT_DISK_SLOW_FSYNC:
		return qy_scenario__duration(reader, fault->kind == QY_SCENARIO_FAULT_LATENCY,
					     &fault->min_ns, &fault->max_ns);
	case QY_SCENARIO_FAULT_FDS:
		return qy_scenario__word(reader, "how many descriptors may be open", &word) &&
		       qy_scenario__number(reader, &word, "number of descriptors", 1, FDS_MAX,
					   &fault->number);
	default:
		return share(reader, &fault->per_thousand);
	}
}

static const char *const disk[] = {"full", "io-error", "slow-fsync"};
static const char *const websocket[] = {"delay", "drop", "duplicate", "close", "pong-loss"};
static const char *const child[] = {"no-start", "crash", "stuck"};

#define PARTS(what, list) what, list, sizeof(list) / sizeof((list)[0])

/* By its first word: its kind, or that of the first of its parts; the others follow in order. */
static const struct {
	const char *word;
	enum qy_scenario_fault_kind kind;
	const char *what;
	const char *const *parts;
	size_t n_parts;
} faults[] = {
    {"reset", QY_SCENARIO_FAULT_RESET, NULL, NULL, 0},
    {"vanish", QY_SCENARIO_FAULT_VANISH, NULL, NULL, 0},
    {"refuse", QY_SCENARIO_FAULT_REFUSE, NULL, NULL, 0},
    {"short", QY_SCENARIO_FAULT_SHORT, NULL, NULL, 0},
    {"latency", QY_SCENARIO_FAULT_LATENCY, NULL, NULL, 0},
    {"partition", QY_SCENARIO_FAULT_PARTITION, NULL, NULL, 0},
    {"fds", QY_SCENARIO_FAULT_FDS, NULL, NULL, 0},
    {"disk", QY_SCENARIO_FAULT_DISK_FULL, PARTS("fault of a disk", disk)},
    {"lookup", QY_SCENARIO_FAULT_LOOKUP, NULL, NULL, 0},
    {"websocket", QY_SCENARIO_FAULT_WS_DELAY, PARTS("fault of websockets", websocket)},
    {"child", QY_SCENARIO_FAULT_CHILD_NO_START, PARTS("fault of children", child)},
};

enum { N_FAULTS = sizeof(faults) / sizeof(faults[0]) };

static bool fault_kind(struct qy_scenario_reader *reader, enum qy_scenario_fault_kind *ret_kind)
{
	const char *words[N_FAULTS];
	size_t which = 0, part = 0;

	for (size_t i = 0; i < N_FAULTS; i++) {
		words[i] = faults[i].word;
	}
	if (!qy_scenario__choice(reader, "fault", words, N_FAULTS, &which)) {
		return false;
	}
	if (faults[which].n_parts > 0 &&
	    !qy_scenario__choice(reader, faults[which].what, faults[which].parts,
				 faults[which].n_parts, &part)) {
		return false;
	}
	*ret_kind = (enum qy_scenario_fault_kind)((size_t)faults[which].kind + part);
	return true;
}

bool qy_scenario__fault(struct qy_scenario_reader *reader, struct qy_scenario_fault *ret_fault)
{
	struct qy_scenario_fault fault = {0};
	const char *from;

	qy_scenario__more(reader);
	from = reader->at;
	if (!fault_kind(reader, &fault.kind) || !fault_argument(reader, &fault)) {
		return false;
	}
	fault.words = qy_scenario__copy(reader, from, (size_t)(reader->at - from));
	*ret_fault = fault;
	return fault.words != NULL;
}
