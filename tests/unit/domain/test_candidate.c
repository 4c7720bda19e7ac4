/* Candidates: their JSON, which part of the world an address is of, and where the relay may look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "sallyport/domain/candidate.h"

struct edge {
    const char *text;
    enum address_scope scope;
};

static void check_edges(const struct edge *edges, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (address_scope(edges[i].text) != edges[i].scope)
            fail_msg("%s: %s, not %s", edges[i].text, address_scope_words(address_scope(edges[i].text)),
                     address_scope_words(edges[i].scope));
}
#define CHECK_EDGES(edges) check_edges(edges, sizeof(edges) / sizeof((edges)[0]))

/* The first and the last address of each block, and their neighbours outside. */
static const struct edge edges_v4[] = {
    {"0.0.0.0", ADDRESS_NONE},
    {"0.0.0.1", ADDRESS_RESERVED},
    {"0.255.255.255", ADDRESS_RESERVED},
    {"1.0.0.0", ADDRESS_PUBLIC},
    {"9.255.255.255", ADDRESS_PUBLIC},
    {"10.0.0.0", ADDRESS_PRIVATE},
    {"10.255.255.255", ADDRESS_PRIVATE},
    {"11.0.0.0", ADDRESS_PUBLIC},
    {"100.63.255.255", ADDRESS_PUBLIC},
    {"100.64.0.0", ADDRESS_CARRIER},
    {"100.64.23.2", ADDRESS_CARRIER},
    {"100.127.255.255", ADDRESS_CARRIER},
    {"100.128.0.0", ADDRESS_PUBLIC},
    {"126.255.255.255", ADDRESS_PUBLIC},
    {"127.0.0.0", ADDRESS_LOOPBACK},
    {"127.0.0.1", ADDRESS_LOOPBACK},
    {"127.255.255.255", ADDRESS_LOOPBACK},
    {"128.0.0.0", ADDRESS_PUBLIC},
    {"169.253.255.255", ADDRESS_PUBLIC},
    {"169.254.0.0", ADDRESS_LINK},
    {"169.254.255.255", ADDRESS_LINK},
    {"169.255.0.0", ADDRESS_PUBLIC},
    {"172.15.255.255", ADDRESS_PUBLIC},
    {"172.16.0.0", ADDRESS_PRIVATE},
    {"172.31.255.255", ADDRESS_PRIVATE},
    {"172.32.0.0", ADDRESS_PUBLIC},
    {"191.255.255.255", ADDRESS_PUBLIC},
    {"192.0.0.0", ADDRESS_RESERVED},
    {"192.0.0.255", ADDRESS_RESERVED},
    {"192.0.1.0", ADDRESS_PUBLIC},
    {"192.0.1.255", ADDRESS_PUBLIC},
    {"192.0.2.0", ADDRESS_RESERVED},
    {"192.0.2.255", ADDRESS_RESERVED},
    {"192.0.3.0", ADDRESS_PUBLIC},
    {"192.88.98.255", ADDRESS_PUBLIC},
    {"192.88.99.0", ADDRESS_RESERVED},
    {"192.88.99.255", ADDRESS_RESERVED},
    {"192.88.100.0", ADDRESS_PUBLIC},
    {"192.167.255.255", ADDRESS_PUBLIC},
    {"192.168.0.0", ADDRESS_PRIVATE},
    {"192.168.255.255", ADDRESS_PRIVATE},
    {"192.169.0.0", ADDRESS_PUBLIC},
    {"198.17.255.255", ADDRESS_PUBLIC},
    {"198.18.0.0", ADDRESS_RESERVED},
    {"198.19.255.255", ADDRESS_RESERVED},
    {"198.20.0.0", ADDRESS_PUBLIC},
    {"198.51.99.255", ADDRESS_PUBLIC},
    {"198.51.100.0", ADDRESS_RESERVED},
    {"198.51.100.255", ADDRESS_RESERVED},
    {"198.51.101.0", ADDRESS_PUBLIC},
    {"203.0.112.255", ADDRESS_PUBLIC},
    {"203.0.113.0", ADDRESS_RESERVED},
    {"203.0.113.255", ADDRESS_RESERVED},
    {"203.0.114.0", ADDRESS_PUBLIC},
    {"223.255.255.255", ADDRESS_PUBLIC},
    {"224.0.0.0", ADDRESS_NONE},
    {"239.255.255.255", ADDRESS_NONE},
    {"240.0.0.0", ADDRESS_RESERVED},
    {"255.255.255.254", ADDRESS_RESERVED},
    {"255.255.255.255", ADDRESS_NONE},
};

