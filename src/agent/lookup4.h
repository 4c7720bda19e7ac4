/* The IPv4 address of a host by name, looked up on a thread. */
#ifndef SALLYPORT_AGENT_LOOKUP4_H
#define SALLYPORT_AGENT_LOOKUP4_H

#include <netinet/in.h>

#include "sallyport/base/work.h"

struct lookup4;

/* `found` comes from the loop if there is one; not otherwise. SP_ENOMEM, SP_EBUSY, SP_ETOOBIG. */
int lookup4_new(struct work *work, const char *host, uint16_t port,
                void (*found)(void *ctx, const struct sockaddr_in *address), void *ctx, struct lookup4 **out);
/* `found` does not come any more. To be called in any case, once; NULL is allowed. */
void lookup4_free(struct lookup4 *lookup);

#endif
