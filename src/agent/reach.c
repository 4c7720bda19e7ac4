#include "reach.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reach_local.h"
#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

enum {
    LEASE_S = 3600,
    PERMANENT_RENEW_MS = 1800000, /* a mapping without an end is told anew, for routers forget */
    CHECK_MS = 20000,
    SOON_MS = 5000,
    TELL_MS = 1000,
    MAP_DEADLINE_MS = 15000,
    CHECK_DEADLINE_MS = 8000,
    LEAVE_MS = 2000,
};

const struct reach_calls reach_calls = {.start = portmap_start,
                                        .cancel = portmap_cancel,
                                        .find_gateways = portmap_find_gateways,
                                        .own_addresses = own_addresses_read};

static void reach_tell(void *ctx) {
    struct reach *reach = ctx;
    reach->told = true;
    reach->told_at = loop_now(reach->config.loop);
    reach->config.changed(reach->config.ctx);
}

/* Something that the candidates depend on has changed. */
static void reach_update(struct reach *reach) {
    char before[REACH_TROUBLE_SIZE];
    memcpy(before, reach->trouble, sizeof before);
    if (!reach_build(reach))
        return;
    if (reach->trouble[0] && strcmp(before, reach->trouble) != 0)
        log_info("the direct way in: %s", reach->trouble);
    uint64_t now = loop_now(reach->config.loop), next = reach->told_at + TELL_MS;
    if (!reach->leaving && !loop_timer_is_set(&reach->tell))
        (void)loop_timer_set(&reach->tell, reach->told && next > now ? next - now : 0);
}

static void reach_save(struct reach *reach) {
    if (reach_memory_equal(&reach->memory, &reach->saved))
        return;
    int rc = reach_memory_save(reach->config.state, reach->config.boot_id, &reach->memory);
    if (rc < 0)
        log_warn("cannot write down what is known of the router: %s", err_text(rc));
    reach->saved = reach->memory;
}

/* How long to leave a router alone that gave nothing: one that gave something before may be starting anew. */
static uint64_t backoff(const struct reach *reach) {
    static const uint64_t fresh[] = {30000, 60000, 300000, 600000};
    static const uint64_t known[] = {5000, 5000, 10000, 10000, 20000, 30000, 60000, 300000, 600000};
    size_t count = reach->had_one ? sizeof known / sizeof known[0] : sizeof fresh / sizeof fresh[0];
    size_t at = reach->failures && reach->failures <= count ? reach->failures - 1 : count - 1;
    return reach->had_one ? known[at] : fresh[at];
}

static bool wants_mapping(const struct reach *reach) {
    return reach->config.mapping && reach->world_port && !reach->leaving &&
           (reach->net.gateway4[0] || reach->net.gateway6[0]);
}

static void reach_soon(struct reach *reach, uint64_t ms) {
    if (reach->running)
        reach->again = true;
    else
        (void)loop_timer_set(&reach->step, ms);
}

static void mapped_ok(struct reach *reach, const struct portmap_result *result) {
    const struct portmap_memory *mapping = &reach->memory.portmap;
    bool news = !reach->mapped || mapping->external_port != reach->saved.portmap.external_port ||
                strcmp(mapping->external_address, reach->saved.portmap.external_address) != 0;
    reach->mapped = mapping->external_port != 0 || mapping->pinhole[0];
    reach->had_one = true;
    reach->failures = 0;
    reach->renew_at = os_boottime_ms() + (result->lease_s ? (uint64_t)result->lease_s * 500 : PERMANENT_RENEW_MS);
    reach->lease_until = result->lease_s ? os_realtime_s() + result->lease_s : 0;
    if (mapping->external_port)
        reach->memory.external_port = mapping->external_port;
    if (news && mapping->external_port)
        log_info("the router%s%s maps %s port %u to this machine (%s)", reach->router[0] ? " " : "", reach->router,
                 mapping->external_address, mapping->external_port, reach_protocol_name(mapping->protocol));
}

static void mapping_failed(struct reach *reach, const struct portmap_result *result) {
    /* An answer that got lost is no reason to give up what worked until now. */
    bool keep = reach->mapped && !reach->suspect && reach->failures == 0 && result->outcome != PORTMAP_REFUSED;
    reach->failures++;
    if (keep)
        return;
    reach->mapped = false;
    if (!result->trouble[0] && result->outcome == PORTMAP_NO_ROUTER)
        (void)snprintf(
            reach->map_trouble, sizeof reach->map_trouble,
            "no router answers UPnP, NAT-PMP or PCP: switch UPnP on in the router, or forward a port by hand "
            "to port %u of this machine and set external_port",
            reach->world_port);
    else if (!result->trouble[0])
        (void)str_copy(reach->map_trouble, sizeof reach->map_trouble,
                       result->outcome == PORTMAP_REFUSED ? "the router refuses to map a port"
                                                          : "what the router answers makes no sense");
}

