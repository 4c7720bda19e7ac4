#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "portmap_local.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"

enum { SPARE_S = 2, WAIT_S = 10, LOWEST = 20000, HIGHEST = 59999 };

uint16_t portmap_random_port(void) {
    uint16_t number = 0;
    if (secret_random(&number, sizeof number) != 0)
        return LOWEST;
    return (uint16_t)(LOWEST + number % (HIGHEST - LOWEST + 1));
}

uint16_t portmap_first_port(const struct portmap_request *request) {
    const struct portmap_memory *memory = &request->memory;
    if (request->wanted_port != 0)
        return request->wanted_port;
    if (memory->external_port != 0 && strcmp(memory->gateway, request->gateway4) == 0)
        return memory->external_port;
    return request->internal_port >= PORTMAP_LOWEST ? request->internal_port : portmap_random_port();
}

void portmap_forget(struct portmap_memory *memory) {
    memory->internal_port = memory->external_port = 0;
    memory->internal_address[0] = memory->external_address[0] = '\0';
    memory->permanent = false;
}

void portmap_note(struct portmap_work *work, enum portmap_protocol protocol, const char *internal_address,
                  const char *external_address, uint16_t external_port, uint32_t lease_s) {
    enum { LONGEST = 7 * 24 * 3600 };
    struct portmap_memory *memory = &work->result.memory;
    work->result.outcome = PORTMAP_OK;
    work->result.lease_s = lease_s < LONGEST ? lease_s : LONGEST;
    work->result.trouble[0] = '\0';
    memory->protocol = protocol;
    if (protocol != PORTMAP_BY_UPNP) {
        memory->url[0] = '\0';
        memory->permanent = false;
    }
    (void)str_copy(memory->gateway, sizeof memory->gateway, work->request->gateway4);
    (void)str_copy(memory->internal_address, sizeof memory->internal_address, internal_address);
    (void)str_copy(memory->external_address, sizeof memory->external_address, external_address);
    memory->internal_port = work->request->internal_port;
    memory->external_port = external_port;
}

/* Of two ways that failed, which says more? */
static int worker_weight(enum portmap_outcome outcome) {
    return outcome == PORTMAP_OK ? 3 : outcome == PORTMAP_REFUSED ? 2 : outcome == PORTMAP_BROKEN ? 1 : 0;
}

/* One way, tried on a copy: what fails leaves nothing behind but its reason. */
static bool worker_try(struct portmap_work *work, enum portmap_protocol protocol, const struct portmap_url *url) {
    struct portmap_work trial = *work;
    trial.result.outcome = PORTMAP_NO_ROUTER;
    trial.result.trouble[0] = '\0';
    if (protocol == PORTMAP_BY_PCP)
        portmap_pcp_map(&trial);
    else if (protocol == PORTMAP_BY_NATPMP)
        portmap_natpmp_map(&trial);
    else
        portmap_upnp_map(&trial, url);
    if (trial.result.outcome == PORTMAP_OK) {
        *work = trial;
        return true;
    }
    if (worker_weight(trial.result.outcome) >= worker_weight(work->result.outcome)) {
        work->result.outcome = trial.result.outcome;
        memcpy(work->result.trouble, trial.result.trouble, sizeof work->result.trouble);
    }
    return false;
}

/* Straight to the router that we remember. */
static bool worker_map_known(struct portmap_work *work) {
    struct portmap_memory *memory = &work->result.memory;
    struct portmap_url url;
    enum portmap_use use = work->request->use;
    if (memory->protocol == PORTMAP_NONE || (memory->protocol == PORTMAP_BY_UPNP && use == PORTMAP_PCP) ||
        (memory->protocol != PORTMAP_BY_UPNP && use == PORTMAP_UPNP))
        return false;
    if (memory->protocol == PORTMAP_BY_UPNP && portmap_url_parse(memory->url, strlen(memory->url), &url) != 0)
        return false;
    return worker_try(work, memory->protocol, &url);
}

