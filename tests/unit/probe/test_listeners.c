/* What /proc/net/tcp says, and what the kernel says by netlink. */
#include "fixture.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "listeners_local.h"
#include "sallyport/base/err.h"

static const char table[] = FIXTURE_TCP_HEAD
    "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100\n"
    "   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0 100\n"
    "   2: 0502A8C0:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 13 1 0 100\n"
    "   3: 0100007F:9C40 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 99 1 0 100\n"
    "   4: 0100007F:2222 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 14 1 0 100\n";

static const char table6[] = FIXTURE_TCP_HEAD
    "   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0  1000 0 4712 1\n"
    "   1: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 00:0 0     0 0 15 1\n"
    "   2: 0000000000000000FFFF00000100007F:0BB8 00000000000000000000000000000000:0000 0A 0:0 00:0 0     7 0 16 1\n"
    "   3: B80D0120000000000000000001000000:0BB9 00000000000000000000000000000000:0000 0A 0:0 00:0 0     7 0 17 1\n";

static void expect(const struct listener *listener, uint16_t port, uint8_t family, enum listen_class class, uid_t uid,
                   uint64_t inode, const char *host) {
    char text[LISTENER_HOST_SIZE];
    assert_non_null(listener);
    assert_int_equal(listener->port, port);
    assert_int_equal(listener->family, family);
    assert_int_equal(listener->address_class, class);
    assert_int_equal(listener->uid, uid);
    assert_int_equal(listener->inode, inode);
    listener_host(listener, text);
    assert_string_equal(text, host);
}

static void rows_until_the_first_that_does_not_listen(void **state) {
    struct listeners found;
    size_t used;
    bool ended = false;
    (void)state;
    listeners_init(&found);
    assert_int_equal(listeners_parse(&found, table, strlen(table), 4, &used, &ended), 0);
    assert_true(ended);
    assert_true(used < strlen(table));
    assert_int_equal(found.count, 3);
    expect(&found.items[0], 8080, 4, LISTEN_LOOPBACK, 1000, 4711, "127.0.0.1");
    expect(&found.items[1], 22, 4, LISTEN_ANY, 0, 12, "127.0.0.1");
    expect(&found.items[2], 80, 4, LISTEN_OTHER, 33, 13, "192.168.2.5");
    listeners_fini(&found);
}

static void rows_of_ipv6(void **state) {
    struct listeners found;
    size_t used;
    bool ended = false;
    (void)state;
    listeners_init(&found);
    assert_int_equal(listeners_parse(&found, table6, strlen(table6), 6, &used, &ended), 0);
    assert_false(ended);
    assert_int_equal(used, strlen(table6));
    assert_int_equal(found.count, 4);
    expect(&found.items[0], 8080, 6, LISTEN_LOOPBACK, 1000, 4712, "::1");
    expect(&found.items[1], 22, 6, LISTEN_ANY, 0, 15, "::1");
    expect(&found.items[2], 3000, 4, LISTEN_LOOPBACK, 7, 16, "127.0.0.1");
    expect(&found.items[3], 3001, 6, LISTEN_OTHER, 7, 17, "2001:db8::1");
    listeners_fini(&found);
}

static void half_a_line_waits_for_its_rest(void **state) {
    struct listeners found;
    size_t used;
    bool ended = false;
    (void)state;
    listeners_init(&found);
    size_t head = strlen(FIXTURE_TCP_HEAD);
    assert_int_equal(listeners_parse(&found, table, head + 40, 4, &used, &ended), 0);
    assert_int_equal(used, head);
    assert_int_equal(found.count, 0);
    listeners_fini(&found);
}

static void nonsense_is_passed_over(void **state) {
    static const char *const lines[] = {
        "\n",
        "   0: 0100007F:1F9 00000000:0000 0A 0:0 00:0 0 1000 0 1 1\n",
        "   0: 0100007F:1F900 00000000:0000 0A 0:0 00:0 0 1000 0 1 1\n",
        "   0: 0100007F:0000 00000000:0000 0A 0:0 00:0 0 1000 0 1 1\n",
        "   0: 0100007G:1F90 00000000:0000 0A 0:0 00:0 0 1000 0 1 1\n",
        "   0: 0100007F 00000000:0000 0A 0:0 00:0 0 1000 0 1 1\n",
        "   0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 -1 0 1 1\n",
        "   0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 1000 0 1x 1\n",
        "   0: 0100007F:1F90 00000000:0000 0AA 0:0 00:0 0 1000 0 1 1\n",
        "   0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 1000\n",
        "   0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 4294967296 0 1 1\n",
    };
    struct listeners found;
    (void)state;
    listeners_init(&found);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        size_t used;
        bool ended = false;
        assert_int_equal(listeners_parse(&found, lines[i], strlen(lines[i]), 4, &used, &ended), 0);
        assert_int_equal(used, strlen(lines[i]));
        assert_int_equal(found.count, 0);
        assert_false(ended);
    }
    listeners_fini(&found);
}

