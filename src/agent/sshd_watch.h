/* Keeps an eye on the SSH server that is published: its host key, and, if wanted, whether it offers passwords. */
#ifndef SALLYPORT_AGENT_SSHD_WATCH_H
#define SALLYPORT_AGENT_SSHD_WATCH_H

#include "sallyport/base/loop.h"
#include "sallyport/base/work.h"
#include "sallyport/wire/ssh_probe.h"

struct sshd_watch;

/* `seen` comes from the loop when a look is over: NULL: nothing is known, for it did not answer. SP_ENOMEM. */
int sshd_watch_new(struct loop *loop, struct work *work, void (*seen)(void *ctx, const struct ssh_probe *probe),
                   void *ctx, struct sshd_watch **out);
void sshd_watch_free(struct sshd_watch *watch); /* NULL is allowed */

/* It listens there now. Looks at once when any of this is new, and again after 10 s while it does not answer; with
 * `logins` every 2 minutes. Port 0: not to be looked at. */
void sshd_watch_set(struct sshd_watch *watch, const char *host, uint16_t port, bool logins);

#endif
