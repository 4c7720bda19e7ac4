#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "hostile.h"
#include "sallyport/wire/http_body.h"

/* A body fed in pieces, and what became of its bytes. */
struct fed {
    int rc;
    struct http_body body;
    struct buf passed;
    size_t used;
    struct why why;
};

/* Takes at most `step` bytes a call, each time of a copy of just that size. */
static void feed(struct fed *fed, const uint8_t *bytes, size_t n, size_t step) {
    while (fed->rc == 0 && fed->used < n && !http_body_is_done(&fed->body)) {
        size_t some = n - fed->used < step ? n - fed->used : step, pass = 99, skip = 99;
        uint8_t *exact = malloc(some);
        assert_non_null(exact);
        memcpy(exact, bytes + fed->used, some);
        struct http_body before = fed->body;
        fed->rc = http_body_scan(&fed->body, exact, some, &pass, &skip, &fed->why);
        if (fed->rc) {
            assert_int_equal(pass, 99);
            assert_int_equal(skip, 99);
            assert_memory_equal(&before, &fed->body, sizeof before);
        } else {
            assert_in_range(pass + skip, 1, some);
            assert_int_equal(buf_append(&fed->passed, exact, pass), 0);
            fed->used += pass + skip;
        }
        free(exact);
    }
}

static struct fed fed_new(enum http_framing framing, uint64_t length) {
    struct fed fed = {0};
    buf_init(&fed.passed);
    http_body_init(&fed.body, framing, length);
    return fed;
}

static const char *word_of(const struct fed *fed) {
    if (fed->rc)
        return fed->rc == SP_EFORMAT && fed->why.text[0] ? "refused" : "an error that may not be";
    return http_body_is_done(&fed->body) ? "done" : "more";
}

/* The bytes without the marks: all of the body in `whole`, those that pass in `passed`. Returns the rest's length. */
static size_t read_marks(const struct hostile_case *one, struct buf *whole, struct buf *passed) {
    bool skipping = false;
    for (size_t i = 0; i < one->n; i++) {
        uint8_t byte = one->bytes[i];
        if (byte == '>') {
            buf_append(whole, one->bytes + i + 1, one->n - i - 1);
            return one->n - i - 1;
        }
        if (byte == '|') {
            skipping = !skipping;
            continue;
        }
        buf_append(whole, &byte, 1);
        if (!skipping)
            buf_append(passed, &byte, 1);
    }
    return 0;
}

static void assert_same(const struct buf *one, const struct buf *other, const char *name) {
    if (buf_len(one) != buf_len(other) || (buf_len(one) && memcmp(buf_head(one), buf_head(other), buf_len(one)) != 0))
        fail_msg("%s: '%.*s' and not '%.*s'", name, (int)buf_len(one), (const char *)buf_head(one), (int)buf_len(other),
                 (const char *)buf_head(other));
}

/* In pieces of every size the same passes, and what passes is a body by itself, with nothing more to skip. */
static void check_case(const struct hostile_case *one) {
    struct buf whole, passed;
    buf_init(&whole);
    buf_init(&passed);
    size_t rest = read_marks(one, &whole, &passed), n = buf_len(&whole);
    for (size_t step = 1; step <= n; step += n > 2000 && step > 8 ? 997 : 1) {
        struct fed fed = fed_new(HTTP_CHUNKED, 0);
        feed(&fed, buf_head(&whole), n, step);
        if (strcmp(word_of(&fed), one->words[0]) != 0)
            fail_msg("%s: %s and not %s, by %zu", one->words[1], word_of(&fed), one->words[0], step);
        if (fed.rc == 0) {
            struct fed again = fed_new(HTTP_CHUNKED, 0);
            assert_same(&fed.passed, &passed, one->words[1]);
            assert_int_equal(fed.used, n - rest);
            assert_int_equal(http_body_end(&fed.body), http_body_is_done(&fed.body) ? 0 : SP_EFORMAT);
            feed(&again, buf_head(&fed.passed), buf_len(&fed.passed), step);
            assert_string_equal(word_of(&again), one->words[0]);
            assert_same(&again.passed, &fed.passed, one->words[1]);
            buf_fini(&again.passed);
        }
        buf_fini(&fed.passed);
    }
    buf_fini(&whole);
    buf_fini(&passed);
}

