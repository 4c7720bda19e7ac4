/* A machine for programs: what a viewer may see of it, as JSON. */
#include "sallyport/domain/view.h"

#include <jansson.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

void view_init(struct machine_view *view, const struct machine *machine) {
    *view = (struct machine_view){
        .machine_id = machine->id,
        .name = machine->name,
        .since = machine->last_seen,
        .route = ROUTE_NONE,
    };
}

bool view_narrow(struct machine_view *view, const struct policy_subject *viewer) {
    struct policy_request request = {.action = ACTION_SEE_MACHINE, .machine_id = view->machine_id};
    if (!policy_allows(viewer, &request))
        return false;
    request.action = ACTION_REACH_SERVICE;
    view->hidden = 0;
    for (size_t i = 0; i < view->service_count && i < SERVICES_MAX; i++) {
        request.service = view->services[i].name;
        if (!policy_allows(viewer, &request))
            view->hidden |= UINT64_C(1) << i;
    }
    return true;
}

/* Sets a text member that may be missing; false when out of memory. */
static bool put_text(json_t *object, const char *member, const char *text) {
    return !text || !text[0] || json_object_set_new(object, member, json_string(text)) == 0;
}

static json_t *services_json(const struct machine_view *view) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < view->service_count && i < SERVICES_MAX; i++) {
        if (view->hidden >> i & 1)
            continue;
        if (json_array_append_new(array, service_to_json(&view->services[i]))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *machine_json(const struct machine_view *view) {
    char since[21] = "";
    if (view->since > 0)
        str_time(since, view->since);
    json_t *object = json_pack("{s:s, s:b}", "name", view->name, "online", (int)view->online);
    if (!object)
        return NULL;
    bool good = put_text(object, "since", since) && put_text(object, "route", route_name(view->route)) &&
                put_text(object, "version", view->version) &&
                json_object_set_new(object, "services", services_json(view)) == 0;
    if (good && view->status && !status_is_empty(view->status))
        good = json_object_set_new(object, "status", status_to_json(view->status)) == 0;
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int view_list_json(const struct machine_view *views, size_t n, struct buf *out) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < n; i++) {
        if (json_array_append_new(array, machine_json(&views[i]))) {
            json_decref(array);
            array = NULL;
        }
    }
    return jsonline_append(out, array, SIZE_MAX);
}

int view_json(const struct machine_view *view, struct buf *out) {
    return jsonline_append(out, machine_json(view), SIZE_MAX);
}