static void test_scope_v4(void **state) {
    (void)state;
    CHECK_EDGES(edges_v4);
}

static void test_scope_v6(void **state) {
    static const struct edge edges[] = {
        {"::", ADDRESS_NONE},
        {"::1", ADDRESS_LOOPBACK},
        {"::2", ADDRESS_RESERVED},
        {"::7f00:1", ADDRESS_RESERVED},
        {"::ffff:127.0.0.1", ADDRESS_LOOPBACK},
        {"::ffff:10.1.2.3", ADDRESS_PRIVATE},
        {"::ffff:1.2.3.4", ADDRESS_PUBLIC},
        {"::ffff:0.0.0.0", ADDRESS_NONE},
        {"::fffe:1.2.3.4", ADDRESS_RESERVED},
        {"64:ff9b::192.168.1.1", ADDRESS_PRIVATE},
        {"64:ff9b::1.2.3.4", ADDRESS_PUBLIC},
        {"64:ff9b::1:102:304", ADDRESS_RESERVED},
        {"64:ff9b:1::1.2.3.4", ADDRESS_RESERVED},
        {"100::1", ADDRESS_RESERVED},
        {"1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
        {"2000::", ADDRESS_PUBLIC},
        {"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PUBLIC},
        {"2001::", ADDRESS_RESERVED},
        {"2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
        {"2001:200::", ADDRESS_PUBLIC},
        {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PUBLIC},
        {"2001:db8::", ADDRESS_RESERVED},
        {"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
        {"2001:db9::", ADDRESS_PUBLIC},
        {"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PUBLIC},
        {"2002::", ADDRESS_RESERVED},
        {"2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
        {"2003::", ADDRESS_PUBLIC},
        {"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PUBLIC},
        {"3fff::", ADDRESS_RESERVED},
        {"3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
        {"3fff:1000::", ADDRESS_PUBLIC},
        {"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PUBLIC},
        {"4000::", ADDRESS_RESERVED},
        {"5f00::1", ADDRESS_RESERVED},
        {"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
        {"fc00::", ADDRESS_PRIVATE},
        {"fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_PRIVATE},
        {"fe00::", ADDRESS_RESERVED},
        {"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
        {"fe80::", ADDRESS_LINK},
        {"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_LINK},
        {"fec0::", ADDRESS_RESERVED},
        {"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_RESERVED},
        {"ff00::", ADDRESS_NONE},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDRESS_NONE},
    };
    (void)state;
    CHECK_EDGES(edges);
}

static void test_scope_no_address(void **state) {
    static const char *const texts[] = {"",          "localhost",  "1.2.3",     "1.2.3.4.5", "1.2.3.256",
                                        "01.2.3.4.", " 1.2.3.4",   "1.2.3.4 ",  "0x7f.1",    "2130706433",
                                        "[::1]",     "fe80::1%lo", "1.2.3.4:80"};
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (address_scope(texts[i]) != ADDRESS_NONE)
            fail_msg("an address: %s", texts[i]);
}

static void test_address(void **state) {
    static const char *const pairs[][2] = {
        {"1.2.3.4", "1.2.3.4"},
        {"::ffff:1.2.3.4", "1.2.3.4"},
        {"2003:0:0::0001", "2003::1"},
        {"2003:AB::1", "2003:ab::1"},
    };
    char text[INET6_ADDRSTRLEN] = "before";
    (void)state;
    assert_false(candidate_address(text, "box1"));
    assert_string_equal(text, "before");
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        assert_true(candidate_address(text, pairs[i][0]));
        assert_string_equal(text, pairs[i][1]);
    }
}

static struct candidate at(enum candidate_kind kind, const char *address, uint16_t port) {
    struct candidate candidate = {.kind = kind, .port = port};
    memcpy(candidate.address, address, strlen(address) + 1);
    return candidate;
}

static void test_same(void **state) {
    struct candidate a = at(CANDIDATE_IPV6, "2003::1", 9), b = at(CANDIDATE_IPV6, "2003:0::1", 9);
    (void)state;
    b.state = CANDIDATE_FAILED;
    assert_true(candidate_same(&a, &b));
    b.port = 10;
    assert_false(candidate_same(&a, &b));
    b = at(CANDIDATE_OBSERVED, "2003::1", 9);
    assert_false(candidate_same(&a, &b));
    b = at(CANDIDATE_IPV6, "2003::2", 9);
    assert_false(candidate_same(&a, &b));
}

static void test_names(void **state) {
    enum candidate_kind kind = CANDIDATE_LAN;
    (void)state;
    for (int i = CANDIDATE_LAN; i <= CANDIDATE_OBSERVED; i++) {
        assert_int_equal(candidate_kind_parse(candidate_kind_name((enum candidate_kind)i), &kind), 0);
        assert_int_equal(kind, i);
    }
    assert_int_equal(candidate_kind_parse("punched", &kind), SP_EINVAL);
    assert_string_equal(candidate_kind_name(CANDIDATE_MAPPED), "mapped");
    assert_string_equal(candidate_state_name(CANDIDATE_UNCHECKED), "unchecked");
    assert_string_equal(candidate_state_name(CANDIDATE_VERIFIED), "verified");
    assert_string_equal(candidate_state_name(CANDIDATE_FAILED), "failed");
}

static int from_text(const char *text, struct candidate *out) {
    struct why why = {""};
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    int rc = candidate_from_json(object, out, &why);
    assert_int_equal(why.text[0] != '\0', rc == SP_EFORMAT);
    json_decref(object);
    return rc;
}

static void test_json(void **state) {
    struct candidate whole = at(CANDIDATE_MAPPED, "1.2.3.4", 65535), back;
    (void)state;
    whole.to_sshd = true;
    memcpy(whole.by, "nat-pmp", 8);
    whole.state = CANDIDATE_FAILED;
    whole.checked = INT64_C(1795428000);
    memcpy(whole.text, "nothing arrives", 16);
    json_t *object = candidate_to_json(&whole);
    assert_non_null(object);
    assert_int_equal(candidate_from_json(object, &back, NULL), 0);
    assert_true(candidate_same(&whole, &back));
    assert_true(back.to_sshd);
    assert_string_equal(back.by, "nat-pmp");
    assert_int_equal(back.state, CANDIDATE_FAILED);
    assert_int_equal(back.checked, whole.checked);
    assert_string_equal(back.text, "nothing arrives");
    json_decref(object);
    whole = at(CANDIDATE_LAN, "192.168.1.2", 1);
    memcpy(whole.text, "\xff\xfe", 3); /* a router may have said this: the rest is as good */
    object = candidate_to_json(&whole);
    assert_int_equal(json_object_size(object), 3);
    json_decref(object);
}

static void test_json_lenient(void **state) {
    struct candidate one;
    (void)state;
    assert_int_equal(from_text("{\"kind\":\"ipv6\",\"address\":\"2003:0::1\",\"port\":1,\"to\":\"door\",\"by\":7,"
                               "\"state\":\"doubtful\",\"checked\":\"soon\",\"text\":\"a\\u0007\",\"new\":{}}",
                               &one),
                     0);
    assert_string_equal(one.address, "2003::1");
    assert_false(one.to_sshd);
    assert_string_equal(one.by, "");
    assert_int_equal(one.state, CANDIDATE_UNCHECKED);
    assert_int_equal(one.checked, 0);
    assert_string_equal(one.text, "");
    assert_int_equal(from_text("{\"kind\":\"relay\",\"address\":\"1.2.3.4\",\"port\":1}", &one), SP_ENOENT);
    assert_int_equal(from_text("{\"kind\":\"lan\",\"address\":\"1.2.3.4\",\"port\":1,\"to\":\"quic\"}", &one),
                     SP_ENOENT);
    assert_int_equal(from_text("{\"kind\":\"lan\",\"address\":\"1.2.3.4\",\"port\":1,\"to\":1}", &one), SP_ENOENT);
}

static void test_json_refuses(void **state) {
    static const char *const bad[] = {
        "{}",
        "{\"address\":\"1.2.3.4\",\"port\":1}",
        "{\"kind\":1,\"address\":\"1.2.3.4\",\"port\":1}",
        "{\"kind\":\"lan\",\"port\":1}",
        "{\"kind\":\"lan\",\"address\":\"box1\",\"port\":1}",
        "{\"kind\":\"lan\",\"address\":\"fe80::1%eth0\",\"port\":1}",
        "{\"kind\":\"lan\",\"address\":\"1.2.3.4\"}",
        "{\"kind\":\"lan\",\"address\":\"1.2.3.4\",\"port\":0}",
        "{\"kind\":\"lan\",\"address\":\"1.2.3.4\",\"port\":65536}",
        "{\"kind\":\"lan\",\"address\":\"1.2.3.4\",\"port\":\"22\"}",
        "[]",
    };
    struct candidate one = {.port = 4242};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (from_text(bad[i], &one) != SP_EFORMAT)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(one.port, 4242);
    }
}

static void may_prove(enum candidate_kind kind, const char *address, const char *observed, const char *part) {
    static const char *const own[] = {"1.1.1.1", "2003::1:1", NULL};
    struct candidate candidate = at(kind, address, 40022);
    struct why why = {""};
    int rc = candidate_may_prove(&candidate, observed, own, &why);
    assert_true(rc == 0 || rc == SP_EDENIED);
    assert_int_equal(rc == 0, part == NULL);
    if (part && !strstr(why.text, part))
        fail_msg("%s: %s", address, why.text);
}

static void test_may_prove(void **state) {
    (void)state;
    may_prove(CANDIDATE_MAPPED, "5.6.7.8", "1.2.3.4", NULL);
    may_prove(CANDIDATE_MAPPED, "5.6.7.8", NULL, NULL);
    may_prove(CANDIDATE_OBSERVED, "1.2.3.4", "1.2.3.4", NULL);
    may_prove(CANDIDATE_OBSERVED, "1.2.3.4", "::ffff:1.2.3.4", NULL);
    may_prove(CANDIDATE_IPV6, "2003::5", "2003::5", NULL);
    may_prove(CANDIDATE_LAN, "1.2.3.4", "1.2.3.4", "own network");
    may_prove(CANDIDATE_OBSERVED, "1.2.3.5", "1.2.3.4", "does not see");
    may_prove(CANDIDATE_OBSERVED, "1.2.3.5", NULL, "does not see");
    may_prove(CANDIDATE_IPV6, "2003::5", "1.2.3.4", "does not see");
    may_prove(CANDIDATE_MAPPED, "1.1.1.1", "1.2.3.4", "relay's own");
    may_prove(CANDIDATE_MAPPED, "::ffff:1.1.1.1", "1.2.3.4", "relay's own");
    may_prove(CANDIDATE_IPV6, "2003:0::1:1", "2003::1:1", "relay's own");
    may_prove(CANDIDATE_MAPPED, "100.64.23.2", "1.2.3.4",
              "carrier NAT: your router's own address 100.64.23.2 is private");
    may_prove(CANDIDATE_MAPPED, "192.168.0.2", "1.2.3.4", "second router");
    may_prove(CANDIDATE_MAPPED, "127.0.0.1", "1.2.3.4", "loopback");
    may_prove(CANDIDATE_MAPPED, "169.254.169.254", "1.2.3.4", "link-local");
    may_prove(CANDIDATE_MAPPED, "64:ff9b::a00:1", "1.2.3.4", "second router");
    may_prove(CANDIDATE_MAPPED, "203.0.113.1", "1.2.3.4", "reserved");
    may_prove(CANDIDATE_MAPPED, "255.255.255.255", "1.2.3.4", "no machine's");
    may_prove(CANDIDATE_OBSERVED, "10.0.0.1", "10.0.0.1", "private");
}

static void test_same_network(void **state) {
    (void)state;
    assert_true(candidate_same_network("1.2.3.4", "1.2.3.4"));
    assert_true(candidate_same_network("1.2.3.4", "::ffff:1.2.3.4"));
    assert_false(candidate_same_network("1.2.3.4", "1.2.3.5"));
    assert_true(candidate_same_network("2003:1:2:3::1", "2003:1:2:3:ffff::9"));
    assert_false(candidate_same_network("2003:1:2:3::1", "2003:1:2:4::1"));
    assert_false(candidate_same_network("2003:1:2:3::1", "1.2.3.4"));
    assert_true(candidate_same_network("192.168.1.5", "10.9.8.7"));
    assert_true(candidate_same_network("192.168.1.5", "fd00::1"));
    assert_false(candidate_same_network("192.168.1.5", "1.2.3.4"));
    assert_false(candidate_same_network("1.2.3.4", "192.168.1.5"));
    assert_false(candidate_same_network("100.64.0.1", "100.64.0.2"));
    assert_true(candidate_same_network("127.0.0.1", "127.0.0.1"));
    assert_true(candidate_same_network("::1", "::1"));
    assert_false(candidate_same_network("::1", "::2"));
    assert_false(candidate_same_network("unknown", "unknown"));
    assert_false(candidate_same_network("", ""));
    assert_false(candidate_same_network(NULL, "1.2.3.4"));
    assert_false(candidate_same_network("1.2.3.4", NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scope_v4),  cmocka_unit_test(test_scope_v6),     cmocka_unit_test(test_scope_no_address),
        cmocka_unit_test(test_address),   cmocka_unit_test(test_same),         cmocka_unit_test(test_names),
        cmocka_unit_test(test_json),      cmocka_unit_test(test_json_lenient), cmocka_unit_test(test_json_refuses),
        cmocka_unit_test(test_may_prove), cmocka_unit_test(test_same_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
