#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "portmap_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"

enum { PATIENCE_MS = 2000, FIRST_WAIT_MS = 250, NETWORK_FAILURE = 7 };

/* IPv4 as ::ffff:a.b.c.d (RFC 6887 section 5). */
static int pcp_address(const char *text, struct in6_addr *out) {
    uint8_t v4[4];
    if (inet_pton(AF_INET6, text, out) == 1)
        return 0;
    if (inet_pton(AF_INET, text, v4) != 1)
        return SP_EFORMAT;
    memset(out, 0, sizeof *out);
    out->s6_addr[10] = out->s6_addr[11] = 0xff;
    memcpy(out->s6_addr + 12, v4, 4);
    return 0;
}

static void pcp_address_text(const struct in6_addr *address, char to[static INET6_ADDRSTRLEN]) {
    const char *done = IN6_IS_ADDR_V4MAPPED(address) ? inet_ntop(AF_INET, address->s6_addr + 12, to, INET6_ADDRSTRLEN)
                                                     : inet_ntop(AF_INET6, address, to, INET6_ADDRSTRLEN);
    if (!done)
        to[0] = '\0';
}

/* Whether this datagram answers that question: MAP, our nonce, our port. */
static bool pcp_is_answer(const struct portmap_pcp_ask *ask, const struct portmap_pcp_answer *answer) {
    return answer->opcode == PCP_MAP && answer->internal_port == ask->internal_port &&
           memcmp(answer->nonce, ask->nonce, sizeof ask->nonce) == 0;
}

/* Asks, again after 250 ms, 500 ms ..., until the answer is there. SP_ETIMEOUT, SP_ECLOSED (nobody speaks PCP there),
 * SP_ESYS. What does not answer our question is as if it had not come. */
static int pcp_exchange(int fd, const struct portmap_pcp_ask *ask, uint64_t end, struct portmap_pcp_answer *answer) {
    uint8_t question[PCP_MAP_SIZE], bytes[PCP_MAX + 1];
    uint64_t pause = FIRST_WAIT_MS, again = 0;
    portmap_pcp_write_map(question, ask);
    for (;;) {
        uint64_t now = os_monotonic_ms();
        if (now >= end)
            return SP_ETIMEOUT;
        if (now >= again) {
            if (send(fd, question, sizeof question, MSG_NOSIGNAL) < 0)
                return errno == ECONNREFUSED ? SP_ECLOSED : SP_ESYS;
            again = now + pause;
            pause *= 2;
        }
        struct pollfd watch = {.fd = fd, .events = POLLIN};
        uint64_t until = again < end ? again : end;
        if (poll(&watch, 1, (int)(until - now)) <= 0)
            continue;
        ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && errno == ECONNREFUSED)
            return SP_ECLOSED;
        if (n < 0)
            continue;
        int rc = portmap_pcp_parse(bytes, (size_t)n, answer);
        if (rc == SP_EVERSION)
            return SP_ECLOSED;
        if (rc == 0 && pcp_is_answer(ask, answer))
            return 0;
    }
}

/* RFC 6887 section 7.4, those that a person can do something about. */
static void pcp_say(struct portmap_result *result, uint8_t code) {
    static const char *const said[] = {
        [2] = "the router does not allow it (PCP: not authorized): see its settings",
        [8] = "the router has no room for another mapping (PCP: no resources)",
        [10] = "the router has given this machine all the mappings that it may have (PCP: quota)",
        [11] = "the router cannot provide an external port (PCP)",
        [12] = "there is another NAT between here and the router (PCP: address mismatch)",
    };
    if (code == NETWORK_FAILURE)
        portmap_say(result, PORTMAP_NO_ADDRESS, "PCP", NETWORK_FAILURE);
    else if (code < sizeof said / sizeof said[0] && said[code])
        portmap_say(result, "%s", said[code]);
    else
        portmap_say(result, "the router said no (PCP: %u)", (unsigned)code);
}

