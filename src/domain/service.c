/* Kinds of services, which one a port means, and their JSON. */
#include "sallyport/domain/service.h"

#include <jansson.h>
#include <string.h>

#include "sallyport/base/str.h"

static const char *const kind_names[] = {
    [SERVICE_SSH] = "ssh",
    [SERVICE_HTTP] = "http",
    [SERVICE_TCP] = "tcp",
};

const char *service_kind_name(enum service_kind kind) {
    return kind_names[kind];
}

int service_kind_parse(const char *text, enum service_kind *out) {
    for (size_t i = 0; i < sizeof(kind_names) / sizeof(kind_names[0]); i++) {
        if (strcmp(text, kind_names[i]) == 0) {
            *out = (enum service_kind)i;
            return 0;
        }
    }
    return SP_EINVAL;
}

enum service_kind service_kind_of_name(const char *name) {
    if (strcmp(name, "ssh") == 0)
        return SERVICE_SSH;
    if (strcmp(name, "jupyter") == 0 || str_starts(name, "jupyter-"))
        return SERVICE_HTTP;
    return SERVICE_TCP;
}

const struct service *service_find(const struct service *list, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    }
    return NULL;
}

const struct service *service_for_port(const struct service *list, size_t n, uint16_t port) {
    if (port == 22)
        return service_find(list, n, "ssh");
    for (size_t i = 0; i < n; i++) {
        if (list[i].port == port)
            return &list[i];
    }
    for (size_t i = 0; port == 8888 && i < n; i++) {
        if (list[i].kind == SERVICE_HTTP && str_starts(list[i].name, "jupyter"))
            return &list[i];
    }
    return NULL;
}

/* Sets a text member unless it is empty, or came from the system with bytes that are no clean text. False when out of
 * memory. */
static bool put_text(json_t *object, const char *member, const char *text) {
    size_t len = strlen(text);
    return len == 0 || !str_is_clean(text, len) || json_object_set_new(object, member, json_string(text)) == 0;
}

struct json_t *service_to_json(const struct service *service) {
    json_t *object = json_pack("{s:s, s:s, s:i, s:s}", "name", service->name, "kind", service_kind_name(service->kind),
                               "port", (int)service->port, "state", service->up ? "up" : "down");
    if (object && put_text(object, "path", service->path) && put_text(object, "detail", service->detail))
        return object;
    json_decref(object);
    return NULL;
}
