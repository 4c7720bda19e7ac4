/* In a network namespace of its own, where addresses can be given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "own_addresses.h"

static void test_names(void **state) {
    (void)state;
    static const char *const inner[] = {"docker0", "br-1a2b3c", "veth12ab", "virbr0", "wg0", "tailscale0", "tun0"};
    static const char *const outer[] = {"eth0", "enp3s0", "wlan0", "wlp2s0", "br0", "bond0", "lan0", "eno1"};
    for (size_t i = 0; i < sizeof inner / sizeof inner[0]; i++)
        if (!own_address_is_inner(inner[i]))
            fail_msg("%s is taken for a network that others are on", inner[i]);
    for (size_t i = 0; i < sizeof outer / sizeof outer[0]; i++)
        if (own_address_is_inner(outer[i]))
            fail_msg("%s is not taken for a network that others are on", outer[i]);
}

/* `ip` with these words. */
static void ip(const char *const *words) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char *argv[16] = {NULL};
        for (size_t i = 0; words[i]; i++)
            argv[i] = strdup(words[i]);
        (void)execvp("ip", argv);
        _exit(127);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}
#define IP(...) ip((const char *const[]){"ip", __VA_ARGS__, NULL})

static bool is_lan(const struct own_addresses *own, const char *text) {
    for (size_t i = 0; i < own->count; i++)
        if (strcmp(own->list[i].text, text) == 0)
            return own->list[i].lan;
    fail_msg("%s is missing", text);
    return false;
}

/* The kernel says up to a second later that a link is up. */
static void wait_for(struct own_addresses *own, size_t count) {
    do
        assert_int_equal(own_addresses_read(own), 0);
    while (own->count < count && usleep(1000) == 0);
    assert_int_equal(own->count, count);
}

static void test_those_of_this_machine(void **state) {
    (void)state;
    struct own_addresses own = {.count = 99};
    if (unshare(CLONE_NEWNET) < 0)
        skip();
    IP("link", "set", "lo", "up");
    IP("addr", "add", "10.1.1.1/32", "dev", "lo"); /* loopback's is nobody else's business */
    assert_int_equal(own_addresses_read(&own), 0);
    assert_int_equal(own.count, 0);
    IP("link", "add", "eth0", "type", "veth", "peer", "name", "docker0");
    IP("addr", "add", "192.168.77.2/24", "dev", "eth0");
    IP("addr", "add", "fd00:77::2/64", "dev", "eth0", "nodad");
    IP("addr", "add", "172.17.0.1/16", "dev", "docker0");
    assert_int_equal(own_addresses_read(&own), 0);
    assert_int_equal(own.count, 0); /* they are down */
    IP("link", "set", "eth0", "up");
    IP("link", "set", "docker0", "up");
    wait_for(&own, 3);
    assert_true(is_lan(&own, "192.168.77.2"));
    assert_false(is_lan(&own, "172.17.0.1"));
    assert_true(is_lan(&own, "fd00:77::2"));
    assert_string_equal(own.list[2].text, "fd00:77::2"); /* IPv4 first */
    assert_true(own_addresses_have(&own, "172.17.0.1"));
    assert_false(own_addresses_have(&own, "10.1.1.1"));
    IP("addr", "del", "192.168.77.2/24", "dev", "eth0");
    assert_int_equal(own_addresses_read(&own), 0);
    assert_int_equal(own.count, 2);
    assert_false(own_addresses_have(&own, "192.168.77.2"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_those_of_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