static void worker_map4(struct portmap_work *work) {
    struct portmap_search *search;
    struct portmap_ssdp ssdp;
    if (work->request->gateway4[0] == '\0') {
        portmap_say(&work->result, "there is no IPv4 router here");
        return;
    }
    if (worker_map_known(work))
        return;
    /* What failed there is tried like everything else, and what was mapped is found by its port. */
    if (portmap_search_new(work->request, &search) != 0)
        return;
    enum portmap_protocol protocol;
    while ((protocol = portmap_search_next(search, &ssdp)) != PORTMAP_NONE) {
        if (protocol == PORTMAP_BY_UPNP && ssdp.server[0])
            memcpy(work->result.router, ssdp.server, sizeof ssdp.server);
        if (worker_try(work, protocol, &ssdp.url))
            break;
    }
    portmap_search_free(search);
    if (work->result.outcome != PORTMAP_OK)
        portmap_forget(&work->result.memory);
}

static void worker_map(struct portmap_work *work) {
    worker_map4(work);
    portmap_pinhole_open(work);
    if (work->result.memory.pinhole[0] && work->result.outcome != PORTMAP_OK) {
        work->result.outcome = PORTMAP_OK;
        work->result.lease_s = work->request->lease_s;
    }
}

/* Only a pinhole. PCP is asked for it again, which changes nothing when it is there; UPnP is not: its search takes too
 * long. */
static void worker_check_pinhole(struct portmap_work *work) {
    struct portmap_memory *memory = &work->result.memory;
    if (memory->pinhole[0] == '\0' || strcmp(memory->pinhole, work->request->address6) != 0)
        return;
    if (memory->pinhole_id == 0)
        portmap_pinhole_open(work);
    if (memory->pinhole[0])
        work->result.outcome = PORTMAP_OK;
}

static void worker_check(struct portmap_work *work) {
    const struct portmap_memory *memory = &work->result.memory;
    work->result.outcome = PORTMAP_LOST;
    if (memory->external_port == 0)
        worker_check_pinhole(work);
    else if (memory->protocol == PORTMAP_BY_PCP)
        portmap_pcp_check(work);
    else if (memory->protocol == PORTMAP_BY_NATPMP)
        portmap_natpmp_check(work);
    else
        portmap_upnp_check(work);
}

static void worker_unmap(struct portmap_work *work) {
    const struct portmap_memory *memory = &work->result.memory;
    work->result.outcome = PORTMAP_OK;
    if (memory->external_port != 0) {
        if (memory->protocol == PORTMAP_BY_PCP)
            portmap_pcp_unmap(work);
        else if (memory->protocol == PORTMAP_BY_NATPMP)
            portmap_natpmp_unmap(work);
        else
            portmap_upnp_unmap(work);
    }
    portmap_pinhole_close(work);
}

static void worker_do(struct portmap_work *work) {
    const struct portmap_request *request = work->request;
    struct portmap_memory *memory = &work->result.memory;
    work->result = (struct portmap_result){.outcome = PORTMAP_NO_ROUTER, .memory = request->memory};
    /* Another router: nothing that is remembered is true here. A mapping that was there ends with its lease. */
    if (memory->gateway[0] && strcmp(memory->gateway, request->gateway4) != 0)
        *memory = (struct portmap_memory){.protocol = PORTMAP_NONE};
    switch (request->op) {
    case PORTMAP_MAP:
        worker_map(work);
        break;
    case PORTMAP_CHECK:
        worker_check(work);
        break;
    case PORTMAP_UNMAP:
        worker_unmap(work);
        break;
    }
}

int portmap_worker_main(int argc, char **argv) {
    struct portmap_message message;
    struct portmap_work work;
    if (argc != 2 || strcmp(argv[1], "portmap-worker") != 0)
        return -1;
    (void)alarm(WAIT_S); /* the parent's deadline is the true one: should it be gone, this ends us */
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || portmap_sandbox() != 0)
        return PORTMAP_EXIT_SANDBOX;
    memset(&message, 0, sizeof message);
    if (recv(0, &message, sizeof message, MSG_TRUNC) != (ssize_t)sizeof message ||
        !portmap_request_is_valid(&message.request))
        return 1;
    (void)alarm(message.deadline_ms / 1000 + SPARE_S);
    memset(&work, 0, sizeof work);
    work.request = &message.request;
    worker_do(&work);
    return send(1, &work.result, sizeof work.result, MSG_NOSIGNAL) == (ssize_t)sizeof work.result ? 0 : 1;
}
