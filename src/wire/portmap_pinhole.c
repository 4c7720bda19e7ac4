#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "portmap_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

enum { PCP_MS = 1000, KNOWN_MS = 2000, SSDP_MS = 1500, ASK_AGAIN_MS = 500, RESOLVE_MS = 300, RESOLVE_STEP_MS = 20 };

struct pinhole_search {
    const struct portmap_request *request;
    int fd;
    struct in6_addr gateway;
    uint32_t link;
};

static int pinhole_search_open(const struct portmap_request *request, struct pinhole_search *search) {
    struct sockaddr_storage gateway, from;
    socklen_t len, from_len;
    if (portmap_address(request->gateway6, SSDP_PORT, &gateway, &len) != 0 || gateway.ss_family != AF_INET6 ||
        portmap_address(request->address6, 0, &from, &from_len) != 0)
        return SP_EFORMAT;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&gateway;
    *search = (struct pinhole_search){.request = request, .gateway = v6->sin6_addr, .link = v6->sin6_scope_id};
    search->fd = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (search->fd < 0)
        return SP_ESYS;
    if (bind(search->fd, (const struct sockaddr *)&from, from_len) == 0 &&
        (search->link == 0 ||
         setsockopt(search->fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &search->link, sizeof search->link) == 0))
        return 0;
    (void)close(search->fd);
    return SP_ESYS;
}

static void pinhole_ask(const struct pinhole_search *search, const struct in6_addr *to) {
    char text[512];
    const struct sockaddr_in6 peer = {
        .sin6_family = AF_INET6, .sin6_port = htons(SSDP_PORT), .sin6_addr = *to, .sin6_scope_id = search->link};
    for (unsigned target = 0; target < 2; target++) {
        size_t n = portmap_ssdp_question(text, sizeof text, "[FF02::C]", target);
        if (sendto(search->fd, text, n, MSG_NOSIGNAL, (const struct sockaddr *)&peer, sizeof peer) < 0)
            errno = 0; /* the other one may arrive */
    }
}

/* Whether the address is the gateway's: the very same, or another one of the same station on the link. Asking it makes
 * the kernel find out which station that is. */
static bool pinhole_is_gateway(const struct pinhole_search *search, const struct in6_addr *address) {
    if (memcmp(address, &search->gateway, sizeof *address) == 0)
        return true;
    pinhole_ask(search, address);
    for (int waited = 0; waited < RESOLVE_MS; waited += RESOLVE_STEP_MS) {
        if (portmap_same_neighbour(address, &search->gateway, search->link))
            return true;
        (void)poll(NULL, 0, RESOLVE_STEP_MS);
    }
    return false;
}

/* One answer: the gateway's own, with a description at one of its global addresses. */
static bool pinhole_read(const struct pinhole_search *search, struct portmap_url *url) {
    struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof from;
    char bytes[2048];
    struct portmap_ssdp ssdp;
    struct in6_addr host;
    ssize_t n = recvfrom(search->fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
    if (n <= 0 || from.ss_family != AF_INET6 || portmap_ssdp_parse(bytes, (size_t)n, &ssdp) != 0 ||
        inet_pton(AF_INET6, ssdp.url.host, &host) != 1 || IN6_IS_ADDR_LINKLOCAL(&host))
        return false;
    const struct in6_addr *sender = &((const struct sockaddr_in6 *)(const void *)&from)->sin6_addr;
    if (!pinhole_is_gateway(search, sender) || !pinhole_is_gateway(search, &host))
        return false;
    *url = ssdp.url;
    return true;
}

/* The description of the IPv6 gateway, if it is a UPnP router. */
static int pinhole_find(const struct portmap_request *request, struct portmap_url *url) {
    struct pinhole_search search;
    struct in6_addr group;
    int rc = pinhole_search_open(request, &search);
    if (rc != 0)
        return rc;
    uint64_t now = os_monotonic_ms(), end = now + SSDP_MS, again = now;
    (void)inet_pton(AF_INET6, "ff02::c", &group);
    rc = SP_ETIMEOUT;
    while (rc != 0 && now < end) {
        if (now >= again) {
            pinhole_ask(&search, &search.gateway);
            pinhole_ask(&search, &group);
            again = now + ASK_AGAIN_MS;
        }
        struct pollfd watch = {.fd = search.fd, .events = POLLIN};
        uint64_t until = again < end ? again : end;
        if (poll(&watch, 1, (int)(until - now)) > 0 && pinhole_read(&search, url))
            rc = 0;
        now = os_monotonic_ms();
    }
    (void)close(search.fd);
    return rc;
}

/* By PCP, else by UPnP. `result` gets what a router says to it. */
static int pinhole_ask_for(struct portmap_work *work, uint32_t lease_s) {
    const struct portmap_request *request = work->request;
    struct portmap_memory *memory = &work->result.memory;
    bool known = memory->pinhole[0] != '\0';
    int rc = SP_ECLOSED;
    if (request->use != PORTMAP_UPNP && (!known || memory->pinhole_id == 0)) {
        uint64_t end = os_monotonic_ms() + (known ? KNOWN_MS : PCP_MS);
        rc = portmap_pcp_pinhole(request, memory, lease_s, end, &work->result);
        if (rc == 0)
            memory->pinhole_id = 0;
    }
    struct portmap_url url;
    if (rc != 0 && request->use != PORTMAP_PCP && (lease_s != 0 || memory->pinhole_id != 0)) {
        rc = pinhole_find(request, &url);
        if (rc == 0)
            rc = portmap_upnp_pinhole(work, &url, lease_s, &memory->pinhole_id);
    }
    return rc;
}

void portmap_pinhole_open(struct portmap_work *work) {
    const struct portmap_request *request = work->request;
    struct portmap_result *result = &work->result;
    if (!request->ipv6 || request->gateway6[0] == '\0' || request->address6[0] == '\0') {
        result->memory.pinhole[0] = '\0';
        return;
    }
    if (strcmp(result->memory.pinhole, request->address6) != 0) {
        result->memory.pinhole[0] = '\0';
        result->memory.pinhole_id = 0;
    }
    char before[sizeof result->trouble];
    (void)str_copy(before, sizeof before, result->trouble);
    int rc = pinhole_ask_for(work, request->lease_s);
    /* What was said about IPv4 is more to the point. */
    if (before[0])
        (void)str_copy(result->trouble, sizeof result->trouble, before);
    else if (result->memory.external_port != 0)
        result->trouble[0] = '\0';
    if (rc == 0) {
        (void)str_copy(result->memory.pinhole, sizeof result->memory.pinhole, request->address6);
        return;
    }
    result->memory.pinhole[0] = '\0';
    result->memory.pinhole_id = 0;
}

void portmap_pinhole_close(struct portmap_work *work) {
    struct portmap_memory *memory = &work->result.memory;
    const struct portmap_request *request = work->request;
    char before[sizeof work->result.trouble];
    if (memory->pinhole[0] == '\0' || strcmp(memory->pinhole, request->address6) != 0 || request->gateway6[0] == '\0')
        return;
    (void)str_copy(before, sizeof before, work->result.trouble);
    /* miniupnpd 2.3 forgets whose a pinhole is when it is renewed, and refuses to delete it: then it is to end soon. */
    if (pinhole_ask_for(work, 0) == SP_EDENIED)
        (void)pinhole_ask_for(work, 1);
    (void)str_copy(work->result.trouble, sizeof work->result.trouble, before);
    memory->pinhole[0] = '\0';
    memory->pinhole_id = 0;
}
