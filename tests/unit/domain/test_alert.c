/* Alerts: on at the threshold, off well below and after a while, never twice, and bounded whatever a machine says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/domain/alert.h"

#define START INT64_C(1795428000)

struct bench {
    struct alert_state state;
    struct alert_settings settings;
    struct alert_view view;
    struct status status;
    size_t turns[4]; /* by enum alert_turn */
    char said[4096]; /* "on gpu_hot: text\n" */
};

static void on_turn(void *ctx, const struct alert *alert, enum alert_turn turn) {
    static const char *const words[] = {"on", "off", "dropped", "happened"};
    struct bench *bench = ctx;
    size_t used = strlen(bench->said);
    bench->turns[turn]++;
    snprintf(bench->said + used, sizeof(bench->said) - used, "%s %s: %s\n", words[turn], alert_kind_name(alert->kind),
             alert->text);
}

static int set_up(void **state) {
    struct bench *bench = calloc(1, sizeof(*bench));
    assert_non_null(bench);
    alert_settings_init(&bench->settings);
    status_init(&bench->status);
    bench->view = (struct alert_view){.settings = &bench->settings, .now = START, .turned = on_turn, .ctx = bench};
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    alert_state_fini(&bench->state);
    status_fini(&bench->status);
    free(bench);
    return 0;
}

static struct gpu *add_gpu(struct bench *bench, int64_t index) {
    struct gpu *gpu = status_add(&bench->status, "gpus");
    assert_non_null(gpu);
    snprintf(gpu->id, sizeof(gpu->id), "GPU-%lld", (long long)index);
    snprintf(gpu->state, sizeof(gpu->state), "ok");
    gpu->index = index;
    return gpu;
}

/* So many seconds later a status comes; what has turned then. */
static const char *look(struct bench *bench, int64_t later) {
    bench->said[0] = '\0';
    bench->view.now += later;
    alert_look_status(&bench->state, &bench->view, &bench->status);
    return bench->said;
}

static size_t count_on(const struct bench *bench) {
    size_t cursor = 0, n = 0;
    while (alert_state_next(&bench->state, &cursor))
        n++;
    return n;
}

static void test_hot(void **state) {
    struct bench *bench = *state;
    struct gpu *gpu = add_gpu(bench, 0);
    gpu->temperature_celsius = 86.9;
    assert_string_equal(look(bench, 0), "");
    gpu->temperature_celsius = 91;
    assert_string_equal(look(bench, 10), "on gpu_hot: GPU 0 is at 91 degrees Celsius (limit 87)\n");
    gpu->temperature_celsius = 93;
    assert_string_equal(look(bench, 10), "");
    gpu->temperature_celsius = 85; /* not cool enough */
    assert_string_equal(look(bench, 10), "");
    assert_string_equal(look(bench, 600), "");
    gpu->temperature_celsius = 70;
    assert_string_equal(look(bench, 10), "");
    gpu->temperature_celsius = 84; /* a moment's cooling counts anew */
    look(bench, 30);
    gpu->temperature_celsius = 70;
    assert_string_equal(look(bench, 40), "");
    assert_string_equal(look(bench, 59), "");
    gpu->temperature_celsius = NAN; /* not known: nothing changes */
    assert_string_equal(look(bench, 100), "");
    gpu->temperature_celsius = 70;
    assert_string_equal(look(bench, 10), "off gpu_hot: GPU 0 has cooled down\n");
    assert_int_equal(count_on(bench), 0);
    gpu->temperature_celsius = 88;
    assert_string_equal(look(bench, 10), "on gpu_hot: GPU 0 is at 88 degrees Celsius (limit 87)\n");
}

