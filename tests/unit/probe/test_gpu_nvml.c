/* NVIDIA's GPUs, asked through a stand-in for the library. */
#include "gpu_rig.h"

#include <math.h>

#include "gpu_local.h"
#include "sallyport/base/err.h"

struct bench {
    char root[FIXTURE_PATH];
    struct nvml *nvml;
    struct gpu_users users;
    struct status status;
    uint64_t now_ms;
};

static void sample(struct bench *bench) {
    status_fini(&bench->status);
    bench->users.count = 0;
    bench->now_ms += 1000;
    nvml_sample(bench->nvml, bench->now_ms, &bench->status, &bench->users);
    gpu_users_tell(&bench->users, bench->root, &bench->status);
}

static void begin(struct bench *bench, const char *script) {
    memset(bench, 0, sizeof *bench);
    status_init(&bench->status);
    fixture_new(bench->root);
    rig_script(script);
    fixture_process(bench->root, 100, "python", 1, "python", 1);
    fixture_process(bench->root, 200, "python", 1, "python", 1);
    fixture_process(bench->root, 300, "Xorg", 1, "Xorg", 1);
}

static void open_and_sample(struct bench *bench) {
    assert_int_equal(nvml_new(bench->root, &bench->nvml), 0);
    sample(bench);
}

static void end(struct bench *bench) {
    nvml_free(bench->nvml);
    status_fini(&bench->status);
    fixture_remove(bench->root);
}

#define NEAR(value, expected) assert_true(fabs((value) - (expected)) < 1e-6)

static void test_all_well(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench, "gpu 0 utilization 97\ngpu 0 temperature 71\ngpu 0 power 402500\ngpu 0 clock 2520\ngpu 0 fan 55\n"
                  "gpu 0 memory_clock 10501\ngpu 0 generation 4\ngpu 0 links 4\ngpu 0 links_active 3\n"
                  "gpu 0 corrected 12\ngpu 0 uncorrected 1\ngpu 1 slow 4\n"
                  "process 0 100 18000 90\nprocess 0 300 40 0 graphics\nprocess 1 100 2000 10 both\n");
    open_and_sample(&bench);
    assert_int_equal(bench.status.gpu_count, 2);
    const struct gpu *gpu = &bench.status.gpus[0];
    assert_string_equal(gpu->id, "GPU-5a11b047-0000-4000-8000-000000000000");
    assert_int_equal(gpu->index, 0);
    assert_string_equal(gpu->name, "NVIDIA GeForce RTX 4090");
    assert_string_equal(gpu->driver, "550.54.14");
    assert_string_equal(gpu->state, "ok");
    assert_string_equal(gpu->throttle, "");
    NEAR(gpu->used_share, 0.97);
    assert_int_equal(gpu->memory_total_bytes, 24564LL << 20);
    assert_int_equal(gpu->memory_used_bytes, 512LL << 20);
    assert_false(gpu->memory_shared);
    assert_false(gpu->partitioned);
    NEAR(gpu->temperature_celsius, 71);
    NEAR(gpu->fan_share, 0.55);
    NEAR(gpu->power_watts, 402.5);
    NEAR(gpu->power_limit_watts, 450);
    NEAR(gpu->clock_hz, 2520e6);
    NEAR(gpu->clock_max_hz, 3105e6);
    NEAR(gpu->memory_clock_hz, 10501e6);
    assert_int_equal(gpu->pcie_width, 16);
    assert_int_equal(gpu->pcie_width_max, 16);
    assert_int_equal(gpu->pcie_generation, 4);
    assert_int_equal(gpu->pcie_generation_max, 4);
    assert_int_equal(gpu->nvlink_count, 4);
    assert_int_equal(gpu->nvlink_active_count, 3);
    assert_int_equal(gpu->ecc_corrected_count, 12);
    assert_int_equal(gpu->ecc_uncorrected_count, 1);
    assert_int_equal(gpu->xid_count, 0);
    assert_int_equal(gpu->xid_last, STATUS_UNKNOWN);
    assert_int_equal(gpu->energy_joules, 1000);
    assert_string_equal(bench.status.gpus[1].throttle, "power");
    assert_int_equal(bench.status.gpus[1].nvlink_count, STATUS_UNKNOWN);
    end(&bench);
}

