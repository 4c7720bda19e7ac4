/* Users: added whole or not at all, one namespace with machines, gone with everything of theirs. */
#include "place.h"

#include "sallyport/store/grants.h"
#include "sallyport/store/invites.h"
#include "sallyport/store/logins.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"

static void test_add(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct key_text key = place_key('a');
    struct key_owner owner;
    struct user user, *list;
    size_t count;
    int64_t alice = 0, bob = 0;
    assert_int_equal(store_user_add(store, "bob", ROLE_MEMBER, NULL, 50, &bob, NULL), 0);
    assert_int_equal(store_user_add(store, "alice", ROLE_ADMIN, &key, 100, &alice, NULL), 0);
    assert_int_equal(store_user_get(store, alice, &user), 0);
    assert_string_equal(user.name, "alice");
    assert_int_equal(user.role, ROLE_ADMIN);
    assert_int_equal(user.created, 100);
    assert_false(user.disabled);
    assert_int_equal(store_key_find(store, key.fingerprint, &owner), 0);
    assert_int_equal(owner.kind, KEY_OWNER_USER);
    assert_int_equal(owner.id, alice);
    assert_int_equal(store_user_list(store, &list, &count), 0);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].name, "alice");
    assert_string_equal(list[1].name, "bob");
    free(list);
    assert_int_equal(store_user_find(store, "carol", &user), SP_ENOENT);
    assert_int_equal(store_user_get(store, 99, &user), SP_ENOENT);
}

static void test_taken(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct key_text key = place_key('a');
    struct why why = {""};
    struct user user;
    int64_t id = 4242, other;
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, &key, 100, &other, NULL), 0);
    assert_int_equal(store_machine_add(store, "box1", NULL, 100, &other, NULL), 0);
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, NULL, 100, &id, &why), SP_EEXIST);
    assert_string_equal(why.text, "the name 'alice' is taken already");
    assert_int_equal(store_user_add(store, "box1", ROLE_MEMBER, NULL, 100, &id, &why), SP_EEXIST);
    assert_string_equal(why.text, "the name 'box1' is taken already");
    /* With a key that is somebody's, the user is not added either. */
    assert_int_equal(store_user_add(store, "bob", ROLE_MEMBER, &key, 100, &id, &why), SP_EEXIST);
    assert_non_null(strstr(why.text, "this key is registered already"));
    assert_null(strstr(why.text, "alice"));
    assert_int_equal(store_user_find(store, "bob", &user), SP_ENOENT);
    assert_int_equal(id, 4242);
}

static void test_remove(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct key_text key = place_key('a'), key2 = place_key('b');
    uint8_t hash[STORE_HASH_SIZE], token[STORE_HASH_SIZE];
    struct invite invite = {.kind = INVITE_USER, .name = "alice", .created = 100, .expires = 9000};
    struct invite_result result;
    struct key_owner owner;
    struct session session;
    struct grant *grants;
    size_t count;
    struct user user;
    struct why why;
    int64_t alice, box, id;
    place_hash(hash, 1);
    place_hash(token, 2);
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, &key, 100, &alice, NULL), 0);
    assert_int_equal(store_machine_add(store, "box1", NULL, 100, &box, NULL), 0);
    assert_int_equal(store_grant_add(store, alice, box, "", 100), 0);
    assert_int_equal(store_login_add(store, hash, alice, 100, 9000), 0);
    assert_int_equal(store_session_add(store, hash, alice, 100, 9000, "", "", &id), 0);
    assert_int_equal(store_invite_add(store, token, &invite, NULL), 0);
    assert_int_equal(store_user_remove(store, alice), 0);
    assert_int_equal(store_user_remove(store, alice), SP_ENOENT);
    assert_int_equal(store_key_find(store, key.fingerprint, &owner), 0);
    assert_int_equal(owner.kind, KEY_OWNER_NONE);
    assert_int_equal(store_grant_list(store, alice, &grants, &count), 0);
    assert_int_equal(count, 0);
    free(grants);
    assert_int_equal(store_login_redeem(store, hash, 200, &user, &why), SP_ENOENT);
    assert_int_equal(store_session_find(store, hash, 200, 1000, &session), SP_ENOENT);
    /* The invite for a further key of hers does not bring her back. */
    assert_int_equal(store_invite_redeem(store, token, &key2, 200, &result, &why), SP_ENOENT);
    /* Nor does a new user of her name get what was hers. */
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, NULL, 300, &id, NULL), 0);
    assert_true(id > alice);
}

static void test_disable(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct key_text key = place_key('a');
    uint8_t hash[STORE_HASH_SIZE];
    struct key_owner owner;
    struct session session;
    struct user user;
    struct why why;
    int64_t alice, bob, id, admins;
    place_hash(hash, 1);
    assert_int_equal(store_user_add(store, "alice", ROLE_ADMIN, &key, 100, &alice, NULL), 0);
    assert_int_equal(store_user_add(store, "bob", ROLE_ADMIN, NULL, 100, &bob, NULL), 0);
    assert_int_equal(store_login_add(store, hash, alice, 100, 9000), 0);
    assert_int_equal(store_session_add(store, hash, alice, 100, 9000, "", "", &id), 0);
    assert_int_equal(store_user_count_admins(store, &admins), 0);
    assert_int_equal(admins, 2);
    assert_int_equal(store_user_set_disabled(store, alice, true), 0);
    assert_int_equal(store_user_count_admins(store, &admins), 0);
    assert_int_equal(admins, 1);
    assert_int_equal(store_key_find(store, key.fingerprint, &owner), 0);
    assert_true(owner.disabled);
    assert_int_equal(owner.role, ROLE_ADMIN);
    assert_int_equal(store_user_set_disabled(store, alice, false), 0);
    assert_int_equal(store_session_find(store, hash, 200, 1000, &session), SP_ENOENT);
    assert_int_equal(store_login_redeem(store, hash, 200, &user, &why), SP_ENOENT);
    assert_int_equal(store_user_set_disabled(store, 99, true), SP_ENOENT);
}

static void test_subject(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct policy_subject subject = {.kind = SUBJECT_NOBODY};
    int64_t alice, box;
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, NULL, 100, &alice, NULL), 0);
    assert_int_equal(store_machine_add(store, "box1", NULL, 100, &box, NULL), 0);
    assert_int_equal(store_grant_add(store, alice, box, "jupyter", 100), 0);
    assert_int_equal(store_user_subject(store, alice, &subject), 0);
    struct policy_request request = {ACTION_REACH_SERVICE, box, "jupyter"};
    assert_true(policy_allows(&subject, &request));
    request.service = "ssh";
    assert_false(policy_allows(&subject, &request));
    policy_subject_fini(&subject);
    assert_int_equal(store_user_set_disabled(store, alice, true), 0);
    assert_int_equal(store_user_subject(store, alice, &subject), 0);
    request.service = "jupyter";
    assert_false(policy_allows(&subject, &request));
    policy_subject_fini(&subject);
    assert_int_equal(store_user_subject(store, 99, &subject), SP_ENOENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        place_test(test_add),     place_test(test_taken),   place_test(test_remove),
        place_test(test_disable), place_test(test_subject),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
