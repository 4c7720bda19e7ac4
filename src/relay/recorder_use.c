/* Who used which GPU for how long, and how much energy it took. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "recorder_local.h"
#include "sallyport/base/str.h"

/* Between two statuses that are further apart nothing is known. */
#define GAP_S 300
#define BUSY_SHARE 0.05
/* What is more is an error of whoever measured. */
#define GPU_WATTS_MAX 3000
#define MACHINE_WATTS_MAX 100000
#define DAY_S 86400
#define USERS_MAX 16 /* on one GPU at one time; who is over is nobody */

/* Who is on a GPU, and what part of it is his. */
struct users {
    const char *names[USERS_MAX];
    double weights[USERS_MAX];
    size_t count;
    double known; /* the sum of the weights */
};

void usage_fini(struct usage *usage) {
    free(usage->uses);
    usage->uses = NULL;
    usage->use_count = 0;
}

static void add(struct usage *usage, int64_t now, const char *gpu, const char *user, double busy_s, double joules) {
    int32_t day = (int32_t)(now / DAY_S);
    size_t i = 0;
    if (busy_s <= 0 && joules <= 0)
        return;
    while (i < usage->use_count && (usage->uses[i].day != day || strcmp(usage->uses[i].gpu, gpu) != 0 ||
                                    strcmp(usage->uses[i].user, user) != 0))
        i++;
    if (i == USES_PENDING_MAX)
        return;
    if (i == usage->use_count) {
        struct history_use *grown = reallocarray(usage->uses, i + 1, sizeof(*usage->uses));
        if (!grown)
            return;
        usage->uses = grown;
        usage->use_count++;
        grown[i] = (struct history_use){.day = day};
        (void)str_copy(grown[i].gpu, sizeof(grown[i].gpu), gpu);
        (void)str_copy(grown[i].user, sizeof(grown[i].user), user);
    }
    usage->uses[i].busy_s += busy_s;
    usage->uses[i].joules += joules;
}

static void find_users(const struct status *status, const struct gpu *gpu, struct users *users) {
    *users = (struct users){.count = 0};
    for (size_t i = 0; i < status->process_count; i++) {
        const struct process *process = &status->processes[i];
        const char *name = process_owner(process);
        if (!process_is_on(process, gpu->index))
            continue;
        size_t at = 0;
        while (at < users->count && strcmp(users->names[at], name) != 0)
            at++;
        if (at == USERS_MAX)
            continue;
        if (at == users->count)
            users->names[users->count++] = name;
        if (process->gpu_used_share > 0) { /* not so for what is not known */
            users->weights[at] += process->gpu_used_share;
            users->known += process->gpu_used_share;
        }
    }
}

/* The energy since the last status, by the GPU's own counter where it has one. `gap`: nobody was looking for a while. */
static double energy_of(struct usage *usage, const struct gpu *gpu, double seconds, bool gap) {
    size_t i = 0;
    while (i < usage->counter_count && strcmp(usage->counters[i].id, gpu->id) != 0)
        i++;
    int64_t before = i < usage->counter_count ? usage->counters[i].joules : STATUS_UNKNOWN;
    if (i == STATUS_GPUS_MAX) /* those of GPUs that are gone give way */
        usage->counter_count = i = 0;
    if (i == usage->counter_count) {
        usage->counter_count++;
        (void)str_copy(usage->counters[i].id, sizeof(usage->counters[i].id), gpu->id);
    }
    usage->counters[i].joules = gpu->energy_joules;
    double spent = (double)(gpu->energy_joules - before);
    if (before >= 0 && gpu->energy_joules >= before && spent <= (seconds + 1) * GPU_WATTS_MAX)
        return spent;
    return gap || isnan(gpu->power_watts) ? 0 : fmin(gpu->power_watts, GPU_WATTS_MAX) * seconds;
}

/* Adds what one GPU did, and returns the energy. */
static double take_gpu(struct usage *usage, const struct status *status, const struct gpu *gpu, int64_t now,
                       double seconds, bool gap) {
    struct users users;
    find_users(status, gpu, &users);
    double joules = energy_of(usage, gpu, seconds, gap);
    bool busy = !gap && (isnan(gpu->used_share) ? users.count > 0 : gpu->used_share > BUSY_SHARE);
    if (!busy || users.count == 0)
        add(usage, now, gpu->id, "", busy ? seconds : 0, joules);
    for (size_t i = 0; busy && i < users.count; i++) {
        double part = users.known > 0 ? users.weights[i] / users.known : 1 / (double)users.count;
        add(usage, now, gpu->id, users.names[i], seconds * part, joules * part);
    }
    return joules;
}

void usage_take(struct usage *usage, const struct status *status, int64_t now, uint64_t now_ms) {
    double seconds = usage->last ? (double)(now_ms - usage->last) / 1000 : 0;
    bool gap = !usage->last || seconds > GAP_S;
    double gpus = 0;
    for (size_t i = 0; i < status->gpu_count; i++)
        gpus += take_gpu(usage, status, &status->gpus[i], now, seconds, gap);
    double watts = isnan(status->power_watts) || gap ? 0 : fmin(status->power_watts, MACHINE_WATTS_MAX);
    add(usage, now, "", "", gap ? 0 : seconds, fmax(watts * seconds, gpus));
    usage->last = now_ms ? now_ms : 1;
}
