/* What stands behind the '?' of an address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "web_local.h"

static void values_by_name(void **state) {
    static const struct {
        const char *query, *value; /* of `to`; NULL: none that can be taken */
        int rc;
    } rows[] = {
        {"to=/a", "/a", 0},
        {"from=1&to=%2Fa%20b", "/a b", 0},
        {"to=", "", 0},
        {"to=1&to=2", "1", 0},
        {"", NULL, SP_ENOENT},
        {"to", NULL, SP_ENOENT},
        {"into=1", NULL, SP_ENOENT},
        {"tox=1", NULL, SP_ENOENT},
        {"to=%", NULL, SP_EFORMAT},
        {"to=%2", NULL, SP_EFORMAT},
        {"to=%2&x=1", NULL, SP_EFORMAT},
        {"to=%zz", NULL, SP_EFORMAT},
        {"to=%00", NULL, SP_EFORMAT},
        {"to=%0a", NULL, SP_EFORMAT},
        {"to=%ff", NULL, SP_EFORMAT},
        {"to=1234567890123456", NULL, SP_EFORMAT},
        {"&&to=1", "1", 0},
        {"to=123456789012345", "123456789012345", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char to[16] = "?";
        int rc = web_query(rows[i].query, strlen(rows[i].query), "to", to, sizeof(to));
        if (rc != rows[i].rc || (rc == 0 && strcmp(to, rows[i].value) != 0))
            fail_msg("%s: %d '%s'", rows[i].query, rc, to);
    }
}

static void times(void **state) {
    static const struct {
        const char *query;
        int64_t time; /* 0: refused */
    } rows[] = {
        {"from=1700000000", 1700000000},
        {"from=2023-11-14T22:13:20Z", 1700000000},
        {"from=2023-11-14T22%3A13%3A20.123Z", 1700000000},
        {"from=2023-11-14", 1699920000},
        {"from=2023-11-14T22:13:20", 0},
        {"from=2023-11-14T22:13:20.Z", 0},
        {"from=now", 0},
        {"from=0", 0},
        {"from=99999999999999999999", 0},
        {"from=1969-01-01", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t time = 0;
        int rc = web_query_time(rows[i].query, "from", &time);
        if (time != rows[i].time || rc != (time ? 0 : SP_EFORMAT))
            fail_msg("%s: %d %lld", rows[i].query, rc, (long long)time);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(values_by_name), cmocka_unit_test(times)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
