/* The GPU probe: its child, what happens when that hangs or crashes, and what is remembered over several of them. */
#include "gpu_rig.h"

#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "gpu_local.h"
#include "sallyport/base/err.h"
#include "sallyport/base/os.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/probe/gpu.h"

#define FIRST "GPU-5a11b047-0000-4000-8000-000000000000"
enum { LONG_MS = 60000 };

struct bench {
    struct loop *loop;
    struct gpu_probe *probe;
    struct loop_timer timer;
    struct status status;
    int done, ticks;
};

static void bench_done(void *ctx) {
    struct bench *bench = ctx;
    bench->done++;
    loop_stop(bench->loop);
}

static void bench_tick(void *ctx) {
    struct bench *bench = ctx;
    bench->ticks++;
    assert_int_equal(loop_timer_set(&bench->timer, 5), 0);
}

static void begin(struct bench *bench, const struct gpu_probe_config *config, const char *script) {
    memset(bench, 0, sizeof *bench);
    rig_script(script);
    status_init(&bench->status);
    assert_int_equal(loop_new(&bench->loop), 0);
    loop_timer_init(bench->loop, &bench->timer, bench_tick, bench);
    assert_int_equal(gpu_probe_new(bench->loop, config, &bench->probe), 0);
}

static void sample(struct bench *bench) {
    int before = bench->done;
    assert_int_equal(gpu_probe_sample(bench->probe, bench_done, bench), 0);
    assert_int_equal(gpu_probe_sample(bench->probe, bench_done, bench), SP_EBUSY);
    while (bench->done == before)
        assert_int_equal(loop_run(bench->loop), 0);
    status_fini(&bench->status);
    assert_int_equal(gpu_probe_read(bench->probe, &bench->status), 0);
}

/* Samples until the first GPU's state is so. */
static void wait_for(struct bench *bench, const char *state) {
    const struct timespec moment = {.tv_nsec = 5000000};
    uint64_t end = os_monotonic_ms() + LONG_MS;
    do {
        assert_true(os_monotonic_ms() < end);
        (void)nanosleep(&moment, NULL);
        sample(bench);
    } while (bench->status.gpu_count == 0 || strcmp(bench->status.gpus[0].state, state) != 0);
}

static void end(struct bench *bench) {
    loop_timer_stop(&bench->timer);
    gpu_probe_free(bench->probe);
    loop_free(bench->loop);
    status_fini(&bench->status);
}

/* A line of the script for a process that lives. */
static const char *with_process(char to[static 128], const char *rest) {
    (void)snprintf(to, 128, "process 0 %d 500 50\n%s\n", (int)getpid(), rest);
    return to;
}

static void test_well(void **state) {
    const struct gpu_probe_config config = {.again_ms = LONG_MS};
    struct bench bench;
    char script[128];
    (void)state;
    begin(&bench, &config, with_process(script, "gpu 0 temperature 55"));
    sample(&bench);
    assert_int_equal(bench.status.gpu_count, 2);
    assert_string_equal(bench.status.gpus[0].id, FIRST);
    assert_true(fabs(bench.status.gpus[0].temperature_celsius - 55) < 1e-9);
    assert_int_equal(bench.status.process_count, 1);
    assert_int_equal(bench.status.processes[0].pid, getpid());
    assert_int_equal(bench.status.processes[0].gpus, 1);
    rig_script("gpu 0 temperature 56\n");
    sample(&bench);
    assert_true(fabs(bench.status.gpus[0].temperature_celsius - 56) < 1e-9);
    assert_int_equal(bench.status.process_count, 0);
    end(&bench);
}

