/* Machines: the same namespace as users, renamed and removed with what hangs on them. */
#include "place.h"

#include "sallyport/store/grants.h"
#include "sallyport/store/invites.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"

static void test_add(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct key_text key = place_key('a');
    struct machine machine, *list;
    struct key_owner owner;
    struct why why = {""};
    size_t count;
    int64_t box = 0, id;
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, NULL, 100, &id, NULL), 0);
    assert_int_equal(store_machine_add(store, "box1", &key, 100, &box, NULL), 0);
    assert_int_equal(store_machine_find(store, "box1", &machine), 0);
    assert_int_equal(machine.id, box);
    assert_int_equal(machine.created, 100);
    assert_int_equal(machine.last_seen, 0);
    assert_int_equal(store_key_find(store, key.fingerprint, &owner), 0);
    assert_int_equal(owner.kind, KEY_OWNER_MACHINE);
    assert_string_equal(owner.name, "box1");
    assert_int_equal(store_machine_add(store, "box1", NULL, 100, &id, &why), SP_EEXIST);
    assert_string_equal(why.text, "the name 'box1' is taken already");
    assert_int_equal(store_machine_add(store, "alice", NULL, 100, &id, &why), SP_EEXIST);
    assert_string_equal(why.text, "the name 'alice' is taken already");
    assert_int_equal(store_machine_add(store, "box2", &key, 100, &id, &why), SP_EEXIST);
    assert_int_equal(store_machine_find(store, "box2", &machine), SP_ENOENT);
    assert_int_equal(store_machine_list(store, &list, &count), 0);
    assert_int_equal(count, 1);
    free(list);
}

static void test_rename(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct invite invite = {.kind = INVITE_MACHINE, .name = "box1", .created = 100, .expires = 9000};
    struct key_text key = place_key('a');
    struct invite_result result;
    uint8_t token[STORE_HASH_SIZE];
    struct machine machine;
    struct why why = {""};
    int64_t box, other;
    place_hash(token, 1);
    assert_int_equal(store_machine_add(store, "box1", NULL, 100, &box, NULL), 0);
    assert_int_equal(store_machine_add(store, "box2", NULL, 100, &other, NULL), 0);
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, NULL, 100, &other, NULL), 0);
    assert_int_equal(store_invite_add(store, token, &invite, NULL), 0);
    assert_int_equal(store_machine_rename(store, box, "box2", &why), SP_EEXIST);
    assert_int_equal(store_machine_rename(store, box, "alice", &why), SP_EEXIST);
    assert_string_equal(why.text, "the name 'alice' is taken already");
    assert_int_equal(store_machine_rename(store, 99, "box9", &why), SP_ENOENT);
    assert_int_equal(store_machine_rename(store, box, "tower", &why), 0);
    assert_int_equal(store_machine_get(store, box, &machine), 0);
    assert_string_equal(machine.name, "tower");
    assert_int_equal(store_invite_redeem(store, token, &key, 200, &result, &why), 0);
    assert_int_equal(result.id, box);
    assert_string_equal(result.name, "tower");
    assert_true(result.replaced);
}

static void test_remove(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct invite invite = {.kind = INVITE_MACHINE, .name = "box1", .created = 100, .expires = 9000};
    struct key_text key = place_key('a');
    struct invite_result result;
    uint8_t token[STORE_HASH_SIZE];
    struct key_owner owner;
    struct grant *grants;
    struct why why;
    size_t count;
    int64_t box, alice;
    place_hash(token, 1);
    assert_int_equal(store_machine_add(store, "box1", &key, 100, &box, NULL), 0);
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, NULL, 100, &alice, NULL), 0);
    assert_int_equal(store_grant_add(store, alice, box, "", 100), 0);
    assert_int_equal(store_invite_add(store, token, &invite, NULL), 0);
    assert_int_equal(store_machine_remove(store, box), 0);
    assert_int_equal(store_machine_remove(store, box), SP_ENOENT);
    assert_int_equal(store_key_find(store, key.fingerprint, &owner), 0);
    assert_int_equal(owner.kind, KEY_OWNER_NONE);
    assert_int_equal(store_grant_list(store, alice, &grants, &count), 0);
    assert_int_equal(count, 0);
    free(grants);
    assert_int_equal(store_invite_redeem(store, token, &key, 200, &result, &why), SP_ENOENT);
}

static void test_seen(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct machine machine;
    int64_t ids[3] = {0, 99, 0};
    assert_int_equal(store_machine_add(store, "box1", NULL, 100, &ids[0], NULL), 0);
    assert_int_equal(store_machine_add(store, "box2", NULL, 100, &ids[2], NULL), 0);
    assert_int_equal(store_machine_seen(store, ids, 3, 500), 0);
    assert_int_equal(store_machine_seen(store, ids, 1, 400), 0);
    assert_int_equal(store_machine_seen(store, NULL, 0, 900), 0);
    assert_int_equal(store_machine_get(store, ids[0], &machine), 0);
    assert_int_equal(machine.last_seen, 500);
    assert_int_equal(store_machine_get(store, ids[2], &machine), 0);
    assert_int_equal(machine.last_seen, 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        place_test(test_add),
        place_test(test_rename),
        place_test(test_remove),
        place_test(test_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
