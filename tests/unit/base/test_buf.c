#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/err.h"

static void test_empty(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf);
    assert_null(buf_head(&buf));
    assert_int_equal(buf_len(&buf), 0);
    assert_int_equal(buf_append(&buf, NULL, 0), 0);
    buf_consume(&buf, 0);
    buf_consume(&buf, 10);
    assert_null(buf.data);
    assert_string_equal(buf_string(&buf), "");
    assert_int_equal(buf_len(&buf), 0);
    buf_fini(&buf);
    buf_fini(&buf);
    buf_wipe(&buf);
}

/* A queue of counted bytes, pushed and taken in uneven pieces, stays in order whatever the storage does. */
static void test_keeps_the_order(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf);
    uint8_t in = 0, out = 0;
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        uint8_t piece[300];
        size_t n = (size_t)rand_r(&seed) % sizeof(piece);
        for (size_t i = 0; i < n; i++)
            piece[i] = in++;
        assert_int_equal(buf_append(&buf, piece, n), 0);
        size_t take = (size_t)rand_r(&seed) % (round % 100 < 50 ? 200 : 500);
        take = take < buf_len(&buf) ? take : buf_len(&buf);
        for (size_t i = 0; i < take; i++)
            assert_int_equal(buf_head(&buf)[i], out++);
        buf_consume(&buf, take);
    }
    assert_true(buf.cap <= 1 << 16);
    buf_fini(&buf);
}

/* What is taken makes room for what comes: a queue that always holds a little does not grow. */
static void test_steady_queue_does_not_grow(void **state) {
    (void)state;
    static const uint8_t piece[500];
    struct buf buf;
    buf_init(&buf);
    assert_int_equal(buf_append(&buf, piece, 100), 0);
    for (int round = 0; round < 10000; round++) {
        assert_int_equal(buf_append(&buf, piece, sizeof(piece)), 0);
        buf_consume(&buf, sizeof(piece));
    }
    assert_true(buf.cap <= 2048);
    buf_fini(&buf);
}

static void test_gives_storage_back(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf);
    assert_int_equal(buf_append(&buf, "abc", 3), 0);
    buf_consume(&buf, 1);
    assert_non_null(buf.data);
    buf_consume(&buf, 2);
    assert_null(buf.data);
    assert_int_equal(buf.cap, 0);
}

static void test_reserve_and_commit(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf);
    uint8_t *tail;
    assert_int_equal(buf_reserve(&buf, 1000, &tail), 0);
    memset(tail, 'x', 1000);
    assert_int_equal(buf_len(&buf), 0);
    buf_commit(&buf, 7);
    assert_string_equal(buf_string(&buf), "xxxxxxx");
    buf_fini(&buf);
}

static void test_printf(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf);
    assert_int_equal(buf_printf(&buf, "%s-%d", "box", 1), 0);
    assert_int_equal(buf_printf(&buf, "%s", ""), 0);
    assert_int_equal(buf_printf(&buf, "%1000d", 2), 0);
    assert_int_equal(buf_len(&buf), 1005);
    assert_memory_equal(buf_head(&buf), "box-1  ", 7);
    assert_int_equal(buf_string(&buf)[1004], '2');
    buf_fini(&buf);
}

static void test_too_much(void **state) {
    (void)state;
    struct buf buf;
    buf_init(&buf);
    uint8_t *tail = NULL;
    assert_int_equal(buf_append(&buf, "abc", 3), 0);
    assert_int_equal(buf_reserve(&buf, SIZE_MAX - 1, &tail), SP_ENOMEM);
    assert_null(tail);
    assert_string_equal(buf_string(&buf), "abc");
    buf_wipe(&buf);
    assert_int_equal(buf_len(&buf), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_keeps_the_order),
        cmocka_unit_test(test_steady_queue_does_not_grow),
        cmocka_unit_test(test_gives_storage_back),
        cmocka_unit_test(test_reserve_and_commit),
        cmocka_unit_test(test_printf),
        cmocka_unit_test(test_too_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
