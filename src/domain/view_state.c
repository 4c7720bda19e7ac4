/* The state of a machine for programs: what its agent measured, who has claimed what, what is wrong. */
#include <jansson.h>
#include <string.h>

#include "sallyport/domain/claim.h"
#include "sallyport/domain/jsonline.h"
#include "view_local.h"

bool view_is_against_claim(const struct machine_view *view, const struct process *process) {
    const char *owner = claim_owner(process);
    if (!owner[0])
        return false;
    for (size_t i = 0; i < view->claim_count; i++) {
        const struct view_claim *claim = &view->claims[i];
        if (claim->gpu >= 0 && claim->gpu < STATUS_GPUS_MAX && process->gpus >> claim->gpu & 1 &&
            strcmp(claim->user, owner) != 0)
            return true;
    }
    return false;
}

/* Those processes of `status` that are on somebody else's GPU get a mark. */
static bool mark_processes(json_t *status, const struct machine_view *view) {
    const json_t *array = json_object_get(status, "processes");
    size_t told = 0;
    for (size_t i = 0; i < view->status->process_count && told < json_array_size(array); i++) {
        const struct process *process = &view->status->processes[i];
        json_t *item = json_array_get(array, told);
        if (json_integer_value(json_object_get(item, "pid")) != process->pid)
            continue; /* it was left out */
        told++;
        if (view_is_against_claim(view, process) && json_object_set_new(item, "against_claim", json_true()))
            return false;
    }
    return true;
}

static bool put_status(json_t *object, const struct machine_view *view, unsigned extent) {
    if (!view->status || status_is_empty(view->status))
        return true;
    json_t *status = status_to_json(view->status, extent);
    if (status && mark_processes(status, view))
        return json_object_set_new(object, "status", status) == 0;
    json_decref(status);
    return false;
}

/* Appends it when it is good; takes it over. */
static bool append(json_t *array, json_t *item, bool good) {
    if (good && item)
        return json_array_append_new(array, item) == 0;
    json_decref(item);
    return false;
}

static bool put_claims(json_t *object, const struct machine_view *view) {
    if (view->claim_count == 0)
        return true;
    json_t *array = json_array();
    bool good = json_object_set_new(object, "claims", array) == 0;
    for (size_t i = 0; good && i < view->claim_count; i++) {
        const struct view_claim *claim = &view->claims[i];
        json_t *item = json_pack("{s:I, s:s}", "gpu", (json_int_t)claim->gpu, "user", claim->user);
        good =
            append(array, item,
                   item && jsonline_set_time(item, "since", claim->since) &&
                       jsonline_set_time(item, "until", claim->until) && jsonline_set_text(item, "note", claim->note));
    }
    return good;
}

static bool put_alerts(json_t *object, const struct machine_view *view) {
    if (view->alert_count == 0)
        return true;
    json_t *array = json_array();
    bool good = json_object_set_new(object, "alerts", array) == 0;
    for (size_t i = 0; good && i < view->alert_count; i++) {
        const struct view_alert *alert = &view->alerts[i];
        json_t *item = json_pack("{s:s}", "kind", alert->kind);
        good =
            append(array, item,
                   item && jsonline_set_text(item, "object", alert->object) &&
                       jsonline_set_time(item, "since", alert->since) && jsonline_set_text(item, "text", alert->text));
    }
    return good;
}

bool view_put_state(struct json_t *object, const struct machine_view *view, unsigned extent) {
    return put_status(object, view, extent) && put_claims(object, view) && put_alerts(object, view);
}
