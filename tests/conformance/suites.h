/*
 * The list of suites: a new file of scenarios is one line here. Must never
 * hold anything else.
 */
#ifndef QRT_TESTS_CONFORMANCE_SUITES_H
#define QRT_TESTS_CONFORMANCE_SUITES_H

#define CONFORMANCE_SUITES(X)                                                                      \
	X(regions)                                                                                 \
	X(endings)                                                                                 \
	X(policies)                                                                                \
	X(combine)                                                                                 \
	X(channels)                                                                                \
	X(locks)                                                                                   \
	X(streams)                                                                                 \
	X(lanes)                                                                                   \
	X(signals)                                                                                 \
	X(ports)                                                                                   \
	X(db)

#endif
