#include "sleep.h"

#include <math.h>
#include <stdlib.h>

#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sallyport/wire/logind.h"

enum { SAY_MS = 2000, KEEP_MS = 5 * 60 * 1000 };

struct sleep {
    struct loop *loop;
    struct logind *logind;
    struct loop_timer saying;
    enum agent_keep_awake keep;
    bool asleep;
    uint64_t slept_before; /* how long the machine had slept since it booted, when it went to sleep */
    struct sleep_need need;
    const struct sleep_events *events;
    void *ctx;
};

static uint64_t slept_so_far(void) {
    return os_boottime_ms() - os_monotonic_ms();
}

void sleep_said(struct sleep *sleep) {
    loop_timer_stop(&sleep->saying);
    if (sleep->asleep)
        logind_let_sleep(sleep->logind);
}

static void sleep_waited(void *ctx) {
    sleep_said(ctx);
}

static void sleep_sleeping(void *ctx) {
    struct sleep *sleep = ctx;
    log_info("this machine goes to sleep");
    sleep->asleep = true;
    sleep->slept_before = slept_so_far();
    (void)loop_timer_set(&sleep->saying, SAY_MS);
    sleep->events->sleeping(sleep->ctx);
}

static void sleep_awake(void *ctx) {
    struct sleep *sleep = ctx;
    uint64_t slept = slept_so_far() - sleep->slept_before;
    loop_timer_stop(&sleep->saying);
    if (!sleep->asleep)
        return;
    sleep->asleep = false;
    log_info("this machine is awake");
    sleep->events->awake(sleep->ctx, slept);
}

static const struct logind_events logind_events = {.sleeping = sleep_sleeping, .awake = sleep_awake};

bool sleep_gpu_is_busy(const struct status *status) {
    for (size_t i = 0; i < status->gpu_count; i++) {
        const struct gpu *gpu = &status->gpus[i];
        if (!isnan(gpu->used_share) && gpu->used_share > 0.05)
            return true;
        for (size_t j = 0; j < status->process_count && isnan(gpu->used_share); j++) {
            if (process_is_on(&status->processes[j], gpu->index))
                return true;
        }
    }
    return false;
}

const char *sleep_need_update(struct sleep_need *need, uint64_t now_ms, bool gpu, bool people) {
    if (gpu || people)
        *need = (struct sleep_need){.reason = gpu ? "a GPU is at work" : "somebody is connected", .last_ms = now_ms};
    else if (need->reason && now_ms - need->last_ms >= KEEP_MS)
        need->reason = NULL;
    return need->reason;
}

void sleep_sample(struct sleep *sleep, const struct status *status) {
    bool gpu = sleep->keep == AGENT_KEEP_GPU || sleep->keep == AGENT_KEEP_BOTH;
    bool people = sleep->keep == AGENT_KEEP_PEOPLE || sleep->keep == AGENT_KEEP_BOTH;
    logind_keep_awake(sleep->logind,
                      sleep_need_update(&sleep->need, loop_now(sleep->loop), gpu && sleep_gpu_is_busy(status),
                                        people && sleep->events->people(sleep->ctx)));
}

const char *sleep_state(const struct sleep *sleep) {
    return sleep->asleep ? "sleeping" : "awake";
}

bool sleep_keeps_awake(const struct sleep *sleep) {
    return logind_keeps_awake(sleep->logind);
}

int sleep_new(struct loop *loop, enum agent_keep_awake keep, const struct sleep_events *events, void *ctx,
              struct sleep **out) {
    struct sleep *sleep = calloc(1, sizeof *sleep);
    if (!sleep)
        return SP_ENOMEM;
    sleep->loop = loop;
    sleep->keep = keep;
    sleep->events = events;
    sleep->ctx = ctx;
    loop_timer_init(loop, &sleep->saying, sleep_waited, sleep);
    int rc = logind_new(loop, &logind_events, sleep, &sleep->logind);
    if (rc < 0) {
        free(sleep);
        return rc;
    }
    *out = sleep;
    return 0;
}

void sleep_free(struct sleep *sleep) {
    if (!sleep)
        return;
    loop_timer_stop(&sleep->saying);
    logind_free(sleep->logind);
    free(sleep);
}
