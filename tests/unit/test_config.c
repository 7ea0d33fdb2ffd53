/*
 * Unit test of the configuration module, through its public header only. Sources are given in
 * memory, except where reading a file is the point. It must never look at the real environment.
 */
#include "tests/lib/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "quotey/cli/config.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* Stands wherever a test puts a value; no error text may hold it. */
#define MARK "Zq7secretZq7"
#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct input {
	const char *file;
	char *environ[8];
	const char *sets[4];
};

static int load(const struct input *input, struct qy_config **ret_config,
		struct qy_config_errors *ret_errors)
{
	struct qy_config_sources sources = {.path = "quotey.conf", .sets = input->sets};

	sources.environ = (char **)input->environ;
	sources.file_bytes = input->file != NULL ? input->file : "";
	sources.n_file_bytes = strlen(sources.file_bytes);
	while (sources.n_sets < ARRAY_LEN(input->sets) && input->sets[sources.n_sets] != NULL) {
		sources.n_sets++;
	}
	return qy_config_load(&sources, ret_config, ret_errors);
}

static struct qy_config *load_good(const struct input *input)
{
	struct qy_config *config = NULL;
	struct qy_config_errors errors;
	int result = load(input, &config, &errors);

	if (result != 0) {
		qy_config_errors_print(&errors, stderr);
	}
	assert_int_equal(result, 0);
	assert_int_equal(errors.n, 0);
	qy_config_errors_fini(&errors);
	return config;
}

static void load_bad(const struct input *input, struct qy_config_errors *ret_errors)
{
	struct qy_config *config = NULL;

	assert_int_equal(load(input, &config, ret_errors), -1);
	assert_null(config);
	assert_false(ret_errors->out_of_memory);
	assert_true(ret_errors->n > 0);
}

static void assert_value(const struct input *input, const char *key, const char *value,
			 const char *source)
{
	struct qy_config *config = load_good(input);

	assert_string_equal(qy_config_str(config, key), value);
	assert_string_equal(qy_config_source(config, key), source);
	qy_config_destroy(&config);
	assert_null(config);
}

static void assert_error(const struct qy_config_error *error, const char *key, const char *where,
			 const char *problem, const char *fix)
{
	assert_string_equal(error->key, key);
	assert_string_equal(error->where, where);
	assert_string_equal(error->problem, problem);
	if (strstr(error->fix, fix) == NULL) {
		fail_msg("the fix \"%s\" of %s does not hold \"%s\"", error->fix, key, fix);
	}
}

static void the_documented_defaults_hold(void **state)
{
	static const char *const table[][2] = {
	    {"database.url", "sqlite://quotey.db"},
	    {"database.max_connections", "5"},
	    {"database.timeout_secs", "30"},
	    {"database.synchronous", "full"},
	    {"database.check", "quick"},
	    {"slack.enabled", "false"},
	    {"slack.app_token", ""},
	    {"server.request_deadline_secs", "30"},
	    {"server.cancel_grace_ms", "500"},
	    {"server.graceful_shutdown_secs", "15"},
	    {"server.drain_secs", "10"},
	    {"server.drain_linger_ms", "1000"},
	    {"server.max_connections", "1024"},
	    {"server.body_limit", "2097152"},
	    {"server.header_limit", "65536"},
	    {"control.bind_address", "127.0.0.1"},
	    {"control.port", "8080"},
	    {"control.threads", "8"},
	    {"control.token", ""},
	    {"web.port", "3847"},
	    {"security.key_file", "quotey.key"},
	    {"security.key_id", "k1"},
	    {"branding.color", "#2563eb"},
	    {"llm.base_url", "http://localhost:11434"},
	    {"queue.actions_enabled", "true"},
	    {"logging.level", "info"},
	    {"logging.format", "compact"},
	    {"runtime.backend", "legacy"},
	    {"runtime.server", "legacy"},
	    {"runtime.fallback", "legacy"},
	    {"runtime.kill_file", ""},
	};
	struct qy_config *config = load_good(&(struct input){0});

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		assert_string_equal(qy_config_str(config, table[i][0]), table[i][1]);
	}
	assert_int_equal(qy_config_int(config, "server.body_limit"), 2097152);
	assert_true(qy_config_bool(config, "queue.actions_enabled"));
	assert_false(qy_config_bool(config, "crm.enabled"));
	assert_string_equal(qy_config_source(config, "web.port"), "default");
	assert_string_equal(qy_config_source(config, "runtime.db"), "runtime.backend");
	qy_config_destroy(&config);
}

static void a_later_source_wins_and_is_named(void **state)
{
	struct input input = {0};

	(void)state;
	assert_value(&input, "web.port", "3847", "default");
	input.file = "# comment\n\n[web]\nport = 1001\n";
	assert_value(&input, "web.port", "1001", "quotey.conf:4");
	input.environ[0] = "QUOTEY_WEB_PORT=1002";
	assert_value(&input, "web.port", "1002", "QUOTEY_WEB_PORT");
	input.sets[0] = "web.port=1003";
	assert_value(&input, "web.port", "1003", "--set");
	input.sets[1] = "web.port=1004";
	assert_value(&input, "web.port", "1004", "--set");
}

