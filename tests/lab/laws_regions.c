/*
 * Laws of regions: how cancels add up in a tree, what a mask holds back and
 * for how long, budgets from parent to child, who is forced.
 */
#include <qrt/budget.h>
#include <qrt/runtime.h>
#include <qrt/sync.h>

#include "tests/lab/laws.h"

#define HOUR (3600 * QRT_SEC)

static int64_t now_of(const struct qrt_cx *cx)
{
	return qrt_deadline_in(cx, 0);
}

/* --- cancels in a tree ---------------------------------------------------------------------- */

enum { NODES_MAX = 10, REQUESTS_MAX = 8 };

static const int64_t cleanup_of_kind[] = {
#define CLEANUP(name, text, severity, cleanup_ms) [name] = (cleanup_ms)*QRT_MS,
    QRT_CANCEL_KINDS(CLEANUP)
#undef CLEANUP
};

struct node {
	struct tree *tree;
	const struct node *parent;
	struct qrt_region *region;
	int64_t cleanup_ns;
	bool asked;
	struct qrt_cancel_info expected;
};

struct tree {
	struct law_run *run;
	struct node nodes[NODES_MAX];
	size_t n;
	struct qrt_notify *over;
};

static bool is_child_of(const struct node *node, const struct node *parent)
{
	return node->parent == parent;
}

/* Opens the region of its node below its parent's and stays in it, deaf, until all is over. */
static enum qrt_err dwell(struct qrt_cx *cx, void *arg)
{
	struct node *node = arg;
	struct tree *tree = node->tree;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT,
						.cleanup_ns = node->cleanup_ns};
	struct qrt_region *region;
	struct qrt_mask mask;
	LAW(!qrt_region_open_with(cx, &opts, &region));
	node->region = region;
	for (size_t i = 0; i < tree->n; i++) {
		if (is_child_of(&tree->nodes[i], node)) {
			LAW(!qrt_spawn(region, dwell, &tree->nodes[i]));
		}
	}
	LAW(!qrt_mask_begin(cx, 0, &mask));
	LAW(!qrt_notify_wait(cx, tree->over));
	qrt_mask_end(cx, &mask);
	bool late = node->expected.cause == QRT_CANCEL_DEADLINE;
	enum qrt_err refusal = late ? QRT_ETIMEDOUT : QRT_ECANCELED;
	LAW(qrt_checkpoint(cx) == (node->asked ? refusal : QRT_OK));
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "what was cancelled says so");
	return QRT_OK;
}

/* What is asked of a region becomes "parent" below it, unless it is as severe as that. */
static struct qrt_cancel_info one_down(struct qrt_cancel_info above)
{
	if (qrt_cancel_severity(above.kind) < qrt_cancel_severity(QRT_CANCEL_PARENT)) {
		above.kind = QRT_CANCEL_PARENT;
	}
	above.levels++;
	return above;
}

static void expect(struct tree *tree, const struct node *at, struct qrt_cancel_info info)
{
	struct node *node = &tree->nodes[at - tree->nodes];
	node->expected = node->asked ? qrt_cancel_merge(node->expected, info) : info;
	node->asked = true;
	for (size_t i = 0; i < tree->n; i++) {
		if (is_child_of(&tree->nodes[i], node)) {
			expect(tree, &tree->nodes[i], one_down(info));
		}
	}
}

static void request(struct qrt_cx *cx, struct tree *tree)
{
	const struct node *node = &tree->nodes[draw_below(&tree->run->draw, tree->n)];
	enum qrt_cancel_kind kind = draw_kind(&tree->run->draw);
	int64_t now = now_of(cx);
	int64_t cleanup = node->cleanup_ns ? node->cleanup_ns : cleanup_of_kind[kind];
	law_tell(tree->run, "at %lld: %s asked of region %d", (long long)now, qrt_cancel_name(kind),
		 (int)(node - tree->nodes));
	expect(tree, node,
	       (struct qrt_cancel_info){
		   .kind = kind, .cause = kind, .at_ns = now, .cleanup_until_ns = now + cleanup});
	qrt_region_cancel(node->region, kind, "drawn");
}

