/* What is kept of a status, how it is packed, and means over time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "sallyport/base/err.h"
#include "sallyport/domain/series.h"

static struct sample_group *add(struct sample *sample, unsigned subject) {
    struct sample_group *group = &sample->groups[sample->count++];
    group->subject = (uint8_t)subject;
    for (size_t i = 0; i < SERIES_PER_SUBJECT_MAX; i++)
        group->values[i] = NAN;
    return group;
}

static void near(float value, double wanted, double tolerance) {
    if (!(fabs((double)value - wanted) <= tolerance))
        fail_msg("%g is not %g", (double)value, wanted);
}

static void a_status_gives_its_numbers(void **state) {
    struct status status;
    struct sample_group group;
    (void)state;
    status_init(&status);
    status.cpu_used_share = 0.5;
    status.memory_total_bytes = 100;
    status.memory_used_bytes = 25;
    status.swap_total_bytes = 0; /* no swap: no share of it */
    status.swap_used_bytes = 0;
    status.power_watts = 310;
    series_of_machine(&status, &group);
    near(group.values[0], 0.5, 0);
    near(group.values[1], 0.25, 0);
    assert_true(isnan(group.values[2]) && isnan(group.values[3]) && isnan(group.values[4]));
    near(group.values[6], 310, 0);
    struct gpu *gpu = status_add(&status, "gpus");
    gpu->used_share = 0.97;
    gpu->temperature_celsius = 71;
    gpu->memory_used_bytes = 5; /* of how much is not known */
    series_of_gpu(gpu, &group);
    near(group.values[0], 0.97, 1e-6);
    assert_true(isnan(group.values[1]) && isnan(group.values[3]));
    near(group.values[2], 71, 0);
    struct filesystem *filesystem = status_add(&status, "filesystems");
    filesystem->total_bytes = 200;
    filesystem->used_bytes = 150;
    series_of_filesystem(filesystem, &group);
    near(group.values[0], 0.75, 0);
    assert_true(isnan(group.values[1]));
    status_fini(&status);
}

static void names_end_with_their_unit(void **state) {
    (void)state;
    assert_string_equal(series_of(SERIES_MACHINE)[0].name, "cpu_used_share");
    assert_string_equal(series_of(SERIES_MACHINE)[5].name, "sent_bytes_per_second");
    assert_string_equal(series_of(SERIES_GPU)[2].name, "temperature_celsius");
    assert_true(series_of(SERIES_GPU)[2].highest);
    assert_string_equal(series_of(SERIES_FILESYSTEM)[0].name, "used_share");
    enum series_kind kind;
    assert_true(series_kind_of(SUBJECT_MACHINE_ID, &kind) && kind == SERIES_MACHINE);
    assert_true(series_kind_of(SUBJECT_GPU_FIRST, &kind) && kind == SERIES_GPU);
    assert_true(series_kind_of(SUBJECT_FILESYSTEM_FIRST - 1, &kind) && kind == SERIES_GPU);
    assert_true(series_kind_of(SUBJECT_IDS - 1, &kind) && kind == SERIES_FILESYSTEM);
    assert_false(series_kind_of(SUBJECT_IDS, &kind));
}

static void what_was_packed_comes_out(void **state) {
    struct sample sample = {.count = 0}, back;
    uint8_t bytes[SAMPLE_BYTES_MAX];
    (void)state;
    struct sample_group *machine = add(&sample, SUBJECT_MACHINE_ID);
    machine->values[0] = 0.3333F;
    machine->values[3] = 61.37F;
    machine->values[4] = 1.23456789e8F;
    machine->values[5] = 0;
    machine->values[6] = 402.5F;
    add(&sample, SUBJECT_GPU_FIRST + 3); /* nothing is known of it */
    add(&sample, SUBJECT_FILESYSTEM_FIRST)->values[0] = 1.5F;
    add(&sample, SUBJECT_FILESYSTEM_FIRST + 63)->values[0] = -1;
    size_t n = sample_pack(&sample, bytes);
    assert_int_equal(n, 1 + 15 + 3 + 3);
    assert_int_equal(sample_unpack(bytes, n, &back), 0);
    assert_int_equal(back.count, 3);
    near(back.groups[0].values[0], 0.3333, 1e-5);
    assert_true(isnan(back.groups[0].values[1]) && isnan(back.groups[0].values[2]));
    near(back.groups[0].values[3], 61.37, 0.01);
    near(back.groups[0].values[4], 1.23456789e8, 1.23456789e8 * 0.0006);
    near(back.groups[0].values[5], 0, 0);
    near(back.groups[0].values[6], 402.5, 402.5 * 0.0006);
    assert_int_equal(back.groups[1].subject, SUBJECT_FILESYSTEM_FIRST);
    near(back.groups[1].values[0], 1, 1e-6); /* a share is cut off */
    near(back.groups[2].values[0], 0, 0);
}

