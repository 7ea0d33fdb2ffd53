/* A whole Quotey on one assignment; see stand.h. */
#include "tests/parity/stand.h"

#include <ctype.h>
#include <qrt/qrt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quotey/db/component.h"
#include "quotey/db/dump.h"
#include "quotey/db/migrate.h"
#include "quotey/db/migrations.h"
#include "quotey/db/store.h"
#include "quotey/server/server.h"
#include "tests/lib/http_client.h"
#include "tests/parity/script.h"

enum { QUOTES_MAX = 64, RATE = 5 };

static const char *const headers_that_matter[] = {"Content-Type",
						  "Location",
						  "ETag",
						  "Allow",
						  "Retry-After",
						  "WWW-Authenticate",
						  "Cache-Control",
						  "X-Content-Type-Options",
						  "X-Frame-Options",
						  "Content-Security-Policy",
						  "Referrer-Policy",
						  "Permissions-Policy",
						  "X-Correlation-Id"};

struct stand {
	const struct assignment *assignment;
	struct transcript out;
	char path[64], url[80];
	char key[4][QY_APIKEY_TEXT_SIZE];
	char limited_key[QY_APIKEY_TEXT_SIZE];
	char quote[QUOTES_MAX][32];
	size_t n_quotes;
	struct qrt_switchboard *sb;
	struct qrt_runtime *place[2];
	size_t n_places;
	struct qy_db_env db_env;
	struct qy_server_env server_env;
	uint16_t port;
	struct qrt_stream *stream;
	int asked, wrong;
};

/* --- the database ----------------------------------------------------------------------------- */

static enum qrt_err make_key(struct qrt_cx *cx, struct qy_store *store, uint32_t scopes,
			     unsigned rate, char ret_text[QY_APIKEY_TEXT_SIZE])
{
	struct qy_apikey spec = {.name = "parity", .scopes = scopes, .rate_per_minute = rate};
	struct qy_fault fault;
	enum qrt_err err = qy_store_apikey_create(cx, store, &spec, ret_text, &fault);
	return !err && fault.kind ? qrt_fail(cx, QRT_EFAILED, "%s", fault.text) : err;
}

static enum qrt_err fill_database(struct qrt_cx *cx, struct stand *stand)
{
	struct qy_store store;
	struct qy_migrate_report migrated;
	struct qy_seed_report seeded;
	enum qrt_err err = qrt_db_open(cx, &stand->db_env.options, &store.db);
	if (err) {
		return err;
	}
	err = qy_migrate_up(cx, store.db, &qy_migrations, 0, &migrated);
	if (!err) {
		err = qy_store_seed_load(cx, &store, &seeded);
	}
	if (!err) {
		err = make_key(cx, &store, QY_SCOPE_QUOTES_READ | QY_SCOPE_QUOTES_WRITE, 10000,
			       stand->key[KEY_WRITER]);
	}
	if (!err) {
		err = make_key(cx, &store, QY_SCOPE_QUOTES_READ, 10000, stand->key[KEY_READER]);
	}
	if (!err) {
		err = make_key(cx, &store, QY_SCOPE_QUOTES_READ, RATE, stand->limited_key);
	}
	snprintf(stand->key[KEY_WRONG], sizeof(stand->key[KEY_WRONG]), "qk_%08d_%064d", 0, 0);
	qrt_db_close(cx, &store.db);
	return err;
}

static enum qrt_err dump_database(struct qrt_cx *cx, struct stand *stand)
{
	struct qy_store store;
	char *text;
	enum qrt_err err = qrt_db_open(cx, &stand->db_env.options, &store.db);
	if (err) {
		return err;
	}
	err = qy_store_dump(cx, &store, &text);
	if (!err) {
		transcript_add(&stand->out, "== the tables\n");
		transcript_add_sorted(&stand->out, text);
		free(text);
	}
	qrt_db_close(cx, &store.db);
	return err;
}

/* --- the script --------------------------------------------------------------------------------
 */

static enum qrt_err connected(struct qrt_cx *cx, struct stand *stand)
{
	return stand->stream ? QRT_OK : qrt_connect(cx, "127.0.0.1", stand->port, &stand->stream);
}

