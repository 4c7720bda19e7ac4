/* user, key, grant, revoke, whoami: the people of the relay. */
#include "verbs_rig.h"

static void test_users(void **state) {
    struct rig *rig = *state;
    struct user user;
    expect(rig, &rig->alice, "user add carol --admin '" KEY2 "'", 0, "added the admin carol");
    expect_audit(rig, "alice|user add|carol|ok|admin, " PRINT2);
    expect(rig, &rig->alice, "user add dave " KEY3, 0, "added the member dave");
    expect(rig, &rig->alice, "user add ssh-fan --admin", 0, "without a key yet");
    assert_int_equal(store_user_find(rig->verbs.source.store, "ssh-fan", &user), 0);
    assert_int_equal(user.role, ROLE_ADMIN);
    assert_int_equal(run_input(rig, &rig->operator, "user add erin -", KEY4 "\r\n"), 0);
    expect(rig, &rig->alice, "user add carol", 1, "the name 'carol' is taken already");
    expect_audit(rig, "alice|user add|carol|failed|member");
    expect(rig, &rig->alice, "user add box1", 1, "the name 'box1' is taken already");
    expect(rig, &rig->alice, "user add Frank", 1, "a name begins with a letter a-z");
    expect(rig, &rig->alice, "user add root", 1, "reserved");
    expect(rig, &rig->alice, "user add frank " KEY2, 1, "this key is registered already");
    expect(rig, &rig->alice, "user add '" KEY2 "'", 1, "the name comes first");
    expect(rig, &rig->alice, "user add frank ssh-ed25519 AAAAcut", 1, "");
    expect(rig, &rig->alice, "user disable carol", 0, "carol is disabled now");
    assert_int_equal(rig->changes, 1);
    expect(rig, &rig->alice, "user remove carol", 0, "removed carol");
    assert_int_equal(rig->changes, 2);
    expect(rig, &rig->alice, "user remove carol", 1, "there is no user 'carol'");
    json_t *list = run_json(rig, &rig->alice, "user list --json");
    assert_int_equal(json_array_size(list), 5);
    json_t *bob = json_array_get(list, 1);
    json_t *want = json_loads("{\"name\":\"bob\",\"role\":\"member\",\"disabled\":false,\"keys\":0,"
                              "\"grants\":[\"box1/jupyter\"],\"created\":\"2026-11-23T10:00:00Z\"}",
                              0, NULL);
    assert_true(json_equal(bob, want));
    json_decref(want);
    json_decref(list);
    assert_int_equal(run(rig, &rig->alice, "user list"), 0);
    assert_non_null(strstr(out(rig), "bob      member  enabled  0     2026-11-23T10:00:00Z  box1/jupyter\n"));
}

/* Whose streams past the relay were ended by what was run before; "": nobody's. */
static void expect_lost(struct rig *rig, const char *wanted) {
    assert_string_equal(rig->lost, wanted);
    rig->lost[0] = '\0';
}

static void test_last_admin(void **state) {
    struct rig *rig = *state;
    expect(rig, &rig->alice, "user remove alice", 1, "alice is the last admin");
    expect_audit(rig, "alice|user remove|alice|refused|the last admin");
    expect(rig, &rig->alice, "user disable alice", 1, "alice is the last admin");
    expect(rig, &rig->operator, "user add carol --admin", 0, "added");
    expect(rig, &rig->operator, "user disable carol", 0, "disabled");
    expect_lost(rig, "carol all");
    expect(rig, &rig->operator, "user enable carol", 0, "enabled");
    expect_lost(rig, "");
    expect(rig, &rig->operator, "user disable carol", 0, "disabled");
    expect_lost(rig, "carol all");
    expect(rig, &rig->alice, "user disable alice", 1, "alice is the last admin");
    expect(rig, &rig->alice, "user remove carol", 0, "removed"); /* a disabled one is none */
    expect_lost(rig, "carol all");
    expect(rig, &rig->operator, "user remove alice", 0, "removed alice");
}

static void test_the_last_admins_last_key(void **state) {
    struct rig *rig = *state;
    expect(rig, &rig->alice, "key remove " PRINT1, 1, "alice is the last admin");
    expect_audit(rig, "alice|key remove|alice|refused|the last admin");
    expect(rig, &rig->operator, "key add bob " KEY2, 0, "for bob");
    expect(rig, &rig->alice, "key remove " PRINT2, 0, "of bob");
    expect(rig, &rig->operator, "key add alice " KEY3, 0, "for alice");
    expect(rig, &rig->alice, "key remove " PRINT1, 0, "of alice");
    expect(rig, &rig->alice, "key remove " PRINT3, 1, "alice is the last admin");
    expect(rig, &rig->operator, "key remove " PRINT3, 0, "of alice");
}

