/* Kinds of services, and what a port means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/domain/service.h"

static void test_kinds(void **state) {
    enum service_kind kind = SERVICE_TCP;
    (void)state;
    for (int i = SERVICE_SSH; i <= SERVICE_TCP; i++) {
        assert_int_equal(service_kind_parse(service_kind_name((enum service_kind)i), &kind), 0);
        assert_int_equal(kind, i);
    }
    assert_int_equal(service_kind_parse("udp", &kind), SP_EINVAL);
    assert_int_equal(service_kind_of_name("ssh"), SERVICE_SSH);
    assert_int_equal(service_kind_of_name("sshd"), SERVICE_TCP);
    assert_int_equal(service_kind_of_name("jupyter"), SERVICE_HTTP);
    assert_int_equal(service_kind_of_name("jupyter-2"), SERVICE_HTTP);
    assert_int_equal(service_kind_of_name("jupyterhub"), SERVICE_TCP);
    assert_int_equal(service_kind_of_name("tensorboard"), SERVICE_TCP);
}

static void test_ports(void **state) {
    static const struct service list[] = {
        {.name = "console", .kind = SERVICE_TCP, .port = 22},
        {.name = "ssh", .kind = SERVICE_SSH, .port = 2222},
        {.name = "jupyter-plain", .kind = SERVICE_TCP, .port = 7000},
        {.name = "jupyter-lab", .kind = SERVICE_HTTP, .port = 9000},
        {.name = "jupyter", .kind = SERVICE_HTTP, .port = 9001},
        {.name = "late", .kind = SERVICE_TCP, .port = 8888},
    };
    (void)state;
    assert_ptr_equal(service_for_port(list, 6, 22), &list[1]);
    assert_ptr_equal(service_for_port(list, 6, 2222), &list[1]);
    assert_ptr_equal(service_for_port(list, 6, 9001), &list[4]);
    assert_ptr_equal(service_for_port(list, 6, 8888), &list[5]);
    assert_ptr_equal(service_for_port(list, 5, 8888), &list[3]);
    assert_null(service_for_port(list, 3, 8888));
    assert_null(service_for_port(list, 1, 22));
    assert_null(service_for_port(list, 6, 80));
    assert_null(service_for_port(NULL, 0, 8888));
    assert_ptr_equal(service_find(list, 6, "jupyter"), &list[4]);
    assert_null(service_find(list, 6, "jupyte"));
}

static struct service jupyter(void) {
    return (struct service){
        .name = "jupyter",
        .kind = SERVICE_HTTP,
        .port = 8888,
        .up = true,
        .token = "0123456789abcdef",
        .notebooks = {.known = true,
                      .count = 12,
                      .listed = 2,
                      .list = {{.name = "a.ipynb", .kernel = "python3", .busy = true}, {.name = "\xc3\xa9.ipynb"}}}};
}

static void test_what_is_shown(void **state) {
    struct service service = jupyter();
    (void)state;
    json_t *object = service_to_json(&service);
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, "{\"kind\":\"http\",\"name\":\"jupyter\",\"notebook_count\":12,\"notebooks\":["
                              "{\"kernel\":\"python3\",\"name\":\"a.ipynb\",\"state\":\"busy\"},"
                              "{\"name\":\"\xc3\xa9.ipynb\",\"state\":\"idle\"}],"
                              "\"port\":8888,\"state\":\"up\"}");
    free(text);
    json_decref(object);
    service.notebooks.known = false;
    object = service_to_json(&service);
    assert_null(json_object_get(object, "notebooks"));
    assert_null(json_object_get(object, "notebook_count"));
    json_decref(object);
    service.notebooks = (struct notebooks){.known = true};
    object = service_to_json(&service);
    assert_int_equal(json_integer_value(json_object_get(object, "notebook_count")), 0);
    assert_int_equal(json_array_size(json_object_get(object, "notebooks")), 0);
    assert_true(json_is_array(json_object_get(object, "notebooks")));
    json_decref(object);
}

static void test_tokens(void **state) {
    char text[258];
    (void)state;
    assert_true(service_is_token("!aZ09-_~\"\\"));
    assert_false(service_is_token(""));
    assert_false(service_is_token("a b"));
    assert_false(service_is_token("a\tb"));
    assert_false(service_is_token("a\r\nX: y"));
    assert_false(service_is_token("\x7f"));
    assert_false(service_is_token("\xc3\xa9"));
    memset(text, 'x', sizeof(text));
    text[255] = '\0';
    assert_true(service_is_token(text));
    text[255] = 'x';
    text[256] = '\0';
    assert_false(service_is_token(text));
}

static void test_notebooks_differ(void **state) {
    struct notebooks a = jupyter().notebooks, b = a;
    (void)state;
    assert_true(notebooks_equal(&a, &b));
    b.list[1].busy = true;
    assert_false(notebooks_equal(&a, &b));
    b = a;
    b.list[0].name[0] = 'b';
    assert_false(notebooks_equal(&a, &b));
    b = a;
    b.list[0].kernel[0] = '\0';
    assert_false(notebooks_equal(&a, &b));
    b = a;
    b.count++;
    assert_false(notebooks_equal(&a, &b));
    b = a;
    b.listed--;
    assert_false(notebooks_equal(&a, &b));
    b = a;
    b.known = false;
    assert_false(notebooks_equal(&a, &b));
    b = a;
    b.list[2].busy = true; /* what is not listed does not count */
    assert_true(notebooks_equal(&a, &b));
}

