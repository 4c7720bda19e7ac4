/* Logins and sessions of browsers: a one-time link in, a cookie out. */
#include <stdio.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/store/audit.h"
#include "sallyport/wire/digest.h"
#include "web_local.h"

#define COOKIE "__Host-sallyport"
#define IDLE_S (7 * 86400)
#define LIFE_S (30 * 86400)
#define TOUCH_S 300 /* how far behind the time of the last use may be: each write goes to the disk */

static void audit(struct web_visit *visit, const char *actor, const char *action, const char *outcome,
                  const char *detail) {
    struct audit_entry entry = {
        .time = visit->web->now(),
        .actor = actor,
        .action = action,
        .object = visit->request->peer,
        .outcome = outcome,
        .detail = detail,
    };
    if (store_audit_add(visit->web->source.store, &entry)) {
        log_error("web: the audit could not be written");
    }
}

int web_session_find(struct web_visit *visit, struct session *out) {
    uint8_t hash[DIGEST_SIZE];
    struct session found;
    struct store *store = visit->web->source.store;
    int64_t now = visit->web->now();
    const char *token = page_request_cookie(visit->request, COOKIE);
    if (!token || !secret_is_token(token) || digest_sha256(token, SECRET_TOKEN_LEN, hash) ||
        store_session_find(store, hash, now, IDLE_S, &found)) {
        return SP_ENOENT;
    }
    if (now - found.last_used >= TOUCH_S && store_session_touch(store, found.id, now)) {
        log_warn("web: the last use of a session could not be written");
    }
    *out = found;
    return 0;
}

/* Starts a session and hands its token to the browser. */
static int session_start(struct web_visit *visit, const struct user *user) {
    char token[SECRET_TOKEN_LEN + 1];
    uint8_t hash[DIGEST_SIZE];
    int64_t now = visit->web->now(), id = 0;
    const char *agent = page_request_header(visit->request, "User-Agent");
    int rc = secret_token(token);
    if (!rc) {
        rc = digest_sha256(token, SECRET_TOKEN_LEN, hash);
    }
    if (!rc) {
        rc = page_response_header(visit->response, "Set-Cookie",
                                  COOKIE "=%s; Path=/; Max-Age=%d; Secure; HttpOnly; SameSite=Lax", token, LIFE_S);
    }
    if (!rc) {
        rc = store_session_add(visit->web->source.store, hash, user->id, now, now + LIFE_S, visit->request->peer,
                               agent && str_is_clean(agent, strlen(agent)) ? agent : "", &id);
    }
    secret_wipe(token, sizeof(token));
    return rc;
}

/* Browsers fetch links ahead of the click, and a link that works once must not be used up by that. */
static bool is_glance(const struct page_request *request) {
    const char *purpose = page_request_header(request, "Sec-Purpose");
    return strcmp(request->method, "HEAD") == 0 || (purpose && strstr(purpose, "prefetch"));
}

void web_session_login(struct web_visit *visit) {
    const char *code = visit->request->path + strlen("/login/");
    uint8_t hash[DIGEST_SIZE];
    struct user user;
    struct why why = {""};
    if (is_glance(visit->request)) {
        web_answer_login(visit, 503, "Not yet", "Open this link in your browser to log in.");
        return;
    }
    int rc = SP_ENOENT;
    if (secret_is_token(code) && digest_sha256(code, SECRET_TOKEN_LEN, hash) == 0) {
        rc = store_login_redeem(visit->web->source.store, hash, visit->web->now(), &user, &why);
    }
    if (!rc) {
        rc = session_start(visit, &user);
        if (!rc) {
            audit(visit, user.name, "web login", "ok", "");
            log_info("web: %s logged in from %s", user.name, visit->request->peer);
            web_answer_redirect(visit, 303, "/");
            return;
        }
        log_error("web: no session for %s: %s", user.name, err_text(rc));
        web_answer_error(visit, 500, "Not logged in", "The relay could not write down the session. Its log says why.");
        return;
    }
    /* A code that nobody ever issued is noise from the internet: it must not be able to fill the audit. */
    log_info("web: login link from %s refused: %s", visit->request->peer, err_text(rc));
    if (rc != SP_ENOENT) {
        audit(visit, "", "web login", "refused", err_text(rc));
    }
    web_answer_login(visit, 403, "This link does not work",
                     "It was used already, or is older than 10 minutes, or is not complete. Ask for a new one:");
}

/* Another site can make a browser send this request, cookie and all, but it cannot choose these two headers. */
static bool is_own_page(const struct web_visit *visit) {
    char wanted[WEB_COMMAND_SIZE];
    const char *origin = page_request_header(visit->request, "Origin");
    const char *site = page_request_header(visit->request, "Sec-Fetch-Site");
    snprintf(wanted, sizeof(wanted), "https://%s", visit->authority);
    return origin && strcmp(origin, wanted) == 0 && (!site || strcmp(site, "same-origin") == 0);
}

void web_session_logout(struct web_visit *visit) {
    struct session session;
    if (!is_own_page(visit)) {
        web_answer_api_error(visit, 403, "this request does not come from the relay's own page");
        return;
    }
    if (web_session_find(visit, &session)) {
        web_answer_api_error(visit, 401, "not logged in");
        return;
    }
    int rc = store_session_remove(visit->web->source.store, session.id);
    if (rc && rc != SP_ENOENT) {
        web_answer_api_error(visit, 500, "the session could not be ended: the relay's log says why");
        return;
    }
    audit(visit, session.user.name, "web logout", "ok", "");
    if (page_response_header(visit->response, "Set-Cookie",
                             COOKIE "=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax") == 0 &&
        page_response_header(visit->response, "Cache-Control", "no-store") == 0) {
        visit->response->status = 204;
    }
}
