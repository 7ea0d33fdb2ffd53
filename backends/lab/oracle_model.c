/* The model's memory: so many nodes and no more, found by kind and key. */
#include "backends/lab/oracle.h"

#include <stdlib.h>

_Static_assert(sizeof(struct qrt__known_region) <= QRT__NODE_BYTES, "a region is a node");
_Static_assert(sizeof(struct qrt__known_task) <= QRT__NODE_BYTES, "a task is a node");
_Static_assert(QRT__NODE_BYTES % 16 == 0, "nodes are aligned");

struct qrt__model *qrt__model_new(void)
{
	/* It is large: nodes are cleared as they are taken, and what is never used costs nothing.
	 */
	struct qrt__model *model = malloc(sizeof(*model));
	if (model) {
		memset(model, 0, offsetof(struct qrt__model, node));
	}
	return model;
}

static size_t bucket_of(enum qrt__node_kind kind, uint64_t key)
{
	uint64_t mixed = (key ^ ((uint64_t)kind << 56)) * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(mixed >> 50) % QRT__BUCKETS;
}

void *qrt__model_take(struct qrt__model *model, enum qrt__node_kind kind, uint64_t key)
{
	struct qrt__node *node = model->free;
	if (node) {
		model->free = node->next;
	} else if (model->n_used < QRT__NODES_MAX) {
		node = (struct qrt__node *)(void *)model->node[model->n_used++];
	} else {
		model->blind = true;
		return NULL;
	}
	memset(node, 0, QRT__NODE_BYTES);
	node->kind = kind;
	node->key = key;
	return node;
}

void *qrt__model_add(struct qrt__model *model, enum qrt__node_kind kind, uint64_t key)
{
	struct qrt__node *node = qrt__model_take(model, kind, key);
	if (node) {
		struct qrt__node **bucket = &model->bucket[bucket_of(kind, key)];
		node->next = *bucket;
		*bucket = node;
	}
	return node;
}

void *qrt__model_find(const struct qrt__model *model, enum qrt__node_kind kind, uint64_t key)
{
	struct qrt__node *node = model->bucket[bucket_of(kind, key)];
	while (node && (node->key != key || node->kind != kind)) {
		node = node->next;
	}
	return node;
}

void qrt__model_drop(struct qrt__model *model, void *node)
{
	struct qrt__node *dropped = node;
	struct qrt__node **at = &model->bucket[bucket_of(dropped->kind, dropped->key)];
	while (*at != dropped) {
		at = &(*at)->next;
	}
	*at = dropped->next;
	qrt__model_give(model, dropped);
}

void qrt__model_give(struct qrt__model *model, void *node)
{
	struct qrt__node *given = node;
	given->kind = QRT__NODE_FREE;
	given->next = model->free;
	model->free = given;
}
