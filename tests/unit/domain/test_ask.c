/* What a client asks and is answered: read and written, bad ones refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sallyport/domain/ask.h"

#define TICKET_16 "QUJDREVGR0hJSktMTU5PUA"
#define TICKET TICKET_16 TICKET_16 TICKET_16 TICKET_16 "QUJD"
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
#define KNOCK "AAECAwQFBgcICQoLDA0ODw"
#define NAMES "\"box\":\"box1\",\"service\":\"ssh\""
#define WHOLE NAMES ",\"kind\":\"ssh\",\"port\":22"

static int parse_ask(const char *text, struct ask *out) {
    struct why why = {""};
    int rc = ask_parse(text, strlen(text), out, &why);
    assert_int_equal(why.text[0] != '\0', rc != 0);
    return rc;
}

static int parse_answer(const char *text, struct answer *out) {
    struct why why = {""};
    int rc = answer_parse(text, strlen(text), out, &why);
    assert_int_equal(why.text[0] != '\0', rc != 0);
    return rc;
}

static void test_ask(void **state) {
    struct ask ask = {.box = "box1", .service = "ssh", .failed_count = 2, .punch = true}, back;
    struct buf out;
    (void)state;
    buf_init(&out);
    memcpy(ask.failed[0].address, "203.0.113.7", 12);
    ask.failed[0].port = 40022;
    memcpy(ask.failed[1].address, "2001:db8::1", 12);
    ask.failed[1].port = 1;
    assert_int_equal(ask_format(&out, &ask), 0);
    assert_null(strchr(buf_string(&out), '\n'));
    assert_int_equal(parse_ask(buf_string(&out), &back), 0);
    assert_string_equal(back.box, "box1");
    assert_string_equal(back.service, "ssh");
    assert_true(back.punch);
    assert_int_equal(back.failed_count, 2);
    assert_string_equal(back.failed[0].address, "203.0.113.7");
    assert_int_equal(back.failed[0].port, 40022);
    assert_string_equal(back.failed[1].address, "2001:db8::1");
    buf_fini(&out);
    ask = (struct ask){.box = "box1", .service = "ssh"};
    assert_int_equal(ask_format(&out, &ask), 0);
    assert_int_equal(parse_ask(buf_string(&out), &back), 0);
    assert_int_equal(back.failed_count, 0);
    assert_false(back.punch);
    buf_fini(&out);
    ask.service[0] = '\0';
    assert_int_equal(ask_format(&out, &ask), SP_EINVAL);
    assert_int_equal(buf_len(&out), 0);
}

static void test_ask_lenient(void **state) {
    struct ask ask;
    (void)state;
    assert_int_equal(parse_ask("{" NAMES ",\"punch\":1,\"new\":[],\"failed\":[7,{\"address\":\"box1\",\"port\":1},"
                               "{\"address\":\"1.2.3.4\",\"port\":0},{\"address\":\"1.2.3.4\",\"port\":5}]}\n",
                               &ask),
                     0);
    assert_false(ask.punch);
    assert_int_equal(ask.failed_count, 1);
    assert_int_equal(ask.failed[0].port, 5);
    assert_int_equal(parse_ask("{" NAMES ",\"failed\":[{\"address\":\"1.2.3.4\",\"port\":1},"
                               "{\"address\":\"1.2.3.4\",\"port\":2},{\"address\":\"1.2.3.4\",\"port\":3},"
                               "{\"address\":\"1.2.3.4\",\"port\":4},{\"address\":\"1.2.3.4\",\"port\":5}]}",
                               &ask),
                     0);
    assert_int_equal(ask.failed_count, ASK_FAILED_MAX);
    assert_int_equal(ask.failed[3].port, 4);
    assert_int_equal(parse_ask("{" NAMES ",\"failed\":\"all\"}", &ask), 0);
    assert_int_equal(ask.failed_count, 0);
}

static void test_ask_bad(void **state) {
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"box\":\"box1\"}",
        "{\"service\":\"ssh\"}",
        "{\"box\":\"Box\",\"service\":\"ssh\"}",
        "{\"box\":\"box1\",\"service\":\"\"}",
        "{\"box\":\"box1\",\"service\":7}",
        "{" NAMES ",\"box\":\"box2\"}",
        "{" NAMES ",\"deep\":[[[[[[[[]]]]]]]]}",
        "{" NAMES "}{}",
    };
    char large[ASK_TEXT_MAX + 1];
    struct ask ask = {.failed_count = 3};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse_ask(bad[i], &ask) != SP_EFORMAT)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(ask.failed_count, 3);
    }
    snprintf(large, sizeof(large), "{" NAMES "}%*s", ASK_TEXT_MAX - 30 - 1, "");
    assert_int_equal(strlen(large), ASK_TEXT_MAX - 1);
    assert_int_equal(parse_ask(large, &ask), 0);
    large[ASK_TEXT_MAX - 1] = ' ';
    large[ASK_TEXT_MAX] = '\0';
    assert_int_equal(parse_ask(large, &ask), SP_EFORMAT);
}

static void fill(struct answer *answer) {
    *answer = (struct answer){.box = "box1",
                              .service = "ssh",
                              .kind = "ssh",
                              .port = 22,
                              .way_count = 2,
                              .ways = {{.lan = true, .address = "192.168.1.20", .port = 41234},
                                       {.address = "2001:db8::20", .port = 22, .to_sshd = true}},
                              .knock = KNOCK,
                              .door_ticket = TICKET,
                              .relay_ticket = TICKET "AAAA",
                              .punch_ticket = TICKET "BBBB",
                              .reason = "the router said no",
                              .host_key_count = 2,
                              .host_keys = {"ssh-ed25519 AAAA host", "ssh-rsa BBBB"},
                              .observed_address = "198.51.100.9",
                              .server_time = INT64_C(1795428000),
                              .ask_key = KEY};
}

/* Written again it is the same text. */
static void check_same(const struct answer *answer, struct buf *text) {
    struct buf again;
    buf_init(&again);
    assert_int_equal(answer_format(&again, answer), 0);
    assert_string_equal(buf_string(&again), buf_string(text));
    buf_fini(&again);
}

