#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "hostile.h"
#include "sallyport/wire/http_head.h"

struct verdict {
    int rc;
    struct http_head head;
    size_t len;
    struct why why;
};

static struct verdict parse_request(const uint8_t *bytes, size_t n) {
    struct verdict v = {.len = 77};
    v.rc = http_request_parse(bytes, n, &v.head, &v.len, &v.why);
    return v;
}

static struct verdict parse_response(const uint8_t *bytes, size_t n, const char *context) {
    struct verdict v = {.len = 77};
    v.rc =
        http_response_parse(bytes, n, !strcmp(context, "head"), !strcmp(context, "upgrade"), &v.head, &v.len, &v.why);
    return v;
}

static struct verdict request(const char *text) {
    return parse_request((const uint8_t *)text, strlen(text));
}

static const char *word_of(const struct verdict *v) {
    static const char *const framings[] = {"none", "length", "chunked", "end"};
    switch (v->rc) {
    case 0:
        return v->head.websocket ? "websocket" : framings[v->head.framing];
    case SP_EAGAIN:
        return "more";
    case SP_ETOOBIG:
        return "toobig";
    case SP_EVERSION:
        return "version";
    default:
        return v->rc == SP_EFORMAT ? "refused" : "an error that may not be";
    }
}

/* What every verdict keeps to, whichever it is. */
static void check_verdict(const struct verdict *v, const char *wanted, const char *name, size_t n) {
    if (strcmp(word_of(v), wanted) != 0)
        fail_msg("%s: %s and not %s (%s)", name, word_of(v), wanted, v->rc ? v->why.text : "");
    if (v->rc == 0) {
        assert_in_range(v->len, 1, n);
        assert_int_equal(v->head.framing == HTTP_LENGTH, v->head.length > 0);
    } else {
        static const struct http_head untouched;
        assert_memory_equal(&v->head, &untouched, sizeof untouched);
        assert_int_equal(v->len, 77);
        assert_int_equal(v->rc == SP_EAGAIN, v->why.text[0] == '\0');
    }
}

static void check_request(const struct hostile_case *one) {
    struct verdict v = parse_request(one->bytes, one->n);
    check_verdict(&v, one->words[0], one->words[1], one->n);
}

static void check_response(const struct hostile_case *one) {
    struct verdict v = parse_response(one->bytes, one->n, one->words[1]);
    check_verdict(&v, one->words[0], one->words[2], one->n);
}

static void test_requests(void **state) {
    (void)state;
    assert_in_range(hostile_each("requests.txt", 2, check_request), 150, 1000);
}

static void test_responses(void **state) {
    (void)state;
    assert_in_range(hostile_each("responses.txt", 3, check_response), 80, 1000);
}

/* Of what was refused, a longer beginning is refused likewise; of what is accepted, no shorter one is. */
static void check_beginnings(const struct hostile_case *one, bool is_request) {
    const char *name = one->words[is_request ? 1 : 2];
    struct verdict whole =
        is_request ? parse_request(one->bytes, one->n) : parse_response(one->bytes, one->n, one->words[1]);
    size_t end = whole.rc ? one->n : whole.len;
    bool decided = false;
    if (one->n > 4096)
        return;
    for (size_t n = 0; n <= end; n++) {
        uint8_t *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, one->bytes, n);
        struct verdict part = is_request ? parse_request(exact, n) : parse_response(exact, n, one->words[1]);
        free(exact);
        if (part.rc != SP_EAGAIN || decided) {
            if (part.rc != whole.rc || (part.rc == 0 && part.len != whole.len))
                fail_msg("%s: with %zu bytes it is %s, with all %s", name, n, word_of(&part), word_of(&whole));
            if (part.rc == 0)
                assert_int_equal(n, whole.len);
            decided = true;
        }
    }
}

static void check_request_beginnings(const struct hostile_case *one) {
    check_beginnings(one, true);
}

static void check_response_beginnings(const struct hostile_case *one) {
    check_beginnings(one, false);
}

static void test_every_beginning(void **state) {
    (void)state;
    hostile_each("requests.txt", 2, check_request_beginnings);
    hostile_each("responses.txt", 3, check_response_beginnings);
}

