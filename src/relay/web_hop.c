/* From the relay's host to a service's host: cookies do not go there, so a code does, once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "web_conn.h"

#define LIFE_COOKIE_S (30 * 86400) /* not longer than the session that it hangs on */
#define PATH_SIZE 2048
#define ENTER_PATH WEB_OWN_PATH "enter/"
#define NEXT_COOKIE "__Host-sallyport-next"
#define NEXT_S 600

bool web_hop_is_path(const char *path) {
    if (path[0] != '/' || path[1] == '/' || strlen(path) >= PATH_SIZE)
        return false;
    for (const char *c = path; *c; c++) {
        /* Browsers take '\' for '/': what looks like a path could then be another host. */
        if (*c <= ' ' || *c >= 0x7f || *c == '\\' || *c == '#')
            return false;
    }
    return true;
}

/* The parameter `to` of a query, decoded; "/" when there is none that may be used. */
static void query_to(const char *query, size_t len, char to[static PATH_SIZE]) {
    if (web_query(query, len, "to", to, PATH_SIZE) || !web_hop_is_path(to))
        memcpy(to, "/", 2);
}

/* Appends a path so that it can stand in a query. */
static void escape(struct http_text path, char *to, size_t size) {
    size_t at = 0;
    for (size_t i = 0; i < path.len && at + 4 < size; i++) {
        unsigned char c = (unsigned char)path.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("/-_.~", c);
        at += (size_t)(plain ? snprintf(to + at, size - at, "%c", c) : snprintf(to + at, size - at, "%%%02X", c));
    }
    to[at] = '\0';
}

int web_hop_url(const char *relay_origin, const char *machine, const char *service, struct http_text target,
                char to[static WEB_URL_SIZE]) {
    char escaped[PATH_SIZE * 3] = "";
    if (target.len < PATH_SIZE && !http_text_equal(target, "/"))
        escape(target, escaped, sizeof(escaped));
    int n = snprintf(to, WEB_URL_SIZE, "%s/open/%s/%s", relay_origin, machine, service);
    /* Our pages take no longer address: then it is the service's first page, and no refusal. */
    size_t len = (size_t)n - strlen(relay_origin) + strlen("?to=") + strlen(escaped);
    if (n < WEB_URL_SIZE && escaped[0] && len <= PAGES_PATH_MAX)
        n += snprintf(to + n, WEB_URL_SIZE - (size_t)n, "?to=%s", escaped);
    return n < WEB_URL_SIZE ? 0 : SP_ETOOBIG;
}

/* The machine, if this user may reach that service of it; else as if there were none. */
static int find_machine(struct web *web, const struct session *session, const char *name, const char *service,
                        struct machine *out) {
    struct policy_subject subject;
    int rc = store_machine_find(web->source.store, name, out);
    if (!rc)
        rc = store_user_subject(web->source.store, session->user.id, &subject);
    if (rc)
        return rc;
    struct policy_request go = {.action = ACTION_REACH_SERVICE, .machine_id = out->id, .service = service};
    rc = policy_allows(&subject, &go) ? 0 : SP_ENOENT;
    policy_subject_fini(&subject);
    return rc;
}

/* Nobody is logged in: the way there is kept in a cookie, for the login that follows. */
static void ask_login(struct web_visit *visit) {
    const struct page_request *request = visit->request;
    bool kept = strlen(request->path) + strlen(request->query) < PATH_SIZE && !strpbrk(request->path, "\";,\\") &&
                !strpbrk(request->query, "\";,\\");
    if (kept && page_response_header(visit->response, "Set-Cookie",
                                     NEXT_COOKIE "=%s%s%s; Path=/; Max-Age=%d; Secure; HttpOnly; SameSite=Lax",
                                     request->path, request->query[0] ? "?" : "", request->query, NEXT_S))
        return;
    web_answer_login(visit, 200, "Log in", "The relay knows you by your SSH key. Ask it for a link:");
}

/* Login codes lead to services and to our first page, and nowhere else. */
static bool is_way_on(const char *path) {
    return str_starts(path, "/open/") && web_hop_is_path(path);
}

void web_hop_after_login(struct web_visit *visit) {
    const char *kept = page_request_cookie(visit->request, NEXT_COOKIE);
    char to[PATH_SIZE];
    query_to(visit->request->query, strlen(visit->request->query), to);
    if (kept && page_response_header(visit->response, "Set-Cookie",
                                     NEXT_COOKIE "=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"))
        return;
    if (is_way_on(to))
        web_answer_redirect(visit, 303, to);
    else
        web_answer_redirect(visit, 303, kept && is_way_on(kept) ? kept : "/");
}

