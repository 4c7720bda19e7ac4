#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/base/secret.h"

static void test_base64_vectors(void **state) {
    (void)state;
    /* RFC 4648 section 10, without the padding. */
    static const char *const vectors[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"},
    };
    char text[16];
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        size_t n = strlen(vectors[i][0]);
        memset(text, 'x', sizeof(text));
        base64_encode(text, vectors[i][0], n);
        assert_string_equal(text, vectors[i][1]);
        assert_true(strlen(text) <= (n * 4 + 2) / 3);
    }
    base64_encode(text, "\xfb\xff\xbf", 3);
    assert_string_equal(text, "+/+/");
}

static int decode(const char *text, uint8_t *to, size_t size, size_t *n) {
    return base64url_decode(text, strlen(text), to, size, n);
}

static void test_base64url(void **state) {
    (void)state;
    uint8_t bytes[256], back[256];
    char text[BASE64URL_SIZE(sizeof(bytes))];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 167 + 13);
    for (size_t n = 0; n <= sizeof(bytes); n++) {
        size_t got = 999;
        base64url_encode(text, bytes, n);
        assert_int_equal(strlen(text), BASE64URL_SIZE(n) - 1);
        assert_null(strpbrk(text, "+/="));
        memset(back, 0, sizeof(back));
        assert_int_equal(decode(text, back, n, &got), 0);
        assert_int_equal(got, n);
        assert_memory_equal(back, bytes, n);
        if (n > 0)
            assert_int_equal(decode(text, back, n - 1, &got), SP_ETOOBIG);
    }
    base64url_encode(text, "\xfb\xff\xbf", 3);
    assert_string_equal(text, "-_-_");
}

static void test_base64url_strict(void **state) {
    /* "Zh" and "Zm9" have spare bits that are not zero; "A" alone is no byte. */
    static const char *const bad[] = {"A",    "AAAAA",    "Zh",   "Zm9",   "Zg==", "Zm8=", "Zm 8", "Zm8\n", "+_-_",
                                      "-/-_", "\xc3\xa9", "Zm.v", "Zm9v!", "@AAA", "[AAA", "`AAA", "{AAA"};
    uint8_t bytes[16] = {42};
    size_t n = 4242;
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (decode(bad[i], bytes, sizeof(bytes), &n) != SP_EFORMAT)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(n, 4242);
        assert_int_equal(bytes[0], 42);
    }
    assert_int_equal(base64url_decode("Zg\0v", 4, bytes, sizeof(bytes), &n), SP_EFORMAT);
    /* Of all one-letter endings just those without spare bits are taken. */
    for (int last = 1; last < 256; last++) {
        char two[3] = {'A', (char)last, '\0'}, three[4] = {'A', 'A', (char)last, '\0'};
        assert_int_equal(decode(two, bytes, sizeof(bytes), &n) == 0, strchr("AQgw", last) != NULL);
        assert_int_equal(decode(three, bytes, sizeof(bytes), &n) == 0, strchr("AEIMQUYcgkosw048", last) != NULL);
    }
}

static void test_hex(void **state) {
    (void)state;
    char text[9];
    hex_encode(text, "\x00\x7f\xff\xa5", 4);
    assert_string_equal(text, "007fffa5");
    hex_encode(text, "", 0);
    assert_string_equal(text, "");
}

static void test_tokens(void **state) {
    (void)state;
    char one[SECRET_TOKEN_LEN + 1], two[SECRET_TOKEN_LEN + 1];
    for (int i = 0; i < 200; i++) {
        assert_int_equal(secret_token(one), 0);
        assert_int_equal(secret_token(two), 0);
        assert_true(secret_is_token(one));
        assert_string_not_equal(one, two);
    }
    assert_false(secret_is_token(""));
    assert_false(secret_is_token("short"));
    one[42] = '\0';
    assert_false(secret_is_token(one));
    for (const char *bad = "+/= \n\xc3"; *bad; bad++) {
        memset(two, 'a', SECRET_TOKEN_LEN);
        assert_true(secret_is_token(two));
        two[20] = *bad;
        assert_false(secret_is_token(two));
    }
    char longer[SECRET_TOKEN_LEN + 2];
    memset(longer, 'a', SECRET_TOKEN_LEN + 1);
    longer[SECRET_TOKEN_LEN + 1] = '\0';
    assert_false(secret_is_token(longer));
    longer[SECRET_TOKEN_LEN] = '!';
    assert_false(secret_is_token(longer));
}

static void test_equal(void **state) {
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0};
    assert_true(secret_equal(a, b, 32));
    for (size_t i = 0; i < 32; i++) {
        b[i] = 0x80;
        assert_false(secret_equal(a, b, 32));
        assert_true(secret_equal(a, b, i));
        b[i] = 0;
    }
    assert_true(secret_equal(a, b, 0));
}

static void test_random_and_wipe(void **state) {
    (void)state;
    static uint8_t bytes[4096];
    size_t zeros = 0;
    assert_int_equal(secret_random(bytes, sizeof(bytes)), 0);
    for (size_t i = 0; i < sizeof(bytes); i++)
        zeros += bytes[i] == 0;
    assert_true(zeros < 100);
    secret_wipe(bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        assert_int_equal(bytes[i], 0);
    secret_wipe(NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64url),       cmocka_unit_test(test_base64url_strict),
        cmocka_unit_test(test_base64_vectors),  cmocka_unit_test(test_hex),
        cmocka_unit_test(test_tokens),          cmocka_unit_test(test_equal),
        cmocka_unit_test(test_random_and_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
