/* Waiting for the first of several things: an await with all of them as arms. */
#include <qrt/select.h>

#include "shim/src/sync/arm.h"

/* Not for secrets, only for turns; the lab draws its own from the seed. */
static size_t any_of(struct qrt_runtime *rt, size_t n)
{
	if (rt->driver->choose) {
		return rt->driver->choose(rt, n);
	}
	uint64_t x = rt->select_state ? rt->select_state : UINT64_C(0x9e3779b97f4a7c15);
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	rt->select_state = x;
	return (size_t)((x >> 32) * n >> 32);
}

static enum qrt_err check(struct qrt_cx *cx, const struct qrt_case *cases, size_t n)
{
	if (n == 0 || n > QRT_SELECT_MAX) {
		return qrt_fail(cx, QRT_EINVAL, "a select of %zu cases, not 1 to %d", n,
				QRT_SELECT_MAX);
	}
	for (size_t i = 0; i < n; i++) {
		if (!cases[i].ops_) {
			return qrt_fail(cx, QRT_EINVAL, "case %zu of the select is empty", i);
		}
	}
	return QRT_OK;
}

static void unprepare(struct qrt_case *cases, size_t n, const struct qrt_case *committed)
{
	for (size_t i = 0; i < n; i++) {
		if (cases[i].ops_->unprepare && &cases[i] != committed) {
			cases[i].ops_->unprepare(&cases[i]);
		}
	}
}

static enum qrt_err prepare(struct qrt_cx *cx, struct qrt_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum qrt_err err = QRT_OK;
		if (cases[i].ops_->prepare) {
			err = cases[i].ops_->prepare(cx, &cases[i]);
		}
		if (err) {
			unprepare(cases, i, NULL);
			return err;
		}
	}
	return QRT_OK;
}

enum qrt_err qrt_select_until(struct qrt_cx *cx, enum qrt_select_order order,
			      struct qrt_case *cases, size_t n_cases, int64_t deadline_ns,
			      size_t *ret_index)
{
	enum qrt_err err = qrt__may_suspend(cx);
	if (!err) {
		err = check(cx, cases, n_cases);
	}
	if (!err) {
		err = prepare(cx, cases, n_cases);
	}
	if (err) {
		return err;
	}
	size_t first = order == QRT_SELECT_FAIR ? any_of(cx->task->rt, n_cases) : 0;
	size_t index = n_cases;
	err = qrt__await(cx, cases, n_cases, first, deadline_ns, &index);
	unprepare(cases, n_cases, err ? NULL : &cases[index]);
	if (index < n_cases) {
		*ret_index = index;
	}
	return err;
}

enum qrt_err qrt_select(struct qrt_cx *cx, enum qrt_select_order order, struct qrt_case *cases,
			size_t n_cases, size_t *ret_index)
{
	return qrt_select_until(cx, order, cases, n_cases, QRT_NO_DEADLINE, ret_index);
}
