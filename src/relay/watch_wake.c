/* Machines that sleep, and how a sibling wakes them. */
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/candidate.h"
#include "watch_local.h"

int watch_load_homes(struct watch *watch) {
    struct home *homes = NULL;
    size_t count = 0;
    int rc = store_home_list(watch->store, &homes, &count);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct watched *machine = watch_find(watch, homes[i].machine_id);
        if (machine)
            machine->home = homes[i];
    }
    free(homes);
    return rc;
}

static bool is_same(const struct home *a, const struct home *b) {
    if (a->asleep != b->asleep || strcmp(a->observed, b->observed) != 0 || a->lan.count != b->lan.count)
        return false;
    for (size_t i = 0; i < a->lan.count; i++) {
        if (strcmp(a->lan.list[i].mac, b->lan.list[i].mac) != 0 ||
            strcmp(a->lan.list[i].network, b->lan.list[i].network) != 0)
            return false;
    }
    return true;
}

void watch_note_home(struct watched *machine, const struct home *home) {
    machine->home_dirty |= !is_same(&machine->home, home);
    machine->home = *home;
}

void watch_store_home(struct watch *watch, struct watched *machine) {
    if (machine->home_dirty)
        (void)store_home_put(watch->store, &machine->home); /* the store has logged a failure */
    machine->home_dirty = false;
}

/* Both are in it. */
static bool shares_network(const struct watched *machine, const struct link_network *network) {
    for (size_t i = 0; i < machine->home.lan.count; i++) {
        if (strcmp(machine->home.lan.list[i].network, network->network) == 0)
            return true;
    }
    return false;
}

/* Home networks have the same few numbers everywhere: it must also be seen at the same address. */
static bool is_sibling(const struct watched *one, const struct watched *machine) {
    return one->online && one != machine && candidate_same_network(one->home.observed, machine->home.observed);
}

/* Has `sibling` send a packet into each network that it shares. 0 when one went. */
static int send_through(struct watch *watch, const struct watched *sibling, const struct watched *machine) {
    int rc = SP_ENOENT;
    for (size_t i = 0; i < machine->home.lan.count; i++) {
        const struct link_network *network = &machine->home.lan.list[i];
        if (shares_network(sibling, network) && watch->config.wake(watch->config.ctx, sibling->id, network) == 0)
            rc = 0;
    }
    return rc;
}

int watch_wake(struct watch *watch, int64_t machine_id, char through[static SP_NAME_SIZE], struct why *why) {
    const struct watched *machine = watch_find(watch, machine_id), *other;
    size_t cursor = 0;
    if (!machine || machine->home.lan.count == 0) {
        why_set(why, "%s cannot be woken: its networks are not known, which its agent tells while it is online",
                machine ? machine->name : "it");
        return SP_ENOENT;
    }
    if (machine->online) {
        why_set(why, "%s is online already", machine->name);
        return SP_EEXIST;
    }
    while ((other = map_next(watch->machines, &cursor, NULL))) {
        if (is_sibling(other, machine) && send_through(watch, other, machine) == 0)
            return str_copy(through, SP_NAME_SIZE, other->name);
    }
    why_set(why, "%s cannot be woken: no other machine is online in its network", machine->name);
    return SP_ENOENT;
}
