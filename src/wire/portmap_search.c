#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "portmap_local.h"
#include "sallyport/base/os.h"

enum {
    SEARCH_MS = 3000,
    PREFER_MS = 250, /* so long PCP and NAT-PMP come before UPnP */
    GRACE_MS = 60,   /* so long PCP comes before NAT-PMP */
    URLS = 3,
    BATCH = 64, /* datagrams in a row: a flood only costs the three seconds */
};

struct portmap_search {
    const struct portmap_request *request;
    uint64_t began, asked; /* `asked`: when the last round of questions went out */
    unsigned rounds;
    int pcp, ssdp; /* -1: not asked, or not any more */
    struct in6_addr client;
    struct portmap_natpmp *natpmp;
    uint64_t pcp_at, natpmp_at; /* when it answered; 0: it has not */
    bool pcp_told, natpmp_told;
    struct portmap_ssdp found[URLS];
    unsigned count, told;
};

/* Unicast passes a firewall here that drops what it did not ask for; multicast reaches routers that only hear that. */
static void search_ask_ssdp(const struct portmap_search *search) {
    static const char group[] = "239.255.255.250";
    struct sockaddr_storage to[2];
    socklen_t len[2];
    char text[512];
    if (search->ssdp < 0 || portmap_address(search->request->gateway4, SSDP_PORT, &to[0], &len[0]) != 0 ||
        portmap_address(group, SSDP_PORT, &to[1], &len[1]) != 0)
        return;
    for (unsigned target = 0; target < SSDP_TARGETS; target++)
        for (unsigned i = 0; i < 2; i++) {
            size_t n = portmap_ssdp_question(text, sizeof text, i == 0 ? search->request->gateway4 : group, target);
            if (sendto(search->ssdp, text, n, MSG_NOSIGNAL, (const struct sockaddr *)&to[i], len[i]) < 0)
                errno = 0; /* a route may be missing for the one and not for the other */
        }
}

static void search_ask_pcp(const struct portmap_search *search) {
    uint8_t bytes[PCP_ANNOUNCE_SIZE];
    portmap_pcp_write_announce(bytes, &search->client);
    if (search->pcp >= 0 && !search->pcp_at && send(search->pcp, bytes, sizeof bytes, MSG_NOSIGNAL) < 0)
        errno = 0; /* refused: seen when reading */
}

static void search_ask(struct portmap_search *search, uint64_t now) {
    search->asked = now;
    search->rounds++;
    search_ask_pcp(search);
    search_ask_ssdp(search);
}

static int search_open_ssdp(struct portmap_search *search, const char *own) {
    struct sockaddr_storage from;
    socklen_t len;
    if (portmap_address(own, 0, &from, &len) != 0)
        return SP_EFORMAT;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return SP_ESYS;
    const struct in_addr interface = ((const struct sockaddr_in *)(const void *)&from)->sin_addr;
    if (bind(fd, (const struct sockaddr *)&from, len) != 0 ||
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface) != 0) {
        (void)close(fd);
        return SP_ESYS;
    }
    search->ssdp = fd;
    return 0;
}

int portmap_search_new(const struct portmap_request *request, struct portmap_search **out) {
    struct portmap_search *search = calloc(1, sizeof *search);
    char own[INET6_ADDRSTRLEN];
    if (!search)
        return SP_ENOMEM;
    search->request = request;
    search->began = os_monotonic_ms();
    search->ssdp = -1;
    int rc = portmap_udp("", request->gateway4, PCP_PORT, own, &search->pcp);
    if (rc != 0) {
        free(search);
        return rc;
    }
    struct sockaddr_storage address;
    socklen_t len;
    if (portmap_address(own, 0, &address, &len) == 0) {
        search->client.s6_addr[10] = search->client.s6_addr[11] = 0xff;
        memcpy(search->client.s6_addr + 12, &((const struct sockaddr_in *)(const void *)&address)->sin_addr, 4);
    }
    if (request->use != PORTMAP_PCP)
        rc = search_open_ssdp(search, own);
    if (request->use == PORTMAP_UPNP) {
        (void)close(search->pcp);
        search->pcp = -1;
    } else if (rc == 0) {
        rc = portmap_natpmp_new(request->gateway4, &search->natpmp);
    }
    if (rc != 0) {
        portmap_search_free(search);
        return rc;
    }
    search_ask(search, search->began);
    *out = search;
    return 0;
}

void portmap_search_free(struct portmap_search *search) {
    if (!search)
        return;
    if (search->pcp >= 0)
        (void)close(search->pcp);
    if (search->ssdp >= 0)
        (void)close(search->ssdp);
    portmap_natpmp_free(search->natpmp);
    free(search);
}

