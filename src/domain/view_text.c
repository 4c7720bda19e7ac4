/* A machine for people: the table of machines and the page about one. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/table.h"
#include "view_local.h"

void view_ago_text(char to[static VIEW_AGO_SIZE], int64_t now, int64_t since) {
    if (since <= 0)
        snprintf(to, VIEW_AGO_SIZE, "never");
    else
        str_ago(to, VIEW_AGO_SIZE, now > since ? (uint64_t)(now - since) : 0);
}

static int services_text(const struct machine_view *view, struct buf *to) {
    int rc = 0;
    for (size_t i = 0; !rc && i < view->service_count && i < SERVICES_MAX; i++) {
        const struct service *service = &view->services[i];
        if (view->hidden >> i & 1)
            continue;
        rc = buf_printf(to, "%s%s:%u%s", buf_len(to) ? " " : "", service->name, (unsigned)service->port,
                        service->found ? "(found)"
                        : service->up  ? ""
                                       : "(down)");
    }
    return rc;
}

static const char *state_name(const struct machine_view *view) {
    return view->online ? "online" : view->asleep ? "asleep" : "offline";
}

static int table_machine(struct table *table, const struct machine_view *view, int64_t now) {
    char since[VIEW_AGO_SIZE], load[32] = "", memory[16] = "", gpus[VIEW_GPUS_SIZE] = "", disk[VIEW_DISK_SIZE] = "";
    struct buf services;
    buf_init(&services);
    view_ago_text(since, now, view->since);
    if (view->status) {
        int used = view_percent(view->status->memory_used_bytes, view->status->memory_total_bytes);
        if (isfinite(view->status->load_1m))
            snprintf(load, sizeof(load), "%.2f", view->status->load_1m);
        if (used >= 0)
            snprintf(memory, sizeof(memory), "%d%%", used);
        view_gpus_text(gpus, view->status);
        view_disk_text(disk, view->status);
    }
    int rc = services_text(view, &services);
    const char *services_cell = buf_string(&services);
    if (!rc && !services_cell)
        rc = SP_ENOMEM;
    if (!rc)
        table_row(table, (const char *[]){view->name, state_name(view), since, route_name(view_route(view)), load,
                                          memory, gpus, disk, services_cell});
    buf_fini(&services);
    return rc;
}

int view_table(const struct machine_view *views, size_t n, struct buf *out, int64_t now) {
    static const char *const headings[] = {"NAME", "STATE", "SINCE", "ROUTE", "LOAD", "MEM", "GPU", "DISK", "SERVICES"};
    struct table table;
    int rc = 0;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < n && !rc; i++)
        rc = table_machine(&table, &views[i], now);
    if (!rc)
        rc = table_print(&table, 0, out);
    table_fini(&table);
    return rc;
}

static int detail_services(struct buf *out, const struct machine_view *view) {
    static const char *const headings[] = {"SERVICE", "KIND", "PORT", "STATE", "WHAT"};
    struct table table;
    size_t shown = 0;
    int rc = 0;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < view->service_count && i < SERVICES_MAX; i++) {
        const struct service *service = &view->services[i];
        char port[8];
        if (view->hidden >> i & 1)
            continue;
        snprintf(port, sizeof(port), "%u", (unsigned)service->port);
        table_row(&table, (const char *[]){service->name, service_kind_name(service->kind), port,
                                           service_state_name(service), service->detail});
        shown++;
    }
    if (shown > 0)
        rc = buf_printf(out, "\n");
    if (!rc && shown > 0)
        rc = table_print(&table, 2, out);
    table_fini(&table);
    return rc;
}

int view_detail(const struct machine_view *view, struct buf *out, int64_t now) {
    char ago[VIEW_AGO_SIZE], since[21] = "";
    const char *route = route_name(view_route(view));
    view_ago_text(ago, now, view->since);
    if (view->since > 0)
        str_time(since, view->since);
    int rc = buf_printf(out, "%s is %s", view->name, state_name(view));
    if (!rc && view->since > 0)
        rc = buf_printf(out, " for %s, since %s", ago, since);
    else if (!rc && !view->online)
        rc = buf_printf(out, ", was never here");
    if (!rc && route)
        rc = buf_printf(out, ", %s", route);
    if (!rc && view->version && view->version[0])
        rc = buf_printf(out, ", agent %s", view->version);
    if (!rc)
        rc = buf_printf(out, "\n");
    if (!rc)
        rc = view_clock_detail(view, out);
    if (!rc)
        rc = view_state_detail(view, out, now);
    if (!rc)
        rc = view_reach_detail(view, out, now);
    if (!rc)
        rc = detail_services(out, view);
    return rc;
}
