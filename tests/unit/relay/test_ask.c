/* What is answered to whom, on a relay that has a registry and made-up machines, but no port. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/store/grants.h"
#include "tickets.h"

#define PRINT1 "SHA256:p87QMU4YdD638Ha9rFlpxmGsiTebOAJLBr0RPrca4r0"
#define ED25519 "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuCkShA17D3LHaCwrgrcXqwImz7+w52uKBNld749+do"
#define ECDSA "ecdsa-sha2-nistp256 AAAA"

struct rig {
    char dir[64], path[96];
    struct relay relay;
    struct machine_live box;
    struct service services[3];
    char *host_keys[6];
    struct policy_subject bob;
    int64_t bob_id, box_id, other_id;
    struct answer answer;
};

static struct candidate candidate(enum candidate_kind kind, const char *address, enum candidate_state state,
                                  int64_t age_s) {
    struct candidate made = {.kind = kind, .port = 4000, .state = state, .checked = os_realtime_s() - age_s};
    (void)snprintf(made.address, sizeof made.address, "%s", address);
    return made;
}

static void add(struct rig *rig, enum candidate_kind kind, const char *address, enum candidate_state state,
                int64_t age_s) {
    rig->box.reach.list[rig->box.reach.count++] = candidate(kind, address, state, age_s);
}

static void load_bob(struct rig *rig) {
    policy_subject_fini(&rig->bob);
    assert_int_equal(store_user_subject(rig->relay.store, rig->bob_id, &rig->bob), 0);
}

static int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    struct why why;
    assert_non_null(rig);
    (void)snprintf(rig->dir, sizeof rig->dir, "/tmp/sallyport-ask-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    (void)snprintf(rig->path, sizeof rig->path, "%s/relay.db", rig->dir);
    assert_int_equal(store_open(rig->path, &rig->relay.store, &why), 0);
    assert_int_equal(tickets_open(rig->dir, &rig->relay.tickets, &why), 0);
    assert_int_equal(map_new(&rig->relay.machines), 0);
    assert_int_equal(store_user_add(rig->relay.store, "bob", ROLE_MEMBER, NULL, 1, &rig->bob_id, NULL), 0);
    assert_int_equal(store_machine_add(rig->relay.store, "box1", NULL, 1, &rig->box_id, NULL), 0);
    assert_int_equal(store_machine_add(rig->relay.store, "box2", NULL, 1, &rig->other_id, NULL), 0);
    assert_int_equal(store_grant_add(rig->relay.store, rig->bob_id, rig->box_id, "ssh", 1), 0);
    rig->services[0] = (struct service){.name = "ssh", .kind = SERVICE_SSH, .port = 22, .up = true};
    rig->services[1] = (struct service){.name = "jupyter", .kind = SERVICE_HTTP, .port = 8888, .up = true};
    rig->services[2] = (struct service){.name = "git", .kind = SERVICE_SSH, .port = 23, .up = false};
    rig->box = (struct machine_live){.id = rig->box_id,
                                     .name = "box1",
                                     .observed = "203.0.113.7",
                                     .forwards = rig->services,
                                     .forward_count = 3,
                                     .host_keys = rig->host_keys,
                                     .has_reach = true,
                                     .reach = {.has_door = true, .can_fetch = true, .knock = "0123456789012345678901"}};
    memset(rig->box.print, 9, sizeof rig->box.print);
    char key[24];
    (void)snprintf(key, sizeof key, "%lld", (long long)rig->box_id);
    assert_int_equal(map_put(rig->relay.machines, key, &rig->box), 0);
    load_bob(rig);
    *state = rig;
    return 0;
}

static int tear_down(void **state) {
    static const char *const files[] = {"relay.db", "relay.db-wal", "relay.db-shm", "ticket_key"};
    struct rig *rig = *state;
    policy_subject_fini(&rig->bob);
    map_free(rig->relay.machines);
    tickets_free(rig->relay.tickets);
    store_close(rig->relay.store);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", rig->dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(rig->dir);
    free(rig);
    return 0;
}

/* Bob asks from there. */
static const struct answer *ask_from(struct rig *rig, const char *address, const char *box, const char *service,
                                     bool punch) {
    struct asker asker = {.name = "bob", .subject = &rig->bob, .fingerprint = PRINT1, .address = address};
    struct ask ask = {.punch = punch};
    (void)snprintf(ask.box, sizeof ask.box, "%s", box);
    (void)snprintf(ask.service, sizeof ask.service, "%s", service);
    ask_answer(&rig->relay, &asker, &ask, &rig->answer);
    return &rig->answer;
}

static const struct answer *ask_for(struct rig *rig, const char *box, const char *service) {
    return ask_from(rig, "198.51.100.9", box, service, false);
}

