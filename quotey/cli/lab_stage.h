/*
 * Playing scenarios from the command line: reads a file, opens the runtimes of a cast, plays on
 * them with a database in a folder of its own, and takes all of it down again.
 */
#ifndef QY_CLI_LAB_STAGE_H
#define QY_CLI_LAB_STAGE_H

#include "quotey/cli/command.h"
#include "quotey/lab/play.h"

struct qrt_lab;

/* Who stands for the scenario's places. */
struct qy_cli_cast {
	const char *name; /* for people: "region" */
	bool in_lab;	  /* simulated time and network, from @seed */
	bool exchanged;	  /* each place of the scenario stands for the other one */
	uint64_t seed;
	/* The lab to play in, which stays the caller's and has a disk; NULL: one from the seed. */
	struct qrt_lab *lab;
	const char *server, *db; /* where they start when the scenario does not say */
	const char *host;	 /* backend of the client; NULL: the best there is */
	unsigned move_every;	 /* a component moves before each so-many-th request; 0: none */
};

/* The casts by the names of --backend; NULL: no such name. Static. */
const struct qy_cli_cast *qy_cli_cast_find(const char *name);
/* "legacy, region, lab". Static. */
const char *qy_cli_cast_list(void);

/* Reads and parses @path; the caller destroys *ret_scenario. 0 or the exit code. */
int qy_cli_scenario_load(struct qy_cli *cli, const char *path, struct qy_scenario **ret_scenario)
    __attribute__((warn_unused_result));

/*
 * Plays @scenario to its end. Expectations that did not hold are in *ret_result, which is the
 * caller's to fini in every case, and no failure of the call. 0 or the exit code.
 */
int qy_cli_play(struct qy_cli *cli, const struct qy_scenario *scenario,
		const struct qy_cli_cast *cast, struct qy_play_result *ret_result)
    __attribute__((warn_unused_result));

/* What a trial adds to a play. */
struct qy_cli_trial_hooks {
	void (*made)(void *arg, const char *quote_id);	   /* as qy_play_setup has it */
	void (*acked)(void *arg, const char *envelope_id); /* the same */
	/* After the play, on its database, however the play has ended; its error counts. */
	enum qrt_err (*after)(struct qrt_cx *cx, void *arg, const char *url);
	void *arg;
};

/* The same in the lab of @cast, which is the caller's; it only observes where @cast is real. */
enum qrt_err qy_cli_play_in(struct qy_cli *cli, const struct qy_scenario *scenario,
			    const struct qy_cli_cast *cast, const struct qy_cli_trial_hooks *hooks,
			    struct qy_play_result *ret_result) QRT_MUST_USE;

/* Where the database of a play in the lab is. */
extern const char qy_cli_lab_url[];

#endif
