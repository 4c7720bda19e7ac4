#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "portmap_local.h"

static struct portmap_request good_request(void) {
    return (struct portmap_request){.op = PORTMAP_MAP,
                                    .internal_port = 41234,
                                    .lease_s = 3600,
                                    .gateway4 = "192.168.1.1",
                                    .gateway6 = "fe80::1%2",
                                    .address6 = "2001:db8::2"};
}

static struct portmap_result good_result(void) {
    return (struct portmap_result){.outcome = PORTMAP_OK,
                                   .lease_s = 3600,
                                   .router = "a router",
                                   .memory = {.protocol = PORTMAP_BY_UPNP,
                                              .gateway = "192.168.1.1",
                                              .url = "http://192.168.1.1:5000/x",
                                              .internal_port = 41234,
                                              .external_port = 40022,
                                              .internal_address = "192.168.1.2",
                                              .external_address = "203.0.113.7",
                                              .pinhole = "2001:db8::2"}};
}

static int read_result(const struct portmap_result *result) {
    struct portmap_request request = good_request();
    struct portmap_result out = {.lease_s = 7};
    int rc = portmap_result_read(&request, result, sizeof *result, &out);
    assert_int_equal(out.lease_s, rc == 0 ? result->lease_s : 7);
    return rc;
}

#define REFUSED(change) \
    do { \
        result = good_result(); \
        change; \
        assert_int_equal(read_result(&result), SP_EFORMAT); \
    } while (0)

static void test_results_are_checked(void **state) {
    (void)state;
    struct portmap_result result = good_result();
    assert_int_equal(read_result(&result), 0);
    REFUSED(result.outcome = (enum portmap_outcome)(PORTMAP_BROKEN + 1));
    REFUSED(result.outcome = (enum portmap_outcome) - 1);
    REFUSED(result.lease_s = UINT32_MAX);
    REFUSED(memset(result.router, 'x', sizeof result.router));
    REFUSED(memset(result.trouble, 'x', sizeof result.trouble));
    REFUSED(memcpy(result.trouble, "a\x1b[2J", 6));
    REFUSED(memcpy(result.router, "a\xc3\xa9", 4));
}

static void test_memories_are_checked(void **state) {
    (void)state;
    struct portmap_result result;
    REFUSED(result.memory.protocol = (enum portmap_protocol)9);
    REFUSED(result.memory.protocol = PORTMAP_NONE);
    REFUSED(memset(&result.memory.permanent, 7, 1));
    REFUSED(memset(result.memory.gateway, '1', sizeof result.memory.gateway));
    REFUSED(memcpy(result.memory.gateway, "192.168.1.9", 12));
    REFUSED(memcpy(result.memory.url, "http://192.168.1.9/", 20));
    REFUSED(memcpy(result.memory.url, "http://router/", 15));
    REFUSED(memset(result.memory.url, 'x', sizeof result.memory.url));
}

static void test_memories_of_mappings_are_checked(void **state) {
    (void)state;
    struct portmap_result result;
    REFUSED(memcpy(result.memory.internal_address, "nonsense", 9));
    REFUSED(memcpy(result.memory.external_address, "203.0.113.7 ", 13));
    REFUSED(memset(result.memory.external_address, '1', sizeof result.memory.external_address));
    REFUSED(memcpy(result.memory.pinhole, "2001:db8::3", 12));
    REFUSED(memcpy(result.memory.pinhole, "192.168.1.2", 12));
    REFUSED(result.memory.internal_port = 22);
    REFUSED(result.memory.internal_port = 0);
    REFUSED(result.memory.external_port = 0; result.memory.pinhole[0] = '\0');
}

static void test_results_of_another_size(void **state) {
    (void)state;
    struct portmap_request request = good_request();
    struct portmap_result result = good_result();
    assert_int_equal(portmap_result_read(&request, &result, sizeof result - 1, &result), SP_EFORMAT);
    assert_int_equal(portmap_result_read(&request, &result, 0, &result), SP_EFORMAT);
    result.memory.external_port = 0; /* only a pinhole */
    assert_int_equal(read_result(&result), 0);
}

#undef REFUSED

