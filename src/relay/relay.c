#include "sallyport/relay/relay.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "certificate.h"
#include "prices.h"
#include "proof.h"
#include "recorder.h"
#include "relay_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/relay/web.h"
#include "sallyport/wire/local.h"
#include "sealed.h"
#include "tickets.h"
#include "watch.h"

static const char control_name[] = "ctl.sock";

enum { TICK_MS = 2000, TICKS_SEEN = 30, TICKS_TIDY = 1800, HTTPS_PORT = 443 };

/* Machines whose link has gone silent, and those that are there, to be remembered should we die. */
static void relay_tick(void *ctx) {
    struct relay *relay = ctx;
    uint64_t now = loop_now(relay->loop);
    relay->ticks++;
    size_t cursor = 0, count = 0;
    int64_t *ids = relay->ticks % TICKS_SEEN == 0 ? calloc(map_count(relay->machines) + 1, sizeof *ids) : NULL;
    for (struct machine_live *machine; (machine = map_next(relay->machines, &cursor, NULL));) {
        if (ids)
            ids[count++] = machine->id;
        if (machine->peer->link_session && now - link_heard(machine->peer) > SILENCE_MS)
            ssh_conn_close(machine->peer->conn, "nothing heard for 18 s");
    }
    if (ids)
        (void)store_machine_seen(relay->store, ids, count, os_realtime_s());
    free(ids);
    recorder_tick(relay->recorder);
    watch_tick(relay->watch);
    if (relay->ticks % TICKS_TIDY == 0)
        (void)store_tidy(relay->store, os_realtime_s());
    (void)loop_timer_set(&relay->tick, TICK_MS);
}

static int relay_ctl(void *ctx, char **words, size_t count, const char *input, size_t input_len, struct buf *out,
                     struct buf *err) {
    struct relay *relay = ctx;
    struct verb_actor operator= {.kind = SUBJECT_OPERATOR, .address = ""};
    return verbs_run(&relay->verbs, &operator, words, count, input, input_len, out, err);
}

static int state_path(const struct relay_config *config, char *to, size_t size, struct why *why) {
    int rc = config->state ? str_copy(to, size, config->state) : os_default_state(to, size, "relay");
    if (rc < 0)
        why_set(why, "no state folder: give --state DIR");
    return rc;
}

int relay_ask(const struct relay_config *config, char *const *words, size_t count, const char *input, size_t input_len,
              struct buf *out, struct buf *err, int *exit_status, struct why *why) {
    char state[4096], path[4200];
    int rc = state_path(config, state, sizeof state, why);
    if (rc == 0)
        rc = os_path(path, sizeof path, state, control_name);
    return rc < 0 ? rc : local_call(path, words, count, input, input_len, out, err, exit_status, why);
}

/* What people type: the configured name, else this machine's own. */
static int relay_set_address(struct relay *relay, struct why *why) {
    const struct relay_config *config = relay->config;
    struct address first;
    int rc = address_parse(config->listen.items[0], &first, why);
    if (rc < 0)
        return rc;
    relay->port = config->public_port ? (uint16_t)config->public_port : first.port;
    if (config->name)
        return str_copy(relay->host, sizeof relay->host, config->name);
    if (gethostname(relay->host, sizeof relay->host - 1) < 0 || !relay->host[0])
        (void)str_copy(relay->host, sizeof relay->host, "localhost");
    log_warn("no public name is configured: invites will say '%s' (set name = HOST)", relay->host);
    return 0;
}

static int relay_open_state(struct relay *relay, struct why *why) {
    char path[4200];
    int rc = state_path(relay->config, relay->state, sizeof relay->state, why);
    if (rc == 0)
        rc = os_state_dir(relay->state, why);
    if (rc == 0)
        rc = os_lock_dir(relay->state, &relay->lock_fd, why);
    if (rc == 0)
        rc = os_path(path, sizeof path, relay->state, "relay.db");
    if (rc == 0)
        rc = store_open(path, &relay->store, why);
    if (rc == 0)
        rc = tickets_open(relay->state, &relay->tickets, why);
    if (rc == 0)
        rc = os_path(path, sizeof path, relay->state, "host_key");
    if (rc == 0)
        rc = keypair_load_or_make(path, &relay->host_key, why);
    struct ssh_server_config ssh = {.loop = relay->loop, .host_key = path, .events = &peer_events, .ctx = relay};
    return rc < 0 ? rc : ssh_server_new(&ssh, &relay->ssh, why);
}

