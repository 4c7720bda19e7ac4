/* A machine for people: the table of machines and the page about one. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/table.h"
#include "view_local.h"

#define BYTES_SIZE 24

void view_ago_text(char to[static VIEW_AGO_SIZE], int64_t now, int64_t since) {
    if (since <= 0)
        snprintf(to, VIEW_AGO_SIZE, "never");
    else
        str_ago(to, VIEW_AGO_SIZE, now > since ? (uint64_t)(now - since) : 0);
}

/* The part in percent, or -1 when not known. */
static int percent(int64_t part, int64_t whole) {
    if (part < 0 || whole <= 0)
        return -1;
    double share = (double)part / (double)whole;
    return share > 1 ? 100 : (int)lround(share * 100);
}

/* As df sees it: what is reserved for root counts neither as used nor as free. */
static int filesystem_percent(const struct filesystem *filesystem) {
    if (filesystem->used_bytes < 0 || filesystem->available_bytes < 0)
        return -1;
    return percent(filesystem->used_bytes, filesystem->used_bytes + filesystem->available_bytes);
}

/* The fullest file system: it is the one that stops the work. */
static void disk_text(char *to, size_t size, const struct status *status) {
    int most = -1;
    const char *mount = "";
    for (size_t i = 0; i < status->filesystem_count; i++) {
        int used = filesystem_percent(&status->filesystems[i]);
        if (used > most) {
            most = used;
            mount = status->filesystems[i].mount;
        }
    }
    if (most >= 0)
        snprintf(to, size, "%d%% %s", most, mount);
}

static int services_text(const struct machine_view *view, struct buf *to) {
    int rc = 0;
    for (size_t i = 0; !rc && i < view->service_count && i < SERVICES_MAX; i++) {
        const struct service *service = &view->services[i];
        if (view->hidden >> i & 1)
            continue;
        rc = buf_printf(to, "%s%s:%u%s", buf_len(to) ? " " : "", service->name, (unsigned)service->port,
                        service->up ? "" : "(down)");
    }
    return rc;
}

static int table_machine(struct table *table, const struct machine_view *view, int64_t now) {
    char since[VIEW_AGO_SIZE], load[32] = "", memory[16] = "", disk[300] = "";
    struct buf services;
    buf_init(&services);
    view_ago_text(since, now, view->since);
    if (view->status) {
        int used = percent(view->status->memory_used_bytes, view->status->memory_total_bytes);
        if (isfinite(view->status->load_1m))
            snprintf(load, sizeof(load), "%.2f", view->status->load_1m);
        if (used >= 0)
            snprintf(memory, sizeof(memory), "%d%%", used);
        disk_text(disk, sizeof(disk), view->status);
    }
    int rc = services_text(view, &services);
    const char *services_cell = buf_string(&services);
    if (!rc && !services_cell)
        rc = SP_ENOMEM;
    if (!rc)
        table_row(table, (const char *[]){view->name, view->online ? "online" : "offline", since,
                                          route_name(view_route(view)), load, memory, disk, services_cell});
    buf_fini(&services);
    return rc;
}

int view_table(const struct machine_view *views, size_t n, struct buf *out, int64_t now) {
    static const char *const headings[] = {"NAME", "STATE", "SINCE", "ROUTE", "LOAD", "MEM", "DISK", "SERVICES"};
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

static void bytes_text(char to[static BYTES_SIZE], int64_t bytes) {
    to[0] = '\0';
    if (bytes >= 0)
        str_bytes(to, BYTES_SIZE, (uint64_t)bytes);
}

/* "  memory    1.0 GiB of 62.5 GiB (2%)"; nothing when either is unknown or there is none. */
static int detail_share(struct buf *out, const char *what, int64_t used, int64_t total) {
    char used_text[BYTES_SIZE], total_text[BYTES_SIZE];
    if (used < 0 || total <= 0)
        return 0;
    bytes_text(used_text, used);
    bytes_text(total_text, total);
    return buf_printf(out, "  %-9s %s of %s (%d%%)\n", what, used_text, total_text, percent(used, total));
}

static int detail_filesystems(struct buf *out, const struct status *status) {
    static const char *const headings[] = {"MOUNT", "TYPE", "SIZE", "USED", "FREE", "FULL"};
    struct table table;
    if (status->filesystem_count == 0)
        return 0;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < status->filesystem_count; i++) {
        const struct filesystem *filesystem = &status->filesystems[i];
        char size[BYTES_SIZE], used[BYTES_SIZE], available[BYTES_SIZE], full[16] = "";
        int share = filesystem_percent(filesystem);
        bytes_text(size, filesystem->total_bytes);
        bytes_text(used, filesystem->used_bytes);
        bytes_text(available, filesystem->available_bytes);
        if (share >= 0)
            snprintf(full, sizeof(full), "%d%%", share);
        table_row(&table, (const char *[]){filesystem->mount, filesystem->type, size, used, available, full});
    }
    int rc = buf_printf(out, "\n");
    if (!rc)
        rc = table_print(&table, 2, out);
    table_fini(&table);
    return rc;
}

static int detail_status(struct buf *out, const struct status *status) {
    int rc = 0;
    if (status->uptime_s >= 0) {
        char uptime[VIEW_AGO_SIZE];
        str_ago(uptime, sizeof(uptime), (uint64_t)status->uptime_s);
        rc = buf_printf(out, "  uptime    %s\n", uptime);
    }
    if (!rc && isfinite(status->load_1m) && isfinite(status->load_5m) && isfinite(status->load_15m))
        rc = buf_printf(out, "  load      %.2f %.2f %.2f (1, 5, 15 min)\n", status->load_1m, status->load_5m,
                        status->load_15m);
    if (!rc && status->cpu_count >= 0)
        rc = buf_printf(out, "  CPUs      %lld\n", (long long)status->cpu_count);
    if (!rc)
        rc = detail_share(out, "memory", status->memory_used_bytes, status->memory_total_bytes);
    if (!rc)
        rc = detail_share(out, "swap", status->swap_used_bytes, status->swap_total_bytes);
    if (!rc)
        rc = detail_filesystems(out, status);
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
    int rc = buf_printf(out, "%s is %s", view->name, view->online ? "online" : "offline");
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
    if (!rc && view->status)
        rc = detail_status(out, view->status);
    if (!rc)
        rc = view_reach_detail(view, out, now);
    if (!rc)
        rc = detail_services(out, view);
    return rc;
}
