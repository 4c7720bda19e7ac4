/* Notices that the machine slept, or that its network changed (rtnetlink(7); CLOCK_BOOTTIME goes on in sleep). */
#ifndef SALLYPORT_AGENT_NETWATCH_H
#define SALLYPORT_AGENT_NETWATCH_H

#include "sallyport/base/loop.h"

struct netwatch;

enum netwatch_cause { NETWATCH_NETWORK, NETWATCH_SLEPT };

/* `changed` comes from the loop, at most every 300 ms. 0, SP_ENOMEM, SP_ESYS. */
int netwatch_new(struct loop *loop, void (*changed)(void *ctx, enum netwatch_cause cause), void *ctx,
                 struct netwatch **out);
void netwatch_free(struct netwatch *watch);

#endif
