/* What the tasks of a generated program share, and the model of it; see program.h. */
#include "tests/lab/program.h"

/* --- items ---------------------------------------------------------------------------------- */

static void drop_item(void *element)
{
	const struct item *item = element;
	struct things *things = item->things;
	struct queue *queue = &things->queues[item->queue];
	enum item_state *state = &things->items[item->number];
	if (*state == ITEM_QUEUED) {
		LAW(queue->first < queue->last);
		LAW(queue->line[queue->first] == item->number);
		queue->first++;
	} else {
		LAW(*state == ITEM_NEW); /* never what was taken, and never twice */
	}
	*state = ITEM_DROPPED;
}

/* False when the program has made as many as it may. */
static bool new_item(struct things *things, size_t queue, struct item *ret_item)
{
	if (things->n_items == ITEMS_MAX) {
		return false;
	}
	*ret_item =
	    (struct item){.things = things, .queue = (uint32_t)queue, .number = things->n_items++};
	return true;
}

/* Right after the call that sent it: nobody else has run since it went in. */
static void went_in(const struct item *item)
{
	struct queue *queue = &item->things->queues[item->queue];
	LAW(item->things->items[item->number] == ITEM_NEW);
	LAW(!queue->closed);
	item->things->items[item->number] = ITEM_QUEUED;
	queue->line[queue->last++] = item->number;
	queue->sent++;
}

static void came_out(struct things *things, size_t at, const struct item *item)
{
	struct queue *queue = &things->queues[at];
	LAW(item->things == things && item->queue == at);
	LAW(things->items[item->number] == ITEM_QUEUED);
	LAW(queue->line[queue->first] == item->number); /* in the order in which they went in */
	queue->first++;
	queue->received++;
	things->items[item->number] = ITEM_TAKEN;
}

/* --- as a whole ------------------------------------------------------------------------------ */

void things_open(struct qrt_cx *cx, struct things *things)
{
	struct qrt__lab_random *draw = &things->run->draw;
	for (size_t i = 0; i < CHANS; i++) {
		struct queue *queue = &things->queues[i];
		queue->capacity = 1 + draw_below(draw, 3);
		LAW(!qrt_chan_open(cx, sizeof(struct item), queue->capacity, drop_item,
				   &queue->chan));
	}
	for (size_t i = 0; i < MUTEXES; i++) {
		LAW(!qrt_mutex_open(cx, &things->locks[i].mutex));
	}
	for (size_t i = 0; i < SEMAPHORES; i++) {
		LAW(!qrt_semaphore_open(cx, UNITS, &things->bowls[i].semaphore));
	}
}

void things_check(const struct things *things)
{
	for (size_t i = 0; i < CHANS; i++) {
		const struct queue *queue = &things->queues[i];
		struct qrt_chan_stats stats;
		enum qrt_err err = qrt_chan_stats(queue->chan, &stats);
		LAW(err == (queue->closed ? QRT_ESTALE : QRT_OK));
		if (!err) {
			LAW(stats.queued + stats.reserved <= queue->capacity);
			LAW(stats.queued == queue->last - queue->first);
			LAW(stats.sent == queue->sent);
			LAW(stats.received == queue->received);
			LAW(stats.reserved >= queue->permits);
		}
	}
}

static void close_queue(struct queue *queue)
{
	struct qrt_chan *again = queue->chan;
	LAW(qrt_chan_close(&again) == (queue->closed ? QRT_ESTALE : QRT_OK));
	LAW(queue->first == queue->last); /* dropped, or received before */
	queue->closed = true;
}

static void queue_is_at_rest(const struct queue *queue, bool leaked)
{
	struct qrt_chan_stats stats;
	if (queue->closed) {
		return;
	}
	LAW(!qrt_chan_stats(queue->chan, &stats));
	LAW(stats.reserved == 0 || leaked);
	LAW(stats.senders == 0);
	LAW(stats.receivers == 0);
}

