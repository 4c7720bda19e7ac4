/* Who used which GPU for how long, and the energy of it: as rows of statuses, ten seconds apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "recorder_local.h"

#define NOW (INT64_C(20000) * 86400)

struct rig {
    struct usage usage;
    struct status status;
    uint64_t ms;
};

static int set_up(void **state) {
    static struct rig rig;
    memset(&rig, 0, sizeof(rig));
    status_init(&rig.status);
    rig.ms = 1000;
    *state = &rig;
    return 0;
}

static int tear_down(void **state) {
    struct rig *rig = *state;
    status_fini(&rig->status);
    usage_fini(&rig->usage);
    return 0;
}

static struct gpu *gpu(struct rig *rig, int64_t index, double used, double watts) {
    struct gpu *added = status_add(&rig->status, "gpus");
    snprintf(added->id, sizeof(added->id), "GPU-%d", (int)index);
    added->index = index;
    added->used_share = used;
    added->power_watts = watts;
    return added;
}

static struct process *process(struct rig *rig, uint32_t gpus, const char *user, double share) {
    struct process *added = status_add(&rig->status, "processes");
    added->pid = 4711;
    added->gpus = gpus;
    snprintf(added->user, sizeof(added->user), "%s", user);
    added->gpu_used_share = share;
    return added;
}

static void pass(struct rig *rig, double seconds) {
    rig->ms += (uint64_t)(seconds * 1000);
    usage_take(&rig->usage, &rig->status, NOW, rig->ms);
}

/* From one status to the next, `seconds` later. */
static void run(struct rig *rig, double seconds) {
    pass(rig, 0);
    pass(rig, seconds);
}

static const struct history_use *find(const struct rig *rig, const char *gpu_id, const char *user) {
    for (size_t i = 0; i < rig->usage.use_count; i++) {
        const struct history_use *use = &rig->usage.uses[i];
        if (strcmp(use->gpu, gpu_id) == 0 && strcmp(use->user, user) == 0)
            return use;
    }
    return NULL;
}

static void expect(const struct rig *rig, const char *gpu_id, const char *user, double busy_s, double joules) {
    const struct history_use *use = find(rig, gpu_id, user);
    if (!use)
        fail_msg("nothing of %s by '%s'", gpu_id, user);
    else if (fabs(use->busy_s - busy_s) > 1e-6 || fabs(use->joules - joules) > 1e-6)
        fail_msg("%s by '%s': %g s, %g J", gpu_id, user, use->busy_s, use->joules);
}

static void one_user(void **state) {
    struct rig *rig = *state;
    gpu(rig, 0, 0.9, 300);
    gpu(rig, 1, 0.9, 100);
    process(rig, 1, "ann", NAN);
    run(rig, 10);
    expect(rig, "GPU-0", "ann", 10, 3000);
    expect(rig, "GPU-1", "", 10, 1000); /* used by nobody whom one can see */
    expect(rig, "", "", 10, 4000);      /* the machine: at least what its GPUs take */
    assert_null(find(rig, "GPU-0", ""));
    assert_int_equal(rig->usage.uses[0].day, 20000);
}

static void the_first_status_says_nothing_yet(void **state) {
    struct rig *rig = *state;
    gpu(rig, 0, 0.9, 300);
    pass(rig, 0);
    assert_int_equal(rig->usage.use_count, 0);
}

static void the_person_behind_an_account(void **state) {
    struct rig *rig = *state;
    gpu(rig, 0, 0.9, 300);
    snprintf(process(rig, 1, "ml-1", NAN)->person, 64, "alice");
    run(rig, 10);
    expect(rig, "GPU-0", "alice", 10, 3000);
}

static void several_share_by_what_they_use(void **state) {
    struct rig *rig = *state;
    gpu(rig, 0, 0.9, 100);
    process(rig, 1, "ann", 0.6);
    process(rig, 1, "bob", 0.1);
    process(rig, 1, "bob", 0.1);
    process(rig, 1, "eve", NAN);
    run(rig, 8);
    expect(rig, "GPU-0", "ann", 6, 600);
    expect(rig, "GPU-0", "bob", 2, 200);
    assert_null(find(rig, "GPU-0", "eve"));
}

static void or_equally_where_that_is_not_known(void **state) {
    struct rig *rig = *state;
    gpu(rig, 0, 0.9, 100);
    process(rig, 1, "ann", NAN);
    process(rig, 1, "ann", NAN);
    process(rig, 3, "bob", NAN);
    process(rig, 2, "eve", NAN); /* on another one */
    run(rig, 8);
    expect(rig, "GPU-0", "ann", 4, 400);
    expect(rig, "GPU-0", "bob", 4, 400);
    assert_null(find(rig, "GPU-0", "eve"));
}

