/* The state of a machine for people: is it well, who is using which GPU. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/table.h"
#include "view_local.h"

#define BYTES_SIZE 24
#define CELL_SIZE 64

int view_percent(int64_t part, int64_t whole) {
    if (part < 0 || whole <= 0)
        return -1;
    double share = (double)part / (double)whole;
    return share > 1 ? 100 : (int)lround(share * 100);
}

/* As df sees it: what is reserved for root counts neither as used nor as free. */
static int filesystem_percent(const struct filesystem *filesystem) {
    if (filesystem->used_bytes < 0 || filesystem->available_bytes < 0)
        return -1;
    return view_percent(filesystem->used_bytes, filesystem->used_bytes + filesystem->available_bytes);
}

/* The fullest file system: it is the one that stops the work. */
void view_disk_text(char to[static VIEW_DISK_SIZE], const struct status *status) {
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
        snprintf(to, VIEW_DISK_SIZE, "%d%% %s", most, mount);
}

/* "97%"; the state when that is not known. */
static void gpu_used_text(char *to, size_t size, const struct gpu *gpu) {
    if (isfinite(gpu->used_share))
        snprintf(to, size, "%.0f%%", gpu->used_share * 100);
    else
        snprintf(to, size, "%s", gpu->state);
}

/* "97% 3%", by index; when there are too many: how many there are. */
void view_gpus_text(char to[static VIEW_GPUS_SIZE], const struct status *status) {
    size_t used = 0;
    for (size_t i = 0; i < status->gpu_count; i++) {
        char one[CELL_SIZE];
        gpu_used_text(one, sizeof(one), &status->gpus[i]);
        int n = snprintf(to + used, VIEW_GPUS_SIZE - used, "%s%s", used ? " " : "", one[0] ? one : "?");
        if (n < 0 || used + (size_t)n >= VIEW_GPUS_SIZE) {
            snprintf(to, VIEW_GPUS_SIZE, "%zu", status->gpu_count);
            return;
        }
        used += (size_t)n;
    }
}

static void bytes_text(char to[static BYTES_SIZE], int64_t bytes) {
    to[0] = '\0';
    if (bytes >= 0)
        str_bytes(to, BYTES_SIZE, (uint64_t)bytes);
}

/* "%.0f" and what follows it, "" when not known. */
static void number_text(char to[static CELL_SIZE], double value, const char *unit) {
    to[0] = '\0';
    if (isfinite(value))
        snprintf(to, CELL_SIZE, "%.0f%s", value, unit);
}

/* "  memory    1.0 GiB of 62.5 GiB (2%)"; nothing when either is unknown or there is none. */
static int detail_share(struct buf *out, const char *what, int64_t used, int64_t total) {
    char used_text[BYTES_SIZE], total_text[BYTES_SIZE];
    if (used < 0 || total <= 0)
        return 0;
    bytes_text(used_text, used);
    bytes_text(total_text, total);
    return buf_printf(out, "  %-9s %s of %s (%d%%)\n", what, used_text, total_text, view_percent(used, total));
}

static int detail_filesystems(struct buf *out, const struct status *status) {
    static const char *const headings[] = {"MOUNT", "TYPE", "SIZE", "USED", "FREE", "FULL", "FULL IN"};
    struct table table;
    if (status->filesystem_count == 0)
        return 0;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < status->filesystem_count; i++) {
        const struct filesystem *filesystem = &status->filesystems[i];
        char size[BYTES_SIZE], used[BYTES_SIZE], available[BYTES_SIZE], full[16] = "", in[VIEW_AGO_SIZE] = "";
        int share = filesystem_percent(filesystem);
        bytes_text(size, filesystem->total_bytes);
        bytes_text(used, filesystem->used_bytes);
        bytes_text(available, filesystem->available_bytes);
        if (share >= 0)
            snprintf(full, sizeof(full), "%d%%", share);
        if (filesystem->full_in_s >= 0)
            str_ago(in, sizeof(in), (uint64_t)filesystem->full_in_s);
        table_row(&table, (const char *[]){filesystem->mount, filesystem->type, size, used, available, full, in});
    }
    int rc = buf_printf(out, "\n");
    if (!rc)
        rc = table_print(&table, 2, out);
    table_fini(&table);
    return rc;
}

