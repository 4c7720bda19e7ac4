/* The web front with a real registry behind it and OpenSSL's client in front: who gets in, who sees what. */
#include "../wire/loop_thread.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/relay/web.h"
#include "sallyport/store/audit.h"
#include "sallyport/store/grants.h"
#include "sallyport/store/logins.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/tokens.h"
#include "sallyport/store/users.h"
#include "sallyport/wire/digest.h"
#include "sallyport/wire/tls.h"

#define HOST "relay.example:2222"
#define ORIGIN "https://" HOST
#define DAY 86400

struct rig {
    char dir[64], cert[96], key[96], db[96];
    struct store *store;
    struct tls_server *tls;
    struct web *web;
    struct loop_thread loop;
    bool plain; /* what comes next is not TLS */
    int closed[2];
    int64_t ada, bob, box1, box2;
    char got[65536];
    char cookie[128]; /* "__Host-sallyport=..." */
};

/* The registry has one connection, for one thread: requests run there while the test only waits, and the clock is
 * moved only in between. */
static int64_t test_clock = 1800000000;

static int64_t test_now(void) {
    return test_clock;
}

static int view(void *ctx, int64_t machine_id, struct machine_view *out) {
    static const struct service services[] = {
        {.name = "ssh", .kind = SERVICE_SSH, .port = 22, .up = true},
        {.name = "jupyter", .kind = SERVICE_HTTP, .port = 8888, .up = true, .path = "/"},
    };
    struct rig *rig = ctx;
    if (machine_id != rig->box1) {
        return SP_ENOENT;
    }
    out->online = true;
    out->since = test_clock - 60;
    out->route = ROUTE_RELAYED;
    out->services = services;
    out->service_count = 2;
    return 0;
}

static void on_closed(void *ctx) {
    struct rig *rig = ctx;
    assert_int_equal(write(rig->closed[1], "", 1), 1);
}

static void take(void *ctx, int fd) {
    struct rig *rig = ctx;
    struct sockaddr_storage peer = {0};
    struct sockaddr_in *address = (struct sockaddr_in *)&peer;
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(0xc6336407); /* 198.51.100.7 */
    assert_int_equal(web_accept(rig->web, fd, &peer, !rig->plain, loop_now(rig->loop.loop) + 60000, on_closed, rig), 0);
}

static int rig_up(void **state) {
    static const char *const hosts[] = {"relay.example", "192.0.2.7", "2001:db8::1"};
    struct rig *rig = calloc(1, sizeof(*rig));
    struct why why = {""};
    *state = rig;
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/sallyport-web-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(rig->cert, sizeof(rig->cert), "%s/cert.pem", rig->dir);
    snprintf(rig->key, sizeof(rig->key), "%s/key.pem", rig->dir);
    snprintf(rig->db, sizeof(rig->db), "%s/relay.db", rig->dir);
    assert_int_equal(tls_self_signed(rig->cert, rig->key, hosts, 3, &why), 0);
    assert_int_equal(tls_server_new(rig->cert, rig->key, &rig->tls, &why), 0);
    assert_int_equal(store_open(rig->db, &rig->store, &why), 0);
    assert_int_equal(store_user_add(rig->store, "ada", ROLE_ADMIN, NULL, test_clock, &rig->ada, &why), 0);
    assert_int_equal(store_user_add(rig->store, "bob", ROLE_MEMBER, NULL, test_clock, &rig->bob, &why), 0);
    assert_int_equal(store_machine_add(rig->store, "box1", NULL, test_clock, &rig->box1, &why), 0);
    assert_int_equal(store_machine_add(rig->store, "box2", NULL, test_clock, &rig->box2, &why), 0);
    assert_int_equal(pipe2(rig->closed, O_CLOEXEC), 0);
    loop_thread_init(&rig->loop, take, rig);
    struct web_config config = {
        .loop = rig->loop.loop,
        .source = {rig->store, view, rig},
        .now = test_now,
        .tls = rig->tls,
        .hosts = hosts,
        .host_count = 3,
        .port = 2222,
    };
    assert_int_equal(web_new(&config, &rig->web), 0);
    loop_thread_start(&rig->loop);
    return 0;
}

static int rig_down(void **state) {
    static const char *const files[] = {"cert.pem", "key.pem", "relay.db", "relay.db-wal", "relay.db-shm"};
    struct rig *rig = *state;
    loop_thread_join(&rig->loop);
    web_free(rig->web);
    tls_server_free(rig->tls);
    store_close(rig->store);
    loop_thread_fini(&rig->loop);
    close(rig->closed[0]);
    close(rig->closed[1]);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", rig->dir, files[i]);
        unlink(path);
    }
    rmdir(rig->dir);
    free(rig);
    return 0;
}

