/*
 * What connections share: the files, read once per edition, and the contexts
 * made of them. A runtime of a lab has contexts of its own, whose randomness
 * is the lab's: they are made when the first connection needs them, of the
 * texts that were read, and go with the runtime.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "shim/src/tls/tls.h"

enum { FILE_MAX = 4 * 1024 * 1024, ALPN_MAX = 1024 };

static const int64_t handshake_default_ns = 10 * QRT_SEC;

/* What the files said at one time. Counted, never changed. */
struct edition {
	_Atomic unsigned refs;
	struct qrt__tls_config config;
	struct qrt__tls_ctx *ctx;
};

struct qrt_tls {
	_Atomic unsigned refs;
	bool server, verify;
	char *cert_file, *key_file, *ca_file; /* NULL: none */
	unsigned char *alpn;		      /* as on the wire, or NULL */
	size_t alpn_n;
	int64_t handshake_ns;
	pthread_mutex_t lock;
	struct edition *now; /* under lock */
};

/* --- files ----------------------------------------------------------------------------------- */

static enum qrt_err file_error(char *ret_detail, const char *what, const char *path)
{
	enum qrt_err err = qrt__err_from_errno(errno);
	snprintf(ret_detail, QRT_DETAIL, "%s %s: %s", what, path, strerror(errno));
	return err;
}

/* To the end of @file, which is not to be longer than FILE_MAX. */
static enum qrt_err read_all(FILE *file, char **ret_text, size_t *ret_n)
{
	size_t n = 0, room = 4096;
	char *text = malloc(room);
	while (text) {
		n += fread(text + n, 1, room - n, file);
		if (n < room || room > FILE_MAX) {
			break;
		}
		room *= 2;
		char *more = realloc(text, room);
		if (!more) {
			free(text);
		}
		text = more;
	}
	enum qrt_err err = !text ? QRT_ENOMEM : ferror(file) ? QRT_EIO : QRT_OK;
	if (!err && n > FILE_MAX) {
		err = QRT_ELIMIT;
	}
	if (err) {
		free(text);
		return err;
	}
	*ret_text = text;
	*ret_n = n;
	return QRT_OK;
}

/* @path may be NULL: then there is no text. */
static enum qrt_err read_file(const char *what, const char *path, char **ret_text, size_t *ret_n,
			      char *ret_detail)
{
	if (!path) {
		return QRT_OK;
	}
	FILE *file = fopen(path, "re");
	if (!file) {
		return file_error(ret_detail, what, path);
	}
	enum qrt_err err = read_all(file, ret_text, ret_n);
	if (err == QRT_EIO) {
		err = file_error(ret_detail, what, path);
	} else if (err) {
		snprintf(ret_detail, QRT_DETAIL, "%s %s: %s", what, path, qrt_err_text(err));
	}
	fclose(file);
	return err;
}

/* --- editions -------------------------------------------------------------------------------- */

/* A key is not left in memory that is given back. */
static void forget(char *text, size_t n)
{
	if (text) {
		explicit_bzero(text, n);
		free(text);
	}
}

static void edition_unref(struct edition **edition_ptr)
{
	struct edition *edition = *edition_ptr;
	*edition_ptr = NULL;
	if (edition && --edition->refs == 0) {
		qrt__tls_ctx_unref(&edition->ctx);
		forget(edition->config.key, edition->config.key_n);
		free(edition->config.cert);
		free(edition->config.ca);
		free(edition->config.alpn);
		free(edition);
	}
}

static enum qrt_err edition_fill(const struct qrt_tls *tls, struct edition *edition,
				 char *ret_detail)
{
	struct qrt__tls_config *config = &edition->config;
	config->server = tls->server;
	config->verify = tls->verify;
	if (tls->alpn) {
		config->alpn = malloc(tls->alpn_n);
		if (!config->alpn) {
			return QRT_ENOMEM;
		}
		memcpy(config->alpn, tls->alpn, tls->alpn_n);
		config->alpn_n = tls->alpn_n;
	}
	enum qrt_err err =
	    read_file("cert_file", tls->cert_file, &config->cert, &config->cert_n, ret_detail);
	if (!err) {
		err =
		    read_file("key_file", tls->key_file, &config->key, &config->key_n, ret_detail);
	}
	if (!err) {
		err = read_file("ca_file", tls->ca_file, &config->ca, &config->ca_n, ret_detail);
	}
	return err ? err : qrt__tls_ctx_create(config, NULL, ret_detail, &edition->ctx);
}

