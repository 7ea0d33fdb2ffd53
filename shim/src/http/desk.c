/* Desks on a list; beyond so many spare ones their memory goes. */
#include "shim/src/http/desk.h"

#include <stdlib.h>
#include <string.h>

#define SPARE_MAX 64u

void qrt__http_desks_init(struct qrt__http_desks *desks, const struct qrt__http_limits *limits)
{
	qrt__list_init(&desks->spare);
	desks->n_spare = 0;
	desks->limits = *limits;
}

static struct qrt__http_desk *spare_take(struct qrt__http_desks *desks)
{
	struct qrt__http_desk *desk =
	    QRT__CONTAINER(desks->spare.prev, struct qrt__http_desk, in_spare);
	qrt__list_remove(&desk->in_spare);
	desks->n_spare--;
	return desk;
}

static void desk_free(struct qrt__http_desk *desk)
{
	qrt__http_parser_destroy(&desk->parser);
	free(desk);
}

void qrt__http_desks_fini(struct qrt__http_desks *desks)
{
	while (!qrt__list_empty(&desks->spare)) {
		desk_free(spare_take(desks));
	}
}

static enum qrt_err desk_make(const struct qrt__http_limits *limits,
			      struct qrt__http_desk **ret_desk)
{
	struct qrt__http_desk *desk = malloc(sizeof(*desk));
	if (!desk) {
		return QRT_ENOMEM;
	}
	/* Not the buffer: it is written before it is read. */
	memset(desk, 0, offsetof(struct qrt__http_desk, buf));
	enum qrt_err err = qrt__http_parser_create(limits, &desk->parser);
	if (err) {
		free(desk);
		return err;
	}
	qrt__list_init(&desk->in_spare);
	*ret_desk = desk;
	return QRT_OK;
}

enum qrt_err qrt__http_desk_take(struct qrt__http_desks *desks, struct qrt__http_desk **ret_desk)
{
	if (qrt__list_empty(&desks->spare)) {
		return desk_make(&desks->limits, ret_desk);
	}
	struct qrt__http_desk *desk = spare_take(desks);
	desk->from = desk->to = 0;
	*ret_desk = desk;
	return QRT_OK;
}

void qrt__http_desk_give(struct qrt__http_desks *desks, struct qrt__http_desk **desk)
{
	if (!*desk) {
		return;
	}
	qrt__http_parser_reset((*desk)->parser);
	if (desks->n_spare == SPARE_MAX) {
		desk_free(*desk);
	} else {
		qrt__list_append(&desks->spare, &(*desk)->in_spare);
		desks->n_spare++;
	}
	*desk = NULL;
}
