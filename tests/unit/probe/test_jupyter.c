/* The search for Jupyter: files in made-up homes, and ports that answer, or not. */
#include "fake_server.h"
#include "patient_ask.h"

#include "sallyport/base/err.h"
#include "sallyport/probe/jupyter.h"

#define RUNTIME "/root/.local/share/jupyter/runtime"

static const struct fake_page jupyter_pages[] = {
    {"GET /api HTTP/1.0\r\nHost: 127.0.0.1:", "HTTP/1.1 200 OK\r\n\r\n{\"version\": \"1.23.3\"}"}, {NULL, NULL}};
static const struct fake_page below_pages[] = {
    {"GET /lab/api ", "HTTP/1.1 200 OK\r\n\r\n{\"version\": \"2.0.0\"}"},
    {"GET /api ", "HTTP/1.1 404 Not Found\r\nContent-Security-Policy: report-uri /lab/api/security/csp-report\r\n\r\n"},
    {NULL, NULL}};
static const struct fake_page other_pages[] = {{"GET ", "HTTP/1.1 404 Not Found\r\n\r\n"}, {NULL, NULL}};
static const struct fake_page silent_pages[] = {{"GET ", NULL}, {NULL, NULL}};

struct bench {
    char root[FIXTURE_PATH];
    struct loop *loop;
    struct jupyter_finder *finder;
    struct listeners listeners;
    struct listener rows[8];
    int settled;
    bool asked; /* in the last look */
};

static void settled(void *ctx) {
    struct bench *bench = ctx;
    bench->settled++;
    loop_stop(bench->loop);
}

static int set_up(void **state) {
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    fixture_new(bench->root);
    (void)unsetenv("JUPYTER_DATA_DIR");
    (void)unsetenv("XDG_DATA_HOME");
    (void)unsetenv("HOME");
    char path[FIXTURE_PATH];
    fixture_path(bench->root, RUNTIME, path);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)setenv("JUPYTER_RUNTIME_DIR", path, 1);
    assert_int_equal(loop_new(&bench->loop), 0);
    assert_int_equal(jupyter_finder_new(bench->loop, bench->root, settled, bench, &bench->finder), 0);
    bench->listeners.items = bench->rows;
    *state = bench;
    return 0;
}

static int tear_down(void **state) {
    struct bench *bench = *state;
    jupyter_finder_free(bench->finder);
    loop_free(bench->loop);
    fixture_remove(bench->root);
    free(bench);
    return 0;
}

/* In the order of their ports, as listeners_read sorts them. */
static void listens(struct bench *bench, uint16_t port, uint64_t inode, uid_t uid) {
    size_t at = bench->listeners.count++;
    for (; at > 0 && bench->rows[at - 1].port > port; at--)
        bench->rows[at] = bench->rows[at - 1];
    bench->rows[at] = (struct listener){.port = port,
                                        .inode = inode,
                                        .uid = uid,
                                        .family = 4,
                                        .address_class = LISTEN_LOOPBACK,
                                        .address = {127, 0, 0, 1}};
}

static void serves(struct bench *bench, const struct fake *fake) {
    listens(bench, fake->port, fake->inode, geteuid());
}

static size_t look(struct bench *bench) {
    size_t count;
    assert_int_equal(jupyter_finder_look(bench->finder, &bench->listeners, NULL, 0), 0);
    bench->asked = jupyter_finder_busy(bench->finder);
    if (bench->asked)
        run_within(bench->loop, 60000);
    assert_false(jupyter_finder_busy(bench->finder));
    (void)jupyter_finder_list(bench->finder, &count);
    return count;
}

static const struct jupyter_server *only(const struct bench *bench) {
    size_t count;
    const struct jupyter_server *list = jupyter_finder_list(bench->finder, &count);
    assert_int_equal(count, 1);
    return list;
}

