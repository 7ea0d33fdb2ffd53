/*
 * Worker pool: four workers share one channel of jobs, here the blocks of a file to be digested on
 * a lane of two threads. However many blocks there are, four are in work and eight wait; whoever
 * brings more waits too. Each block is digested exactly once.
 */
#include <qrt/qrt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 4, QUEUE = 8, BLOCKS = 100, BLOCK_BYTES = 4096 };

struct job {
	const char *block;
	uint8_t *digest; /* where it goes */
};

struct pool {
	struct qrt_chan *jobs;
	struct qrt_lane *lane;
	size_t done;
};

static enum qrt_err digest_block(struct qrt_job *on_lane, void *arg)
{
	struct job *job = arg;
	(void)on_lane;
	qrt_sha256(job->block, BLOCK_BYTES, job->digest);
	return QRT_OK;
}

static enum qrt_err worker(struct qrt_cx *cx, void *arg)
{
	struct pool *pool = arg;
	struct job job;
	enum qrt_err err;
	while (!(err = qrt_chan_recv(cx, pool->jobs, &job))) {
		err = qrt_blocking(cx, pool->lane, digest_block, &job);
		if (err) {
			return err;
		}
		pool->done++;
	}
	return err == QRT_ECLOSED ? QRT_OK : err; /* no more jobs: a good end */
}

static enum qrt_err digest_all(struct qrt_cx *cx, struct pool *pool, const char *file,
			       uint8_t (*digests)[QRT_SHA256_SIZE])
{
	struct qrt_region *region;
	enum qrt_err err = qrt_region_open(cx, QRT_FAIL_FAST, &region);
	if (err) {
		return err;
	}
	for (size_t i = 0; i < WORKERS && !err; i++) {
		err = qrt_spawn(region, worker, pool);
	}
	for (size_t i = 0; i < BLOCKS && !err; i++) {
		struct job job = {file + i * BLOCK_BYTES, digests[i]};
		err =
		    qrt_chan_send(qrt_region_cx(region), pool->jobs, &job); /* waits for a place */
	}
	if (!err) {
		err = qrt_chan_finish(pool->jobs);
	}
	return qrt_region_close(cx, &region, err);
}

static enum qrt_err check(struct qrt_cx *cx, const struct pool *pool, const char *file,
			  uint8_t (*digests)[QRT_SHA256_SIZE])
{
	struct qrt_chan_stats stats;
	uint8_t expected[QRT_SHA256_SIZE];
	enum qrt_err err = qrt_chan_stats(pool->jobs, &stats);
	for (size_t i = 0; i < BLOCKS && !err; i++) {
		qrt_sha256(file + i * BLOCK_BYTES, BLOCK_BYTES, expected);
		if (memcmp(expected, digests[i], sizeof(expected)) != 0) {
			err = qrt_fail(cx, QRT_EFAILED, "block %zu has a wrong digest", i);
		}
	}
	if (!err && (pool->done != BLOCKS || stats.peak_queued > QUEUE)) {
		err = qrt_fail(cx, QRT_EFAILED, "%zu blocks were done", pool->done);
	}
	if (!err) {
		printf("%zu blocks by %d workers, never more than %d waiting\n", pool->done,
		       WORKERS, QUEUE);
	}
	return err;
}

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	struct pool *pool = arg;
	char *file = calloc(BLOCKS, BLOCK_BYTES);
	uint8_t(*digests)[QRT_SHA256_SIZE] = calloc(BLOCKS, sizeof(*digests));
	enum qrt_err err = file && digests ? QRT_OK : QRT_ENOMEM;
	for (size_t i = 0; i < BLOCKS && !err; i++) {
		snprintf(file + i * BLOCK_BYTES, BLOCK_BYTES, "block %zu", i);
	}
	if (!err) {
		err = qrt_lane_open(cx, "digests", 2, WORKERS, &pool->lane);
	}
	if (!err) {
		err = qrt_chan_open(cx, sizeof(struct job), QUEUE, NULL, &pool->jobs);
	}
	if (!err) {
		err = digest_all(cx, pool, file, digests);
	}
	if (!err) {
		err = check(cx, pool, file, digests);
	}
	QRT_IGNORE(qrt_chan_close(&pool->jobs), "open, or NULL");
	qrt_lane_close(cx, &pool->lane);
	free(digests);
	free(file);
	return err;
}

int main(int argc, char **argv)
{
	const struct qrt_runtime_options options = {.backend = argc > 1 ? argv[1] : "region"};
	struct qrt_runtime *rt;
	struct pool pool = {0};
	enum qrt_err err = qrt_runtime_open(&options, NULL, &rt);
	if (!err) {
		err = qrt_run_main(rt, run, &pool);
		qrt_runtime_close(&rt);
	}
	return err ? 1 : 0;
}
