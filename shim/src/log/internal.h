/*
 * What the files of the log share: levels, the making of one line, and the memory of repeats.
 * None of it locks or writes: log.c does.
 */
#ifndef QRT_LOG_INTERNAL_H
#define QRT_LOG_INTERNAL_H

#include <qrt/log.h>

/* --- log/level.c --- */
#define QRT__LOG_COMPONENTS_MAX 16

struct qrt__log_levels {
	enum qrt_log_level common, lowest; /* lowest: of all */
	size_t n;
	struct {
		char name[QRT_LOG_NAME_MAX + 1];
		enum qrt_log_level level;
	} own[QRT__LOG_COMPONENTS_MAX];
};
bool qrt__log_levels_parse(const char *text, struct qrt__log_levels *ret_levels, char *ret_problem);
bool qrt__log_levels_want(const struct qrt__log_levels *levels, enum qrt_log_level level,
			  const char *component);

/* --- log/redact.c --- */
/* Whether what stands under this name is a secret. */
bool qrt__log_key_secret(const char *key);
/* Copies @text without the secrets in it, cut at QRT_LOG_VALUE_MAX; returns the length. */
#define QRT__LOG_VALUE_SIZE (QRT_LOG_VALUE_MAX + 64)
size_t qrt__log_redact(const char *text, char ret_text[QRT__LOG_VALUE_SIZE]);

/* --- log/line.c --- */
/* Writes a line with its end into @buf of QRT_LOG_LINE_MAX bytes; returns its length. */
size_t qrt__log_render(enum qrt_log_format format, bool colours, const struct qrt_log_line *line,
		       char *buf);

/* --- log/repeat.c --- */
#define QRT__LOG_REPEATS 32

struct qrt__log_repeat {
	uint64_t hash;
	int64_t until_ms; /* equal lines before that are repeats */
	uint64_t count;	  /* not yet told of */
	enum qrt_log_level level;
	char component[QRT_LOG_NAME_MAX + 1];
	char message[96];
};
struct qrt__log_repeats {
	struct qrt__log_repeat slots[QRT__LOG_REPEATS];
	size_t waiting; /* slots with a count */
};
/* Of all that makes two lines equal: not the time, the correlation id or the path. */
uint64_t qrt__log_hash(const struct qrt_log_line *line);
/*
 * Notes a line. True: it is a repeat, and not to be written. *ret_told is filled in when the count
 * of an earlier one must be told first, else its count is 0.
 */
bool qrt__log_repeats_note(struct qrt__log_repeats *repeats, const struct qrt_log_line *line,
			   uint64_t hash, int64_t window_ms, struct qrt__log_repeat *ret_told);
/* Takes out one whose time is over by @now_ms; false: there is none. */
bool qrt__log_repeats_take(struct qrt__log_repeats *repeats, int64_t now_ms,
			   struct qrt__log_repeat *ret_told);
/* The line that tells of it; its message is made in @buf. */
void qrt__log_repeat_line(const struct qrt__log_repeat *told, int64_t now_ms, char buf[160],
			  struct qrt_log_line *ret_line);

#endif
