#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "sleep.h"

enum { MINUTE_MS = 60000 };

static void test_need(void **state) {
    (void)state;
    struct sleep_need need = {.reason = NULL};
    assert_null(sleep_need_update(&need, 1000, false, false));
    assert_string_equal(sleep_need_update(&need, 2000, true, false), "a GPU is at work");
    assert_string_equal(sleep_need_update(&need, 3000, true, true), "a GPU is at work");
    assert_string_equal(sleep_need_update(&need, 4000, false, true), "somebody is connected");
    /* Until 5 minutes after it was needed last. */
    assert_non_null(sleep_need_update(&need, 4000 + 5 * MINUTE_MS - 1, false, false));
    assert_null(sleep_need_update(&need, 4000 + 5 * MINUTE_MS, false, false));
    assert_null(sleep_need_update(&need, 4000 + 50 * MINUTE_MS, false, false));
    assert_non_null(sleep_need_update(&need, 4000 + 51 * MINUTE_MS, true, false));
}

static struct gpu *add_gpu(struct status *status, int64_t index, double used_share) {
    struct gpu *gpu = status_add(status, "gpus");
    assert_non_null(gpu);
    gpu->index = index;
    gpu->used_share = used_share;
    return gpu;
}

static void test_busy_gpus(void **state) {
    (void)state;
    struct status status;
    status_init(&status);
    assert_false(sleep_gpu_is_busy(&status));
    (void)add_gpu(&status, 0, 0.05);
    (void)add_gpu(&status, 1, NAN);
    assert_false(sleep_gpu_is_busy(&status));
    status.gpus[0].used_share = 0.06;
    assert_true(sleep_gpu_is_busy(&status));
    status.gpus[0].used_share = 0;
    struct process *process = status_add(&status, "processes");
    assert_non_null(process);
    process->gpus = 1; /* it holds memory on GPU 0, which does nothing */
    assert_false(sleep_gpu_is_busy(&status));
    process->gpus = 2; /* GPU 1 does not say what it does */
    assert_true(sleep_gpu_is_busy(&status));
    process->ended = true;
    assert_false(sleep_gpu_is_busy(&status));
    process->ended = false;
    status.gpus[1].index = 40; /* beyond what a process can name */
    assert_false(sleep_gpu_is_busy(&status));
    status_fini(&status);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_need),
        cmocka_unit_test(test_busy_gpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
