/* Keys: one owner each. */
#include "place.h"

#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"

struct owners {
    int64_t alice, bob, box;
};

static struct owners add_owners(struct store *store) {
    struct owners owners;
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, NULL, 100, &owners.alice, NULL), 0);
    assert_int_equal(store_machine_add(store, "box1", NULL, 100, &owners.box, NULL), 0);
    assert_int_equal(store_user_add(store, "bob", ROLE_MEMBER, NULL, 100, &owners.bob, NULL), 0);
    return owners;
}

static void test_one_owner(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct owners owners = add_owners(store);
    struct key_text key = place_key('a');
    struct key_owner owner = {.id = 7};
    struct why why = {""};
    assert_int_equal(store_key_find(store, key.fingerprint, &owner), 0);
    assert_int_equal(owner.kind, KEY_OWNER_NONE);
    assert_int_equal(store_key_add(store, KEY_OWNER_USER, owners.alice, &key, 100, &why), 0);
    assert_int_equal(store_key_add(store, KEY_OWNER_USER, owners.alice, &key, 100, &why), SP_EEXIST);
    assert_int_equal(store_key_add(store, KEY_OWNER_USER, owners.bob, &key, 100, &why), SP_EEXIST);
    assert_int_equal(store_key_add(store, KEY_OWNER_MACHINE, owners.box, &key, 100, &why), SP_EEXIST);
    assert_null(strstr(why.text, "alice"));
    assert_int_equal(store_key_find(store, key.fingerprint, &owner), 0);
    assert_int_equal(owner.kind, KEY_OWNER_USER);
    assert_int_equal(owner.id, owners.alice);
    assert_string_equal(owner.name, "alice");
}

static void test_no_owner(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct key_text key = place_key('a');
    struct key_owner owner;
    assert_int_equal(store_key_add(store, KEY_OWNER_USER, 99, &key, 100, NULL), SP_ENOENT);
    assert_int_equal(store_key_add(store, KEY_OWNER_MACHINE, 99, &key, 100, NULL), SP_ENOENT);
    assert_int_equal(store_key_find(store, key.fingerprint, &owner), 0);
    assert_int_equal(owner.kind, KEY_OWNER_NONE);
}

static void test_remove(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct owners owners = add_owners(store);
    struct key_text key = place_key('a');
    assert_int_equal(store_key_add(store, KEY_OWNER_USER, owners.bob, &key, 100, NULL), 0);
    assert_int_equal(store_key_remove(store, KEY_OWNER_USER, owners.alice, key.fingerprint), SP_ENOENT);
    /* The machine with that number is not the user with it. */
    assert_int_equal(store_key_remove(store, KEY_OWNER_MACHINE, owners.bob, key.fingerprint), SP_ENOENT);
    assert_int_equal(store_key_remove(store, KEY_OWNER_USER, owners.bob, "SHA256:other"), SP_ENOENT);
    assert_int_equal(store_key_remove(store, KEY_OWNER_USER, owners.bob, key.fingerprint), 0);
    assert_int_equal(store_key_remove(store, KEY_OWNER_USER, owners.bob, key.fingerprint), SP_ENOENT);
}

static void test_list(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct owners owners = add_owners(store);
    struct key_text a = place_key('a'), b = place_key('b'), c = place_key('c');
    struct key *list;
    size_t count;
    c.label = NULL;
    assert_int_equal(owners.alice, owners.box);
    assert_int_equal(store_key_add(store, KEY_OWNER_MACHINE, owners.box, &c, 100, NULL), 0);
    assert_int_equal(store_key_add(store, KEY_OWNER_USER, owners.alice, &a, 101, NULL), 0);
    assert_int_equal(store_key_add(store, KEY_OWNER_USER, owners.alice, &b, 102, NULL), 0);
    assert_int_equal(store_key_list(store, KEY_OWNER_USER, owners.alice, &list, &count), 0);
    assert_int_equal(count, 2);
    assert_string_equal(list[0].fingerprint, "SHA256:a");
    assert_string_equal(list[0].type, "ssh-ed25519");
    assert_string_equal(list[0].base64, "AAAA");
    assert_string_equal(list[0].label, "a label");
    assert_int_equal(list[0].created, 101);
    assert_int_equal(list[0].last_used, 0);
    assert_string_equal(list[1].fingerprint, "SHA256:b");
    free(list);
    assert_int_equal(store_key_list(store, KEY_OWNER_MACHINE, owners.box, &list, &count), 0);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].owner.name, "box1");
    assert_string_equal(list[0].label, "");
    free(list);
    assert_int_equal(store_key_list(store, KEY_OWNER_NONE, 0, &list, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(list[2].owner.kind, KEY_OWNER_MACHINE);
    free(list);
    assert_int_equal(store_key_list(store, KEY_OWNER_USER, owners.bob, &list, &count), 0);
    assert_int_equal(count, 0);
    free(list);
}

static void test_used(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct owners owners = add_owners(store);
    struct key_text key = place_key('a');
    static const int64_t moments[] = {5000, 5100, 8600, 8000}, wanted[] = {5000, 5000, 8600, 8600};
    assert_int_equal(store_key_add(store, KEY_OWNER_USER, owners.alice, &key, 100, NULL), 0);
    for (size_t i = 0; i < 4; i++) {
        struct key *list;
        size_t count;
        assert_int_equal(store_key_used(store, key.fingerprint, moments[i]), 0);
        assert_int_equal(store_key_list(store, KEY_OWNER_NONE, 0, &list, &count), 0);
        assert_int_equal(list[0].last_used, wanted[i]);
        free(list);
    }
    assert_int_equal(store_key_used(store, "SHA256:other", 9000), 0);
}

static void test_too_long(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct owners owners = add_owners(store);
    struct key_text key = place_key('a');
    struct why why = {""};
    char base64[2000];
    memset(base64, 'A', sizeof(base64) - 1);
    base64[sizeof(base64) - 1] = '\0';
    key.base64 = base64;
    assert_int_equal(store_key_add(store, KEY_OWNER_USER, owners.alice, &key, 100, &why), SP_ETOOBIG);
    assert_string_equal(why.text, "the key is too long");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        place_test(test_one_owner), place_test(test_no_owner), place_test(test_remove),
        place_test(test_list),      place_test(test_used),     place_test(test_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
