/* Pieces of text that writers of reports share. Nothing here keeps any. */
#ifndef QRT_TEXT_H
#define QRT_TEXT_H

#include <stddef.h>

/*
 * What stands for the byte @c inside a JSON string: @c itself, or an escape in @ret_text. Bytes
 * beyond ASCII too, as U+0000 to U+00FF: a cut or broken name must not make the document invalid.
 */
enum { QRT__JSON_ESCAPE_MAX = 7 };
size_t qrt__json_escape(char c, char ret_text[QRT__JSON_ESCAPE_MAX]);

#endif
