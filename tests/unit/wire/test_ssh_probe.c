/* Against a real sshd on loopback, and against what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sallyport/base/buf.h"
#include "sallyport/base/os.h"
#include "sallyport/wire/pubkey.h"
#include "sallyport/wire/ssh_probe.h"

enum { WAIT_MS = 20000 };

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)snprintf(folder, sizeof folder, "/tmp/sallyport-probe-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
    char path[96];
    (void)state;
    static const char *const names[] = {"host_key", "sshd_config"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

static int listen_somewhere(uint16_t *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static pid_t run_sshd(uint16_t port, const char *more) {
    char config[96], text[512];
    (void)mkdir("/run/sshd", 0755); /* root's sshd wants it */
    (void)snprintf(config, sizeof config, "%s/sshd_config", folder);
    int n = snprintf(text, sizeof text,
                     "Port %u\nListenAddress 127.0.0.1\nHostKey %s/host_key\nPidFile none\nUsePAM no\n%s", port, folder,
                     more);
    assert_int_equal(os_write_file(config, text, (size_t)n, 0600), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR);
        (void)dup2(null, 0);
        (void)dup2(null, 2);
        execl("/usr/sbin/sshd", "/usr/sbin/sshd", "-D", "-e", "-f", config, (char *)NULL);
        _exit(127);
    }
    return pid;
}

/* Asks as soon as it answers. */
static struct ssh_probe probe_of(const char *more) {
    struct ssh_probe probe = {0};
    uint16_t port;
    assert_int_equal(close(listen_somewhere(&port)), 0);
    pid_t pid = run_sshd(port, more);
    uint64_t give_up = os_monotonic_ms() + WAIT_MS;
    int rc;
    while ((rc = ssh_probe_ask("127.0.0.1", port, 5, true, &probe)) == SP_ECLOSED && os_monotonic_ms() < give_up)
        (void)usleep(20000);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(rc, 0);
    return probe;
}

static void test_what_an_sshd_shows(void **state) {
    (void)state;
    static const struct {
        const char *config;
        bool password, interactive;
    } rows[] = {
        {"PasswordAuthentication no\nKbdInteractiveAuthentication no\n", false, false},
        {"PasswordAuthentication yes\nKbdInteractiveAuthentication no\n", true, false},
        {"PasswordAuthentication no\nKbdInteractiveAuthentication yes\n", false, true},
    };
    char path[96];
    struct keypair *key;
    if (access("/usr/sbin/sshd", X_OK) < 0)
        skip();
    (void)snprintf(path, sizeof path, "%s/host_key", folder);
    assert_int_equal(keypair_load_or_make(path, &key, NULL), 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[1200];
        struct ssh_probe probe = probe_of(rows[i].config);
        (void)snprintf(line, sizeof line, "%s %s", keypair_public(key)->type, keypair_public(key)->base64);
        assert_string_equal(probe.host_key, line);
        assert_int_equal(probe.password, rows[i].password);
        assert_int_equal(probe.interactive, rows[i].interactive);
        assert_false(probe.open);
    }
    keypair_free(key);
}

struct speaker {
    int listener;
    const char *says;
};

static void *speak(void *ctx) {
    const struct speaker *speaker = ctx;
    int fd = accept4(speaker->listener, NULL, NULL, SOCK_CLOEXEC);
    (void)send(fd, speaker->says, strlen(speaker->says), MSG_NOSIGNAL);
    char bytes[256];
    while (speaker->says[0] && recv(fd, bytes, sizeof bytes, 0) > 0) {
    }
    (void)close(fd);
    return NULL;
}

static void test_what_is_none(void **state) {
    (void)state;
    static const char *const says[] = {"", "HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-1.5-old\r\n",
                                       "SSH-2.0-x\r\n\xff\xff\xff\xff\xff\xff\xff\xff"};
    for (size_t i = 0; i < sizeof says / sizeof says[0]; i++) {
        struct ssh_probe probe = {.host_key = "before"};
        struct speaker speaker = {.says = says[i]};
        uint16_t port;
        pthread_t thread;
        speaker.listener = listen_somewhere(&port);
        assert_int_equal(pthread_create(&thread, NULL, speak, &speaker), 0);
        assert_int_equal(ssh_probe_ask("127.0.0.1", port, 2, true, &probe), SP_ECLOSED);
        assert_string_equal(probe.host_key, "before");
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(close(speaker.listener), 0);
    }
    struct ssh_probe probe;
    uint16_t port;
    assert_int_equal(close(listen_somewhere(&port)), 0);
    assert_int_equal(ssh_probe_ask("127.0.0.1", port, 2, false, &probe), SP_ECLOSED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_an_sshd_shows, make_folder, remove_folder),
        cmocka_unit_test(test_what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
