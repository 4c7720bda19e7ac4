#include "race_rig.h"

#include "after.h"
#include "hostkeys.h"
#include "punched_keep.h"

#define KEY_LINE "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID+VNRBErNv7mZDQOC/0CIEl0qEn7WZLH4NR11wFcxJ9"
#define OTHER_LINE "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK5RE5x73KkJoo11SM80yXvsIuh5ZTDRMTz8W3FEXQ6+"

/* A way to the door, at an address that this test's own network has; false: it has none. */
static bool door_at(struct rig *rig, bool lan, enum door_does does) {
    if (!rig_addresses())
        return false;
    rig->door.door = does;
    fake_start(&rig->door, lan ? LAN_ADDRESS : PUBLIC_ADDRESS);
    rig_way(rig, lan, rig->door.port);
    return true;
}

static void expect(struct rig *rig, enum route route, const char *first) {
    struct race_result result;
    struct why why = {""};
    char said[32];
    if (rig_run(rig, &result, &why, said))
        fail_msg("%s", why.text);
    assert_int_equal(result.route, route);
    assert_string_equal(said, first);
}

static void test_lan_and_direct(void **state) {
    struct rig *rig = *state;
    if (!door_at(rig, true, DOOR_DOES_WELL))
        skip();
    expect(rig, ROUTE_LAN, "SSH-door\n");
    assert_string_equal(rig->door.ticket, rig->relay.answer.door_ticket);
    struct ask ask = fake_last_ask(&rig->relay);
    assert_string_equal(ask.box, "box1");
    assert_string_equal(rig->relay.ticket, "");
    race_fini(&rig->race);
    fake_stop(&rig->door);
    rig->relay.answer.way_count = 0;
    assert_true(door_at(rig, false, DOOR_DOES_WELL));
    expect(rig, ROUTE_DIRECT, "SSH-door\n");
}

static void test_doors_that_fail_leave_it_to_the_relay(void **state) {
    static const enum door_does all[] = {DOOR_CLOSES, DOOR_IS_SILENT, DOOR_TALKS_NONSENSE, DOOR_REFUSES_TICKETS};
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        rig->relay.answer.way_count = 0;
        if (!door_at(rig, false, all[i]))
            skip();
        expect(rig, ROUTE_RELAYED, "SSH-relay\n");
        assert_string_equal(rig->relay.ticket, rig->relay.answer.relay_ticket);
        assert_string_equal(rig->door.ticket, all[i] == DOOR_REFUSES_TICKETS ? rig->relay.answer.door_ticket : "");
        race_fini(&rig->race);
        fake_stop(&rig->door);
    }
}

/* It is good for one stream: a second door that shows it is refused, and may not be the machine's. */
static void test_one_door_gets_the_ticket(void **state) {
    struct rig *rig = *state;
    if (!rig_addresses())
        skip();
    rig->door.door = DOOR_REFUSES_TICKETS;
    fake_start(&rig->door, "0.0.0.0");
    rig_way(rig, true, rig->door.port);
    rig_way(rig, false, rig->door.port);
    expect(rig, ROUTE_RELAYED, "SSH-relay\n");
    while (rig->door.connections < 2) /* the door may be late to see the second */
        (void)usleep(1000);
    assert_int_equal(rig->door.connections, 2);
    assert_int_equal(rig->door.tickets, 1);
}

static void test_no_way_at_all(void **state) {
    expect(*state, ROUTE_RELAYED, "SSH-relay\n");
}

/* It begins before the relay has said anything, and is good though the relay names no way. */
static void test_a_remembered_door(void **state) {
    struct rig *rig = *state;
    struct memory_entry entry = {
        .network = "127.0.0.1", .box = "box1", .service = "ssh", .route = ROUTE_LAN, .used = 1, .knock = KNOCK};
    if (!door_at(rig, true, DOOR_DOES_WELL))
        skip();
    entry.way = rig->relay.answer.ways[0];
    rig->relay.answer.way_count = 0;
    assert_int_equal(memory_save(rig->cli.state, &entry, "127.0.0.1"), 0);
    expect(rig, ROUTE_LAN, "SSH-door\n");
}

