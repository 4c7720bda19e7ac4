#include "direct.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "direct_local.h"
#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/probe/system.h"
#include "sallyport/wire/fingerprint.h"

enum { DOOR_AGAIN_MS = 15000, CLOCK_OFF_S = 30 };

static const struct published *published_ssh(const struct direct *direct, const char *name) {
    const struct published *list;
    size_t count;
    services_list(direct->config.services, &list, &count);
    for (size_t i = 0; i < count; i++)
        if (list[i].service.kind == SERVICE_SSH && strcmp(list[i].service.name, name) == 0)
            return &list[i];
    return NULL;
}

static bool find_service(void *ctx, const char *service, struct visit_place *out) {
    const struct published *published = published_ssh(ctx, service);
    if (!published)
        return false;
    out->port = published->service.port;
    return str_copy(out->host, sizeof out->host, published->host) == 0;
}

/* Tells reach where its ways are to lead now. */
static void direct_take_aim(struct direct *direct) {
    const struct agent_config *agent = direct->config.agent;
    const struct published *ssh = published_ssh(direct, "ssh");
    struct reach_aim aim = {.door_port = direct->door ? door_port(direct->door) : 0};
    if (agent->direct == AGENT_DIRECT_OFF) {
        aim.trouble = "the direct way is switched off (direct = off)";
    } else if (agent->direct == AGENT_DIRECT_DOOR) {
        aim.world_port = aim.door_port;
        aim.trouble = direct->door_trouble;
    } else if (!ssh) {
        aim.trouble = "direct = sshd: no SSH server was found on this machine";
    } else {
        aim.world_port = direct->sshd_trouble[0] ? 0 : ssh->service.port;
        aim.to_sshd = true;
        aim.trouble = direct->sshd_trouble;
    }
    reach_aim(direct->reach, &aim);
}

static const char *sshd_trouble(const struct ssh_probe *probe) {
    if (!probe)
        return "direct = sshd: it is not known yet whether the sshd here offers passwords";
    if (probe->open)
        return "direct = sshd: the SSH server here lets anybody in, so it is not shown to the world";
    if (probe->password || probe->interactive)
        return "direct = sshd: the sshd here offers passwords: set PasswordAuthentication no and "
               "KbdInteractiveAuthentication no in sshd_config";
    return "";
}

static void sshd_seen(void *ctx, const struct ssh_probe *probe) {
    struct direct *direct = ctx;
    (void)snprintf(direct->sshd_trouble, sizeof direct->sshd_trouble, "%s", sshd_trouble(probe));
    (void)snprintf(direct->host_key, sizeof direct->host_key, "%s", probe ? probe->host_key : "");
    if (direct->link && probe)
        agent_link_host_key(direct->link, direct->host_key);
    direct_take_aim(direct);
}

/* The system's sshd has its host keys in files; any other one is asked. */
static void direct_watch_sshd(struct direct *direct) {
    const struct published *ssh = published_ssh(direct, "ssh");
    bool logins = direct->config.agent->direct == AGENT_DIRECT_SSHD;
    bool wanted = ssh && ssh->service.up && (logins || !services_ssh_is_system(direct->config.services));
    sshd_watch_set(direct->sshd, wanted ? ssh->host : "", wanted ? ssh->service.port : 0, logins);
}

static void direct_open_door(void *ctx) {
    struct direct *direct = ctx;
    const struct agent_config *agent = direct->config.agent;
    struct why why = {""};
    struct door_config config = {.loop = direct->config.loop,
                                 .gate = direct->gate,
                                 .visits = direct->visits,
                                 .port = agent->door_port ? (uint16_t)agent->door_port : reach_door_port(direct->reach),
                                 .fixed = agent->door_port != 0};
    int rc = door_new(&config, &direct->door, &why);
    if (rc == 0) {
        direct->door_trouble[0] = '\0';
        log_info("the door is port %u of this machine", door_port(direct->door));
    } else {
        const char *reason = why.text[0] ? why.text : err_text(rc);
        if (strncmp(direct->door_trouble, reason, sizeof direct->door_trouble - 1) != 0)
            log_error("%s", reason);
        (void)snprintf(direct->door_trouble, sizeof direct->door_trouble, "%.199s", reason);
        (void)loop_timer_set(&direct->door_again, DOOR_AGAIN_MS);
    }
    direct_take_aim(direct);
}