static void write_runtime(const char *root, const char *name, unsigned pid, unsigned port) {
    char path[FIXTURE_PATH], text[256];
    (void)snprintf(path, sizeof path, "%s/%s", RUNTIME, name);
    (void)snprintf(text, sizeof text,
                   "{\"pid\": %u, \"port\": %u, \"base_url\": \"/lab/\", \"token\": \"secret\","
                   "\"root_dir\": \"/srv\", \"version\": \"1.2.3\"}",
                   pid, port);
    fixture_write(root, path, text);
}

static void a_file_tells_all(void **state) {
    struct bench *bench = *state;
    fixture_process(bench->root, 100, "jupyter", 1, "jupyter", 500);
    write_runtime(bench->root, "jpserver-100.json", 100, 700);
    listens(bench, 700, 500, geteuid());
    assert_int_equal(look(bench), 1);
    const struct jupyter_server *server = only(bench);
    assert_int_equal(server->listener.inode, 500);
    assert_int_equal(server->pid, 100);
    assert_false(server->notebook);
    assert_true(server->started > 0);
    assert_string_equal(server->base_url, "/lab/");
    assert_string_equal(server->token, "secret");
    assert_string_equal(server->version, "1.2.3");
    bench->listeners.count = 0;
    assert_int_equal(look(bench), 0);
}

static void a_file_that_comes_later_is_read(void **state) {
    struct bench *bench = *state;
    fixture_process(bench->root, 100, "jupyter", 1, "jupyter", 500);
    listens(bench, 700, 500, geteuid());
    assert_int_equal(look(bench), 0);
    write_runtime(bench->root, "nbserver-100.json", 100, 700);
    assert_int_equal(look(bench), 1);
    assert_true(only(bench)->notebook);
}

static void files_that_do_not_count(void **state) {
    struct bench *bench = *state;
    char path[FIXTURE_PATH];
    fixture_process(bench->root, 100, "jupyter", 1, "jupyter", 500);
    listens(bench, 700, 500, geteuid());
    listens(bench, 701, 501, geteuid() + 1);
    write_runtime(bench->root, "jpserver-101.json", 101, 700);     /* its process is gone */
    write_runtime(bench->root, "jpserver-100.json", 100, 799);     /* nobody listens there */
    write_runtime(bench->root, "nbserver-100.json", 100, 701);     /* somebody else listens there */
    write_runtime(bench->root, "jpserver-100.json.bak", 100, 700); /* another name */
    write_runtime(bench->root, "jpserver-100x.json", 100, 700);
    write_runtime(bench->root, "kernel-100.json", 100, 700);
    assert_int_equal(look(bench), 0);
    write_runtime(bench->root, "jpserver-100.json", 102, 700); /* the name says another process */
    assert_int_equal(look(bench), 0);

    fixture_path(bench->root, RUNTIME "/jpserver-100.json", path);
    assert_int_equal(unlink(path), 0);
    fixture_link(bench->root, RUNTIME "/jpserver-100.json", "kernel-100.json"); /* a link */
    assert_int_equal(look(bench), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0); /* nobody writes into it */
    assert_int_equal(look(bench), 0);
    assert_int_equal(unlink(path), 0);
    write_runtime(bench->root, "jpserver-100.json", 100, 700);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_int_equal(fprintf(file, "%65536s", ""), 65536); /* too large, otherwise good */
    assert_int_equal(fclose(file), 0);
    assert_int_equal(look(bench), 0);
    write_runtime(bench->root, "jpserver-100.json", 100, 700);
    assert_int_equal(look(bench), 1);
}

static void the_home_of_a_listening_user_is_known(void **state) {
    struct bench *bench = *state;
    char passwd[256];
    (void)unsetenv("JUPYTER_RUNTIME_DIR");
    fixture_process(bench->root, 100, "jupyter", 1, "jupyter", 500);
    write_runtime(bench->root, "jpserver-100.json", 100, 700);
    listens(bench, 700, 500, geteuid());
    assert_int_equal(look(bench), 0);
    (void)snprintf(passwd, sizeof passwd, "other:x:%u:1:Other:/nowhere:/bin/sh\nann:x:%u:1:Ann:/root:/bin/sh\n",
                   geteuid() + 1, geteuid());
    fixture_write(bench->root, "/etc/passwd", passwd);
    assert_int_equal(look(bench), 1);
}

