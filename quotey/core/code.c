/*
 * Names and texts of the domain's error codes.
 *
 * Must never hold a list of its own: everything comes from QY_CODE_MAP.
 */
#include "quotey/core/code.h"

static const char *const code_names[] = {
#define QY_CODE_NAME(name, text) #name,
    QY_CODE_MAP(QY_CODE_NAME)
#undef QY_CODE_NAME
};

static const char *const code_texts[] = {
#define QY_CODE_TEXT(name, text) text,
    QY_CODE_MAP(QY_CODE_TEXT)
#undef QY_CODE_TEXT
};

const char *qy_code_name(enum qy_code code)
{
	if ((unsigned)code >= QY_CODE_COUNT) {
		return "UNKNOWN_CODE";
	}
	return code_names[code];
}

const char *qy_code_text(enum qy_code code)
{
	if ((unsigned)code >= QY_CODE_COUNT) {
		return "unknown code";
	}
	return code_texts[code];
}
