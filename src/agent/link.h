/* The agent's end of the link: says who and how this machine is, and hears what the relay wants. */
#ifndef SALLYPORT_AGENT_LINK_H
#define SALLYPORT_AGENT_LINK_H

#include "sallyport/agent/services.h"
#include "sallyport/domain/link.h"
#include "sallyport/wire/ssh_conn.h"

struct agent_link;

struct agent_link_events {
    /* The relay has no such subsystem, or ends it; the tunnels go on without it. Once, from the loop. */
    void (*lost)(void *ctx);
    /* A message that is no business of the link itself: LINK_WELCOME, LINK_PONG, LINK_VERIFY, LINK_OPEN, LINK_PUNCH,
     * LINK_END, LINK_WAKE, LINK_PUBLISH. Must not free the link. */
    void (*heard)(void *ctx, const struct link_message *message);
};

/* Opens the subsystem on a connection that is logged in, and says hello. `services` and `events` outlive the link.
 * SP_ENOMEM, SP_ECLOSED. */
int agent_link_new(struct loop *loop, struct ssh_conn *conn, const char *name, const struct services *services,
                   const struct agent_link_events *events, void *ctx, struct agent_link **out);
/* NULL is allowed. */
void agent_link_free(struct agent_link *link);

/* The host key of the published SSH server, as it was asked for it, "ssh-ed25519 AAAA..."; "": not known. Of no account
 * while that is the system's, whose keys are read from its files. */
void agent_link_host_key(struct agent_link *link, const char *key);

/* Is the other end a Sallyport relay that has answered? */
bool agent_link_is_up(const struct agent_link *link);
/* The list of services is another one now. */
void agent_link_services(struct agent_link *link);
/* How this machine can be reached is something else now; only once the relay has said welcome. */
void agent_link_reach(struct agent_link *link, const struct link_reach *reach);
/* The machine's state; left out while the relay does not read. */
void agent_link_status(struct agent_link *link, const struct status *status);
/* The local networks are others now; only once the relay has said welcome. */
void agent_link_lan(struct agent_link *link, const struct link_lan *lan);
/* An order of the relay's was not followed. */
void agent_link_error(struct agent_link *link, const char *text);
/* Wants an answer now; returns the number that it will have, or 0 when the question could not be sent. */
int64_t agent_link_ping(struct agent_link *link);

#endif