void things_close(struct qrt_cx *cx, struct things *things)
{
	struct qrt_lease lease;
	things_check(things);
	for (size_t i = 0; i < CHANS; i++) {
		queue_is_at_rest(&things->queues[i], things->leaked);
		close_queue(&things->queues[i]);
	}
	for (size_t i = 0; i < MUTEXES; i++) {
		enum qrt_err err = qrt_mutex_try_lock(cx, things->locks[i].mutex, &lease);
		LAW(!err || err == QRT_EOWNERDEAD || things->leaked);
		if (!err || err == QRT_EOWNERDEAD) {
			LAW(!qrt_unlock(&lease));
		}
		LAW(!qrt_mutex_close(&things->locks[i].mutex));
	}
	for (size_t i = 0; i < SEMAPHORES; i++) {
		enum qrt_err err = qrt_try_acquire(cx, things->bowls[i].semaphore, UNITS, &lease);
		LAW(!err || things->leaked);
		if (!err) {
			LAW(!qrt_unlock(&lease));
		}
		LAW(!qrt_semaphore_close(&things->bowls[i].semaphore));
	}
	for (uint32_t i = 0; i < things->n_items; i++) {
		LAW(things->items[i] != ITEM_QUEUED);
	}
}

void things_touch(struct qrt_cx *cx, struct things *things, struct qrt__lab_random *draw)
{
	struct qrt_permit permit;
	struct qrt_lease lease;
	enum qrt_err err;
	switch (draw_below(draw, 3)) {
	case 0:
		if (!qrt_try_reserve(cx, things->queues[draw_below(draw, CHANS)].chan, &permit)) {
			LAW(!qrt_abort(&permit));
		}
		break;
	case 1:
		err =
		    qrt_mutex_try_lock(cx, things->locks[draw_below(draw, MUTEXES)].mutex, &lease);
		if (!err || err == QRT_EOWNERDEAD) {
			LAW(!qrt_unlock(&lease));
		}
		break;
	default:
		if (!qrt_try_acquire(cx, things->bowls[draw_below(draw, SEMAPHORES)].semaphore,
				     1 + draw_below(draw, UNITS), &lease)) {
			LAW(!qrt_unlock(&lease));
		}
		break;
	}
}

void things_forget(struct things *things, struct holdings *holdings)
{
	bool any = false;
	for (size_t i = 0; i < CHANS; i++) {
		things->queues[i].permits -= holdings->permits[i];
		any |= holdings->permits[i] > 0;
	}
	for (size_t i = 0; i < MUTEXES; i++) {
		things->locks[i].holder = holdings->locks[i] ? NULL : things->locks[i].holder;
		any |= holdings->locks[i];
	}
	for (size_t i = 0; i < SEMAPHORES; i++) {
		things->bowls[i].used -= holdings->units[i];
		any |= holdings->units[i] > 0;
	}
	things->leaked |= any && !things->run->structured;
	*holdings = (struct holdings){0};
}

/* --- steps ----------------------------------------------------------------------------------- */

static size_t draw_queue(struct person *person)
{
	return draw_below(&person->draw, CHANS);
}

/* On any failure the item is still its maker's. */
static enum qrt_err has_sent(const struct item *item, enum qrt_err err)
{
	if (err) {
		LAW(item->things->items[item->number] == ITEM_NEW);
	} else {
		went_in(item);
	}
	return err;
}

enum qrt_err step_send(struct qrt_cx *cx, struct person *person)
{
	struct item item;
	size_t at = draw_queue(person);
	if (!new_item(person->things, at, &item)) {
		return QRT_OK;
	}
	return has_sent(&item, qrt_chan_send(cx, person->things->queues[at].chan, &item));
}

enum qrt_err step_try_send(struct qrt_cx *cx, struct person *person)
{
	struct item item;
	size_t at = draw_queue(person);
	(void)cx;
	if (!new_item(person->things, at, &item)) {
		return QRT_OK;
	}
	return has_sent(&item, qrt_chan_try_send(person->things->queues[at].chan, &item));
}

static enum qrt_err has_received(struct things *things, size_t at, const struct item *item,
				 enum qrt_err err)
{
	if (err) {
		LAW(!item->things); /* untouched */
	} else {
		came_out(things, at, item);
	}
	return err;
}

enum qrt_err step_recv(struct qrt_cx *cx, struct person *person)
{
	struct item item = {0};
	size_t at = draw_queue(person);
	enum qrt_err err = qrt_chan_recv(cx, person->things->queues[at].chan, &item);
	return has_received(person->things, at, &item, err);
}

