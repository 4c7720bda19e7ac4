#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sallyport/wire/fingerprint.h"

#define PRINT "SHA256:p87QMU4YdD638Ha9rFlpxmGsiTebOAJLBr0RPrca4r0"

static void test_there_and_back(void **state) {
    uint8_t bytes[FINGERPRINT_SIZE], again[FINGERPRINT_SIZE];
    char text[FINGERPRINT_TEXT_SIZE];
    (void)state;
    assert_int_equal(fingerprint_bytes(PRINT, bytes), 0);
    assert_int_equal(bytes[0], 0xa7);
    assert_int_equal(bytes[31], 0xbd);
    fingerprint_text(bytes, text);
    assert_string_equal(text, PRINT);
    for (int fill = 0; fill < 256; fill++) { /* 0xfb and 0xff have the letters in which the alphabets differ */
        memset(bytes, fill, sizeof bytes);
        fingerprint_text(bytes, text);
        assert_int_equal(fingerprint_bytes(text, again), 0);
        assert_memory_equal(bytes, again, sizeof again);
    }
}

static void test_what_is_none(void **state) {
    static const char *const wrong[] = {"",
                                        "SHA256:",
                                        "MD5:00",
                                        "SHA256:p87Q",
                                        (PRINT "AAAA"),
                                        (PRINT "="),
                                        (PRINT " "),
                                        (" " PRINT),
                                        "SHA256:p87QMU4YdD638Ha9rFlpxmGsiTebOAJLBr0RPrca4r1", /* stray bits */
                                        "SHA256:-87QMU4YdD638Ha9rFlpxmGsiTebOAJLBr0RPrca4r0",
                                        "sha256:p87QMU4YdD638Ha9rFlpxmGsiTebOAJLBr0RPrca4r0"};
    uint8_t bytes[FINGERPRINT_SIZE] = {42};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(fingerprint_bytes(wrong[i], bytes), SP_EFORMAT);
        assert_int_equal(bytes[0], 42);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_what_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
