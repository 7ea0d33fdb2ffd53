/* Fire and forget, for code that has not been ported: owned by somebody on every backend. */
#include "compat/detach.h"

#include "shim/src/internal.h"
#include "tests/lib/backends.h"
#include "tests/lib/test.h"

struct slow {
	struct qrt__event go;
	int ended;
};

static enum qrt_err slow(struct qrt_cx *cx, void *arg)
{
	struct slow *self = arg;
	enum qrt_err err = qrt__event_wait(cx, &self->go, QRT_NO_DEADLINE);
	self->ended++;
	return err ? err : qrt_fail(cx, QRT_EIO, "nobody waits for this");
}

static enum qrt_err needs_net(struct qrt_cx *cx, void *arg)
{
	*(enum qrt_err *)arg = qrt_cx_require(cx, QRT_CAP_NET);
	return QRT_OK;
}

static uint64_t live(struct qrt_cx *cx)
{
	struct qrt_audit audit;
	qrt_runtime_audit(qrt_cx_runtime(cx), &audit);
	return audit.detached_live;
}

static enum qrt_err scenario(struct qrt_cx *cx, void *arg)
{
	struct slow *self = arg;
	struct qrt_region *home;
	enum qrt_err net = QRT_OK;
	const struct qrt_region_options opts = {.policy = QRT_COLLECT,
						.caps = QRT_CAP_SPAWN | QRT_CAP_TIME};
	EXPECT(!qrt_region_open_with(cx, &opts, &home));
	EXPECT(!qrt_detach(home, slow, self));
	EXPECT(!qrt_detach(home, needs_net, &net));
	EXPECT(live(cx) == 2);
	while (live(cx) > 1) {
		EXPECT(!qrt_yield(cx));
	}
	EXPECT(net == QRT_ENOTCAPABLE); /* no more than its component may */
	if (is_structured(cx)) {
		/* A child of its component: the close waits for it. */
		qrt__event_set(&self->go);
		EXPECT(!qrt_region_close(cx, &home, QRT_OK));
		EXPECT(self->ended == 1 && live(cx) == 0);
	} else {
		/* It outlives its component. */
		EXPECT(!qrt_region_close(cx, &home, QRT_OK));
		EXPECT(self->ended == 0 && live(cx) == 1);
		qrt__event_set(&self->go);
	}
	return QRT_OK;
}

static void a_detached_task_is_owned_and_counted_and_never_lost(void **state)
{
	(void)state;
	size_t n;
	const char *const *names = qrt_backend_names(&n);
	for (size_t i = 0; i < n; i++) {
		struct slow self = {.ended = 0};
		qrt__event_init(&self.go);
		assert_int_equal(on_backend(names[i], scenario, &self), QRT_OK);
		assert_int_equal(self.ended, 1); /* the runtime's end waited for it */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_detached_task_is_owned_and_counted_and_never_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
