/* What /metrics says of the machines' state: every known value once, with labels that tell them apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "sallyport/base/str.h"

static const struct view_claim claims[] = {{.gpu = 1, .user = "alice", .since = 1, .until = 2, .note = ""}};
static const struct view_alert alerts[] = {{.kind = "gpu_hot", .object = "gpu0", .since = 1, .text = "hot"}};

static void add_process(struct status *status, int64_t pid, uint32_t gpus, const char *user, int64_t bytes) {
    struct process *process = status_add(status, "processes");
    assert_non_null(process);
    process->pid = pid;
    process->gpus = gpus;
    process->gpu_memory_used_bytes = bytes;
    assert_int_equal(str_copy(process->user, sizeof(process->user), user), 0);
}

static void fill(struct status *status) {
    status_init(status);
    status->cpu_used_share = 0.25;
    for (int i = 0; i < 2; i++) {
        struct gpu *gpu = status_add(status, "gpus");
        assert_non_null(gpu);
        gpu->index = i;
        (void)snprintf(gpu->id, sizeof(gpu->id), "GPU-%d", i);
        (void)str_copy(gpu->name, sizeof(gpu->name), "RTX");
        (void)str_copy(gpu->state, sizeof(gpu->state), i == 0 ? "ok" : "lost");
    }
    status->gpus[0].used_share = 0.5;
    status->gpus[0].energy_joules = 1234;
    struct disk *disk = status_add(status, "disks");
    assert_non_null(disk);
    (void)str_copy(disk->name, sizeof(disk->name), "sda");
    (void)str_copy(disk->health, sizeof(disk->health), "failing");
    struct sensor *sensor = status_add(status, "sensors");
    assert_non_null(sensor);
    (void)str_copy(sensor->name, sizeof(sensor->name), "nct6775 fan2");
    sensor->fan_rpm = 1200;
    add_process(status, 1, 1, "ann", 100);
    add_process(status, 2, 3, "ann", 200);
    add_process(status, 3, 1, "bob", STATUS_UNKNOWN);
    add_process(status, 4, 0, "eve", STATUS_UNKNOWN);
}

static void the_state_is_told(void **state) {
    static const char *const wanted[] = {
        "sallyport_machine_cpu_used_ratio{machine=\"box1\"} 0.25\n",
        "sallyport_machine_gpu_used_ratio{machine=\"box1\",gpu=\"0\",id=\"GPU-0\",model=\"RTX\"} 0.5\n",
        "# TYPE sallyport_machine_gpu_energy_joules_total counter\n",
        "sallyport_machine_gpu_energy_joules_total{machine=\"box1\",gpu=\"0\",id=\"GPU-0\",model=\"RTX\"} 1234\n",
        "sallyport_machine_gpu_up{machine=\"box1\",gpu=\"0\",id=\"GPU-0\",model=\"RTX\"} 1\n",
        "sallyport_machine_gpu_up{machine=\"box1\",gpu=\"1\",id=\"GPU-1\",model=\"RTX\"} 0\n",
        "sallyport_machine_disk_healthy{machine=\"box1\",disk=\"sda\"} 0\n",
        "sallyport_machine_fan_revolutions_per_minute{machine=\"box1\",sensor=\"nct6775 fan2\"} 1200\n",
        "sallyport_machine_gpu_user_processes{machine=\"box1\",gpu=\"0\",user=\"ann\"} 2\n",
        "sallyport_machine_gpu_user_processes{machine=\"box1\",gpu=\"0\",user=\"bob\"} 1\n",
        "sallyport_machine_gpu_user_processes{machine=\"box1\",gpu=\"1\",user=\"ann\"} 1\n",
        "sallyport_machine_gpu_user_memory_bytes{machine=\"box1\",gpu=\"0\",user=\"ann\"} 300\n",
        "sallyport_machine_gpu_claimed{machine=\"box1\",gpu=\"1\",user=\"alice\"} 1\n",
        "sallyport_machine_alert{machine=\"box1\",kind=\"gpu_hot\",object=\"gpu0\"} 1\n",
    };
    static const char *const unwanted[] = {"eve",
                                           "used_ratio{machine=\"box1\",gpu=\"1\"",
                                           "memory_bytes{machine=\"box1\",gpu=\"0\",user=\"bob\"",
                                           "nan",
                                           "-1\n",
                                           "sallyport_machine_sensor_temperature_celsius{"};
    struct status status;
    struct buf out;
    struct metrics metrics = {.out = &out};
    struct machine_view views[2] = {{.name = "box1",
                                     .online = true,
                                     .status = &status,
                                     .claims = claims,
                                     .claim_count = 1,
                                     .alerts = alerts,
                                     .alert_count = 1},
                                    {.name = "box2", .online = false, .status = &status}};
    struct overview machines = {.views = views, .count = 2};
    (void)state;
    fill(&status);
    buf_init(&out);
    metrics_add_states(&metrics, &machines);
    assert_int_equal(metrics.rc, 0);
    const char *text = buf_string(&out);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        const char *at = strstr(text, wanted[i]);
        if (!at || strstr(at + 1, wanted[i]))
            fail_msg("not once: %s", wanted[i]);
    }
    for (size_t i = 0; i < sizeof(unwanted) / sizeof(unwanted[0]); i++) {
        if (strstr(text, unwanted[i]))
            fail_msg("there: %s", unwanted[i]);
    }
    assert_null(strstr(text, "box2"));
    buf_fini(&out);
    status_fini(&status);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_state_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
