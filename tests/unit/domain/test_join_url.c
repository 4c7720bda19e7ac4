/* Join URLs: whole ones come back the same, damaged ones say what is missing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sallyport/domain/join_url.h"

#define TOKEN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN-_1"
#define PRINT "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN+/1"

static void test_good(void **state) {
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"sallyport://relay.example.org:443/" TOKEN "#" PRINT, "relay.example.org", 443},
        {"sallyport://198.51.100.7:1/" TOKEN "#" PRINT, "198.51.100.7", 1},
        {"sallyport://[2001:db8::1]:65535/" TOKEN "#" PRINT, "2001:db8::1", 65535},
        {"sallyport://localhost:2222/" TOKEN "#" PRINT, "localhost", 2222},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct join_url url;
        struct why why = {""};
        char text[JOIN_URL_SIZE];
        if (join_url_parse(good[i].text, &url, &why))
            fail_msg("%s: %s", good[i].text, why.text);
        assert_string_equal(url.host, good[i].host);
        assert_int_equal(url.port, good[i].port);
        assert_string_equal(url.token, TOKEN);
        assert_string_equal(url.fingerprint, PRINT);
        assert_int_equal(join_url_format(text, &url), 0);
        assert_string_equal(text, good[i].text);
    }
}

static void test_bad(void **state) {
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "begins with 'sallyport://'"},
        {"https://relay:443/" TOKEN "#" PRINT, "begins with 'sallyport://'"},
        {"sallyport:/relay:443/" TOKEN "#" PRINT, "begins with 'sallyport://'"},
        {"sallyport://", "no token"},
        {"sallyport://relay:443", "no token"},
        {"sallyport://relay:443/", "no token"},
        {"sallyport://relay:443#" PRINT, "no token"},
        {"sallyport://relay:443/#" PRINT, "no token"},
        {"sallyport://relay:443/abc#" PRINT, "3 characters instead of 43"},
        {"sallyport://relay:443/" TOKEN "x#" PRINT, "44 characters instead of 43"},
        {"sallyport://relay:443/" TOKEN, "no fingerprint"},
        {"sallyport://relay:443/" TOKEN "#", "no fingerprint"},
        {"sallyport://relay:443/" TOKEN "#SHA256:abc", "damaged fingerprint"},
        {"sallyport://relay:443/" TOKEN "#" PRINT "x", "damaged fingerprint"},
        {"sallyport://relay:443/" TOKEN "#MD5:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN+/1234", "damaged fingerprint"},
        {"sallyport://relay:443/" TOKEN "#" PRINT "\n", "damaged fingerprint"},
        {"sallyport://relay:443/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN-_=#" PRINT, "no token has"},
        {"sallyport://relay/" TOKEN "#" PRINT, "HOST:PORT"},
        {"sallyport://relay:/" TOKEN "#" PRINT, "HOST:PORT"},
        {"sallyport://relay:0/" TOKEN "#" PRINT, "HOST:PORT"},
        {"sallyport://relay:65536/" TOKEN "#" PRINT, "HOST:PORT"},
        {"sallyport://relay:-1/" TOKEN "#" PRINT, "HOST:PORT"},
        {"sallyport://relay:22x/" TOKEN "#" PRINT, "HOST:PORT"},
        {"sallyport://:443/" TOKEN "#" PRINT, "no host"},
        {"sallyport://[]:443/" TOKEN "#" PRINT, "no host"},
        {"sallyport://[relay]:443/" TOKEN "#" PRINT, "no host"},
        {"sallyport://2001:db8::1:443/" TOKEN "#" PRINT, "no host"},
        {"sallyport://[2001:db8::g]:443/" TOKEN "#" PRINT, "no host"},
        {"sallyport://user@relay:443/" TOKEN "#" PRINT, "no host"},
        {"sallyport://-oProxyCommand:443/" TOKEN "#" PRINT, "no host"},
        {"sallyport://re lay:443/" TOKEN "#" PRINT, "no host"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct join_url url = {.port = 4242};
        struct why why = {""};
        if (join_url_parse(bad[i].text, &url, &why) != SP_EFORMAT)
            fail_msg("'%s' was taken", bad[i].text);
        if (!strstr(why.text, bad[i].why))
            fail_msg("'%s': %s", bad[i].text, why.text);
        if (strstr(why.text, "abcdefghij"))
            fail_msg("the secret is in: %s", why.text);
        assert_int_equal(url.port, 4242);
    }
}

/* Every shorter piece of a good one is refused, with a sentence. */
static void test_cut_short(void **state) {
    static const char whole[] = "sallyport://relay.example.org:443/" TOKEN "#" PRINT;
    struct join_url url;
    (void)state;
    for (size_t n = 0; n < sizeof(whole) - 1; n++) {
        char piece[sizeof(whole)];
        struct why why = {""};
        memcpy(piece, whole, n);
        piece[n] = '\0';
        assert_int_equal(join_url_parse(piece, &url, &why), SP_EFORMAT);
        assert_true(why.text[0] != '\0');
    }
}

