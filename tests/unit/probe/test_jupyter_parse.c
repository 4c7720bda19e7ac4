/* Runtime files and answers, as Jupyter gives them and as somebody else might. */
#include "fixture.h"

#include "sallyport/base/err.h"
#include "sallyport/probe/jupyter.h"

static int parse(const char *text, struct jupyter_server *out) {
    return jupyter_parse_runtime(text, strlen(text), out);
}

static void a_file_of_jupyter_server(void **state) {
    struct jupyter_server server;
    (void)state;
    assert_int_equal(parse("{\"base_url\": \"/lab/\", \"hostname\": \"127.0.0.1\", \"password\": false, \"pid\": 4711,"
                           "\"port\": 8888, \"root_dir\": \"/home/ann\", \"secure\": true, \"sock\": \"\","
                           "\"token\": \"e23913e794a6d8\", \"url\": \"http://127.0.0.1:8888/lab/\","
                           "\"version\": \"1.23.3\"}",
                           &server),
                     0);
    assert_int_equal(server.listener.port, 8888);
    assert_int_equal(server.pid, 4711);
    assert_true(server.secure);
    assert_string_equal(server.base_url, "/lab/");
    assert_string_equal(server.root_dir, "/home/ann");
    assert_string_equal(server.token, "e23913e794a6d8");
    assert_string_equal(server.version, "1.23.3");
}

static void a_file_of_the_classic_notebook(void **state) {
    struct jupyter_server server;
    (void)state;
    assert_int_equal(parse("{\"base_url\": \"/nb\", \"notebook_dir\": \"/srv\", \"pid\": 5, \"port\": 65535}", &server),
                     0);
    assert_int_equal(server.listener.port, 65535);
    assert_false(server.secure);
    assert_string_equal(server.base_url, "/nb/");
    assert_string_equal(server.root_dir, "/srv");
    assert_string_equal(server.token, "");
    assert_string_equal(server.version, "");
}

static void files_that_are_refused(void **state) {
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"port\": 8888}",
        "{\"port\": 0, \"pid\": 5}",
        "{\"port\": 65536, \"pid\": 5}",
        "{\"port\": -1, \"pid\": 5}",
        "{\"port\": \"8888\", \"pid\": 5}",
        "{\"port\": 8888.5, \"pid\": 5}",
        "{\"port\": 8888, \"pid\": 0}",
        "{\"port\": 8888, \"pid\": 99999999999}",
        "{\"port\": 8888, \"pid\": 5, \"base_url\": \"lab\"}",
        "{\"port\": 8888, \"pid\": 5, \"base_url\": \"/a b\"}",
        "{\"port\": 8888, \"pid\": 5, \"base_url\": \"/\\r\\nHost: x\"}",
        "{\"port\": 8888, \"pid\": 5, \"base_url\": \"/\\\"><script>\"}",
        "{\"port\": 8888, \"pid\": 5} {}",
    };
    struct jupyter_server server = {.pid = 77};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_int_equal(parse(texts[i], &server), SP_EFORMAT);
    assert_int_equal(server.pid, 77);
}

static void members_that_do_not_fit_are_left_out(void **state) {
    char text[1024], text_long[400];
    struct jupyter_server server;
    (void)state;
    memset(text_long, 'x', sizeof text_long - 1);
    text_long[sizeof text_long - 1] = '\0';
    (void)snprintf(text, sizeof text, "{\"port\": 1, \"pid\": 5, \"token\": \"%s\", \"root_dir\": \"/a\\u0007\"}",
                   text_long);
    assert_int_equal(parse(text, &server), 0);
    assert_string_equal(server.token, "");
    assert_string_equal(server.root_dir, "");
    (void)snprintf(text, sizeof text, "{\"port\": 1, \"pid\": 5, \"base_url\": \"/%s\"}", text_long);
    assert_int_equal(parse(text, &server), SP_EFORMAT);
}

static int api(const char *answer, char version[static 32]) {
    return jupyter_parse_api(answer, strlen(answer), version);
}

