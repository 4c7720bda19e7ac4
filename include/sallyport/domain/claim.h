/* Claims: somebody takes a GPU for himself for a while, which is advice to the others. */
#ifndef SALLYPORT_DOMAIN_CLAIM_H
#define SALLYPORT_DOMAIN_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/err.h"
#include "sallyport/domain/policy.h"
#include "sallyport/domain/status.h"

#define CLAIM_DEFAULT_S (8 * 3600)
#define CLAIM_LONGEST_S (30 * 86400)
#define CLAIM_NOTE_MAX 120                       /* characters ... */
#define CLAIM_NOTE_SIZE (4 * CLAIM_NOTE_MAX + 1) /* ... of UTF-8 */
#define CLAIMS_MAX 64                            /* of one machine */

struct claim {
    int64_t machine_id, user_id;
    char gpu_id[64]; /* stays with the GPU when its index changes */
    int64_t gpu;     /* its index when it was last seen; STATUS_UNKNOWN: another one has that now */
    char user[SP_NAME_SIZE];
    int64_t since, until; /* UTC seconds */
    char note[CLAIM_NOTE_SIZE];
};

/* Is that long enough, not too long, and a note that can be shown? 0, or SP_EINVAL with why. Pure. */
int claim_check(uint64_t for_s, const char *note, struct why *why);
/* The claim on the GPU with that id or that index that holds at `now`; NULL: there is none. */
const struct claim *claim_find(const struct claim *claims, size_t count, const char *gpu_id, int64_t now);
const struct claim *claim_find_index(const struct claim *claims, size_t count, int64_t gpu, int64_t now);
/* May this one end it? He who claimed, and admins. Pure. */
bool claim_may_release(const struct claim *claim, const struct policy_subject *who);
/* Brings the indices up to date with a status that has just come. True: one has changed. */
bool claim_place(struct claim *claims, size_t count, const struct status *status);

/* Whose process is it: the Sallyport user behind the account, else the account. "": root's or nobody's. Borrows. */
const char *claim_owner(const struct process *process);
/* Does nobody use it: no process, less than 5 % busy? One that fell off its bus is not idle. Pure. */
bool claim_is_idle(const struct status *status, const struct gpu *gpu);

#endif
