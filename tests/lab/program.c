/* The tasks and regions of generated programs, and what is true of them; see program.h. */
#include "tests/lab/program.h"

#include <qrt/combine.h>
#include <qrt/ledger.h>
#include <qrt/runtime.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 5, FINALIZERS_MAX = 200 };

struct debt {
	struct place *place;
	bool settled, released;
};

struct program {
	struct law_run *run;
	struct things things;
	struct qrt__lab_random touch; /* of what makes no difference */
	size_t n_people, n_places, n_finalizers, n_debts;
	struct person people[PEOPLE_MAX];
	struct place places[PLACES_MAX];
	struct finalizer finalizers[FINALIZERS_MAX];
	struct debt debts[DUTIES_MAX];
};

static int64_t now_of(const struct qrt_cx *cx)
{
	return qrt_deadline_in(cx, 0);
}

static bool has_failed(enum qrt_outcome outcome)
{
	return outcome == QRT_OUTCOME_ERR || outcome == QRT_OUTCOME_PANICKED;
}

/* --- finalizers ------------------------------------------------------------------------------ */

static void pop_finalizer(unsigned *depth, unsigned at)
{
	LAW(*depth == at + 1); /* those registered later have run, each once */
	(*depth)--;
}

static void finalize(struct qrt_cx *cx, void *arg)
{
	struct finalizer *finalizer = arg;
	LAW(qrt_yield(cx) == QRT_ENOSUSPEND);
	pop_finalizer(finalizer->depth, finalizer->at);
}

static void add_finalizer(struct qrt_cx *cx, struct program *program, unsigned *depth)
{
	if (program->n_finalizers < FINALIZERS_MAX) {
		struct finalizer *finalizer = &program->finalizers[program->n_finalizers++];
		*finalizer = (struct finalizer){.depth = depth, .at = *depth};
		(*depth)++;
		LAW(!qrt_defer(cx, finalize, finalizer));
	}
}

/* --- what became of a task ------------------------------------------------------------------- */

static bool was_forced(const struct person *person)
{
	return person->ended && !person->returned && !person->panicked;
}

static enum qrt_err result_of(const struct person *person)
{
	if (person->panicked) {
		return QRT_EPANIC;
	}
	return !person->err && person->owed ? QRT_ELEAK : person->err;
}

static enum qrt_outcome outcome_of(const struct person *person)
{
	if (person->panicked) {
		return QRT_OUTCOME_PANICKED;
	}
	if (!person->returned || person->err == QRT_ECANCELED) {
		return QRT_OUTCOME_CANCELLED;
	}
	return result_of(person) ? QRT_OUTCOME_ERR : QRT_OUTCOME_OK;
}

static void all_have_ended(const struct place *place)
{
	for (size_t i = 0; i < place->n_children; i++) {
		LAW(place->children[i]->ended || !place->children[i]->started);
	}
}

/* The first finalizer of a task, so the last to run: from here on nothing of it runs. */
static void has_ended(struct qrt_cx *cx, void *arg)
{
	struct person *person = arg;
	struct program *program = person->program;
	struct place *home = person->home;
	(void)cx;
	LAW(!person->ended);
	pop_finalizer(&person->finalizers, 0);
	for (size_t i = 0; i < program->n_places; i++) {
		if (program->places[i].opener == person) {
			all_have_ended(&program->places[i]);
		}
	}
	person->ended = true;
	things_forget(person->things, &person->holdings);
	enum qrt_outcome outcome = outcome_of(person);
	if (has_failed(outcome) && !home->failed) {
		home->failed = true;
		home->first_err = result_of(person);
	}
	home->succeeded |= outcome == QRT_OUTCOME_OK;
	law_tell(person->run, "task %u has ended: %s, %s%s", person->number,
		 qrt_outcome_name(outcome), qrt_err_name(result_of(person)),
		 was_forced(person) ? ", forced" : "");
}

struct holdings *holdings_of(const struct qrt_cx *cx, struct person *person)
{
	for (struct place *place = person->scope; place != person->home; place = place->parent) {
		if (cx == qrt_region_cx(place->region)) {
			return &place->holdings;
		}
	}
	return &person->holdings;
}

/* --- what must hold at every step ------------------------------------------------------------ */

