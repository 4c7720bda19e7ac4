/* Alerts: looked for, kept, told to those whom they concern. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/log.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/store/channels.h"
#include "sallyport/store/users.h"
#include "watch_local.h"

enum { PAST_SHOWN = 200 };

int watch_load_settings(struct watch *watch) {
    struct setting_row *rows = NULL;
    size_t count = 0, cursor = 0;
    int rc = store_setting_list(watch->store, &rows, &count);
    if (rc < 0)
        return rc;
    free(watch->settings);
    watch->settings = rows;
    watch->setting_count = count;
    for (struct watched *machine; (machine = map_next(watch->machines, &cursor, NULL));)
        watch_apply_settings(watch, machine);
    return 0;
}

/* The row of that setting for that machine (0: for all), or NULL. */
static const struct setting_row *find_setting(const struct watch *watch, int64_t machine_id, unsigned setting) {
    for (size_t i = 0; i < watch->setting_count; i++) {
        if (watch->settings[i].machine_id == machine_id &&
            strcmp(watch->settings[i].name, alert_setting_name(setting)) == 0)
            return &watch->settings[i];
    }
    return NULL;
}

void watch_apply_settings(const struct watch *watch, struct watched *machine) {
    alert_settings_init(&machine->settings);
    for (unsigned i = 0; i < ALERT_SETTINGS; i++) {
        const struct setting_row *row = find_setting(watch, machine->id, i);
        if (!row)
            row = find_setting(watch, 0, i);
        if (row)
            machine->settings.values[i] = row->value;
    }
}

int watch_load_alerts(struct watch *watch) {
    struct alert_row *rows = NULL;
    size_t count = 0;
    int rc = store_alert_list_on(watch->store, &rows, &count);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct watched *machine = watch_find(watch, rows[i].machine_id);
        if (machine)
            rc = alert_state_restore(&machine->alerts, &rows[i].alert) == SP_ENOMEM ? SP_ENOMEM : 0;
    }
    free(rows);
    return rc;
}

/* Who is told. */
struct audience {
    struct watch *watch;
    const struct watched *machine;
    const struct alert *alert;
    bool personal; /* only those whom it names */
};

static bool sees(const struct watch *watch, int64_t user_id, int64_t machine_id) {
    struct policy_subject subject = {.kind = SUBJECT_NOBODY};
    struct policy_request see = {.action = ACTION_SEE_MACHINE, .machine_id = machine_id};
    if (store_user_subject(watch->store, user_id, &subject) < 0)
        return false;
    bool may = policy_allows(&subject, &see);
    policy_subject_fini(&subject);
    return may;
}

/* The end of a job is for the one whose it was, when he is a user of ours; claims are for those who share the GPU. */
static bool is_personal(const struct watch *watch, const struct watched *machine, const struct alert *alert) {
    struct user user;
    if (alert->kind == ALERT_CLAIM_ENDING || alert->kind == ALERT_CLAIM_BROKEN)
        return true;
    return alert->who[0] && store_user_find(watch->store, alert->who, &user) == 0 && sees(watch, user.id, machine->id);
}

static bool concerns(const struct audience *audience, const struct channel *channel) {
    const struct alert *alert = audience->alert;
    if (audience->personal && strcmp(channel->user, alert->who) != 0 && strcmp(channel->user, alert->other) != 0)
        return false;
    return sees(audience->watch, channel->user_id, audience->machine->id);
}

static void tell(struct watch *watch, const struct watched *machine, const struct alert *alert, enum alert_turn turn) {
    struct audience audience = {.watch = watch, .machine = machine, .alert = alert};
    struct channel *channels = NULL;
    struct notice notice;
    size_t count = 0;
    audience.personal = is_personal(watch, machine, alert);
    notice_of_alert(&notice, machine->name, alert, turn);
    if (store_channel_list(watch->store, 0, &channels, &count) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (concerns(&audience, &channels[i]))
            (void)store_notice_add(watch->store, channels[i].id, &notice, watch->config.now());
    }
    notify_free_channels(channels, count);
    notify_wake(watch->notify);
}

struct turning {
    struct watch *watch;
    struct watched *machine;
};

static void on_turn(void *ctx, const struct alert *alert, enum alert_turn turn) {
    const struct turning *turning = ctx;
    struct watch *watch = turning->watch;
    struct watched *machine = turning->machine;
    switch (turn) {
    case ALERT_ON:
        log_info("alert: %s: %s", machine->name, alert->text);
        (void)store_alert_on(watch->store, machine->id, alert);
        break;
    case ALERT_HAPPENED:
        (void)store_alert_past(watch->store, machine->id, alert);
        break;
    case ALERT_OFF:
        log_info("alert over: %s: %s", machine->name, alert->text);
        (void)store_alert_off(watch->store, machine->id, alert, watch->config.now());
        break;
    case ALERT_DROPPED:
        (void)store_alert_off(watch->store, machine->id, alert, watch->config.now());
        break;
    }
    if (turn == ALERT_ON || turn == ALERT_HAPPENED || (turn == ALERT_OFF && alert_tells_end(alert->kind)))
        tell(watch, machine, alert, turn);
    watch_changed(watch);
}

static struct alert_view view_of(struct watch *watch, struct watched *machine, struct turning *turning) {
    *turning = (struct turning){watch, machine};
    return (struct alert_view){.settings = &machine->settings,
                               .now = watch->config.now(),
                               .claims = machine->claims,
                               .claim_count = machine->claim_count,
                               .turned = on_turn,
                               .ctx = turning};
}

