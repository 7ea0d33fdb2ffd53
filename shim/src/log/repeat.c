/*
 * Lines that say the same again. Of equal lines within a window the first is written and the others
 * are counted; the count is told when the window is over. A table of the last different lines:
 * who is pushed out of it tells its count then.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "shim/src/log/internal.h"

static uint64_t mix(uint64_t hash, const void *data, size_t n)
{
	const unsigned char *s = data;

	for (size_t i = 0; i < n; i++) {
		hash = (hash ^ s[i]) * UINT64_C(0x100000001b3);
	}
	return (hash ^ 0xff) * UINT64_C(0x100000001b3); /* "ab","c" is not "a","bc" */
}

uint64_t qrt__log_hash(const struct qrt_log_line *line)
{
	uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), &line->level, sizeof(line->level));

	hash = mix(hash, line->component, strlen(line->component));
	hash = mix(hash, line->message, strlen(line->message));
	for (const struct qrt_log_field *f = line->fields; f != NULL && f->key != NULL; f++) {
		hash = mix(hash, f->key, strlen(f->key));
		hash = f->text != NULL ? mix(hash, f->text, strlen(f->text))
				       : mix(hash, &f->number, sizeof(f->number));
	}
	return hash != 0 ? hash : 1; /* 0 is an empty slot */
}

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

/* The slot of @hash, else the one that is to be given up: an empty one, or the oldest. */
static struct qrt__log_repeat *slot_for(struct qrt__log_repeats *repeats, uint64_t hash)
{
	struct qrt__log_repeat *oldest = &repeats->slots[0];

	for (size_t i = 0; i < QRT__LOG_REPEATS; i++) {
		struct qrt__log_repeat *slot = &repeats->slots[i];

		if (slot->hash == hash) {
			return slot;
		}
		if (oldest->hash != 0 && (slot->hash == 0 || slot->until_ms < oldest->until_ms)) {
			oldest = slot;
		}
	}
	return oldest;
}

bool qrt__log_repeats_note(struct qrt__log_repeats *repeats, const struct qrt_log_line *line,
			   uint64_t hash, int64_t window_ms, struct qrt__log_repeat *ret_told)
{
	struct qrt__log_repeat *slot = slot_for(repeats, hash);

	ret_told->count = 0;
	if (slot->hash == hash && line->wall_ms < slot->until_ms &&
	    line->wall_ms >= slot->until_ms - window_ms) {
		repeats->waiting += slot->count == 0;
		slot->count++;
		return true;
	}
	if (slot->count > 0) {
		*ret_told = *slot;
		QRT_ASSERT(repeats->waiting > 0);
		repeats->waiting--;
	}
	slot->hash = hash;
	slot->until_ms = line->wall_ms + window_ms;
	slot->count = 0;
	slot->level = line->level;
	copy(slot->component, sizeof(slot->component), line->component);
	copy(slot->message, sizeof(slot->message), line->message);
	return false;
}

bool qrt__log_repeats_take(struct qrt__log_repeats *repeats, int64_t now_ms,
			   struct qrt__log_repeat *ret_told)
{
	for (size_t i = 0; i < QRT__LOG_REPEATS && repeats->waiting > 0; i++) {
		struct qrt__log_repeat *slot = &repeats->slots[i];

		if (slot->count > 0 && slot->until_ms <= now_ms) {
			*ret_told = *slot;
			QRT_ASSERT(repeats->waiting > 0);
			repeats->waiting--;
			slot->hash = 0;
			slot->count = 0;
			return true;
		}
	}
	return false;
}

void qrt__log_repeat_line(const struct qrt__log_repeat *told, int64_t now_ms, char buf[160],
			  struct qrt_log_line *ret_line)
{
	snprintf(buf, 160, "%s ... repeated %" PRIu64 " times", told->message, told->count);
	*ret_line = (struct qrt_log_line){
	    .level = told->level, .component = told->component, .message = buf, .wall_ms = now_ms};
}
