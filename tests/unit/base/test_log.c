#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/base/log.h"

/* Standard error leads into a pipe during each test; what came through is here after log_take. */
struct capture {
    int pipe[2], saved;
    char text[4096];
};

static int capture_begin(void **state) {
    struct capture *capture = calloc(1, sizeof(*capture));
    if (!capture || pipe(capture->pipe) != 0)
        return -1;
    capture->saved = dup(STDERR_FILENO);
    dup2(capture->pipe[1], STDERR_FILENO);
    unsetenv("JOURNAL_STREAM");
    log_setup(LOG_LEVEL_INFO);
    *state = capture;
    return 0;
}

static int capture_end(void **state) {
    struct capture *capture = *state;
    dup2(capture->saved, STDERR_FILENO);
    close(capture->saved);
    close(capture->pipe[0]);
    close(capture->pipe[1]);
    free(capture);
    return 0;
}

static const char *log_take(struct capture *capture) {
    /* A byte of our own ends it: an empty pipe would block. */
    if (write(capture->pipe[1], "", 1) != 1)
        return "";
    ssize_t n = read(capture->pipe[0], capture->text, sizeof(capture->text) - 1);
    capture->text[n > 0 ? n : 0] = '\0';
    return capture->text;
}

static void test_time_level_text(void **state) {
    log_info("%s is here", "box1");
    const char *line = log_take(*state);
    assert_int_equal(strlen(line), strlen("2026-11-23T10:00:00Z box1 is here\n"));
    assert_int_equal(line[10], 'T');
    assert_string_equal(line + 19, "Z box1 is here\n");
    log_warn("w");
    assert_string_equal(log_take(*state) + 19, "Z warning: w\n");
    log_error("e");
    assert_string_equal(log_take(*state) + 19, "Z error: e\n");
}

static void test_levels(void **state) {
    assert_false(log_enabled(LOG_LEVEL_DEBUG));
    log_debug("not this");
    assert_string_equal(log_take(*state), "");
    log_setup(LOG_LEVEL_DEBUG);
    log_debug("this");
    assert_string_equal(log_take(*state) + 19, "Z debug: this\n");
    log_setup(LOG_LEVEL_ERROR);
    log_warn("not this");
    assert_string_equal(log_take(*state), "");
}

static void test_control_characters(void **state) {
    log_info("a\n\x1b[31mb\x7f \xc2\x9b \x9b \xff \xc3\xa9 \xe2\x82");
    assert_string_equal(log_take(*state) + 21, "a\\x0a\\x1b[31mb\\x7f \\xc2\\x9b \\x9b \\xff \xc3\xa9 \\xe2\\x82\n");
}

static void test_long_lines_are_cut(void **state) {
    log_info("%3000d", 1);
    const char *line = log_take(*state);
    assert_int_equal(strlen(line), 1024);
    assert_int_equal(line[1023], '\n');
    char hostile[600];
    memset(hostile, 1, sizeof(hostile) - 1);
    hostile[sizeof(hostile) - 1] = '\0';
    log_info("%s", hostile);
    line = log_take(*state);
    assert_true(strlen(line) <= 1024);
    assert_true(strlen(line) > 1018);
    assert_memory_equal(line + strlen(line) - 5, "\\x01\n", 5);
}

static void test_errno_is_kept(void **state) {
    (void)state;
    close(STDERR_FILENO);
    errno = ENOSPC;
    log_error("nobody hears this");
    assert_int_equal(errno, ENOSPC);
}

static void test_journal(void **state) {
    struct stat st;
    char stream[64];
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_setup(LOG_LEVEL_INFO);
    log_warn("w");
    assert_string_equal(log_take(*state), "<4>w\n");

    setenv("JOURNAL_STREAM", "1:1", 1);
    log_setup(LOG_LEVEL_INFO);
    log_warn("w");
    assert_string_equal(log_take(*state) + 19, "Z warning: w\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_time_level_text, capture_begin, capture_end),
        cmocka_unit_test_setup_teardown(test_levels, capture_begin, capture_end),
        cmocka_unit_test_setup_teardown(test_control_characters, capture_begin, capture_end),
        cmocka_unit_test_setup_teardown(test_long_lines_are_cut, capture_begin, capture_end),
        cmocka_unit_test_setup_teardown(test_errno_is_kept, capture_begin, capture_end),
        cmocka_unit_test_setup_teardown(test_journal, capture_begin, capture_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