void web_hop_open(struct web_visit *visit) {
    struct web *web = visit->web;
    const struct page_request *request = visit->request;
    const char *service = visit->part[1];
    char code[SECRET_TOKEN_LEN + 1], to[PATH_SIZE];
    char origin[WEB_ORIGIN_SIZE], url[WEB_URL_SIZE], escaped[PATH_SIZE * 3];
    struct session session;
    struct machine machine;
    const char *dest = page_request_header(request, "Sec-Fetch-Dest");
    if (dest && strcmp(dest, "document") != 0) {
        web_answer_error(visit, 403, "Refused", "This opens as a whole page only, not within another one.");
        return;
    }
    if (web_session_find(visit, &session)) {
        ask_login(visit);
        return;
    }
    if (service_name_check(service, NULL) || find_machine(web, &session, visit->part[0], service, &machine)) {
        web_answer_error(visit, 404, "Nothing here for you",
                         "There is no such service on a machine that you may reach. An admin can grant it.");
        return;
    }
    if (web_host_service_origin(visit->authority, str_starts(visit->origin, "https:"), machine.name, service, origin)) {
        web_answer_error(visit, 404, "Not by this address",
                         "Services have host names of their own below the relay's name. You came by an address in "
                         "figures, which has none: use the relay's name, or ssh -L.");
        return;
    }
    if (web_hop_make(web->hops, session.id, machine.id, service, code)) {
        web_answer_error(visit, 500, "Something is wrong here", "The relay's log says what.");
        return;
    }
    query_to(request->query, strlen(request->query), to);
    escape((struct http_text){to, strlen(to)}, escaped, sizeof(escaped));
    snprintf(url, sizeof(url), "%s" ENTER_PATH "%s?to=%s", origin, code, escaped);
    web_answer_redirect(visit, 303, url);
    secret_wipe(code, sizeof(code));
    secret_wipe(url, sizeof(url));
}

/* Tabs that open together share one session: a new one would end that which another tab was given a moment ago. */
static int recall_session(struct web *web, const struct web_hop *hop, char token[static SECRET_TOKEN_LEN + 1]) {
    struct service_session found;
    uint8_t hash[DIGEST_SIZE];
    int rc = web_hop_recall(web->hops, hop, token);
    if (!rc)
        rc = digest_sha256(token, SECRET_TOKEN_LEN, hash);
    return rc ? rc : store_service_session_find(web->source.store, hash, web->now(), WEB_SESSION_IDLE_S, &found);
}

static int add_session(struct web *web, const struct web_hop *hop, char token[static SECRET_TOKEN_LEN + 1]) {
    uint8_t hash[DIGEST_SIZE];
    int rc = secret_token(token);
    if (!rc)
        rc = digest_sha256(token, SECRET_TOKEN_LEN, hash);
    if (!rc)
        rc = store_service_session_add(web->source.store, hash, hop->session_id, hop->machine_id, hop->service,
                                       web->now());
    if (!rc)
        web_hop_remember(web->hops, hop, token);
    return rc;
}

/* The session on the service's host: its cookie into `cookie`. */
static int start_session(struct web *web, const struct web_hop *hop, struct session *session, char *cookie,
                         size_t size) {
    char token[SECRET_TOKEN_LEN + 1];
    int rc = store_session_get(web->source.store, hop->session_id, web->now(), WEB_SESSION_IDLE_S, session);
    if (!rc && recall_session(web, hop, token))
        rc = add_session(web, hop, token);
    if (!rc)
        snprintf(cookie, size, WEB_COOKIE "=%s; Path=/; Max-Age=%d; Secure; HttpOnly; SameSite=Lax", token,
                 LIFE_COOKIE_S);
    secret_wipe(token, sizeof(token));
    return rc;
}

static void refuse_code(struct web_conn *conn) {
    char relay[WEB_ORIGIN_SIZE], url[WEB_URL_SIZE];
    web_relay_origin(conn, relay);
    (void)web_hop_url(relay, conn->host.machine, conn->host.service, (struct http_text){"/", 1}, url);
    web_refuse(conn, 403, "This way in does not work any more",
               "It works once, and for half a minute. Open the service again:", url, "Open it again");
}

void web_hop_enter(struct web_conn *conn, const struct http_head *head) {
    const struct http_field *purpose = http_field_find(head, "Sec-Purpose");
    const struct http_field *dest = http_field_find(head, "Sec-Fetch-Dest");
    char code[SECRET_TOKEN_LEN + 1] = "", to[PATH_SIZE], cookie[256], object[SP_NAME_SIZE * 2];
    size_t prefix = strlen(ENTER_PATH), left = head->target.len - prefix;
    const char *at = head->target.at + prefix;
    struct web_hop hop;
    struct machine machine;
    struct session session;
    if (purpose && memmem(purpose->value.at, purpose->value.len, "prefetch", 8)) {
        web_refuse(conn, 503, "Not yet", "Open this link in your browser.", NULL, NULL);
        return;
    }
    if (dest && !http_text_is(dest->value, "document")) {
        web_refuse(conn, 403, "Refused", "This opens as a whole page only, not within another one.", NULL, NULL);
        return;
    }
    if (left >= SECRET_TOKEN_LEN && (left == SECRET_TOKEN_LEN || at[SECRET_TOKEN_LEN] == '?'))
        memcpy(code, at, SECRET_TOKEN_LEN);
    int rc = web_hop_redeem(conn->web->hops, code, &hop);
    if (!rc)
        rc = store_machine_find(conn->web->source.store, conn->host.machine, &machine);
    if (!rc && (machine.id != hop.machine_id || strcmp(hop.service, conn->host.service) != 0))
        rc = SP_ENOENT;
    if (!rc)
        rc = start_session(conn->web, &hop, &session, cookie, sizeof(cookie));
    if (rc) {
        refuse_code(conn);
        return;
    }
    snprintf(object, sizeof(object), "%.31s/%.31s", machine.name, hop.service);
    web_audit_once(conn->web, session.user.name, "web reach", object, "ok", conn->peer_text);
    log_info("web: %s opened %s/%s from %s", session.user.name, machine.name, hop.service, conn->peer_text);
    query_to(left > SECRET_TOKEN_LEN ? at + SECRET_TOKEN_LEN + 1 : "",
             left > SECRET_TOKEN_LEN ? left - SECRET_TOKEN_LEN - 1 : 0, to);
    web_redirect(conn, 302, to, cookie);
    secret_wipe(cookie, sizeof(cookie));
}