static void assert_text(struct http_text text, const char *wanted) {
    if (text.len != strlen(wanted) || memcmp(text.at, wanted, text.len) != 0)
        fail_msg("'%.*s' and not '%s'", (int)text.len, text.at, wanted);
}

static void test_what_a_request_says(void **state) {
    (void)state;
    static const char text[] = "POST /a?b=c HTTP/1.1\r\nhost:  box1--x.r:8443 \r\nContent-Length: 12\r\nX-Empty:\r\n"
                               "Cookie: a=b; c=d\r\n\r\nhello, world";
    struct verdict v = request(text);
    assert_int_equal(v.rc, 0);
    assert_int_equal(v.len, strlen(text) - 12);
    assert_text(v.head.method, "POST");
    assert_text(v.head.target, "/a?b=c");
    assert_text(v.head.host, "box1--x.r:8443");
    assert_int_equal(v.head.minor, 1);
    assert_int_equal(v.head.framing, HTTP_LENGTH);
    assert_int_equal(v.head.length, 12);
    assert_true(v.head.keep);
    assert_int_equal(v.head.field_count, 4);
    assert_text(v.head.fields[0].name, "host");
    assert_text(v.head.fields[2].name, "X-Empty");
    assert_text(v.head.fields[2].value, "");
    assert_text(v.head.fields[3].value, "a=b; c=d");
    assert_true(v.head.method.at == text); /* borrowed, not copied */
}

static void test_what_a_response_says(void **state) {
    (void)state;
    static const char text[] = "HTTP/1.1 404 Not Found\r\nServer: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    struct verdict v = parse_response((const uint8_t *)text, strlen(text), "-");
    assert_int_equal(v.rc, 0);
    assert_int_equal(v.len, strlen(text) - 5);
    assert_int_equal(v.head.status, 404);
    assert_int_equal(v.head.minor, 1);
    assert_int_equal(v.head.framing, HTTP_CHUNKED);
    assert_int_equal(v.head.field_count, 2);
    assert_int_equal(v.head.host.len, 0);
    assert_true(v.head.keep);
}

static void test_keep(void **state) {
    (void)state;
    assert_true(request("GET / HTTP/1.1\r\nHost: a\r\n\r\n").head.keep);
    assert_true(request("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n").head.keep);
    assert_false(request("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").head.keep);
    assert_false(request("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: y,CLOSE\r\n\r\n").head.keep);
    assert_false(request("GET / HTTP/1.0\r\nHost: a\r\n\r\n").head.keep);
    assert_false(request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n").head.keep);
    assert_false(request("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n").head.keep);
    assert_false(request("GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: Close\r\n\r\n").head.keep);
    assert_false(request("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").head.keep);
    static const struct {
        const char *text;
        bool keep;
    } responses[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false},
        {"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", false},
        {"HTTP/1.1 200 OK\r\n\r\n", false}, /* until its end */
        {"HTTP/1.1 200 OK\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n", true},
    };
    for (size_t i = 0; i < sizeof responses / sizeof responses[0]; i++)
        assert_int_equal(parse_response((const uint8_t *)responses[i].text, strlen(responses[i].text), "-").head.keep,
                         responses[i].keep);
}

/* Just as long as may be, and one byte longer. */
static void test_the_longest_head(void **state) {
    (void)state;
    static const char begin[] = "GET / HTTP/1.1\r\nHost: a\r\nX: ", end[] = "\r\n\r\n";
    for (size_t over = 0; over < 2; over++) {
        uint8_t bytes[HTTP_HEAD_MAX + 1];
        size_t n = HTTP_HEAD_MAX + over;
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)(i < sizeof begin - 1 ? begin[i] : i < n - 4 ? 'y' : end[i + 4 - n]);
        struct verdict v = parse_request(bytes, n);
        assert_int_equal(v.rc, over ? SP_ETOOBIG : 0);
        assert_int_equal(v.len, over ? 77 : n);
        assert_int_equal(parse_request(bytes, HTTP_HEAD_MAX - 1).rc, SP_EAGAIN);
    }
}