static void test_a_remembered_door_that_is_another_one_now(void **state) {
    struct rig *rig = *state;
    struct memory_entry entry = {.network = "127.0.0.1",
                                 .box = "box1",
                                 .service = "ssh",
                                 .route = ROUTE_LAN,
                                 .used = 1,
                                 .knock = "BBBBBBBBBBBBBBBBBBBBBA"};
    if (!door_at(rig, true, DOOR_DOES_WELL))
        skip();
    entry.way = rig->relay.answer.ways[0];
    assert_int_equal(memory_save(rig->cli.state, &entry, "127.0.0.1"), 0);
    expect(rig, ROUTE_LAN, "SSH-door\n"); /* by the new knock, which the relay has told */
    rig->relay.answer.way_count = 0;
    race_fini(&rig->race);
    expect(rig, ROUTE_RELAYED, "SSH-relay\n");
}

/* Nobody is sent to services of his own machine, and a direct way is a public address. */
static void test_addresses_that_are_left_alone(void **state) {
    struct rig *rig = *state;
    static const char *const bad[] = {"127.0.0.1", "0.0.0.0", "169.254.1.1", "::1", "224.0.0.1"};
    rig->door.door = DOOR_DOES_WELL;
    fake_start(&rig->door, "127.0.0.1");
    for (size_t i = 0; i < 2 * sizeof bad / sizeof bad[0]; i++) {
        rig->relay.answer.way_count = 0;
        rig_way(rig, i % 2, rig->door.port);
        (void)str_copy(rig->relay.answer.ways[0].address, INET6_ADDRSTRLEN, bad[i / 2]);
        expect(rig, ROUTE_RELAYED, "SSH-relay\n");
        assert_int_equal(rig->race.way_count, 0);
        race_fini(&rig->race);
    }
    rig->relay.answer.way_count = 0;
    rig_way(rig, false, rig->door.port);
    (void)str_copy(rig->relay.answer.ways[0].address, INET6_ADDRSTRLEN, "192.168.0.1");
    expect(rig, ROUTE_RELAYED, "SSH-relay\n");
    assert_int_equal(rig->race.way_count, 0);
    assert_int_equal(rig->door.connections, 0);
}

static void test_the_relay_s_error(void **state) {
    struct rig *rig = *state;
    struct race_result result;
    struct why why = {""};
    char said[32];
    rig->relay.answer = (struct answer){.error = "there is no machine 'box1': `ssh RELAY list` shows yours"};
    assert_int_equal(rig_run(rig, &result, &why, said), SP_EDENIED);
    assert_string_equal(why.text, "there is no machine 'box1': `sallyport list` shows yours");
}

static void test_no_splice_either_is_the_trunk(void **state) {
    struct rig *rig = *state;
    struct race_result result;
    struct why why = {""};
    char said[32];
    rig->relay.door = DOOR_REFUSES_TICKETS;
    assert_int_equal(rig_run(rig, &result, &why, said), 0);
    assert_true(result.trunk);
    assert_int_equal(result.fd, -1);
    race_fini(&rig->race);
    rig->relay.door = DOOR_DOES_WELL;
    rig->relay.answer.relay_ticket[0] = '\0';
    assert_int_equal(rig_run(rig, &result, &why, said), 0);
    assert_true(result.trunk);
}

/* What the relay's ssh would say comes from a script. */
static void ssh_script(struct rig *rig, const char *script) {
    char path[CLI_PATH_SIZE + 64];
    assert_int_equal(os_path(path, sizeof path, rig->cli.state, "ssh"), 0);
    assert_int_equal(os_write_file(path, script, strlen(script), 0700), 0);
    (void)snprintf(path, sizeof path, "%s:/usr/bin:/bin", rig->cli.state);
    assert_int_equal(setenv("PATH", path, 1), 0);
}

static void ssh_answers(struct rig *rig, const char *key) {
    struct buf text;
    struct answer answer = rig->relay.answer;
    buf_init(&text);
    (void)str_copy(answer.ask_key, sizeof answer.ask_key, key);
    assert_int_equal(buf_printf(&text, "#!/bin/sh\ncat <<'END'\n"), 0);
    assert_int_equal(answer_format(&text, &answer), 0);
    assert_int_equal(buf_printf(&text, "\nEND\n"), 0);
    ssh_script(rig, buf_string(&text));
    buf_fini(&text);
}

