/* The state of the machines for /metrics: names and units by the rules of Prometheus, values from the tables of a status. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "metrics.h"

/* One metric: a member of a status, or of the items of one of its lists. */
struct state_metric {
    const char *name;
    const char *list; /* NULL: of the status itself */
    const char *member;
    enum metric_type type;
    const char *help;
};

#define MACHINE "sallyport_machine_"
#define FILESYSTEM MACHINE "filesystem_"
#define DISK MACHINE "disk_"
#define NETWORK MACHINE "network_"
#define GPU MACHINE "gpu_"

static const struct state_metric state_metrics[] = {
    {MACHINE "load1", NULL, "load_1m", METRIC_GAUGE, "The machine's load, averaged over a minute."},
    {MACHINE "cpus", NULL, "cpu_count", METRIC_GAUGE, "Its processors."},
    {MACHINE "cpu_used_ratio", NULL, "cpu_used_share", METRIC_GAUGE, "How busy its processors are, 0 to 1."},
    {MACHINE "cpu_temperature_celsius", NULL, "cpu_temperature_celsius", METRIC_GAUGE, "The processor's temperature."},
    {MACHINE "uptime_seconds", NULL, "uptime_s", METRIC_GAUGE, "How long ago it was started."},
    {MACHINE "cpu_pressure_ratio", NULL, "cpu_pressure_share", METRIC_GAUGE,
     "Part of the last minute in which something waited for a processor."},
    {MACHINE "memory_pressure_ratio", NULL, "memory_pressure_share", METRIC_GAUGE,
     "Part of the last minute in which something waited for memory."},
    {MACHINE "io_pressure_ratio", NULL, "io_pressure_share", METRIC_GAUGE,
     "Part of the last minute in which something waited for a disk."},
    {MACHINE "memory_size_bytes", NULL, "memory_total_bytes", METRIC_GAUGE, "Its memory."},
    {MACHINE "memory_used_bytes", NULL, "memory_used_bytes", METRIC_GAUGE, "Its memory that is not available."},
    {MACHINE "swap_size_bytes", NULL, "swap_total_bytes", METRIC_GAUGE, "Its swap space."},
    {MACHINE "swap_used_bytes", NULL, "swap_used_bytes", METRIC_GAUGE, "Its swap space in use."},
    {MACHINE "power_watts", NULL, "power_watts", METRIC_GAUGE, "What of its power can be measured."},
    {FILESYSTEM "size_bytes", "filesystems", "total_bytes", METRIC_GAUGE, "The size of a file system."},
    {FILESYSTEM "used_bytes", "filesystems", "used_bytes", METRIC_GAUGE, "What of it is used."},
    {FILESYSTEM "available_bytes", "filesystems", "available_bytes", METRIC_GAUGE,
     "What of it ordinary users may still take."},
    {FILESYSTEM "inodes", "filesystems", "inodes_total", METRIC_GAUGE, "How many files it can hold."},
    {FILESYSTEM "inodes_used", "filesystems", "inodes_used", METRIC_GAUGE, "How many files it holds."},
    {FILESYSTEM "full_in_seconds", "filesystems", "full_in_s", METRIC_GAUGE,
     "When it is full if it goes on as in the last hours."},
    {DISK "temperature_celsius", "disks", "temperature_celsius", METRIC_GAUGE, "A disk's temperature."},
    {DISK "wear_ratio", "disks", "wear_share", METRIC_GAUGE, "How much of the writing it was made for is done."},
    {DISK "powered_on_seconds", "disks", "powered_on_s", METRIC_GAUGE, "How long it has been on in its life."},
    {DISK "reallocated_sectors", "disks", "reallocated_count", METRIC_GAUGE, "Sectors that had to be replaced."},
    {DISK "media_errors", "disks", "error_count", METRIC_GAUGE, "Errors that could not be corrected."},
    {MACHINE "sensor_temperature_celsius", "sensors", "temperature_celsius", METRIC_GAUGE, "What a sensor measures."},
    {MACHINE "fan_revolutions_per_minute", "sensors", "fan_rpm", METRIC_GAUGE, "How fast a fan turns."},
    {NETWORK "received_bytes_per_second", "networks", "received_bytes_per_second", METRIC_GAUGE,
     "What comes in by a network, since the last status."},
    {NETWORK "sent_bytes_per_second", "networks", "sent_bytes_per_second", METRIC_GAUGE,
     "What goes out by a network, since the last status."},
    {GPU "used_ratio", "gpus", "used_share", METRIC_GAUGE, "How busy a GPU is, 0 to 1."},
    {GPU "memory_size_bytes", "gpus", "memory_total_bytes", METRIC_GAUGE, "A GPU's memory."},
    {GPU "memory_used_bytes", "gpus", "memory_used_bytes", METRIC_GAUGE, "What of it is used."},
    {GPU "temperature_celsius", "gpus", "temperature_celsius", METRIC_GAUGE, "A GPU's temperature."},
    {GPU "fan_ratio", "gpus", "fan_share", METRIC_GAUGE, "How fast its fan turns, 0 to 1."},
    {GPU "power_watts", "gpus", "power_watts", METRIC_GAUGE, "What a GPU takes."},
    {GPU "power_limit_watts", "gpus", "power_limit_watts", METRIC_GAUGE, "What a GPU may take."},
    {GPU "energy_joules_total", "gpus", "energy_joules", METRIC_COUNTER, "What it took since its driver was loaded."},
    {GPU "clock_hertz", "gpus", "clock_hz", METRIC_GAUGE, "The clock of its processors."},
    {GPU "memory_clock_hertz", "gpus", "memory_clock_hz", METRIC_GAUGE, "The clock of its memory."},
    {GPU "pcie_lanes", "gpus", "pcie_width", METRIC_GAUGE, "The lanes that connect it now."},
    {GPU "pcie_lanes_max", "gpus", "pcie_width_max", METRIC_GAUGE, "The lanes that could connect it."},
    {GPU "nvlinks", "gpus", "nvlink_count", METRIC_GAUGE, "Its NVLinks."},
    {GPU "nvlinks_active", "gpus", "nvlink_active_count", METRIC_GAUGE, "Its NVLinks that are up."},
    {GPU "ecc_errors_corrected_total", "gpus", "ecc_corrected_count", METRIC_COUNTER,
     "Errors of its memory that were corrected."},
    {GPU "ecc_errors_uncorrected_total", "gpus", "ecc_uncorrected_count", METRIC_COUNTER,
     "Errors of its memory that could not be corrected."},
    {GPU "xid_errors_total", "gpus", "xid_count", METRIC_COUNTER, "Errors that its driver reported."},
};

