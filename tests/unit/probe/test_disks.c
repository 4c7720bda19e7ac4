/* The health of disks: what smartctl says, and a stand-in for it that says so. */
#include "fake_server.h"

#include <math.h>

#include "command.h"
#include "disks.h"
#include "process_table.h"
#include "smart.h"

static const char ata[] =
    "{\"json_format_version\":[1,0],\"smartctl\":{\"version\":[7,3],\"exit_status\":64},\"device\":{\"name\":\"/dev/"
    "sda\","
    "\"type\":\"sat\",\"protocol\":\"ATA\"},\"model_name\":\"WDC WD40EFRX-68N32N0\",\"smart_status\":{\"passed\":true},"
    "\"ata_smart_attributes\":{\"revision\":16,\"table\":[{\"id\":5,\"name\":\"Reallocated_Sector_Ct\",\"value\":200,"
    "\"worst\":200,\"thresh\":140,\"raw\":{\"value\":24,\"string\":\"24\"}},{\"id\":9,\"name\":\"Power_On_Hours\","
    "\"value\":"
    "50,\"raw\":{\"value\":36500,\"string\":\"36500\"}},{\"id\":187,\"name\":\"Reported_Uncorrect\",\"value\":100,"
    "\"raw\":"
    "{\"value\":3}},{\"id\":198,\"name\":\"Offline_Uncorrectable\",\"value\":100,\"raw\":{\"value\":1}}]},\"power_on_"
    "time\":"
    "{\"hours\":36500},\"temperature\":{\"current\":34}}";
static const char ssd[] =
    "{\"smartctl\":{\"exit_status\":0},\"model_name\":\"Samsung SSD 860 EVO 1TB\",\"smart_status\":{\"passed\":true},"
    "\"ata_smart_attributes\":{\"table\":[{\"id\":177,\"name\":\"Wear_Leveling_Count\",\"value\":93,\"raw\":{\"value\":"
    "120}}]}}";
static const char nvme[] = "{\"smartctl\":{\"exit_status\":0},\"model_name\":\"Samsung SSD 990 PRO "
                           "2TB\",\"smart_status\":{\"passed\":true,\"nvme\":"
                           "{\"value\":0}},\"nvme_smart_health_information_log\":{\"critical_warning\":0,"
                           "\"temperature\":44,\"available_spare\":100,"
                           "\"percentage_used\":103,\"power_on_hours\":10000,\"media_errors\":2},\"temperature\":{"
                           "\"current\":44},\"power_on_time\":"
                           "{\"hours\":10000}}";
static const char sas[] =
    "{\"smartctl\":{\"exit_status\":0},\"scsi_model_name\":\"SEAGATE ST4000NM0023\",\"smart_status\":{\"passed\":true},"
    "\"scsi_grown_defect_list\":7,\"scsi_error_counter_log\":{\"read\":{\"total_uncorrected_errors\":1},\"write\":"
    "{\"total_uncorrected_errors\":2}}}";
static const char asleep[] =
    "{\"smartctl\":{\"messages\":[{\"string\":\"Device is in STANDBY mode, exit(2)\",\"severity\":\"information\"}],"
    "\"exit_status\":2}}";
static const char refused[] = "{\"smartctl\":{\"messages\":[{\"string\":\"Smartctl open device: /dev/sda failed: "
                              "Permission denied\",\"severity\":"
                              "\"error\"}],\"exit_status\":2}}";
static const char gone[] =
    "{\"smartctl\":{\"messages\":[{\"string\":\"Smartctl open device: /dev/sda failed: No such device\",\"severity\":"
    "\"error\"}],\"exit_status\":2}}";

static enum smart_answer parse(const char *text, int exit_status, struct disk *disk) {
    *disk = (struct disk){.name = "sda", .model = "as the kernel says", .error_count = 42};
    return smart_parse(text, strlen(text), exit_status, disk);
}

