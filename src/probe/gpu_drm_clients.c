/* Who uses AMD's and Intel's GPUs: the kernel counts for each open descriptor (drm-usage-stats in its documentation). */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gpu_drm.h"
#include "process.h"
#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

enum { SCAN_MS = 30000, FDS_MAX = 4096 };

/* ---- One file ---- */

/* The place of the engine of that name, made when it is new; DRM_ENGINES_MAX: too many, or no good name. */
static size_t fdinfo_engine(struct drm_fdinfo *info, const char *name) {
    size_t i = 0;
    while (i < info->engine_count && strcmp(info->engines[i].name, name) != 0)
        i++;
    if (i < info->engine_count)
        return i;
    if (i == DRM_ENGINES_MAX || !str_is_clean(name, strlen(name)) ||
        str_copy(info->engines[i].name, sizeof info->engines[i].name, name) != 0)
        return DRM_ENGINES_MAX;
    info->engines[i].busy = info->engines[i].cycles = 0;
    info->engine_count++;
    return i;
}

/* "1024 KiB" -> bytes. */
static int64_t fdinfo_bytes(const char *value) {
    char *end;
    unsigned long long number = strtoull(value, &end, 10);
    if (end == value || number > (1ULL << 50))
        return STATUS_UNKNOWN;
    return (int64_t)(number << (str_starts(end, " KiB") ? 10 : str_starts(end, " MiB") ? 20 : 0));
}

/* Memory of its own, not the machine's: "vram0", "vram", "local0"; older drivers said memory, newer ones resident. */
static void fdinfo_memory(struct drm_fdinfo *info, const char *region, const char *value) {
    int64_t bytes = str_starts(region, "vram") || str_starts(region, "local") ? fdinfo_bytes(value) : STATUS_UNKNOWN;
    if (bytes > info->memory_bytes)
        info->memory_bytes = bytes;
}

static void fdinfo_line(struct drm_fdinfo *info, const char *key, const char *value) {
    uint64_t number = strtoull(value, NULL, 10);
    size_t engine;
    if (strcmp(key, "pdev") == 0)
        (void)str_copy(info->address, sizeof info->address, value);
    else if (strcmp(key, "client-id") == 0)
        info->id = number <= INT64_MAX ? (int64_t)number : STATUS_UNKNOWN;
    else if (str_starts(key, "memory-"))
        fdinfo_memory(info, key + strlen("memory-"), value);
    else if (str_starts(key, "resident-"))
        fdinfo_memory(info, key + strlen("resident-"), value);
    else if (str_starts(key, "total-cycles-") &&
             (engine = fdinfo_engine(info, key + strlen("total-cycles-"))) < DRM_ENGINES_MAX)
        info->engines[engine].cycles = number;
    else if (((str_starts(key, "engine-") && !str_starts(key, "engine-capacity-")) || str_starts(key, "cycles-")) &&
             (engine = fdinfo_engine(info, strchr(key, '-') + 1)) < DRM_ENGINES_MAX)
        info->engines[engine].busy = number;
}

int drm_fdinfo_read(char *text, struct drm_fdinfo *out) {
    char *rest = NULL;
    struct drm_fdinfo info = {.id = STATUS_UNKNOWN, .memory_bytes = STATUS_UNKNOWN};
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');
        if (!str_starts(line, "drm-") || !colon)
            continue;
        *colon = '\0';
        fdinfo_line(&info, line + strlen("drm-"), colon + 1 + strspn(colon + 1, " \t"));
    }
    if (info.id < 0 || info.address[0] == '\0')
        return SP_EFORMAT;
    *out = info;
    return 0;
}

/* ---- All of them ---- */

static bool fdinfo_of(const struct drm *drm, int64_t pid, int64_t fd, struct drm_fdinfo *out) {
    char text[4096];
    return kernel_text(text, sizeof text, drm->root, "/proc/%lld/fdinfo/%lld", (long long)pid, (long long)fd) == 0 &&
           drm_fdinfo_read(text, out) == 0;
}

