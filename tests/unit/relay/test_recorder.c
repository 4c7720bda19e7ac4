/* The recorder with a real file and a clock that is put forward by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "recorder_local.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/store.h"

#define DAY INT64_C(86400)
#define START (INT64_C(20000) * DAY)

static int64_t test_clock;

static int64_t test_now(void) {
    return test_clock;
}

struct rig {
    char dir[64];
    struct loop *loop;
    struct store *store;
    struct recorder *recorder;
    int64_t box;
    struct status status;
};

static void start(struct rig *rig) {
    struct recorder_config config = {rig->loop, rig->store, rig->dir, test_now};
    assert_int_equal(recorder_new(&config, &rig->recorder), 0);
}

static void stop(struct rig *rig) {
    recorder_free(rig->recorder);
    rig->recorder = NULL;
}

static int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof(*rig));
    struct why why = {""};
    char path[96];
    snprintf(rig->dir, sizeof(rig->dir), "/tmp/sallyport-recorder-XXXXXX");
    assert_non_null(mkdtemp(rig->dir));
    snprintf(path, sizeof(path), "%s/relay.db", rig->dir);
    assert_int_equal(loop_new(&rig->loop), 0);
    assert_int_equal(store_open(path, &rig->store, &why), 0);
    assert_int_equal(store_machine_add(rig->store, "box1", NULL, 1, &rig->box, &why), 0);
    test_clock = START;
    status_init(&rig->status);
    start(rig);
    *state = rig;
    return 0;
}

static int tear_down(void **state) {
    struct rig *rig = *state;
    char path[400];
    stop(rig);
    status_fini(&rig->status);
    store_close(rig->store);
    loop_free(rig->loop);
    DIR *dir = opendir(rig->dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        snprintf(path, sizeof(path), "%s/%s", rig->dir, entry->d_name);
        unlink(path);
    }
    closedir(dir);
    rmdir(rig->dir);
    free(rig);
    return 0;
}

static void end_turn(void *ctx) {
    loop_stop(ctx);
}

/* What the timer would do, and waits for the thread. */
static void minute_is_over(struct rig *rig) {
    struct loop_timer timer;
    loop_timer_init(rig->loop, &timer, end_turn, rig->loop);
    recorder_minute(rig->recorder);
    for (int i = 0; i < 30000 && recorder_is_writing(rig->recorder); i++) {
        assert_int_equal(loop_timer_set(&timer, 1), 0);
        assert_int_equal(loop_run(rig->loop), 0);
    }
    assert_false(recorder_is_writing(rig->recorder));
}

static void say(struct rig *rig, double share) {
    rig->status.cpu_used_share = share;
    recorder_take(rig->recorder, rig->box, &rig->status);
}

/* Six statuses from the clock's time on, which then is a minute later, written. */
static void pass_minute(struct rig *rig, double share) {
    for (int i = 0; i < 6; i++) {
        say(rig, share);
        test_clock += 10;
    }
    minute_is_over(rig);
}

static struct recorder_table read_from(struct rig *rig, int64_t from, int64_t to, int64_t step) {
    struct recorder_table table;
    assert_int_equal(recorder_read(rig->recorder, rig->box, from, to, step, &table), 0);
    for (size_t i = 1; i < table.rows; i++)
        assert_true(table.times[i] > table.times[i - 1]);
    return table;
}

static const struct recorder_column *column(const struct recorder_table *table, const char *name) {
    for (size_t i = 0; i < table->columns; i++) {
        if (strcmp(table->column[i].name, name) == 0)
            return &table->column[i];
    }
    return NULL;
}

static void is(float value, double wanted) {
    if (!(fabs((double)value - wanted) < 1e-3))
        fail_msg("%g is not %g", (double)value, wanted);
}

/* Who reads up to the second that is running sees the first status, and does so when another one takes its place. */
static void the_first_status_stays_in_sight(void **state) {
    struct rig *rig = *state;
    for (test_clock++; test_clock < START + 9; test_clock++) {
        say(rig, 0.5);
        struct recorder_table table = read_from(rig, test_clock - DAY, test_clock, 0);
        assert_non_null(column(&table, "cpu_used_share"));
        recorder_table_fini(&table);
    }
}

