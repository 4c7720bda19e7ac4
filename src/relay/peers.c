#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "relay_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"

static const char join_user[] = "join";

/* It is a guest no more. */
static void peer_settle(struct peer *peer) {
    if (peer->settled)
        peer->settled(peer->settled_ctx);
    peer->settled = NULL;
}

void peer_drop(struct peer *peer, const char *message) {
    peer->settled = NULL;
    ssh_conn_close(peer->conn, message);
}

/* Anybody's key may join: what it may do is decided by the token, on one channel, within the guest's 20 s. */
static bool login_join(struct peer *peer, const struct pubkey *key, bool proven) {
    if (!proven)
        return true;
    peer->key = malloc(sizeof *peer->key);
    if (!peer->key)
        return false;
    *peer->key = *key;
    peer->kind = PEER_JOINING;
    ssh_conn_limit_channels(peer->conn, 1);
    (void)str_copy(peer->name, sizeof peer->name, join_user);
    return true;
}

static bool login_user(struct peer *peer, const struct key_owner *owner) {
    if (store_user_subject(peer->relay->store, owner->id, &peer->subject) < 0)
        return false;
    peer->kind = PEER_USER;
    ssh_conn_set_patience(peer->conn, PERSON_IDLE_S, 0);
    return true;
}

static bool login_machine(struct peer *peer) {
    peer->kind = PEER_MACHINE;
    ssh_conn_set_patience(peer->conn, MACHINE_IDLE_S, MACHINE_DEAD_MS);
    return machine_arrive(peer) == 0;
}

/* A machine is known by its key, whatever name it comes by: after `machine rename` that is the old one, until somebody
 * changes it at the machine. */
static bool login_known(const struct key_owner *owner, const char *user) {
    if (owner->disabled)
        return false;
    if (owner->kind == KEY_OWNER_MACHINE)
        return name_check(user, NULL) == 0;
    return owner->kind == KEY_OWNER_USER && strcmp(owner->name, user) == 0;
}

static bool peer_login(void *ctx, struct ssh_conn *conn, const char *user, const struct pubkey *key, bool proven) {
    struct relay *relay = ctx;
    struct peer *peer = ssh_conn_context(conn);
    if (strcmp(user, join_user) == 0)
        return login_join(peer, key, proven);
    struct key_owner owner;
    if (store_key_find(relay->store, key->fingerprint, &owner) < 0)
        return false;
    bool known = login_known(&owner, user);
    if (!known || !proven) {
        relay->counters.logins_refused += !known;
        if (!known && proven)
            relay_audit(relay, ssh_conn_peer(conn), "login", user, "refused", key->fingerprint);
        return known;
    }
    peer->id = owner.id;
    (void)str_copy(peer->name, sizeof peer->name, owner.name);
    (void)str_copy(peer->fingerprint, sizeof peer->fingerprint, key->fingerprint);
    if (!(owner.kind == KEY_OWNER_USER ? login_user(peer, &owner) : login_machine(peer))) {
        peer->kind = PEER_GUEST;
        return false;
    }
    peer_settle(peer);
    relay->counters.logins_accepted++;
    (void)store_key_used(relay->store, key->fingerprint, os_realtime_s());
    relay_audit(relay, peer->name, "login", "", "ok", ssh_conn_peer(conn));
    log_info("%s logged in from %s", peer->name, ssh_conn_peer(conn));
    return true;
}

static int peer_direct(void *ctx, struct ssh_chan *chan, const char *host, uint16_t port, const char *origin,
                       uint16_t origin_port, struct why *why) {
    (void)ctx;
    (void)why;
    struct peer *peer = ssh_conn_context(ssh_chan_conn(chan));
    if (peer->kind != PEER_USER) {
        explain(peer, chan, origin_port, "only people reach machines from here: log in with a user's key");
        return 0;
    }
    return reach_begin(peer, chan, host, port, origin, origin_port);
}

static int peer_session(void *ctx, struct ssh_chan *chan, const struct ssh_session_request *request, struct why *why) {
    (void)ctx;
    struct peer *peer = ssh_conn_context(ssh_chan_conn(chan));
    if (peer->kind == PEER_MACHINE) {
        if (request->subsystem && strcmp(request->subsystem, "sallyport") == 0)
            return link_begin(peer, chan, why);
        why_set(why, "a machine's key is for its tunnels only: log in with a user's key");
        return SP_EDENIED;
    }
    if (request->subsystem) {
        why_set(why, "the relay has no subsystem '%s': files are on the machines (sftp -J ...)", request->subsystem);
        return SP_EDENIED;
    }
    return session_begin(peer, chan, request);
}

static int peer_forward(void *ctx, struct ssh_conn *conn, const char *bind, uint16_t port, struct why *why) {
    (void)ctx;
    struct peer *peer = ssh_conn_context(conn);
    if (peer->kind == PEER_MACHINE)
        return machine_forward(peer, bind, port, why);
    why_set(why, "only machines may offer services here: log in with a machine's key (machine add)");
    return SP_EDENIED;
}

static void peer_unforward(void *ctx, struct ssh_conn *conn, const char *bind, uint16_t port) {
    (void)ctx;
    struct peer *peer = ssh_conn_context(conn);
    if (peer->kind == PEER_MACHINE)
        machine_unforward(peer, bind, port);
}

static void peer_closed(void *ctx, struct ssh_conn *conn, const char *reason) {
    struct relay *relay = ctx;
    struct peer *peer = ssh_conn_context(conn);
    peer_settle(peer);
    if (peer->kind == PEER_MACHINE)
        machine_depart(peer);
    if (peer->kind == PEER_USER || peer->kind == PEER_MACHINE)
        log_info("%s from %s left: %s", peer->name, ssh_conn_peer(conn), reason);
    else
        log_debug("connection from %s over: %s", ssh_conn_peer(conn), reason);
    struct list *node, *tmp;
    list_foreach (node, tmp, &relay->streams) {
        struct reach *reach = list_item(node, struct reach, link);
        if (reach->user == peer)
            reach->user = NULL;
    }
    list_remove(&peer->link);
    policy_subject_fini(&peer->subject);
    free(peer->key);
    free(peer);
}

const struct ssh_server_events peer_events = {
    .login = peer_login,
    .direct = peer_direct,
    .session = peer_session,
    .forward = peer_forward,
    .unforward = peer_unforward,
    .closed = peer_closed,
};

int peer_accept(struct relay *relay, int fd, const char *address, const char *banner, void (*settled)(void *ctx),
                void *settled_ctx, struct peer **out) {
    struct peer *peer = calloc(1, sizeof *peer);
    if (!peer) {
        (void)close(fd);
        return SP_ENOMEM;
    }
    peer->relay = relay;
    peer->settled = settled;
    peer->settled_ctx = settled_ctx;
    int rc = ssh_server_accept(relay->ssh, fd, address, banner, &peer->conn);
    if (rc < 0) {
        free(peer);
        return rc;
    }
    ssh_conn_set_context(peer->conn, peer);
    list_append(&relay->peers, &peer->link);
    *out = peer;
    return 0;
}