bool is_hurried(const struct person *person)
{
	for (size_t i = 0; i < person->n_masks; i++) {
		if (person->masks[i].commits || !person->run->structured) {
			return true;
		}
	}
	for (const struct place *place = person->scope; place; place = place->parent) {
		if (place->covered) {
			return true;
		}
	}
	return false;
}

/* Whether a region around @person has asked it to end by its policy, as far as we can tell. */
static bool is_unwanted(const struct person *person)
{
	for (const struct place *place = person->scope; place; place = place->parent) {
		bool decided = (place->policy == QRT_FAIL_FAST && place->failed) ||
			       (place->policy == QRT_FIRST_SUCCESS && place->succeeded);
		if (decided) {
			return true;
		}
		if (place->covered) {
			return false; /* what is above may be held back by a mask */
		}
	}
	return false;
}

static void look(struct qrt_cx *cx, struct person *person)
{
	LAW(!person->ended);
	for (const struct place *place = person->scope; place; place = place->parent) {
		LAW(!place->closed); /* nothing of a region runs after its close */
	}
	LAW(qrt_cx_deadline(cx) <=
	    qrt_cx_deadline(qrt_region_cx(person->program->places[0].region)));
	things_check(person->things);
	if (person->run->varied) {
		things_touch(cx, person->things, &person->program->touch);
	}
	if (!person->run->structured || person->n_masks > 0) {
		return;
	}
	LAW(!is_unwanted(person) || qrt_cancel_requested(cx, NULL));
	if (qrt_cancel_requested(cx, NULL)) {
		LAW(is_refusal(qrt_checkpoint(cx))); /* every one, until the end */
	}
}

/*
 * Whether a refusal may come through the masks of @person now. One that has been spent stays so,
 * also when it was for a region that has closed since.
 */
static bool masks_are_spent(const struct qrt_cx *cx, const struct person *person)
{
	struct qrt_cancel_info info;
	bool spent = false;
	for (size_t i = 0; i < person->n_masks; i++) {
		const struct hold *hold = &person->masks[i];
		if (hold->commits) {
			return false;
		}
		spent |= hold->budget_ns && hold->begun_ns + hold->budget_ns <= now_of(cx);
	}
	return spent || (qrt_cancel_requested(cx, &info) && info.cleanup_until_ns <= now_of(cx));
}

/* A call of its own has refused: it must have had a reason. */
static enum qrt_err judge(const struct qrt_cx *cx, const struct person *person, enum qrt_err err)
{
	if (!is_refusal(err)) {
		return err;
	}
	if (person->n_masks > 0) {
		LAW(masks_are_spent(cx, person));
	} else if (person->run->structured) {
		LAW(qrt_cancel_requested(cx, NULL) || qrt_cx_deadline(cx) <= now_of(cx));
	} else {
		LAW(err == QRT_ECANCELED || qrt_cx_deadline(cx) <= now_of(cx));
	}
	return err;
}

/* --- people ---------------------------------------------------------------------------------- */

static enum qrt_err be_born(struct qrt_cx *cx, void *arg)
{
	static const enum qrt_err failures[] = {QRT_EIO, QRT_EFAILED, QRT_EBUSY};
	struct person *person = arg;
	person->started = true;
	person->finalizers = 1;
	LAW(!qrt_defer(cx, has_ended, person));
	enum qrt_err err = live(cx, person, 2 + draw_below(&person->draw, 6));
	LAW(person->n_masks == 0 && person->scope == person->home);
	if (!err && draw_chance(&person->draw, 10)) {
		err = failures[draw_below(&person->draw, 3)];
	}
	person->err = err;
	person->returned = true;
	return err;
}

static struct person *new_person(struct place *home, struct qrt__lab_random *draw)
{
	struct program *program = home->program;
	if (program->n_people == PEOPLE_MAX || home->n_children == CHILDREN_MAX) {
		return NULL;
	}
	struct person *person = &program->people[program->n_people];
	*person = (struct person){.program = program,
				  .things = &program->things,
				  .run = program->run,
				  .home = home,
				  .scope = home,
				  .draw = draw_branch(draw),
				  .number = (unsigned)program->n_people++};
	person->deaf = draw_chance(&person->draw, 15);
	return person;
}

static void spawn_some(struct place *place, struct qrt__lab_random *draw, uint64_t n)
{
	for (; n > 0; n--) {
		struct person *person = new_person(place, draw);
		if (!person) {
			return;
		}
		enum qrt_err err = qrt_spawn(place->region, be_born, person);
		LAW(!err || err == QRT_ECLOSED);
		if (!err) {
			place->children[place->n_children++] = person;
		}
	}
}