static void minutes_are_means(void **state) {
    struct rig *rig = *state;
    for (int i = 0; i < 12; i++) {
        say(rig, i % 2);
        test_clock += 10;
    }
    minute_is_over(rig);
    struct recorder_table table = read_from(rig, START, START + 120, 60);
    assert_int_equal(table.rows, 2);
    assert_int_equal(table.step_s, 60);
    is(column(&table, "cpu_used_share")->values[0], 0.5);
    assert_null(column(&table, "power_watts")); /* nothing is known of it */
    recorder_table_fini(&table);
    table = read_from(rig, START, START + 120, 10);
    assert_int_equal(table.rows, 12);
    is(column(&table, "cpu_used_share")->values[3], 1);
    recorder_table_fini(&table);
    say(rig, 0.25); /* twice in ten seconds: the latter */
    test_clock += 5;
    say(rig, 0.75);
    table = read_from(rig, START, test_clock + 1, 10);
    assert_int_equal(table.rows, 13);
    is(column(&table, "cpu_used_share")->values[12], 0.75);
    recorder_table_fini(&table);
}

static void a_restart_loses_no_more_than_the_minute(void **state) {
    struct rig *rig = *state;
    for (int i = 0; i < 3; i++)
        pass_minute(rig, 0.25);
    say(rig, 0.75); /* a minute that is not over is written at the end */
    stop(rig);
    start(rig);
    test_clock += 60;
    struct recorder_table table = read_from(rig, START, START + 600, 60);
    assert_int_equal(table.rows, 4);
    is(column(&table, "cpu_used_share")->values[2], 0.25);
    is(column(&table, "cpu_used_share")->values[3], 0.75);
    recorder_table_fini(&table);
}

static void the_clock_jumps_forward(void **state) {
    struct rig *rig = *state;
    pass_minute(rig, 0.1);
    test_clock += 3600;
    pass_minute(rig, 0.2);
    struct recorder_table table = read_from(rig, START, START + 2 * 3600, 60);
    assert_int_equal(table.rows, 3); /* the one in between says that nothing is known */
    const float *values = column(&table, "cpu_used_share")->values;
    is(values[0], 0.1);
    assert_true(isnan(values[1]));
    is(values[2], 0.2);
    assert_true(table.times[2] == START + 3660);
    recorder_table_fini(&table);
}

static void the_clock_jumps_back(void **state) {
    struct rig *rig = *state;
    for (int i = 0; i < 20; i++)
        pass_minute(rig, 0.5);
    test_clock -= 120; /* a little: what is complete stays as it is */
    pass_minute(rig, 1);
    pass_minute(rig, 1);
    pass_minute(rig, 1);
    struct recorder_table table = read_from(rig, START, START + 3600, 60);
    assert_int_equal(table.rows, 21);
    is(column(&table, "cpu_used_share")->values[18], 0.5);
    is(column(&table, "cpu_used_share")->values[20], 1);
    recorder_table_fini(&table);
    test_clock = START; /* far: these times are what there is now */
    pass_minute(rig, 0.9);
    table = read_from(rig, START, START + 3600, 60);
    assert_int_equal(table.rows, 21);
    is(column(&table, "cpu_used_share")->values[0], 0.9);
    recorder_table_fini(&table);
}