static void test_processes(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench, "process 0 100 18000 90\nprocess 0 300 40 0 graphics\nprocess 1 100 2000 10 both\n"
                  "process 1 4242 9000 50\n");
    open_and_sample(&bench);
    assert_int_equal(bench.status.process_count, 2); /* 4242 has no entry in /proc */
    const struct process *process = bench.status.processes;
    assert_int_equal(process[0].pid, 100);
    assert_int_equal(process[0].gpus, 3);
    assert_int_equal(process[0].gpu_memory_used_bytes, 20000LL << 20);
    NEAR(process[0].gpu_used_share, 0.5);
    assert_int_equal(process[1].pid, 300);
    assert_int_equal(process[1].gpus, 1);
    assert_int_equal(process[1].gpu_memory_used_bytes, 40LL << 20);
    NEAR(process[1].gpu_used_share, 0);
    end(&bench);
}

static void test_more_processes_than_expected(void **state) {
    struct bench bench;
    char script[4096] = "", pid[32];
    (void)state;
    begin(&bench, "");
    for (int i = 0; i < 64; i++) {
        (void)snprintf(script + strlen(script), sizeof script - strlen(script), "process 0 %d %d\n", 1000 + i, 10 + i);
        (void)snprintf(pid, sizeof pid, "/proc/%d/stat", 1000 + i);
        fixture_write(bench.root, pid, "x");
    }
    rig_script(script);
    open_and_sample(&bench);
    assert_int_equal(bench.status.process_count, STATUS_PROCESSES_MAX);
    assert_int_equal(bench.status.processes[0].pid, 1063);
    end(&bench);
}

/* Rows of 32 bytes under a name that stands for 24. */
static void test_odd_rows(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench, "driver 535.54.03\nodd\nprocess 0 100 500\nprocess 0 200 600\nprocess 0 300 700\n");
    open_and_sample(&bench);
    assert_int_equal(bench.status.process_count, 3);
    assert_int_equal(bench.status.processes[0].pid, 300);
    assert_int_equal(bench.status.processes[2].gpu_memory_used_bytes, 500LL << 20);
    end(&bench);
    /* A driver that we take for another one: nothing of what it says is made up into processes. */
    begin(&bench, "driver 535.98\nodd\nprocess 0 100 500\nprocess 0 200 600\nprocess 0 300 700\n");
    open_and_sample(&bench);
    for (size_t i = 0; i < bench.status.process_count; i++)
        assert_true(bench.status.processes[i].pid == 100 || bench.status.processes[i].pid == 200 ||
                    bench.status.processes[i].pid == 300);
    end(&bench);
}

static void test_not_supported(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench,
          "gpus 1\ngpu 0 unsupported nvmlDeviceGetFanSpeed nvmlDeviceGetPowerUsage nvmlDeviceGetUtilizationRates "
          "nvmlDeviceGetTotalEccErrors nvmlDeviceGetTotalEnergyConsumption nvmlDeviceGetTemperatureV "
          "nvmlDeviceRegisterEvents nvmlDeviceGetProcessUtilization nvmlDeviceGetCurrPcieLinkWidth\n"
          "process 0 100 500 50\n");
    open_and_sample(&bench);
    const struct gpu *gpu = &bench.status.gpus[0];
    assert_string_equal(gpu->state, "ok");
    assert_true(isnan(gpu->fan_share));
    assert_true(isnan(gpu->power_watts));
    assert_true(isnan(gpu->used_share));
    assert_int_equal(gpu->ecc_corrected_count, STATUS_UNKNOWN);
    assert_int_equal(gpu->energy_joules, STATUS_UNKNOWN);
    assert_int_equal(gpu->pcie_width, STATUS_UNKNOWN);
    assert_int_equal(gpu->xid_count, STATUS_UNKNOWN);
    NEAR(gpu->temperature_celsius, 41); /* by the older function */
    NEAR(gpu->power_limit_watts, 450);
    assert_true(isnan(bench.status.processes[0].gpu_used_share));
    end(&bench);
}

static void test_shared_memory(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench, "gpus 1\ngpu 0 unsupported nvmlDeviceGetMemoryInfo nvmlDeviceGetMemoryInfo_v2\n");
    fixture_write(bench.root, "/proc/meminfo", "MemTotal:       1000 kB\nMemAvailable:    400 kB\n");
    open_and_sample(&bench);
    assert_true(bench.status.gpus[0].memory_shared);
    assert_int_equal(bench.status.gpus[0].memory_total_bytes, 1024000);
    assert_int_equal(bench.status.gpus[0].memory_used_bytes, 600 * 1024);
    end(&bench);
}

