/* The options by which a stock ssh gets to a machine by the best route, for its command line and its configuration. */
#ifndef SALLYPORT_CLI_BOX_SSH_H
#define SALLYPORT_CLI_BOX_SSH_H

#include <stdbool.h>

#include "cli_local.h"

/* Appends `Key=Value` for each. `known`: we have the machine's host keys, and no others count; else ssh itself decides,
 * as it does for any new host. */
void box_options(const struct cli *cli, const char *box, bool known, struct words *options);

#endif
