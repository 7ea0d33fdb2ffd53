/* What the HTTP peers in C have in common; see http_work.h. */
#include "tests/bench/peers/http_work.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static sqlite3 *db;
static sqlite3_stmt *stmt;

void work_die(const char *what)
{
	perror(what);
	exit(1);
}

void work_open(const char *file)
{
	if (file == NULL) {
		return;
	}
	if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ||
	    sqlite3_prepare_v2(db, "SELECT name, price FROM item WHERE id = ?1", -1, &stmt, NULL)) {
		fprintf(stderr, "%s: %s\n", file, sqlite3_errmsg(db));
		exit(1);
	}
}

void work_close(void)
{
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static void answer_row(long long id, struct work_answer *answer)
{
	sqlite3_bind_int64(stmt, 1, id);
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		answer->status = 200;
		answer->type = "application/json";
		answer->len = (size_t)snprintf(answer->body, WORK_BODY_MAX,
					       "{\"id\":%lld,\"name\":\"%s\",\"price\":%lld}", id,
					       (const char *)sqlite3_column_text(stmt, 0),
					       (long long)sqlite3_column_int64(stmt, 1));
	}
	sqlite3_reset(stmt);
}

void work_answer(const char *path, size_t len, struct work_answer *ret_answer)
{
	static const char hello[] = "Hello, world!\n";

	*ret_answer = (struct work_answer){.status = 404, .type = "text/plain"};
	if (len == 1 && path[0] == '/') {
		ret_answer->status = 200;
		ret_answer->len = sizeof(hello) - 1;
		memcpy(ret_answer->body, hello, sizeof(hello) - 1);
	} else if (len > 5 && memcmp(path, "/row/", 5) == 0 && stmt != NULL) {
		answer_row(atoll(path + 5), ret_answer);
	}
}

int work_listen(uint16_t *ret_port)
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, len) != 0 || listen(fd, SOMAXCONN) != 0 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
		work_die("listen");
	}
	*ret_port = ntohs(addr.sin_port);
	return fd;
}