static void test_nothing_here(void **state) {
    const struct gpu_probe_config config = {.again_ms = 1};
    const struct gpu_probe_config patient = {.again_ms = LONG_MS * 60};
    struct bench bench;
    (void)state;
    begin(&bench, &patient, "init 9\n");
    sample(&bench);
    assert_int_equal(bench.status.gpu_count, 0);
    rig_script("");
    sample(&bench); /* not before its time */
    assert_int_equal(bench.status.gpu_count, 0);
    end(&bench);
    begin(&bench, &config, "init 9\n");
    sample(&bench);
    rig_script("");
    wait_for(&bench, "ok");
    end(&bench);
}

static void test_driver_shows_up(void **state) {
    struct bench bench;
    char root[FIXTURE_PATH];
    (void)state;
    fixture_new(root);
    const struct gpu_probe_config config = {.root = root, .again_ms = LONG_MS * 60};
    begin(&bench, &config, "init 9\n");
    sample(&bench);
    assert_int_equal(bench.status.gpu_count, 0);
    rig_script("");
    fixture_write(root, "/dev/nvidiactl", "");
    sample(&bench);
    assert_int_equal(bench.status.gpu_count, 2);
    end(&bench);
    fixture_remove(root);
}

static void test_hang(void **state) {
    const struct gpu_probe_config config = {.answer_ms = 1000, .retry_ms = 1, .retry_most_ms = 50, .again_ms = LONG_MS};
    struct bench bench;
    char script[128];
    (void)state;
    begin(&bench, &config, with_process(script, ""));
    wait_for(&bench, "ok");
    rig_script(with_process(script, "hang nvmlDeviceGetPowerUsage 30"));
    bench_tick(&bench);
    sample(&bench);
    assert_string_equal(bench.status.gpus[0].state, "hanging");
    assert_in_range(bench.ticks, 3, 10000); /* the loop went on */
    assert_string_equal(bench.status.gpus[0].id, FIRST);
    assert_string_equal(bench.status.gpus[0].name, "NVIDIA GeForce RTX 4090");
    assert_true(isnan(bench.status.gpus[0].temperature_celsius));
    assert_string_equal(bench.status.gpus[1].state, "hanging");
    /* Its processes have not ended only because nobody can say what they do. */
    assert_int_equal(bench.status.process_count, 1);
    assert_int_equal(bench.status.processes[0].pid, getpid());
    assert_int_equal(bench.status.processes[0].gpus, 1);
    assert_int_equal(bench.status.processes[0].gpu_memory_used_bytes, STATUS_UNKNOWN);
    rig_script("");
    wait_for(&bench, "ok");
    end(&bench);
}

/* Who waits is told in time, though waking the driver takes longer. */
static void test_slow_start(void **state) {
    const struct gpu_probe_config config = {.answer_ms = 20, .start_ms = LONG_MS, .again_ms = LONG_MS};
    struct bench bench;
    (void)state;
    begin(&bench, &config, "hang nvmlInit_v2 30\n");
    for (int i = 0; i < 3; i++) {
        sample(&bench);
        assert_int_equal(bench.status.gpu_count, 0);
    }
    end(&bench);
    begin(&bench, &config, "hang nvmlInit_v2 0.1\n");
    wait_for(&bench, "ok");
    end(&bench);
}

static void test_crash(void **state) {
    const struct gpu_probe_config config = {.retry_ms = 1, .retry_most_ms = 20, .again_ms = LONG_MS};
    struct bench bench;
    (void)state;
    begin(&bench, &config, "gpu 1 xid 31 2\n");
    sample(&bench);
    assert_int_equal(bench.status.gpus[1].xid_count, 2);
    rig_script("crash nvmlDeviceGetPowerUsage\n");
    sample(&bench);
    assert_string_equal(bench.status.gpus[0].state, "hanging");
    assert_int_equal(bench.status.gpus[1].xid_count, 2);
    rig_script("gpu 1 xid 79 1\n");
    wait_for(&bench, "ok");
    assert_int_equal(bench.status.gpus[1].xid_count, 3); /* since the agent started, not the child */
    assert_int_equal(bench.status.gpus[1].xid_last, 79);
    end(&bench);
}

