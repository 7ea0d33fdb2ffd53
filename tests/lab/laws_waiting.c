/*
 * Laws of waiting: a line is served in order, whoever leaves it; a turn that
 * came to somebody who was cancelled goes to the next; a select commits once.
 *
 * Whatever one waits for here is units that are lent: a mutex has one, a
 * channel as many as it has room, a queued element is one. That makes the
 * model of all of them the same few lines.
 */
#include <qrt/chan.h>
#include <qrt/sync.h>

#include "tests/lab/laws.h"

enum { WAITERS = 10, UNITS_MAX = 4, ACTIONS_MAX = WAITERS + UNITS_MAX };

#define HOUR (3600 * QRT_SEC)

static int64_t now_of(const struct qrt_cx *cx)
{
	return qrt_deadline_in(cx, 0);
}

static enum qrt_err stay(struct qrt_cx *cx)
{
	QRT_IGNORE(qrt_sleep(cx, HOUR), "whoever asked it to end has taken what it held");
	return QRT_OK;
}

/* --- a line --------------------------------------------------------------------------------- */

enum thing { MUTEX, SEMAPHORE, RWLOCK, ROOM, ELEMENT, NOTIFICATION, THINGS };

static const char *const thing_names[] = {"mutex", "semaphore", "rwlock",
					  "room",  "element",	"notification"};

/* What somebody holds: the one or the other. */
struct grip {
	bool held;
	size_t units;
	struct qrt_lease lease;
	struct qrt_permit permit;
};

enum standing { COMING, WAITING, SERVED, LEFT };

struct waiter {
	struct line *line;
	struct qrt_region *region; /* its own, to be cancelled alone */
	size_t units;
	enum standing is, ought;
	uint64_t came; /* the how-manieth in line */
	enum qrt_err err;
	uint64_t element;
	struct grip grip;
};

struct line {
	struct law_run *run;
	enum thing thing;
	size_t capacity;
	struct qrt_mutex *mutex;
	struct qrt_semaphore *semaphore;
	struct qrt_rwlock *rwlock;
	struct qrt_chan *chan;
	struct qrt_notify *notify;
	struct waiter waiters[WAITERS];
	size_t n;
	uint64_t came; /* so many have stood in line */
	uint64_t sent, received;
	struct grip own[UNITS_MAX]; /* what the law itself holds */
	size_t available;	    /* as it ought to be */
};

static void open_thing(struct qrt_cx *cx, struct line *line)
{
	switch (line->thing) {
	case MUTEX:
		line->capacity = 1;
		LAW(!qrt_mutex_open(cx, &line->mutex));
		break;
	case SEMAPHORE:
		LAW(!qrt_semaphore_open(cx, line->capacity, &line->semaphore));
		break;
	case RWLOCK:
		line->capacity = 2 * WAITERS; /* so many could read */
		LAW(!qrt_rwlock_open(cx, &line->rwlock));
		break;
	case ROOM:
		LAW(!qrt_chan_open(cx, sizeof(uint64_t), line->capacity, NULL, &line->chan));
		break;
	case ELEMENT:
		LAW(!qrt_chan_open(cx, sizeof(uint64_t), 1000, NULL, &line->chan));
		break;
	default:
		LAW(!qrt_notify_open(cx, &line->notify));
		break;
	}
}

static void close_thing(struct line *line)
{
	LAW(!qrt_mutex_close(&line->mutex));
	LAW(!qrt_semaphore_close(&line->semaphore));
	LAW(!qrt_rwlock_close(&line->rwlock));
	LAW(!qrt_chan_close(&line->chan));
	LAW(!qrt_notify_close(&line->notify));
}

/* Who wants a rwlock for itself wants all there is. */
static size_t draw_units(struct line *line)
{
	struct qrt__lab_random *draw = &line->run->draw;
	if (line->thing == RWLOCK) {
		return draw_chance(draw, 50) ? 1 : line->capacity;
	}
	return line->thing == SEMAPHORE ? 1 + draw_below(draw, line->capacity) : 1;
}

