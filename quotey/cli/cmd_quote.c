/* quotey quote: lists, shows and prices quotes. Changes nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quotey/cli/database.h"
#include "quotey/cli/table.h"
#include "quotey/core/money.h"
#include "quotey/core/text.h"
#include "quotey/db/figures.h"
#include "quotey/server/quote_json.h"

#define OFFSET_MAX 1000000

/* --- printing ------------------------------------------------------------------------------ */

static int print_json(struct qy_cli *cli, enum qy_code code, char *text)
{
	if (code != QY_OK) {
		return qy_cli_fail(cli, QY_CLI_DATABASE, "JSON: %s", qy_code_text(code));
	}
	puts(text);
	free(text);
	return 0;
}

static int print_table(struct qy_cli *cli, struct qy_cli_table *table)
{
	bool whole = qy_cli_table_print(table, stdout);

	qy_cli_table_fini(table);
	return whole ? 0 : qy_cli_fail(cli, QY_CLI_RUNTIME, "out of memory");
}

/* "450.00", or "?" for what no money text can show. */
static void amount_text(int64_t minor, const char *currency, char ret_text[QY_MONEY_TEXT_SIZE])
{
	struct qy_money money;

	if (qy_money_make(minor, currency, &money) != QY_OK ||
	    qy_money_format(&money, ret_text) != QY_OK) {
		memcpy(ret_text, "?", sizeof("?"));
	}
}

static void add_amount(struct qy_cli_table *table, int64_t minor, const char *currency)
{
	char text[QY_MONEY_TEXT_SIZE];

	amount_text(minor, currency, text);
	qy_cli_table_text(table, text);
}

static void add_rate(struct qy_cli_table *table, int bps)
{
	char text[QY_BPS_TEXT_SIZE];

	if (bps == 0 || qy_bps_format(bps, text) != QY_OK) {
		qy_cli_table_text(table, NULL);
	} else {
		qy_cli_table_format(table, "%s%%", text);
	}
}

static void print_field(const char *name, const char *text)
{
	if (text != NULL && text[0] != '\0') {
		printf("%-16s %s\n", name, text);
	}
}

static void print_header(const struct qy_quote *quote)
{
	char text[64];

	print_field("quote", quote->id);
	print_field("status", qy_status_name(quote->status));
	print_field("flow", qy_flow_type_name(quote->flow_type));
	snprintf(text, sizeof(text), "%u (state %u)", quote->version, quote->state_version);
	print_field("version", text);
	print_field("account",
		    quote->account_name != NULL ? quote->account_name : quote->account_id);
	print_field("deal", quote->deal_id);
	print_field("currency", quote->currency);
	if (quote->term_months > 0) {
		snprintf(text, sizeof(text), "%d months", quote->term_months);
		print_field("term", text);
	}
	print_field("starts", quote->start_date);
	print_field("ends", quote->end_date);
	print_field("valid until", quote->valid_until);
	print_field("payment terms", quote->payment_terms);
	print_field("country", quote->billing_country);
	print_field("prior quote", quote->prior_quote_id);
	print_field("sales rep", quote->sales_rep_id);
	print_field("created by", quote->created_by);
	print_field("created", quote->created_at);
	print_field("updated", quote->updated_at);
}

static const char *const line_headings[] = {"#line",  "product",   "#quantity", "#unit price",
					    "source", "#discount", "#subtotal", "#total"};

static void add_line(struct qy_cli_table *table, const struct qy_priced_line *line,
		     const char *currency)
{
	qy_cli_table_format(table, "%u", line->position);
	qy_cli_table_text(table, line->product_id);
	qy_cli_table_format(table, "%" PRId64, line->quantity);
	add_amount(table, line->unit_price_minor, currency);
	qy_cli_table_text(table, qy_price_source_name(line->price_source));
	add_rate(table, line->discount_bps);
	add_amount(table, line->subtotal_minor, currency);
	add_amount(table, line->total_minor, currency);
}

static void print_amount(const char *name, int64_t minor, const char *currency)
{
	char text[QY_MONEY_TEXT_SIZE];

	amount_text(minor, currency, text);
	printf("%-16s %s %s\n", name, currency, text);
}

