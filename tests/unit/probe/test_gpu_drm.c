/* AMD's and Intel's GPUs, as the kernel's files show them. */
#include "fixture.h"

#include <math.h>

#include "gpu_drm.h"
#include "sallyport/base/err.h"

struct bench {
    char root[FIXTURE_PATH];
    struct drm *drm;
    struct gpu_users users;
    struct status status;
    uint64_t now_ms;
};

#define NEAR(value, expected) assert_true(fabs((value) - (expected)) < 1e-6)

static void begin(struct bench *bench) {
    memset(bench, 0, sizeof *bench);
    status_init(&bench->status);
    fixture_new(bench->root);
    assert_int_equal(drm_new(bench->root, &bench->drm), 0);
    bench->now_ms = 1000000;
}

static void sample(struct bench *bench, uint64_t after_ms) {
    status_fini(&bench->status);
    bench->users.count = 0;
    bench->now_ms += after_ms;
    drm_sample(bench->drm, bench->now_ms, &bench->status, &bench->users);
    gpu_users_tell(&bench->users, bench->root, &bench->status);
}

static void end(struct bench *bench) {
    drm_free(bench->drm);
    status_fini(&bench->status);
    fixture_remove(bench->root);
}

static void put(const struct bench *bench, const char *folder, const char *leaf, const char *text) {
    char path[FIXTURE_PATH];
    (void)snprintf(path, sizeof path, "%s/%s", folder, leaf);
    fixture_write(bench->root, path, text);
}

/* A card at a place of the bus. */
static void card(const struct bench *bench, const char *name, const char *address, const char *vendor,
                 const char *device, const char *driver) {
    char at[64], path[FIXTURE_PATH], target[FIXTURE_PATH];
    (void)snprintf(at, sizeof at, "/sys/bus/pci/devices/%s", address);
    put(bench, at, "vendor", vendor);
    put(bench, at, "device", device);
    put(bench, at, "revision", "0xc8\n");
    (void)snprintf(path, sizeof path, "%s/driver", at);
    (void)snprintf(target, sizeof target, "../../drivers/%s", driver);
    fixture_link(bench->root, path, target);
    (void)snprintf(path, sizeof path, "/sys/class/drm/%s/device", name);
    (void)snprintf(target, sizeof target, "../../../bus/pci/devices/%s", address);
    fixture_link(bench->root, path, target);
}

#define AMD_AT "/sys/bus/pci/devices/0000:03:00.0"

static void amd(const struct bench *bench) {
    static const char *const files[][2] = {
        {"gpu_busy_percent", "87\n"},
        {"mem_busy_percent", "40\n"},
        {"mem_info_vram_total", "25753026560\n"},
        {"mem_info_vram_used", "1000000000\n"},
        {"pp_dpm_sclk", "0: 500Mhz \n1: 1855Mhz *\n2: 2526Mhz \n"},
        {"pp_dpm_mclk", "0: 96Mhz *\n1: 1249Mhz \n"},
        {"current_link_width", "8\n"},
        {"max_link_width", "16\n"},
        {"current_link_speed", "16.0 GT/s PCIe\n"},
        {"max_link_speed", "16.0 GT/s PCIe\n"},
        {"ras/umc_err_count", "ue: 1\nce: 3\n"},
        {"hwmon/hwmon3/temp1_input", "61000\n"},
        {"hwmon/hwmon3/power1_average", "203500000\n"},
        {"hwmon/hwmon3/power1_cap", "303000000\n"},
        {"hwmon/hwmon3/pwm1", "51\n"},
        {"hwmon/hwmon3/pwm1_max", "255\n"},
    };
    card(bench, "card1", "0000:03:00.0", "0x1002\n", "0x744c\n", "amdgpu");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        put(bench, AMD_AT, files[i][0], files[i][1]);
}

static void test_nothing(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench);
    sample(&bench, 0);
    assert_int_equal(bench.status.gpu_count, 0);
    card(&bench, "card0", "0000:09:00.0", "0x1234\n", "0x1111\n", "bochs-drm");
    sample(&bench, 100000);
    assert_int_equal(bench.status.gpu_count, 0);
    end(&bench);
}