/* Sends it, reads to the end of the connection, returns the status. `got` holds the head and the body. */
static int fetch_raw(struct rig *rig, const char *request) {
    int ends[2], n;
    size_t have = 0;
    char byte;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    tcp_pair(ends);
    SSL_set_fd(ssl, ends[0]);
    loop_thread_give(&rig->loop, ends[1]);
    if (!rig->plain) {
        assert_int_equal(SSL_connect(ssl), 1);
        assert_int_equal(SSL_write(ssl, request, (int)strlen(request)), strlen(request));
    } else {
        assert_int_equal(write(ends[0], request, strlen(request)), strlen(request));
    }
    do {
        size_t room = sizeof(rig->got) - 1 - have;
        n = rig->plain ? (int)read(ends[0], rig->got + have, room) : SSL_read(ssl, rig->got + have, (int)room);
        have += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    rig->got[have] = '\0';
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(ends[0]);
    /* Only now is the connection over, and the loop's thread idle. */
    assert_int_equal(read(rig->closed[0], &byte, 1), 1);
    assert_true(str_starts(rig->got, "HTTP/1.1 "));
    return (int)strtol(rig->got + 9, NULL, 10);
}

static int fetch(struct rig *rig, const char *method, const char *path, const char *headers) {
    char request[4096];
    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: " HOST "\r\nConnection: close\r\n%s%s%s%s\r\n", method,
             path, rig->cookie[0] ? "Cookie: " : "", rig->cookie, rig->cookie[0] ? "\r\n" : "", headers);
    return fetch_raw(rig, request);
}

static bool has(const struct rig *rig, const char *text) {
    return strstr(rig->got, text) != NULL;
}

static void login_path(struct rig *rig, int64_t user, char to[static 64]) {
    char code[SECRET_TOKEN_LEN + 1];
    uint8_t hash[DIGEST_SIZE];
    assert_int_equal(secret_token(code), 0);
    assert_int_equal(digest_sha256(code, SECRET_TOKEN_LEN, hash), 0);
    assert_int_equal(store_login_add(rig->store, hash, user, test_clock, test_clock + 600), 0);
    snprintf(to, 64, "/login/%s", code);
}

/* Keeps the cookie that was set. */
static void keep_cookie(struct rig *rig) {
    const char *set = strstr(rig->got, "Set-Cookie: ");
    assert_non_null(set);
    set += strlen("Set-Cookie: ");
    snprintf(rig->cookie, sizeof(rig->cookie), "%.*s", (int)strcspn(set, ";"), set);
}

static void log_in(struct rig *rig, int64_t user) {
    char path[64];
    rig->cookie[0] = '\0';
    login_path(rig, user, path);
    assert_int_equal(fetch(rig, "GET", path, ""), 303);
    keep_cookie(rig);
}

static void login_link_works_once(void **state) {
    struct rig *rig = *state;
    char path[64];
    login_path(rig, rig->ada, path);
    assert_int_equal(fetch(rig, "GET", "/", ""), 200);
    assert_true(has(rig, "ssh -p 2222 NAME@relay.example login"));
    assert_false(has(rig, "/assets/app.js"));
    assert_int_equal(fetch(rig, "HEAD", path, ""), 503);
    assert_int_equal(fetch(rig, "GET", path, "Sec-Purpose: prefetch;prerender\r\n"), 503);
    assert_false(has(rig, "Set-Cookie"));
    assert_int_equal(fetch(rig, "GET", path, ""), 303);
    assert_true(has(rig, "Location: /\r\n"));
    assert_true(has(rig, "Set-Cookie: __Host-sallyport="));
    assert_true(has(rig, "; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax\r\n"));
    keep_cookie(rig);
    assert_int_equal(fetch(rig, "GET", "/", ""), 200);
    assert_true(has(rig, "/assets/app.js"));
    rig->cookie[0] = '\0';
    assert_int_equal(fetch(rig, "GET", path, ""), 403);
    assert_true(has(rig, "ssh -p 2222 NAME@relay.example login"));
    assert_false(has(rig, "Set-Cookie"));
    struct audit_row *rows = NULL;
    size_t count = 0;
    assert_int_equal(store_audit_list(rig->store, NULL, 10, &rows, &count), 0);
    assert_int_equal(count, 2);
    assert_string_equal(rows[1].actor, "ada");
    assert_string_equal(rows[1].action, "web login");
    assert_string_equal(rows[1].object, "198.51.100.7");
    assert_string_equal(rows[1].outcome, "ok");
    assert_string_equal(rows[0].outcome, "refused");
    free(rows);
}