static void test_answer(void **state) {
    struct answer answer, back;
    struct buf out;
    (void)state;
    buf_init(&out);
    fill(&answer);
    assert_int_equal(answer_format(&out, &answer), 0);
    assert_null(strchr(buf_string(&out), '\n'));
    assert_int_equal(parse_answer(buf_string(&out), &back), 0);
    assert_true(back.ways[0].lan && !back.ways[1].lan && back.ways[1].to_sshd && !back.ways[0].to_sshd);
    assert_string_equal(back.relay_ticket, TICKET "AAAA");
    assert_string_equal(back.punch_ticket, TICKET "BBBB");
    assert_string_equal(back.ask_key, KEY);
    assert_string_equal(back.host_keys[1], "ssh-rsa BBBB");
    assert_string_equal(back.observed_address, "198.51.100.9");
    assert_int_equal(back.server_time, INT64_C(1795428000));
    check_same(&back, &out);
    buf_fini(&out);
    answer = (struct answer){.box = "box1", .service = "s", .kind = "tcp", .port = 65535};
    assert_int_equal(answer_format(&out, &answer), 0);
    assert_string_equal(buf_string(&out), "{\"box\":\"box1\",\"service\":\"s\",\"kind\":\"tcp\",\"port\":65535,"
                                          "\"ways\":[],\"host_keys\":[]}");
    assert_int_equal(parse_answer(buf_string(&out), &back), 0);
    check_same(&back, &out);
    buf_fini(&out);
    answer.port = 0;
    assert_int_equal(answer_format(&out, &answer), SP_EINVAL);
}

static void test_answer_error(void **state) {
    struct answer answer, back;
    struct buf out;
    (void)state;
    buf_init(&out);
    fill(&answer);
    memcpy(answer.error, "box1 is offline", 16);
    assert_int_equal(answer_format(&out, &answer), 0);
    assert_string_equal(buf_string(&out), "{\"error\":\"box1 is offline\"}"); /* and no secret beside it */
    assert_int_equal(parse_answer(buf_string(&out), &back), 0);
    assert_string_equal(back.error, "box1 is offline");
    assert_int_equal(back.port, 0);
    buf_fini(&out);
}

/* The largest that there is can be sealed. */
static void test_answer_largest(void **state) {
    static struct answer answer, back;
    struct buf out;
    (void)state;
    buf_init(&out);
    fill(&answer);
    memset(answer.reason, '"', sizeof(answer.reason) - 1);
    for (answer.way_count = 0; answer.way_count < CANDIDATES_MAX; answer.way_count++)
        answer.ways[answer.way_count] =
            (struct answer_way){.address = "2001:db8:1111:2222:3333:4444:5555:6666", .port = 65535};
    for (answer.host_key_count = 0; answer.host_key_count < ASK_HOST_KEYS_MAX; answer.host_key_count++)
        memset(answer.host_keys[answer.host_key_count], '"', ASK_HOST_KEY_SIZE - 1);
    assert_int_equal(answer_format(&out, &answer), 0);
    assert_int_equal(parse_answer(buf_string(&out), &back), 0);
    check_same(&back, &out);
    buf_fini(&out);
}

