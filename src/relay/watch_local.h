/* What the files of the watch share: a machine under watch, and the watch itself. */
#ifndef SALLYPORT_RELAY_WATCH_LOCAL_H
#define SALLYPORT_RELAY_WATCH_LOCAL_H

#include "notify.h"
#include "sallyport/base/map.h"
#include "sallyport/store/alerts.h"
#include "sallyport/store/homes.h"
#include "sallyport/store/store.h"
#include "watch.h"

enum { WATCH_GRACE_S = 300 }; /* machines have so long to come back after the relay has started */

/* A GPU as its machine told it last. */
struct watched_gpu {
    char id[64];
    int64_t index;
    int64_t idle_since; /* UTC seconds; 0: it is in use */
};

struct watched {
    int64_t id;
    char name[SP_NAME_SIZE];
    bool online;
    int64_t left; /* UTC seconds; 0: it was never there */
    struct home home;
    bool home_dirty; /* it is not stored yet as it is now */
    struct watched_gpu gpus[STATUS_GPUS_MAX];
    size_t gpu_count;
    struct claim *claims; /* owned, at most CLAIMS_MAX */
    size_t claim_count;
    struct alert_state alerts;
    struct alert_settings settings;
    struct view_claim *shown_claims; /* what views borrow; owned */
    struct view_alert *shown_alerts;
};

struct watch {
    struct watch_config config;
    struct store *store;
    struct notify *notify;
    struct map *machines; /* id in decimal -> struct watched, owned */
    struct setting_row *settings;
    size_t setting_count;
    int64_t started, tidied; /* UTC seconds */
};

/* watch.c */
struct watched *watch_find(const struct watch *watch, int64_t machine_id);
void watch_changed(struct watch *watch);

/* watch_claims.c: all claims as they are stored, anew. 0, SP_ENOMEM, SP_ESYS. */
int watch_load_claims(struct watch *watch);
/* The status has come: where the GPUs are now, and since when nobody uses them. */
void watch_place_gpus(struct watched *machine, const struct status *status, int64_t now);
/* Claims whose time is over. */
void watch_expire_claims(struct watch *watch, struct watched *machine);

/* watch_alerts.c */
int watch_load_settings(struct watch *watch);
int watch_load_alerts(struct watch *watch);
void watch_apply_settings(const struct watch *watch, struct watched *machine);
void watch_look_status(struct watch *watch, struct watched *machine, const struct status *status);
void watch_look_time(struct watch *watch, struct watched *machine);

/* watch_wake.c */
int watch_load_homes(struct watch *watch);
/* Kept in memory at once, and stored by watch_store_home: a machine may say something else with every message. */
void watch_note_home(struct watched *machine, const struct home *home);
void watch_store_home(struct watch *watch, struct watched *machine);

#endif