static void test_amd(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench);
    amd(&bench);
    fixture_write(bench.root, "/usr/share/libdrm/amdgpu.ids",
                  "# a list\n1.0.0\n744C,\tCC,\tAMD Radeon RX 7900 XT\n744C,\tC8,\tAMD Radeon RX 7900 XTX\n");
    fixture_write(bench.root, "/sys/class/drm/card1-DP-1/status", "connected\n");
    sample(&bench, 0);
    assert_int_equal(bench.status.gpu_count, 1);
    const struct gpu *gpu = &bench.status.gpus[0];
    assert_string_equal(gpu->id, "pci-0000:03:00.0");
    assert_int_equal(gpu->index, 0);
    assert_string_equal(gpu->name, "AMD Radeon RX 7900 XTX");
    assert_string_equal(gpu->driver, "amdgpu");
    assert_string_equal(gpu->state, "ok");
    assert_false(gpu->memory_shared);
    NEAR(gpu->used_share, 0.87);
    assert_int_equal(gpu->memory_total_bytes, 25753026560);
    assert_int_equal(gpu->memory_used_bytes, 1000000000);
    NEAR(gpu->temperature_celsius, 61);
    NEAR(gpu->power_watts, 203.5);
    NEAR(gpu->power_limit_watts, 303);
    NEAR(gpu->fan_share, 0.2);
    NEAR(gpu->clock_hz, 1855e6);
    NEAR(gpu->clock_max_hz, 2526e6);
    NEAR(gpu->memory_clock_hz, 96e6);
    assert_int_equal(gpu->pcie_width, 8);
    assert_int_equal(gpu->pcie_width_max, 16);
    assert_int_equal(gpu->pcie_generation, 4);
    assert_int_equal(gpu->ecc_uncorrected_count, 1);
    assert_int_equal(gpu->ecc_corrected_count, 3);
    end(&bench);
}

static void test_amd_with_failing_files(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench);
    card(&bench, "card1", "0000:03:00.0", "0x1002\n", "0x744c\n", "amdgpu");
    put(&bench, AMD_AT, "mem_busy_percent", "");
    put(&bench, AMD_AT, "gpu_busy_percent", "many\n");
    put(&bench, AMD_AT, "mem_info_vram_total", "1000\n");
    put(&bench, AMD_AT, "mem_info_vram_used", "2000\n");
    put(&bench, AMD_AT, "pp_dpm_sclk", "nothing\n");
    put(&bench, AMD_AT, "max_link_speed", "Unknown\n");
    put(&bench, AMD_AT, "hwmon/hwmon3/temp1_input", "-1000\n");
    sample(&bench, 0);
    const struct gpu *gpu = &bench.status.gpus[0];
    assert_string_equal(gpu->name, "AMD GPU 744c");
    assert_true(isnan(gpu->used_share));
    assert_int_equal(gpu->memory_total_bytes, 1000);
    assert_int_equal(gpu->memory_used_bytes, STATUS_UNKNOWN);
    assert_true(isnan(gpu->temperature_celsius));
    assert_true(isnan(gpu->clock_hz));
    assert_true(isnan(gpu->power_watts));
    assert_int_equal(gpu->pcie_generation_max, STATUS_UNKNOWN);
    end(&bench);
}

static void test_amd_in_the_processor(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench);
    card(&bench, "card0", "0000:c4:00.0", "0x1002\n", "0x1586\n", "amdgpu");
    put(&bench, "/sys/bus/pci/devices/0000:c4:00.0", "mem_info_vram_total", "1000\n");
    put(&bench, "/sys/bus/pci/devices/0000:c4:00.0", "mem_info_vram_used", "600\n");
    put(&bench, "/sys/bus/pci/devices/0000:c4:00.0", "mem_info_gtt_total", "64000\n");
    put(&bench, "/sys/bus/pci/devices/0000:c4:00.0", "mem_info_gtt_used", "400\n");
    sample(&bench, 0);
    assert_int_equal(bench.status.gpu_count, 1);
    assert_true(bench.status.gpus[0].memory_shared);
    assert_int_equal(bench.status.gpus[0].memory_total_bytes, 65000);
    assert_int_equal(bench.status.gpus[0].memory_used_bytes, 1000);
    amd(&bench); /* beside a real one it is not what people mean */
    sample(&bench, 100000);
    assert_int_equal(bench.status.gpu_count, 1);
    assert_string_equal(bench.status.gpus[0].id, "pci-0000:03:00.0");
    assert_int_equal(bench.status.gpus[0].index, 0);
    end(&bench);
}

