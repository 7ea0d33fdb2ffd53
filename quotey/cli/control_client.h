/*
 * Asking a running Quotey over its control listener: where it is, with which token, and what its
 * answers mean for the exit code.
 */
#ifndef QY_CLI_CONTROL_CLIENT_H
#define QY_CLI_CONTROL_CLIENT_H

#include "quotey/cli/command.h"
#include "quotey/core/json_write.h"
#include "quotey/json/json.h"

struct qy_cli_question {
	const char *method;  /* "GET" */
	const char *path;    /* "/runtime" */
	const char *body;    /* JSON, or NULL */
	const char *control; /* "http://127.0.0.1:8080"; NULL: as configured */
	bool is_change;	     /* needs the token, and may take as long as a move */
	size_t text_max; /* not 0: the answer is text of at most so many bytes, not to be read */
};

struct qy_cli_answer {
	int status;
	char *text;	    /* malloc'd */
	struct qy_doc *doc; /* of the text; NULL for a good answer that is not to be read */
};

/*
 * The body of a question that changes something: begin, the members between "actor" and "reason" in
 * order, end. End takes @json; *ret_body is malloc'd. @reason may be NULL.
 */
void qy_cli_change_begin(struct qy_json *json);
int qy_cli_change_end(struct qy_cli *cli, struct qy_json *json, const char *reason, char **ret_body)
    __attribute__((warn_unused_result));

/*
 * Asks, and reads the answer, which the caller fini's. Returns 0 also for a status that is an
 * error; fails when there is no answer, or none in JSON.
 */
int qy_cli_ask(struct qy_cli *cli, const struct qy_cli_question *question,
	       struct qy_cli_answer *ret_answer) __attribute__((warn_unused_result));
void qy_cli_answer_fini(struct qy_cli_answer *answer);

/* Fails as an answer with an error status says; @what names what was asked. */
int qy_cli_answer_fail(struct qy_cli *cli, const struct qy_cli_answer *answer, const char *what);

/* Fails as one of an answer's moves says that did not succeed. */
void qy_cli_move_fail(struct qy_cli *cli, const struct qy_doc *move);

/* A text member of an object, "" when it is absent, null or something else; and the like. */
const char *qy_cli_doc_text(const struct qy_doc *object, const char *name);
int64_t qy_cli_doc_number(const struct qy_doc *object, const char *name);
bool qy_cli_doc_true(const struct qy_doc *object, const char *name);
/* The first value of an array member; NULL when there is none. */
const struct qy_doc *qy_cli_doc_items(const struct qy_doc *object, const char *name);

#endif