static void test_all_of_it(void **state) {
    struct rig *rig = *state;
    uint8_t key[SEALED_KEY_SIZE];
    char text[64];
    add(rig, CANDIDATE_MAPPED, "203.0.113.7", CANDIDATE_VERIFIED, 60);
    const struct answer *answer = ask_for(rig, "BOX1.", "");
    assert_string_equal(answer->error, "");
    assert_string_equal(answer->box, "box1");
    assert_string_equal(answer->service, "ssh");
    assert_int_equal(answer->port, 22);
    assert_int_equal(answer->way_count, 1);
    assert_false(answer->ways[0].lan);
    assert_string_equal(answer->ways[0].address, "203.0.113.7");
    assert_string_equal(answer->reason, "");
    assert_string_equal(answer->knock, rig->box.reach.knock);
    assert_string_equal(answer->observed_address, "198.51.100.9");
    assert_int_equal(tickets_ask_key(rig->relay.tickets, rig->bob_id, PRINT1, key), 0);
    base64url_encode(text, key, sizeof key);
    assert_string_equal(answer->ask_key, text);
    struct ticket ticket;
    assert_int_equal(
        tickets_redeem(rig->relay.tickets, answer->door_ticket, TICKET_STREAM, os_realtime_s(), &ticket, NULL), 0);
    assert_string_equal(ticket.user, "bob");
    assert_string_equal(ticket.service, "ssh");
    assert_memory_equal(ticket.machine, rig->box.print, sizeof ticket.machine);
    assert_int_equal(
        tickets_redeem(rig->relay.tickets, answer->relay_ticket, TICKET_STREAM, os_realtime_s(), &ticket, NULL), 0);
}

static void expect_error(struct rig *rig, const char *box, const char *service, const char *wanted) {
    const struct answer *answer = ask_for(rig, box, service);
    if (!strstr(answer->error, wanted))
        fail_msg("%s/%s: '%s', not '%s'", box, service, answer->error, wanted);
    struct answer nothing = {.way_count = 0};
    memcpy(nothing.error, answer->error, sizeof nothing.error);
    assert_memory_equal(answer, &nothing, sizeof nothing); /* nothing else is told */
}

static void test_denials(void **state) {
    struct rig *rig = *state;
    expect_error(rig, "box9", "ssh", "there is no machine 'box9' that you may reach");
    expect_error(rig, "box2", "ssh", "there is no machine 'box2' that you may reach");
    expect_error(rig, "box1", "jupyter", "box1 publishes no service 'jupyter' that you may reach");
    expect_error(rig, "box1", "nothing", "box1 publishes no service 'nothing' that you may reach");
    assert_int_equal(store_grant_add(rig->relay.store, rig->bob_id, rig->box_id, "", 1), 0);
    assert_int_equal(store_grant_add(rig->relay.store, rig->bob_id, rig->other_id, "", 1), 0);
    load_bob(rig);
    expect_error(rig, "box1", "git", "the service git of box1 is down");
    expect_error(rig, "box2", "ssh", "box2 is offline");
    assert_int_equal(store_user_set_disabled(rig->relay.store, rig->bob_id, true), 0);
    load_bob(rig);
    expect_error(rig, "box1", "ssh", "there is no machine 'box1' that you may reach");
    assert_int_equal(rig->relay.counters.asks_refused, 7);
    assert_int_equal(rig->relay.counters.asks_answered, 0);
}

static void test_only_what_was_proved(void **state) {
    struct rig *rig = *state;
    add(rig, CANDIDATE_MAPPED, "203.0.113.7", CANDIDATE_UNCHECKED, 0);
    add(rig, CANDIDATE_IPV6, "2001:db8::20", CANDIDATE_FAILED, 1);
    add(rig, CANDIDATE_OBSERVED, "203.0.113.8", CANDIDATE_VERIFIED, 16 * 60); /* too long ago */
    const struct answer *answer = ask_for(rig, "box1", "ssh");
    assert_int_equal(answer->way_count, 0);
    assert_true(answer->reason[0]);
    rig->box.reach.list[2].checked = os_realtime_s() - 14 * 60;
    answer = ask_for(rig, "box1", "ssh");
    assert_int_equal(answer->way_count, 1);
    assert_string_equal(answer->reason, "");
}

static void test_home_is_for_those_at_home(void **state) {
    struct rig *rig = *state;
    add(rig, CANDIDATE_LAN, "192.168.1.20", CANDIDATE_UNCHECKED, 0);
    assert_int_equal(ask_for(rig, "box1", "ssh")->way_count, 0);
    const struct answer *answer = ask_from(rig, "203.0.113.7", "box1", "ssh", true);
    assert_int_equal(answer->way_count, 1);
    assert_true(answer->ways[0].lan);
    assert_true(answer->reason[0]); /* for the day when he is elsewhere */
    assert_int_equal(ask_from(rig, "", "box1", "ssh", false)->way_count, 0);
    add(rig, CANDIDATE_IPV6, "2a00:1:2:3::20", CANDIDATE_FAILED, 1);
    assert_int_equal(ask_from(rig, "2a00:1:2:4::9", "box1", "ssh", false)->way_count, 0);
    assert_int_equal(ask_from(rig, "2a00:1:2:3::9", "box1", "ssh", false)->way_count, 0);
    (void)snprintf(rig->box.observed, sizeof rig->box.observed, "2a00:1:2:3::20");
    answer = ask_from(rig, "2a00:1:2:3::9", "box1", "ssh", false);
    assert_int_equal(answer->way_count, 2);
    assert_true(answer->ways[0].lan && answer->ways[1].lan);
    rig->box.reach.list[1].state = CANDIDATE_VERIFIED;
    assert_false(ask_from(rig, "2a00:1:2:4::9", "box1", "ssh", false)->ways[0].lan);
    assert_true(ask_from(rig, "2a00:1:2:3::9", "box1", "ssh", false)->ways[1].lan);
}