/* The claim on that GPU, or NULL. */
static const struct view_claim *claim_of(const struct machine_view *view, int64_t gpu) {
    for (size_t i = 0; i < view->claim_count; i++) {
        if (view->claims[i].gpu == gpu)
            return &view->claims[i];
    }
    return NULL;
}

/* One of his that is on it comes before number i. */
static bool is_named(const struct status *status, size_t i, int64_t gpu) {
    for (size_t k = 0; k < i; k++) {
        if (process_is_on(&status->processes[k], gpu) &&
            strcmp(process_owner(&status->processes[k]), process_owner(&status->processes[i])) == 0)
            return true;
    }
    return false;
}

/* Whose processes are on it, each once: "ann, bob". */
static void users_text(char *to, size_t size, const struct status *status, int64_t gpu) {
    size_t used = 0;
    to[0] = '\0';
    for (size_t i = 0; i < status->process_count; i++) {
        if (!process_is_on(&status->processes[i], gpu) || is_named(status, i, gpu))
            continue;
        int n = snprintf(to + used, size - used, "%s%s", used ? ", " : "", process_owner(&status->processes[i]));
        if (n < 0 || used + (size_t)n >= size) { /* no room for this one: what fits stays */
            to[used] = '\0';
            return;
        }
        used += (size_t)n;
    }
}

static void claim_text(char *to, size_t size, const struct view_claim *claim) {
    char until[21];
    to[0] = '\0';
    if (!claim)
        return;
    str_time(until, claim->until);
    snprintf(to, size, "%s until %s%s%s", claim->user, until, claim->note[0] ? ": " : "", claim->note);
}

static void gpu_row(struct table *table, const struct machine_view *view, const struct gpu *gpu) {
    char index[8], used[CELL_SIZE], memory[CELL_SIZE] = "", degrees[CELL_SIZE], power[CELL_SIZE];
    char who[160], claim[320], used_bytes[BYTES_SIZE], total_bytes[BYTES_SIZE];
    snprintf(index, sizeof(index), "%d", (int)gpu->index);
    gpu_used_text(used, sizeof(used), gpu);
    if (gpu->memory_used_bytes >= 0 && gpu->memory_total_bytes >= 0) {
        bytes_text(used_bytes, gpu->memory_used_bytes);
        bytes_text(total_bytes, gpu->memory_total_bytes);
        snprintf(memory, sizeof(memory), "%s of %s", used_bytes, total_bytes);
    }
    number_text(degrees, gpu->temperature_celsius, " C");
    number_text(power, gpu->power_watts, " W");
    users_text(who, sizeof(who), view->status, gpu->index);
    claim_text(claim, sizeof(claim), claim_of(view, gpu->index));
    table_row(table, (const char *[]){index, gpu->name, used, memory, degrees, power, gpu->throttle, who, claim});
}

static int detail_gpus(struct buf *out, const struct machine_view *view) {
    static const char *const headings[] = {"GPU",   "NAME",      "USED", "MEMORY", "HEAT",
                                           "POWER", "SLOWED BY", "WHO",  "CLAIM"};
    struct table table;
    if (view->status->gpu_count == 0)
        return 0;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < view->status->gpu_count; i++)
        gpu_row(&table, view, &view->status->gpus[i]);
    int rc = buf_printf(out, "\n");
    if (!rc)
        rc = table_print(&table, 2, out);
    table_fini(&table);
    return rc;
}

/* "0 1"; "0 1 (claimed by another)". */
static void on_gpus_text(char to[static CELL_SIZE], const struct machine_view *view, const struct process *process) {
    size_t used = 0;
    to[0] = '\0';
    for (int i = 0; i < STATUS_GPUS_MAX; i++) {
        if (process->gpus >> i & 1)
            used += (size_t)snprintf(to + used, CELL_SIZE - used, "%s%d", used ? " " : "", i);
    }
    if (view_is_against_claim(view, process) && used < CELL_SIZE)
        snprintf(to + used, CELL_SIZE - used, " (another's claim)");
}

