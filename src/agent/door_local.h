/* What the files of the door share: those who stand before it. */
#ifndef SALLYPORT_AGENT_DOOR_LOCAL_H
#define SALLYPORT_AGENT_DOOR_LOCAL_H

#include <netinet/in.h>

#include "door.h"
#include "sallyport/base/list.h"
#include "sallyport/wire/signing.h"

struct door {
    struct door_config config;
    struct loop_fd watch;
    struct loop_timer pause;
    uint16_t port;
    struct signing_key *key;
    char knock[DOOR_KNOCK_TEXT + 1];
    struct list guests; /* the oldest first */
    size_t guest_count;
};

/* A connection that was not let in yet. */
struct guest {
    struct list link;
    struct door *door;
    struct loop_fd watch;
    struct loop_timer late;
    bool punched;
    unsigned questions; /* that were answered */
    char from[INET6_ADDRSTRLEN];
    uint8_t group[16]; /* what counts as one address */
    size_t n;
    uint8_t line[DOOR_LINE_MAX];
};

/* Takes over the connection and waits for questions. */
void guest_new(struct door *door, int fd, const char *from, bool punched);
void guest_free(struct guest *guest);

#endif
