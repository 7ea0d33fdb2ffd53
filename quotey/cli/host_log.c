/* The log of `quotey start`: on stderr, as [logging] says. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "quotey/cli/host.h"

/* A dump of everything that lives must fit, too. */
#define QUEUE_BYTES ((size_t)4 << 20)
#define FLUSH_MAX (500 * QRT_MS)
#define LEVELS_SIZE (QY_CONFIG_VALUE_MAX + 16)

static enum qrt_log_format format_of(const char *name)
{
	return strcmp(name, "json") == 0     ? QRT_LOG_JSON
	       : strcmp(name, "pretty") == 0 ? QRT_LOG_PRETTY
					     : QRT_LOG_COMPACT;
}

int qy_host_log_open(struct qy_host *host)
{
	const char *levels = qy_config_str(host->cli->config, "logging.level");
	char all[LEVELS_SIZE], detail[256] = "";
	const struct qrt_log_options options = {
	    .format = format_of(qy_config_str(host->cli->config, "logging.format")),
	    .levels = all,
	    .fd = STDERR_FILENO,
	    .colours = isatty(STDERR_FILENO) == 1,
	    .queue_bytes = QUEUE_BYTES,
	};
	enum qrt_err err;

	/* Who asks for a dump wants to see it at whatever level the rest is. */
	snprintf(all, sizeof(all), "%s%s", levels,
		 strstr(levels, "dump=") == NULL ? ",dump=info" : "");
	err = qrt_log_open(&options, detail, &host->log);
	return err ? qy_cli_fail(host->cli, QY_CLI_RUNTIME, "%s", detail) : 0;
}

void qy_host_log_lines(const struct qy_host *host, const char *text)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");
		char line[QRT_LOG_VALUE_MAX];

		snprintf(line, sizeof(line), "%.*s", (int)(n < sizeof(line) ? n : sizeof(line)),
			 text);
		qrt_log_write(host->log, &(struct qrt_log_line){.level = QRT_LOG_INFO,
								.component = "dump",
								.message = line,
								.each = true});
		text += n + (text[n] == '\n');
	}
}

void qy_host_log_flush(struct qy_host *host)
{
	(void)qrt_log_flush(host->log, FLUSH_MAX);
}
