/* publish, unpublish: who may order it, and what is said of it. */
#include "verbs_rig.h"

static void orders_go_to_the_machine(void **state) {
    struct rig *rig = *state;
    expect(rig, &rig->alice, "publish box1 tensorboard", 0, "box1 is told to publish tensorboard: 'status box1'");
    assert_string_equal(rig->ordered, "box1 tensorboard");
    expect_audit(rig, "alice|publish|box1/tensorboard|ok|");
    expect(rig, &rig->operator, "unpublish box1 tensorboard", 0, "tensorboard no more");
    assert_string_equal(rig->ordered, "box1 not tensorboard");
    expect_audit(rig, "operator|unpublish|box1/tensorboard|ok|");
}

static void what_cannot_be(void **state) {
    struct rig *rig = *state;
    expect(rig, &rig->alice, "publish box1 nix", 1, "box1 has no nix");
    expect_audit(rig, "alice|publish|box1/nix|failed|");
    expect(rig, &rig->alice, "publish box9 tensorboard", 1, "no machine 'box9'");
    expect(rig, &rig->alice, "publish box1 ../etc", 1, "service name");
    expect(rig, &rig->alice, "publish box1", 2, "publish BOX SERVICE");
    expect(rig, &rig->bob, "publish box1 jupyter", 1, "admin");
    expect_audit(rig, "bob|publish|box1|refused|policy");
    assert_string_equal(rig->ordered, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {rig_test(orders_go_to_the_machine), rig_test(what_cannot_be)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
