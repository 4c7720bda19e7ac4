/* Users in the registry. */
#ifndef SALLYPORT_STORE_USERS_H
#define SALLYPORT_STORE_USERS_H

#include <stddef.h>

#include "sallyport/domain/policy.h"
#include "sallyport/domain/user.h"
#include "sallyport/store/keys.h"
#include "sallyport/store/store.h"

/* Adds the user, and the key if one is given, both or neither. The name was checked by name_check. SP_EEXIST: the name
 * belongs to a user or machine, or the key to somebody (why says which); SP_ESYS. */
int store_user_add(struct store *store, const char *name, enum role role, const struct key_text *key, int64_t now,
                   int64_t *id, struct why *why);
/* 0, SP_ENOENT or SP_ESYS. */
int store_user_find(struct store *store, const char *name, struct user *out);
int store_user_get(struct store *store, int64_t id, struct user *out);
/* All, by name; *out is the caller's to free. */
int store_user_list(struct store *store, struct user **out, size_t *count);
/* With keys, API tokens, grants, sessions, login codes and pending invites for that name. 0, SP_ENOENT, SP_ESYS. */
int store_user_remove(struct store *store, int64_t id);
/* Disabling ends sessions and login codes, too. 0, SP_ENOENT, SP_ESYS. */
int store_user_set_disabled(struct store *store, int64_t id, bool disabled);
/* How many admins are not disabled. */
int store_user_count_admins(struct store *store, int64_t *count);

/* Everything that policy wants to know about a user, grants included (policy_subject_fini). A user who is gone is
 * SP_ENOENT: `out` is untouched. */
int store_user_subject(struct store *store, int64_t id, struct policy_subject *out);

#endif
