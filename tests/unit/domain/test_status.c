/* Status: what is known goes through JSON and back; what is wrong counts as not known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
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
                                 "{\"mount\":\"/b\",\"type\":5,\"total_bytes\":-1,\"used_bytes\":3},"
                                 "{\"mount\":\"/b\",\"used_bytes\":4}],"
                                 "\"processes\":[{\"pid\":1},{\"pid\":1},{\"pid\":2,\"gpus\":[0,-1,16,\"1\",15]}]}",
                                 &status),
                     0);
    assert_int_equal(status.filesystem_count, 1);
    assert_string_equal(status.filesystems[0].mount, "/b");
    assert_string_equal(status.filesystems[0].type, "");
    assert_int_equal(status.filesystems[0].total_bytes, STATUS_UNKNOWN);
    assert_int_equal(status.filesystems[0].used_bytes, 3);
    assert_int_equal(status.process_count, 2);
    assert_int_equal(status.processes[1].gpus, 0x8001);
    status_fini(&status);
}

static void test_bound(void **state) {
    struct status status;
    (void)state;
    json_t *array = json_array();
    json_t *object = json_pack("{s:o}", "filesystems", array);
    for (int i = 0; i <= STATUS_FILESYSTEMS_MAX; i++)
        json_array_append_new(array, json_pack("{s:o, s:i}", "mount", json_sprintf("/%d", i), "total_bytes", i));
    assert_int_equal(status_from_json(object, &status), 0);
    assert_int_equal(status.filesystem_count, STATUS_FILESYSTEMS_MAX);
    assert_int_equal(status.filesystems[STATUS_FILESYSTEMS_MAX - 1].total_bytes, STATUS_FILESYSTEMS_MAX - 1);
    status_fini(&status);
    json_decref(object);
}

/* Gives every member of `base` a value of its own, so that none can stand for another. */
static void fill_members(void *base, const struct status_member *member, int start) {
    for (int n = start; member->name; member++, n++) {
        char *at = (char *)base + member->offset;
        switch (member->type) {
        case STATUS_INTEGER:
        case STATUS_TIME:
            *(int64_t *)(void *)at = 1000 + n;
            break;
        case STATUS_REAL:
        case STATUS_SHARE:
            *(double *)(void *)at = (double)n / 256;
            break;
        case STATUS_TEXT:
            (void)snprintf(at, member->size, "text %d", n);
            break;
        case STATUS_FLAG:
            *(bool *)(void *)at = true;
            break;
        case STATUS_BITS:
            *(uint32_t *)(void *)at = 0x8005;
            break;
        }
    }
}

static void assert_same_members(const void *a, const void *b, const struct status_member *member) {
    for (; member->name; member++) {
        const char *one = (const char *)a + member->offset, *other = (const char *)b + member->offset;
        double number = status_number(a, member), back = status_number(b, member);
        if (member->type == STATUS_TEXT)
            assert_string_equal(one, other);
        else if (member->type == STATUS_BITS)
            assert_memory_equal(one, other, sizeof(uint32_t));
        else
            assert_true(number <= back && back <= number);
    }
}

/* Every member of every list goes through JSON and back, and into a copy. */
static void test_all_members(void **state) {
    struct status status, back, copy;
    (void)state;
    status_init(&status);
    fill_members(&status, status_members, 1);
    for (const struct status_list *list = status_lists; list->name; list++) {
        for (int i = 0; i < 3; i++) {
            void *item = status_add(&status, list->name);
            assert_non_null(item);
            fill_members(item, list->members, 10 * (i + 1)); /* keys of their own, too */
        }
    }
    json_t *object = status_to_json(&status, STATUS_ALL);
    assert_non_null(object);
    assert_int_equal(status_from_json(object, &back), 0);
    json_decref(object);
    assert_int_equal(status_copy(&status, &copy), 0);
    assert_same_members(&status, &back, status_members);
    assert_same_members(&status, &copy, status_members);
    for (const struct status_list *list = status_lists; list->name; list++) {
        assert_int_equal(*(size_t *)(void *)((char *)&back + list->count_offset), 3);
        for (size_t i = 0; i < 3; i++) {
            size_t at = i * list->item_size;
            assert_same_members(*(char **)(void *)((char *)&status + list->items_offset) + at,
                                *(char **)(void *)((char *)&back + list->items_offset) + at, list->members);
            assert_same_members(*(char **)(void *)((char *)&status + list->items_offset) + at,
                                *(char **)(void *)((char *)&copy + list->items_offset) + at, list->members);
        }
    }
    assert_non_null(status_add(&copy, "gpus")); /* a copy can grow */
    status_fini(&status);
    status_fini(&back);
    status_fini(&copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),
        cmocka_unit_test(test_wrong_types),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_all_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