static void test_amd_asleep(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench);
    amd(&bench);
    put(&bench, AMD_AT, "power/runtime_status", "suspended\n");
    sample(&bench, 0);
    assert_string_equal(bench.status.gpus[0].state, "asleep");
    assert_true(isnan(bench.status.gpus[0].used_share));
    assert_int_equal(bench.status.gpus[0].memory_total_bytes, STATUS_UNKNOWN);
    end(&bench);
}

static void test_kfd(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench);
    amd(&bench);
    fixture_process(bench.root, 100, "python", 1, "python", 1);
    fixture_write(bench.root, "/sys/class/kfd/kfd/topology/nodes/0/gpu_id", "0\n");
    fixture_write(bench.root, "/sys/class/kfd/kfd/topology/nodes/1/gpu_id", "51170\n");
    fixture_write(bench.root, "/sys/class/kfd/kfd/topology/nodes/1/properties",
                  "cpu_cores_count 0\nsimd_count 192\nlocation_id 768\ndomain 0\n");
    fixture_write(bench.root, "/sys/class/kfd/kfd/proc/100/vram_51170", "8000000\n");
    fixture_write(bench.root, "/sys/class/kfd/kfd/proc/200/vram_51170", "9000000\n"); /* is gone */
    sample(&bench, 0);
    assert_int_equal(bench.status.process_count, 1);
    assert_int_equal(bench.status.processes[0].pid, 100);
    assert_int_equal(bench.status.processes[0].gpus, 1);
    assert_int_equal(bench.status.processes[0].gpu_memory_used_bytes, 8000000);
    end(&bench);
}

static void client(const struct bench *bench, int pid, int fd, const char *text) {
    char path[FIXTURE_PATH];
    (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
    char full[FIXTURE_PATH];
    fixture_path(bench->root, path, full);
    (void)unlink(full);
    fixture_link(bench->root, path, "/dev/dri/renderD128");
    (void)snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", pid, fd);
    fixture_write(bench->root, path, text);
}

#define CLIENT(id, render, copy, memory) \
    "pos:\t0\nflags:\t02100002\ndrm-driver:\ti915\ndrm-client-id:\t" id "\ndrm-pdev:\t0000:03:00.0\n" \
    "drm-total-local0:\t99999 KiB\ndrm-resident-local0:\t" memory "\ndrm-resident-system0:\t5 MiB\n" \
    "drm-engine-render:\t" render " ns\ndrm-engine-copy:\t" copy " ns\ndrm-engine-capacity-video:\t2\n"

static void test_intel(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench);
    card(&bench, "card0", "0000:03:00.0", "0x8086\n", "0x56a0\n", "i915");
    put(&bench, AMD_AT, "hwmon/hwmon1/energy1_input", "1000000\n");
    fixture_write(bench.root, "/sys/class/drm/card0/gt_act_freq_mhz", "2050\n");
    fixture_write(bench.root, "/sys/class/drm/card0/gt_max_freq_mhz", "2400\n");
    fixture_process(bench.root, 100, "blender", 1, "blender", 1);
    fixture_process(bench.root, 200, "ffmpeg", 1, "ffmpeg", 1);
    client(&bench, 100, 7, CLIENT("5", "1000000000", "0", "2048 KiB"));
    client(&bench, 100, 8, CLIENT("5", "1000000000", "0", "2048 KiB")); /* the same one, twice open */
    client(&bench, 200, 7, CLIENT("6", "0", "0", "1 MiB"));
    sample(&bench, 0);
    assert_true(isnan(bench.status.gpus[0].used_share));
    client(&bench, 100, 7, CLIENT("5", "1500000000", "100000000", "2048 KiB"));
    client(&bench, 100, 8, CLIENT("5", "1500000000", "100000000", "2048 KiB"));
    client(&bench, 200, 7, CLIENT("6", "200000000", "0", "1 MiB"));
    put(&bench, AMD_AT, "hwmon/hwmon1/energy1_input", "51000000\n");
    sample(&bench, 1000);
    const struct gpu *gpu = &bench.status.gpus[0];
    assert_string_equal(gpu->name, "Intel GPU 56a0");
    NEAR(gpu->used_share, 0.7);
    NEAR(gpu->power_watts, 50);
    NEAR(gpu->clock_hz, 2050e6);
    NEAR(gpu->clock_max_hz, 2400e6);
    assert_int_equal(gpu->memory_used_bytes, 3 << 20);
    assert_int_equal(bench.status.process_count, 2);
    assert_int_equal(bench.status.processes[0].pid, 100);
    assert_int_equal(bench.status.processes[0].gpu_memory_used_bytes, 2 << 20);
    NEAR(bench.status.processes[0].gpu_used_share, 0.5);
    NEAR(bench.status.processes[1].gpu_used_share, 0.2);
    /* A counter that jumps back, and one whose number belongs to somebody else now. */
    client(&bench, 100, 7, CLIENT("5", "3", "100000000", "2048 KiB"));
    client(&bench, 100, 8, CLIENT("5", "3", "100000000", "2048 KiB"));
    client(&bench, 200, 7, CLIENT("9", "900000000", "0", "1 MiB"));
    sample(&bench, 1000);
    NEAR(bench.status.gpus[0].used_share, 0);
    assert_int_equal(bench.status.process_count, 1);
    end(&bench);
}

