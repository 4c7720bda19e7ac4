#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "portmap_local.h"
#include "sallyport/base/os.h"

enum { NUMBER = 1, LINK_ADDRESS_MAX = 32 };

/* What a question to the kernel leaves behind. */
struct route_best {
    int family;
    uint32_t metric, link;
    bool found;
    uint8_t gateway[16];
};
struct route_neighbour {
    uint8_t address[LINK_ADDRESS_MAX];
    size_t len; /* 0: not known */
};

static int route_open(void) {
    const struct timeval patience = {.tv_sec = 1}; /* the kernel answers at once */
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

/* The attributes of one next hop or route: its gateway and its link. */
static void route_attributes(struct rtattr *at, size_t len, struct route_best *route, bool *gateway,
                             struct rtattr **hops) {
    size_t size = route->family == AF_INET ? 4 : 16;
    for (; RTA_OK(at, len); at = RTA_NEXT(at, len)) {
        if (at->rta_type == RTA_GATEWAY && RTA_PAYLOAD(at) == size) {
            memcpy(route->gateway, RTA_DATA(at), size);
            *gateway = true;
        } else if (at->rta_type == RTA_OIF && RTA_PAYLOAD(at) == sizeof route->link) {
            memcpy(&route->link, RTA_DATA(at), sizeof route->link);
        } else if (at->rta_type == RTA_PRIORITY && RTA_PAYLOAD(at) == sizeof route->metric) {
            memcpy(&route->metric, RTA_DATA(at), sizeof route->metric);
        } else if (at->rta_type == RTA_MULTIPATH && hops) {
            *hops = at;
        }
    }
}

static void route_consider(struct nlmsghdr *head, struct route_best *best) {
    struct rtmsg row;
    struct route_best route = {.family = best->family};
    struct rtattr *hops = NULL;
    bool gateway = false;
    if (head->nlmsg_type != RTM_NEWROUTE || head->nlmsg_len < NLMSG_LENGTH(sizeof row))
        return;
    memcpy(&row, NLMSG_DATA(head), sizeof row);
    if (row.rtm_dst_len != 0 || row.rtm_type != RTN_UNICAST || row.rtm_family != best->family ||
        row.rtm_table != RT_TABLE_MAIN)
        return;
    struct rtattr *first = (struct rtattr *)(void *)((char *)NLMSG_DATA(head) + NLMSG_ALIGN(sizeof row));
    route_attributes(first, head->nlmsg_len - NLMSG_LENGTH(sizeof row), &route, &gateway, &hops);
    /* Of several next hops the first. */
    if (!gateway && hops && RTA_PAYLOAD(hops) >= sizeof(struct rtnexthop)) {
        struct rtnexthop hop;
        memcpy(&hop, RTA_DATA(hops), sizeof hop);
        if (hop.rtnh_len >= sizeof hop && hop.rtnh_len <= RTA_PAYLOAD(hops)) {
            route.link = (uint32_t)hop.rtnh_ifindex;
            route_attributes((struct rtattr *)(void *)((char *)RTA_DATA(hops) + sizeof hop), hop.rtnh_len - sizeof hop,
                             &route, &gateway, NULL);
        }
    }
    if (gateway && (!best->found || route.metric < best->metric)) {
        route.found = true;
        *best = route;
    }
}

static void route_default(int family, struct route_best *best) {
    struct {
        struct nlmsghdr head;
        struct rtmsg body;
    } question = {.head = {.nlmsg_len = sizeof question,
                           .nlmsg_type = RTM_GETROUTE,
                           .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
                           .nlmsg_seq = NUMBER},
                  .body = {.rtm_family = (uint8_t)family, .rtm_table = RT_TABLE_MAIN}};
    union {
        struct nlmsghdr head;
        char bytes[32768];
    } answer;
    *best = (struct route_best){.family = family};
    int fd = route_open();
    bool more = fd >= 0 && send(fd, &question, sizeof question, 0) == (ssize_t)sizeof question;
    while (more) {
        ssize_t n = recv(fd, &answer, sizeof answer, 0);
        if (n < 0 && errno == EINTR)
            continue;
        size_t left = n > 0 ? (size_t)n : 0;
        more = n > 0;
        for (struct nlmsghdr *head = &answer.head; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
            if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR)
                more = false;
            else
                route_consider(head, best);
        }
    }
    if (fd >= 0)
        (void)close(fd);
}

