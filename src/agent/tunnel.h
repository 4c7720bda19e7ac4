/* The tunnels of one connection: a reverse forward for each service, and the streams that come through them. */
#ifndef SALLYPORT_AGENT_TUNNEL_H
#define SALLYPORT_AGENT_TUNNEL_H

#include "sallyport/agent/services.h"
#include "sallyport/wire/ssh_client.h"

struct tunnel;

/* `plain`: an ordinary SSH server, which is asked for ports of its own instead of names. `*streams` counts the streams that
 * are open; it outlives them, which the tunnel need not do. SP_ENOMEM. */
int tunnel_new(struct loop *loop, struct ssh_conn *conn, const struct services *services, bool plain, size_t *streams,
               struct tunnel **out);
/* The connection is over. Streams end by themselves. NULL is allowed. */
void tunnel_free(struct tunnel *tunnel);

/* Asks for what is published now and gives back what is not any more. */
void tunnel_update(struct tunnel *tunnel);
/* From the events of the connection (ssh_client.h). */
void tunnel_listening(struct tunnel *tunnel, const char *bind, uint16_t port, uint16_t bound, int rc);
int tunnel_forwarded(struct tunnel *tunnel, struct ssh_chan *chan, const char *bind, uint16_t port);

#endif
