#include <stdlib.h>
#include <string.h>

#include "recorder.h"
#include "relay_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/str.h"
#include "sallyport/relay/web.h"
#include "watch.h"

/* Does the key that this connection logged in with still belong to the same owner? */
static bool key_is_good(struct peer *peer) {
    struct key_owner owner;
    if (store_key_find(peer->relay->store, peer->fingerprint, &owner) < 0)
        return true; /* the disk, not the key */
    enum key_owner_kind wanted = peer->kind == PEER_USER ? KEY_OWNER_USER : KEY_OWNER_MACHINE;
    return owner.kind == wanted && owner.id == peer->id && !owner.disabled;
}

void relay_rights_changed(void *ctx) {
    struct relay *relay = ctx;
    struct list *node, *tmp;
    list_foreach (node, tmp, &relay->peers) {
        struct peer *peer = list_item(node, struct peer, link);
        if (peer->kind != PEER_USER && peer->kind != PEER_MACHINE)
            continue;
        if (!key_is_good(peer)) {
            ssh_conn_close(peer->conn, "your key was removed or your account disabled");
            continue;
        }
        if (peer->kind != PEER_USER)
            continue;
        struct policy_subject subject = {0};
        if (store_user_subject(relay->store, peer->id, &subject) < 0)
            continue;
        policy_subject_fini(&peer->subject);
        peer->subject = subject;
    }
    reach_check_rights(relay);
    spliced_check_rights(relay->door);
    web_rights_changed(relay->web);
    recorder_machines_changed(relay->recorder);
    watch_rights_changed(relay->watch);
}

/* Streams to a machine's own door are not seen here: its agent ends those that have lost their right. */
static void tell_loss(struct relay *relay, struct machine_live *live, const struct loss *loss) {
    struct policy_subject subject = {0};
    bool any = false;
    if (store_user_subject(relay->store, loss->user_id, &subject) < 0)
        subject.kind = SUBJECT_NOBODY;
    for (size_t i = 0; i < live->forward_count; i++) {
        struct policy_request go = {
            .action = ACTION_REACH_SERVICE, .machine_id = live->id, .service = live->forwards[i].name};
        any |= policy_allows(&subject, &go);
    }
    if (loss->all || !any)
        link_tell_end(live, loss->user, "");
    for (size_t i = 0; !loss->all && any && i < live->forward_count; i++) {
        struct policy_request go = {
            .action = ACTION_REACH_SERVICE, .machine_id = live->id, .service = live->forwards[i].name};
        if (live->forwards[i].kind == SERVICE_SSH && !policy_allows(&subject, &go))
            link_tell_end(live, loss->user, live->forwards[i].name);
    }
    policy_subject_fini(&subject);
}

void relay_user_lost(void *ctx, int64_t user_id, const char *name, bool all) {
    struct relay *relay = ctx;
    struct loss *loss = &relay->losses[relay->loss_next];
    size_t cursor = 0;
    relay->loss_next = (relay->loss_next + 1) % LOSSES_MAX;
    *loss = (struct loss){.when = os_realtime_s(), .user_id = user_id, .all = all};
    (void)str_copy(loss->user, sizeof loss->user, name);
    if (all)
        spliced_end_user(relay->door, user_id);
    for (struct machine_live *live; (live = map_next(relay->machines, &cursor, NULL));)
        tell_loss(relay, live, loss);
}

bool relay_was_lost(const struct relay *relay, int64_t user_id, int64_t made) {
    for (size_t i = 0; i < LOSSES_MAX; i++) {
        const struct loss *loss = &relay->losses[i];
        if (loss->all && loss->user_id == user_id && loss->when >= made)
            return true;
    }
    return false;
}

/* More was lost than is remembered: streams of all users end, and those who may come again will. */
static void tell_all_losses(struct relay *relay, struct machine_live *live) {
    struct user *users = NULL;
    size_t count = 0;
    if (store_user_list(relay->store, &users, &count) < 0)
        return;
    for (size_t i = 0; i < count; i++)
        link_tell_end(live, users[i].name, "");
    free(users);
}

/* What was lost before this relay was started is not remembered: those who may not even see the machine now have no
 * business there, whether they ever had any or not. */
static void tell_strangers(struct relay *relay, struct machine_live *live) {
    struct policy_request see = {.action = ACTION_SEE_MACHINE, .machine_id = live->id};
    struct user *users = NULL;
    size_t count = 0;
    if (store_user_list(relay->store, &users, &count) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        struct policy_subject subject = {0};
        if (store_user_subject(relay->store, users[i].id, &subject) == 0 && !policy_allows(&subject, &see))
            link_tell_end(live, users[i].name, "");
        policy_subject_fini(&subject);
    }
    free(users);
}

void relay_tell_losses(struct relay *relay, struct machine_live *live) {
    if (live->last_seen <= relay->began)
        tell_strangers(relay, live);
    const struct loss *oldest = &relay->losses[relay->loss_next];
    if (oldest->when && oldest->when >= live->last_seen)
        tell_all_losses(relay, live);
    for (size_t i = 0; i < LOSSES_MAX; i++) {
        const struct loss *loss = &relay->losses[(relay->loss_next + i) % LOSSES_MAX];
        if (loss->when && loss->when >= live->last_seen)
            tell_loss(relay, live, loss);
    }
}

void relay_service_withdrawn(struct relay *relay, int64_t machine_id) {
    reach_check_rights(relay);
    if (relay->web)
        web_service_withdrawn(relay->web, machine_id);
}

void relay_machines_changed(struct relay *relay) {
    /* Not there yet, or not any more, at the ends of the relay's life. */
    if (relay->web)
        web_machines_changed(relay->web);
}

void relay_machine_renamed(void *ctx, int64_t machine_id, const char *name) {
    struct relay *relay = ctx;
    struct machine_live *machine = machine_find(relay, machine_id);
    watch_renamed(relay->watch, machine_id, name);
    if (!machine)
        return;
    (void)str_copy(machine->name, sizeof machine->name, name);
    (void)str_copy(machine->peer->name, sizeof machine->peer->name, name);
    link_tell_name(machine);
    relay_machines_changed(relay);
}
