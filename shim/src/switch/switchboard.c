/*
 * The switchboard: which backend each component runs on, and the move.
 *
 *	prepare ──> flip ──> drain ──> retire
 *	   └─ fails: nothing has changed
 *
 * Moves run as tasks of one runtime, the host's; snapshots are for any thread
 * and so the book they read is under a lock.
 */
#include <qrt/switchboard.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim/src/switch/internal.h"

enum { BACKENDS_MAX = 4, HISTORY_MAX = 64 };

#define PREPARE_DEFAULT (10 * QRT_SEC)
#define DRAIN_DEFAULT (10 * QRT_SEC)
#define STOP_DEFAULT (5 * QRT_SEC)

struct slot {
	const struct qrt_component *component;
	struct qrt_port port;
	struct qrt__instance instance[BACKENDS_MAX];
	struct qrt__instance *current, *previous; /* book */
	bool moving;				  /* book */
	uint64_t moves;				  /* book */
	struct qrt__event settled;		  /* no move is under way; host's loop */
};

struct place {
	char backend[16];
	struct qrt_runtime *rt;
};

struct qrt_switchboard {
	struct qrt_switchboard_options opts;
	struct place place[BACKENDS_MAX];
	size_t n_places;
	struct slot *slot[QRT_COMPONENTS_MAX];
	size_t n_slots;
	struct qrt_runtime *host; /* whose tasks move things */
	pthread_mutex_t lock;	  /* the book: what snapshots read */
	struct qrt_move history[HISTORY_MAX];
	uint64_t n_moves;
};

enum qrt_err qrt_switchboard_create(const struct qrt_switchboard_options *opts,
				    struct qrt_switchboard **ret_sb)
{
	struct qrt_switchboard *sb = calloc(1, sizeof(*sb));
	if (!sb) {
		return QRT_ENOMEM;
	}
	if (opts) {
		sb->opts = *opts;
	}
	if (!sb->opts.prepare_max_ns) {
		sb->opts.prepare_max_ns = PREPARE_DEFAULT;
	}
	if (!sb->opts.drain_max_ns) {
		sb->opts.drain_max_ns = DRAIN_DEFAULT;
	}
	pthread_mutex_init(&sb->lock, NULL);
	*ret_sb = sb;
	return QRT_OK;
}

void qrt_switchboard_destroy(struct qrt_switchboard **sb_ptr)
{
	struct qrt_switchboard *sb = *sb_ptr;
	if (!sb) {
		return;
	}
	for (size_t i = 0; i < sb->n_slots; i++) {
		QRT_ASSERT(!sb->slot[i]->moving);
		free(sb->slot[i]);
	}
	pthread_mutex_destroy(&sb->lock);
	free(sb);
	*sb_ptr = NULL;
}

enum qrt_err qrt_switchboard_add_runtime(struct qrt_switchboard *sb, const char *backend,
					 struct qrt_runtime *rt)
{
	if (sb->n_places == BACKENDS_MAX || sb->n_slots > 0) {
		return QRT_ESTATE; /* places first: an instance per place is made with the slot */
	}
	struct place *place = &sb->place[sb->n_places++];
	snprintf(place->backend, sizeof(place->backend), "%s", backend);
	place->rt = rt;
	return QRT_OK;
}

static struct slot *find_slot(struct qrt_switchboard *sb, const char *component)
{
	for (size_t i = 0; i < sb->n_slots; i++) {
		if (strcmp(sb->slot[i]->component->name, component) == 0) {
			return sb->slot[i];
		}
	}
	return NULL;
}

enum qrt_err qrt_switchboard_add_component(struct qrt_switchboard *sb,
					   const struct qrt_component *component, void *env)
{
	QRT_PRE(component->name && component->start && component->stop);
	QRT_PRE(!component->resume == !component->drain);
	if (find_slot(sb, component->name)) {
		return QRT_EEXIST;
	}
	if (sb->n_slots == QRT_COMPONENTS_MAX) {
		return QRT_ELIMIT;
	}
	struct slot *slot = calloc(1, sizeof(*slot));
	if (!slot) {
		return QRT_ENOMEM;
	}
	slot->component = component;
	slot->port.name = component->name;
	for (size_t i = 0; i < sb->n_places; i++) {
		qrt__instance_init(&slot->instance[i], component, env, sb->place[i].backend,
				   sb->place[i].rt);
	}
	qrt__event_init(&slot->settled);
	sb->slot[sb->n_slots++] = slot;
	return QRT_OK;
}

