/* All of this machine's ways in beside the SSH tunnel: its door, its mapped port, streams fetched from the relay's door,
 * connections punched between two routers. */
#ifndef SALLYPORT_AGENT_DIRECT_H
#define SALLYPORT_AGENT_DIRECT_H

#include "link.h"
#include "sallyport/agent/agent.h"
#include "sallyport/base/buf.h"
#include "sallyport/base/work.h"
#include "sallyport/wire/pubkey.h"

struct direct;
struct json_t;

struct direct_config {
    struct loop *loop;
    struct work *work;
    const struct agent_config *agent; /* outlives it, and so do the services */
    const struct services *services;
    const char *relay_host; /* outlives it, too */
    uint16_t relay_port;
    const char *state;
    const struct pubkey *key; /* the machine's; needed by direct_new only */
};

/* Opens the door, and begins to ask the router. A door that cannot be had is tried again and again. SP_ENOMEM, SP_EFORMAT
 * (the key), SP_ESYS. */
int direct_new(const struct direct_config *config, struct direct **out);
/* Takes the mapping away from the router (at most 2 s), and ends all streams. Only after loop_run. NULL is allowed. */
void direct_free(struct direct *direct);

/* There is a link, on that connection's socket; NULL: there is none any more. */
void direct_set_link(struct direct *direct, struct agent_link *link, int fd);
/* From the link's events. */
void direct_hear(struct direct *direct, const struct link_message *message);
/* The network or the list of services may be another one. */
void direct_network(struct direct *direct);
void direct_services(struct direct *direct);

/* How many streams of users lead to services here by these ways. */
size_t direct_visits(const struct direct *direct);

/* direct_status.c: for `sallyport-agent status`. Lines for people, and a new JSON object (NULL: out of memory). */
void direct_to_text(const struct direct *direct, struct buf *out);
struct json_t *direct_to_json(const struct direct *direct);

#endif
