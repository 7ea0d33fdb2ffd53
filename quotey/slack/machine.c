/* The machine, its table of moves, and the figures of its delays. */
#include "quotey/slack/machine.h"

#include <qrt/base.h>
#include <qrt/cx.h>
#include <string.h>

/* How long a line must have lived for its loss to be the first again. */
#define LIVED_NS (60 * QRT_SEC)
/* How long an old line is read beside the new one. */
#define OLD_NS (10 * QRT_SEC)

enum { DELAY_MIN_MS = 50, DOUBLINGS_MAX = 16 };

#define TO(state) (1u << QY_SLACK_##state)

/* The arrows of the drawing: a bit set of next states per state. */
static const unsigned moves[QY_SLACK_STATE_COUNT] = {
    [QY_SLACK_DISABLED] = TO(CONNECTING),
    [QY_SLACK_CONNECTING] = TO(CONNECTED) | TO(BACKOFF) | TO(DEGRADED) | TO(STOPPED),
    [QY_SLACK_CONNECTED] = TO(REFRESHING) | TO(BACKOFF) | TO(DEGRADED) | TO(STOPPED),
    [QY_SLACK_REFRESHING] =
	TO(CONNECTED) | TO(CONNECTING) | TO(BACKOFF) | TO(DEGRADED) | TO(STOPPED),
    [QY_SLACK_BACKOFF] = TO(CONNECTING) | TO(STOPPED),
    [QY_SLACK_DEGRADED] = TO(CONNECTED) | TO(STOPPED),
    [QY_SLACK_STOPPED] = TO(CONNECTING),
};

const char *qy_slack_state_name(int state)
{
	static const char *const names[] = {
#define STATE_NAME(name, text) text,
	    QY_SLACK_STATES(STATE_NAME)
#undef STATE_NAME
	};

	return state >= 0 && state < QY_SLACK_STATE_COUNT ? names[state] : "?";
}

bool qy_slack_state_is_up(int state)
{
	return state == QY_SLACK_CONNECTED || state == QY_SLACK_REFRESHING;
}

/* --- delays --------------------------------------------------------------------------------- */

static int64_t cap_ns(const struct qy_slack_figures *figures)
{
	unsigned ms = figures->max_delay_ms;

	ms = ms < figures->base_delay_ms ? figures->base_delay_ms : ms;
	return (int64_t)(ms < DELAY_MIN_MS ? DELAY_MIN_MS : ms) * QRT_MS;
}

int64_t qy_slack_delay_ns(const struct qy_slack_figures *figures, unsigned failures)
{
	unsigned base = figures->base_delay_ms;
	unsigned n = failures - 1;
	int64_t cap = cap_ns(figures);
	int64_t delay;

	QRT_PRE(failures > 0);
	base = base < DELAY_MIN_MS ? DELAY_MIN_MS : base;
	delay = ((int64_t)base << (n < DOUBLINGS_MAX ? n : DOUBLINGS_MAX)) * QRT_MS;
	return delay < cap ? delay : cap;
}

static bool is_hopeless(const struct qy_slack_machine *machine)
{
	return machine->failures > machine->figures.max_retries;
}

static void wait_after_failure(struct qy_slack_machine *machine, int64_t retry_after_ns,
			       int64_t now_ns)
{
	int64_t delay = is_hopeless(machine)
			    ? cap_ns(&machine->figures)
			    : qy_slack_delay_ns(&machine->figures, machine->failures);

	machine->next_ns = now_ns + (delay < retry_after_ns ? retry_after_ns : delay);
}

/* --- events --------------------------------------------------------------------------------- */

/* One that went well makes up for all failures before it. */
static void give_credit(struct qy_slack_machine *machine, unsigned i, int64_t now_ns)
{
	if (machine->line[i].enveloped || now_ns - machine->line[i].hello_ns >= LIVED_NS) {
		machine->failures = 0;
	}
}