static void compare(const struct tree *tree)
{
	for (size_t i = 0; i < tree->n; i++) {
		const struct node *node = &tree->nodes[i];
		struct qrt_cancel_info seen;
		bool asked = qrt_cancel_requested(qrt_region_cx(node->region), &seen);
		LAW(asked == node->asked);
		if (asked) {
			law_tell(tree->run, "region %zu: %s because of %s at %lld", i,
				 qrt_cancel_name(seen.kind), qrt_cancel_name(seen.cause),
				 (long long)seen.at_ns);
			LAW(seen.kind == node->expected.kind);
			LAW(seen.at_ns == node->expected.at_ns);
			LAW(seen.cause == node->expected.cause);
			LAW(seen.levels == node->expected.levels);
			LAW(seen.cleanup_until_ns == node->expected.cleanup_until_ns);
		}
	}
}

static void cancels_in_a_tree(struct qrt_cx *cx, struct law_run *run)
{
	struct qrt__lab_random *draw = &run->draw;
	struct tree tree = {.run = run, .n = 1 + draw_below(draw, NODES_MAX)};
	struct qrt_region *stage;
	LAW(!qrt_notify_open(cx, &tree.over));
	LAW(!qrt_region_open(cx, QRT_COLLECT, &stage));
	for (size_t i = 0; i < tree.n; i++) {
		struct node *node = &tree.nodes[i];
		*node = (struct node){.tree = &tree,
				      .parent = i ? &tree.nodes[draw_below(draw, i)] : NULL};
		law_tell(run, "region %zu below %d", i,
			 node->parent ? (int)(node->parent - tree.nodes) : -1);
		node->cleanup_ns =
		    draw_chance(draw, 30) ? (int64_t)(1 + draw_below(draw, 9)) * QRT_SEC : 0;
	}
	LAW(!qrt_spawn(stage, dwell, &tree.nodes[0]));
	LAW(!law_settle(cx));
	for (size_t i = draw_below(draw, REQUESTS_MAX); i > 0; i--) {
		request(cx, &tree);
		compare(&tree);
		if (draw_chance(draw, 30)) {
			LAW(!law_settle(cx)); /* the next one comes later */
		}
	}
	compare(&tree);
	LAW(!qrt_notify_all(tree.over));
	LAW(!qrt_region_close(cx, &stage, QRT_OK));
	LAW(!qrt_notify_close(&tree.over));
}

/* --- masks ---------------------------------------------------------------------------------- */

enum { DEPTH_MAX = 5, STEPS = 5 };
#define NEVER INT64_MAX

struct frame {
	int64_t begun_ns, budget_ns; /* 0: without one */
};

struct hider {
	struct law_run *run;
	int64_t cancel_ns; /* when it will be cancelled, or late */
	bool deadline;	   /* by its region's deadline, which is its cx's too */
	bool settled;	   /* time has passed since the masks changed */
	size_t depth, commits;
	struct frame frames[DEPTH_MAX];
	enum qrt_err refusal;
};

static bool is_cancelled(const struct hider *hider, const struct qrt_cx *cx)
{
	return now_of(cx) >= hider->cancel_ns;
}

/* When a cancel gets through to @hider, if nothing changes until then. */
static int64_t reaches_ns(const struct hider *hider)
{
	int64_t at = hider->depth ? NEVER : hider->cancel_ns;
	for (size_t i = 0; i < hider->depth; i++) {
		const struct frame *frame = &hider->frames[i];
		int64_t asked = hider->cancel_ns;
		int64_t from = asked > frame->begun_ns ? asked : frame->begun_ns;
		if (frame->budget_ns && from + frame->budget_ns < at) {
			at = from + frame->budget_ns;
		}
	}
	return hider->commits ? NEVER : at;
}

static double in_ms(int64_t ns)
{
	return ns == NEVER ? -1 : (double)ns / QRT_MS;
}

