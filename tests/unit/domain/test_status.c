/* Status: what is known goes through JSON and back; what is wrong counts as not known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/domain/status.h"

static int read_status(const char *text, struct status *out) {
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    int rc = status_from_json(object, out);
    json_decref(object);
    return rc;
}

static void test_round(void **state) {
    struct status status, back;
    (void)state;
    status_init(&status);
    assert_true(status_is_empty(&status));
    status.uptime_s = 86400;
    status.load_1m = 0.5;
    status.load_15m = 0;
    status.memory_total_bytes = INT64_C(67108864000);
    status.swap_total_bytes = 0;
    status.filesystems = calloc(1, sizeof(*status.filesystems));
    assert_non_null(status.filesystems);
    status.filesystem_count = 1;
    status.filesystems[0] =
        (struct filesystem){"/", "ext4", 100, 40, STATUS_UNKNOWN, STATUS_UNKNOWN, STATUS_UNKNOWN, STATUS_UNKNOWN};
    assert_false(status_is_empty(&status));
    json_t *object = status_to_json(&status, STATUS_ALL);
    assert_non_null(object);
    assert_int_equal(json_object_size(object), 6);
    assert_int_equal(status_from_json(object, &back), 0);
    json_decref(object);
    assert_int_equal(back.uptime_s, 86400);
    assert_true(back.load_1m > 0.49 && back.load_1m < 0.51);
    assert_true(isnan(back.load_5m));
    assert_true(back.load_15m < 0.01);
    assert_int_equal(back.cpu_count, STATUS_UNKNOWN);
    assert_int_equal(back.memory_total_bytes, INT64_C(67108864000));
    assert_int_equal(back.memory_used_bytes, STATUS_UNKNOWN);
    assert_int_equal(back.swap_total_bytes, 0);
    assert_int_equal(back.filesystem_count, 1);
    assert_string_equal(back.filesystems[0].mount, "/");
    assert_string_equal(back.filesystems[0].type, "ext4");
    assert_int_equal(back.filesystems[0].used_bytes, 40);
    assert_int_equal(back.filesystems[0].available_bytes, STATUS_UNKNOWN);
    status_fini(&status);
    status_fini(&back);
    assert_true(status_is_empty(&back));
}

static void test_wrong_types(void **state) {
    struct status status;
    (void)state;
    assert_int_equal(
        read_status("{\"uptime_s\":\"1\",\"load_1m\":\"high\",\"load_5m\":-1,\"load_15m\":1e13,\"cpu_used_share\":1.01,"
                    "\"cpu_count\":-4,\"memory_total_bytes\":1.5,\"memory_used_bytes\":null,"
                    "\"swap_total_bytes\":4611686018427387904,\"swap_used_bytes\":[],"
                    "\"filesystems\":{\"a\":1}}",
                    &status),
        0);
    assert_true(status_is_empty(&status));
    status_fini(&status);
    assert_int_equal(read_status("{\"filesystems\":[7,{},{\"mount\":\"\"},{\"mount\":\"/a\\u001b[2J\"},"
                                 "{\"mount\":\"/b\",\"type\":5,\"total_bytes\":-1,\"used_bytes\":3}]}",
                                 &status),
                     0);
    assert_int_equal(status.filesystem_count, 1);
    assert_string_equal(status.filesystems[0].mount, "/b");
    assert_string_equal(status.filesystems[0].type, "");
    assert_int_equal(status.filesystems[0].total_bytes, STATUS_UNKNOWN);
    assert_int_equal(status.filesystems[0].used_bytes, 3);
    status_fini(&status);
}

static void test_bound(void **state) {
    struct status status;
    (void)state;
    json_t *array = json_array();
    json_t *object = json_pack("{s:o}", "filesystems", array);
    for (int i = 0; i <= STATUS_FILESYSTEMS_MAX; i++)
        json_array_append_new(array, json_pack("{s:s, s:i}", "mount", "/", "total_bytes", i));
    assert_int_equal(status_from_json(object, &status), 0);
    assert_int_equal(status.filesystem_count, STATUS_FILESYSTEMS_MAX);
    assert_int_equal(status.filesystems[STATUS_FILESYSTEMS_MAX - 1].total_bytes, STATUS_FILESYSTEMS_MAX - 1);
    status_fini(&status);
    json_decref(object);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
