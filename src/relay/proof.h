/* Proof from outside: the relay connects to where a machine says that its door is, and has it prove whose it is. */
#ifndef SALLYPORT_RELAY_PROOF_H
#define SALLYPORT_RELAY_PROOF_H

#include <stddef.h>

struct relay;
struct machine_live;
struct link_reach;
struct proofs;

int proofs_new(struct relay *relay, struct proofs **out);
/* Nothing more is proved; loop_drain follows, then proofs_free. NULL is allowed for both. */
void proofs_stop(struct proofs *proofs);
void proofs_free(struct proofs *proofs);

/* What the machine said of its door: takes the place of what is known, and is proved. What was found at a candidate
 * that is still the same stays. */
void proofs_take(struct proofs *proofs, struct machine_live *live, const struct link_reach *said);
/* Somebody did not get through to candidate `i`: it is proved anew, within bounds. */
void proofs_again(struct proofs *proofs, struct machine_live *live, size_t i);

#endif