/* A wait of @ns from @begun, ended with @err: as long as the masks say, and not a moment less. */
static void judge(struct hider *hider, const struct qrt_cx *cx, enum qrt_err err, int64_t begun,
		  int64_t ns)
{
	int64_t reaches = reaches_ns(hider);
	int64_t now = now_of(cx);
	law_tell(hider->run, "%.1f ms: slept from %.1f for %.1f, %s; reached at %.1f; depth %zu",
		 in_ms(now), in_ms(begun), in_ms(ns), qrt_err_name(err), in_ms(reaches),
		 hider->depth);
	if (!err) {
		LAW(now == begun + ns);
		LAW(reaches >= now || !hider->settled);
	} else {
		LAW(err == hider->refusal);
		LAW(is_cancelled(hider, cx));
		LAW(now == (reaches > begun ? reaches : begun));
	}
	hider->settled |= now > begun;
}

static enum qrt_err nap(struct qrt_cx *cx, struct hider *hider)
{
	int64_t ns = (int64_t)draw_below(&hider->run->draw, 5) * QRT_MS;
	int64_t begun = now_of(cx);
	enum qrt_err err = qrt_sleep(cx, ns);
	judge(hider, cx, err, begun, ns);
	return err;
}

static enum qrt_err nap_of_child(struct qrt_cx *cx, void *arg)
{
	return nap(cx, arg);
}

/* What is opened under a mask is covered by it. */
static enum qrt_err nap_below(struct qrt_cx *cx, struct hider *hider)
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_COLLECT, &region);
	if (err) {
		LAW(is_cancelled(hider, cx) && reaches_ns(hider) <= now_of(cx));
		return err;
	}
	law_tell(hider->run, "%.1f ms: a region opens", in_ms(now_of(cx)));
	LAW(!qrt_spawn(region, nap_of_child, hider));
	return qrt_region_close(cx, &region, QRT_OK);
}

static void look(struct hider *hider, struct qrt_cx *cx)
{
	enum qrt_err err = qrt_checkpoint(cx);
	int64_t reaches = reaches_ns(hider);
	law_tell(hider->run, "%.1f ms: checkpoint says %s; reached at %.1f; depth %zu",
		 in_ms(now_of(cx)), qrt_err_name(err), in_ms(reaches), hider->depth);
	if (err) {
		LAW(err == hider->refusal);
		LAW(is_cancelled(hider, cx) && reaches <= now_of(cx));
	} else {
		LAW(!is_cancelled(hider, cx) || reaches >= now_of(cx) || !hider->settled);
	}
	if (is_cancelled(hider, cx) && hider->depth == 0) {
		LAW(err); /* delayed maybe, lost never */
	}
}

static void hide(struct qrt_cx *cx, struct hider *hider);

static void hide_deeper(struct qrt_cx *cx, struct hider *hider)
{
	struct qrt__lab_random *draw = &hider->run->draw;
	bool commits = draw_chance(draw, 35);
	bool bounded = !commits && draw_chance(draw, 70);
	int64_t budget = bounded ? (int64_t)(1 + draw_below(draw, 8)) * QRT_MS : 0;
	struct qrt_mask mask;
	enum qrt_err err =
	    commits ? qrt_commit_begin(cx, &mask) : qrt_mask_begin(cx, budget, &mask);
	if (err) {
		LAW(commits && is_cancelled(hider, cx) && reaches_ns(hider) <= now_of(cx));
		return;
	}
	law_tell(hider->run, "%.1f ms: %s of %.1f ms begins", in_ms(now_of(cx)),
		 commits ? "commit" : "mask", in_ms(budget));
	hider->settled = false;
	hider->frames[hider->depth++] = (struct frame){now_of(cx), budget};
	hider->commits += commits;
	hide(cx, hider);
	hider->commits -= commits;
	hider->depth--;
	hider->settled = false;
	if (commits) {
		qrt_commit_end(cx, &mask);
	} else {
		qrt_mask_end(cx, &mask);
	}
	look(hider, cx);
}

static void hide(struct qrt_cx *cx, struct hider *hider)
{
	for (uint64_t i = draw_below(&hider->run->draw, STEPS); i > 0; i--) {
		switch (draw_below(&hider->run->draw, 4)) {
		case 0:
			QRT_IGNORE(nap(cx, hider), "judged where it happened");
			break;
		case 1:
			if (hider->deadline) {
				break; /* those below have the deadline, and no mask of their own */
			}
			QRT_IGNORE(nap_below(cx, hider), "judged where it happened");
			break;
		default:
			if (hider->depth < DEPTH_MAX) {
				hide_deeper(cx, hider);
			}
			break;
		}
		look(hider, cx);
	}
}

