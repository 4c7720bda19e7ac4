/* What goes through to a machine and back, and what does not; and who may ask at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "web_conn.h"

static const struct web_rewrite jupyter = {
    .origin = "https://box1--jupyter.relay.example:2222", .port = 8888, .token = "s3cret"};

static void parse_request(const char *text, struct http_head *head) {
    size_t len;
    struct why why = {""};
    if (http_request_parse((const uint8_t *)text, strlen(text), head, &len, &why))
        fail_msg("%s", why.text);
}

static void parse_response(const char *text, struct http_head *head) {
    size_t len;
    struct why why = {""};
    if (http_response_parse((const uint8_t *)text, strlen(text), false, true, head, &len, &why))
        fail_msg("%s", why.text);
}

static void check(int rc, struct buf *out, const char *wanted) {
    assert_int_equal(rc, 0);
    assert_string_equal(buf_string(out), wanted);
    buf_fini(out);
}

static void requests_lose_what_is_ours(void **state) {
    struct http_head head;
    struct buf out;
    (void)state;
    buf_init(&out);
    parse_request("POST /api/contents?x=1 HTTP/1.1\r\n"
                  "Host: box1--jupyter.relay.example:2222\r\n"
                  "Accept: */*\r\n"
                  "Authorization: Bearer of-the-relay\r\n"
                  "Cookie: _xsrf=1; __Host-sallyport=token; b=2\r\n"
                  "Cookie: __Host-sallyport=alone\r\n"
                  "Origin: https://box1--jupyter.relay.example:2222\r\n"
                  "Referer: https://box1--jupyter.relay.example:2222/tree?a\r\n"
                  "Forwarded: for=1.2.3.4\r\n"
                  "X-Forwarded-For: 1.2.3.4\r\n"
                  "X-Forwarded-Host: evil\r\n"
                  "X-Real-IP: 1.2.3.4\r\n"
                  "X_Forwarded_For: 1.2.3.4\r\n"
                  "Connection: keep-alive, X-Hop\r\n"
                  "X-Hop: 1\r\n"
                  "TE: trailers\r\n"
                  "Proxy-Authorization: x\r\n"
                  "X-XSRFToken: 1\r\n"
                  "Content-Length: 3\r\n\r\n",
                  &head);
    check(web_rewrite_request(&jupyter, &head, &out), &out,
          "POST /api/contents?x=1 HTTP/1.1\r\n"
          "Host: 127.0.0.1:8888\r\n"
          "Accept: */*\r\n"
          "Cookie: _xsrf=1; b=2\r\n"
          "Origin: http://127.0.0.1:8888\r\n"
          "Referer: http://127.0.0.1:8888/tree?a\r\n"
          "X-XSRFToken: 1\r\n"
          "Authorization: token s3cret\r\n");
}

static void a_foreign_referer_stays_unnamed(void **state) {
    static const char *const referers[] = {"https://relay.example:2222/login/secret", "https://evil.example/",
                                           "https://box1--jupyter.relay.example:22223/x",
                                           "https://box1--jupyter.relay.example:2222"};
    (void)state;
    for (size_t i = 0; i < sizeof(referers) / sizeof(referers[0]); i++) {
        struct http_head head;
        struct buf out, text;
        struct web_rewrite plain = jupyter;
        plain.token = "";
        buf_init(&out);
        buf_init(&text);
        assert_int_equal(buf_printf(&text, "GET / HTTP/1.0\r\nHost: x\r\nReferer: %s\r\n\r\n", referers[i]), 0);
        parse_request(buf_string(&text), &head);
        check(web_rewrite_request(&plain, &head, &out), &out, "GET / HTTP/1.0\r\nHost: 127.0.0.1:8888\r\n");
        buf_fini(&text);
    }
}

static void answers_reach_their_own_host_only(void **state) {
    struct http_head head;
    struct buf out;
    (void)state;
    buf_init(&out);
    parse_response("HTTP/1.1 302 Found\r\n"
                   "Server: TornadoServer\r\n"
                   "Set-Cookie: a=1; Path=/; Domain=relay.example; HttpOnly\r\n"
                   "Set-Cookie: __Host-sallyport=stolen; Path=/; Secure\r\n"
                   "set-cookie: __HOST-SALLYPORT=stolen\r\n"
                   "Set-Cookie: =__Host-sallyport=stolen\r\n"
                   "Access-Control-Allow-Origin: *\r\n"
                   "access-control-allow-credentials: true\r\n"
                   "Strict-Transport-Security: max-age=1; includeSubDomains\r\n"
                   "Alt-Svc: h2=\":1\"\r\n"
                   "Clear-Site-Data: \"cookies\"\r\n"
                   "Location: http://127.0.0.1:8888/tree?x\r\n"
                   "Keep-Alive: timeout=5\r\n"
                   "Connection: keep-alive\r\n"
                   "Content-Length: 0\r\n\r\n",
                   &head);
    check(web_rewrite_response(&jupyter, &head, &out), &out,
          "HTTP/1.1 302 Found\r\n"
          "Server: TornadoServer\r\n"
          "Set-Cookie: a=1; Path=/; HttpOnly\r\n"
          "Location: https://box1--jupyter.relay.example:2222/tree?x\r\n"
          "Content-Security-Policy: frame-ancestors 'self'\r\n");
}

