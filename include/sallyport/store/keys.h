/* Public keys in the registry. A key has exactly one owner, a user or a machine. */
#ifndef SALLYPORT_STORE_KEYS_H
#define SALLYPORT_STORE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/user.h"
#include "sallyport/store/store.h"

/* A key to be stored; borrowed texts, already checked. */
struct key_text {
    const char *type;        /* "ssh-ed25519" */
    const char *base64;      /* the blob, as in a .pub file */
    const char *fingerprint; /* "SHA256:..." */
    const char *label;       /* the comment; NULL: none */
};

enum key_owner_kind { KEY_OWNER_NONE, KEY_OWNER_USER, KEY_OWNER_MACHINE };

struct key_owner {
    enum key_owner_kind kind;
    int64_t id;
    char name[SP_NAME_SIZE];
    enum role role; /* of a user */
    bool disabled;  /* of a user */
};

struct key {
    int64_t id;
    struct key_owner owner;
    char type[64];
    char base64[1024];
    char fingerprint[64];
    char label[128];
    int64_t created;   /* UTC seconds */
    int64_t last_used; /* UTC seconds; 0: never */
};

/* Whose key it is; kind KEY_OWNER_NONE (and 0) when nobody's. SP_ESYS. */
int store_key_find(struct store *store, const char *fingerprint, struct key_owner *out);
/* 0; SP_EEXIST with a why that does not say whose it is; SP_ETOOBIG; SP_ENOENT: no such owner; SP_ESYS. */
int store_key_add(struct store *store, enum key_owner_kind kind, int64_t owner_id, const struct key_text *key,
                  int64_t now, struct why *why);
/* Only if it belongs to that owner: else SP_ENOENT. */
int store_key_remove(struct store *store, enum key_owner_kind kind, int64_t owner_id, const char *fingerprint);
/* The keys of one owner, or with KEY_OWNER_NONE all, by owner and age; *out is the caller's to free. */
int store_key_list(struct store *store, enum key_owner_kind kind, int64_t owner_id, struct key **out, size_t *count);
/* It was used to log in at `now`. Unknown ones are ignored. Written at most once an hour a key. */
int store_key_used(struct store *store, const char *fingerprint, int64_t now);

#endif
