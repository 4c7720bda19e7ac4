/* The login of a browser: a one-time link in, a cookie out. */
#include <stdio.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "web_conn.h"

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
                                  WEB_COOKIE "=%s; Path=/; Max-Age=%d; Secure; HttpOnly; SameSite=Lax", token,
                                  WEB_SESSION_LIFE_S);
    }
    if (!rc) {
        rc = store_session_add(visit->web->source.store, hash, user->id, now, now + WEB_SESSION_LIFE_S,
                               visit->request->peer, agent && str_is_clean(agent, strlen(agent)) ? agent : "", &id);
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
    const char *code = visit->part[0];
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
            web_audit(visit, user.name, "web login", NULL, "ok", "");
            log_info("web: %s logged in from %s", user.name, visit->request->peer);
            web_rights_changed(visit->web); /* an older session may have made room */
            web_hop_after_login(visit);
            return;
        }
        log_error("web: no session for %s: %s", user.name, err_text(rc));
        web_answer_error(visit, 500, "Not logged in", "The relay could not write down the session. Its log says why.");
        return;
    }
    /* A code that nobody ever issued is noise from the internet: it must not be able to fill the audit. */
    log_info("web: login link from %s refused: %s", visit->request->peer, err_text(rc));
    if (rc != SP_ENOENT) {
        web_audit_once(visit->web, "", "web login", visit->request->peer, "refused", err_text(rc));
    }
    web_answer_login(visit, 403, "This link does not work",
                     "It was used already, or is older than 10 minutes, or is not complete. Ask for a new one:");
}
