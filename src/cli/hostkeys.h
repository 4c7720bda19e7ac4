/* The machines' host keys as this client knows them: what was seen first counts until the person says otherwise. */
#ifndef SALLYPORT_CLI_HOSTKEYS_H
#define SALLYPORT_CLI_HOSTKEYS_H

#include <stddef.h>

#include "sallyport/domain/ask.h"

struct hostkeys {
    char lines[ASK_HOST_KEYS_MAX][ASK_HOST_KEY_SIZE]; /* "TYPE BASE64" */
    size_t count;
};

/* Appends a key as it comes from the relay, without its comment; false for what is none, or when it is full. */
bool hostkeys_add(struct hostkeys *keys, const char *line);

/* What is stored of that machine; SP_ENOENT when there is nothing. */
int hostkeys_find(const char *state, const char *box, struct hostkeys *out);
/* The relay says that these are the machine's keys. Nothing is stored yet: they are. One of them is stored: nothing is
 * added, for a key that only the relay vouches for must not come to stand beside one that was seen. None of them is:
 * SP_EDENIED with both fingerprints and the remedy. No keys: nothing happens. */
int hostkeys_learn(const char *state, const char *box, const struct hostkeys *said, struct why *why);
/* From now on these count. SP_ESYS, SP_ENOMEM. */
int hostkeys_replace(const char *state, const char *box, const struct hostkeys *keys);

#endif