/* --- places ---------------------------------------------------------------------------------- */

static void has_closed(struct qrt_cx *cx, void *arg)
{
	struct place *place = arg;
	(void)cx;
	LAW(!place->closed);
	pop_finalizer(&place->finalizers, 0);
	all_have_ended(place);
	things_forget(&place->program->things, &place->holdings);
	place->closed = true;
}

static struct place *new_place(struct program *program, struct place *parent, struct person *opener)
{
	if (program->n_places == PLACES_MAX) {
		return NULL;
	}
	struct place *place = &program->places[program->n_places++];
	*place = (struct place){.program = program,
				.parent = parent,
				.opener = opener,
				.policy = QRT_COLLECT,
				.covered = opener && opener->n_masks > 0};
	return place;
}

static void check_failures(const struct place *place, const struct qrt_aggregate *all)
{
	for (size_t i = 0; i < all->n_kept; i++) {
		const struct qrt_failure *failure = &all->kept[i];
		LAW(failure->index < place->n_children);
		const struct person *child = place->children[failure->index];
		LAW(i == 0 || all->kept[i - 1].index < failure->index);
		LAW(failure->outcome == outcome_of(child));
		LAW(failure->forced == was_forced(child));
		LAW(failure->forced || failure->err == result_of(child));
	}
}

/* What a close hands out is what became of the children. */
static void check_aggregate(const struct place *place, const struct qrt_aggregate *all)
{
	size_t n_ok = 0, n_failures = 0, n_forced = 0;
	enum qrt_outcome worst = QRT_OUTCOME_OK;
	for (size_t i = 0; i < place->n_children; i++) {
		const struct person *child = place->children[i];
		LAW(child->ended);
		enum qrt_outcome outcome = outcome_of(child);
		worst = outcome > worst ? outcome : worst;
		n_ok += outcome == QRT_OUTCOME_OK;
		n_forced += was_forced(child);
		n_failures += has_failed(outcome) || was_forced(child);
	}
	LAW(all->worst == worst);
	LAW(all->n_ok == n_ok);
	LAW(all->n_forced == n_forced);
	LAW(all->n_failures == n_failures);
	LAW(all->n_kept == n_failures);
	check_failures(place, all);
}

static void check_result(const struct place *place, enum qrt_err body, enum qrt_err result,
			 const struct qrt_aggregate *all)
{
	law_tell(place->program->run, "region %d is closed: %s, body %s, worst %s",
		 (int)(place - place->program->places), qrt_err_name(result), qrt_err_name(body),
		 qrt_outcome_name(all->worst));
	if (body && body != QRT_ECANCELED) {
		LAW(result == body);
	} else if (place->policy == QRT_FIRST_SUCCESS && place->succeeded) {
		LAW(!result || (result == QRT_ELEAK && place->owed));
	} else if (place->failed) {
		LAW(result == place->first_err);
	} else if (body || all->worst == QRT_OUTCOME_CANCELLED) {
		LAW(result == QRT_ECANCELED);
	} else {
		LAW(result == (place->owed ? QRT_ELEAK : QRT_OK));
	}
}

/* A handle does not come to life again, whatever has been opened since in its place. */
static void the_closed_stay_closed(const struct program *program)
{
	for (size_t i = 0; i < program->n_places; i++) {
		const struct place *place = &program->places[i];
		LAW(!place->closed || !qrt_region_cx(place->region));
	}
}

/* Closing what is closed says so and does nothing. */
static void close_again(struct qrt_cx *cx, struct qrt_region *stale)
{
	struct qrt_audit before, after;
	struct qrt_region *again = stale;
	struct qrt_aggregate all = {.n_ok = 77};
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	LAW(qrt_region_close_report(cx, &again, QRT_OK, &all) == QRT_ESTALE);
	LAW(again == stale && all.n_ok == 77);
	LAW(!qrt_region_cx(stale) && qrt_region_live(stale) == 0);
	qrt_region_cancel(stale, QRT_CANCEL_SHUTDOWN, "nobody is there");
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	LAW(memcmp(&before, &after, sizeof(before)) == 0);
}