static void a_hard_disk(void **state) {
    struct disk disk;
    (void)state;
    assert_int_equal(parse(ata, 64, &disk), SMART_READ);
    assert_string_equal(disk.name, "sda");
    assert_string_equal(disk.model, "WDC WD40EFRX-68N32N0");
    assert_string_equal(disk.health, "passed");
    assert_true(fabs(disk.temperature_celsius - 34) < 1e-9);
    assert_int_equal(disk.powered_on_s, 36500LL * 3600);
    assert_int_equal(disk.reallocated_count, 24);
    assert_int_equal(disk.error_count, 3);
    assert_true(isnan(disk.wear_share));
    assert_int_equal(parse(ata, 64 | 8, &disk), SMART_READ); /* the status says that it is failing */
    assert_string_equal(disk.health, "failing");
    assert_int_equal(parse("{\"smartctl\":{},\"smart_status\":{\"passed\":false}}", 8, &disk), SMART_READ);
    assert_string_equal(disk.health, "failing");
    assert_string_equal(disk.model, "as the kernel says");
    assert_int_equal(disk.error_count, STATUS_UNKNOWN);
}

static void disks_without_platters(void **state) {
    struct disk disk;
    (void)state;
    assert_int_equal(parse(ssd, 0, &disk), SMART_READ);
    assert_true(fabs(disk.wear_share - 0.07) < 1e-9);
    assert_int_equal(disk.powered_on_s, STATUS_UNKNOWN);
    assert_true(isnan(disk.temperature_celsius));
    assert_int_equal(parse(nvme, 0, &disk), SMART_READ);
    assert_true(fabs(disk.wear_share - 1.03) < 1e-9);
    assert_true(fabs(disk.temperature_celsius - 44) < 1e-9);
    assert_int_equal(disk.error_count, 2);
    assert_int_equal(disk.reallocated_count, STATUS_UNKNOWN);
    assert_int_equal(disk.powered_on_s, 36000000);
    assert_int_equal(parse(sas, 0, &disk), SMART_READ);
    assert_string_equal(disk.model, "SEAGATE ST4000NM0023");
    assert_int_equal(disk.reallocated_count, 7);
    assert_int_equal(disk.error_count, 3);
}

static void what_is_no_answer(void **state) {
    static const char *const nothing[] = {"", "[]", "{}", "null", "{\"smartctl\":1}", "Segmentation fault", NULL};
    struct disk disk;
    (void)state;
    assert_int_equal(parse(asleep, 2, &disk), SMART_ASLEEP);
    assert_int_equal(disk.error_count, 42);
    assert_int_equal(parse(refused, 2, &disk), SMART_REFUSED);
    assert_int_equal(parse(gone, 2, &disk), SMART_NOTHING);
    assert_int_equal(parse(ata, 1, &disk), SMART_NOTHING);
    assert_int_equal(parse(ata, -1, &disk), SMART_NOTHING);
    for (size_t i = 0; nothing[i] != NULL; i++)
        assert_int_equal(parse(nothing[i], 0, &disk), SMART_NOTHING);
    assert_string_equal(disk.model, "as the kernel says");
    assert_int_equal(
        parse("{\"smartctl\":{},\"model_name\":\"a\\u001bb\",\"temperature\":{\"current\":-3},\"power_on_time\":"
              "{\"hours\":9223372036854775807},\"ata_smart_attributes\":{\"table\":[1,{\"id\":\"5\"},{\"id\":5,"
              "\"raw\":{\"value\":1e99}}]}}",
              0, &disk),
        SMART_READ);
    assert_string_equal(disk.model, "as the kernel says");
    assert_true(isnan(disk.temperature_celsius));
    assert_int_equal(disk.powered_on_s, STATUS_UNKNOWN);
    assert_int_equal(disk.reallocated_count, STATUS_UNKNOWN);
}

struct rig {
    char root[FIXTURE_PATH];
    struct loop *loop;
    struct disks *disks;
    struct command *command;
    struct command_result result;
    char output[64];
    struct status status;
};

static int set_up(void **state) {
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    fixture_new(rig->root);
    assert_int_equal(loop_new(&rig->loop), 0);
    assert_int_equal(disks_new(rig->loop, rig->root, &rig->disks), 0);
    status_init(&rig->status);
    *state = rig;
    return 0;
}

