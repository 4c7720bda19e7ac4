/* Tickets: as bytes, as text, and used once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sallyport/base/secret.h"
#include "sallyport/domain/ticket.h"

enum { EXPIRES = 1795428030 };

static struct ticket made(enum ticket_kind kind) {
    struct ticket ticket = {.kind = kind, .expires = EXPIRES};
    for (size_t i = 0; i < sizeof(ticket.id); i++)
        ticket.id[i] = (uint8_t)(i + 1);
    memset(ticket.machine, 0xab, sizeof(ticket.machine));
    if (kind != TICKET_PROVE)
        memcpy(ticket.user, "alice", 6);
    if (kind == TICKET_STREAM || kind == TICKET_SERVE)
        memcpy(ticket.service, "ssh", 4);
    return ticket;
}

static void assert_same(const struct ticket *a, const struct ticket *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->expires, b->expires);
    assert_memory_equal(a->id, b->id, sizeof(a->id));
    assert_memory_equal(a->machine, b->machine, sizeof(a->machine));
    assert_string_equal(a->user, b->user);
    assert_string_equal(a->service, b->service);
}

/* The layout is a contract: byte for byte as in docs/PROTOCOL.md. */
static void test_layout(void **state) {
    static const uint8_t names[] = {5, 'a', 'l', 'i', 'c', 'e', 3, 's', 's', 'h'};
    struct ticket ticket = made(TICKET_STREAM);
    uint8_t body[TICKET_BODY_MAX], want[TICKET_BODY_MAX] = {1, 1, 0, 0, 0, 0, 0x6b, 0x04, 0x0f, 0xbe};
    size_t n = 0;
    (void)state;
    ticket.expires = 0x6b040fbe;
    memcpy(want + 10, ticket.id, 16);
    memcpy(want + 26, ticket.machine, 32);
    memcpy(want + 58, names, sizeof(names));
    assert_int_equal(ticket_pack(&ticket, body, &n), 0);
    assert_int_equal(n, 68);
    assert_memory_equal(body, want, n);
}

static void test_each_kind(void **state) {
    (void)state;
    for (int kind = TICKET_STREAM; kind <= TICKET_PUNCH; kind++) {
        struct ticket ticket = made((enum ticket_kind)kind), back;
        uint8_t body[TICKET_BODY_MAX];
        size_t n;
        ticket.expires = INT64_MAX;
        assert_int_equal(ticket_pack(&ticket, body, &n), 0);
        assert_int_equal(ticket_unpack(body, n, &back), 0);
        assert_same(&ticket, &back);
    }
}

static void test_pack_refuses(void **state) {
    uint8_t body[TICKET_BODY_MAX];
    size_t n = 4242;
    (void)state;
    struct ticket bad[12];
    for (size_t i = 0; i < 12; i++)
        bad[i] = made(TICKET_STREAM);
    bad[0].kind = (enum ticket_kind)0;
    bad[1].kind = (enum ticket_kind)5;
    memset(bad[2].machine, 0, sizeof(bad[2].machine));
    bad[3].user[0] = '\0';
    memcpy(bad[4].user, "Alice", 6);
    memcpy(bad[5].user, "relay", 6);
    bad[6].service[0] = '\0';
    memcpy(bad[7].service, "a b", 4);
    bad[8].expires = 0;
    bad[9].expires = -1;
    bad[10].kind = TICKET_PROVE; /* has a user, which it may not */
    bad[11].kind = TICKET_PUNCH; /* has a service */
    for (size_t i = 0; i < 12; i++) {
        if (ticket_pack(&bad[i], body, &n) != SP_EINVAL)
            fail_msg("packed: %zu", i);
        assert_int_equal(n, 4242);
    }
}

/* On the heap, as long as it is: a look behind its end is seen. */
static int unpack(const uint8_t *body, size_t n, struct ticket *out) {
    uint8_t *copy = malloc(n + (n == 0));
    assert_non_null(copy);
    memcpy(copy, body, n);
    int rc = ticket_unpack(copy, n, out);
    free(copy);
    return rc;
}

