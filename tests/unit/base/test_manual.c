/* Pages of the manual: nothing in a table can become a request of roff, and templates get what they ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/base/manual.h"

/* What one of the functions writes; to be freed. */
static char *written(void (*write)(const char *text, FILE *to), const char *text) {
    char *out = NULL;
    size_t len;
    FILE *to = open_memstream(&out, &len);
    assert_non_null(to);
    write(text, to);
    assert_int_equal(fclose(to), 0);
    return out;
}

static void assert_written(void (*write)(const char *text, FILE *to), const char *text, const char *expected) {
    char *out = written(write, text);
    assert_string_equal(out, expected);
    free(out);
}

static void test_text(void **state) {
    (void)state;
    assert_written(manual_text, "", "");
    assert_written(manual_text, "plain words", "plain words");
    assert_written(manual_text, "--json: C:\\new", "\\-\\-json: C:\\enew");
    assert_written(manual_text, ".TH is no request. This.", "\\&.TH is no request. This.");
    assert_written(manual_text, "'tis \"it\" ^ ~", "\\(aqtis \\(dqit\\(dq \\(ha \\(ti");
    assert_written(manual_text, "a\n.TH b", "a .TH b");
    assert_written(manual_text, "after `join -`, then", "after \\fBjoin \\-\\fR, then");
    assert_written(manual_text, "one ` alone", "one \\(ga alone");
}

static void test_usage(void **state) {
    (void)state;
    assert_written(manual_usage, "", "");
    assert_written(manual_usage, "run ", "\\fBrun\\fR");
    assert_written(manual_usage, "--state DIR", "\\fB\\-\\-state\\fR \\fIDIR\\fR");
    assert_written(manual_usage, "BOX[/SERVICE]", "\\fIBOX\\fR[/\\fISERVICE\\fR]");
    assert_written(manual_usage, "URL | -", "\\fIURL\\fR | \\fB\\-\\fR");
    assert_written(manual_usage, "port = N", "\\fBport\\fR \\fR=\\fR \\fIN\\fR");
    assert_written(manual_usage, "VERB...", "\\fIVERB...\\fR");
    assert_written(manual_usage, "on|off", "\\fBon\\fR|\\fBoff\\fR");
    assert_written(manual_usage, "'ssh-ed25519 ...'", "\\fB\\(aqssh\\-ed25519\\fR \\fB...\\(aq\\fR");
    assert_written(manual_usage, "[ARGS] ...", "[\\fIARGS\\fR] \\fR...\\fR");
}

static const struct manual_row some_rows[] = {{"--help", ".this"}, {"-v", "that"}, {.usage = NULL}};

static const struct manual_part parts[] = {{"rows", manual_rows, some_rows}, {.name = NULL}};

/* The page of that template, to be freed; NULL when there is none. */
static char *page(const char *template, struct why *why) {
    char path[] = "/tmp/sallyport-test-manual-XXXXXX", *out = NULL;
    size_t len;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, template, strlen(template)), strlen(template));
    close(fd);
    FILE *to = open_memstream(&out, &len);
    int rc = manual_print(path, parts, to, why);
    fclose(to);
    unlink(path);
    if (rc == 0)
        return out;
    assert_int_equal(rc, SP_EFORMAT);
    assert_non_null(strstr(why->text, path));
    free(out);
    return NULL;
}

static void test_page(void **state) {
    struct why why = {""};
    (void)state;
    char *made = page(".TH X 1\n.\\\" table: rows\n.\\\" a comment\n\\fBend\\fR", &why);
    assert_string_equal(made, ".TH X 1\n.TP\n\\fB\\-\\-help\\fR\n\\&.this\n.TP\n\\fB\\-v\\fR\nthat\n.\\\" a comment\n"
                              "\\fBend\\fR");
    free(made);
    assert_null(page(".\\\" table: rowsx\n", &why));
    assert_non_null(strstr(why.text, "'rowsx'"));
    assert_null(page(".\\\" table: \n", &why));
}

static void test_no_template(void **state) {
    struct why why = {""};
    (void)state;
    assert_int_equal(manual_print("/proc/self/nothing", parts, stdout, &why), SP_ESYS);
    assert_non_null(strstr(why.text, "/proc/self/nothing: No such file"));
    assert_int_equal(manual_print("/proc/self", parts, stdout, &why), SP_ESYS);
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(manual_print("/proc/self/status", parts, full, &why), SP_ESYS);
    assert_non_null(strstr(why.text, "No space left"));
    (void)fclose(full);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_no_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
