/* One-time logins and browser sessions. */
#include "place.h"

#include "sallyport/store/logins.h"
#include "sallyport/store/users.h"

static void test_code(void **state) {
    struct store *store = ((struct place *)*state)->store;
    uint8_t hash[STORE_HASH_SIZE];
    struct why why = {""};
    struct user user = {.id = 4242};
    int64_t alice;
    place_hash(hash, 1);
    assert_int_equal(store_user_add(store, "alice", ROLE_ADMIN, NULL, 100, &alice, NULL), 0);
    assert_int_equal(store_login_add(store, hash, 99, 100, 700), SP_ENOENT);
    assert_int_equal(store_login_add(store, hash, alice, 100, 700), 0);
    assert_int_equal(store_login_redeem(store, hash, 700, &user, &why), SP_EEXPIRED);
    assert_non_null(strstr(why.text, "has expired"));
    assert_int_equal(user.id, 4242);
    assert_int_equal(store_login_redeem(store, hash, 699, &user, &why), 0);
    assert_int_equal(user.id, alice);
    assert_string_equal(user.name, "alice");
    assert_int_equal(store_login_redeem(store, hash, 699, &user, &why), SP_EEXPIRED);
    assert_non_null(strstr(why.text, "was used already"));
    place_hash(hash, 2);
    assert_int_equal(store_login_redeem(store, hash, 200, &user, &why), SP_ENOENT);
    assert_non_null(strstr(why.text, "not known"));
}

static void test_session(void **state) {
    struct store *store = ((struct place *)*state)->store;
    uint8_t hash[STORE_HASH_SIZE];
    struct session session = {.id = 4242};
    char agent[400];
    int64_t alice, id;
    place_hash(hash, 1);
    memset(agent, 'x', sizeof(agent) - 1);
    agent[sizeof(agent) - 1] = '\0';
    assert_int_equal(store_user_add(store, "alice", ROLE_ADMIN, NULL, 100, &alice, NULL), 0);
    assert_int_equal(store_session_add(store, hash, 99, 100, 10000, "", NULL, &id), SP_ENOENT);
    assert_int_equal(store_session_add(store, hash, alice, 100, 10000, "::1", agent, &id), 0);
    assert_int_equal(store_session_find(store, hash, 200, 1000, &session), 0);
    assert_int_equal(session.id, id);
    assert_int_equal(session.user.id, alice);
    assert_int_equal(session.last_used, 100);
    assert_int_equal(session.expires, 10000);
    assert_int_equal(store_session_find(store, hash, 1099, 1000, &session), 0);
    assert_int_equal(store_session_find(store, hash, 1100, 1000, &session), SP_EEXPIRED);
    assert_int_equal(store_session_touch(store, id, 9500), 0);
    assert_int_equal(store_session_touch(store, id, 9000), 0);
    assert_int_equal(store_session_find(store, hash, 9999, 1000, &session), 0);
    assert_int_equal(session.last_used, 9500);
    assert_int_equal(store_session_find(store, hash, 10000, 1000, &session), SP_EEXPIRED);
    place_hash(hash, 2);
    assert_int_equal(store_session_find(store, hash, 200, 1000, &session), SP_ENOENT);
    assert_int_equal(store_session_remove(store, id), 0);
    assert_int_equal(store_session_remove(store, id), SP_ENOENT);
    place_hash(hash, 1);
    assert_int_equal(store_session_find(store, hash, 200, 1000, &session), SP_ENOENT);
}

static void test_too_many(void **state) {
    struct store *store = ((struct place *)*state)->store;
    uint8_t hash[STORE_HASH_SIZE];
    struct session session;
    int64_t alice, bob, ids[STORE_SESSIONS_MAX], id;
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, NULL, 100, &alice, NULL), 0);
    assert_int_equal(store_user_add(store, "bob", ROLE_MEMBER, NULL, 100, &bob, NULL), 0);
    place_hash(hash, 200);
    assert_int_equal(store_session_add(store, hash, bob, 1, 10000, "", "", &id), 0);
    for (uint8_t i = 0; i < STORE_SESSIONS_MAX; i++) {
        place_hash(hash, i);
        assert_int_equal(store_session_add(store, hash, alice, 100, 10000, "", "", &ids[i]), 0);
    }
    assert_int_equal(store_session_touch(store, ids[0], 300), 0);
    place_hash(hash, 100);
    assert_int_equal(store_session_add(store, hash, alice, 50, 10000, "", "", &id), 0); /* a clock that went back */
    assert_int_equal(store_session_find(store, hash, 200, 1000, &session), 0);
    for (uint8_t i = 0; i < STORE_SESSIONS_MAX; i++) {
        place_hash(hash, i);
        assert_int_equal(store_session_find(store, hash, 200, 1000, &session), i == 1 ? SP_ENOENT : 0);
    }
    place_hash(hash, 200);
    assert_int_equal(store_session_find(store, hash, 200, 1000, &session), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        place_test(test_code),
        place_test(test_session),
        place_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