static void extremes(void **state) {
    const float values[] = {INFINITY, -INFINITY, NAN, 1e30F, -1e30F, 1e-30F};
    uint8_t bytes[SAMPLE_BYTES_MAX];
    struct sample back;
    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct sample sample = {.count = 0};
        struct sample_group *group = add(&sample, SUBJECT_MACHINE_ID);
        for (size_t k = 0; k < SERIES_PER_SUBJECT_MAX; k++)
            group->values[k] = values[i];
        size_t n = sample_pack(&sample, bytes);
        assert_int_equal(n, isfinite(values[i]) ? 16 : 0);
        if (n)
            assert_int_equal(sample_unpack(bytes, n, &back), 0);
    }
}

static void the_largest_sample_fits(void **state) {
    struct sample sample = {.count = 0}, back;
    uint8_t bytes[SAMPLE_BYTES_MAX];
    (void)state;
    for (unsigned i = 0; i < SAMPLE_GROUPS_MAX; i++) {
        unsigned subject = i == 0 ? 0 : i <= STATUS_GPUS_MAX ? i : SUBJECT_FILESYSTEM_FIRST + i;
        struct sample_group *group = add(&sample, subject);
        for (size_t k = 0; k < SERIES_PER_SUBJECT_MAX; k++)
            group->values[k] = 0.5F;
    }
    size_t n = sample_pack(&sample, bytes);
    assert_int_equal(n, SAMPLE_BYTES_MAX);
    assert_int_equal(sample_unpack(bytes, n, &back), 0);
    assert_int_equal(back.count, SAMPLE_GROUPS_MAX);
}

static void foreign_bytes_are_refused(void **state) {
    struct sample out = {.count = 77};
    uint8_t many[SAMPLE_BYTES_MAX + 200] = {1};
    (void)state;
    assert_int_equal(sample_unpack((const uint8_t *)"", 0, &out), SP_EFORMAT);
    assert_int_equal(sample_unpack((const uint8_t[]){2}, 1, &out), SP_EFORMAT);          /* another version */
    assert_int_equal(sample_unpack((const uint8_t[]){1, 0, 1, 2}, 4, &out), SP_EFORMAT); /* cut off */
    assert_int_equal(sample_unpack((const uint8_t[]){1, 65}, 2, &out), SP_EFORMAT);      /* likewise */
    assert_int_equal(sample_unpack((const uint8_t[]){1, SUBJECT_IDS, 1, 2}, 4, &out), SP_EFORMAT);
    for (size_t i = 1; i < sizeof(many); i += 3)
        many[i] = SUBJECT_FILESYSTEM_FIRST;
    assert_int_equal(sample_unpack(many, sizeof(many), &out), SP_EFORMAT); /* too many groups */
    assert_int_equal(out.count, 77);
    assert_int_equal(sample_unpack((const uint8_t[]){1}, 1, &out), 0);
    assert_int_equal(out.count, 0);
}

static void means_and_what_is_highest(void **state) {
    struct sample_sum sum = {.count = 0};
    struct sample out;
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct sample sample = {.count = 0};
        struct sample_group *gpu = add(&sample, SUBJECT_GPU_FIRST);
        gpu->values[0] = 0.25F * (float)i;
        gpu->values[2] = i == 1 ? 90 : 50;
        if (i == 2)
            gpu->values[3] = 100; /* known once only */
        if (i == 3)
            add(&sample, SUBJECT_GPU_FIRST + 1)->values[2] = -5;
        sample_sum_add(&sum, &sample);
    }
    sample_sum_end(&sum, &out);
    assert_int_equal(out.count, 2);
    near(out.groups[0].values[0], 0.375, 1e-6);
    assert_true(isnan(out.groups[0].values[1]));
    near(out.groups[0].values[2], 90, 0);
    near(out.groups[0].values[3], 100, 0);
    near(out.groups[1].values[2], -5, 0);
}

static void more_subjects_than_there_is_room_for(void **state) {
    struct sample_sum sum = {.count = 0};
    struct sample out;
    (void)state;
    for (unsigned i = 0; i < SUBJECT_IDS; i++) {
        struct sample sample = {.count = 0};
        add(&sample, i)->values[0] = 1;
        sample_sum_add(&sum, &sample);
    }
    sample_sum_end(&sum, &out);
    assert_int_equal(out.count, SAMPLE_GROUPS_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_status_gives_its_numbers), cmocka_unit_test(names_end_with_their_unit),
        cmocka_unit_test(what_was_packed_comes_out),  cmocka_unit_test(extremes),
        cmocka_unit_test(the_largest_sample_fits),    cmocka_unit_test(foreign_bytes_are_refused),
        cmocka_unit_test(means_and_what_is_highest),  cmocka_unit_test(more_subjects_than_there_is_room_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
