/* Where machines are at home: their networks and how they left, to be woken by. */
#ifndef SALLYPORT_STORE_HOMES_H
#define SALLYPORT_STORE_HOMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/link.h"
#include "sallyport/store/store.h"

struct home {
    int64_t machine_id;
    bool asleep;       /* it said that it was going to sleep before it left */
    char observed[64]; /* the address that it was seen at last; "": never */
    struct link_lan lan;
};

/* Of all machines; *out is the caller's to free. */
int store_home_list(struct store *store, struct home **out, size_t *count);
/* All of it. SP_ENOENT: no such machine; SP_ESYS. */
int store_home_put(struct store *store, const struct home *home);

#endif
