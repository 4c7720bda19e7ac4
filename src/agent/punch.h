/* Meets a client between two routers: both connect to each other at once (docs/PROTOCOL.md section 7, "Punched"). */
#ifndef SALLYPORT_AGENT_PUNCH_H
#define SALLYPORT_AGENT_PUNCH_H

#include <sys/socket.h>

#include "sallyport/base/loop.h"
#include "sallyport/domain/link.h"

struct punches;

/* `met` comes from the loop with a connection that was made; the socket and what to do with it are the owner's. `from` is
 * the peer's address in figures. SP_ENOMEM. */
int punches_new(struct loop *loop, void (*met)(void *ctx, int fd, const char *from), void *ctx, struct punches **out);
void punches_free(struct punches *punches); /* NULL is allowed */

/* Does what `punch` asks for: learns the other's address at the relay's door, and connects there for 2 s from the same
 * port. At most 16 at once. Whoever cannot be reached like that is no trouble: it is only logged for debugging. SP_EBUSY,
 * SP_ENOMEM; SP_ESYS, SP_ECLOSED: no way leads to the relay at that address. */
int punch_start(struct punches *punches, const struct link_call *call, const struct sockaddr_storage *relay);
size_t punches_count(const struct punches *punches); /* under way */

#endif
