/* Who asks: the browser that has a session, or the program that has a token. And does it ask of its own accord? */
#include <stdio.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/store/tokens.h"
#include "web_conn.h"

static struct http_text text_of(const char *text) {
    return (struct http_text){text, text ? strlen(text) : 0};
}

/* The hash of the token that the text is. SP_ENOENT when it is none. */
static int hash_token(struct http_text text, uint8_t hash[static DIGEST_SIZE]) {
    char token[SECRET_TOKEN_LEN + 1];
    if (text.len != SECRET_TOKEN_LEN)
        return SP_ENOENT;
    memcpy(token, text.at, SECRET_TOKEN_LEN);
    token[SECRET_TOKEN_LEN] = '\0';
    int rc = secret_is_token(token) ? digest_sha256(token, SECRET_TOKEN_LEN, hash) : SP_ENOENT;
    secret_wipe(token, sizeof(token));
    return rc;
}

static int find_session(struct web *web, struct http_text cookie, struct session *out) {
    uint8_t hash[DIGEST_SIZE];
    struct session found;
    int64_t now = web->now();
    if (hash_token(cookie, hash) || store_session_find(web->source.store, hash, now, WEB_SESSION_IDLE_S, &found))
        return SP_ENOENT;
    if (now - found.last_used >= WEB_TOUCH_S && store_session_touch(web->source.store, found.id, now))
        log_warn("web: the last use of a session could not be written");
    *out = found;
    return 0;
}

/* "Bearer sallyport_..." (RFC 6750 section 2.1). */
static int find_token(struct web *web, struct http_text field, struct web_asker *out) {
    static const char start[] = "Bearer " STORE_TOKEN_PREFIX;
    const size_t start_len = sizeof(start) - 1;
    uint8_t hash[DIGEST_SIZE];
    struct api_token token;
    struct user user;
    int64_t now = web->now();
    if (field.len < start_len || strncasecmp(field.at, start, start_len) != 0 ||
        hash_token((struct http_text){field.at + start_len, field.len - start_len}, hash) ||
        store_token_find(web->source.store, hash, &token, &user))
        return SP_ENOENT;
    if (now - token.last_used >= WEB_TOUCH_S && store_token_touch(web->source.store, token.id, now))
        log_warn("web: the last use of a token could not be written");
    *out = (struct web_asker){.user = user, .viewer = {.user_id = user.id, .token_id = token.id}};
    return 0;
}

int web_who(struct web *web, struct http_text authorization, struct http_text cookie, struct web_asker *out) {
    struct session session;
    if (authorization.len > 0)
        return find_token(web, authorization, out);
    int rc = find_session(web, cookie, &session);
    if (!rc)
        *out =
            (struct web_asker){.user = session.user, .viewer = {.user_id = session.user.id, .session_id = session.id}};
    return rc;
}

int web_who_visits(struct web_visit *visit, struct web_asker *out) {
    return web_who(visit->web, text_of(page_request_header(visit->request, "Authorization")),
                   text_of(page_request_cookie(visit->request, WEB_COOKIE)), out);
}

int web_session_find(struct web_visit *visit, struct session *out) {
    return find_session(visit->web, text_of(page_request_cookie(visit->request, WEB_COOKIE)), out);
}

int web_csrf_token(const char *session_token, char to[static WEB_CSRF_SIZE]) {
    char text[128];
    uint8_t hash[DIGEST_SIZE];
    int n = snprintf(text, sizeof(text), "sallyport csrf %s", session_token);
    int rc = digest_sha256(text, (size_t)n, hash);
    if (!rc)
        hex_encode(to, hash, DIGEST_SIZE);
    secret_wipe(text, sizeof(text));
    return rc;
}

bool web_is_own_page(const struct web_visit *visit) {
    char wanted[WEB_CSRF_SIZE];
    const char *origin = page_request_header(visit->request, "Origin");
    const char *site = page_request_header(visit->request, "Sec-Fetch-Site");
    const char *token = page_request_header(visit->request, WEB_CSRF_FIELD);
    if (visit->asker->viewer.token_id)
        return true;
    if (!origin || strcmp(origin, visit->origin) != 0 || (site && strcmp(site, "same-origin") != 0))
        return false;
    return token && strlen(token) == WEB_CSRF_SIZE - 1 &&
           web_csrf_token(page_request_cookie(visit->request, WEB_COOKIE), wanted) == 0 &&
           secret_equal(token, wanted, WEB_CSRF_SIZE - 1);
}

void web_audit(struct web_visit *visit, const char *actor, const char *action, const char *object, const char *outcome,
               const char *detail) {
    web_audit_add(visit->web, actor, action, object ? object : visit->request->peer, outcome, detail);
}