/* More GPUs over time than there are numbers: the oldest one's is used again, and its past is not taken for the new one's. */
static void gpus_that_come_and_go(void **state) {
    struct rig *rig = *state;
    struct gpu *gpu = status_add(&rig->status, "gpus");
    gpu->index = 0;
    snprintf(gpu->name, sizeof(gpu->name), "NVIDIA Something");
    for (int i = 0; i < (int)SUBJECT_GPUS + 2; i++) {
        snprintf(gpu->id, sizeof(gpu->id), "GPU-%d", i);
        gpu->used_share = 0.25;
        pass_minute(rig, 0.5);
        if (i == 0) { /* as after a restart: the numbers are known by the file */
            stop(rig);
            start(rig);
        }
    }
    struct recorder_table table = read_from(rig, START, test_clock, 60);
    assert_null(column(&table, "gpu.GPU-0.used_share"));
    const struct recorder_column *last = column(&table, "gpu.GPU-65.used_share");
    assert_non_null(last);
    assert_true(last->gpu == 0);
    assert_string_equal(last->label, "NVIDIA Something");
    size_t known = 0;
    for (size_t i = 0; i < table.rows; i++)
        known += isnan(last->values[i]) ? 0 : 1;
    assert_true(known == 1);
    recorder_table_fini(&table);
}

/* The disk takes nothing for a while: the relay goes on, says so, and writes what has waited. */
static void a_disk_that_is_full(void **state) {
    struct rig *rig = *state;
    struct rlimit none, before;
    char lost[512];
    pass_minute(rig, 0.1);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 512;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    for (int i = 0; i < 3; i++)
        pass_minute(rig, 0.2);
    recorder_lost(rig->recorder, lost, sizeof(lost));
    assert_non_null(strstr(lost, "cannot be written"));
    assert_non_null(strstr(lost, "2024-10-04T00:0")); /* since when */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    pass_minute(rig, 0.3);
    recorder_lost(rig->recorder, lost, sizeof(lost));
    assert_string_equal(lost, "");
    stop(rig);
    start(rig);
    struct recorder_table table = read_from(rig, START, test_clock, 60);
    assert_int_equal(table.rows, 5);
    is(column(&table, "cpu_used_share")->values[2], 0.2);
    recorder_table_fini(&table);
}

/* So long that not all can wait: the relay's memory stays bounded, and what comes later has its names. */
static void a_disk_that_stays_full(void **state) {
    struct rig *rig = *state;
    struct rlimit none, before;
    struct gpu *gpu = status_add(&rig->status, "gpus");
    snprintf(gpu->id, sizeof(gpu->id), "GPU-1");
    gpu->index = 0;
    gpu->used_share = 0.5;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 512;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    for (int i = 0; i < 30; i++)
        pass_minute(rig, 0.2);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    pass_minute(rig, 0.3);
    stop(rig);
    start(rig);
    struct recorder_table table = read_from(rig, START, test_clock, 60);
    assert_true(table.rows >= 9 && table.rows <= 12);
    assert_non_null(column(&table, "gpu.GPU-1.used_share"));
    recorder_table_fini(&table);
}

/* The file is found damaged at work: it is put aside, and the relay writes on into a new one. */
static void damage_at_work(void **state) {
    struct rig *rig = *state;
    char path[128], lost[512];
    for (int i = 0; i < 3; i++)
        pass_minute(rig, 0.1);
    snprintf(path, sizeof(path), "%s/history.sqlite", rig->dir);
    recorder_damaged(rig->recorder);
    assert_null(recorder_history(rig->recorder));
    struct recorder_table table = read_from(rig, START, test_clock, 60);
    recorder_table_fini(&table); /* from memory */
    pass_minute(rig, 0.2);
    assert_non_null(recorder_history(rig->recorder));
    recorder_lost(rig->recorder, lost, sizeof(lost));
    assert_non_null(strstr(lost, "was damaged"));
    assert_non_null(strstr(lost, "history.damaged-"));
    stop(rig);
    start(rig);
    table = read_from(rig, START, test_clock, 60);
    assert_int_equal(table.rows, 4); /* what could be read was saved */
    recorder_table_fini(&table);
}

static void a_damaged_file_at_the_start(void **state) {
    struct rig *rig = *state;
    char path[128], lost[512];
    pass_minute(rig, 0.1);
    stop(rig);
    snprintf(path, sizeof(path), "%s/history.sqlite", rig->dir);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "no such database", 16, 0), 16);
    close(fd);
    start(rig);
    recorder_lost(rig->recorder, lost, sizeof(lost));
    assert_non_null(strstr(lost, "is lost"));
    struct machine machine;
    assert_int_equal(store_machine_find(rig->store, "box1", &machine), 0);
    pass_minute(rig, 0.3);
    struct recorder_table table = read_from(rig, START, test_clock, 60);
    is(column(&table, "cpu_used_share")->values[table.rows - 1], 0.3);
    recorder_table_fini(&table);
}

