#include "sallyport/agent/agent.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "agent_local.h"
#include "sallyport/base/log.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/local.h"

enum {
    BACKOFF_FIRST_MS = 500,
    BACKOFF_MOST_MS = 30000,
    LOGIN_MS = 15000,
    TICK_MS = 2000,
    PING_MS = 6000,      /* nothing heard for so long: ask */
    HURRY_MS = 2000,     /* a network that keeps changing is a reason to dial this often, not more */
    SILENCE_MS = 16000,  /* ... and for so long: the path is dead (18 s with the tick) */
    PROBATION_MS = 3000, /* after a change of the network, an answer must come within this */
    IDLE_S = 5,
    DEAD_MS = 15000,
    MINUTE_MS = 60000,
    ORDERS_A_MINUTE = 60,
};

static void agent_dial(void *ctx);

static void agent_phase_set(struct agent *agent, enum agent_phase phase) {
    agent->phase = phase;
    agent->since = os_realtime_s();
}

/* Waits half to one and a half of the backoff, which doubles: a thousand agents must not come back at one moment. */
static void agent_wait(struct agent *agent) {
    uint16_t random = 0;
    (void)secret_random(&random, sizeof random);
    uint64_t wait = agent->backoff_ms / 2 + agent->backoff_ms * random / UINT16_MAX;
    if (wait > BACKOFF_MOST_MS)
        wait = BACKOFF_MOST_MS;
    agent->backoff_ms = agent->backoff_ms * 2 < BACKOFF_MOST_MS ? agent->backoff_ms * 2 : BACKOFF_MOST_MS;
    agent_phase_set(agent, AGENT_WAITING);
    (void)loop_timer_set(&agent->retry, wait);
}

static void agent_failed(struct agent *agent, const char *reason) {
    /* The same trouble every 30 s is said once. */
    if (strcmp(agent->last_error, reason) != 0)
        log_warn("%s port %u: %s", agent->to.host, agent->to.port, reason);
    (void)snprintf(agent->last_error, sizeof agent->last_error, "%s", reason);
    agent_wait(agent);
}

static void agent_link_lost(void *ctx) {
    struct agent *agent = ctx;
    /* A stock server has none; the tunnels go on. */
    direct_set_link(agent->direct, NULL, -1);
    condition_set_link(agent->condition, NULL);
}

static void agent_publish(struct agent *agent, const struct link_publish *order) {
    struct why why = {""};
    int rc = services_publish(agent->services, order->service, order->port, order->published, &why);
    if (rc == 0)
        return;
    const char *reason = why.text[0] ? why.text : err_text(rc);
    log_warn("the relay's order to publish or not is not followed: %s", reason);
    agent_link_error(agent->link, reason);
}

/* Each order costs something on this machine: a relay that gives them without end is neither followed nor answered. */
static bool agent_may_be_ordered(struct agent *agent) {
    uint64_t now = loop_now(agent->loop);
    if (agent->orders == 0 || now - agent->ordered_from >= MINUTE_MS) {
        agent->ordered_from = now;
        agent->orders = 0;
    }
    if (agent->orders > ORDERS_A_MINUTE)
        return false;
    if (++agent->orders > ORDERS_A_MINUTE)
        log_warn("the relay gives more than %d orders in a minute: the rest of them is not followed", ORDERS_A_MINUTE);
    return agent->orders <= ORDERS_A_MINUTE;
}

/* The relay says what this machine is called there: somebody may have renamed it. */
static void agent_named(struct agent *agent, const char *name) {
    char state[4096];
    struct why why = {""};
    if (!name[0] || strcmp(name, agent->to.name) == 0)
        return;
    log_info("this machine is called %s on the relay now, no longer %s", name, agent->to.name);
    (void)str_copy(agent->to.name, sizeof agent->to.name, name);
    int rc = joined_state(agent->config, state, sizeof state, &why);
    if (rc == 0)
        rc = joined_save(state, &agent->to, &why);
    if (rc < 0)
        log_warn("its name is not kept: %s", why.text[0] ? why.text : err_text(rc));
}

static void agent_link_heard(void *ctx, const struct link_message *message) {
    struct agent *agent = ctx;
    if ((message->kind == LINK_WAKE || message->kind == LINK_PUBLISH) && !agent_may_be_ordered(agent))
        return;
    if (message->kind == LINK_WELCOME)
        agent_named(agent, message->welcome.name);
    direct_hear(agent->direct, message);
    condition_hear(agent->condition, message);
    if (message->kind == LINK_PUBLISH)
        agent_publish(agent, &message->publish);
}

