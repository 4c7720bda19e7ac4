/* What the two ways of listing listening sockets share. */
#ifndef SALLYPORT_PROBE_LISTENERS_LOCAL_H
#define SALLYPORT_PROBE_LISTENERS_LOCAL_H

#include "sallyport/probe/listeners.h"

/* Appends a copy, its class (and the family of a mapped address) worked out from the address. 0 or SP_ENOMEM. */
int listeners_add(struct listeners *listeners, const struct listener *listener);

/* Asks the kernel by netlink (sock_diag(7)) for the sockets of a family, 4 or 6, that listen, and appends them. 0,
 * SP_ENOMEM, or SP_ESYS where the kernel or a sandbox does not allow it; some may have been appended then. */
int listeners_diag(struct listeners *listeners, int family);

#endif
