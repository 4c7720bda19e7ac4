/* The registry on disk: one SQLite file with users, machines, keys, API tokens, grants, invites, logins, sessions,
 * audit. */
#ifndef SALLYPORT_STORE_STORE_H
#define SALLYPORT_STORE_STORE_H

#include <stdint.h>

#include "sallyport/base/err.h"

/* One connection, used by one thread. Every change is on the disk when its call returns, but for the audit, alerts,
 * messages and the times of last use, of which a power cut may take the last seconds. Wherever a function of this room
 * returns SP_ESYS, the database failed: errno is set and the reason was logged. */
struct store;

/* Opens or creates the file (mode 0600), checks it, and brings its schema up to date. SP_EVERSION: written by a newer
 * version; SP_EFORMAT: not a database, or damaged; SP_EBUSY: in use by another program; SP_ESYS. why says which, and
 * what to do. */
int store_open(const char *path, struct store **out, struct why *why);
/* NULL is allowed. */
void store_close(struct store *store);

/* Drops invites and login codes that ended more than 30 days ago, and sessions that ended. For a timer. */
int store_tidy(struct store *store, int64_t now);

/* SHA-256 of a token: only this is kept. */
#define STORE_HASH_SIZE 32

#endif