static const struct agent_link_events link_events = {.lost = agent_link_lost, .heard = agent_link_heard};

static void conn_ready(void *ctx) {
    struct agent *agent = ctx;
    agent_phase_set(agent, AGENT_UP);
    agent->backoff_ms = BACKOFF_FIRST_MS;
    agent->last_error[0] = '\0';
    log_info("connected to %s port %u (%s) as %s", agent->to.host, agent->to.port, agent->peer, agent->to.name);
    bool plain = agent->config->mode == AGENT_PLAIN;
    ssh_conn_set_patience(agent->conn, IDLE_S, DEAD_MS);
    int rc = tunnel_new(agent->loop, agent->conn, agent->services, plain, &agent->streams, &agent->tunnel);
    if (rc == 0 && !plain)
        rc = agent_link_new(agent->loop, agent->conn, agent->to.name, agent->services, &link_events, agent,
                            &agent->link);
    if (rc < 0) {
        ssh_conn_close(agent->conn, NULL);
        return;
    }
    if (agent->link) {
        direct_set_link(agent->direct, agent->link, ssh_conn_fd(agent->conn));
        condition_set_link(agent->condition, agent->link);
    }
    tunnel_update(agent->tunnel);
}

static int conn_forwarded(void *ctx, struct ssh_chan *chan, const char *bind, uint16_t port) {
    struct agent *agent = ctx;
    return agent->tunnel ? tunnel_forwarded(agent->tunnel, chan, bind, port) : SP_ENOENT;
}

static void conn_listening(void *ctx, const char *bind, uint16_t port, uint16_t bound, int rc) {
    struct agent *agent = ctx;
    if (agent->tunnel)
        tunnel_listening(agent->tunnel, bind, port, bound, rc);
}

static void agent_drop(struct agent *agent) {
    loop_timer_stop(&agent->probation);
    if (agent->direct)
        direct_set_link(agent->direct, NULL, -1);
    if (agent->condition)
        condition_set_link(agent->condition, NULL);
    agent_link_free(agent->link);
    tunnel_free(agent->tunnel);
    agent->link = NULL;
    agent->tunnel = NULL;
}

static void conn_closed(void *ctx, int rc, const char *reason) {
    struct agent *agent = ctx;
    bool replaced = strstr(reason, "replaced by a newer connection") != NULL;
    agent_drop(agent);
    agent->conn = NULL;
    if (agent->stopping)
        return;
    if (rc == SP_ECRYPTO || rc == SP_EDENIED || replaced)
        agent->backoff_ms = BACKOFF_MOST_MS;
    agent_failed(agent, replaced
                            ? "replaced by a newer connection of this machine: is its key on a second machine, too?"
                            : reason);
}

static const struct ssh_client_events conn_events = {
    .ready = conn_ready, .forwarded = conn_forwarded, .listening = conn_listening, .closed = conn_closed};

static const char *login_name(const struct agent *agent, struct login_address *address) {
    if (agent->config->mode != AGENT_PLAIN)
        return agent->to.name;
    return login_address_parse(agent->config->server, address, NULL) == 0 ? address->user : agent->to.name;
}

static void agent_dialed(void *ctx, int rc, int fd, const char *address, const char *reason) {
    struct agent *agent = ctx;
    struct login_address login;
    agent->dial = NULL;
    if (rc < 0) {
        agent_failed(agent, reason);
        return;
    }
    (void)str_copy(agent->peer, sizeof agent->peer, address);
    struct ssh_client_config config = {.loop = agent->loop,
                                       .fd = fd,
                                       .peer = address,
                                       .user = login_name(agent, &login),
                                       .key = agent->key,
                                       .host_fingerprint = agent->to.fingerprint,
                                       .login_timeout_ms = LOGIN_MS,
                                       .events = &conn_events,
                                       .ctx = agent};
    rc = ssh_client_new(&config, &agent->conn);
    if (rc < 0) {
        agent_failed(agent, err_text(rc));
        return;
    }
    agent_phase_set(agent, AGENT_LOGIN);
}

static void agent_dial(void *ctx) {
    struct agent *agent = ctx;
    agent_phase_set(agent, AGENT_DIALING);
    int rc = dial_new(agent->loop, agent->work, agent->to.host, agent->to.port, agent_dialed, agent, &agent->dial);
    if (rc < 0)
        agent_failed(agent, err_text(rc));
}

