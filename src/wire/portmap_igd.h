/* A UPnP router as its description shows it: what it is asked for, and where. */
#ifndef SALLYPORT_WIRE_PORTMAP_IGD_H
#define SALLYPORT_WIRE_PORTMAP_IGD_H

#include "portmap_local.h"

struct portmap_igd {
    char control[PORTMAP_URL_SIZE], service[128];           /* of the IPv4 connection; "": none */
    char firewall_control[PORTMAP_URL_SIZE], firewall[128]; /* of the IPv6 firewall; "": none */
    char own[INET6_ADDRSTRLEN];                             /* our address, as the router sees it */
    char external[INET6_ADDRSTRLEN];                        /* "": it does not say, or has none */
};

/* An entry of its table of mappings. */
struct portmap_entry {
    char client[INET6_ADDRSTRLEN]; /* "": something that is no address */
    uint16_t port;
    uint32_t lease_s;
};

/* Reads the description, and asks for the external address. Everything that is asked later goes to the same host.
 * SP_ECLOSED: it does not answer; SP_EFORMAT: this describes no router; SP_EDENIED: it sends us elsewhere. */
int portmap_igd_open(const struct portmap_url *description, struct portmap_igd *igd);

/* What the router answered: 0, or UPnP's number of the error, or a negative one of the library. */
int portmap_igd_entry(const struct portmap_igd *igd, uint16_t external_port, struct portmap_entry *out);
int portmap_igd_add(const struct portmap_igd *igd, uint16_t external_port, uint16_t internal_port, uint32_t lease_s);
/* IGD v2: any port, *granted. */
bool portmap_igd_can_add_any(const struct portmap_igd *igd);
int portmap_igd_add_any(const struct portmap_igd *igd, uint16_t external_port, uint16_t internal_port, uint32_t lease_s,
                        uint16_t *granted);
int portmap_igd_delete(const struct portmap_igd *igd, uint16_t external_port);
/* Pinholes: a new one when *id is 0 or not known there any more. */
int portmap_igd_pinhole(const struct portmap_igd *igd, const char *address, uint16_t port, uint32_t lease_s,
                        uint16_t *id);
int portmap_igd_pinhole_delete(const struct portmap_igd *igd, uint16_t id);

#endif
