#include <arpa/inet.h>
#include <errno.h>
#include <natpmp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "portmap_local.h"
#include "sallyport/base/os.h"

enum { PATIENCE_MS = 2000, NATPMP_NETWORK_FAILURE = 3 /* RFC 6886 section 3.5 */ };

struct portmap_natpmp {
    natpmp_t peer;
};

static int natpmp_open(natpmp_t *peer, const char *gateway) {
    struct in_addr address;
    if (inet_pton(AF_INET, gateway, &address) != 1)
        return SP_EFORMAT;
    return initnatpmp(peer, 1, address.s_addr) == 0 ? 0 : SP_ESYS;
}

/* The answer to what was asked, after waiting for it: 0, SP_ETIMEOUT, SP_ECLOSED (nobody speaks NAT-PMP there), or
 * SP_EDENIED with the library's number in *why. */
static int natpmp_answer(natpmp_t *peer, natpmpresp_t *answer, int *why) {
    uint64_t end = os_monotonic_ms() + PATIENCE_MS;
    for (;;) {
        struct timeval left;
        int rc = readnatpmpresponseorretry(peer, answer);
        if (rc == 0)
            return 0;
        *why = rc;
        if (rc == NATPMP_ERR_NOGATEWAYSUPPORT || rc == NATPMP_ERR_RECVFROM)
            return SP_ECLOSED;
        /* Not from the gateway: as if it had not come. */
        if (rc != NATPMP_TRYAGAIN && rc != NATPMP_ERR_WRONGPACKETSOURCE)
            return SP_EDENIED;
        uint64_t now = os_monotonic_ms();
        if (now >= end || getnatpmprequesttimeout(peer, &left) != 0)
            return SP_ETIMEOUT;
        int64_t pause = (int64_t)left.tv_sec * 1000 + left.tv_usec / 1000 + 1;
        if (pause < 1)
            pause = 1;
        if (pause > (int64_t)(end - now))
            pause = (int64_t)(end - now);
        struct pollfd watch = {.fd = peer->s, .events = POLLIN};
        if (poll(&watch, 1, (int)pause) < 0 && errno != EINTR)
            return SP_ESYS;
    }
}

static int natpmp_ask_address(natpmp_t *peer, char external[static INET6_ADDRSTRLEN], uint32_t *epoch, int *why) {
    natpmpresp_t answer;
    memset(&answer, 0, sizeof answer);
    if (sendpublicaddressrequest(peer) < 0)
        return SP_ESYS;
    int rc = natpmp_answer(peer, &answer, why);
    if (rc != 0)
        return rc;
    if (answer.type != NATPMP_RESPTYPE_PUBLICADDRESS)
        return SP_EFORMAT;
    *epoch = answer.epoch;
    if (!inet_ntop(AF_INET, &answer.pnu.publicaddress.addr, external, INET6_ADDRSTRLEN))
        return SP_ESYS;
    return 0;
}

static int natpmp_ask_mapping(natpmp_t *peer, uint16_t internal, uint16_t external, uint32_t lease_s,
                              natpmpresp_t *answer, int *why) {
    memset(answer, 0, sizeof *answer);
    if (sendnewportmappingrequest(peer, NATPMP_PROTOCOL_TCP, internal, external, lease_s) < 0)
        return SP_ESYS;
    int rc = natpmp_answer(peer, answer, why);
    if (rc != 0)
        return rc;
    return answer->type == NATPMP_RESPTYPE_TCPPORTMAPPING && answer->pnu.newportmapping.privateport == internal
               ? 0
               : SP_EFORMAT;
}

static void natpmp_refused(struct portmap_work *work, int rc, int why) {
    struct portmap_result *result = &work->result;
    result->outcome = rc == SP_EDENIED ? PORTMAP_REFUSED : rc == SP_EFORMAT ? PORTMAP_BROKEN : PORTMAP_NO_ROUTER;
    if (why == NATPMP_ERR_NOTAUTHORIZED)
        portmap_say(result, "the router does not allow it (NAT-PMP: not authorized): see its settings");
    else if (why == NATPMP_ERR_NETWORKFAILURE)
        portmap_say(result, PORTMAP_NO_ADDRESS, "NAT-PMP", NATPMP_NETWORK_FAILURE);
    else if (why == NATPMP_ERR_OUTOFRESOURCES)
        portmap_say(result, "the router has no room for another mapping (NAT-PMP: out of resources)");
    else if (rc == SP_EDENIED)
        portmap_say(result, "the router said no (NAT-PMP: %d)", why);
    else
        portmap_say(result, "the router did not answer as NAT-PMP wants it");
}

