/*
 * Group commit: writes that wait for the writer share one transaction, each a
 * part of it, and one COMMIT. Nobody waits for others to come: a group is who
 * is in line when its turn comes. Each caller is told the truth about its own
 * part, and told OK only once the COMMIT is.
 *
 *	its part     the COMMIT        it is told
 *	says no      -                 its own error; its part is undone
 *	cancelled    -                 ECANCELED; its part is undone
 *	says yes     OK                OK
 *	says yes     not known         ECOMMITUNKNOWN
 *	says yes     refused, or the   it is run once more, in a transaction of
 *	             transaction was   its own, and told what comes of that
 *	             lost over a part
 *
 * Some errors end the whole transaction (a disk that is full, an interrupted
 * statement that writes), and a COMMIT can be refused over what one part did.
 * Then the others are run again; each job runs twice at most. Never sleeps.
 */
#include <qrt/sometimes.h>

#include "shim/src/db/internal.h"

#define GROUP_MAX 64u

struct group {
	struct qrt_db *db;
	struct qrt_job *leader;
	enum qrt_err told_leader;
	struct qrt__list parts; /* flows that said yes, in their order */
	unsigned n;
};

/* The flow is gone afterwards, unless it is the leader's. */
static void tell(struct group *group, struct qrt__db_flow *flow, enum qrt_err err,
		 enum qrt__db_fate fate)
{
	qrt__db_count(group->db, true, fate);
	qrt__list_remove(&flow->node);
	if (flow->job == group->leader) {
		group->told_leader = err;
	} else {
		qrt__job_end(flow->job, err);
	}
}

static struct qrt__db_flow *first_part(const struct group *group)
{
	return QRT__CONTAINER(group->parts.next, struct qrt__db_flow, node);
}

/* What they did is gone, for no fault of their own, or of one of them. */
static void run_again(struct group *group)
{
	struct qrt_db *db = group->db;
	QRT_SOMETIMES("writes that shared a transaction were made again, each by itself");
	while (!qrt__list_empty(&group->parts)) {
		struct qrt__db_flow *flow = first_part(group);
		enum qrt__db_fate fate;
		enum qrt_err err = qrt__db_conn_run(&db->writer, flow->job, &flow->work, &fate);
		atomic_fetch_add(&db->n_again, 1);
		if (fate == QRT__DB_DONE) {
			atomic_fetch_add(&db->n_commits, 1);
		}
		tell(group, flow, err, fate);
	}
}

/* Runs one more part. Whether the group may go on. */
static bool take_part(struct group *group, struct qrt__db_flow *flow)
{
	struct qrt_db *db = group->db;
	bool first = qrt__list_empty(&group->parts);
	enum qrt__db_fate fate;
	flow->ran = true;
	qrt__list_init(&flow->node);
	enum qrt_err err = qrt__db_conn_part(&db->writer, flow->job, &flow->work, first, &fate);
	if (!err) {
		qrt__list_append(&group->parts, &flow->node);
		group->n++;
		return true;
	}
	tell(group, flow, err, fate);
	if (first) {
		return false; /* there is no transaction any more */
	}
	if (!qrt__db_conn_holds(&db->writer)) {
		run_again(group);
		return false;
	}
	return true;
}

static struct qrt__db_flow *next_in_line(const struct group *group)
{
	struct qrt_job *job = qrt__job_join(group->leader);
	struct qrt__db_flow *flow = job ? qrt__job_arg(job) : NULL;
	if (flow) {
		flow->job = job;
	}
	return flow;
}

/* Commits what is there, and tells everybody. */
static void commit(struct group *group)
{
	struct qrt_db *db = group->db;
	enum qrt__db_fate fate;
	if (qrt__list_empty(&group->parts)) {
		return;
	}
	enum qrt_err err = qrt__db_conn_commit(&db->writer, &fate);
	bool again = fate == QRT__DB_UNKNOWN && QRT__MUTANT(COMMIT_RETRIED);
	if (again || (fate == QRT__DB_ROLLED_BACK && group->n > 1)) {
		run_again(group);
		return;
	}
	if (fate == QRT__DB_DONE) {
		atomic_fetch_add(&db->n_commits, 1);
	}
	if (group->n > 1) {
		QRT_SOMETIMES("writes have shared a commit");
	}
	while (!qrt__list_empty(&group->parts)) {
		struct qrt__db_flow *flow = first_part(group);
		QRT_IGNORE(qrt__db_conn_report(&db->writer, flow->job, err), "it is the same");
		tell(group, flow, err, fate);
	}
}

enum qrt_err qrt__db_group(struct qrt_job *leader, void *arg)
{
	struct qrt__db_flow *flow = arg;
	struct group group = {.db = flow->db, .leader = leader};
	const struct qrt_db_conn *conn = &group.db->writer;
	int64_t until_ns = qrt__db_clock_ns(conn) + group.db->group_ns;
	qrt__list_init(&group.parts);
	flow->job = leader;
	while (flow && take_part(&group, flow)) {
		bool full = group.n == GROUP_MAX || qrt__db_clock_ns(conn) >= until_ns;
		flow = full ? NULL : next_in_line(&group);
	}
	commit(&group);
	return group.told_leader;
}
