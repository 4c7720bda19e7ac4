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

#endif
