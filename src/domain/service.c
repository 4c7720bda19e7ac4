/* Kinds of services, which one a port means, and their JSON. */
#include "sallyport/domain/service.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

static const char *const kind_names[] = {
    [SERVICE_SSH] = "ssh",
    [SERVICE_HTTP] = "http",
    [SERVICE_TCP] = "tcp",
};

void service_free_list(struct service *list, size_t n) {
    if (list)
        secret_wipe(list, n * sizeof(*list));
    free(list);
}

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

bool service_is_token(const char *text) {
    struct service service;
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '!' || text[i] > '~')
            return false;
    }
    return len > 0 && len < sizeof(service.token);
}

bool notebooks_equal(const struct notebooks *a, const struct notebooks *b) {
    if (a->known != b->known || a->count != b->count || a->listed != b->listed)
        return false;
    for (size_t i = 0; i < a->listed; i++) {
        const struct notebook *one = &a->list[i], *other = &b->list[i];
        if (strcmp(one->name, other->name) != 0 || strcmp(one->kernel, other->kernel) != 0 || one->busy != other->busy)
            return false;
    }
    return true;
}

static bool put_notebook(json_t *array, const struct notebook *notebook) {
    if (!str_is_clean(notebook->name, strlen(notebook->name)))
        return true;
    json_t *object = json_pack("{s:s, s:s}", "name", notebook->name, "state", notebook->busy ? "busy" : "idle");
    if (object && jsonline_set_text(object, "kernel", notebook->kernel))
        return json_array_append_new(array, object) == 0;
    json_decref(object);
    return false;
}

/* Sets "notebook_count" and "notebooks" when they are known. False when out of memory. */
static bool put_notebooks(json_t *object, const struct notebooks *notebooks) {
    if (!notebooks->known)
        return true;
    json_t *array = json_array();
    bool good = json_object_set_new(object, "notebook_count", json_integer(notebooks->count)) == 0 &&
                json_object_set_new(object, "notebooks", array) == 0;
    for (size_t i = 0; good && i < notebooks->listed; i++)
        good = put_notebook(array, &notebooks->list[i]);
    return good;
}

const char *service_state_name(const struct service *service) {
    return service->found ? "found" : service->up ? "up" : "down";
}

struct json_t *service_to_json(const struct service *service) {
    json_t *object = json_pack("{s:s, s:s, s:i, s:s}", "name", service->name, "kind", service_kind_name(service->kind),
                               "port", (int)service->port, "state", service_state_name(service));
    if (object && jsonline_set_text(object, "path", service->path) &&
        jsonline_set_text(object, "detail", service->detail) && put_notebooks(object, &service->notebooks) &&
        (!service->changeable || json_object_set_new(object, "changeable", json_true()) == 0))
        return object;
    json_decref(object);
    return NULL;
}

void notebooks_from_json(const struct json_t *service, struct notebooks *out) {
    const json_t *array = json_object_get(service, "notebooks");
    *out = (struct notebooks){0};
    out->known = jsonline_integer(service, "notebook_count", 0, NOTEBOOK_COUNT_MAX, &out->count);
    for (size_t i = 0; out->known && i < json_array_size(array) && out->listed < NOTEBOOKS_MAX; i++) {
        const json_t *item = json_array_get(array, i);
        struct notebook *notebook = &out->list[out->listed];
        char state[16] = "";
        if (!jsonline_text(item, "name", notebook->name, sizeof(notebook->name)) || notebook->name[0] == '\0')
            continue;
        (void)jsonline_text(item, "kernel", notebook->kernel, sizeof(notebook->kernel));
        (void)jsonline_text(item, "state", state, sizeof(state));
        notebook->busy = strcmp(state, "busy") == 0;
        out->listed++;
    }
    if (out->count < (int64_t)out->listed)
        out->count = (int64_t)out->listed;
}
