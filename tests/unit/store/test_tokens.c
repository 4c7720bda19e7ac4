/* API tokens: whose they are, how many, and their end. */
#include "place.h"

#include "sallyport/store/tokens.h"
#include "sallyport/store/users.h"

static void test_token(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct api_token token = {.id = 4242}, found = {.id = 4242};
    struct user user = {.id = 4242};
    uint8_t hash[STORE_HASH_SIZE];
    char label[65];
    int64_t alice;
    place_hash(hash, 0xa5);
    memset(label, 'x', 64);
    label[64] = '\0';
    assert_int_equal(store_user_add(store, "alice", ROLE_ADMIN, NULL, 100, &alice, NULL), 0);
    assert_int_equal(store_token_add(store, hash, 99, "script", 200, &token), SP_ENOENT);
    assert_int_equal(store_token_add(store, hash, alice, label, 200, &token), SP_EINVAL);
    assert_int_equal(token.id, 4242);
    assert_int_equal(store_token_find(store, hash, &found, &user), SP_ENOENT);
    assert_int_equal(store_token_add(store, hash, alice, "script", 200, &token), 0);
    assert_string_equal(token.fingerprint, "API:a5a5a5a5a5a5a5a5");
    assert_int_equal(store_token_find(store, hash, &found, &user), 0);
    assert_int_equal(found.id, token.id);
    assert_int_equal(found.user_id, alice);
    assert_string_equal(found.label, "script");
    assert_int_equal(found.created, 200);
    assert_int_equal(found.last_used, 0);
    assert_string_equal(user.name, "alice");
    assert_int_equal(store_token_touch(store, token.id, 300), 0);
    assert_int_equal(store_token_touch(store, token.id, 250), 0);
    assert_int_equal(store_token_get(store, "API:a5a5a5a5a5a5a5a5", &found), 0);
    assert_int_equal(found.last_used, 300);
    assert_int_equal(store_token_get(store, "API:a5", &found), SP_ENOENT);
    assert_int_equal(store_token_remove(store, token.id), 0);
    assert_int_equal(store_token_remove(store, token.id), SP_ENOENT);
    assert_int_equal(store_token_find(store, hash, &found, &user), SP_ENOENT);
}

static void test_owners(void **state) {
    struct store *store = ((struct place *)*state)->store;
    uint8_t hash[STORE_HASH_SIZE];
    struct api_token *tokens, found = {.id = 4242};
    struct user user = {.id = 4242};
    size_t count;
    int64_t alice, bob;
    assert_int_equal(store_user_add(store, "alice", ROLE_ADMIN, NULL, 100, &alice, NULL), 0);
    assert_int_equal(store_user_add(store, "bob", ROLE_MEMBER, NULL, 100, &bob, NULL), 0);
    for (uint8_t i = 0; i < 3; i++) {
        place_hash(hash, i);
        assert_int_equal(store_token_add(store, hash, i == 1 ? bob : alice, "", 100, NULL), 0);
    }
    assert_int_equal(store_token_list(store, alice, &tokens, &count), 0);
    assert_int_equal(count, 2);
    assert_string_equal(tokens[0].fingerprint, "API:0000000000000000");
    assert_string_equal(tokens[1].fingerprint, "API:0202020202020202");
    free(tokens);
    assert_int_equal(store_token_list(store, 0, &tokens, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(tokens[1].user_id, bob);
    free(tokens);
    /* As with keys: who is locked out may come back with them. */
    place_hash(hash, 1);
    assert_int_equal(store_user_set_disabled(store, bob, true), 0);
    assert_int_equal(store_token_find(store, hash, &found, &user), SP_EDENIED);
    assert_int_equal(found.id, 4242);
    assert_int_equal(user.id, 4242);
    assert_int_equal(store_user_set_disabled(store, bob, false), 0);
    assert_int_equal(store_token_find(store, hash, &found, &user), 0);
    assert_int_equal(store_user_remove(store, bob), 0);
    assert_int_equal(store_token_find(store, hash, &found, &user), SP_ENOENT);
    assert_int_equal(store_token_list(store, 0, &tokens, &count), 0);
    assert_int_equal(count, 2);
    free(tokens);
}

static void test_too_many(void **state) {
    struct store *store = ((struct place *)*state)->store;
    uint8_t hash[STORE_HASH_SIZE];
    struct api_token token;
    int64_t alice, bob;
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, NULL, 100, &alice, NULL), 0);
    assert_int_equal(store_user_add(store, "bob", ROLE_MEMBER, NULL, 100, &bob, NULL), 0);
    for (uint8_t i = 0; i < STORE_TOKENS_MAX; i++) {
        place_hash(hash, i);
        assert_int_equal(store_token_add(store, hash, alice, "", 100, &token), 0);
    }
    place_hash(hash, 200);
    assert_int_equal(store_token_add(store, hash, alice, "", 100, NULL), SP_ETOOBIG);
    assert_int_equal(store_token_add(store, hash, bob, "", 100, NULL), 0);
    assert_int_equal(store_token_remove(store, token.id), 0);
    place_hash(hash, 201);
    assert_int_equal(store_token_add(store, hash, alice, "", 100, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        place_test(test_token),
        place_test(test_owners),
        place_test(test_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
