/* Names of users, machines, services; roles and routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sallyport/domain/name.h"
#include "sallyport/domain/route.h"
#include "sallyport/domain/user.h"

static void test_names(void **state) {
    static const char *const good[] = {"box1", "abc", "a-b-c", "a23456789012345678901234567890x", "boxes"};
    static const struct {
        const char *name, *why;
    } bad[] = {
        {"", "3 to 31"},           {"ab", "3 to 31"},         {"a234567890123456789012345678901x", "has 32"},
        {"1box", "letter"},        {"-box", "letter"},        {"Box", "letter"},
        {"bOx", "a-z, 0-9"},       {"box.1", "a-z, 0-9"},     {"box_1", "a-z, 0-9"},
        {"box 1", "a-z, 0-9"},     {"bo\xc3\xa9", "a-z"},     {"box\n", "a-z"},
        {"box--one", "--"},        {"box-", "end in -"},      {"join", "reserved"},
        {"localhost", "reserved"}, {"root", "reserved"},      {"operator", "reserved"},
        {"relay", "reserved"},     {"sallyport", "reserved"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(name_check(good[i], NULL), 0);
        assert_int_equal(service_name_check(good[i], NULL), 0);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct why why = {""};
        assert_int_equal(name_check(bad[i].name, &why), SP_EINVAL);
        if (!strstr(why.text, bad[i].why))
            fail_msg("'%s': %s", bad[i].name, why.text);
    }
}

static void test_service_names(void **state) {
    (void)state;
    assert_int_equal(service_name_check("a", NULL), 0);
    assert_int_equal(service_name_check("x1", NULL), 0);
    assert_int_equal(service_name_check("", NULL), SP_EINVAL);
    assert_int_equal(service_name_check("localhost", NULL), SP_EINVAL);
    assert_int_equal(service_name_check("a--b", NULL), SP_EINVAL);
    assert_int_equal(service_name_check("a-", NULL), SP_EINVAL);
    assert_int_equal(service_name_check("127.0.0.1", NULL), SP_EINVAL);
    assert_int_equal(service_name_check("a2345678901234567890123456789012", NULL), SP_EINVAL);
}

static void test_words(void **state) {
    enum role role = ROLE_MEMBER;
    (void)state;
    assert_int_equal(role_parse("admin", &role), 0);
    assert_int_equal(role, ROLE_ADMIN);
    assert_int_equal(role_parse("root", &role), SP_EINVAL);
    assert_int_equal(role, ROLE_ADMIN);
    assert_int_equal(role_parse(role_name(ROLE_MEMBER), &role), 0);
    assert_int_equal(role, ROLE_MEMBER);
    assert_null(route_name(ROUTE_NONE));
    assert_string_equal(route_name(ROUTE_LAN), "lan");
    assert_string_equal(route_name(ROUTE_DIRECT), "direct");
    assert_string_equal(route_name(ROUTE_PUNCHED), "punched");
    assert_string_equal(route_name(ROUTE_RELAYED), "relayed");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_service_names),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