/* The address that a connection to the IPv6 internet leaves from; the lasting one of several. Nothing is sent. */
static void route_own_address6(char to[static INET6_ADDRSTRLEN]) {
    const int wish = 2; /* IPV6_PREFER_SRC_PUBLIC (RFC 5014): no address that is gone tomorrow */
    struct sockaddr_in6 far = {.sin6_family = AF_INET6, .sin6_port = htons(9)};
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof own;
    far.sin6_addr.s6_addr[0] = 0x20;
    far.sin6_addr.s6_addr[15] = 1;
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, &wish, sizeof wish);
    if (connect(fd, (const struct sockaddr *)&far, sizeof far) == 0 &&
        getsockname(fd, (struct sockaddr *)&own, &len) == 0 && own.ss_family == AF_INET6 &&
        (((const struct sockaddr_in6 *)(const void *)&own)->sin6_addr.s6_addr[0] & 0xe0) == 0x20)
        os_address_text(&own, to);
    (void)close(fd);
}

void portmap_find_gateways(struct portmap_request *request) {
    struct route_best best;
    char text[INET6_ADDRSTRLEN];
    request->gateway4[0] = request->gateway6[0] = request->address6[0] = '\0';
    route_default(AF_INET, &best);
    if (best.found)
        (void)inet_ntop(AF_INET, best.gateway, request->gateway4, sizeof request->gateway4);
    route_default(AF_INET6, &best);
    if (!best.found || !inet_ntop(AF_INET6, best.gateway, text, sizeof text))
        return;
    bool local = best.gateway[0] == 0xfe && (best.gateway[1] & 0xc0) == 0x80;
    if (local)
        (void)snprintf(request->gateway6, sizeof request->gateway6, "%s%%%u", text, best.link);
    else
        (void)snprintf(request->gateway6, sizeof request->gateway6, "%s", text);
    route_own_address6(request->address6);
}

static void route_ask_neighbour(int fd, const struct in6_addr *address, uint32_t link, struct route_neighbour *out) {
    struct {
        struct nlmsghdr head;
        struct ndmsg body;
        struct rtattr attribute;
        struct in6_addr address;
    } question = {.head = {.nlmsg_len = sizeof question,
                           .nlmsg_type = RTM_GETNEIGH,
                           .nlmsg_flags = NLM_F_REQUEST,
                           .nlmsg_seq = NUMBER},
                  .body = {.ndm_family = AF_INET6, .ndm_ifindex = (int)link},
                  .attribute = {.rta_len = RTA_LENGTH(sizeof *address), .rta_type = NDA_DST},
                  .address = *address};
    union {
        struct nlmsghdr head;
        char bytes[4096];
    } answer;
    out->len = 0;
    if (send(fd, &question, sizeof question, 0) != (ssize_t)sizeof question)
        return;
    ssize_t n = recv(fd, &answer, sizeof answer, 0);
    if (n < 0 || !NLMSG_OK(&answer.head, (size_t)n) || answer.head.nlmsg_type != RTM_NEWNEIGH ||
        answer.head.nlmsg_len < NLMSG_LENGTH(sizeof(struct ndmsg)))
        return;
    size_t left = answer.head.nlmsg_len - NLMSG_LENGTH(sizeof(struct ndmsg));
    struct rtattr *at = (struct rtattr *)(void *)((char *)NLMSG_DATA(&answer.head) + NLMSG_ALIGN(sizeof(struct ndmsg)));
    for (; RTA_OK(at, left); at = RTA_NEXT(at, left))
        if (at->rta_type == NDA_LLADDR && RTA_PAYLOAD(at) <= LINK_ADDRESS_MAX) {
            out->len = RTA_PAYLOAD(at);
            memcpy(out->address, RTA_DATA(at), out->len);
        }
}

bool portmap_same_neighbour(const struct in6_addr *a, const struct in6_addr *b, uint32_t link) {
    struct route_neighbour first, second;
    int fd = route_open();
    if (fd < 0)
        return false;
    route_ask_neighbour(fd, a, link, &first);
    route_ask_neighbour(fd, b, link, &second);
    (void)close(fd);
    return first.len > 0 && first.len == second.len && memcmp(first.address, second.address, first.len) == 0;
}
