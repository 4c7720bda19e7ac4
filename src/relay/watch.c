#include "watch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/store/machines.h"
#include "watch_local.h"

enum { TIDY_S = 3600 };

static const char *key_of(int64_t id, char to[static 24]) {
    (void)snprintf(to, 24, "%" PRId64, id);
    return to;
}

struct watched *watch_find(const struct watch *watch, int64_t machine_id) {
    char key[24];
    return map_get(watch->machines, key_of(machine_id, key));
}

void watch_changed(struct watch *watch) {
    if (watch->config.changed)
        watch->config.changed(watch->config.ctx);
}

static void watched_free(struct watched *machine) {
    alert_state_fini(&machine->alerts);
    free(machine->claims);
    free(machine->shown_claims);
    free(machine->shown_alerts);
    free(machine);
}

/* The machine, put under watch if it was not yet; NULL: out of memory. */
static struct watched *watch_take(struct watch *watch, int64_t id, const char *name, int64_t left) {
    char key[24];
    struct watched *machine = watch_find(watch, id);
    if (machine)
        return machine;
    machine = calloc(1, sizeof *machine);
    if (!machine)
        return NULL;
    machine->id = machine->home.machine_id = id;
    machine->left = left;
    (void)str_copy(machine->name, sizeof machine->name, name);
    watch_apply_settings(watch, machine);
    if (map_put(watch->machines, key_of(id, key), machine) < 0) {
        watched_free(machine);
        return NULL;
    }
    return machine;
}

static int load_machines(struct watch *watch) {
    struct machine *machines = NULL;
    size_t count = 0;
    int rc = store_machine_list(watch->store, &machines, &count);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (!watch_take(watch, machines[i].id, machines[i].name, machines[i].last_seen))
            rc = SP_ENOMEM;
    }
    free(machines);
    return rc;
}

int watch_new(const struct watch_config *config, struct watch **out, struct why *why) {
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return SP_ENOMEM;
    watch->config = *config;
    watch->store = config->store;
    watch->started = watch->tidied = config->now();
    int rc = map_new(&watch->machines);
    if (rc == 0)
        rc = notify_new(config, &watch->notify, why);
    /* What was borrowed is copied by now, or wanted no more. */
    watch->config.page = watch->config.smtp_url = watch->config.smtp_user = NULL;
    watch->config.smtp_password_file = watch->config.mail_from = NULL;
    if (rc == 0)
        rc = watch_load_settings(watch);
    if (rc == 0)
        rc = load_machines(watch);
    if (rc == 0)
        rc = watch_load_claims(watch);
    if (rc == 0)
        rc = watch_load_alerts(watch);
    if (rc == 0)
        rc = watch_load_homes(watch);
    if (rc < 0) {
        watch_free(watch);
        return rc;
    }
    *out = watch;
    return 0;
}

void watch_free(struct watch *watch) {
    if (!watch)
        return;
    size_t cursor = 0;
    for (struct watched *machine; watch->machines && (machine = map_next(watch->machines, &cursor, NULL));) {
        watch_store_home(watch, machine);
        watched_free(machine);
    }
    notify_free(watch->notify);
    map_free(watch->machines);
    free(watch->settings);
    free(watch);
}

void watch_tick(struct watch *watch) {
    int64_t now = watch->config.now();
    size_t cursor = 0;
    for (struct watched *machine; (machine = map_next(watch->machines, &cursor, NULL));) {
        watch_look_time(watch, machine);
        watch_expire_claims(watch, machine);
        watch_store_home(watch, machine);
    }
    if (now < watch->tidied || now >= watch->tidied + TIDY_S) {
        watch->tidied = now;
        (void)store_alert_tidy(watch->store, now);
    }
}

void watch_arrived(struct watch *watch, int64_t machine_id, const char *name, const char *observed) {
    struct watched *machine = watch ? watch_take(watch, machine_id, name, 0) : NULL;
    if (!machine)
        return;
    struct home home = machine->home;
    machine->online = true;
    (void)str_copy(machine->name, sizeof machine->name, name);
    home.asleep = false;
    (void)str_copy(home.observed, sizeof home.observed, observed);
    watch_note_home(machine, &home);
    watch_look_time(watch, machine);
}

