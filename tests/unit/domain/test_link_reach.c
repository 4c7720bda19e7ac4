/* The messages of the link that serve reach: read and written, bad ones refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "sallyport/domain/link.h"

#define TICKET_16 "QUJDREVGR0hJSktMTU5PUA"
/* Long enough to be a body and a signature. */
#define TICKET TICKET_16 TICKET_16 TICKET_16 TICKET_16 "QUJD"
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define KNOCK "AAECAwQFBgcICQoLDA0ODw"
#define LAN "{\"kind\":\"lan\",\"address\":\"192.168.1.20\",\"port\":41234}"

static int parse(const char *text, struct link_message *out) {
    struct why why = {""};
    int rc = link_parse(text, strlen(text), out, &why);
    assert_int_equal(why.text[0] != '\0', rc != 0);
    return rc;
}

/* Reads what was formatted, and empties the buf. */
static void parse_back(struct buf *buf, enum link_kind kind, struct link_message *out) {
    assert_int_equal(link_parse(buf_string(buf), buf_len(buf), out, NULL), 0);
    assert_int_equal(out->kind, kind);
    buf_fini(buf);
}

static struct candidate at(enum candidate_kind kind, const char *address, uint16_t port) {
    struct candidate candidate = {.kind = kind, .port = port, .state = CANDIDATE_FAILED, .checked = 1795428000};
    memcpy(candidate.address, address, strlen(address) + 1);
    memcpy(candidate.by, "pcp", 4);
    memcpy(candidate.text, "nothing arrives", 16);
    return candidate;
}

static void test_reach(void **state) {
    struct link_reach reach = {.has_door = true, .can_fetch = true, .knock = KNOCK, .count = 2};
    struct link_message message;
    struct buf out;
    (void)state;
    buf_init(&out);
    for (size_t i = 0; i < sizeof(reach.door_key); i++)
        reach.door_key[i] = (uint8_t)i;
    memcpy(reach.trouble, "no router answers", 18);
    reach.list[0] = at(CANDIDATE_MAPPED, "203.0.113.7", 40022);
    reach.list[1] = at(CANDIDATE_IPV6, "2001:db8::20", 41234);
    reach.list[1].to_sshd = true;
    assert_int_equal(link_format_reach(&out, &reach), 0);
    assert_null(strstr(buf_string(&out), "failed")); /* what is not said in this direction */
    assert_null(strstr(buf_string(&out), "checked"));
    assert_null(strstr(buf_string(&out), "nothing arrives"));
    assert_non_null(strstr(buf_string(&out), "\"door_key\":\"" KEY "\""));
    parse_back(&out, LINK_REACH, &message);
    assert_true(message.reach.has_door);
    assert_true(message.reach.can_fetch);
    assert_memory_equal(message.reach.door_key, reach.door_key, sizeof(reach.door_key));
    assert_string_equal(message.reach.knock, KNOCK);
    assert_string_equal(message.reach.trouble, "no router answers");
    assert_int_equal(message.reach.count, 2);
    assert_true(candidate_same(&message.reach.list[0], &reach.list[0]));
    assert_string_equal(message.reach.list[0].by, "pcp");
    assert_false(message.reach.list[0].to_sshd);
    assert_true(message.reach.list[1].to_sshd);
    link_message_fini(&message);
}

static void test_reach_without_door(void **state) {
    struct link_reach reach = {.can_fetch = true, .knock = KNOCK};
    struct link_message message;
    struct buf out;
    (void)state;
    buf_init(&out);
    memcpy(reach.trouble, "router says \xff", 14); /* a router's own words: not worth losing the message for */
    assert_int_equal(link_format_reach(&out, &reach), 0);
    assert_null(strstr(buf_string(&out), "knock"));
    assert_null(strstr(buf_string(&out), "door_key"));
    parse_back(&out, LINK_REACH, &message);
    assert_false(message.reach.has_door);
    assert_true(message.reach.can_fetch);
    assert_int_equal(message.reach.count, 0);
    assert_string_equal(message.reach.trouble, "");
}

