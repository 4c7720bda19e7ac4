/* Machines as people and programs see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <string.h>

#include "sallyport/domain/view.h"

#define NOW INT64_C(1795428000) /* 2026-11-23T10:00:00Z */

static const struct service services[] = {
    {.name = "ssh", .kind = SERVICE_SSH, .port = 22, .up = true},
    {.name = "jupyter", .kind = SERVICE_HTTP, .port = 8888, .path = "/", .detail = "jupyter-server 1.23.3, /home/ann"},
};

struct fixture {
    struct status status;
    struct filesystem filesystems[2];
    struct machine_view views[2];
    struct buf out;
};

static int set_up(void **state) {
    static struct fixture fixture;
    static const struct machine machines[] = {{1, "box1", 100, NOW - 60}, {2, "elsewhere", 100, 0}};
    struct fixture *f = &fixture;
    status_init(&f->status);
    f->status.load_1m = 0.5;
    f->status.load_5m = 0.25;
    f->status.load_15m = 0.1;
    f->status.uptime_s = 90000;
    f->status.cpu_count = 16;
    f->status.memory_total_bytes = INT64_C(64) << 30;
    f->status.memory_used_bytes = INT64_C(16) << 30;
    f->filesystems[0] =
        (struct filesystem){"/", "ext4", 1000, 100, 800, STATUS_UNKNOWN, STATUS_UNKNOWN, STATUS_UNKNOWN};
    f->filesystems[1] =
        (struct filesystem){"/dat\xc3\xa4", "xfs", 1000, 900, 100, STATUS_UNKNOWN, STATUS_UNKNOWN, STATUS_UNKNOWN};
    f->status.filesystems = f->filesystems;
    f->status.filesystem_count = 2;
    view_init(&f->views[0], &machines[0]);
    view_init(&f->views[1], &machines[1]);
    f->views[0].online = true;
    f->views[0].since = NOW - 3600;
    f->views[0].route = ROUTE_RELAYED;
    f->views[0].version = "0.1.0";
    f->views[0].services = services;
    f->views[0].service_count = 2;
    f->views[0].status = &f->status;
    buf_init(&f->out);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    buf_fini(&f->out);
    return 0;
}

static void test_json(void **state) {
    struct fixture *f = *state;
    assert_int_equal(view_list_json(f->views, 2, &f->out), 0);
    const char *text = buf_string(&f->out);
    assert_int_equal(text[buf_len(&f->out) - 1], '\n');
    json_t *list = json_loads(text, 0, NULL);
    json_t *want = json_loads(
        "[{\"name\":\"box1\",\"online\":true,\"since\":\"2026-11-23T09:00:00Z\",\"route\":\"relayed\","
        "\"version\":\"0.1.0\",\"services\":[{\"name\":\"ssh\",\"kind\":\"ssh\",\"port\":22,\"state\":\"up\"},"
        "{\"name\":\"jupyter\",\"kind\":\"http\",\"port\":8888,\"state\":\"down\",\"path\":\"/\","
        "\"detail\":\"jupyter-server 1.23.3, /home/ann\"}],"
        "\"status\":{\"uptime_s\":90000,\"load_1m\":0.5,\"load_5m\":0.25,\"load_15m\":0.1,\"cpu_count\":16,"
        "\"memory_total_bytes\":68719476736,\"memory_used_bytes\":17179869184,\"filesystems\":["
        "{\"mount\":\"/\",\"type\":\"ext4\",\"total_bytes\":1000,\"used_bytes\":100,\"available_bytes\":800},"
        "{\"mount\":\"/dat\xc3\xa4\",\"type\":\"xfs\",\"total_bytes\":1000,\"used_bytes\":900,"
        "\"available_bytes\":100}]}},"
        "{\"name\":\"elsewhere\",\"online\":false,\"services\":[]}]",
        0, NULL);
    assert_non_null(want);
    if (!json_equal(list, want))
        fail_msg("%s", text);
    json_decref(list);
    json_decref(want);
    buf_fini(&f->out);
    assert_int_equal(view_list_json(NULL, 0, &f->out), 0);
    assert_string_equal(buf_string(&f->out), "[]\n");
}