static void put_tail(char *text, size_t size, size_t at) {
    snprintf(text + at, size - at, ":443/" TOKEN "#" PRINT);
}

static void test_long_host(void **state) {
    char text[600] = "sallyport://";
    struct join_url url;
    size_t used = strlen(text);
    (void)state;
    memset(text + used, 'a', 255);
    put_tail(text, sizeof(text), used + 255);
    assert_int_equal(join_url_parse(text, &url, NULL), 0);
    memset(text + used, 'a', 256);
    put_tail(text, sizeof(text), used + 256);
    assert_int_equal(join_url_parse(text, &url, NULL), SP_EFORMAT);
    memset(text + used, 'a', 400);
    put_tail(text, sizeof(text), used + 400);
    assert_int_equal(join_url_parse(text, &url, NULL), SP_EFORMAT);
}

static void test_format_refuses(void **state) {
    struct join_url url = {.host = "relay", .port = 443, .token = TOKEN, .fingerprint = PRINT};
    struct join_url broken;
    char text[JOIN_URL_SIZE] = "as it was";
    (void)state;
    broken = url;
    broken.port = 0;
    assert_int_equal(join_url_format(text, &broken), SP_EINVAL);
    broken = url;
    broken.token[3] = '#';
    assert_int_equal(join_url_format(text, &broken), SP_EINVAL);
    broken = url;
    broken.fingerprint[0] = 's';
    assert_int_equal(join_url_format(text, &broken), SP_EINVAL);
    broken = url;
    broken.host[0] = '/';
    assert_int_equal(join_url_format(text, &broken), SP_EINVAL);
    assert_string_equal(text, "as it was");
    memset(url.host, 'a', sizeof(url.host) - 1);
    url.port = 65535;
    assert_int_equal(join_url_format(text, &url), 0);
    assert_int_equal(join_url_parse(text, &broken, NULL), 0);
}

#define URL "sallyport://relay.example.org:443/" TOKEN "#" PRINT

/* `word`, with `input` to be read; what of it was left in *left. */
static int take(const char *word, const char *input, size_t n, struct join_url *url, size_t *left, struct why *why) {
    char rest[4096];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], input, n), n);
    close(ends[1]);
    int rc = join_url_take(word, ends[0], url, why);
    ssize_t after = read(ends[0], rest, sizeof(rest));
    assert_true(after >= 0);
    *left = (size_t)after;
    close(ends[0]);
    return rc;
}

static void test_taken(void **state) {
    static const struct {
        const char *word, *input;
        size_t left;
    } good[] = {
        {URL, "not read", 8},
        {" " URL "\n", "", 0},
        {"-", URL, 0},
        {"-", URL "\n", 0},
        {"-", "  " URL " \t\r\nthe next line", 13},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct join_url url;
        struct why why = {""};
        size_t left;
        if (take(good[i].word, good[i].input, strlen(good[i].input), &url, &left, &why))
            fail_msg("%zu: %s", i, why.text);
        assert_string_equal(url.token, TOKEN);
        assert_string_equal(url.fingerprint, PRINT);
        assert_int_equal(left, good[i].left);
    }
}

static void test_not_taken(void **state) {
    static char endless[1000];
    static const struct {
        const char *word, *input;
        size_t n;
        const char *why;
    } bad[] = {
        {"-", "", 0, "no join URL came"},
        {"-", "\n" URL, sizeof(URL), "begins with 'sallyport://'"},
        {"-", URL "\0", sizeof(URL), "is no join URL"},
        {"-", endless, sizeof(endless), "is no join URL"},
        {"-", endless, JOIN_URL_SIZE + 64, "is no join URL"},
        {"--", URL, sizeof(URL) - 1, "begins with 'sallyport://'"},
        {"", URL, sizeof(URL) - 1, "begins with 'sallyport://'"},
    };
    struct join_url url = {.port = 7};
    struct why why = {""};
    size_t left;
    (void)state;
    memset(endless, 'a', sizeof(endless));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(take(bad[i].word, bad[i].input, bad[i].n, &url, &left, &why), SP_EFORMAT);
        if (!strstr(why.text, bad[i].why))
            fail_msg("%zu: '%s' is not in '%s'", i, bad[i].why, why.text);
        assert_null(strstr(why.text, TOKEN));
        assert_int_equal(url.port, 7);
    }
    endless[sizeof(endless) - 1] = '\0';
    assert_int_equal(join_url_take(endless, -1, &url, &why), SP_EFORMAT);
    assert_non_null(strstr(why.text, "too long"));
    assert_int_equal(join_url_take("-", -1, &url, &why), SP_ESYS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),           cmocka_unit_test(test_bad),
        cmocka_unit_test(test_cut_short),      cmocka_unit_test(test_long_host),
        cmocka_unit_test(test_format_refuses), cmocka_unit_test(test_taken),
        cmocka_unit_test(test_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
