/* Invites: a token lets in once, in time, and either uses itself up and registers the key, or neither. */
#include "place.h"

#include <sqlite3.h>

#include "sallyport/store/invites.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"

static int64_t add_invite(struct store *store, uint8_t fill, enum invite_kind kind, const char *name, enum role role) {
    struct invite invite = {.kind = kind, .role = role, .created_by = "root", .created = 100, .expires = 1000};
    uint8_t hash[STORE_HASH_SIZE];
    struct why why = {""};
    place_hash(hash, fill);
    snprintf(invite.name, sizeof(invite.name), "%s", name);
    if (store_invite_add(store, hash, &invite, &why))
        fail_msg("%s", why.text);
    assert_true(invite.id > 0);
    return invite.id;
}

static int redeem(struct store *store, uint8_t fill, char key_letter, int64_t now, struct invite_result *out,
                  struct why *why) {
    struct key_text key = place_key(key_letter);
    uint8_t hash[STORE_HASH_SIZE];
    place_hash(hash, fill);
    return store_invite_redeem(store, hash, &key, now, out, why);
}

static struct key_owner owner_of(struct store *store, char letter) {
    struct key_text key = place_key(letter);
    struct key_owner owner;
    assert_int_equal(store_key_find(store, key.fingerprint, &owner), 0);
    return owner;
}

static void test_machine(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct invite_result result;
    struct why why = {""};
    struct machine machine;
    add_invite(store, 1, INVITE_MACHINE, "box1", ROLE_MEMBER);
    assert_int_equal(redeem(store, 1, 'a', 200, &result, &why), 0);
    assert_int_equal(result.kind, INVITE_MACHINE);
    assert_string_equal(result.name, "box1");
    assert_false(result.replaced);
    assert_int_equal(store_machine_get(store, result.id, &machine), 0);
    assert_int_equal(machine.created, 200);
    assert_int_equal(owner_of(store, 'a').kind, KEY_OWNER_MACHINE);
}

static void test_used_up(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct invite_result result = {.id = 4242};
    struct why why = {""};
    add_invite(store, 1, INVITE_MACHINE, "box1", ROLE_MEMBER);
    assert_int_equal(redeem(store, 1, 'a', 200, &result, &why), 0);
    result.id = 4242;
    assert_int_equal(redeem(store, 1, 'b', 201, &result, &why), SP_EEXPIRED);
    assert_string_equal(why.text, "this token was used already: ask for a new invite");
    assert_int_equal(owner_of(store, 'b').kind, KEY_OWNER_NONE);
    assert_int_equal(result.id, 4242);
}

static void test_expired_unknown(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct invite_result result;
    struct why why = {""};
    add_invite(store, 1, INVITE_MACHINE, "box1", ROLE_MEMBER);
    assert_int_equal(redeem(store, 1, 'a', 1000, &result, &why), SP_EEXPIRED);
    assert_string_equal(why.text, "this token has expired: ask for a new invite");
    assert_int_equal(redeem(store, 2, 'a', 200, &result, &why), SP_ENOENT);
    assert_non_null(strstr(why.text, "not known"));
    assert_int_equal(owner_of(store, 'a').kind, KEY_OWNER_NONE);
    assert_int_equal(redeem(store, 1, 'a', 999, &result, &why), 0);
}

/* When the key cannot be registered the token is still good, and nothing else was changed. */
static void test_both_or_neither(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct key_text taken = place_key('t'), old = place_key('o');
    struct invite_result result;
    struct machine machine;
    struct why why = {""};
    struct user user;
    int64_t id;
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, &taken, 100, &id, NULL), 0);
    assert_int_equal(store_machine_add(store, "box2", &old, 100, &id, NULL), 0);
    add_invite(store, 1, INVITE_MACHINE, "box1", ROLE_MEMBER);
    add_invite(store, 2, INVITE_USER, "bob", ROLE_MEMBER);
    add_invite(store, 3, INVITE_MACHINE, "box2", ROLE_MEMBER);
    for (uint8_t i = 1; i <= 3; i++) {
        assert_int_equal(redeem(store, i, 't', 200, &result, &why), SP_EEXIST);
        assert_non_null(strstr(why.text, "this key is registered already"));
    }
    assert_int_equal(store_machine_find(store, "box1", &machine), SP_ENOENT);
    assert_int_equal(store_user_find(store, "bob", &user), SP_ENOENT);
    assert_int_equal(owner_of(store, 'o').kind, KEY_OWNER_MACHINE); /* box2 keeps its key */
    assert_int_equal(owner_of(store, 't').kind, KEY_OWNER_USER);
    assert_int_equal(redeem(store, 1, 'a', 201, &result, &why), 0);
    assert_int_equal(redeem(store, 2, 'b', 201, &result, &why), 0);
    assert_int_equal(redeem(store, 3, 'c', 201, &result, &why), 0);
}

