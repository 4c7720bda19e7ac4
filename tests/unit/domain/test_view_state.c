/* A machine's state as people and programs see it: GPUs, who is on them, claims, alerts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/view.h"

#define NOW INT64_C(1795428000)

static const struct view_claim claims[] = {
    {.gpu = 0, .user = "alice", .since = NOW - 60, .until = NOW + 3600, .note = "speech run"},
};
static const struct view_alert alerts[] = {
    {.kind = "gpu_hot", .object = "gpu0", .since = NOW - 120, .text = "GPU 0 is at 91 degrees Celsius"},
};
static const struct service services[] = {
    {.name = "ssh", .kind = SERVICE_SSH, .port = 22, .up = true},
    {.name = "tensorboard", .kind = SERVICE_HTTP, .port = 6006, .up = true, .found = true},
};

struct fixture {
    struct status status;
    struct machine_view view;
    struct buf out;
};

static struct process *add_process(struct status *status, int64_t pid, uint32_t gpus, const char *user) {
    struct process *process = status_add(status, "processes");
    assert_non_null(process);
    process->pid = pid;
    process->gpus = gpus;
    assert_int_equal(str_copy(process->user, sizeof(process->user), user), 0);
    assert_int_equal(str_copy(process->command, sizeof(process->command), "python train.py"), 0);
    return process;
}

static int set_up(void **state) {
    static struct fixture fixture;
    static const struct machine machine = {1, "box1", 100, NOW - 60};
    struct fixture *f = &fixture;
    status_init(&f->status);
    for (int i = 0; i < 2; i++) {
        struct gpu *gpu = status_add(&f->status, "gpus");
        assert_non_null(gpu);
        gpu->index = i;
        (void)str_copy(gpu->id, sizeof(gpu->id), i == 0 ? "GPU-a" : "GPU-b");
        (void)str_copy(gpu->name, sizeof(gpu->name), "NVIDIA GeForce RTX 4090");
        (void)str_copy(gpu->state, sizeof(gpu->state), i == 0 ? "ok" : "lost");
    }
    f->status.gpus[0].used_share = 0.97;
    f->status.gpus[0].memory_used_bytes = INT64_C(20) << 30;
    f->status.gpus[0].memory_total_bytes = INT64_C(24) << 30;
    f->status.gpus[0].temperature_celsius = 91;
    add_process(&f->status, 10, 1, "ann");
    add_process(&f->status, 11, 1, "joanna");
    add_process(&f->status, 12, 1, "joanna");
    (void)str_copy(add_process(&f->status, 13, 3, "tom")->person, SP_NAME_SIZE, "alice");
    add_process(&f->status, 14, 1, "root");
    add_process(&f->status, 15, 0, "bob");
    add_process(&f->status, 16, 1, "gone")->ended = true;
    view_init(&f->view, &machine);
    f->view.online = true;
    f->view.since = NOW - 3600;
    f->view.status = &f->status;
    f->view.claims = claims;
    f->view.claim_count = 1;
    f->view.alerts = alerts;
    f->view.alert_count = 1;
    f->view.services = services;
    f->view.service_count = 2;
    buf_init(&f->out);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    buf_fini(&f->out);
    status_fini(&f->status);
    return 0;
}

/* The pids that are told, those against a claim with a minus. */
static void pids_of(const json_t *machine, char *to, size_t size) {
    const json_t *array = json_object_get(json_object_get(machine, "status"), "processes");
    size_t used = 0;
    to[0] = '\0';
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *item = json_array_get(array, i);
        used += (size_t)snprintf(to + used, size - used, "%s%lld ",
                                 json_is_true(json_object_get(item, "against_claim")) ? "-" : "",
                                 (long long)json_integer_value(json_object_get(item, "pid")));
    }
}

static json_t *told(struct fixture *f, bool list) {
    assert_int_equal(list ? view_list_json(&f->view, 1, &f->out) : view_json(&f->view, &f->out), 0);
    json_t *object = json_loads(buf_string(&f->out), 0, NULL);
    assert_non_null(object);
    buf_fini(&f->out);
    return object;
}

static void test_json(void **state) {
    struct fixture *f = *state;
    char pids[128];
    json_t *machine = told(f, false);
    pids_of(machine, pids, sizeof(pids));
    /* alice's own and root's are not against her claim; nor is what runs elsewhere. */
    assert_string_equal(pids, "-10 -11 -12 13 14 15 -16 ");
    json_t *want = json_loads("[{\"gpu\":0,\"user\":\"alice\",\"since\":\"2026-11-23T09:59:00Z\","
                              "\"until\":\"2026-11-23T11:00:00Z\",\"note\":\"speech run\"}]",
                              0, NULL);
    assert_true(json_equal(json_object_get(machine, "claims"), want));
    json_decref(want);
    want = json_loads("[{\"kind\":\"gpu_hot\",\"object\":\"gpu0\",\"since\":\"2026-11-23T09:58:00Z\","
                      "\"text\":\"GPU 0 is at 91 degrees Celsius\"}]",
                      0, NULL);
    assert_true(json_equal(json_object_get(machine, "alerts"), want));
    json_decref(want);
    assert_null(json_object_get(machine, "asleep"));
    json_decref(machine);

    json_t *list = told(f, true);
    pids_of(json_array_get(list, 0), pids, sizeof(pids));
    assert_string_equal(pids, "-10 -11 -12 13 14 -16 "); /* what is on no GPU is not for a list */
    json_decref(list);

    f->view.online = false;
    f->view.asleep = true;
    machine = told(f, false);
    assert_true(json_is_true(json_object_get(machine, "asleep")));
    json_decref(machine);
}

static void test_text(void **state) {
    struct fixture *f = *state;
    assert_int_equal(view_table(&f->view, 1, &f->out, NOW), 0);
    assert_non_null(strstr(buf_string(&f->out), "  97% lost  "));
    buf_fini(&f->out);
    assert_int_equal(view_detail(&f->view, &f->out, NOW), 0);
    const char *text = buf_string(&f->out);
    assert_non_null(strstr(text, "  ! GPU 0 is at 91 degrees Celsius (since 2 min)\n"));
    assert_non_null(strstr(text, "20 GiB of 24 GiB"));
    assert_non_null(strstr(text, "ann, joanna, alice, root  alice until 2026-11-23T11:00:00Z: speech run\n"));
    assert_non_null(strstr(text, "0 (another's claim)"));
    assert_non_null(strstr(text, "tensorboard  http  6006  found"));
    assert_null(strstr(text, "gone"));
}

/* Who may use one service only sees whose a process is, but not what it does, nor what was found. */
static void test_discreet(void **state) {
    struct fixture *f = *state;
    struct grant grants[] = {{1, "jupyter"}};
    struct policy_subject viewer = {.kind = SUBJECT_USER, .grants = grants, .grant_count = 1};
    assert_true(view_narrow(&f->view, &viewer));
    assert_int_equal(view_json(&f->view, &f->out), 0);
    assert_int_equal(view_detail(&f->view, &f->out, NOW), 0);
    const char *text = buf_string(&f->out);
    assert_non_null(strstr(text, "\"user\":\"ann\""));
    assert_null(strstr(text, "train.py"));
    assert_null(strstr(text, "tensorboard"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_discreet, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