static void answers_to_api(void **state) {
    static const char *const wrong[] = {
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n\r\n{\"version\": \"1.23.3\"}",
        "HTTP/1.1 200 OK\r\n\r\n[\"version\"]",
        "HTTP/1.1 200 OK\r\n\r\n{\"version\": 1}",
        "HTTP/1.1 200 OK\r\n\r\n{\"version\": \"latest\"}",
        "HTTP/1.1 200 OK\r\n\r\n{\"version\": \"1.23.3-and-so-on-for-more-than-31-bytes\"}",
        "HTTP/1.1 200 OK\r\n\r\n{\"version\": \"1.2\"} {}",
        "ICY 200 OK with more of it\r\n\r\n{\"version\": \"1.23.3\"}",
    };
    char version[32] = "before";
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(api(wrong[i], version), SP_EFORMAT);
    assert_string_equal(version, "before");
    assert_int_equal(api("HTTP/1.1 200 OK\r\nServer: TornadoServer/6.2\r\n\r\n{\"version\": \"1.23.3\"}", version), 0);
    assert_string_equal(version, "1.23.3");
}

static int elsewhere(const char *answer, char base_url[static 64]) {
    return jupyter_parse_elsewhere(answer, strlen(answer), base_url, 64);
}

#define POLICY "Content-Security-Policy: frame-ancestors 'self'; report-uri "

static void answers_from_below_a_path(void **state) {
    static const char *const wrong[] = {
        "HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\n" POLICY "/lab/api/security/csp-report\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n\r\n" POLICY "/lab/api/security/csp-report\r\n",
        "HTTP/1.1 404 Not Found\r\n" POLICY "http://x/api/security/csp-report\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n" POLICY "/lab x/api/security/csp-report\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n" POLICY "/lab/\r\n\r\n/api/security/csp-report",
        "HTTP/1.1 404 Not Found\r\n" POLICY "/api/security/csp-report\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\n" POLICY
        "/a-path-that-is-longer-than-what-is-kept-of-it-which-is-64-bytes/api/security/csp-report\r\n\r\n",
    };
    char base_url[64] = "before";
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(elsewhere(wrong[i], base_url), SP_EFORMAT);
    assert_string_equal(base_url, "before");
    assert_int_equal(
        elsewhere("HTTP/1.1 404 Not Found\r\n" POLICY "/user/ann/api/security/csp-report\r\n\r\n", base_url), 0);
    assert_string_equal(base_url, "/user/ann/");
}

static void the_folder_of_runtime_files(void **state) {
    char path[64];
    (void)state;
    (void)unsetenv("JUPYTER_RUNTIME_DIR");
    (void)unsetenv("JUPYTER_DATA_DIR");
    (void)unsetenv("XDG_DATA_HOME");
    (void)unsetenv("HOME");
    assert_int_equal(jupyter_runtime_dir(path, sizeof path), SP_ENOENT);
    (void)setenv("HOME", "/home/ann", 1);
    assert_int_equal(jupyter_runtime_dir(path, sizeof path), 0);
    assert_string_equal(path, "/home/ann/.local/share/jupyter/runtime");
    (void)setenv("XDG_DATA_HOME", "/xdg", 1);
    assert_int_equal(jupyter_runtime_dir(path, sizeof path), 0);
    assert_string_equal(path, "/xdg/jupyter/runtime");
    (void)setenv("JUPYTER_DATA_DIR", "/data", 1);
    assert_int_equal(jupyter_runtime_dir(path, sizeof path), 0);
    assert_string_equal(path, "/data/runtime");
    (void)setenv("JUPYTER_RUNTIME_DIR", "/run/jupyter", 1);
    assert_int_equal(jupyter_runtime_dir(path, sizeof path), 0);
    assert_string_equal(path, "/run/jupyter");
    assert_int_equal(jupyter_runtime_dir(path, 5), SP_ETOOBIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_of_jupyter_server),
        cmocka_unit_test(a_file_of_the_classic_notebook),
        cmocka_unit_test(files_that_are_refused),
        cmocka_unit_test(members_that_do_not_fit_are_left_out),
        cmocka_unit_test(answers_to_api),
        cmocka_unit_test(answers_from_below_a_path),
        cmocka_unit_test(the_folder_of_runtime_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
