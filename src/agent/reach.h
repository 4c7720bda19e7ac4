/* Reach: how this machine can be reached without the relay. Keeps a port of the router mapped, knows the addresses at
 * which somebody may try (candidates), and what the relay found there. */
#ifndef SALLYPORT_AGENT_REACH_H
#define SALLYPORT_AGENT_REACH_H

#include "own_addresses.h"
#include "sallyport/base/loop.h"
#include "sallyport/domain/link.h"
#include "sallyport/wire/portmap.h"

struct reach;

/* What it asks of the world; `reach_calls` are the real ones (portmap.h, own_addresses.h). */
struct reach_calls {
    int (*start)(struct loop *loop, const struct portmap_request *request, uint64_t deadline_ms,
                 void (*done)(void *ctx, const struct portmap_result *result), void *ctx, struct portmap **out);
    void (*cancel)(struct portmap *portmap);
    void (*find_gateways)(struct portmap_request *request);
    int (*own_addresses)(struct own_addresses *out);
};
extern const struct reach_calls reach_calls;

struct reach_config {
    struct loop *loop;
    const char *state; /* the folder; outlives the reach, and so do the next two */
    const char *boot_id;
    const struct reach_calls *calls;
    bool mapping; /* may routers be asked at all? */
    enum portmap_use use;
    uint16_t external_port; /* the port wanted on the router; 0: any */
    /* From the loop, at least 1 s apart: what reach_fill says is something else now. */
    void (*changed)(void *ctx);
    void *ctx;
};

/* Where the ways that it offers lead. */
struct reach_aim {
    uint16_t door_port; /* 0: there is no door */
    uint16_t
        world_port; /* what the router maps, and what is asked at public addresses: the door's or sshd's; 0: nothing */
    bool to_sshd;   /* world_port is sshd's */
    const char *trouble; /* why there is no world_port, for people; NULL or "": that is as it should be */
};

/* Aims at nothing yet, so nothing is asked of a router. SP_ENOMEM. */
int reach_new(const struct reach_config *config, struct reach **out);
void reach_free(struct reach *reach); /* NULL is allowed */

/* The port that the door had last; 0: none is known. */
uint16_t reach_door_port(const struct reach *reach);
void reach_aim(struct reach *reach, const struct reach_aim *aim);
/* The network may be another one. */
void reach_network(struct reach *reach);
/* Where the relay sees this machine; "": not known any more. */
void reach_observed(struct reach *reach, const char *address);
void reach_verified(struct reach *reach, const struct link_verify *verify);

/* Takes the mapping away from the router. Turns the loop, for at most 2 s: only after loop_run. */
void reach_leave(struct reach *reach);

/* Fills `count`, `list` and `trouble` of the message; the rest stays as it is. */
void reach_fill(const struct reach *reach, struct link_reach *out);

/* For the status: candidates with what the relay found, and the router. Valid until the loop turns. */
struct reach_view {
    const struct candidate *list;
    size_t count;
    const char *trouble;                  /* "" when there is none */
    const char *router;                   /* its name; may be "" */
    const struct portmap_memory *mapping; /* NULL: there is none */
    int64_t lease_until;                  /* UTC seconds; 0: no mapping, or one without an end */
};
void reach_look(const struct reach *reach, struct reach_view *out);

#endif
