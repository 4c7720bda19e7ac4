/* Kinds of services, and what a port means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_ports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
