#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "box_services.h"

static int parse(const char *text, struct box_services *out) {
    return box_services_parse(text, strlen(text), out);
}

static void what_the_relay_tells(void **state) {
    (void)state;
    struct box_services services;
    assert_int_equal(parse("{\"name\":\"box1\",\"online\":true,\"route\":\"direct\",\"services\":["
                           "{\"name\":\"ssh\",\"kind\":\"ssh\",\"port\":22,\"state\":\"up\"},"
                           "{\"name\":\"jupyter-lab\",\"kind\":\"http\",\"port\":8889,\"state\":\"down\"},"
                           "{\"name\":\"jupyter\",\"kind\":\"http\",\"port\":8888,\"state\":\"up\",\"path\":\"/ann/\"},"
                           "{\"name\":\"ray\",\"kind\":\"http\",\"port\":8265,\"state\":\"found\"},"
                           "{\"name\":\"db\",\"kind\":\"tcp\",\"port\":5432,\"state\":\"up\"}],\"future\":[1,2]}",
                           &services),
                     0);
    assert_true(services.online);
    assert_int_equal(services.count, 5);
    assert_true(box_services_have_ssh(&services));
    assert_string_equal(box_services_jupyter(&services)->name, "jupyter");
    assert_string_equal(box_services_jupyter(&services)->path, "/ann/");
    assert_true(box_services_find(&services, "ray")->found);
    assert_false(box_services_find(&services, "ray")->up);
    assert_string_equal(box_services_find(&services, "db")->path, "/");
    assert_int_equal(box_services_find(&services, "db")->port, 5432);
    assert_int_equal(box_services_find(&services, "db")->kind, SERVICE_TCP);
    assert_null(box_services_find(&services, "nothing"));
}

static void offline_without_services(void **state) {
    (void)state;
    struct box_services services;
    assert_int_equal(parse("{\"name\":\"box1\",\"online\":false}", &services), 0);
    assert_false(services.online);
    assert_int_equal(services.count, 0);
    assert_null(box_services_jupyter(&services));
    assert_false(box_services_have_ssh(&services));
}

static void services_that_make_no_sense_are_left_out(void **state) {
    (void)state;
    struct box_services services;
    assert_int_equal(
        parse("{\"online\":true,\"services\":[7,{},{\"name\":\"-x\",\"kind\":\"tcp\",\"port\":1,\"state\":\"up\"},"
              "{\"name\":\"a\",\"kind\":\"udp\",\"port\":1,\"state\":\"up\"},"
              "{\"name\":\"b\",\"kind\":\"tcp\",\"port\":0,\"state\":\"up\"},"
              "{\"name\":\"c\",\"kind\":\"tcp\",\"port\":65536,\"state\":\"up\"},"
              "{\"name\":\"d\",\"kind\":\"http\",\"port\":80,\"path\":\"//evil.example/\"},"
              "{\"name\":\"e\",\"kind\":\"http\",\"port\":80,\"path\":\"/a b\",\"state\":\"up\"}]}",
              &services),
        0);
    assert_int_equal(services.count, 2);
    assert_string_equal(services.list[0].name, "d");
    assert_string_equal(services.list[0].path, "/");
    assert_false(services.list[0].up);
    assert_string_equal(services.list[1].path, "/");
}

static void more_than_there_can_be(void **state) {
    (void)state;
    struct box_services services;
    struct buf text;
    buf_init(&text);
    assert_int_equal(buf_printf(&text, "{\"online\":true,\"services\":["), 0);
    for (int i = 0; i < 200; i++)
        assert_int_equal(buf_printf(&text, "%s{\"name\":\"s%d\",\"kind\":\"tcp\",\"port\":1}", i ? "," : "", i), 0);
    assert_int_equal(buf_printf(&text, "]}"), 0);
    assert_int_equal(parse(buf_string(&text), &services), 0);
    assert_int_equal(services.count, SERVICES_MAX);
    buf_fini(&text);
}

static void what_is_no_machine(void **state) {
    static const char *const texts[] = {"", "[]", "null", "{", "{\"online\":true", "{\"a\":1,\"a\":2}", "box1 online"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct box_services services;
        assert_int_equal(parse(texts[i], &services), SP_EFORMAT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_relay_tells),
        cmocka_unit_test(offline_without_services),
        cmocka_unit_test(services_that_make_no_sense_are_left_out),
        cmocka_unit_test(more_than_there_can_be),
        cmocka_unit_test(what_is_no_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
