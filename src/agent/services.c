#include "sallyport/agent/services.h"

#include <stdlib.h>

#include "sallyport/base/log.h"
#include "sallyport/base/secret.h"
#include "sallyport/probe/sshd.h"
#include "services_local.h"

/* A change must be noticed within 10 s, also when the port is asked in vain at first. */
#define ROUND_MS 4000
#define NOTEBOOKS_MS 5000
/* The ports that are never asked for a Jupyter: sshd's and the configured ones. */
#define SKIP_MAX (SERVICES_MAX + 1)
/* A kernel that is busy now and then is no reason to say so all the time. */
#define GAP_MS 2000

struct services {
    struct loop *loop;
    const struct services_config *config;
    const char *root;
    void (*changed)(void *ctx);
    void *ctx;
    struct loop_timer timer, later;
    struct listeners listeners;
    struct sshd_finder *sshd;
    struct jupyter_finder *jupyter;
    struct jupyter_sessions *sessions;
    struct main_jupyter main_jupyter;
    struct service_token *tokens; /* one for each entry of the configuration */
    bool *tokens_failing;         /* likewise: its file was no good, which is said once */
    struct service_list lists[2];
    struct service_list *now; /* one of the two; the other is written anew */
    bool told;                /* `changed` was called */
    uint64_t told_at;
    bool failing; /* the listeners could not be read: said once */
};

static void add_notebooks(struct services *services, const struct found *found, struct service_list *list) {
    struct jupyter_place places[SERVICES_MAX];
    size_t count = service_list_places(list, found, places);
    if (jupyter_sessions_follow(services->sessions, places, count) != 0)
        log_warn("services: out of memory: some notebooks are not shown");
    secret_wipe(places, count * sizeof places[0]);
    for (size_t i = 0; i < list->count; i++) {
        struct service *service = &list->items[i].service;
        const struct notebooks *notebooks = jupyter_sessions_find(services->sessions, service->port);
        if (notebooks != NULL)
            service->notebooks = *notebooks;
    }
}

/* When nothing is being asked any more: what is there, and is it other than before? */
static void services_settle(void *ctx) {
    struct services *services = ctx;
    uint64_t now = loop_now(services->loop);
    if (sshd_finder_busy(services->sshd) || jupyter_finder_busy(services->jupyter))
        return;
    if (services->told && now - services->told_at < GAP_MS) {
        if (!loop_timer_is_set(&services->later))
            (void)loop_timer_set(&services->later, services->told_at + GAP_MS - now);
        return;
    }
    struct service_list *next = &services->lists[services->now == &services->lists[0]];
    struct found found = {
        .listeners = &services->listeners, .sshd = sshd_finder_place(services->sshd), .tokens = services->tokens};
    found.jupyters = jupyter_finder_list(services->jupyter, &found.jupyter_count);
    service_list_choose(services->config, &found, services->now, &services->main_jupyter, next);
    add_notebooks(services, &found, next);
    if (services->told && service_list_equal(services->now, next))
        return;
    services->now = next;
    services->told = true;
    services->told_at = now;
    services->changed(services->ctx);
}

/* They are read each time, so a new token is taken over without a restart. */
static void read_tokens(struct services *services) {
    for (size_t i = 0; i < services->config->count; i++) {
        const struct service_entry *entry = &services->config->entries[i];
        struct service_token *token = &services->tokens[i];
        struct why why;
        if (entry->token_file == NULL)
            continue;
        int rc = service_token_read(entry->token_file, token, &why);
        if (rc != 0)
            secret_wipe(token, sizeof *token);
        if (rc != 0 && !services->tokens_failing[i])
            log_warn("[service %s] token_file: %s", entry->name, why.text);
        services->tokens_failing[i] = rc != 0;
    }
}

static int look_for_jupyter(struct services *services) {
    uint16_t skip[SKIP_MAX];
    size_t count = 0;
    const struct listener *sshd = sshd_finder_place(services->sshd);
    if (!services_config_wants(services->config, "jupyter"))
        return 0;
    if (sshd != NULL)
        skip[count++] = sshd->port;
    for (size_t i = 0; i < services->config->count && count < SKIP_MAX; i++)
        if (services->config->entries[i].port != 0)
            skip[count++] = (uint16_t)services->config->entries[i].port;
    return jupyter_finder_look(services->jupyter, &services->listeners, skip, count);
}

