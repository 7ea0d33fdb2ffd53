/*
 * Reads lines from stdin, each of which must be a JSON object with a time, a level, a component and
 * a message; says which is not. With KEY=VALUE arguments: prints how many lines have all of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/json/json.h"

static bool has_text(const struct qy_doc *doc, const char *name)
{
	const struct qy_doc *member = qy_doc_member(doc, name);

	return member != NULL && qy_doc_kind(member) == QY_DOC_STRING;
}

static bool matches(const struct qy_doc *doc, const char *wish)
{
	char name[64], value[128] = "";
	const struct qy_doc *member;
	size_t n = strcspn(wish, "=");

	snprintf(name, sizeof(name), "%.*s", (int)n, wish);
	member = qy_doc_member(doc, name);
	if (member == NULL) {
		return false;
	}
	if (qy_doc_kind(member) == QY_DOC_STRING) {
		snprintf(value, sizeof(value), "%s", qy_doc_string(member));
	} else if (qy_doc_kind(member) == QY_DOC_INTEGER) {
		snprintf(value, sizeof(value), "%lld", (long long)qy_doc_integer(member));
	}
	/* "KEY=" alone: it is there. */
	return wish[n] == '=' && (wish[n + 1] == '\0' || strcmp(value, wish + n + 1) == 0);
}

static bool is_line(const struct qy_doc *doc)
{
	return qy_doc_kind(doc) == QY_DOC_OBJECT && has_text(doc, "time") &&
	       has_text(doc, "level") && has_text(doc, "component") && has_text(doc, "message");
}

int main(int argc, char **argv)
{
	char line[8192];
	int found = 0, number = 0;

	while (fgets(line, sizeof(line), stdin) != NULL) {
		struct qy_doc_error error;
		struct qy_doc *doc = NULL;
		bool all = true;

		number++;
		line[strcspn(line, "\n")] = '\0';
		if (!qy_doc_parse(line, strlen(line), &doc, &error) || !is_line(doc)) {
			printf("line %d: %s\n", number, line);
			return 1;
		}
		for (int i = 1; i < argc; i++) {
			all = all && matches(doc, argv[i]);
		}
		found += all;
		qy_doc_destroy(&doc);
	}
	printf("%d\n", found);
	return 0;
}
