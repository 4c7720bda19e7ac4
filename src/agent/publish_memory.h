/* What admins of the relay have published of the services that were found here, kept over restarts in the state folder. */
#ifndef SALLYPORT_AGENT_PUBLISH_MEMORY_H
#define SALLYPORT_AGENT_PUBLISH_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sallyport/domain/service.h"

struct publish_memory {
    size_t count;
    struct publish_entry {
        char name[SP_NAME_SIZE];
        uint16_t port;
        uid_t uid; /* of its socket: another user's server in its place was never published */
    } list[SERVICES_MAX];
};

/* Reads what is there. A file that makes no sense counts as empty: nothing is published by mistake. False then. */
bool publish_memory_load(const char *state, struct publish_memory *out);
/* 0, SP_ENOMEM, SP_ETOOBIG or SP_ESYS. */
int publish_memory_save(const char *state, const struct publish_memory *memory);
/* Forgets all: for a machine that leaves its relay. 0 or SP_ESYS. */
int publish_memory_remove(const char *state);

bool publish_memory_has(const struct publish_memory *memory, const char *name, uint16_t port);
/* Each name and each port once: another entry with either gives way. SP_ETOOBIG: full. */
int publish_memory_add(struct publish_memory *memory, const char *name, uint16_t port, uid_t uid);
/* SP_ENOENT: it is not there. */
int publish_memory_drop(struct publish_memory *memory, const char *name, uint16_t port);

#endif
