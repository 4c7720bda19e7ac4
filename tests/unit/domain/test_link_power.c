/* The link's messages about networks, waking and publishing; statuses that are too long for a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "sallyport/domain/link.h"

static int parse(const char *text, struct link_message *out) {
    struct why why = {""};
    return link_parse(text, strlen(text), out, &why);
}

static void parse_back(struct buf *line, enum link_kind kind, struct link_message *out) {
    assert_int_equal(link_parse(buf_string(line), buf_len(line), out, NULL), 0);
    assert_int_equal(out->kind, kind);
    buf_fini(line);
}

static void test_mac(void **state) {
    static const char *const wrong[] = {"",
                                        "aa:bb:cc:dd:ee",
                                        "aa:bb:cc:dd:ee:f",
                                        "aa:bb:cc:dd:ee:fg",
                                        "AA:bb:cc:dd:ee:ff",
                                        "aa-bb-cc-dd-ee-ff",
                                        "aa:bb:cc:dd:ee:ff:",
                                        "a:bb:cc:dd:ee:ff:0",
                                        "01:00:5e:00:00:01",
                                        "ff:ff:ff:ff:ff:ff"};
    uint8_t bytes[6];
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(link_mac_bytes(wrong[i], bytes));
    assert_true(link_mac_bytes("0a:1b:2c:3d:4e:5f", bytes));
    assert_memory_equal(bytes, ((uint8_t[]){0x0a, 0x1b, 0x2c, 0x3d, 0x4e, 0x5f}), 6);
}

static void test_lan(void **state) {
    struct link_lan lan = {.count = 2,
                           .list = {{"aa:bb:cc:dd:ee:ff", "192.168.1.0/24"}, {"02:00:00:00:00:01", "10.0.0.0/8"}}};
    struct link_message message;
    struct buf out;
    (void)state;
    buf_init(&out);
    assert_int_equal(link_format_lan(&out, &lan), 0);
    parse_back(&out, LINK_LAN, &message);
    assert_int_equal(message.lan.count, 2);
    assert_string_equal(message.lan.list[0].mac, "aa:bb:cc:dd:ee:ff");
    assert_string_equal(message.lan.list[1].network, "10.0.0.0/8");
    /* What makes no sense is left out. */
    assert_int_equal(parse("{\"kind\":\"lan\",\"networks\":[7,{},{\"mac\":\"x\",\"network\":\"10.0.0.0/8\"},"
                           "{\"mac\":\"02:00:00:00:00:01\",\"network\":\"10.0.0.0\"},"
                           "{\"mac\":\"02:00:00:00:00:01\",\"network\":\"10.0.0.0/31\"},"
                           "{\"mac\":\"02:00:00:00:00:01\",\"network\":\"10.0.0.0/7\"},"
                           "{\"mac\":\"02:00:00:00:00:01\",\"network\":\"10.0.0/24\"},"
                           "{\"mac\":\"02:00:00:00:00:02\",\"network\":\"10.0.0.0/24\"}]}",
                           &message),
                     0);
    assert_int_equal(message.lan.count, 1);
    assert_string_equal(message.lan.list[0].mac, "02:00:00:00:00:02");
    assert_int_equal(parse("{\"kind\":\"lan\"}", &message), SP_EFORMAT);
}

static void test_wake(void **state) {
    struct link_network wake = {"aa:bb:cc:dd:ee:ff", "192.168.1.0/24"};
    struct link_message message;
    struct buf out;
    (void)state;
    buf_init(&out);
    assert_int_equal(link_format_wake(&out, &wake), 0);
    parse_back(&out, LINK_WAKE, &message);
    assert_string_equal(message.wake.mac, wake.mac);
    assert_string_equal(message.wake.network, wake.network);
    assert_int_equal(
        parse("{\"kind\":\"wake\",\"mac\":\"ff:ff:ff:ff:ff:ff\",\"network\":\"192.168.1.0/24\"}", &message),
        SP_EFORMAT);
    assert_int_equal(parse("{\"kind\":\"wake\",\"mac\":\"aa:bb:cc:dd:ee:fe\"}", &message), SP_EFORMAT);
}

