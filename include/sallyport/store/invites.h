/* Invites in the registry: one-use tokens that let a newcomer register a key. */
#ifndef SALLYPORT_STORE_INVITES_H
#define SALLYPORT_STORE_INVITES_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/user.h"
#include "sallyport/store/keys.h"
#include "sallyport/store/store.h"

enum invite_kind { INVITE_USER, INVITE_MACHINE };

struct invite {
    int64_t id;
    enum invite_kind kind;
    char name[SP_NAME_SIZE];
    enum role role; /* of a new user */
    char created_by[SP_NAME_SIZE];
    int64_t created, expires; /* UTC seconds */
    int64_t used;             /* UTC seconds; 0: not yet */
};

/* Writes it down; id, created, expires, name, kind, role and created_by are taken from `invite` except id, which is
 * set. SP_EEXIST: the name belongs to one of the other kind; SP_ESYS. */
int store_invite_add(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], struct invite *invite,
                     struct why *why);
/* Those not used and not expired, oldest first; *out is the caller's to free. */
int store_invite_list(struct store *store, int64_t now, struct invite **out, size_t *count);
/* 0, SP_ENOENT (also for a used one), SP_ESYS. */
int store_invite_remove(struct store *store, int64_t id);

/* The invite that a token stands for, if it can still be used. SP_ENOENT: no such token; SP_EEXPIRED: used or over;
 * SP_ESYS. why tells the newcomer what to do. */
int store_invite_find(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t now,
                      struct invite *out, struct why *why);

struct invite_result {
    enum invite_kind kind;
    int64_t id; /* of the user or machine */
    char name[SP_NAME_SIZE];
    enum role role; /* of a user */
    bool replaced;  /* a machine that was there: its earlier keys count no more, so its connections must end */
};

/* Uses up the token and registers the key, in one transaction: both or neither. A new name is added; a user who is
 * there gets one more key; a machine that is there gets this key instead of its earlier ones. SP_ENOENT: no such
 * token; SP_EEXPIRED: used or over; SP_EEXIST: the key or the name is somebody else's; SP_EDENIED: the user is
 * disabled; SP_ESYS. why tells the newcomer what to do. */
int store_invite_redeem(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE],
                        const struct key_text *key, int64_t now, struct invite_result *out, struct why *why);

#endif