static enum qrt_err wait_for(struct qrt_cx *cx, struct line *line, struct waiter *waiter)
{
	struct grip *grip = &waiter->grip;
	switch (line->thing) {
	case MUTEX:
		return qrt_mutex_lock(cx, line->mutex, &grip->lease);
	case SEMAPHORE:
		return qrt_acquire(cx, line->semaphore, waiter->units, &grip->lease);
	case RWLOCK:
		return waiter->units == 1 ? qrt_rwlock_read(cx, line->rwlock, &grip->lease)
					  : qrt_rwlock_write(cx, line->rwlock, &grip->lease);
	case ROOM:
		return qrt_reserve(cx, line->chan, &grip->permit);
	case ELEMENT:
		return qrt_chan_recv(cx, line->chan, &waiter->element);
	default:
		return qrt_notify_wait(cx, line->notify);
	}
}

/* What is given back by those who have it; an element and a notification are used up. */
static bool is_lent(const struct line *line)
{
	return line->thing != ELEMENT && line->thing != NOTIFICATION;
}

static enum qrt_err wait_in_line(struct qrt_cx *cx, void *arg)
{
	struct waiter *waiter = arg;
	struct line *line = waiter->line;
	waiter->is = WAITING;
	waiter->came = line->came++;
	waiter->err = wait_for(cx, line, waiter);
	waiter->is = waiter->err ? LEFT : SERVED;
	if (waiter->err || !is_lent(line)) {
		return QRT_OK;
	}
	waiter->grip.held = true;
	waiter->grip.units = waiter->units;
	return stay(cx);
}

/* Gives each waiter a region that can be cancelled without touching another's. */
static enum qrt_err keep(struct qrt_cx *cx, void *arg)
{
	struct waiter *waiter = arg;
	struct qrt_region *region;
	LAW(!qrt_region_open(cx, QRT_COLLECT, &region));
	waiter->region = region;
	LAW(!qrt_spawn(region, wait_in_line, waiter));
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "what was cancelled says so");
	return QRT_OK;
}

/* Of those who are still in line, the one who has waited longest; NULL: nobody. */
static struct waiter *head(struct line *line)
{
	struct waiter *first = NULL;
	for (size_t i = 0; i < line->n; i++) {
		struct waiter *waiter = &line->waiters[i];
		if (waiter->ought == WAITING && (!first || waiter->came < first->came)) {
			first = waiter;
		}
	}
	return first;
}

/* First come, first served, and nobody overtakes who wants more. */
static void serve(struct line *line)
{
	struct waiter *next;
	while ((next = head(line)) && next->units <= line->available) {
		line->available -= next->units;
		next->ought = SERVED;
	}
}

static void compare(struct line *line)
{
	uint64_t received = line->received;
	for (size_t i = 0; i < line->n; i++) {
		struct waiter *waiter = &line->waiters[i];
		law_tell(line->run, "waiter %zu came %d for %zu: %d, ought %d (%s)", i,
			 (int)waiter->came, waiter->units, waiter->is, waiter->ought,
			 qrt_err_name(waiter->err));
		LAW(waiter->is == waiter->ought);
		LAW(waiter->is != LEFT || waiter->err == QRT_ECANCELED);
		received += waiter->is == SERVED && waiter->element > line->received;
	}
	/* Elements come out in the order in which they went in: no later one before an earlier. */
	for (size_t i = 0; i < line->n; i++) {
		LAW(line->waiters[i].element <= received);
	}
	line->received = received;
}

static void arrive(struct qrt_cx *cx, struct line *line, struct qrt_region *stage)
{
	size_t first = line->n;
	for (uint64_t i = draw_below(&line->run->draw, 4); i > 0 && line->n < WAITERS; i--) {
		struct waiter *waiter = &line->waiters[line->n++];
		*waiter = (struct waiter){.line = line, .units = draw_units(line)};
		LAW(!qrt_spawn(stage, keep, waiter));
	}
	LAW(!law_settle(cx));
	for (size_t i = first; i < line->n; i++) {
		line->waiters[i].ought = WAITING;
	}
	serve(line);
	compare(line);
}

/* --- what happens to a line ----------------------------------------------------------------- */