void watch_look_status(struct watch *watch, struct watched *machine, const struct status *status) {
    struct turning turning;
    struct alert_view view = view_of(watch, machine, &turning);
    alert_look_status(&machine->alerts, &view, status);
}

/* Since when it is missed. After a start of the relay machines have a while to come back. */
static int64_t missed_since(const struct watch *watch, const struct watched *machine) {
    int64_t after = (int64_t)machine->settings.values[SETTING_OFFLINE_AFTER_S];
    if (machine->online || machine->home.asleep || machine->left == 0)
        return 0;
    if (machine->left >= watch->started)
        return machine->left;
    return after < WATCH_GRACE_S ? watch->started + WATCH_GRACE_S - after : watch->started;
}

void watch_look_time(struct watch *watch, struct watched *machine) {
    struct turning turning;
    struct alert_view view = view_of(watch, machine, &turning);
    alert_look_time(&machine->alerts, &view, missed_since(watch, machine), machine->left);
}

static bool append_setting(const struct watch *watch, int64_t machine_id, unsigned setting, json_t *array) {
    const struct setting_row *own = machine_id ? find_setting(watch, machine_id, setting) : NULL;
    const struct setting_row *row = own ? own : find_setting(watch, 0, setting);
    const struct watched *machine = own ? watch_find(watch, machine_id) : NULL;
    char value[ALERT_VALUE_SIZE], initial[ALERT_VALUE_SIZE];
    alert_setting_format(setting, row ? row->value : alert_setting_default(setting), value);
    alert_setting_format(setting, alert_setting_default(setting), initial);
    json_t *object = json_pack("{s:s, s:s, s:s, s:s?, s:s}", "name", alert_setting_name(setting), "value", value,
                               "default", initial, "set_for",
                               machine ? machine->name
                               : row   ? "all"
                                       : NULL,
                               "help", alert_setting_help(setting));
    if (object && jsonline_set_text(object, "unit", alert_setting_unit(setting)))
        return json_array_append_new(array, object) == 0;
    json_decref(object);
    return false;
}

struct json_t *watch_settings_json(const struct watch *watch, int64_t machine_id) {
    json_t *array = json_array();
    for (unsigned i = 0; array && i < ALERT_SETTINGS; i++) {
        if (!append_setting(watch, machine_id, i, array)) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

int watch_set(struct watch *watch, int64_t machine_id, const char *name, const char *value, struct why *why) {
    unsigned setting;
    double number = 0;
    int rc = alert_setting_find(name, &setting, why);
    if (rc < 0)
        return rc;
    if (strcmp(value, "default") == 0) {
        rc = store_setting_remove(watch->store, machine_id, name);
    } else {
        rc = alert_setting_parse(setting, value, &number, why);
        if (rc == 0)
            rc = store_setting_put(watch->store, machine_id, name, number);
    }
    return rc < 0 ? rc : watch_load_settings(watch);
}

static bool append_alert(json_t *array, const char *machine, const struct alert *alert, int64_t until) {
    json_t *object = json_pack("{s:s, s:s}", "kind", alert_kind_name(alert->kind), "machine", machine);
    if (object && jsonline_set_text(object, "object", alert->object) &&
        jsonline_set_time(object, "since", alert->since) && jsonline_set_text(object, "text", alert->text) &&
        jsonline_set_time(object, "until", until))
        return json_array_append_new(array, object) == 0;
    json_decref(object);
    return false;
}

static bool may_see(const struct policy_subject *who, int64_t machine_id) {
    struct policy_request see = {.action = ACTION_SEE_MACHINE, .machine_id = machine_id};
    return policy_allows(who, &see);
}

static bool append_on(const struct watch *watch, int64_t machine_id, const struct policy_subject *who, json_t *array) {
    size_t cursor = 0;
    bool good = true;
    for (const struct watched *machine; good && (machine = map_next(watch->machines, &cursor, NULL));) {
        const struct alert *alert;
        size_t next = 0;
        if ((machine_id && machine->id != machine_id) || !may_see(who, machine->id))
            continue;
        while (good && (alert = alert_state_next(&machine->alerts, &next)))
            good = append_alert(array, machine->name, alert, 0);
    }
    return good;
}

/* Of all that are stored, since those of machines that this one may not see are passed over. */
static bool append_past(const struct watch *watch, int64_t machine_id, const struct policy_subject *who,
                        json_t *array) {
    struct alert_row *rows = NULL;
    size_t count = 0;
    bool good = store_alert_list_past(watch->store, machine_id, 10 * PAST_SHOWN, &rows, &count) == 0;
    for (size_t i = 0; good && i < count && json_array_size(array) < PAST_SHOWN; i++) {
        const struct watched *machine = watch_find(watch, rows[i].machine_id);
        if (machine && may_see(who, machine->id))
            good = append_alert(array, machine->name, &rows[i].alert, rows[i].until);
    }
    free(rows);
    return good;
}

struct json_t *watch_alerts_json(struct watch *watch, int64_t machine_id, const struct policy_subject *who) {
    json_t *on = json_array(), *past = json_array();
    json_t *object = json_pack("{s:o, s:o}", "on", on, "past", past);
    if (object && append_on(watch, machine_id, who, on) && append_past(watch, machine_id, who, past))
        return object;
    json_decref(object);
    return NULL;
}