static void test_publish(void **state) {
    static const char *const wrong[] = {
        "{\"kind\":\"publish\",\"service\":\"a b\",\"port\":6006,\"published\":true}",
        "{\"kind\":\"publish\",\"service\":\"tensorboard\",\"port\":0,\"published\":true}",
        "{\"kind\":\"publish\",\"service\":\"tensorboard\",\"port\":65536,\"published\":true}",
        "{\"kind\":\"publish\",\"service\":\"tensorboard\",\"port\":6006}",
        "{\"kind\":\"publish\",\"service\":\"tensorboard\",\"port\":6006,\"published\":1}",
    };
    struct link_publish publish = {"tensorboard", 6006, true};
    struct link_message message;
    struct buf out;
    (void)state;
    buf_init(&out);
    assert_int_equal(link_format_publish(&out, &publish), 0);
    parse_back(&out, LINK_PUBLISH, &message);
    assert_string_equal(message.publish.service, "tensorboard");
    assert_int_equal(message.publish.port, 6006);
    assert_true(message.publish.published);
    publish.published = false;
    assert_int_equal(link_format_publish(&out, &publish), 0);
    parse_back(&out, LINK_PUBLISH, &message);
    assert_false(message.publish.published);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(parse(wrong[i], &message), SP_EFORMAT);
}

/* As long as it may be, and not the same twice. */
static void fill(char *to, size_t size, int i) {
    memset(to, 'x', size - 1);
    to[0] = (char)('0' + i);
    to[size - 1] = '\0';
}

/* A machine with as much to say as there can be says the most important of it. */
static void test_long_status(void **state) {
    struct link_message message;
    struct status status;
    struct buf out;
    (void)state;
    status_init(&status);
    for (int i = 0; i < STATUS_FILESYSTEMS_MAX; i++) {
        struct filesystem *filesystem = status_add(&status, "filesystems");
        assert_non_null(filesystem);
        fill(filesystem->mount, sizeof(filesystem->mount), i);
    }
    for (int i = 0; i < STATUS_PROCESSES_MAX; i++) {
        struct process *process = status_add(&status, "processes");
        assert_non_null(process);
        process->pid = i + 1;
        process->gpus = i < 40 ? 1 : 0;
        fill(process->command, sizeof(process->command), i);
        fill(process->notebook, sizeof(process->notebook), i);
        fill(process->container, sizeof(process->container), i);
        fill(process->user, sizeof(process->user), i);
        fill(process->person, sizeof(process->person), i);
    }
    assert_null(status_add(&status, "processes"));
    for (int i = 0; i < STATUS_SENSORS_MAX; i++) {
        struct sensor *sensor = status_add(&status, "sensors");
        assert_non_null(sensor);
        fill(sensor->name, sizeof(sensor->name), i);
    }
    for (int i = 0; i < STATUS_DISKS_MAX; i++) {
        struct disk *disk = status_add(&status, "disks");
        assert_non_null(disk);
        fill(disk->name, sizeof(disk->name), i);
        fill(disk->model, sizeof(disk->model), i);
    }
    assert_null(status_add(&status, "nonsense"));
    for (int i = 0; i < STATUS_GPUS_MAX; i++) {
        struct gpu *gpu = status_add(&status, "gpus");
        assert_non_null(gpu);
        gpu->index = i;
        fill(gpu->id, sizeof(gpu->id), i);
        fill(gpu->name, sizeof(gpu->name), i);
        fill(gpu->driver, sizeof(gpu->driver), i);
        fill(gpu->throttle, sizeof(gpu->throttle), i);
    }
    buf_init(&out);
    assert_int_equal(link_format_status(&out, &status), 0);
    parse_back(&out, LINK_STATUS, &message);
    assert_int_equal(message.status.process_count, 40);
    assert_int_equal(message.status.gpu_count, STATUS_GPUS_MAX);
    assert_int_equal(strlen(message.status.processes[0].command), sizeof(message.status.processes[0].command) - 1);
    link_message_fini(&message);
    for (int i = 0; i < STATUS_PROCESSES_MAX; i++)
        status.processes[i].gpus = 1;
    assert_int_equal(link_format_status(&out, &status), 0);
    parse_back(&out, LINK_STATUS, &message);
    assert_int_equal(message.status.process_count, STATUS_PROCESSES_MAX);
    assert_string_equal(message.status.processes[0].command, "");
    link_message_fini(&message);
    status_fini(&status);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mac),     cmocka_unit_test(test_lan),         cmocka_unit_test(test_wake),
        cmocka_unit_test(test_publish), cmocka_unit_test(test_long_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
