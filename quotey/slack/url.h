/* Where Slack may send us: the check of the URL that a connection is to be made to. Pure. */
#ifndef QY_SLACK_URL_H
#define QY_SLACK_URL_H

#include <stdbool.h>

#define QY_SLACK_URL_SIZE 2049

/*
 * Whether @url may be connected to: wss to a host that ends in .slack.com, or ws to this machine
 * itself (127.0.0.0/8, ::1, localhost). No user, no fragment, nothing but printable ASCII. False:
 * *ret_why says what is wrong, without the URL, which is a secret. Static.
 */
bool qy_slack_url_allowed(const char *url, const char **ret_why);

#endif