static void test_requests_are_checked(void **state) {
    (void)state;
    struct portmap_request request = good_request();
    assert_true(portmap_request_is_valid(&request));

#define REFUSED(change) \
    do { \
        request = good_request(); \
        change; \
        assert_false(portmap_request_is_valid(&request)); \
    } while (0)
    REFUSED(request.op = (enum portmap_op)3);
    REFUSED(request.use = (enum portmap_use)3);
    REFUSED(request.internal_port = 0);
    REFUSED(memset(&request.ipv6, 2, 1));
    REFUSED(memcpy(request.gateway4, "router", 7));
    REFUSED(memcpy(request.gateway4, "1.2.3.4%1", 10));
    REFUSED(memcpy(request.gateway6, "192.168.1.1", 12));
    REFUSED(memset(request.gateway6, ':', sizeof request.gateway6));
    REFUSED(memcpy(request.address6, "fe80::1%2", 10));
    REFUSED(request.memory.external_port = 1);
#undef REFUSED
}

/* ---- What is left to a process in the sandbox ---- */

static int try_file(const char *path, int flags) {
    int fd = open(path, flags, 0600);
    return fd < 0 ? -1 : close(fd);
}

static bool denied_socket(int family, int type) {
    int fd = socket(family, type, 0);
    return fd < 0 || close(fd) != 0;
}

/* Each bit of the exit status is something that should not have worked. */
static int sandboxed(void) {
    int wrong = 0;
    if (portmap_sandbox() != 0)
        return 255;
    if (try_file("/etc/passwd", O_RDONLY) == 0 || try_file("/", O_RDONLY | O_DIRECTORY) == 0 ||
        try_file("/proc/self/status", O_RDONLY) == 0 || try_file(".", O_RDONLY) == 0)
        wrong |= 1;
    if (try_file("/tmp", O_WRONLY | O_TMPFILE) == 0 || try_file("/dev/null", O_WRONLY) == 0)
        wrong |= 2;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    if (child > 0)
        wrong |= 4;
    char *const argv[] = {(char[]){"true"}, NULL};
    if (execve("/bin/true", argv, NULL) == 0 || errno == ENOENT)
        wrong |= errno == ENOENT ? 0 : 8;
    if (kill(getppid(), 0) == 0)
        wrong |= 16;
    if (!denied_socket(AF_UNIX, SOCK_STREAM) || !denied_socket(AF_PACKET, SOCK_RAW))
        wrong |= 32;
    if (denied_socket(AF_INET, SOCK_STREAM) || denied_socket(AF_INET6, SOCK_DGRAM) ||
        denied_socket(AF_NETLINK, SOCK_RAW))
        wrong |= 64;
    if (geteuid() == 0 || setuid(0) == 0 || seteuid(0) == 0)
        wrong |= 128;
    return wrong;
}

static int run_child(int (*what)(void)) {
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(what());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_the_sandbox_leaves_nothing(void **state) {
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(run_child(sandboxed), 0);
}

/* As an ordinary user there is no other user to become; everything else is denied all the same. */
static int sandboxed_ordinary(void) {
    if (geteuid() == 0 && (setgid(12345) != 0 || setuid(12345) != 0))
        return 255;
    return sandboxed();
}

/* Root in a container may have no right to become another user. */
static int sandboxed_bound_root(void) {
    if (prctl(PR_CAPBSET_DROP, CAP_SETUID) != 0 || prctl(PR_CAPBSET_DROP, CAP_SETGID) != 0)
        return 255;
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &head, data) != 0)
        return 255;
    data[0].effective &= ~(1U << CAP_SETUID | 1U << CAP_SETGID);
    data[0].permitted &= ~(1U << CAP_SETUID | 1U << CAP_SETGID);
    if (syscall(SYS_capset, &head, data) != 0)
        return 255;
    int wrong = sandboxed();
    if (syscall(SYS_capget, &head, data) != 0 || data[0].permitted || data[1].permitted)
        return 255;
    return wrong;
}

static void test_the_sandbox_of_a_root_without_rights(void **state) {
    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(run_child(sandboxed_bound_root), 128); /* it is still called root */
}

static void test_the_sandbox_of_an_ordinary_user(void **state) {
    (void)state;
    assert_int_equal(run_child(sandboxed_ordinary), 0);
}

static int eats_memory(void) {
    if (portmap_sandbox() != 0)
        return 255;
    int blocks = 0;
    while (blocks < 200) {
        char *block = malloc(1 << 20);
        if (!block)
            break;
        block[0] = 1;
        blocks++;
    }
    return blocks;
}