static void blank_and_reserved_variables_are_ignored(void **state)
{
	struct input input = {
	    .file = "[web]\nport = 1001\n",
	    .environ = {"QUOTEY_WEB_PORT=  \t", "QUOTEY_TEST_ANYTHING=1", "QUOTEYX=1", "WEB_PORT=1",
			"QUOTEY_DATABSE_URL="},
	};

	(void)state;
	assert_value(&input, "web.port", "1001", "quotey.conf:2");
}

static void every_key_can_be_set_by_its_variable(void **state)
{
	struct input input = {
	    .environ = {"QUOTEY_CONTROL_BIND_ADDRESS=::1", "QUOTEY_SERVER_DRAIN_LINGER_MS=0"}};
	struct qy_config *config = load_good(&input);

	(void)state;
	assert_string_equal(qy_config_source(config, "control.bind_address"),
			    "QUOTEY_CONTROL_BIND_ADDRESS");
	assert_int_equal(qy_config_int(config, "server.drain_linger_ms"), 0);
	qy_config_destroy(&config);
}

static void the_file_may_be_written_in_the_usual_ways(void **state)
{
	struct input input = {
	    .file = "\xef\xbb\xbf; comment with ${MISSING} and ${OPEN\r\n"
		    "[database]\r\n"
		    "   url:sqlite:///var/a b.db   ; ${MISSING} in here as well\r\n"
		    "[branding] # the look\n"
		    "name = Z\xc3\xbcrich # 1 = $5\n"
		    "[database]\n"
		    "\tsynchronous=normal\n"
		    "\t  timeout_secs = 31",
	};
	struct qy_config *config = load_good(&input);

	(void)state;
	assert_string_equal(qy_config_str(config, "database.url"), "sqlite:///var/a b.db");
	assert_string_equal(qy_config_source(config, "database.url"), "quotey.conf:3");
	assert_string_equal(qy_config_str(config, "branding.name"), "Z\xc3\xbcrich # 1 = $5");
	assert_string_equal(qy_config_source(config, "database.synchronous"), "quotey.conf:7");
	assert_int_equal(qy_config_int(config, "database.timeout_secs"), 31);
	qy_config_destroy(&config);
}

static void a_long_value_is_not_cut(void **state)
{
	char file[QY_CONFIG_VALUE_MAX + 64];
	struct input input = {.file = file};
	struct qy_config *config;
	int n = snprintf(file, sizeof(file), "[branding]\nterms_footer = ");

	(void)state;
	memset(file + n, 'x', QY_CONFIG_VALUE_MAX);
	file[n + QY_CONFIG_VALUE_MAX] = '\0';
	config = load_good(&input);
	assert_int_equal(strlen(qy_config_str(config, "branding.terms_footer")),
			 QY_CONFIG_VALUE_MAX);
	qy_config_destroy(&config);
}

static void variables_are_replaced_in_file_values_only(void **state)
{
	struct input input = {
	    .file = "[database]\nurl = sqlite://${DIR}/${NAME_2}.db\n"
		    "[branding]\nname = $DIR $ {DIR} $${NAME_2}\nsupport_email = ${NONE}\n"
		    "terms_footer = ${NESTED}\n",
	    .environ = {"DIR_X=/no", "DIR=/data", "NAME_2=q", "NESTED=${DIR}",
			"NONE=", "QUOTEY_SECURITY_KEY_ID=${DIR}"},
	    .sets = {"slack.notify_channel=${DIR}"},
	};
	struct qy_config *config = load_good(&input);

	(void)state;
	assert_string_equal(qy_config_str(config, "database.url"), "sqlite:///data/q.db");
	assert_string_equal(qy_config_str(config, "branding.name"), "$DIR $ {DIR} $q");
	assert_string_equal(qy_config_str(config, "branding.support_email"), "");
	assert_string_equal(qy_config_str(config, "branding.terms_footer"), "${DIR}");
	assert_string_equal(qy_config_str(config, "security.key_id"), "${DIR}");
	assert_string_equal(qy_config_str(config, "slack.notify_channel"), "${DIR}");
	qy_config_destroy(&config);
}

static void values_are_kept_in_one_normal_form(void **state)
{
	struct input input = {
	    .environ = {"QUOTEY_WEB_PORT= 0080 ", "QUOTEY_RUNTIME_DB=region:100",
			"QUOTEY_SERVER_TRUSTED_PROXIES= 10.0.0.1 , ::1"},
	    .sets = {"runtime.backend=region", "runtime.queue=legacy"},
	};
	struct qy_config *config = load_good(&input);

	(void)state;
	assert_string_equal(qy_config_str(config, "web.port"), "80");
	assert_int_equal(qy_config_int(config, "web.port"), 80);
	assert_string_equal(qy_config_str(config, "runtime.db"), "region");
	assert_string_equal(qy_config_str(config, "runtime.server"), "region");
	assert_string_equal(qy_config_source(config, "runtime.server"), "runtime.backend");
	assert_string_equal(qy_config_str(config, "runtime.queue"), "legacy");
	assert_string_equal(qy_config_str(config, "server.trusted_proxies"), "10.0.0.1,::1");
	qy_config_destroy(&config);
}

struct good_case {
	const char *first;
	const char *second;
};

