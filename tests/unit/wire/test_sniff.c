#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sallyport/wire/sniff.h"

static enum sniff sniff(const char *text) {
    return sniff_bytes((const uint8_t *)text, strlen(text));
}

static void test_whole_beginnings(void **state) {
    (void)state;
    assert_int_equal(sniff("SSH-2.0-OpenSSH_9.2p1"), SNIFF_SSH);
    assert_int_equal(sniff("SSH-"), SNIFF_SSH);
    assert_int_equal(sniff("\x16"), SNIFF_TLS);
    assert_int_equal(sniff("\x16\x03\x01\x02"), SNIFF_TLS);
    assert_int_equal(sniff("SALLY 1 ticket"), SNIFF_DOOR);
    static const char *const methods[] = {"GET ",     "HEAD ",  "POST ",    "PUT ",  "DELETE ",
                                          "OPTIONS ", "PATCH ", "CONNECT ", "TRACE "};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        assert_int_equal(sniff(methods[i]), SNIFF_HTTP);
}

static void test_strangers(void **state) {
    (void)state;
    static const char *const strangers[] = {"\x15\x03", "ssh-2.0", "get /",  "GETX",     "SSHX", "SALLX",
                                            " GET /",   "EHLO x",  "\r\n\r", "\x80\x2e", "POX",  "PUSH"};
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
        assert_int_equal(sniff(strangers[i]), SNIFF_UNKNOWN);
    assert_int_equal(sniff_bytes((const uint8_t *)"\0SSH-", 5), SNIFF_UNKNOWN);
}

/* Cut anywhere, a beginning is undecided until it is decided, and then never changes. */
static void test_byte_by_byte(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum sniff kind;
        size_t decided; /* with so many bytes */
    } cases[] = {{"SSH-2.0-x\r\n", SNIFF_SSH, 4}, {"SALLY", SNIFF_DOOR, 5},    {"OPTIONS * HTTP/1.1", SNIFF_HTTP, 8},
                 {"PUT /x", SNIFF_HTTP, 4},       {"PATCH /x", SNIFF_HTTP, 6}, {"SAX", SNIFF_UNKNOWN, 3},
                 {"CONNECTION", SNIFF_UNKNOWN, 8}};
    assert_int_equal(sniff(""), SNIFF_MORE);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t n = 1; n <= strlen(cases[i].text); n++)
            assert_int_equal(sniff_bytes((const uint8_t *)cases[i].text, n),
                             n < cases[i].decided ? SNIFF_MORE : cases[i].kind);
}

/* Eight bytes always decide, whatever they are. */
static void test_eight_are_enough(void **state) {
    (void)state;
    uint32_t seed = 1;
    static const char letters[] = "SHALYGETPOUDCNRIX -\x16";
    for (int i = 0; i < 200000; i++) {
        uint8_t bytes[8];
        for (size_t j = 0; j < sizeof bytes; j++) {
            seed = seed * 1664525 + 1013904223;
            bytes[j] = (uint8_t)letters[(seed >> 16) % (sizeof letters - 1)];
        }
        assert_int_not_equal(sniff_bytes(bytes, sizeof bytes), SNIFF_MORE);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_beginnings),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_eight_are_enough),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