static void bad_login_links_are_refused(void **state) {
    struct rig *rig = *state;
    char path[64], cut[64];
    struct audit_row *rows = NULL;
    size_t count = 0;
    login_path(rig, rig->ada, path);
    snprintf(cut, sizeof(cut), "%.*s", (int)strlen(path) - 1, path);
    assert_int_equal(fetch(rig, "GET", cut, ""), 403);
    assert_int_equal(fetch(rig, "GET", "/login/", ""), 403);
    assert_int_equal(fetch(rig, "GET", "/login/0123456789012345678901234567890123456789012", ""), 403);
    assert_int_equal(fetch(rig, "POST", path, ""), 405);
    /* Nobody can fill the audit with codes that were never issued. */
    assert_int_equal(store_audit_list(rig->store, NULL, 10, &rows, &count), 0);
    assert_int_equal(count, 0);
    free(rows);
    test_clock += 601;
    assert_int_equal(fetch(rig, "GET", path, ""), 403);
    login_path(rig, rig->bob, path);
    assert_int_equal(store_user_set_disabled(rig->store, rig->bob, true), 0);
    assert_int_equal(fetch(rig, "GET", path, ""), 403);
    assert_false(has(rig, "Set-Cookie"));
}

static void everyone_sees_what_policy_allows(void **state) {
    struct rig *rig = *state;
    assert_int_equal(fetch(rig, "GET", "/api/v1/machines", ""), 401);
    assert_false(has(rig, "box1"));
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 401);
    log_in(rig, rig->bob);
    assert_int_equal(fetch(rig, "GET", "/api/v1/machines", ""), 200);
    assert_true(has(rig, "\r\n\r\n[]\n"));
    assert_int_equal(store_grant_add(rig->store, rig->bob, rig->box1, "ssh", test_clock), 0);
    assert_int_equal(fetch(rig, "GET", "/api/v1/machines", ""), 200);
    assert_true(has(rig, "\"box1\"") && has(rig, "\"ssh\""));
    assert_false(has(rig, "jupyter") || has(rig, "box2"));
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 200);
    assert_true(has(rig, "{\"name\":\"bob\",\"role\":\"member\",\"relay_host\":\"relay.example\",\"relay_port\":2222,"
                         "\"services_suffix\":\".relay.example:2222\",\"csrf_token\":\""));
    log_in(rig, rig->ada);
    assert_int_equal(fetch(rig, "GET", "/api/v1/machines", ""), 200);
    assert_true(has(rig, "\"box1\"") && has(rig, "\"box2\"") && has(rig, "\"jupyter\""));
    assert_true(has(rig, "Cache-Control: no-store\r\n") && has(rig, "Content-Type: application/json\r\n"));
}

static void sessions_end(void **state) {
    struct rig *rig = *state;
    log_in(rig, rig->ada);
    /* Used now and then it lives for 30 days in all, but not beyond. */
    for (int day = 0; day < 29; day += 5) {
        test_clock += 5 * DAY;
        assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), day < 25 ? 200 : 401);
    }
    log_in(rig, rig->ada);
    test_clock += 6 * DAY;
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 200);
    test_clock += 6 * DAY;
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 200);
    test_clock += 7 * DAY + 1;
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 401);
    log_in(rig, rig->bob);
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 200);
    assert_int_equal(store_user_set_disabled(rig->store, rig->bob, true), 0);
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 401);
    assert_int_equal(store_user_set_disabled(rig->store, rig->bob, false), 0);
    log_in(rig, rig->bob);
    assert_int_equal(store_user_remove(rig->store, rig->bob), 0);
    assert_int_equal(fetch(rig, "GET", "/api/v1/machines", ""), 401);
    snprintf(rig->cookie, sizeof(rig->cookie), "__Host-sallyport=0123456789012345678901234567890123456789012");
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 401);
    snprintf(rig->cookie, sizeof(rig->cookie), "__Host-sallyport=");
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 401);
}

static void oldest_session_makes_room(void **state) {
    struct rig *rig = *state;
    char first[128];
    log_in(rig, rig->ada);
    snprintf(first, sizeof(first), "%s", rig->cookie);
    for (int i = 0; i < STORE_SESSIONS_MAX; i++) {
        test_clock++;
        log_in(rig, rig->ada);
    }
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 200);
    snprintf(rig->cookie, sizeof(rig->cookie), "%s", first);
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 401);
}

/* The header with the token against forged requests, as the page sends it back. */
static void find_csrf(struct rig *rig, char to[static 128]) {
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 200);
    const char *token = strstr(rig->got, "\"csrf_token\":\"");
    assert_non_null(token);
    snprintf(to, 128, "X-Sallyport-Token: %.64s\r\n", token + strlen("\"csrf_token\":\""));
}

