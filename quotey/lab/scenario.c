/* The memory of a scenario: a chain of chunks that is freed as one. */
#include <stdlib.h>
#include <string.h>

#include "quotey/lab/scenario_internal.h"

enum { CHUNK = 16384, ALIGN = 16 };

struct qy_scenario_pool {
	struct qy_scenario_pool *next;
	size_t used, size;
	char bytes[] __attribute__((aligned(ALIGN)));
};

static struct qy_scenario_pool *add_chunk(struct qy_scenario_reader *reader, size_t n)
{
	size_t size = n > CHUNK ? n : CHUNK;
	struct qy_scenario_pool *chunk = calloc(1, sizeof(*chunk) + size);

	if (!chunk) {
		reader->code = QY_NO_MEMORY;
		return NULL;
	}
	chunk->size = size;
	chunk->next = reader->scenario->pool;
	reader->scenario->pool = chunk;
	return chunk;
}

void *qy_scenario__alloc(struct qy_scenario_reader *reader, size_t n)
{
	struct qy_scenario_pool *chunk = reader->scenario->pool;
	size_t room = (n + ALIGN - 1) / ALIGN * ALIGN;
	void *memory;

	if (!chunk || chunk->size - chunk->used < room) {
		chunk = add_chunk(reader, room);
	}
	if (!chunk) {
		return NULL;
	}
	memory = chunk->bytes + chunk->used;
	chunk->used += room;
	return memory;
}

const char *qy_scenario__copy(struct qy_scenario_reader *reader, const char *bytes, size_t n)
{
	char *copy = qy_scenario__alloc(reader, n + 1);

	if (copy && n > 0) {
		memcpy(copy, bytes, n);
	}
	return copy;
}

void qy_scenario_destroy(struct qy_scenario **scenario)
{
	struct qy_scenario_pool *chunk = *scenario ? (*scenario)->pool : NULL;

	while (chunk) {
		struct qy_scenario_pool *next = chunk->next;

		free(chunk);
		chunk = next;
	}
	free(*scenario);
	*scenario = NULL;
}
