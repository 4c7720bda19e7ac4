/* What the candidates of a machine come to: the route, the reason why it is not a better one, and all of it as JSON. */
#include <jansson.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "view_local.h"

/* The first candidate of that kind and state; NULL: there is none. */
static const struct candidate *find(const struct view_reach *reach, enum candidate_kind kind,
                                    enum candidate_state state) {
    for (size_t i = 0; i < reach->count && i < CANDIDATES_MAX; i++) {
        if (reach->candidates[i].kind == kind && reach->candidates[i].state == state)
            return &reach->candidates[i];
    }
    return NULL;
}

static const struct candidate *find_any(const struct view_reach *reach, enum candidate_state state) {
    static const enum candidate_kind kinds[] = {CANDIDATE_MAPPED, CANDIDATE_OBSERVED, CANDIDATE_IPV6};
    const struct candidate *found = NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !found; i++)
        found = find(reach, kinds[i], state);
    return found;
}

const struct candidate *view_reach_proved(const struct view_reach *reach) {
    return find_any(reach, CANDIDATE_VERIFIED);
}

enum route view_route(const struct machine_view *view) {
    bool direct = view->online && view->has_reach && !view->home_hidden && view_reach_proved(&view->reach);
    return direct ? ROUTE_DIRECT : view->route;
}

static const char *failed_text(const struct view_reach *reach, enum candidate_kind kind) {
    const struct candidate *failed = find(reach, kind, CANDIDATE_FAILED);
    return failed && failed->text[0] ? failed->text : NULL;
}

/* A port that the router gave says most; without one it is the trouble with the router that people can mend. */
const char *view_reach_reason(const struct view_reach *reach) {
    const char *text;
    if (view_reach_proved(reach))
        return "";
    if ((text = failed_text(reach, CANDIDATE_MAPPED)) || (text = failed_text(reach, CANDIDATE_OBSERVED)))
        return text;
    if (reach->trouble && reach->trouble[0])
        return reach->trouble;
    if ((text = failed_text(reach, CANDIDATE_IPV6)))
        return text;
    if (find_any(reach, CANDIDATE_UNCHECKED))
        return "the relay has not proved one yet";
    if (find_any(reach, CANDIDATE_FAILED))
        return "the relay does not get through to it";
    return "its agent offers none";
}

/* As in the link, with the words that go without saying there. */
static json_t *candidate_json(const struct candidate *candidate) {
    json_t *object = candidate_to_json(candidate);
    if (object && !json_object_set_new(object, "to", json_string(candidate->to_sshd ? "sshd" : "door")) &&
        !json_object_set_new(object, "state", json_string(candidate_state_name(candidate->state))))
        return object;
    json_decref(object);
    return NULL;
}

struct json_t *view_reach_json(const struct view_reach *reach) {
    json_t *list = json_array();
    bool good = list;
    for (size_t i = 0; good && i < reach->count && i < CANDIDATES_MAX; i++)
        good = json_array_append_new(list, candidate_json(&reach->candidates[i])) == 0;
    json_t *object =
        good ? json_pack("{s:b, s:b}", "direct", view_reach_proved(reach) != NULL, "fetch", (int)reach->can_fetch)
             : NULL;
    if (object && jsonline_set_text(object, "reason", view_reach_reason(reach)) &&
        json_object_set(object, "candidates", list) == 0) {
        json_decref(list);
        return object;
    }
    json_decref(object);
    json_decref(list);
    return NULL;
}