static enum qrt_err edition_create(const struct qrt_tls *tls, char *ret_detail,
				   struct edition **ret_edition)
{
	struct edition *edition = calloc(1, sizeof(*edition));
	if (!edition) {
		return QRT_ENOMEM;
	}
	edition->refs = 1;
	enum qrt_err err = edition_fill(tls, edition, ret_detail);
	if (err) {
		edition_unref(&edition);
		return err;
	}
	*ret_edition = edition;
	return QRT_OK;
}

/* --- options --------------------------------------------------------------------------------- */

/* "h2,http/1.1" as it goes over the wire: each name after a byte with its length. */
static enum qrt_err parse_alpn(struct qrt_tls *tls, const char *names, char *ret_detail)
{
	size_t n = strnlen(names, ALPN_MAX + 1);
	if (n > ALPN_MAX) {
		snprintf(ret_detail, QRT_DETAIL, "alpn: more than %d bytes", ALPN_MAX);
		return QRT_EINVAL;
	}
	tls->alpn = malloc(n + 1);
	if (!tls->alpn) {
		return QRT_ENOMEM;
	}
	tls->alpn_n = n + 1;
	unsigned char *at = tls->alpn;
	for (const char *name = names;; name++) {
		size_t len = strcspn(name, ",");
		if (len < 1 || len > 255) {
			snprintf(ret_detail, QRT_DETAIL, "alpn: a name of %zu bytes", len);
			return QRT_EINVAL;
		}
		*at++ = (unsigned char)len;
		memcpy(at, name, len);
		at += len;
		name += len;
		if (!*name) {
			return QRT_OK;
		}
	}
}

static enum qrt_err copy(const char *path, char **ret_copy)
{
	if (!path) {
		return QRT_OK;
	}
	*ret_copy = strdup(path);
	return *ret_copy ? QRT_OK : QRT_ENOMEM;
}

static enum qrt_err set_options(struct qrt_tls *tls, const char *alpn, int64_t handshake_ns,
				char *ret_detail)
{
	if (handshake_ns < 0) {
		snprintf(ret_detail, QRT_DETAIL, "a handshake of %lld ns", (long long)handshake_ns);
		return QRT_EINVAL;
	}
	tls->handshake_ns = handshake_ns ? handshake_ns : handshake_default_ns;
	return alpn ? parse_alpn(tls, alpn, ret_detail) : QRT_OK;
}

static struct qrt_tls *tls_new(void)
{
	struct qrt_tls *tls = calloc(1, sizeof(*tls));
	if (tls) {
		tls->refs = 1;
		pthread_mutex_init(&tls->lock, NULL);
	}
	return tls;
}

/* The end of a create: the first edition, or nothing at all. */
static enum qrt_err tls_finish(struct qrt_tls *tls, enum qrt_err err, char *detail,
			       char *ret_detail, struct qrt_tls **ret_tls)
{
	if (!err) {
		err = edition_create(tls, detail, &tls->now);
	}
	if (err && ret_detail) {
		snprintf(ret_detail, QRT_DETAIL, "%s", *detail ? detail : qrt_err_text(err));
	}
	if (err) {
		qrt_tls_unref(&tls);
		return err;
	}
	*ret_tls = tls;
	return QRT_OK;
}

enum qrt_err qrt_tls_server_create(const struct qrt_tls_server_options *opts, char *ret_detail,
				   struct qrt_tls **ret_tls)
{
	char detail[QRT_DETAIL] = "";
	struct qrt_tls *tls = tls_new();
	if (!tls) {
		return QRT_ENOMEM;
	}
	tls->server = true;
	enum qrt_err err = set_options(tls, opts->alpn, opts->handshake_ns, detail);
	if (!err && !(opts->cert_file && opts->key_file)) {
		snprintf(detail, sizeof(detail), "a server needs cert_file and key_file");
		err = QRT_EINVAL;
	}
	if (!err) {
		err = copy(opts->cert_file, &tls->cert_file);
	}
	if (!err) {
		err = copy(opts->key_file, &tls->key_file);
	}
	return tls_finish(tls, err, detail, ret_detail, ret_tls);
}

enum qrt_err qrt_tls_client_create(const struct qrt_tls_client_options *opts, char *ret_detail,
				   struct qrt_tls **ret_tls)
{
	char detail[QRT_DETAIL] = "";
	struct qrt_tls *tls = tls_new();
	if (!tls) {
		return QRT_ENOMEM;
	}
	tls->verify = !opts->no_verify;
	enum qrt_err err = set_options(tls, opts->alpn, opts->handshake_ns, detail);
	if (!err) {
		err = copy(opts->ca_file, &tls->ca_file);
	}
	return tls_finish(tls, err, detail, ret_detail, ret_tls);
}