/* What an agent may get wrong without losing the link. */
static void test_reach_lenient(void **state) {
    static const char *const doorless[] = {
        "{\"kind\":\"reach\",\"door_key\":\"" KEY "\"}",
        "{\"kind\":\"reach\",\"knock\":\"" KNOCK "\"}",
        "{\"kind\":\"reach\",\"door_key\":\"" KEY "\",\"knock\":\"" KNOCK "A\"}",
        "{\"kind\":\"reach\",\"door_key\":\"" KEY "\",\"knock\":\"AAECAwQFBgcICQoLDA0OD/\"}",
        "{\"kind\":\"reach\",\"door_key\":\"AA\",\"knock\":\"" KNOCK "\"}",
        "{\"kind\":\"reach\",\"door_key\":7,\"knock\":[],\"fetch\":\"yes\",\"trouble\":{}}",
    };
    struct link_message message;
    (void)state;
    for (size_t i = 0; i < sizeof(doorless) / sizeof(doorless[0]); i++) {
        assert_int_equal(parse(doorless[i], &message), 0);
        assert_false(message.reach.has_door);
        assert_false(message.reach.can_fetch);
    }
    assert_int_equal(parse("{\"kind\":\"reach\",\"candidates\":[{\"kind\":\"carrier-pigeon\",\"address\":\"1.2.3.4\","
                           "\"port\":1}," LAN
                           ",{\"kind\":\"lan\",\"address\":\"1.2.3.4\",\"port\":1,\"to\":\"quic\"}]}",
                           &message),
                     0);
    assert_int_equal(message.reach.count, 1);
    assert_string_equal(message.reach.list[0].address, "192.168.1.20");
    assert_int_equal(parse("{\"kind\":\"reach\",\"candidates\":[{\"kind\":\"lan\",\"address\":\"1.2.3.4\",\"port\":1,"
                           "\"state\":\"verified\",\"checked\":\"2026-11-23T10:00:00Z\",\"text\":\"t\"}]}",
                           &message),
                     0);
    assert_int_equal(message.reach.list[0].state, CANDIDATE_UNCHECKED); /* an agent does not verify itself */
    assert_int_equal(message.reach.list[0].checked, 0);
    assert_string_equal(message.reach.list[0].text, "");
}

static void test_candidates_bound(void **state) {
    struct link_message message;
    (void)state;
    assert_int_equal(parse("{\"kind\":\"reach\",\"candidates\":[" LAN "," LAN "," LAN "," LAN "," LAN "," LAN "," LAN
                           "," LAN "]}",
                           &message),
                     0);
    assert_int_equal(message.reach.count, CANDIDATES_MAX);
    assert_int_equal(parse("{\"kind\":\"reach\",\"candidates\":[" LAN "," LAN "," LAN "," LAN "," LAN "," LAN "," LAN
                           "," LAN "," LAN "]}",
                           &message),
                     SP_ETOOBIG);
}

static void test_verify(void **state) {
    struct link_verify verify = {.count = 2};
    struct link_message message;
    struct buf out;
    (void)state;
    buf_init(&out);
    verify.list[0] = at(CANDIDATE_MAPPED, "203.0.113.7", 40022);
    verify.list[1] = at(CANDIDATE_OBSERVED, "198.51.100.7", 1);
    verify.list[1].state = CANDIDATE_VERIFIED;
    verify.list[1].text[0] = '\0';
    assert_int_equal(link_format_verify(&out, &verify), 0);
    assert_null(strstr(buf_string(&out), "pcp"));
    parse_back(&out, LINK_VERIFY, &message);
    assert_int_equal(message.verify.count, 2);
    assert_int_equal(message.verify.list[0].state, CANDIDATE_FAILED);
    assert_int_equal(message.verify.list[0].checked, INT64_C(1795428000));
    assert_string_equal(message.verify.list[0].text, "nothing arrives");
    assert_string_equal(message.verify.list[0].by, "");
    assert_int_equal(message.verify.list[1].state, CANDIDATE_VERIFIED);
    assert_true(candidate_same(&message.verify.list[1], &verify.list[1]));
}

static void test_calls(void **state) {
    struct link_call call = {.ticket = TICKET, .service = "ssh", .user = "alice"};
    struct link_message message;
    struct buf out;
    (void)state;
    buf_init(&out);
    assert_int_equal(link_format_call(&out, LINK_OPEN, &call), 0);
    parse_back(&out, LINK_OPEN, &message);
    assert_string_equal(message.call.ticket, TICKET);
    assert_string_equal(message.call.service, "ssh");
    assert_string_equal(message.call.user, "alice");
    link_message_fini(&message);
    assert_int_equal(message.call.ticket[0], 0); /* wiped */
    assert_int_equal(link_format_call(&out, LINK_PUNCH, &call), 0);
    assert_null(strstr(buf_string(&out), "service"));
    parse_back(&out, LINK_PUNCH, &message);
    assert_string_equal(message.call.ticket, TICKET);
    assert_string_equal(message.call.service, "");
    assert_string_equal(message.call.user, "alice");
}