static void test_chunked(void **state) {
    (void)state;
    assert_in_range(hostile_each("bodies.txt", 2, check_case), 60, 1000);
}

static void test_chunks_in_one_call(void **state) {
    (void)state;
    static const char text[] = "1\r\na\r\n2\r\nbc\r\n3;x\r\ndef\r\n0\r\n\r\nGET";
    const uint8_t *bytes = (const uint8_t *)text;
    struct http_body body;
    size_t pass, skip, n = strlen(text);
    http_body_init(&body, HTTP_CHUNKED, 0);
    assert_int_equal(http_body_scan(&body, bytes, n, &pass, &skip, NULL), 0);
    assert_int_equal(pass, strlen("1\r\na\r\n2\r\nbc\r\n3"));
    assert_int_equal(skip, strlen(";x"));
    bytes += pass + skip;
    n -= pass + skip;
    assert_int_equal(http_body_scan(&body, bytes, n, &pass, &skip, NULL), 0);
    assert_int_equal(pass, strlen("\r\ndef\r\n0\r\n\r\n"));
    assert_int_equal(skip, 0);
    assert_true(http_body_is_done(&body));
}

static void test_length(void **state) {
    (void)state;
    static const uint8_t bytes[10] = "0\r\n\r\nabcd";
    for (size_t step = 1; step <= 10; step++) {
        struct fed fed = fed_new(HTTP_LENGTH, 7);
        assert_false(http_body_is_done(&fed.body));
        feed(&fed, bytes, 6, step);
        assert_int_equal(http_body_end(&fed.body), SP_EFORMAT);
        assert_false(http_body_is_done(&fed.body));
        feed(&fed, bytes, sizeof bytes, step);
        assert_true(http_body_is_done(&fed.body));
        assert_int_equal(fed.used, 7);
        assert_int_equal(buf_len(&fed.passed), 7);
        assert_int_equal(http_body_end(&fed.body), 0);
        buf_fini(&fed.passed);
    }
}

static void test_no_body(void **state) {
    (void)state;
    struct http_body body;
    http_body_init(&body, HTTP_NO_BODY, 5);
    assert_true(http_body_is_done(&body));
    assert_int_equal(http_body_end(&body), 0);
    http_body_init(&body, HTTP_LENGTH, 0);
    assert_true(http_body_is_done(&body));
}

static void test_until_end(void **state) {
    (void)state;
    struct fed fed = fed_new(HTTP_UNTIL_END, 5);
    feed(&fed, (const uint8_t *)"0\r\n\r\nand so on", 14, 3);
    assert_false(http_body_is_done(&fed.body));
    assert_int_equal(buf_len(&fed.passed), 14);
    assert_int_equal(http_body_end(&fed.body), 0);
    assert_true(http_body_is_done(&fed.body));
    buf_fini(&fed.passed);
}

/* Larger than memory: only counted. */
static void test_large(void **state) {
    (void)state;
    static const uint8_t bytes[4096];
    struct http_body body;
    size_t pass, skip;
    http_body_init(&body, HTTP_CHUNKED, 0);
    assert_int_equal(http_body_scan(&body, (const uint8_t *)"fffffffffffffff\r\n", 17, &pass, &skip, NULL), 0);
    assert_int_equal(pass, 17);
    assert_int_equal(http_body_scan(&body, bytes, sizeof bytes, &pass, &skip, NULL), 0);
    assert_int_equal(pass, sizeof bytes);
    assert_true(body.left == UINT64_C(0xfffffffffffffff) - sizeof bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunked), cmocka_unit_test(test_chunks_in_one_call), cmocka_unit_test(test_length),
        cmocka_unit_test(test_no_body), cmocka_unit_test(test_until_end),          cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
