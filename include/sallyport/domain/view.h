/* A machine as people and programs see it: JSON (docs/PROTOCOL.md section 5), a table, a page of details. */
#ifndef SALLYPORT_DOMAIN_VIEW_H
#define SALLYPORT_DOMAIN_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/buf.h"
#include "sallyport/domain/machine.h"
#include "sallyport/domain/policy.h"
#include "sallyport/domain/route.h"
#include "sallyport/domain/service.h"
#include "sallyport/domain/status.h"

/* Borrows everything it points at. */
struct machine_view {
    int64_t machine_id;
    const char *name;
    bool online;
    int64_t since;       /* UTC seconds, online since or offline since; 0: never there */
    enum route route;    /* ROUTE_NONE while offline */
    const char *version; /* of the agent; NULL or "": not known */
    const struct service *services;
    size_t service_count;        /* at most SERVICES_MAX */
    uint64_t hidden;             /* bit i: service i is not for this viewer */
    const struct status *status; /* NULL: not known */
};

/* What the registry alone knows: the name, offline since when. */
void view_init(struct machine_view *view, const struct machine *machine);
/* May this viewer see the machine at all? If so, hides the services that are not for him. */
bool view_narrow(struct machine_view *view, const struct policy_subject *viewer);

/* Each appends to `out`, ends with a newline, and returns 0 or SP_ENOMEM. Hidden services do not appear. */
int view_list_json(const struct machine_view *views, size_t n, struct buf *out);
int view_json(const struct machine_view *view, struct buf *out);
/* Columns NAME STATE SINCE ROUTE LOAD MEM DISK SERVICES, aligned by characters; `now` in UTC seconds. */
int view_table(const struct machine_view *views, size_t n, struct buf *out, int64_t now);
int view_detail(const struct machine_view *view, struct buf *out, int64_t now);

#endif
