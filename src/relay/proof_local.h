/* One proof: a connection, a question, an answer; and the addresses that are the relay's own. */
#ifndef SALLYPORT_RELAY_PROOF_LOCAL_H
#define SALLYPORT_RELAY_PROOF_LOCAL_H

#include "proof.h"
#include "relay_local.h"
#include "sallyport/domain/candidate.h"

/* What a proof needs to know; `done` is called once, in a later round, with the state and a text for people ("" when
 * verified), and the proof is freed after it. */
struct proof_config {
    struct relay *relay;
    struct candidate candidate;
    uint8_t door_key[32];
    char ticket[TICKET_TEXT_SIZE];
    char host_fingerprint[64]; /* of sshd, for candidates that lead to it */
    void (*done)(void *ctx, enum candidate_state state, const char *text);
    void *ctx;
};
struct proof;
int proof_start(const struct proof_config *config, struct proof **out);
void proof_cancel(struct proof *proof); /* `done` is not called; NULL is allowed */

/* own.c: the addresses of this machine's interfaces, and those of its public name. */
struct own;
int own_new(struct loop *loop, const char *name, struct own **out);
void own_free(struct own *own); /* NULL is allowed */
/* A NULL-terminated list, good until the next call; NULL: not known yet. */
const char *const *own_list(struct own *own);

#endif