static void search_read_pcp(struct portmap_search *search, uint64_t now) {
    uint8_t bytes[PCP_MAX + 1];
    struct portmap_pcp_answer answer;
    ssize_t n = recv(search->pcp, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && errno != ECONNREFUSED)
        return;
    int rc = n < 0 ? SP_ECLOSED : portmap_pcp_parse(bytes, (size_t)n, &answer);
    /* Also a refusal shows that it speaks PCP; the mapping itself will tell. */
    if (rc == 0)
        search->pcp_at = now;
    if (rc == SP_ECLOSED || rc == SP_EVERSION) {
        (void)close(search->pcp);
        search->pcp = -1;
    }
}

static void search_read_natpmp(struct portmap_search *search, uint64_t now) {
    if (!search->natpmp || search->natpmp_at)
        return;
    int rc = portmap_natpmp_read(search->natpmp);
    if (rc == 0)
        search->natpmp_at = now;
    if (rc == SP_ECLOSED) {
        portmap_natpmp_free(search->natpmp);
        search->natpmp = NULL;
    }
}

/* One datagram: only the gateway's own counts, and only when it describes itself. False: there is none. */
static bool search_read_ssdp(struct portmap_search *search) {
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    char bytes[2048], sender[INET6_ADDRSTRLEN];
    struct portmap_ssdp ssdp;
    ssize_t n = recvfrom(search->ssdp, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
    if (n < 0)
        return false;
    os_address_text(&from, sender);
    if (strcmp(sender, search->request->gateway4) != 0 || portmap_ssdp_parse(bytes, (size_t)n, &ssdp) != 0 ||
        strcmp(ssdp.url.host, sender) != 0)
        return true;
    for (unsigned i = 0; i < search->count; i++)
        if (search->found[i].url.port == ssdp.url.port && strcmp(search->found[i].url.path, ssdp.url.path) == 0)
            return true;
    if (search->count < URLS)
        search->found[search->count++] = ssdp;
    return true;
}

/* The best that is known and was not returned yet; NONE: wait, for *ms at most. */
static enum portmap_protocol search_choose(struct portmap_search *search, uint64_t now, uint64_t *ms) {
    uint64_t gone = now - search->began;
    bool pcp_open = search->pcp >= 0 && !search->pcp_told && gone < PREFER_MS;
    bool natpmp_open = search->natpmp && !search->natpmp_told && gone < PREFER_MS;
    *ms = gone < PREFER_MS ? PREFER_MS - gone : SEARCH_MS;
    if (search->pcp_at && !search->pcp_told)
        return PORTMAP_BY_PCP;
    if (search->natpmp_at && !search->natpmp_told) {
        if (!pcp_open || now >= search->natpmp_at + GRACE_MS)
            return PORTMAP_BY_NATPMP;
        *ms = search->natpmp_at + GRACE_MS - now;
        return PORTMAP_NONE;
    }
    if (search->told < search->count && !pcp_open && !natpmp_open)
        return PORTMAP_BY_UPNP;
    return PORTMAP_NONE;
}

/* Waits for at most `ms`, reads what came. */
static void search_wait(struct portmap_search *search, uint64_t ms) {
    struct pollfd watch[3] = {
        {.fd = search->pcp_at ? -1 : search->pcp, .events = POLLIN},
        {.fd = search->ssdp, .events = POLLIN},
        {.fd = search->natpmp && !search->natpmp_at ? portmap_natpmp_fd(search->natpmp) : -1, .events = POLLIN},
    };
    int n = poll(watch, 3, (int)ms);
    uint64_t now = os_monotonic_ms();
    if (n > 0 && watch[0].revents)
        search_read_pcp(search, now);
    for (unsigned i = 0; n > 0 && watch[1].revents && i < BATCH && search_read_ssdp(search); i++) {
    }
    search_read_natpmp(search, now); /* it also asks again when it is time */
}

enum portmap_protocol portmap_search_next(struct portmap_search *search, struct portmap_ssdp *ssdp) {
    static const uint64_t again[] = {0, 300, 1000, 2000}; /* when the questions are repeated */
    for (;;) {
        uint64_t now = os_monotonic_ms(), ms;
        enum portmap_protocol chosen = search_choose(search, now, &ms);
        if (chosen == PORTMAP_BY_PCP)
            search->pcp_told = true;
        if (chosen == PORTMAP_BY_NATPMP)
            search->natpmp_told = true;
        if (chosen == PORTMAP_BY_UPNP)
            *ssdp = search->found[search->told++];
        if (chosen != PORTMAP_NONE)
            return chosen;
        uint64_t gone = now - search->began;
        bool pending =
            (search->pcp >= 0 && !search->pcp_told) || search->ssdp >= 0 || (search->natpmp && !search->natpmp_told);
        if (gone >= SEARCH_MS || !pending)
            return PORTMAP_NONE;
        if (search->rounds < sizeof again / sizeof again[0]) {
            if (gone >= again[search->rounds])
                search_ask(search, now);
            else if (ms > again[search->rounds] - gone)
                ms = again[search->rounds] - gone;
        }
        if (ms > SEARCH_MS - gone)
            ms = SEARCH_MS - gone;
        search_wait(search, ms > 100 ? 100 : ms); /* NAT-PMP's library has a clock of its own */
    }
}
