/* A machine as people and programs see it: JSON (docs/PROTOCOL.md section 5), a table, a page of details. */
#ifndef SALLYPORT_DOMAIN_VIEW_H
#define SALLYPORT_DOMAIN_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/base/buf.h"
#include "sallyport/domain/candidate.h"
#include "sallyport/domain/machine.h"
#include "sallyport/domain/policy.h"
#include "sallyport/domain/route.h"
#include "sallyport/domain/service.h"
#include "sallyport/domain/status.h"

/* The ways to a machine that lead past the relay, as its agent told them and the relay found them. Borrows, too. */
struct view_reach {
    const struct candidate *candidates;
    size_t count;        /* at most CANDIDATES_MAX */
    const char *trouble; /* why there is no mapped port, for people; NULL or "": none */
    bool can_fetch;      /* its agent fetches streams from the relay's door; else they take the SSH tunnel */
};

/* Somebody takes a GPU for himself, which is advice to the others. Borrows, too. */
struct view_claim {
    int64_t gpu; /* its index */
    const char *user;
    int64_t since, until; /* UTC seconds */
    const char *note;     /* may be "" */
};

/* Something is wrong with the machine. Borrows, too. */
struct view_alert {
    const char *kind;   /* "gpu_hot" */
    const char *object; /* "gpu0"; "" for the machine itself */
    int64_t since;      /* UTC seconds */
    const char *text;   /* for people, without a full stop */
};

/* Borrows everything it points at. */
struct machine_view {
    int64_t machine_id;
    const char *name;
    bool online;
    int64_t since;       /* UTC seconds, online since or offline since; 0: never there */
    enum route route;    /* what there is in any case; ROUTE_NONE while offline */
    const char *version; /* of the agent; NULL or "": not known */
    const struct service *services;
    size_t service_count;        /* at most SERVICES_MAX */
    uint64_t hidden;             /* bit i: service i is not for this viewer */
    const struct status *status; /* NULL: not known */
    const struct view_claim *claims;
    size_t claim_count;
    const struct view_alert *alerts; /* those that are on */
    size_t alert_count;
    bool asleep;    /* it is offline because it sleeps */
    bool has_reach; /* the next one is known */
    struct view_reach reach;
    char *const *host_keys; /* of its sshd, lines as in a .pub file */
    size_t host_key_count;
    bool home_hidden;       /* `reach` and `host_keys` are not for this viewer */
    bool has_clock;         /* the next one is known */
    int64_t clock_offset_s; /* the machine's clock minus the relay's */
};

/* What the registry alone knows: the name, offline since when. */
void view_init(struct machine_view *view, const struct machine *machine);
/* May this viewer see the machine at all? If so, hides the services that are not for him, and from those who may not
 * use ssh there the addresses of the machine's home, the services that were found only, and what programs do. */
bool view_narrow(struct machine_view *view, const struct policy_subject *viewer);

/* ROUTE_DIRECT when a candidate that this viewer may know is verified; else view->route. */
enum route view_route(const struct machine_view *view);
/* The first verified candidate that counts, the mapped one before others; NULL: there is none. */
const struct candidate *view_reach_proved(const struct view_reach *reach);
/* Why none is verified, for people, without a full stop; "" when one is. */
const char *view_reach_reason(const struct view_reach *reach);

/* Is it on a GPU that somebody else has claimed? What is root's may be anybody's. */
bool view_is_against_claim(const struct machine_view *view, const struct process *process);

/* Each appends to `out`, ends with a newline, and returns 0 or SP_ENOMEM. Hidden services do not appear. */
int view_list_json(const struct machine_view *views, size_t n, struct buf *out);
int view_json(const struct machine_view *view, struct buf *out);
/* Columns NAME STATE SINCE ROUTE LOAD MEM GPU DISK SERVICES, aligned by characters; `now` in UTC seconds. */
int view_table(const struct machine_view *views, size_t n, struct buf *out, int64_t now);
int view_detail(const struct machine_view *view, struct buf *out, int64_t now);

#endif