static void test_throttled(void **state) {
    struct bench *bench = *state;
    struct gpu *gpu = add_gpu(bench, 3);
    strcpy(gpu->throttle, "power");
    look(bench, 0);
    assert_string_equal(look(bench, 1000), "");
    strcpy(gpu->throttle, "power thermal");
    assert_string_equal(look(bench, 10), "");
    assert_string_equal(look(bench, 119), "");
    assert_string_equal(look(bench, 1), "on gpu_throttled: GPU 3 is slowed down by heat\n");
    strcpy(gpu->throttle, "thermally"); /* another word */
    look(bench, 10);
    assert_string_equal(look(bench, 120), "off gpu_throttled: GPU 3 runs at its own speed again\n");
    strcpy(gpu->throttle, "brake");
    look(bench, 10);
    strcpy(gpu->throttle, "");
    look(bench, 60);
    strcpy(gpu->throttle, "brake");
    assert_string_equal(look(bench, 60), ""); /* not without a break */
}

static void test_lost(void **state) {
    struct bench *bench = *state;
    add_gpu(bench, 0);
    add_gpu(bench, 1);
    strcpy(bench->status.gpus[0].state, "lost");
    look(bench, 0);
    assert_string_equal(look(bench, 20), "on gpu_lost: GPU 0 fell off its bus\n");
    /* It may not even be told of any more: that does not make it well. */
    bench->status.gpu_count = 0;
    look(bench, 10);
    assert_string_equal(look(bench, 86000), "");
    assert_string_equal(look(bench, 401), "off gpu_lost: GPU 0 is not told of any more\n");
}

static void test_errors(void **state) {
    struct bench *bench = *state;
    struct gpu *gpu = add_gpu(bench, 0);
    gpu->xid_count = 4;
    gpu->ecc_uncorrected_count = 0;
    assert_string_equal(look(bench, 0), ""); /* what was before we looked */
    gpu->xid_count = 5;
    gpu->xid_last = 79;
    assert_string_equal(look(bench, 10), "on gpu_xid: GPU 0 had an error that its driver reports as Xid 79\n");
    gpu->xid_count = 6;
    assert_string_equal(look(bench, 10), "");
    gpu->xid_count = 0; /* the agent was started anew */
    assert_string_equal(look(bench, 10), "");
    look(bench, 300);
    assert_string_equal(look(bench, 300), "off gpu_xid: GPU 0 had an error that its driver reports as Xid 79\n");
    assert_false(alert_tells_end(ALERT_GPU_XID));
    gpu->xid_count = 1;
    assert_int_equal(bench->turns[ALERT_ON], 1);
    look(bench, 10);
    assert_int_equal(bench->turns[ALERT_ON], 2);
    gpu->xid_count = 7;
    look(bench, 10);
    look(bench, 10);
    look(bench, 600);
    gpu->xid_count = 2; /* started anew, and two errors since */
    look(bench, 10);
    assert_int_equal(bench->turns[ALERT_ON], 3);
    gpu->ecc_uncorrected_count = STATUS_UNKNOWN;
    look(bench, 10);
    gpu->ecc_uncorrected_count = 2;
    assert_string_equal(look(bench, 10), "on gpu_ecc: the memory of GPU 0 had an error that could not be corrected\n");
}

static struct filesystem *add_filesystem(struct bench *bench, const char *mount) {
    struct filesystem *filesystem = status_add(&bench->status, "filesystems");
    assert_non_null(filesystem);
    snprintf(filesystem->mount, sizeof(filesystem->mount), "%s", mount);
    filesystem->total_bytes = 1000;
    filesystem->used_bytes = 500;
    filesystem->available_bytes = 500;
    return filesystem;
}

