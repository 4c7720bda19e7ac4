/* What an agent remembers of the relay it joined: a small JSON file in its state folder. */
#ifndef SALLYPORT_AGENT_JOINED_H
#define SALLYPORT_AGENT_JOINED_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/agent/agent.h"
#include "sallyport/domain/name.h"

struct joined {
    char name[SP_NAME_SIZE]; /* of this machine on the relay */
    char host[256];
    uint16_t port;
    char fingerprint[51]; /* of the relay's host key */
};

/* The state folder of that configuration, made if need be. */
int joined_state(const struct agent_config *config, char *to, size_t size, struct why *why);

/* SP_ENOENT: nothing was joined; SP_EFORMAT: the file is damaged; with why. */
int joined_load(const char *state, struct joined *out, struct why *why);
int joined_save(const char *state, const struct joined *joined, struct why *why);
/* Removes the file and the machine's key. SP_ENOENT, SP_ESYS. */
int joined_remove(const char *state);

/* Path of the machine's private key. */
int joined_key_path(const char *state, char *to, size_t size);

#endif
