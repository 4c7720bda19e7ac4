/* One JSON value a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "sallyport/domain/jsonline.h"

static int read_text(const char *text, unsigned depth) {
    json_t *object = NULL;
    struct why why = {""};
    int rc = jsonline_read(text, strlen(text), depth, &object, &why);
    assert_int_equal(object != NULL, rc == 0);
    assert_int_equal(why.text[0] != '\0', rc != 0);
    json_decref(object);
    return rc;
}

static void test_read(void **state) {
    (void)state;
    assert_int_equal(read_text("{\"a\":1}", 16), 0);
    assert_int_equal(read_text(" {\"a\":[{\"b\":\"]}\\\"[[[[\"}]}\n", 3), 0);
    assert_int_equal(read_text("", 16), SP_EFORMAT);
    assert_int_equal(read_text("[1]", 16), SP_EFORMAT);
    assert_int_equal(read_text("7", 16), SP_EFORMAT);
    assert_int_equal(read_text("{\"a\":1", 16), SP_EFORMAT);
    assert_int_equal(read_text("{\"a\":1}x", 16), SP_EFORMAT);
    assert_int_equal(read_text("{\"a\":1,\"a\":2}", 16), SP_EFORMAT);
    assert_int_equal(read_text("{\"a\":\"\xff\"}", 16), SP_EFORMAT);
    assert_int_equal(read_text("{\"a\":\"\\u0000\"}", 16), SP_EFORMAT);
    assert_int_equal(read_text("{\"a\":NaN}", 16), SP_EFORMAT);
}

static void test_depth(void **state) {
    (void)state;
    assert_int_equal(read_text("{\"a\":[[]]}", 3), 0);
    assert_int_equal(read_text("{\"a\":[[]]}", 2), SP_ETOOBIG);
    assert_int_equal(read_text("{\"a\":[[],[],[]]}", 3), 0);
    assert_int_equal(read_text("{\"[[[[\":\"{{{{\"}", 1), 0);
    assert_int_equal(read_text("]]]]{\"a\":1}", 1), SP_EFORMAT);
}

static void test_members(void **state) {
    json_t *object = json_loads("{\"s\":\"text\",\"c\":\"a\\tb\",\"n\":5,\"m\":-5,\"r\":5.0,\"t\":true}", 0, NULL);
    char text[5] = "old";
    int64_t number = 99;
    (void)state;
    assert_true(jsonline_text(object, "s", text, sizeof(text)));
    assert_string_equal(text, "text");
    assert_false(jsonline_text(object, "s", text, 4));
    assert_false(jsonline_text(object, "c", text, sizeof(text)));
    assert_false(jsonline_text(object, "n", text, sizeof(text)));
    assert_false(jsonline_text(object, "none", text, sizeof(text)));
    assert_string_equal(text, "text");
    assert_false(jsonline_integer(object, "n", 6, 10, &number));
    assert_false(jsonline_integer(object, "n", 0, 4, &number));
    assert_false(jsonline_integer(object, "m", 0, 10, &number));
    assert_false(jsonline_integer(object, "r", 0, 10, &number));
    assert_false(jsonline_integer(object, "t", 0, 10, &number));
    assert_false(jsonline_integer(object, "s", 0, 10, &number));
    assert_int_equal(number, 99);
    assert_true(jsonline_integer(object, "n", 5, 5, &number));
    assert_int_equal(number, 5);
    json_decref(object);
}

static void test_append(void **state) {
    struct buf out;
    (void)state;
    buf_init(&out);
    assert_int_equal(jsonline_append(&out, json_pack("{s:i}", "a", 1), 8), 0);
    assert_string_equal(buf_string(&out), "{\"a\":1}\n");
    assert_int_equal(jsonline_append(&out, json_pack("{s:i}", "a", 1), 7), SP_ETOOBIG);
    assert_int_equal(jsonline_append(&out, NULL, 100), SP_ENOMEM);
    assert_int_equal(buf_len(&out), 8);
    assert_int_equal(jsonline_append(&out, json_pack("[f]", 0.1), 100), 0);
    assert_string_equal(buf_string(&out), "{\"a\":1}\n[0.1]\n");
    buf_fini(&out);
}

static void test_time(void **state) {
    json_t *object = json_object(), *want = json_pack("{s:s}", "then", "2026-11-23T10:00:00Z");
    (void)state;
    assert_true(jsonline_set_time(object, "then", INT64_C(1795428000)));
    assert_true(jsonline_set_time(object, "never", 0));
    assert_true(json_equal(object, want));
    json_decref(object);
    json_decref(want);
    assert_false(jsonline_set_time(NULL, "then", 1));
}

static void test_text_cut(void **state) {
    json_t *object = json_loads("{\"s\":\"ab\\u00e9d\",\"c\":\"a\\tb\",\"n\":5,\"e\":\"\"}", 0, NULL);
    char text[8] = "before";
    (void)state;
    assert_true(jsonline_text_cut(object, "s", text, sizeof(text)));
    assert_string_equal(text, "ab\xc3\xa9"
                              "d");
    assert_true(jsonline_text_cut(object, "s", text, 4)); /* would end within the third character */
    assert_string_equal(text, "ab");
    assert_true(jsonline_text_cut(object, "c", text, sizeof(text)));
    assert_string_equal(text, "");
    memcpy(text, "before", 7);
    assert_false(jsonline_text_cut(object, "n", text, sizeof(text)));
    assert_false(jsonline_text_cut(object, "absent", text, sizeof(text)));
    assert_string_equal(text, "before");
    json_decref(object);
}

