/* The messages of the link that serve reach (docs/PROTOCOL.md section 7), read and written. */
#include <jansson.h>
#include <string.h>

#include "link_local.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"

#define KNOCK_BYTES 16

/* What a candidate of this message may not say is forgotten. */
static int read_candidates(const json_t *object, bool found, struct candidate *list, size_t *count, struct why *why) {
    const json_t *array = json_object_get(object, "candidates");
    size_t n = json_array_size(array), kept = 0;
    if (array && !json_is_array(array))
        return link_refuse_field(why, "candidates");
    if (n > CANDIDATES_MAX) {
        why_set(why, "more than %d candidates", CANDIDATES_MAX);
        return SP_ETOOBIG;
    }
    for (size_t i = 0; i < n; i++) {
        struct candidate one;
        int rc = candidate_from_json(json_array_get(array, i), &one, why);
        if (rc == SP_ENOENT)
            continue;
        if (rc)
            return rc;
        if (found) {
            one.by[0] = '\0';
        } else {
            one.state = CANDIDATE_UNCHECKED;
            one.checked = 0;
            one.text[0] = '\0';
        }
        list[kept++] = one;
    }
    *count = kept;
    return 0;
}

static bool read_knock(const json_t *object, char knock[static BASE64URL_SIZE(KNOCK_BYTES)]) {
    uint8_t bytes[KNOCK_BYTES];
    bool good = jsonline_bytes(object, "knock", bytes, sizeof(bytes));
    if (good)
        base64url_encode(knock, bytes, sizeof(bytes));
    secret_wipe(bytes, sizeof(bytes));
    return good;
}

int link_read_reach(const json_t *object, struct link_message *out, struct why *why) {
    struct link_reach *reach = &out->reach;
    reach->can_fetch = json_is_true(json_object_get(object, "fetch"));
    reach->has_door = jsonline_bytes(object, "door_key", reach->door_key, sizeof(reach->door_key)) &&
                      read_knock(object, reach->knock);
    jsonline_text_cut(object, "trouble", reach->trouble, sizeof(reach->trouble));
    return read_candidates(object, false, reach->list, &reach->count, why);
}

int link_read_verify(const json_t *object, struct link_message *out, struct why *why) {
    return read_candidates(object, true, out->verify.list, &out->verify.count, why);
}

static bool read_user(const json_t *object, char user[static SP_NAME_SIZE]) {
    return jsonline_text(object, "user", user, SP_NAME_SIZE) && name_check(user, NULL) == 0;
}

static bool read_service(const json_t *object, char service[static SP_NAME_SIZE]) {
    return jsonline_text(object, "service", service, SP_NAME_SIZE) && service_name_check(service, NULL) == 0;
}

static int read_call(const json_t *object, struct link_call *call, struct why *why) {
    if (!jsonline_text(object, "ticket", call->ticket, sizeof(call->ticket)) || !ticket_is_text(call->ticket))
        return link_refuse_field(why, "a ticket");
    return read_user(object, call->user) ? 0 : link_refuse_field(why, "a user");
}

int link_read_open(const json_t *object, struct link_message *out, struct why *why) {
    if (!read_service(object, out->call.service))
        return link_refuse_field(why, "open: a service");
    return read_call(object, &out->call, why);
}

int link_read_punch(const json_t *object, struct link_message *out, struct why *why) {
    return read_call(object, &out->call, why);
}

int link_read_end(const json_t *object, struct link_message *out, struct why *why) {
    if (json_object_get(object, "service") && !read_service(object, out->end.service))
        return link_refuse_field(why, "end: the service");
    return read_user(object, out->end.user) ? 0 : link_refuse_field(why, "a user");
}

static json_t *candidates_json(const struct candidate *list, size_t count, bool found) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < count && i < CANDIDATES_MAX; i++) {
        struct candidate one = list[i];
        if (found) {
            one.by[0] = '\0';
        } else {
            one.state = CANDIDATE_UNCHECKED;
            one.checked = 0;
            one.text[0] = '\0';
        }
        if (json_array_append_new(array, candidate_to_json(&one))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

int link_format_reach(struct buf *out, const struct link_reach *reach) {
    char key[BASE64URL_SIZE(sizeof(reach->door_key))];
    json_t *list = candidates_json(reach->list, reach->count, false);
    base64url_encode(key, reach->door_key, sizeof(reach->door_key));
    json_t *message =
        json_pack("{s:s, s:b, s:s*, s:s*, s:o}", "kind", "reach", "fetch", (int)reach->can_fetch, "door_key",
                  reach->has_door ? key : NULL, "knock", reach->has_door ? reach->knock : NULL, "candidates", list);
    if (message && !jsonline_set_text(message, "trouble", reach->trouble)) {
        json_decref(message);
        return SP_ENOMEM;
    }
    return link_append(out, message);
}

int link_format_verify(struct buf *out, const struct link_verify *verify) {
    return link_append(out, json_pack("{s:s, s:o}", "kind", "verify", "candidates",
                                      candidates_json(verify->list, verify->count, true)));
}

int link_format_call(struct buf *out, enum link_kind kind, const struct link_call *call) {
    return link_append(out, json_pack("{s:s, s:s, s:s*, s:s}", "kind", link_kind_name(kind), "ticket", call->ticket,
                                      "service", kind == LINK_OPEN ? call->service : NULL, "user", call->user));
}

int link_format_end(struct buf *out, const struct link_end *end) {
    return link_append(out, json_pack("{s:s, s:s, s:s*}", "kind", "end", "user", end->user, "service",
                                      end->service[0] ? end->service : NULL));
}
