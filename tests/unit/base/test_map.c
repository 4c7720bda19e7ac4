#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sallyport/base/map.h"
#include "siphash.h"

#define MANY 10000

static void test_siphash_vectors(void **state) {
    (void)state;
    /* Key 00 01 .. 0f; messages 00 01 02 .., of the lengths 0, 8 and 15, from the authors' paper and code. */
    const uint64_t key[2] = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    uint8_t message[15];
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)i;
    assert_true(siphash(key, message, 0) == 0x726fdb47dd0e0e31ULL);
    assert_true(siphash(key, message, 8) == 0x93f5f5799a932462ULL);
    assert_true(siphash(key, message, 15) == 0xa129ca6149be45e5ULL);
}

static void test_put_get_remove(void **state) {
    (void)state;
    struct map *map;
    int one = 1, two = 2;
    assert_int_equal(map_new(&map), 0);
    assert_null(map_get(map, "box1"));
    assert_null(map_remove(map, "box1"));
    char key[] = "box1";
    assert_int_equal(map_put(map, key, &one), 0);
    key[0] = 'x';
    assert_ptr_equal(map_get(map, "box1"), &one);
    assert_null(map_get(map, "xox1"));
    assert_int_equal(map_put(map, "box1", &two), 0);
    assert_int_equal(map_count(map), 1);
    assert_int_equal(map_put(map, "", &one), 0);
    assert_ptr_equal(map_get(map, ""), &one);
    assert_ptr_equal(map_remove(map, "box1"), &two);
    assert_null(map_get(map, "box1"));
    assert_int_equal(map_count(map), 1);
    map_free(map);
    map_free(NULL);
}

static void test_many_keys(void **state) {
    (void)state;
    static int values[MANY];
    struct map *map;
    char key[32];
    assert_int_equal(map_new(&map), 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        assert_int_equal(map_put(map, key, &values[i]), 0);
    }
    /* Every third goes; a gap that is closed wrongly would hide some of the others. */
    for (int i = 0; i < MANY; i += 3) {
        snprintf(key, sizeof(key), "key-%d", i);
        assert_ptr_equal(map_remove(map, key), &values[i]);
    }
    assert_int_equal(map_count(map), MANY - (MANY + 2) / 3);
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        assert_ptr_equal(map_get(map, key), i % 3 ? &values[i] : NULL);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(key, sizeof(key), "key-%d", i);
        map_remove(map, key);
    }
    assert_int_equal(map_count(map), 0);
    size_t cursor = 0;
    assert_null(map_next(map, &cursor, NULL));
    map_free(map);
}

static void test_walk(void **state) {
    (void)state;
    int values[3] = {0};
    const char *const names[] = {"a", "b", "c"};
    struct map *map;
    assert_int_equal(map_new(&map), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(map_put(map, names[i], &values[i]), 0);
    size_t cursor = 0, seen = 0;
    const char *key;
    int *value;
    while ((value = map_next(map, &cursor, &key))) {
        assert_string_equal(key, names[value - values]);
        assert_int_equal((*value)++, 0);
        seen++;
    }
    assert_int_equal(seen, 3);
    assert_null(map_next(map, &cursor, &key));
    map_free(map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash_vectors),
        cmocka_unit_test(test_put_get_remove),
        cmocka_unit_test(test_many_keys),
        cmocka_unit_test(test_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
