#include "door_rig.h"

static void visits_come_down_to(struct rig *rig, size_t count) {
    for (int i = 0; i < 1000 && visits_count(rig->visits) > count; i++)
        rig_turn(rig);
    assert_int_equal(visits_count(rig->visits), count);
}

static void test_a_ticket_opens_one_stream(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig);
    int fd = rig_connect(&rig);
    /* What comes right behind the line belongs to the service, and the answer comes before its first byte. */
    rig_ask(fd, "raw", rig_good(&rig, TICKET_STREAM), "SSH-2.0-early\r\n");
    int service = rig_accept(&rig);
    rig_say(service, "SSH-2.0-service\r\n");
    rig_hears(&rig, fd, "SALLY1 ok\nSSH-2.0-service\r\n");
    rig_hears(&rig, service, "SSH-2.0-early\r\n");
    assert_int_equal(visits_count(rig.visits), 1);
    assert_int_equal(door_waiting(rig.door), 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    char none[8];
    assert_true(rig_read(&rig, service, none, sizeof none, 0));
    rig_say(service, "last words");
    assert_int_equal(close(service), 0);
    rig_ends_after(&rig, fd, "last words");
    visits_come_down_to(&rig, 0);

    fd = rig_connect(&rig);
    rig_ask(fd, "raw", rig.ticket, "SSH-2.0-again\r\n");
    rig_ends_after(&rig, fd, "SALLY1 no this ticket was used already\n");
    rig_nobody_came(&rig);
    rig_close(&rig);
}

static void test_a_line_may_come_byte_by_byte(void **state) {
    (void)state;
    struct rig rig;
    char line[512];
    rig_open(&rig);
    int fd = rig_connect(&rig);
    (void)snprintf(line, sizeof line, "SALLY1 raw %s\r\nhello", rig_good(&rig, TICKET_STREAM));
    for (const char *at = line; *at; at++) {
        assert_int_equal(send(fd, at, 1, MSG_NOSIGNAL), 1);
        rig_turn(&rig);
    }
    int service = rig_accept(&rig);
    rig_hears(&rig, service, "hello");
    rig_hears(&rig, fd, "SALLY1 ok\n");
    assert_int_equal(close(service), 0);
    rig_ends_after(&rig, fd, "");
    rig_close(&rig);
}

/* A question that gets no byte for an answer. */
static void gets_nothing(struct rig *rig, const char *line) {
    int fd = rig_connect(rig);
    rig_say(fd, line);
    char got[64];
    assert_true(rig_read(rig, fd, got, sizeof got, 0));
    if (got[0])
        fail_msg("'%s' gets '%s'", line, got);
    assert_int_equal(close(fd), 0);
}