static int tear_down(void **state) {
    struct rig *rig = *state;
    disks_free(rig->disks);
    status_fini(&rig->status);
    loop_free(rig->loop);
    fixture_remove(rig->root);
    free(rig);
    return 0;
}

static void done(void *ctx, const struct command_result *result) {
    struct rig *rig = ctx;
    rig->result = *result;
    (void)snprintf(rig->output, sizeof rig->output, "%.*s", (int)result->len, result->len > 0 ? result->output : "");
    loop_stop(rig->loop);
}

static void start(struct rig *rig, const char *script, size_t output_max, uint64_t deadline_ms) {
    char shell[] = "/bin/sh", option[] = "-c", *text = strdup(script);
    char *const argv[] = {shell, option, text, NULL};
    assert_int_equal(command_start(rig->loop, argv, output_max, deadline_ms, done, rig, &rig->command), 0);
    free(text);
}

static void a_program_and_what_it_prints(void **state) {
    struct rig *rig = *state;
    setenv("SALLYPORT_TEST", "seen", 1);
    start(rig, "echo \"$SALLYPORT_TEST $LC_ALL\"; echo no >&2; read line; exit 3", 1000, 60000);
    run_within(rig->loop, 60000);
    assert_int_equal(rig->result.exit_status, 3);
    assert_string_equal(rig->output, " C\n");
    start(rig, "kill -9 $$", 1000, 60000);
    run_within(rig->loop, 60000);
    assert_int_equal(rig->result.exit_status, -1);
    assert_false(rig->result.too_late);
    char nowhere[] = "/nowhere/at/all";
    char *const argv[] = {nowhere, NULL};
    assert_true(command_start(rig->loop, argv, 1000, 1000, done, rig, &rig->command) < 0);
}