/* The law itself takes what there is, where there is something to take. */
static void take_all(struct qrt_cx *cx, struct line *line)
{
	for (size_t i = 0; i < line->capacity && is_lent(line); i++) {
		struct grip *grip = &line->own[i];
		*grip = (struct grip){.held = true, .units = 1};
		switch (line->thing) {
		case MUTEX:
			LAW(!qrt_mutex_lock(cx, line->mutex, &grip->lease));
			break;
		case SEMAPHORE:
			LAW(!qrt_acquire(cx, line->semaphore, 1, &grip->lease));
			break;
		case RWLOCK:
			LAW(!qrt_rwlock_write(cx, line->rwlock, &grip->lease));
			grip->units = line->capacity;
			return;
		default:
			LAW(!qrt_reserve(cx, line->chan, &grip->permit));
			break;
		}
	}
}

/* A place in a channel is given back unused, or by way of an element that goes through. */
static void leave_room(struct line *line, struct grip *grip)
{
	uint64_t element;
	if (draw_chance(&line->run->draw, 50)) {
		LAW(!qrt_abort(&grip->permit));
		return;
	}
	element = ++line->sent;
	LAW(!qrt_send(&grip->permit, &element));
	LAW(!qrt_chan_try_recv(line->chan, &element));
	LAW(element == line->sent);
}

static void give_back(struct line *line, struct grip *grip)
{
	grip->held = false;
	line->available += grip->units;
	if (line->thing == ROOM) {
		leave_room(line, grip);
	} else {
		LAW(!qrt_unlock(&grip->lease));
	}
}

static struct grip *any_grip(struct line *line)
{
	struct grip *held[WAITERS + UNITS_MAX];
	size_t n = 0;
	for (size_t i = 0; i < UNITS_MAX; i++) {
		if (line->own[i].held) {
			held[n++] = &line->own[i];
		}
	}
	for (size_t i = 0; i < line->n; i++) {
		if (line->waiters[i].grip.held) {
			held[n++] = &line->waiters[i].grip;
		}
	}
	return n ? held[draw_below(&line->run->draw, n)] : NULL;
}

static void release_one(struct line *line)
{
	uint64_t element;
	struct grip *grip;
	switch (line->thing) {
	case ELEMENT:
		element = ++line->sent;
		LAW(!qrt_chan_try_send(line->chan, &element));
		line->available++;
		break;
	case NOTIFICATION:
		LAW(!qrt_notify_one(line->notify));
		line->available++;
		break;
	default:
		grip = any_grip(line);
		if (grip) {
			give_back(line, grip);
		}
		break;
	}
}

/* Whoever is cancelled in the turn of the release has as good as never been there. */
static void cancel_one(struct line *line, struct waiter *waiter)
{
	if (waiter->is != WAITING || waiter->ought == LEFT) {
		return;
	}
	law_tell(line->run, "waiter %d is cancelled", (int)(waiter - line->waiters));
	if (!line->run->structured) {
		/* There a cancel reaches who waits, and who has its turn waits no more. */
		serve(line);
	}
	if (waiter->ought == WAITING) {
		waiter->ought = LEFT;
	}
	qrt_region_cancel(waiter->region, QRT_CANCEL_USER, "drawn");
}

static void one_turn(struct qrt_cx *cx, struct line *line)
{
	struct qrt__lab_random *draw = &line->run->draw;
	for (uint64_t i = draw_below(draw, ACTIONS_MAX); i > 0; i--) {
		if (draw_chance(draw, 30)) {
			release_one(line);
		} else {
			cancel_one(line, &line->waiters[draw_below(draw, line->n)]);
		}
	}
	LAW(!law_settle(cx));
	serve(line);
	if (line->thing == NOTIFICATION && line->available > 1) {
		line->available = 1; /* many that meet nobody are not more than one */
	}
	compare(line);
}

/* Nobody waits any more: all there is can be had. */
static void is_whole(struct qrt_cx *cx, struct line *line)
{
	struct waiter last = {.line = line, .units = line->capacity};
	if (line->thing == ROOM) {
		struct qrt_chan_stats stats;
		LAW(!qrt_chan_stats(line->chan, &stats));
		LAW(stats.queued + stats.reserved + stats.senders + stats.receivers == 0);
	} else if (is_lent(line)) {
		LAW(!wait_for(cx, line, &last));
		LAW(!qrt_unlock(&last.grip.lease));
	}
}

