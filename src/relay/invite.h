/* Invites: made and shown in the same way for the verb and for the API. */
#ifndef SALLYPORT_RELAY_INVITE_H
#define SALLYPORT_RELAY_INVITE_H

#include "sallyport/base/buf.h"
#include "sallyport/domain/join_url.h"
#include "sallyport/store/invites.h"

struct json_t;

struct invite_order {
    struct store *store;
    enum invite_kind kind;
    const char *name;
    bool admin; /* a user is to be one */
    const char *by;
    int64_t now;
    uint64_t duration_s; /* 0: 24 hours */
};

struct invite_made {
    struct invite invite;
    char token[SECRET_TOKEN_LEN + 1]; /* a secret: to be wiped */
    bool there;                       /* the user or machine is there already */
};

/* Checks the order and writes the invite down. SP_ETOOBIG: the duration; SP_EINVAL: the name, or an admin who is there
 * already; SP_EEXIST: the name belongs to one of the other kind; each with why. SP_ESYS, SP_ECRYPTO. */
int invite_make(const struct invite_order *order, struct invite_made *out, struct why *why);

/* Where the newcomer is to go; borrowed. */
struct invite_place {
    const char *host; /* IPv6 without brackets */
    uint16_t port;
    const char *fingerprint; /* of the relay's host key */
};
/* The join URL of what was made; a secret. 0, SP_EINVAL, SP_ETOOBIG. */
int invite_url(const struct invite_place *place, const struct invite_made *made, char to[static JOIN_URL_SIZE]);
/* Appends the line to paste, with a newline. 0, SP_ENOMEM, or as invite_url. */
int invite_line(const struct invite_place *place, const struct invite_made *made, struct buf *out);

/* {"id","kind","name","role","created_by","created","expires"}; the caller's. NULL: out of memory. */
struct json_t *invite_json(const struct invite *invite);
/* Of those that can still be used: an array. 0, SP_ENOMEM, SP_ESYS. */
int invite_list_json(struct store *store, int64_t now, struct json_t **out);

#endif