struct qrt_port *qrt_switchboard_port(struct qrt_switchboard *sb, const char *component)
{
	struct slot *slot = find_slot(sb, component);
	return slot ? &slot->port : NULL;
}

/* --- the move ------------------------------------------------------------------------------- */

static int64_t now(struct qrt_cx *cx)
{
	return qrt__now(cx->task->rt);
}

static enum qrt_err prepare(struct qrt_cx *cx, struct qrt_switchboard *sb, struct qrt__instance *to,
			    struct qrt_move *move)
{
	int64_t begun = now(cx);
	enum qrt_err err =
	    qrt__instance_start(cx, to, qrt_deadline_in(cx, sb->opts.prepare_max_ns));
	move->prepare_ns = now(cx) - begun;
	return err ? qrt_prefix(cx, err, "prepare") : QRT_OK;
}

static enum qrt_err flip(struct qrt_cx *cx, struct qrt_switchboard *sb, struct slot *slot,
			 struct qrt__instance *to, struct qrt_move *move)
{
	int64_t begun = now(cx);
	enum qrt_err err =
	    qrt__instance_resume(cx, to, qrt_deadline_in(cx, sb->opts.prepare_max_ns));
	if (err) {
		return qrt_prefix(cx, err, "resume");
	}
	pthread_mutex_lock(&sb->lock);
	struct qrt__instance *from = slot->current;
	move->in_flight_at_flip = from ? qrt__instance_in_flight(from) : 0;
	slot->previous = from;
	slot->current = to;
	slot->moves++;
	pthread_mutex_unlock(&sb->lock);
	atomic_store(&slot->port.active, to);
	move->flip_ns = now(cx) - begun;
	return QRT_OK;
}

/* A straggler does not undo a move: it is named, and stays owned by its instance. */
static void drain(struct qrt_cx *cx, struct qrt_switchboard *sb, struct qrt__instance *from,
		  struct qrt_move *move)
{
	int64_t begun = now(cx);
	enum qrt_err err =
	    qrt__instance_drain(cx, from, qrt_deadline_in(cx, sb->opts.drain_max_ns));
	move->drain_ns = now(cx) - begun;
	if (err) {
		move->stragglers = qrt__instance_in_flight(from);
		snprintf(move->detail, sizeof(move->detail),
			 "drain of %s: %s; %llu still under way", from->backend,
			 qrt_detail(cx)[0] ? qrt_detail(cx) : qrt_err_text(err),
			 (unsigned long long)move->stragglers);
	}
}

static enum qrt_err move_slot(struct qrt_cx *cx, struct qrt_switchboard *sb, struct slot *slot,
			      struct qrt__instance *to, struct qrt_move *move)
{
	struct qrt__instance *from = slot->current;
	if (from == to) {
		return QRT_OK;
	}
	enum qrt_err err = prepare(cx, sb, to, move);
	if (!err) {
		err = flip(cx, sb, slot, to, move);
	}
	if (err) {
		snprintf(move->detail, sizeof(move->detail), "%s", qrt_detail(cx));
		return err;
	}
	if (from) {
		drain(cx, sb, from, move);
	}
	return QRT_OK;
}

static void journal(struct qrt_cx *cx, struct qrt_switchboard *sb, struct qrt_move *move)
{
	pthread_mutex_lock(&sb->lock);
	move->seq = ++sb->n_moves;
	sb->history[(move->seq - 1) % HISTORY_MAX] = *move;
	pthread_mutex_unlock(&sb->lock);
	if (sb->opts.journal) {
		sb->opts.journal(cx, sb->opts.journal_arg, move);
	}
}

static enum qrt_err lock_slot(struct qrt_cx *cx, struct qrt_switchboard *sb, struct slot *slot)
{
	struct qrt_runtime *rt = cx->task->rt;
	if (sb->host && sb->host != rt) {
		return qrt_fail(cx, QRT_ESTATE, "moves belong to runtime %s", sb->host->name);
	}
	sb->host = rt;
	enum qrt_err err = QRT_OK;
	while (!err && slot->moving) {
		qrt__event_clear(&slot->settled);
		err = qrt__event_wait(cx, &slot->settled, QRT_NO_DEADLINE);
	}
	if (!err) {
		pthread_mutex_lock(&sb->lock);
		slot->moving = true;
		pthread_mutex_unlock(&sb->lock);
	}
	return err;
}

