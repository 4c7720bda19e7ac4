#include "channels.h"

#include <jansson.h>
#include <stdlib.h>

#include "notify.h"
#include "sallyport/base/secret.h"
#include "sallyport/domain/jsonline.h"

static bool may_administer(const struct policy_subject *who) {
    struct policy_request administer = {.action = ACTION_ADMINISTER};
    return policy_allows(who, &administer);
}

int channels_add(struct store *store, const struct watch *watch, const struct policy_subject *by,
                 struct channel *channel, struct why *why) {
    if (channel->is_private && !may_administer(by)) {
        why_set(why, "only admins may let messages go to private addresses");
        return SP_EDENIED;
    }
    /* A topic or a webhook takes messages from anybody; a mailbox is somebody's, who did not ask for ours. */
    if (channel->kind == CHANNEL_MAIL && !may_administer(by)) {
        why_set(why, "only admins may add a mail address, since they know whose it is:"
                     " 'alerts add mail ADDRESS --user NAME'");
        return SP_EDENIED;
    }
    int rc = channel_check(channel->kind, channel->address, channel->is_private, why);
    if (rc == 0)
        rc = watch_check_channel(watch, channel->kind, why);
    if (rc == 0)
        rc = store_channel_add(store, channel);
    if (rc == SP_EEXIST)
        why_set(why, "that channel is there already");
    if (rc == SP_ETOOBIG)
        why_set(why, "a user has at most %d channels: remove one first", CHANNELS_MAX);
    return rc;
}

int channels_find(struct store *store, const struct policy_subject *who, int64_t id, struct channel *out) {
    int rc = store_channel_get(store, id, out);
    if (rc < 0)
        return rc;
    if ((who->kind == SUBJECT_USER && out->user_id == who->id) || may_administer(who))
        return 0;
    secret_wipe(out, sizeof *out);
    return SP_ENOENT;
}

struct json_t *channels_json_one(const struct channel *channel) {
    char address[CHANNEL_SHORT_SIZE];
    channel_short(channel, address);
    json_t *object = json_pack("{s:I, s:s, s:s, s:s, s:b, s:I}", "id", (json_int_t)channel->id, "user", channel->user,
                               "kind", channel_kind_name(channel->kind), "address", address, "private",
                               (int)channel->is_private, "waiting", (json_int_t)channel->waiting);
    bool good = object && jsonline_set_time(object, "created", channel->created) &&
                jsonline_set_time(object, "sent", channel->sent) &&
                jsonline_set_time(object, "tested", channel->tested) &&
                jsonline_set_text(object, "trouble", channel->trouble);
    if (good && channel->tested > 0)
        good = json_object_set_new(object, "test_ok", json_boolean(channel->test_ok)) == 0;
    if (good)
        return object;
    json_decref(object);
    return NULL;
}

struct json_t *channels_json(struct store *store, const struct policy_subject *who) {
    struct channel *channels = NULL;
    size_t count = 0;
    if (store_channel_list(store, may_administer(who) ? 0 : who->id, &channels, &count) < 0)
        return NULL;
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++) {
        if (json_array_append_new(array, channels_json_one(&channels[i]))) {
            json_decref(array);
            array = NULL;
        }
    }
    notify_free_channels(channels, count);
    return array;
}

struct json_t *channels_quiet_json(struct store *store, int64_t user_id) {
    struct quiet quiet;
    char from[QUIET_TEXT_SIZE], to[QUIET_TEXT_SIZE], offset[QUIET_TEXT_SIZE];
    int rc = store_quiet_get(store, user_id, &quiet);
    if (rc == SP_ENOENT)
        return json_object();
    if (rc < 0)
        return NULL;
    quiet_format_time(quiet.from, from);
    quiet_format_time(quiet.to, to);
    quiet_format_offset(quiet.offset, offset);
    return json_pack("{s:s, s:s, s:s}", "from", from, "to", to, "offset", offset);
}