static void test_lost_and_back(void **state) {
    const struct gpu_probe_config config = {.again_ms = 1};
    const struct gpu_probe_config patient = {.again_ms = LONG_MS * 60};
    struct bench bench;
    (void)state;
    begin(&bench, &patient, "");
    sample(&bench);
    rig_script("gpu 0 lost\n");
    sample(&bench);
    assert_string_equal(bench.status.gpus[0].state, "lost");
    assert_string_equal(bench.status.gpus[0].id, FIRST);
    assert_string_equal(bench.status.gpus[1].state, "ok");
    end(&bench);
    /* A new child does not see it at all. */
    begin(&bench, &config, "");
    sample(&bench);
    rig_script("gpu 0 lost\n");
    for (int i = 0; i < 4; i++) {
        wait_for(&bench, "lost");
        assert_int_equal(bench.status.gpu_count, 2);
        assert_string_equal(bench.status.gpus[1].state, "ok");
        assert_int_equal(bench.status.gpus[1].index, 1);
    }
    rig_script("");
    wait_for(&bench, "ok");
    assert_string_equal(bench.status.gpus[0].id, FIRST);
    end(&bench);
}

/* The probe goes, and the loop, while a child is stuck, and while one answers. */
static void test_end_at_any_time(void **state) {
    const struct gpu_probe_config config = {.answer_ms = 20, .start_ms = 20, .retry_ms = 1, .retry_most_ms = 1};
    struct bench bench;
    (void)state;
    begin(&bench, &config, "hang nvmlInit_v2 30\n");
    for (int i = 0; i < 4; i++)
        sample(&bench);
    assert_int_equal(gpu_probe_sample(bench.probe, bench_done, &bench), 0);
    end(&bench);
    begin(&bench, &config, "");
    end(&bench);
    gpu_probe_free(NULL);
}

/* No functions with versions, and rows of 16 bytes. */
static void test_old_library(void **state) {
    const struct gpu_probe_config config = {.again_ms = LONG_MS};
    struct bench bench;
    char script[128];
    (void)state;
    assert_int_equal(setenv("LD_LIBRARY_PATH", STAND_DIR "/nvml_old", 1), 0);
    begin(&bench, &config, with_process(script, "gpu 0 slow 64"));
    sample(&bench);
    assert_int_equal(setenv("LD_LIBRARY_PATH", STAND_DIR "/nvml", 1), 0);
    assert_int_equal(bench.status.gpu_count, 2);
    assert_true(fabs(bench.status.gpus[0].temperature_celsius - 41) < 1e-9);
    assert_int_equal(bench.status.gpus[0].memory_total_bytes, 24564LL << 20);
    assert_string_equal(bench.status.gpus[0].throttle, "thermal");
    assert_int_equal(bench.status.process_count, 1);
    assert_int_equal(bench.status.processes[0].gpu_memory_used_bytes, 500LL << 20);
    assert_true(isnan(bench.status.processes[0].gpu_used_share));
    end(&bench);
}

/* ---- What is remembered ---- */

static void take(struct gpu_known *known, const char *json) {
    struct status sample;
    assert_int_equal(gpu_message_read(json, strlen(json), &sample), 0);
    assert_int_equal(gpu_known_take(known, &sample), 0);
    status_fini(&sample);
}

#define GPU(id, index) "{\"id\":\"" id "\",\"index\":" #index ",\"state\":\"ok\"}"

