/* The kill file, while Quotey runs: a task of the supervisor that looks for it every second. */
#include "quotey/cli/host.h"
#include "quotey/server/kill.h"

struct look_job {
	const struct qy_config *config;
	bool there;
};

static enum qrt_err look_main(struct qrt_job *job, void *arg)
{
	struct look_job *look = arg;

	(void)job;
	look->there = qy_assign_killed(look->config);
	return QRT_OK;
}

/* Off the loop: a file system can hang. */
static enum qrt_err look(struct qrt_cx *cx, void *arg, bool *ret_there)
{
	struct qy_host *host = arg;
	struct look_job job = {.config = host->cli->config};
	enum qrt_err err =
	    host->lane != NULL ? qrt_blocking(cx, host->lane, look_main, &job) : QRT_ECLOSED;

	*ret_there = job.there;
	return err;
}

enum qrt_err qy_host_watch(struct qrt_cx *cx, void *arg)
{
	struct qy_host *host = arg;

	return qy_kill_watch(cx, &host->control_env, look, host);
}
