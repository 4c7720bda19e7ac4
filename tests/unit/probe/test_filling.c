/* When a filesystem will be full. */
#include "fixture.h"

#include "filling.h"

#define GIB ((int64_t)1 << 30)
#define TOTAL (1000 * GIB)

struct rig {
    struct fillings fillings;
    struct status status;
    uint64_t now_ms;
};

static int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    status_init(&rig->status);
    *state = rig;
    return 0;
}

static int tear_down(void **state) {
    struct rig *rig = *state;
    fillings_fini(&rig->fillings);
    status_fini(&rig->status);
    free(rig);
    return 0;
}

/* One look, 5 min after the last; what is said of the filesystem then. */
static int64_t look_at(struct rig *rig, const char *mount, int64_t total, int64_t available) {
    status_fini(&rig->status);
    struct filesystem *filesystem = status_add(&rig->status, "filesystems");
    assert_non_null(filesystem);
    memcpy(filesystem->mount, mount, strlen(mount) + 1);
    filesystem->total_bytes = total;
    filesystem->available_bytes = available;
    rig->now_ms += FILLING_STEP_MS;
    fillings_update(&rig->fillings, rig->now_ms, &rig->status);
    return filesystem->full_in_s;
}

static int64_t look(struct rig *rig, int64_t available) {
    return look_at(rig, "/data", TOTAL, available);
}

/* 1 GiB every 5 min: known after an hour. */
static void a_disk_that_fills_up(void **state) {
    struct rig *rig = *state;
    int64_t left = 100 * GIB, got = STATUS_UNKNOWN;
    for (int i = 0; i < 12; i++, left -= GIB)
        assert_int_equal(look(rig, left), STATUS_UNKNOWN);
    got = look(rig, left);
    assert_in_range(got, left / GIB * 300 - 2, left / GIB * 300 + 2);
    for (int i = 0; i < 80 && left > 0; i++)
        got = look(rig, left -= GIB);
    assert_in_range(got, left / GIB * 300 - 2, left / GIB * 300 + 2);
    /* it stops: the last hours are a straight line no more */
    for (int i = 0; i < FILLING_POINTS_MAX; i++)
        got = look(rig, left);
    assert_int_equal(got, STATUS_UNKNOWN);
}

static void noise_is_no_trend(void **state) {
    struct rig *rig = *state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(look(rig, 50 * GIB + (i * 7919 % 13) * GIB), STATUS_UNKNOWN);
}

static void one_that_gets_emptier(void **state) {
    struct rig *rig = *state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(look(rig, (50 + i) * GIB), STATUS_UNKNOWN);
}

static void what_is_too_little_or_too_far_away(void **state) {
    struct rig *rig = *state;
    for (int i = 0; i < 100; i++) /* 1 MiB an hour */
        assert_int_equal(look_at(rig, "/a", TOTAL, 300 * GIB - i * (1LL << 20) / 12), STATUS_UNKNOWN);
    for (int i = 0; i < 100; i++) /* 2 MiB an hour of little */
        assert_int_equal(look_at(rig, "/s", 5 * GIB, GIB - i * (2LL << 20) / 12), STATUS_UNKNOWN);
    for (int i = 0; i < 100; i++) /* 40 days */
        assert_int_equal(look_at(rig, "/b", TOTAL, 960 * GIB - i * GIB / 12), STATUS_UNKNOWN);
    int64_t got = STATUS_UNKNOWN;
    for (int i = 0; i < 100; i++) /* 4 days */
        got = look_at(rig, "/c", TOTAL, 96 * GIB - i * GIB / 12);
    assert_in_range(got, 3 * 86400, 4 * 86400);
}

/* Another disk there, or a larger one: what was seen does not count. */
static void another_one(void **state) {
    struct rig *rig = *state;
    for (int i = 0; i < 20; i++)
        (void)look(rig, (100 - i) * GIB);
    assert_true(look(rig, 80 * GIB) > 0);
    assert_int_equal(look_at(rig, "/data", 2 * TOTAL, 79 * GIB), STATUS_UNKNOWN);
    for (int i = 0; i < 20; i++)
        (void)look(rig, (100 - i) * GIB);
    assert_true(look(rig, 80 * GIB) > 0);
    (void)look_at(rig, "/other", TOTAL, GIB); /* and back: forgotten in between */
    assert_int_equal(look(rig, 79 * GIB), STATUS_UNKNOWN);
    assert_int_equal(rig->fillings.count, 1);
}

/* Looks that come sooner than every 5 min do not count, and a little growth of the whole is none. */
static void looks_that_come_often(void **state) {
    struct rig *rig = *state;
    for (int i = 0; i < 13; i++)
        for (int j = 0; j < 30; j++) {
            (void)look_at(rig, "/data", TOTAL + j, (100 - i) * GIB - j);
            rig->now_ms -= j < 29 ? FILLING_STEP_MS - 10000 : 10000 * 29;
        }
    assert_int_equal(rig->fillings.items[0]->count, 13);
    assert_true(look(rig, 87 * GIB) > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_disk_that_fills_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(noise_is_no_trend, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_gets_emptier, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_too_little_or_too_far_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(looks_that_come_often, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
