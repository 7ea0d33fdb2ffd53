/*
 * What clients have agreed on with servers, to resume it: a list, the newest
 * first, which is short enough to be searched. Never knows what a session is.
 */
#include <stdlib.h>

#include "shim/src/tls/tls.h"

struct entry {
	struct qrt__list node;
	void *session;
	char key[];
};

struct qrt__tls_sessions {
	pthread_mutex_t lock;
	void (*drop)(void *session);
	struct qrt__list entries; /* the newest last */
	size_t n;
};

struct qrt__tls_sessions *qrt__tls_sessions_create(void (*drop)(void *session))
{
	struct qrt__tls_sessions *sessions = calloc(1, sizeof(*sessions));
	if (sessions) {
		pthread_mutex_init(&sessions->lock, NULL);
		qrt__list_init(&sessions->entries);
		sessions->drop = drop;
	}
	return sessions;
}

/* Out of the list; its session is the caller's. */
static void *entry_remove(struct qrt__tls_sessions *sessions, struct entry *entry)
{
	void *session = entry->session;
	qrt__list_remove(&entry->node);
	sessions->n--;
	free(entry);
	return session;
}

void qrt__tls_sessions_destroy(struct qrt__tls_sessions **sessions_ptr)
{
	struct qrt__tls_sessions *sessions = *sessions_ptr;
	*sessions_ptr = NULL;
	if (!sessions) {
		return;
	}
	while (!qrt__list_empty(&sessions->entries)) {
		struct entry *entry = QRT__CONTAINER(sessions->entries.next, struct entry, node);
		sessions->drop(entry_remove(sessions, entry));
	}
	pthread_mutex_destroy(&sessions->lock);
	free(sessions);
}

/* The oldest or the newest of @key, and how many there are; NULL: none. */
static struct entry *find(struct qrt__tls_sessions *sessions, const char *key, bool newest,
			  size_t *ret_n)
{
	struct entry *found = NULL;
	size_t n = 0;
	QRT__LIST_EACH(node, &sessions->entries) {
		struct entry *entry = QRT__CONTAINER(node, struct entry, node);
		if (strcmp(entry->key, key) == 0) {
			n++;
			if (newest || !found) {
				found = entry;
			}
		}
	}
	*ret_n = n;
	return found;
}

void qrt__tls_sessions_put(struct qrt__tls_sessions *sessions, const char *key, void *session)
{
	size_t n, size = strlen(key) + 1;
	struct entry *entry = calloc(1, sizeof(*entry) + size);
	void *too_many = session;
	if (entry) {
		memcpy(entry->key, key, size);
		entry->session = session;
		pthread_mutex_lock(&sessions->lock);
		struct entry *oldest = find(sessions, key, false, &n);
		if (n < QRT__TLS_SESSIONS_PER_KEY) {
			oldest = sessions->n < QRT__TLS_SESSIONS_MAX
				     ? NULL
				     : QRT__CONTAINER(sessions->entries.next, struct entry, node);
		}
		too_many = oldest ? entry_remove(sessions, oldest) : NULL;
		qrt__list_append(&sessions->entries, &entry->node);
		sessions->n++;
		pthread_mutex_unlock(&sessions->lock);
	}
	if (too_many) {
		sessions->drop(too_many);
	}
}

void *qrt__tls_sessions_take(struct qrt__tls_sessions *sessions, const char *key)
{
	size_t n;
	pthread_mutex_lock(&sessions->lock);
	struct entry *entry = find(sessions, key, true, &n);
	void *session = entry ? entry_remove(sessions, entry) : NULL;
	pthread_mutex_unlock(&sessions->lock);
	return session;
}
