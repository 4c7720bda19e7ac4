/* The GPUs as the agent knows them: what one child says is held against what earlier ones said. */
#include <stdlib.h>
#include <string.h>

#include "gpu_local.h"
#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

void gpu_known_init(struct gpu_known *known) {
    status_init(&known->now);
    memset(known->xid_before, 0, sizeof known->xid_before);
}

void gpu_known_fini(struct gpu_known *known) {
    status_fini(&known->now);
}

static bool has_index(const struct gpu *gpu) {
    return gpu->index >= 0 && gpu->index < STATUS_GPUS_MAX;
}

void gpu_known_restart(struct gpu_known *known) {
    for (size_t i = 0; i < known->now.gpu_count; i++) {
        const struct gpu *gpu = &known->now.gpus[i];
        if (has_index(gpu) && gpu->xid_count > 0)
            known->xid_before[gpu->index] = gpu->xid_count;
    }
}

static struct gpu *find(const struct status *status, const char *id) {
    for (size_t i = 0; i < status->gpu_count; i++) {
        if (strcmp(status->gpus[i].id, id) == 0)
            return &status->gpus[i];
    }
    return NULL;
}

static bool is_state(const char *text) {
    return strcmp(text, "ok") == 0 || strcmp(text, "asleep") == 0 || strcmp(text, "lost") == 0;
}

/* Only its names stay. False: there is no room for it. */
static bool add_silent(struct status *to, const struct gpu *gpu, const char *state) {
    struct gpu *silent = status_add(to, "gpus");
    if (!silent)
        return false;
    silent->index = gpu->index;
    silent->xid_count = gpu->xid_count;
    silent->xid_last = gpu->xid_last;
    memcpy(silent->id, gpu->id, sizeof silent->id);
    memcpy(silent->name, gpu->name, sizeof silent->name);
    memcpy(silent->driver, gpu->driver, sizeof silent->driver);
    (void)str_copy(silent->state, sizeof silent->state, state);
    return true;
}

/* NVIDIA's GPUs fall off their bus; others are only ever taken out. One of NVIDIA's that slept when the agent began may have
 * been known by its place until it woke. */
static bool is_gone_for_good(const struct gpu *gpu, const struct status *sample) {
    return str_starts(gpu->id, "pci-") && !find(sample, gpu->id);
}

/* Which indices belong to somebody: to a GPU that we know, whether this sample has it or not. */
static uint32_t taken_indices(const struct gpu_known *known, const struct status *sample) {
    uint32_t taken = 0;
    for (size_t i = 0; i < known->now.gpu_count; i++) {
        if (!is_gone_for_good(&known->now.gpus[i], sample))
            taken |= UINT32_C(1) << known->now.gpus[i].index;
    }
    return taken;
}

/* The index for a GPU of the sample: its old one, else its own, else the next that is free; -1: none is. */
static int64_t choose_index(const struct gpu *gpu, const struct gpu *before, uint32_t *taken) {
    int64_t index = before ? before->index : gpu->index;
    if (!before && *taken >> index & 1) {
        index = 0;
        while (index < STATUS_GPUS_MAX && *taken >> index & 1)
            index++;
    }
    if (index >= STATUS_GPUS_MAX)
        return -1;
    *taken |= UINT32_C(1) << index;
    return index;
}

static void carry_over(const struct gpu_known *known, const struct gpu *before, struct gpu *gpu) {
    if (gpu->xid_count >= 0)
        gpu->xid_count += known->xid_before[gpu->index];
    if (!before)
        return;
    if (gpu->xid_count < before->xid_count)
        gpu->xid_count = before->xid_count;
    if (gpu->xid_last < 0)
        gpu->xid_last = before->xid_last;
    if (gpu->name[0] == '\0')
        memcpy(gpu->name, before->name, sizeof gpu->name);
    if (gpu->driver[0] == '\0')
        memcpy(gpu->driver, before->driver, sizeof gpu->driver);
}

/* `map` says which index each GPU of the sample got. */
static bool take_gpus(const struct gpu_known *known, const struct status *sample, struct status *next,
                      int64_t map[static STATUS_GPUS_MAX]) {
    uint32_t taken = taken_indices(known, sample);
    for (size_t i = 0; i < STATUS_GPUS_MAX; i++)
        map[i] = -1;
    for (size_t i = 0; i < sample->gpu_count; i++) {
        const struct gpu *gpu = &sample->gpus[i], *before = find(&known->now, gpu->id);
        if (!has_index(gpu) || map[gpu->index] >= 0 || !is_state(gpu->state) || find(next, gpu->id))
            continue;
        int64_t index = choose_index(gpu, before, &taken);
        if (index < 0)
            continue;
        struct gpu *added = status_add(next, "gpus");
        if (!added)
            return false;
        *added = *gpu;
        added->index = index;
        map[gpu->index] = index;
        carry_over(known, before, added);
    }
    return true;
}

static bool keep_lost(const struct gpu_known *known, const struct status *sample, struct status *next) {
    for (size_t i = 0; i < known->now.gpu_count; i++) {
        const struct gpu *gpu = &known->now.gpus[i];
        if (!find(next, gpu->id) && !is_gone_for_good(gpu, sample) && !add_silent(next, gpu, "lost"))
            return next->gpu_count >= STATUS_GPUS_MAX;
    }
    return true;
}

static bool take_processes(const struct status *sample, struct status *next,
                           const int64_t map[static STATUS_GPUS_MAX]) {
    for (size_t i = 0; i < sample->process_count; i++) {
        const struct process *process = &sample->processes[i];
        uint32_t gpus = 0;
        for (size_t bit = 0; bit < STATUS_GPUS_MAX; bit++) {
            if (process->gpus >> bit & 1 && map[bit] >= 0)
                gpus |= UINT32_C(1) << map[bit];
        }
        if (gpus == 0 || process->pid <= 0)
            continue;
        struct process *added = status_add(next, "processes");
        if (!added)
            return false;
        added->pid = process->pid;
        added->gpus = gpus;
        added->gpu_memory_used_bytes = process->gpu_memory_used_bytes;
        added->gpu_used_share = process->gpu_used_share;
    }
    return true;
}

static int by_index(const void *left, const void *right) {
    const struct gpu *a = left, *b = right;
    return a->index < b->index ? -1 : a->index > b->index;
}

int gpu_known_take(struct gpu_known *known, const struct status *sample) {
    int64_t map[STATUS_GPUS_MAX];
    struct status next;
    status_init(&next);
    if (!take_gpus(known, sample, &next, map) || !keep_lost(known, sample, &next) ||
        !take_processes(sample, &next, map)) {
        status_fini(&next);
        return SP_ENOMEM;
    }
    if (next.gpu_count > 1)
        qsort(next.gpus, next.gpu_count, sizeof next.gpus[0], by_index);
    status_fini(&known->now);
    known->now = next;
    return 0;
}

void gpu_known_hang(struct gpu_known *known) {
    struct status *now = &known->now;
    struct status next;
    status_init(&next);
    for (size_t i = 0; i < now->gpu_count; i++)
        (void)add_silent(&next, &now->gpus[i], strcmp(now->gpus[i].state, "lost") == 0 ? "lost" : "hanging");
    for (size_t i = 0; i < now->process_count; i++) {
        struct process *process = status_add(&next, "processes");
        if (!process)
            break;
        process->pid = now->processes[i].pid;
        process->gpus = now->processes[i].gpus;
    }
    status_fini(now);
    *now = next;
}
