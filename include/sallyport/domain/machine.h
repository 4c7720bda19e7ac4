/* A machine: a box that an agent, or a bare `ssh -R`, registers with the relay. */
#ifndef SALLYPORT_DOMAIN_MACHINE_H
#define SALLYPORT_DOMAIN_MACHINE_H

#include <stdint.h>

#include "sallyport/domain/name.h"

struct machine {
    int64_t id;
    char name[SP_NAME_SIZE];
    int64_t created;   /* UTC seconds */
    int64_t last_seen; /* UTC seconds; 0: never there */
};

/* "box1 is offline since 2026-11-23T09:00:00Z (2 h 5 min)"; `now` in UTC seconds. */
void machine_say_offline(const struct machine *machine, int64_t now, struct why *out);

#endif