static void acceptable_values_are_accepted(void **state)
{
	static const struct good_case table[] = {
	    {"database.url=:memory:", NULL},
	    {"database.url=sqlite::memory:", NULL},
	    {"database.max_connections=2", NULL},
	    {"database.max_connections=64", NULL},
	    {"web.port=65535", NULL},
	    {"web.port=0", "control.port=0"},
	    {"web.public_url=https://quotes.example.com/x?y=1", NULL},
	    {"web.public_url=http://[::1]:8080", NULL},
	    {"web.bind_address=0.0.0.0", NULL},
	    {"control.bind_address=0.0.0.0", "control.token=0123456789abcdef"},
	    {"control.bind_address=127.9.9.9", NULL},
	    {"control.bind_address=::ffff:127.0.0.1", NULL},
	    {"security.ledger_key=" HEX64, NULL},
	    {"crm.webhook_url=http://127.0.0.1:9/x", "crm.enabled=true"},
	    {"webhook.url=http://localhost/x", NULL},
	    {"llm.provider=openai", "llm.api_key=sk-x"},
	    {"pdf.engine=command", "pdf.command=/usr/bin/conv"},
	    {"control.token=", NULL},
	    {"runtime.server=legacy:100", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct input input = {.sets = {table[i].first, table[i].second}};
		struct qy_config *config = load_good(&input);

		qy_config_destroy(&config);
	}
}

struct bad_value {
	const char *set; /* section.key=value */
	const char *problem;
	const char *fix;
};

#define NO_NETWORKS "is not a list of numeric IP addresses or networks"

static const struct bad_value bad_values[] = {
    {"web.port=" MARK, "is not a whole number", "from 0 to 65535"},
    {"web.port=65536", "is out of range", "from 0 to 65535"},
    {"web.port=-1", "is not a whole number", "from 0 to 65535"},
    {"web.port=1e3", "is not a whole number", "from 0 to 65535"},
    {"web.port=99999999999999999999", "is out of range", "from 0 to 65535"},
    {"web.port=", "is empty", "use the default"},
    {"database.max_connections=1", "is out of range", "from 2 to 64"},
    {"database.max_connections=65", "is out of range", "from 2 to 64"},
    {"database.timeout_secs=0", "is out of range", "from 1 to 300"},
    {"server.graceful_shutdown_secs=0", "is out of range", "from 1 to 3600"},
    {"server.drain_linger_ms=60001", "is out of range", "from 0 to 60000"},
    {"server.drain_secs=301", "is out of range", "from 1 to 300"},
    {"control.threads=1", "is out of range", "from 2 to 64"},
    {"database.synchronous=" MARK, "is not one of the choices", "full, normal"},
    {"database.check=" MARK, "is not one of the choices", "quick, full, off"},
    {"database.url=mysql://" MARK, "is not a database URL", "sqlite://PATH"},
    {"database.url=sqlite://", "is not a database URL", "sqlite://PATH"},
    {"queue.actions_enabled=yes", "is neither true nor false", "use true or false"},
    {"web.bind_address=localhost", "is not a numeric IP address", "127.0.0.1"},
    {"web.public_url=ftp://" MARK, "does not begin with http:// or https://", "https://"},
    {"web.public_url=https://u:" MARK "@h/", "has a user name or password in it", "https://"},
    {"web.public_url=https:///x", "has no host", "https://"},
    {"web.public_url=https://h:0", "has a port that is not a number from 1 to 65535", ""},
    {"web.public_url=https://h:65536/", "has a port that is not a number from 1 to 65535", ""},
    {"web.public_url=https://[::1", "has no host", "https://"},
    {"web.public_url=https://a b", "has a character that must be percent-encoded in a URL", ""},
    {"crm.webhook_url=http://example.com/" MARK, "is plain http to another machine", "https"},
    {"webhook.url=http://127.0.0.1.example.com/", "is plain http to another machine", "https"},
    {"security.ledger_key=" MARK, "is not a key in hexadecimal", "exactly 64"},
    {"security.portal_key=" HEX64 "0", "is not a key in hexadecimal", "exactly 64"},
    {"control.token=" MARK, "has the wrong length", "16 to 4096 bytes"},
    {"control.token=" MARK " 0123456789", "has a space or a non-ASCII character", "issued"},
    {"branding.color=#12345g", "is not a colour", "#2563eb"},
    {"branding.name=a\x01" MARK, "has a control character in it", "remove"},
    {"branding.name=\xff\xfe" MARK, "is not valid UTF-8", "UTF-8"},
    {"branding.name=\xed\xa0\x80", "is not valid UTF-8", "UTF-8"},
    {"branding.name=\xe0\x80\xaf", "is not valid UTF-8", "UTF-8"},
    {"branding.name=\xc3", "is not valid UTF-8", "UTF-8"},
    {"server.trusted_proxies=10.0.0.1,," MARK, NO_NETWORKS, ","},
    {"server.trusted_proxies=10.0.0.1,", NO_NETWORKS, ","},
    {"server.trusted_proxies=10.0.0.1/8", NO_NETWORKS, "10.0.0.0/8"},
    {"web.tls_cert=cert.pem", "stands without the other of web.tls_cert and web.tls_key",
     "plain HTTP"},
    {"logging.level=" MARK, "is not a level, or a list such as info,db=debug", "trace, debug"},
    {"logging.level=info,dbb=debug", "is not a level, or a list such as info,db=debug",
     "access|control|db|"},
    {"logging.level=info,db=", "is not a level, or a list such as info,db=debug", "trace, debug"},
    {"runtime.backend=lab", "does not name a backend", "legacy, region"},
    {"runtime.db=" MARK, "does not name a backend", "legacy, region"},
    {"runtime.db=region:", "has a percentage that is not a number from 0 to 100", "alone"},
    {"runtime.db=region:101", "has a percentage that is not a number from 0 to 100", "alone"},
    {"runtime.db=region:99", "canary percentages are not available yet", "alone"},
    {"runtime.fallback=lab", "is not one of the choices", "legacy, region"},
    {"slack.app_token=" MARK, "does not begin like a Slack token of its kind", "xapp-"},
    {"slack.app_token=xoxb-" MARK, "holds the other Slack token", "swap"},
    {"slack.bot_token=xapp-" MARK, "holds the other Slack token", "swap"},
    {"slack.max_delay_ms=1", "is less than slack.base_delay_ms", "longest"},
    {"llm.api_key=" MARK "\t1", "has a space or a non-ASCII character", "issued"},
    {"web.port=8080", "is the same port as control.port", "0 for any free one"},
    {"control.bind_address=0.0.0.0", "opens the control listener to other machines without a token",
     "control.token"},
    {"control.bind_address=::", "opens the control listener to other machines without a token",
     "control.token"},
};

/* The variable that sets the key of "section.key=value", with the value. */
static void as_variable(const char *set, char *ret_entry, size_t size)
{
	int n = snprintf(ret_entry, size, "QUOTEY_%s", set);

	for (int i = 0; i < n && ret_entry[i] != '='; i++) {
		char c = ret_entry[i];

		ret_entry[i] = c == '.' ? '_' : c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
	}
}

static void an_unacceptable_value_names_key_place_and_fix_in_every_source(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_values); i++) {
		const struct bad_value *bad = &bad_values[i];
		char key[64];
		char line[256];
		char entry[256];
		char variable[256];
		struct input by_set = {.sets = {bad->set}};
		struct input by_file = {.file = line};
		struct input by_variable = {.environ = {entry}};
		struct qy_config_errors errors;
		size_t dot = strcspn(bad->set, ".");

		snprintf(key, sizeof(key), "%.*s", (int)strcspn(bad->set, "="), bad->set);
		load_bad(&by_set, &errors);
		assert_int_equal(errors.n, 1);
		assert_error(&errors.list[0], key, "--set", bad->problem, bad->fix);
		qy_config_errors_fini(&errors);

		snprintf(line, sizeof(line), "[%.*s]\n%s\n", (int)dot, bad->set,
			 bad->set + dot + 1);
		load_bad(&by_file, &errors);
		assert_int_equal(errors.n, 1);
		assert_error(&errors.list[0], key, "quotey.conf:2", bad->problem, bad->fix);
		qy_config_errors_fini(&errors);

		as_variable(bad->set, entry, sizeof(entry));
		if (strchr(entry, '=')[1] == '\0') {
			continue; /* Blank: ignored in the environment. */
		}
		snprintf(variable, sizeof(variable), "%.*s", (int)strcspn(entry, "="), entry);
		load_bad(&by_variable, &errors);
		assert_int_equal(errors.n, 1);
		assert_error(&errors.list[0], key, variable, bad->problem, bad->fix);
		qy_config_errors_fini(&errors);
	}
}

