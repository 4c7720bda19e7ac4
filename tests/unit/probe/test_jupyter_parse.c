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

static int sessions(const char *answer, struct notebooks *out) {
    return jupyter_parse_sessions(answer, strlen(answer), out, NULL);
}

#define OK "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

static void answers_to_sessions(void **state) {
    struct notebooks got;
    (void)state;
    assert_int_equal(sessions(OK "[]", &got), 0);
    assert_true(got.known);
    assert_int_equal(got.count, 0);
    /* as the server writes them: a notebook in a folder, a busy one, a console, a text file's kernel */
    assert_int_equal(
        sessions(
            OK
            "[{\"id\": \"1\", \"path\": \"work/b.ipynb\", \"name\": \"\", \"type\": \"notebook\", \"kernel\": {\"id\": "
            "\"k1\", \"name\": \"python3\", \"last_activity\": \"2026-11-23T10:00:00Z\", "
            "\"execution_state\": \"idle\", \"connections\": 1}, \"notebook\": {\"path\": \"work/b.ipynb\"}},"
            "{\"path\": \"a.ipynb\", \"type\": \"notebook\", \"kernel\": {\"name\": \"ir\", \"execution_state\": "
            "\"busy\"}},"
            "{\"path\": \"console-1-0123\", \"name\": \"Console 1\", \"type\": \"console\", \"kernel\": {}},"
            "{\"path\": \"x/notes.txt\", \"type\": \"file\", \"kernel\": {\"execution_state\": \"starting\"}}]",
            &got),
        0);
    assert_int_equal(got.count, 4);
    assert_int_equal(got.listed, 4);
    assert_string_equal(got.list[0].name, "Console 1");
    assert_string_equal(got.list[1].name, "a.ipynb");
    assert_string_equal(got.list[1].kernel, "ir");
    assert_true(got.list[1].busy);
    assert_string_equal(got.list[2].name, "b.ipynb");
    assert_string_equal(got.list[2].kernel, "python3");
    assert_false(got.list[2].busy);
    assert_string_equal(got.list[3].name, "notes.txt");
    assert_false(got.list[3].busy);
}

static void sessions_that_make_little_sense(void **state) {
    static const struct {
        const char *answer;
        int rc;
    } wrong[] = {
        {"", SP_EFORMAT},
        {"HTTP/1.1 200 OK\r\n", SP_EFORMAT},
        {OK, SP_EFORMAT},
        {OK "{}", SP_EFORMAT},
        {OK "[{\"path\": \"a\"}", SP_EFORMAT},
        {OK "[7]", SP_EFORMAT},
        {OK "[{\"path\": \"a\"}, []]", SP_EFORMAT},
        {"HTTP/1.1 500 Oops\r\n\r\n[]", SP_EFORMAT},
        {"HTTP/1.1 403 Forbidden\r\n\r\n[]", SP_EDENIED},
        {"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", SP_EDENIED},
        {"HTTP/1.1 404 Not Found\r\n\r\n", SP_EDENIED},
        {"ICY 404 with more of it\r\n\r\n", SP_EFORMAT},
    };
    struct notebooks got = {.count = 77};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(sessions(wrong[i].answer, &got), wrong[i].rc);
    assert_int_equal(got.count, 77);
    /* names that cannot be shown are counted */
    assert_int_equal(sessions(OK
                              "[{}, {\"path\": 7}, {\"path\": \"a/\"}, {\"path\": \"a\\u001b\"}, {\"path\": \"b\", "
                              "\"kernel\": {\"name\": \"\\n\", \"execution_state\": 5}}, {\"path\": \"c\", \"kernel\": "
                              "[]}]",
                              &got),
                     0);
    assert_int_equal(got.count, 6);
    assert_int_equal(got.listed, 2);
    assert_string_equal(got.list[0].name, "b");
    assert_string_equal(got.list[0].kernel, "");
    assert_string_equal(got.list[1].name, "c");
}

static void many_sessions(void **state) {
    static const char *const orders[] = {"3179502468", "8642059713", "0123456789", "9876543210"};
    char text[1024], name[400] = "";
    struct notebooks got;
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        size_t len = (size_t)snprintf(text, sizeof text, OK "[");
        for (size_t j = 0; j < 10; j++)
            len +=
                (size_t)snprintf(text + len, sizeof text - len, "%s{\"path\":\"%c\"}", j == 0 ? "" : ",", orders[i][j]);
        (void)snprintf(text + len, sizeof text - len, "]");
        assert_int_equal(sessions(text, &got), 0);
        assert_int_equal(got.count, 10);
        assert_int_equal(got.listed, NOTEBOOKS_MAX);
        for (int j = 0; j < NOTEBOOKS_MAX; j++)
            assert_int_equal(got.list[j].name[0], '0' + j);
    }
    for (size_t i = 0; i < 60; i++)
        memcpy(name + 3 * i, "\xe2\x82\xac", 4);
    (void)snprintf(text, sizeof text, OK "[{\"path\":\"/d/%s\"}]", name);
    assert_int_equal(sessions(text, &got), 0);
    assert_int_equal(strlen(got.list[0].name), 93); /* 31 characters of three bytes */
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
        cmocka_unit_test(answers_to_sessions),
        cmocka_unit_test(sessions_that_make_little_sense),
        cmocka_unit_test(many_sessions),
        cmocka_unit_test(the_folder_of_runtime_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