/* The same when the database fails half way: here on the last statement. */
static void test_failing_disk(void **state) {
    struct place *place = *state;
    struct invite_result result;
    struct machine machine;
    struct why why = {""};
    sqlite3 *db;
    add_invite(place->store, 1, INVITE_MACHINE, "box1", ROLE_MEMBER);
    assert_int_equal(sqlite3_open(place->path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "CREATE TRIGGER broken BEFORE INSERT ON key BEGIN SELECT no_such(1); END", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(redeem(place->store, 1, 'a', 200, &result, &why), SP_ESYS);
    assert_int_equal(store_machine_find(place->store, "box1", &machine), SP_ENOENT);
    assert_int_equal(sqlite3_exec(db, "DROP TRIGGER broken", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(redeem(place->store, 1, 'a', 200, &result, &why), 0);
}

static void test_machine_again(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct key_text old = place_key('o');
    struct invite_result result;
    struct why why = {""};
    int64_t box;
    assert_int_equal(store_machine_add(store, "box1", &old, 100, &box, NULL), 0);
    add_invite(store, 1, INVITE_MACHINE, "box1", ROLE_MEMBER);
    assert_int_equal(redeem(store, 1, 'n', 200, &result, &why), 0);
    assert_int_equal(result.id, box);
    assert_true(result.replaced);
    assert_int_equal(owner_of(store, 'o').kind, KEY_OWNER_NONE);
    assert_int_equal(owner_of(store, 'n').id, box);
    add_invite(store, 2, INVITE_MACHINE, "box1", ROLE_MEMBER); /* the same key once more */
    assert_int_equal(redeem(store, 2, 'n', 300, &result, &why), 0);
    assert_int_equal(owner_of(store, 'n').id, box);
}

static void test_user(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct invite_result result;
    struct why why = {""};
    struct user user;
    add_invite(store, 1, INVITE_USER, "alice", ROLE_ADMIN);
    assert_int_equal(redeem(store, 1, 'a', 200, &result, &why), 0);
    assert_int_equal(result.kind, INVITE_USER);
    assert_int_equal(result.role, ROLE_ADMIN);
    assert_int_equal(store_user_get(store, result.id, &user), 0);
    assert_int_equal(user.role, ROLE_ADMIN);
    /* A second laptop. The invite's role means nothing for who is there. */
    add_invite(store, 2, INVITE_USER, "alice", ROLE_MEMBER);
    assert_int_equal(redeem(store, 2, 'b', 200, &result, &why), 0);
    assert_int_equal(result.role, ROLE_ADMIN);
    assert_int_equal(owner_of(store, 'a').id, user.id);
    assert_int_equal(owner_of(store, 'b').id, user.id);
    add_invite(store, 3, INVITE_USER, "alice", ROLE_MEMBER);
    assert_int_equal(redeem(store, 3, 'b', 200, &result, &why), 0);
    assert_int_equal(redeem(store, 3, 'c', 200, &result, &why), SP_EEXPIRED);
    add_invite(store, 4, INVITE_USER, "alice", ROLE_MEMBER);
    assert_int_equal(store_user_set_disabled(store, user.id, true), 0);
    assert_int_equal(redeem(store, 4, 'c', 200, &result, &why), SP_EDENIED);
    assert_non_null(strstr(why.text, "disabled"));
    assert_int_equal(owner_of(store, 'c').kind, KEY_OWNER_NONE);
}

/* An invite must not make an admin of a member who is there. */
static void test_no_promotion(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct invite_result result;
    struct why why = {""};
    struct user user;
    int64_t id;
    add_invite(store, 1, INVITE_USER, "bob", ROLE_ADMIN);
    assert_int_equal(store_user_add(store, "bob", ROLE_MEMBER, NULL, 100, &id, NULL), 0);
    assert_int_equal(redeem(store, 1, 'a', 200, &result, &why), 0);
    assert_int_equal(store_user_get(store, id, &user), 0);
    assert_int_equal(user.role, ROLE_MEMBER);
    assert_int_equal(result.role, ROLE_MEMBER);
}

static void test_name_collisions(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct invite invite = {.kind = INVITE_USER, .name = "box1", .created = 100, .expires = 1000};
    struct invite_result result;
    uint8_t hash[STORE_HASH_SIZE];
    struct why why = {""};
    int64_t id;
    place_hash(hash, 9);
    assert_int_equal(store_machine_add(store, "box1", NULL, 100, &id, NULL), 0);
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, NULL, 100, &id, NULL), 0);
    assert_int_equal(store_invite_add(store, hash, &invite, &why), SP_EEXIST);
    assert_string_equal(why.text, "the name 'box1' is taken already, by a machine");
    invite.kind = INVITE_MACHINE;
    snprintf(invite.name, sizeof(invite.name), "alice");
    assert_int_equal(store_invite_add(store, hash, &invite, &why), SP_EEXIST);
    assert_string_equal(why.text, "the name 'alice' is taken already, by a user");
    /* Taken only after the invite was made. */
    add_invite(store, 1, INVITE_MACHINE, "late", ROLE_MEMBER);
    assert_int_equal(store_user_add(store, "late", ROLE_MEMBER, NULL, 100, &id, NULL), 0);
    assert_int_equal(redeem(store, 1, 'a', 200, &result, &why), SP_EEXIST);
    assert_string_equal(why.text, "the name 'late' is taken already");
    assert_int_equal(owner_of(store, 'a').kind, KEY_OWNER_NONE);
}

static void test_list_remove(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct invite_result result;
    struct why why = {""};
    struct invite *list;
    size_t count;
    int64_t first = add_invite(store, 1, INVITE_USER, "alice", ROLE_ADMIN);
    int64_t second = add_invite(store, 2, INVITE_MACHINE, "box1", ROLE_MEMBER);
    assert_int_equal(store_invite_list(store, 200, &list, &count), 0);
    assert_int_equal(count, 2);
    assert_int_equal(list[0].id, first);
    assert_int_equal(list[0].kind, INVITE_USER);
    assert_int_equal(list[0].role, ROLE_ADMIN);
    assert_string_equal(list[0].created_by, "root");
    assert_int_equal(list[1].kind, INVITE_MACHINE);
    free(list);
    assert_int_equal(store_invite_remove(store, first), 0);
    assert_int_equal(store_invite_remove(store, first), SP_ENOENT);
    assert_int_equal(redeem(store, 1, 'a', 200, &result, &why), SP_ENOENT);
    assert_int_equal(redeem(store, 2, 'a', 200, &result, &why), 0);
    assert_int_equal(store_invite_remove(store, second), SP_ENOENT); /* used: only its trace is left */
    assert_int_equal(store_invite_list(store, 200, &list, &count), 0);
    assert_int_equal(count, 0);
    free(list);
    add_invite(store, 3, INVITE_MACHINE, "box2", ROLE_MEMBER);
    assert_int_equal(store_invite_list(store, 1000, &list, &count), 0);
    assert_int_equal(count, 0);
    free(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        place_test(test_machine),
        place_test(test_used_up),
        place_test(test_expired_unknown),
        place_test(test_both_or_neither),
        place_test(test_failing_disk),
        place_test(test_machine_again),
        place_test(test_user),
        place_test(test_no_promotion),
        place_test(test_name_collisions),
        place_test(test_list_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
