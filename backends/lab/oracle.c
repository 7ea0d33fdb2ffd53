/*
 * The verdicts: what the oracles of all runtimes of a lab have seen, with the
 * first violation of each kind, and a program's own facts. And who hears of
 * which step.
 */
#include "backends/lab/oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct finding {
	const char *name;
	uint64_t saw, violations;
	char first[sizeof(((struct qrt_verdict *)NULL)->first)];
};

struct qrt__oracle_book {
	pthread_mutex_t lock; /* of all this, and of whoever joins or leaves it */
	struct finding finding[QRT_VERDICTS_MAX];
	size_t n_findings;
	struct qrt__list oracles; /* qrt__oracle.in_book */
	bool blind;		  /* one of them was */
	struct qrt__model *messages;
};

static const char *const names[] = {
#define ORACLE_NAME(name, text) [name] = text,
    QRT__ORACLES(ORACLE_NAME)
#undef ORACLE_NAME
};

/* --- verdicts -------------------------------------------------------------------------------- */

/* Under the lock. */
static void violated(struct finding *finding, const char *text)
{
	if (finding->violations++ == 0) {
		snprintf(finding->first, sizeof(finding->first), "%s", text);
		fprintf(stderr, "qrt: oracle \"%s\": %s\n", finding->name, text);
	}
}

/* Messages are judged under the lock, everything else outside. */
static void say(struct qrt__oracle *oracle, enum qrt__oracle_kind kind, const char *text)
{
	struct qrt__oracle_book *book = oracle->lab->oracles;
	bool locked = kind == QRT__MESSAGE;
	if (!locked) {
		pthread_mutex_lock(&book->lock);
	}
	violated(&book->finding[kind], text);
	if (!locked) {
		pthread_mutex_unlock(&book->lock);
	}
}

void qrt__violated(struct qrt__oracle *oracle, enum qrt__oracle_kind kind, const char *fmt, ...)
{
	char text[sizeof(((struct finding *)NULL)->first)];
	int64_t now = qrt__now(oracle->rt);
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	size_t used = n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1;
	snprintf(text + used, sizeof(text) - used, " (runtime %s, %lld.%06lld ms)",
		 oracle->rt->name, (long long)(now / QRT_MS), (long long)(now % QRT_MS));
	say(oracle, kind, text);
}

const char *qrt_verdict_text(const struct qrt_verdict *verdict)
{
	return verdict->violations ? "violated" : verdict->saw ? "ok" : "no data";
}

static void count_in(struct qrt__oracle_book *book, const struct qrt__oracle *oracle)
{
	for (unsigned kind = 0; kind < QRT__ORACLE_KINDS; kind++) {
		book->finding[kind].saw +=
		    atomic_load_explicit(&oracle->saw[kind], memory_order_relaxed);
	}
}

size_t qrt_lab_verdicts(struct qrt_lab *lab, struct qrt_verdict *ret_verdicts, size_t n)
{
	struct qrt__oracle_book *book = lab->oracles;
	if (!book) {
		return 0;
	}
	pthread_mutex_lock(&book->lock);
	size_t n_findings = book->n_findings;
	bool blind = book->blind || (book->messages && book->messages->blind);
	for (size_t i = 0; i < n_findings && i < n; i++) {
		const struct finding *finding = &book->finding[i];
		struct qrt_verdict *verdict = &ret_verdicts[i];
		*verdict =
		    (struct qrt_verdict){finding->name, finding->saw, finding->violations, ""};
		memcpy(verdict->first, finding->first, sizeof(verdict->first));
		QRT__LIST_EACH(node, &book->oracles) {
			struct qrt__oracle *oracle =
			    QRT__CONTAINER(node, struct qrt__oracle, in_book);
			if (i < QRT__ORACLE_KINDS) {
				verdict->saw +=
				    atomic_load_explicit(&oracle->saw[i], memory_order_relaxed);
			}
		}
		if (blind && i < QRT__DATABASE) {
			verdict->saw = 0;
			if (!verdict->violations) {
				snprintf(verdict->first, sizeof(verdict->first),
					 "more than %d things at once: not all was seen",
					 QRT__NODES_MAX);
			}
		}
	}
	pthread_mutex_unlock(&book->lock);
	return n_findings;
}

