#include "sallyport/agent/services.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/probe/sshd.h"
#include "services_local.h"

/* A change must be noticed within 10 s, also when the port is asked in vain at first. */
#define ROUND_MS 4000
#define NOTEBOOKS_MS 5000
#define MODELS_MS 60000
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
    struct recognizer *recognizer;
    char *state;                  /* NULL: nothing is published from the relay */
    struct publish_memory memory; /* what was */
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
    found.apps = recognizer_list(services->recognizer, &found.app_count);
    found.memory = services->state == NULL ? NULL : &services->memory;
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

/* Nothing else is known to be there, and it speaks HTTP as far as the search for Jupyter has heard. */
static bool may_be_app(const struct services *services, const struct listener *listener) {
    const struct listener *sshd = sshd_finder_place(services->sshd);
    size_t count;
    const struct jupyter_server *jupyters = jupyter_finder_list(services->jupyter, &count);
    if (listener->port < 1024 || listener->address_class == LISTEN_OTHER ||
        listeners_find(&services->listeners, listener->port) != listener || (sshd && sshd->port == listener->port) ||
        services_config_port(services->config, listener->port) != NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        if (jupyters[i].listener.port == listener->port)
            return false;
    return !services_config_wants(services->config, "jupyter") ||
           jupyter_finder_heard_http(services->jupyter, listener);
}

static void look_for_apps(struct services *services) {
    struct listeners asked = {.items = malloc((services->listeners.count + 1) * sizeof *asked.items)};
    int rc = asked.items == NULL ? SP_ENOMEM : 0;
    for (size_t i = 0; rc == 0 && i < services->listeners.count; i++)
        if (may_be_app(services, &services->listeners.items[i]))
            asked.items[asked.count++] = services->listeners.items[i];
    if (rc == 0)
        rc = recognizer_look(services->recognizer, &asked);
    if (rc != 0)
        log_warn("services: cannot look for applications: %s", err_text(rc));
    listeners_fini(&asked);
}

static void jupyter_settled(void *ctx) {
    look_for_apps(ctx);
    services_settle(ctx);
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
    if (!jupyter_finder_busy(services->jupyter))
        look_for_apps(services);
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
    if (rc == 0 && !sshd_finder_busy(services->sshd) && !jupyter_finder_busy(services->jupyter))
        look_for_apps(services);
    if (loop_timer_set(&services->timer, ROUND_MS) != 0)
        log_error("services: out of memory: no further changes will be noticed");
    services_settle(services);
}

/* The searches, each of which says when it has found something. */
static int make_finders(struct services *services) {
    struct loop *loop = services->loop;
    int rc = jupyter_sessions_new(loop, NOTEBOOKS_MS, services_settle, services, &services->sessions);
    if (rc == 0)
        rc = sshd_finder_new(loop, services->root, sshd_settled, services, &services->sshd);
    if (rc == 0)
        rc = jupyter_finder_new(loop, services->root, jupyter_settled, services, &services->jupyter);
    if (rc == 0)
        rc = recognizer_new(loop, services->root, MODELS_MS, services_settle, services, &services->recognizer);
    return rc;
}

int services_new(struct loop *loop, const struct services_config *config, const char *state, void (*changed)(void *ctx),
                 void *ctx, struct services **out) {
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

    if (state != NULL && !publish_memory_load(state, &services->memory))
        log_warn("services: published.json makes no sense: what was published from the relay is to be published again");
    int rc = services->tokens == NULL || services->tokens_failing == NULL ? SP_ENOMEM : make_finders(services);
    if (rc == 0 && state != NULL && (services->state = strdup(state)) == NULL)
        rc = SP_ENOMEM;
    if (rc == 0)
        rc = loop_timer_set(&services->timer, 0);
    if (rc != 0) {
        services_free(services);
        return rc;
    }
    *out = services;
    return 0;
}

void services_free(struct services *services) {
    if (services == NULL)
        return;
    loop_timer_stop(&services->timer);
    loop_timer_stop(&services->later);
    jupyter_sessions_free(services->sessions);
    sshd_finder_free(services->sshd);
    jupyter_finder_free(services->jupyter);
    recognizer_free(services->recognizer);
    free(services->state);
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

/* What must hold before the memory is changed; 0 when it holds. */
static int check_order(const struct services *services, const char *name, uint16_t port, bool published,
                       struct why *why) {
    const struct service_list *list = services->now;
    if (services->state == NULL) {
        why_set(why, "%s is left to this machine's configuration (publish = config)", name);
        return SP_EDENIED;
    }
    for (size_t i = 0; published && i < list->count; i++) {
        const struct service *service = &list->items[i].service;
        if (service->found && service->port == port && strcmp(service->name, name) == 0)
            return 0;
    }
    if (published)
        why_set(why, "no service '%s' was found on port %u of this machine", name, (unsigned)port);
    return published ? SP_ENOENT : 0;
}

/* Whose socket the application on that port has. */
static uid_t app_uid(const struct services *services, uint16_t port) {
    size_t count = 0;
    const struct recognized *apps = recognizer_list(services->recognizer, &count);
    for (size_t i = 0; i < count; i++)
        if (apps[i].listener.port == port)
            return apps[i].listener.uid;
    return (uid_t)-1; /* nobody's: it is gone */
}

int services_publish(struct services *services, const char *name, uint16_t port, bool published, struct why *why) {
    struct publish_memory memory = services->memory;
    if (services->state != NULL && published && publish_memory_has(&memory, name, port))
        return 0;
    int rc = check_order(services, name, port, published, why);
    if (rc != 0)
        return rc;
    rc = published ? publish_memory_add(&memory, name, port, app_uid(services, port))
                   : publish_memory_drop(&memory, name, port);
    if (rc == SP_ENOENT)
        why_set(why, "'%s' on port %u was not published from the relay", name, (unsigned)port);
    else if (rc == SP_ETOOBIG)
        why_set(why, "%d services are published from the relay already", SERVICES_MAX);
    if (rc != 0)
        return rc;
    rc = publish_memory_save(services->state, &memory);
    if (rc != 0) {
        why_set(why, "published.json cannot be written on this machine: %s", err_text(rc));
        return rc;
    }
    services->memory = memory;
    log_info("%s on port %u is %s, as the relay ordered", name, (unsigned)port,
             published ? "published" : "published no more");
    return loop_timer_set(&services->later, 0);
}

bool services_notebook(const struct services *services, const char *kernel, char *to, size_t size) {
    const char *path = jupyter_sessions_path(services->sessions, kernel);
    if (path == NULL)
        return false;
    size_t len = str_cut(path, strlen(path), size - 1);
    memcpy(to, path, len);
    to[len] = '\0';
    return true;
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
