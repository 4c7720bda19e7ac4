/* What is recognised: under which name it is told, and when a stream may lead there. */
#include "../probe/fixture.h"

#include "sallyport/base/str.h"
#include "services_local.h"

struct bench {
    struct services_config config;
    struct listeners listeners;
    struct listener rows[8];
    struct recognized apps[80];
    struct publish_memory memory;
    struct found found;
    struct main_jupyter main_jupyter;
    struct service_list before, now;
};

static int set_up(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->listeners.items = bench->rows;
    bench->found.listeners = &bench->listeners;
    bench->found.apps = bench->apps;
    bench->found.memory = &bench->memory;
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    services_config_fini(&bench->config);
    free(bench);
    return 0;
}

static void set(struct bench *bench, const char *name, const char *key, const char *value) {
    struct why why = {.text = ""};
    if (services_config_set(&bench->config, name, key, value, &why) != 0)
        fail_msg("%s %s = %s: %s", name, key, value, why.text);
}

static void runs(struct bench *bench, const char *name, uint16_t port) {
    struct recognized *app = &bench->apps[bench->found.app_count++];
    *app =
        (struct recognized){.listener = {.port = port, .inode = port, .family = 4, .address_class = LISTEN_LOOPBACK}};
    assert_int_equal(str_copy(app->name, sizeof app->name, name), 0);
    (void)snprintf(app->detail, sizeof app->detail, "%s on %u", name, (unsigned)port);
}

static void choose(struct bench *bench) {
    bench->before = bench->now;
    service_list_choose(&bench->config, &bench->found, &bench->before, &bench->main_jupyter, &bench->now);
}

/* "ray:8265 ..." with ? before what was only found and - before what is down. */
static void expect(struct bench *bench, const char *wanted) {
    char text[512] = "";
    choose(bench);
    for (size_t i = 0; i < bench->now.count; i++) {
        const struct published *published = &bench->now.items[i];
        const struct service *service = &published->service;
        size_t len = strlen(text);
        const char *mark = service->found ? "?" : service->up ? "" : "-";
        (void)snprintf(text + len, sizeof text - len, "%s%s%s:%u", i == 0 ? "" : " ", mark, service->name,
                       service->port);
        assert_true(!service->found || !service->up);
        /* nothing that is recognised has a stream but when it is published and there */
        assert_true(services_config_find(&bench->config, service->name) != NULL ||
                    published->withheld == (mark[0] != '\0'));
    }
    assert_string_equal(text, wanted);
}

static void found_and_published(void **state) {
    struct bench *bench = *state;
    runs(bench, "tensorboard", 6006);
    expect(bench, "?tensorboard:6006");
    const struct service *service = &bench->now.items[0].service;
    assert_int_equal(service->kind, SERVICE_HTTP);
    assert_string_equal(service->detail, "tensorboard on 6006");
    assert_true(service->changeable);
    assert_int_equal(publish_memory_add(&bench->memory, "tensorboard", 6006, 0), 0);
    expect(bench, "tensorboard:6006");
    assert_true(service->changeable);
    assert_string_equal(service->detail, "tensorboard on 6006");
    assert_int_equal(service->kind, SERVICE_HTTP);
    bench->found.app_count = 0;
    expect(bench, "-tensorboard:6006");
    assert_string_equal(service->detail, "");
    bench->memory.count = 0;
    expect(bench, "");
}

static void without_a_memory_only_the_configuration_publishes(void **state) {
    struct bench *bench = *state;
    assert_int_equal(publish_memory_add(&bench->memory, "ray", 8265, 0), 0);
    bench->found.memory = NULL;
    runs(bench, "ray", 8265);
    expect(bench, "?ray:8265");
    assert_false(bench->now.items[0].service.changeable);
}

static void something_else_on_the_port(void **state) {
    struct bench *bench = *state;
    assert_int_equal(publish_memory_add(&bench->memory, "ray", 8265, 0), 0);
    assert_int_equal(publish_memory_add(&bench->memory, "mlflow", 5000, 0), 0);
    runs(bench, "mlflow", 8265);
    expect(bench, "-ray:8265 -mlflow:5000 ?mlflow-8265:8265");
}

/* Another user's server that says it is the same is not what was published. */
static void somebody_elses_on_the_port(void **state) {
    struct bench *bench = *state;
    assert_int_equal(publish_memory_add(&bench->memory, "ray", 8265, 1001), 0);
    runs(bench, "ray", 8265);
    expect(bench, "-ray:8265 ?ray-8265:8265");
    bench->memory.list[0].uid = 0;
    expect(bench, "ray:8265");
}

static void names_stay(void **state) {
    struct bench *bench = *state;
    runs(bench, "ollama", 11500);
    expect(bench, "?ollama:11500");
    bench->found.app_count = 0; /* another one on a lower port does not take the name */
    runs(bench, "ollama", 11434);
    runs(bench, "ollama", 11500);
    expect(bench, "?ollama:11500 ?ollama-11434:11434");
    assert_int_equal(publish_memory_add(&bench->memory, "ollama-11434", 11434, 0), 0);
    expect(bench, "ollama-11434:11434 ?ollama:11500");
    bench->memory.count = 0;
    expect(bench, "?ollama-11434:11434 ?ollama:11500");
}

static void the_configuration_comes_first(void **state) {
    struct bench *bench = *state;
    set(bench, "tensorboard", "port", "7007");
    set(bench, "gradio", "publish", "no");
    set(bench, "secret", "port", "5000");
    set(bench, "secret", "publish", "no");
    bench->rows[0] = (struct listener){.port = 7007, .inode = 1, .family = 4, .address_class = LISTEN_ANY};
    bench->listeners.count = 1;
    assert_int_equal(publish_memory_add(&bench->memory, "tensorboard", 6006, 0), 0);
    assert_int_equal(publish_memory_add(&bench->memory, "board", 7007, 0), 0);
    runs(bench, "tensorboard", 6006);
    runs(bench, "gradio", 7860);
    expect(bench, "tensorboard:7007 ?tensorboard-6006:6006");
}

static void at_most_64(void **state) {
    struct bench *bench = *state;
    for (uint16_t i = 0; i < 70; i++)
        runs(bench, "ollama", (uint16_t)(2000 + i));
    assert_int_equal(publish_memory_add(&bench->memory, "ollama-2069", 2069, 0), 0);
    choose(bench);
    assert_int_equal(bench->now.count, SERVICES_MAX);
    assert_string_equal(bench->now.items[0].service.name, "ollama-2069"); /* those published before those found */
    assert_true(bench->now.items[0].service.up);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(found_and_published, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_memory_only_the_configuration_publishes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(somebody_elses_on_the_port, set_up, tear_down),
        cmocka_unit_test_setup_teardown(something_else_on_the_port, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_configuration_comes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(at_most_64, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
