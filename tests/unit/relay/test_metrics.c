/* The text that Prometheus reads: what is escaped, what is left out, how numbers are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "metrics.h"

static void expect(struct buf *out, const char *text) {
    assert_string_equal(buf_string(out), text);
    buf_fini(out);
}

static void labels_are_escaped(void **state) {
    struct buf out;
    struct metrics metrics = {.out = &out};
    const struct metric_label labels[] = {{"machine", "box1"}, {"mount", "/a\\b\"c\nd é"}, {NULL, NULL}};
    (void)state;
    buf_init(&out);
    metrics_begin(&metrics, "x_bytes", METRIC_GAUGE, "What it is.");
    metrics_add(&metrics, "x_bytes", labels, 7);
    metrics_add(&metrics, "x_bytes", NULL, 8);
    assert_int_equal(metrics.rc, 0);
    expect(&out, "# HELP x_bytes What it is.\n# TYPE x_bytes gauge\n"
                 "x_bytes{machine=\"box1\",mount=\"/a\\\\b\\\"c\\nd é\"} 7\nx_bytes 8\n");
}

static void numbers_stay_exact(void **state) {
    struct buf out;
    struct metrics metrics = {.out = &out};
    (void)state;
    buf_init(&out);
    metrics_add(&metrics, "x", NULL, 123456789012345);
    metrics_add(&metrics, "x", NULL, 0.25);
    metrics_add(&metrics, "x", NULL, 0);
    metrics_add(&metrics, "x", NULL, 1.1e18);
    expect(&out, "x 123456789012345\nx 0.25\nx 0\nx 1.1e+18\n");
}

static void what_is_not_known_is_left_out(void **state) {
    struct buf out;
    struct metrics metrics = {.out = &out};
    (void)state;
    buf_init(&out);
    metrics_add(&metrics, "x", NULL, NAN);
    metrics_one(&metrics, "y_total", METRIC_COUNTER, "Nothing.", NAN);
    assert_int_equal(buf_len(&out), 0);
    metrics_one(&metrics, "y_total", METRIC_COUNTER, "Something.", 3);
    expect(&out, "# HELP y_total Something.\n# TYPE y_total counter\ny_total 3\n");
}

static void the_process_is_measured(void **state) {
    static const char *const names[] = {"\nprocess_cpu_seconds_total ", "\nprocess_resident_memory_bytes ",
                                        "\nprocess_open_fds ", "\nprocess_max_fds ",
                                        "\nprocess_start_time_seconds 1795428000\n"};
    struct buf out;
    struct metrics metrics = {.out = &out};
    (void)state;
    buf_init(&out);
    metrics_process(&metrics, 1795428000);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_non_null(strstr(buf_string(&out), names[i]));
    assert_null(strstr(buf_string(&out), " 0\n"));
    buf_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_are_escaped),
        cmocka_unit_test(numbers_stay_exact),
        cmocka_unit_test(what_is_not_known_is_left_out),
        cmocka_unit_test(the_process_is_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