static void a_socket_tells_enough(void **state) {
    struct bench *bench = *state;
    struct fake jupyter, below, other;
    fake_start(&jupyter, 0, jupyter_pages);
    fake_start(&below, 0, below_pages);
    fake_start(&other, 0, other_pages);
    serves(bench, &jupyter);
    serves(bench, &below);
    serves(bench, &other);
    assert_int_equal(look(bench), 2);
    size_t count;
    const struct jupyter_server *list = jupyter_finder_list(bench->finder, &count);
    const struct jupyter_server *first = list[0].listener.port == jupyter.port ? &list[0] : &list[1];
    const struct jupyter_server *second = first == &list[0] ? &list[1] : &list[0];
    assert_true(list[0].listener.port < list[1].listener.port);
    assert_int_equal(first->pid, 0);
    assert_string_equal(first->base_url, "/");
    assert_string_equal(first->version, "1.23.3");
    assert_int_equal(second->listener.port, below.port);
    assert_string_equal(second->base_url, "/lab/");
    assert_string_equal(second->version, "2.0.0");

    /* what is known is not asked again, whatever else changes */
    assert_true(bench->asked);
    listens(bench, 80, 9, 0);
    assert_int_equal(look(bench), 2);
    assert_false(bench->asked);
    assert_int_equal(look(bench), 2);
    assert_false(bench->asked);

    /* but another socket on the same port is */
    uint16_t port = other.port;
    fake_stop(&other);
    fake_start(&other, port, jupyter_pages);
    bench->listeners.count = 0;
    serves(bench, &jupyter);
    serves(bench, &below);
    serves(bench, &other);
    assert_int_equal(look(bench), 3);
    assert_true(bench->asked);
    fake_stop(&jupyter);
    fake_stop(&below);
    fake_stop(&other);
}

static void a_silent_port_is_asked_a_few_times(void **state) {
    struct bench *bench = *state;
    struct fake silent;
    fake_start(&silent, 0, silent_pages);
    patient_ask_silent = silent.port;
    serves(bench, &silent);
    for (size_t rounds = 0; rounds < 80; rounds++) {
        assert_int_equal(look(bench), 0);
        /* after 1 round, 2 more, 4 more, ... */
        assert_int_equal(bench->asked,
                         rounds == 0 || rounds == 1 || rounds == 3 || rounds == 7 || rounds == 15 || rounds == 31);
    }
    fake_stop(&silent);
}

static void ports_that_are_not_asked(void **state) {
    struct bench *bench = *state;
    struct fake skipped;
    fake_start(&skipped, 0, jupyter_pages);
    serves(bench, &skipped);
    bench->rows[0].address_class = LISTEN_OTHER;
    assert_int_equal(look(bench), 0);
    assert_false(bench->asked);
    bench->rows[0].address_class = LISTEN_LOOPBACK;
    bench->rows[0].inode++;
    listens(bench, 80, 10, 0);
    assert_int_equal(jupyter_finder_look(bench->finder, &bench->listeners, &skipped.port, 1), 0);
    assert_false(jupyter_finder_busy(bench->finder));
    assert_int_equal(look(bench), 1);
    fake_stop(&skipped);
}

static void a_search_can_be_dropped(void **state) {
    struct bench *bench = *state;
    struct fake silent;
    fake_start(&silent, 0, silent_pages);
    patient_ask_silent = silent.port;
    serves(bench, &silent);
    assert_int_equal(jupyter_finder_look(bench->finder, &bench->listeners, NULL, 0), 0);
    assert_true(jupyter_finder_busy(bench->finder));
    jupyter_finder_free(bench->finder);
    bench->finder = NULL;
    run_for(bench->loop, 400);
    assert_int_equal(bench->settled, 0);
    fake_stop(&silent);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file_tells_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_that_comes_later_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(files_that_do_not_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_home_of_a_listening_user_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_socket_tells_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_silent_port_is_asked_a_few_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ports_that_are_not_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_search_can_be_dropped, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
