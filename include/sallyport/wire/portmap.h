/* Port mappings on the router: UPnP IGD v1 and v2 (libminiupnpc), NAT-PMP (RFC 6886), PCP (RFC 6887), IPv6 pinholes. What
 * a router answers is hostile input: all of it is read in a child process without files, rights or time to spare. */
#ifndef SALLYPORT_WIRE_PORTMAP_H
#define SALLYPORT_WIRE_PORTMAP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/base/loop.h"

enum portmap_use { PORTMAP_AUTO, PORTMAP_UPNP, PORTMAP_PCP /* and NAT-PMP */ };
enum portmap_protocol { PORTMAP_NONE, PORTMAP_BY_UPNP, PORTMAP_BY_NATPMP, PORTMAP_BY_PCP };
enum portmap_op {
    PORTMAP_MAP,   /* find the router (or go to the one remembered), map or renew */
    PORTMAP_CHECK, /* is our mapping still there, is the external address the same? Cheap */
    PORTMAP_UNMAP, /* take it away, if it is ours */
};

/* What is to be remembered of a router and a mapping, between calls and in the state folder: plain values, of a fixed
 * size. All zero: nothing is known. */
struct portmap_memory {
    enum portmap_protocol protocol;
    char gateway[INET6_ADDRSTRLEN];          /* the router that answered */
    char url[256];                           /* UPnP: its description */
    uint8_t nonce[12];                       /* PCP: of our mapping */
    uint16_t internal_port, external_port;   /* of our mapping; 0: there is none */
    char internal_address[INET6_ADDRSTRLEN]; /* ours, as it was mapped */
    char external_address[INET6_ADDRSTRLEN];
    uint32_t epoch;                 /* PCP, NAT-PMP: the router's clock when we last heard it ... */
    uint64_t epoch_at_ms;           /* ... and ours (os_boottime_ms) */
    bool permanent;                 /* the router gives no leases (UPnP 725): we must delete */
    char pinhole[INET6_ADDRSTRLEN]; /* the global IPv6 address that has a pinhole for internal_port; "": none */
    uint16_t pinhole_id;            /* UPnP */
};

struct portmap_request {
    enum portmap_op op;
    enum portmap_use use;
    uint16_t internal_port;
    uint16_t wanted_port; /* external; 0: any */
    uint32_t lease_s;
    bool ipv6;                            /* open a pinhole, too */
    char gateway4[INET_ADDRSTRLEN];       /* of the default route; "": none */
    char gateway6[INET6_ADDRSTRLEN + 20]; /* with %scope when link-local; "": none */
    char address6[INET6_ADDRSTRLEN];      /* the global address for the pinhole; "": none */
    struct portmap_memory memory;
};

enum portmap_outcome {
    PORTMAP_OK,        /* mapped, or still there; see `trouble` for what is doubtful about it. With external_port 0
                        * there is only the pinhole, and trouble is what was said to IPv4 */
    PORTMAP_LOST,      /* CHECK: the mapping is gone, or the router has started anew, or the address is another */
    PORTMAP_NO_ROUTER, /* nobody answered */
    PORTMAP_REFUSED,   /* it answered, and said no */
    PORTMAP_BROKEN,    /* what came makes no sense, took too long, or crashed the child */
};

struct portmap_result {
    enum portmap_outcome outcome;
    uint32_t lease_s;             /* granted; 0: permanent */
    char router[64];              /* what it calls itself, clean text; may be "" */
    char trouble[200];            /* for people: why not, or what is doubtful ("your router's own address 100.64.23.2 is
                             * private: carrier NAT ..."); may be "" */
    struct portmap_memory memory; /* to be used next time; whatever the outcome */
};

struct portmap;

/* Starts a child for one request; `done` is called once from the loop, within `deadline_ms`, unless it is cancelled.
 * SP_ESYS, SP_ENOMEM. The child is this program itself (/proc/self/exe portmap-worker): its main must call
 * portmap_worker_main first of all. */
int portmap_start(struct loop *loop, const struct portmap_request *request, uint64_t deadline_ms,
                  void (*done)(void *ctx, const struct portmap_result *result), void *ctx, struct portmap **out);
/* Ends the child; `done` is not called. NULL is allowed. */
void portmap_cancel(struct portmap *portmap);

/* In the child: does what the request on descriptor 0 says, and writes the result to descriptor 1. To be called at the
 * top of main; returns -1 at once when argv[1] is not "portmap-worker", else the exit status. */
int portmap_worker_main(int argc, char **argv);

/* The gateways of the default routes and the global IPv6 address that is used to go out, from the kernel (rtnetlink).
 * Fills gateway4, gateway6, address6 of the request; those that there are none of become "". */
void portmap_find_gateways(struct portmap_request *request);

#endif