/* Puts the N-th created quote for @N@, in lower case for @Nl@. */
static void fill_in(const struct stand *stand, const char *path, char *ret, size_t n)
{
	size_t used = 0;
	while (*path && used + 32 < n) {
		char *end;
		unsigned long index = *path == '@' ? strtoul(path + 1, &end, 10) : 0;
		if (index >= 1 && index <= stand->n_quotes) {
			used +=
			    (size_t)snprintf(ret + used, n - used, "%s", stand->quote[index - 1]);
			if (*end == 'l') {
				ret[used - strlen(stand->quote[index - 1])] = 'q';
				end++;
			}
			path = end + 1;
		} else {
			ret[used++] = *path++;
		}
	}
	ret[used] = '\0';
}

static void remember_quote(struct stand *stand, const struct http_answer *answer)
{
	char location[128];
	const char *id;
	if (answer->status == 201 && stand->n_quotes < QUOTES_MAX &&
	    http_answer_header(answer, "Location", location, sizeof(location)) &&
	    (id = strrchr(location, '/'))) {
		snprintf(stand->quote[stand->n_quotes++], sizeof(stand->quote[0]), "%.31s", id + 1);
	}
}

static void note_answer(struct stand *stand, const struct http_answer *answer)
{
	transcript_add(&stand->out, "< %d\n", answer->status);
	for (size_t i = 0; i < sizeof(headers_that_matter) / sizeof(headers_that_matter[0]); i++) {
		char value[512];
		if (http_answer_header(answer, headers_that_matter[i], value, sizeof(value))) {
			transcript_add(&stand->out, "< %s: ", headers_that_matter[i]);
			transcript_add_masked(&stand->out, value);
			transcript_add(&stand->out, "\n");
		}
	}
	transcript_add_masked(&stand->out, answer->body);
	transcript_add(&stand->out, "\n");
}

static void judge(struct stand *stand, const char *what, const struct http_answer *answer,
		  int status, const char *contains)
{
	bool right = answer->status == status && (!contains || strstr(answer->body, contains));
	if (!right) {
		stand->wrong++;
		fprintf(stderr, "%s: %s\n  expected %d with \"%s\", got %d: %s\n",
			stand->assignment->name, what, status, contains ? contains : "",
			answer->status, answer->body);
	}
}

static enum qrt_err play_step(struct qrt_cx *cx, struct stand *stand,
			      const struct parity_step *step)
{
	char path[256], headers[512];
	struct http_answer answer;
	fill_in(stand, step->path, path, sizeof(path));
	headers[0] = '\0';
	if (step->key != KEY_NONE) {
		snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n",
			 stand->key[step->key]);
	}
	strcat(headers, step->headers);
	transcript_add(&stand->out, "== %s: %s ", step->what, step->method);
	transcript_add_masked(&stand->out, path);
	transcript_add(&stand->out, "\n");
	enum qrt_err err = connected(cx, stand);
	if (!err) {
		err = http_ask(cx, stand->stream, step->method, path, headers, step->body, &answer);
	}
	if (err) {
		return qrt_prefix(cx, err, step->what);
	}
	note_answer(stand, &answer);
	remember_quote(stand, &answer);
	judge(stand, step->what, &answer, step->status, step->contains);
	if (answer.closes) {
		qrt_stream_close(cx, &stand->stream);
	}
	http_answer_fini(&answer);
	return QRT_OK;
}

static enum qrt_err send_raw(struct qrt_cx *cx, struct qrt_stream *stream,
			     const struct parity_raw *raw)
{
	char *filler = malloc(raw->filler + 1);
	if (!filler) {
		return QRT_ENOMEM;
	}
	memset(filler, 'a', raw->filler);
	const struct qrt_slice slices[] = {{raw->bytes, strlen(raw->bytes)},
					   {filler, raw->filler},
					   {raw->after, strlen(raw->after)}};
	enum qrt_err err = qrt_writev(cx, stream, slices, 3);
	free(filler);
	/* The server may have answered and closed before it had everything. */
	return err == QRT_ECONNRESET ? QRT_OK : err;
}

