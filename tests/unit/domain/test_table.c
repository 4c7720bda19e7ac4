/* Tables for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sallyport/domain/table.h"

static void test_columns(void **state) {
    struct table table;
    struct buf out;
    (void)state;
    buf_init(&out);
    table_init(&table, 3, (const char *[]){"A", "LONG", "C"});
    table_row(&table, (const char *[]){"\xc3\xa9\xc3\xa9\xc3\xa9", "x", "last"});
    table_row(&table, (const char *[]){"1", "", NULL});
    assert_int_equal(table_print(&table, 2, &out), 0);
    assert_string_equal(buf_string(&out), "  A    LONG  C\n"
                                          "  \xc3\xa9\xc3\xa9\xc3\xa9  x     last\n"
                                          "  1    -     -\n");
    table_fini(&table);
    buf_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
