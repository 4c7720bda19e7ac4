#include "box_services.h"

#include <jansson.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

/* Only what may stand in an address as it is; else the first page of all. */
static void read_path(const json_t *object, char *to, size_t size) {
    bool good = jsonline_text(object, "path", to, size) && to[0] == '/' && to[1] != '/';
    for (const char *at = to; good && *at; at++)
        good = *at > ' ' && *at <= '~' && !strchr("\"'<>\\^`{|}#", *at);
    if (!good)
        (void)str_copy(to, size, "/");
}

static bool read_service(const json_t *object, struct box_service *out) {
    char kind[8], state[16] = "";
    int64_t port;
    struct box_service service = {.name = ""};
    if (!jsonline_text(object, "name", service.name, sizeof service.name) || service_name_check(service.name, NULL) ||
        !jsonline_text(object, "kind", kind, sizeof kind) || service_kind_parse(kind, &service.kind) ||
        !jsonline_integer(object, "port", 1, UINT16_MAX, &port))
        return false;
    service.port = (uint16_t)port;
    (void)jsonline_text(object, "state", state, sizeof state);
    service.up = strcmp(state, "up") == 0;
    service.found = strcmp(state, "found") == 0;
    read_path(object, service.path, sizeof service.path);
    *out = service;
    return true;
}

int box_services_parse(const char *text, size_t len, struct box_services *out) {
    json_t *machine = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *services = json_object_get(machine, "services"), *service;
    size_t i;
    if (!json_is_object(machine)) {
        json_decref(machine);
        return SP_EFORMAT;
    }
    *out = (struct box_services){.online = json_is_true(json_object_get(machine, "online"))};
    json_array_foreach(services, i, service) {
        if (out->count < SERVICES_MAX && read_service(service, &out->list[out->count]))
            out->count++;
    }
    json_decref(machine);
    return 0;
}

int box_services_get(const struct cli *cli, const char *box, struct box_services *out, struct why *why) {
    const char *const verb[] = {"status", box, "--json"};
    struct buf text;
    buf_init(&text);
    int rc = relay_verb(cli, verb, sizeof verb / sizeof *verb, &text, why);
    if (!rc) {
        rc = box_services_parse((const char *)buf_head(&text), buf_len(&text), out);
        if (rc)
            why_set(why, "the relay's answer about %s is not understood: one of the two is older than the other", box);
    }
    buf_fini(&text);
    return rc;
}

const struct box_service *box_services_find(const struct box_services *services, const char *name) {
    for (size_t i = 0; i < services->count; i++)
        if (strcmp(services->list[i].name, name) == 0)
            return &services->list[i];
    return NULL;
}

const struct box_service *box_services_jupyter(const struct box_services *services) {
    const struct box_service *best = NULL;
    for (size_t i = 0; i < services->count; i++) {
        const struct box_service *service = &services->list[i];
        if (service->kind == SERVICE_HTTP && str_starts(service->name, "jupyter") &&
            (!best || (service->up && !best->up)))
            best = service;
    }
    return best;
}

bool box_services_have_ssh(const struct box_services *services) {
    const struct box_service *ssh = box_services_find(services, "ssh");
    return ssh && ssh->up;
}

int box_services_pick(const struct cli *cli, const char *box, const char *name, struct box_services *services,
                      struct box_service *out, struct why *why) {
    int rc = box_services_get(cli, box, services, why);
    if (rc)
        return rc;
    const struct box_service *found = name[0] ? box_services_find(services, name) : box_services_jupyter(services);
    if (!found && !services->online)
        why_set(why, "%s is offline: sallyport status %s says since when", box, box);
    else if (!found && name[0])
        why_set(why, "%s has no service '%s' that you may reach: sallyport status %s lists them", box, name, box);
    else if (!found)
        why_set(why, "no Jupyter is running on %s, or none that you may reach: sallyport status %s lists its services",
                box, box);
    else if (found->found)
        why_set(why, "%s on %s was found, but is not published: an admin can do that (sallyport publish %s %s)",
                found->name, box, box, found->name);
    else if (!found->up)
        why_set(why, "%s on %s is not running", found->name, box);
    if (!found || !found->up)
        return SP_ENOENT;
    *out = *found;
    return 0;
}
