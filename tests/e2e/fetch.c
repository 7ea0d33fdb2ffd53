/*
 * For http_client.sh: asks servers that are not ours.
 *
 *	fetch BACKEND METHOD URL TIMES CA-FILE
 *
 * The body of the last answer goes to stdout, read piece by piece; what came of all to stderr:
 * "200 opened=1 reused=4", or the error. POST sends what is on stdin, in chunks. CA-FILE "-": the
 * system's roots.
 */
#include <qrt/http_client.h>
#include <qrt/runtime.h>
#include <qrt/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct errand {
	const char *method, *url;
	int times;
	struct qrt_tls *tls;
};

/* A file is read where nothing else has to go on meanwhile. */
static enum qrt_err from_stdin(struct qrt_cx *cx, void *arg, void *buf, size_t n, size_t *ret_n)
{
	(void)arg;
	*ret_n = fread(buf, 1, n, stdin);
	return *ret_n > 0 ? QRT_OK : qrt_fail(cx, QRT_EEOF, "the end of stdin");
}

static enum qrt_err fetch(struct qrt_cx *cx, struct qrt_http_client *client,
			  const struct errand *errand, bool print, int *ret_status)
{
	bool post = strcmp(errand->method, "POST") == 0;
	const struct qrt_http_ask ask = {.method = errand->method,
					 .url = errand->url,
					 .body_fn = post ? from_stdin : NULL,
					 .body_len = post ? QRT_HTTP_CHUNKED : 0};
	struct qrt_http_call *call = NULL;
	struct qrt_http_answer answer;
	char block[5000];
	size_t n;
	enum qrt_err err = qrt_http_call_begin(cx, client, &ask, &call);
	if (!err) {
		err = qrt_http_call_answer(cx, call, &answer);
	}
	if (!err) {
		*ret_status = answer.status;
	}
	while (!err && !(err = qrt_http_call_read(cx, call, block, sizeof(block), &n))) {
		if (print) {
			fwrite(block, 1, n, stdout);
		}
	}
	qrt_http_call_end(cx, &call);
	return err == QRT_EEOF ? QRT_OK : err;
}

static enum qrt_err run(struct qrt_cx *cx, void *arg)
{
	const struct errand *errand = arg;
	const struct qrt_http_client_options opts = {.tls = errand->tls};
	struct qrt_http_client *client;
	struct qrt_http_client_stats stats;
	int status = 0;
	enum qrt_err err = qrt_http_client_open(cx, &opts, &client);
	if (err) {
		return err;
	}
	for (int i = 0; i < errand->times && !err; i++) {
		err = fetch(cx, client, errand, i == errand->times - 1, &status);
	}
	if (err) {
		fprintf(stderr, "%s %s\n", qrt_err_name(err), qrt_detail(cx));
	} else if (!qrt_http_client_stats(cx, client, &stats)) {
		fprintf(stderr, "%d opened=%llu reused=%llu\n", status,
			(unsigned long long)stats.opened, (unsigned long long)stats.reused);
	}
	qrt_http_client_close(cx, &client);
	return err;
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: fetch BACKEND METHOD URL TIMES CA-FILE\n");
		return 2;
	}
	const struct qrt_tls_client_options roots = {.ca_file =
							 strcmp(argv[5], "-") ? argv[5] : NULL};
	const struct qrt_runtime_options opts = {.backend = argv[1]};
	struct errand errand = {.method = argv[2], .url = argv[3], .times = atoi(argv[4])};
	struct qrt_runtime *rt;
	char detail[QRT_DETAIL];
	if (qrt_tls_client_create(&roots, detail, &errand.tls)) {
		fprintf(stderr, "%s\n", detail);
		return 2;
	}
	if (qrt_runtime_open(&opts, detail, &rt)) {
		fprintf(stderr, "%s\n", detail);
		return 2;
	}
	enum qrt_err err = qrt_run_main(rt, run, &errand);
	qrt_runtime_close(&rt);
	qrt_tls_unref(&errand.tls);
	return err ? 1 : 0;
}