/* What is counted here, with what the streams that are open have carried. */
static void relay_count(void *ctx, struct relay_counters *out) {
    struct relay *relay = ctx;
    struct list *node, *tmp;
    *out = relay->counters;
    list_foreach (node, tmp, &relay->streams) {
        const struct reach *reach = list_item(node, struct reach, link);
        uint64_t to_machine = 0, from_machine = 0;
        if (reach->bridge)
            bridge_count(reach->bridge, &to_machine, &from_machine);
        out->streams_open++;
        out->to_machines_bytes += to_machine;
        out->from_machines_bytes += from_machine;
    }
    spliced_count(relay->door, out);
}

static void relay_watch_changed(void *ctx) {
    relay_machines_changed(ctx);
}

static int relay_wake(void *ctx, int64_t machine_id, const struct link_network *network) {
    struct machine_live *machine = machine_find(ctx, machine_id);
    return machine ? link_tell_wake(machine, network) : SP_ECLOSED;
}

static int relay_open_watch(struct relay *relay, struct why *why) {
    const struct relay_config *config = relay->config;
    const char *v6 = address_is_ipv6(relay->host) ? "[]" : "";
    char page[320], from[300];
    (void)snprintf(page, sizeof page, "https://%.1s%s%s", v6, relay->host, v6[0] ? v6 + 1 : "");
    if (relay->port != HTTPS_PORT)
        (void)snprintf(page + strlen(page), sizeof page - strlen(page), ":%u", relay->port);
    (void)snprintf(from, sizeof from, "sallyport@%s", relay->host);
    struct watch_config watch = {.loop = relay->loop,
                                 .store = relay->store,
                                 .now = os_realtime_s,
                                 .page = page,
                                 .smtp_url = config->smtp_url,
                                 .smtp_user = config->smtp_user,
                                 .smtp_password_file = config->smtp_password_file,
                                 .mail_from = config->mail_from ? config->mail_from : from,
                                 .changed = relay_watch_changed,
                                 .wake = relay_wake,
                                 .ctx = relay};
    return watch_new(&watch, &relay->watch, why);
}

static int relay_open_web(struct relay *relay, struct why *why) {
    const struct relay_config *config = relay->config;
    const char *hosts[] = {relay->host, "localhost", "127.0.0.1", "::1"};
    struct certificate_config certificate = {.loop = relay->loop,
                                             .cert = config->certificate,
                                             .key = config->certificate_key,
                                             .state = relay->state,
                                             .host = relay->host,
                                             .now = os_realtime_s};
    char webroot[4200];
    int rc = certificate_new(&certificate, &relay->certificate, why);
    if (rc == 0)
        rc = os_path(webroot, sizeof webroot, relay->state, "acme");
    if (rc == 0 && !config->acme_webroot)
        rc = os_state_dir(webroot, why);
    if (rc < 0)
        return rc;
    struct web_config web = {.loop = relay->loop,
                             .source = relay->verbs.source,
                             .now = os_realtime_s,
                             .tls = certificate_server(relay->certificate),
                             .hosts = hosts,
                             .host_count = sizeof hosts / sizeof hosts[0],
                             .port = relay->port,
                             .hsts = config->certificate != NULL,
                             .acme_webroot = config->acme_webroot ? config->acme_webroot : webroot,
                             .open = upstream_open,
                             .open_ctx = relay,
                             .fingerprint = relay->verbs.fingerprint,
                             .count = relay_count,
                             .count_ctx = relay,
                             .publish = publish_order,
                             .publish_ctx = relay,
                             .recorder = relay->recorder,
                             .prices = &relay->prices,
                             .watch = relay->watch};
    return web_new(&web, &relay->web);
}

static void relay_reload(void *ctx, int signo) {
    struct relay *relay = ctx;
    struct prices *prices = NULL;
    struct why why = {""};
    (void)signo;
    log_info("SIGHUP: the certificate and the prices are read again");
    certificate_reload(relay->certificate);
    if (prices_read(relay->config->prices, &prices, &why) < 0) {
        log_error("the prices stay as they were: %s", why.text);
        return;
    }
    prices_free(relay->prices);
    relay->prices = prices;
}

static int relay_open_local(struct relay *relay, struct why *why) {
    char path[4200];
    int rc = os_path(path, sizeof path, relay->state, control_name);
    struct local_handler handler = {.run = relay_ctl, .ctx = relay};
    return rc < 0 ? rc : local_server_new(relay->loop, path, &handler, &relay->local, why);
}

