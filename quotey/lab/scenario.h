/*
 * A scenario: what happens to a whole Quotey, as an operator writes it down in a plain text file.
 * tests/lab/README.md has the language. Here is its tree, and the parser that makes one.
 *
 * Pure: bytes in, a tree or one error out. It must never read a file, a clock or the environment,
 * and a tree must never hold a name that nothing gives a value to.
 */
#ifndef QY_LAB_SCENARIO_H
#define QY_LAB_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quotey/core/code.h"

#define QY_SCENARIO_FILE_MAX ((size_t)1 << 20)
#define QY_SCENARIO_LINE_MAX ((size_t)64 << 10)
#define QY_SCENARIO_STATEMENTS_MAX 10000
#define QY_SCENARIO_NESTING_MAX 8
#define QY_SCENARIO_REPEAT_MAX 100000
#define QY_SCENARIO_BRANCHES_MAX 1000	       /* of one `together` */
#define QY_SCENARIO_WORK_MAX 10000000	       /* statements that are played, repeats counted */
#define QY_SCENARIO_TEXT_MAX ((size_t)4 << 20) /* of one text, "a"*9000 counted in full */
#define QY_SCENARIO_NAMES_MAX 256
#define QY_SCENARIO_NAME_SIZE 33
#define QY_SCENARIO_STATUSES_MAX 8
#define QY_SCENARIO_MESSAGE_SIZE 512

struct qy_scenario_at {
	unsigned line, column; /* both from 1; a column is a character */
};

/* --- texts with ${names} -------------------------------------------------------------------- */

struct qy_scenario_piece {
	struct qy_scenario_piece *next;
	const char *bytes; /* NULL: the value of names[name] */
	size_t n_bytes;
	unsigned times; /* how often the bytes stand here */
	size_t name;
};

struct qy_scenario_text {
	struct qy_scenario_piece *first; /* NULL: "" */
};

enum qy_scenario_name_kind {
	QY_SCENARIO_KEY,     /* `key`: the text of an API key */
	QY_SCENARIO_KEPT,    /* `keep` */
	QY_SCENARIO_COUNTER, /* `count`: one for all branches, from 0 */
	QY_SCENARIO_LOOP,    /* `for` */
};

struct qy_scenario_name {
	char text[QY_SCENARIO_NAME_SIZE];
	enum qy_scenario_name_kind kind;
};

/* --- what belongs to a request or a query --------------------------------------------------- */

enum qy_scenario_clause_kind {
	QY_SCENARIO_HEADER,
	QY_SCENARIO_BODY,
	QY_SCENARIO_EXPECT_STATUS,
	QY_SCENARIO_EXPECT_HEADER,
	QY_SCENARIO_EXPECT_BODY,
	QY_SCENARIO_KEEP,
	QY_SCENARIO_COUNT,
};

enum qy_scenario_how {
	QY_SCENARIO_IS,
	QY_SCENARIO_HAS,
	QY_SCENARIO_LACKS,
	QY_SCENARIO_ABSENT,   /* headers only; without a text */
	QY_SCENARIO_AT_LEAST, /* queries only */
	QY_SCENARIO_AT_MOST,
};

struct qy_scenario_clause {
	struct qy_scenario_clause *next;
	enum qy_scenario_clause_kind kind;
	struct qy_scenario_at at;
	const char *header; /* its name; KEEP: NULL is the body */
	struct qy_scenario_text text;
	/* EXPECT_STATUS, COUNT */
	unsigned status[QY_SCENARIO_STATUSES_MAX];
	size_t n_status;
	bool or_nothing; /* no answer at all is fine, too */
	/* EXPECT_HEADER, EXPECT_BODY */
	enum qy_scenario_how how;
	/* KEEP, COUNT */
	size_t name;
	bool has_after, has_before; /* of the value: what follows .text, up to .before */
	struct qy_scenario_text before;
};

/* --- faults --------------------------------------------------------------------------------- */

enum qy_scenario_fault_kind {
	QY_SCENARIO_FAULT_RESET,     /* share of transfers that meet a reset */
	QY_SCENARIO_FAULT_VANISH,    /* share of transfers after which the peer is silent */
	QY_SCENARIO_FAULT_REFUSE,    /* share of connects */
	QY_SCENARIO_FAULT_SHORT,     /* share of transfers that move less than they could */
	QY_SCENARIO_FAULT_LATENCY,   /* min_ns..max_ns on the way */
	QY_SCENARIO_FAULT_PARTITION, /* nothing arrives until `heal` */
	QY_SCENARIO_FAULT_FDS,	     /* so many descriptors may be open */
	QY_SCENARIO_FAULT_DISK_FULL,
	QY_SCENARIO_FAULT_DISK_IO_ERROR,   /* share of the disk's calls */
	QY_SCENARIO_FAULT_DISK_SLOW_FSYNC, /* max_ns each */
	QY_SCENARIO_FAULT_LOOKUP,	   /* share of name lookups that fail */
	QY_SCENARIO_FAULT_WS_DELAY,	   /* share of messages that come late */
	QY_SCENARIO_FAULT_WS_DROP,	   /* share that are lost, and their connection with them */
	QY_SCENARIO_FAULT_WS_DUPLICATE,	   /* share of a server's that come twice */
	QY_SCENARIO_FAULT_WS_CLOSE,	   /* share that are cut off by a close */
	QY_SCENARIO_FAULT_WS_PONG_LOSS,	   /* share of pings that are not answered */
	QY_SCENARIO_FAULT_CHILD_NO_START,  /* share of child processes that cannot be started */
	QY_SCENARIO_FAULT_CHILD_CRASH,	   /* share that die at some moment */
	QY_SCENARIO_FAULT_CHILD_STUCK,	   /* share that never end by themselves */
	QY_SCENARIO_FAULT_KINDS
};

