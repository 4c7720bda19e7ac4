#include <stdio.h>
#include <string.h>

#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "services_local.h"

static bool is_listed(const struct service_list *list, const char *name) {
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].service.name, name) == 0)
            return true;
    return false;
}

struct published *service_list_add(struct service_list *list, const char *name, uint16_t port) {
    if (list->count == SERVICES_MAX || is_listed(list, name))
        return NULL;
    struct published *published = &list->items[list->count++];
    *published = (struct published){.service = {.port = port, .kind = service_kind_of_name(name)}};
    (void)str_copy(published->service.name, sizeof published->service.name, name);
    (void)str_copy(published->host, sizeof published->host, "127.0.0.1");
    return published;
}

void published_set_listener(struct published *published, const struct listener *listener) {
    published->service.up = listener != NULL;
    if (listener != NULL) {
        char host[LISTENER_HOST_SIZE];
        listener_host(listener, host);
        (void)str_copy(published->host, sizeof published->host, host);
    }
}

static void set_entry(struct published *published, const struct services_config *config,
                      const struct service_entry *entry, const struct found *found) {
    if (entry->kind != 0)
        published->service.kind = (enum service_kind)(entry->kind - 1);
    published->remote_port = (uint16_t)entry->remote_port;
    if (entry->path != NULL)
        (void)str_copy(published->service.path, sizeof published->service.path, entry->path);
    const char *token = found->tokens == NULL ? "" : found->tokens[entry - config->entries].text;
    if (token[0] != '\0')
        (void)str_copy(published->service.token, sizeof published->service.token, token);
}

/* Path, token, and detail: "jupyter-server 1.23.3, /home/ann". The relay speaks no TLS to a service, so the token of one
 * that wants it stays here. */
static void set_jupyter(struct published *published, const struct jupyter_server *server) {
    struct service *service = &published->service;
    const char *program = server->pid == 0 ? "Jupyter" : server->notebook ? "notebook" : "jupyter-server";
    (void)str_copy(service->path, sizeof service->path, server->base_url);
    if (!server->secure && service_is_token(server->token))
        (void)str_copy(service->token, sizeof service->token, server->token);
    int n = snprintf(service->detail, sizeof service->detail, "%s%s%s%s%s%s", program,
                     server->version[0] == '\0' ? "" : " ", server->version, server->secure ? " (TLS)" : "",
                     server->root_dir[0] == '\0' ? "" : ", ", server->root_dir);
    if (n < 0 || (size_t)n < sizeof service->detail)
        return;
    /* cut off within a character, it would be no text any more */
    for (size_t len = strlen(service->detail); len > 0 && !str_is_clean(service->detail, len);)
        service->detail[--len] = '\0';
}

static const struct jupyter_server *jupyter_on(const struct found *found, uint64_t port) {
    for (size_t i = 0; i < found->jupyter_count; i++)
        if (found->jupyters[i].listener.port == port)
            return &found->jupyters[i];
    return NULL;
}

static void add_ssh(const struct services_config *config, const struct found *found, struct service_list *out) {
    const struct service_entry *entry = services_config_find(config, "ssh");
    if (entry != NULL && (!entry->publish || entry->port != 0))
        return;
    if (found->sshd == NULL)
        return;
    struct published *published = service_list_add(out, "ssh", found->sshd->port);
    if (published == NULL)
        return;
    published_set_listener(published, found->sshd);
    if (entry != NULL)
        set_entry(published, config, entry, found);
}

static void add_configured(const struct services_config *config, const struct service_entry *entry,
                           const struct found *found, struct service_list *out) {
    if (!entry->publish || entry->port == 0)
        return;
    struct published *published = service_list_add(out, entry->name, (uint16_t)entry->port);
    if (published == NULL)
        return;
    published_set_listener(published, listeners_find(found->listeners, published->service.port));
    const struct jupyter_server *server = jupyter_on(found, entry->port);
    if (server != NULL) {
        published->service.kind = SERVICE_HTTP;
        set_jupyter(published, server);
    }
    set_entry(published, config, entry, found);
}

static bool is_free(const struct services_config *config, const struct jupyter_server *server) {
    return services_config_port(config, server->listener.port) == NULL;
}

/* Was it published before under its port's name? */
static bool was_there(const struct service_list *before, const struct jupyter_server *server) {
    for (size_t i = 0; i < before->count; i++)
        if (before->items[i].service.port == server->listener.port)
            return true;
    return false;
}

/* How good a reason the server has to be called `jupyter`: 4 same process, 3 same port, 2 new and in the place of the
 * one before (it moved), 1 it is there. */
