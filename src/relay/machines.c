#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay_local.h"
#include "sallyport/base/os.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"

static const char *machine_key(int64_t id, char to[static 24]) {
    (void)snprintf(to, 24, "%" PRId64, id);
    return to;
}

struct machine_live *machine_find(const struct relay *relay, int64_t id) {
    char key[24];
    return map_get(relay->machines, machine_key(id, key));
}

static void machine_free(struct machine_live *machine) {
    status_fini(&machine->status);
    service_free_list(machine->forwards, machine->forward_count);
    service_free_list(machine->described, machine->described_count);
    free(machine);
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
    status_init(&machine->status);
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
        machine_free(old);
    }
    peer->machine = machine;
    (void)store_machine_seen(relay->store, &machine->id, 1, machine->since);
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
        log_info("%s offers %s on port %u no more", machine->name, bind, port);
        relay_machines_changed(peer->relay);
        return;
    }
}

void machine_set_described(struct machine_live *machine, struct service *list, size_t count) {
    service_free_list(machine->described, machine->described_count);
    machine->described = list;
    machine->described_count = count;
    for (size_t i = 0; i < machine->forward_count; i++)
        machine_describe(machine, &machine->forwards[i]);
}

int machine_view(void *ctx, int64_t machine_id, struct machine_view *out) {
    const struct machine_live *machine = machine_find(ctx, machine_id);
    if (!machine)
        return SP_ENOENT;
    out->online = true;
    out->since = machine->since;
    out->route = ROUTE_RELAYED;
    out->version = machine->version;
    out->services = machine->forwards;
    out->service_count = machine->forward_count;
    out->status = machine->has_status ? &machine->status : NULL;
    return 0;
}
