/* An intrusive doubly linked list: a head is a node that points to itself when empty. */
#ifndef QRT_LIST_H
#define QRT_LIST_H

#include <qrt/base.h>

#define QRT__CONTAINER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#define QRT__LIST_EACH(node, head)                                                                 \
	for (struct qrt__list *node = (head)->next, *node##_next = node->next; node != (head);     \
	     node = node##_next, node##_next = node->next)

static inline void qrt__list_init(struct qrt__list *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool qrt__list_empty(const struct qrt__list *head)
{
	return head->next == head;
}

static inline void qrt__list_append(struct qrt__list *head, struct qrt__list *node)
{
	node->next = head;
	node->prev = head->prev;
	head->prev->next = node;
	head->prev = node;
}

/* Leaves @node empty, so that a second removal does no harm. */
static inline void qrt__list_remove(struct qrt__list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	qrt__list_init(node);
}

static inline struct qrt__list *qrt__list_pop(struct qrt__list *head)
{
	struct qrt__list *node = head->next;
	qrt__list_remove(node);
	return node;
}

#endif
