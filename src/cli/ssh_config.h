/* ~/.ssh/sallyport_config: what makes a plain `ssh BOX` go the best route. */
#ifndef SALLYPORT_CLI_SSH_CONFIG_H
#define SALLYPORT_CLI_SSH_CONFIG_H

#include "cli_local.h"

struct json_t;

/* Appends the configuration for every machine in the array (as `list --json` prints it) that has a service `ssh`, but
 * for names that `own`, the user's own configuration, has: those are his, whatever machines are called on the relay. */
int ssh_config_text(const struct cli *cli, const struct json_t *machines, const struct buf *own, struct buf *out);
/* Writes the file anew where ssh-config has written it, if it has, and if it has changed. */
int ssh_config_refresh(const struct cli *cli, const struct json_t *machines, struct why *why);

/* The user's ssh configuration with the line that includes ours on top, or without it: appended to `out`. False when it
 * is so already; then nothing is appended. Pure. */
bool ssh_config_with(const char *text, size_t len, const char *file, struct buf *out);
bool ssh_config_without(const char *text, size_t len, const char *file, struct buf *out);

/* Has it a line `Host ... NAME ...`, with just that word? Pure. */
bool ssh_config_names(const char *text, size_t len, const char *name);

/* Takes the line and the file away, if they are there. */
int ssh_config_remove(struct cli *cli, const char *dir, struct why *why);

#endif