static void only_the_services_own_address_is_translated(void **state) {
    static const char *const cases[][2] = {
        {"http://localhost:8888", "https://box1--jupyter.relay.example:2222"},
        {"http://127.0.0.1:8888/", "https://box1--jupyter.relay.example:2222/"},
        {"http://127.0.0.1:88888/", "http://127.0.0.1:88888/"},
        {"http://127.0.0.1:8888.evil.example/", "http://127.0.0.1:8888.evil.example/"},
        {"/tree", "/tree"},
        {"https://elsewhere.example/", "https://elsewhere.example/"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_head head;
        struct buf out, text, wanted;
        buf_init(&out);
        buf_init(&text);
        buf_init(&wanted);
        assert_int_equal(buf_printf(&text, "HTTP/1.1 303 X\r\nLocation: %s\r\n\r\n", cases[i][0]), 0);
        assert_int_equal(buf_printf(&wanted,
                                    "HTTP/1.1 303 X\r\nLocation: %s\r\n"
                                    "Content-Security-Policy: frame-ancestors 'self'\r\n",
                                    cases[i][1]),
                         0);
        parse_response(buf_string(&text), &head);
        check(web_rewrite_response(&jupyter, &head, &out), &out, buf_string(&wanted));
        buf_fini(&text);
        buf_fini(&wanted);
    }
}

static void an_upgrade_keeps_its_own_fields(void **state) {
    struct http_head head;
    struct buf out;
    (void)state;
    buf_init(&out);
    parse_response("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   "Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org\r\n\r\n",
                   &head);
    check(web_rewrite_response(&jupyter, &head, &out), &out,
          "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\n"
          "Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org\r\n");
}

#define OWN "https://box1--x.relay.example"
#define WEBSOCKET "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"

static void only_own_pages_may_change_anything(void **state) {
    static const struct {
        const char *method, *fields;
        bool allowed;
    } cases[] = {
        {"GET", "", true},
        {"HEAD", "", true},
        {"GET", "Origin: https://evil.example\r\n", true}, /* a plain request of a program: it has to have the cookie */
        {"POST", "", false},
        {"POST", "Origin: " OWN "\r\n", true},
        {"POST", "Origin: " OWN "\r\nSec-Fetch-Site: same-origin\r\n", true},
        {"POST", "Origin: " OWN "\r\nOrigin: " OWN "\r\n", false},
        {"POST", "Origin: null\r\n", false},
        {"POST", "Origin: https://relay.example\r\n", false},
        {"POST", "Origin: https://box2--x.relay.example\r\n", false},
        {"POST", "Origin: http://box1--x.relay.example\r\n", false},
        {"POST", "Origin: " OWN ":8443\r\n", false},
        {"POST", "Origin: https://BOX1--x.relay.example\r\n", false},
        {"POST", "Origin: " OWN "\r\nSec-Fetch-Site: same-site\r\n", false},
        {"PUT", "Origin: https://evil.example\r\n", false},
        {"DELETE", "", false},
        {"OPTIONS", "Origin: https://evil.example\r\n", false},
        {"GET", WEBSOCKET, false},
        {"GET", WEBSOCKET "Origin: " OWN "\r\n", true},
        {"GET", WEBSOCKET "Origin: https://evil.example\r\n", false},
        {"GET", "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n", true},
        {"GET", "Sec-Fetch-Site: none\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", true},
        {"GET", "Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n", true},
        {"GET", "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: iframe\r\n", false},
        {"GET", "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: no-cors\r\nSec-Fetch-Dest: script\r\n", false},
        {"GET", "Sec-Fetch-Site: cross-site\r\n", false},
        {"POST",
         "Origin: " OWN "\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
         false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_head head;
        struct buf text;
        buf_init(&text);
        assert_int_equal(buf_printf(&text, "%s / HTTP/1.1\r\nHost: box1--x.relay.example\r\n%s\r\n", cases[i].method,
                                    cases[i].fields),
                         0);
        parse_request(buf_string(&text), &head);
        if ((web_access_foreign(&head, OWN) == NULL) != cases[i].allowed)
            fail_msg("%s %s", cases[i].method, cases[i].fields);
        buf_fini(&text);
    }
}

static void paths_stay_on_their_host(void **state) {
    static const char *const good[] = {"/", "/tree?x=1&y=%20", "/a//b", "/lab/tree/x.ipynb"};
    static const char *const bad[] = {"",        "x",    "//evil.example/", "/\\evil.example",      "/a\\b", "/a b",
                                      "/a\r\nb", "/a#b", "/\x80",           "https://evil.example/"};
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(web_hop_is_path(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(web_hop_is_path(bad[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_lose_what_is_ours),
        cmocka_unit_test(a_foreign_referer_stays_unnamed),
        cmocka_unit_test(answers_reach_their_own_host_only),
        cmocka_unit_test(only_the_services_own_address_is_translated),
        cmocka_unit_test(an_upgrade_keeps_its_own_fields),
        cmocka_unit_test(only_own_pages_may_change_anything),
        cmocka_unit_test(paths_stay_on_their_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
