/* Tickets: one-use, short-lived permissions that the relay signs (docs/PROTOCOL.md section 7). Here is what they say, as
 * bytes; wire/signing.h signs and checks them. */
#ifndef SALLYPORT_DOMAIN_TICKET_H
#define SALLYPORT_DOMAIN_TICKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/domain/name.h"

/* What is signed with a ticket's body, and with its text by the door that proves itself (signing.h: the purpose). */
#define TICKET_PURPOSE "sallyport ticket 1"
#define TICKET_PROOF_PURPOSE "sallyport proof 1"

enum {
    TICKET_LIFE_S = 30,
    TICKET_SLACK_S = 5, /* what the relay's clock, learned over the link in whole seconds, may lag behind */
    TICKET_ID_SIZE = 16,
    TICKET_MACHINE_SIZE = 32,
    TICKET_SIGNATURE_SIZE = 64,
    TICKET_BODY_MAX = 128, /* bytes without the signature */
    TICKET_TEXT_SIZE = 257 /* room for any ticket as text, with its end */
};

enum ticket_kind {
    TICKET_STREAM = 1, /* a user may open one stream to a service, at the machine's door or at the relay's */
    TICKET_PROVE = 2,  /* the relay asks a door to prove whose it is */
    TICKET_SERVE = 3,  /* a machine may fetch the stream of a user who waits at the relay's door */
    TICKET_PUNCH = 4,  /* a user and a machine may meet at the relay's door to learn each other's addresses */
};

struct ticket {
    enum ticket_kind kind;
    int64_t expires; /* UTC seconds, by the relay's clock */
    uint8_t id[TICKET_ID_SIZE];
    uint8_t machine[TICKET_MACHINE_SIZE]; /* SHA-256 of the machine's public key blob: its fingerprint */
    char user[SP_NAME_SIZE];              /* "" for TICKET_PROVE */
    char service[SP_NAME_SIZE];           /* "" for TICKET_PROVE and TICKET_PUNCH */
};

/* Writes the body, all but the signature; *n says how long it is. SP_EINVAL: a name is none, a machine or kind is
 * missing. */
int ticket_pack(const struct ticket *ticket, uint8_t to[static TICKET_BODY_MAX], size_t *n);
/* Reads a body, which came from outside. SP_EFORMAT for anything that ticket_pack does not write. */
int ticket_unpack(const uint8_t *body, size_t n, struct ticket *out);

/* BODY and SIGNATURE as one word of base64url. */
int ticket_to_text(const uint8_t *body, size_t n, const uint8_t signature[static TICKET_SIGNATURE_SIZE],
                   char to[static TICKET_TEXT_SIZE]);
/* Splits it again. SP_EFORMAT. */
int ticket_from_text(const char *text, uint8_t body[static TICKET_BODY_MAX], size_t *n,
                     uint8_t signature[static TICKET_SIGNATURE_SIZE]);

/* Could it be a ticket: base64url, short enough for TICKET_TEXT_SIZE? */
bool ticket_is_text(const char *text);

/* What tickets were used until they expire: so that each is used once. */
struct ticket_uses;
/* Remembers at most `most` at once; SP_ENOMEM. */
int ticket_uses_new(size_t most, struct ticket_uses **out);
void ticket_uses_free(struct ticket_uses *uses); /* NULL is allowed */
/* Uses one up at `now` (UTC seconds by the relay's clock): 0; SP_EEXIST: used before; SP_EEXPIRED: too late, or valid
 * for longer than TICKET_LIFE_S from now (and the slack), which the relay never signs; SP_EBUSY: too many at once. */
int ticket_use(struct ticket_uses *uses, const struct ticket *ticket, int64_t now);

#endif
