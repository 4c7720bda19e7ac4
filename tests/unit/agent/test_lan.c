/* In a network namespace of its own, with a neighbour at the other end of a wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lan.h"

#define MAC "02:00:00:00:00:01"

static void shell(const char *command) {
    if (system(command) != 0) /* NOLINT(cert-env33-c): the words are the test's own */
        fail_msg("failed: %s", command);
}

/* The kernel says up to a second later that a link is up. */
static void wait_for_networks(size_t count) {
    struct link_lan lan;
    do
        assert_int_equal(lan_read(&lan), 0);
    while (lan.count < count && usleep(1000) == 0);
}

/* eth0 is ours, and what it sends comes out at "wire". */
static void make_network(void) {
    if (unshare(CLONE_NEWNET) < 0)
        skip();
    shell("ip link set lo up && ip link add eth0 address " MAC " type veth peer name wire");
    shell("ip addr add 192.168.77.5/24 broadcast + dev eth0 && ip link set eth0 up && ip link set wire up");
    wait_for_networks(1);
}

static void test_networks(void **state) {
    (void)state;
    struct link_lan lan = {.count = 99}, same;
    make_network();
    assert_int_equal(lan_read(&lan), 0);
    assert_int_equal(lan.count, 1); /* "wire" has no address */
    assert_string_equal(lan.list[0].mac, MAC);
    assert_string_equal(lan.list[0].network, "192.168.77.0/24");
    shell("ip link add docker0 type veth peer name wg0 && ip addr add 172.17.0.1/16 broadcast + dev docker0 && "
          "ip addr add 10.9.0.1/24 broadcast + dev wg0 && ip link set docker0 up && ip link set wg0 up");
    shell("ip addr add 10.1.1.1/32 dev eth0 && ip addr add 192.168.77.6/24 dev eth0"); /* no network; the same one */
    shell("ip addr add fd00:77::2/64 dev eth0 nodad");
    assert_int_equal(lan_read(&same), 0);
    assert_true(lan_equal(&lan, &same));
    shell("ip addr add 10.20.30.40/8 dev eth0");
    assert_int_equal(lan_read(&same), 0);
    assert_false(lan_equal(&lan, &same));
    assert_int_equal(same.count, 2);
    shell("ip link set eth0 down");
    assert_int_equal(lan_read(&same), 0);
    assert_int_equal(same.count, 0);
    shell("for i in 1 2 3 4 5 6 7 8 9; do ip link add eth$i type veth peer name peer$i && "
          "ip addr add 10.$i.0.1/16 dev eth$i && ip link set eth$i up && ip link set peer$i up; done");
    wait_for_networks(LINK_NETWORKS_MAX);
    assert_int_equal(lan_read(&same), 0);
    assert_int_equal(same.count, LINK_NETWORKS_MAX);
}

static int listen_on(const char *interface) {
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex(interface)};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP));
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* How many packets that wake `mac` have come; each must be whole. */
static size_t count_packets(int fd, const uint8_t mac[static 6]) {
    struct {
        struct ethhdr ethernet;
        struct iphdr ip;
        struct udphdr udp;
        uint8_t magic[17][6];
    } __attribute__((packed)) packet;
    static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    size_t count = 0;
    while (recv(fd, &packet, sizeof packet, MSG_TRUNC) == sizeof packet) {
        if (packet.ip.protocol != IPPROTO_UDP || ntohs(packet.udp.dest) != 9)
            continue;
        assert_memory_equal(packet.ethernet.h_dest, everybody, 6);
        assert_int_equal(ntohl(packet.ip.daddr), 0xC0A84DFF); /* 192.168.77.255 */
        assert_memory_equal(packet.magic[0], everybody, 6);
        for (size_t i = 1; i <= 16; i++)
            assert_memory_equal(packet.magic[i], mac, 6);
        count++;
    }
    return count;
}

static void test_waking(void **state) {
    (void)state;
    static const uint8_t mac[6] = {0xaa, 0xbb, 0xcc, 0, 0x11, 0x22};
    struct link_network whom = {.mac = "aa:bb:cc:00:11:22", .network = "192.168.77.0/24"};
    struct lan_wakes wakes = {.next = 0};
    struct link_lan own;
    struct why why = {""};
    uint64_t now = 1000;
    make_network();
    int fd = listen_on("wire");
    assert_int_equal(lan_read(&own), 0);
    assert_int_equal(lan_wake(&wakes, now, &own, &whom, &why), 0);
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&polled, 1, 20000), 1);
    assert_true(count_packets(fd, mac) > 0);

    /* Nobody else's network, however it is written. */
    static const char *const other[] = {"192.168.78.0/24", "192.168.77.0/25",    "192.168.77.1/24",
                                        "0.0.0.0/8",       "255.255.255.255/30", ""};
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
        (void)snprintf(whom.network, sizeof whom.network, "%s", other[i]);
        assert_int_equal(lan_wake(&wakes, now, &own, &whom, &why), SP_EDENIED);
        assert_non_null(strstr(why.text, "not in the network"));
    }
    (void)snprintf(whom.network, sizeof whom.network, "192.168.77.0/24");
    (void)snprintf(whom.mac, sizeof whom.mac, "01:00:5e:00:00:01"); /* a group's */
    assert_int_equal(lan_wake(&wakes, now, &own, &whom, &why), SP_EDENIED);
    assert_int_equal(count_packets(fd, mac), 0);

    (void)snprintf(whom.mac, sizeof whom.mac, "aa:bb:cc:00:11:22");
    for (int i = 1; i < LAN_WAKES_A_MINUTE; i++)
        assert_int_equal(lan_wake(&wakes, now + (uint64_t)i, &own, &whom, &why), 0);
    assert_int_equal(lan_wake(&wakes, now + 59999, &own, &whom, &why), SP_EBUSY);
    assert_int_equal(lan_wake(&wakes, now + 60000, &own, &whom, &why), 0); /* the first is a minute ago */
    assert_int_equal(lan_wake(&wakes, now + 60000, &own, &whom, &why), SP_EBUSY);
    (void)close(fd);
    shell("ip link set eth0 down");
    assert_int_equal(lan_wake(&wakes, now + 600000, &own, &whom, &why), SP_ESYS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_waking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