static void test_disks(void **state) {
    struct bench *bench = *state;
    struct filesystem *data = add_filesystem(bench, "/data");
    look(bench, 0);
    data->used_bytes = 950;
    data->available_bytes = 50;
    assert_string_equal(look(bench, 10), "on disk_full: /data is 95 % full (limit 95 %)\n");
    data->used_bytes = 940; /* not less enough */
    data->available_bytes = 60;
    look(bench, 10);
    assert_string_equal(look(bench, 1000), "");
    data->used_bytes = 900;
    data->available_bytes = 100;
    look(bench, 10);
    assert_string_equal(look(bench, 60), "off disk_full: /data has room again\n");
    data->inodes_total = 100;
    data->inodes_used = 99;
    assert_string_equal(look(bench, 10), "on disk_full: /data is 99 % full of files (limit 95 %)\n");
    data->full_in_s = 7200;
    look(bench, 10);
    assert_string_equal(look(bench, 600), "on disk_full_soon: /data will be full in about 2 h\n");
    data->full_in_s = STATUS_UNKNOWN; /* it does not fill up any more */
    look(bench, 10);
    assert_string_equal(look(bench, 1800), "off disk_full_soon: /data will not be full soon\n");
    struct disk *disk = status_add(&bench->status, "disks");
    snprintf(disk->name, sizeof(disk->name), "sda");
    snprintf(disk->model, sizeof(disk->model), "WDC");
    snprintf(disk->health, sizeof(disk->health), "failing");
    assert_string_equal(look(bench, 10),
                        "on disk_failing: the disk sda (WDC) says that it is failing: save what is on it\n");
    disk->health[0] = '\0'; /* it stands still, and is not woken to be asked */
    assert_string_equal(look(bench, 100000), "");
    assert_true(alert_is_urgent(ALERT_DISK_FAILING) && !alert_is_urgent(ALERT_DISK_FULL));
}

static void test_memory(void **state) {
    struct bench *bench = *state;
    bench->status.memory_pressure_share = 0.3;
    look(bench, 0);
    assert_string_equal(look(bench, 60),
                        "on memory_pressure: programs wait for memory 30 % of the time (limit 20 %)\n");
    bench->status.memory_pressure_share = 0.15;
    assert_string_equal(look(bench, 1000), "");
    bench->status.memory_pressure_share = 0;
    look(bench, 10);
    assert_string_equal(look(bench, 120), "off memory_pressure: programs need not wait for memory any more\n");
}

static struct process *add_process(struct bench *bench, int64_t pid, const char *user, uint32_t gpus) {
    struct process *process = status_add(&bench->status, "processes");
    assert_non_null(process);
    process->pid = pid;
    process->gpus = gpus;
    snprintf(process->user, sizeof(process->user), "%s", user);
    return process;
}

static void test_jobs(void **state) {
    struct bench *bench = *state;
    struct process *job = add_process(bench, 7, "ubuntu", 1 << 2);
    snprintf(job->person, sizeof(job->person), "ann");
    snprintf(job->command, sizeof(job->command), "python secret.py");
    job->started = START - 5 * 86400;
    assert_string_equal(look(bench, 0), "");
    job->ended = true;
    assert_string_equal(look(bench, 0), "happened job_ended: a job of ann on GPU 2 has ended after 5 d (process 7)\n");
    job->started = START - 500; /* a short one */
    assert_string_equal(look(bench, 0), "");
    job->started = 0;
    assert_string_equal(look(bench, 0), "");
    /* Without end: ten a minute. */
    job->started = START - 86400;
    for (int i = 0; i < 100; i++)
        look(bench, 0);
    assert_int_equal(bench->turns[ALERT_HAPPENED], 10);
    look(bench, 60);
    assert_int_equal(bench->turns[ALERT_HAPPENED], 11);
}

static void test_claims(void **state) {
    struct bench *bench = *state;
    struct claim claims[] = {{.gpu_id = "GPU-0", .gpu = 0, .user = "ann", .since = START, .until = START + 7200},
                             {.gpu_id = "GPU-1", .gpu = 1, .user = "ann", .since = START, .until = START + 600}};
    bench->view.claims = claims;
    bench->view.claim_count = 2;
    add_process(bench, 1, "ann", 1);
    add_process(bench, 2, "root", 1);
    add_process(bench, 3, "bob", 4);
    look(bench, 0);
    assert_string_equal(look(bench, 60), "");
    add_process(bench, 4, "bob", 1 | 4);
    add_process(bench, 5, "bob", 1);
    look(bench, 10);
    assert_string_equal(look(bench, 20), "on claim_broken: bob uses GPU 0, which ann has claimed\n");
    size_t cursor = 0;
    const struct alert *alert = alert_state_next(&bench->state, &cursor);
    assert_string_equal(alert->who, "ann");
    assert_string_equal(alert->other, "bob");
    bench->status.process_count = 3;
    look(bench, 10);
    assert_string_equal(look(bench, 60), "off claim_broken: GPU 0 is used against a claim no more\n");

    bench->said[0] = '\0';
    bench->view.now = START + 7200 - 900;
    alert_look_time(&bench->state, &bench->view, 0, 0);
    alert_look_time(&bench->state, &bench->view, 0, 0);
    assert_string_equal(bench->said, "on claim_ending: the claim of ann on GPU 0 ends in 15 min\n");
    claims[0].until += 7200; /* it goes on */
    bench->view.now++;
    alert_look_time(&bench->state, &bench->view, 0, 0);
    assert_int_equal(count_on(bench), 0);
    assert_int_equal(bench->turns[ALERT_DROPPED], 1);
}

