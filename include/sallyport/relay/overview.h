/* All machines that one viewer may see, each with what is stored and what is live. */
#ifndef SALLYPORT_RELAY_OVERVIEW_H
#define SALLYPORT_RELAY_OVERVIEW_H

#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/view.h"

struct store;

/* Where the live part comes from. `view` overwrites what it knows of a machine that is or was connected since the
 * relay started (online, since, route, version, services, status; borrowed until control returns to the loop) and
 * returns 0; SP_ENOENT when it knows nothing. */
struct overview_source {
    struct store *store;
    int (*view)(void *ctx, int64_t machine_id, struct machine_view *out);
    void *ctx;
};

struct overview {
    struct machine_view *views; /* by name */
    size_t count;
    struct machine *machines; /* owned: the views borrow the names */
};

/* Narrowed to the viewer. 0, SP_ENOMEM, SP_ESYS. Good until control returns to the loop; overview_fini frees. */
int overview_load(const struct overview_source *source, const struct policy_subject *viewer, struct overview *out);
/* Only that machine. SP_ENOENT when there is none, or none that this viewer may see. */
int overview_load_one(const struct overview_source *source, const struct policy_subject *viewer, const char *name,
                      struct overview *out);
void overview_fini(struct overview *overview);

#endif