/* At once, with a fresh backoff. */
static void agent_again(struct agent *agent) {
    agent->backoff_ms = BACKOFF_FIRST_MS;
    loop_timer_stop(&agent->retry);
    dial_cancel(agent->dial);
    agent->dial = NULL;
    if (agent->conn)
        ssh_conn_close(agent->conn, NULL); /* conn_closed goes on from there */
    else
        agent_dial(agent);
}

/* Is the address that the connection was made from still one of ours? The kernel tells by letting us bind to it. */
static bool source_is_ours(const struct agent *agent) {
    struct sockaddr_storage source = {0};
    socklen_t size = sizeof source;
    int fd = ssh_conn_fd(agent->conn);
    if (getsockname(fd, (struct sockaddr *)&source, &size) < 0)
        return false;
    int probe = socket(source.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return true;
    if (source.ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)&source)->sin_port = 0;
    if (source.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)&source)->sin6_port = 0;
    bool ours = bind(probe, (const struct sockaddr *)&source, size) == 0;
    (void)close(probe);
    return ours;
}

static void probation_over(void *ctx) {
    struct agent *agent = ctx;
    if (!agent->conn || ssh_conn_heard(agent->conn) >= agent->probation_from)
        return;
    log_info("the connection did not survive the change of the network");
    agent_again(agent);
}

static void agent_hurry(void *ctx) {
    struct agent *agent = ctx;
    agent->hurried = loop_now(agent->loop);
    if (agent->phase != AGENT_UP)
        agent_again(agent);
}

static void agent_network(void *ctx, enum netwatch_cause cause) {
    struct agent *agent = ctx;
    log_debug("%s", cause == NETWATCH_SLEPT ? "the machine slept" : "the network changed");
    if (agent->direct)
        direct_network(agent->direct);
    condition_network(agent->condition);
    if (agent->phase != AGENT_UP) {
        uint64_t now = loop_now(agent->loop), next = agent->hurried + HURRY_MS;
        if (!loop_timer_is_set(&agent->hurry))
            (void)loop_timer_set(&agent->hurry, cause == NETWATCH_NETWORK && next > now ? next - now : 0);
        return;
    }
    if (!source_is_ours(agent)) {
        log_info("the network changed: connecting anew");
        agent_again(agent);
        return;
    }
    /* It may have lived through it: a question tells. */
    agent->probation_from = loop_now(agent->loop);
    if (!agent_link_is_up(agent->link)) {
        ssh_client_nudge(agent->conn);
        return;
    }
    (void)agent_link_ping(agent->link);
    (void)loop_timer_set(&agent->probation, PROBATION_MS);
}

static void agent_tick(void *ctx) {
    struct agent *agent = ctx;
    (void)loop_timer_set(&agent->tick, TICK_MS);
    if (agent->phase != AGENT_UP || !agent_link_is_up(agent->link))
        return;
    uint64_t silent = loop_now(agent->loop) - ssh_conn_heard(agent->conn);
    if (silent > SILENCE_MS) {
        log_info("nothing heard from the relay for %u s: connecting anew", (unsigned)(silent / 1000));
        agent_again(agent);
    } else if (silent >= PING_MS) {
        (void)agent_link_ping(agent->link);
    }
}

/* After a long sleep the relay has given us up. */
static void agent_awake(void *ctx, uint64_t slept_ms) {
    struct agent *agent = ctx;
    if (slept_ms >= SILENCE_MS && !agent->stopping)
        agent_again(agent);
}

static bool agent_has_people(void *ctx) {
    const struct agent *agent = ctx;
    return agent->streams > 0 || (agent->direct && direct_visits(agent->direct) > 0);
}

static const struct condition_events condition_events = {.people = agent_has_people, .awake = agent_awake};

static void agent_services_changed(void *ctx) {
    struct agent *agent = ctx;
    if (agent->tunnel)
        tunnel_update(agent->tunnel);
    if (agent->link)
        agent_link_services(agent->link);
    if (agent->direct)
        direct_services(agent->direct);
}

static int agent_target(struct agent *agent, const char *state, struct why *why) {
    const struct agent_config *config = agent->config;
    if (config->mode != AGENT_PLAIN)
        return joined_load(state, &agent->to, why);
    struct login_address address;
    int rc = login_address_parse(config->server, &address, why);
    if (rc < 0)
        return rc;
    agent->to.port = address.port;
    (void)snprintf(agent->to.name, sizeof agent->to.name, "%.31s", address.user);
    (void)str_copy(agent->to.host, sizeof agent->to.host, address.host);
    return str_copy(agent->to.fingerprint, sizeof agent->to.fingerprint, config->server_key);
}

