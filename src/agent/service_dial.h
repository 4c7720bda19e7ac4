/* A TCP connection to a service of this machine. */
#ifndef SALLYPORT_AGENT_SERVICE_DIAL_H
#define SALLYPORT_AGENT_SERVICE_DIAL_H

#include <stdint.h>

#include "sallyport/base/err.h"

/* A non-blocking socket that is connected or connecting to an address in figures; the caller's. SP_EINVAL: no such
 * address; SP_ESYS; SP_ECLOSED: nobody listens. */
int service_dial(const char *host, uint16_t port, int *out);

#endif