static enum qrt_err hiding(struct qrt_cx *cx, void *arg)
{
	struct hider *hider = arg;
	hide(cx, hider);
	hide(cx, hider);
	QRT_IGNORE(nap(cx, hider), "judged where it happened");
	look(hider, cx);
	return QRT_OK;
}

static void masks_delay(struct qrt_cx *cx, struct law_run *run)
{
	struct qrt_region_options opts = {.policy = QRT_COLLECT, .cleanup_ns = HOUR};
	enum qrt_cancel_kind kind =
	    draw_chance(&run->draw, 30) ? QRT_CANCEL_DEADLINE : draw_kind(&run->draw);
	/* Half a millisecond: never the moment in which something else ends. */
	int64_t cancel_ns = (int64_t)draw_below(&run->draw, 12) * QRT_MS + QRT_MS / 2;
	struct hider hider = {.run = run,
			      .cancel_ns = now_of(cx) + cancel_ns,
			      .deadline = kind == QRT_CANCEL_DEADLINE,
			      .refusal =
				  kind == QRT_CANCEL_DEADLINE ? QRT_ETIMEDOUT : QRT_ECANCELED};
	struct qrt_region *region;
	opts.budget.deadline_ns = hider.deadline ? hider.cancel_ns : 0;
	LAW(!qrt_region_open_with(cx, &opts, &region));
	LAW(!qrt_spawn(region, hiding, &hider));
	QRT_IGNORE(qrt_sleep_until(cx, hider.cancel_ns), "late, when the region is");
	if (!hider.deadline) {
		qrt_region_cancel(region, kind, "drawn");
	}
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "it was cancelled");
}

/* --- budgets -------------------------------------------------------------------------------- */

enum { FAMILY_DEPTH = 5, CHILDREN = 3 };

struct family {
	struct law_run *run;
	struct qrt__lab_random draw;
	struct qrt_budget expected;
	unsigned depth;
};

static struct qrt_budget draw_budget(struct qrt__lab_random *draw, const struct qrt_cx *cx)
{
	struct qrt_budget budget = {.priority = (unsigned)draw_below(draw, QRT_PRIORITY_MAX + 1)};
	if (draw_chance(draw, 50)) {
		budget.deadline_ns = qrt_deadline_in(cx, (int64_t)draw_below(draw, 1000) * QRT_MS);
		budget.deadline_ns += budget.deadline_ns == 0;
	}
	if (draw_chance(draw, 50)) {
		budget.polls = 1 + (int64_t)draw_below(draw, 100);
	}
	if (draw_chance(draw, 50)) {
		budget.cost = 1 + (int64_t)draw_below(draw, 100);
	}
	return budget;
}

static bool same_bounds(struct qrt_budget a, struct qrt_budget b)
{
	return a.deadline_ns == b.deadline_ns && a.polls == b.polls && a.cost == b.cost;
}

/* None stays none, and a bound never grows. */
static bool shrinks(int64_t before, int64_t after)
{
	return before == 0 ? after == 0 : after > 0 && after <= before;
}

static void has_not_grown(struct law_run *run, struct qrt_budget before, const struct qrt_cx *cx)
{
	struct qrt_budget after = qrt_cx_budget(cx);
	law_tell(run, "polls %lld, were %lld; cost %lld, was %lld", (long long)after.polls,
		 (long long)before.polls, (long long)after.cost, (long long)before.cost);
	LAW(after.deadline_ns == before.deadline_ns);
	LAW(shrinks(before.polls, after.polls));
	LAW(shrinks(before.cost, after.cost));
	LAW(after.priority == before.priority);
}

static enum qrt_err live_within(struct qrt_cx *cx, void *arg);

