/* The services at work: a port opens, closes and moves, and the list follows within 10 s. */
#include "../probe/fake_server.h"
#include "../probe/patient_ask.h"

#include "sallyport/agent/services.h"
#include "sallyport/base/err.h"

static const struct fake_page jupyter_pages[] = {{"GET /api ", "HTTP/1.1 200 OK\r\n\r\n{\"version\": \"1.23.3\"}"},
                                                 {NULL, NULL}};
static const struct fake_page greeting[] = {{"", "SSH-2.0-OpenSSH_9.2p1\r\n"}, {NULL, NULL}};

struct bench {
    char root[FIXTURE_PATH];
    struct loop *loop;
    struct services_config config;
    struct services *services;
    int changes;
};

static void changed(void *ctx) {
    struct bench *bench = ctx;
    bench->changes++;
    loop_stop(bench->loop);
}

/* A machine on which just these listen. */
static void machine_has(struct bench *bench, const struct fake *const *fakes) {
    char text[2048] = FIXTURE_TCP_HEAD;
    for (; *fakes != NULL; fakes++)
        fixture_row(text, sizeof text, (*fakes)->port, geteuid(), (*fakes)->inode);
    fixture_write(bench->root, "/proc/net/tcp", text);
}

static void expect(const struct bench *bench, size_t count, size_t at, const char *name, uint16_t port) {
    const struct published *list;
    size_t listed;
    services_list(bench->services, &list, &listed);
    assert_int_equal(listed, count);
    assert_string_equal(list[at].service.name, name);
    assert_int_equal(list[at].service.port, port);
    assert_true(list[at].service.up);
    assert_string_equal(list[at].host, "127.0.0.1");
}

static int set_up(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    fixture_new(bench->root);
    (void)setenv("JUPYTER_RUNTIME_DIR", bench->root, 1);
    assert_int_equal(loop_new(&bench->loop), 0);
    bench->config.root = bench->root;
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    services_free(bench->services);
    services_config_fini(&bench->config);
    loop_free(bench->loop);
    fixture_remove(bench->root);
    free(bench);
    return 0;
}

static void a_life(void **state) {
    struct bench *bench = *state;
    struct fake sshd, jupyter;
    char config[32];
    const struct published *list;
    size_t count;

    fake_start(&sshd, 0, greeting);
    fake_start(&jupyter, 0, jupyter_pages);
    (void)snprintf(config, sizeof config, "Port %u\n", sshd.port);
    fixture_write(bench->root, "/etc/ssh/sshd_config", config);
    machine_has(bench, (const struct fake *const[]){&sshd, NULL});
    assert_int_equal(services_new(bench->loop, &bench->config, NULL, changed, bench, &bench->services), 0);
    services_list(bench->services, &list, &count);
    assert_int_equal(count, 0);
    assert_int_equal(bench->changes, 0);
    run_within(bench->loop, 60000);
    expect(bench, 1, 0, "ssh", sshd.port);
    assert_int_equal(services_ssh_is_system(bench->services), geteuid() == 0);

    machine_has(bench, (const struct fake *const[]){&sshd, &jupyter, NULL}); /* it starts */
    run_within(bench->loop, 60000);
    expect(bench, 2, 0, "ssh", sshd.port);
    expect(bench, 2, 1, "jupyter", jupyter.port);

    fake_stop(&jupyter); /* it moves */
    fake_start(&jupyter, 0, jupyter_pages);
    machine_has(bench, (const struct fake *const[]){&sshd, &jupyter, NULL});
    run_within(bench->loop, 60000);
    expect(bench, 2, 1, "jupyter", jupyter.port);

    machine_has(bench, (const struct fake *const[]){&sshd, NULL}); /* it stops */
    run_within(bench->loop, 60000);
    expect(bench, 1, 0, "ssh", sshd.port);
    assert_int_equal(bench->changes, 4);

    run_for(bench->loop, 4500); /* and nothing more is said */
    assert_int_equal(bench->changes, 4);
    fake_stop(&sshd);
    fake_stop(&jupyter);
}

static const struct fake_page idle_pages[] = {
    {"GET /api ", "HTTP/1.1 200 OK\r\n\r\n{\"version\": \"1.23.3\"}"},
    {"GET /api/sessions?", "HTTP/1.1 200 OK\r\n\r\n[{\"path\": \"a.ipynb\"}]"},
    {NULL, NULL}};
static const struct fake_page busy_pages[] = {
    {"GET /api ", "HTTP/1.1 200 OK\r\n\r\n{\"version\": \"1.23.3\"}"},
    {"GET /api/sessions?",
     "HTTP/1.1 200 OK\r\n\r\n[{\"path\": \"a.ipynb\", \"kernel\": {\"execution_state\": \"busy\"}}]"},
    {NULL, NULL}};

