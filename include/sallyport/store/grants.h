/* Grants in the registry: user -> machine or machine/service. */
#ifndef SALLYPORT_STORE_GRANTS_H
#define SALLYPORT_STORE_GRANTS_H

#include <stddef.h>

#include "sallyport/domain/policy.h"
#include "sallyport/store/store.h"

/* service "": all of them. 0 (also when it was there), SP_ENOENT: no such user or machine; SP_ESYS. */
int store_grant_add(struct store *store, int64_t user_id, int64_t machine_id, const char *service, int64_t now);
/* service "": everything the user was granted on that machine. SP_ENOENT: there was nothing. */
int store_grant_remove(struct store *store, int64_t user_id, int64_t machine_id, const char *service);
/* Of one user; *out is the caller's to free. */
int store_grant_list(struct store *store, int64_t user_id, struct grant **out, size_t *count);

#endif
