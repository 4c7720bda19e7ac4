/* Which processes are on a GPU, with what they use of it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_nvml_local.h"

/* More rows than that are not asked for: what a driver says of its lists is not believed without a bound. */
enum { ROWS_MAX = 1024, ROWS_FIRST = 64 };

struct row {
    int64_t pid, memory; /* memory: STATUS_UNKNOWN */
    double share_sum;
    unsigned share_count;
};
struct rows {
    struct row *items;
    size_t count, room;
};

static struct row *rows_find(struct rows *rows, int64_t pid) {
    for (size_t i = 0; i < rows->count; i++) {
        if (rows->items[i].pid == pid)
            return &rows->items[i];
    }
    return NULL;
}

static struct row *rows_add(struct rows *rows, int64_t pid) {
    if (rows->count == rows->room) {
        size_t room = rows->room ? 2 * rows->room : 16;
        struct row *items = realloc(rows->items, room * sizeof *items);
        if (!items)
            return NULL;
        rows->items = items;
        rows->room = room;
    }
    rows->items[rows->count] = (struct row){.pid = pid, .memory = STATUS_UNKNOWN};
    return &rows->items[rows->count++];
}

/* Calls one of the lists, with as much room as it wants. The caller frees; NULL: none, or not to be had. */
static char *list_read(const struct nvml_api *api, struct nvml_gpu *gpu, void *device,
                       int (*call)(void *device, unsigned *count, void *rows), unsigned *count, bool *is_good) {
    *is_good = false;
    for (unsigned room = ROWS_FIRST; call && room <= ROWS_MAX && !gpu->is_lost;) {
        /* Room for the largest rows, whatever this library is thought to write. */
        void *bytes = calloc(room, sizeof(struct nvml_process_odd));
        if (!bytes)
            return NULL;
        *count = room;
        int code = call(device, count, bytes);
        *is_good = nvml_is_good(gpu, code) && *count <= room && api->process_size > 0;
        if (*is_good)
            return bytes;
        free(bytes);
        if (code != NVML_TOO_SMALL)
            return NULL;
        room = *count > room && *count < ROWS_MAX ? *count + ROWS_FIRST / 4 : 2 * room;
    }
    return NULL;
}

/* The rows of one list, those of one process added up: it may be in several parts of the GPU. */
static bool list_add(const struct nvml_api *api, struct nvml_gpu *gpu, void *device,
                     int (*call)(void *device, unsigned *count, void *rows), struct rows *rows) {
    unsigned count;
    bool is_good;
    char *bytes = list_read(api, gpu, device, call, &count, &is_good);
    for (unsigned i = 0; bytes && i < count; i++) {
        struct nvml_process1 process; /* how all of them begin */
        memcpy(&process, bytes + i * api->process_size, sizeof process);
        struct row *row = rows_find(rows, process.pid);
        if (!row)
            row = rows_add(rows, process.pid);
        if (row && process.memory <= INT64_MAX / ROWS_MAX)
            row->memory = (row->memory > 0 ? row->memory : 0) + (int64_t)process.memory;
    }
    free(bytes);
    return is_good;
}

/* A process that computes and draws is in both lists, with the same memory. */
static void rows_merge(struct rows *to, const struct rows *from) {
    for (size_t i = 0; i < from->count; i++) {
        const struct row *other = &from->items[i];
        struct row *row = rows_find(to, other->pid);
        if (!row)
            row = rows_add(to, other->pid);
        if (row && other->memory > row->memory)
            row->memory = other->memory;
    }
}

static bool device_add(const struct nvml_api *api, struct nvml_gpu *gpu, void *device, struct rows *rows) {
    struct rows drawing = {0};
    bool is_good = list_add(api, gpu, device, api->compute, rows);
    (void)list_add(api, gpu, device, api->graphics, &drawing);
    rows_merge(rows, &drawing);
    free(drawing.items);
    return is_good;
}

/* Who may not see all parts of a GPU at once may see them one by one. */
static void parts_add(const struct nvml_api *api, struct nvml_gpu *gpu, struct rows *rows) {
    enum { PARTS_MAX = 16 };
    unsigned count = 0;
    if (!api->mig_count || !api->mig_device || !nvml_is_good(gpu, api->mig_count(gpu->device, &count)))
        return;
    for (unsigned i = 0; i < count && i < PARTS_MAX && !gpu->is_lost; i++) {
        struct rows part = {0};
        void *device;
        if (!nvml_is_good(gpu, api->mig_device(gpu->device, i, &device)))
            continue;
        (void)device_add(api, gpu, device, &part);
        for (size_t j = 0; j < part.count; j++) {
            struct row *row = rows_find(rows, part.items[j].pid);
            if (!row)
                row = rows_add(rows, part.items[j].pid);
            if (row && part.items[j].memory >= 0)
                row->memory = (row->memory > 0 ? row->memory : 0) + part.items[j].memory;
        }
        free(part.items);
    }
}

/* Their parts of the time since the last sample: those that are not told have used nothing. False: not known. */
static bool read_use(const struct nvml_api *api, struct nvml_gpu *gpu, struct rows *rows) {
    enum { PERCENT = 100 };
    unsigned count = 0;
    if (!api->process_use || gpu->is_lost || rows->count == 0)
        return false;
    int code = api->process_use(gpu->device, NULL, &count, gpu->use_since_us);
    if (code == NVML_NOT_FOUND || (code == NVML_OK && count == 0))
        return true;
    if (code != NVML_TOO_SMALL || count == 0 || count > ROWS_MAX)
        return false;
    unsigned room = count;
    struct nvml_process_use *uses = calloc(room, sizeof *uses);
    if (!uses)
        return false;
    code = api->process_use(gpu->device, uses, &count, gpu->use_since_us);
    bool is_good = nvml_is_good(gpu, code) && count <= room;
    for (unsigned i = 0; is_good && i < count; i++) {
        struct row *row = rows_find(rows, uses[i].pid);
        if (uses[i].time_us > gpu->use_since_us && uses[i].sm <= PERCENT && row) {
            row->share_sum += uses[i].sm / (double)PERCENT;
            row->share_count++;
        }
    }
    for (unsigned i = 0; is_good && i < count; i++) {
        if (uses[i].time_us > gpu->use_since_us)
            gpu->use_since_us = uses[i].time_us;
    }
    free(uses);
    return is_good || code == NVML_NOT_FOUND;
}

void nvml_read_processes(const struct nvml_api *api, struct nvml_gpu *gpu, struct gpu_users *users) {
    struct rows rows = {0};
    bool is_good = device_add(api, gpu, gpu->device, &rows);
    if (!is_good && gpu->told.partitioned && !gpu->is_lost)
        parts_add(api, gpu, &rows);
    bool has_use = read_use(api, gpu, &rows);
    for (size_t i = 0; i < rows.count; i++) {
        const struct row *row = &rows.items[i];
        double share = !has_use ? (double)NAN : row->share_count > 0 ? row->share_sum / row->share_count : 0;
        gpu_users_add(users, row->pid, gpu->told.index, row->memory, share);
    }
    free(rows.items);
}