/* Every body that differs in length, and every one with one byte changed, is refused or says something else. */
static void test_unpack_refuses(void **state) {
    struct ticket ticket = made(TICKET_STREAM), back = {.expires = 99};
    uint8_t body[TICKET_BODY_MAX + 1] = {0}, again[TICKET_BODY_MAX], large[600];
    size_t n, length;
    (void)state;
    assert_int_equal(ticket_pack(&ticket, body, &n), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(unpack(body, i, &back), SP_EFORMAT);
    assert_int_equal(unpack(body, n + 1, &back), SP_EFORMAT);
    assert_int_equal(back.expires, 99);
    for (size_t i = 0; i < n; i++) {
        for (int value = 0; value < 256; value++) {
            uint8_t before = body[i];
            body[i] = (uint8_t)value;
            if (unpack(body, n, &back) == 0) {
                assert_int_equal(ticket_pack(&back, again, &length), 0);
                assert_int_equal(length, n);
                assert_memory_equal(again, body, n);
            }
            body[i] = before;
        }
    }
    body[0] = 2; /* the version */
    assert_int_equal(unpack(body, n, &back), SP_EFORMAT);
    body[0] = 1;
    body[2] = 0x80; /* before 1970 */
    assert_int_equal(unpack(body, n, &back), SP_EFORMAT);
    body[2] = 0;
    body[58] = 31; /* a name that would go on behind the end */
    assert_int_equal(unpack(body, n, &back), SP_EFORMAT);
    memset(large, 'a', sizeof(large)); /* names of 255 letters */
    memcpy(large, body, 58);
    large[58] = large[58 + 256] = 255;
    assert_int_equal(unpack(large, 58 + 2 * 256, &back), SP_EFORMAT);
}

static void test_text(void **state) {
    uint8_t body[TICKET_BODY_MAX], back[TICKET_BODY_MAX], signature[TICKET_SIGNATURE_SIZE], same[TICKET_SIGNATURE_SIZE];
    char text[TICKET_TEXT_SIZE + 4];
    size_t n;
    (void)state;
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)(i * 7);
    memset(signature, 0x5a, sizeof(signature));
    for (size_t len = 1; len <= TICKET_BODY_MAX; len++) {
        assert_int_equal(ticket_to_text(body, len, signature, text), 0);
        assert_true(strlen(text) < TICKET_TEXT_SIZE);
        assert_true(ticket_is_text(text));
        n = 0;
        assert_int_equal(ticket_from_text(text, back, &n, same), 0);
        assert_int_equal(n, len);
        assert_memory_equal(back, body, n);
        assert_memory_equal(same, signature, sizeof(same));
    }
    assert_int_equal(ticket_to_text(body, 0, signature, text), SP_EINVAL);
    assert_int_equal(ticket_to_text(body, TICKET_BODY_MAX + 1, signature, text), SP_EINVAL);
}

static void test_text_refuses(void **state) {
    uint8_t body[TICKET_BODY_MAX], signature[TICKET_SIGNATURE_SIZE] = {0};
    char text[TICKET_TEXT_SIZE + 4], letters[TICKET_SIGNATURE_SIZE * 2];
    size_t n = 4242;
    (void)state;
    assert_int_equal(ticket_from_text("", body, &n, signature), SP_EFORMAT);
    assert_int_equal(ticket_from_text("...", body, &n, signature), SP_EFORMAT);
    base64url_encode(letters, signature, sizeof(signature)); /* a signature, and nothing that it signs */
    assert_int_equal(ticket_from_text(letters, body, &n, signature), SP_EFORMAT);
    assert_false(ticket_is_text(letters));
    memset(body, 1, sizeof(body));
    assert_int_equal(ticket_to_text(body, TICKET_BODY_MAX, signature, text), 0);
    assert_int_equal(strlen(text), TICKET_TEXT_SIZE - 1);
    memcpy(text + TICKET_TEXT_SIZE - 1, "AAAA", 5);
    assert_int_equal(ticket_from_text(text, body, &n, signature), SP_EFORMAT);
    text[TICKET_TEXT_SIZE - 1] = '\0';
    text[3] = '=';
    assert_int_equal(ticket_from_text(text, body, &n, signature), SP_EFORMAT);
    assert_int_equal(n, 4242);
}

