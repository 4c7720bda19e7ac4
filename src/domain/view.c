/* A machine for programs: what a viewer may see of it, as JSON. */
#include <jansson.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "view_local.h"

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
    request.service = "ssh";
    view->home_hidden = !policy_allows(viewer, &request);
    view->hidden = 0;
    for (size_t i = 0; i < view->service_count && i < SERVICES_MAX; i++) {
        request.service = view->services[i].name;
        if (view->services[i].found ? view->home_hidden : !policy_allows(viewer, &request))
            view->hidden |= UINT64_C(1) << i;
    }
    return true;
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

/* What the machine said of itself when it came. */
static bool put_reach(json_t *object, const struct machine_view *view) {
    if (view->has_clock && json_object_set_new(object, "clock_offset_s", json_integer(view->clock_offset_s)))
        return false;
    if (view->home_hidden)
        return true;
    if (view->has_reach && json_object_set_new(object, "reach", view_reach_json(&view->reach)))
        return false;
    if (view->host_key_count == 0)
        return true;
    json_t *keys = json_array();
    bool good = json_object_set_new(object, "ssh_host_keys", keys) == 0;
    for (size_t i = 0; good && i < view->host_key_count; i++) {
        const char *key = view->host_keys[i];
        good = !str_is_clean(key, strlen(key)) || json_array_append_new(keys, json_string(key)) == 0;
    }
    return good;
}

static json_t *machine_json(const struct machine_view *view, unsigned extent) {
    json_t *object = json_pack("{s:s, s:b}", "name", view->name, "online", (int)view->online);
    if (!object)
        return NULL;
    bool good = jsonline_set_time(object, "since", view->since) &&
                jsonline_set_text(object, "route", route_name(view_route(view))) &&
                jsonline_set_text(object, "version", view->version) &&
                json_object_set_new(object, "services", services_json(view)) == 0;
    if (good && view->asleep && !view->online)
        good = json_object_set_new(object, "asleep", json_true()) == 0;
    if (good)
        good = view_put_state(object, view, extent | (view->home_hidden ? STATUS_DISCREET : 0));
    if (good && view->online)
        good = put_reach(object, view);
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int view_list_json(const struct machine_view *views, size_t n, struct buf *out) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < n; i++) {
        if (json_array_append_new(array, machine_json(&views[i], STATUS_SHORT))) {
            json_decref(array);
            array = NULL;
        }
    }
    return jsonline_append(out, array, SIZE_MAX);
}

int view_json(const struct machine_view *view, struct buf *out) {
    return jsonline_append(out, machine_json(view, STATUS_ALL), SIZE_MAX);
}
