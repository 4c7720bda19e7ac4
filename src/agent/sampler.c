#include "sampler.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/base/log.h"
#include "sallyport/base/str.h"
#include "sallyport/probe/gpu.h"
#include "sallyport/probe/processes.h"
#include "sallyport/probe/system.h"

/* Rates need two samples: the second comes soon. */
enum { SECOND_MS = 2000 };

struct sampler {
    struct sampler_config config;
    struct loop_timer tick;
    struct system_probe *system;
    struct gpu_probe *gpu;
    struct process_probe *processes; /* NULL: there is no /proc */
    struct status latest;
    bool has_latest;
    bool overdue; /* a sample was taken without waiting for the GPUs, which have yet to answer */
};

/* The Sallyport users behind the accounts, as the configuration says. */
static void name_people(const struct sampler *sampler, struct status *status) {
    for (size_t i = 0; i < status->process_count; i++) {
        struct process *process = &status->processes[i];
        size_t len = strlen(process->user);
        for (size_t j = 0; len && j < sampler->config.accounts->count; j++) {
            const char *account = sampler->config.accounts->items[j];
            if (strncmp(account, process->user, len) == 0 && account[len] == ':')
                (void)str_copy(process->person, sizeof process->person, account + len + 1);
        }
    }
}

/* Whatever fails is missing in the sample, and nothing else. */
static void sampler_take(struct sampler *sampler) {
    struct status status;
    uint64_t now = loop_now(sampler->config.loop);
    status_init(&status);
    int rc = system_probe_sample(sampler->system, now, &status);
    if (rc == 0)
        rc = gpu_probe_read(sampler->gpu, &status);
    if (rc == 0 && sampler->processes)
        rc = process_probe_sample(sampler->processes, now, &status);
    if (rc < 0)
        log_debug("a part of the machine's state is missing: %s", err_text(rc));
    system_probe_add_gpu_power(sampler->system, &status);
    name_people(sampler, &status);
    status_fini(&sampler->latest);
    sampler->latest = status;
    sampler->has_latest = true;
    sampler->config.taken(sampler->config.ctx, &sampler->latest);
}

static void gpus_answered(void *ctx) {
    struct sampler *sampler = ctx;
    bool overdue = sampler->overdue;
    sampler->overdue = false;
    if (!overdue)
        sampler_take(sampler);
}

static void sampler_tick(void *ctx) {
    struct sampler *sampler = ctx;
    uint64_t wait = sampler->config.interval_ms;
    if (!sampler->has_latest && wait > SECOND_MS)
        wait = SECOND_MS;
    (void)loop_timer_set(&sampler->tick, wait);
    /* GPUs that have not yet answered the last question do not hold up the rest. */
    int rc = gpu_probe_sample(sampler->gpu, gpus_answered, sampler);
    sampler->overdue = rc == SP_EBUSY;
    if (rc < 0)
        sampler_take(sampler);
}

void sampler_hurry(struct sampler *sampler) {
    (void)loop_timer_set(&sampler->tick, 0);
}

struct status *sampler_latest(struct sampler *sampler) {
    return sampler->has_latest ? &sampler->latest : NULL;
}

int sampler_new(const struct sampler_config *config, struct sampler **out) {
    struct sampler *sampler = calloc(1, sizeof *sampler);
    if (!sampler)
        return SP_ENOMEM;
    sampler->config = *config;
    status_init(&sampler->latest);
    loop_timer_init(config->loop, &sampler->tick, sampler_tick, sampler);
    struct gpu_probe_config gpu = {.root = config->root};
    struct process_probe_config processes = {
        .root = config->root, .docker_socket = config->docker_socket, .notebook = config->notebook, .ctx = config->ctx};
    int rc = system_probe_new(config->loop, config->work, config->root, &sampler->system);
    if (rc == 0)
        rc = gpu_probe_new(config->loop, &gpu, &sampler->gpu);
    if (rc == 0)
        rc = process_probe_new(config->loop, &processes, &sampler->processes);
    if (rc == SP_ESYS)
        rc = 0;
    if (rc == 0)
        rc = loop_timer_set(&sampler->tick, 0);
    if (rc < 0) {
        sampler_free(sampler);
        return rc;
    }
    *out = sampler;
    return 0;
}

void sampler_free(struct sampler *sampler) {
    if (!sampler)
        return;
    loop_timer_stop(&sampler->tick);
    process_probe_free(sampler->processes);
    gpu_probe_free(sampler->gpu);
    system_probe_free(sampler->system);
    status_fini(&sampler->latest);
    free(sampler);
}