enum qrt_err step_try_recv(struct qrt_cx *cx, struct person *person)
{
	struct item item = {0};
	size_t at = draw_queue(person);
	(void)cx;
	enum qrt_err err = qrt_chan_try_recv(person->things->queues[at].chan, &item);
	return has_received(person->things, at, &item, err);
}

/* Rarely: it ends most of what a program does. */
enum qrt_err step_shut(struct qrt_cx *cx, struct person *person)
{
	(void)cx;
	if (draw_chance(&person->draw, 90)) {
		return QRT_OK;
	}
	struct queue *queue = &person->things->queues[draw_queue(person)];
	if (draw_chance(&person->draw, 50)) {
		return qrt_chan_finish(queue->chan);
	}
	close_queue(queue);
	return QRT_OK;
}

/*
 * Now and then somebody forgets what it holds; its end gives it back. Not in a region of its own:
 * the end of that might do it earlier.
 */
static bool forgets(struct person *person)
{
	bool forgetful = person->scope == person->home && draw_chance(&person->draw, 3);
	person->owed += forgetful;
	return forgetful;
}

static enum qrt_err with_permit(struct qrt_cx *cx, struct person *person, size_t at,
				struct qrt_permit *permit)
{
	struct queue *queue = &person->things->queues[at];
	struct item item;
	struct holdings *holdings = holdings_of(cx, person);
	queue->permits++;
	holdings->permits[at]++;
	enum qrt_err err = live(cx, person, draw_below(&person->draw, 3));
	if (forgets(person)) {
		return err;
	}
	queue->permits--;
	holdings->permits[at]--;
	if (!err && draw_chance(&person->draw, 70) && new_item(person->things, at, &item)) {
		bool closed = queue->closed;
		enum qrt_err sent = qrt_send(permit, &item);
		LAW(sent == (closed ? QRT_ECLOSED : QRT_OK));
		if (closed) {
			LAW(person->things->items[item.number] == ITEM_DROPPED);
		} else {
			went_in(&item);
		}
		LAW(qrt_send(permit, &item) == QRT_ESTALE); /* a permit is good for one */
	} else {
		LAW(!qrt_abort(permit));
	}
	LAW(qrt_abort(permit) == QRT_ESTALE);
	return err;
}

enum qrt_err step_reserve(struct qrt_cx *cx, struct person *person)
{
	struct qrt_permit permit;
	size_t at = draw_queue(person);
	enum qrt_err err = qrt_reserve(cx, person->things->queues[at].chan, &permit);
	return err ? err : with_permit(cx, person, at, &permit);
}

static enum qrt_err with_lock(struct qrt_cx *cx, struct person *person, size_t at,
			      struct qrt_lease *lease)
{
	struct lock *lock = &person->things->locks[at];
	struct holdings *holdings = holdings_of(cx, person);
	LAW(!lock->holder); /* one at a time */
	lock->holder = person;
	holdings->locks[at] = true;
	enum qrt_err err = live(cx, person, draw_below(&person->draw, 3));
	LAW(lock->holder == person);
	if (forgets(person)) {
		return err;
	}
	lock->holder = NULL;
	holdings->locks[at] = false;
	LAW(!qrt_unlock(lease));
	LAW(qrt_unlock(lease) == QRT_ESTALE);
	return err;
}

enum qrt_err step_lock(struct qrt_cx *cx, struct person *person)
{
	struct qrt_lease lease;
	size_t at = draw_below(&person->draw, MUTEXES);
	enum qrt_err err = qrt_mutex_lock(cx, person->things->locks[at].mutex, &lease);
	return err && err != QRT_EOWNERDEAD ? err : with_lock(cx, person, at, &lease);
}

static enum qrt_err with_units(struct qrt_cx *cx, struct person *person, size_t at, size_t n,
			       struct qrt_lease *lease)
{
	struct bowl *bowl = &person->things->bowls[at];
	struct holdings *holdings = holdings_of(cx, person);
	bowl->used += n;
	LAW(bowl->used <= UNITS);
	holdings->units[at] += n;
	enum qrt_err err = live(cx, person, draw_below(&person->draw, 3));
	if (forgets(person)) {
		return err;
	}
	bowl->used -= n;
	holdings->units[at] -= n;
	LAW(!qrt_release(lease));
	return err;
}