static void logout_takes_only_our_own_page(void **state) {
    struct rig *rig = *state;
    static const char *const refused[] = {
        "",
        "Origin: null\r\n",
        "Origin: https://evil.example\r\n",
        "Origin: http://" HOST "\r\n",
        "Origin: https://relay.example\r\n",
        "Origin: https://box1--jupyter." HOST "\r\n",
        "Origin: " ORIGIN ".evil.example\r\n",
        "Origin: " ORIGIN "\r\nSec-Fetch-Site: same-site\r\n",
        "Origin: " ORIGIN "\r\nSec-Fetch-Site: cross-site\r\n",
    };
    char csrf[128], other[128], headers[512];
    log_in(rig, rig->ada);
    find_csrf(rig, other);
    log_in(rig, rig->ada);
    find_csrf(rig, csrf);
    assert_string_not_equal(csrf, other);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        snprintf(headers, sizeof(headers), "%s%s", refused[i], csrf);
        assert_int_equal(fetch(rig, "POST", "/api/v1/logout", headers), 403);
    }
    assert_int_equal(fetch(rig, "POST", "/api/v1/logout", "Origin: " ORIGIN "\r\n"), 403);
    assert_int_equal(fetch(rig, "POST", "/api/v1/logout", "Origin: " ORIGIN "\r\nX-Sallyport-Token:\r\n"), 403);
    snprintf(headers, sizeof(headers), "Origin: " ORIGIN "\r\n%s", other); /* that of another session */
    assert_int_equal(fetch(rig, "POST", "/api/v1/logout", headers), 403);
    assert_int_equal(fetch(rig, "GET", "/api/v1/logout", "Origin: " ORIGIN "\r\n"), 405);
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 200);
    snprintf(headers, sizeof(headers), "Origin: " ORIGIN "\r\nSec-Fetch-Site: same-origin\r\n%s", csrf);
    assert_int_equal(fetch(rig, "POST", "/api/v1/logout", headers), 204);
    assert_true(has(rig, "Set-Cookie: __Host-sallyport=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax\r\n"));
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 401);
    assert_int_equal(fetch(rig, "POST", "/api/v1/logout", headers), 401);
}

static void tokens_stand_in_for_sessions(void **state) {
    struct rig *rig = *state;
    char token[SECRET_TOKEN_LEN + 1], header[128], wrong[128];
    uint8_t hash[DIGEST_SIZE];
    struct api_token added, found;
    assert_int_equal(secret_token(token), 0);
    assert_int_equal(digest_sha256(token, SECRET_TOKEN_LEN, hash), 0);
    assert_int_equal(store_token_add(rig->store, hash, rig->ada, "script", test_clock, &added), 0);
    snprintf(header, sizeof(header), "Authorization: Bearer sallyport_%s\r\n", token);
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", header), 200);
    assert_true(has(rig, "\"ada\"") && !has(rig, "csrf_token"));
    assert_int_equal(store_token_get(rig->store, added.fingerprint, &found), 0);
    assert_int_equal(found.last_used, test_clock);
    static const struct {
        const char *before, *after;
        int len;
    } forms[] = {
        {"Bearer ", "", SECRET_TOKEN_LEN},
        {"Basic sallyport_", "", SECRET_TOKEN_LEN},
        {"Digest sallyport_", "", SECRET_TOKEN_LEN},
        {"Bearer sallypost_", "", SECRET_TOKEN_LEN},
        {"Bearer sallyport_", "x", SECRET_TOKEN_LEN},
        {"Bearer sallyport_", "", SECRET_TOKEN_LEN - 1},
        {"sallyport_", "", SECRET_TOKEN_LEN},
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        snprintf(wrong, sizeof(wrong), "Authorization: %s%.*s%s\r\n", forms[i].before, forms[i].len, token,
                 forms[i].after);
        assert_int_equal(fetch(rig, "GET", "/api/v1/me", wrong), 401);
        assert_true(has(rig, "WWW-Authenticate: Bearer"));
    }
    /* A wrong token is not made good by a cookie; a session is not what it opens. */
    log_in(rig, rig->bob);
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", wrong), 401);
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", header), 200);
    assert_true(has(rig, "\"ada\""));
    rig->cookie[0] = '\0';
    assert_int_equal(fetch(rig, "POST", "/api/v1/logout", header), 400);
    assert_int_equal(store_user_set_disabled(rig->store, rig->ada, true), 0);
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", header), 401);
    snprintf(rig->cookie, sizeof(rig->cookie), "__Host-sallyport=%s", token);
    assert_int_equal(fetch(rig, "GET", "/api/v1/me", ""), 401);
}

