#include "folder.h"

#include "sallyport/base/str.h"
#include "words.h"

static const char *const hard[] = {
    "plain",  "",        "two words", "it's",      "'",  "''quoted''", "a\"b", "back\\slash",
    "$HOME",  "`x`; rm", "*",         "100%",      "#x", "a\nb",       "\\'",  "ssh-ed25519 AAAA x@y",
    "--flag", "~",       "a=b,c/d",   "\xc3\xa4 b"};
enum { HARD = sizeof hard / sizeof hard[0] };

static void test_the_relay_reads_them_back(void **state) {
    (void)state;
    struct words words;
    struct buf line;
    char text[1024], *back[HARD + 1];
    size_t count;
    words_init(&words);
    buf_init(&line);
    for (size_t i = 0; i < HARD; i++)
        words_add(&words, hard[i]);
    assert_int_equal(words_line(&words, &line), 0);
    assert_int_equal(str_copy(text, sizeof text, buf_string(&line)), 0);
    assert_int_equal(str_words(text, back, HARD + 1, &count), 0);
    assert_int_equal(count, HARD);
    for (size_t i = 0; i < HARD; i++)
        assert_string_equal(back[i], hard[i]);
    buf_fini(&line);
    words_fini(&words);
}

static void test_a_shell_reads_them_back(void **state) {
    (void)state;
    for (size_t i = 0; i < HARD; i++) {
        struct buf line;
        char said[256] = "";
        buf_init(&line);
        assert_int_equal(buf_printf(&line, "printf %%s "), 0);
        assert_int_equal(buf_append_quoted(&line, hard[i]), 0);
        FILE *shell = popen(buf_string(&line), "r"); /* NOLINT(cert-env33-c): a shell is what is tested */
        assert_non_null(shell);
        (void)fread(said, 1, sizeof said - 1, shell);
        assert_int_equal(pclose(shell), 0);
        assert_string_equal(said, hard[i]);
        buf_fini(&line);
    }
}

static void test_plain_words_stay_as_they_are(void **state) {
    (void)state;
    struct buf line;
    buf_init(&line);
    assert_int_equal(buf_append_quoted(&line, "/usr/bin/sallyport-1.0_x:y@z"), 0);
    assert_string_equal(buf_string(&line), "/usr/bin/sallyport-1.0_x:y@z");
    buf_fini(&line);
}

static void test_a_failure_stays(void **state) {
    (void)state;
    struct words words;
    struct buf line;
    words_init(&words);
    buf_init(&line);
    words_add(&words, "first");
    words.rc = SP_ENOMEM;
    words_add(&words, "second");
    assert_int_equal(words.count, 1);
    assert_null(words.items[1]);
    assert_int_equal(words_line(&words, &line), SP_ENOMEM);
    words_fini(&words);
    buf_fini(&line);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_relay_reads_them_back),
        cmocka_unit_test(test_a_shell_reads_them_back),
        cmocka_unit_test(test_plain_words_stay_as_they_are),
        cmocka_unit_test(test_a_failure_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