static void start(struct qy_slack_machine *machine, int64_t now_ns)
{
	machine->wanted = true;
	machine->handing_over = false;
	machine->failures = 0;
	machine->next_ns = now_ns;
}

static void hello(struct qy_slack_machine *machine, unsigned i, int64_t now_ns)
{
	if (machine->line[i].phase != QY_SLACK_OPENING) {
		return;
	}
	machine->line[i].phase = QY_SLACK_UP;
	machine->line[i].hello_ns = now_ns;
	for (unsigned other = 0; other < QY_SLACK_LINES; other++) {
		if (machine->line[other].phase == QY_SLACK_OLD) {
			machine->line[other].close_ns = now_ns + OLD_NS;
		}
	}
}

static void refresh(struct qy_slack_machine *machine, unsigned i, int64_t now_ns)
{
	if (machine->line[i].phase != QY_SLACK_UP) {
		return;
	}
	give_credit(machine, i, now_ns);
	machine->line[i].phase = QY_SLACK_OLD;
	machine->line[i].close_ns = QY_SLACK_NEVER;
	machine->next_ns = now_ns;
}

/* What can only be put right by people: it is tried again, but seldom. */
static void degrade(struct qy_slack_machine *machine)
{
	if (!is_hopeless(machine)) {
		machine->failures = machine->figures.max_retries;
	}
	machine->failures++;
}

static void close_line(struct qy_slack_machine *machine, unsigned i, struct qy_slack_todo *todo)
{
	if (machine->line[i].phase != QY_SLACK_NO_LINE &&
	    machine->line[i].phase != QY_SLACK_CLOSING) {
		machine->line[i].phase = QY_SLACK_CLOSING;
		todo->close[i] = true;
	}
}

static void ended(struct qy_slack_machine *machine, const struct qy_slack_input *input,
		  int64_t now_ns, struct qy_slack_todo *todo)
{
	enum qy_slack_phase was = machine->line[input->line].phase;

	/* An old one has given it when it was to be replaced. */
	if (was == QY_SLACK_UP) {
		give_credit(machine, input->line, now_ns);
	}
	memset(&machine->line[input->line], 0, sizeof(machine->line[input->line]));
	for (unsigned other = 0; other < QY_SLACK_LINES; other++) {
		/* Who was to take its place has gone: it is needed for longer. */
		if (machine->line[other].phase == QY_SLACK_OLD) {
			machine->line[other].close_ns = QY_SLACK_NEVER;
		}
	}
	if (was == QY_SLACK_CLOSING) {
		return;
	}
	for (unsigned other = 0; input->end == QY_SLACK_LINK_DISABLED && other < QY_SLACK_LINES;
	     other++) {
		close_line(machine, other, todo);
	}
	if (input->end != QY_SLACK_LOST) {
		degrade(machine);
	} else if (was == QY_SLACK_OLD) {
		return; /* as announced */
	} else {
		machine->failures++;
	}
	wait_after_failure(machine, input->retry_after_ns, now_ns);
}

/* --- what follows from it ------------------------------------------------------------------- */

unsigned qy_slack_machine_lines(const struct qy_slack_machine *machine)
{
	unsigned n = 0;

	for (unsigned i = 0; i < QY_SLACK_LINES; i++) {
		n += machine->line[i].phase != QY_SLACK_NO_LINE;
	}
	return n;
}

static bool has(const struct qy_slack_machine *machine, enum qy_slack_phase phase)
{
	return machine->line[0].phase == phase || machine->line[1].phase == phase;
}

/* Which lines have no reason to be there any more. */
static void close_lines(struct qy_slack_machine *machine, int64_t now_ns,
			struct qy_slack_todo *todo)
{
	bool up = has(machine, QY_SLACK_UP);

