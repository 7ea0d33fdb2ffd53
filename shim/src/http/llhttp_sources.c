/*
 * llhttp from the C sources that its node package installs, for distributions
 * without the library: the generated parser. Compiled quietly, by itself.
 * Strict: otherwise a chunk may end without its CR LF, among other leniencies.
 */
#define LLHTTP_STRICT_MODE 1
#include <llhttp.c>