static void relay_greet(struct relay *relay) {
    struct user *users = NULL;
    size_t count = 0;
    log_info("people reach this relay at %s port %u, host key %s", relay->host, relay->port,
             keypair_public(relay->host_key)->fingerprint);
    if (store_user_list(relay->store, &users, &count) == 0 && count == 0)
        log_info("no users yet. Add yourself: sallyport-relay ctl --state %s user add NAME --admin - "
                 "< ~/.ssh/id_ed25519.pub",
                 relay->state);
    free(users);
}

/* History, prices, claims and alerts. */
static int relay_open_state_of_machines(struct relay *relay, struct why *why) {
    struct recorder_config recorder = {relay->loop, relay->store, relay->state, os_realtime_s};
    int rc = recorder_new(&recorder, &relay->recorder);
    if (rc == 0)
        rc = prices_read(relay->config->prices, &relay->prices, why);
    return rc < 0 ? rc : relay_open_watch(relay, why);
}

static void relay_set_verbs(struct relay *relay) {
    relay->verbs = (struct verbs){
        .source = {.store = relay->store, .view = machine_view, .ctx = relay},
        .changed = relay_rights_changed,
        .renamed = relay_machine_renamed,
        .lost = relay_user_lost,
        .ticket = ask_run,
        .publish = publish_order,
        .ctx = relay,
        .recorder = relay->recorder,
        .prices = &relay->prices,
        .watch = relay->watch,
        .now = os_realtime_s,
        .host = relay->host,
        .port = relay->port,
        .fingerprint = keypair_public(relay->host_key)->fingerprint,
    };
}

int relay_new(struct loop *loop, const struct relay_config *config, struct relay **out, struct why *why) {
    struct relay *relay = calloc(1, sizeof *relay);
    if (!relay)
        return SP_ENOMEM;
    relay->loop = loop;
    relay->config = config;
    relay->lock_fd = relay->proc_fd = -1;
    relay->began = os_realtime_s();
    list_init(&relay->peers);
    list_init(&relay->streams);
    loop_timer_init(loop, &relay->tick, relay_tick, relay);
    int rc = relay_set_address(relay, why);
    if (rc == 0)
        rc = map_new(&relay->machines);
    if (rc == 0)
        rc = relay_open_state(relay, why);
    if (rc < 0)
        goto fail;
    rc = relay_open_state_of_machines(relay, why);
    relay_set_verbs(relay);
    if (rc == 0)
        rc = door_new(relay, &relay->door);
    if (rc == 0)
        rc = proofs_new(relay, &relay->proofs);
    if (rc == 0)
        rc = relay_open_web(relay, why);
    if (rc == 0)
        rc = relay_open_local(relay, why);
    if (rc == 0)
        rc = listener_new(relay, &relay->listener, why);
    if (rc == 0)
        rc = loop_signal(loop, SIGHUP, relay_reload, relay);
    if (rc == 0)
        rc = loop_timer_set(&relay->tick, TICK_MS);
    if (rc < 0)
        goto fail;
    sealed_apply(relay);
    relay_greet(relay);
    *out = relay;
    return 0;
fail:
    relay_free(relay);
    return rc;
}

/* Connections end in the loop: it turns until they are gone, or a moment has passed. */
static void relay_hang_up(struct relay *relay) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &relay->peers) {
        ssh_conn_close(list_item(node, struct peer, link)->conn, "the relay is stopping");
    }
}

void relay_free(struct relay *relay) {
    if (!relay)
        return;
    loop_timer_stop(&relay->tick);
    listener_free(relay->listener);
    proofs_stop(relay->proofs);
    door_hang_up(relay->door);
    relay_hang_up(relay);
    loop_drain(relay->loop);
    door_free(relay->door);
    proofs_free(relay->proofs);
    tickets_free(relay->tickets);
    local_server_free(relay->local);
    web_free(relay->web);
    relay->web = NULL;
    certificate_free(relay->certificate);
    ssh_server_free(relay->ssh);
    keypair_free(relay->host_key);
    recorder_free(relay->recorder);
    prices_free(relay->prices);
    watch_free(relay->watch);
    store_close(relay->store);
    map_free(relay->machines);
    if (relay->lock_fd >= 0)
        (void)close(relay->lock_fd);
    if (relay->proc_fd >= 0)
        (void)close(relay->proc_fd);
    free(relay);
}