struct qy_scenario_fault {
	enum qy_scenario_fault_kind kind;
	unsigned per_thousand;
	int64_t min_ns, max_ns;
	unsigned number;
	const char *words; /* "disk io-error 1%", as it is written */
};

/* --- the local Slack -------------------------------------------------------------------------- */

enum qy_scenario_slack_kind {
	QY_SCENARIO_SLACK_HELLO,
	QY_SCENARIO_SLACK_GREETS,
	QY_SCENARIO_SLACK_SEND,
	QY_SCENARIO_SLACK_DISCONNECT,
	QY_SCENARIO_SLACK_CLOSE,
	QY_SCENARIO_SLACK_DROP,
	QY_SCENARIO_SLACK_DEAF,
	QY_SCENARIO_SLACK_SILENT,
	QY_SCENARIO_SLACK_AWAKE,
	QY_SCENARIO_SLACK_REFUSE,
	QY_SCENARIO_SLACK_ALLOW,
	QY_SCENARIO_SLACK_EXPECT_ACK,
	QY_SCENARIO_SLACK_EXPECT_NO_ACK,
	QY_SCENARIO_SLACK_EXPECT_STATE,
	QY_SCENARIO_SLACK_EXPECT_OPENS,
	QY_SCENARIO_SLACK_EXPECT_CONNECTIONS,
	QY_SCENARIO_SLACK_EXPECT_AT_MOST, /* connections, so far */
	QY_SCENARIO_SLACK_EXPECT_CLOSE,
	QY_SCENARIO_SLACK_KINDS
};

struct qy_scenario_slack {
	enum qy_scenario_slack_kind kind;
	unsigned connection; /* `on N`; 0: the newest */
	unsigned number;     /* a code, how many, how often; 0: not said */
	int64_t ns;	     /* `within`, `after`; 0: not said */
	const char *word;    /* a reason, an error, a state */
};

/* --- statements ----------------------------------------------------------------------------- */

enum qy_scenario_kind {
	QY_SCENARIO_SEED,
	QY_SCENARIO_MAKE_KEY,
	QY_SCENARIO_REQUEST,
	QY_SCENARIO_RAW,
	QY_SCENARIO_MOVE,
	QY_SCENARIO_ROLLBACK,
	QY_SCENARIO_WAIT,
	QY_SCENARIO_FAULT,
	QY_SCENARIO_HEAL,
	QY_SCENARIO_CRASH,
	QY_SCENARIO_REPEAT,
	QY_SCENARIO_FOR,
	QY_SCENARIO_TOGETHER, /* its children are branches */
	QY_SCENARIO_BRANCH,
	QY_SCENARIO_SQL,
	QY_SCENARIO_CHECK,
	QY_SCENARIO_SLACK,
	QY_SCENARIO_KINDS
};

struct qy_scenario_step {
	struct qy_scenario_step *next;
	struct qy_scenario_step *first; /* of a block */
	enum qy_scenario_kind kind;
	struct qy_scenario_at at;
	struct qy_scenario_clause *clauses; /* REQUEST, RAW */
	struct qy_scenario_text text;	    /* REQUEST: path; RAW: bytes; SQL: the query;
						SLACK: a frame, an envelope's id */
	const char *word;		    /* REQUEST: method; MOVE, ROLLBACK: component */
	const char *place;		    /* MOVE */
	bool has_name;			    /* REQUEST: made with a key */
	size_t name;			    /* REQUEST, MAKE_KEY: the key; FOR */
	uint32_t scopes;		    /* MAKE_KEY: of enum qy_scope */
	unsigned rate;			    /* MAKE_KEY: requests a minute */
	int64_t ns;			    /* WAIT */
	unsigned from, to;		    /* FOR; REPEAT and BRANCH: 1 to how often */
	struct qy_scenario_fault fault;
	struct qy_scenario_slack slack;
	enum qy_scenario_how how; /* SQL */
	bool is_nothing;	  /* SQL: there is no row, or it is null */
	struct qy_scenario_text value;
};

struct qy_scenario {
	const char *file;		/* as given */
	uint64_t hash;			/* of its bytes: FNV-1a */
	const char *title;		/* "" when there is none */
	const char *server, *db;	/* of `place`; NULL when there is none */
	const char *slack;		/* the same; also NULL when it does not say slack=PLACE */
	struct qy_scenario_step *first; /* `seed` and `key` stand before all others */
	struct qy_scenario_name *names;
	size_t n_names;
	bool moves;	/* there is a `move` or a `rollback` */
	bool together;	/* there is a `together`: what it makes is numbered in any order */
	bool needs_lab; /* there is a fault or a crash */
	bool only_lab;	/* `only lab`: what it expects holds in a lab alone */
	bool has_slack; /* there is a local Slack, and Quotey is to connect to it */
	struct qy_scenario_pool *pool; /* owns all of it */
};

struct qy_scenario_error {
	struct qy_scenario_at at;
	char message[QY_SCENARIO_MESSAGE_SIZE]; /* "FILE:LINE:COLUMN: what is wrong; what would be"
						 */
};

/*
 * Parses @n bytes; @file is their name in messages. Errors: INVALID_FIELD (*ret_error says what),
 * NO_MEMORY. The caller destroys *ret_scenario.
 */
enum qy_code qy_scenario_parse(const char *file, const char *bytes, size_t n,
			       struct qy_scenario **ret_scenario,
			       struct qy_scenario_error *ret_error) QY_MUST_USE;
/* NULL-safe; sets it to NULL. */
void qy_scenario_destroy(struct qy_scenario **scenario);

#endif
