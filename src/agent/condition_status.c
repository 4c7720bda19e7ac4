#include <jansson.h>
#include <math.h>
#include <string.h>

#include "condition_local.h"
#include "sallyport/base/str.h"

static void share_text(char *to, size_t size, double share) {
    if (isnan(share))
        (void)str_copy(to, size, "-");
    else
        (void)snprintf(to, size, "%.0f %%", share * 100);
}

/* "8.2 GiB of 64 GiB"; "-" when one is not known. */
static void filled_text(char *to, size_t size, int64_t used, int64_t total) {
    char one[32], other[32];
    (void)str_copy(to, size, "-");
    if (used < 0 || total < 0)
        return;
    str_bytes(one, sizeof one, (uint64_t)used);
    str_bytes(other, sizeof other, (uint64_t)total);
    (void)snprintf(to, size, "%s of %s", one, other);
}

/* The accounts whose programs are on that GPU, each once. */
static void users_text(const struct status *status, int64_t index, char *to, size_t size) {
    size_t len = 0;
    to[0] = '\0';
    for (size_t i = 0; i < status->process_count; i++) {
        const struct process *process = &status->processes[i];
        bool on_it = index >= 0 && index < 32 && (process->gpus & (1U << index));
        bool told = false;
        for (size_t j = 0; j < i && on_it; j++)
            told = told || (!status->processes[j].ended && (status->processes[j].gpus & (1U << index)) &&
                            strcmp(status->processes[j].user, process->user) == 0);
        if (!on_it || told || process->ended || !process->user[0] || len + strlen(process->user) + 3 > size)
            continue;
        len += (size_t)snprintf(to + len, size - len, "%s%s", len ? ", " : "", process->user);
    }
}

static void gpu_text(const struct status *status, const struct gpu *gpu, struct buf *out) {
    char used[16], memory[80], degrees[32] = "-", users[200];
    share_text(used, sizeof used, gpu->used_share);
    filled_text(memory, sizeof memory, gpu->memory_used_bytes, gpu->memory_total_bytes);
    if (!isnan(gpu->temperature_celsius))
        (void)snprintf(degrees, sizeof degrees, "%.0f degrees", gpu->temperature_celsius);
    users_text(status, gpu->index, users, sizeof users);
    (void)buf_printf(out, "  GPU %d: %s: ", (int)gpu->index, gpu->name[0] ? gpu->name : gpu->id);
    if (strcmp(gpu->state, "ok") != 0)
        (void)buf_printf(out, "%s\n", gpu->state);
    else
        (void)buf_printf(out, "%s used, memory %s, %s, %s%s\n", used, memory, degrees, users[0] ? "of " : "nobody's",
                         users);
}

void condition_to_text(struct condition *condition, struct buf *out) {
    const struct status *status = sampler_latest(condition->sampler);
    char used[16], filled[80];
    if (!status)
        return;
    share_text(used, sizeof used, status->cpu_used_share);
    filled_text(filled, sizeof filled, status->memory_used_bytes, status->memory_total_bytes);
    (void)buf_printf(out, "Processors %s used, memory %s%s\n", used, filled,
                     sleep_keeps_awake(condition->sleep) ? "; kept from sleeping" : "");
    for (size_t i = 0; i < status->gpu_count; i++)
        gpu_text(status, &status->gpus[i], out);
    for (size_t i = 0; i < status->filesystem_count; i++) {
        const struct filesystem *filesystem = &status->filesystems[i];
        filled_text(filled, sizeof filled, filesystem->used_bytes, filesystem->total_bytes);
        (void)buf_printf(out, "  %-12s %s\n", filesystem->mount, filled);
    }
}

json_t *condition_to_json(struct condition *condition) {
    const struct status *status = sampler_latest(condition->sampler);
    return status ? status_to_json(status, STATUS_ALL) : NULL;
}