static int agent_open_state(struct agent *agent, char *state, size_t size, struct why *why) {
    const struct agent_config *config = agent->config;
    char path[4200];
    int rc = joined_state(config, state, size, why);
    if (rc == 0)
        rc = os_lock_dir(state, &agent->lock_fd, why);
    if (rc == 0)
        rc = agent_target(agent, state, why);
    if (rc == 0)
        rc = joined_key_path(state, path, sizeof path);
    if (rc < 0)
        return rc;
    if (config->mode == AGENT_PLAIN && config->identity)
        rc = keypair_load(config->identity, &agent->key, why);
    else if (config->mode == AGENT_PLAIN)
        rc = keypair_load_or_make(path, &agent->key, why);
    else
        rc = keypair_load(path, &agent->key, why);
    if (rc < 0)
        return rc;
    if (config->mode == AGENT_PLAIN)
        log_info("logging in with the key %s %s", keypair_public(agent->key)->type, keypair_public(agent->key)->base64);
    struct local_handler handler = {.run = agent_answer, .ctx = agent};
    rc = os_path(path, sizeof path, state, AGENT_SOCKET);
    return rc < 0 ? rc : local_server_new(agent->loop, path, &handler, &agent->local, why);
}

static int agent_open_condition(struct agent *agent) {
    struct condition_config config = {.loop = agent->loop,
                                      .work = agent->work,
                                      .agent = agent->config,
                                      .services = agent->services,
                                      .events = &condition_events,
                                      .ctx = agent};
    return condition_new(&config, &agent->condition);
}

static int agent_open_direct(struct agent *agent, const char *state) {
    struct direct_config config = {.loop = agent->loop,
                                   .work = agent->work,
                                   .agent = agent->config,
                                   .services = agent->services,
                                   .relay_host = agent->to.host,
                                   .relay_port = agent->to.port,
                                   .state = state,
                                   .key = keypair_public(agent->key)};
    return agent->config->mode == AGENT_PLAIN ? 0 : direct_new(&config, &agent->direct);
}

/* May admins of the relay publish what was found here? */
static bool may_publish(const struct agent_config *config) {
    return config->mode != AGENT_PLAIN && config->publish == AGENT_PUBLISH_ALLOW;
}

int agent_new(struct loop *loop, const struct agent_config *config, struct agent **out, struct why *why) {
    struct agent *agent = calloc(1, sizeof *agent);
    char state[4096];
    if (!agent)
        return SP_ENOMEM;
    agent->loop = loop;
    agent->config = config;
    agent->lock_fd = -1;
    agent->backoff_ms = BACKOFF_FIRST_MS;
    loop_timer_init(loop, &agent->retry, agent_dial, agent);
    loop_timer_init(loop, &agent->tick, agent_tick, agent);
    loop_timer_init(loop, &agent->probation, probation_over, agent);
    loop_timer_init(loop, &agent->hurry, agent_hurry, agent);
    int rc = agent_open_state(agent, state, sizeof state, why);
    if (rc == 0)
        rc = work_new(loop, 2, &agent->work);
    if (rc == 0)
        rc = services_new(loop, &config->services, may_publish(config) ? state : NULL, agent_services_changed, agent,
                          &agent->services);
    if (rc == 0)
        rc = agent_open_direct(agent, state);
    if (rc == 0)
        rc = agent_open_condition(agent);
    if (rc == 0)
        rc = netwatch_new(loop, agent_network, agent, &agent->netwatch);
    if (rc == 0)
        rc = loop_timer_set(&agent->tick, TICK_MS);
    if (rc < 0) {
        agent_free(agent);
        return rc;
    }
    agent_dial(agent);
    *out = agent;
    return 0;
}

void agent_free(struct agent *agent) {
    if (!agent)
        return;
    agent->stopping = true;
    loop_timer_stop(&agent->tick);
    netwatch_free(agent->netwatch);
    dial_cancel(agent->dial);
    if (agent->conn)
        ssh_conn_close(agent->conn, "the agent is stopping");
    loop_drain(agent->loop);
    agent_drop(agent);
    loop_timer_stop(&agent->retry);
    loop_timer_stop(&agent->hurry);
    struct direct *direct = agent->direct;
    agent->direct = NULL; /* it turns the loop once more, in which nobody is to speak to it */
    direct_free(direct);
    condition_free(agent->condition);
    services_free(agent->services);
    local_server_free(agent->local);
    work_free(agent->work);
    keypair_free(agent->key);
    if (agent->lock_fd >= 0)
        (void)close(agent->lock_fd);
    free(agent);
}
