#include "lan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "own_addresses.h"
#include "sallyport/base/str.h"

enum { MAC_SIZE = 6, MINUTE_MS = 60000, WAKE_PORT = 9, WAKE_REPEATS = 16, WAKE_COPIES = 3 };

static bool mac_of(const struct ifaddrs *all, const char *interface, char to[static 18]) {
    for (const struct ifaddrs *each = all; each; each = each->ifa_next) {
        struct sockaddr_ll link;
        uint8_t unused[MAC_SIZE];
        if (!each->ifa_addr || each->ifa_addr->sa_family != AF_PACKET || strcmp(each->ifa_name, interface) != 0)
            continue;
        memcpy(&link, each->ifa_addr, sizeof link);
        if (link.sll_halen != MAC_SIZE)
            return false;
        const uint8_t *b = link.sll_addr;
        (void)snprintf(to, 18, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
        return link_mac_bytes(to, unused) && strcmp(to, "00:00:00:00:00:00") != 0;
    }
    return false;
}

/* "192.168.1.0/24"; false for a network that has no broadcast address, and for /0 to /7, which are nobody's. */
static bool network_of(const struct ifaddrs *each, char *to, size_t size) {
    struct sockaddr_in address, mask;
    char text[INET_ADDRSTRLEN];
    if (!each->ifa_netmask)
        return false;
    memcpy(&address, each->ifa_addr, sizeof address);
    memcpy(&mask, each->ifa_netmask, sizeof mask);
    int bits = __builtin_popcount(mask.sin_addr.s_addr);
    address.sin_addr.s_addr &= mask.sin_addr.s_addr;
    if (bits < 8 || bits > 30 || !inet_ntop(AF_INET, &address.sin_addr, text, sizeof text))
        return false;
    return snprintf(to, size, "%s/%d", text, bits) < (int)size;
}

static void take(const struct ifaddrs *all, const struct ifaddrs *each, struct link_lan *out) {
    unsigned wanted = IFF_UP | IFF_RUNNING | IFF_BROADCAST;
    struct link_network *network = &out->list[out->count];
    if (!each->ifa_addr || each->ifa_addr->sa_family != AF_INET || out->count == LINK_NETWORKS_MAX)
        return;
    if ((each->ifa_flags & wanted) != wanted || (each->ifa_flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) ||
        own_address_is_inner(each->ifa_name))
        return;
    if (!mac_of(all, each->ifa_name, network->mac) || !network_of(each, network->network, sizeof network->network))
        return;
    for (size_t i = 0; i < out->count; i++)
        if (strcmp(out->list[i].mac, network->mac) == 0 && strcmp(out->list[i].network, network->network) == 0)
            return;
    out->count++;
}

int lan_read(struct link_lan *out) {
    struct ifaddrs *all;
    struct link_lan found = {.count = 0};
    if (getifaddrs(&all) < 0)
        return SP_ESYS;
    for (const struct ifaddrs *each = all; each; each = each->ifa_next)
        take(all, each, &found);
    freeifaddrs(all);
    *out = found;
    return 0;
}

bool lan_equal(const struct link_lan *a, const struct link_lan *b) {
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->list[i].mac, b->list[i].mac) != 0 || strcmp(a->list[i].network, b->list[i].network) != 0)
            return false;
    return true;
}

/* Where everybody in that network hears it. */
static bool broadcast_of(const char *network, struct sockaddr_in *to) {
    char address[INET_ADDRSTRLEN];
    const char *slash = strchr(network, '/');
    size_t len = slash ? (size_t)(slash - network) : 0;
    uint64_t bits;
    if (len == 0 || len >= sizeof address || str_u64(slash + 1, 8, 30, &bits) < 0)
        return false;
    memcpy(address, network, len);
    address[len] = '\0';
    *to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(WAKE_PORT)};
    if (inet_pton(AF_INET, address, &to->sin_addr) != 1)
        return false;
    to->sin_addr.s_addr |= htonl(UINT32_MAX >> bits);
    return true;
}

static bool is_in(const struct link_lan *own, const char *network) {
    for (size_t i = 0; i < own->count; i++)
        if (strcmp(own->list[i].network, network) == 0)
            return true;
    return false;
}

static int send_packet(const uint8_t mac[static MAC_SIZE], const struct sockaddr_in *to) {
    uint8_t packet[MAC_SIZE + WAKE_REPEATS * MAC_SIZE];
    memset(packet, 0xff, MAC_SIZE);
    for (size_t i = 1; i <= WAKE_REPEATS; i++)
        memcpy(packet + i * MAC_SIZE, mac, MAC_SIZE);
    int on = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return SP_ESYS;
    int rc = setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) < 0 ? SP_ESYS : 0;
    /* A sleeping card may miss one. */
    for (int i = 0; i < WAKE_COPIES && rc == 0; i++)
        if (sendto(fd, packet, sizeof packet, 0, (const struct sockaddr *)to, sizeof *to) < 0)
            rc = SP_ESYS;
    int error = errno;
    (void)close(fd);
    errno = error;
    return rc;
}

int lan_wake(struct lan_wakes *wakes, uint64_t now_ms, const struct link_lan *own, const struct link_network *whom,
             struct why *why) {
    uint8_t mac[MAC_SIZE];
    struct sockaddr_in to;
    uint64_t *oldest = &wakes->sent_ms[wakes->next];
    if (!is_in(own, whom->network) || !link_mac_bytes(whom->mac, mac) || !broadcast_of(whom->network, &to)) {
        why_set(why, "this machine is not in the network %s", whom->network);
        return SP_EDENIED;
    }
    if (*oldest && now_ms - *oldest < MINUTE_MS) {
        why_set(why, "%d in a minute are enough", LAN_WAKES_A_MINUTE);
        return SP_EBUSY;
    }
    if (send_packet(mac, &to) < 0) {
        why_set(why, "cannot send into %s: %s", whom->network, strerror(errno));
        return SP_ESYS;
    }
    *oldest = now_ms;
    wakes->next = (wakes->next + 1) % LAN_WAKES_A_MINUTE;
    return 0;
}