static void test_offline(void **state) {
    struct bench *bench = *state;
    alert_look_time(&bench->state, &bench->view, START, START - 60);
    bench->view.now += 299;
    alert_look_time(&bench->state, &bench->view, START, START - 60);
    assert_string_equal(bench->said, "");
    bench->view.now++;
    alert_look_time(&bench->state, &bench->view, START, START - 60);
    alert_look_time(&bench->state, &bench->view, START, START - 60);
    assert_string_equal(bench->said, "on offline: offline since 2026-11-23T09:59:00Z\n");
    /* After the relay was started anew it is still off, though not missed for long yet. */
    struct alert_state restored = {.items = NULL};
    size_t cursor = 0;
    assert_int_equal(alert_state_restore(&restored, alert_state_next(&bench->state, &cursor)), 0);
    alert_state_fini(&bench->state);
    bench->state = restored;
    bench->said[0] = '\0';
    alert_look_time(&bench->state, &bench->view, bench->view.now + 200, START - 60);
    assert_string_equal(bench->said, "");
    alert_look_time(&bench->state, &bench->view, 0, 0);
    assert_string_equal(bench->said, "off offline: back online\n");
}

static void test_switched_off(void **state) {
    struct bench *bench = *state;
    struct gpu *gpu = add_gpu(bench, 0);
    gpu->temperature_celsius = 99;
    look(bench, 0);
    bench->settings.values[SETTING_OF_KINDS + ALERT_GPU_HOT] = 0;
    look(bench, 10);
    assert_int_equal(bench->turns[ALERT_DROPPED], 1);
    assert_int_equal(count_on(bench), 0);
    look(bench, 10);
    assert_int_equal(bench->turns[ALERT_ON], 1);
}

/* Whatever comes and goes: so many items, and each turns on at most once a minute. */
static void test_flapping(void **state) {
    struct bench *bench = *state;
    for (int i = 0; i < 130; i++) {
        status_fini(&bench->status);
        status_init(&bench->status);
        for (int g = 0; g < STATUS_GPUS_MAX; g++) {
            struct gpu *gpu = add_gpu(bench, g);
            gpu->temperature_celsius = i % 2 ? 120 : 0;
            gpu->xid_count = i;
            if (i % 2)
                snprintf(gpu->state, sizeof(gpu->state), "lost");
        }
        for (int f = 0; f < STATUS_FILESYSTEMS_MAX; f++) {
            char mount[32];
            snprintf(mount, sizeof(mount), "/mount-%d-%d", f, i);
            add_filesystem(bench, mount)->available_bytes = 0;
        }
        look(bench, 1);
    }
    assert_true(bench->state.count <= ALERT_ITEMS_MAX);
    assert_true(bench->turns[ALERT_ON] <= 3 * ALERT_ITEMS_MAX);
}

static void test_clock_set_back(void **state) {
    struct bench *bench = *state;
    struct gpu *gpu = add_gpu(bench, 0);
    strcpy(gpu->throttle, "thermal");
    look(bench, 0);
    look(bench, -100000);
    assert_string_equal(look(bench, 120), "on gpu_throttled: GPU 0 is slowed down by heat\n");
}

#define bench_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        bench_test(test_hot),          bench_test(test_throttled), bench_test(test_lost),
        bench_test(test_errors),       bench_test(test_disks),     bench_test(test_memory),
        bench_test(test_jobs),         bench_test(test_claims),    bench_test(test_offline),
        bench_test(test_switched_off), bench_test(test_flapping),  bench_test(test_clock_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
