#include "sallyport/probe/processes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "containers.h"
#include "process_details.h"
#include "process_table.h"
#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

/* All processes are gone through so often at most: who is heavy shows over seconds, and a machine has hundreds. */
#define SCAN_MS 4500
#define HEAVIEST 5
/* Less than that of one processor, or of memory, is not worth telling. */
#define CPU_MIN 0.02
#define MEMORY_MIN (64UL * 1024 * 1024)

/* One that was on a GPU, as it was told last. */
struct remembered {
    struct process process;
    uint64_t start;
};

struct process_probe {
    bool (*notebook)(void *ctx, const char *kernel, char *to, size_t size);
    void *ctx;
    struct process_table table;
    struct process_details *details;
    struct containers *containers;                       /* NULL: not asked */
    struct remembered *remembered[STATUS_PROCESSES_MAX]; /* each owned */
    size_t remembered_count;
    bool has_scanned;
    uint64_t scanned_at;
};

/* What is known of a process; false when it is gone, or there is no memory. */
static bool describe(struct process_probe *probe, uint64_t now_ms, int64_t cpu_count, struct process *process,
                     uint64_t *start) {
    struct process_stat stat;
    struct process_entry entry;
    pid_t pid = (pid_t)process->pid;
    if (process->pid < 1 || process->pid > INT32_MAX || !process_table_look(&probe->table, pid, now_ms, &stat, &entry))
        return false;
    const struct process_detail *detail = process_details_get(probe->details, &probe->table, pid, &stat, now_ms);
    if (detail == NULL)
        return false;
    *start = stat.start;
    process->memory_used_bytes = (int64_t)entry.memory_bytes;
    if (cpu_count > 0 && !isnan(entry.cpu_used_share))
        process->cpu_used_share = fmin(entry.cpu_used_share / (double)cpu_count, 1);
    process->started = detail->started;
    memcpy(process->user, detail->user, sizeof process->user);
    memcpy(process->command, detail->command, sizeof process->command);
    const char *name = detail->container[0] != '\0' && probe->containers != NULL
                           ? containers_name(probe->containers, detail->container)
                           : NULL;
    if (name != NULL)
        (void)str_copy(process->container, sizeof process->container, name);
    else
        memcpy(process->container, detail->container, 12);
    if (detail->kernel[0] != '\0' && probe->notebook != NULL)
        (void)probe->notebook(probe->ctx, detail->kernel, process->notebook, sizeof process->notebook);
    return true;
}

static struct remembered *find_remembered(const struct process_probe *probe, int64_t pid, uint64_t start) {
    for (size_t i = 0; i < probe->remembered_count; i++)
        if (probe->remembered[i]->process.pid == pid && probe->remembered[i]->start == start)
            return probe->remembered[i];
    return NULL;
}

/* One that finds no room is not told when it ends. */
static void remember(struct process_probe *probe, const struct process *process, uint64_t start) {
    struct remembered *one = find_remembered(probe, process->pid, start);
    if (one == NULL && probe->remembered_count < STATUS_PROCESSES_MAX) {
        one = calloc(1, sizeof *one);
        if (one != NULL)
            probe->remembered[probe->remembered_count++] = one;
    }
    if (one != NULL)
        *one = (struct remembered){.process = *process, .start = start};
}

/* Completes the processes on GPUs; those that are gone are taken out. */
static void complete(struct process_probe *probe, uint64_t now_ms, struct status *status) {
    size_t left = 0;
    for (size_t i = 0; i < status->process_count; i++) {
        struct process process = status->processes[i];
        uint64_t start;
        if (!describe(probe, now_ms, status->cpu_count, &process, &start))
            continue;
        remember(probe, &process, start);
        status->processes[left++] = process;
    }
    status->process_count = left;
}