/* --- life ------------------------------------------------------------------------------------ */

struct qrt_tls *qrt_tls_ref(struct qrt_tls *tls)
{
	tls->refs++;
	return tls;
}

void qrt_tls_unref(struct qrt_tls **tls_ptr)
{
	struct qrt_tls *tls = *tls_ptr;
	*tls_ptr = NULL;
	if (tls && --tls->refs == 0) {
		edition_unref(&tls->now);
		pthread_mutex_destroy(&tls->lock);
		free(tls->cert_file);
		free(tls->key_file);
		free(tls->ca_file);
		free(tls->alpn);
		free(tls);
	}
}

enum qrt_err qrt_tls_reload(struct qrt_tls *tls, char *ret_detail)
{
	char detail[QRT_DETAIL] = "";
	struct edition *next;
	enum qrt_err err = edition_create(tls, detail, &next);
	if (err) {
		if (ret_detail) {
			snprintf(ret_detail, QRT_DETAIL, "%s",
				 *detail ? detail : qrt_err_text(err));
		}
		return err;
	}
	pthread_mutex_lock(&tls->lock);
	struct edition *before = tls->now;
	tls->now = next;
	pthread_mutex_unlock(&tls->lock);
	edition_unref(&before);
	return QRT_OK;
}

bool qrt__tls_is_server(const struct qrt_tls *tls)
{
	return tls->server;
}

bool qrt__tls_verifies(const struct qrt_tls *tls)
{
	return tls->verify;
}

int64_t qrt__tls_handshake_ns(const struct qrt_tls *tls)
{
	return tls->handshake_ns;
}

/* --- contexts -------------------------------------------------------------------------------- */

/* A context of one runtime of a lab, and the edition it was made of. */
struct kept {
	struct kept *next;
	struct edition *edition;
	struct qrt__tls_ctx *ctx;
};

struct qrt__tls_lab {
	struct qrt__tls_random *random;
	struct kept *kept;
};

static struct qrt__tls_lab *lab_of(struct qrt_runtime *rt)
{
	if (!rt->tls) {
		struct qrt__tls_lab *lab = calloc(1, sizeof(*lab));
		if (lab && !(lab->random = qrt__tls_random_create(rt))) {
			free(lab);
			lab = NULL;
		}
		rt->tls = lab;
	}
	return rt->tls;
}

static enum qrt_err lab_ctx(struct qrt_runtime *rt, struct edition *edition, char *ret_detail,
			    struct qrt__tls_ctx **ret_ctx)
{
	struct qrt__tls_lab *lab = lab_of(rt);
	if (!lab) {
		return QRT_ENOMEM;
	}
	struct kept *kept = lab->kept;
	while (kept && kept->edition != edition) {
		kept = kept->next;
	}
	if (!kept) {
		struct qrt__tls_ctx *ctx;
		enum qrt_err err = qrt__tls_ctx_create(
		    &edition->config, qrt__tls_random_library(lab->random), ret_detail, &ctx);
		kept = err ? NULL : calloc(1, sizeof(*kept));
		if (!kept) {
			if (!err) {
				qrt__tls_ctx_unref(&ctx);
			}
			return err ? err : QRT_ENOMEM;
		}
		edition->refs++;
		*kept = (struct kept){.next = lab->kept, .edition = edition, .ctx = ctx};
		lab->kept = kept;
	}
	*ret_ctx = qrt__tls_ctx_ref(kept->ctx);
	return QRT_OK;
}

void qrt__tls_runtime_ended(struct qrt_runtime *rt)
{
	struct qrt__tls_lab *lab = rt->tls;
	rt->tls = NULL;
	if (!lab) {
		return;
	}
	while (lab->kept) {
		struct kept *kept = lab->kept;
		lab->kept = kept->next;
		qrt__tls_ctx_unref(&kept->ctx);
		edition_unref(&kept->edition);
		free(kept);
	}
	qrt__tls_random_destroy(&lab->random);
	free(lab);
}

enum qrt_err qrt__tls_ctx_for(struct qrt_runtime *rt, struct qrt_tls *tls, char *ret_detail,
			      struct qrt__tls_ctx **ret_ctx)
{
	pthread_mutex_lock(&tls->lock);
	struct edition *edition = tls->now;
	edition->refs++;
	pthread_mutex_unlock(&tls->lock);
	enum qrt_err err = QRT_OK;
	if (rt->driver->traced) {
		err = lab_ctx(rt, edition, ret_detail, ret_ctx);
	} else {
		*ret_ctx = qrt__tls_ctx_ref(edition->ctx);
	}
	edition_unref(&edition);
	return err;
}
