/* /api/v1: who you are, and the machines that you may see. */
#include <jansson.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/store/users.h"
#include "web_conn.h"

#define BODY_DEPTH_MAX 2

/* What follows MACHINE--SERVICE in the address of a service; none where the relay is asked for by its address. */
static bool add_suffix(const struct web_visit *visit, json_t *object) {
    char origin[WEB_ORIGIN_SIZE];
    if (web_host_service_origin(visit->authority, visit->request->tls, "m", "s", origin))
        return true;
    return json_object_set_new(object, "services_suffix", json_sprintf(".%s", visit->authority)) == 0;
}

/* For those who come with a cookie. */
static bool add_csrf(const struct web_visit *visit, json_t *object) {
    char token[WEB_CSRF_SIZE];
    if (!visit->asker->viewer.session_id)
        return true;
    return web_csrf_token(page_request_cookie(visit->request, WEB_COOKIE), token) == 0 &&
           json_object_set_new(object, "csrf_token", json_string(token)) == 0;
}

void web_api_me(struct web_visit *visit) {
    const struct user *user = &visit->asker->user;
    json_t *object = json_pack("{s:s, s:s, s:s, s:i}", "name", user->name, "role", role_name(user->role), "relay_host",
                               visit->web->hosts[0], "relay_port", (int)visit->web->port);
    if (object && (!add_suffix(visit, object) || !add_csrf(visit, object))) {
        json_decref(object);
        object = NULL;
    }
    web_answer_value(visit, 200, object);
}

/* The answer for what could not be had. */
static void answer_failure(struct web_visit *visit, int rc) {
    if (rc == SP_ENOENT) {
        web_answer_api_error(visit, 404, "there is no machine of that name that you may see");
        return;
    }
    log_error("web: no list of machines: %s", err_text(rc));
    web_answer_api_error(visit, 500, "the list could not be made: the relay's log says why");
}

/* All, or (`name`) one. */
static int load_machines(const struct web_visit *visit, const char *name, struct overview *out) {
    struct policy_subject viewer;
    const struct overview_source *source = &visit->web->source;
    int rc = store_user_subject(source->store, visit->asker->user.id, &viewer);
    if (rc)
        return rc;
    rc = name ? overview_load_one(source, &viewer, name, out) : overview_load(source, &viewer, out);
    policy_subject_fini(&viewer);
    return rc;
}

int web_machine(const struct web_visit *visit, const char *name, struct overview *out) {
    return load_machines(visit, name, out);
}

static int print_machines(struct web_visit *visit, const char *name, struct buf *body) {
    struct overview overview;
    int rc = load_machines(visit, name, &overview);
    if (rc)
        return rc;
    rc = name ? view_json(&overview.views[0], body) : view_list_json(overview.views, overview.count, body);
    overview_fini(&overview);
    return rc;
}

static void answer_machines(struct web_visit *visit, const char *name) {
    struct buf body;
    buf_init(&body);
    int rc = print_machines(visit, name, &body);
    if (!rc) {
        web_answer_json(visit, 200, &body);
        return;
    }
    buf_fini(&body);
    answer_failure(visit, rc);
}

void web_api_machines(struct web_visit *visit) {
    answer_machines(visit, NULL);
}

void web_api_machine(struct web_visit *visit) {
    answer_machines(visit, visit->part[0]);
}

int web_read_body(const struct web_visit *visit, struct json_t **out, struct why *why) {
    const struct page_request *request = visit->request;
    if (request->body)
        return jsonline_read((const char *)request->body, request->body_len, BODY_DEPTH_MAX, out, why);
    why_set(why, "a JSON object is wanted in the body");
    return SP_EFORMAT;
}