/* By what the items of a list are told apart. */
static const struct {
    const char *list, *label, *member;
} state_labels[] = {
    {"filesystems", "mount", "mount"},
    {"disks", "disk", "name"},
    {"sensors", "sensor", "name"},
    {"networks", "device", "name"},
};

static const struct status_member *member_find(const struct status_member *members, const char *name) {
    while (members->name && strcmp(members->name, name) != 0)
        members++;
    return members->name ? members : NULL;
}

static const struct status_list *list_find(const char *name) {
    const struct status_list *list = status_lists;
    while (list->name && strcmp(list->name, name) != 0)
        list++;
    return list->name ? list : NULL;
}

static const char *text_of(const void *item, const struct status_list *list, const char *name) {
    const struct status_member *member = member_find(list->members, name);
    return member ? (const char *)item + member->offset : "";
}

static void gpu_index(char to[static 16], const struct gpu *gpu) {
    (void)snprintf(to, 16, "%d", (int)gpu->index);
}

static void add_item(struct metrics *metrics, const struct machine_view *view, const struct state_metric *metric,
                     const struct status_list *list, const void *item) {
    double value = status_number(item, member_find(list->members, metric->member));
    char index[16];
    if (strcmp(list->name, "gpus") == 0) {
        const struct gpu *gpu = item;
        gpu_index(index, gpu);
        metrics_add(metrics, metric->name,
                    (struct metric_label[]){
                        {"machine", view->name}, {"gpu", index}, {"id", gpu->id}, {"model", gpu->name}, {NULL, NULL}},
                    value);
        return;
    }
    for (size_t i = 0; i < sizeof(state_labels) / sizeof(state_labels[0]); i++) {
        if (strcmp(state_labels[i].list, list->name) == 0)
            metrics_add(metrics, metric->name,
                        (struct metric_label[]){{"machine", view->name},
                                                {state_labels[i].label, text_of(item, list, state_labels[i].member)},
                                                {NULL, NULL}},
                        value);
    }
}

