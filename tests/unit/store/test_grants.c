/* Grants: added twice is once; taken back narrow or wide. */
#include "place.h"

#include "sallyport/store/grants.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"

static size_t count_grants(struct store *store, int64_t user) {
    struct grant *grants;
    size_t count;
    assert_int_equal(store_grant_list(store, user, &grants, &count), 0);
    free(grants);
    return count;
}

static void test_grants(void **state) {
    struct store *store = ((struct place *)*state)->store;
    struct grant *grants;
    size_t count;
    int64_t alice, bob, box1, box2;
    assert_int_equal(store_user_add(store, "alice", ROLE_MEMBER, NULL, 100, &alice, NULL), 0);
    assert_int_equal(store_user_add(store, "bob", ROLE_MEMBER, NULL, 100, &bob, NULL), 0);
    assert_int_equal(store_machine_add(store, "box1", NULL, 100, &box1, NULL), 0);
    assert_int_equal(store_machine_add(store, "box2", NULL, 100, &box2, NULL), 0);
    assert_int_equal(store_grant_add(store, alice, box1, "ssh", 100), 0);
    assert_int_equal(store_grant_add(store, alice, box1, "ssh", 100), 0);
    assert_int_equal(store_grant_add(store, alice, box1, "jupyter", 100), 0);
    assert_int_equal(store_grant_add(store, alice, box2, "", 100), 0);
    assert_int_equal(store_grant_add(store, bob, box1, "ssh", 100), 0);
    assert_int_equal(store_grant_add(store, 99, box1, "ssh", 100), SP_ENOENT);
    assert_int_equal(store_grant_add(store, bob, 99, "ssh", 100), SP_ENOENT);
    assert_int_equal(store_grant_list(store, alice, &grants, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(grants[0].machine_id, box1);
    assert_string_equal(grants[0].service, "jupyter");
    assert_int_equal(grants[2].machine_id, box2);
    assert_string_equal(grants[2].service, "");
    free(grants);
    assert_int_equal(store_grant_remove(store, alice, box2, "ssh"), SP_ENOENT); /* the wide one stays */
    assert_int_equal(count_grants(store, alice), 3);
    assert_int_equal(store_grant_remove(store, alice, box1, "ssh"), 0);
    assert_int_equal(store_grant_remove(store, alice, box1, "ssh"), SP_ENOENT);
    assert_int_equal(count_grants(store, alice), 2);
    assert_int_equal(store_grant_add(store, alice, box1, "", 100), 0);
    assert_int_equal(store_grant_remove(store, alice, box1, ""), 0); /* all of that machine */
    assert_int_equal(count_grants(store, alice), 1);
    assert_int_equal(count_grants(store, bob), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {place_test(test_grants)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
