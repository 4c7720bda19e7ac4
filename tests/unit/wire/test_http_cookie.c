#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sallyport/wire/http_cookie.h"

#define OURS "__Host-sallyport"

/* A copy of just that size, so that a sanitizer sees each byte read beyond it. */
static struct http_text text_new(const char *text) {
    size_t len = strlen(text);
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    for (size_t i = 0; i < len; i++)
        copy[i] = text[i];
    return (struct http_text){copy, len};
}

static void text_free(struct http_text text) {
    free((void *)(uintptr_t)text.at);
}

static void test_find(void **state) {
    (void)state;
    static const struct {
        const char *field;
        int rc;
        const char *value;
    } cases[] = {
        {OURS "=abc", 0, "abc"},
        {"a=b; " OURS "=abc; c=d", 0, "abc"},
        {"a=b;" OURS "=abc;c=d", 0, "abc"},
        {" \t" OURS " = abc\t;", 0, "abc"},
        {OURS "=", 0, ""},
        {OURS "=a=b=", 0, "a=b="},
        {OURS "=\"abc\"", 0, "\"abc\""},
        {OURS "; " OURS "=abc", 0, "abc"},
        {"", SP_ENOENT, NULL},
        {";;; ;", SP_ENOENT, NULL},
        {"a=" OURS, SP_ENOENT, NULL},
        {"a=b, " OURS "=abc", SP_ENOENT, NULL},
        {OURS, SP_ENOENT, NULL},
        {"__HOST-SALLYPORT=abc", SP_ENOENT, NULL},
        {OURS "x=abc; x" OURS "=abc", SP_ENOENT, NULL},
        {OURS "=abc; " OURS "=abc", SP_EEXIST, NULL},
        {OURS "=abc; a=b; " OURS "=", SP_EEXIST, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_text field = text_new(cases[i].field), value = {"-", 1};
        int rc = http_cookie_find(field, OURS, &value);
        if (rc != cases[i].rc)
            fail_msg("'%s': %d", cases[i].field, rc);
        const char *wanted = cases[i].value ? cases[i].value : "-";
        assert_int_equal(value.len, strlen(wanted));
        assert_memory_equal(value.at, wanted, value.len);
        text_free(field);
    }
}

static void assert_appended(struct buf *out, const char *wanted, const char *field) {
    if (strcmp(buf_string(out), wanted) != 0)
        fail_msg("'%s' became '%s' and not '%s'", field, buf_string(out), wanted);
}

static void test_strip(void **state) {
    (void)state;
    static const struct {
        const char *field, *rest;
    } cases[] = {
        {"", ""},
        {"a=b", "a=b"},
        {"a=b; c=d", "a=b; c=d"},
        {"a=b;c=d;;", "a=b; c=d"},
        {OURS "=abc", ""},
        {"a=b; " OURS "=abc; c=d", "a=b; c=d"},
        {OURS "=abc; a=b; " OURS "=def", "a=b"},
        {"__HOST-SallyPort=abc; a=b", "a=b"},
        {"a=b; \t" OURS " \t=abc", "a=b"},
        {OURS "; a=b", "a=b"},
        {"\xa0" OURS "\x85=abc; a=b", "a=b"},
        {"\x0b" OURS "=abc\x0b; a=b", "a=b"},
        {"a=\"x; " OURS "=abc; y\"", "a=\"x; y\""},
        {"a=" OURS "; " OURS "x=1; x" OURS "=2", "a=" OURS "; " OURS "x=1; x" OURS "=2"},
        {"a; =b; c=", "a; =b; c="},
        {"a=b=c;d=e,f=g", "a=b=c; d=e,f=g"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_text field = text_new(cases[i].field);
        struct buf out;
        buf_init(&out);
        assert_int_equal(buf_append(&out, "Cookie: ", 8), 0);
        assert_int_equal(http_cookie_strip(field, OURS, &out), 0);
        buf_consume(&out, 8);
        assert_appended(&out, cases[i].rest, cases[i].field);
        buf_fini(&out);
        text_free(field);
    }
}

/* What comes out can be longer than what went in: "; " for ";". */
static void test_strip_many(void **state) {
    (void)state;
    char field[2001], wanted[2999];
    for (size_t i = 0; i < 2000; i++)
        field[i] = "a;"[i % 2];
    for (size_t i = 0; i < 2998; i++)
        wanted[i] = "a; "[i % 3];
    field[2000] = wanted[2998] = '\0';
    struct http_text text = text_new(field);
    struct buf out;
    buf_init(&out);
    assert_int_equal(http_cookie_strip(text, OURS, &out), 0);
    assert_appended(&out, wanted, field);
    buf_fini(&out);
    text_free(text);
}

static void test_clean(void **state) {
    (void)state;
    static const struct {
        const char *field, *clean; /* NULL: denied */
    } cases[] = {
        {"a=b", "a=b"},
        {"a=b; Path=/; HttpOnly", "a=b; Path=/; HttpOnly"},
        {"a=b;Path=/;;Secure;", "a=b; Path=/; Secure"},
        {"a=", "a="},
        {"a=b; Domain=relay.example", "a=b"},
        {"a=b; dOMAIN = .relay.example ; Path=/", "a=b; Path=/"},
        {"a=b; Domain; Domain=;  Domain =x; Max-Age=3", "a=b; Max-Age=3"},
        {"a=b; Domains=x; XDomain=y", "a=b; Domains=x; XDomain=y"},
        {"a=Domain=x; Path=/Domain=x", "a=Domain=x; Path=/Domain=x"},
        {"a=b; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "a=b; Expires=Wed, 21 Oct 2026 07:28:00 GMT"},
        {"_xsrf=2|ab|cd; Path=/", "_xsrf=2|ab|cd; Path=/"},
        {"username-8888=\"2|1:0\"; Path=/", "username-8888=\"2|1:0\"; Path=/"},
        {"caf\xe9=b", "caf\xe9=b"},
        {"a=" OURS "=x", "a=" OURS "=x"},
        {"", NULL},
        {";", NULL},
        {"; a=b", NULL},
        {"a", NULL},
        {"a; b=c", NULL},
        {"=b", NULL},
        {" =b", NULL},
        {"=" OURS "=x", NULL},
        {OURS, NULL},
        {OURS "=x", NULL},
        {"__host-SALLYPORT=x; Path=/", NULL},
        {"  " OURS "  =x", NULL},
        {"\xa0" OURS "=x", NULL},
        {"a=b\x01", NULL},
        {"a=b; Path=/\x7f", NULL},
        {"a=b;\tPath=/", NULL},
        {"a=b\r\nSet-Cookie: c=d", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_text field = text_new(cases[i].field);
        struct buf out;
        buf_init(&out);
        assert_int_equal(buf_append(&out, "Set-Cookie: ", 12), 0);
        int rc = http_cookie_clean(field, OURS, &out);
        if (rc != (cases[i].clean ? 0 : SP_EDENIED))
            fail_msg("'%s': %d", cases[i].field, rc);
        buf_consume(&out, 12);
        assert_appended(&out, cases[i].clean ? cases[i].clean : "", cases[i].field);
        buf_fini(&out);
        text_free(field);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_strip),
        cmocka_unit_test(test_strip_many),
        cmocka_unit_test(test_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