struct bad_file {
	const char *file;
	const char *key;
	const char *where;
	const char *problem;
	const char *fix;
};

static const struct bad_file bad_files[] = {
    {"[databse]\nurl = " MARK "\n", "databse.url", "quotey.conf:2", "is not a known key",
     "database.url"},
    {"[web]\nprot = 1\n", "web.prot", "quotey.conf:2", "is not a known key", "web.port"},
    {"[server]\nmax-connections = 1\n", "server.max-connections", "quotey.conf:2",
     "is not a known key", "server.max_connections"},
    {"[slack]\nxapp-1-" MARK " = app_token\n", "(unreadable name)", "quotey.conf:2",
     "is not a known key", "the nearest known key is "},
    {"[slack]\n" MARK " = app_token\n", "(unreadable name)", "quotey.conf:2", "is not a known key",
     "the nearest known key is "},
    {"\n[databse]\n\n[web]\nport=1", "databse", "quotey.conf:2", "is not a known section",
     "database"},
    {"[web]\nport=1\n[\x01\xff]\n", "(unreadable name)", "quotey.conf:3", "is not a known section",
     "the nearest known section is "},
    {"[web\nport = " MARK "\n", "section", "quotey.conf:1", "has no closing ]", "[section]"},
    {"[web] port = 1\n", "section", "quotey.conf:1", "has text behind its closing ]", "line"},
    {"[web]\nport\n", "line", "quotey.conf:2", "is neither [section], key = value nor a comment",
     "key = value"},
    {"[web]\n" MARK, "line", "quotey.conf:2", "is neither [section], key = value nor a comment",
     "key = value"},
    {"port = 1\n", "line", "quotey.conf:1", "stands before the first section", "[section]"},
    {"[web]\n= " MARK "\n", "line", "quotey.conf:2", "has no key before its value", "key = value"},
    {"[web]\nport=1\n[server]\n[web]\nport=2\n", "web.port", "quotey.conf:5", "is set twice",
     "in line 2"},
    {"[database]\nurl = sqlite://${MISSING}/" MARK "\n", "database.url", "quotey.conf:2",
     "uses ${MISSING}, which is not set", "set MISSING"},
    {"[database]\nurl = sqlite://${OPEN" MARK "\n", "database.url", "quotey.conf:2",
     "has a ${ without its closing brace", "${NAME}"},
    {"[database]\nurl = sqlite://${}\n", "database.url", "quotey.conf:2",
     "has a ${} whose name is not that of a variable", "${NAME}"},
    {"[database]\nurl = sqlite://${A B" MARK "}\n", "database.url", "quotey.conf:2",
     "has a ${} whose name is not that of a variable", "${NAME}"},
    {"[web]\nport = ${SECRET}\n", "web.port", "quotey.conf:2", "is not a whole number",
     "from 0 to 65535"},
};

