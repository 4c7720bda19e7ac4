/* audit: the trail, for admins. */
#include "verbs_rig.h"

static void test_trail(void **state) {
    struct rig *rig = *state;
    expect(rig, &rig->alice, "user add carol --admin", 0, "added");
    expect(rig, &rig->alice, "grant bob box1", 0, "");
    expect(rig, &rig->operator, "user disable carol", 0, "");
    assert_int_equal(run(rig, &rig->alice, "audit --last 2"), 0);
    assert_string_equal(out(rig), "TIME                  WHO       DID           TO     OUTCOME  DETAIL\n"
                                  "2026-11-23T10:00:00Z  alice     grant         bob    ok       box1\n"
                                  "2026-11-23T10:00:00Z  operator  user disable  carol  ok       -\n");
    json_t *got = run_json(rig, &rig->operator, "audit carol --json --last 1");
    json_t *want = json_loads("[{\"time\":\"2026-11-23T10:00:00Z\",\"actor\":\"operator\",\"action\":\"user disable\","
                              "\"object\":\"carol\",\"outcome\":\"ok\",\"detail\":\"\"}]",
                              0, NULL);
    assert_true(json_equal(got, want));
    json_decref(want);
    json_decref(got);
    got = run_json(rig, &rig->operator, "audit nobody --json");
    assert_int_equal(json_array_size(got), 0);
    json_decref(got);
}

static void test_not_for_members(void **state) {
    struct rig *rig = *state;
    expect(rig, &rig->bob, "audit", 1, "");
    assert_string_equal(out(rig), "");
}

static void test_how_many(void **state) {
    struct rig *rig = *state;
    for (int i = 0; i < 60; i++)
        expect(rig, &rig->alice, i % 2 ? "revoke bob box1" : "grant bob box1", 0, "");
    json_t *got = run_json(rig, &rig->alice, "audit --json");
    assert_int_equal(json_array_size(got), 50);
    json_decref(got);
    got = run_json(rig, &rig->alice, "audit --json --last=10000");
    assert_in_range(json_array_size(got), 60, 10000);
    json_decref(got);
    expect(rig, &rig->alice, "audit --last 0", 2, "from 1 to 10000, not '0'");
    expect(rig, &rig->alice, "audit --last 10001", 2, "not '10001'");
    expect(rig, &rig->alice, "audit --last x", 2, "not 'x'");
    expect(rig, &rig->alice, "list --last 5", 2, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        rig_test(test_trail),
        rig_test(test_not_for_members),
        rig_test(test_how_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