static int look_for_sshd(struct services *services, bool changed) {
    const struct service_entry *entry = services_config_find(services->config, "ssh");
    if (entry != NULL && (entry->port != 0 || !entry->publish))
        return 0;
    return sshd_finder_look(services->sshd, &services->listeners, changed);
}

static void sshd_settled(void *ctx) {
    struct services *services = ctx;
    int rc = look_for_jupyter(services);
    if (rc != 0)
        log_warn("services: cannot look for Jupyter: %s", err_text(rc));
    services_settle(services);
}

static int services_look(struct services *services) {
    struct listeners fresh;
    listeners_init(&fresh);
    int rc = listeners_read(&fresh, services->root);
    if (rc != 0)
        return rc;
    bool changed = !services->told || !listeners_equal(&services->listeners, &fresh);
    listeners_fini(&services->listeners);
    services->listeners = fresh;
    rc = look_for_sshd(services, changed);
    /* sshd first, so that its port is not asked for a Jupyter */
    if (rc == 0 && !sshd_finder_busy(services->sshd))
        rc = look_for_jupyter(services);
    return rc;
}

static void services_round(void *ctx) {
    struct services *services = ctx;
    read_tokens(services);
    int rc = services_look(services);
    if (rc != 0 && !services->failing)
        log_warn("services: cannot look at the listening sockets: %s", err_text(rc));
    services->failing = rc != 0;
    if (loop_timer_set(&services->timer, ROUND_MS) != 0)
        log_error("services: out of memory: no further changes will be noticed");
    services_settle(services);
}

int services_new(struct loop *loop, const struct services_config *config, void (*changed)(void *ctx), void *ctx,
                 struct services **out) {
    struct services *services = calloc(1, sizeof *services);
    if (services == NULL)
        return SP_ENOMEM;
    services->loop = loop;
    services->config = config;
    services->root = config->root == NULL ? "" : config->root;
    services->changed = changed;
    services->ctx = ctx;
    services->now = &services->lists[0];
    listeners_init(&services->listeners);
    loop_timer_init(loop, &services->timer, services_round, services);
    loop_timer_init(loop, &services->later, services_settle, services);
    services->tokens = calloc(config->count + 1, sizeof *services->tokens);
    services->tokens_failing = calloc(config->count + 1, sizeof *services->tokens_failing);

    int rc = services->tokens == NULL || services->tokens_failing == NULL ? SP_ENOMEM : 0;
    if (rc == 0)
        rc = jupyter_sessions_new(loop, NOTEBOOKS_MS, services_settle, services, &services->sessions);
    if (rc != 0)
        goto out;
    rc = sshd_finder_new(loop, services->root, sshd_settled, services, &services->sshd);
    if (rc != 0)
        goto out;
    rc = jupyter_finder_new(loop, services->root, services_settle, services, &services->jupyter);
    if (rc != 0)
        goto out;
    rc = loop_timer_set(&services->timer, 0);
    if (rc != 0)
        goto out;
    *out = services;
    return 0;
out:
    services_free(services);
    return rc;
}

void services_free(struct services *services) {
    if (services == NULL)
        return;
    loop_timer_stop(&services->timer);
    loop_timer_stop(&services->later);
    jupyter_sessions_free(services->sessions);
    sshd_finder_free(services->sshd);
    jupyter_finder_free(services->jupyter);
    listeners_fini(&services->listeners);
    if (services->tokens != NULL)
        secret_wipe(services->tokens, (services->config->count + 1) * sizeof *services->tokens);
    free(services->tokens);
    free(services->tokens_failing);
    secret_wipe(services->lists, sizeof services->lists);
    free(services);
}

void services_list(const struct services *services, const struct published **list, size_t *count) {
    *list = services->now->items;
    *count = services->now->count;
}

bool services_ssh_is_system(const struct services *services) {
    const struct published *published = services->now->items;
    for (size_t i = 0; i < services->now->count; i++) {
        if (published[i].service.kind != SERVICE_SSH)
            continue;
        const struct listener *listener = listeners_find(&services->listeners, published[i].service.port);
        return listener != NULL && sshd_is_system(services->root, listener);
    }
    return false;
}