/* Who still waits leaves; then all is given back, for those who have it. */
static void end_line(struct qrt_cx *cx, struct line *line)
{
	struct grip *grip;
	for (size_t i = 0; i < line->n; i++) {
		cancel_one(line, &line->waiters[i]);
	}
	LAW(!law_settle(cx));
	serve(line);
	compare(line);
	while ((grip = any_grip(line))) {
		give_back(line, grip);
	}
	for (size_t i = 0; i < line->n; i++) {
		qrt_region_cancel(line->waiters[i].region, QRT_CANCEL_USER, "it is over");
	}
}

static void a_line(struct qrt_cx *cx, struct law_run *run)
{
	struct line line = {.run = run,
			    .thing = (enum thing)draw_below(&run->draw, THINGS),
			    .capacity = 1 + draw_below(&run->draw, UNITS_MAX)};
	struct qrt_region *stage;
	law_tell(run, "a line for %s, capacity %zu", thing_names[line.thing], line.capacity);
	open_thing(cx, &line);
	LAW(!qrt_region_open(cx, QRT_COLLECT, &stage));
	take_all(cx, &line);
	for (int i = 0; i < 5; i++) {
		arrive(cx, &line, stage);
		if (line.n > 0) {
			one_turn(cx, &line);
		}
	}
	end_line(cx, &line);
	LAW(!qrt_region_close(cx, &stage, QRT_OK));
	is_whole(cx, &line);
	close_thing(&line);
}

/* --- select --------------------------------------------------------------------------------- */

enum { OBJECTS = 4, CHOOSERS = 6, CASES_MAX = 6 };

/* One unit each: it is free, or somebody has it. */
struct object {
	enum thing thing; /* MUTEX, SEMAPHORE, ROOM or ELEMENT */
	struct qrt_mutex *mutex;
	struct qrt_semaphore *semaphore;
	struct qrt_chan *chan;
	bool free;
	struct grip grip; /* of whoever has it */
};

struct chooser {
	struct choice *choice;
	struct qrt_region *region;
	enum standing is;
	bool cancelled, ordered;
	int64_t deadline_ns;
	size_t n, which;
	size_t objects[CASES_MAX];
	size_t first_free; /* of its cases when it began; n: none */
	bool any_free;
	enum qrt_err err;
};

struct choice {
	struct law_run *run;
	struct object objects[OBJECTS];
	size_t n_objects;
	struct chooser choosers[CHOOSERS];
	size_t n;
};

/* One case's results; a case that did not commit must not have touched them. */
struct slot {
	uint64_t element;
	struct qrt_lease lease;
	struct qrt_permit permit;
};

static struct qrt_case case_for(const struct object *object, struct slot *slot)
{
	switch (object->thing) {
	case MUTEX:
		return qrt_case_lock(object->mutex, &slot->lease);
	case SEMAPHORE:
		return qrt_case_acquire(object->semaphore, 1, &slot->lease);
	case ROOM:
		return qrt_case_reserve(object->chan, &slot->permit);
	default:
		return qrt_case_recv(object->chan, &slot->element);
	}
}

static bool is_untouched(const struct slot *slot)
{
	return slot->element == 0 && !slot->lease.duty.entry && !slot->permit.duty.entry;
}

static size_t first_free(const struct choice *choice, const struct chooser *chooser)
{
	size_t i = 0;
	while (i < chooser->n && !choice->objects[chooser->objects[i]].free) {
		i++;
	}
	return i;
}

static void has_committed(struct chooser *chooser, struct slot *slots)
{
	struct choice *choice = chooser->choice;
	struct object *object = &choice->objects[chooser->objects[chooser->which]];
	struct slot *slot = &slots[chooser->which];
	LAW(object->free); /* nobody else has it */
	object->free = false;
	object->grip = (struct grip){
	    .held = object->thing != ELEMENT, .lease = slot->lease, .permit = slot->permit};
	LAW(object->thing != ELEMENT || slot->element == 1 + chooser->objects[chooser->which]);
	for (size_t i = 0; i < chooser->n; i++) {
		LAW(i == chooser->which || is_untouched(&slots[i]));
	}
	if (chooser->any_free) {
		/* Of what was there when it came: it did not wait for anything else. */
		LAW(!chooser->ordered || chooser->which == chooser->first_free);
	}
}

