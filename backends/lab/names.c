/*
 * Names in the lab: a table that the test has written, and the time and the
 * failures of a resolver, by the seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backends/lab/lab.h"

enum { NAMES_MAX = 1024, PER_NAME_MAX = 8 };
#define DELAY_MIN_NS (100 * INT64_C(1000))
#define DELAY_MAX_NS (20 * QRT_MS)
/* What a resolver takes to give up: two servers, two tries each, 5 s. */
#define GIVES_UP_NS (20 * QRT_SEC)

struct name {
	struct qrt__list in_lab;
	size_t n;
	struct qrt_address address[PER_NAME_MAX];
	char host[];
};

static struct name *find(const struct qrt_lab *lab, const char *host)
{
	QRT__LIST_EACH(node, &lab->names) {
		struct name *name = QRT__CONTAINER(node, struct name, in_lab);
		if (strcasecmp(name->host, host) == 0) {
			return name;
		}
	}
	return NULL;
}

static void forget(struct qrt_lab *lab, struct name *name)
{
	qrt__list_remove(&name->in_lab);
	lab->n_names--;
	free(name);
}

enum qrt_err qrt_lab_name(struct qrt_lab *lab, const char *host, const char *const *addresses)
{
	size_t n = 0, length = strnlen(host, QRT_HOST_MAX + 1);
	for (; addresses && addresses[n]; n++) {
		if (n == PER_NAME_MAX || !qrt__is_address(addresses[n])) {
			return QRT_EINVAL;
		}
	}
	if (length < 1 || length > QRT_HOST_MAX || (addresses && n == 0)) {
		return QRT_EINVAL;
	}
	struct name *before = find(lab, host);
	if (addresses && !before && lab->n_names >= NAMES_MAX) {
		return QRT_ELIMIT;
	}
	struct name *name = addresses ? calloc(1, sizeof(*name) + length + 1) : NULL;
	if (addresses && !name) {
		return QRT_ENOMEM;
	}
	if (before) {
		forget(lab, before);
	}
	if (name) {
		memcpy(name->host, host, length);
		for (; name->n < n; name->n++) {
			snprintf(name->address[name->n].text, QRT_ADDRESS_SIZE, "%s",
				 addresses[name->n]);
		}
		qrt__list_append(&lab->names, &name->in_lab);
		lab->n_names++;
	}
	return QRT_OK;
}

void qrt__lab_names_fini(struct qrt_lab *lab)
{
	while (!qrt__list_empty(&lab->names)) {
		forget(lab, QRT__CONTAINER(lab->names.next, struct name, in_lab));
	}
}

/* One of the ways in which a resolver fails. */
static void fail(struct qrt_lab *lab, struct qrt__lookup *ret_lookup)
{
	switch (qrt__choose(lab, QRT__CHOOSE_FAULT, 3)) {
	case 0:
		ret_lookup->err = QRT_EAGAIN;
		break;
	case 1:
		ret_lookup->err = QRT_ENOENT; /* its zone is broken */
		break;
	default:
		ret_lookup->err = QRT_EAGAIN;
		ret_lookup->delay_ns = GIVES_UP_NS;
		break;
	}
}

void qrt__lab_lookup(struct qrt_runtime *rt, const char *host, struct qrt__lookup *ret_lookup)
{
	static const char *const localhost[] = {"127.0.0.1", "::1"};
	struct qrt_lab *lab = qrt__lab_of(rt);
	const struct name *name = find(lab, host);
	ret_lookup->n = 0;
	ret_lookup->err = QRT_OK;
	ret_lookup->delay_ns = qrt__choose_ns(lab, QRT__CHOOSE_NETWORK, DELAY_MIN_NS, DELAY_MAX_NS);
	if (qrt__fault(lab, lab->faults.lookup_fail)) {
		fail(lab, ret_lookup);
		return;
	}
	if (lab->faults.partition && strcasecmp(host, "localhost") != 0) {
		ret_lookup->err = QRT_EAGAIN;
		ret_lookup->delay_ns = GIVES_UP_NS;
		return;
	}
	bool local = !name && strcasecmp(host, "localhost") == 0;
	size_t n = name ? name->n : local ? 2 : 0;
	for (; ret_lookup->n < n && ret_lookup->n < ret_lookup->n_max; ret_lookup->n++) {
		snprintf(ret_lookup->address[ret_lookup->n].text, QRT_ADDRESS_SIZE, "%s",
			 name ? name->address[ret_lookup->n].text : localhost[ret_lookup->n]);
	}
	ret_lookup->err = n > 0 ? QRT_OK : QRT_ENOENT;
}
