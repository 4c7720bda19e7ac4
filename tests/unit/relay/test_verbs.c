/* The verbs in general: what they show to whom, wrong usage, what is for admins only. */
#include "verbs_rig.h"

static void test_list(void **state) {
    struct rig *rig = *state;
    assert_int_equal(run(rig, &rig->alice, "list"), 0);
    assert_string_equal(out(rig), "NAME  STATE    SINCE  ROUTE    LOAD  MEM  GPU  DISK  SERVICES\n"
                                  "box1  online   1 min  relayed  -     -    -    -     ssh:22 jupyter:8888\n"
                                  "box2  offline  never  -        -     -    -    -     -\n");
    assert_int_equal(run(rig, &rig->bob, ""), 0);
    assert_string_equal(out(rig), "NAME  STATE   SINCE  ROUTE    LOAD  MEM  GPU  DISK  SERVICES\n"
                                  "box1  online  1 min  relayed  -     -    -    -     jupyter:8888\n");
    assert_non_null(strstr(err(rig), "'help' lists the verbs"));
    json_t *list = run_json(rig, &rig->bob, "list --json");
    assert_int_equal(json_array_size(list), 1);
    json_t *services = json_object_get(json_array_get(list, 0), "services");
    assert_int_equal(json_array_size(services), 1);
    json_decref(list);
    assert_int_equal(store_grant_remove(rig->verbs.source.store, rig->bob.user_id, rig->box1, ""), 0);
    assert_int_equal(run(rig, &rig->bob, "list"), 0);
    assert_string_equal(out(rig), "");
    assert_non_null(strstr(err(rig), "no machine was granted to you"));
    list = run_json(rig, &rig->bob, "list --json");
    assert_int_equal(json_array_size(list), 0);
    json_decref(list);
}

/* What a member may not see is answered as what is not there, word for word. */
static void test_status(void **state) {
    struct rig *rig = *state;
    char hidden[200];
    assert_int_equal(run(rig, &rig->bob, "status box2"), 1);
    snprintf(hidden, sizeof(hidden), "%s", err(rig));
    *strchr(hidden, '2') = '3';
    assert_int_equal(run(rig, &rig->bob, "status box3"), 1);
    assert_string_equal(err(rig), hidden);
    assert_int_equal(run(rig, &rig->bob, "status box1"), 0);
    assert_non_null(strstr(out(rig), "box1 is online for 1 min"));
    assert_null(strstr(out(rig), "ssh"));
    json_t *box = run_json(rig, &rig->operator, "status box2 --json");
    assert_string_equal(json_string_value(json_object_get(box, "name")), "box2");
    json_decref(box);
}

static void test_ticket(void **state) {
    struct rig *rig = *state;
    assert_int_equal(run(rig, &rig->bob, "ticket box1"), 0);
    assert_string_equal(out(rig), "box1/ssh for bob\n");
    assert_int_equal(run(rig, &rig->bob, "ticket box1/jupyter"), 0);
    assert_string_equal(out(rig), "box1/jupyter for bob\n");
    expect(rig, &rig->bob, "ticket box2", 1, "no box2");
    expect(rig, &rig->bob, "ticket box1/", 1, "a service name");
    expect(rig, &rig->bob, "ticket", 2, "usage: ticket BOX");
    expect(rig, &rig->bob, "ticket aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1,
           "BOX or BOX/SERVICE is wanted");
}

