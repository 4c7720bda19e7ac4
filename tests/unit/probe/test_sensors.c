/* Temperatures, fans and power, from a made-up /sys. */
#include "fixture.h"

#include <math.h>

#include "power.h"
#include "sallyport/probe/system.h"
#include "sensors.h"

static void chip(const char *root, int number, const char *name) {
    char path[FIXTURE_PATH];
    (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/name", number);
    fixture_write(root, path, name);
}

static void value(const char *root, int number, const char *file, const char *text) {
    char path[FIXTURE_PATH];
    (void)snprintf(path, sizeof path, "/sys/class/hwmon/hwmon%d/%s", number, file);
    fixture_write(root, path, text);
}

static const struct sensor *find(const struct status *status, const char *name) {
    for (size_t i = 0; i < status->sensor_count; i++)
        if (strcmp(status->sensors[i].name, name) == 0)
            return &status->sensors[i];
    return NULL;
}

static void sensors_of_a_machine(void **state) {
    char root[FIXTURE_PATH];
    struct status status;
    (void)state;
    fixture_new(root);
    chip(root, 0, "nvme\n");
    value(root, 0, "temp1_input", "41850\n");
    value(root, 0, "temp1_label", "Composite\n");
    chip(root, 1, "nvme\n");
    value(root, 1, "temp1_input", "39850\n");
    value(root, 1, "temp1_label", "Composite\n");
    chip(root, 10, "k10temp\n");
    value(root, 10, "temp1_input", "71000\n");
    value(root, 10, "temp1_label", "Tctl\n");
    value(root, 10, "temp3_input", "90500\n");
    value(root, 10, "temp3_label", "Tccd1\n");
    chip(root, 2, "nct6775\n");
    value(root, 2, "temp1_input", "-12000\n");
    value(root, 2, "temp2_input", "-62000\n");
    value(root, 2, "temp3_input", "255000\n");
    value(root, 2, "temp4_input", "30000\n");
    value(root, 2, "temp4_fault", "1\n");
    value(root, 2, "temp5_input", "hot\n");
    value(root, 2, "fan1_input", "1213\n");
    value(root, 2, "fan2_input", "-1\n");
    value(root, 2, "in0_input", "3300\n");
    value(root, 2, "temp1_label", "a\x01 b\n");
    chip(root, 3, "amdgpu\n");
    value(root, 3, "temp1_input", "99000\n");
    chip(root, 4, "drivetemp\n");
    value(root, 4, "temp1_input", "33000\n");
    value(root, 5, "temp1_input", "33000\n"); /* without a name */

    status_init(&status);
    assert_int_equal(sensors_sample(root, &status), 0);
    assert_int_equal(status.sensor_count, 6);
    assert_true(fabs(find(&status, "nvme Composite")->temperature_celsius - 41.85) < 1e-9);
    assert_true(fabs(find(&status, "nvme Composite 2")->temperature_celsius - 39.85) < 1e-9);
    assert_true(fabs(find(&status, "nct6775 temp1")->temperature_celsius + 12) < 1e-9);
    assert_int_equal(find(&status, "nct6775 temp1")->fan_rpm, STATUS_UNKNOWN);
    assert_int_equal(find(&status, "nct6775 fan1")->fan_rpm, 1213);
    assert_true(isnan(find(&status, "nct6775 fan1")->temperature_celsius));
    assert_true(fabs(status.cpu_temperature_celsius - 71) < 1e-9);
    status_fini(&status);
    fixture_remove(root);
}

static void the_hottest_package_counts(void **state) {
    char root[FIXTURE_PATH];
    struct status status;
    (void)state;
    fixture_new(root);
    chip(root, 0, "coretemp\n");
    value(root, 0, "temp1_input", "61000\n");
    value(root, 0, "temp1_label", "Package id 0\n");
    value(root, 0, "temp2_input", "99000\n");
    value(root, 0, "temp2_label", "Core 0\n");
    chip(root, 1, "coretemp\n");
    value(root, 1, "temp1_input", "67000\n");
    value(root, 1, "temp1_label", "Package id 1\n");
    chip(root, 2, "cpu_thermal\n");
    value(root, 2, "temp1_input", "80000\n");
    status_init(&status);
    assert_int_equal(sensors_sample(root, &status), 0);
    assert_true(fabs(status.cpu_temperature_celsius - 67) < 1e-9);
    status_fini(&status);
    fixture_remove(root);
}

static void more_sensors_than_fit(void **state) {
    char root[FIXTURE_PATH], file[32];
    struct status status;
    (void)state;
    fixture_new(root);
    chip(root, 0, "x\n");
    for (int i = 1; i <= STATUS_SENSORS_MAX + 5; i++) {
        (void)snprintf(file, sizeof file, "temp%d_input", i);
        value(root, 0, file, "30000\n");
    }
    status_init(&status);
    assert_int_equal(sensors_sample(root, &status), 0);
    assert_int_equal(status.sensor_count, STATUS_SENSORS_MAX);
    assert_string_equal(status.sensors[9].name, "x temp10"); /* by number */
    status_fini(&status);
    fixture_remove(root);
}

static double watts(const char *root, struct power *power, uint64_t now_ms, bool expect_whole) {
    struct status status;
    bool is_whole = !expect_whole;
    status_init(&status);
    power_sample(root, now_ms, power, &status, &is_whole);
    double got = status.power_watts;
    assert_int_equal(is_whole, expect_whole);
    status_fini(&status);
    return got;
}

static void zone(const char *root, const char *name, const char *kind, const char *energy) {
    char path[FIXTURE_PATH];
    (void)snprintf(path, sizeof path, "/sys/class/powercap/%s/name", name);
    fixture_write(root, path, kind);
    (void)snprintf(path, sizeof path, "/sys/class/powercap/%s/energy_uj", name);
    fixture_write(root, path, energy);
    (void)snprintf(path, sizeof path, "/sys/class/powercap/%s/max_energy_range_uj", name);
    fixture_write(root, path, "1000000000\n");
}

static void power_of_the_processors(void **state) {
    char root[FIXTURE_PATH];
    struct power power = {.count = 0};
    (void)state;
    fixture_new(root);
    assert_true(isnan(watts(root, &power, 1000, false)));
    zone(root, "intel-rapl:0", "package-0\n", "900000000\n");
    zone(root, "intel-rapl:0:0", "core\n", "1\n");
    zone(root, "intel-rapl:0:1", "dram\n", "5000000\n");
    zone(root, "intel-rapl-mmio:0", "package-0\n", "900000000\n");
    assert_true(isnan(watts(root, &power, 1000, false)));
    zone(root, "intel-rapl:0", "package-0\n", "100000000\n"); /* began anew: 200 J in 2 s */
    zone(root, "intel-rapl:0:1", "dram\n", "15000000\n");     /* 10 J */
    zone(root, "intel-rapl-mmio:0", "package-0\n", "100000000\n");
    assert_true(fabs(watts(root, &power, 3000, false) - 105) < 1e-9);
    /* the platform's own figure has both in it, once it is known and makes sense */
    zone(root, "intel-rapl:1", "psys\n", "0\n");
    zone(root, "intel-rapl:0", "package-0\n", "200000000\n");
    assert_true(fabs(watts(root, &power, 4000, false) - 100) < 1e-9);
    zone(root, "intel-rapl:1", "psys\n", "150000000\n");
    zone(root, "intel-rapl:0", "package-0\n", "300000000\n");
    assert_true(fabs(watts(root, &power, 5000, true) - 150) < 1e-9);
    zone(root, "intel-rapl:0", "package-0\n", "400000000\n");
    assert_true(fabs(watts(root, &power, 6000, false) - 100) < 1e-9);
    fixture_remove(root);
}

static void power_of_the_whole_machine(void **state) {
    char root[FIXTURE_PATH];
    struct power power = {.count = 0};
    (void)state;
    fixture_new(root);
    fixture_write(root, "/sys/class/power_supply/BAT0/type", "Battery\n");
    fixture_write(root, "/sys/class/power_supply/BAT0/status", "Charging\n");
    fixture_write(root, "/sys/class/power_supply/BAT0/current_now", "1500000\n");
    fixture_write(root, "/sys/class/power_supply/BAT0/voltage_now", "12000000\n");
    fixture_write(root, "/sys/class/power_supply/hidpp_battery_0/type", "Battery\n");
    fixture_write(root, "/sys/class/power_supply/hidpp_battery_0/status", "Discharging\n");
    fixture_write(root, "/sys/class/power_supply/hidpp_battery_0/scope", "Device\n");
    fixture_write(root, "/sys/class/power_supply/hidpp_battery_0/power_now", "1000000\n");
    assert_true(isnan(watts(root, &power, 1000, false)));
    chip(root, 0, "corsairpsu\n");
    value(root, 0, "power1_label", "power total\n");
    value(root, 0, "power1_input", "412000000\n");
    value(root, 0, "power2_input", "99000000\n");
    chip(root, 1, "nct6775\n");
    value(root, 1, "power1_input", "1\n");
    assert_true(fabs(watts(root, &power, 1000, true) - 412) < 1e-9);
    fixture_write(root, "/sys/class/power_supply/BAT0/status", "Discharging\n");
    assert_true(fabs(watts(root, &power, 1000, true) - 18) < 1e-9);
    fixture_write(root, "/sys/class/power_supply/BAT0/power_now", "21000000\n");
    assert_true(fabs(watts(root, &power, 1000, true) - 21) < 1e-9);
    fixture_write(root, "/sys/class/power_supply/BAT0/power_now", "99999999999999\n");
    assert_true(fabs(watts(root, &power, 1000, true) - 412) < 1e-9);
    fixture_remove(root);
}

static void add_gpu(struct status *status, double power_watts, bool memory_shared) {
    struct gpu *gpu = status_add(status, "gpus");
    assert_non_null(gpu);
    gpu->power_watts = power_watts;
    gpu->memory_shared = memory_shared;
}

static void gpus_count_once(void **state) {
    char root[FIXTURE_PATH];
    struct status status;
    struct system_probe *probe;
    (void)state;
    fixture_new(root);
    assert_int_equal(system_probe_new(NULL, NULL, root, &probe), 0);
    assert_int_equal(system_probe_sample(probe, 1000, &status), 0);
    add_gpu(&status, 300, false);
    add_gpu(&status, NAN, false);
    add_gpu(&status, 100, false);
    system_probe_add_gpu_power(probe, &status);
    assert_true(fabs(status.power_watts - 400) < 1e-9); /* all that can be read */
    status.power_watts = 50;                            /* as if the processor's were known */
    add_gpu(&status, 15, true);                         /* and this one a part of it */
    system_probe_add_gpu_power(probe, &status);
    assert_true(fabs(status.power_watts - 450) < 1e-9);
    status_fini(&status);
    chip(root, 0, "power_meter\n");
    value(root, 0, "power1_average", "500000000\n");
    assert_int_equal(system_probe_sample(probe, 20000, &status), 0);
    add_gpu(&status, 300, false);
    system_probe_add_gpu_power(probe, &status);
    assert_true(fabs(status.power_watts - 500) < 1e-9);
    status_fini(&status);
    system_probe_free(probe);
    fixture_remove(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sensors_of_a_machine),       cmocka_unit_test(the_hottest_package_counts),
        cmocka_unit_test(more_sensors_than_fit),      cmocka_unit_test(power_of_the_processors),
        cmocka_unit_test(power_of_the_whole_machine), cmocka_unit_test(gpus_count_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