static bool pcp_is_zero(const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* The question for our mapping, as we remember it, to the router at `fd`; our address as the socket has it. */
static int pcp_ask(struct portmap_work *work, uint32_t lifetime_s, struct portmap_pcp_ask *ask, int *fd,
                   char own[static INET6_ADDRSTRLEN]) {
    const struct portmap_request *request = work->request;
    struct portmap_memory *memory = &work->result.memory;
    bool known = memory->external_port != 0;
    *ask = (struct portmap_pcp_ask){.lifetime_s = lifetime_s,
                                    .internal_port = known ? memory->internal_port : request->internal_port,
                                    .external_port = lifetime_s == 0 ? 0 : portmap_first_port(request)};
    if (pcp_is_zero(memory->nonce, sizeof memory->nonce) && secret_random(memory->nonce, sizeof memory->nonce) != 0)
        return SP_ESYS;
    memcpy(ask->nonce, memory->nonce, sizeof ask->nonce);
    int rc = pcp_address(known && lifetime_s != 0 && memory->external_address[0] ? memory->external_address : "0.0.0.0",
                         &ask->external);
    if (rc == 0)
        rc = portmap_udp("", request->gateway4, PCP_PORT, own, fd);
    if (rc != 0)
        return rc;
    rc = pcp_address(own, &ask->client);
    if (rc != 0)
        (void)close(*fd);
    return rc;
}

/* Asks for our mapping, notes what was granted. */
static int pcp_map(struct portmap_work *work, struct portmap_pcp_answer *answer, char own[static INET6_ADDRSTRLEN]) {
    struct portmap_pcp_ask ask;
    int fd;
    int rc = pcp_ask(work, work->request->lease_s, &ask, &fd, own);
    if (rc == 0) {
        rc = pcp_exchange(fd, &ask, os_monotonic_ms() + PATIENCE_MS, answer);
        (void)close(fd);
    }
    if (rc != 0) {
        work->result.outcome = PORTMAP_NO_ROUTER;
        portmap_say(&work->result, "the router did not answer as PCP wants it");
    } else if (answer->result != 0) {
        rc = SP_EDENIED;
        work->result.outcome = PORTMAP_REFUSED;
        pcp_say(&work->result, answer->result);
    } else if (answer->external_port == 0 || answer->lifetime_s == 0 || !IN6_IS_ADDR_V4MAPPED(&answer->external) ||
               pcp_is_zero(answer->external.s6_addr + 12, 4)) {
        rc = SP_EFORMAT;
        work->result.outcome = PORTMAP_BROKEN;
        portmap_say(&work->result, "the router's answer makes no sense (PCP)");
    }
    return rc;
}

static void pcp_note(struct portmap_work *work, const struct portmap_pcp_answer *answer, const char *own) {
    char external[INET6_ADDRSTRLEN];
    pcp_address_text(&answer->external, external);
    portmap_note(work, PORTMAP_BY_PCP, own, external, answer->external_port, answer->lifetime_s);
    work->result.memory.epoch = answer->epoch;
    work->result.memory.epoch_at_ms = os_boottime_ms();
}

void portmap_pcp_map(struct portmap_work *work) {
    struct portmap_pcp_answer answer;
    char own[INET6_ADDRSTRLEN];
    if (pcp_map(work, &answer, own) == 0)
        pcp_note(work, &answer, own);
}

/* PCP has no way to ask after a mapping but to ask for it again, which changes nothing when it is there. */
void portmap_pcp_check(struct portmap_work *work) {
    const struct portmap_memory before = work->result.memory;
    struct portmap_pcp_answer answer;
    char own[INET6_ADDRSTRLEN];
    if (pcp_map(work, &answer, own) != 0) {
        if (work->result.outcome == PORTMAP_REFUSED)
            work->result.outcome = PORTMAP_LOST;
        return;
    }
    uint64_t now = os_boottime_ms();
    bool same =
        now >= before.epoch_at_ms && portmap_pcp_epoch_goes_on(before.epoch, answer.epoch, now - before.epoch_at_ms);
    pcp_note(work, &answer, own);
    struct portmap_memory *memory = &work->result.memory;
    if (same && memory->external_port == before.external_port &&
        strcmp(memory->external_address, before.external_address) == 0)
        return;
    work->result.outcome = PORTMAP_LOST;
    portmap_say(&work->result, "%s",
                same ? "the router has given the mapping another address or port"
                     : "the router has started anew, and forgot the mapping");
}

void portmap_pcp_unmap(struct portmap_work *work) {
    struct portmap_pcp_ask ask;
    struct portmap_pcp_answer answer;
    char own[INET6_ADDRSTRLEN];
    int fd;
    int rc = pcp_ask(work, 0, &ask, &fd, own);
    if (rc == 0) {
        rc = pcp_exchange(fd, &ask, os_monotonic_ms() + PATIENCE_MS, &answer);
        (void)close(fd);
    }
    if (rc != 0) {
        work->result.outcome = PORTMAP_NO_ROUTER;
        portmap_say(&work->result, "the router did not answer as PCP wants it");
        return;
    }
    if (answer.result != 0) {
        work->result.outcome = PORTMAP_REFUSED;
        pcp_say(&work->result, answer.result);
        return;
    }
    portmap_forget(&work->result.memory);
    work->result.outcome = PORTMAP_OK;
}

int portmap_pcp_pinhole(const struct portmap_request *request, struct portmap_memory *memory, uint32_t lease_s,
                        uint64_t end, struct portmap_result *result) {
    struct portmap_pcp_answer answer;
    struct portmap_pcp_ask ask = {
        .lifetime_s = lease_s, .internal_port = request->internal_port, .external_port = request->internal_port};
    char own[INET6_ADDRSTRLEN];
    int fd;
    if (pcp_is_zero(memory->nonce, sizeof memory->nonce) && secret_random(memory->nonce, sizeof memory->nonce) != 0)
        return SP_ESYS;
    memcpy(ask.nonce, memory->nonce, sizeof ask.nonce);
    int rc = pcp_address(request->address6, &ask.client);
    if (rc == 0)
        rc = portmap_udp(request->address6, request->gateway6, PCP_PORT, own, &fd);
    if (rc != 0)
        return rc;
    rc = pcp_exchange(fd, &ask, end, &answer);
    (void)close(fd);
    if (rc != 0)
        return rc;
    if (answer.result != 0) {
        pcp_say(result, answer.result);
        return SP_EDENIED;
    }
    if (lease_s == 0)
        return 0;
    /* A firewall, not a NAT: the same address and port outside as inside, or else it is of no use to us. */
    if (answer.external_port != request->internal_port || answer.lifetime_s == 0) {
        portmap_say(result, "the router opened another IPv6 port than the one asked for (PCP)");
        return SP_EDENIED;
    }
    return 0;
}
