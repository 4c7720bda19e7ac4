/* /api/v1: alerts, channels, settings, quiet hours. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "channels.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/store/users.h"
#include "watch.h"
#include "web_conn.h"

/* The value, or that it could not be made; takes it over. */
static void answer(struct web_visit *visit, unsigned status, json_t *value) {
    if (value)
        web_answer_value(visit, status, value);
    else
        web_answer_api_error(visit, 500, WEB_FAILED);
}

static void answer_done(struct web_visit *visit) {
    if (page_response_header(visit->response, "Cache-Control", "no-store") == 0)
        visit->response->status = 204;
}

/* Who asks, with grants, which are to be freed. */
static int load_asker(const struct web_visit *visit, struct policy_subject *out) {
    return store_user_subject(visit->web->source.store, visit->asker->user.id, out);
}

void web_api_alerts(struct web_visit *visit) {
    struct policy_subject who = {.kind = SUBJECT_NOBODY};
    json_t *object = load_asker(visit, &who) ? NULL : watch_alerts_json(visit->web->watch, 0, &who);
    policy_subject_fini(&who);
    answer(visit, 200, object);
}

void web_api_channels(struct web_visit *visit) {
    struct policy_subject who = {.kind = SUBJECT_NOBODY};
    json_t *array = load_asker(visit, &who) ? NULL : channels_json(visit->web->source.store, &who);
    policy_subject_fini(&who);
    answer(visit, 200, array);
}

/* Whose it is to be: `user`, for admins; else who asks. */
static int find_owner(const struct web_visit *visit, const json_t *object, const struct policy_subject *who,
                      struct channel *channel, struct why *why) {
    struct policy_request administer = {.action = ACTION_ADMINISTER};
    struct user user = visit->asker->user;
    char name[SP_NAME_SIZE];
    int rc = 0;
    if (json_object_get(object, "user") && !jsonline_text(object, "user", name, sizeof(name)))
        rc = SP_ENOENT;
    else if (json_object_get(object, "user") && strcmp(name, user.name) != 0)
        rc = policy_allows(who, &administer) ? store_user_find(visit->web->source.store, name, &user) : SP_ENOENT;
    if (rc == SP_ENOENT)
        why_set(why, "there is no such user whose channels are yours to make");
    channel->user_id = user.id;
    memcpy(channel->user, user.name, sizeof(channel->user));
    return rc;
}

/* {"kind","address","private"?,"user"?}. */
static int read_channel(const struct web_visit *visit, const json_t *object, const struct policy_subject *who,
                        struct channel *channel, struct why *why) {
    const json_t *is_private = json_object_get(object, "private");
    char kind[16];
    if (!jsonline_text(object, "kind", kind, sizeof(kind)) || channel_kind_parse(kind, &channel->kind) ||
        !jsonline_text(object, "address", channel->address, sizeof(channel->address)) ||
        (is_private && !json_is_boolean(is_private))) {
        why_set(why, "a channel has a 'kind' (ntfy, webhook, mail) and an 'address' of at most %d bytes",
                CHANNEL_ADDRESS_SIZE - 1);
        return SP_EFORMAT;
    }
    channel->is_private = json_is_true(is_private);
    return find_owner(visit, object, who, channel, why);
}

void web_api_channel_add(struct web_visit *visit) {
    struct policy_subject who = {.kind = SUBJECT_NOBODY};
    struct channel channel = {.created = visit->web->now()};
    struct why why = {""};
    json_t *object = NULL;
    int rc = load_asker(visit, &who);
    if (!rc)
        rc = web_read_body(visit, &object, &why);
    if (!rc)
        rc = read_channel(visit, object, &who, &channel, &why);
    if (!rc) {
        rc = channels_add(visit->web->source.store, visit->web->watch, &who, &channel, &why);
        web_audit(visit, visit->asker->user.name, "alerts add", channel.user, rc ? "failed" : "ok",
                  channel_kind_name(channel.kind));
    }
    json_decref(object);
    policy_subject_fini(&who);
    if (rc)
        web_answer_failure(visit, rc, &why, 429, "there is nothing of that name or number");
    else
        answer(visit, 201, channels_json_one(&channel));
    secret_wipe(&channel, sizeof(channel));
}

/* The channel that the path names, without its address. */
static int find_channel(const struct web_visit *visit, struct channel *out) {
    struct policy_subject who = {.kind = SUBJECT_NOBODY};
    uint64_t id;
    int rc = str_u64(visit->part[0], 1, INT64_MAX, &id) ? SP_ENOENT : load_asker(visit, &who);
    if (!rc)
        rc = channels_find(visit->web->source.store, &who, (int64_t)id, out);
    policy_subject_fini(&who);
    if (!rc)
        secret_wipe(out->address, sizeof(out->address));
    return rc;
}

void web_api_channel_remove(struct web_visit *visit) {
    struct channel channel;
    struct why why = {""};
    int rc = find_channel(visit, &channel);
    if (!rc) {
        rc = store_channel_remove(visit->web->source.store, channel.id);
        web_audit(visit, visit->asker->user.name, "alerts remove", channel.user, rc ? "failed" : "ok", visit->part[0]);
    }
    if (rc)
        web_answer_failure(visit, rc, &why, 429, "there is nothing of that name or number");
    else
        answer_done(visit);
}