static int claim_of(const struct main_jupyter *jupyter, const struct service_list *before,
                    const struct jupyter_server *server) {
    if (jupyter->port == 0)
        return 1;
    if (server->pid != 0 && server->pid == jupyter->pid)
        return 4;
    if (server->listener.port == jupyter->port)
        return 3;
    if (!was_there(before, server) && server->listener.uid == jupyter->uid && server->root_dir[0] != '\0' &&
        strcmp(server->root_dir, jupyter->root_dir) == 0)
        return 2;
    return 1;
}

/* The one with the best reason, the lowest port among equals. */
static const struct jupyter_server *choose_main(const struct services_config *config, const struct found *found,
                                                const struct service_list *before, struct main_jupyter *jupyter) {
    const struct jupyter_server *best = NULL;
    int best_claim = 0;
    for (size_t i = 0; i < found->jupyter_count; i++) {
        const struct jupyter_server *server = &found->jupyters[i];
        int claim = is_free(config, server) ? claim_of(jupyter, before, server) : 0;
        if (claim > best_claim) {
            best = server;
            best_claim = claim;
        }
    }
    if (best != NULL) {
        *jupyter = (struct main_jupyter){.port = best->listener.port, .pid = best->pid, .uid = best->listener.uid};
        (void)str_copy(jupyter->root_dir, sizeof jupyter->root_dir, best->root_dir);
    }
    return best;
}

static void add_jupyter(const struct services_config *config, const struct found *found, const char *name,
                        const struct jupyter_server *server, struct service_list *out) {
    const struct service_entry *entry = services_config_find(config, name);
    if (entry != NULL && !entry->publish)
        return;
    struct published *published = service_list_add(out, name, server->listener.port);
    if (published == NULL)
        return;
    published_set_listener(published, &server->listener);
    set_jupyter(published, server);
    if (entry != NULL)
        set_entry(published, config, entry, found);
}

static void add_jupyters(const struct services_config *config, const struct found *found,
                         const struct service_list *before, struct main_jupyter *jupyter, struct service_list *out) {
    const struct service_entry *entry = services_config_find(config, "jupyter");
    const struct jupyter_server *first = NULL;
    if (entry == NULL || entry->port == 0)
        first = choose_main(config, found, before, jupyter);
    if (first != NULL)
        add_jupyter(config, found, "jupyter", first, out);
    for (size_t i = 0; i < found->jupyter_count; i++) {
        const struct jupyter_server *server = &found->jupyters[i];
        char name[SP_NAME_SIZE];
        if (server == first || !is_free(config, server))
            continue;
        (void)snprintf(name, sizeof name, "jupyter-%u", (unsigned)server->listener.port);
        add_jupyter(config, found, name, server, out);
    }
}

void service_list_choose(const struct services_config *config, const struct found *found,
                         const struct service_list *before, struct main_jupyter *jupyter, struct service_list *out) {
    const struct service_entry *ssh = services_config_find(config, "ssh");
    secret_wipe(out, sizeof *out);
    add_ssh(config, found, out);
    if (ssh != NULL)
        add_configured(config, ssh, found, out);
    for (size_t i = 0; i < config->count; i++)
        if (&config->entries[i] != ssh)
            add_configured(config, &config->entries[i], found, out);
    add_jupyters(config, found, before, jupyter, out);
    service_list_add_apps(config, found, before, out);
}

size_t service_list_places(const struct service_list *list, const struct found *found,
                           struct jupyter_place places[static SERVICES_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct published *published = &list->items[i];
        const struct jupyter_server *server = jupyter_on(found, published->service.port);
        if (published->withheld || server == NULL || server->secure || published->service.kind != SERVICE_HTTP)
            continue;
        struct jupyter_place *place = &places[count++];
        *place = (struct jupyter_place){.inode = server->listener.inode, .port = published->service.port};
        (void)str_copy(place->host, sizeof place->host, published->host);
        (void)str_copy(place->base_url, sizeof place->base_url, server->base_url);
        (void)str_copy(place->token, sizeof place->token, published->service.token);
    }
    return count;
}

static bool published_equal(const struct published *a, const struct published *b) {
    return strcmp(a->service.name, b->service.name) == 0 && a->service.kind == b->service.kind &&
           a->service.port == b->service.port && a->service.up == b->service.up &&
           strcmp(a->service.path, b->service.path) == 0 && strcmp(a->service.detail, b->service.detail) == 0 &&
           strcmp(a->service.token, b->service.token) == 0 &&
           notebooks_equal(&a->service.notebooks, &b->service.notebooks) && strcmp(a->host, b->host) == 0 &&
           a->remote_port == b->remote_port && a->withheld == b->withheld && a->service.found == b->service.found &&
           a->service.changeable == b->service.changeable;
}

bool service_list_equal(const struct service_list *a, const struct service_list *b) {
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!published_equal(&a->items[i], &b->items[i]))
            return false;
    return true;
}