static const char no_room[] = "room for facts";

/* The finding called @name, a new one if need be; the last one is for all there is no room for. */
static struct finding *find(struct qrt__oracle_book *book, const char *name)
{
	for (size_t i = 0; i < book->n_findings; i++) {
		if (strcmp(book->finding[i].name, name) == 0) {
			return &book->finding[i];
		}
	}
	if (book->n_findings == QRT_VERDICTS_MAX) {
		return &book->finding[QRT_VERDICTS_MAX - 1];
	}
	struct finding *finding = &book->finding[book->n_findings++];
	finding->name = book->n_findings == QRT_VERDICTS_MAX ? no_room : name;
	return finding;
}

bool qrt_lab_fact(struct qrt_lab *lab, const char *name, bool holds, const char *fmt, ...)
{
	if (!lab || !lab->oracles) {
		return holds;
	}
	char text[sizeof(((struct finding *)NULL)->first)];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	struct qrt__oracle_book *book = lab->oracles;
	pthread_mutex_lock(&book->lock);
	struct finding *finding = find(book, name);
	finding->saw++;
	if (finding->name == no_room) {
		violated(finding, "there are more facts than it has room for");
	} else if (!holds) {
		violated(finding, text);
	}
	pthread_mutex_unlock(&book->lock);
	return holds;
}

/* --- their life ------------------------------------------------------------------------------ */

enum qrt_err qrt__oracles_new(struct qrt_lab *lab)
{
	struct qrt__oracle_book *book = calloc(1, sizeof(*book));
	if (!book) {
		return QRT_ENOMEM;
	}
	book->messages = qrt__model_new();
	if (!book->messages) {
		free(book);
		return QRT_ENOMEM;
	}
	pthread_mutex_init(&book->lock, NULL);
	qrt__list_init(&book->oracles);
	for (unsigned kind = 0; kind < QRT__ORACLE_KINDS; kind++) {
		book->finding[kind].name = names[kind];
	}
	book->n_findings = QRT__ORACLE_KINDS;
	lab->oracles = book;
	return QRT_OK;
}

void qrt__oracles_free(struct qrt_lab *lab)
{
	struct qrt__oracle_book *book = lab->oracles;
	if (!book) {
		return;
	}
	QRT_PRE(qrt__list_empty(&book->oracles));
	pthread_mutex_destroy(&book->lock);
	free(book->messages);
	free(book);
	lab->oracles = NULL;
}

enum qrt_err qrt__oracle_open(struct qrt_lab *lab, struct qrt_runtime *rt,
			      struct qrt__oracle **ret_oracle)
{
	struct qrt__oracle_book *book = lab->oracles;
	struct qrt__oracle *oracle = calloc(1, sizeof(*oracle));
	struct qrt__model *model = oracle ? qrt__model_new() : NULL;
	if (!model) {
		free(oracle);
		return QRT_ENOMEM;
	}
	oracle->lab = lab;
	oracle->rt = rt;
	oracle->model = model;
	oracle->structured = rt->engine->structured;
	oracle->exact = rt->driver == &qrt__driver_lab;
	qrt__list_init(&oracle->told);
	qrt__tree_root(oracle);
	pthread_mutex_lock(&book->lock);
	qrt__list_append(&book->oracles, &oracle->in_book);
	pthread_mutex_unlock(&book->lock);
	*ret_oracle = oracle;
	return QRT_OK;
}

/* What it saw stays in the book. */
static void gone(struct qrt__oracle *oracle)
{
	struct qrt__oracle_book *book = oracle->lab->oracles;
	pthread_mutex_lock(&book->lock);
	count_in(book, oracle);
	book->blind |= oracle->model->blind;
	qrt__list_remove(&oracle->in_book);
	pthread_mutex_unlock(&book->lock);
	free(oracle->model);
	free(oracle);
}

/* --- who hears of what ----------------------------------------------------------------------- */

