/* A TCP connection to a host by name: the lookup on a thread, the addresses one shortly after the other (RFC 8305). */
#ifndef SALLYPORT_AGENT_DIAL_H
#define SALLYPORT_AGENT_DIAL_H

#include <stdint.h>

#include "sallyport/base/loop.h"
#include "sallyport/base/work.h"

struct dial;

/* `done` comes once, from the loop: rc 0 with a connected non-blocking socket (the listener's) and its peer's numeric
 * address, or SP_ENOENT (no such name), SP_ECLOSED, SP_ETIMEOUT (10 s) with a reason for people. The dial is freed
 * after it. SP_ENOMEM, SP_EBUSY: `done` does not come. */
int dial_new(struct loop *loop, struct work *work, const char *host, uint16_t port,
             void (*done)(void *ctx, int rc, int fd, const char *address, const char *reason), void *ctx,
             struct dial **out);
/* Gives up: `done` does not come. */
void dial_cancel(struct dial *dial);

#endif