static void unlock_slot(struct qrt_switchboard *sb, struct slot *slot)
{
	pthread_mutex_lock(&sb->lock);
	slot->moving = false;
	pthread_mutex_unlock(&sb->lock);
	qrt__event_set(&slot->settled);
}

static struct qrt__instance *find_instance(struct qrt_switchboard *sb, struct slot *slot,
					   const char *backend)
{
	for (size_t i = 0; i < sb->n_places; i++) {
		if (strcmp(sb->place[i].backend, backend) == 0) {
			return &slot->instance[i];
		}
	}
	return NULL;
}

static void move_init(struct qrt_cx *cx, struct qrt_move *move, const char *component,
		      const char *backend, const char *actor, const char *reason)
{
	*move = (struct qrt_move){.at_wall_ms = cx->task->rt->driver->wall_ms(cx->task->rt)};
	snprintf(move->component, sizeof(move->component), "%s", component);
	snprintf(move->to, sizeof(move->to), "%s", backend);
	snprintf(move->actor, sizeof(move->actor), "%s", actor);
	snprintf(move->reason, sizeof(move->reason), "%s", reason);
}

/* Moves the locked slot to where @to says (NULL: to where it was before) and journals it. */
static enum qrt_err move_locked(struct qrt_cx *cx, struct qrt_switchboard *sb, struct slot *slot,
				struct qrt__instance *to, struct qrt_move *move)
{
	int64_t begun = now(cx);
	cx->task->detail[0] = '\0';
	if (slot->current) {
		snprintf(move->from, sizeof(move->from), "%s", slot->current->backend);
	}
	enum qrt_err err;
	if (!to && !slot->previous) {
		err = QRT_ESTATE;
		snprintf(move->detail, sizeof(move->detail), "%s was never moved", move->component);
	} else {
		to = to ? to : slot->previous;
		snprintf(move->to, sizeof(move->to), "%s", to->backend);
		err = move_slot(cx, sb, slot, to, move);
	}
	move->err = err;
	move->total_ns = now(cx) - begun;
	return err;
}

/* @backend NULL: a rollback. */
static enum qrt_err change(struct qrt_cx *cx, struct qrt_switchboard *sb, const char *component,
			   const char *backend, struct qrt_move *move)
{
	QRT__ANCHORED(cx);
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_ADMIN);
	struct slot *slot = err ? NULL : find_slot(sb, component);
	struct qrt__instance *to = NULL;
	if (!err && !slot) {
		err = qrt_fail(cx, QRT_ENOENT, "unknown component \"%s\"", component);
	} else if (!err && backend && !(to = find_instance(sb, slot, backend))) {
		err = qrt_fail(cx, QRT_ENOTSUP, "backend \"%s\" is not available here", backend);
	}
	if (!err) {
		err = lock_slot(cx, sb, slot);
	}
	if (err) {
		move->err = err;
		snprintf(move->detail, sizeof(move->detail), "%s", qrt_detail(cx));
		journal(cx, sb, move);
		return err;
	}
	err = move_locked(cx, sb, slot, to, move);
	journal(cx, sb, move);
	unlock_slot(sb, slot);
	return err ? qrt_fail(cx, err, "%s", move->detail) : QRT_OK;
}

enum qrt_err qrt_switchboard_move(struct qrt_cx *cx, struct qrt_switchboard *sb,
				  const char *component, const char *backend, const char *actor,
				  const char *reason, struct qrt_move *ret_move)
{
	move_init(cx, ret_move, component, backend, actor, reason);
	return change(cx, sb, component, backend, ret_move);
}

enum qrt_err qrt_switchboard_rollback(struct qrt_cx *cx, struct qrt_switchboard *sb,
				      const char *component, const char *actor, const char *reason,
				      struct qrt_move *ret_move)
{
	move_init(cx, ret_move, component, "", actor, reason);
	return change(cx, sb, component, NULL, ret_move);
}

/* --- the end --------------------------------------------------------------------------------- */