static void test_bytes(void **state) {
    json_t *object = json_loads("{\"a\":\"Zm9v\",\"b\":\"Zm9vYg\",\"c\":\"Zm9=\",\"n\":5}", 0, NULL);
    uint8_t bytes[4] = {1, 2, 3, 4};
    (void)state;
    assert_false(jsonline_bytes(object, "a", bytes, 2));
    assert_false(jsonline_bytes(object, "a", bytes, 4));
    assert_false(jsonline_bytes(object, "c", bytes, 3));
    assert_false(jsonline_bytes(object, "n", bytes, 3));
    assert_false(jsonline_bytes(object, "absent", bytes, 3));
    assert_memory_equal(bytes, "\1\2\3\4", 4);
    assert_true(jsonline_bytes(object, "a", bytes, 3));
    assert_memory_equal(bytes, "foo\4", 4);
    assert_true(jsonline_bytes(object, "b", bytes, 4));
    assert_memory_equal(bytes, "foob", 4);
    json_decref(object);
}

static void test_read_time(void **state) {
    static const char *const bad[] = {"",
                                      "2026-11-23T10:00:00",
                                      "2026-11-23T10:00:00Zx",
                                      "2026-11-23 10:00:00Z",
                                      "1970-01-01T00:00:00Z",
                                      "1815-06-18T12:00:00Z",
                                      "now"};
    int64_t time = 7;
    (void)state;
    json_t *object = json_object();
    assert_true(jsonline_set_time(object, "t", INT64_C(1795428000)));
    assert_true(jsonline_time(object, "t", &time));
    assert_int_equal(time, INT64_C(1795428000));
    assert_false(jsonline_time(object, "absent", &time));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_object_set_new(object, "t", json_string(bad[i]));
        assert_false(jsonline_time(object, "t", &time));
    }
    json_object_set_new(object, "t", json_integer(5));
    assert_false(jsonline_time(object, "t", &time));
    assert_int_equal(time, INT64_C(1795428000));
    json_decref(object);
}

static void test_append_bare(void **state) {
    struct buf out;
    (void)state;
    buf_init(&out);
    assert_int_equal(jsonline_append_bare(&out, json_pack("{s:i}", "a", 1), 8), 0);
    assert_string_equal(buf_string(&out), "{\"a\":1}");
    assert_int_equal(jsonline_append_bare(&out, json_pack("{s:i}", "a", 1), 7), SP_ETOOBIG);
    assert_int_equal(jsonline_append_bare(&out, NULL, 8), SP_ENOMEM);
    assert_string_equal(buf_string(&out), "{\"a\":1}");
    buf_fini(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_cut),    cmocka_unit_test(test_bytes),  cmocka_unit_test(test_read_time),
        cmocka_unit_test(test_append_bare), cmocka_unit_test(test_read),   cmocka_unit_test(test_depth),
        cmocka_unit_test(test_members),     cmocka_unit_test(test_append), cmocka_unit_test(test_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