static void test_strangers_hear_nothing(void **state) {
    (void)state;
    struct rig rig;
    char line[1200], text[TICKET_TEXT_SIZE];
    rig_open(&rig);
    static const char *const lines[] = {
        "SSH-2.0-OpenSSH_9.2p1\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "\x16\x03\x01\x02",
        "\n",
        "SALLY2 knock AAAAAAAAAAAAAAAAAAAAAA\n",
        "SALLY1 knock AAAAAAAAAAAAAAAAAAAAAA\n",
        "SALLY1 knock A\n",
        "SALLY1 knock \n",
        "SALLY1 knock\n",
        "SALLY1  knock A\n",
        "SALLY1 raw A\n",
        "SALLY1 prove A\n",
        "SALLY1 resume A\n",
        "SALLY1 raw A B\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        gets_nothing(&rig, lines[i]);
    /* Of the relay's door only, even with a good ticket. */
    static const char *const others[] = {"ask", "serve", "punch"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        (void)snprintf(line, sizeof line, "SALLY1 %s %s\n", others[i], rig_good(&rig, TICKET_STREAM));
        gets_nothing(&rig, line);
    }
    /* The knock, and a bit more or less of it. */
    (void)snprintf(line, sizeof line, "SALLY1 knock %sA\n", door_knock(rig.door));
    gets_nothing(&rig, line);
    (void)snprintf(line, sizeof line, "SALLY1 knock %.21s\n", door_knock(rig.door));
    gets_nothing(&rig, line);
    /* A ticket to prove opens no stream, and the other way round. */
    (void)snprintf(line, sizeof line, "SALLY1 raw %s\n", rig_good(&rig, TICKET_PROVE));
    gets_nothing(&rig, line);
    (void)snprintf(line, sizeof line, "SALLY1 prove %s\n", rig_good(&rig, TICKET_STREAM));
    gets_nothing(&rig, line);
    /* Forged; for another machine. */
    (void)snprintf(text, sizeof text, "%s", rig_good(&rig, TICKET_STREAM));
    text[40] = text[40] == 'A' ? 'B' : 'A';
    (void)snprintf(line, sizeof line, "SALLY1 raw %s\n", text);
    gets_nothing(&rig, line);
    struct ticket ticket = rig_ticket(&rig, TICKET_STREAM);
    ticket.machine[0] ^= 1;
    (void)snprintf(line, sizeof line, "SALLY1 raw %s\n", rig_sign(&rig, &ticket));
    gets_nothing(&rig, line);
    /* Too long: 1024 bytes without an end. */
    memset(line, 'A', sizeof line);
    memcpy(line, "SALLY1 raw ", 11);
    line[1024] = '\0';
    gets_nothing(&rig, line);
    rig_nobody_came(&rig);
    assert_int_equal(door_waiting(rig.door), 0);
    rig_close(&rig);
}

static void test_who_has_proved_himself_is_told(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig);
    int fd = rig_connect(&rig);
    struct ticket ticket = rig_ticket(&rig, TICKET_STREAM);
    ticket.expires += 3600;
    rig_ask(fd, "raw", rig_sign(&rig, &ticket), "much more that nobody reads");
    rig_ends_after(&rig, fd, "SALLY1 no this ticket has expired: ask for a new one\n");
    fd = rig_connect(&rig);
    ticket = rig_ticket(&rig, TICKET_STREAM);
    (void)snprintf(ticket.service, sizeof ticket.service, "jupyter");
    rig_ask(fd, "raw", rig_sign(&rig, &ticket), "");
    rig_ends_after(&rig, fd, "SALLY1 no no such service of kind ssh is published\n");
    (void)close(rig.service);
    fd = rig_connect(&rig);
    rig_ask(fd, "raw", rig_good(&rig, TICKET_STREAM), "SSH-2.0-x\r\n");
    rig_ends_after(&rig, fd, "SALLY1 no the service does not answer\n");
    rig.service = rig_listen(&rig.service_port);
    rig_close(&rig);
}

static void test_a_knock_may_be_followed_by_questions(void **state) {
    (void)state;
    struct rig rig;
    char wrong[DOOR_KNOCK_TEXT + 1];
    rig_open(&rig);
    int fd = rig_connect(&rig);
    rig_ask(fd, "knock", door_knock(rig.door), "");
    rig_hears(&rig, fd, "SALLY1 ok\n");
    rig_ask(fd, "knock", door_knock(rig.door), "");
    rig_hears(&rig, fd, "SALLY1 ok\n");
    rig_ask(fd, "raw", rig_good(&rig, TICKET_STREAM), "bytes");
    int service = rig_accept(&rig);
    rig_hears(&rig, service, "bytes");
    rig_hears(&rig, fd, "SALLY1 ok\n");
    assert_int_equal(close(service), 0);
    rig_ends_after(&rig, fd, "");
    /* Each character counts. */
    for (size_t i = 0; i < DOOR_KNOCK_TEXT; i++) {
        char line[64];
        (void)snprintf(wrong, sizeof wrong, "%s", door_knock(rig.door));
        wrong[i] = wrong[i] == 'x' ? 'y' : 'x';
        (void)snprintf(line, sizeof line, "SALLY1 knock %s\n", wrong);
        gets_nothing(&rig, line);
    }
    /* Nobody goes on knocking for ever. */
    fd = rig_connect(&rig);
    for (int i = 0; i < 16; i++) {
        rig_ask(fd, "knock", door_knock(rig.door), "");
        rig_hears(&rig, fd, "SALLY1 ok\n");
    }
    rig_ask(fd, "knock", door_knock(rig.door), "");
    rig_ends_after(&rig, fd, "");
    rig_close(&rig);
}