static enum qrt_err choose(struct qrt_cx *cx, void *arg)
{
	struct chooser *chooser = arg;
	struct choice *choice = chooser->choice;
	struct slot slots[CASES_MAX] = {{0}};
	struct qrt_case cases[CASES_MAX];
	for (size_t i = 0; i < chooser->n; i++) {
		cases[i] = case_for(&choice->objects[chooser->objects[i]], &slots[i]);
	}
	chooser->first_free = first_free(choice, chooser);
	chooser->any_free = chooser->first_free < chooser->n;
	chooser->is = WAITING;
	int64_t begun = now_of(cx);
	chooser->err = qrt_select_until(cx, chooser->ordered ? QRT_SELECT_ORDERED : QRT_SELECT_FAIR,
					cases, chooser->n, chooser->deadline_ns, &chooser->which);
	LAW(!chooser->any_free || (!chooser->err && now_of(cx) == begun));
	if (chooser->err) {
		chooser->is = LEFT;
		for (size_t i = 0; i < chooser->n; i++) {
			LAW(is_untouched(&slots[i]));
		}
		return QRT_OK;
	}
	has_committed(chooser, slots);
	chooser->is = SERVED;
	return stay(cx);
}

static enum qrt_err keep_chooser(struct qrt_cx *cx, void *arg)
{
	struct chooser *chooser = arg;
	struct qrt_region *region;
	LAW(!qrt_region_open(cx, QRT_COLLECT, &region));
	chooser->region = region;
	LAW(!qrt_spawn(region, choose, chooser));
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "what was cancelled says so");
	return QRT_OK;
}

static void open_object(struct qrt_cx *cx, struct object *object, enum thing thing)
{
	*object = (struct object){.thing = thing, .free = thing != ELEMENT};
	if (thing == MUTEX) {
		LAW(!qrt_mutex_open(cx, &object->mutex));
	} else if (thing == SEMAPHORE) {
		LAW(!qrt_semaphore_open(cx, 1, &object->semaphore));
	} else {
		LAW(!qrt_chan_open(cx, sizeof(uint64_t), 1, NULL, &object->chan));
	}
}

/* Puts an object in or out of reach; the law holds what nobody else does. */
static void make_free(struct choice *choice, struct object *object)
{
	uint64_t element = 1 + (uint64_t)(object - choice->objects);
	if (object->free) {
		return;
	}
	object->free = true;
	object->grip.held = false;
	if (object->thing == ELEMENT) {
		LAW(!qrt_chan_try_send(object->chan, &element));
	} else if (object->thing == ROOM) {
		LAW(!qrt_abort(&object->grip.permit));
	} else {
		LAW(!qrt_unlock(&object->grip.lease));
	}
}

/* Trying takes what is free, and nothing else. */
static void try_take(struct qrt_cx *cx, struct object *object)
{
	uint64_t element;
	struct grip *grip = &object->grip;
	enum qrt_err err;
	if (object->thing == MUTEX) {
		err = qrt_mutex_try_lock(cx, object->mutex, &grip->lease);
	} else if (object->thing == SEMAPHORE) {
		err = qrt_try_acquire(cx, object->semaphore, 1, &grip->lease);
	} else if (object->thing == ROOM) {
		err = qrt_try_reserve(cx, object->chan, &grip->permit);
	} else {
		err = qrt_chan_try_recv(object->chan, &element);
	}
	/* The law may be its holder itself. */
	LAW(object->free ? !err : err == QRT_EAGAIN || err == QRT_EDEADLOCK);
	object->free = false;
	grip->held = object->thing != ELEMENT;
}

/* At rest: nothing that is free is waited for, and who should have left has. */
static void is_settled(const struct choice *choice, const struct qrt_cx *cx)
{
	for (size_t i = 0; i < choice->n; i++) {
		const struct chooser *chooser = &choice->choosers[i];
		law_tell(choice->run, "chooser %zu: %d, %s", i, chooser->is,
			 qrt_err_name(chooser->err));
		if (chooser->is == WAITING) {
			/* One whose time is now may have left the line and not run yet. */
			LAW(chooser->deadline_ns >= now_of(cx));
			LAW(chooser->deadline_ns == now_of(cx) ||
			    (!chooser->cancelled && first_free(choice, chooser) == chooser->n));
		} else if (chooser->is == LEFT) {
			LAW(chooser->err == (chooser->cancelled ? QRT_ECANCELED : QRT_ETIMEDOUT) ||
			    (chooser->err == QRT_ETIMEDOUT && chooser->deadline_ns <= now_of(cx)));
		}
	}
}

