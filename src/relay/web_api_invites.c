/* /api/v1: invites, for admins. */
#include <jansson.h>
#include <string.h>

#include "invite.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "web_conn.h"

void web_api_invites(struct web_visit *visit) {
    json_t *array;
    if (invite_list_json(visit->web->source.store, visit->web->now(), &array))
        web_answer_api_error(visit, 500, "the list could not be made: the relay's log says why");
    else
        web_answer_value(visit, 200, array);
}

/* What the body orders: 0, or a sentence in why. `name` and `duration` are room for the texts. */
static int read_order(const struct json_t *object, struct invite_order *order, char name[static SP_NAME_SIZE],
                      struct why *why) {
    char kind[16], duration[32];
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        bool good = false;
        if (strcmp(key, "kind") == 0)
            good = jsonline_text(object, key, kind, sizeof(kind)) &&
                   (strcmp(kind, "machine") == 0 || strcmp(kind, "user") == 0);
        else if (strcmp(key, "name") == 0)
            good = jsonline_text(object, key, name, SP_NAME_SIZE);
        else if (strcmp(key, "for") == 0)
            good = jsonline_text(object, key, duration, sizeof(duration)) &&
                   str_duration(duration, &order->duration_s) == 0 && order->duration_s > 0;
        else if (strcmp(key, "admin") == 0)
            good = json_is_boolean(value);
        if (!good) {
            why_set(why, "'%.32s' is no member of an invite, or has a value that makes no sense", key);
            return SP_EFORMAT;
        }
    }
    if (!json_object_get(object, "kind") || !json_object_get(object, "name")) {
        why_set(why, "an invite has a 'kind', machine or user, and a 'name'");
        return SP_EFORMAT;
    }
    order->kind = strcmp(kind, "user") == 0 ? INVITE_USER : INVITE_MACHINE;
    order->admin = json_is_true(json_object_get(object, "admin"));
    return 0;
}

static unsigned status_of(int rc) {
    switch (rc) {
    case SP_EFORMAT:
    case SP_EINVAL:
    case SP_ETOOBIG:
        return 400;
    case SP_EEXIST:
        return 409;
    default:
        return 500;
    }
}

static void answer_made(struct web_visit *visit, const struct invite_made *made) {
    const struct web *web = visit->web;
    const struct invite_place place = {web->hosts[0], web->port, web->fingerprint};
    char url[JOIN_URL_SIZE];
    struct buf line;
    json_t *object = NULL;
    buf_init(&line);
    if (invite_url(&place, made, url) == 0 && invite_line(&place, made, &line) == 0)
        object = invite_json(&made->invite);
    if (object &&
        (json_object_set_new(object, "url", json_string(url)) ||
         json_object_set_new(object, "line", json_stringn((const char *)buf_head(&line), buf_len(&line) - 1)) ||
         json_object_set_new(object, "replaces", json_boolean(made->there)))) {
        json_decref(object);
        object = NULL;
    }
    secret_wipe(url, sizeof(url));
    buf_wipe(&line);
    web_answer_value(visit, 201, object);
}

void web_api_invite_add(struct web_visit *visit) {
    struct invite_order order = {
        .store = visit->web->source.store, .by = visit->asker->user.name, .now = visit->web->now()};
    struct invite_made made;
    struct why why = {""};
    char name[SP_NAME_SIZE] = "";
    json_t *object = NULL;
    int rc = web_read_body(visit, &object, &why);
    if (!rc)
        rc = read_order(object, &order, name, &why);
    json_decref(object);
    if (rc) {
        web_answer_api_error(visit, 400, why.text[0] ? why.text : "a JSON object is wanted in the body");
        return;
    }
    order.name = name;
    rc = invite_make(&order, &made, &why);
    web_audit(visit, order.by, order.kind == INVITE_USER ? "invite user" : "invite machine", name, rc ? "failed" : "ok",
              order.admin ? "admin" : "");
    if (rc) {
        web_answer_api_error(visit, status_of(rc), why.text[0] ? why.text : err_text(rc));
        return;
    }
    answer_made(visit, &made);
    secret_wipe(&made, sizeof(made));
}

void web_api_invite_remove(struct web_visit *visit) {
    uint64_t id;
    int rc = str_u64(visit->part[0], 1, INT64_MAX, &id) ? SP_ENOENT
                                                        : store_invite_remove(visit->web->source.store, (int64_t)id);
    if (rc == SP_ENOENT) {
        web_answer_api_error(visit, 404, "there is no such open invite");
        return;
    }
    web_audit(visit, visit->asker->user.name, "invite remove", visit->part[0], rc ? "failed" : "ok", "");
    if (rc)
        web_answer_api_error(visit, 500, "the invite could not be removed: the relay's log says why");
    else if (page_response_header(visit->response, "Cache-Control", "no-store") == 0)
        visit->response->status = 204;
}
