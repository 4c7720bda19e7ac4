/* What the files of reach share. */
#ifndef SALLYPORT_AGENT_REACH_LOCAL_H
#define SALLYPORT_AGENT_REACH_LOCAL_H

#include "reach.h"
#include "reach_memory.h"

enum { REACH_ROUTER_SIZE = 64, REACH_TROUBLE_SIZE = CANDIDATE_TEXT_SIZE };

struct reach {
    struct reach_config config;
    struct reach_memory memory, saved;

    uint16_t door_port, world_port;
    bool to_sshd;
    char aim_trouble[REACH_TROUBLE_SIZE];

    /* The network: gateways and our own address for IPv6 in `net`, whose other members are not used. */
    struct portmap_request net;
    struct own_addresses own;
    char observed[INET6_ADDRSTRLEN];

    /* The mapping. */
    struct loop_timer step;
    struct portmap *running;
    enum portmap_op op; /* what is running */
    bool mapped;
    uint16_t mapped_port; /* ours, that it leads to */
    bool left_over;       /* the mapping in memory is of an earlier start, which did not take it away */
    bool no_router;       /* nobody answers there */
    bool suspect;         /* the network may be another one: one failure is enough */
    bool again;           /* once more when the one that runs is over */
    bool had_one;         /* this network's router has given a mapping */
    bool leaving;
    unsigned failures;
    uint64_t renew_at; /* os_boottime_ms */
    int64_t lease_until;
    char router[REACH_ROUTER_SIZE];
    char map_trouble[REACH_TROUBLE_SIZE];

    /* What is told. */
    struct candidate list[CANDIDATES_MAX];
    size_t count;
    char trouble[REACH_TROUBLE_SIZE];
    struct loop_timer tell;
    bool told;
    uint64_t told_at;
};

/* reach_candidates.c: makes the list and the trouble anew; true when they are others than before. What the relay found at
 * those that stay is kept. */
bool reach_build(struct reach *reach);
const char *reach_protocol_name(enum portmap_protocol protocol); /* "upnp", "nat-pmp", "pcp", "" */

#endif