enum qrt_err step_acquire(struct qrt_cx *cx, struct person *person)
{
	struct qrt_lease lease;
	size_t at = draw_below(&person->draw, SEMAPHORES);
	size_t n = 1 + draw_below(&person->draw, UNITS);
	enum qrt_err err = qrt_acquire(cx, person->things->bowls[at].semaphore, n, &lease);
	return err ? err : with_units(cx, person, at, n, &lease);
}

/* --- select ---------------------------------------------------------------------------------- */

enum { CASES = 6 };
enum choice { CHOOSE_RECV, CHOOSE_SEND, CHOOSE_RESERVE, CHOOSE_LOCK, CHOOSE_ACQUIRE, CHOICES };

struct option {
	enum choice choice;
	size_t at, units;
	struct item item;
	struct qrt_permit permit;
	struct qrt_lease lease;
};

static struct qrt_case draw_case(struct person *person, struct option *option)
{
	struct things *things = person->things;
	*option = (struct option){.choice = (enum choice)draw_below(&person->draw, CHOICES)};
	option->at = draw_below(&person->draw, 2);
	option->units = 1 + draw_below(&person->draw, UNITS);
	if (option->choice == CHOOSE_SEND && !new_item(things, option->at, &option->item)) {
		option->choice = CHOOSE_RECV;
	}
	switch (option->choice) {
	case CHOOSE_RECV:
		return qrt_case_recv(things->queues[option->at].chan, &option->item);
	case CHOOSE_SEND:
		return qrt_case_send(things->queues[option->at].chan, &option->item);
	case CHOOSE_RESERVE:
		return qrt_case_reserve(things->queues[option->at].chan, &option->permit);
	case CHOOSE_LOCK:
		return qrt_case_lock(things->locks[option->at].mutex, &option->lease);
	default:
		return qrt_case_acquire(things->bowls[option->at].semaphore, option->units,
					&option->lease);
	}
}

/* What did not commit has not happened. */
static void has_not_happened(const struct option *option)
{
	LAW(!option->permit.duty.entry);
	LAW(!option->lease.duty.entry);
	if (option->choice == CHOOSE_SEND) {
		LAW(option->item.things->items[option->item.number] == ITEM_NEW);
	} else {
		LAW(!option->item.things);
	}
}

static enum qrt_err has_happened(struct qrt_cx *cx, struct person *person, struct option *option)
{
	switch (option->choice) {
	case CHOOSE_RECV:
		came_out(person->things, option->at, &option->item);
		return QRT_OK;
	case CHOOSE_SEND:
		went_in(&option->item);
		return QRT_OK;
	case CHOOSE_RESERVE:
		return with_permit(cx, person, option->at, &option->permit);
	case CHOOSE_LOCK:
		return with_lock(cx, person, option->at, &option->lease);
	default:
		return with_units(cx, person, option->at, option->units, &option->lease);
	}
}

_Static_assert(CHANS == 2 && MUTEXES == 2 && SEMAPHORES == 2, "a case is of one of two");

enum qrt_err step_select(struct qrt_cx *cx, struct person *person)
{
	struct option options[CASES];
	struct qrt_case cases[CASES];
	size_t n = 1 + draw_below(&person->draw, CASES);
	size_t which = n;
	bool timed = is_hurried(person) || draw_chance(&person->draw, 50);
	int64_t until = timed ? qrt_deadline_in(cx, (int64_t)draw_below(&person->draw, 4) * QRT_MS)
			      : QRT_NO_DEADLINE;
	for (size_t i = 0; i < n; i++) {
		cases[i] = draw_case(person, &options[i]);
	}
	enum qrt_err err = qrt_select_until(
	    cx, draw_chance(&person->draw, 50) ? QRT_SELECT_ORDERED : QRT_SELECT_FAIR, cases, n,
	    until, &which);
	/* A lock whose holder died is one's own all the same. */
	bool happened =
	    !err || (err == QRT_EOWNERDEAD && which < n && options[which].choice == CHOOSE_LOCK);
	for (size_t i = 0; i < n; i++) {
		if (!happened || i != which) {
			has_not_happened(&options[i]);
		}
	}
	if (happened) {
		return has_happened(cx, person, &options[which]);
	}
	/* Late by its own clock is no refusal. */
	bool own = err == QRT_ETIMEDOUT && timed && qrt_deadline_in(cx, 0) >= until;
	return own ? QRT_EAGAIN : err;
}
