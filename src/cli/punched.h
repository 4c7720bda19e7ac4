/* Punched connections: made in the background for the next stream, kept by a process of their own, and handed to the
 * `connect` that comes first. */
#ifndef SALLYPORT_CLI_PUNCHED_H
#define SALLYPORT_CLI_PUNCHED_H

#include "cli_local.h"
#include "memory.h"

/* Takes the one that is kept for this entry's network, box and service: a door that has answered its knock. SP_ENOENT
 * when there is none. Takes no time. */
int punched_take(const char *state, const struct memory_entry *entry, int *fd);

/* In a process of its own: meets the machine by that ticket, knocks, and keeps the connection for some minutes, or until
 * it is taken. SP_ETIMEOUT, SP_ECLOSED: there is no way through the routers between. */
int punch_run(const struct cli *cli, const struct memory_entry *entry, const struct answer *answer);

#endif
