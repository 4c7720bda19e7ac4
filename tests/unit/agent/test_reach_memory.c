#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reach_memory.h"
#include "sallyport/base/os.h"

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/sallyport-memory-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static int remove_folder(void **state) {
    char path[96];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/reach.json", folder);
    (void)unlink(path);
    return rmdir(folder);
}

static struct reach_memory example(void) {
    struct reach_memory memory = {.door_port = 50001,
                                  .external_port = 40022,
                                  .portmap = {.protocol = PORTMAP_BY_UPNP,
                                              .gateway = "192.168.1.1",
                                              .url = "http://192.168.1.1:5000/rootDesc.xml",
                                              .nonce = {1, 2, 3, 255},
                                              .internal_port = 50001,
                                              .external_port = 40022,
                                              .internal_address = "192.168.1.20",
                                              .external_address = "8.8.4.4",
                                              .epoch = 4000000000,
                                              .epoch_at_ms = 123456789012,
                                              .permanent = true,
                                              .pinhole = "2600::20",
                                              .pinhole_id = 7}};
    return memory;
}

static void write_text(const char *text) {
    char path[96];
    (void)snprintf(path, sizeof path, "%s/reach.json", folder);
    assert_int_equal(os_write_file(path, text, strlen(text), 0600), 0);
}

static void test_all_of_it_comes_back(void **state) {
    (void)state;
    struct reach_memory memory = example(), back;
    assert_int_equal(reach_memory_save(folder, "this-boot", &memory), 0);
    reach_memory_load(folder, "this-boot", &back);
    assert_true(reach_memory_equal(&memory, &back));
    assert_int_equal(back.portmap.epoch, 4000000000);
    assert_int_equal(back.portmap.epoch_at_ms, 123456789012);
    /* The machine was started anew: its clock began at 0. */
    reach_memory_load(folder, "next-boot", &back);
    assert_true(reach_memory_equal(&memory, &back));
    assert_int_equal(back.portmap.epoch, 0);
    assert_int_equal(back.portmap.epoch_at_ms, 0);
}

static void test_any_difference_is_one(void **state) {
    (void)state;
    struct reach_memory memory = example(), other = memory;
    other.portmap.epoch++;
    other.portmap.epoch_at_ms++;
    assert_true(reach_memory_equal(&memory, &other));
    other.portmap.nonce[11] = 1;
    assert_false(reach_memory_equal(&memory, &other));
    other = memory;
    other.door_port++;
    assert_false(reach_memory_equal(&memory, &other));
    other = memory;
    other.portmap.external_address[0] = '9';
    assert_false(reach_memory_equal(&memory, &other));
}

static void test_what_is_damaged_counts_as_nothing(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "{\"version\":2,\"door_port\":50001}",
        "{\"door_port\":50001}",
        "{\"version\":1,\"door_port\":70000,\"external_port\":-1,\"router\":7}",
        "{\"version\":1,\"router\":{\"nonce\":\"AQID\",\"gateway\":\"192.168.1.1\"}}",
        "{\"version\":1,\"router\":{\"nonce\":\"!!!!!!!!!!!!!!!!\",\"gateway\":\"192.168.1.1\"}}",
    };
    const struct reach_memory nothing = {0};
    struct reach_memory back;
    reach_memory_load(folder, "boot", &back);
    assert_true(reach_memory_equal(&back, &nothing));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_text(bad[i]);
        memset(&back, 0x55, sizeof back);
        reach_memory_load(folder, "boot", &back);
        if (!reach_memory_equal(&back, &nothing) || back.portmap.epoch || back.portmap.epoch_at_ms)
            fail_msg("something was made of %s", bad[i]);
    }
    write_text("{\"version\":1,\"door_port\":50001,\"router\":null}");
    reach_memory_load(folder, "boot", &back);
    assert_int_equal(back.door_port, 50001);
    /* A protocol that is not known is none. */
    write_text(
        "{\"version\":1,\"router\":{\"protocol\":9,\"nonce\":\"AQIDAAAAAAAAAAAA\",\"gateway\":\"192.168.1.1\"}}");
    reach_memory_load(folder, "boot", &back);
    assert_int_equal(back.portmap.protocol, PORTMAP_NONE);
    assert_string_equal(back.portmap.gateway, "192.168.1.1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_of_it_comes_back, make_folder, remove_folder),
        cmocka_unit_test(test_any_difference_is_one),
        cmocka_unit_test_setup_teardown(test_what_is_damaged_counts_as_nothing, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
