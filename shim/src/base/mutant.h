/*
 * Mutants: faults that a build with --enable-mutants can be told to have, to
 * prove that the tests find such faults. Each is planted in one line where it
 * would live: QRT__MUTANT(NAME) is true when the environment variable
 * QRT_MUTANT is "NAME", and the constant false in every other build.
 */
#ifndef QRT_MUTANT_H
#define QRT_MUTANT_H

#include <qrt/base.h>

/* X(NAME, sentence) */
#define QRT__MUTANTS(X)                                                                            \
	X(SKIP_DRAIN, "a region closes without waiting for its children")                          \
	X(EARLY_END, "the loop ends while tasks still wait")                                       \
	X(LEAK_DUTY, "a region ends without releasing its duties")                                 \
	X(DUTY_KEPT, "a task ends without settling its duties")                                    \
	X(LOSER_SPARED, "who has lost a race is not cancelled")                                    \
	X(LOSER_LEFT, "a decided region closes without waiting for the losers")                    \
	X(FINALIZER_FORGOTTEN, "the finalizers of an abandoned task do not run")                   \
	X(FINALIZER_TWICE, "a region's finalizers run twice")                                      \
	X(FINALIZER_ORDER, "finalizers run in the order in which they were set")                   \
	X(CHECKPOINT_DEAF, "a checkpoint lets a cancelled task go on")                             \
	X(CANCEL_SHALLOW, "a cancel stops at child regions")                                       \
	X(CANCEL_FORGOTTEN, "a cancel that came under a mask is forgotten when that ends")         \
	X(DEADLINE_OWN, "a task's own deadline replaces its region's")                             \
	X(DEADLINE_UNMET, "a region's own deadline replaces its opener's")                         \
	X(DEADLINE_LATE, "a wait ends a millisecond after its deadline")                           \
	X(MESSAGE_LOST, "a receiver cancelled after its grant takes the message along")            \
	X(MESSAGE_DOUBLED, "a permit that is used sends twice when there is room")                 \
	X(MESSAGE_SWAPPED, "a mailbox with two messages delivers the first twice")                 \
	X(UNPARK_LOST, "an end that comes before the task parks is lost")                          \
	X(EVENT_ONE, "an event wakes only the first who waits for it")                             \
	X(TIMERS_LOST, "a timer that is stopped takes those behind it along")                      \
	X(JOB_ENDED_TWICE, "a job taken back is also ended by its lane")                           \
	X(COMMIT_SKIPPED, "a write is said to be done, and is rolled back")                        \
	/* The five of the kinds that the field knows. */                                          \
	X(WAKEUP_LOST, "a receiver cancelled after its grant does not pass it on")                 \
	X(SLOT_KEPT, "a sender cancelled between reserve and send keeps its slot")                 \
	X(DOUBLE_COMPLETION, "a call that its caller has left completes all the same")             \
	X(TIMER_STALE, "a wait both woken and cancelled leaves its timer in the heap")             \
	X(COMMIT_RETRIED, "a write whose outcome is unknown is made again")

enum qrt__mutant {
	QRT__NO_MUTANT,
#define QRT__MUTANT_ENUM(name, text) QRT__MUTANT_##name,
	QRT__MUTANTS(QRT__MUTANT_ENUM)
#undef QRT__MUTANT_ENUM
};

#ifdef QRT_MUTANTS
/* Who this process is. A QRT_MUTANT that is none ends it. */
enum qrt__mutant qrt__mutant(void);
#define QRT__MUTANT(name) (qrt__mutant() == QRT__MUTANT_##name)
#else
/* A name that is none does not compile here either. */
#define QRT__MUTANT(name) (QRT__MUTANT_##name == QRT__NO_MUTANT)
#endif

#endif