static void test_keys(void **state) {
    struct rig *rig = *state;
    struct key_owner owner;
    expect(rig, &rig->bob, "key add '" KEY2 "'", 0, "added " PRINT2 " for bob");
    expect_audit(rig, "bob|key add|bob|ok|" PRINT2);
    expect(rig, &rig->bob, "key add bob " KEY3, 0, "added " PRINT3 " for bob");
    expect(rig, &rig->bob, "key add '" KEY2 "'", 1, "this key is registered already");
    expect(rig, &rig->alice, "key add box1 " KEY4, 0, "for box1");
    expect(rig, &rig->alice, "key add nobody " KEY4, 1, "there is no user or machine 'nobody'");
    expect(rig, &rig->operator, "key add '" KEY4 "'", 1, "whose key is it?");
    expect(rig, &rig->bob, "key add bob", 1, "a public key is wanted");
    assert_int_equal(run_input(rig, &rig->bob, "key add -", ""), 1);
    assert_non_null(strstr(err(rig), "no key came on standard input"));
    assert_int_equal(run_input(rig, &rig->bob, "key add -", KEY3 "\n" KEY4 "\n"), 1);
    assert_non_null(strstr(err(rig), "one key at a time"));
    json_t *list = run_json(rig, &rig->bob, "key list --json");
    assert_int_equal(json_array_size(list), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "fingerprint")), PRINT2);
    json_decref(list);
    assert_int_equal(run(rig, &rig->operator, "key list"), 0);
    assert_non_null(strstr(out(rig), "box1   SHA256:"));
    assert_non_null(strstr(out(rig), "alice  " PRINT1));
    assert_int_equal(run(rig, &rig->alice, "key list bob"), 0);
    assert_null(strstr(out(rig), "alice"));
    expect(rig, &rig->bob, "key remove " PRINT2, 0, "removed " PRINT2 " of bob");
    assert_int_equal(rig->changes, 1);
    expect_lost(rig, "bob all");
    expect(rig, &rig->alice, "key remove " PRINT3, 0, "of bob");
    assert_int_equal(store_key_find(rig->verbs.source.store, PRINT3, &owner), 0);
    assert_int_equal(owner.kind, KEY_OWNER_NONE);
    expect_lost(rig, "bob all");
    expect(rig, &rig->alice, "key remove " PRINT3, 1, "there is no such key");
    expect_lost(rig, "");
}

static void test_grants(void **state) {
    struct rig *rig = *state;
    expect(rig, &rig->alice, "grant bob box2/ssh", 0, "bob may reach box2/ssh now");
    expect_audit(rig, "alice|grant|bob|ok|box2/ssh");
    expect(rig, &rig->alice, "grant bob box1", 0, "bob may reach box1 now");
    assert_int_equal(run(rig, &rig->bob, "whoami"), 0);
    assert_string_equal(out(rig), "bob (member)\nmay reach box1\nmay reach box1/jupyter\nmay reach box2/ssh\n");
    expect(rig, &rig->alice, "revoke bob box1/ssh", 1, "bob was granted all of box1: 'revoke bob box1'");
    expect_lost(rig, "");
    expect(rig, &rig->alice, "revoke bob box1", 0, "took box1 back from bob");
    expect_lost(rig, "bob");
    expect(rig, &rig->alice, "revoke bob box1", 1, "bob has no such grant");
    expect(rig, &rig->alice, "revoke alice box1", 1, "reaches every machine as an admin");
    expect(rig, &rig->alice, "grant carol box1", 1, "there is no user 'carol'");
    expect(rig, &rig->alice, "grant box1 box1", 1, "there is no user 'box1'");
    expect(rig, &rig->alice, "grant bob box9/ssh", 1, "there is no machine 'box9'");
    expect(rig, &rig->alice, "grant bob box1/", 1, "a service name");
    expect(rig, &rig->alice, "grant bob box1/a/b", 1, "a service name");
    expect(rig, &rig->alice,
           "grant bob box1/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1,
           "BOX or BOX/SERVICE is wanted");
    json_t *me = run_json(rig, &rig->bob, "whoami --json");
    json_t *want = json_loads("{\"name\":\"bob\",\"role\":\"member\",\"grants\":[\"box2/ssh\"]}", 0, NULL);
    assert_true(json_equal(me, want));
    json_decref(me);
    json_decref(want);
    assert_int_equal(run(rig, &rig->alice, "whoami"), 0);
    assert_string_equal(out(rig), "alice (admin)\nmay reach every machine\n");
    assert_int_equal(run(rig, &rig->operator, "whoami"), 0);
    assert_string_equal(out(rig), "operator (operator)\nmay reach every machine\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        rig_test(test_users), rig_test(test_last_admin), rig_test(test_the_last_admins_last_key),
        rig_test(test_keys),  rig_test(test_grants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
