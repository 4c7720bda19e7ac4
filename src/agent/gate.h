/* Judges tickets (docs/PROTOCOL.md section 7): whether the relay made this one, for this machine, for use now and here. */
#ifndef SALLYPORT_AGENT_GATE_H
#define SALLYPORT_AGENT_GATE_H

#include <stddef.h>
#include <stdint.h>

#include "relay_clock.h"
#include "sallyport/base/err.h"
#include "sallyport/domain/ticket.h"

struct gate;

/* `machine` is the SHA-256 of this machine's public key; the clock outlives the gate. What was made before `began_ms`
 * (os_boottime_ms) may have been used up, and counts no more. Trusts nobody yet. SP_ENOMEM. */
int gate_new(const uint8_t machine[static TICKET_MACHINE_SIZE], const struct relay_clock *clock, uint64_t began_ms,
             struct gate **out);
void gate_free(struct gate *gate); /* NULL is allowed */

/* From now on, tickets signed by this key count, and no others. */
void gate_trust(struct gate *gate, const uint8_t ticket_key[static 32]);

/* Checks the text of a ticket of that kind and uses it up. 0; SP_EEXPIRED, SP_EEXIST (used before), SP_EDENIED, SP_EBUSY
 * with why: the relay made it for this machine, so its holder may be told; anything else: say nothing to him. */
int gate_check(struct gate *gate, enum ticket_kind kind, const char *text, size_t len, struct ticket *out,
               struct why *why);

/* That user lost his right to that service ("": to all): tickets of his that were made until now count no more. */
void gate_end(struct gate *gate, const char *user, const char *service);

#endif
