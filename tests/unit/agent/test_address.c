#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "address.h"

static void test_good(void **state) {
    (void)state;
    static const struct {
        const char *text, *user, *host;
        uint16_t port;
    } good[] = {{"me@relay.example.org", "me", "relay.example.org", 22},
                {"me@relay.example.org:2222", "me", "relay.example.org", 2222},
                {"me@192.0.2.1:1", "me", "192.0.2.1", 1},
                {"box1@[2001:db8::1]", "box1", "2001:db8::1", 22},
                {"box1@[2001:db8::1]:65535", "box1", "2001:db8::1", 65535}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct login_address address;
        struct why why = {""};
        if (login_address_parse(good[i].text, &address, &why) < 0)
            fail_msg("%s: %s", good[i].text, why.text);
        assert_string_equal(address.user, good[i].user);
        assert_string_equal(address.host, good[i].host);
        assert_int_equal(address.port, good[i].port);
    }
}

static void test_bad(void **state) {
    (void)state;
    static const char *const bad[] = {"",           "me",        "@host",         "me@",         "me@:22",
                                      "me@host:",   "me@host:0", "me@host:65536", "me@host:22x", "me@[::1",
                                      "me@[::1]22", "me@[]:22",  "me@::1",        "me@h:22:23"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct login_address address = {.port = 7};
        struct why why = {""};
        if (login_address_parse(bad[i], &address, &why) != SP_EINVAL)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(address.port, 7);
        assert_non_null(strstr(why.text, "USER@HOST"));
    }
}

static void test_lengths(void **state) {
    (void)state;
    struct login_address address;
    char text[512];
    memset(text, 'a', sizeof text);
    text[63] = '@';
    text[64 + 255] = '\0';
    assert_int_equal(login_address_parse(text, &address, NULL), 0);
    assert_int_equal(strlen(address.user), 63);
    assert_int_equal(strlen(address.host), 255);
    text[64 + 255] = 'a';
    text[64 + 256] = '\0';
    assert_int_equal(login_address_parse(text, &address, NULL), SP_EINVAL);
    text[63] = 'a';
    text[64] = '@';
    text[70] = '\0';
    assert_int_equal(login_address_parse(text, &address, NULL), SP_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
