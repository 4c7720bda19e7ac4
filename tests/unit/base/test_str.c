#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/base/str.h"

static void test_copy(void **state) {
    (void)state;
    char to[5] = "keep";
    assert_int_equal(str_copy(to, sizeof(to), "12345"), SP_ETOOBIG);
    assert_string_equal(to, "keep");
    assert_int_equal(str_copy(to, sizeof(to), "1234"), 0);
    assert_string_equal(to, "1234");
    assert_int_equal(str_copy(to, sizeof(to), ""), 0);
    assert_string_equal(to, "");
    assert_int_equal(str_copy(to, 0, ""), SP_ETOOBIG);
    assert_true(str_starts("abc", ""));
    assert_true(str_starts("abc", "abc"));
    assert_false(str_starts("abc", "abcd"));
    assert_false(str_starts("abc", "b"));
}

static void test_cut(void **state) {
    (void)state;
    assert_int_equal(str_cut("abc", 3, 3), 3);
    assert_int_equal(str_cut("abc", 3, 2), 2);
    assert_int_equal(str_cut("a\xc3\xa9", 3, 3), 3);
    assert_int_equal(str_cut("a\xc3\xa9", 3, 2), 1);
    assert_int_equal(str_cut("\xf0\x9f\x93\x93", 4, 3), 0);
    assert_int_equal(str_cut("", 0, 0), 0);
}

static void test_u64(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int rc;
        uint64_t value;
    } rows[] = {
        {"0", 0, 0},
        {"22", 0, 22},
        {"0000000000000000000000000000022", 0, 22},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", SP_ETOOBIG, 0},
        {"99999999999999999999999", SP_ETOOBIG, 0},
        {"99999999999999999999999x", SP_EFORMAT, 0},
        {"", SP_EFORMAT, 0},
        {" 1", SP_EFORMAT, 0},
        {"1 ", SP_EFORMAT, 0},
        {"-1", SP_EFORMAT, 0},
        {"+1", SP_EFORMAT, 0},
        {"0x10", SP_EFORMAT, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t value = 77;
        assert_int_equal(str_u64(rows[i].text, 0, UINT64_MAX, &value), rows[i].rc);
        assert_true(value == (rows[i].rc ? 77 : rows[i].value));
    }
    uint64_t value = 77;
    assert_int_equal(str_u64("0", 1, 65535, &value), SP_ETOOBIG);
    assert_int_equal(str_u64("65536", 1, 65535, &value), SP_ETOOBIG);
    assert_true(value == 77);
    assert_int_equal(str_u64("65535", 1, 65535, &value), 0);
}

static void test_duration(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int rc;
        uint64_t seconds;
    } rows[] = {
        {"90", 0, 90},
        {"30s", 0, 30},
        {"10m", 0, 600},
        {"24h", 0, 86400},
        {"7d", 0, 604800},
        {"0", 0, 0},
        {"3650d", 0, 315360000},
        {"3651d", SP_ETOOBIG, 0},
        {"315360000", 0, 315360000},
        {"315360001s", SP_ETOOBIG, 0},
        {"18446744073709551615d", SP_ETOOBIG, 0},
        {"99999999999999999999h", SP_ETOOBIG, 0},
        {"213503982334602d", SP_ETOOBIG, 0}, /* a little over 2^64 seconds */
        {"99999999999999999999w", SP_EFORMAT, 0},
        {"", SP_EFORMAT, 0},
        {"s", SP_EFORMAT, 0},
        {"10 m", SP_EFORMAT, 0},
        {"10ms", SP_EFORMAT, 0},
        {"1h30m", SP_EFORMAT, 0},
        {"1.5h", SP_EFORMAT, 0},
        {"-1s", SP_EFORMAT, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t seconds = 77;
        assert_int_equal(str_duration(rows[i].text, &seconds), rows[i].rc);
        assert_true(seconds == (rows[i].rc ? 77 : rows[i].seconds));
    }
}

