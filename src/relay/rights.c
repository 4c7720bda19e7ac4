#include <string.h>

#include "relay_local.h"
#include "sallyport/base/str.h"
#include "sallyport/relay/web.h"

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
    web_rights_changed(relay->web);
}

void relay_machines_changed(struct relay *relay) {
    /* Not there yet, or not any more, at the ends of the relay's life. */
    if (relay->web)
        web_machines_changed(relay->web);
}

void relay_machine_renamed(void *ctx, int64_t machine_id, const char *name) {
    struct relay *relay = ctx;
    struct machine_live *machine = machine_find(relay, machine_id);
    if (!machine)
        return;
    (void)str_copy(machine->name, sizeof machine->name, name);
    (void)str_copy(machine->peer->name, sizeof machine->peer->name, name);
    relay_machines_changed(relay);
}