static void test_answer_lenient(void **state) {
    struct answer answer;
    (void)state;
    assert_int_equal(
        parse_answer("{" WHOLE ",\"ways\":[{\"route\":\"pigeon\",\"address\":\"1.2.3.4\",\"port\":1,\"to\":\"door\"},"
                     "{\"route\":\"lan\",\"address\":\"1.2.3.4\",\"port\":1,\"to\":\"quic\"},"
                     "{\"route\":\"lan\",\"address\":\"1.2.3.4\",\"port\":1},"
                     "{\"route\":\"lan\",\"address\":\"evil\",\"port\":1,\"to\":\"sshd\"},7,"
                     "{\"route\":\"direct\",\"address\":\"::ffff:1.2.3.4\",\"port\":1,\"to\":\"door\"}],"
                     "\"knock\":\"short\",\"door_ticket\":\"no ticket\",\"relay_ticket\":7,\"ask_key\":\"AAAA\","
                     "\"host_keys\":[\"a\\nb\",7,\"\",\"ok\"],\"observed_address\":\"evil\",\"server_time\":\"now\"}",
                     &answer),
        0);
    assert_int_equal(answer.way_count, 1);
    assert_false(answer.ways[0].lan);
    assert_false(answer.ways[0].to_sshd);
    assert_string_equal(answer.ways[0].address, "1.2.3.4");
    assert_string_equal(answer.knock, "");
    assert_string_equal(answer.door_ticket, "");
    assert_string_equal(answer.relay_ticket, "");
    assert_string_equal(answer.ask_key, "");
    assert_int_equal(answer.host_key_count, 1);
    assert_string_equal(answer.host_keys[0], "ok");
    assert_string_equal(answer.observed_address, "");
    assert_int_equal(answer.server_time, 0);
}

/* More than there is room for is left out. */
static void test_answer_bounds(void **state) {
    static struct answer answer;
    struct buf text;
    (void)state;
    buf_init(&text);
    assert_int_equal(buf_printf(&text, "{" WHOLE ",\"ways\":["), 0);
    for (int i = 1; i <= 100; i++)
        assert_int_equal(buf_printf(&text, "%s{\"route\":\"lan\",\"address\":\"1.2.3.4\",\"port\":%d,\"to\":\"door\"}",
                                    i > 1 ? "," : "", i),
                         0);
    assert_int_equal(buf_printf(&text, "],\"host_keys\":[\"k1\",\"k2\",\"k3\",\"k4\",\"k5\"]}"), 0);
    assert_int_equal(parse_answer(buf_string(&text), &answer), 0);
    assert_int_equal(answer.way_count, CANDIDATES_MAX);
    assert_int_equal(answer.ways[CANDIDATES_MAX - 1].port, CANDIDATES_MAX);
    assert_int_equal(answer.host_key_count, ASK_HOST_KEYS_MAX);
    assert_string_equal(answer.host_keys[ASK_HOST_KEYS_MAX - 1], "k4");
    buf_fini(&text);
}

static void test_answer_bad(void **state) {
    static const char *const bad[] = {
        "{}",
        "{\"error\":\"\"}",
        "{\"error\":\"a\\u0007\"}",
        "{" NAMES "}",
        "{" NAMES ",\"kind\":\"ssh\"}",
        "{" NAMES ",\"port\":22}",
        "{" NAMES ",\"kind\":\"ssh\",\"port\":0}",
        "{" NAMES ",\"kind\":\"ssh\",\"port\":65536}",
        "{" NAMES ",\"kind\":\"longkind\",\"port\":22}",
        "{\"box\":\"../x\",\"service\":\"ssh\",\"kind\":\"ssh\",\"port\":22}",
    };
    static struct answer answer = {.way_count = 3};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse_answer(bad[i], &answer) != SP_EFORMAT)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(answer.way_count, 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ask),
        cmocka_unit_test(test_ask_lenient),
        cmocka_unit_test(test_ask_bad),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_answer_error),
        cmocka_unit_test(test_answer_largest),
        cmocka_unit_test(test_answer_lenient),
        cmocka_unit_test(test_answer_bounds),
        cmocka_unit_test(test_answer_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
