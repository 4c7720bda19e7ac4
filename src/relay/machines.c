#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/wire/fingerprint.h"
#include "sallyport/wire/pubkey.h"
#include "watch.h"

enum { CLOCK_OFF_S = 60 };

static const char *machine_key(int64_t id, char to[static 24]) {
    (void)snprintf(to, 24, "%" PRId64, id);
    return to;
}

struct machine_live *machine_find(const struct relay *relay, int64_t id) {
    char key[24];
    return map_get(relay->machines, machine_key(id, key));
}

static void machine_free(struct machine_live *machine) {
    machine_set_host_keys(machine, NULL, 0);
    secret_wipe(machine->reach.knock, sizeof machine->reach.knock);
    status_fini(&machine->status);
    service_free_list(machine->forwards, machine->forward_count);
    service_free_list(machine->described, machine->described_count);
    service_free_list(machine->shown, machine->shown_count);
    free(machine);
}

/* What was stored and is known of it before anything is said. */
static void machine_know(struct relay *relay, struct machine_live *machine, const struct peer *peer) {
    struct machine stored;
    (void)fingerprint_bytes(peer->fingerprint, machine->print);
    if (store_machine_get(relay->store, machine->id, &stored) == 0)
        machine->last_seen = stored.last_seen;
}

int machine_arrive(struct peer *peer) {
    struct relay *relay = peer->relay;
    char key[24];
    struct machine_live *machine = calloc(1, sizeof *machine);
    if (!machine)
        return SP_ENOMEM;
    machine->id = peer->id;
    machine->peer = peer;
    machine->since = os_realtime_s();
    (void)str_copy(machine->name, sizeof machine->name, peer->name);
    (void)str_copy(machine->observed, sizeof machine->observed, ssh_conn_peer(peer->conn));
    status_init(&machine->status);
    machine_know(relay, machine, peer);
    struct machine_live *old = machine_find(relay, peer->id);
    int rc = map_put(relay->machines, machine_key(peer->id, key), machine);
    if (rc < 0) {
        machine_free(machine);
        return rc;
    }
    if (old) {
        /* The defect of this class: a machine that lost its network comes back while its dead session still holds its
         * name. The newer one is right, always. */
        log_info("%s is back from %s: its connection from %s is dropped", machine->name, ssh_conn_peer(peer->conn),
                 ssh_conn_peer(old->peer->conn));
        old->peer->machine = NULL;
        ssh_conn_close(old->peer->conn, "replaced by a newer connection of this machine");
        door_machine_gone(relay->door, old->id);
        machine_free(old);
    }
    peer->machine = machine;
    (void)store_machine_seen(relay->store, &machine->id, 1, machine->since);
    watch_arrived(relay->watch, machine->id, machine->name, machine->observed);
    relay_machines_changed(relay);
    return 0;
}

void machine_depart(struct peer *peer) {
    struct machine_live *machine = peer->machine;
    if (!machine)
        return;
    char key[24];
    (void)map_remove(peer->relay->machines, machine_key(machine->id, key));
    (void)store_machine_seen(peer->relay->store, &machine->id, 1, os_realtime_s());
    relay_audit(peer->relay, machine->name, "offline", "", "ok", "");
    door_machine_gone(peer->relay->door, machine->id);
    watch_left(peer->relay->watch, machine->id);
    machine_free(machine);
    peer->machine = NULL;
    relay_machines_changed(peer->relay);
}

/* What the link said of a forward; else what the name alone says. */
static void machine_describe(const struct machine_live *machine, struct service *forward) {
    const struct service *said = service_find(machine->described, machine->described_count, forward->name);
    struct service now = {.port = forward->port, .kind = service_kind_of_name(forward->name), .up = true};
    (void)str_copy(now.name, sizeof now.name, forward->name);
    *forward = said ? *said : now;
    forward->port = now.port;
}

/* What the link names, but no stream leads to: what was found, and what is down because something else listens there. */
static bool machine_only_names(const struct machine_live *machine, const struct service *said) {
    return (said->found || (said->changeable && !said->up)) &&
           !service_find(machine->forwards, machine->forward_count, said->name);
}

/* Makes the list that is shown anew. Out of memory, only the forwards are. */
static void machine_show(struct machine_live *machine) {
    size_t count = machine->forward_count;
    service_free_list(machine->shown, machine->shown_count);
    machine->shown_count = 0;
    machine->shown = calloc(count + machine->described_count + 1, sizeof *machine->shown);
    if (!machine->shown)
        return;
    if (count)
        memcpy(machine->shown, machine->forwards, count * sizeof *machine->shown);
    for (size_t i = 0; i < machine->described_count && count < SERVICES_MAX; i++) {
        if (machine_only_names(machine, &machine->described[i]))
            machine->shown[count++] = machine->described[i];
    }
    machine->shown_count = count;
}

/* Grown by hand: realloc would leave the tokens behind where the old list was. */
static int machine_grow(struct machine_live *machine) {
    struct service *grown = calloc(machine->forward_count + 1, sizeof *grown);
    if (!grown)
        return SP_ENOMEM;
    if (machine->forward_count)
        memcpy(grown, machine->forwards, machine->forward_count * sizeof *grown);
    service_free_list(machine->forwards, machine->forward_count);
    machine->forwards = grown;
    machine->forward_count++;
    return 0;
}