/* Neither the door nor SSH tells the ways: that is said, and the relay is not asked again and again. */
static void test_an_ssh_that_fails(void **state) {
    static const enum asked_does all[] = {ASKED_SAYS_NO, ASKED_CLOSES};
    struct rig *rig = *state;
    struct race_result result;
    char said[32], key[44];
    base64url_encode(key, rig->relay.key, sizeof rig->relay.key);
    for (size_t i = 0; i < 4; i++) {
        struct why why = {""};
        void *folder = rig->cli.state;
        rig->relay.asked = all[i % 2];
        folder_write(&folder, "ask_key", key);
        ssh_script(rig, i < 2 ? "#!/bin/sh\necho 'no such port' >&2; exit 255\n"
                              : "#!/bin/sh\necho 'this account is disabled' >&2; exit 1\n");
        assert_int_equal(rig_run(rig, &result, &why, said), i < 2 ? SP_ECLOSED : SP_EDENIED);
        assert_non_null(strstr(why.text, i < 2 ? "no such port" : "this account is disabled"));
        race_fini(&rig->race);
    }
}

static void test_keys_that_the_door_does_not_take(void **state) {
    static const enum asked_does all[] = {ASKED_SAYS_NO, ASKED_BY_ANOTHER_KEY, ASKED_CLOSES};
    struct rig *rig = *state;
    char key[44];
    struct asking asking;
    memset(rig->relay.key, 9, sizeof rig->relay.key);
    base64url_encode(key, rig->relay.key, sizeof rig->relay.key);
    ssh_answers(rig, key);
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct race_result result;
        struct why why = {""};
        char said[32];
        rig->relay.asked = all[i];
        if (rig_run(rig, &result, &why, said))
            fail_msg("%s", why.text);
        /* A relay that closes has no door that a ticket could be shown at. */
        assert_int_equal(result.trunk, all[i] == ASKED_CLOSES);
        if (!result.trunk)
            assert_string_equal(said, "SSH-relay\n");
        assert_int_equal(asking_init(&asking, &rig->cli), 0);
        assert_memory_equal(asking.key, rig->relay.key, sizeof asking.key);
        race_fini(&rig->race);
    }
    rig->relay.asked = ASKED_ANSWERS;
    expect(rig, ROUTE_RELAYED, "SSH-relay\n"); /* by the new key */
}

static void test_host_keys_that_changed(void **state) {
    struct rig *rig = *state;
    struct race_result result;
    struct why why = {""};
    char said[32];
    struct hostkeys keys = {.count = 0};
    assert_true(hostkeys_add(&keys, KEY_LINE));
    assert_int_equal(hostkeys_learn(rig->cli.state, "box1", &keys, &why), 0);
    (void)str_copy(rig->relay.answer.host_keys[0], ASK_HOST_KEY_SIZE, OTHER_LINE);
    rig->relay.answer.host_key_count = 1;
    assert_int_equal(rig_run(rig, &result, &why, said), SP_EDENIED);
    assert_non_null(strstr(why.text, "sallyport trust box1"));
    assert_string_equal(rig->relay.ticket, "");
}

static void test_a_relay_that_is_not_there(void **state) {
    struct rig *rig = *state;
    struct race_result result;
    struct why why = {""};
    char said[32];
    fake_stop(&rig->relay);
    assert_int_equal(rig_run(rig, &result, &why, said), SP_ECLOSED);
    assert_non_null(strstr(why.text, "127.0.0.1"));
    assert_non_null(strstr(why.text, "refused"));
}

static struct memory_entry remembered(const struct rig *rig) {
    struct memory *memory;
    struct memory_entry entry;
    assert_int_equal(memory_load(rig->cli.state, &memory), 0);
    memory_find(memory, "127.0.0.1", "box1", "ssh", &entry);
    memory_free(memory);
    return entry;
}

/* Behind the stream's back: the next time is quicker, and the relay looks at what failed. */
static void test_what_is_done_afterwards(void **state) {
    struct rig *rig = *state;
    struct race_result result;
    struct why why = {""};
    char said[32];
    if (!door_at(rig, false, DOOR_DOES_WELL))
        skip();
    assert_int_equal(rig_run(rig, &result, &why, said), 0);
    assert_int_equal(result.route, ROUTE_DIRECT);
    after_start(&rig->race, &result);
    while (remembered(rig).route != ROUTE_DIRECT)
        (void)usleep(10000);
    assert_int_equal(remembered(rig).way.port, rig->door.port);
    assert_string_equal(remembered(rig).knock, KNOCK);
    race_fini(&rig->race);
    rig->door.door = DOOR_CLOSES;
    assert_int_equal(rig_run(rig, &result, &why, said), 0);
    assert_int_equal(result.route, ROUTE_RELAYED);
    after_start(&rig->race, &result);
    while (remembered(rig).route != ROUTE_RELAYED || fake_last_ask(&rig->relay).failed_count == 0)
        (void)usleep(10000);
    struct ask ask = fake_last_ask(&rig->relay);
    assert_int_equal(remembered(rig).way.port, 0);
    assert_int_equal(remembered(rig).failed_count, 1);
    (void)signal(SIGCHLD, SIG_DFL); /* nobody waits for those children, but others wait for theirs */
    assert_int_equal(ask.failed[0].port, rig->door.port);
    assert_string_equal(ask.failed[0].address, PUBLIC_ADDRESS);
}

