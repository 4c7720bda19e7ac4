#include <stdlib.h>

#include "condition_local.h"
#include "sallyport/base/log.h"
#include "sallyport/base/str.h"

/* A process that has ended is told once. */
static void forget_ended(struct status *status) {
    size_t kept = 0;
    for (size_t i = 0; i < status->process_count; i++)
        if (!status->processes[i].ended)
            status->processes[kept++] = status->processes[i];
    status->process_count = kept;
}

static bool say_status(struct condition *condition, struct status *status) {
    if (!agent_link_is_up(condition->link))
        return false;
    agent_link_status(condition->link, status);
    forget_ended(status);
    return true;
}

static bool find_notebook(void *ctx, const char *kernel, char *to, size_t size) {
    const struct condition *condition = ctx;
    return services_notebook(condition->config.services, kernel, to, size);
}

static void sampler_taken(void *ctx, struct status *status) {
    struct condition *condition = ctx;
    (void)str_copy(status->power_state, sizeof status->power_state, sleep_state(condition->sleep));
    sleep_sample(condition->sleep, status);
    (void)say_status(condition, status);
}

/* The relay's answer to the ping shows that it has read the status before it. */
static void sleep_sleeping(void *ctx) {
    struct condition *condition = ctx;
    struct status *status = sampler_latest(condition->sampler);
    condition->farewell = 0;
    if (status) {
        (void)str_copy(status->power_state, sizeof status->power_state, sleep_state(condition->sleep));
        if (say_status(condition, status))
            condition->farewell = agent_link_ping(condition->link);
    }
    if (!condition->farewell)
        sleep_said(condition->sleep);
}

static void sleep_awake(void *ctx, uint64_t slept_ms) {
    struct condition *condition = ctx;
    sampler_hurry(condition->sampler);
    condition->config.events->awake(condition->config.ctx, slept_ms);
}

static bool sleep_people(void *ctx) {
    const struct condition *condition = ctx;
    return condition->config.events->people(condition->config.ctx);
}

static const struct sleep_events sleep_events = {
    .sleeping = sleep_sleeping, .awake = sleep_awake, .people = sleep_people};

void condition_set_link(struct condition *condition, struct agent_link *link) {
    condition->link = link;
}

void condition_network(struct condition *condition) {
    struct link_lan now;
    if (lan_read(&now) < 0 || lan_equal(&now, &condition->lan))
        return;
    condition->lan = now;
    if (agent_link_is_up(condition->link))
        agent_link_lan(condition->link, &condition->lan);
}

static void hear_wake(struct condition *condition, const struct link_network *whom) {
    struct why why = {""};
    condition_network(condition);
    if (lan_wake(&condition->wakes, loop_now(condition->config.loop), &condition->lan, whom, &why) < 0)
        log_warn("the relay asks to wake %s: %s", whom->mac, why.text);
    else
        log_info("waking %s in %s, as the relay asks", whom->mac, whom->network);
}

void condition_hear(struct condition *condition, const struct link_message *message) {
    struct status *status = sampler_latest(condition->sampler);
    switch (message->kind) {
    case LINK_WELCOME:
        agent_link_lan(condition->link, &condition->lan);
        if (status)
            (void)say_status(condition, status);
        break;
    case LINK_WAKE:
        hear_wake(condition, &message->wake);
        break;
    case LINK_PONG:
        if (condition->farewell && message->pong.n >= condition->farewell)
            sleep_said(condition->sleep);
        break;
    default:
        break;
    }
}

int condition_new(const struct condition_config *config, struct condition **out) {
    struct condition *condition = calloc(1, sizeof *condition);
    if (!condition)
        return SP_ENOMEM;
    condition->config = *config;
    const struct agent_config *agent = config->agent;
    struct sampler_config sampler = {.loop = config->loop,
                                     .work = config->work,
                                     .root = "",
                                     .interval_ms = agent->sample_interval * 1000,
                                     .docker_socket = agent->docker_socket,
                                     .accounts = &agent->accounts,
                                     .notebook = find_notebook,
                                     .taken = sampler_taken,
                                     .ctx = condition};
    condition_network(condition);
    int rc =
        sleep_new(config->loop, (enum agent_keep_awake)agent->keep_awake, &sleep_events, condition, &condition->sleep);
    if (rc == 0)
        rc = sampler_new(&sampler, &condition->sampler);
    if (rc < 0) {
        condition_free(condition);
        return rc;
    }
    *out = condition;
    return 0;
}

void condition_free(struct condition *condition) {
    if (!condition)
        return;
    sampler_free(condition->sampler);
    sleep_free(condition->sleep);
    free(condition);
}