static void reach_answered(void *ctx, const struct portmap_result *result) {
    struct reach *reach = ctx;
    uint64_t next = CHECK_MS;
    reach->running = NULL;
    reach->no_router = result->outcome == PORTMAP_NO_ROUTER;
    reach->memory.portmap = result->memory;
    if (reach->op != PORTMAP_CHECK || result->trouble[0])
        (void)snprintf(reach->map_trouble, sizeof reach->map_trouble, "%.199s", result->trouble);
    if (result->router[0])
        (void)snprintf(reach->router, sizeof reach->router, "%.63s", result->router);
    if (reach->op == PORTMAP_UNMAP) {
        reach->mapped = false;
        next = 0;
    } else if (result->outcome == PORTMAP_OK) {
        if (reach->op == PORTMAP_MAP)
            mapped_ok(reach, result);
        reach->failures = 0;
        reach->suspect = false;
    } else if (result->outcome == PORTMAP_LOST) {
        log_info("the router has lost the mapping, or has another address: mapping anew");
        reach->mapped = false;
        next = 0;
    } else {
        mapping_failed(reach, result);
        next = reach->mapped ? SOON_MS : backoff(reach);
    }
    reach_save(reach);
    reach_update(reach);
    if (reach->leaving)
        loop_stop(reach->config.loop);
    else
        (void)loop_timer_set(&reach->step, reach->again ? 0 : next);
    reach->again = false;
}

/* Is what is remembered about one of the routers of this network? */
static bool is_router_here(const struct reach *reach) {
    const char *router = reach->memory.portmap.gateway;
    size_t len = strcspn(router, "%");
    return strcmp(router, reach->net.gateway4) == 0 ||
           (strncmp(router, reach->net.gateway6, len) == 0 && strcspn(reach->net.gateway6, "%") == len);
}

static void reach_start(struct reach *reach, enum portmap_op op) {
    if (op == PORTMAP_MAP && !is_router_here(reach))
        memset(&reach->memory.portmap, 0, sizeof reach->memory.portmap);
    struct portmap_request request = reach->net;
    uint64_t deadline = op == PORTMAP_MAP ? MAP_DEADLINE_MS : op == PORTMAP_CHECK ? CHECK_DEADLINE_MS : LEAVE_MS;
    request.op = op;
    request.use = reach->config.use;
    request.internal_port = op == PORTMAP_UNMAP ? reach->mapped_port : reach->world_port;
    request.wanted_port = reach->config.external_port ? reach->config.external_port : reach->memory.external_port;
    request.lease_s = LEASE_S;
    request.ipv6 = request.address6[0] != '\0';
    request.memory = reach->memory.portmap;
    reach->op = op;
    if (op == PORTMAP_MAP)
        reach->mapped_port = reach->world_port;
    reach->left_over = false;
    int rc = reach->config.calls->start(reach->config.loop, &request, deadline, reach_answered, reach, &reach->running);
    if (rc == 0)
        return;
    log_warn("cannot ask the router: %s", err_text(rc));
    reach->running = NULL;
    reach->failures++;
    (void)loop_timer_set(&reach->step, backoff(reach));
}

static void reach_step(void *ctx) {
    struct reach *reach = ctx;
    bool misled = reach->mapped && reach->mapped_port != reach->world_port;
    bool unwanted = (reach->mapped || (reach->left_over && is_router_here(reach))) && !wants_mapping(reach);
    if (reach->running)
        return;
    if ((reach->mapped && misled) || unwanted)
        reach_start(reach, PORTMAP_UNMAP);
    else if (wants_mapping(reach))
        reach_start(reach, reach->mapped && os_boottime_ms() < reach->renew_at ? PORTMAP_CHECK : PORTMAP_MAP);
}

/* The kernel's view of the network, read anew. */
static void reach_read_network(struct reach *reach) {
    memset(&reach->net, 0, sizeof reach->net);
    reach->config.calls->find_gateways(&reach->net);
    struct own_addresses own;
    if (reach->config.calls->own_addresses(&own) == 0)
        reach->own = own;
}

/* What was begun in a network that is gone is not waited for. */
static void reach_forget_network(struct reach *reach) {
    if (reach->running)
        reach->config.calls->cancel(reach->running);
    reach->running = NULL;
    reach->again = false;
    reach->mapped = false;
    reach->had_one = false;
    reach->no_router = false;
    reach->router[0] = '\0';
    reach->map_trouble[0] = '\0';
}

void reach_network(struct reach *reach) {
    struct portmap_request before = reach->net;
    const char *mapped_to = reach->memory.portmap.internal_address;
    reach_read_network(reach);
    bool moved = strcmp(before.gateway4, reach->net.gateway4) != 0 ||
                 (reach->mapped && mapped_to[0] && !own_addresses_have(&reach->own, mapped_to));
    if (moved)
        reach_forget_network(reach);
    if (strcmp(before.address6, reach->net.address6) != 0)
        reach->renew_at = 0; /* a pinhole belongs to one address */
    reach->failures = 0;
    reach->suspect = true;
    reach_update(reach);
    reach_soon(reach, 0);
}

