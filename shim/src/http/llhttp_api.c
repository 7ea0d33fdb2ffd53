/* llhttp from its sources, continued: its API, which disagrees with the parser's prototypes. */
#define LLHTTP_STRICT_MODE 1
#include <api.c>
#include <http.c>
