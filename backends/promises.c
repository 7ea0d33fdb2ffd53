/*
 * What each backend promises, as data: the table is the contract. One row per
 * promise, one column per backend; parity covers the rows that answer alike.
 */
#include "backends/backend.h"

/* X(key, text, legacy, region, lab, lab-legacy) */
#define PROMISES(X)                                                                                \
	X("same-results",                                                                          \
	  "work that completes gives the same results, stored state and error codes", "yes",       \
	  "yes", "yes", "yes")                                                                     \
	X("close-waits", "region close returns only after its children ended", "yes (a counter)",  \
	  "yes", "yes", "yes (a counter)")                                                         \
	X("no-lost-work", "no work is lost when a component is switched or the process stops",     \
	  "yes", "yes", "yes", "yes")                                                              \
	X("detached-spawn", "compat code may spawn detached", "yes",                               \
	  "no: a child of its component", "no: a child of its component", "yes")                   \
	X("cancel-reach", "what a cancel reaches", "the current wait of a parked task, once",      \
	  "the whole subtree, level-triggered", "the whole subtree, level-triggered",              \
	  "the current wait of a parked task, once")                                               \
	X("fail-fast", "the first failure cancels the siblings", "those that wait right then",     \
	  "yes", "yes", "those that wait right then")                                              \
	X("cancel-remembered", "every checkpoint refuses until the cancelled task ends", "no",     \
	  "yes", "yes", "no")                                                                      \
	X("cleanup-bounded", "who does not end within the cleanup budget is forced to", "no",      \
	  "yes", "yes", "no")                                                                      \
	X("masks", "masks and commit sections hold off a cancel", "yes, without bound",            \
	  "yes, within a budget", "yes, within a budget", "yes, without bound")                    \
	X("finalizers", "finalizers run undisturbed by cancel and deadline", "yes", "yes", "yes",  \
	  "yes")                                                                                   \
	X("budgets", "what a budget bounds", "deadline, priority",                                 \
	  "deadline, polls, cost, priority", "deadline, polls, cost, priority",                    \
	  "deadline, priority")                                                                    \
	X("region-deadline", "what a region's own deadline ends", "the waits through its cx",      \
	  "whatever is in it", "whatever is in it", "the waits through its cx")                    \
	X("ledger", "a region closes over no open duty, a leak names its site", "counted only",    \
	  "yes", "yes", "counted only")                                                            \
	X("bounded-shutdown", "shutdown ends within its grace and names stragglers",               \
	  "best effort", "yes", "yes", "best effort")                                              \
	X("http-server", "who serves HTTP",                                                        \
	  "libevent's evhttp behind qrt's parser; TLS: qrt over streams",                          \
	  "qrt over streams (llhttp)", "qrt over streams (llhttp)", "qrt over streams (llhttp)")   \
	X("http-refusals", "what is not proper HTTP is refused alike",                             \
	  "yes; also chunk extensions, a body with GET, an empty line before", "yes", "yes",       \
	  "yes")                                                                                   \
	X("http-request-stream", "a request's body may be a stream of any length",                 \
	  "no: read whole first, up to its limit; over TLS yes", "yes", "yes", "yes")              \
	X("http-grace", "what ends a handler that ignores its deadline, after the grace",          \
	  "nothing: 503 is sent, it runs on", "it is forced, then 503", "it is forced, then 503",  \
	  "nothing: 503 is sent when it ends")                                                     \
	X("protocol-fault-body", "the body of an answer to what is not proper HTTP",               \
	  "the application's; of chunk extensions libevent's own page", "the application's",       \
	  "the application's", "the application's")                                                \
	X("db-group-commit", "writes that wait for the writer share a commit", "no: one each",     \
	  "yes, each with its own verdict", "yes, each with its own verdict", "no: one each")      \
	X("db-short-reads", "where a database read that is declared short runs", "on a lane",      \
	  "on the loop, within a budget", "on the loop, within a budget", "on a lane")             \
	X("db-interrupt", "what a cancel stops of a database job that runs",                       \
	  "what comes after its statement", "the statement that runs", "the statement that runs",  \
	  "what comes after its statement")                                                        \
	X("websocket", "who makes the frames of WebSockets", "libwebsockets", "libwebsockets",     \
	  "the lab's own wire", "the lab's own wire")                                              \
	X("tls", "whose randomness and clock TLS has", "OpenSSL's, the system's",                  \
	  "OpenSSL's, the system's", "the seed's, the lab's but for the age of sessions",          \
	  "the seed's, the lab's but for the age of sessions")                                     \
	X("deterministic", "same seed, same execution", "no", "no", "yes", "yes")

#define LEGACY(key, text, legacy, region, lab, lab_legacy) {key, text, legacy},
#define REGION(key, text, legacy, region, lab, lab_legacy) {key, text, region},
#define LAB(key, text, legacy, region, lab, lab_legacy) {key, text, lab},
#define LAB_LEGACY(key, text, legacy, region, lab, lab_legacy) {key, text, lab_legacy},

const struct qrt_promise qrt__promises_legacy[QRT__PROMISES] = {PROMISES(LEGACY)};
const struct qrt_promise qrt__promises_region[QRT__PROMISES] = {PROMISES(REGION)};
const struct qrt_promise qrt__promises_lab[QRT__PROMISES] = {PROMISES(LAB)};
const struct qrt_promise qrt__promises_lab_legacy[QRT__PROMISES] = {PROMISES(LAB_LEGACY)};

#define ONE(key, text, legacy, region, lab, lab_legacy) +1
_Static_assert(0 PROMISES(ONE) == QRT__PROMISES, "one row per promise");
