/* What is stored and what is live of each machine, brought together for one viewer. */
#include "sallyport/relay/overview.h"

#include <stdlib.h>

#include "sallyport/store/machines.h"

/* Keeps those that the viewer may see; takes `machines` over. */
static int assemble(const struct overview_source *source, const struct policy_subject *viewer, struct machine *machines,
                    size_t count, struct overview *out) {
    struct overview overview = {.machines = machines};
    overview.views = calloc(count ? count : 1, sizeof(*overview.views));
    if (!overview.views) {
        free(machines);
        return SP_ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        struct machine_view *view = &overview.views[overview.count];
        view_init(view, &machines[i]);
        int rc = source->view(source->ctx, machines[i].id, view);
        if (rc && rc != SP_ENOENT) {
            overview_fini(&overview);
            return rc;
        }
        if (view_narrow(view, viewer))
            overview.count++;
    }
    *out = overview;
    return 0;
}

int overview_load(const struct overview_source *source, const struct policy_subject *viewer, struct overview *out) {
    struct machine *machines;
    size_t count;
    int rc = store_machine_list(source->store, &machines, &count);
    return rc ? rc : assemble(source, viewer, machines, count, out);
}

int overview_load_one(const struct overview_source *source, const struct policy_subject *viewer, const char *name,
                      struct overview *out) {
    struct overview overview;
    struct machine *machine = malloc(sizeof(*machine));
    if (!machine)
        return SP_ENOMEM;
    int rc = store_machine_find(source->store, name, machine);
    if (rc) {
        free(machine);
        return rc;
    }
    rc = assemble(source, viewer, machine, 1, &overview);
    if (rc)
        return rc;
    if (overview.count == 0) {
        overview_fini(&overview);
        return SP_ENOENT;
    }
    *out = overview;
    return 0;
}

void overview_fini(struct overview *overview) {
    free(overview->views);
    free(overview->machines);
    *overview = (struct overview){.views = NULL};
}