static void other_hosts_are_misdirected(void **state) {
    struct rig *rig = *state;
    static const struct {
        const char *host;
        int status;
    } cases[] = {
        {"relay.example:2222", 200},
        {"RELAY.example:2222", 200},
        {"192.0.2.7:2222", 200},
        {"[2001:db8::1]:2222", 200},
        {"relay.example", 421},
        {"relay.example:443", 421},
        {"evil.example:2222", 421},
        {"relay.example.:2222", 421},
        {"relay.example:2222@evil", 400},
        {"x.relay.example:2222", 421},
        {"", 400},
        {"2001:db8::1:2222", 421},
    };
    char request[512];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", cases[i].host);
        if (fetch_raw(rig, request) != cases[i].status) {
            fail_msg("%s: %.20s", cases[i].host, rig->got);
        }
    }
    assert_true(has(rig, "https://relay.example:2222/"));
    /* Whoever checks that we live may use any name. */
    assert_int_equal(fetch_raw(rig, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), 200);
    assert_true(has(rig, "\r\n\r\nok\n"));
}

static void plain_http_leads_to_https(void **state) {
    struct rig *rig = *state;
    rig->plain = true;
    assert_int_equal(fetch(rig, "GET", "/login/abc?x=1&y", ""), 308);
    assert_true(has(rig, "Location: https://relay.example:2222/login/abc?x=1&y\r\n"));
    assert_int_equal(fetch(rig, "GET", "//evil.example/", ""), 308);
    assert_true(has(rig, "Location: https://relay.example:2222//evil.example/\r\n"));
    assert_int_equal(fetch(rig, "GET", "/healthz", ""), 200);
    assert_int_equal(fetch_raw(rig, "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"), 421);
    assert_false(has(rig, "Location"));
}

static void assets_are_kept_until_they_change(void **state) {
    struct rig *rig = *state;
    static const char *const paths[] = {"/assets/style.css", "/assets/app.js", "/assets/copy.js", "/assets/icon.svg"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char known[128];
        assert_int_equal(fetch(rig, "GET", paths[i], ""), 200);
        assert_true(has(rig, "Cache-Control: no-cache\r\n"));
        const char *tag = strstr(rig->got, "ETag: ");
        assert_non_null(tag);
        assert_true(strlen(strstr(rig->got, "\r\n\r\n")) > 100);
        snprintf(known, sizeof(known), "If-None-Match: %.*s\r\n", (int)strcspn(tag + 6, "\r"), tag + 6);
        assert_int_equal(fetch(rig, "GET", paths[i], known), 304);
        assert_int_equal(fetch(rig, "GET", paths[i], "If-None-Match: \"other\"\r\n"), 200);
    }
    assert_int_equal(fetch(rig, "GET", "/assets/../web.c", ""), 404);
    assert_int_equal(fetch(rig, "GET", "/assets/", ""), 404);
}

static void every_answer_carries_the_shields(void **state) {
    struct rig *rig = *state;
    static const char *const paths[] = {"/",     "/login/x", "/assets/app.js", "/api/v1/me", "/api/v1/none",
                                        "/none", "/healthz"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        fetch(rig, "GET", paths[i], "");
        assert_true(has(rig, "Content-Security-Policy: default-src 'none'; script-src 'self';"));
        assert_true(has(rig, "frame-ancestors 'none'"));
        assert_true(has(rig, "X-Content-Type-Options: nosniff\r\n"));
        assert_true(has(rig, "Referrer-Policy: no-referrer\r\n"));
        assert_false(has(rig, "Strict-Transport-Security"));
        assert_false(has(rig, "{{"));
    }
    assert_int_equal(fetch(rig, "GET", "/none", ""), 404);
    assert_int_equal(fetch(rig, "GET", "/api/v1/none", ""), 404);
    assert_true(has(rig, "{\"error\":"));
    assert_int_equal(fetch(rig, "DELETE", "/", ""), 405);
    assert_true(has(rig, "Allow: GET, HEAD\r\n"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(login_link_works_once, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(bad_login_links_are_refused, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(everyone_sees_what_policy_allows, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(sessions_end, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(oldest_session_makes_room, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(logout_takes_only_our_own_page, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(tokens_stand_in_for_sessions, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(other_hosts_are_misdirected, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(plain_http_leads_to_https, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(assets_are_kept_until_they_change, rig_up, rig_down),
        cmocka_unit_test_setup_teardown(every_answer_carries_the_shields, rig_up, rig_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