static void machines_that_are_removed(void **state) {
    struct rig *rig = *state;
    pass_minute(rig, 0.1);
    assert_int_equal(store_machine_remove(rig->store, rig->box), 0);
    recorder_machines_changed(rig->recorder);
    test_clock += 60;
    minute_is_over(rig);
    minute_is_over(rig);
    assert_null(recorder_find(rig->recorder, rig->box));
    struct recorder_table table = read_from(rig, START, test_clock, 60);
    assert_int_equal(table.rows, 0);
    assert_int_equal(table.columns, 0);
    recorder_table_fini(&table);
}

static void which_step_is_taken(void **state) {
    static const struct {
        int64_t ago, span, step, wanted; /* wanted < 0: an error */
    } rows[] = {
        {3600, 3600, 0, 10},
        {3600, 3600, 15, 20},
        {DAY, DAY, 0, 60},
        {3 * DAY, 3 * DAY, 0, 300},
        {14 * DAY - 60, 14 * DAY - 60, 0, 900},
        {14 * DAY, 3600, 0, 60},
        {15 * DAY, 3600, 0, 900}, /* no minutes of that are left */
        {15 * DAY, 3600, 60, 900},
        {730 * DAY, 730 * DAY, 0, 43200},
        {730 * DAY, 730 * DAY, 14400, 21600},
        {730 * DAY, 730 * DAY, 3600, SP_ETOOBIG},
        {4 * DAY, 4 * DAY, 60, SP_ETOOBIG},
        {3 * DAY, 3 * DAY, 60, 60},
        {732 * DAY, 732 * DAY, 0, SP_EINVAL},
        {DAY, 0, 0, SP_EINVAL},
        {DAY, -1, 0, SP_EINVAL},
    };
    struct rig *rig = *state;
    test_clock += 800 * DAY;
    for (int i = 0; i < 360; i++) {
        say(rig, 0.5);
        test_clock += 10;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct recorder_table table = {.step_s = 0};
        int64_t from = test_clock - rows[i].ago;
        int rc = recorder_read(rig->recorder, rig->box, from, from + rows[i].span, rows[i].step, &table);
        int64_t got = rc < 0 ? rc : table.step_s;
        if (got != rows[i].wanted)
            fail_msg("row %zu: %lld", i, (long long)got);
        recorder_table_fini(&table);
    }
}

/* What is not rolled up yet is shown from the finer rows, and from memory. */
static void the_last_minutes_of_a_long_time(void **state) {
    struct rig *rig = *state;
    for (int i = 0; i < 20; i++)
        pass_minute(rig, i < 15 ? 0.25 : 0.75);
    say(rig, 1);
    struct recorder_table table = read_from(rig, START - 20 * DAY, test_clock + 1, 900);
    assert_int_equal(table.rows, 2);
    is(column(&table, "cpu_used_share")->values[0], 0.25);
    is(column(&table, "cpu_used_share")->values[1], (5 * 0.75 + 1) / 6);
    recorder_table_fini(&table);
}

#define recorder_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        recorder_test(the_first_status_stays_in_sight),
        recorder_test(minutes_are_means),
        recorder_test(a_restart_loses_no_more_than_the_minute),
        recorder_test(the_clock_jumps_forward),
        recorder_test(the_clock_jumps_back),
        recorder_test(gpus_that_come_and_go),
        recorder_test(a_disk_that_is_full),
        recorder_test(a_disk_that_stays_full),
        recorder_test(damage_at_work),
        recorder_test(a_damaged_file_at_the_start),
        recorder_test(machines_that_are_removed),
        recorder_test(which_step_is_taken),
        recorder_test(the_last_minutes_of_a_long_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
