/* What was published from the relay, as it is kept: all of it, or nothing. */
#include "../probe/fixture.h"

#include "publish_memory.h"
#include "sallyport/base/err.h"

static char folder[FIXTURE_PATH];

static int make_folder(void **state) {
    (void)state;
    fixture_new(folder);
    return 0;
}

static int remove_folder(void **state) {
    (void)state;
    fixture_remove(folder);
    return 0;
}

static void all_of_it_comes_back(void **state) {
    (void)state;
    struct publish_memory memory = {.count = 0}, back = {.count = 9};
    assert_true(publish_memory_load(folder, &back)); /* none was ever kept */
    assert_int_equal(back.count, 0);
    assert_int_equal(publish_memory_add(&memory, "tensorboard", 6006, 0), 0);
    assert_int_equal(publish_memory_add(&memory, "ollama", 11434, 1001), 0);
    assert_int_equal(publish_memory_save(folder, &memory), 0);
    assert_true(publish_memory_load(folder, &back));
    assert_int_equal(back.count, 2);
    assert_int_equal(back.list[1].uid, 1001);
    assert_true(publish_memory_has(&back, "tensorboard", 6006));
    assert_true(publish_memory_has(&back, "ollama", 11434));
    assert_false(publish_memory_has(&back, "ollama", 6006));

    char path[FIXTURE_PATH];
    struct stat info;
    fixture_path(folder, "/published.json", path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(publish_memory_remove(folder), 0);
    assert_int_equal(publish_memory_remove(folder), 0);
    assert_true(publish_memory_load(folder, &back));
    assert_int_equal(back.count, 0);
}

static void a_name_and_a_port_are_there_once(void **state) {
    (void)state;
    struct publish_memory memory = {.count = 0};
    char name[SP_NAME_SIZE];
    assert_int_equal(publish_memory_add(&memory, "a", 1, 0), 0);
    assert_int_equal(publish_memory_add(&memory, "b", 2, 0), 0);
    assert_int_equal(publish_memory_add(&memory, "a", 2, 0), 0);
    assert_int_equal(memory.count, 1);
    assert_true(publish_memory_has(&memory, "a", 2));
    assert_int_equal(publish_memory_drop(&memory, "a", 1), SP_ENOENT);
    assert_int_equal(publish_memory_drop(&memory, "b", 2), SP_ENOENT);
    assert_int_equal(publish_memory_drop(&memory, "a", 2), 0);
    assert_int_equal(memory.count, 0);
    for (uint16_t i = 0; i < SERVICES_MAX; i++) {
        (void)snprintf(name, sizeof name, "s%u", (unsigned)i);
        assert_int_equal(publish_memory_add(&memory, name, (uint16_t)(2000 + i), 0), 0);
    }
    assert_int_equal(publish_memory_add(&memory, "more", 1, 0), SP_ETOOBIG);
    assert_int_equal(publish_memory_add(&memory, "s5", 1, 0), 0);
    assert_int_equal(memory.count, SERVICES_MAX);
}

static void what_makes_no_sense_is_nothing(void **state) {
    (void)state;
    static const char *const files[] = {
        "",
        "{",
        "[]",
        "{\"version\":1}",
        "{\"version\":2,\"services\":[]}",
        "{\"version\":1,\"services\":{}}",
        "{\"version\":1,\"services\":[7]}",
        "{\"version\":1,\"services\":[{\"name\":\"a\",\"port\":6006,\"uid\":0},{\"name\":\"b\"}]}",
        "{\"version\":1,\"services\":[{\"name\":\"../b\",\"port\":6006,\"uid\":0}]}",
        "{\"version\":1,\"services\":[{\"name\":\"b\",\"port\":0,\"uid\":0}]}",
        "{\"version\":1,\"services\":[{\"name\":\"b\",\"port\":6006}]}",
        "{\"version\":1,\"services\":[{\"name\":\"b\",\"port\":65536}]}",
        "{\"version\":1,\"services\":[{\"name\":\"b\",\"port\":\"1\"}]}",
        "{\"version\":1,\"services\":[[[[[[]]]]]]}",
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct publish_memory memory = {.count = 3};
        fixture_write(folder, "/published.json", files[i]);
        if (publish_memory_load(folder, &memory) || memory.count != 0)
            fail_msg("taken: %s", files[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_of_it_comes_back, make_folder, remove_folder),
        cmocka_unit_test(a_name_and_a_port_are_there_once),
        cmocka_unit_test_setup_teardown(what_makes_no_sense_is_nothing, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