static void a_malformed_file_names_the_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_files); i++) {
		const struct bad_file *bad = &bad_files[i];
		struct input input = {.file = bad->file, .environ = {"SECRET=" MARK}};
		struct qy_config_errors errors;

		load_bad(&input, &errors);
		assert_int_equal(errors.n, 1);
		assert_error(&errors.list[0], bad->key, bad->where, bad->problem, bad->fix);
		qy_config_errors_fini(&errors);
	}
}

static void no_error_text_holds_a_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_values) + ARRAY_LEN(bad_files); i++) {
		size_t n_values = ARRAY_LEN(bad_values);
		struct input input = {.environ = {"SECRET=" MARK}};
		struct qy_config_errors errors;
		char *text = NULL;
		size_t size = 0;
		FILE *stream = open_memstream(&text, &size);

		if (i < n_values) {
			input.sets[0] = bad_values[i].set;
		} else {
			input.file = bad_files[i - n_values].file;
		}
		load_bad(&input, &errors);
		qy_config_errors_print(&errors, stream);
		assert_int_equal(fclose(stream), 0);
		assert_null(strstr(text, MARK));
		assert_non_null(strchr(text, '\n'));
		free(text);
		qy_config_errors_fini(&errors);
	}
}

static void an_unknown_variable_names_the_nearest(void **state)
{
	struct input input = {
	    .environ = {"QUOTEY_DATABSE_URL=" MARK, "QUOTEY_=x", "QUOTEY_WEB_PORT2=1"}};
	struct qy_config_errors errors;

	(void)state;
	load_bad(&input, &errors);
	assert_int_equal(errors.n, 3);
	assert_error(&errors.list[0], "QUOTEY_DATABSE_URL", "QUOTEY_DATABSE_URL",
		     "is not a known variable", "QUOTEY_DATABASE_URL");
	assert_error(&errors.list[1], "QUOTEY_", "QUOTEY_", "is not a known variable", "QUOTEY_");
	assert_error(&errors.list[2], "QUOTEY_WEB_PORT2", "QUOTEY_WEB_PORT2",
		     "is not a known variable", "QUOTEY_WEB_PORT;");
	qy_config_errors_fini(&errors);
}

static void a_malformed_set_is_refused_without_quoting_it(void **state)
{
	static const char *const table[] = {MARK, "port=" MARK, "=" MARK, ""};
	struct qy_config_errors errors;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		load_bad(&(struct input){.sets = {table[i]}}, &errors);
		assert_int_equal(errors.n, 1);
		assert_error(&errors.list[0], "argument", "--set", "is not section.key=value",
			     "--set section.key=value");
		qy_config_errors_fini(&errors);
	}
	load_bad(&(struct input){.sets = {"databse.url=" MARK}}, &errors);
	assert_error(&errors.list[0], "databse.url", "--set", "is not a known key",
		     "the nearest known key is database.url;");
	qy_config_errors_fini(&errors);
}

static void all_errors_are_listed_at_once_in_order(void **state)
{
	struct input input = {
	    .file = "[web]\nport = x\njunk\n[databse]\nurl = y\n[queue]\nbatch = ${NO}\n",
	    .environ = {"QUOTEY_CONTROL_THREADS=1", "QUOTEY_LOGGIN_LEVEL=info"},
	    .sets = {"pdf.engine=z", "slack.enabled=true"},
	};
	static const char *const expected[][2] = {
	    {"web.port", "quotey.conf:2"},
	    {"line", "quotey.conf:3"},
	    {"databse.url", "quotey.conf:5"},
	    {"queue.batch", "quotey.conf:7"},
	    {"control.threads", "QUOTEY_CONTROL_THREADS"},
	    {"QUOTEY_LOGGIN_LEVEL", "QUOTEY_LOGGIN_LEVEL"},
	    {"pdf.engine", "--set"},
	    {"slack.app_token", "default"},
	    {"slack.bot_token", "default"},
	};
	struct qy_config_errors errors;

	(void)state;
	load_bad(&input, &errors);
	assert_int_equal(errors.n, ARRAY_LEN(expected));
	for (size_t i = 0; i < errors.n; i++) {
		assert_string_equal(errors.list[i].key, expected[i][0]);
		assert_string_equal(errors.list[i].where, expected[i][1]);
		assert_string_not_equal(errors.list[i].fix, "");
	}
	qy_config_errors_fini(&errors);
}

