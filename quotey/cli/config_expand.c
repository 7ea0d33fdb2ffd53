/*
 * ${VAR} in a file's values. It must never run over comments (the INI reader has cut them off
 * before), nor look into what it has just put in.
 */
#include "quotey/cli/config_internal.h"

#include <string.h>

/* The value of the variable whose name is the first len bytes of name, or NULL. */
static const char *variable(char **environ_list, const char *name, size_t len)
{
	for (char **p = environ_list; p != NULL && *p != NULL; p++) {
		if (strncmp(*p, name, len) == 0 && (*p)[len] == '=') {
			return *p + len + 1;
		}
	}
	return NULL;
}

/*
 * text is just behind "${". Returns how many bytes to skip, the brace included, and the value;
 * 0 after filling the fault.
 */
static size_t reference(const char *text, char **environ_list, const char **ret_value,
			struct qy_config_fault *ret_fault)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
	size_t len = strcspn(text, "}");
	const char *value;

	if (text[len] != '}') {
		qy_config__fault(ret_fault, "has a ${ without its closing brace",
				 "write ${NAME} with the name of an environment variable");
		return 0;
	}
	if (len == 0 || len > QY_CONFIG_NAME_MAX || strspn(text, letters) != len ||
	    (text[0] >= '0' && text[0] <= '9')) {
		qy_config__fault(ret_fault, "has a ${} whose name is not that of a variable",
				 "write ${NAME} with the name of an environment variable");
		return 0;
	}
	value = variable(environ_list, text, len);
	if (value == NULL) {
		char problem[QY_CONFIG_NAME_MAX + 64];

		snprintf(problem, sizeof(problem), "uses ${%.*s}, which is not set", (int)len,
			 text);
		qy_config__fault(ret_fault, problem,
				 "set %.*s in the environment or write the value here", (int)len,
				 text);
		return 0;
	}
	*ret_value = value;
	return len + 1;
}

bool qy_config__expand(const char *text, char **environ_list, char *ret_text,
		       struct qy_config_fault *ret_fault)
{
	size_t n = 0;

	while (*text != '\0') {
		const char *piece = text;
		size_t piece_len = 1;
		size_t skip = 1;

		if (text[0] == '$' && text[1] == '{') {
			skip = reference(text + 2, environ_list, &piece, ret_fault);
			if (skip == 0) {
				return false;
			}
			skip += 2;
			piece_len = strlen(piece);
		}
		if (piece_len > QY_CONFIG_VALUE_MAX - n) {
			qy_config__fault(ret_fault, "is too long", "give at most %d bytes",
					 QY_CONFIG_VALUE_MAX);
			return false;
		}
		memcpy(ret_text + n, piece, piece_len);
		n += piece_len;
		text += skip;
	}
	ret_text[n] = '\0';
	return true;
}