static void process_row(struct table *table, const struct machine_view *view, const struct process *process,
                        int64_t now) {
    char pid[24], gpus[CELL_SIZE], gpu_memory[BYTES_SIZE], memory[BYTES_SIZE], cpu[CELL_SIZE],
        since[VIEW_AGO_SIZE] = "";
    const char *what = process->notebook[0] ? process->notebook : process->command;
    bool shown = !view->home_hidden;
    snprintf(pid, sizeof(pid), "%lld", (long long)process->pid);
    on_gpus_text(gpus, view, process);
    bytes_text(gpu_memory, process->gpu_memory_used_bytes);
    bytes_text(memory, process->memory_used_bytes);
    number_text(cpu, process->cpu_used_share * 100, "%");
    if (process->started > 0)
        view_ago_text(since, now, process->started);
    table_row(table, (const char *[]){pid, process_owner(process), gpus, gpu_memory, memory, cpu, since,
                                      shown ? process->container : "", shown ? what : ""});
}

static int detail_processes(struct buf *out, const struct machine_view *view, int64_t now) {
    static const char *const headings[] = {"PID", "WHO",   "GPU",       "GPU MEM", "MEMORY",
                                           "CPU", "SINCE", "CONTAINER", "WHAT"};
    struct table table;
    size_t shown = 0;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < view->status->process_count; i++) {
        if (view->status->processes[i].ended)
            continue;
        process_row(&table, view, &view->status->processes[i], now);
        shown++;
    }
    int rc = shown > 0 ? buf_printf(out, "\n") : 0;
    if (!rc && shown > 0)
        rc = table_print(&table, 2, out);
    table_fini(&table);
    return rc;
}

static int detail_alerts(struct buf *out, const struct machine_view *view, int64_t now) {
    int rc = 0;
    for (size_t i = 0; !rc && i < view->alert_count; i++) {
        char ago[VIEW_AGO_SIZE];
        view_ago_text(ago, now, view->alerts[i].since);
        rc = buf_printf(out, "  ! %s (since %s)\n", view->alerts[i].text, ago);
    }
    return rc;
}

static int detail_processor(struct buf *out, const struct status *status) {
    char used[CELL_SIZE], degrees[CELL_SIZE];
    if (status->cpu_count < 0)
        return 0;
    number_text(used, status->cpu_used_share * 100, "% used");
    number_text(degrees, status->cpu_temperature_celsius, " C");
    return buf_printf(out, "  CPUs      %lld%s%s%s%s\n", (long long)status->cpu_count, used[0] ? ", " : "", used,
                      degrees[0] ? ", " : "", degrees);
}

static int detail_numbers(struct buf *out, const struct status *status) {
    int rc = 0;
    if (status->uptime_s >= 0) {
        char uptime[VIEW_AGO_SIZE];
        str_ago(uptime, sizeof(uptime), (uint64_t)status->uptime_s);
        rc = buf_printf(out, "  uptime    %s\n", uptime);
    }
    if (!rc && isfinite(status->load_1m) && isfinite(status->load_5m) && isfinite(status->load_15m))
        rc = buf_printf(out, "  load      %.2f %.2f %.2f (1, 5, 15 min)\n", status->load_1m, status->load_5m,
                        status->load_15m);
    if (!rc)
        rc = detail_processor(out, status);
    if (!rc)
        rc = detail_share(out, "memory", status->memory_used_bytes, status->memory_total_bytes);
    if (!rc)
        rc = detail_share(out, "swap", status->swap_used_bytes, status->swap_total_bytes);
    if (!rc && isfinite(status->power_watts))
        rc = buf_printf(out, "  power     %.0f W\n", status->power_watts);
    return rc;
}

int view_state_detail(const struct machine_view *view, struct buf *out, int64_t now) {
    int rc = detail_alerts(out, view, now);
    if (!rc && view->status)
        rc = detail_numbers(out, view->status);
    if (!rc && view->status)
        rc = detail_gpus(out, view);
    if (!rc && view->status)
        rc = detail_processes(out, view, now);
    if (!rc && view->status)
        rc = detail_filesystems(out, view->status);
    return rc;
}