static void test_the_sandbox_bounds_memory(void **state) {
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    int mib = run_child(eats_memory);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    assert_true(mib > 0); /* not bounded: a sanitizer's own books take more */
#else
    assert_in_range(mib, 8, 48);
#endif
}

/* ---- A child and its parent ---- */

struct bench {
    struct loop *loop;
    struct portmap *portmap;
    struct portmap_result result;
    unsigned answers;
};

static void bench_done(void *ctx, const struct portmap_result *result) {
    struct bench *bench = ctx;
    bench->result = *result;
    bench->portmap = NULL;
    bench->answers++;
    loop_stop(bench->loop);
}

static void assert_childless(void) {
    errno = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void test_a_request_that_makes_no_sense(void **state) {
    (void)state;
    struct bench bench = {.answers = 0};
    struct portmap_request request = good_request();
    request.memory.nonce[3] = 42;
    memcpy(request.gateway4, "router", 7);
    assert_int_equal(loop_new(&bench.loop), 0);
    assert_int_equal(portmap_start(bench.loop, &request, 60000, bench_done, &bench, &bench.portmap), 0);
    assert_int_equal(loop_run(bench.loop), 0);
    assert_int_equal(bench.result.outcome, PORTMAP_BROKEN);
    assert_int_equal(bench.result.memory.nonce[3], 42);
    assert_true(bench.result.trouble[0] != '\0');
    assert_childless();
    loop_free(bench.loop);
}

static void test_no_gateway(void **state) {
    (void)state;
    struct bench bench = {.answers = 0};
    struct portmap_request request = {.op = PORTMAP_MAP, .internal_port = 41234, .lease_s = 3600};
    assert_int_equal(loop_new(&bench.loop), 0);
    assert_int_equal(portmap_start(bench.loop, &request, 60000, bench_done, &bench, &bench.portmap), 0);
    assert_int_equal(loop_run(bench.loop), 0);
    assert_int_equal(bench.result.outcome, PORTMAP_NO_ROUTER);
    assert_string_equal(bench.result.trouble, "there is no IPv4 router here");
    assert_int_equal(bench.answers, 1);
    assert_childless();
    loop_free(bench.loop);
}

/* Nobody answers at that address, and the deadline is short: the child is killed, and the loop reaps it. */
static void test_the_deadline(void **state) {
    (void)state;
    struct bench bench = {.answers = 0};
    struct portmap_request request = good_request();
    request.use = PORTMAP_UPNP;
    memcpy(request.gateway4, "127.0.0.7", 10);
    request.gateway6[0] = '\0';
    assert_int_equal(loop_new(&bench.loop), 0);
    assert_int_equal(portmap_start(bench.loop, &request, 300, bench_done, &bench, &bench.portmap), 0);
    assert_int_equal(loop_run(bench.loop), 0);
    assert_int_equal(bench.result.outcome, PORTMAP_BROKEN);
    assert_non_null(strstr(bench.result.trouble, "too long"));
    loop_free(bench.loop);
    assert_childless();
}

static void test_cancelled(void **state) {
    (void)state;
    struct bench bench = {.answers = 0};
    struct portmap_request request = good_request();
    assert_int_equal(loop_new(&bench.loop), 0);
    portmap_cancel(NULL);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(portmap_start(bench.loop, &request, 60000, bench_done, &bench, &bench.portmap), 0);
        portmap_cancel(bench.portmap);
    }
    loop_free(bench.loop);
    assert_int_equal(bench.answers, 0);
    assert_childless();
}

int main(int argc, char **argv) {
    int status = portmap_worker_main(argc, argv);
    if (status >= 0)
        return status;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_results_are_checked),
        cmocka_unit_test(test_memories_are_checked),
        cmocka_unit_test(test_memories_of_mappings_are_checked),
        cmocka_unit_test(test_results_of_another_size),
        cmocka_unit_test(test_requests_are_checked),
        cmocka_unit_test(test_the_sandbox_leaves_nothing),
        cmocka_unit_test(test_the_sandbox_of_an_ordinary_user),
        cmocka_unit_test(test_the_sandbox_of_a_root_without_rights),
        cmocka_unit_test(test_the_sandbox_bounds_memory),
        cmocka_unit_test(test_a_request_that_makes_no_sense),
        cmocka_unit_test(test_no_gateway),
        cmocka_unit_test(test_the_deadline),
        cmocka_unit_test(test_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