static int print_figures(struct qy_cli *cli, const struct qy_pricing *pricing)
{
	struct qy_cli_table table;
	int code;

	qy_cli_table_init(&table, line_headings, sizeof(line_headings) / sizeof(line_headings[0]));
	for (size_t i = 0; i < pricing->line_count; i++) {
		add_line(&table, &pricing->lines[i], pricing->currency);
	}
	putchar('\n');
	code = print_table(cli, &table);
	putchar('\n');
	print_amount("subtotal", pricing->subtotal_minor, pricing->currency);
	print_amount("discount", pricing->discount_minor, pricing->currency);
	print_amount("tax", pricing->tax_minor, pricing->currency);
	print_amount("total", pricing->total_minor, pricing->currency);
	return code;
}

static void print_missing(const struct qy_missing *missing)
{
	for (unsigned i = 0; i < missing->count; i++) {
		printf("%s%s", i == 0 ? "missing          " : ", ", missing->names[i]);
	}
	if (missing->count > 0) {
		putchar('\n');
	}
}

static void print_violations(const struct qy_violations *violations)
{
	for (size_t i = 0; i < violations->count; i++) {
		const struct qy_violation *violation = &violations->items[i];

		printf("violated         %s", qy_violation_name(violation->code));
		if (violation->position > 0) {
			printf(" on line %u", violation->position);
		}
		printf(": %s\n", violation->message);
	}
}

/* --- list ---------------------------------------------------------------------------------- */

static const char *const list_headings[] = {"quote",  "status",	  "account", "#lines",
					    "#total", "currency", "created"};

static int print_list(struct qy_cli *cli, const struct qy_quote_list *list)
{
	struct qy_cli_table table;
	int code;

	qy_cli_table_init(&table, list_headings, sizeof(list_headings) / sizeof(list_headings[0]));
	for (size_t i = 0; i < list->count; i++) {
		const struct qy_quote *quote = &list->items[i];
		struct qy_pricing figures;

		qy_cli_table_text(&table, quote->id);
		qy_cli_table_text(&table, qy_status_name(quote->status));
		qy_cli_table_text(&table, quote->account_name != NULL ? quote->account_name
								      : quote->account_id);
		qy_cli_table_format(&table, "%zu", quote->line_count);
		if (qy_figures(quote, &figures) == QY_OK) {
			add_amount(&table, figures.total_minor, quote->currency);
			qy_pricing_fini(&figures);
		} else {
			qy_cli_table_text(&table, "?");
		}
		qy_cli_table_text(&table, quote->currency);
		qy_cli_table_text(&table, quote->created_at);
	}
	code = print_table(cli, &table);
	printf("%zu of %" PRIu64 " quotes\n", list->count, list->total);
	return code;
}

static int list(struct qrt_cx *cx, struct qy_cli *cli, struct qy_store *store, void *arg)
{
	const struct qy_quote_filter *filter = arg;
	struct qy_quote_list quotes;
	enum qrt_err err = qy_store_quote_list(cx, store, filter, &quotes);
	int code;

	if (err) {
		return qy_cli_database_fail(cx, cli, QY_CLI_DATABASE, err);
	}
	if (cli->json) {
		char *text = NULL;
		enum qy_code json = qy_quote_list_json(&quotes, filter, &text);

		code = print_json(cli, json, text);
	} else {
		code = print_list(cli, &quotes);
	}
	qy_quote_list_fini(&quotes);
	return code;
}

int qy_cmd_quote_list(struct qy_cli *cli)
{
	const char *status = NULL, *account = NULL, *limit = NULL, *offset = NULL;
	const struct qy_cli_option options[] = {
	    {.name = "--status", .value = &status},
	    {.name = "--account", .value = &account},
	    {.name = "--limit", .value = &limit},
	    {.name = "--offset", .value = &offset},
	};
	struct qy_quote_filter filter = {.limit = 20};
	int code = qy_cli_args(cli, options, sizeof(options) / sizeof(options[0]), 0);

	if (code == 0 && status != NULL) {
		filter.has_status = true;
		if (qy_status_parse(status, &filter.status) != QY_OK) {
			code = qy_cli_fail(cli, QY_CLI_CONFIG, "--status: \"%s\" is no status",
					   status);
		}
	}
	if (code == 0 && account != NULL) {
		if (strlen(account) >= sizeof(filter.account_id)) {
			code = qy_cli_fail(cli, QY_CLI_CONFIG, "--account: longer than %d bytes",
					   QY_ID_TEXT_MAX);
		} else {
			memcpy(filter.account_id, account, strlen(account) + 1);
		}
	}
	if (code == 0 && limit != NULL) {
		code = qy_cli_number(cli, "--limit", limit, 1, QY_LIST_MAX, &filter.limit);
	}
	if (code == 0 && offset != NULL) {
		code = qy_cli_number(cli, "--offset", offset, 0, OFFSET_MAX, &filter.offset);
	}
	return code != 0 ? code : qy_cli_database_run(cli, QY_CLI_SCHEMA_NEWEST, list, &filter);
}

