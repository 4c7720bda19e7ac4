/* Fetches the streams of users who wait at the relay's door (docs/PROTOCOL.md section 7, "Spliced"). */
#ifndef SALLYPORT_AGENT_FETCH_H
#define SALLYPORT_AGENT_FETCH_H

#include <sys/socket.h>

#include "sallyport/domain/link.h"
#include "visits.h"

struct fetches;

/* `visits` outlives them. SP_ENOMEM. */
int fetches_new(struct loop *loop, struct visits *visits, struct fetches **out);
void fetches_free(struct fetches *fetches); /* NULL is allowed */

/* Does what `open` asks for: presents its ticket at the relay's door, whose address this is. At most 64 at once; what goes
 * wrong is logged. */
void fetch_start(struct fetches *fetches, const struct link_call *call, const struct sockaddr_storage *relay);
size_t fetches_count(const struct fetches *fetches); /* under way */

#endif
