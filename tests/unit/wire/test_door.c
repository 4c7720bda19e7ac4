/* The door's lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sallyport/wire/door.h"

/* Parses an exact copy on the heap, so that a look behind its end is seen. */
static int line_of(const char *text, size_t n, struct door_line *out, size_t *used) {
    static uint8_t *copy;
    free(copy);
    copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, text, n);
    int rc = door_line_parse(copy, n, out, used);
    if (n == 0) {
        free(copy);
        copy = NULL;
    }
    return rc;
}

static void test_line(void **state) {
    static const char *const words[] = {"raw", "knock", "prove", "ask", "serve", "punch"};
    struct door_line line;
    struct buf out;
    size_t used = 0;
    (void)state;
    for (int mode = DOOR_RAW; mode <= DOOR_PUNCH; mode++) {
        buf_init(&out);
        assert_int_equal(door_line_format(&out, (enum door_mode)mode, "AAAA.-_~!"), 0);
        assert_memory_equal(buf_string(&out), "SALLY1 ", 7);
        assert_memory_equal(buf_string(&out) + 7, words[mode], strlen(words[mode]));
        size_t len = buf_len(&out);
        assert_int_equal(buf_append(&out, "SSH-2.0-x\r\n", 11), 0); /* what follows stays out of it */
        assert_int_equal(line_of((const char *)buf_head(&out), buf_len(&out), &line, &used), 0);
        assert_int_equal(used, len);
        assert_int_equal(line.mode, mode);
        assert_int_equal(line.len, 9);
        assert_memory_equal(line.argument, "AAAA.-_~!", 9);
        buf_fini(&out);
    }
    assert_int_equal(line_of("SALLY1 fly x\r\n", 14, &line, &used), 0);
    assert_int_equal(used, 14);
    assert_int_equal(line.mode, DOOR_OTHER);
    assert_int_equal(line.len, 1);
    (void)line_of("", 0, &line, &used);
}

static void test_line_piecewise(void **state) {
    static const char text[] = "SALLY1 raw AAAA\n";
    struct door_line line = {.len = 4242};
    size_t used = 4242;
    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        assert_int_equal(line_of(text, n, &line, &used), SP_EAGAIN);
        assert_int_equal(used, 4242);
        assert_int_equal(line.len, 4242);
    }
    assert_int_equal(line_of(text, sizeof(text) - 1, &line, &used), 0);
    (void)line_of("", 0, &line, &used);
}

static void test_line_bad(void **state) {
    static const char *const bad[] = {
        "X",
        "SALLY2",
        "SALLY1\n",
        "SALLY1\t",
        "sally1 raw x\n",
        "\nSALLY1 raw x\n",
        "SALLY1 \n",
        "SALLY1 \r\n",
        "SALLY1 raw\n",
        "SALLY1 raw \n",
        "SALLY1 raw \r\n",
        "SALLY1  raw x\n",
        "SALLY1  x\n",
        "SALLY1 raw  x\n",
        "SALLY1 raw x y\n",
        "SALLY1 raw x \n",
        "SALLY1 raw x\r\r\n",
        "SALLY1 raw x\ty\n",
        "SALLY1 raw \x7f\n",
        "SALLY1 raw \xc3\xa9\n",
        "SALLY1 r\x01w x\n",
        "GET / HTTP/1.1\r\n",
        "SSH-2.0-OpenSSH\r\n",
    };
    struct door_line line;
    size_t used = 4242;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (line_of(bad[i], strlen(bad[i]), &line, &used) != SP_EFORMAT)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(used, 4242);
    }
    assert_int_equal(line_of("SALLY1 raw a\0b\n", 15, &line, &used), SP_EFORMAT);
    (void)line_of("", 0, &line, &used);
}

static void test_line_bound(void **state) {
    char text[DOOR_LINE_MAX + 8] = "SALLY1 raw ", argument[DOOR_LINE_MAX + 8];
    struct door_line line;
    struct buf out;
    size_t used, room = DOOR_LINE_MAX - 11 - 1;
    (void)state;
    memset(text + 11, 'a', sizeof(text) - 11);
    assert_int_equal(line_of(text, DOOR_LINE_MAX - 1, &line, &used), SP_EAGAIN);
    assert_int_equal(line_of(text, DOOR_LINE_MAX, &line, &used), SP_ETOOBIG);
    text[DOOR_LINE_MAX] = '\n';
    assert_int_equal(line_of(text, DOOR_LINE_MAX + 1, &line, &used), SP_ETOOBIG);
    text[DOOR_LINE_MAX - 1] = '\n';
    assert_int_equal(line_of(text, DOOR_LINE_MAX + 1, &line, &used), 0);
    assert_int_equal(used, DOOR_LINE_MAX);
    assert_int_equal(line.len, room);
    (void)line_of("", 0, &line, &used);
    buf_init(&out);
    memset(argument, 'a', sizeof(argument));
    argument[room + 1] = '\0';
    assert_int_equal(door_line_format(&out, DOOR_RAW, argument), SP_EINVAL);
    assert_int_equal(buf_len(&out), 0);
    argument[room] = '\0';
    assert_int_equal(door_line_format(&out, DOOR_RAW, argument), 0);
    assert_int_equal(buf_len(&out), DOOR_LINE_MAX);
    buf_fini(&out);
}

