/*
 * Plays a scenario: opens a whole Quotey (the components server and db behind a switchboard) on the
 * runtimes that the caller has, lets happen what the file says, and notes what was answered and
 * stored. Where it plays it learns from the caller alone; it must never open a runtime or name one.
 */
#ifndef QY_LAB_PLAY_H
#define QY_LAB_PLAY_H

#include <qrt/cx.h>
#include <qrt/runtime.h>

#include "quotey/lab/scenario.h"
#include "quotey/lab/transcript.h"

#define QY_PLAY_FAILURES_KEPT 20
#define QY_PLAY_REPORT_MAX ((size_t)256 << 10)

/* A place of the scenario, "legacy" or "region", and what stands for it. Started, if it can be. */
struct qy_play_place {
	const char *name;
	struct qrt_runtime *rt;
};

/*
 * What only a lab can do. Each is called on the host, may suspend, and answers an error with its
 * detail in cx. A member that is NULL fails the scenario that asks for it.
 */
struct qy_play_lab {
	void *arg;
	enum qrt_err (*fault)(struct qrt_cx *cx, void *arg, const struct qy_scenario_fault *fault);
	enum qrt_err (*heal)(struct qrt_cx *cx, void *arg);
	/*
	 * The power goes: from now on no write of anybody reaches the disk, and what was not synced
	 * is as lost as the lab likes. Quotey is taken down next, with all its errors.
	 */
	enum qrt_err (*power_off)(struct qrt_cx *cx, void *arg);
	/* The disk is there again, with what it has kept. Quotey is started next. */
	enum qrt_err (*power_on)(struct qrt_cx *cx, void *arg);
};

struct qy_play_setup {
	const struct qy_play_place *places; /* one for each name that the scenario says */
	size_t n_places;
	const char *server, *db;       /* where they start when the file has no `place` */
	const char *slack;	       /* the same; NULL: where the server does */
	const char *database_url;      /* of no file that is there: it is created */
	const struct qy_play_lab *lab; /* NULL: no lab; what is only for one is skipped */
	unsigned move_every;   /* moves a component before each so-many-th request; 0: never */
	bool synchronous_full; /* what was answered survives a crash */
	bool no_transcript;    /* only what is expected counts */
	/* Hears of each quote that an answer said was made; may be NULL. */
	void (*made)(void *arg, const char *quote_id);
	/* Hears of each envelope that Slack was told we have; may be NULL. */
	void (*acked)(void *arg, const char *envelope_id);
	void *arg; /* of both */
};

struct qy_play_result {
	struct qy_transcript transcript;
	struct qy_buffer report; /* "FILE:LINE:COLUMN: expected ..., got ...\n", the first ones */
	unsigned failures;	 /* expectations that did not hold; all of them */
	uint64_t requests, moves, skipped;
	uint64_t unanswered; /* of the requests */
};

/*
 * Plays it as a task of the host, any runtime of the caller's. QRT_OK: it was played to its end;
 * whether it went well is in result->failures. Errors: what kept it from going on (its detail is
 * in cx): ENOMEM, ELIMIT (the transcript), ECANCELED, ETIMEDOUT, those of opening, and ENOTSUP (a
 * place that the setup lacks). *ret_result is the caller's to fini in every case.
 * Needs all capabilities.
 */
enum qrt_err qy_play(struct qrt_cx *cx, const struct qy_scenario *scenario,
		     const struct qy_play_setup *setup,
		     struct qy_play_result *ret_result) QRT_MUST_USE;
/* NULL-safe. */
void qy_play_result_fini(struct qy_play_result *result);

#endif
