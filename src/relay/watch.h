/* Watches over the machines, those that are there and those that are not: claims, alerts and the messages about them,
 * and how a machine is woken. */
#ifndef SALLYPORT_RELAY_WATCH_H
#define SALLYPORT_RELAY_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sallyport/domain/alert.h"
#include "sallyport/domain/channel.h"
#include "sallyport/domain/link.h"
#include "sallyport/domain/view.h"

struct json_t;
struct loop;
struct store;
struct watch;

struct watch_config {
    struct loop *loop;
    struct store *store;
    int64_t (*now)(void); /* UTC seconds */
    const char *page;     /* where people find the relay's page: "https://relay.example:2222". Copied. */
    /* For mail; NULL: there is none. Copied. `smtp_password_file` may be NULL. */
    const char *smtp_url, *smtp_user, *smtp_password_file, *mail_from;
    /* What people see of machines has changed. May be NULL. */
    void (*changed)(void *ctx);
    /* Has that machine send a packet. 0, SP_ECLOSED, SP_EBUSY. */
    int (*wake)(void *ctx, int64_t machine_id, const struct link_network *network);
    void *ctx;
};

/* Reads what is stored. 0, SP_ENOMEM, SP_ESYS, SP_EINVAL (the options of mail, with why). watch_free takes NULL. */
int watch_new(const struct watch_config *config, struct watch **out, struct why *why);
void watch_free(struct watch *watch);
/* What time alone changes: every few seconds. */
void watch_tick(struct watch *watch);

/* What becomes of the machines; `watch` may be NULL: then nothing. `observed`: the address it is seen at. */
void watch_arrived(struct watch *watch, int64_t machine_id, const char *name, const char *observed);
void watch_left(struct watch *watch, int64_t machine_id);
void watch_renamed(struct watch *watch, int64_t machine_id, const char *name);
void watch_status(struct watch *watch, int64_t machine_id, const struct status *status);
void watch_lan(struct watch *watch, int64_t machine_id, const struct link_lan *lan);
/* Users, machines or grants have changed. */
void watch_rights_changed(struct watch *watch);

/* Adds claims, alerts and sleep to a view of a machine, with its status if it has one; borrowed until control returns to
 * the loop. */
void watch_view(struct watch *watch, int64_t machine_id, struct machine_view *out);
/* Since when nobody uses that GPU, UTC seconds; 0: it is in use, or not known. */
int64_t watch_idle_since(const struct watch *watch, int64_t machine_id, const char *gpu_id);
/* A new jansson array (the caller's) of the GPUs that nobody has claimed and nobody uses among these machines, as `list
 * --free --json` has it; NULL: out of memory. */
struct json_t *watch_free_gpus(const struct watch *watch, const struct machine_view *views, size_t count);

/* Takes a GPU, or goes on with it. SP_ENOENT: no such GPU; SP_EBUSY: somebody else has it; SP_EDENIED: no ssh there;
 * SP_EINVAL: time or note; all with why. The claim is the watch's. */
struct watch_order {
    int64_t machine_id, gpu;
    const struct policy_subject *who;
    const char *user; /* his name */
    uint64_t for_s;
    const char *note; /* NULL: as it was, else none */
};
int watch_claim(struct watch *watch, const struct watch_order *order, const struct claim **out, struct why *why);
/* SP_ENOENT: nobody has claimed it; SP_EDENIED: it is another's; both with why. */
int watch_release(struct watch *watch, int64_t machine_id, int64_t gpu, const struct policy_subject *who,
                  struct why *why);
/* A new jansson object (the caller's), or NULL. */
struct json_t *watch_claim_json(const struct claim *claim);

/* Has a sibling wake it: a machine that is there, in the same network, seen at the same address. SP_EEXIST: it is online;
 * SP_ENOENT: nobody can; both with why. `through` gets the sibling's name. */
int watch_wake(struct watch *watch, int64_t machine_id, char through[static SP_NAME_SIZE], struct why *why);

/* Settings of one machine, or (0) of all that have none of their own; a new jansson array (the caller's), or NULL. */
struct json_t *watch_settings_json(const struct watch *watch, int64_t machine_id);
/* `value`: as alert_setting_parse takes it, or "default". SP_ENOENT, SP_EINVAL with why; SP_ESYS. */
int watch_set(struct watch *watch, int64_t machine_id, const char *name, const char *value, struct why *why);
/* What is on and what was, in machines that this one may see; machine_id 0: of all. A new jansson object (the caller's)
 * {"on":[...],"past":[...]}, or NULL. */
struct json_t *watch_alerts_json(struct watch *watch, int64_t machine_id, const struct policy_subject *who);

/* Can there be such channels at all? SP_EINVAL with why: mail without a server. */
int watch_check_channel(const struct watch *watch, enum channel_kind kind, struct why *why);
/* Tries a channel, at once; store_channel_went says how it went. SP_ENOENT; SP_EBUSY with why: it is being tried. */
int watch_test_channel(struct watch *watch, int64_t channel_id, struct why *why);

#endif
