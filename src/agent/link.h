/* The agent's end of the link: says who and how this machine is, and hears what the relay wants. */
#ifndef SALLYPORT_AGENT_LINK_H
#define SALLYPORT_AGENT_LINK_H

#include "sallyport/agent/services.h"
#include "sallyport/domain/status.h"
#include "sallyport/wire/ssh_conn.h"

struct agent_link;

/* Opens the subsystem on a connection that is logged in, and says hello. When the relay has no such subsystem, or ends
 * it, `lost` is called once, from the loop; the tunnels go on without it. `services` outlives the link. SP_ENOMEM,
 * SP_ECLOSED. */
int agent_link_new(struct loop *loop, struct ssh_conn *conn, const char *name, const struct services *services,
                   void (*lost)(void *ctx), void *ctx, struct agent_link **out);
/* NULL is allowed. */
void agent_link_free(struct agent_link *link);

/* Is the other end a Sallyport relay that has answered? */
bool agent_link_is_up(const struct agent_link *link);
/* The list of services is another one now. */
void agent_link_services(struct agent_link *link);
/* Wants an answer now. */
void agent_link_ping(struct agent_link *link);

#endif