static void test_table(void **state) {
    struct fixture *f = *state;
    assert_int_equal(view_table(f->views, 2, &f->out, NOW), 0);
    assert_string_equal(
        buf_string(&f->out),
        "NAME       STATE    SINCE  ROUTE    LOAD  MEM  GPU  DISK       SERVICES\n"
        "box1       online   1 h    relayed  0.50  25%  -    90% /dat\xc3\xa4  ssh:22 jupyter:8888(down)\n"
        "elsewhere  offline  never  -        -     -    -    -          -\n");
}

static void test_detail(void **state) {
    struct fixture *f = *state;
    assert_int_equal(view_detail(&f->views[0], &f->out, NOW), 0);
    assert_string_equal(buf_string(&f->out),
                        "box1 is online for 1 h, since 2026-11-23T09:00:00Z, relayed, agent 0.1.0\n"
                        "  uptime    1 d 1 h\n"
                        "  load      0.50 0.25 0.10 (1, 5, 15 min)\n"
                        "  CPUs      16\n"
                        "  memory    16 GiB of 64 GiB (25%)\n"
                        "\n"
                        "  MOUNT  TYPE  SIZE    USED   FREE   FULL  FULL IN\n"
                        "  /      ext4  1000 B  100 B  800 B  11%   -\n"
                        "  /dat\xc3\xa4  xfs   1000 B  900 B  100 B  90%   -\n"
                        "\n"
                        "  SERVICE  KIND  PORT  STATE  WHAT\n"
                        "  ssh      ssh   22    up     -\n"
                        "  jupyter  http  8888  down   jupyter-server 1.23.3, /home/ann\n");
    buf_fini(&f->out);
    assert_int_equal(view_detail(&f->views[1], &f->out, NOW), 0);
    assert_string_equal(buf_string(&f->out), "elsewhere is offline, was never here\n");
}

static void test_odd_numbers(void **state) {
    struct fixture *f = *state;
    f->status.memory_used_bytes = INT64_C(1) << 60; /* more than there is */
    f->filesystems[0] = (struct filesystem){"/", "", 0, 0, 0, STATUS_UNKNOWN, STATUS_UNKNOWN, STATUS_UNKNOWN};
    f->filesystems[1] = (struct filesystem){
        "/x", "", STATUS_UNKNOWN, STATUS_UNKNOWN, STATUS_UNKNOWN, STATUS_UNKNOWN, STATUS_UNKNOWN, STATUS_UNKNOWN};
    f->views[0].since = NOW + 100; /* clocks differ */
    assert_int_equal(view_table(f->views, 1, &f->out, NOW), 0);
    assert_non_null(strstr(buf_string(&f->out), "box1  online  0 s    relayed  0.50  100%  -    -  "));
    assert_int_equal(view_detail(f->views, &f->out, NOW), 0);
}

static void test_narrow(void **state) {
    struct fixture *f = *state;
    struct grant grants[] = {{1, "jupyter"}};
    struct policy_subject viewer = {.kind = SUBJECT_USER, .grants = grants, .grant_count = 1};
    assert_true(view_narrow(&f->views[0], &viewer));
    assert_false(view_narrow(&f->views[1], &viewer));
    assert_int_equal(f->views[0].hidden, 1);
    assert_int_equal(view_json(&f->views[0], &f->out), 0);
    assert_int_equal(view_table(f->views, 1, &f->out, NOW), 0);
    assert_int_equal(view_detail(f->views, &f->out, NOW), 0);
    assert_null(strstr(buf_string(&f->out), "ssh"));
    assert_non_null(strstr(buf_string(&f->out), "jupyter"));
    viewer.role = ROLE_ADMIN;
    assert_true(view_narrow(&f->views[0], &viewer));
    assert_int_equal(f->views[0].hidden, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_table, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_detail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_odd_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_narrow, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