void reach_observed(struct reach *reach, const char *address) {
    char observed[INET6_ADDRSTRLEN];
    if (!candidate_address(observed, address))
        observed[0] = '\0';
    if (strcmp(reach->observed, observed) == 0)
        return;
    memcpy(reach->observed, observed, sizeof observed);
    reach_update(reach);
    if (reach->mapped)
        reach_soon(reach, 0); /* the router's address may be another one, too */
}

void reach_verified(struct reach *reach, const struct link_verify *verify) {
    for (size_t i = 0; i < reach->count; i++) {
        struct candidate *own = &reach->list[i];
        for (size_t j = 0; j < verify->count; j++) {
            const struct candidate *found = &verify->list[j];
            if (!candidate_same(own, found))
                continue;
            bool news = own->state != found->state || strcmp(own->text, found->text) != 0;
            own->state = found->state;
            own->checked = found->checked;
            (void)snprintf(own->text, sizeof own->text, "%.199s", found->text);
            if (news && found->state == CANDIDATE_VERIFIED)
                log_info("the relay has reached this machine at %s port %u", own->address, own->port);
            else if (news && found->state == CANDIDATE_FAILED)
                log_info("the relay cannot reach this machine at %s port %u: %s", own->address, own->port, own->text);
            if (news && found->state == CANDIDATE_FAILED && own->kind == CANDIDATE_MAPPED)
                reach_soon(reach, 0);
        }
    }
}

void reach_aim(struct reach *reach, const struct reach_aim *aim) {
    const char *trouble = aim->trouble ? aim->trouble : "";
    if (reach->door_port == aim->door_port && reach->world_port == aim->world_port && reach->to_sshd == aim->to_sshd &&
        strcmp(reach->aim_trouble, trouble) == 0)
        return;
    reach->failures = 0;
    reach->door_port = aim->door_port;
    reach->world_port = aim->world_port;
    reach->to_sshd = aim->to_sshd;
    (void)snprintf(reach->aim_trouble, sizeof reach->aim_trouble, "%.199s", trouble);
    if (aim->door_port)
        reach->memory.door_port = aim->door_port;
    reach_save(reach);
    reach_read_network(reach);
    reach_update(reach);
    reach_soon(reach, 0);
}

uint16_t reach_door_port(const struct reach *reach) {
    return reach->memory.door_port;
}

void reach_fill(const struct reach *reach, struct link_reach *out) {
    out->count = reach->count;
    memcpy(out->list, reach->list, sizeof out->list);
    memcpy(out->trouble, reach->trouble, sizeof out->trouble);
}

void reach_look(const struct reach *reach, struct reach_view *out) {
    *out = (struct reach_view){.list = reach->list,
                               .count = reach->count,
                               .trouble = reach->trouble,
                               .router = reach->router,
                               .mapping = reach->mapped ? &reach->memory.portmap : NULL,
                               .lease_until = reach->mapped ? reach->lease_until : 0};
}

int reach_new(const struct reach_config *config, struct reach **out) {
    struct reach *reach = calloc(1, sizeof *reach);
    if (!reach)
        return SP_ENOMEM;
    reach->config = *config;
    loop_timer_init(config->loop, &reach->step, reach_step, reach);
    loop_timer_init(config->loop, &reach->tell, reach_tell, reach);
    reach_memory_load(config->state, config->boot_id, &reach->memory);
    reach->saved = reach->memory;
    reach->left_over = reach->memory.portmap.external_port != 0;
    reach->mapped_port = reach->memory.portmap.internal_port;
    *out = reach;
    return 0;
}

static void reach_late(void *ctx) {
    struct reach *reach = ctx;
    loop_stop(reach->config.loop);
}

void reach_leave(struct reach *reach) {
    struct loop_timer late;
    reach->leaving = true;
    if (reach->running)
        reach->config.calls->cancel(reach->running);
    reach->running = NULL;
    loop_timer_stop(&reach->tell);
    loop_timer_stop(&reach->step);
    if (!reach->mapped)
        return;
    loop_timer_init(reach->config.loop, &late, reach_late, reach);
    reach_start(reach, PORTMAP_UNMAP);
    if (reach->running && loop_timer_set(&late, LEAVE_MS) == 0)
        (void)loop_run(reach->config.loop);
    loop_timer_stop(&late);
    loop_timer_stop(&reach->step);
}

void reach_free(struct reach *reach) {
    if (!reach)
        return;
    if (reach->running)
        reach->config.calls->cancel(reach->running);
    loop_timer_stop(&reach->step);
    loop_timer_stop(&reach->tell);
    free(reach);
}
