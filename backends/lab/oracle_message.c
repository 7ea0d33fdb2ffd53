/*
 * Messages: what a channel, oneshot or mailbox has taken is got once, in the
 * order of sending, unchanged; or it is dropped when that closes. Known by a
 * digest: the model holds what is on its way, whatever the ring says.
 */
#include "backends/lab/oracle.h"

struct element {
	struct qrt__node node; /* key: its digest; next: the one sent after it */
};

struct chan {
	struct qrt__node node; /* key: its address */
	struct element *first, *last;
	uint64_t n;
	const char *what, *site;
};

static struct element *shift(struct chan *chan)
{
	struct element *element = chan->first;
	chan->first = (struct element *)element->node.next;
	chan->last = chan->first ? chan->last : NULL;
	chan->n--;
	return element;
}

static void sent(struct qrt__model *model, struct chan *chan, uint64_t digest)
{
	struct element *element = qrt__model_take(model, QRT__NODE_ELEMENT, digest);
	if (!element) {
		return;
	}
	element->node.next = NULL;
	if (chan->last) {
		chan->last->node.next = &element->node;
	} else {
		chan->first = element;
	}
	chan->last = element;
	chan->n++;
}

/* How many were sent before the one with @digest; of none with it: -1. */
static int64_t find(const struct chan *chan, uint64_t digest)
{
	int64_t at = 0;
	for (const struct qrt__node *node = &chan->first->node; node; node = node->next, at++) {
		if (node->key == digest) {
			return at;
		}
	}
	return -1;
}

static void taken(struct qrt__oracle *oracle, struct qrt__model *model, struct chan *chan,
		  uint64_t digest)
{
	int64_t before = chan->first ? find(chan, digest) : -1;
	if (before < 0) {
		qrt__violated(oracle, QRT__MESSAGE,
			      "%s, opened at %s: a message arrives that is not on its way "
			      "(twice, or changed)",
			      chan->what, chan->site);
		return;
	}
	if (before > 0) {
		qrt__violated(oracle, QRT__MESSAGE,
			      "%s, opened at %s: a message arrives, %lld sent before it did not",
			      chan->what, chan->site, (long long)before);
	}
	for (; before >= 0; before--) {
		qrt__model_give(model, shift(chan));
	}
}

static void ends(struct qrt__oracle *oracle, struct qrt__model *model, struct chan *chan,
		 uint64_t dropped)
{
	if (chan->n != dropped) {
		qrt__violated(oracle, QRT__MESSAGE,
			      "%s, opened at %s: closes and drops %llu messages, %llu were on "
			      "their way",
			      chan->what, chan->site, (unsigned long long)dropped,
			      (unsigned long long)chan->n);
	}
	while (chan->first) {
		qrt__model_give(model, shift(chan));
	}
	qrt__model_drop(model, chan);
}

void qrt__message_step(struct qrt__oracle *oracle, struct qrt__model *model,
		       const struct qrt__step *step)
{
	struct chan *chan = qrt__model_find(model, QRT__NODE_CHAN, step->a);
	if (step->what == QRT__TRACE_CHAN) {
		chan = qrt__model_add(model, QRT__NODE_CHAN, step->a);
		if (chan) {
			chan->what = step->name;
			chan->site = step->site ? step->site : "?";
		}
		return;
	}
	if (!chan) {
		qrt__violated(oracle, QRT__MESSAGE, "a message through what is not open");
		return;
	}
	switch (step->what) {
	case QRT__TRACE_SENT:
		qrt__saw(oracle, QRT__MESSAGE);
		sent(model, chan, step->b);
		return;
	case QRT__TRACE_TAKEN:
		taken(oracle, model, chan, step->b);
		return;
	default:
		ends(oracle, model, chan, step->b);
		return;
	}
}
