/* Logs a browser in to a Jupyter that a local port leads to: its token, read on the machine as its user, is shown to it
 * once by us, and the browser gets the cookie that comes back. */
#ifndef SALLYPORT_CLI_JUPYTER_LOGIN_H
#define SALLYPORT_CLI_JUPYTER_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli_local.h"

enum { JUPYTER_FOUND_MAX = 8, JUPYTER_COOKIES_MAX = 4 };

/* A running Jupyter, as it wrote itself down on the machine. */
struct jupyter_found {
    bool secure; /* speaks TLS */
    char base_url[128];
    char token[256]; /* secret; may be empty */
};

struct jupyter_list {
    struct jupyter_found items[JUPYTER_FOUND_MAX];
    size_t count;
};

/* Runs a few lines of shell on the machine, which print what the Jupyters of our user there wrote down, and takes those
 * of that port. 0, also when there is none; SP_EDENIED: no login by ssh, or none without a question. The caller wipes
 * *out. */
int jupyter_list_get(const struct cli *cli, const char *box, uint16_t port, struct jupyter_list *out, struct why *why);
/* Reads what was printed: JSON objects, each ended by a line "--". What makes no sense is left out. */
void jupyter_list_parse(const char *text, size_t len, uint16_t port, struct jupyter_list *out);

/* Shows the token to the server at 127.0.0.1:port, and appends its cookies to `fields`, as lines "Set-Cookie: ...\r\n"
 * (none when it asks nobody for a token). SP_EDENIED: it does not know this token; SP_ECLOSED, SP_ETIMEOUT, SP_EFORMAT,
 * SP_ENOMEM. */
int jupyter_login(const struct jupyter_found *found, uint16_t port, struct buf *fields);
/* Reads its answer: the head of it. */
int jupyter_login_answer(const uint8_t *answer, size_t n, struct buf *fields);

#endif