static void raise_family(struct qrt_cx *cx, struct family *parent)
{
	struct qrt__lab_random *draw = &parent->draw;
	struct family children[CHILDREN];
	struct qrt_region_options opts = {.policy = QRT_COLLECT, .budget = draw_budget(draw, cx)};
	struct qrt_region *region;
	struct qrt_budget mine = qrt_cx_budget(cx);
	if (qrt_region_open_with(cx, &opts, &region)) {
		return; /* spent, or too late */
	}
	struct qrt_cx *within = qrt_region_cx(region);
	struct qrt_budget left = qrt_budget_meet(mine, opts.budget);
	LAW(same_bounds(qrt_cx_budget(within), left));
	for (size_t i = draw_below(draw, CHILDREN + 1); i > 0; i--) {
		struct family *child = &children[i - 1];
		struct qrt_spawn_options how = {.name = "child", .budget = draw_budget(draw, cx)};
		*child = (struct family){
		    .run = parent->run, .draw = draw_branch(draw), .depth = parent->depth + 1};
		left = qrt_cx_budget(within);
		left.priority =
		    opts.budget.priority > mine.priority ? opts.budget.priority : mine.priority;
		child->expected = qrt_budget_meet(left, how.budget);
		if (qrt_spawn_with(region, &how, live_within, child)) {
			break; /* cancelled, its budget being spent */
		}
		if (draw_chance(draw, 50)) {
			QRT_IGNORE(qrt_charge(within, (int64_t)draw_below(draw, 10)), "counted");
		}
	}
	QRT_IGNORE(qrt_region_close(cx, &region, QRT_OK), "some were out of budget");
	has_not_grown(parent->run, mine, cx);
}

static enum qrt_err live_within(struct qrt_cx *cx, void *arg)
{
	struct family *me = arg;
	struct qrt_budget mine = qrt_cx_budget(cx);
	LAW(same_bounds(mine, me->expected));
	LAW(mine.priority == me->expected.priority);
	for (uint64_t i = draw_below(&me->draw, 4); i > 0; i--) {
		if (draw_chance(&me->draw, 50)) {
			QRT_IGNORE(qrt_charge(cx, (int64_t)draw_below(&me->draw, 20)), "counted");
		} else {
			QRT_IGNORE(qrt_yield(cx), "counted");
		}
		if (me->depth < FAMILY_DEPTH) {
			raise_family(cx, me);
		}
		has_not_grown(me->run, mine, cx);
	}
	return QRT_OK;
}

static void budgets_go_down(struct qrt_cx *cx, struct law_run *run)
{
	struct family first = {.run = run, .draw = draw_branch(&run->draw)};
	for (int i = 0; i < 3; i++) {
		raise_family(cx, &first);
	}
}

/* --- the end of patience -------------------------------------------------------------------- */

enum { CROWD = 8 };

enum manner { OBEYS, SPINS, YIELDS, HIDES, LEAVES_IN_TIME, COMMITS_LATE, GRUMBLES, MANNERS };

struct person {
	struct crowd *crowd;
	enum manner manner;
	uint64_t grumbles; /* refusals it ignores before it ends */
	unsigned finalized;
};

struct crowd {
	struct law_run *run;
	int64_t cleanup_ns;
	struct person people[CROWD];
	size_t n, n_forced, n_ok, n_obeying;
};

static void finalize(struct qrt_cx *cx, void *arg)
{
	struct person *person = arg;
	(void)cx;
	person->finalized++;
}

static enum qrt_err hide_for(struct qrt_cx *cx, int64_t ns, bool commits)
{
	struct qrt_mask mask;
	enum qrt_err err = commits ? qrt_commit_begin(cx, &mask) : qrt_mask_begin(cx, 0, &mask);
	LAW(!err);
	err = qrt_sleep(cx, ns);
	if (commits) {
		LAW(!err);
		qrt_commit_end(cx, &mask);
	} else {
		qrt_mask_end(cx, &mask);
	}
	return err;
}