/* --- show and price ------------------------------------------------------------------------ */

/* The one word of both: an id, put into its stored form. */
static int take_id(struct qy_cli *cli, char ret_id[QY_QUOTE_ID_SIZE])
{
	int code = qy_cli_args(cli, NULL, 0, 1);

	if (code == 0 && cli->n_words == 0) {
		code = qy_cli_fail(cli, QY_CLI_CONFIG, "ID is missing; usage: quotey %s %s",
				   cli->command->name, cli->command->arguments);
	}
	if (code == 0 && qy_quote_id_normalize(cli->words[0], ret_id) != QY_OK) {
		code = qy_cli_fail(cli, QY_CLI_CONFIG,
				   "\"%s\" is no quote id: 3 to 64 of A-Z a-z 0-9 _ -, the first a"
				   " letter or digit",
				   cli->words[0]);
	}
	return code;
}

static int fault_fail(struct qy_cli *cli, const struct qy_fault *fault)
{
	return qy_cli_fail(cli, QY_CLI_CONFIG, "%s", fault->text);
}

static int show(struct qrt_cx *cx, struct qy_cli *cli, struct qy_store *store, void *arg)
{
	struct qy_quote quote;
	struct qy_fault fault;
	struct qy_pricing figures;
	enum qrt_err err = qy_store_quote_get(cx, store, arg, &quote, &fault);
	int code = 0;

	if (err) {
		return qy_cli_database_fail(cx, cli, QY_CLI_DATABASE, err);
	}
	if (fault.kind != QY_FAULT_NONE) {
		return fault_fail(cli, &fault);
	}
	if (cli->json) {
		char *text = NULL;
		enum qy_code json = qy_quote_json(&quote, &text);

		code = print_json(cli, json, text);
	} else {
		print_header(&quote);
		if (qy_figures(&quote, &figures) == QY_OK) {
			code = print_figures(cli, &figures);
			qy_pricing_fini(&figures);
		}
		print_field("notes", quote.notes);
	}
	qy_quote_fini(&quote);
	return code;
}

int qy_cmd_quote_show(struct qy_cli *cli)
{
	char id[QY_QUOTE_ID_SIZE];
	int code = take_id(cli, id);

	return code != 0 ? code : qy_cli_database_run(cli, QY_CLI_SCHEMA_NEWEST, show, id);
}

static int print_preview(struct qy_cli *cli, const struct qy_price_result *result)
{
	int code = 0;

	print_field("quote", result->quote.id);
	print_field("status", qy_status_name(result->quote.status));
	print_missing(&result->missing);
	print_violations(&result->violations);
	if (result->has_pricing) {
		code = print_figures(cli, &result->pricing);
	} else {
		puts("not priced");
	}
	return code;
}

static int price(struct qrt_cx *cx, struct qy_cli *cli, struct qy_store *store, void *arg)
{
	struct qy_price_result result;
	enum qrt_err err = qy_store_quote_preview(cx, store, arg, &result);
	int code;

	if (err) {
		return qy_cli_database_fail(cx, cli, QY_CLI_DATABASE, err);
	}
	if (result.fault.kind != QY_FAULT_NONE) {
		code = fault_fail(cli, &result.fault);
	} else if (cli->json) {
		char *text = NULL;
		enum qy_code json = qy_preview_json(&result, &text);

		code = print_json(cli, json, text);
	} else {
		code = print_preview(cli, &result);
	}
	qy_price_result_fini(&result);
	return code;
}

int qy_cmd_quote_price(struct qy_cli *cli)
{
	char id[QY_QUOTE_ID_SIZE];
	int code = take_id(cli, id);

	return code != 0 ? code : qy_cli_database_run(cli, QY_CLI_SCHEMA_NEWEST, price, id);
}