static enum qrt_err close_place(struct qrt_cx *cx, struct place *place, enum qrt_err body)
{
	struct qrt_aggregate all;
	struct qrt_region *stale = place->region;
	struct qrt_region *region = place->region;
	enum qrt_err result = qrt_region_close_report(cx, &region, body, &all);
	LAW(!region);
	LAW(place->closed);
	check_aggregate(place, &all);
	check_result(place, body, result, &all);
	qrt_aggregate_fini(&all);
	close_again(cx, stale);
	the_closed_stay_closed(place->program);
	return result;
}

static bool open_place(struct qrt_cx *cx, struct place *place,
		       const struct qrt_region_options *opts, enum qrt_err *ret_err)
{
	*ret_err = qrt_region_open_with(cx, opts, &place->region);
	if (*ret_err) {
		place->closed = true;
		return false;
	}
	place->policy = opts->policy;
	place->finalizers = 1;
	LAW(!qrt_defer(qrt_region_cx(place->region), has_closed, place));
	return true;
}

/* --- steps ----------------------------------------------------------------------------------- */

static enum qrt_err step_region(struct qrt_cx *cx, struct person *person)
{
	struct qrt__lab_random *draw = &person->draw;
	struct place *place = new_place(person->program, person->scope, person);
	struct qrt_region_options opts = {.policy = (enum qrt_policy)draw_below(draw, 3)};
	enum qrt_err err;
	opts.cleanup_ns = draw_chance(draw, 30) ? (int64_t)(1 + draw_below(draw, 5)) * QRT_MS : 0;
	if (draw_chance(draw, 20)) {
		opts.budget.deadline_ns =
		    qrt_deadline_in(cx, 1 + (int64_t)draw_below(draw, 5) * QRT_MS);
	}
	if (!place) {
		return QRT_OK;
	}
	if (!open_place(cx, place, &opts, &err)) {
		return judge(cx, person, err);
	}
	person->scope = place;
	spawn_some(place, draw, draw_below(draw, 4));
	struct qrt_cx *within = draw_chance(draw, 50) ? qrt_region_cx(place->region) : cx;
	for (uint64_t n = draw_below(draw, 3); n > 0; n--) {
		add_finalizer(qrt_region_cx(place->region), person->program, &place->finalizers);
	}
	enum qrt_err body = live(within, person, draw_below(draw, 4));
	if (!qrt_cancel_requested(cx, NULL)) {
		spawn_some(place, draw, draw_below(draw, 2));
	}
	body = draw_chance(draw, 80) ? body : QRT_EIO;
	err = close_place(cx, place, body);
	person->scope = place->parent;
	return err;
}

static enum qrt_err step_mask(struct qrt_cx *cx, struct person *person)
{
	struct qrt__lab_random *draw = &person->draw;
	bool commits = draw_chance(draw, 30);
	int64_t budget =
	    !commits && draw_chance(draw, 60) ? (int64_t)(1 + draw_below(draw, 5)) * QRT_MS : 0;
	struct qrt_mask mask;
	if (person->n_masks == MASKS_MAX) {
		return QRT_OK;
	}
	enum qrt_err err =
	    commits ? qrt_commit_begin(cx, &mask) : qrt_mask_begin(cx, budget, &mask);
	if (err) {
		LAW(commits);
		return judge(cx, person, err);
	}
	person->masks[person->n_masks++] = (struct hold){now_of(cx), budget, commits};
	err = live(cx, person, 1 + draw_below(draw, 4));
	person->n_masks--;
	if (commits) {
		qrt_commit_end(cx, &mask);
	} else {
		qrt_mask_end(cx, &mask);
	}
	return err;
}

static enum qrt_err step_cancel(struct qrt_cx *cx, struct person *person)
{
	struct program *program = person->program;
	struct place *place = &program->places[draw_below(&person->draw, PLACES_MAX)];
	enum qrt_cancel_kind kind = draw_kind(&person->draw);
	(void)cx;
	/* Not the outermost: that would be the end of most programs. */
	if (place > program->places && place < program->places + program->n_places &&
	    place->region) {
		qrt_region_cancel(place->region, kind, "drawn");
	}
	return QRT_OK;
}

