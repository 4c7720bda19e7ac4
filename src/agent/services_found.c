/* What was recognised on the machine: published when an admin of the relay said so, else only named. */
#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "services_local.h"

/* Is that one of the names that this application may have: its own, or with its port? */
static bool is_name_of(const char *name, const struct recognized *app) {
    char with_port[2 * SP_NAME_SIZE];
    (void)snprintf(with_port, sizeof with_port, "%s-%u", app->name, (unsigned)app->listener.port);
    return strcmp(name, app->name) == 0 || strcmp(name, with_port) == 0;
}

static const struct recognized *app_on(const struct found *found, uint16_t port) {
    for (size_t i = 0; i < found->app_count; i++)
        if (found->apps[i].listener.port == port)
            return &found->apps[i];
    return NULL;
}

/* By something that is there: what was published once and is not recognised any more does not count. */
static bool is_port_listed(const struct service_list *list, uint16_t port) {
    for (size_t i = 0; i < list->count; i++) {
        const struct published *published = &list->items[i];
        if (published->service.port == port && (!published->withheld || published->service.found))
            return true;
    }
    return false;
}

static void set_app(struct published *published, const struct recognized *app) {
    published_set_listener(published, &app->listener);
    (void)str_copy(published->service.detail, sizeof published->service.detail, app->detail);
}

/* It is up only while that very application of that user is there: whatever else comes to listen on the port was never
 * published. */
static void add_remembered(const struct services_config *config, const struct found *found,
                           const struct publish_entry *entry, struct service_list *out) {
    if (services_config_find(config, entry->name) != NULL || is_port_listed(out, entry->port))
        return;
    struct published *published = service_list_add(out, entry->name, entry->port);
    const struct recognized *app = app_on(found, entry->port);
    if (published == NULL)
        return;
    published->service.kind = SERVICE_HTTP;
    published->service.changeable = true;
    published->withheld = app == NULL || app->listener.uid != entry->uid || !is_name_of(entry->name, app);
    if (!published->withheld)
        set_app(published, app);
}

/* The name that it had until now stays its own. */
static const char *name_before(const struct service_list *before, const struct recognized *app) {
    for (size_t i = 0; i < before->count; i++) {
        const struct service *service = &before->items[i].service;
        if (service->port == app->listener.port && is_name_of(service->name, app))
            return service->name;
    }
    return NULL;
}

static void add_found(const struct services_config *config, const struct found *found, const struct recognized *app,
                      const char *name, struct service_list *out) {
    if (services_config_find(config, name) != NULL)
        return;
    struct published *published = service_list_add(out, name, app->listener.port);
    if (published == NULL)
        return;
    published->service.kind = SERVICE_HTTP;
    published->service.changeable = found->memory != NULL;
    published->withheld = true;
    set_app(published, app);
    published->service.found = true;
    published->service.up = false;
}

/* `publish = no` in the section of an application without a port: it is not even to be named. */
static bool is_unwanted(const struct services_config *config, const struct recognized *app) {
    const struct service_entry *entry = services_config_find(config, app->name);
    return entry != NULL && !entry->publish && entry->port == 0;
}

void service_list_add_apps(const struct services_config *config, const struct found *found,
                           const struct service_list *before, struct service_list *out) {
    for (size_t i = 0; found->memory != NULL && i < found->memory->count; i++)
        add_remembered(config, found, &found->memory->list[i], out);
    for (size_t i = 0; i < found->app_count; i++) {
        const char *name = name_before(before, &found->apps[i]);
        if (name != NULL && !is_port_listed(out, found->apps[i].listener.port) && !is_unwanted(config, &found->apps[i]))
            add_found(config, found, &found->apps[i], name, out);
    }
    for (size_t i = 0; i < found->app_count; i++) {
        const struct recognized *app = &found->apps[i];
        char name[SP_NAME_SIZE];
        if (is_port_listed(out, app->listener.port) || is_unwanted(config, app))
            continue;
        add_found(config, found, app, app->name, out);
        (void)snprintf(name, sizeof name, "%.*s-%u", (int)(sizeof name - 7), app->name, (unsigned)app->listener.port);
        if (!is_port_listed(out, app->listener.port))
            add_found(config, found, app, name, out);
    }
}