static void test_throttle(void **state) {
    static const struct {
        const char *script, *throttle;
    } cases[] = {
        {"gpu 0 slow 0\n", ""},
        {"gpu 0 slow 1\n", ""},
        {"gpu 0 slow 4\n", "power"},
        {"gpu 0 slow 32\n", "thermal"},
        {"gpu 0 slow 72\n", "thermal"},
        {"gpu 0 slow 8\n", "hardware"},
        {"gpu 0 slow 136\n", "brake"},
        {"gpu 0 slow 36\n", "power thermal"},
        {"gpu 0 slow 12\n", "power hardware"},
    };
    struct bench bench;
    (void)state;
    begin(&bench, "");
    assert_int_equal(nvml_new(bench.root, &bench.nvml), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_script(cases[i].script);
        sample(&bench);
        assert_string_equal(bench.status.gpus[0].throttle, cases[i].throttle);
    }
    end(&bench);
}

static void test_lost_in_mid_run(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench, "process 0 100 500\n");
    open_and_sample(&bench);
    rig_script("gpu 0 lost\nprocess 0 100 500\nprocess 1 200 500\n");
    sample(&bench);
    assert_int_equal(bench.status.gpu_count, 2);
    const struct gpu *gpu = &bench.status.gpus[0];
    assert_string_equal(gpu->state, "lost");
    assert_string_equal(gpu->id, "GPU-5a11b047-0000-4000-8000-000000000000");
    assert_string_equal(gpu->name, "NVIDIA GeForce RTX 4090");
    assert_true(isnan(gpu->temperature_celsius));
    assert_true(isnan(gpu->power_limit_watts));
    assert_int_equal(gpu->memory_total_bytes, STATUS_UNKNOWN);
    assert_string_equal(bench.status.gpus[1].state, "ok");
    assert_int_equal(bench.status.process_count, 1);
    assert_int_equal(bench.status.processes[0].gpus, 2);
    rig_script(""); /* it is not asked again, since that may hang */
    sample(&bench);
    assert_string_equal(bench.status.gpus[0].state, "lost");
    end(&bench);
}

static void test_lost_from_the_beginning(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench, "gpu 0 lost\n");
    open_and_sample(&bench);
    assert_int_equal(bench.status.gpu_count, 1);
    assert_int_equal(bench.status.gpus[0].index, 1);
    end(&bench);
}

static void test_xid(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench, "gpu 1 xid 79 2\n");
    open_and_sample(&bench);
    sample(&bench);
    assert_int_equal(bench.status.gpus[0].xid_count, 0);
    assert_int_equal(bench.status.gpus[1].xid_count, 2);
    assert_int_equal(bench.status.gpus[1].xid_last, 79);
    rig_script("gpu 1 xid 31 3\n");
    sample(&bench);
    assert_int_equal(bench.status.gpus[1].xid_count, 3);
    assert_int_equal(bench.status.gpus[1].xid_last, 31);
    end(&bench);
}

static void test_mig(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench,
          "gpus 1\ngpu 0 mig 3\ngpu 0 unsupported nvmlDeviceGetUtilizationRates nvmlDeviceGetProcessUtilization\n"
          "process 0 100 500 0 compute 0\nprocess 0 100 700 0 compute 2\nprocess 0 200 100 0 compute 1\n");
    open_and_sample(&bench);
    assert_true(bench.status.gpus[0].partitioned);
    assert_true(isnan(bench.status.gpus[0].used_share));
    assert_int_equal(bench.status.process_count, 2);
    assert_int_equal(bench.status.processes[0].pid, 100);
    assert_int_equal(bench.status.processes[0].gpu_memory_used_bytes, 1200LL << 20);
    end(&bench);
}

static void place(struct bench *bench, const char *address, const char *status, const char *control) {
    char path[FIXTURE_PATH];
    (void)snprintf(path, sizeof path, "/sys/bus/pci/drivers/nvidia/%s/uevent", address);
    fixture_write(bench->root, path, "");
    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/class", address);
    fixture_write(bench->root, path, "0x030000\n");
    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/power/runtime_status", address);
    fixture_write(bench->root, path, status);
    (void)snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/power/control", address);
    fixture_write(bench->root, path, control);
}