/* What it had started is ended with it, though perhaps nobody takes note of that. */
static bool is_over(int pid) {
    for (int tries = 0; tries < 3000; tries++) {
        char path[64], text[512] = "";
        struct process_stat stat;
        (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *file = pid > 1 ? fopen(path, "r") : NULL;
        size_t n = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
        if (file != NULL)
            (void)fclose(file);
        if (n == 0 || (process_stat_parse(text, n, &stat) && stat.is_over))
            return pid > 1;
        (void)usleep(10000);
    }
    return false;
}

static void a_program_that_goes_on(void **state) {
    struct rig *rig = *state;
    start(rig, "sleep 600 & echo $!; sleep 600", 1000, 2000);
    run_within(rig->loop, 60000);
    assert_true(is_over((int)strtol(rig->output, NULL, 10)));
    assert_int_equal(rig->result.exit_status, -1);
    assert_true(rig->result.too_late);
    start(rig, "while true; do echo yes; done", 100000, 600000);
    run_within(rig->loop, 60000);
    assert_int_equal(rig->result.exit_status, -1);
    assert_false(rig->result.too_late);
    start(rig, "sleep 600", 1000, 600000);
    command_cancel(rig->command);
    start(rig, "sleep 600", 1000, 600000); /* and one that the loop's end meets */
}

static void add_disk(const struct rig *rig, const char *name, const char *model) {
    char path[FIXTURE_PATH];
    (void)snprintf(path, sizeof path, "/sys/block/%s/device/model", name);
    fixture_write(rig->root, path, model);
}

/* A stand-in that prints a text, and counts how often it was called, with which arguments. */
static void smartctl(const struct rig *rig, const char *text, int exit_status) {
    char script[2048], path[FIXTURE_PATH];
    (void)snprintf(script, sizeof script, "#!/bin/sh\necho \"$@\" >> %s/calls\ncat <<'END'\n%s\nEND\nexit %d\n",
                   rig->root, text, exit_status);
    fixture_write(rig->root, "/usr/sbin/smartctl", script);
    fixture_path(rig->root, "/usr/sbin/smartctl", path);
    assert_int_equal(chmod(path, 0755), 0);
}

static size_t calls(const struct rig *rig, const char *last) {
    char path[FIXTURE_PATH], line[256] = "";
    size_t count = 0;
    fixture_path(rig->root, "/calls", path);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        count++;
    if (file != NULL)
        (void)fclose(file);
    if (last != NULL)
        assert_string_equal(line, last);
    return count;
}

static void sample(struct rig *rig, uint64_t now_ms) {
    status_fini(&rig->status);
    assert_int_equal(disks_sample(rig->disks, now_ms, &rig->status), 0);
}

/* Until the stand-in was called so often, and has ended. */
static void sample_until(struct rig *rig, uint64_t now_ms, size_t wanted, const char *health) {
    for (int tries = 0; tries < 3000; tries++) {
        sample(rig, now_ms);
        if (calls(rig, NULL) >= wanted && strcmp(rig->status.disks[0].health, health) == 0)
            return;
        run_for(rig->loop, 10);
    }
    fail_msg("%zu calls, not %zu, or another health", calls(rig, NULL), wanted);
}

static void disks_are_asked_now_and_then(void **state) {
    struct rig *rig = *state;
    char path[FIXTURE_PATH];
    add_disk(rig, "nvme0n1", "KINGSTON           \n");
    add_disk(rig, "nvme0c0n1", "hidden\n");
    add_disk(rig, "vda", "virtual\n");
    fixture_write(rig->root, "/sys/block/loop0/size", "0\n");
    sample(rig, 1000); /* smartctl is not installed */
    assert_int_equal(rig->status.disk_count, 1);
    assert_string_equal(rig->status.disks[0].name, "nvme0n1");
    assert_string_equal(rig->status.disks[0].model, "KINGSTON");
    assert_string_equal(rig->status.disks[0].health, "");
    assert_int_equal(rig->status.disks[0].powered_on_s, STATUS_UNKNOWN);
    smartctl(rig, nvme, 0);
    sample(rig, 60000);
    assert_int_equal(calls(rig, NULL), 0);

    uint64_t now = 1000 + 30 * 60 * 1000;
    sample_until(rig, now, 1, "passed");
    (void)calls(rig, "--json=c -n standby -a /dev/nvme0n1\n");
    assert_string_equal(rig->status.disks[0].model, "Samsung SSD 990 PRO 2TB");
    /* in the meantime it is not asked again, and another answer counts only then; what sleeps keeps what was known */
    smartctl(rig, asleep, 2);
    run_for(rig->loop, 50);
    sample(rig, now + 29 * 60 * 1000);
    run_for(rig->loop, 50);
    assert_int_equal(calls(rig, NULL), 1);
    now += 30 * 60 * 1000;
    sample_until(rig, now, 2, "passed");
    now += 30 * 60 * 1000;
    smartctl(rig, "{\"smartctl\":{},\"smart_status\":{\"passed\":false}}", 8);
    sample_until(rig, now, 3, "failing");
    assert_string_equal(rig->status.disks[0].model, "Samsung SSD 990 PRO 2TB");
    /* pulled out */
    fixture_path(rig->root, "/sys/block/nvme0n1/device/model", path);
    assert_int_equal(unlink(path), 0);
    *strrchr(path, '/') = '\0';
    assert_int_equal(rmdir(path), 0);
    sample(rig, now + 60000);
    assert_int_equal(rig->status.disk_count, 0);
}

static void a_refusal_counts_for_a_day(void **state) {
    struct rig *rig = *state;
    uint64_t now = 1000, hour = 3600 * 1000;
    add_disk(rig, "sda", "x\n");
    smartctl(rig, refused, 2);
    sample_until(rig, now, 1, "");
    run_for(rig->loop, 200);
    for (int i = 1; i < 24; i++) {
        sample(rig, now + (uint64_t)i * hour);
        run_for(rig->loop, 5);
    }
    assert_int_equal(calls(rig, NULL), 1);
    smartctl(rig, ata, 0);
    sample_until(rig, now + 25 * hour, 2, "passed");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hard_disk),
        cmocka_unit_test(disks_without_platters),
        cmocka_unit_test(what_is_no_answer),
        cmocka_unit_test_setup_teardown(a_program_and_what_it_prints, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_program_that_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(disks_are_asked_now_and_then, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_refusal_counts_for_a_day, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
