#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <wchar.h>

#include "sallyport/base/err.h"

static void test_each_code_has_a_text(void **state) {
    (void)state;
    const char *unknown = err_text(-1000);
    for (int rc = SP_EEXPIRED; rc < SP_ESYS; rc++) {
        assert_non_null(err_text(rc));
        assert_string_not_equal(err_text(rc), unknown);
        for (int other = rc + 1; other < SP_ESYS; other++)
            assert_string_not_equal(err_text(rc), err_text(other));
    }
    assert_string_equal(err_text(0), "done");
    assert_string_equal(err_text(1), unknown);
    assert_string_equal(err_text(SP_EEXPIRED - 1), unknown);
    assert_string_equal(err_text(INT32_MIN + 1), unknown);
}

static void test_system_errors_are_named(void **state) {
    (void)state;
    errno = ENOSPC;
    assert_string_equal(err_text(SP_ESYS), strerror(ENOSPC));
}

static void test_why(void **state) {
    (void)state;
    struct why why;
    errno = ENOSPC;
    why_set(&why, "%s %d", "number", 7);
    assert_int_equal(errno, ENOSPC);
    assert_string_equal(why.text, "number 7");
    why_set(&why, "%600d", 1);
    assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
    why_set(NULL, "nobody listens");
    /* A wide character that the C locale does not have: formatting fails. */
    errno = ENOSPC;
    why_set(&why, "%lc", (wint_t)0x20ac);
    assert_string_equal(why.text, "");
    assert_int_equal(errno, ENOSPC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_code_has_a_text),
        cmocka_unit_test(test_system_errors_are_named),
        cmocka_unit_test(test_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