static void test_tickets_as_the_agent_can(void **state) {
    struct rig *rig = *state;
    const struct answer *answer = ask_from(rig, "198.51.100.9", "box1", "ssh", true);
    assert_true(answer->door_ticket[0] && answer->relay_ticket[0] && answer->punch_ticket[0]);
    answer = ask_for(rig, "box1", "ssh");
    assert_string_equal(answer->punch_ticket, "");
    rig->box.reach.can_fetch = false;
    answer = ask_from(rig, "198.51.100.9", "box1", "ssh", true);
    assert_true(answer->door_ticket[0] && !answer->relay_ticket[0] && !answer->punch_ticket[0]);
    rig->box.reach.can_fetch = true;
    rig->box.reach.has_door = false;
    answer = ask_from(rig, "198.51.100.9", "box1", "ssh", true);
    assert_true(!answer->door_ticket[0] && answer->relay_ticket[0] && !answer->punch_ticket[0] && !answer->knock[0]);
}

static void test_other_kinds(void **state) {
    struct rig *rig = *state;
    add(rig, CANDIDATE_MAPPED, "203.0.113.7", CANDIDATE_VERIFIED, 60);
    assert_int_equal(store_grant_add(rig->relay.store, rig->bob_id, rig->box_id, "jupyter", 1), 0);
    load_bob(rig);
    const struct answer *answer = ask_from(rig, "198.51.100.9", "box1", "jupyter", true);
    assert_string_equal(answer->kind, "http");
    assert_int_equal(answer->port, 8888);
    assert_int_equal(answer->way_count, 0);
    assert_true(!answer->door_ticket[0] && !answer->relay_ticket[0] && !answer->punch_ticket[0] && !answer->knock[0]);
    assert_non_null(strstr(answer->reason, "only services of kind ssh"));
}

static void test_host_keys_the_best_first(void **state) {
    struct rig *rig = *state;
    char ecdsa[] = ECDSA, ed25519[] = ED25519, *lines[] = {ecdsa, ecdsa, ecdsa, ecdsa, ecdsa, ed25519};
    char *huge = calloc(1, ASK_HOST_KEY_SIZE + 10);
    memcpy(rig->host_keys, lines, sizeof lines);
    rig->box.host_key_count = 6;
    const struct answer *answer = ask_for(rig, "box1", "ssh");
    assert_int_equal(answer->host_key_count, ASK_HOST_KEYS_MAX);
    assert_string_equal(answer->host_keys[0], ED25519);
    assert_string_equal(answer->host_keys[3], ECDSA);
    memset(huge, 'x', ASK_HOST_KEY_SIZE + 5);
    rig->host_keys[0] = huge;
    rig->box.host_key_count = 1;
    assert_int_equal(ask_for(rig, "box1", "ssh")->host_key_count, 0);
    free(huge);
}

/* The operator has no account: he learns what there is, but gets nothing to go there with. */
static void test_the_operator(void **state) {
    struct rig *rig = *state;
    struct policy_subject subject = {.kind = SUBJECT_OPERATOR};
    struct verb_actor actor = {.kind = SUBJECT_OPERATOR, .address = ""};
    struct buf out;
    struct why why = {""};
    buf_init(&out);
    assert_int_equal(ask_run(&rig->relay, &actor, "operator", &subject, "box1", "ssh", &out, &why), 0);
    assert_non_null(strstr(buf_string(&out), "\"port\":22"));
    assert_null(strstr(buf_string(&out), "ticket"));
    assert_null(strstr(buf_string(&out), "ask_key"));
    assert_null(strstr(buf_string(&out), "knock"));
    buf_fini(&out);
    assert_int_equal(ask_run(&rig->relay, &actor, "operator", &subject, "box9", "ssh", &out, &why), SP_ENOENT);
    assert_non_null(strstr(why.text, "there is no machine"));
    assert_non_null(strstr(buf_string(&out), "\"error\""));
    buf_fini(&out);
    char long_name[100];
    memset(long_name, 'a', sizeof long_name);
    long_name[99] = '\0';
    assert_int_equal(ask_run(&rig->relay, &actor, "operator", &subject, long_name, "ssh", &out, &why), SP_ENOENT);
}

#define rig_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        rig_test(test_all_of_it),
        rig_test(test_denials),
        rig_test(test_only_what_was_proved),
        rig_test(test_home_is_for_those_at_home),
        rig_test(test_tickets_as_the_agent_can),
        rig_test(test_other_kinds),
        rig_test(test_host_keys_the_best_first),
        rig_test(test_the_operator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
