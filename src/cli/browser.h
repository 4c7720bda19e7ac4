/* Shows an address in the browser of the person at this computer. */
#ifndef SALLYPORT_CLI_BROWSER_H
#define SALLYPORT_CLI_BROWSER_H

#include "sallyport/base/err.h"

/* Starts what $BROWSER names (a list divided by ':', "%s" for the address), else `open` (macOS) or `xdg-open`, and does
 * not wait for it. The address stands on a command line: it must hold nothing that others may not read. SP_ENOENT with
 * why: there is no display, or no such program. SP_ESYS. */
int browser_open(const char *url, struct why *why);

#endif
