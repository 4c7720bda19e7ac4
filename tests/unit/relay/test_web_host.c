/* Which Host means what: an exact list, with the port. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "web_conn.h"

static char *hosts[] = {(char *)(uintptr_t) "relay.example", (char *)(uintptr_t) "localhost",
                        (char *)(uintptr_t) "127.0.0.1", (char *)(uintptr_t) "2001:db8::1"};
static char *authorities[] = {(char *)(uintptr_t) "relay.example:2222", (char *)(uintptr_t) "localhost:2222",
                              (char *)(uintptr_t) "127.0.0.1:2222", (char *)(uintptr_t) "[2001:db8::1]:2222"};

static struct web make_web(uint16_t port) {
    return (struct web){.hosts = hosts, .authorities = authorities, .host_count = 4, .port = port};
}

static void hosts_are_told_apart(void **state) {
    static const struct {
        const char *text;
        bool tls;
        enum web_host_kind kind;
        const char *machine, *service, *origin;
    } cases[] = {
        {"relay.example:2222", true, WEB_HOST_OWN, "", "", "https://relay.example:2222"},
        {"Relay.EXAMPLE:2222", true, WEB_HOST_OWN, "", "", "https://relay.example:2222"},
        {"[2001:DB8::1]:2222", true, WEB_HOST_OWN, "", "", "https://[2001:db8::1]:2222"},
        {"box1--jupyter.relay.example:2222", true, WEB_HOST_SERVICE, "box1", "jupyter",
         "https://box1--jupyter.relay.example:2222"},
        {"BOX1--jupyter-two.localhost:2222", false, WEB_HOST_SERVICE, "box1", "jupyter-two",
         "http://box1--jupyter-two.localhost:2222"},
        {"my-box--x.localhost:2222", true, WEB_HOST_SERVICE, "my-box", "x", "https://my-box--x.localhost:2222"},
        /* Wrong or missing port, unknown names, several labels, addresses, bad names. */
        {"relay.example", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"relay.example:443", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"relay.example:02222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"relay.example:", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"relay.example:22222222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"relay.example.:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"xrelay.example:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"evil.example:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"a.box1--jupyter.relay.example:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"box1--jupyter.127.0.0.1:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"box1--jupyter.evil.example:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"box1.relay.example:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"box1--.relay.example:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"--jupyter.relay.example:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"xn--jupyter.relay.example:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"box1--a--b.relay.example:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"box1---x.relay.example:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"box_1--x.relay.example:2222", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"2001:db8::1", true, WEB_HOST_UNKNOWN, "", "", ""},
        {"", true, WEB_HOST_UNKNOWN, "", "", ""},
    };
    struct web web = make_web(2222);
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct web_host host;
        web_host_parse(&web, cases[i].text, strlen(cases[i].text), cases[i].tls, &host);
        if (host.kind != cases[i].kind)
            fail_msg("'%s' is %d", cases[i].text, host.kind);
        if (host.kind == WEB_HOST_UNKNOWN)
            continue;
        assert_string_equal(host.machine, cases[i].machine);
        assert_string_equal(host.service, cases[i].service);
        assert_string_equal(host.origin, cases[i].origin);
    }
}

static void standard_ports_may_be_left_out(void **state) {
    struct web web = make_web(443);
    struct web_host host;
    (void)state;
    web_host_parse(&web, "relay.example", 13, true, &host);
    assert_int_equal(host.kind, WEB_HOST_OWN);
    assert_string_equal(host.origin, "https://relay.example");
    web_host_parse(&web, "relay.example:443", 17, true, &host);
    assert_int_equal(host.kind, WEB_HOST_OWN);
    assert_string_equal(host.origin, "https://relay.example");
    /* In clear, port 80 is one to be led on from. */
    web_host_parse(&web, "relay.example", 13, false, &host);
    assert_int_equal(host.kind, WEB_HOST_OWN);
    web_host_parse(&web, "relay.example:8080", 18, false, &host);
    assert_int_equal(host.kind, WEB_HOST_UNKNOWN);
}

static void only_this_machine_is_local(void **state) {
    static const struct {
        const char *text;
        bool local;
    } names[] = {{"relay.example:2222", false},
                 {"localhost:2222", true},
                 {"127.0.0.1:2222", true},
                 {"box1--x.localhost:2222", true},
                 {"box1--x.relay.example:2222", false}};
    static const struct {
        const char *text;
        bool local;
    } peers[] = {{"127.0.0.1", true}, {"127.9.9.9", true}, {"128.0.0.1", false}, {"10.0.0.1", false}};
    struct web web = make_web(2222);
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct web_host host;
        web_host_parse(&web, names[i].text, strlen(names[i].text), true, &host);
        assert_int_equal(host.local, names[i].local);
    }
    for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
        struct sockaddr_in v4 = {.sin_family = AF_INET};
        struct sockaddr_storage peer = {0};
        assert_int_equal(inet_pton(AF_INET, peers[i].text, &v4.sin_addr), 1);
        memcpy(&peer, &v4, sizeof(v4));
        assert_int_equal(web_peer_is_local(&peer), peers[i].local);
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_storage peer = {0};
    memcpy(&peer, &v6, sizeof(v6));
    assert_true(web_peer_is_local(&peer));
    v6.sin6_addr.s6_addr[0] = 0x20;
    memcpy(&peer, &v6, sizeof(v6));
    assert_false(web_peer_is_local(&peer));
}

static void services_have_names_below_names_only(void **state) {
    char origin[WEB_ORIGIN_SIZE];
    (void)state;
    assert_int_equal(web_host_service_origin("relay.example:2222", true, "box1", "jupyter", origin), 0);
    assert_string_equal(origin, "https://box1--jupyter.relay.example:2222");
    assert_int_equal(web_host_service_origin("localhost:2222", false, "box1", "jupyter", origin), 0);
    assert_string_equal(origin, "http://box1--jupyter.localhost:2222");
    assert_int_equal(web_host_service_origin("127.0.0.1:2222", true, "box1", "jupyter", origin), SP_ENOENT);
    assert_int_equal(web_host_service_origin("[::1]:2222", true, "box1", "jupyter", origin), SP_ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_told_apart),
        cmocka_unit_test(standard_ports_may_be_left_out),
        cmocka_unit_test(only_this_machine_is_local),
        cmocka_unit_test(services_have_names_below_names_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