static void a_value_that_is_overridden_is_still_checked(void **state)
{
	struct input input = {.file = "[web]\nport = x\n", .sets = {"web.port=1"}};
	struct qy_config_errors errors;

	(void)state;
	load_bad(&input, &errors);
	assert_int_equal(errors.n, 1);
	assert_string_equal(errors.list[0].where, "quotey.conf:2");
	qy_config_errors_fini(&errors);
}

static void what_one_switch_requires_must_be_there(void **state)
{
	static const struct bad_value table[] = {
	    {"llm.provider=anthropic", "is required by the chosen llm.provider", "llm.api_key"},
	    {"crm.enabled=true", "is required when crm.enabled is true", "crm.webhook_url"},
	    {"pdf.engine=command", "is required by pdf.engine = command", "pdf.command"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct qy_config_errors errors;

		load_bad(&(struct input){.sets = {table[i].set}}, &errors);
		assert_int_equal(errors.n, 1);
		assert_error(&errors.list[0], table[i].fix, "default", table[i].problem,
			     "set the ");
		qy_config_errors_fini(&errors);
	}
}

static void a_refused_value_is_not_complained_about_twice(void **state)
{
	static const struct input table[] = {
	    {.sets = {"control.bind_address=0.0.0.0", "control.token=short"}},
	    {.sets = {"slack.enabled=true", "slack.app_token=a b", "slack.bot_token=xoxb-1"}},
	    {.sets = {"llm.provider=openai", "llm.api_key=a b"}},
	    {.sets = {"crm.enabled=true", "crm.webhook_url=x"}},
	    {.sets = {"web.port=8080", "control.port=x"}},
	};
	struct qy_config_errors errors;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		load_bad(&table[i], &errors);
		assert_int_equal(errors.n, 1);
		qy_config_errors_fini(&errors);
	}
}

static void only_so_many_errors_are_kept_and_the_rest_counted(void **state)
{
	char file[8 + 3 * (QY_CONFIG_ERRORS_MAX + 7) + 1] = "[web]\n";
	struct input input = {.file = file};
	struct qy_config_errors errors;

	(void)state;
	for (int i = 0; i < QY_CONFIG_ERRORS_MAX + 7; i++) {
		strcat(file, "x=\n");
	}
	load_bad(&input, &errors);
	assert_int_equal(errors.n, QY_CONFIG_ERRORS_MAX);
	assert_int_equal(errors.n_dropped, 7);
	qy_config_errors_fini(&errors);
}

static void load_bytes_bad(const void *bytes, size_t n, struct qy_config_errors *ret_errors)
{
	struct qy_config_sources sources = {
	    .path = "quotey.conf", .file_bytes = bytes, .n_file_bytes = n};
	struct qy_config *config = NULL;

	assert_int_equal(qy_config_load(&sources, &config, ret_errors), -1);
	assert_int_equal(ret_errors->n, 1);
}

static void sizes_are_limited_and_the_line_is_named(void **state)
{
	static char big[QY_CONFIG_FILE_MAX + 1];
	static const char nul[] = "[web]\nport = 1\0" MARK "\n";
	struct qy_config_errors errors;
	int n = snprintf(big, sizeof(big), "[branding]\n\nname = ");

	(void)state;
	memset(big + n, 'x', sizeof(big) - (size_t)n);
	load_bytes_bad(nul, sizeof(nul) - 1, &errors);
	assert_error(&errors.list[0], "line", "quotey.conf:2", "has a NUL byte in it", "remove");
	qy_config_errors_fini(&errors);

	load_bytes_bad(big, (size_t)n + QY_CONFIG_VALUE_MAX + 1, &errors);
	assert_error(&errors.list[0], "branding.name", "quotey.conf:3", "is too long", "4096");
	qy_config_errors_fini(&errors);

	load_bytes_bad(big, (size_t)n + QY_CONFIG_LINE_MAX, &errors);
	assert_error(&errors.list[0], "line", "quotey.conf:3", "is too long", "shorten");
	qy_config_errors_fini(&errors);

	load_bytes_bad(big, sizeof(big), &errors);
	assert_error(&errors.list[0], "configuration file", "quotey.conf", "is larger than 1 MiB",
		     "shorten");
	qy_config_errors_fini(&errors);
}

static void a_replaced_variable_cannot_exceed_the_limit(void **state)
{
	static char variable[QY_CONFIG_VALUE_MAX + 3] = "L=";
	struct input input = {.file = "[branding]\nterms_footer = ${L}\n"};
	struct qy_config_errors errors;
	struct qy_config *config;

	(void)state;
	memset(variable + 2, 'x', QY_CONFIG_VALUE_MAX);
	input.environ[0] = variable;
	config = load_good(&input);
	qy_config_destroy(&config);
	input.file = "[branding]\nterms_footer = ${L}.\n";
	load_bad(&input, &errors);
	assert_error(&errors.list[0], "branding.terms_footer", "quotey.conf:2", "is too long",
		     "4096");
	qy_config_errors_fini(&errors);
}