static void test_format_refuses(void **state) {
    static const char *const bad[] = {"", " ", "a b", "a\n", "\xc3\xa9", "a\x7f"};
    struct buf out;
    (void)state;
    buf_init(&out);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(door_line_format(&out, DOOR_RAW, bad[i]), SP_EINVAL);
    assert_int_equal(door_line_format(&out, DOOR_OTHER, "x"), SP_EINVAL);
    assert_int_equal(door_answer_format(&out, true, "a\nSALLY1 ok"), SP_EINVAL);
    assert_int_equal(door_answer_format(&out, false, "\xff"), SP_EINVAL);
    assert_int_equal(buf_len(&out), 0);
}

static void check_answer(const char *text, bool ok, const char *rest) {
    struct door_answer answer = {.len = 4242};
    size_t used = 0, n = strlen(text);
    uint8_t *copy = malloc(n);
    assert_non_null(copy);
    for (size_t i = 0; i < n; i++)
        copy[i] = (uint8_t)text[i];
    for (size_t i = 0; i < n; i++)
        assert_int_equal(door_answer_parse(copy, i, &answer, &used), SP_EAGAIN);
    assert_int_equal(door_answer_parse(copy, n, &answer, &used), 0);
    assert_int_equal(used, n);
    assert_int_equal(answer.ok, ok);
    assert_int_equal(answer.len, strlen(rest));
    assert_memory_equal(answer.text, rest, strlen(rest));
    free(copy);
}

static void test_answer(void **state) {
    struct buf out;
    (void)state;
    check_answer("SALLY1 ok\n", true, "");
    check_answer("SALLY1 ok\r\n", true, "");
    check_answer("SALLY1 ok \n", true, "");
    check_answer("SALLY1 ok 198.51.100.7 4022\n", true, "198.51.100.7 4022");
    check_answer("SALLY1 no ask over SSH\n", false, "ask over SSH");
    check_answer("SALLY1 no\n", false, "");
    buf_init(&out);
    assert_int_equal(door_answer_format(&out, true, NULL), 0);
    assert_int_equal(door_answer_format(&out, true, ""), 0);
    assert_int_equal(door_answer_format(&out, true, "AAAA"), 0);
    assert_int_equal(door_answer_format(&out, false, "not here"), 0);
    assert_string_equal(buf_string(&out), "SALLY1 ok\nSALLY1 ok\nSALLY1 ok AAAA\nSALLY1 no not here\n");
    buf_fini(&out);
}

static void test_answer_bad(void **state) {
    static const char *const bad[] = {
        "S0",        "SALLY1 yes\n",         "SALLY1 okay\n",        "SALLY1 ok\tx\n",   "SALLY1 OK\n", "SALLY1 o\n",
        "SALLY1 \n", "SALLY1 ok a\x1b[0m\n", "SALLY1 ok \xc3\xa9\n", "SALLY1 ok a\rb\n", "SALLY10 ok\n"};
    struct door_answer answer;
    size_t used = 4242;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (door_answer_parse((const uint8_t *)bad[i], strlen(bad[i]), &answer, &used) != SP_EFORMAT)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(used, 4242);
    }
}

static void test_answer_bound(void **state) {
    static char text[DOOR_ANSWER_MAX + 8];
    struct door_answer answer;
    struct buf out;
    size_t used;
    (void)state;
    buf_init(&out);
    memset(text, 'a', sizeof(text));
    text[DOOR_ANSWER_MAX - 10] = '\0';
    assert_int_equal(door_answer_format(&out, true, text), SP_EINVAL);
    text[DOOR_ANSWER_MAX - 11] = '\0';
    assert_int_equal(door_answer_format(&out, true, text), 0);
    assert_int_equal(buf_len(&out), DOOR_ANSWER_MAX);
    assert_int_equal(door_answer_parse(buf_head(&out), buf_len(&out), &answer, &used), 0);
    assert_int_equal(answer.len, DOOR_ANSWER_MAX - 11);
    buf_fini(&out);
    memset(text, 'a', sizeof(text));
    memcpy(text, "SALLY1 ok ", 10);
    assert_int_equal(door_answer_parse((const uint8_t *)text, DOOR_ANSWER_MAX - 1, &answer, &used), SP_EAGAIN);
    assert_int_equal(door_answer_parse((const uint8_t *)text, DOOR_ANSWER_MAX, &answer, &used), SP_ETOOBIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),       cmocka_unit_test(test_line_piecewise), cmocka_unit_test(test_line_bad),
        cmocka_unit_test(test_line_bound), cmocka_unit_test(test_format_refuses), cmocka_unit_test(test_answer),
        cmocka_unit_test(test_answer_bad), cmocka_unit_test(test_answer_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
