/* What goes wrong, how often, and when it all heals. */
#include "backends/lab/lab.h"

#include <stdio.h>

enum { OF = 1000 };

bool qrt__fault(struct qrt_lab *lab, unsigned rate)
{
	if (rate == 0) {
		return false;
	}
	/* The dullest choice is that all goes well, also where it is never drawn. */
	uint32_t drawn = 1 + (uint32_t)qrt__lab_below(&lab->stream[QRT__CHOOSE_FAULT], OF);
	bool wrong = qrt__chosen(lab, QRT__CHOOSE_FAULT, OF + 1, drawn) > OF - rate;
	lab->n_faults += wrong;
	return wrong;
}

struct rate {
	const char *name;
	unsigned of;
};

enum qrt_err qrt__faults_check(const struct qrt_lab_faults *faults, char *ret_detail)
{
	const struct rate rates[] = {
	    {"refuse", faults->refuse},
	    {"reset", faults->reset},
	    {"vanish", faults->vanish},
	    {"cut", faults->cut},
	    {"job_slow", faults->job_slow},
	    {"disk_error", faults->disk_error},
	    {"sync_slow", faults->sync_slow},
	    {"lookup_fail", faults->lookup_fail},
	    {"ws_delay", faults->ws_delay},
	    {"ws_drop", faults->ws_drop},
	    {"ws_duplicate", faults->ws_duplicate},
	    {"ws_close", faults->ws_close},
	    {"ws_pong_loss", faults->ws_pong_loss},
	    {"spawn_fail", faults->spawn_fail},
	    {"child_crash", faults->child_crash},
	    {"child_stuck", faults->child_stuck},
	};
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		if (rates[i].of > OF) {
			snprintf(ret_detail, QRT__DETAIL_MAX, "faults: %s: %u of 1000",
				 rates[i].name, rates[i].of);
			return QRT_EINVAL;
		}
	}
	if (faults->sync_ns < 0) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "faults: a sync of %lld ns",
			 (long long)faults->sync_ns);
		return QRT_EINVAL;
	}
	if (faults->latency_min_ns < 0 || faults->latency_max_ns < faults->latency_min_ns) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "faults: latency of %lld to %lld ns",
			 (long long)faults->latency_min_ns, (long long)faults->latency_max_ns);
		return QRT_EINVAL;
	}
	if (faults->fds_max > QRT__LAB_FDS_MAX) {
		snprintf(ret_detail, QRT__DETAIL_MAX, "faults: fds_max of %u, at most %d",
			 faults->fds_max, QRT__LAB_FDS_MAX);
		return QRT_EINVAL;
	}
	return QRT_OK;
}

enum qrt_err qrt_lab_set_faults(struct qrt_lab *lab, const struct qrt_lab_faults *faults)
{
	char detail[QRT__DETAIL_MAX];
	enum qrt_err err = qrt__faults_check(faults, detail);
	if (err) {
		return err;
	}
	bool over = lab->faults.partition && !faults->partition;
	lab->faults = *faults;
	if (over) {
		qrt__lab_release_held(lab);
	}
	qrt__lab_touch_all(lab); /* there may be more room in pipes */
	return QRT_OK;
}

void qrt_lab_heal(struct qrt_lab *lab)
{
	const struct qrt_lab_faults none = {0};
	QRT_IGNORE(qrt_lab_set_faults(lab, &none), "nothing is no mistake");
}
