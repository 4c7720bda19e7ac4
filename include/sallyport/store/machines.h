/* Machines in the registry. */
#ifndef SALLYPORT_STORE_MACHINES_H
#define SALLYPORT_STORE_MACHINES_H

#include <stddef.h>

#include "sallyport/domain/machine.h"
#include "sallyport/store/keys.h"
#include "sallyport/store/store.h"

/* As store_user_add. */
int store_machine_add(struct store *store, const char *name, const struct key_text *key, int64_t now, int64_t *id,
                      struct why *why);
/* 0, SP_ENOENT or SP_ESYS. */
int store_machine_find(struct store *store, const char *name, struct machine *out);
int store_machine_get(struct store *store, int64_t id, struct machine *out);
/* All, by name; *out is the caller's to free. */
int store_machine_list(struct store *store, struct machine **out, size_t *count);
/* Pending invites follow the name. SP_EEXIST: the name is taken; SP_ENOENT; SP_ESYS. */
int store_machine_rename(struct store *store, int64_t id, const char *name, struct why *why);
/* With keys, grants and pending invites for that name. 0, SP_ENOENT, SP_ESYS. */
int store_machine_remove(struct store *store, int64_t id);
/* They were there at `now`; one transaction for all. Unknown ids are ignored. */
int store_machine_seen(struct store *store, const int64_t *ids, size_t count, int64_t now);

#endif