#define CYCLES(busy, total) \
    "drm-driver:\txe\ndrm-client-id:\t1\ndrm-pdev:\t0000:03:00.0\ndrm-resident-vram0:\t7 MiB\n" \
    "drm-cycles-rcs:\t" busy "\ndrm-total-cycles-rcs:\t" total "\n"

static void test_intel_in_cycles(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench);
    card(&bench, "card0", "0000:03:00.0", "0x8086\n", "0xe20b\n", "xe");
    put(&bench, AMD_AT, "tile0/gt0/freq0/act_freq", "1500\n");
    fixture_process(bench.root, 100, "python", 1, "python", 1);
    client(&bench, 100, 7, CYCLES("1000", "100000"));
    sample(&bench, 0);
    client(&bench, 100, 7, CYCLES("6000", "120000"));
    sample(&bench, 1000);
    NEAR(bench.status.gpus[0].used_share, 0.25);
    NEAR(bench.status.gpus[0].clock_hz, 1500e6);
    NEAR(bench.status.processes[0].gpu_used_share, 0.25);
    end(&bench);
}

static void test_intel_in_the_processor(void **state) {
    struct bench bench;
    struct gpu *other;
    (void)state;
    begin(&bench);
    card(&bench, "card0", "0000:00:02.0", "0x8086\n", "0xa780\n", "i915");
    sample(&bench, 0);
    assert_int_equal(bench.status.gpu_count, 1);
    status_fini(&bench.status);
    other = status_add(&bench.status, "gpus"); /* NVIDIA's */
    other->index = 0;
    drm_sample(bench.drm, bench.now_ms, &bench.status, &bench.users);
    assert_int_equal(bench.status.gpu_count, 1);
    end(&bench);
}

static void test_beside_nvidia(void **state) {
    struct bench bench;
    (void)state;
    begin(&bench);
    amd(&bench);
    ((struct gpu *)status_add(&bench.status, "gpus"))->index = 0;
    ((struct gpu *)status_add(&bench.status, "gpus"))->index = 1;
    drm_sample(bench.drm, bench.now_ms, &bench.status, &bench.users);
    assert_int_equal(bench.status.gpu_count, 3);
    assert_int_equal(bench.status.gpus[2].index, 2);
    end(&bench);
}

static void test_fdinfo_bounds(void **state) {
    char text[4096] = "drm-client-id: 3\ndrm-pdev: 0000:03:00.0\n", none[] = "drm-client-id: 3\n",
         nobody[] = "drm-pdev: 0000:03:00.0\n", empty[] = "";
    struct drm_fdinfo info;
    (void)state;
    for (int i = 0; i < 40; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "drm-engine-e%d: %d ns\n", i, i);
    assert_int_equal(drm_fdinfo_read(text, &info), 0);
    assert_int_equal(info.engine_count, DRM_ENGINES_MAX);
    assert_int_equal(drm_fdinfo_read(none, &info), SP_EFORMAT);
    assert_int_equal(drm_fdinfo_read(nobody, &info), SP_EFORMAT);
    assert_int_equal(drm_fdinfo_read(empty, &info), SP_EFORMAT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_amd),
        cmocka_unit_test(test_amd_with_failing_files),
        cmocka_unit_test(test_amd_in_the_processor),
        cmocka_unit_test(test_amd_asleep),
        cmocka_unit_test(test_kfd),
        cmocka_unit_test(test_intel),
        cmocka_unit_test(test_intel_in_cycles),
        cmocka_unit_test(test_intel_in_the_processor),
        cmocka_unit_test(test_beside_nvidia),
        cmocka_unit_test(test_fdinfo_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
