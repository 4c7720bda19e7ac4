#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "address.h"

static void test_good(void **state) {
    (void)state;
    struct address address;
    assert_int_equal(address_parse("192.0.2.1:2222", &address, NULL), 0);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&address.sockaddr;
    assert_false(address.any);
    assert_int_equal(address.port, 2222);
    assert_int_equal(address.size, sizeof *v4);
    assert_int_equal(v4->sin_family, AF_INET);
    assert_int_equal(ntohs(v4->sin_port), 2222);
    assert_int_equal(ntohl(v4->sin_addr.s_addr), 0xc0000201);

    assert_int_equal(address_parse("[2001:db8::1]:65535", &address, NULL), 0);
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&address.sockaddr;
    char text[64];
    assert_int_equal(v6->sin6_family, AF_INET6);
    assert_int_equal(ntohs(v6->sin6_port), 65535);
    assert_int_equal(address.size, sizeof *v6);
    assert_string_equal(inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text), "2001:db8::1");

    assert_int_equal(address_parse("*:1", &address, NULL), 0);
    assert_true(address.any);
    assert_int_equal(address.port, 1);
    assert_int_equal(address_parse(":443", &address, NULL), 0);
    assert_true(address.any);
    assert_int_equal(address.port, 443);
}

static void test_bad(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "2222",
        "192.0.2.1",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:-1",
        "192.0.2.1:+1",
        "192.0.2.1: 22",
        "192.0.2.1:22x",
        "192.0.2.256:22",
        "192.0.2:22",
        "relay.example.org:22",
        "2001:db8::1:22",
        "::1:22",
        "[2001:db8::1]",
        "[2001:db8::1]22",
        "[2001:db8::1:22",
        "2001:db8::1]:22",
        "[]x:22",
        "[fe80::1%eth0]:22",
        "**:22",
        "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:22"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct address address = {.port = 7};
        struct why why = {""};
        if (address_parse(bad[i], &address, &why) != SP_EINVAL)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(address.port, 7);
        assert_non_null(strstr(why.text, "0.0.0.0:2222"));
        if (bad[i][0])
            assert_non_null(strstr(why.text, bad[i]));
    }
}

static void test_is_ipv6(void **state) {
    (void)state;
    assert_true(address_is_ipv6("::1"));
    assert_true(address_is_ipv6("2001:db8::1"));
    assert_false(address_is_ipv6("[::1]"));
    assert_false(address_is_ipv6("192.0.2.1"));
    assert_false(address_is_ipv6("a:b"));
    assert_false(address_is_ipv6(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_is_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