static void message(struct qrt__oracle *oracle, const struct qrt__step *step)
{
	struct qrt__oracle_book *book = oracle->lab->oracles;
	pthread_mutex_lock(&book->lock);
	if (!book->messages->blind) {
		qrt__message_step(oracle, book->messages, step);
	}
	pthread_mutex_unlock(&book->lock);
}

static uint64_t task_id(const struct qrt__step *step)
{
	return ((const struct qrt_task *)(uintptr_t)step->a)->id;
}

static uint64_t region_id(const struct qrt__step *step)
{
	return ((const struct qrt__region *)(uintptr_t)step->a)->id;
}

/* Steps that everybody can hear of. */
static void public_step(struct qrt__oracle *oracle, const struct qrt__step *step)
{
	const struct qrt__known_task *task;
	switch (step->what) {
	case QRT__TRACE_RUN:
		qrt__cancel_arrived(oracle);
		qrt__wait_run(oracle, step);
		return;
	case QRT__TRACE_PARK:
		qrt__cancel_arrived(oracle);
		qrt__wait_park(oracle, step);
		return;
	case QRT__TRACE_YIELD:
		qrt__cancel_arrived(oracle);
		task = qrt__known_task(oracle, step->a);
		if (task) {
			qrt__cancel_check(oracle, task, "yields");
		}
		return;
	case QRT__TRACE_UNPARK:
		qrt__wait_unpark(oracle, step);
		return;
	case QRT__TRACE_END:
		qrt__cancel_arrived(oracle);
		qrt__tree_end(oracle, step->a);
		return;
	case QRT__TRACE_CLOSE:
		qrt__tree_close(oracle, step->b);
		return;
	case QRT__TRACE_LEAK:
		qrt__owed_leak(oracle, step);
		return;
	default:
		return;
	}
}

static void told_step(struct qrt__oracle *oracle, const struct qrt__step *step)
{
	switch (step->what) {
	case QRT__TRACE_ADMIT:
		qrt__tree_admit(oracle, (const void *)(uintptr_t)step->a);
		return;
	case QRT__TRACE_ENTER:
		qrt__tree_enter(oracle, (const void *)(uintptr_t)step->a, (int64_t)step->b);
		return;
	case QRT__TRACE_WAIT:
		qrt__wait_until(oracle, (const void *)(uintptr_t)step->a, (int64_t)step->b);
		return;
	case QRT__TRACE_DRAINED:
		qrt__tree_drained(oracle, region_id(step));
		return;
	case QRT__TRACE_DECIDED:
		qrt__tree_decided(oracle, region_id(step));
		return;
	case QRT__TRACE_ASKED:
		qrt__cancel_asked(oracle, region_id(step));
		return;
	case QRT__TRACE_ASKED_TASK:
		qrt__cancel_asked_task(oracle, task_id(step));
		return;
	case QRT__TRACE_DEFER:
		qrt__owed_defer(oracle, step->a, step->b);
		return;
	case QRT__TRACE_FINALIZE:
		qrt__owed_finalize(oracle, step->a);
		return;
	case QRT__TRACE_DUTY:
		qrt__owed_duty(oracle, (const void *)(uintptr_t)step->a);
		return;
	case QRT__TRACE_SETTLED:
		qrt__owed_settled(oracle, step->a);
		return;
	case QRT__TRACE_OP:
		qrt__wait_op(oracle, step);
		return;
	case QRT__TRACE_OP_END:
		qrt__wait_op_end(oracle, step);
		return;
	case QRT__TRACE_IDLE:
		qrt__tree_idle(oracle);
		qrt__wait_idle(oracle);
		return;
	default:
		return;
	}
}

void qrt__oracle_step(struct qrt__oracle *oracle, const struct qrt__step *step)
{
	bool of_messages = step->what >= QRT__TRACE_CHAN && step->what <= QRT__TRACE_CHAN_END;
	if (of_messages) {
		message(oracle, step);
	} else if (step->what == QRT__TRACE_GONE) {
		gone(oracle);
	} else if (oracle->model->blind) {
		return;
	} else if (step->what < QRT__TRACE_UNRECORDED) {
		public_step(oracle, step);
	} else {
		told_step(oracle, step);
	}
}
