/*
 * The switchboard routes each component to a backend and moves it while it
 * works:
 *
 *	prepare   start the instance there (nothing changes if that fails)
 *	flip      it takes work; one atomic store routes messages to it
 *	drain     the old side finishes what it has taken, within a budget
 *	retire    the old side's ledger is zero, or the stragglers are named;
 *	          it stays warm, so that a rollback is one flip
 */
#ifndef QRT_SWITCHBOARD_H
#define QRT_SWITCHBOARD_H

#include <qrt/component.h>
#include <qrt/runtime.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qrt_switchboard;

#define QRT_COMPONENTS_MAX 16
#define QRT_MOVE_TEXT_MAX 256

/* One move, also a refused one, as it is journalled. */
struct qrt_move {
	uint64_t seq; /* from 1, this process */
	int64_t at_wall_ms;
	char component[32];
	char from[16]; /* "" at first start */
	char to[16];
	char actor[64]; /* "user:ops", "system:sighup" */
	char reason[128];
	enum qrt_err err;		/* QRT_OK: the component is on @to */
	char detail[QRT_MOVE_TEXT_MAX]; /* why not; or which stragglers */
	int64_t prepare_ns, flip_ns, drain_ns, total_ns;
	uint64_t in_flight_at_flip;
	uint64_t stragglers; /* still under way when the drain budget ended */
};

/* Called on the mover's task after each move, refused ones too. May suspend. */
typedef void qrt_journal_fn(struct qrt_cx *cx, void *arg, const struct qrt_move *move);

struct qrt_switchboard_options {
	int64_t prepare_max_ns;	 /* 0: 10 s */
	int64_t drain_max_ns;	 /* 0: 10 s */
	qrt_journal_fn *journal; /* may be NULL */
	void *journal_arg;
};

QRT_API enum qrt_err qrt_switchboard_create(const struct qrt_switchboard_options *opts,
					    struct qrt_switchboard **ret_sb) QRT_MUST_USE;

/* Makes @rt the place for components assigned to @backend. @rt must be started. */
QRT_API enum qrt_err qrt_switchboard_add_runtime(struct qrt_switchboard *sb, const char *backend,
						 struct qrt_runtime *rt) QRT_MUST_USE;
/* @component and @env must outlive @sb. Errors: EEXIST, ELIMIT. */
QRT_API enum qrt_err qrt_switchboard_add_component(struct qrt_switchboard *sb,
						   const struct qrt_component *component,
						   void *env) QRT_MUST_USE;
/* The port of a component; NULL when unknown. Lives as long as @sb. */
QRT_API struct qrt_port *qrt_switchboard_port(struct qrt_switchboard *sb, const char *component);

/*
 * Moves (or first starts) a component. Suspends; moves of one component go
 * one after the other. Moving to where it is already is a success that
 * changes nothing. Needs ADMIN. Errors: ENOENT (unknown component), ENOTSUP
 * (no such backend here), the start function's, ETIMEDOUT; after any of them
 * the old assignment stands. @ret_move is filled in every case.
 */
QRT_API enum qrt_err qrt_switchboard_move(struct qrt_cx *cx, struct qrt_switchboard *sb,
					  const char *component, const char *backend,
					  const char *actor, const char *reason,
					  struct qrt_move *ret_move) QRT_MUST_USE;
/* Moves @component back to where it was before its last successful move. ESTATE when it never
 * moved. */
QRT_API enum qrt_err qrt_switchboard_rollback(struct qrt_cx *cx, struct qrt_switchboard *sb,
					      const char *component, const char *actor,
					      const char *reason,
					      struct qrt_move *ret_move) QRT_MUST_USE;

/*
 * Drains and stops every instance, the last added component first. Suspends.
 * Needs ADMIN. ETIMEDOUT when something did not end in the time left.
 */
QRT_API enum qrt_err qrt_switchboard_stop(struct qrt_cx *cx,
					  struct qrt_switchboard *sb) QRT_MUST_USE;
QRT_API void qrt_switchboard_destroy(struct qrt_switchboard **sb);

struct qrt_stage {
	char component[32];
	char backend[16];  /* "" while it runs nowhere */
	char previous[16]; /* where a rollback goes; "" for nowhere */
	bool moving;
	uint64_t in_flight;
	uint64_t moves;
};
/* A snapshot, from any thread; returns how many were written. */
QRT_API size_t qrt_switchboard_stages(struct qrt_switchboard *sb, struct qrt_stage *stages,
				      size_t n_max);
/*
 * The figures of a component, summed over the instance that serves and the one a rollback goes to;
 * none while it runs nowhere. From any thread; at most QRT_FIGURES_MAX; returns how many.
 */
QRT_API size_t qrt_switchboard_figures(struct qrt_switchboard *sb, const char *component,
				       struct qrt_figure *figures, size_t n_max);
/* The last moves (at most 64 are kept), newest first, from any thread. */
QRT_API size_t qrt_switchboard_history(struct qrt_switchboard *sb, struct qrt_move *moves,
				       size_t n_max);

#ifdef __cplusplus
}
#endif
#endif