static void when_a_gpu_counts_as_used(void **state) {
    struct rig *rig = *state;
    gpu(rig, 0, 0.05, 20); /* idle, though somebody's program is on it */
    gpu(rig, 1, NAN, NAN); /* not known: somebody's program says it */
    gpu(rig, 2, NAN, NAN); /* not known, and nobody there */
    process(rig, 1, "ann", NAN);
    process(rig, 2, "bob", NAN);
    process(rig, 4, "eve", NAN)->ended = true;
    run(rig, 10);
    expect(rig, "GPU-0", "", 0, 200);
    expect(rig, "GPU-1", "bob", 10, 0);
    assert_null(find(rig, "GPU-0", "ann"));
    assert_null(find(rig, "GPU-2", "eve"));
    assert_null(find(rig, "GPU-2", ""));
}

static void energy_by_its_counter(void **state) {
    struct rig *rig = *state;
    struct gpu *one = gpu(rig, 0, 0.9, 300);
    process(rig, 1, "ann", NAN);
    one->energy_joules = 1000;
    pass(rig, 0);
    one->energy_joules = 3500;
    pass(rig, 10);
    expect(rig, "GPU-0", "ann", 10, 2500);
    one->energy_joules = 40; /* it jumped back: the driver was loaded anew */
    pass(rig, 10);
    expect(rig, "GPU-0", "ann", 20, 5500);
    one->energy_joules = 1040;
    pass(rig, 10);
    expect(rig, "GPU-0", "ann", 30, 6500);
    one->energy_joules = INT64_C(1) << 50; /* nothing takes so much */
    pass(rig, 10);
    expect(rig, "GPU-0", "ann", 40, 9500);
    one->energy_joules = STATUS_UNKNOWN;
    pass(rig, 10);
    expect(rig, "GPU-0", "ann", 50, 12500);
}

static void the_machine_takes_more_than_its_gpus(void **state) {
    struct rig *rig = *state;
    gpu(rig, 0, 0.9, 300);
    rig->status.power_watts = 450;
    run(rig, 10);
    expect(rig, "", "", 10, 4500);
}

static void nobody_was_looking_for_a_while(void **state) {
    struct rig *rig = *state;
    struct gpu *one = gpu(rig, 0, 0.9, 300);
    process(rig, 1, "ann", NAN);
    one->energy_joules = 1000;
    pass(rig, 0);
    one->energy_joules = 91000;
    pass(rig, 3600); /* the counter went on; who it was is not known */
    expect(rig, "GPU-0", "", 0, 90000);
    assert_null(find(rig, "GPU-0", "ann"));
    pass(rig, 10);
    expect(rig, "GPU-0", "ann", 10, 0); /* the counter stood still, and it counts */
}

static void wild_figures(void **state) {
    struct rig *rig = *state;
    gpu(rig, 0, 1e9, 1e15);
    rig->status.power_watts = 1e15;
    for (int i = 0; i < STATUS_PROCESSES_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "user%d", i);
        process(rig, UINT32_MAX, name, 1e300);
    }
    run(rig, 10);
    assert_true(rig->usage.use_count < 20);
    for (size_t i = 0; i < rig->usage.use_count; i++)
        assert_true(rig->usage.uses[i].joules <= 1e6 && rig->usage.uses[i].busy_s <= 10);
}

/* Each status with GPUs of other names: what is remembered of them stays bounded. */
static void gpus_that_change_their_names(void **state) {
    struct rig *rig = *state;
    struct gpu *one = gpu(rig, 0, 0.9, 300);
    for (int i = 0; i < 2000; i++) {
        snprintf(one->id, sizeof(one->id), "GPU-x%d", i);
        one->energy_joules = i;
        pass(rig, 1);
    }
    assert_true(rig->usage.use_count <= USES_PENDING_MAX && rig->usage.counter_count <= STATUS_GPUS_MAX);
}

#define use_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        use_test(one_user),
        use_test(the_first_status_says_nothing_yet),
        use_test(the_person_behind_an_account),
        use_test(several_share_by_what_they_use),
        use_test(or_equally_where_that_is_not_known),
        use_test(when_a_gpu_counts_as_used),
        use_test(energy_by_its_counter),
        use_test(the_machine_takes_more_than_its_gpus),
        use_test(nobody_was_looking_for_a_while),
        use_test(wild_figures),
        use_test(gpus_that_change_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
