#include "folder.h"

#include "hostkeys.h"

#define A "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID+VNRBErNv7mZDQOC/0CIEl0qEn7WZLH4NR11wFcxJ9"
#define A_PRINT "SHA256:BrVzmMchTzt9Drkff2cqnjXIc6m7MEggCWCiU2ycFn8"
#define B "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK5RE5x73KkJoo11SM80yXvsIuh5ZTDRMTz8W3FEXQ6+"
#define B_PRINT "SHA256:+uh2HJ6KSkD2PgKyRFEFNCpbTcUy8RwsVVLGBc4kFx8"
#define C \
    "ecdsa-sha2-nistp256 " \
    "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMr0xxlOSraGyddgsbQbTB/" \
    "+mfdSpvTkveOCESRQhjeUOfyktwweX94CVMCGznN/TtDtG299ZIVXRe0XKtnQ15o="

static struct hostkeys keys_of(const char *one, const char *two) {
    struct hostkeys keys = {.count = 0};
    assert_true(hostkeys_add(&keys, one));
    if (two)
        assert_true(hostkeys_add(&keys, two));
    return keys;
}

static void test_what_is_a_key(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",           "ssh-ed25519",     "ssh-ed25519 ",   " " A, " AAAA", "ssh-ed25519 AAAA!", "*,box2 " A,
        "@revoked x", "ssh-ed25519\t" A, "Ssh " A "\nevil"};
    struct hostkeys keys = {.count = 0};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(hostkeys_add(&keys, bad[i]));
    assert_int_equal(keys.count, 0);
    assert_true(hostkeys_add(&keys, A " somebody@somewhere"));
    assert_string_equal(keys.lines[0], A);
    assert_true(hostkeys_add(&keys, B "\nbox2 " C));
    assert_string_equal(keys.lines[1], B);
    assert_true(hostkeys_add(&keys, C));
    assert_true(hostkeys_add(&keys, C));
    assert_false(hostkeys_add(&keys, C)); /* full */
}

static void test_the_first_that_is_seen_counts(void **state) {
    struct why why = {""};
    struct hostkeys found, said = keys_of(A, C);
    assert_int_equal(hostkeys_find(*state, "box1", &found), SP_ENOENT);
    assert_int_equal(hostkeys_learn(*state, "box1", &said, &why), 0);
    assert_int_equal(hostkeys_find(*state, "box1", &found), 0);
    assert_int_equal(found.count, 2);
    assert_string_equal(found.lines[0], A);
    assert_string_equal(found.lines[1], C);
    assert_int_equal(hostkeys_find(*state, "box2", &found), SP_ENOENT);
    assert_int_equal(hostkeys_learn(*state, "box1", &said, &why), 0);
}

static void test_others_are_refused_with_both_fingerprints(void **state) {
    struct why why = {""};
    struct hostkeys found, first = keys_of(A, NULL), other = keys_of(B, NULL);
    assert_int_equal(hostkeys_learn(*state, "box1", &first, &why), 0);
    assert_int_equal(hostkeys_learn(*state, "box1", &other, &why), SP_EDENIED);
    assert_non_null(strstr(why.text, A_PRINT));
    assert_non_null(strstr(why.text, B_PRINT));
    assert_non_null(strstr(why.text, "sallyport trust box1"));
    assert_int_equal(hostkeys_find(*state, "box1", &found), 0);
    assert_string_equal(found.lines[0], A);
    assert_int_equal(hostkeys_replace(*state, "box1", &other), 0);
    assert_int_equal(hostkeys_learn(*state, "box1", &other, &why), 0);
    assert_int_equal(hostkeys_learn(*state, "box1", &first, &why), SP_EDENIED);
}

/* Else a relay could bring its own key beside the right one first, and leave the right one out later. */
static void test_a_new_key_beside_a_known_one_is_not_taken(void **state) {
    struct why why = {""};
    struct hostkeys found, first = keys_of(A, NULL), both = keys_of(B, A), other = keys_of(B, NULL),
                           none = {.count = 0};
    assert_int_equal(hostkeys_learn(*state, "box1", &first, &why), 0);
    assert_int_equal(hostkeys_learn(*state, "box1", &both, &why), 0);
    assert_int_equal(hostkeys_find(*state, "box1", &found), 0);
    assert_int_equal(found.count, 1);
    assert_int_equal(hostkeys_learn(*state, "box1", &none, &why), 0);
    assert_int_equal(hostkeys_learn(*state, "box1", &other, &why), SP_EDENIED);
}

static void test_a_damaged_file(void **state) {
    static const char *const texts[] = {"", "[]", "{\"box1\":7}", "{\"box1\":[]}", "{\"box1\":[1,null,\"x\"]}"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct hostkeys found;
        folder_write(state, "host_keys.json", texts[i]);
        assert_int_equal(hostkeys_find(*state, "box1", &found), SP_ENOENT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_a_key),
        cmocka_unit_test_setup_teardown(test_the_first_that_is_seen_counts, folder_set_up, folder_tear_down),
        cmocka_unit_test_setup_teardown(test_others_are_refused_with_both_fingerprints, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_new_key_beside_a_known_one_is_not_taken, folder_set_up,
                                        folder_tear_down),
        cmocka_unit_test_setup_teardown(test_a_damaged_file, folder_set_up, folder_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
