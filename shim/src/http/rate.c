/* A sliding window per key: a ring of the calls in it, oldest first. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <qrt/rate.h>
#include <qrt/sometimes.h>

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
	char key[QRT_RATE_NAME_MAX + 1];
	unsigned per_minute;
	unsigned per_slot;
	int64_t last_ns;     /* the last allowed call */
	int64_t reported_ns; /* the last one that was the first of a minute */
	bool reported;
	unsigned calls; /* in all slots */
	unsigned first, count, size;
	struct slot slots[];
};

struct qrt_rate {
	pthread_mutex_t lock; /* held for one call of a key; over all windows only when full */
	struct window *buckets[BUCKETS];
	unsigned count;
};

enum qrt_err qrt_rate_create(struct qrt_rate **ret_rate)
{
	struct qrt_rate *rate = calloc(1, sizeof(*rate));

	if (rate == NULL) {
		return QRT_ENOMEM;
	}
	pthread_mutex_init(&rate->lock, NULL);
	*ret_rate = rate;
	return QRT_OK;
}

void qrt_rate_destroy(struct qrt_rate **rate)
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
	pthread_mutex_destroy(&(*rate)->lock);
	free(*rate);
	*rate = NULL;
}

static struct window **bucket_of(struct qrt_rate *rate, const char *key)
{
	unsigned hash = 5381;

	for (; *key != '\0'; key++) {
		hash = hash * 33 + (unsigned char)*key;
	}
	return &rate->buckets[hash % BUCKETS];
}

/* Where the window of @key hangs; what it points at is NULL when there is none. */
static struct window **find(struct qrt_rate *rate, const char *key)
{
	struct window **at = bucket_of(rate, key);

	while (*at != NULL && strcmp((*at)->key, key) != 0) {
		at = &(*at)->next;
	}
	return at;
}

static void drop(struct qrt_rate *rate, struct window **at)
{
	struct window *window = *at;

	*at = window->next;
	free(window);
	rate->count--;
}

/* A window nobody called into for a minute says nothing any more. */
static void drop_idle(struct qrt_rate *rate, int64_t now_ns)
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

static enum qrt_err add(struct qrt_rate *rate, const char *key, unsigned per_minute, int64_t now_ns,
			struct window **ret_window)
{
	unsigned per_slot = (per_minute + SLOTS_MAX - 1) / SLOTS_MAX;
	unsigned size = (per_minute + per_slot - 1) / per_slot;
	struct window *window, **bucket = bucket_of(rate, key);

	if (rate->count == QRT_RATE_KEYS_MAX) {
		drop_idle(rate, now_ns);
	}
	if (rate->count == QRT_RATE_KEYS_MAX) {
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

/* Two threads read their clocks before they come here: one may be behind, by no more than that. */
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

static void judge(struct window *window, int64_t now_ns, struct qrt_rate_verdict *verdict)
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

/* The window of @key, made when there is none, or none for this rate. */
static enum qrt_err window_of(struct qrt_rate *rate, const char *key, unsigned per_minute,
			      int64_t now_ns, struct window **ret_window)
{
	struct window **at = find(rate, key);

	if (*at != NULL && (*at)->per_minute != per_minute) {
		drop(rate, at);
		at = find(rate, key);
	}
	if (*at == NULL) {
		return add(rate, key, per_minute, now_ns, ret_window);
	}
	*ret_window = *at;
	return QRT_OK;
}

enum qrt_err qrt_rate_take(struct qrt_rate *rate, const char *key, unsigned per_minute,
			   int64_t now_ns, struct qrt_rate_verdict *ret_verdict)
{
	struct window *window = NULL;
	enum qrt_err err;

	if (key[0] == '\0' || strlen(key) > QRT_RATE_NAME_MAX || per_minute == 0) {
		return QRT_EINVAL;
	}
	pthread_mutex_lock(&rate->lock);
	err = window_of(rate, key, per_minute, now_ns, &window);
	if (!err) {
		judge(window, now_ns, ret_verdict);
	}
	pthread_mutex_unlock(&rate->lock);
	return err;
}
