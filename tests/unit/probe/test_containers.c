/* The names of containers, from a stand-in for Docker's socket. */
#include "fake_server.h"

#include <sys/un.h>

#include "containers.h"
#include "sallyport/base/err.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OK "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"

static void answers(void **state) {
    char name[CONTAINER_NAME_SIZE] = "";
    static const char *const bad[] = {
        "",
        OK,
        OK "[]",
        OK "{\"Id\":\"" ID "\",\"Name\":\"/trainer\"",
        OK "{\"Id\":\"" ID "\"}",
        OK "{\"Id\":\"" ID "\",\"Name\":7}",
        OK "{\"Id\":\"" ID "\",\"Name\":\"/\"}",
        OK "{\"Id\":\"" ID "\",\"Name\":\"/<b>\"}",
        OK "{\"Id\":\"" ID "\",\"Name\":\"/a\\u001b\"}",
        OK "{\"Id\":\"" ID "\",\"Name\":\"/a/b\"}",
        OK "{\"Id\":\"" ID
           "\",\"Name\":\"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
        OK "{\"Id\":\"" ID "0\",\"Name\":\"/other\"}",
        "HTTP/1.0 404 Not Found\r\n\r\n{\"message\":\"No such container\"}",
        "HTTP/1.0 500 x\r\n\r\n{\"Id\":\"" ID "\",\"Name\":\"/trainer\"}",
    };
    static const char docker[] = OK "{\"Id\":\"" ID "\",\"Created\":\"2026\",\"Name\":\"/trainer\",\"Config\":{}}";
    static const char podman[] = OK "{\"Id\":\"" ID "\",\"Name\":\"my_app-1.2\"}";
    (void)state;
    assert_int_equal(containers_parse(docker, sizeof docker - 1, ID, name), 0);
    assert_string_equal(name, "trainer");
    assert_int_equal(containers_parse(podman, sizeof podman - 1, ID, name), 0);
    assert_string_equal(name, "my_app-1.2");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (containers_parse(bad[i], strlen(bad[i]), ID, name) != SP_EFORMAT)
            fail_msg("%s", bad[i]);
    assert_string_equal(name, "my_app-1.2");
}

/* Answers with the number of the question in the name, after it was asked in just these words. */
static void serve(int listening) {
    static const char expected[] = "/json HTTP/1.0\r\nHost: localhost\r\n\r\n";
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int count = 1;; count++) {
        char request[512] = "", answer[512], id[65] = "";
        int fd = accept(listening, NULL, NULL);
        if (fd < 0 || read(fd, request, sizeof request - 1) <= 0)
            _exit(1);
        if (sscanf(request, "GET /containers/%64[0-9a-f]", id) == 1 && strstr(request, expected) != NULL) {
            (void)snprintf(answer, sizeof answer, OK "{\"Id\":\"%s\",\"Name\":\"/%c-%d\"}", id, id[0], count);
            fake_say(fd, answer);
        }
        close(fd);
    }
}

static pid_t start(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0 && strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        serve(fd);
    close(fd);
    return pid;
}

static const char *wait_for(struct loop *loop, struct containers *containers, const char *id) {
    const char *name = containers_name(containers, id);
    for (int tries = 0; name == NULL && tries < 3000; tries++) {
        run_for(loop, 5);
        name = containers_name(containers, id);
    }
    return name;
}

static void names_by_the_socket(void **state) {
    char root[FIXTURE_PATH], path[FIXTURE_PATH], id[CONTAINER_ID_SIZE] = ID;
    struct loop *loop;
    struct containers *containers;
    (void)state;
    fixture_new(root);
    fixture_path(root, "/run/docker.sock", path);
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(containers_new(loop, path, &containers), 0);
    assert_null(containers_name(containers, ID)); /* nobody is there */
    run_for(loop, 20);
    assert_null(containers_name(containers, ID));
    containers_free(containers);

    pid_t pid = start(path);
    assert_int_equal(containers_new(loop, path, &containers), 0);
    assert_null(containers_name(containers, ID));
    id[0] = 'b';
    assert_null(containers_name(containers, id)); /* waits for its turn */
    assert_string_equal(wait_for(loop, containers, ID), "0-1");
    assert_string_equal(wait_for(loop, containers, id), "b-2");
    assert_string_equal(containers_name(containers, ID), "0-1"); /* not asked again */
    for (int i = 0; i < 100; i++) {                              /* more than are known at a time */
        (void)snprintf(id, sizeof id, "%064x", i);
        (void)containers_name(containers, id);
    }
    assert_non_null(wait_for(loop, containers, id));
    id[0] = 'c';
    (void)containers_name(containers, id);
    containers_free(containers); /* while it is asked */
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    loop_free(loop);
    fixture_remove(root);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(names_by_the_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