static struct notebooks read_notebooks(const char *text) {
    struct notebooks notebooks = {.listed = 7};
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    notebooks_from_json(object, &notebooks);
    json_decref(object);
    return notebooks;
}

static void test_notebooks_are_read(void **state) {
    (void)state;
    struct notebooks got =
        read_notebooks("{\"notebook_count\":30,\"notebooks\":[7,{\"name\":\"\"},{\"name\":\"a\\u0007\"},"
                       "{\"name\":\"b\",\"kernel\":4,\"state\":\"busy\"},"
                       "{\"name\":\"c\",\"kernel\":\"ir\",\"state\":\"gone\"}]}");
    assert_true(got.known);
    assert_int_equal(got.count, 30);
    assert_int_equal(got.listed, 2);
    assert_string_equal(got.list[0].name, "b");
    assert_string_equal(got.list[0].kernel, "");
    assert_true(got.list[0].busy);
    assert_string_equal(got.list[1].kernel, "ir");
    assert_false(got.list[1].busy);

    got = read_notebooks("{\"notebook_count\":1,\"notebooks\":[{\"name\":\"1\"},{\"name\":\"2\"},{\"name\":\"3\"},"
                         "{\"name\":\"4\"},{\"name\":\"5\"},{\"name\":\"6\"},{\"name\":\"7\"},{\"name\":\"8\"},"
                         "{\"name\":\"9\"}]}");
    assert_int_equal(got.listed, NOTEBOOKS_MAX);
    assert_int_equal(got.count, NOTEBOOKS_MAX);
    assert_string_equal(got.list[7].name, "8");

    static const char *const unknown[] = {
        "{\"notebooks\":[{\"name\":\"a\"}]}",
        "{\"notebook_count\":-1,\"notebooks\":[{\"name\":\"a\"}]}",
        "{\"notebook_count\":100001}",
        "{\"notebook_count\":\"1\"}",
    };
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        got = read_notebooks(unknown[i]);
        assert_false(got.known);
        assert_int_equal(got.count, 0);
        assert_int_equal(got.listed, 0);
    }
    got = read_notebooks("{\"notebook_count\":3,\"notebooks\":\"many\"}");
    assert_int_equal(got.count, 3);
    assert_int_equal(got.listed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_what_is_shown),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_notebooks_differ),
        cmocka_unit_test(test_notebooks_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