/* Each byte in each place: what may stand there is what the RFC says, and no more. */
static void test_every_byte_everywhere(void **state) {
    (void)state;
    static const char text[] = "GEXT /aXb HTTP/1.1\r\nHost: aXb\r\nNXN: 12345678vXv12345678\r\n\r\n";
    static const char tokens[] = "!#$%&'*+-.^_`|~";
    for (unsigned byte = 0; byte < 256; byte++) {
        bool alnum = byte < 0x80 && isalnum((int)byte);
        bool token = alnum || (byte && byte < 0x80 && strchr(tokens, (int)byte));
        bool wanted[] = {token, byte > 0x20 && byte < 0x7f && byte != '#',
                         alnum || (byte && byte < 0x80 && strchr("-.:[]_", (int)byte)), token,
                         byte == '\t' || (byte >= 0x20 && byte != 0x7f)};
        const char *at = text;
        for (size_t place = 0; place < sizeof wanted / sizeof wanted[0]; place++, at++) {
            uint8_t bytes[sizeof text];
            at = strchr(at, 'X');
            assert_non_null(at);
            memcpy(bytes, text, sizeof text);
            bytes[at - text] = (uint8_t)byte;
            if (place == 3 && byte == ':')
                continue; /* a shorter name */
            if ((parse_request(bytes, sizeof text - 1).rc == 0) != wanted[place])
                fail_msg("byte 0x%02x in place %zu", byte, place);
        }
    }
}

static void test_texts(void **state) {
    (void)state;
    struct http_text text = {"Close", 5}, none = {NULL, 0};
    assert_true(http_text_is(text, "cLOSE"));
    assert_false(http_text_is(text, "closed"));
    assert_false(http_text_is(text, "clos"));
    assert_false(http_text_is((struct http_text){"[", 1}, "{")); /* not letters: no case */
    assert_true(http_text_equal(text, "Close"));
    assert_false(http_text_equal(text, "close"));
    assert_true(http_text_starts(text, "Cl"));
    assert_true(http_text_starts(text, ""));
    assert_false(http_text_starts(text, "Closed"));
    assert_true(http_text_is(none, "") && http_text_equal(none, "") && http_text_starts(none, ""));
    assert_false(http_text_is(none, "x") || http_text_equal(none, "x") || http_text_starts(none, "x"));
}

static void test_lists(void **state) {
    (void)state;
    static const char list[] = "keep-alive, Upgrade\t ,,x";
    struct http_text text = {list, strlen(list)};
    assert_true(http_list_has(text, "upgrade"));
    assert_true(http_list_has(text, "Keep-Alive"));
    assert_true(http_list_has(text, "x"));
    assert_false(http_list_has(text, "keep"));
    assert_false(http_list_has(text, "alive"));
    assert_false(http_list_has((struct http_text){NULL, 0}, "x"));
}

static void test_fields(void **state) {
    (void)state;
    struct verdict v =
        request("GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\nConnection: X-One, keep-alive\r\nX-One: 1\r\n"
                "cookie: b=2\r\nTE: trailers\r\nUpgrade: h2c\r\nX-One-More: 2\r\nConnection: x-two\r\n"
                "X-Two: 3\r\nTrailer: X\r\nProxy-Authorization: x\r\nKeep-Alive: 5\r\nAccept: */*\r\n\r\n");
    assert_int_equal(v.rc, 0);
    assert_text(http_field_find(&v.head, "cOOKIE")->value, "a=1");
    assert_null(http_field_find(&v.head, "Cook"));
    assert_int_equal(http_field_count(&v.head, "Cookie"), 2);
    assert_int_equal(http_field_count(&v.head, "X-One"), 1);
    assert_int_equal(http_field_count(&v.head, "X-None"), 0);
    static const char *const stay[] = {"Host", "Cookie", "X-One-More", "Accept"};
    size_t staying = 0;
    for (size_t i = 0; i < v.head.field_count; i++) {
        bool stays = false;
        for (size_t j = 0; j < sizeof stay / sizeof stay[0]; j++)
            stays |= http_text_is(v.head.fields[i].name, stay[j]);
        assert_int_equal(http_field_is_hop(&v.head, &v.head.fields[i]), !stays);
        staying += stays;
    }
    assert_int_equal(staying, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_every_beginning),
        cmocka_unit_test(test_what_a_request_says),
        cmocka_unit_test(test_what_a_response_says),
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_the_longest_head),
        cmocka_unit_test(test_every_byte_everywhere),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