	for (unsigned i = 0; i < QY_SLACK_LINES; i++) {
		enum qy_slack_phase phase = machine->line[i].phase;

		if (!machine->wanted ||
		    (machine->handing_over &&
		     (phase == QY_SLACK_OPENING || (phase == QY_SLACK_OLD && up)))) {
			close_line(machine, i, todo);
		} else if (phase == QY_SLACK_OLD && machine->line[i].close_ns <= now_ns) {
			close_line(machine, i, todo);
		} else if (phase == QY_SLACK_OLD && machine->line[i].close_ns < todo->wake_ns) {
			todo->wake_ns = machine->line[i].close_ns;
		}
	}
}

/* A line, if one is missing, there is room, and it is time. */
static void open_line(struct qy_slack_machine *machine, int64_t now_ns, struct qy_slack_todo *todo)
{
	unsigned i = machine->line[0].phase == QY_SLACK_NO_LINE ? 0 : 1;

	if (!machine->wanted || machine->handing_over || has(machine, QY_SLACK_UP) ||
	    has(machine, QY_SLACK_OPENING) || machine->line[i].phase != QY_SLACK_NO_LINE) {
		return;
	}
	if (now_ns < machine->next_ns) {
		todo->wake_ns = machine->next_ns < todo->wake_ns ? machine->next_ns : todo->wake_ns;
		return;
	}
	machine->line[i].phase = QY_SLACK_OPENING;
	todo->open = (int)i;
}

static enum qy_slack_state state_of(const struct qy_slack_machine *machine, int64_t now_ns)
{
	if (!machine->wanted) {
		return machine->state == QY_SLACK_DISABLED ? QY_SLACK_DISABLED : QY_SLACK_STOPPED;
	}
	if (has(machine, QY_SLACK_OLD)) {
		return QY_SLACK_REFRESHING;
	}
	if (has(machine, QY_SLACK_UP)) {
		return QY_SLACK_CONNECTED;
	}
	if (is_hopeless(machine)) {
		return QY_SLACK_DEGRADED;
	}
	/* It may be time, but both places are taken by lines that are about to end. */
	return has(machine, QY_SLACK_OPENING) || now_ns >= machine->next_ns ? QY_SLACK_CONNECTING
									    : QY_SLACK_BACKOFF;
}

static void take(struct qy_slack_machine *machine, const struct qy_slack_input *input,
		 int64_t now_ns, struct qy_slack_todo *todo)
{
	switch (input->event) {
	case QY_SLACK_START:
		start(machine, now_ns);
		break;
	case QY_SLACK_HAND_OVER:
		machine->handing_over = true;
		break;
	case QY_SLACK_STOP:
		machine->wanted = false;
		break;
	case QY_SLACK_TIMER:
		break;
	case QY_SLACK_HELLO:
		hello(machine, input->line, now_ns);
		break;
	case QY_SLACK_ENVELOPE:
		machine->line[input->line].enveloped = true;
		break;
	case QY_SLACK_REFRESH:
		refresh(machine, input->line, now_ns);
		break;
	case QY_SLACK_ENDED:
		ended(machine, input, now_ns, todo);
		break;
	}
}

void qy_slack_machine_init(struct qy_slack_machine *machine, const struct qy_slack_figures *figures)
{
	*machine = (struct qy_slack_machine){.figures = *figures};
}

void qy_slack_machine_step(struct qy_slack_machine *machine, const struct qy_slack_input *input,
			   int64_t now_ns, struct qy_slack_todo *ret_todo)
{
	struct qy_slack_todo todo = {.open = -1, .wake_ns = QY_SLACK_NEVER};
	enum qy_slack_state state;

	take(machine, input, now_ns, &todo);
	close_lines(machine, now_ns, &todo);
	open_line(machine, now_ns, &todo);
	state = state_of(machine, now_ns);
	QRT_ASSERT(state == machine->state || (moves[machine->state] & (1u << state)) != 0);
	machine->state = state;
	*ret_todo = todo;
}
