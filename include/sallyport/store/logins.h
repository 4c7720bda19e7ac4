/* One-time logins and browser sessions in the registry; of tokens only the hash is kept. */
#ifndef SALLYPORT_STORE_LOGINS_H
#define SALLYPORT_STORE_LOGINS_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/name.h"
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
/* Is the session with this id still good? As store_session_find; SP_ENOENT when it is gone. */
int store_session_get(struct store *store, int64_t id, int64_t now, int64_t idle, struct session *out);
/* 0, SP_ENOENT, SP_ESYS. What hangs on it (below) ends with it. */
int store_session_remove(struct store *store, int64_t id);
/* All of a user's sessions but the one with id `keep` (0: that one, too). */
int store_session_remove_others(struct store *store, int64_t user_id, int64_t keep);

/* For the list that a user sees of his own. */
struct session_row {
    int64_t id;
    int64_t created, last_used, expires;
    char address[64];
    char agent[256];
};
/* Those that are still good, the one used last first. The list is the caller's (free). SP_ENOMEM, SP_ESYS. */
int store_session_list(struct store *store, int64_t user_id, int64_t now, int64_t idle, struct session_row **out,
                       size_t *count);

/* The session that a browser has on the host name of one service. It hangs on a session as above and ends with it; one
 * a session, machine and service: a new one takes the place of the old one. SP_ENOENT: no such session or machine. */
int store_service_session_add(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t session_id,
                              int64_t machine_id, const char *service, int64_t now);

struct service_session {
    struct session session; /* the one that it hangs on */
    int64_t machine_id;
    char service[SP_NAME_SIZE];
};
/* As store_session_find, for the session behind it. */
int store_service_session_find(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t now,
                               int64_t idle, struct service_session *out);

#endif