static void add_list(struct metrics *metrics, const struct machine_view *view, const struct state_metric *metric) {
    const struct status_list *list = list_find(metric->list);
    const char *status = (const char *)view->status;
    const char *items = *(const char *const *)(const void *)(status + list->items_offset);
    size_t count = *(const size_t *)(const void *)(status + list->count_offset);
    for (size_t i = 0; i < count; i++)
        add_item(metrics, view, metric, list, items + i * list->item_size);
}

/* Only those that are there: what was measured long ago is no state of today. */
static const struct machine_view *view_with_status(const struct overview *machines, size_t i) {
    const struct machine_view *view = &machines->views[i];
    return view->online && view->status ? view : NULL;
}

static void add_metric(struct metrics *metrics, const struct overview *machines, const struct state_metric *metric) {
    metrics_begin(metrics, metric->name, metric->type, metric->help);
    for (size_t i = 0; i < machines->count; i++) {
        const struct machine_view *view = view_with_status(machines, i);
        if (view && metric->list)
            add_list(metrics, view, metric);
        else if (view)
            metrics_add(metrics, metric->name, (struct metric_label[]){{"machine", view->name}, {NULL, NULL}},
                        status_number(view->status, member_find(status_members, metric->member)));
    }
}

static void add_gpus_up(struct metrics *metrics, const struct overview *machines) {
    metrics_begin(metrics, GPU "up", METRIC_GAUGE, "Is the GPU there, and does its driver answer?");
    for (size_t i = 0; i < machines->count; i++) {
        const struct machine_view *view = view_with_status(machines, i);
        for (size_t k = 0; view && k < view->status->gpu_count; k++) {
            const struct gpu *gpu = &view->status->gpus[k];
            char index[16];
            gpu_index(index, gpu);
            metrics_add(
                metrics, GPU "up",
                (struct metric_label[]){
                    {"machine", view->name}, {"gpu", index}, {"id", gpu->id}, {"model", gpu->name}, {NULL, NULL}},
                strcmp(gpu->state, "ok") == 0 || strcmp(gpu->state, "asleep") == 0);
        }
    }
}

static void add_disks_healthy(struct metrics *metrics, const struct overview *machines) {
    metrics_begin(metrics, DISK "healthy", METRIC_GAUGE, "Does the disk call itself healthy?");
    for (size_t i = 0; i < machines->count; i++) {
        const struct machine_view *view = view_with_status(machines, i);
        for (size_t k = 0; view && k < view->status->disk_count; k++) {
            const struct disk *disk = &view->status->disks[k];
            if (disk->health[0])
                metrics_add(metrics, DISK "healthy",
                            (struct metric_label[]){{"machine", view->name}, {"disk", disk->name}, {NULL, NULL}},
                            strcmp(disk->health, "passed") == 0);
        }
    }
}

static bool is_users(const struct process *process, const char *user, size_t gpu) {
    return process_is_on(process, (int64_t)gpu) && strcmp(process_owner(process), user) == 0;
}

