/* The tickets that this relay signs, and those that come back to its own door. */
#ifndef SALLYPORT_RELAY_TICKETS_H
#define SALLYPORT_RELAY_TICKETS_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/domain/ticket.h"
#include "sallyport/wire/sealed.h"

struct tickets;

/* Reads `ticket_key` in the state folder, 32 secret bytes, or makes it. SP_EFORMAT, SP_ESYS, SP_ECRYPTO with why. */
int tickets_open(const char *state, struct tickets **out, struct why *why);
void tickets_free(struct tickets *tickets); /* wipes; NULL is allowed */
/* What agents check tickets with: 32 bytes, Ed25519. */
const uint8_t *tickets_public(const struct tickets *tickets);

/* Who is to bring a ticket: the last bit of its id says it, since those of both sides to a meeting are of one kind. */
enum ticket_side { TICKET_OF_USER, TICKET_OF_MACHINE };
enum ticket_side ticket_side(const struct ticket *ticket);

/* Fills in id and expiry, and signs. SP_ESYS, SP_EINVAL, SP_ECRYPTO. */
int tickets_issue(const struct tickets *tickets, enum ticket_side side, struct ticket *ticket, int64_t now,
                  char text[static TICKET_TEXT_SIZE]);
/* Reads a ticket that came to our door, checks it, and uses it up. SP_EFORMAT, SP_ECRYPTO: not one of ours; SP_EDENIED:
 * of another kind; SP_EEXIST: used before; SP_EEXPIRED; SP_EBUSY. `out` is filled for the last four, too: our own
 * signature stands for what it says. why is for the one who brought it. */
int tickets_redeem(struct tickets *tickets, const char *text, enum ticket_kind kind, int64_t now, struct ticket *out,
                   struct why *why);

/* The secret that a user's key shares with this relay: questions at the door are sealed with it. SP_ECRYPTO. */
int tickets_ask_key(const struct tickets *tickets, int64_t user_id, const char *fingerprint,
                    uint8_t key[static SEALED_KEY_SIZE]);

#endif