/* How it goes, the channel itself tells later: another server has its time. */
void web_api_channel_test(struct web_visit *visit) {
    struct channel channel;
    struct why why = {""};
    int rc = find_channel(visit, &channel);
    if (!rc)
        rc = watch_test_channel(visit->web->watch, channel.id, &why);
    if (rc)
        web_answer_failure(visit, rc, &why, 429, "there is nothing of that name or number");
    else
        answer(visit, 202, json_pack("{s:b}", "queued", 1));
}

/* The machine of that name if who asks may see it. */
static int find_machine(const struct web_visit *visit, const char *name, int64_t *id, struct why *why) {
    struct overview overview;
    int rc = web_machine(visit, name, &overview);
    if (rc == SP_ENOENT)
        why_set(why, "there is no machine of that name that you may see");
    if (rc)
        return rc;
    *id = overview.views[0].machine_id;
    overview_fini(&overview);
    return 0;
}

static void answer_settings(struct web_visit *visit, int64_t machine_id) {
    json_t *array = watch_settings_json(visit->web->watch, machine_id);
    answer(visit, 200, array ? json_pack("{s:o}", "settings", array) : NULL);
}

void web_api_alert_settings(struct web_visit *visit) {
    const char *query = visit->request->query;
    char name[SP_NAME_SIZE];
    int64_t machine_id = 0;
    struct why why = {""};
    int rc = web_query(query, strlen(query), "machine", name, sizeof(name));
    if (rc == SP_EFORMAT)
        rc = find_machine(visit, "", &machine_id, &why);
    else
        rc = rc == SP_ENOENT ? 0 : find_machine(visit, name, &machine_id, &why);
    if (rc)
        web_answer_failure(visit, rc, &why, 429, "there is nothing of that name or number");
    else
        answer_settings(visit, machine_id);
}

/* {"machine":"box1"|null,"name":"...","value":"..."}. */
static int read_setting(const struct web_visit *visit, const json_t *object, int64_t *machine_id, char name[static 64],
                        char value[static 64], struct why *why) {
    const json_t *machine = json_object_get(object, "machine");
    char box[SP_NAME_SIZE];
    if (!jsonline_text(object, "name", name, 64) || !jsonline_text(object, "value", value, 64) ||
        (machine && !json_is_null(machine) && !jsonline_text(object, "machine", box, sizeof(box)))) {
        why_set(why, "a setting has a 'name', a 'value' (a text), and a 'machine' or null");
        return SP_EFORMAT;
    }
    *machine_id = 0;
    return machine && !json_is_null(machine) ? find_machine(visit, box, machine_id, why) : 0;
}

void web_api_alert_set(struct web_visit *visit) {
    char name[64], value[64], detail[160];
    struct why why = {""};
    json_t *object = NULL;
    int64_t machine_id = 0;
    int rc = web_read_body(visit, &object, &why);
    if (!rc)
        rc = read_setting(visit, object, &machine_id, name, value, &why);
    if (!rc) {
        const char *box = json_string_value(json_object_get(object, "machine"));
        rc = watch_set(visit->web->watch, machine_id, name, value, &why);
        snprintf(detail, sizeof(detail), "%s %s", name, value);
        web_audit(visit, visit->asker->user.name, "alerts set", box ? box : "all", rc ? "failed" : "ok", detail);
    }
    json_decref(object);
    if (rc)
        web_answer_failure(visit, rc, &why, 429, "there is nothing of that name or number");
    else
        answer_settings(visit, machine_id);
}

void web_api_quiet(struct web_visit *visit) {
    answer(visit, 200, channels_quiet_json(visit->web->source.store, visit->asker->user.id));
}

/* {"from":"22:00","to":"07:00","offset":"+01:00"}, or {} for none. */
static int read_quiet(const json_t *object, struct quiet *out, struct why *why) {
    char from[QUIET_TEXT_SIZE], to[QUIET_TEXT_SIZE], offset[QUIET_TEXT_SIZE];
    if (json_object_size(object) == 0)
        return 0;
    if (!jsonline_text(object, "from", from, sizeof(from)) || !jsonline_text(object, "to", to, sizeof(to)) ||
        !jsonline_text(object, "offset", offset, sizeof(offset))) {
        why_set(why, "quiet hours have 'from' and 'to' (22:00) and an 'offset' (+01:00); none are {}");
        return SP_EFORMAT;
    }
    int rc = quiet_parse_time(from, &out->from, why);
    if (!rc)
        rc = quiet_parse_time(to, &out->to, why);
    return rc ? rc : quiet_parse_offset(offset, &out->offset, why);
}

void web_api_quiet_set(struct web_visit *visit) {
    struct quiet quiet = {.from = 0};
    struct why why = {""};
    json_t *object = NULL;
    int rc = web_read_body(visit, &object, &why);
    if (!rc)
        rc = read_quiet(object, &quiet, &why);
    json_decref(object);
    if (!rc)
        rc = store_quiet_put(visit->web->source.store, visit->asker->user.id, &quiet);
    if (rc)
        web_answer_failure(visit, rc, &why, 429, "there is nothing of that name or number");
    else
        web_api_quiet(visit);
}
