/* One-time logins and browser sessions in the registry; of tokens only the hash is kept. */
#ifndef SALLYPORT_STORE_LOGINS_H
#define SALLYPORT_STORE_LOGINS_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/user.h"
#include "sallyport/store/store.h"

/* 0, SP_ENOENT: no such user; SP_ESYS. */
int store_login_add(struct store *store, const uint8_t code_hash[static STORE_HASH_SIZE], int64_t user_id, int64_t now,
                    int64_t expires);
/* Uses up the code. SP_ENOENT: no such code; SP_EEXPIRED: used or over; SP_EDENIED: the user is disabled; SP_ESYS. why
 * says what to do. */
int store_login_redeem(struct store *store, const uint8_t code_hash[static STORE_HASH_SIZE], int64_t now,
                       struct user *out, struct why *why);

/* A user has at most so many sessions; a further one ends the one that was not used for longest. */
#define STORE_SESSIONS_MAX 20

struct session {
    int64_t id;
    struct user user;
    int64_t created, last_used, expires; /* UTC seconds */
};

/* `address` and `agent` say where from, for people: cut off at 63 and 255 bytes. 0; SP_ENOENT: no such user;
 * SP_ESYS. */
int store_session_add(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t user_id,
                      int64_t now, int64_t expires, const char *address, const char *agent, int64_t *id);
/* SP_ENOENT: no such session; SP_EEXPIRED: it is over, or was not used for `idle` seconds; SP_EDENIED: the user is
 * disabled. */
int store_session_find(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t now, int64_t idle,
                       struct session *out);
/* It was used at `now`. Every call writes to the disk: once a minute a session is enough. */
int store_session_touch(struct store *store, int64_t id, int64_t now);
/* 0, SP_ENOENT, SP_ESYS. */
int store_session_remove(struct store *store, int64_t id);

#endif
