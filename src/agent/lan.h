/* The local networks of this machine, and the packet that wakes a neighbour there. */
#ifndef SALLYPORT_AGENT_LAN_H
#define SALLYPORT_AGENT_LAN_H

#include <stdbool.h>
#include <stdint.h>

#include "sallyport/domain/link.h"

/* The IPv4 networks that neighbours are on, with our hardware address there: of interfaces that are up, no container's,
 * virtual machine's or tunnel's; at most LINK_NETWORKS_MAX. 0 or SP_ESYS. */
int lan_read(struct link_lan *out);
bool lan_equal(const struct link_lan *a, const struct link_lan *b);

/* When packets were sent; all zero: never. */
enum { LAN_WAKES_A_MINUTE = 10 };
struct lan_wakes {
    uint64_t sent_ms[LAN_WAKES_A_MINUTE];
    size_t next;
};

/* Sends the magic packet (6 bytes of FF, 16 times the hardware address) to UDP port 9 at the broadcast address of the
 * network, which must be one of `own`. `now_ms` is not 0, and of a clock that does not jump. SP_EDENIED: not our
 * network; SP_EBUSY: too many in a minute; SP_ESYS; each with why. */
int lan_wake(struct lan_wakes *wakes, uint64_t now_ms, const struct link_lan *own, const struct link_network *whom,
             struct why *why);

#endif
