/* Claims in the registry: who takes which GPU until when. */
#ifndef SALLYPORT_STORE_CLAIMS_H
#define SALLYPORT_STORE_CLAIMS_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/claim.h"
#include "sallyport/store/store.h"

/* Puts it in the place of the one on the same GPU. The user's name is not stored. SP_ENOENT: no such machine or user;
 * SP_ESYS. */
int store_claim_put(struct store *store, const struct claim *claim);
/* All, with the users' names, by machine and GPU; *out is the caller's to free. */
int store_claim_list(struct store *store, struct claim **out, size_t *count);
/* 0, SP_ENOENT, SP_ESYS. */
int store_claim_remove(struct store *store, int64_t machine_id, const char *gpu_id);

#endif
