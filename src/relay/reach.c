#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "relay_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

static void reach_free(struct reach *reach) {
    list_remove(&reach->link);
    free(reach);
}

static void reach_done(void *ctx) {
    struct reach *reach = ctx;
    uint64_t to_machine, from_machine;
    bridge_count(reach->bridge, &to_machine, &from_machine);
    reach->relay->counters.to_machines_bytes += to_machine;
    reach->relay->counters.from_machines_bytes += from_machine;
    reach_free(reach);
}

/* The name as people may write it in an SSH configuration: any case, with the dot of a full domain name. */
static int host_name(const char *host, char to[static SP_NAME_SIZE]) {
    size_t len = strlen(host);
    if (len && host[len - 1] == '.')
        len--;
    if (!len || len >= SP_NAME_SIZE)
        return SP_ENOENT;
    for (size_t i = 0; i < len; i++)
        to[i] = (char)tolower((unsigned char)host[i]);
    to[len] = '\0';
    return 0;
}

static void say_unknown(const char *host, struct why *why) {
    char shown[64] = "";
    bool clean = strlen(host) < sizeof shown && str_is_clean(host, strlen(host));
    if (clean)
        (void)str_copy(shown, sizeof shown, host);
    why_set(why, "there is no machine '%s' that you may reach: `ssh RELAY list` shows yours", clean ? shown : "...");
}

int reach_find_machine(struct relay *relay, const struct policy_subject *subject, const char *host, struct machine *out,
                       struct why *why) {
    char name[SP_NAME_SIZE];
    struct machine machine;
    if (host_name(host, name) == 0 && store_machine_find(relay->store, name, &machine) == 0) {
        struct policy_request see = {.action = ACTION_SEE_MACHINE, .machine_id = machine.id};
        if (policy_allows(subject, &see)) {
            *out = machine;
            return 0;
        }
    }
    say_unknown(host, why);
    return SP_ENOENT;
}

bool reach_say_named(const struct machine_live *live, const struct policy_subject *subject, const char *name,
                     uint16_t port, struct why *why) {
    const struct service *service = name ? service_find(live->shown, live->shown_count, name)
                                         : service_for_port(live->shown, live->shown_count, port);
    if (!service)
        return false;
    /* What was only found is nobody's: it is named to those who may log in there. */
    struct policy_request go = {
        .action = ACTION_REACH_SERVICE, .machine_id = live->id, .service = service->found ? "ssh" : service->name};
    if (!policy_allows(subject, &go))
        return false;
    if (service->found)
        why_set(why, "%s has found %s on port %u, but it is not published: an admin can do that (publish %s %s)",
                live->name, service->name, service->port, live->name, service->name);
    else
        why_set(why, "the service %s of %s is down at the moment", service->name, live->name);
    return true;
}

/* The service at that port, if it is there and this user may reach it. What he may not reach does not exist. */
static const struct service *find_service(struct peer *peer, const struct machine_live *live, uint16_t port,
                                          struct why *why) {
    const struct service *service = service_for_port(live->forwards, live->forward_count, port);
    if (service) {
        struct policy_request go = {.action = ACTION_REACH_SERVICE, .machine_id = live->id, .service = service->name};
        if (!policy_allows(&peer->subject, &go))
            service = NULL;
    }
    if (service && service->up)
        return service;
    if (service && !service->found)
        why_set(why, "the service %s of %s is down at the moment", service->name, live->name);
    else if (!reach_say_named(live, &peer->subject, NULL, port, why))
        why_set(why, "%s publishes nothing on port %u that you may reach: `ssh RELAY status %s` shows what it has",
                live->name, port, live->name);
    return NULL;
}

/* May this stream be? Rights can end while it is being opened, and while it runs. */
static bool reach_is_allowed(const struct reach *reach) {
    struct policy_request go = {
        .action = ACTION_REACH_SERVICE, .machine_id = reach->machine_id, .service = reach->service};
    const struct machine_live *live = machine_find(reach->relay, reach->machine_id);
    return reach->user && policy_allows(&reach->user->subject, &go) &&
           !(live && machine_only_found(live, reach->service));
}