static enum qrt_err play_raw(struct qrt_cx *cx, struct stand *stand, const struct parity_raw *raw)
{
	struct qrt_stream *stream;
	struct http_answer answer = {0};
	enum qrt_err err = qrt_connect(cx, "127.0.0.1", stand->port, &stream);
	if (err) {
		return err;
	}
	transcript_add(&stand->out, "== %s\n", raw->what);
	err = send_raw(cx, stream, raw);
	if (!err) {
		err = http_read_answer(cx, stream, false, &answer);
	}
	if (err) {
		transcript_add(&stand->out, "< no answer\n");
		stand->wrong += raw->status != 0;
		fprintf(stderr, "%s: %s: no answer (%s)\n", stand->assignment->name, raw->what,
			qrt_err_name(err));
	} else {
		/* The status only: who parses HTTP writes the page (promise "protocol-fault-body").
		 */
		transcript_add(&stand->out, "< %d\n", answer.status);
		judge(stand, raw->what, &answer, raw->status, NULL);
		http_answer_fini(&answer);
	}
	qrt_stream_close(cx, &stream);
	return QRT_OK;
}

/* B157: one call more than the key's rate is 429 with Retry-After of at least 1. */
static enum qrt_err play_rate(struct qrt_cx *cx, struct stand *stand)
{
	char headers[256], value[32];
	enum qrt_err err = QRT_OK;
	snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", stand->limited_key);
	transcript_add(&stand->out, "== B157 rate\n");
	for (int i = 0; i <= RATE && !err; i++) {
		struct http_answer answer;
		err = connected(cx, stand);
		if (!err) {
			err = http_ask(cx, stand->stream, "GET", "/api/v1/quotes?limit=1", headers,
				       NULL, &answer);
		}
		if (!err) {
			transcript_add(&stand->out, "< %d\n", answer.status);
			judge(stand, "B157 rate", &answer, i < RATE ? 200 : 429, NULL);
			http_answer_header(&answer, "Retry-After", value, sizeof(value));
			stand->wrong += i == RATE && atoi(value) < 1;
			if (answer.closes) {
				qrt_stream_close(cx, &stand->stream);
			}
			http_answer_fini(&answer);
		}
	}
	return err;
}

static enum qrt_err maybe_move(struct qrt_cx *cx, struct stand *stand)
{
	int every = stand->assignment->move_every;
	int n = stand->asked++;
	if (!every || n % every) {
		return QRT_OK;
	}
	struct qrt_move move;
	const char *component = n / every % 2 ? "server" : "db";
	const char *to = qrt_runtime_backend(stand->place[n / every / 2 % 2]);
	enum qrt_err err =
	    qrt_switchboard_move(cx, stand->sb, component, to, "user:parity", "parity", &move);
	stand->wrong += move.stragglers != 0;
	if (strcmp(component, "server") == 0) {
		/* Idle since the move began: the old side has closed it after its linger. */
		qrt_stream_close(cx, &stand->stream);
	}
	return err;
}

static enum qrt_err play(struct qrt_cx *cx, struct stand *stand)
{
	enum qrt_err err = QRT_OK;
	for (size_t i = 0; i < parity_n_steps && !err; i++) {
		err = maybe_move(cx, stand);
		if (!err) {
			err = play_step(cx, stand, &parity_steps[i]);
		}
	}
	for (size_t i = 0; i < parity_n_raws && !err; i++) {
		err = play_raw(cx, stand, &parity_raws[i]);
	}
	if (!err) {
		err = play_rate(cx, stand);
	}
	qrt_stream_close(cx, &stand->stream);
	return err;
}

/* --- the stand ---------------------------------------------------------------------------------
 */

static enum qrt_err start_components(struct qrt_cx *cx, struct stand *stand)
{
	struct qrt_move move;
	int fd;
	enum qrt_err err =
	    qrt_switchboard_add_component(stand->sb, &qy_db_component, &stand->db_env);
	if (!err) {
		err = qrt_socket_listen(cx, "127.0.0.1", 0, &fd, &stand->port);
	}
	if (err) {
		return err;
	}
	stand->server_env.listen_fd = fd;
	stand->server_env.db = qrt_switchboard_port(stand->sb, "db");
	err = qrt_switchboard_add_component(stand->sb, &qy_server_component, &stand->server_env);
	if (!err) {
		err = qrt_switchboard_move(cx, stand->sb, "db", stand->assignment->db, "t", "start",
					   &move);
	}
	if (!err) {
		err = qrt_switchboard_move(cx, stand->sb, "server", stand->assignment->server, "t",
					   "start", &move);
	}
	return err;
}