static int use(struct ticket_uses *uses, uint8_t id, int64_t expires, int64_t now) {
    struct ticket ticket = made(TICKET_STREAM);
    ticket.id[TICKET_ID_SIZE - 1] = id; /* the last one: the whole id counts */
    ticket.expires = expires;
    return ticket_use(uses, &ticket, now);
}

static void test_used_once(void **state) {
    struct ticket_uses *uses;
    int64_t now = EXPIRES - TICKET_LIFE_S;
    (void)state;
    assert_int_equal(ticket_uses_new(100, &uses), 0);
    assert_int_equal(use(uses, 1, EXPIRES, now), 0);
    assert_int_equal(use(uses, 1, EXPIRES, now), SP_EEXIST);
    assert_int_equal(use(uses, 2, EXPIRES, now), 0);
    assert_int_equal(use(uses, 1, EXPIRES, EXPIRES), SP_EEXIST); /* to its last second */
    assert_int_equal(use(uses, 1, EXPIRES, EXPIRES + 1), SP_EEXPIRED);
    assert_int_equal(use(uses, 3, EXPIRES, EXPIRES), 0);
    assert_int_equal(use(uses, 4, EXPIRES, EXPIRES + 1), SP_EEXPIRED);
    ticket_uses_free(uses);
    ticket_uses_free(NULL);
}

static void test_used_too_early(void **state) {
    struct ticket_uses *uses;
    int64_t most = EXPIRES - TICKET_LIFE_S - TICKET_SLACK_S;
    (void)state;
    assert_int_equal(ticket_uses_new(100, &uses), 0);
    assert_int_equal(use(uses, 1, EXPIRES, most - 1), SP_EEXPIRED);
    assert_int_equal(use(uses, 1, EXPIRES, most), 0);
    assert_int_equal(use(uses, 2, INT64_MAX, most), SP_EEXPIRED);
    assert_int_equal(use(uses, 3, 1, -1), 0); /* a clock at the beginning of time: no arithmetic overflows */
    assert_int_equal(use(uses, 4, 1, INT64_MIN), SP_EEXPIRED);
    assert_int_equal(use(uses, 4, 1, INT64_MAX), SP_EEXPIRED);
    ticket_uses_free(uses);
}

static void test_uses_bounded(void **state) {
    struct ticket_uses *uses;
    (void)state;
    assert_int_equal(ticket_uses_new(3, &uses), 0);
    assert_int_equal(use(uses, 1, 1000, 990), 0);
    assert_int_equal(use(uses, 2, 1001, 990), 0);
    assert_int_equal(use(uses, 3, 1002, 990), 0);
    assert_int_equal(use(uses, 4, 1003, 990), SP_EBUSY);
    assert_int_equal(use(uses, 1, 1000, 990), SP_EEXIST); /* what is full still knows what it knows */
    assert_int_equal(use(uses, 4, 1003, 1000), SP_EBUSY);
    assert_int_equal(use(uses, 4, 1003, 1001), 0);
    assert_int_equal(use(uses, 5, 1003, 1001), SP_EBUSY);
    /* Those that expire out of order are not forgotten too early. */
    assert_int_equal(use(uses, 5, 1030, 1004), 0);
    assert_int_equal(use(uses, 6, 1010, 1004), 0);
    assert_int_equal(use(uses, 6, 1010, 1010), SP_EEXIST);
    assert_int_equal(use(uses, 5, 1030, 1020), SP_EEXIST);
    ticket_uses_free(uses);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),       cmocka_unit_test(test_each_kind),
        cmocka_unit_test(test_pack_refuses), cmocka_unit_test(test_unpack_refuses),
        cmocka_unit_test(test_text),         cmocka_unit_test(test_text_refuses),
        cmocka_unit_test(test_used_once),    cmocka_unit_test(test_used_too_early),
        cmocka_unit_test(test_uses_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