static enum qrt_err stop_slot(struct qrt_cx *cx, struct qrt_switchboard *sb, struct slot *slot)
{
	enum qrt_err err = QRT_OK;
	int64_t deadline = qrt_deadline_in(cx, sb->opts.drain_max_ns);
	if (cx->deadline_ns < deadline) {
		deadline = cx->deadline_ns;
	}
	if (slot->current) {
		err = qrt__instance_drain(cx, slot->current, deadline);
	}
	atomic_store(&slot->port.active, NULL);
	/* Out of the book first: a snapshot must not ask an instance that is being stopped. */
	pthread_mutex_lock(&sb->lock);
	slot->current = NULL;
	slot->previous = NULL;
	pthread_mutex_unlock(&sb->lock);
	for (size_t i = 0; i < sb->n_places; i++) {
		enum qrt_err stop =
		    qrt__instance_stop(cx, &slot->instance[i], qrt_deadline_in(cx, STOP_DEFAULT));
		err = err ? err : stop;
	}
	return err;
}

enum qrt_err qrt_switchboard_stop(struct qrt_cx *cx, struct qrt_switchboard *sb)
{
	QRT__ANCHORED(cx);
	enum qrt_err err = qrt_cx_require(cx, QRT_CAP_ADMIN);
	if (err) {
		return err;
	}
	for (size_t i = sb->n_slots; i-- > 0;) {
		enum qrt_err stop = lock_slot(cx, sb, sb->slot[i]);
		if (!stop) {
			stop = stop_slot(cx, sb, sb->slot[i]);
			unlock_slot(sb, sb->slot[i]);
		}
		err = err ? err : stop;
	}
	return err;
}

/* --- snapshots ------------------------------------------------------------------------------- */

size_t qrt_switchboard_stages(struct qrt_switchboard *sb, struct qrt_stage *stages, size_t n_max)
{
	size_t n = 0;
	pthread_mutex_lock(&sb->lock);
	for (; n < sb->n_slots && n < n_max; n++) {
		struct slot *slot = sb->slot[n];
		struct qrt_stage *stage = &stages[n];
		*stage = (struct qrt_stage){.moving = slot->moving, .moves = slot->moves};
		snprintf(stage->component, sizeof(stage->component), "%s", slot->component->name);
		if (slot->current) {
			snprintf(stage->backend, sizeof(stage->backend), "%s",
				 slot->current->backend);
			stage->in_flight = qrt__instance_in_flight(slot->current);
		}
		if (slot->previous) {
			snprintf(stage->previous, sizeof(stage->previous), "%s",
				 slot->previous->backend);
		}
	}
	pthread_mutex_unlock(&sb->lock);
	return n;
}

/* Adds what one more instance says, which says the same things in the same order. */
static size_t add_figures(struct qrt__instance *instance, struct qrt_figure *figures, size_t n,
			  size_t n_max)
{
	struct qrt_figure own[QRT_FIGURES_MAX];
	size_t n_own = qrt__instance_figures(instance, own, QRT_FIGURES_MAX);
	for (size_t i = 0; i < n_own && i < n_max; i++) {
		uint64_t before = i < n ? figures[i].value : 0;
		figures[i] = own[i];
		figures[i].value += before;
	}
	n_own = n_own < n_max ? n_own : n_max;
	return n_own > n ? n_own : n;
}

size_t qrt_switchboard_figures(struct qrt_switchboard *sb, const char *component,
			       struct qrt_figure *figures, size_t n_max)
{
	size_t n = 0;
	pthread_mutex_lock(&sb->lock);
	for (size_t i = 0; i < sb->n_slots; i++) {
		struct slot *slot = sb->slot[i];
		if (strcmp(slot->component->name, component) != 0) {
			continue;
		}
		if (slot->current) {
			n = add_figures(slot->current, figures, n, n_max);
		}
		if (slot->previous && slot->previous != slot->current) {
			n = add_figures(slot->previous, figures, n, n_max);
		}
	}
	pthread_mutex_unlock(&sb->lock);
	return n;
}

size_t qrt_switchboard_history(struct qrt_switchboard *sb, struct qrt_move *moves, size_t n_max)
{
	pthread_mutex_lock(&sb->lock);
	uint64_t kept = sb->n_moves < HISTORY_MAX ? sb->n_moves : HISTORY_MAX;
	size_t n = kept < n_max ? (size_t)kept : n_max;
	for (size_t i = 0; i < n; i++) {
		moves[i] = sb->history[(sb->n_moves - 1 - i) % HISTORY_MAX];
	}
	pthread_mutex_unlock(&sb->lock);
	return n;
}