static void test_clean(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        bool clean;
    } rows[] = {
        {"", 0, true},
        {"box1 \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", 16, true},
        {"a\0b", 3, false},
        {"a\tb", 3, false},
        {"a\x7f", 2, false},
        {"\xc2\x80", 2, false},         /* C1 */
        {"\xc2\xa0", 2, true},          /* the first behind C1 */
        {"\xc0\xaf", 2, false},         /* overlong */
        {"\xe0\x80\xaf", 3, false},     /* overlong */
        {"\xf0\x80\x80\xaf", 4, false}, /* overlong */
        {"\xed\xa0\x80", 3, false},     /* surrogate */
        {"\xf4\x8f\xbf\xbf", 4, true},  /* U+10FFFF */
        {"\xf4\x90\x80\x80", 4, false}, /* beyond */
        {"\xf5\x80\x80\x80", 4, false},
        {"\xe2\x82", 2, false},     /* cut off */
        {"\xe2\x82\xac", 2, false}, /* the length counts */
        {"\x80", 1, false},
        {"\xff", 1, false},
        {"\xc3(", 2, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(str_is_clean(rows[i].text, rows[i].len), rows[i].clean);
}

/* The words of `line`, each in brackets. */
static int words_of(const char *line, size_t max, char *to, size_t size) {
    char copy[256];
    char *words[8];
    size_t count = 0, used = 0;
    assert_int_equal(str_copy(copy, sizeof(copy), line), 0);
    int rc = str_words(copy, words, max, &count);
    to[0] = '\0';
    for (size_t i = 0; rc == 0 && i < count; i++)
        used += (size_t)snprintf(to + used, size - used, "[%s]", words[i]);
    return rc;
}

static void test_words(void **state) {
    (void)state;
    static const struct {
        const char *line, *words;
        int rc;
    } rows[] = {
        {"", "", 0},
        {" \t\r\n ", "", 0},
        {"list", "[list]", 0},
        {"  list   --json\n", "[list][--json]", 0},
        {"add box1 'ssh-ed25519 AAAA x'", "[add][box1][ssh-ed25519 AAAA x]", 0},
        {"add \"a b\" c", "[add][a b][c]", 0},
        {"a'b c'd\"e f\"g", "[ab cde fg]", 0},
        {"'' \"\" x", "[][][x]", 0},
        {"a\\ b \\'", "[a b][']", 0},
        {"'a\\b'", "[a\\b]", 0},
        {"\"a\\b\\\"\\\\\\$\"", "[a\\b\"\\$]", 0},
        {"\"it's\" 'say \"x\"'", "[it's][say \"x\"]", 0},
        {"$HOME * ~ ; # | `", "[$HOME][*][~][;][#][|][`]", 0},
        {"1 2 3 4 5 6 7 8", "[1][2][3][4][5][6][7][8]", 0},
        {"1 2 3 4 5 6 7 8 9", "", SP_ETOOBIG},
        {"a 'b", "", SP_EFORMAT},
        {"a \"b", "", SP_EFORMAT},
        {"a \"b\\", "", SP_EFORMAT},
        {"a\\", "", SP_EFORMAT},
    };
    char words[256];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(words_of(rows[i].line, 8, words, sizeof(words)), rows[i].rc);
        assert_string_equal(words, rows[i].words);
    }
    assert_int_equal(words_of("x", 0, words, sizeof(words)), SP_ETOOBIG);
    assert_int_equal(words_of(" ", 0, words, sizeof(words)), 0);
}

static void test_bytes(void **state) {
    (void)state;
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {
        {0, "0 B"},
        {12, "12 B"},
        {1023, "1023 B"},
        {1024, "1 KiB"},
        {1536, "1.5 KiB"},
        {640 * 1024, "640 KiB"},
        {1610612736, "1.5 GiB"},
        {(1 << 20) - 1, "1 MiB"},
        {99 * 1024 + 512, "99.5 KiB"},
        {100 * 1024 + 512, "101 KiB"},
        {UINT64_MAX, "16 EiB"},
    };
    char text[32];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        str_bytes(text, sizeof(text), rows[i].bytes);
        assert_string_equal(text, rows[i].text);
    }
    str_bytes(text, 4, 640 * 1024);
    assert_string_equal(text, "640");
}

static void test_ago(void **state) {
    (void)state;
    static const struct {
        uint64_t seconds;
        const char *text;
    } rows[] = {
        {0, "0 s"},     {12, "12 s"},        {59, "59 s"},           {60, "1 min"},
        {299, "4 min"}, {3600, "1 h"},       {11100, "3 h 5 min"},   {86399, "23 h 59 min"},
        {86400, "1 d"}, {187200, "2 d 4 h"}, {365 * 86400, "365 d"},
    };
    char text[32];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        str_ago(text, sizeof(text), rows[i].seconds);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_time(void **state) {
    (void)state;
    char text[21];
    str_time(text, 0);
    assert_string_equal(text, "1970-01-01T00:00:00Z");
    str_time(text, 1795428000);
    assert_string_equal(text, "2026-11-23T10:00:00Z");
    str_time(text, 951782400 + 86399);
    assert_string_equal(text, "2000-02-29T23:59:59Z");
    str_time(text, -1);
    assert_string_equal(text, "1969-12-31T23:59:59Z");
    str_time(text, INT64_MAX);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
    str_time(text, INT64_MIN);
    assert_string_equal(text, "0000-01-01T00:00:00Z");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),     cmocka_unit_test(test_cut),   cmocka_unit_test(test_u64),
        cmocka_unit_test(test_duration), cmocka_unit_test(test_clean), cmocka_unit_test(test_words),
        cmocka_unit_test(test_bytes),    cmocka_unit_test(test_ago),   cmocka_unit_test(test_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