static void direct_say_reach(void *ctx) {
    struct direct *direct = ctx;
    if (!direct->link)
        return;
    struct link_reach reach = {.can_fetch = true, .has_door = direct->door != NULL};
    if (direct->door) {
        memcpy(reach.door_key, door_key(direct->door), sizeof reach.door_key);
        (void)str_copy(reach.knock, sizeof reach.knock, door_knock(direct->door));
    }
    reach_fill(direct->reach, &reach);
    agent_link_reach(direct->link, &reach);
    secret_wipe(&reach, sizeof reach);
}

static void punch_met(void *ctx, int fd, const char *from) {
    struct direct *direct = ctx;
    door_adopt(direct->door, fd, from);
}

bool direct_clock_text(const struct direct *direct, char *to, size_t size) {
    int64_t lead = relay_clock_lead(&direct->clock, os_realtime_s(), os_boottime_ms());
    char span[32];
    if (lead < CLOCK_OFF_S && lead > -CLOCK_OFF_S)
        return false;
    str_ago(span, sizeof span, lead > 0 ? (uint64_t)lead : (uint64_t)-lead);
    (void)snprintf(to, size, "this machine's clock is %s %s the relay's: set it right (timedatectl set-ntp true)", span,
                   lead > 0 ? "ahead of" : "behind");
    return true;
}

static void direct_hear_clock(struct direct *direct, int64_t server_time) {
    char text[200];
    relay_clock_hear(&direct->clock, server_time, os_boottime_ms());
    bool off = direct_clock_text(direct, text, sizeof text);
    if (off && !direct->clock_told)
        log_warn("%s", text);
    direct->clock_told = off;
}

static void direct_welcome(struct direct *direct, const struct link_welcome *welcome) {
    direct_hear_clock(direct, welcome->server_time);
    if (!welcome->has_ticket_key)
        return; /* an older relay: it knows nothing of all this */
    gate_trust(direct->gate, welcome->ticket_key);
    reach_observed(direct->reach, welcome->observed_address);
    direct_say_reach(direct);
}

/* Over IPv4 where that can be: the other side may have nothing else, and both have to come from the same kind. */
static void direct_punch(struct direct *direct, const struct link_call *call) {
    if (!direct->door || direct->relay.ss_family == AF_UNSPEC)
        return;
    if (direct->relay4.ss_family == AF_INET && punch_start(direct->punches, call, &direct->relay4) == 0)
        return;
    (void)punch_start(direct->punches, call, &direct->relay);
}

void direct_hear(struct direct *direct, const struct link_message *message) {
    switch (message->kind) {
    case LINK_WELCOME:
        direct_welcome(direct, &message->welcome);
        break;
    case LINK_PONG:
        direct_hear_clock(direct, message->pong.server_time);
        break;
    case LINK_VERIFY:
        reach_verified(direct->reach, &message->verify);
        break;
    case LINK_OPEN:
        if (direct->relay.ss_family != AF_UNSPEC)
            fetch_start(direct->fetches, &message->call, &direct->relay);
        break;
    case LINK_PUNCH:
        direct_punch(direct, &message->call);
        break;
    case LINK_END:
        gate_end(direct->gate, message->end.user, message->end.service);
        visits_end(direct->visits, message->end.user, message->end.service);
        break;
    default:
        break;
    }
}

static void relay4_found(void *ctx, const struct sockaddr_in *address) {
    struct direct *direct = ctx;
    memcpy(&direct->relay4, address, sizeof *address);
}