static void test_it_proves_itself(void **state) {
    (void)state;
    struct rig rig;
    char got[512];
    uint8_t signature[SIGNING_SIGNATURE_SIZE];
    size_t n = 0;
    rig_open(&rig);
    int fd = rig_connect(&rig);
    rig_ask(fd, "prove", rig_good(&rig, TICKET_PROVE), "");
    assert_true(rig_read(&rig, fd, got, sizeof got, 0));
    assert_memory_equal(got, "SALLY1 ok ", 10);
    size_t len = strlen(got);
    assert_int_equal(got[len - 1], '\n');
    assert_int_equal(base64url_decode(got + 10, len - 11, signature, sizeof signature, &n), 0);
    assert_int_equal(n, sizeof signature);
    const uint8_t *key = door_key(rig.door);
    assert_int_equal(signing_check(key, TICKET_PROOF_PURPOSE, rig.ticket, strlen(rig.ticket), signature), 0);
    assert_int_equal(signing_check(key, TICKET_PURPOSE, rig.ticket, strlen(rig.ticket), signature), SP_ECRYPTO);
    (void)close(fd);
    /* Once. */
    char line[512];
    (void)snprintf(line, sizeof line, "SALLY1 prove %s\n", rig.ticket);
    gets_nothing(&rig, line);
    /* Another door has another key and another knock. */
    struct door *other;
    struct door_config config = {.loop = rig.loop, .gate = rig.gate, .visits = rig.visits};
    assert_int_equal(door_new(&config, &other, NULL), 0);
    assert_memory_not_equal(door_key(other), key, 32);
    assert_string_not_equal(door_knock(other), door_knock(rig.door));
    assert_int_not_equal(door_port(other), door_port(rig.door));
    assert_true(door_port(other) >= 49152);
    door_free(other);
    rig_close(&rig);
}

static void knock_works(struct rig *rig, uint32_t from) {
    int fd = rig_connect_from(rig, from);
    rig_ask(fd, "knock", door_knock(rig->door), "");
    rig_hears(rig, fd, "SALLY1 ok\n");
    assert_int_equal(close(fd), 0);
}

static void test_a_flood_evicts_itself(void **state) {
    (void)state;
    enum { FLOOD = 200 };
    struct rig rig;
    int flood[FLOOD];
    rig_open(&rig);
    /* One who is on the way in stays, whatever others do. */
    int talking = rig_connect_from(&rig, 0x7f000101);
    rig_ask(talking, "knock", door_knock(rig.door), "SALLY1 kn");
    rig_hears(&rig, talking, "SALLY1 ok\n");
    for (int i = 0; i < FLOOD; i++) {
        flood[i] = rig_connect_from(&rig, 0x7f000201);
        rig_turn(&rig);
        assert_in_range(door_waiting(rig.door), 1, 17);
    }
    knock_works(&rig, 0x7f000201);
    knock_works(&rig, 0x7f000301);
    for (int i = 0; i < FLOOD; i++)
        assert_int_equal(close(flood[i]), 0);
    for (int i = 0; i < FLOOD; i++) {
        flood[i] = rig_connect_from(&rig, 0x7f010000 + (uint32_t)i);
        rig_turn(&rig);
        assert_in_range(door_waiting(rig.door), 1, 64);
    }
    assert_int_equal(door_waiting(rig.door), 64);
    knock_works(&rig, 0x7f000301);
    rig_say(talking, "ock ");
    rig_say(talking, door_knock(rig.door));
    rig_say(talking, "\n");
    rig_hears(&rig, talking, "SALLY1 ok\n");
    for (int i = 0; i < FLOOD; i++)
        assert_int_equal(close(flood[i]), 0);
    assert_int_equal(close(talking), 0);
    rig_close(&rig);
}