/* A longer one would be cut, and the wrong one sent. */
static void what_slack_is_asked_with_fits_a_request(void **state)
{
	static const char *const keys[] = {"slack.app_token", "slack.api_base_url"};
	char sets[2][1100] = {"slack.app_token=xapp-", "slack.api_base_url=https://h/"};
	struct input input = {.sets = {sets[0], sets[1]}};
	struct qy_config_errors errors;
	struct qy_config *config;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t used = strlen(sets[i]), name = strlen(keys[i]) + 1;

		memset(sets[i] + used, 'x', name + 1000 - used);
	}
	config = load_good(&input);
	assert_int_equal(strlen(qy_config_str(config, keys[0])), 1000);
	assert_int_equal(strlen(qy_config_str(config, keys[1])), 1000);
	qy_config_destroy(&config);
	strcat(sets[0], "x");
	strcat(sets[1], "x");
	load_bad(&input, &errors);
	assert_int_equal(errors.n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_error(&errors.list[i], keys[i], "--set", "has the wrong length", "1000");
	}
	qy_config_errors_fini(&errors);
}

static void junk_bytes_are_errors_and_nothing_worse(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 200; round++) {
		unsigned char junk[600];
		struct qy_config_sources sources = {.file_bytes = junk,
						    .n_file_bytes = sizeof(junk)};
		struct qy_config *config = NULL;
		struct qy_config_errors errors;

		for (size_t i = 0; i < sizeof(junk); i++) {
			seed = seed * 1103515245u + 12345u;
			junk[i] = (unsigned char)(seed >> 16);
		}
		assert_int_equal(qy_config_load(&sources, &config, &errors), -1);
		assert_true(errors.n > 0);
		for (size_t i = 0; i < errors.n; i++) {
			for (const char *p = errors.list[i].key; *p != '\0'; p++) {
				assert_in_range(*p, ' ', '~');
			}
		}
		qy_config_errors_fini(&errors);
	}
}

static void a_file_is_read_from_its_path(void **state)
{
	char path[] = "/tmp/test_config_XXXXXX";
	char source[64];
	struct qy_config_sources sources = {.path = path, .file_required = true};
	struct qy_config *config = NULL;
	struct qy_config_errors errors;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "[web]\nport = 7\n", 15), 15);
	assert_int_equal(close(fd), 0);
	assert_int_equal(qy_config_load(&sources, &config, &errors), 0);
	assert_int_equal(qy_config_int(config, "web.port"), 7);
	snprintf(source, sizeof(source), "%s:2", path);
	assert_string_equal(qy_config_source(config, "web.port"), source);
	qy_config_destroy(&config);
	assert_int_equal(unlink(path), 0);

	assert_int_equal(qy_config_load(&sources, &config, &errors), -1);
	assert_int_equal(errors.n, 1);
	assert_error(&errors.list[0], "configuration file", path, strerror(ENOENT), "readable");
	qy_config_errors_fini(&errors);

	sources.file_required = false;
	assert_int_equal(qy_config_load(&sources, &config, &errors), 0);
	qy_config_destroy(&config);

	sources.path = "/tmp";
	assert_int_equal(qy_config_load(&sources, &config, &errors), -1);
	assert_error(&errors.list[0], "configuration file", "/tmp", strerror(EISDIR), "readable");
	qy_config_errors_fini(&errors);
}

static void secrets_are_shown_by_their_first_five_characters(void **state)
{
	struct input input = {
	    .file = "[portal]\napproval_password = \xc3\xa4\xc3\xb6\xc3\xbc" MARK "\n",
	    .sets = {"control.token=abcdefghijklmnop", "webhook.secret=123456789", "web.port=99"},
	};
	struct qy_config *config = load_good(&input);

	(void)state;
	assert_string_equal(qy_config_shown(config, "control.token"), "abcde***");
	assert_string_equal(qy_config_shown(config, "webhook.secret"), "***");
	assert_string_equal(qy_config_shown(config, "portal.approval_password"),
			    "\xc3\xa4\xc3\xb6\xc3\xbcZq***");
	assert_string_equal(qy_config_shown(config, "llm.api_key"), "");
	assert_string_equal(qy_config_shown(config, "web.port"), "99");
	qy_config_destroy(&config);
}

static void every_secret_key_is_masked(void **state)
{
	static const char *const table[] = {
	    "slack.app_token=xapp-1" MARK, "slack.bot_token=xoxb-1" MARK,
	    "control.token=12345" MARK,	   "security.ledger_key=" HEX64,
	    "security.portal_key=" HEX64,  "security.old_keys=12345" MARK,
	    "llm.api_key=12345" MARK,	   "portal.approval_password=12345" MARK,
	    "webhook.secret=12345" MARK,   "crm.webhook_secret=12345" MARK,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct qy_config *config = load_good(&(struct input){.sets = {table[i]}});
		const char *value = strchr(table[i], '=') + 1;
		char expected[16];
		char key[64];

		snprintf(key, sizeof(key), "%.*s", (int)strcspn(table[i], "="), table[i]);
		snprintf(expected, sizeof(expected), "%.5s***", value);
		assert_string_equal(qy_config_shown(config, key), expected);
		assert_string_equal(qy_config_str(config, key), value);
		qy_config_destroy(&config);
	}
}

