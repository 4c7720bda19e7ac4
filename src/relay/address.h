/* Addresses to listen on, as the configuration writes them. */
#ifndef SALLYPORT_RELAY_ADDRESS_H
#define SALLYPORT_RELAY_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "sallyport/base/err.h"

struct address {
    bool any; /* `*`: all addresses, IPv6 and IPv4 */
    uint16_t port;
    struct sockaddr_storage sockaddr; /* unless any */
    socklen_t size;
};

/* "192.0.2.1:2222", "[2001:db8::1]:2222", "*:2222", ":2222". SP_EINVAL with why. */
int address_parse(const char *text, struct address *out, struct why *why);
bool address_is_ipv6(const char *text);
/* The same address, or the same /64, of which whoever has one has all. */
bool address_is_neighbour(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

#endif