int machine_forward(struct peer *peer, const char *bind, uint16_t port, struct why *why) {
    struct machine_live *machine = peer->machine;
    if (!machine)
        return SP_ECLOSED;
    int rc = service_name_check(bind, why);
    if (rc < 0)
        return rc;
    if (port == 0) {
        why_set(why, "a service needs a port: -R %s:PORT:localhost:PORT", bind);
        return SP_EINVAL;
    }
    size_t i = 0;
    while (i < machine->forward_count && strcmp(machine->forwards[i].name, bind) != 0)
        i++;
    if (i == SERVICES_MAX) {
        why_set(why, "too many services: at most %d a machine", SERVICES_MAX);
        return SP_ETOOBIG;
    }
    if (i == machine->forward_count) {
        rc = machine_grow(machine);
        if (rc < 0)
            return rc;
    }
    memset(&machine->forwards[i], 0, sizeof machine->forwards[i]);
    (void)str_copy(machine->forwards[i].name, sizeof machine->forwards[i].name, bind);
    machine->forwards[i].port = port;
    machine_describe(machine, &machine->forwards[i]);
    machine_show(machine);
    log_info("%s offers %s on port %u", machine->name, bind, port);
    relay_machines_changed(peer->relay);
    return 0;
}

void machine_unforward(struct peer *peer, const char *bind, uint16_t port) {
    struct machine_live *machine = peer->machine;
    if (!machine)
        return;
    for (size_t i = 0; i < machine->forward_count; i++) {
        if (strcmp(machine->forwards[i].name, bind) != 0 || machine->forwards[i].port != port)
            continue;
        machine->forward_count--;
        memmove(&machine->forwards[i], &machine->forwards[i + 1],
                (machine->forward_count - i) * sizeof machine->forwards[0]);
        secret_wipe(&machine->forwards[machine->forward_count], sizeof machine->forwards[0]);
        machine_show(machine);
        log_info("%s offers %s on port %u no more", machine->name, bind, port);
        relay_machines_changed(peer->relay);
        return;
    }
}

bool machine_set_described(struct machine_live *machine, struct service *list, size_t count) {
    bool withdrawn = false;
    for (size_t i = 0; i < count; i++) {
        const struct service *before = service_find(machine->described, machine->described_count, list[i].name);
        withdrawn = withdrawn || (list[i].found && before && !before->found);
    }
    service_free_list(machine->described, machine->described_count);
    machine->described = list;
    machine->described_count = count;
    for (size_t i = 0; i < machine->forward_count; i++)
        machine_describe(machine, &machine->forwards[i]);
    machine_show(machine);
    return withdrawn;
}

bool machine_only_found(const struct machine_live *machine, const char *service) {
    const struct service *shown = service_find(machine->shown, machine->shown_count, service);
    return shown && shown->found;
}

/* Only what is a key, and of it only type and blob: clients take these lines for files of known hosts. */
static void machine_clean_host_keys(char **keys, size_t *count) {
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        struct pubkey key;
        int n = pubkey_parse(keys[i], &key, NULL) < 0
                    ? -1
                    : snprintf(keys[i], strlen(keys[i]) + 1, "%s %s", key.type, key.base64);
        if (n > 0)
            keys[kept++] = keys[i];
        else
            free(keys[i]);
    }
    *count = kept;
}

void machine_set_host_keys(struct machine_live *machine, char **keys, size_t count) {
    machine_clean_host_keys(keys, &count);
    for (size_t i = 0; i < machine->host_key_count; i++)
        free(machine->host_keys[i]);
    free(machine->host_keys);
    machine->host_keys = keys;
    machine->host_key_count = count;
}

void machine_set_clock(struct machine_live *machine, int64_t time) {
    char off[32];
    int64_t now = os_realtime_s();
    machine->has_clock = time > 0;
    machine->clock_offset_s = machine->has_clock ? time - now : 0;
    int64_t amount = machine->clock_offset_s < 0 ? -machine->clock_offset_s : machine->clock_offset_s;
    str_ago(off, sizeof off, (uint64_t)amount);
    if (amount > CLOCK_OFF_S)
        log_warn("the clock of %s is %s %s ours: set one of them right (timedatectl)", machine->name, off,
                 machine->clock_offset_s < 0 ? "behind" : "ahead of");
}

int machine_view(void *ctx, int64_t machine_id, struct machine_view *out) {
    const struct relay *relay = ctx;
    const struct machine_live *machine = machine_find(relay, machine_id);
    watch_view(relay->watch, machine_id, out);
    if (!machine)
        return SP_ENOENT;
    out->online = true;
    out->since = machine->since;
    out->route = ROUTE_RELAYED;
    out->version = machine->version;
    out->services = machine->shown ? machine->shown : machine->forwards;
    out->service_count = machine->shown ? machine->shown_count : machine->forward_count;
    out->status = machine->has_status ? &machine->status : NULL;
    out->has_reach = machine->has_reach;
    out->reach = (struct view_reach){.candidates = machine->reach.list,
                                     .count = machine->reach.count,
                                     .trouble = machine->reach.trouble,
                                     .can_fetch = machine->reach.can_fetch};
    out->host_keys = machine->host_keys;
    out->host_key_count = machine->host_key_count;
    out->has_clock = machine->has_clock;
    out->clock_offset_s = machine->clock_offset_s;
    return 0;
}