static const struct service *only(const struct bench *bench) {
    const struct published *list;
    size_t count;
    services_list(bench->services, &list, &count);
    assert_int_equal(count, 1);
    return &list[0].service;
}

static void notebooks_are_told_but_not_too_often(void **state) {
    struct bench *bench = *state;
    struct fake jupyter;
    fake_start(&jupyter, 0, idle_pages);
    machine_has(bench, (const struct fake *const[]){&jupyter, NULL});
    assert_int_equal(services_new(bench->loop, &bench->config, NULL, changed, bench, &bench->services), 0);
    run_within(bench->loop, 60000);
    uint64_t first = loop_now(bench->loop);
    assert_false(only(bench)->notebooks.known);
    run_within(bench->loop, 60000);
    assert_true(loop_now(bench->loop) - first >= 2000);
    assert_int_equal(only(bench)->notebooks.count, 1);
    assert_string_equal(only(bench)->notebooks.list[0].name, "a.ipynb");
    assert_false(only(bench)->notebooks.list[0].busy);

    uint16_t port = jupyter.port;
    uint64_t inode = jupyter.inode;
    fake_stop(&jupyter);
    fake_start(&jupyter, port, busy_pages); /* the same one, as far as /proc tells */
    jupyter.inode = inode;
    run_within(bench->loop, 60000);
    assert_true(only(bench)->notebooks.list[0].busy);
    assert_int_equal(bench->changes, 3);
    fake_stop(&jupyter);
}

static const struct fake_page ollama_pages[] = {{"GET /api ", "HTTP/1.1 404 Not Found\r\n\r\n"},
                                                {"GET / ", "HTTP/1.1 200 OK\r\n\r\nOllama is running"},
                                                {"GET /api/version ", "HTTP/1.1 200 OK\r\n\r\n{}"},
                                                {"GET /api/ps ", "HTTP/1.1 200 OK\r\n\r\n{}"},
                                                {NULL, NULL}};

static void orders_to_publish(void **state) {
    struct bench *bench = *state;
    struct why why = {.text = ""};
    struct fake app;
    fake_start(&app, 0, ollama_pages);
    machine_has(bench, (const struct fake *const[]){&app, NULL});
    assert_int_equal(services_new(bench->loop, &bench->config, bench->root, changed, bench, &bench->services), 0);
    run_within(bench->loop, 60000); /* the first look is over, then the application is recognised */
    run_within(bench->loop, 60000);
    assert_string_equal(only(bench)->name, "ollama");
    assert_true(only(bench)->found);

    assert_int_equal(services_publish(bench->services, "ollama", (uint16_t)(app.port + 1), true, &why), SP_ENOENT);
    assert_int_equal(services_publish(bench->services, "llama", app.port, true, &why), SP_ENOENT);
    assert_non_null(strstr(why.text, "llama"));
    assert_int_equal(services_publish(bench->services, "ollama", app.port, false, &why), SP_ENOENT);
    assert_non_null(strstr(why.text, "was not published from the relay"));
    assert_int_equal(services_publish(bench->services, "ollama", app.port, true, &why), 0);
    run_within(bench->loop, 60000);
    assert_true(only(bench)->up);
    assert_false(only(bench)->found);
    assert_int_equal(services_publish(bench->services, "ollama", app.port, true, &why), 0);

    assert_int_equal(services_publish(bench->services, "ollama", app.port, false, &why), 0);
    run_within(bench->loop, 60000);
    assert_true(only(bench)->found);
    fake_stop(&app);
}

static void nothing_to_publish_is_told_too(void **state) {
    struct bench *bench = *state;
    const struct published *list;
    size_t count;
    machine_has(bench, (const struct fake *const[]){NULL});
    assert_int_equal(services_new(bench->loop, &bench->config, NULL, changed, bench, &bench->services), 0);
    run_within(bench->loop, 60000);
    services_list(bench->services, &list, &count);
    assert_int_equal(count, 0);
    run_for(bench->loop, 4500);
    assert_int_equal(bench->changes, 1);
}

static void a_configured_service_of_an_unreadable_machine(void **state) {
    struct bench *bench = *state;
    struct why why;
    const struct published *list;
    size_t count;
    assert_int_equal(services_config_set(&bench->config, "db", "port", "5432", &why), 0);
    assert_int_equal(services_new(bench->loop, &bench->config, NULL, changed, bench, &bench->services), 0);
    run_within(bench->loop, 60000); /* there is not even a /proc */
    services_list(bench->services, &list, &count);
    assert_int_equal(count, 1);
    assert_false(list[0].service.up);
    assert_false(services_ssh_is_system(bench->services));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_life, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notebooks_are_told_but_not_too_often, set_up, tear_down),
        cmocka_unit_test_setup_teardown(orders_to_publish, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_to_publish_is_told_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_configured_service_of_an_unreadable_machine, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
