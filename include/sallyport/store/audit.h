/* The audit trail: who did what, when, with what outcome; the newest 100,000 entries are kept. */
#ifndef SALLYPORT_STORE_AUDIT_H
#define SALLYPORT_STORE_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/store/store.h"

#define STORE_AUDIT_MAX 100000

/* Borrowed, clean texts (str_is_clean), never with a secret in them; NULL counts as "". Cut off at the sizes of
 * audit_row. */
struct audit_entry {
    int64_t time;        /* UTC seconds */
    const char *actor;   /* "alice", "box1", "operator", "198.51.100.7" */
    const char *action;  /* "invite machine", "login", "reach" */
    const char *object;  /* "box1/ssh" */
    const char *outcome; /* "ok", "refused", "failed" */
    const char *detail;
};

struct audit_row {
    int64_t id;
    int64_t time;
    char actor[64];
    char action[64];
    char object[96];
    char outcome[16];
    char detail[256];
};

/* 0 or SP_ESYS. */
int store_audit_add(struct store *store, const struct audit_entry *entry);
/* The newest `limit`, newest first, of all (`about` is NULL) or of those that `about` did, or that were done to it or to
 * something of it, or that name it as their detail ("box1": also "box1/ssh"); *out is the caller's to free. */
int store_audit_list(struct store *store, const char *about, size_t limit, struct audit_row **out, size_t *count);

#endif
