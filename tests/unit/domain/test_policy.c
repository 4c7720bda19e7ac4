/* Policy: the whole product of who asks, for what, with which grant, against rules written down a second time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/domain/policy.h"

#define BOX 7

/* Who asks. */
enum asker { NOBODY, MEMBER, MEMBER_OFF, ADMIN, ADMIN_OFF, BOX_ITSELF, OTHER_BOX, OPERATOR, ASKERS };
/* What was granted to the asker. */
enum granted { NOTHING, OTHER_MACHINE, OTHER_SERVICE, THE_SERVICE, THE_MACHINE, GRANTED };

static struct policy_subject make_subject(enum asker asker, enum granted granted) {
    static const struct grant grants[GRANTED] = {
        [OTHER_MACHINE] = {BOX + 1, ""},
        [OTHER_SERVICE] = {BOX, "ssh"},
        [THE_SERVICE] = {BOX, "jupyter"},
        [THE_MACHINE] = {BOX, ""},
    };
    static const struct policy_subject subjects[ASKERS] = {
        [NOBODY] = {.kind = SUBJECT_NOBODY},
        [MEMBER] = {.kind = SUBJECT_USER, .id = BOX, .role = ROLE_MEMBER},
        [MEMBER_OFF] = {.kind = SUBJECT_USER, .id = BOX, .role = ROLE_MEMBER, .disabled = true},
        [ADMIN] = {.kind = SUBJECT_USER, .id = BOX, .role = ROLE_ADMIN},
        [ADMIN_OFF] = {.kind = SUBJECT_USER, .id = BOX, .role = ROLE_ADMIN, .disabled = true},
        [BOX_ITSELF] = {.kind = SUBJECT_MACHINE, .id = BOX},
        [OTHER_BOX] = {.kind = SUBJECT_MACHINE, .id = BOX + 1},
        [OPERATOR] = {.kind = SUBJECT_OPERATOR},
    };
    struct policy_subject subject = subjects[asker];
    if (granted != NOTHING) {
        subject.grants = malloc(sizeof(*subject.grants));
        assert_non_null(subject.grants);
        subject.grants[0] = grants[granted];
        subject.grant_count = 1;
    }
    return subject;
}

/* One letter an action, in their order ask, see, reach, administer, own account, publish; a capital means allowed. For
 * members the letters s and r hang on the grant. */
static const char *const rules[ASKERS] = {
    [NOBODY] = "------",    [MEMBER] = "Asr-O-",     [MEMBER_OFF] = "------", [ADMIN] = "ASRDO-",
    [ADMIN_OFF] = "------", [BOX_ITSELF] = "-----P", [OTHER_BOX] = "------",  [OPERATOR] = "ASRD--",
};

static bool expected(enum asker asker, enum granted granted, enum policy_action action) {
    char rule = rules[asker][action];
    if (rule == 's')
        return granted == OTHER_SERVICE || granted == THE_SERVICE || granted == THE_MACHINE;
    if (rule == 'r')
        return granted == THE_SERVICE || granted == THE_MACHINE;
    return rule != '-';
}

static void test_product(void **state) {
    unsigned allowed = 0, denied = 0;
    (void)state;
    for (int asker = 0; asker < ASKERS; asker++) {
        for (int granted = 0; granted < GRANTED; granted++) {
            struct policy_subject subject = make_subject((enum asker)asker, (enum granted)granted);
            for (int action = ACTION_ASK; action <= ACTION_PUBLISH; action++) {
                struct policy_request request = {(enum policy_action)action, BOX, "jupyter"};
                bool want = expected((enum asker)asker, (enum granted)granted, (enum policy_action)action);
                if (policy_allows(&subject, &request) != want)
                    fail_msg("asker %d, grant %d, action %d: wanted %d", asker, granted, action, want);
                allowed += want;
                denied += !want;
            }
            policy_subject_fini(&subject);
        }
    }
    assert_int_equal(allowed + denied, ASKERS * GRANTED * 6);
    assert_int_equal(allowed, 25 + 20 + 5 + 10 + 3 + 2);
}

static void test_several_grants(void **state) {
    struct grant grants[] = {{1, "ssh"}, {BOX, "ssh"}, {BOX, "jupyter"}};
    struct policy_subject subject = {.kind = SUBJECT_USER, .grants = grants, .grant_count = 3};
    struct policy_request request = {ACTION_REACH_SERVICE, BOX, "jupyter"};
    (void)state;
    assert_true(policy_allows(&subject, &request));
    request.service = "jupyter-2";
    assert_false(policy_allows(&subject, &request));
    request.service = "";
    assert_false(policy_allows(&subject, &request));
    request.machine_id = 1;
    request.service = "ssh";
    assert_true(policy_allows(&subject, &request));
}

/* A caller who forgets the service must not get in by that. */
static void test_no_service(void **state) {
    struct grant grants[] = {{BOX, ""}};
    struct policy_subject subject = {.kind = SUBJECT_USER, .grants = grants, .grant_count = 1};
    struct policy_request request = {ACTION_REACH_SERVICE, BOX, NULL};
    (void)state;
    assert_false(policy_allows(&subject, &request));
    subject.role = ROLE_ADMIN;
    assert_false(policy_allows(&subject, &request));
}

static void test_unknown_action(void **state) {
    struct policy_subject subject = {.kind = SUBJECT_OPERATOR};
    struct policy_request request = {(enum policy_action)99, BOX, "ssh"};
    (void)state;
    assert_false(policy_allows(&subject, &request));
    subject = (struct policy_subject){.kind = SUBJECT_USER, .role = ROLE_ADMIN};
    assert_false(policy_allows(&subject, &request));
}

static void test_fini(void **state) {
    struct policy_subject subject = make_subject(ADMIN, THE_MACHINE);
    struct policy_request request = {ACTION_ASK, 0, NULL};
    (void)state;
    assert_true(policy_allows(&subject, &request));
    policy_subject_fini(&subject);
    assert_false(policy_allows(&subject, &request));
    policy_subject_fini(&subject);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product),        cmocka_unit_test(test_several_grants), cmocka_unit_test(test_no_service),
        cmocka_unit_test(test_unknown_action), cmocka_unit_test(test_fini),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