static void test_ten_seconds_for_a_line(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig);
    uint64_t began = os_monotonic_ms();
    int silent = rig_connect(&rig), half = rig_connect(&rig), knocked = rig_connect(&rig);
    int pair[2];
    assert_int_equal(os_socket_pair(pair), 0);
    door_adopt(rig.door, pair[0], "192.0.2.1"); /* punched: it has ten minutes */
    rig_say(half, "SALLY1 raw ");
    rig_ask(knocked, "knock", door_knock(rig.door), "");
    rig_hears(&rig, knocked, "SALLY1 ok\n");
    rig_ends_after(&rig, silent, "");
    rig_ends_after(&rig, half, "");
    rig_ends_after(&rig, knocked, "");
    assert_true(os_monotonic_ms() - began > 9000);
    assert_int_equal(door_waiting(rig.door), 1);
    rig_ask(pair[1], "knock", door_knock(rig.door), "");
    rig_hears(&rig, pair[1], "SALLY1 ok\n");
    assert_int_equal(close(pair[1]), 0);
    for (int i = 0; i < 100 && door_waiting(rig.door); i++)
        rig_turn(&rig);
    assert_int_equal(door_waiting(rig.door), 0);
    rig_close(&rig);
}

static void test_a_right_that_ends_ends_its_streams(void **state) {
    (void)state;
    struct rig rig;
    rig_open(&rig);
    int alice = rig_connect(&rig), bob = rig_connect(&rig);
    rig_ask(alice, "raw", rig_good(&rig, TICKET_STREAM), "");
    rig_hears(&rig, alice, "SALLY1 ok\n");
    struct ticket ticket = rig_ticket(&rig, TICKET_STREAM);
    (void)snprintf(ticket.user, sizeof ticket.user, "bobby");
    rig_ask(bob, "raw", rig_sign(&rig, &ticket), "");
    rig_hears(&rig, bob, "SALLY1 ok\n");
    visits_end(rig.visits, "alice", "jupyter");
    rig_turn(&rig);
    assert_int_equal(visits_count(rig.visits), 2);
    visits_end(rig.visits, "alice", "ssh");
    visits_end(rig.visits, "alice", "ssh"); /* while it is ending */
    rig_ends_after(&rig, alice, "");
    visits_come_down_to(&rig, 1);
    visits_end(rig.visits, "bobby", "");
    rig_ends_after(&rig, bob, "");
    visits_come_down_to(&rig, 0);
    rig_close(&rig);
}

static void test_its_port(void **state) {
    (void)state;
    struct rig rig;
    struct why why = {""};
    struct door *door;
    rig_open(&rig);
    uint16_t taken = door_port(rig.door);
    struct door_config config = {
        .loop = rig.loop, .gate = rig.gate, .visits = rig.visits, .port = taken, .fixed = true};
    assert_int_equal(door_new(&config, &door, &why), SP_EBUSY);
    assert_non_null(strstr(why.text, "door_port = "));
    config.fixed = false; /* the one of the last start: another will do */
    assert_int_equal(door_new(&config, &door, &why), 0);
    assert_int_not_equal(door_port(door), taken);
    uint16_t was = door_port(door);
    door_free(door);
    config.port = was;
    assert_int_equal(door_new(&config, &door, &why), 0);
    assert_int_equal(door_port(door), was);
    door_free(door);
    door_free(NULL);
    rig_close(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_ticket_opens_one_stream),
        cmocka_unit_test(test_a_line_may_come_byte_by_byte),
        cmocka_unit_test(test_strangers_hear_nothing),
        cmocka_unit_test(test_who_has_proved_himself_is_told),
        cmocka_unit_test(test_a_knock_may_be_followed_by_questions),
        cmocka_unit_test(test_it_proves_itself),
        cmocka_unit_test(test_a_flood_evicts_itself),
        cmocka_unit_test(test_ten_seconds_for_a_line),
        cmocka_unit_test(test_a_right_that_ends_ends_its_streams),
        cmocka_unit_test(test_its_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
