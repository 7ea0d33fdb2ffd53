/*
 * Executions as a line of text: qrt1-SEED-STRATEGY[DEPTH[.LENGTH]]-BUILD-CONFIG, in
 * hexadecimal, and for one of a sweep -KIND.POINT. What fails in a lab ends
 * with it.
 */
#include <elf.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/lab/campaign.h"
#include "backends/lab/lab.h"

static const char *const strategy_names[] = {"random", "pct", "round"};
enum { STRATEGIES = sizeof(strategy_names) / sizeof(strategy_names[0]), BUILD_BYTES = 8 };

static size_t padded(size_t n)
{
	return (n + 3) / 4 * 4;
}

/* The linker's build id among the notes of one segment; false: it is not there. */
static bool find_build_id(const char *at, size_t n, uint64_t *ret_id)
{
	while (n >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *note = (const void *)at;
		size_t name = padded(note->n_namesz), desc = padded(note->n_descsz);
		const unsigned char *id = (const void *)(at + sizeof(*note) + name);
		if (sizeof(*note) + name + desc > n) {
			return false;
		}
		if (note->n_type == NT_GNU_BUILD_ID && note->n_descsz >= BUILD_BYTES) {
			*ret_id = 0;
			for (size_t i = 0; i < BUILD_BYTES; i++) {
				*ret_id = *ret_id << 8 | id[i];
			}
			return true;
		}
		at += sizeof(*note) + name + desc;
		n -= sizeof(*note) + name + desc;
	}
	return false;
}

/* The first object is the program itself. */
static int look_at_program(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		if (segment->p_type == PT_NOTE &&
		    find_build_id((const char *)info->dlpi_addr + segment->p_vaddr,
				  segment->p_memsz, arg)) {
			break;
		}
	}
	return 1;
}

static uint64_t build_id(void)
{
	uint64_t id = 0; /* of a program that was linked without one */
	dl_iterate_phdr(look_at_program, &id);
	return id;
}

/* Everything of the options that decides what happens, beside seed and strategy. */
static uint64_t config_hash(const struct qrt_lab_options *opts)
{
	const struct qrt_lab_faults *f = &opts->faults;
	const uint64_t words[] = {opts->config_hash,
				  opts->disk,
				  (uint64_t)opts->heal_ns,
				  f->refuse,
				  f->reset,
				  f->vanish,
				  f->cut,
				  f->job_slow,
				  f->disk_error,
				  f->sync_slow,
				  f->lookup_fail,
				  f->ws_delay,
				  f->ws_drop,
				  f->ws_duplicate,
				  f->ws_close,
				  f->ws_pong_loss,
				  f->spawn_fail,
				  f->child_crash,
				  f->child_stuck,
				  f->partition,
				  f->disk_full,
				  (uint64_t)f->latency_min_ns,
				  (uint64_t)f->latency_max_ns,
				  (uint64_t)f->sync_ns,
				  f->bytes_per_s,
				  f->pipe_bytes,
				  f->fds_max};
	uint64_t h = 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		h = qrt__lab_mix(h + words[i] + 1);
	}
	return h;
}

static void print_token(const struct qrt_lab_options *opts, uint64_t build, uint64_t config,
			char *ret_text)
{
	char depth[24] = "";
	if (opts->strategy == QRT_LAB_PCT) {
		int n = snprintf(depth, sizeof(depth), "%u", opts->depth ? opts->depth : 3);
		if (opts->length > 0) {
			snprintf(depth + n, sizeof(depth) - (size_t)n, ".%" PRIu32, opts->length);
		}
	}
	int used = snprintf(ret_text, QRT_LAB_TOKEN_SIZE,
			    "qrt1-%" PRIx64 "-%s%s-%016" PRIx64 "-%016" PRIx64, opts->seed,
			    strategy_names[opts->strategy], depth, build, config);
	if (opts->sweep.at > 0) {
		snprintf(ret_text + used, QRT_LAB_TOKEN_SIZE - (size_t)used, "-%s.%" PRIu64,
			 qrt_sweep_name(opts->sweep.kind), opts->sweep.at);
	}
}

void qrt__token_of(const struct qrt_lab_options *opts, char *ret_text)
{
	print_token(opts, build_id(), config_hash(opts), ret_text);
}