void direct_set_link(struct direct *direct, struct agent_link *link, int fd) {
    struct sockaddr_storage relay = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof relay;
    direct->link = link;
    if (link)
        agent_link_host_key(link, direct->host_key);
    if (link && getpeername(fd, (struct sockaddr *)&relay, &size) < 0)
        relay.ss_family = AF_UNSPEC;
    direct->relay = relay;
    direct->relay4.ss_family = AF_UNSPEC;
    lookup4_free(direct->lookup);
    direct->lookup = NULL;
    if (relay.ss_family == AF_INET6)
        (void)lookup4_new(direct->config.work, direct->config.relay_host, direct->config.relay_port, relay4_found,
                          direct, &direct->lookup);
}

void direct_network(struct direct *direct) {
    reach_network(direct->reach);
}

void direct_services(struct direct *direct) {
    direct_watch_sshd(direct);
    direct_take_aim(direct);
}

size_t direct_visits(const struct direct *direct) {
    return visits_count(direct->visits);
}

static int direct_make_reach(struct direct *direct) {
    static const enum portmap_use uses[] = {PORTMAP_AUTO, PORTMAP_UPNP, PORTMAP_PCP, PORTMAP_AUTO};
    const struct agent_config *agent = direct->config.agent;
    struct reach_config config = {.loop = direct->config.loop,
                                  .state = direct->state,
                                  .boot_id = direct->boot_id,
                                  .calls = &reach_calls,
                                  .mapping = agent->port_mapping != AGENT_MAPPING_OFF,
                                  .use = uses[agent->port_mapping],
                                  .external_port = (uint16_t)agent->external_port,
                                  .changed = direct_say_reach,
                                  .ctx = direct};
    return reach_new(&config, &direct->reach);
}

static int direct_make(struct direct *direct) {
    struct loop *loop = direct->config.loop;
    struct visits_config visits = {.loop = loop, .find = find_service, .ctx = direct};
    uint8_t machine[FINGERPRINT_SIZE];
    int rc = fingerprint_bytes(direct->config.key->fingerprint, machine);
    if (rc == 0)
        rc = gate_new(machine, &direct->clock, os_boottime_ms(), &direct->gate);
    if (rc == 0)
        rc = visits_new(&visits, &direct->visits);
    if (rc == 0)
        rc = fetches_new(loop, direct->visits, &direct->fetches);
    if (rc == 0)
        rc = punches_new(loop, punch_met, direct, &direct->punches);
    if (rc == 0)
        rc = sshd_watch_new(loop, direct->config.work, sshd_seen, direct, &direct->sshd);
    return rc < 0 ? rc : direct_make_reach(direct);
}

int direct_new(const struct direct_config *config, struct direct **out) {
    struct direct *direct = calloc(1, sizeof *direct);
    if (!direct)
        return SP_ENOMEM;
    direct->config = *config;
    loop_timer_init(config->loop, &direct->door_again, direct_open_door, direct);
    (void)system_boot_id("", direct->boot_id);
    (void)snprintf(direct->sshd_trouble, sizeof direct->sshd_trouble, "%s", sshd_trouble(NULL));
    int rc = str_copy(direct->state, sizeof direct->state, config->state);
    if (rc == 0)
        rc = direct_make(direct);
    if (rc < 0) {
        direct_free(direct);
        return rc;
    }
    if (config->agent->direct == AGENT_DIRECT_OFF)
        direct_take_aim(direct);
    else
        direct_open_door(direct);
    *out = direct;
    return 0;
}

void direct_free(struct direct *direct) {
    if (!direct)
        return;
    loop_timer_stop(&direct->door_again);
    punches_free(direct->punches);
    fetches_free(direct->fetches);
    sshd_watch_free(direct->sshd);
    lookup4_free(direct->lookup);
    door_free(direct->door);
    visits_free(direct->visits);
    direct->door = NULL;
    if (direct->reach)
        reach_leave(direct->reach);
    reach_free(direct->reach);
    gate_free(direct->gate);
    free(direct);
}