static enum qrt_err behave(struct qrt_cx *cx, void *arg)
{
	struct person *person = arg;
	const struct crowd *crowd = person->crowd;
	LAW(!qrt_defer(cx, finalize, person));
	switch (person->manner) {
	case OBEYS:
		return qrt_sleep(cx, HOUR);
	case LEAVES_IN_TIME:
		LAW(!hide_for(cx, crowd->cleanup_ns - QRT_MS, false));
		return QRT_OK;
	case COMMITS_LATE:
		LAW(!hide_for(cx, crowd->cleanup_ns + QRT_SEC, true));
		return QRT_OK;
	case GRUMBLES:
		LAW(qrt_sleep(cx, HOUR));
		for (uint64_t i = 0; i < person->grumbles; i++) {
			LAW(qrt_checkpoint(cx));
		}
		return QRT_OK;
	default:
		break;
	}
	for (;;) { /* never to return */
		if (person->manner == HIDES) {
			QRT_IGNORE(hide_for(cx, HOUR, false), "it ignores everybody");
		} else if (person->manner == SPINS) {
			QRT_IGNORE(qrt_sleep(cx, HOUR), "it ignores everybody");
			QRT_IGNORE(qrt_checkpoint(cx), "it ignores everybody");
		} else {
			QRT_IGNORE(qrt_yield(cx), "it ignores everybody");
			QRT_IGNORE(qrt_sleep(cx, HOUR), "it ignores everybody");
		}
	}
}

static void draw_crowd(struct crowd *crowd)
{
	struct qrt__lab_random *draw = &crowd->run->draw;
	crowd->n = 1 + draw_below(draw, CROWD);
	crowd->cleanup_ns = (int64_t)(10 + draw_below(draw, 1000)) * QRT_MS;
	for (size_t i = 0; i < crowd->n; i++) {
		struct person *person = &crowd->people[i];
		*person = (struct person){.crowd = crowd,
					  .manner = (enum manner)draw_below(draw, MANNERS),
					  .grumbles = draw_below(draw, QRT_CLEANUP_POLLS)};
		enum manner manner = person->manner;
		crowd->n_obeying += manner == OBEYS;
		crowd->n_forced += manner == SPINS || manner == YIELDS || manner == HIDES;
		crowd->n_ok +=
		    manner == LEAVES_IN_TIME || manner == COMMITS_LATE || manner == GRUMBLES;
	}
}

static void force_is_counted(struct qrt_cx *cx, struct law_run *run)
{
	struct crowd crowd = {.run = run};
	struct qrt_audit before, after;
	struct qrt_aggregate all;
	struct qrt_region *region;
	draw_crowd(&crowd);
	const struct qrt_region_options opts = {.policy = QRT_COLLECT,
						.cleanup_ns = crowd.cleanup_ns};
	qrt_runtime_audit(qrt_cx_runtime(cx), &before);
	LAW(!qrt_region_open_with(cx, &opts, &region));
	for (size_t i = 0; i < crowd.n; i++) {
		LAW(!qrt_spawn(region, behave, &crowd.people[i]));
	}
	LAW(!law_settle(cx));
	enum qrt_cancel_kind kind = draw_kind(&run->draw);
	/* Who is asked because of a deadline is late when it obeys, and that is a failure. */
	size_t n_late = kind == QRT_CANCEL_DEADLINE ? crowd.n_obeying : 0;
	qrt_region_cancel(region, kind, "drawn");
	QRT_IGNORE(qrt_region_close_report(cx, &region, QRT_OK, &all), "it was cancelled");
	qrt_runtime_audit(qrt_cx_runtime(cx), &after);
	LAW(after.forced - before.forced == crowd.n_forced);
	LAW(all.n_forced == crowd.n_forced);
	LAW(all.n_failures == crowd.n_forced + n_late);
	LAW(all.n_ok == crowd.n_ok);
	LAW(all.n_kept == all.n_failures);
	for (size_t i = 0; i < all.n_kept; i++) {
		LAW(all.kept[i].forced || all.kept[i].err == QRT_ETIMEDOUT);
	}
	for (size_t i = 0; i < crowd.n; i++) {
		LAW(crowd.people[i].finalized == 1);
	}
	LAW(after.duties_live == before.duties_live);
	qrt_aggregate_fini(&all);
}

const struct law laws_regions[] = {
    {"cancels_add_up_wherever_and_in_whatever_order", cancels_in_a_tree, ON_LAB, 120, 3, false},
    {"a_mask_delays_a_cancel_and_never_loses_it", masks_delay, ON_LAB, 250, 2, false},
    {"a_childs_budget_is_the_meet_at_any_depth", budgets_go_down, ON_BOTH, 60, 2, false},
    {"who_is_forced_is_counted_exactly", force_is_counted, ON_LAB, 60, 3, false},
};
const size_t n_laws_regions = sizeof(laws_regions) / sizeof(laws_regions[0]);