static enum qrt_err stand_main(struct qrt_cx *cx, void *arg)
{
	struct stand *stand = arg;
	if (stand->n_places == 0) {
		enum qrt_err err = qrt_switchboard_add_runtime(stand->sb, stand->assignment->host,
							       qrt_cx_runtime(cx));
		if (err) {
			return err;
		}
	}
	enum qrt_err err = fill_database(cx, stand);
	if (!err) {
		err = start_components(cx, stand);
	}
	if (!err) {
		err = play(cx, stand);
	}
	if (err) {
		fprintf(stderr, "%s: %s: %s\n", stand->assignment->name, qrt_err_name(err),
			qrt_detail(cx));
	}
	enum qrt_err stop = qrt_switchboard_stop(cx, stand->sb);
	if (stand->server_env.listen_fd >= 0) {
		qrt_socket_close(cx, stand->server_env.listen_fd);
	}
	err = err ? err : stop;
	return err ? err : dump_database(cx, stand);
}

static struct qrt_runtime *open_runtime(const char *backend, const char *name)
{
	const struct qrt_runtime_options opts = {.backend = backend, .name = name, .seed = 7};
	struct qrt_runtime *rt;
	char detail[256] = "";
	if (qrt_runtime_open(&opts, detail, &rt)) {
		fprintf(stderr, "runtime %s: %s\n", backend, detail);
		return NULL;
	}
	return rt;
}

/* The real backends that the assignment names, each with its own thread. */
static enum qrt_err open_places(struct stand *stand)
{
	const char *const names[] = {stand->assignment->server, stand->assignment->db,
				     stand->assignment->move_every ? "legacy" : "",
				     stand->assignment->move_every ? "region" : ""};
	for (size_t i = 0; i < 4; i++) {
		bool known = strncmp(names[i], "lab", 3) == 0 || !names[i][0];
		for (size_t j = 0; j < stand->n_places; j++) {
			known |= strcmp(qrt_runtime_backend(stand->place[j]), names[i]) == 0;
		}
		if (known) {
			continue;
		}
		struct qrt_runtime *rt = open_runtime(names[i], names[i]);
		if (!rt) {
			return QRT_EFAILED;
		}
		stand->place[stand->n_places++] = rt;
		enum qrt_err err = qrt_runtime_start(rt);
		if (!err) {
			err = qrt_switchboard_add_runtime(stand->sb, names[i], rt);
		}
		if (err) {
			return err;
		}
	}
	return QRT_OK;
}

static void make_path(struct stand *stand)
{
	snprintf(stand->path, sizeof(stand->path), "/tmp/quotey-parity-XXXXXX");
	int fd = mkstemp(stand->path);
	if (fd >= 0) {
		close(fd);
		unlink(stand->path);
	}
	snprintf(stand->url, sizeof(stand->url), "sqlite://%s", stand->path);
	stand->db_env.options = (struct qrt_db_options){.url = stand->url, .readers = 2};
}

static void remove_path(struct stand *stand)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < 3; i++) {
		char name[80];
		snprintf(name, sizeof(name), "%s%s", stand->path, suffixes[i]);
		unlink(name);
	}
}

enum qrt_err stand_run(const struct assignment *assignment, struct transcript *ret_transcript)
{
	struct stand stand = {.assignment = assignment};
	const struct qrt_switchboard_options opts = {0};
	stand.server_env.listen_fd = -1;
	stand.server_env.linger_ns = 100 * QRT_MS;
	make_path(&stand);
	enum qrt_err err = qrt_switchboard_create(&opts, &stand.sb);
	struct qrt_runtime *host = err ? NULL : open_runtime(assignment->host, "host");
	if (host) {
		err = open_places(&stand);
		if (!err) {
			err = qrt_run_main(host, stand_main, &stand);
		}
	}
	for (size_t i = 0; i < stand.n_places; i++) {
		enum qrt_err down = qrt_shutdown(stand.place[i], 5 * QRT_SEC);
		if (down) {
			fprintf(stderr, "%s: shutdown: %s\n", assignment->name, qrt_err_name(down));
			abort();
		}
	}
	qrt_switchboard_destroy(&stand.sb);
	for (size_t i = 0; i < stand.n_places; i++) {
		qrt_runtime_close(&stand.place[i]);
	}
	qrt_runtime_close(&host);
	remove_path(&stand);
	*ret_transcript = stand.out;
	return err ? err : stand.wrong ? QRT_EFAILED : QRT_OK;
}