void qrt_lab_token(const struct qrt_lab *lab, char *ret_text)
{
	qrt__token_of(&lab->opts, ret_text);
}

struct parts {
	uint64_t seed, build, config;
	unsigned strategy, depth;
	uint32_t length;
	struct qrt_sweep_point sweep;
};

/* Nothing, or -KIND.POINT. */
static bool parse_sweep(const char *text, struct qrt_sweep_point *ret)
{
	*ret = (struct qrt_sweep_point){0};
	if (!*text) {
		return true;
	}
	for (unsigned kind = 1; kind < QRT_SWEEPS; kind++) {
		const char *name = qrt_sweep_name((enum qrt_sweep_kind)kind);
		size_t n = strlen(name);
		if (strncmp(text + 1, name, n) == 0 && text[1 + n] == '.') {
			char *rest;
			ret->kind = (enum qrt_sweep_kind)kind;
			ret->at = strtoull(text + n + 2, &rest, 10);
			return *text == '-' && !*rest && ret->at > 0;
		}
	}
	return false;
}

static bool parse(const char *text, struct parts *ret)
{
	char name[24];
	int end = 0;
	if (sscanf(text, "qrt1-%16" SCNx64 "-%23[a-z0-9.]-%16" SCNx64 "-%16" SCNx64 "%n",
		   &ret->seed, name, &ret->build, &ret->config, &end) != 4 ||
	    !parse_sweep(text + end, &ret->sweep)) {
		return false;
	}
	for (unsigned i = 0; i < STRATEGIES; i++) {
		size_t n = strlen(strategy_names[i]);
		if (strncmp(name, strategy_names[i], n) == 0) {
			char *rest;
			ret->strategy = i;
			ret->depth = (unsigned)strtoul(name + n, &rest, 10);
			bool has_depth = rest != name + n;
			if (has_depth && *rest == '.') {
				ret->length = (uint32_t)strtoul(rest + 1, &rest, 10);
			}
			return !*rest && has_depth == (i == QRT_LAB_PCT) &&
			       ret->depth <= QRT__PCT_DEPTH_MAX;
		}
	}
	return false;
}

/* The parser takes other spellings of numbers, too: a token is what is printed, letter by letter.
 */
static bool is_printed_so(const char *text, const struct parts *parts)
{
	char again[QRT_LAB_TOKEN_SIZE];
	const struct qrt_lab_options opts = {.seed = parts->seed,
					     .strategy = (enum qrt_lab_strategy)parts->strategy,
					     .depth = parts->depth,
					     .length = parts->length,
					     .sweep = parts->sweep};
	print_token(&opts, parts->build, parts->config, again);
	return strcmp(text, again) == 0;
}

enum qrt_err qrt_lab_token_read(const char *text, bool force, struct qrt_lab_options *opts,
				char *ret_detail)
{
	char unread[QRT__DETAIL_MAX];
	char *detail = ret_detail ? ret_detail : unread;
	struct parts parts = {0};
	if (!parse(text, &parts) || !is_printed_so(text, &parts)) {
		snprintf(detail, QRT__DETAIL_MAX,
			 "\"%.80s\" is no token: qrt1-SEED-STRATEGY-BUILD-CONFIG", text);
		return QRT_EINVAL;
	}
	struct qrt_lab_options read = *opts;
	read.seed = parts.seed;
	read.strategy = (enum qrt_lab_strategy)parts.strategy;
	read.depth = parts.depth;
	read.length = parts.length;
	read.sweep = parts.sweep;
	if (parts.build != build_id() && !force) {
		snprintf(detail, QRT__DETAIL_MAX,
			 "the token is of build %016" PRIx64 ", this is %016" PRIx64
			 ": the execution may be another one",
			 parts.build, build_id());
		return QRT_ECONFLICT;
	}
	if (parts.config != config_hash(&read) && !force) {
		snprintf(detail, QRT__DETAIL_MAX,
			 "the token is of another configuration: %016" PRIx64
			 ", this is %016" PRIx64,
			 parts.config, config_hash(&read));
		return QRT_ECONFLICT;
	}
	*opts = read;
	return QRT_OK;
}
