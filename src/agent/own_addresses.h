/* The machine's own addresses, and which of them its neighbours can reach it at. */
#ifndef SALLYPORT_AGENT_OWN_ADDRESSES_H
#define SALLYPORT_AGENT_OWN_ADDRESSES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "sallyport/base/err.h"

enum { OWN_ADDRESSES_MAX = 32 };

struct own_address {
    char text[INET6_ADDRSTRLEN]; /* in figures, without scope */
    bool lan;                    /* of a network that others are on: no container's, no VPN's */
};

struct own_addresses {
    size_t count;
    struct own_address list[OWN_ADDRESSES_MAX]; /* IPv4 first */
};

/* Those of interfaces that are up, without loopback and link-local ones. SP_ESYS. */
int own_addresses_read(struct own_addresses *out);
bool own_addresses_have(const struct own_addresses *own, const char *text);

/* Is an interface of that name a container's, a virtual machine's or a tunnel's? Pure. */
bool own_address_is_inner(const char *interface);

#endif
