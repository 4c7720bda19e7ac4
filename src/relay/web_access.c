/* Who asks on a service's host, and may he? */
#include <stdio.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "sallyport/wire/http_cookie.h"
#include "web_conn.h"

enum { LOOK_S = 10 }; /* what was found counts for so long, unless rights change */

int web_access_token(const struct http_head *head, char to[static SECRET_TOKEN_LEN + 1]) {
    struct http_text value = {NULL, 0};
    for (size_t i = 0; i < head->field_count; i++) {
        struct http_text found;
        if (!http_text_is(head->fields[i].name, "Cookie"))
            continue;
        int rc = http_cookie_find(head->fields[i].value, WEB_COOKIE, &found);
        if (rc == SP_EEXIST || (!rc && value.at))
            return SP_EEXIST;
        if (!rc)
            value = found;
    }
    if (value.len != SECRET_TOKEN_LEN)
        return SP_ENOENT;
    memcpy(to, value.at, value.len);
    to[value.len] = '\0';
    return secret_is_token(to) ? 0 : SP_ENOENT;
}

/* May this user reach that service, and is the name of the machine still the one of this id? */
static int check_policy(struct web_conn *conn, int64_t user_id, int64_t machine_id, const char *service) {
    struct policy_subject subject;
    struct policy_request go = {.action = ACTION_REACH_SERVICE, .machine_id = machine_id, .service = service};
    int rc = store_user_subject(conn->web->source.store, user_id, &subject);
    if (rc)
        return rc == SP_ENOENT ? SP_EDENIED : rc;
    rc = policy_allows(&subject, &go) ? 0 : SP_EDENIED;
    policy_subject_fini(&subject);
    return rc;
}

static int look_up(struct web_conn *conn, const char *token) {
    struct store *store = conn->web->source.store;
    struct service_session found;
    struct machine machine;
    uint8_t hash[DIGEST_SIZE];
    int64_t now = conn->web->now();
    int rc = digest_sha256(token, SECRET_TOKEN_LEN, hash);
    if (!rc)
        rc = store_service_session_find(store, hash, now, WEB_SESSION_IDLE_S, &found);
    if (rc)
        return rc == SP_EEXPIRED || rc == SP_EDENIED ? SP_ENOENT : rc;
    rc = store_machine_find(store, conn->host.machine, &machine);
    if (!rc && (machine.id != found.machine_id || strcmp(found.service, conn->host.service) != 0))
        rc = SP_ENOENT;
    if (!rc)
        rc = check_policy(conn, found.session.user.id, machine.id, found.service);
    if (rc && rc != SP_EDENIED)
        return rc;
    struct web_access *access = &conn->access;
    *access = (struct web_access){.known = !rc,
                                  .rights = conn->web->rights,
                                  .looked = now,
                                  .session_id = found.session.id,
                                  .user_id = found.session.user.id,
                                  .last_used = found.session.last_used,
                                  .machine_id = machine.id,
                                  .carried = access->carried};
    memcpy(access->token, token, sizeof(access->token));
    (void)str_copy(access->user, sizeof(access->user), found.session.user.name);
    (void)str_copy(access->machine, sizeof(access->machine), conn->host.machine);
    (void)str_copy(access->service_name, sizeof(access->service_name), found.service);
    return rc;
}

static bool still_holds(const struct web_conn *conn, const char *token) {
    const struct web_access *access = &conn->access;
    int64_t age = conn->web->now() - access->looked;
    return access->known && access->rights == conn->web->rights && age >= 0 && age < LOOK_S &&
           secret_equal(access->token, token, SECRET_TOKEN_LEN) && strcmp(access->machine, conn->host.machine) == 0 &&
           strcmp(access->service_name, conn->host.service) == 0;
}

/* It is in use: a session ends by lying idle only. */
static void touch(struct web_conn *conn) {
    int64_t now = conn->web->now();
    if (now - conn->access.last_used < WEB_TOUCH_S)
        return;
    conn->access.last_used = now;
    if (store_session_touch(conn->web->source.store, conn->access.session_id, now))
        log_warn("web: the last use of a session could not be written");
}

int web_access_find(struct web_conn *conn, const struct http_head *head) {
    char token[SECRET_TOKEN_LEN + 1];
    int rc = web_access_token(head, token);
    if (rc)
        return rc == SP_EEXIST ? SP_ENOENT : rc;
    if (!still_holds(conn, token)) {
        conn->access.known = false;
        rc = look_up(conn, token);
    }
    secret_wipe(token, sizeof(token));
    if (!rc)
        touch(conn);
    return rc;
}

bool web_access_is_good(struct web_conn *conn) {
    struct web_access *access = &conn->access;
    struct session session;
    int64_t now = conn->web->now();
    if (store_session_get(conn->web->source.store, access->session_id, now, WEB_SESSION_IDLE_S, &session) ||
        check_policy(conn, access->user_id, access->machine_id, access->service_name))
        return false;
    access->rights = conn->web->rights;
    access->looked = now;
    /* Another connection of the same session has written it down perhaps: each write goes to the disk. */
    access->last_used = session.last_used;
    /* A WebSocket in use makes no requests: its bytes count. */
    uint64_t carried = http_conn_carried(conn->http);
    if (carried != access->carried)
        touch(conn);
    access->carried = carried;
    return true;
}

const char *web_access_foreign(const struct http_head *head, const char *origin) {
    bool look = (http_text_equal(head->method, "GET") || http_text_equal(head->method, "HEAD")) && !head->websocket;
    const struct http_field *said = http_field_find(head, "Origin");
    if (!look && !said)
        return "A request that changes something must say which page it comes from (Origin), and this one does not.";
    if (!look && (http_field_count(head, "Origin") != 1 || !http_text_equal(said->value, origin)))
        return "A page of another site sent this request. Only pages of this service itself may do that.";
    const struct http_field *site = http_field_find(head, "Sec-Fetch-Site");
    if (!site || http_text_is(site->value, "same-origin") || http_text_is(site->value, "none"))
        return NULL;
    /* From elsewhere only a plain link is followed, as a whole page: no image, script or frame of another page. */
    const struct http_field *mode = http_field_find(head, "Sec-Fetch-Mode");
    const struct http_field *dest = http_field_find(head, "Sec-Fetch-Dest");
    if (look && mode && dest && http_text_is(mode->value, "navigate") && http_text_is(dest->value, "document"))
        return NULL;
    return "A page of another site asked for this. Other sites may link here, and no more.";
}