static void test_end(void **state) {
    struct link_end end = {.user = "alice", .service = "ssh"};
    struct link_message message;
    struct buf out;
    (void)state;
    buf_init(&out);
    assert_int_equal(link_format_end(&out, &end), 0);
    parse_back(&out, LINK_END, &message);
    assert_string_equal(message.end.user, "alice");
    assert_string_equal(message.end.service, "ssh");
    end.service[0] = '\0';
    assert_int_equal(link_format_end(&out, &end), 0);
    parse_back(&out, LINK_END, &message);
    assert_string_equal(message.end.service, "");
}

static void test_clocks_and_key(void **state) {
    struct link_welcome welcome = {.protocol = 1, .has_ticket_key = true};
    struct link_pong pong = {.n = 7, .server_time = 1795428000};
    struct link_hello hello = {.protocol = 1, .name = "box1", .time = 1795428001};
    struct link_message message;
    struct buf out;
    (void)state;
    buf_init(&out);
    memset(welcome.ticket_key, 0xc3, sizeof(welcome.ticket_key));
    assert_int_equal(link_format_welcome(&out, &welcome), 0);
    parse_back(&out, LINK_WELCOME, &message);
    assert_true(message.welcome.has_ticket_key);
    assert_memory_equal(message.welcome.ticket_key, welcome.ticket_key, sizeof(welcome.ticket_key));
    assert_int_equal(message.welcome.server_time, 0);
    welcome.has_ticket_key = false;
    assert_int_equal(link_format_welcome(&out, &welcome), 0);
    parse_back(&out, LINK_WELCOME, &message);
    assert_false(message.welcome.has_ticket_key);
    assert_int_equal(link_format_pong(&out, &pong), 0);
    parse_back(&out, LINK_PONG, &message);
    assert_int_equal(message.pong.n, 7);
    assert_int_equal(message.pong.server_time, INT64_C(1795428000));
    assert_int_equal(link_format_hello(&out, &hello), 0);
    parse_back(&out, LINK_HELLO, &message);
    assert_int_equal(message.hello.time, INT64_C(1795428001));
    link_message_fini(&message);
    assert_int_equal(parse("{\"kind\":\"welcome\",\"protocol\":1,\"ticket_key\":\"AAAA\",\"server_time\":5}", &message),
                     0);
    assert_false(message.welcome.has_ticket_key);
}

static void test_bad(void **state) {
    static const char *const bad[] = {
        "{\"kind\":\"reach\",\"candidates\":7}",
        "{\"kind\":\"reach\",\"candidates\":{}}",
        "{\"kind\":\"reach\",\"candidates\":[7]}",
        "{\"kind\":\"reach\",\"candidates\":[{\"kind\":\"lan\",\"address\":\"here\",\"port\":1}]}",
        "{\"kind\":\"verify\",\"candidates\":[{\"kind\":\"lan\",\"address\":\"1.2.3.4\",\"port\":0}]}",
        "{\"kind\":\"open\",\"service\":\"ssh\",\"user\":\"alice\"}",
        "{\"kind\":\"open\",\"ticket\":\"\",\"service\":\"ssh\",\"user\":\"alice\"}",
        "{\"kind\":\"open\",\"ticket\":\"A B\",\"service\":\"ssh\",\"user\":\"alice\"}",
        "{\"kind\":\"open\",\"ticket\":\"" TICKET "\",\"service\":\"ssh\"}",
        "{\"kind\":\"open\",\"ticket\":\"" TICKET "\",\"service\":\"ssh\",\"user\":\"a b\"}",
        "{\"kind\":\"open\",\"ticket\":\"" TICKET "\",\"user\":\"alice\"}",
        "{\"kind\":\"open\",\"ticket\":\"" TICKET "\",\"service\":\"../ssh\",\"user\":\"alice\"}",
        "{\"kind\":\"open\",\"ticket\":\"" TICKET TICKET TICKET "\",\"service\":\"ssh\",\"user\":\"alice\"}",
        "{\"kind\":\"punch\",\"user\":\"alice\"}",
        "{\"kind\":\"punch\",\"ticket\":\"" TICKET "\"}",
        "{\"kind\":\"end\"}",
        "{\"kind\":\"end\",\"user\":7}",
        "{\"kind\":\"end\",\"user\":\"alice\",\"service\":7}",
        "{\"kind\":\"end\",\"user\":\"alice\",\"service\":\"A\"}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct link_message message = {.kind = LINK_PING, .n = 4242};
        if (parse(bad[i], &message) != SP_EFORMAT)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(message.n, 4242);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reach),         cmocka_unit_test(test_reach_without_door),
        cmocka_unit_test(test_reach_lenient), cmocka_unit_test(test_candidates_bound),
        cmocka_unit_test(test_verify),        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_end),           cmocka_unit_test(test_clocks_and_key),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
