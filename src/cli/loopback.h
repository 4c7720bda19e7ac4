/* TCP within this computer: 127.0.0.1 and a port. */
#ifndef SALLYPORT_CLI_LOOPBACK_H
#define SALLYPORT_CLI_LOOPBACK_H

#include <stdint.h>

#include "sallyport/base/err.h"

/* Listens on that port, 0: a free one. *got is the port that it became, *fd the caller's. SP_ESYS with errno. */
int loopback_listen(uint16_t port, int *fd, uint16_t *got);
/* Connects; a receive then waits for at most so many seconds. SP_ESYS with errno. */
int loopback_dial(uint16_t port, unsigned seconds, int *fd);

#endif