static void add_client(struct drm *drm, int64_t pid, int64_t fd) {
    struct drm_fdinfo info;
    size_t gpu = 0;
    if (drm->client_count == DRM_CLIENTS_MAX || !fdinfo_of(drm, pid, fd, &info))
        return;
    while (gpu < drm->gpu_count && strcmp(drm->gpus[gpu].address, info.address) != 0)
        gpu++;
    if (gpu == drm->gpu_count)
        return;
    /* One client may have several descriptors, also in several processes. */
    for (size_t i = 0; i < drm->client_count; i++) {
        if (drm->clients[i].id == info.id && drm->clients[i].gpu == gpu)
            return;
    }
    drm->clients[drm->client_count++] =
        (struct drm_client){.pid = pid, .fd = fd, .id = info.id, .gpu = gpu, .used_share = (double)NAN};
}

static bool scan_process(void *ctx, pid_t pid) {
    struct drm *drm = ctx;
    char path[KERNEL_PATH_SIZE], target[32];
    int seen = 0;
    int length = snprintf(path, sizeof path, "%s/proc/%ld/fd", drm->root, (long)pid);
    DIR *dir = length > 0 && (size_t)length < sizeof path ? opendir(path) : NULL;
    if (!dir)
        return true;
    for (const struct dirent *entry = readdir(dir); entry && seen < FDS_MAX; entry = readdir(dir), seen++) {
        uint64_t fd;
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        if (str_starts(target, "/dev/dri/") && str_u64(entry->d_name, 0, INT32_MAX, &fd) == 0)
            add_client(drm, pid, (int64_t)fd);
    }
    (void)closedir(dir);
    return drm->client_count < DRM_CLIENTS_MAX;
}

static size_t gpu_engine(struct drm_gpu *gpu, const char *name) {
    size_t i = 0;
    while (i < gpu->engine_count && strcmp(gpu->engines[i], name) != 0)
        i++;
    if (i == gpu->engine_count && i < DRM_ENGINES_MAX) {
        (void)str_copy(gpu->engines[i], sizeof gpu->engines[i], name);
        gpu->engines_used[i] = 0;
        gpu->engine_count++;
    }
    return i;
}

/* The share that it used of one engine since the last sample; a counter that jumped back says nothing. */
static double used_of(const struct drm_client *client, size_t engine, uint64_t busy, uint64_t cycles, uint64_t now_ms) {
    double spent, all;
    if (client->read_at_ms == 0 || busy < client->busy[engine] || cycles < client->cycles[engine])
        return 0;
    spent = (double)(busy - client->busy[engine]);
    all = cycles > 0 ? (double)(cycles - client->cycles[engine]) : (double)(now_ms - client->read_at_ms) * 1e6;
    return all <= 0 ? 0 : spent < all ? spent / all : 1;
}

/* False: it is gone. */
static bool sample_client(struct drm *drm, struct drm_client *client, uint64_t now_ms) {
    struct drm_fdinfo info;
    struct drm_gpu *gpu = &drm->gpus[client->gpu];
    double most = 0;
    if (!fdinfo_of(drm, client->pid, client->fd, &info) || info.id != client->id ||
        strcmp(info.address, gpu->address) != 0)
        return false;
    for (size_t i = 0; i < info.engine_count; i++) {
        size_t engine = gpu_engine(gpu, info.engines[i].name);
        if (engine >= DRM_ENGINES_MAX)
            continue;
        double used = used_of(client, engine, info.engines[i].busy, info.engines[i].cycles, now_ms);
        gpu->engines_used[engine] += used;
        most = used > most ? used : most;
        client->busy[engine] = info.engines[i].busy;
        client->cycles[engine] = info.engines[i].cycles;
    }
    client->memory_bytes = info.memory_bytes;
    client->used_share = client->read_at_ms != 0 && info.engine_count > 0 ? most : (double)NAN;
    client->read_at_ms = now_ms;
    return true;
}

void drm_clients_sample(struct drm *drm, uint64_t now_ms) {
    size_t kept = 0;
    for (size_t i = 0; i < drm->gpu_count; i++)
        memset(drm->gpus[i].engines_used, 0, sizeof drm->gpus[i].engines_used);
    if (drm->scanned_at_ms == 0 || now_ms - drm->scanned_at_ms >= SCAN_MS) {
        (void)process_each(drm->root, scan_process, drm);
        drm->scanned_at_ms = now_ms;
    }
    for (size_t i = 0; i < drm->client_count; i++) {
        if (sample_client(drm, &drm->clients[i], now_ms))
            drm->clients[kept++] = drm->clients[i];
    }
    drm->client_count = kept;
}