/* One user's programs on one GPU: how many, and their memory there as far as it is known. */
static void add_user(struct metrics *metrics, const struct machine_view *view, size_t gpu, const char *user,
                     bool memory) {
    double bytes = (double)NAN, count = 0;
    char index[16];
    for (size_t i = 0; i < view->status->process_count; i++) {
        const struct process *process = &view->status->processes[i];
        if (!is_users(process, user, gpu))
            continue;
        count++;
        if (process->gpu_memory_used_bytes >= 0)
            bytes = (isnan(bytes) ? 0 : bytes) + (double)process->gpu_memory_used_bytes;
    }
    (void)snprintf(index, sizeof(index), "%zu", gpu);
    metrics_add(metrics, memory ? GPU "user_memory_bytes" : GPU "user_processes",
                (struct metric_label[]){{"machine", view->name}, {"gpu", index}, {"user", user}, {NULL, NULL}},
                memory ? bytes : count);
}

/* The first of his processes on that GPU stands for all. */
static bool is_first(const struct status *status, size_t i, size_t gpu) {
    for (size_t k = 0; k < i; k++) {
        if (is_users(&status->processes[k], process_owner(&status->processes[i]), gpu))
            return false;
    }
    return is_users(&status->processes[i], process_owner(&status->processes[i]), gpu);
}

static void add_users(struct metrics *metrics, const struct overview *machines, bool memory) {
    if (memory)
        metrics_begin(metrics, GPU "user_memory_bytes", METRIC_GAUGE, "A GPU's memory that a user's programs hold.");
    else
        metrics_begin(metrics, GPU "user_processes", METRIC_GAUGE, "A user's programs on a GPU.");
    for (size_t i = 0; i < machines->count; i++) {
        const struct machine_view *view = view_with_status(machines, i);
        for (size_t k = 0; view && k < view->status->process_count; k++) {
            for (size_t gpu = 0; gpu < STATUS_GPUS_MAX; gpu++) {
                if (is_first(view->status, k, gpu))
                    add_user(metrics, view, gpu, process_owner(&view->status->processes[k]), memory);
            }
        }
    }
}

static void add_claims(struct metrics *metrics, const struct overview *machines) {
    metrics_begin(metrics, GPU "claimed", METRIC_GAUGE, "Somebody has claimed the GPU.");
    for (size_t i = 0; i < machines->count; i++) {
        const struct machine_view *view = &machines->views[i];
        for (size_t k = 0; k < view->claim_count; k++) {
            char index[16];
            (void)snprintf(index, sizeof(index), "%d", (int)view->claims[k].gpu);
            metrics_add(metrics, GPU "claimed",
                        (struct metric_label[]){
                            {"machine", view->name}, {"gpu", index}, {"user", view->claims[k].user}, {NULL, NULL}},
                        1);
        }
    }
    metrics_begin(metrics, MACHINE "alert", METRIC_GAUGE, "Something is wrong with the machine.");
    for (size_t i = 0; i < machines->count; i++) {
        const struct machine_view *view = &machines->views[i];
        for (size_t k = 0; k < view->alert_count; k++)
            metrics_add(metrics, MACHINE "alert",
                        (struct metric_label[]){{"machine", view->name},
                                                {"kind", view->alerts[k].kind},
                                                {"object", view->alerts[k].object},
                                                {NULL, NULL}},
                        1);
    }
}

void metrics_add_states(struct metrics *metrics, const struct overview *machines) {
    for (size_t i = 0; i < sizeof(state_metrics) / sizeof(state_metrics[0]); i++)
        add_metric(metrics, machines, &state_metrics[i]);
    add_gpus_up(metrics, machines);
    add_disks_healthy(metrics, machines);
    add_users(metrics, machines, false);
    add_users(metrics, machines, true);
    add_claims(metrics, machines);
}