void portmap_natpmp_map(struct portmap_work *work) {
    const struct portmap_request *request = work->request;
    char external[INET6_ADDRSTRLEN], own[INET6_ADDRSTRLEN];
    natpmp_t peer;
    natpmpresp_t answer;
    uint32_t epoch = 0;
    int why = 0, udp;
    if (natpmp_open(&peer, request->gateway4) != 0) {
        natpmp_refused(work, SP_ESYS, 0);
        return;
    }
    int rc = natpmp_ask_address(&peer, external, &epoch, &why);
    if (rc == 0 && strcmp(external, "0.0.0.0") == 0) {
        rc = SP_EDENIED;
        why = NATPMP_ERR_NETWORKFAILURE;
    }
    if (rc == 0)
        rc = portmap_udp("", request->gateway4, PCP_PORT, own, &udp);
    if (rc == 0) {
        (void)close(udp);
        rc = natpmp_ask_mapping(&peer, request->internal_port, portmap_first_port(request), request->lease_s, &answer,
                                &why);
    }
    if (rc == 0 && (answer.pnu.newportmapping.mappedpublicport == 0 || answer.pnu.newportmapping.lifetime == 0))
        rc = SP_EFORMAT;
    closenatpmp(&peer);
    if (rc != 0) {
        natpmp_refused(work, rc, why);
        return;
    }
    portmap_note(work, PORTMAP_BY_NATPMP, own, external, answer.pnu.newportmapping.mappedpublicport,
                 answer.pnu.newportmapping.lifetime);
    work->result.memory.epoch = answer.epoch;
    work->result.memory.epoch_at_ms = os_boottime_ms();
}

void portmap_natpmp_check(struct portmap_work *work) {
    struct portmap_memory *memory = &work->result.memory;
    char external[INET6_ADDRSTRLEN];
    natpmp_t peer;
    uint32_t epoch = 0;
    int why = 0;
    int rc = natpmp_open(&peer, work->request->gateway4);
    if (rc == 0) {
        rc = natpmp_ask_address(&peer, external, &epoch, &why);
        closenatpmp(&peer);
    }
    if (rc != 0) {
        natpmp_refused(work, rc, why);
        return;
    }
    uint64_t now = os_boottime_ms();
    bool same =
        now >= memory->epoch_at_ms && portmap_natpmp_epoch_goes_on(memory->epoch, epoch, now - memory->epoch_at_ms);
    work->result.outcome = same && strcmp(external, memory->external_address) == 0 ? PORTMAP_OK : PORTMAP_LOST;
    if (!same)
        portmap_say(&work->result, "the router has started anew, and forgot the mapping");
    else if (work->result.outcome == PORTMAP_LOST)
        portmap_say(&work->result, "the router's external address is another one now: %s", external);
    memory->epoch = epoch;
    memory->epoch_at_ms = now;
}

void portmap_natpmp_unmap(struct portmap_work *work) {
    struct portmap_memory *memory = &work->result.memory;
    natpmp_t peer;
    natpmpresp_t answer;
    int why = 0;
    int rc = natpmp_open(&peer, work->request->gateway4);
    if (rc == 0) {
        rc = natpmp_ask_mapping(&peer, memory->internal_port, 0, 0, &answer, &why);
        closenatpmp(&peer);
    }
    if (rc != 0) {
        natpmp_refused(work, rc, why);
        return;
    }
    portmap_forget(memory);
    work->result.outcome = PORTMAP_OK;
}

int portmap_natpmp_new(const char *gateway, struct portmap_natpmp **out) {
    struct portmap_natpmp *natpmp = calloc(1, sizeof *natpmp);
    if (!natpmp)
        return SP_ENOMEM;
    int rc = natpmp_open(&natpmp->peer, gateway);
    if (rc == 0 && sendpublicaddressrequest(&natpmp->peer) < 0) {
        closenatpmp(&natpmp->peer);
        rc = SP_ESYS;
    }
    if (rc != 0) {
        free(natpmp);
        return rc;
    }
    *out = natpmp;
    return 0;
}

int portmap_natpmp_fd(const struct portmap_natpmp *natpmp) {
    return natpmp->peer.s;
}

int portmap_natpmp_read(struct portmap_natpmp *natpmp) {
    natpmpresp_t answer;
    int rc = readnatpmpresponseorretry(&natpmp->peer, &answer);
    if (rc == NATPMP_TRYAGAIN || rc == NATPMP_ERR_WRONGPACKETSOURCE)
        return SP_EAGAIN;
    if (rc == NATPMP_ERR_NOGATEWAYSUPPORT || rc == NATPMP_ERR_RECVFROM || rc == NATPMP_ERR_UNSUPPORTEDVERSION)
        return SP_ECLOSED;
    return 0;
}

void portmap_natpmp_free(struct portmap_natpmp *natpmp) {
    if (!natpmp)
        return;
    closenatpmp(&natpmp->peer);
    free(natpmp);
}