/* Another machine has the address that the relay had last time: its name leads to where it is now. */
static void test_a_relay_that_has_moved(void **state) {
    static const enum asked_does all[] = {ASKED_CLOSES, ASKED_BY_ANOTHER_KEY};
    struct rig *rig = *state;
    if (!rig_addresses())
        skip();
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct memory_entry entry = {.network = "127.0.0.1", .box = "box1", .service = "ssh", .used = 1};
        struct fake other = {.is_relay = true, .asked = all[i], .port = rig->relay.port};
        memcpy(other.key, rig->relay.key, sizeof other.key);
        other.answer = rig->relay.answer;
        fake_start(&other, LAN_ADDRESS);
        (void)str_copy(rig->cli.client.host, sizeof rig->cli.client.host, "localhost");
        assert_int_equal(memory_save(rig->cli.state, &entry, LAN_ADDRESS), 0);
        expect(rig, ROUTE_RELAYED, "SSH-relay\n");
        assert_true(other.connections > 0);
        assert_string_equal(rig->race.relay_address, "127.0.0.1");
        race_fini(&rig->race);
        fake_stop(&other);
    }
}

static void *keep(void *ctx) {
    struct rig *rig = ctx;
    struct memory_entry entry = {.network = "127.0.0.1", .box = "box1", .service = "ssh"};
    struct net_address at;
    int fd;
    char line[64];
    assert_int_equal(net_parse(LAN_ADDRESS, rig->door.port, &at), 0);
    assert_int_equal(net_connect(&at, &fd), 0);
    while (net_connected(fd) == SP_EAGAIN)
        (void)usleep(1000);
    assert_int_equal(door_say(fd, DOOR_KNOCK, KNOCK), 0);
    while (read(fd, line, sizeof line) < 0)
        (void)usleep(1000);
    assert_int_equal(punched_keep(rig->cli.state, &entry, fd, 20000), 0);
    net_close(&fd);
    return NULL;
}

static void test_a_punched_connection_is_used_once(void **state) {
    struct rig *rig = *state;
    struct memory_entry entry = {
        .network = "127.0.0.1", .box = "box1", .service = "ssh", .route = ROUTE_RELAYED, .used = 1};
    pthread_t keeper;
    char path[CLI_PATH_SIZE + 64];
    if (!door_at(rig, true, DOOR_DOES_WELL))
        skip();
    rig->relay.answer.way_count = 0;
    assert_int_equal(memory_save(rig->cli.state, &entry, "127.0.0.1"), 0);
    assert_int_equal(pthread_create(&keeper, NULL, keep, rig), 0);
    (void)snprintf(path, sizeof path, "ls %s/punched-* >/dev/null 2>&1", rig->cli.state);
    while (system(path) != 0) /* NOLINT(cert-env33-c) */
        (void)usleep(10000);
    expect(rig, ROUTE_PUNCHED, "SSH-door\n");
    assert_int_equal(pthread_join(keeper, NULL), 0);
    assert_int_not_equal(system(path), 0); /* NOLINT(cert-env33-c) */
    race_fini(&rig->race);
    expect(rig, ROUTE_RELAYED, "SSH-relay\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_set_up, rig_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_lan_and_direct),
        TEST(test_doors_that_fail_leave_it_to_the_relay),
        TEST(test_one_door_gets_the_ticket),
        TEST(test_no_way_at_all),
        TEST(test_a_remembered_door),
        TEST(test_a_remembered_door_that_is_another_one_now),
        TEST(test_addresses_that_are_left_alone),
        TEST(test_the_relay_s_error),
        TEST(test_no_splice_either_is_the_trunk),
        TEST(test_keys_that_the_door_does_not_take),
        TEST(test_an_ssh_that_fails),
        TEST(test_host_keys_that_changed),
        TEST(test_what_is_done_afterwards),
        TEST(test_a_relay_that_has_moved),
        TEST(test_a_relay_that_is_not_there),
        TEST(test_a_punched_connection_is_used_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
