/* Bearer tokens for /api/v1 in the registry; of a token only the hash is kept. */
#ifndef SALLYPORT_STORE_TOKENS_H
#define SALLYPORT_STORE_TOKENS_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/user.h"
#include "sallyport/store/store.h"

/* What people see of a token begins so, that a leaked one can be recognized; the hash is of the 43 characters behind
 * it (secret_token). */
#define STORE_TOKEN_PREFIX "sallyport_"
/* A user has at most so many. */
#define STORE_TOKENS_MAX 32

struct api_token {
    int64_t id;
    int64_t user_id;
    char fingerprint[64]; /* "API:" and 16 hex digits of the hash: what `key list` shows and `key remove` takes */
    char label[64];
    int64_t created, last_used; /* UTC seconds; last_used 0: never */
};

/* 0; SP_ENOENT: no such user; SP_ETOOBIG: he has STORE_TOKENS_MAX already; SP_EINVAL: the label is too long for
 * api_token; SP_ESYS. `out` may be NULL. */
int store_token_add(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t user_id,
                    const char *label, int64_t now, struct api_token *out);
/* Whose is it? SP_ENOENT; SP_EDENIED: the user is disabled; SP_ESYS. */
int store_token_find(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], struct api_token *out,
                     struct user *user);
/* It was used at `now`. Every call writes to the disk: once in five minutes a token is enough. */
int store_token_touch(struct store *store, int64_t id, int64_t now);
/* The user's, or everybody's for user_id 0, oldest first. The list is the caller's (free). */
int store_token_list(struct store *store, int64_t user_id, struct api_token **out, size_t *count);
/* By its fingerprint. 0, SP_ENOENT, SP_ESYS. */
int store_token_get(struct store *store, const char *fingerprint, struct api_token *out);
/* 0, SP_ENOENT, SP_ESYS. */
int store_token_remove(struct store *store, int64_t id);

#endif
