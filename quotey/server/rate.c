/* A sliding window per key: a ring of the calls in it, oldest first. */
#include "quotey/server/rate.h"

#include <qrt/sometimes.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS INT64_C(1000000000)
#define WINDOW_NS (60 * SECOND_NS)
#define SLOTS_MAX 600
#define BUCKETS 256

struct slot {
	int64_t last_ns; /* of the last call in it */
	unsigned calls;
};

struct window {
	struct window *next; /* in its bucket */
	char key[QY_RATE_NAME_MAX + 1];
	unsigned per_minute;
	unsigned per_slot;
	int64_t last_ns;     /* the last allowed call */
	int64_t reported_ns; /* the last one that was the first of a minute */
	bool reported;
	unsigned calls; /* in all slots */
	unsigned first, count, size;
	struct slot slots[];
};

struct qy_rate {
	struct window *buckets[BUCKETS];
	unsigned count;
};

enum qrt_err qy_rate_create(struct qy_rate **ret_rate)
{
	struct qy_rate *rate = calloc(1, sizeof(*rate));

	if (rate == NULL) {
		return QRT_ENOMEM;
	}
	*ret_rate = rate;
	return QRT_OK;
}

void qy_rate_destroy(struct qy_rate **rate)
{
	size_t i;

	if (rate == NULL || *rate == NULL) {
		return;
	}
	for (i = 0; i < BUCKETS; i++) {
		while ((*rate)->buckets[i] != NULL) {
			struct window *window = (*rate)->buckets[i];

			(*rate)->buckets[i] = window->next;
			free(window);
		}
	}
	free(*rate);
	*rate = NULL;
}

static struct window **bucket_of(struct qy_rate *rate, const char *key)
{
	unsigned hash = 5381;

	for (; *key != '\0'; key++) {
		hash = hash * 33 + (unsigned char)*key;
	}
	return &rate->buckets[hash % BUCKETS];
}

/* Where the window of @key hangs; what it points at is NULL when there is none. */
static struct window **find(struct qy_rate *rate, const char *key)
{
	struct window **at = bucket_of(rate, key);

	while (*at != NULL && strcmp((*at)->key, key) != 0) {
		at = &(*at)->next;
	}
	return at;
}

static void drop(struct qy_rate *rate, struct window **at)
{
	struct window *window = *at;

	*at = window->next;
	free(window);
	rate->count--;
}

/* A window nobody called into for a minute says nothing any more. */
static void drop_idle(struct qy_rate *rate, int64_t now_ns)
{
	size_t i;

	for (i = 0; i < BUCKETS; i++) {
		struct window **at = &rate->buckets[i];

		while (*at != NULL) {
			if (now_ns - (*at)->last_ns >= WINDOW_NS) {
				drop(rate, at);
			} else {
				at = &(*at)->next;
			}
		}
	}
}

static enum qrt_err add(struct qy_rate *rate, const char *key, unsigned per_minute, int64_t now_ns,
			struct window **ret_window)
{
	unsigned per_slot = (per_minute + SLOTS_MAX - 1) / SLOTS_MAX;
	unsigned size = (per_minute + per_slot - 1) / per_slot;
	struct window *window, **bucket = bucket_of(rate, key);

	if (rate->count == QY_RATE_KEYS_MAX) {
		drop_idle(rate, now_ns);
	}
	if (rate->count == QY_RATE_KEYS_MAX) {
		return QRT_ELIMIT;
	}
	window = calloc(1, sizeof(*window) + size * sizeof(window->slots[0]));
	if (window == NULL) {
		return QRT_ENOMEM;
	}
	memcpy(window->key, key, strlen(key) + 1);
	window->per_minute = per_minute;
	window->per_slot = per_slot;
	window->size = size;
	window->next = *bucket;
	*bucket = window;
	rate->count++;
	*ret_window = window;
	return QRT_OK;
}

static void forget_old(struct window *window, int64_t now_ns)
{
	while (window->count > 0 && now_ns - window->slots[window->first].last_ns >= WINDOW_NS) {
		window->calls -= window->slots[window->first].calls;
		window->first = (window->first + 1) % window->size;
		window->count--;
	}
}

static void count_call(struct window *window, int64_t now_ns)
{
	struct slot *last = NULL;

	if (window->count > 0) {
		last = &window->slots[(window->first + window->count - 1) % window->size];
	}
	if (last == NULL || last->calls == window->per_slot) {
		QRT_ASSERT(window->count < window->size);
		last = &window->slots[(window->first + window->count) % window->size];
		last->calls = 0;
		window->count++;
	}
	last->calls++;
	last->last_ns = now_ns;
	window->calls++;
	window->last_ns = now_ns;
}

static void judge(struct window *window, int64_t now_ns, struct qy_rate_verdict *verdict)
{
	memset(verdict, 0, sizeof(*verdict));
	forget_old(window, now_ns);
	if (window->calls >= window->per_minute) {
		QRT_SOMETIMES("a key has used up its minute");
		int64_t wait_ns = window->slots[window->first].last_ns + WINDOW_NS - now_ns;

		verdict->retry_after_seconds = (unsigned)((wait_ns + SECOND_NS - 1) / SECOND_NS);
		return;
	}
	count_call(window, now_ns);
	verdict->allowed = true;
	if (!window->reported || now_ns - window->reported_ns >= WINDOW_NS) {
		verdict->first_this_minute = true;
		window->reported = true;
		window->reported_ns = now_ns;
	}
}

enum qrt_err qy_rate_take(struct qy_rate *rate, const char *key, unsigned per_minute,
			  int64_t now_ns, struct qy_rate_verdict *ret_verdict)
{
	struct window **at, *window;
	enum qrt_err err;

	if (key[0] == '\0' || strlen(key) > QY_RATE_NAME_MAX || per_minute == 0) {
		return QRT_EINVAL;
	}
	at = find(rate, key);
	if (*at != NULL && (*at)->per_minute != per_minute) {
		drop(rate, at);
		at = find(rate, key);
	}
	window = *at;
	if (window == NULL) {
		err = add(rate, key, per_minute, now_ns, &window);
		if (err) {
			return err;
		}
	}
	judge(window, now_ns, ret_verdict);
	return QRT_OK;
}