static enum qrt_err step_combine(struct qrt_cx *cx, struct person *person)
{
	struct qrt__lab_random *draw = &person->draw;
	struct place *place = new_place(person->program, person->scope, person);
	struct qrt_branch branches[3];
	size_t n = 1 + draw_below(draw, 3);
	enum qrt_err err;
	for (size_t i = 0; i < n && place; i++) {
		struct person *child = new_person(place, draw);
		n = child ? n : i;
		if (child) {
			place->children[place->n_children++] = child;
			branches[i] = (struct qrt_branch){be_born, child, "branch"};
		}
	}
	if (!place || n == 0) {
		return QRT_OK;
	}
	switch (draw_below(draw, 4)) {
	case 0:
		err = qrt_join(cx, branches, n, NULL);
		break;
	case 1:
		err = qrt_race(cx, branches, n, NULL, NULL);
		break;
	case 2:
		err = qrt_first_ok(cx, branches, n, NULL, NULL);
		break;
	default:
		err = qrt_timeout(cx, (int64_t)draw_below(draw, 4) * QRT_MS, be_born,
				  place->children[0]);
		break;
	}
	all_have_ended(place); /* losers are drained before it returns */
	place->closed = true;
	return qrt_cancel_requested(cx, NULL) ? err : QRT_OK;
}

static void release_debt(void *arg)
{
	struct debt *debt = arg;
	LAW(!debt->settled);
	LAW(!debt->released);
	debt->released = true;
}

static enum qrt_err step_oblige(struct qrt_cx *cx, struct person *person)
{
	struct program *program = person->program;
	struct qrt_duty duty;
	if (program->n_debts == DUTIES_MAX || !person->run->structured) {
		return QRT_OK;
	}
	struct debt *debt = &program->debts[program->n_debts++];
	struct place *place = person->scope;
	struct qrt_cx *of = place == person->home ? cx : qrt_region_cx(place->region);
	*debt = (struct debt){.place = place};
	LAW(!qrt_oblige(of, QRT_DUTY_OTHER, "debt", release_debt, debt, &duty));
	place->owed++;
	enum qrt_err err = live(cx, person, draw_below(&person->draw, 3));
	if (draw_chance(&person->draw, 95)) {
		place->owed--;
		debt->settled = true;
		LAW(!qrt_settle(&duty));
		LAW(qrt_settle(&duty) == QRT_ESTALE);
	}
	return err;
}

/* The end of somebody who would never end: by a panic, or by ignoring all refusals. */
static enum qrt_err step_perish(struct qrt_cx *cx, struct person *person)
{
	if (draw_chance(&person->draw, 30)) {
		law_tell(person->run, "task %u panics", person->number);
		person->panicked = true;
		qrt_panic(cx, "drawn");
	}
	if (person->run->structured && person->n_masks == 0 && qrt_cancel_requested(cx, NULL)) {
		for (int i = 0; i <= QRT_CLEANUP_POLLS; i++) {
			LAW(is_refusal(qrt_checkpoint(cx)));
		}
		LAW(!"who ignores a thousand refusals is forced");
	}
	return QRT_OK;
}

static enum qrt_err step_yield(struct qrt_cx *cx, struct person *person)
{
	return judge(cx, person, qrt_yield(cx));
}

static enum qrt_err step_sleep(struct qrt_cx *cx, struct person *person)
{
	int64_t ns = (int64_t)draw_below(&person->draw, 3) * QRT_MS;
	return judge(cx, person, qrt_sleep(cx, ns));
}

static enum qrt_err step_checkpoint(struct qrt_cx *cx, struct person *person)
{
	return judge(cx, person, qrt_checkpoint(cx));
}

static enum qrt_err step_defer(struct qrt_cx *cx, struct person *person)
{
	(void)cx;
	if (person->scope == person->home) {
		add_finalizer(cx, person->program, &person->finalizers);
	}
	return QRT_OK;
}

static enum qrt_err step_wait(struct qrt_cx *cx, struct person *person)
{
	return judge(cx, person,
		     draw_chance(&person->draw, 50) ? step_send(cx, person)
						    : step_recv(cx, person));
}

typedef enum qrt_err step_fn(struct qrt_cx *cx, struct person *person);

struct step {
	const char *name;
	step_fn *fn;
	unsigned weight;
	bool lasts; /* may wait for ever for somebody */
};

