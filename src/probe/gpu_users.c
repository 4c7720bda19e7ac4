/* The processes that a child finds on the GPUs, and a few questions to the kernel that all makers' GPUs share. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_local.h"
#include "kernel_file.h"
#include "process.h"

void gpu_users_add(struct gpu_users *users, int64_t pid, int64_t index, int64_t memory_bytes, double used_share) {
    struct gpu_user *user = users->items, *end = users->items + users->count;
    while (user < end && user->pid != pid)
        user++;
    if (user == end) {
        if (users->count >= GPU_USERS_MAX || pid <= 0 || index < 0 || index >= STATUS_GPUS_MAX)
            return;
        *user = (struct gpu_user){.pid = pid, .memory_bytes = STATUS_UNKNOWN};
        users->count++;
    }
    user->gpus |= UINT32_C(1) << index;
    if (memory_bytes >= 0 && memory_bytes < INT64_MAX / GPU_USERS_MAX)
        user->memory_bytes = memory_bytes + (user->memory_bytes > 0 ? user->memory_bytes : 0);
    if (isfinite(used_share)) {
        user->used_share += used_share;
        user->shares++;
    }
}

static int by_memory(const void *left, const void *right) {
    const struct gpu_user *a = left, *b = right;
    if (a->memory_bytes != b->memory_bytes)
        return a->memory_bytes > b->memory_bytes ? -1 : 1;
    return a->pid < b->pid ? -1 : a->pid > b->pid;
}

void gpu_users_tell(struct gpu_users *users, const char *root, struct status *out) {
    qsort(users->items, users->count, sizeof users->items[0], by_memory);
    for (size_t i = 0; i < users->count; i++) {
        const struct gpu_user *user = &users->items[i];
        if (user->pid > INT32_MAX || !process_exists(root, (pid_t)user->pid))
            continue;
        struct process *process = status_add(out, "processes");
        if (!process)
            return;
        process->pid = user->pid;
        process->gpus = user->gpus;
        process->gpu_memory_used_bytes = user->memory_bytes;
        if (user->shares > 0)
            process->gpu_used_share = user->used_share / user->shares;
    }
}

void gpu_set_pci_id(struct gpu *gpu, const char *address) {
    (void)snprintf(gpu->id, sizeof gpu->id, "pci-%s", address);
}

bool gpu_is_asleep(const char *root, const char *address) {
    char text[32];
    return address[0] != '\0' &&
           kernel_text(text, sizeof text, root, "/sys/bus/pci/devices/%s/power/runtime_status", address) == 0 &&
           strcmp(text, "suspended") == 0;
}
