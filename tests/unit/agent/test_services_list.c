/* What is published, and under which name: the configuration, and the choice. */
#include "../probe/fixture.h"

#include "sallyport/base/str.h"
#include "services_local.h"

struct bench {
    struct services_config config;
    struct listeners listeners;
    struct listener rows[8];
    struct jupyter_server jupyters[4];
    struct found found;
    struct main_jupyter main_jupyter;
    struct service_list before, now;
};

static int set_up(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->listeners.items = bench->rows;
    bench->found.listeners = &bench->listeners;
    bench->found.jupyters = bench->jupyters;
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

static const struct listener *listens(struct bench *bench, uint16_t port) {
    struct listener *row = &bench->rows[bench->listeners.count++];
    *row =
        (struct listener){.port = port, .uid = 1000, .inode = port + 1000U, .family = 4, .address_class = LISTEN_ANY};
    return row;
}

static struct jupyter_server *serves(struct bench *bench, uint16_t port, pid_t pid, const char *dir) {
    struct jupyter_server *server = &bench->jupyters[bench->found.jupyter_count++];
    *server = (struct jupyter_server){
        .listener = *listens(bench, port), .pid = pid, .base_url = "/lab/", .version = "1.23.3"};
    assert_int_equal(str_copy(server->root_dir, sizeof server->root_dir, dir), 0);
    return server;
}

static void nothing_runs(struct bench *bench) {
    bench->listeners.count = 0;
    bench->found.jupyter_count = 0;
    bench->found.sshd = NULL;
}

static void choose(struct bench *bench) {
    bench->before = bench->now;
    service_list_choose(&bench->config, &bench->found, &bench->before, &bench->main_jupyter, &bench->now);
}

/* "ssh:22 jupyter:8888 ..." with `-` before what is down. */
static void expect(struct bench *bench, const char *wanted) {
    char text[512] = "";
    choose(bench);
    for (size_t i = 0; i < bench->now.count; i++) {
        const struct service *service = &bench->now.items[i].service;
        size_t len = strlen(text);
        (void)snprintf(text + len, sizeof text - len, "%s%s%s:%u", i == 0 ? "" : " ", service->up ? "" : "-",
                       service->name, service->port);
    }
    assert_string_equal(text, wanted);
}

static void what_is_found(void **state) {
    struct bench *bench = *state;
    expect(bench, "");
    serves(bench, 8888, 50, "/home/ann");
    bench->found.sshd = listens(bench, 2222);
    expect(bench, "ssh:2222 jupyter:8888");
    assert_string_equal(bench->now.items[0].host, "127.0.0.1");
    assert_int_equal(bench->now.items[0].service.kind, SERVICE_SSH);
    assert_int_equal(bench->now.items[1].service.kind, SERVICE_HTTP);
    assert_string_equal(bench->now.items[1].service.path, "/lab/");
    assert_string_equal(bench->now.items[1].service.detail, "jupyter-server 1.23.3, /home/ann");
    bench->jupyters[0].notebook = true;
    bench->jupyters[0].secure = true;
    bench->jupyters[0].version[0] = '\0';
    choose(bench);
    assert_string_equal(bench->now.items[1].service.detail, "notebook (TLS), /home/ann");
    bench->jupyters[0] =
        (struct jupyter_server){.listener = bench->jupyters[0].listener, .version = "2.0", .base_url = "/"};
    choose(bench);
    assert_string_equal(bench->now.items[1].service.detail, "Jupyter 2.0");
}

static void a_long_folder_stays_text(void **state) {
    struct bench *bench = *state;
    char dir[256] = "/";
    for (size_t i = 1; i < 240; i += 2)
        memcpy(dir + i, "\xc3\xa4", 3);
    serves(bench, 8888, 50, dir);
    for (int i = 0; i < 3; i++) {
        choose(bench);
        const char *detail = bench->now.items[0].service.detail;
        assert_true(strlen(detail) > 100);
        assert_true(str_is_clean(detail, strlen(detail)));
        memmove(bench->jupyters[0].root_dir + 1, bench->jupyters[0].root_dir, 250);
    }
}

static void only_ipv6(void **state) {
    struct bench *bench = *state;
    struct jupyter_server *server = serves(bench, 8888, 50, "");
    server->listener.family = 6;
    choose(bench);
    assert_string_equal(bench->now.items[0].host, "::1");
}

static void the_name_jupyter_stays_with_its_server(void **state) {
    struct bench *bench = *state;
    serves(bench, 8889, 50, "/a");
    expect(bench, "jupyter:8889");
    nothing_runs(bench);
    serves(bench, 8888, 51, "/b"); /* a lower port, later */
    serves(bench, 8889, 50, "/a");
    expect(bench, "jupyter:8889 jupyter-8888:8888");
    nothing_runs(bench);
    serves(bench, 8888, 51, "/b");
    serves(bench, 8889, 60, "/a"); /* started anew on its port */
    expect(bench, "jupyter:8889 jupyter-8888:8888");
    nothing_runs(bench);
    serves(bench, 8888, 51, "/b");
    serves(bench, 8890, 61, "/a"); /* started anew on another port */
    expect(bench, "jupyter:8890 jupyter-8888:8888");
    nothing_runs(bench);
    serves(bench, 8888, 51, "/b");
    serves(bench, 8891, 61, "/c"); /* the same process on another port */
    expect(bench, "jupyter:8891 jupyter-8888:8888");
    nothing_runs(bench);
    serves(bench, 8888, 51, "/b"); /* gone: the other one takes the name over */
    expect(bench, "jupyter:8888");
    nothing_runs(bench);
    expect(bench, "");
    serves(bench, 9000, 70, "/x");
    serves(bench, 9001, 71, "/b");
    expect(bench, "jupyter:9001 jupyter-9000:9000"); /* back from a pause, in its folder */
}

static void one_that_was_there_does_not_count_as_moved(void **state) {
    struct bench *bench = *state;
    serves(bench, 8888, 50, "/a");
    serves(bench, 8889, 51, "/b");
    serves(bench, 8890, 52, "/a");
    expect(bench, "jupyter:8888 jupyter-8889:8889 jupyter-8890:8890");
    nothing_runs(bench);
    serves(bench, 8889, 51, "/b");
    serves(bench, 8890, 52, "/a");
    expect(bench, "jupyter:8889 jupyter-8890:8890");
}

static void tokens_go_where_they_belong(void **state) {
    static const struct service_token tokens[] = {{"of-the-file"}, {""}};
    struct bench *bench = *state;
    struct jupyter_place places[SERVICES_MAX];
    set(bench, "jupyter-8889", "token_file", "/none");
    set(bench, "jupyter", "path", "/tree");
    bench->found.tokens = tokens;
    memcpy(serves(bench, 8888, 50, "/a")->token, "found-a", 8);
    memcpy(serves(bench, 8889, 51, "/b")->token, "found-b", 8);
    memcpy(serves(bench, 8890, 52, "/c")->token, "not good", 9);
    struct jupyter_server *secure = serves(bench, 8891, 53, "/d");
    memcpy(secure->token, "found-d", 8);
    secure->secure = true;
    expect(bench, "jupyter:8888 jupyter-8889:8889 jupyter-8890:8890 jupyter-8891:8891");
    assert_string_equal(bench->now.items[0].service.token, "found-a");
    assert_string_equal(bench->now.items[1].service.token, "of-the-file");
    assert_string_equal(bench->now.items[2].service.token, "");
    assert_string_equal(bench->now.items[3].service.token, "");

    assert_int_equal(service_list_places(&bench->now, &bench->found, places), 3);
    assert_int_equal(places[1].port, 8889);
    assert_int_equal(places[1].inode, 9889);
    assert_string_equal(places[1].token, "of-the-file");
    assert_string_equal(places[0].host, "127.0.0.1");
    assert_string_equal(places[0].base_url, "/lab/"); /* wherever its pages begin */
    assert_string_equal(places[2].token, "");
}

static void only_published_jupyters_are_asked(void **state) {
    struct bench *bench = *state;
    struct jupyter_place places[SERVICES_MAX];
    set(bench, "jupyter-8889", "publish", "no");
    set(bench, "jupyter-8890", "kind", "tcp");
    set(bench, "tensorboard", "port", "6006");
    set(bench, "tensorboard", "kind", "http");
    listens(bench, 6006);
    serves(bench, 8888, 50, "/a");
    serves(bench, 8889, 51, "/b");
    serves(bench, 8890, 52, "/c");
    expect(bench, "tensorboard:6006 jupyter:8888 jupyter-8890:8890");
    assert_int_equal(service_list_places(&bench->now, &bench->found, places), 1);
    assert_int_equal(places[0].port, 8888);
}

/* What is said of a token_file with that text and mode; "" when it is taken. */
static const char *token_of(const char *path, const char *text, size_t len, mode_t mode, struct service_token *token) {
    static struct why why;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
    why.text[0] = '\0';
    int rc = service_token_read(path, token, &why);
    assert_int_equal(why.text[0] != '\0', rc != 0);
    return why.text;
}

static void a_token_file(void **state) {
    char root[FIXTURE_PATH], path[FIXTURE_PATH], text[300];
    struct service_token token = {"before"};
    struct why why;
    (void)state;
    fixture_new(root);
    fixture_path(root, "/token", path);
    assert_string_equal(token_of(path, "abc\n", 4, 0600, &token), "");
    assert_string_equal(token.text, "abc");
    assert_string_equal(token_of(path, "abcd\r\n", 6, 0400, &token), "");
    assert_string_equal(token.text, "abcd");
    memset(text, 'x', sizeof text);
    text[255] = '\n';
    assert_string_equal(token_of(path, text, 256, 0600, &token), "");
    assert_int_equal(strlen(token.text), 255);

    memcpy(token.text, "before", 7);
    assert_non_null(strstr(token_of(path, "abc", 3, 0640, &token), "chmod 600"));
    assert_non_null(strstr(token_of(path, "abc", 3, 0604, &token), "chmod 600"));
    assert_non_null(strstr(token_of(path, "", 0, 0600, &token), "one line"));
    assert_non_null(strstr(token_of(path, "a b\n", 4, 0600, &token), "one line"));
    assert_non_null(strstr(token_of(path, "a\nb\n", 4, 0600, &token), "one line"));
    assert_non_null(strstr(token_of(path, "a\0b", 3, 0600, &token), "one line"));
    text[255] = 'x';
    assert_non_null(strstr(token_of(path, text, 256, 0600, &token), "one line"));
    assert_non_null(strstr(token_of(path, text, 300, 0600, &token), "one line"));
    assert_int_equal(service_token_read(root, &token, &why), SP_EFORMAT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(service_token_read(path, &token, &why), SP_ESYS);
    assert_non_null(strstr(why.text, path));
    assert_string_equal(token.text, "before");
    fixture_remove(root);
}

static void what_is_configured(void **state) {
    struct bench *bench = *state;
    set(bench, "tensorboard", "port", "6006");
    set(bench, "tensorboard", "kind", "http");
    set(bench, "tensorboard", "remote_port", "16006");
    set(bench, "tensorboard", "path", "/tb/");
    set(bench, "db", "port", "5432");
    set(bench, "secret", "port", "7000");
    set(bench, "secret", "publish", "no");
    listens(bench, 6006);
    listens(bench, 7000);
    bench->found.sshd = listens(bench, 22);
    expect(bench, "ssh:22 tensorboard:6006 -db:5432");
    assert_int_equal(bench->now.items[1].service.kind, SERVICE_HTTP);
    assert_int_equal(bench->now.items[1].remote_port, 16006);
    assert_string_equal(bench->now.items[1].service.path, "/tb/");
    assert_int_equal(bench->now.items[2].service.kind, SERVICE_TCP);
    assert_int_equal(bench->now.items[2].remote_port, 0);
    assert_string_equal(bench->now.items[2].host, "127.0.0.1");
}

static void the_configuration_overrides_what_is_found(void **state) {
    struct bench *bench = *state;
    set(bench, "lab", "port", "8888");
    set(bench, "jupyter-8890", "publish", "no");
    set(bench, "jupyter", "remote_port", "18888");
    set(bench, "jupyter", "path", "/tree");
    set(bench, "ssh", "port", "2200");
    serves(bench, 8888, 50, "/a");
    serves(bench, 8889, 51, "/b");
    serves(bench, 8890, 52, "/c");
    bench->found.sshd = listens(bench, 22);
    expect(bench, "-ssh:2200 lab:8888 jupyter:8889");
    assert_int_equal(bench->now.items[1].service.kind, SERVICE_HTTP);
    assert_string_equal(bench->now.items[1].service.detail, "jupyter-server 1.23.3, /a");
    assert_int_equal(bench->now.items[2].remote_port, 18888);
    assert_string_equal(bench->now.items[2].service.path, "/tree");
    listens(bench, 2200);
    expect(bench, "ssh:2200 lab:8888 jupyter:8889");
}

static void jupyter_on_a_fixed_port(void **state) {
    struct bench *bench = *state;
    set(bench, "jupyter", "port", "9999");
    serves(bench, 8888, 50, "/a");
    expect(bench, "-jupyter:9999 jupyter-8888:8888");
}

static void nothing_is_published_that_should_not_be(void **state) {
    struct bench *bench = *state;
    assert_true(services_config_wants(&bench->config, "jupyter"));
    set(bench, "ssh", "publish", "no");
    set(bench, "jupyter", "publish", "no");
    assert_false(services_config_wants(&bench->config, "jupyter"));
    assert_false(services_config_wants(&bench->config, "ssh"));
    bench->found.sshd = listens(bench, 22);
    serves(bench, 8888, 50, "/a");
    expect(bench, "");
}

static void at_most_64(void **state) {
    struct bench *bench = *state;
    struct why why;
    char name[SP_NAME_SIZE], port[16];
    for (int i = 0; i < SERVICES_MAX; i++) {
        (void)snprintf(name, sizeof name, "s%d", i);
        (void)snprintf(port, sizeof port, "%d", 2000 + i);
        set(bench, name, "port", port);
    }
    assert_int_equal(services_config_set(&bench->config, "more", "port", "1", &why), SP_ETOOBIG);
    assert_non_null(strstr(why.text, "64"));
    serves(bench, 8888, 50, "/a");
    choose(bench);
    assert_int_equal(bench->now.count, SERVICES_MAX);
}

static void a_difference_is_noticed(void **state) {
    struct bench *bench = *state;
    struct service_list *list = &bench->now;
    serves(bench, 8888, 50, "/a");
    choose(bench);
    choose(bench);
    assert_true(service_list_equal(list, &bench->before));
    bench->before.count = 0;
    assert_false(service_list_equal(list, &bench->before));
    bench->before = *list;
    bench->before.items[0].host[0] = '8';
    assert_false(service_list_equal(list, &bench->before));
    bench->before = *list;
    bench->before.items[0].service.up = false;
    assert_false(service_list_equal(list, &bench->before));
    bench->before = *list;
    bench->before.items[0].service.detail[0] = '?';
    assert_false(service_list_equal(list, &bench->before));
    bench->before = *list;
    bench->before.items[0].service.port++;
    assert_false(service_list_equal(list, &bench->before));
    bench->before = *list;
    bench->before.items[0].service.token[0] = 't';
    assert_false(service_list_equal(list, &bench->before));
    bench->before = *list;
    bench->before.items[0].service.notebooks.known = true;
    assert_false(service_list_equal(list, &bench->before));
}

static void mistakes_in_the_configuration(void **state) {
    static const struct {
        const char *name, *key, *value;
        int rc;
        const char *says;
    } cases[] = {
        {"Tensor", "port", "6006", SP_EINVAL, ""},
        {"tb", "port", "0", SP_EFORMAT, "port"},
        {"tb", "port", "65536", SP_EFORMAT, "65535"},
        {"tb", "port", "x", SP_EFORMAT, "a number"},
        {"tb", "kind", "https", SP_EFORMAT, "ssh, http or tcp, as in 'kind"},
        {"tb", "publish", "maybe", SP_EFORMAT, "yes or no"},
        {"tb", "path", "lab", SP_EFORMAT, "begins with"},
        {"tb", "path", "/\x01", SP_EFORMAT, "begins with"},
        {"tb", "token_file", "jupyter.token", SP_EFORMAT, "whole path"},
        {"tb", "prot", "6006", SP_ENOENT, "port"},
    };
    struct bench *bench = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct why why = {.text = ""};
        int rc = services_config_set(&bench->config, cases[i].name, cases[i].key, cases[i].value, &why);
        assert_int_equal(rc, cases[i].rc);
        if (strstr(why.text, cases[i].says) == NULL || why.text[0] == '\0')
            fail_msg("'%s' does not say '%s'", why.text, cases[i].says);
    }
}

static void a_service_that_cannot_be_found_needs_a_port(void **state) {
    struct bench *bench = *state;
    struct why why;
    set(bench, "ssh", "remote_port", "2200");
    set(bench, "jupyter-8889", "publish", "no");
    set(bench, "off", "publish", "no");
    assert_int_equal(services_config_check(&bench->config, &why), 0);
    set(bench, "tensorboard", "kind", "http");
    assert_int_equal(services_config_check(&bench->config, &why), SP_EINVAL);
    assert_non_null(strstr(why.text, "tensorboard"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_folder_stays_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_ipv6, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_name_jupyter_stays_with_its_server, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_was_there_does_not_count_as_moved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tokens_go_where_they_belong, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_published_jupyters_are_asked, set_up, tear_down),
        cmocka_unit_test(a_token_file),
        cmocka_unit_test_setup_teardown(what_is_configured, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_configuration_overrides_what_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(jupyter_on_a_fixed_port, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nothing_is_published_that_should_not_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(at_most_64, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_difference_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mistakes_in_the_configuration, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_service_that_cannot_be_found_needs_a_port, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