static void all_keys_can_be_listed_once(void **state)
{
	struct qy_config *config = load_good(&(struct input){0});

	(void)state;
	assert_true(qy_config_key_count() > 60);
	for (size_t i = 0; i < qy_config_key_count(); i++) {
		const char *key = qy_config_key_name(i);

		assert_non_null(qy_config_str(config, key));
		assert_non_null(qy_config_shown(config, key));
		assert_non_null(strchr(key, '.'));
		for (size_t j = 0; j < i; j++) {
			assert_string_not_equal(key, qy_config_key_name(j));
		}
	}
	qy_config_destroy(&config);
}

static void a_file_that_sets_every_key_to_its_default_loads(void **state)
{
	struct qy_config *defaults = load_good(&(struct input){0});
	char file[16384] = "";
	struct input input = {.file = file};
	struct qy_config *config;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < qy_config_key_count(); i++) {
		const char *key = qy_config_key_name(i);
		const char *dot = strchr(key, '.');

		n += (size_t)snprintf(file + n, sizeof(file) - n, "[%.*s]\n%s = %s\n",
				      (int)(dot - key), key, dot + 1, qy_config_str(defaults, key));
		assert_true(n < sizeof(file));
	}
	config = load_good(&input);
	for (size_t i = 0; i < qy_config_key_count(); i++) {
		const char *key = qy_config_key_name(i);
		char source[32];

		snprintf(source, sizeof(source), "quotey.conf:%zu", 2 * i + 2);
		assert_string_equal(qy_config_source(config, key), source);
		assert_string_equal(qy_config_str(config, key), qy_config_str(defaults, key));
	}
	qy_config_destroy(&config);
	qy_config_destroy(&defaults);
}

static void ask_unknown(const struct qy_config *config)
{
	(void)qy_config_str(config, "databse.url");
}

static void ask_wrong_type(const struct qy_config *config)
{
	(void)qy_config_int(config, "database.url");
}

static void asking_for_what_is_not_there_aborts(void **state)
{
	void (*const asks[])(const struct qy_config *) = {ask_unknown, ask_wrong_type};
	struct qy_config *config = load_good(&(struct input){0});

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(asks); i++) {
		int status = 0;
		pid_t pid = fork();

		if (pid == 0) {
			struct rlimit no_core = {0, 0};

			setrlimit(RLIMIT_CORE, &no_core);
			signal(SIGABRT, SIG_DFL);
			if (freopen("/dev/null", "w", stderr) != NULL) {
				asks[i](config);
			}
			_exit(0);
		}
		assert_true(pid > 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
	qy_config_destroy(&config);
}

static void ending_nothing_is_allowed(void **state)
{
	struct qy_config *config = NULL;
	struct qy_config_errors errors = {0};

	(void)state;
	qy_config_destroy(&config);
	qy_config_destroy(NULL);
	qy_config_errors_fini(&errors);
	qy_config_errors_fini(NULL);
	assert_null(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_documented_defaults_hold),
	    cmocka_unit_test(a_later_source_wins_and_is_named),
	    cmocka_unit_test(blank_and_reserved_variables_are_ignored),
	    cmocka_unit_test(every_key_can_be_set_by_its_variable),
	    cmocka_unit_test(the_file_may_be_written_in_the_usual_ways),
	    cmocka_unit_test(a_long_value_is_not_cut),
	    cmocka_unit_test(variables_are_replaced_in_file_values_only),
	    cmocka_unit_test(values_are_kept_in_one_normal_form),
	    cmocka_unit_test(acceptable_values_are_accepted),
	    cmocka_unit_test(an_unacceptable_value_names_key_place_and_fix_in_every_source),
	    cmocka_unit_test(a_malformed_file_names_the_line),
	    cmocka_unit_test(no_error_text_holds_a_value),
	    cmocka_unit_test(an_unknown_variable_names_the_nearest),
	    cmocka_unit_test(a_malformed_set_is_refused_without_quoting_it),
	    cmocka_unit_test(all_errors_are_listed_at_once_in_order),
	    cmocka_unit_test(a_value_that_is_overridden_is_still_checked),
	    cmocka_unit_test(what_one_switch_requires_must_be_there),
	    cmocka_unit_test(a_refused_value_is_not_complained_about_twice),
	    cmocka_unit_test(only_so_many_errors_are_kept_and_the_rest_counted),
	    cmocka_unit_test(sizes_are_limited_and_the_line_is_named),
	    cmocka_unit_test(a_replaced_variable_cannot_exceed_the_limit),
	    cmocka_unit_test(what_slack_is_asked_with_fits_a_request),
	    cmocka_unit_test(junk_bytes_are_errors_and_nothing_worse),
	    cmocka_unit_test(a_file_is_read_from_its_path),
	    cmocka_unit_test(secrets_are_shown_by_their_first_five_characters),
	    cmocka_unit_test(every_secret_key_is_masked),
	    cmocka_unit_test(all_keys_can_be_listed_once),
	    cmocka_unit_test(a_file_that_sets_every_key_to_its_default_loads),
	    cmocka_unit_test(asking_for_what_is_not_there_aborts),
	    cmocka_unit_test(ending_nothing_is_allowed),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
