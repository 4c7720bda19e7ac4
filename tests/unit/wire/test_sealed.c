/* Sealed messages: the vector of RFC 8439, there and back, and every byte that was changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sallyport/base/secret.h"
#include "sallyport/wire/sealed.h"

static const uint8_t key[SEALED_KEY_SIZE] = {1, 2, 3};

static void test_back(void **state) {
    static uint8_t message[SEALED_MAX + 1];
    static const size_t sizes[] = {0, 1, 2, 3, 15, 16, 17, 100, SEALED_MAX};
    uint8_t nonce[SEALED_NONCE_SIZE], same[SEALED_NONCE_SIZE];
    struct buf text, back;
    (void)state;
    for (size_t i = 0; i < sizeof(message); i++)
        message[i] = (uint8_t)(i * 31);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        buf_init(&text);
        buf_init(&back);
        assert_int_equal(buf_append(&back, "<", 1), 0);
        assert_int_equal(sealed_make(key, "bound", 5, message, sizes[i], &text, nonce), 0);
        assert_int_equal(buf_len(&text), BASE64URL_SIZE(sizes[i] + SEALED_NONCE_SIZE + SEALED_TAG_SIZE) - 1);
        assert_int_equal(sealed_open(key, "bound", 5, (const char *)buf_head(&text), buf_len(&text), &back, same), 0);
        assert_memory_equal(nonce, same, sizeof(nonce));
        assert_int_equal(buf_len(&back), 1 + sizes[i]);
        assert_memory_equal(buf_head(&back) + 1, message, sizes[i]);
        buf_fini(&text);
        buf_fini(&back);
    }
    assert_int_equal(sealed_make(key, "bound", 5, message, SEALED_MAX + 1, &text, nonce), SP_ETOOBIG);
    assert_int_equal(buf_len(&text), 0);
}

/* RFC 8439 section 2.8.2. */
static void test_vector(void **state) {
    static const char plain[] = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
                                "future, sunscreen would be it.";
    static const uint8_t bound[] = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
    static const char hex[] = "070000004041424344454647"
                              "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                              "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                              "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                              "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691";
    uint8_t vector_key[SEALED_KEY_SIZE], bytes[sizeof(hex) / 2];
    char text[BASE64URL_SIZE(sizeof(bytes))];
    struct buf back;
    (void)state;
    for (size_t i = 0; i < sizeof(vector_key); i++)
        vector_key[i] = (uint8_t)(0x80 + i);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    base64url_encode(text, bytes, sizeof(bytes));
    buf_init(&back);
    assert_int_equal(sealed_open(vector_key, bound, sizeof(bound), text, strlen(text), &back, NULL), 0);
    assert_string_equal(buf_string(&back), plain);
    buf_fini(&back);
}

static int open_as(const uint8_t *with, const char *bound, const char *text, size_t len) {
    struct buf back;
    uint8_t nonce[SEALED_NONCE_SIZE] = {42};
    buf_init(&back);
    int rc = sealed_open(with, bound, strlen(bound), text, len, &back, nonce);
    if (rc) {
        assert_int_equal(buf_len(&back), 0);
        assert_int_equal(nonce[0], 42);
    }
    buf_fini(&back);
    return rc;
}

static void test_changed(void **state) {
    uint8_t other[SEALED_KEY_SIZE] = {1, 2, 4};
    struct buf text;
    (void)state;
    buf_init(&text);
    assert_int_equal(sealed_make(key, "ask", 3, "message", 7, &text, NULL), 0);
    size_t len = buf_len(&text);
    char *letters = strdup(buf_string(&text));
    assert_int_equal(open_as(key, "ask", letters, len), 0);
    assert_int_equal(open_as(other, "ask", letters, len), SP_ECRYPTO);
    assert_int_equal(open_as(key, "asl", letters, len), SP_ECRYPTO);
    assert_int_equal(open_as(key, "", letters, len), SP_ECRYPTO);
    for (size_t i = 0; i < len; i++) {
        char before = letters[i];
        letters[i] = before == 'A' ? 'B' : 'A';
        assert_int_not_equal(open_as(key, "ask", letters, len), 0);
        letters[i] = '=';
        assert_int_equal(open_as(key, "ask", letters, len), SP_EFORMAT);
        letters[i] = before;
        assert_int_not_equal(open_as(key, "ask", letters, i), 0);
    }
    assert_int_equal(open_as(key, "ask", letters, len), 0);
    free(letters);
    buf_fini(&text);
}

static void test_no_text(void **state) {
    static char large[32768];
    (void)state;
    memset(large, 'A', sizeof(large));
    assert_int_equal(open_as(key, "", "", 0), SP_EFORMAT);
    assert_int_equal(open_as(key, "", large, BASE64URL_SIZE(27) - 1), SP_EFORMAT);
    assert_int_equal(open_as(key, "", large, BASE64URL_SIZE(28) - 1), SP_ECRYPTO);
    assert_int_equal(open_as(key, "", large, BASE64URL_SIZE(SEALED_MAX + 28) - 1), SP_ECRYPTO);
    assert_int_equal(open_as(key, "", large, BASE64URL_SIZE(SEALED_MAX + 28)), SP_EFORMAT);
    assert_int_equal(open_as(key, "", large, sizeof(large)), SP_EFORMAT);
}

/* The same question twice does not look the same. */
static void test_fresh(void **state) {
    struct buf one, two;
    (void)state;
    buf_init(&one);
    buf_init(&two);
    assert_int_equal(sealed_make(key, NULL, 0, "message", 7, &one, NULL), 0);
    assert_int_equal(sealed_make(key, NULL, 0, "message", 7, &two, NULL), 0);
    assert_string_not_equal(buf_string(&one), buf_string(&two));
    buf_fini(&one);
    buf_fini(&two);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_back),    cmocka_unit_test(test_vector), cmocka_unit_test(test_changed),
        cmocka_unit_test(test_no_text), cmocka_unit_test(test_fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
