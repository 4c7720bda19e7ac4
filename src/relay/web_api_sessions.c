/* /api/v1: the sessions of who asks, and their end. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "session_json.h"
#include "web_conn.h"

void web_api_sessions(struct web_visit *visit) {
    const struct web_viewer *viewer = &visit->asker->viewer;
    struct session_row *rows;
    size_t count, i = 0;
    if (store_session_list(visit->web->source.store, viewer->user_id, visit->web->now(), WEB_SESSION_IDLE_S, &rows,
                           &count)) {
        web_answer_api_error(visit, 500, "the list could not be made: the relay's log says why");
        return;
    }
    json_t *array = json_array();
    for (bool good = true; good && i < count; i += good) {
        json_t *object = session_json(&rows[i]);
        good = json_object_set_new(object, "current", json_boolean(rows[i].id == viewer->session_id)) == 0;
        if (json_array_append_new(array, object))
            good = false;
    }
    free(rows);
    if (i < count) {
        json_decref(array);
        array = NULL;
    }
    web_answer_value(visit, 200, array);
}

/* The end of sessions was tried: 204, the cookie taken away when it was the browser's own. */
static void answer_ended(struct web_visit *visit, int rc, const char *action, const char *object, bool own) {
    web_audit(visit, visit->asker->user.name, action, object, rc ? "failed" : "ok", "");
    if (rc) {
        web_answer_api_error(visit, 500, "the session could not be ended: the relay's log says why");
        return;
    }
    web_rights_changed(visit->web);
    if (own && page_response_header(visit->response, "Set-Cookie",
                                    WEB_COOKIE "=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"))
        return;
    if (page_response_header(visit->response, "Cache-Control", "no-store") == 0)
        visit->response->status = 204;
}

void web_api_session_end(struct web_visit *visit) {
    struct store *store = visit->web->source.store;
    const struct web_viewer *viewer = &visit->asker->viewer;
    struct session session;
    uint64_t id;
    int rc = str_u64(visit->part[0], 1, INT64_MAX, &id) ? SP_ENOENT : 0;
    if (!rc)
        rc = store_session_get(store, (int64_t)id, visit->web->now(), WEB_SESSION_IDLE_S, &session);
    if (rc == SP_ENOENT || rc == SP_EEXPIRED || (!rc && session.user.id != viewer->user_id)) {
        web_answer_api_error(visit, 404, "you have no such session");
        return;
    }
    if (!rc)
        rc = store_session_remove(store, session.id);
    answer_ended(visit, rc, "session remove", visit->part[0], !rc && session.id == viewer->session_id);
}

/* A token is no session: there is nothing to log out of. */
void web_api_logout(struct web_visit *visit) {
    int64_t id = visit->asker->viewer.session_id;
    if (!id) {
        web_answer_api_error(visit, 400, "this is for browsers: a token ends with 'key remove'");
        return;
    }
    int rc = store_session_remove(visit->web->source.store, id);
    answer_ended(visit, rc == SP_ENOENT ? 0 : rc, "web logout", NULL, true);
}

void web_api_logout_everywhere(struct web_visit *visit) {
    const struct web_viewer *viewer = &visit->asker->viewer;
    int rc = store_session_remove_others(visit->web->source.store, viewer->user_id, 0);
    answer_ended(visit, rc, "web logout everywhere", NULL, viewer->session_id != 0);
}
