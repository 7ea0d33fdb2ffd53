/* Laws of plain functions: adding up cancels, the meet of budgets. */
#include <qrt/budget.h>
#include <qrt/cancel.h>
#include <string.h>

#include "tests/lab/laws.h"

enum { ROUNDS = 200 };

/* Few different values, so that ties are frequent. */
static struct qrt_cancel_info draw_info(struct qrt__lab_random *draw)
{
	return (struct qrt_cancel_info){
	    .kind = draw_kind(draw),
	    .cause = draw_kind(draw),
	    .levels = (unsigned)draw_below(draw, 3),
	    .reason = "drawn",
	    .origin = "the law",
	    .at_ns = (int64_t)draw_below(draw, 4),
	    .cleanup_until_ns = (int64_t)draw_below(draw, 4),
	};
}

static bool same_info(struct qrt_cancel_info a, struct qrt_cancel_info b)
{
	return a.kind == b.kind && a.cause == b.cause && a.levels == b.levels &&
	       a.at_ns == b.at_ns && a.cleanup_until_ns == b.cleanup_until_ns;
}

/* Whether @a is at least as strong: severer, or as severe and not later; and leaves no more time.
 */
static bool at_least(struct qrt_cancel_info a, struct qrt_cancel_info b)
{
	int more = qrt_cancel_severity(a.kind) - qrt_cancel_severity(b.kind);
	return (more > 0 || (more == 0 && a.at_ns <= b.at_ns)) &&
	       a.cleanup_until_ns <= b.cleanup_until_ns;
}

static void merging_cancels(struct qrt_cx *cx, struct law_run *run)
{
	(void)cx;
	for (int i = 0; i < ROUNDS; i++) {
		struct qrt_cancel_info a = draw_info(&run->draw);
		struct qrt_cancel_info b = draw_info(&run->draw);
		struct qrt_cancel_info c = draw_info(&run->draw);
		struct qrt_cancel_info ab = qrt_cancel_merge(a, b);
		LAW(same_info(qrt_cancel_merge(a, a), a));
		LAW(same_info(ab, qrt_cancel_merge(b, a)));
		LAW(same_info(qrt_cancel_merge(ab, c),
			      qrt_cancel_merge(a, qrt_cancel_merge(b, c))));
		LAW(at_least(ab, a) && at_least(ab, b));
		LAW(same_info(qrt_cancel_merge(ab, a), ab));
		/* Monotone: what is stronger before something is added is not weaker after. */
		if (at_least(a, b)) {
			LAW(at_least(qrt_cancel_merge(a, c), qrt_cancel_merge(b, c)));
		}
		/* It is one of the two, in full: not the kind of one with the cause of the other.
		 */
		struct qrt_cancel_info winner = ab;
		winner.cleanup_until_ns = a.cleanup_until_ns;
		bool is_a = same_info(winner, a);
		winner.cleanup_until_ns = b.cleanup_until_ns;
		LAW(is_a || same_info(winner, b));
	}
}

static int64_t draw_bound(struct qrt__lab_random *draw)
{
	return (int64_t)draw_below(draw, 4);
}

static struct qrt_budget draw_budget(struct qrt__lab_random *draw)
{
	return (struct qrt_budget){
	    .deadline_ns = draw_bound(draw),
	    .polls = draw_bound(draw),
	    .cost = draw_bound(draw),
	    .priority = (unsigned)draw_below(draw, QRT_PRIORITY_MAX + 1),
	};
}

static bool same_budget(struct qrt_budget a, struct qrt_budget b)
{
	return a.deadline_ns == b.deadline_ns && a.polls == b.polls && a.cost == b.cost &&
	       a.priority == b.priority;
}

static bool no_looser(int64_t a, int64_t b)
{
	return b == 0 || (a != 0 && a <= b);
}

static bool within(struct qrt_budget a, struct qrt_budget b)
{
	return no_looser(a.deadline_ns, b.deadline_ns) && no_looser(a.polls, b.polls) &&
	       no_looser(a.cost, b.cost) && a.priority >= b.priority;
}

static void meeting_budgets(struct qrt_cx *cx, struct law_run *run)
{
	(void)cx;
	const struct qrt_budget identity = {0};
	for (int i = 0; i < ROUNDS; i++) {
		struct qrt_budget a = draw_budget(&run->draw);
		struct qrt_budget b = draw_budget(&run->draw);
		struct qrt_budget c = draw_budget(&run->draw);
		struct qrt_budget ab = qrt_budget_meet(a, b);
		LAW(same_budget(qrt_budget_meet(a, a), a));
		LAW(same_budget(ab, qrt_budget_meet(b, a)));
		LAW(same_budget(qrt_budget_meet(ab, c), qrt_budget_meet(a, qrt_budget_meet(b, c))));
		LAW(same_budget(qrt_budget_meet(a, identity), a));
		LAW(same_budget(qrt_budget_meet(identity, a), a));
		LAW(within(ab, a) && within(ab, b));
		/* And no tighter than it must be: whatever is within both is within the meet. */
		if (within(c, a) && within(c, b)) {
			LAW(within(c, ab));
		}
	}
}

const struct law laws_algebra[] = {
    {"adding_up_cancels_is_a_join", merging_cancels, ON_NOTHING, 40, 1, false},
    {"the_meet_of_budgets_is_a_meet", meeting_budgets, ON_NOTHING, 40, 1, false},
};
const size_t n_laws_algebra = sizeof(laws_algebra) / sizeof(laws_algebra[0]);