static void files_are_read_sorted_and_compared(void **state) {
    char root[FIXTURE_PATH];
    struct listeners found, again;
    (void)state;
    fixture_new(root);
    listeners_init(&found);
    listeners_init(&again);
    assert_int_equal(listeners_read(&found, root), SP_ESYS);
    fixture_write(root, "/proc/net/tcp", table);
    assert_int_equal(listeners_read(&found, root), 0); /* no tcp6: a kernel without IPv6 */
    assert_int_equal(found.count, 3);
    fixture_write(root, "/proc/net/tcp6", table6);
    assert_int_equal(listeners_read(&found, root), 0);
    assert_int_equal(found.count, 7);
    for (size_t i = 1; i < found.count; i++)
        assert_true(found.items[i - 1].port <= found.items[i].port);
    expect(listeners_find(&found, 22), 22, 4, LISTEN_ANY, 0, 12, "127.0.0.1");
    expect(listeners_find(&found, 8080), 8080, 4, LISTEN_LOOPBACK, 1000, 4711, "127.0.0.1");
    assert_null(listeners_find(&found, 23));
    assert_int_equal(listeners_read(&again, root), 0);
    assert_true(listeners_equal(&found, &again));
    again.items[3].inode++;
    assert_false(listeners_equal(&found, &again));
    listeners_fini(&found);
    listeners_fini(&again);
    fixture_remove(root);
}

/* More than one read() of rows, and more rows than are looked at. */
static void a_long_table(void **state) {
    char root[FIXTURE_PATH], path[FIXTURE_PATH];
    struct listeners found;
    (void)state;
    fixture_new(root);
    fixture_path(root, "/proc/net/tcp", path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(FIXTURE_TCP_HEAD, file) >= 0);
    for (unsigned i = 0; i < LISTENERS_MAX + 10; i++) {
        char row[256] = "";
        fixture_row(row, sizeof row, 1024 + i, 1000, 100 + i);
        assert_true(fputs(row, file) >= 0);
    }
    assert_int_equal(fclose(file), 0);
    listeners_init(&found);
    assert_int_equal(listeners_read(&found, root), 0);
    assert_int_equal(found.count, LISTENERS_MAX);
    for (unsigned i = 0; i < LISTENERS_MAX; i++)
        assert_int_equal(found.items[i].port, 1024 + i);
    listeners_fini(&found);
    fixture_remove(root);
}

static int listen_on(int family, uint16_t *port) {
    union {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } address = {.six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};
    if (family == 4)
        address.four = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, &address.any, family == 6 ? sizeof address.six : sizeof address.four), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, &address.any, &len), 0);
    *port = ntohs(family == 6 ? address.six.sin6_port : address.four.sin_port);
    return fd;
}

/* Both ways must say the same of a socket of this test; and nothing of one that does not listen. */
static void real_sockets(void **state) {
    static const int families[] = {4, 6};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        int family = families[i];
        uint16_t port = 0;
        struct stat info;
        struct listeners by_netlink, by_file;
        int fd = listen_on(family, &port);
        assert_int_equal(fstat(fd, &info), 0);
        listeners_init(&by_netlink);
        listeners_init(&by_file);
        assert_int_equal(listeners_diag(&by_netlink, family), 0);
        assert_int_equal(listeners_read(&by_file, "/."), 0);
        const char *host = family == 6 ? "::1" : "127.0.0.1";
        expect(listeners_find(&by_netlink, port), port, (uint8_t)family, LISTEN_LOOPBACK, geteuid(), info.st_ino, host);
        expect(listeners_find(&by_file, port), port, (uint8_t)family, LISTEN_LOOPBACK, geteuid(), info.st_ino, host);
        close(fd);
        assert_int_equal(listeners_read(&by_netlink, ""), 0);
        assert_null(listeners_find(&by_netlink, port));
        listeners_fini(&by_netlink);
        listeners_fini(&by_file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_until_the_first_that_does_not_listen),
        cmocka_unit_test(rows_of_ipv6),
        cmocka_unit_test(half_a_line_waits_for_its_rest),
        cmocka_unit_test(nonsense_is_passed_over),
        cmocka_unit_test(files_are_read_sorted_and_compared),
        cmocka_unit_test(a_long_table),
        cmocka_unit_test(real_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
