/* The machines as the relay lists them, with what this client knows beside it. */
#ifndef SALLYPORT_CLI_LISTING_H
#define SALLYPORT_CLI_LISTING_H

#include "cli_local.h"

struct json_t;

/* The array that `list --json` prints, the caller's to json_decref. Host keys that are new here are kept. SP_EDENIED,
 * SP_ECLOSED, SP_EFORMAT with why. */
int listing_get(const struct cli *cli, struct json_t **out, struct why *why);
/* Has it a service named `ssh`, running or not? Of a machine that is offline that is not known, and assumed: its name
 * must not fall to whatever the local network calls so. */
bool listing_has_ssh(const struct json_t *machine);
/* The way that was used last on this network: "direct, 203.0.113.7 port 40022"; "" when none was. */
void listing_last_way(const struct cli *cli, const char *box, char *to, size_t size);
/* Adds "last_route" to the object, if one is known. */
int listing_add_last(const struct cli *cli, struct json_t *machine);

#endif
