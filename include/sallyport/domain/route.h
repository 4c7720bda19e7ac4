/* Routes: how a stream gets to a service. */
#ifndef SALLYPORT_DOMAIN_ROUTE_H
#define SALLYPORT_DOMAIN_ROUTE_H

enum route { ROUTE_NONE, ROUTE_LAN, ROUTE_DIRECT, ROUTE_PUNCHED, ROUTE_RELAYED };

/* "lan", "direct", "punched", "relayed"; NULL for ROUTE_NONE. */
const char *route_name(enum route route);

#endif