static void test_usage(void **state) {
    struct rig *rig = *state;
    expect(rig, &rig->alice, "lsit", 2, "did you mean 'list'?");
    expect(rig, &rig->alice, "statu", 2, "did you mean 'status'?");
    expect(rig, &rig->alice, "mach", 2, "did you mean 'machine'?");
    expect(rig, &rig->alice, "fly box1", 2, "there is no verb 'fly'; there are:\n  help");
    expect(rig, &rig->alice, "user", 2, "usage: user list [--json]\nusage: user add NAME");
    expect(rig, &rig->alice, "user kill bob", 2, "usage: user list");
    expect(rig, &rig->alice, "user add", 2, "usage: user add NAME");
    expect(rig, &rig->alice, "status", 2, "usage: status BOX");
    expect(rig, &rig->alice, "status box1 box2", 2, "usage: status BOX");
    expect(rig, &rig->alice, "status box1 --free", 2, "there is no option '--free' here");
    expect(rig, &rig->alice, "list 'open", 2, "a quote is not closed");
    expect(rig, &rig->alice, "list '\033[2J'", 2, "control characters");
    expect(rig, &rig->alice, "invite machine box3 --for soon", 2, "not 'soon'");
    expect(rig, &rig->alice, "invite machine box3 --for", 2, "not ''");
    expect(rig, &rig->alice, "invite machine box3 --for=31d", 2, "1 minute to 30 days");
    assert_int_equal(run(rig, &rig->alice, "user add --help"), 0);
    assert_non_null(strstr(out(rig), "usage: user add NAME"));
    assert_int_equal(run(rig, &rig->alice, "help"), 0);
    assert_non_null(strstr(out(rig), "invite machine NAME"));
    assert_int_equal(run(rig, &rig->alice, "help user add"), 0);
    assert_non_null(strstr(out(rig), "user add"));
    assert_null(strstr(out(rig), "user list"));
    expect(rig, &rig->alice, "help fly", 2, "no help on 'fly'");
    assert_int_equal(run(rig, &rig->bob, "--help"), 0);
    assert_non_null(strstr(out(rig), "login"));
    assert_null(strstr(out(rig), "invite"));
    assert_int_equal(rig->changes, 0);
}

static void test_policy(void **state) {
    static const char *const for_admins[] = {
        "user list",           "user add carol",      "user remove alice",  "user disable alice",
        "user enable alice",   "machine list",        "machine add box3 -", "machine rename box1 box9",
        "machine remove box1", "invite machine box3", "invite user carol",  "invite list",
        "invite remove 1",     "grant bob box2",      "revoke bob box1",
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < sizeof(for_admins) / sizeof(for_admins[0]); i++) {
        expect(rig, &rig->bob, for_admins[i], 1, "is for admins only");
        assert_string_equal(out(rig), "");
    }
    expect_audit(rig, "bob|revoke|bob|refused|policy");
    expect(rig, &rig->bob, "key list alice", 1, "what belongs to others is for admins only");
    expect(rig, &rig->bob, "key list nobody", 1, "what belongs to others is for admins only");
    expect(rig, &rig->bob, "key add alice '" KEY2 "'", 1, "what belongs to others is for admins only");
    expect(rig, &rig->bob, "key remove " PRINT1, 1, "there is no such key");
    expect(rig, &rig->bob, "key remove " PRINT2, 1, "there is no such key");
    expect(rig, &rig->operator, "login", 1, "the operator has no account");
    assert_int_equal(rig->changes, 0);
    assert_int_equal(store_user_set_disabled(rig->verbs.source.store, rig->bob.user_id, true), 0);
    expect(rig, &rig->bob, "list", 1, "this account is disabled");
    assert_int_equal(store_user_remove(rig->verbs.source.store, rig->bob.user_id), 0);
    expect(rig, &rig->bob, "list", 1, "this account is not there any more");
    struct verb_actor machine = {.kind = SUBJECT_MACHINE, .user_id = rig->alice.user_id}, nobody = {0};
    expect(rig, &machine, "list", 1, "this account is not there any more");
    expect(rig, &nobody, "list", 1, "this account is not there any more");
}

static void test_wants_input(void **state) {
    (void)state;
    assert_true(verbs_wants_input("key add -"));
    assert_true(verbs_wants_input("user add carol --admin '-'"));
    assert_false(verbs_wants_input("key add 'a - b'"));
    assert_false(verbs_wants_input("list"));
    assert_false(verbs_wants_input(""));
    assert_false(verbs_wants_input("key add '-"));
}

static void test_long(void **state) {
    struct rig *rig = *state;
    char line[20000];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    expect(rig, &rig->alice, line, 2, "that is too long");
    line[8000] = '\0';
    expect(rig, &rig->alice, line, 2, "there is no verb");
    for (size_t i = 1; i < 8000; i += 2)
        line[i] = ' ';
    expect(rig, &rig->alice, line, 2, "that is too long");
    char word[] = "list", *words[100];
    for (size_t i = 0; i < 100; i++)
        words[i] = word;
    buf_fini(&rig->err);
    assert_int_equal(verbs_run(&rig->verbs, &rig->alice, words, 100, NULL, 0, &rig->out, &rig->err), 2);
    assert_non_null(strstr(err(rig), "more than 64 words"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        rig_test(test_list),   rig_test(test_status),      rig_test(test_ticket), rig_test(test_usage),
        rig_test(test_policy), rig_test(test_wants_input), rig_test(test_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
