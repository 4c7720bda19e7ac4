/* The rules of claims. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/domain/claim.h"

static void test_check(void **state) {
    (void)state;
    char note[2 * CLAIM_NOTE_MAX + 4] = "";
    struct why why = {""};
    assert_int_equal(claim_check(CLAIM_DEFAULT_S, "", &why), 0);
    assert_int_equal(claim_check(CLAIM_LONGEST_S, "speech run <b>", &why), 0);
    assert_int_equal(claim_check(CLAIM_LONGEST_S + 1, "", &why), SP_EINVAL);
    assert_int_equal(claim_check(59, "", &why), SP_EINVAL);
    assert_int_equal(claim_check(0, "", &why), SP_EINVAL);
    assert_int_equal(claim_check(3600, "two\nlines", &why), SP_EINVAL);
    assert_int_equal(claim_check(3600, "\xff", &why), SP_EINVAL);
    for (int i = 0; i < CLAIM_NOTE_MAX; i++)
        memcpy(note + 2 * (size_t)i, "\xc3\xa4", 3); /* characters are counted, not bytes */
    assert_int_equal(claim_check(3600, note, &why), 0);
    memcpy(note + 2 * (size_t)CLAIM_NOTE_MAX, "x", 2);
    assert_int_equal(claim_check(3600, note, &why), SP_EINVAL);
}

static void test_find_and_release(void **state) {
    (void)state;
    const struct claim claims[] = {{.gpu_id = "a", .gpu = 0, .user_id = 5, .until = 100},
                                   {.gpu_id = "b", .gpu = STATUS_UNKNOWN, .user_id = 6, .until = 200}};
    assert_ptr_equal(claim_find(claims, 2, "a", 99), &claims[0]);
    assert_null(claim_find(claims, 2, "a", 100)); /* its time is over */
    assert_null(claim_find(claims, 2, "c", 99));
    assert_ptr_equal(claim_find_index(claims, 2, 0, 99), &claims[0]);
    assert_null(claim_find_index(claims, 2, STATUS_UNKNOWN, 99));
    struct policy_subject who = {.kind = SUBJECT_USER, .id = 5};
    assert_true(claim_may_release(&claims[0], &who));
    assert_false(claim_may_release(&claims[1], &who));
    who.disabled = true;
    assert_false(claim_may_release(&claims[0], &who));
    who = (struct policy_subject){.kind = SUBJECT_USER, .id = 7, .role = ROLE_ADMIN};
    assert_true(claim_may_release(&claims[0], &who));
    who = (struct policy_subject){.kind = SUBJECT_OPERATOR};
    assert_true(claim_may_release(&claims[0], &who));
    who = (struct policy_subject){.kind = SUBJECT_MACHINE, .id = 5};
    assert_false(claim_may_release(&claims[0], &who));
}

static struct gpu *add_gpu(struct status *status, const char *id, int64_t index) {
    struct gpu *gpu = status_add(status, "gpus");
    assert_non_null(gpu);
    snprintf(gpu->id, sizeof(gpu->id), "%s", id);
    snprintf(gpu->state, sizeof(gpu->state), "ok");
    gpu->index = index;
    return gpu;
}

/* The claim is on the GPU, not on its number. */
static void test_place(void **state) {
    (void)state;
    struct claim claims[] = {{.gpu_id = "a", .gpu = 0}, {.gpu_id = "c", .gpu = 2}};
    struct status status;
    status_init(&status);
    add_gpu(&status, "b", 0);
    struct gpu *moved = add_gpu(&status, "a", 1);
    assert_true(claim_place(claims, 2, &status));
    assert_int_equal(claims[0].gpu, 1);
    assert_int_equal(claims[1].gpu, 2); /* not told of, and nobody else has its place */
    assert_false(claim_place(claims, 2, &status));
    moved->index = 2;
    assert_true(claim_place(claims, 2, &status));
    assert_int_equal(claims[0].gpu, 2);
    assert_int_equal(claims[1].gpu, STATUS_UNKNOWN);
    status_fini(&status);
}

static void test_idle(void **state) {
    (void)state;
    struct status status;
    status_init(&status);
    struct gpu *gpu = add_gpu(&status, "a", 3);
    assert_true(claim_is_idle(&status, gpu));
    gpu->used_share = 0.05;
    assert_false(claim_is_idle(&status, gpu));
    gpu->used_share = 0.049;
    assert_true(claim_is_idle(&status, gpu));
    gpu->used_share = NAN; /* as of one that is shared out: its memory says it */
    gpu->memory_total_bytes = 100;
    gpu->memory_used_bytes = 40;
    assert_false(claim_is_idle(&status, gpu));
    gpu->memory_used_bytes = 2;
    assert_true(claim_is_idle(&status, gpu));
    snprintf(gpu->state, sizeof(gpu->state), "lost");
    assert_false(claim_is_idle(&status, gpu));
    snprintf(gpu->state, sizeof(gpu->state), "asleep");
    assert_true(claim_is_idle(&status, gpu));
    struct process *process = status_add(&status, "processes");
    process->pid = 1;
    process->gpus = 1 << 2;
    assert_true(claim_is_idle(&status, gpu));
    process->gpus = 1 << 3;
    assert_false(claim_is_idle(&status, gpu));
    process->gpu_memory_used_bytes = (256 << 20) - 1; /* a screen's */
    assert_true(claim_is_idle(&status, gpu));
    process->gpu_memory_used_bytes++;
    assert_false(claim_is_idle(&status, gpu));
    process->ended = true;
    assert_true(claim_is_idle(&status, gpu));
    status_fini(&status);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_find_and_release),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