static void test_indices_last(void **state) {
    struct gpu_known known;
    (void)state;
    gpu_known_init(&known);
    take(&known, "{\"gpus\":[" GPU("GPU-a", 0) "," GPU("GPU-b", 1) "]}");
    /* The first one fell off; what was the second is counted as the first now. */
    take(&known, "{\"gpus\":[" GPU("GPU-b", 0) "," GPU("GPU-c", 1) "],\"processes\":[{\"pid\":7,\"gpus\":[0]}]}");
    assert_int_equal(known.now.gpu_count, 3);
    assert_string_equal(known.now.gpus[0].id, "GPU-a");
    assert_string_equal(known.now.gpus[0].state, "lost");
    assert_string_equal(known.now.gpus[1].id, "GPU-b");
    assert_int_equal(known.now.gpus[1].index, 1);
    assert_string_equal(known.now.gpus[2].id, "GPU-c");
    assert_int_equal(known.now.gpus[2].index, 2);
    assert_int_equal(known.now.processes[0].gpus, 2);
    gpu_known_hang(&known);
    assert_string_equal(known.now.gpus[0].state, "lost");
    assert_string_equal(known.now.gpus[2].state, "hanging");
    gpu_known_fini(&known);
}

static void test_other_makers_leave(void **state) {
    struct gpu_known known;
    (void)state;
    gpu_known_init(&known);
    take(&known, "{\"gpus\":[" GPU("pci-0000:03:00.0", 0) "]}");
    take(&known, "{\"gpus\":[]}");
    assert_int_equal(known.now.gpu_count, 0);
    gpu_known_fini(&known);
}

/* One that slept was known by its place; awake, it has its own name, and its index all the same. */
static void test_wakes_by_another_name(void **state) {
    struct gpu_known known;
    (void)state;
    gpu_known_init(&known);
    take(&known, "{\"gpus\":[{\"id\":\"pci-0000:01:00.0\",\"index\":0,\"state\":\"asleep\"}]}");
    take(&known, "{\"gpus\":[" GPU("GPU-a", 0) "]}");
    assert_int_equal(known.now.gpu_count, 1);
    assert_string_equal(known.now.gpus[0].id, "GPU-a");
    assert_int_equal(known.now.gpus[0].index, 0);
    gpu_known_fini(&known);
}

static void test_nonsense(void **state) {
    static const char *const texts[] = {
        "", "{", "[]", "null", "{\"gpus\":[]} x", "{\"gpus\":[[[[[[1]]]]]]}",
    };
    struct gpu_known known;
    struct status sample;
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_not_equal(gpu_message_read(texts[i], strlen(texts[i]), &sample), 0);
    gpu_known_init(&known);
    take(
        &known,
        "{\"gpus\":[" GPU("a", 0) "," GPU("a", 1) "," GPU("b", 0) "," GPU("c", 99) "," GPU(
            "d",
            -1) ",{\"id\":\"e\",\"index\":3,\"state\":\"dancing\"},{\"id\":\"f\\u0007\",\"index\":4,\"state\":\"ok\"}],"
                "\"processes\":[{\"pid\":0,\"gpus\":[0]},{\"pid\":5,\"gpus\":[3]},{\"pid\":6},{\"gpus\":[0]}],"
                "\"cpu_count\":7}");
    assert_int_equal(known.now.gpu_count, 1);
    assert_int_equal(known.now.process_count, 0);
    assert_int_equal(known.now.cpu_count, STATUS_UNKNOWN);
    gpu_known_fini(&known);
}

int main(int argc, char **argv) {
    int helper = gpu_worker_main(argc, argv);
    if (helper >= 0)
        return helper;
    rig_begin(argv, STAND_DIR "/nvml");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_well),
        cmocka_unit_test(test_nothing_here),
        cmocka_unit_test(test_driver_shows_up),
        cmocka_unit_test(test_hang),
        cmocka_unit_test(test_slow_start),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_lost_and_back),
        cmocka_unit_test(test_end_at_any_time),
        cmocka_unit_test(test_old_library),
        cmocka_unit_test(test_indices_last),
        cmocka_unit_test(test_other_makers_leave),
        cmocka_unit_test(test_wakes_by_another_name),
        cmocka_unit_test(test_nonsense),
    };
    return rig_end(cmocka_run_group_tests(tests, NULL, NULL));
}