/* Those that were on GPUs and are gone. One that has only left its GPU may come back to it. */
static void tell_ended(struct process_probe *probe, uint64_t now_ms, struct status *status) {
    size_t left = 0;
    for (size_t i = 0; i < probe->remembered_count; i++) {
        struct remembered *one = probe->remembered[i];
        struct process_stat stat;
        struct process_entry entry;
        if (process_table_look(&probe->table, (pid_t)one->process.pid, now_ms, &stat, &entry) &&
            stat.start == one->start) {
            probe->remembered[left++] = one;
            continue;
        }
        struct process *process = status_add(status, "processes");
        if (process != NULL) {
            *process = one->process;
            process->gpu_memory_used_bytes = process->memory_used_bytes = STATUS_UNKNOWN;
            process->cpu_used_share = process->gpu_used_share = NAN;
            process->ended = true;
        }
        free(one);
    }
    probe->remembered_count = left;
}

static double weight(const struct process_entry *entry, bool by_memory) {
    if (by_memory)
        return entry->memory_bytes >= MEMORY_MIN ? (double)entry->memory_bytes : NAN;
    return entry->cpu_used_share >= CPU_MIN ? entry->cpu_used_share : NAN;
}

/* The heaviest of the table, the first the heaviest of all; how many there are. */
static size_t choose(const struct process_table *table, bool by_memory,
                     const struct process_entry *to[static HEAVIEST]) {
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++) {
        double own = weight(&table->items[i], by_memory);
        if (isnan(own))
            continue;
        size_t at = count;
        while (at > 0 && weight(to[at - 1], by_memory) < own)
            at--;
        if (at == HEAVIEST)
            continue;
        if (count < HEAVIEST)
            count++;
        for (size_t j = count - 1; j > at; j--)
            to[j] = to[j - 1];
        to[at] = &table->items[i];
    }
    return count;
}

static bool is_told(const struct status *status, int64_t pid) {
    for (size_t i = 0; i < status->process_count; i++)
        if (status->processes[i].pid == pid && !status->processes[i].ended)
            return true;
    return false;
}

static void tell_heaviest(struct process_probe *probe, bool by_memory, uint64_t now_ms, struct status *status) {
    const struct process_entry *heaviest[HEAVIEST];
    size_t count = choose(&probe->table, by_memory, heaviest);
    for (size_t i = 0; i < count; i++) {
        uint64_t start;
        if (is_told(status, heaviest[i]->pid))
            continue;
        struct process *place = status_add(status, "processes");
        if (place == NULL)
            return;
        place->pid = heaviest[i]->pid;
        if (!describe(probe, now_ms, status->cpu_count, place, &start))
            status->process_count--;
    }
}

int process_probe_sample(struct process_probe *probe, uint64_t now_ms, struct status *status) {
    int rc = 0;
    if (!probe->has_scanned || now_ms - probe->scanned_at >= SCAN_MS) {
        rc = process_table_scan(&probe->table, now_ms);
        probe->has_scanned = true;
        probe->scanned_at = now_ms;
    }
    complete(probe, now_ms, status);
    tell_ended(probe, now_ms, status);
    tell_heaviest(probe, false, now_ms, status);
    tell_heaviest(probe, true, now_ms, status);
    return rc;
}

int process_probe_new(struct loop *loop, const struct process_probe_config *config, struct process_probe **out) {
    struct process_probe *probe = calloc(1, sizeof *probe);
    if (probe == NULL)
        return SP_ENOMEM;
    probe->notebook = config->notebook;
    probe->ctx = config->ctx;
    int rc = process_table_init(&probe->table, config->root);
    if (rc == 0)
        rc = process_details_new(config->root, &probe->details);
    if (rc == 0 && config->docker_socket != NULL)
        rc = containers_new(loop, config->docker_socket, &probe->containers);
    if (rc != 0) {
        process_probe_free(probe);
        return rc;
    }
    *out = probe;
    return 0;
}

void process_probe_free(struct process_probe *probe) {
    if (probe == NULL)
        return;
    for (size_t i = 0; i < probe->remembered_count; i++)
        free(probe->remembered[i]);
    containers_free(probe->containers);
    process_details_free(probe->details);
    process_table_fini(&probe->table);
    free(probe);
}
