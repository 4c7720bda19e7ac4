/* The machine's door: a port that answers only who has a ticket of the relay, or knows the knock (docs/PROTOCOL.md
 * section 7). */
#ifndef SALLYPORT_AGENT_DOOR_H
#define SALLYPORT_AGENT_DOOR_H

#include "gate.h"
#include "sallyport/wire/door.h"
#include "visits.h"

struct door;

struct door_config {
    struct loop *loop;
    struct gate *gate;     /* outlives the door, and so do the next */
    struct visits *visits; /* gets those who are let in */
    uint16_t port;         /* 0: any from 49152 on */
    bool fixed;            /* that port or none */
};

/* Listens on all addresses, with a key and a knock of its own. SP_EBUSY: the port is taken, with why; SP_ESYS, SP_ENOMEM,
 * SP_ECRYPTO. */
int door_new(const struct door_config *config, struct door **out, struct why *why);
void door_free(struct door *door); /* NULL is allowed */

uint16_t door_port(const struct door *door);
const uint8_t *door_key(const struct door *door); /* public, 32 bytes: what it proves itself with */
const char *door_knock(const struct door *door);  /* DOOR_KNOCK_TEXT characters */

/* Takes over a connection that was made by punching: the same as one that came, but it may wait for 10 minutes. `from` is
 * the peer's address in figures. */
void door_adopt(struct door *door, int fd, const char *from);

/* How many connections are waiting for a question or its answer. */
size_t door_waiting(const struct door *door);

#endif