void watch_left(struct watch *watch, int64_t machine_id) {
    struct watched *machine = watch ? watch_find(watch, machine_id) : NULL;
    if (!machine)
        return;
    machine->online = false;
    machine->left = watch->config.now();
    watch_store_home(watch, machine);
    machine->gpu_count = 0;
}

void watch_renamed(struct watch *watch, int64_t machine_id, const char *name) {
    struct watched *machine = watch ? watch_find(watch, machine_id) : NULL;
    if (machine)
        (void)str_copy(machine->name, sizeof machine->name, name);
}

void watch_status(struct watch *watch, int64_t machine_id, const struct status *status) {
    struct watched *machine = watch ? watch_find(watch, machine_id) : NULL;
    if (!machine)
        return;
    struct home home = machine->home;
    home.asleep = strcmp(status->power_state, "sleeping") == 0;
    watch_note_home(machine, &home);
    watch_place_gpus(machine, status, watch->config.now());
    watch_look_status(watch, machine, status);
}

void watch_lan(struct watch *watch, int64_t machine_id, const struct link_lan *lan) {
    struct watched *machine = watch ? watch_find(watch, machine_id) : NULL;
    if (!machine)
        return;
    struct home home = machine->home;
    home.lan = *lan;
    watch_note_home(machine, &home);
}

static bool is_listed(const struct machine *machines, size_t count, int64_t id) {
    for (size_t i = 0; i < count; i++) {
        if (machines[i].id == id)
            return true;
    }
    return false;
}

/* The first that is not listed any more; NULL: all are. */
static struct watched *find_removed(const struct watch *watch, const struct machine *machines, size_t count) {
    size_t cursor = 0;
    struct watched *machine;
    while ((machine = map_next(watch->machines, &cursor, NULL)) && is_listed(machines, count, machine->id)) {
    }
    return machine;
}

void watch_rights_changed(struct watch *watch) {
    struct machine *machines = NULL;
    size_t count = 0;
    if (!watch || store_machine_list(watch->store, &machines, &count) < 0)
        return;
    for (struct watched *gone; (gone = find_removed(watch, machines, count));) {
        char key[24];
        (void)map_remove(watch->machines, key_of(gone->id, key));
        watched_free(gone);
    }
    for (size_t i = 0; i < count; i++)
        watch_renamed(watch, machines[i].id, machines[i].name);
    free(machines);
    (void)watch_load_claims(watch);
    (void)watch_load_settings(watch);
    watch_changed(watch);
}

static void show_claims(struct watched *machine, struct machine_view *out) {
    struct view_claim *shown = reallocarray(machine->shown_claims, machine->claim_count + 1, sizeof *shown);
    if (!shown)
        return;
    machine->shown_claims = shown;
    out->claims = shown;
    for (size_t i = 0; i < machine->claim_count; i++) {
        const struct claim *claim = &machine->claims[i];
        if (claim->gpu >= 0)
            shown[out->claim_count++] =
                (struct view_claim){claim->gpu, claim->user, claim->since, claim->until, claim->note};
    }
}

static void show_alerts(struct watched *machine, struct machine_view *out) {
    struct view_alert *shown = reallocarray(machine->shown_alerts, machine->alerts.count + 1, sizeof *shown);
    const struct alert *alert;
    size_t cursor = 0;
    if (!shown)
        return;
    machine->shown_alerts = shown;
    out->alerts = shown;
    while ((alert = alert_state_next(&machine->alerts, &cursor)))
        shown[out->alert_count++] =
            (struct view_alert){alert_kind_name(alert->kind), alert->object, alert->since, alert->text};
}

void watch_view(struct watch *watch, int64_t machine_id, struct machine_view *out) {
    struct watched *machine = watch ? watch_find(watch, machine_id) : NULL;
    if (!machine)
        return;
    out->claim_count = out->alert_count = 0;
    show_claims(machine, out);
    show_alerts(machine, out);
    out->asleep = !machine->online && machine->home.asleep;
}

int watch_check_channel(const struct watch *watch, enum channel_kind kind, struct why *why) {
    return notify_check(watch->notify, kind, why);
}

int watch_test_channel(struct watch *watch, int64_t channel_id, struct why *why) {
    return notify_test(watch->notify, channel_id, why);
}