static void test_one_sleeps(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench, "gpu 0 utilization 5\n");
    place(&bench, "5a11:01:00.0", "suspended\n", "on\n");
    place(&bench, "5a11:02:00.0", "active\n", "on\n");
    fixture_write(bench.root, "/proc/driver/nvidia/gpus/5a11:01:00.0/information",
                  "Model: \t\t NVIDIA GeForce RTX 4090\nIRQ:   \t\t 16\nGPU UUID: \t ????????\nDevice Minor: \t 0\n");
    open_and_sample(&bench);
    assert_int_equal(bench.status.gpu_count, 2);
    assert_string_equal(bench.status.gpus[0].state, "asleep");
    assert_string_equal(bench.status.gpus[0].id, "pci-5a11:01:00.0");
    assert_string_equal(bench.status.gpus[0].name, "NVIDIA GeForce RTX 4090");
    assert_true(isnan(bench.status.gpus[0].temperature_celsius));
    assert_string_equal(bench.status.gpus[1].state, "ok");
    assert_int_equal(bench.status.gpus[1].index, 1);
    place(&bench, "5a11:01:00.0", "active\n", "on\n");
    sample(&bench);
    assert_string_equal(bench.status.gpus[0].state, "ok");
    assert_string_equal(bench.status.gpus[0].id, "GPU-5a11b047-0000-4000-8000-000000000000");
    NEAR(bench.status.gpus[0].used_share, 0.05);
    place(&bench, "5a11:01:00.0", "suspended\n", "on\n");
    sample(&bench);
    assert_string_equal(bench.status.gpus[0].state, "asleep");
    assert_string_equal(bench.status.gpus[0].id, "GPU-5a11b047-0000-4000-8000-000000000000");
    assert_true(isnan(bench.status.gpus[0].used_share));
    end(&bench);
}

/* A laptop's GPU that nobody uses is let go, so that it can fall asleep. */
static void test_let_go(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench, "gpus 1\ngpu 0 temperature 50\n");
    place(&bench, "5a11:01:00.0", "active\n", "auto\n");
    open_and_sample(&bench);
    for (int i = 0; i < 4; i++)
        sample(&bench);
    rig_script("gpus 1\ngpu 0 temperature 60\n");
    sample(&bench);
    NEAR(bench.status.gpus[0].temperature_celsius, 50); /* it is not asked */
    place(&bench, "5a11:01:00.0", "suspended\n", "auto\n");
    sample(&bench);
    assert_string_equal(bench.status.gpus[0].state, "asleep");
    place(&bench, "5a11:01:00.0", "active\n", "auto\n"); /* somebody uses it */
    sample(&bench);
    assert_string_equal(bench.status.gpus[0].state, "ok");
    NEAR(bench.status.gpus[0].temperature_celsius, 60);
    /* Let go again, it does not fall asleep in half a minute: then it never does. */
    for (int i = 0; i < 40; i++)
        sample(&bench);
    rig_script("gpus 1\ngpu 0 temperature 70\n");
    sample(&bench);
    sample(&bench);
    NEAR(bench.status.gpus[0].temperature_celsius, 70);
    end(&bench);
}

static void test_no_driver(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench, "init 9\n");
    assert_int_equal(nvml_new(bench.root, &bench.nvml), SP_ENOENT);
    end(&bench);
}

int main(int argc, char **argv) {
    (void)argc;
    rig_begin(argv, STAND_DIR "/nvml");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_well),
        cmocka_unit_test(test_processes),
        cmocka_unit_test(test_more_processes_than_expected),
        cmocka_unit_test(test_odd_rows),
        cmocka_unit_test(test_not_supported),
        cmocka_unit_test(test_shared_memory),
        cmocka_unit_test(test_throttle),
        cmocka_unit_test(test_lost_in_mid_run),
        cmocka_unit_test(test_lost_from_the_beginning),
        cmocka_unit_test(test_xid),
        cmocka_unit_test(test_mig),
        cmocka_unit_test(test_one_sleeps),
        cmocka_unit_test(test_let_go),
        cmocka_unit_test(test_no_driver),
    };
    return rig_end(cmocka_run_group_tests(tests, NULL, NULL));
}