/* Joins the two ends; false when that may not or cannot be: the machine's end is given up then. */
static bool reach_join(struct reach *reach, struct stream *to) {
    if (reach_is_allowed(reach) &&
        bridge_new(reach->relay->loop, reach->from, to, reach_done, reach, &reach->bridge) == 0)
        return true;
    to->ops->close(to);
    return false;
}

static void reach_opened(void *ctx, struct ssh_chan *chan, int rc) {
    struct reach *reach = ctx;
    if (rc == 0 && reach_join(reach, ssh_chan_stream(chan)))
        return;
    struct why why;
    why_set(&why, "%s on the machine does not answer", reach->service);
    if (reach->user)
        explain(reach->user, reach->from_chan, reach->origin_port, why.text);
    else
        reach->from->ops->close(reach->from);
    reach_free(reach);
}

static int reach_open(struct peer *peer, struct ssh_chan *chan, const struct machine_live *live,
                      const struct service *service, const char *origin, uint16_t origin_port) {
    struct reach *reach = calloc(1, sizeof *reach);
    if (!reach)
        return SP_ENOMEM;
    list_init(&reach->link);
    reach->relay = peer->relay;
    reach->user = peer;
    reach->user_id = peer->id;
    reach->machine_id = live->id;
    (void)str_copy(reach->user_name, sizeof reach->user_name, peer->name);
    (void)str_copy(reach->service, sizeof reach->service, service->name);
    reach->from = ssh_chan_stream(chan);
    reach->from_chan = chan;
    reach->origin_port = origin_port;
    struct ssh_chan *unused;
    int rc = ssh_conn_open_forwarded(live->peer->conn, service->name, service->port, origin, origin_port, reach_opened,
                                     reach, &unused);
    if (rc < 0) {
        free(reach);
        return rc;
    }
    list_append(&peer->relay->streams, &reach->link);
    return 0;
}

int reach_begin(struct peer *peer, struct ssh_chan *chan, const char *host, uint16_t port, const char *origin,
                uint16_t origin_port) {
    struct relay *relay = peer->relay;
    struct machine machine;
    struct why why = {""};
    const struct machine_live *live = NULL;
    const struct service *service = NULL;
    if (reach_find_machine(relay, &peer->subject, host, &machine, &why) == 0) {
        live = machine_find(relay, machine.id);
        if (!live)
            machine_say_offline(&machine, os_realtime_s(), &why);
        else
            service = find_service(peer, live, port, &why);
    }
    char object[SP_NAME_SIZE * 2 + 8];
    (void)snprintf(object, sizeof object, "%.31s/%.31s", live ? live->name : host, service ? service->name : "?");
    if (service) {
        int rc = reach_open(peer, chan, live, service, origin, origin_port);
        if (rc == 0) {
            relay->counters.streams_opened++;
            relay_audit(relay, peer->name, "reach", object, "ok", ssh_conn_peer(peer->conn));
            return 0;
        }
        why_set(&why, "%s cannot take another stream now: %s", live->name, err_text(rc));
    }
    relay->counters.streams_refused++;
    relay_audit(relay, peer->name, "reach", object, "refused", why.text);
    log_info("%s was refused %s: %s", peer->name, object, why.text);
    explain(peer, chan, origin_port, why.text);
    return 0;
}

void reach_check_rights(struct relay *relay) {
    struct list *node, *tmp;
    list_foreach (node, tmp, &relay->streams) {
        struct reach *reach = list_item(node, struct reach, link);
        if (!reach->bridge || reach_is_allowed(reach))
            continue;
        log_info("%s may not reach %s any more: the stream is ended", reach->user_name, reach->service);
        bridge_close(reach->bridge);
    }
}