static void add_chooser(struct qrt_cx *cx, struct choice *choice, struct qrt_region *stage)
{
	struct qrt__lab_random *draw = &choice->run->draw;
	struct chooser *chooser = &choice->choosers[choice->n++];
	*chooser = (struct chooser){.choice = choice,
				    .n = 1 + draw_below(draw, CASES_MAX),
				    .ordered = draw_chance(draw, 50)};
	chooser->deadline_ns =
	    draw_chance(draw, 30) ? qrt_deadline_in(cx, 1 + (int64_t)draw_below(draw, 4)) : HOUR;
	for (size_t i = 0; i < chooser->n; i++) {
		chooser->objects[i] = draw_below(draw, choice->n_objects);
	}
	LAW(!qrt_spawn(stage, keep_chooser, chooser));
	LAW(!law_settle(cx));
}

static void change_things(struct qrt_cx *cx, struct choice *choice)
{
	struct qrt__lab_random *draw = &choice->run->draw;
	for (uint64_t i = draw_below(draw, OBJECTS + CHOOSERS); i > 0; i--) {
		struct object *object = &choice->objects[draw_below(draw, choice->n_objects)];
		struct chooser *chooser = &choice->choosers[draw_below(draw, choice->n)];
		if (draw_chance(draw, 60)) {
			make_free(choice, object);
		} else if (chooser->is == WAITING && !chooser->cancelled) {
			chooser->cancelled = choice->run->structured;
			if (choice->run->structured) {
				qrt_region_cancel(chooser->region, QRT_CANCEL_USER, "drawn");
			}
		}
	}
	LAW(!law_settle(cx));
	is_settled(choice, cx);
}

static void cancel_all(struct choice *choice, enum standing standing)
{
	for (size_t i = 0; i < choice->n; i++) {
		if (choice->choosers[i].is == standing) {
			qrt_region_cancel(choice->choosers[i].region, QRT_CANCEL_USER, "over");
		}
	}
}

static void selecting(struct qrt_cx *cx, struct law_run *run)
{
	struct choice choice = {.run = run, .n_objects = 1 + draw_below(&run->draw, OBJECTS)};
	struct qrt_region *stage;
	for (size_t i = 0; i < choice.n_objects; i++) {
		static const enum thing things[] = {MUTEX, SEMAPHORE, ROOM, ELEMENT};
		open_object(cx, &choice.objects[i], things[draw_below(&run->draw, 4)]);
		if (draw_chance(&run->draw, 70)) {
			try_take(cx, &choice.objects[i]);
		} else {
			make_free(&choice, &choice.objects[i]);
		}
	}
	LAW(!qrt_region_open(cx, QRT_COLLECT, &stage));
	while (choice.n < CHOOSERS) {
		add_chooser(cx, &choice, stage);
		is_settled(&choice, cx);
		if (draw_chance(&run->draw, 50)) {
			change_things(cx, &choice);
		}
	}
	change_things(cx, &choice);
	for (size_t i = 0; i < choice.n_objects; i++) {
		try_take(cx, &choice.objects[i]);
		make_free(&choice, &choice.objects[i]);
	}
	LAW(!law_settle(cx));
	/* Who still waits goes first; then what was taken is given back, for those who have it. */
	cancel_all(&choice, WAITING);
	LAW(!law_settle(cx));
	for (size_t i = 0; i < choice.n_objects; i++) {
		make_free(&choice, &choice.objects[i]);
	}
	cancel_all(&choice, SERVED);
	LAW(!qrt_region_close(cx, &stage, QRT_OK));
	for (size_t i = 0; i < choice.n_objects; i++) {
		LAW(!qrt_mutex_close(&choice.objects[i].mutex));
		LAW(!qrt_semaphore_close(&choice.objects[i].semaphore));
		LAW(!qrt_chan_close(&choice.objects[i].chan));
	}
}

const struct law laws_waiting[] = {
    {"a_turn_that_is_not_taken_goes_to_the_next_in_line", a_line, ON_BOTH, 150, 3, false},
    {"a_select_commits_exactly_one", selecting, ON_BOTH, 120, 3, false},
};
const size_t n_laws_waiting = sizeof(laws_waiting) / sizeof(laws_waiting[0]);