static const struct step steps[] = {
    {"yield", step_yield, 8, false},
    {"sleep", step_sleep, 8, false},
    {"checkpoint", step_checkpoint, 4, false},
    {"region", step_region, 14, false},
    {"mask", step_mask, 8, false},
    {"cancel", step_cancel, 8, false},
    {"combine", step_combine, 3, false},
    {"oblige", step_oblige, 4, false},
    {"perish", step_perish, 2, false},
    {"defer", step_defer, 6, false},
    {"try send", step_try_send, 6, false},
    {"try recv", step_try_recv, 6, false},
    {"wait", step_wait, 8, true},
    {"shut", step_shut, 1, false},
    {"reserve", step_reserve, 6, true},
    {"lock", step_lock, 6, true},
    {"acquire", step_acquire, 6, true},
    {"select", step_select, 14, false},
};
enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

static const struct step *draw_step(struct qrt__lab_random *draw)
{
	unsigned total = 0;
	for (size_t i = 0; i < STEPS; i++) {
		total += steps[i].weight;
	}
	uint64_t at = draw_below(draw, total);
	size_t i = 0;
	for (; at >= steps[i].weight; i++) {
		at -= steps[i].weight;
	}
	return &steps[i];
}

enum qrt_err live(struct qrt_cx *cx, struct person *person, uint64_t n)
{
	enum qrt_err err = QRT_OK;
	if (person->depth == DEPTH_MAX) {
		return QRT_OK;
	}
	person->depth++;
	for (; n > 0 && (!is_refusal(err) || person->deaf); n--) {
		const struct step *step = draw_step(&person->draw);
		if (step->lasts && is_hurried(person)) {
			step = &steps[0];
		}
		look(cx, person);
		law_tell(person->run, "%lld task %u: %s", (long long)now_of(cx), person->number,
			 step->name);
		err = step->fn(cx, person);
		law_tell(person->run, "%lld task %u: %s: %s", (long long)now_of(cx), person->number,
			 step->name, qrt_err_name(err));
		law_log(person->run,
			(uint64_t)(step - steps) << 32 | person->number << 16 | (unsigned)err);
		look(cx, person);
	}
	person->depth--;
	return is_refusal(err) ? err : QRT_OK;
}

/* --- a program ------------------------------------------------------------------------------- */

static void check_counts(const struct program *program, const struct qrt_audit *before,
			 const struct qrt_audit *after)
{
	uint64_t forced = 0, panics = 0, shut = 0;
	for (size_t i = 0; i < CHANS; i++) {
		shut += program->things.queues[i].closed; /* to close it is a duty */
	}
	for (size_t i = 0; i < program->n_people; i++) {
		const struct person *person = &program->people[i];
		LAW(person->ended == person->started);
		LAW(person->finalizers == 0);
		forced += was_forced(person);
		panics += person->panicked;
	}
	for (size_t i = 0; i < program->n_places; i++) {
		LAW(program->places[i].closed || !program->places[i].region);
		LAW(program->places[i].finalizers == 0);
	}
	for (size_t i = 0; i < program->n_debts; i++) {
		LAW(program->debts[i].settled != program->debts[i].released);
	}
	LAW(after->forced - before->forced == forced);
	LAW(after->panics - before->panics == panics);
	LAW(after->tasks_live == before->tasks_live);
	LAW(after->regions_live == before->regions_live);
	LAW(after->ops_live == before->ops_live);
	LAW(after->duties_live == before->duties_live - shut || program->things.leaked);
}

static void any_program(struct qrt_cx *cx, struct law_run *run)
{
	struct qrt_audit before, after;
	struct program *program = calloc(1, sizeof(*program));
	LAW(program);
	program->run = run;
	program->things.run = run;
	program->touch = draw_branch(&run->draw);
	things_open(cx, &program->things);
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	struct place *place = new_place(program, NULL, NULL);
	const struct qrt_region_options opts = {.policy = QRT_COLLECT,
						.budget.deadline_ns = qrt_deadline_in(cx, QRT_SEC)};
	enum qrt_err err;
	LAW(open_place(cx, place, &opts, &err));
	spawn_some(place, &run->draw, 2 + draw_below(&run->draw, 4));
	QRT_IGNORE(close_place(cx, place, QRT_OK), "whatever it is, it has been checked");
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	check_counts(program, &before, &after);
	things_close(cx, &program->things);
	free(program);
}

const struct law laws_programs[] = {
    {"whatever_a_program_does_the_laws_hold", any_program, ON_BOTH, 200, 3, false},
    {"taking_and_giving_back_is_doing_nothing", any_program, ON_BOTH, 60, 2, true},
};
const size_t n_laws_programs = sizeof(laws_programs) / sizeof(laws_programs[0]);
