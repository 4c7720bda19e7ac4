/* alerts: what is wrong, from where on, and who is told. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels.h"
#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "verbs_local.h"

/* The machine of that name if the asker may see it. 0, or an exit status. */
static int find_machine(const struct verb_call *call, const char *name, int64_t *id) {
    struct policy_request see = {.action = ACTION_SEE_MACHINE};
    struct machine machine;
    int rc = store_machine_find(call->store, name, &machine);
    see.machine_id = rc ? 0 : machine.id;
    if (rc == SP_ENOENT || (!rc && !policy_allows(&call->subject, &see)))
        return verb_fail(call, "there is no machine '%s': 'list' shows those that you may see", name);
    if (!rc)
        *id = machine.id;
    return verb_end(call, rc);
}

static const char *text_of(const json_t *object, const char *member) {
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static int print_alerts(struct verb_call *call, const json_t *object) {
    static const char *const headings[] = {"MACHINE", "SINCE", "UNTIL", "WHAT"};
    static const char *const lists[] = {"on", "past"};
    struct table table;
    size_t shown = 0;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        const json_t *array = json_object_get(object, lists[l]), *alert;
        size_t i;
        json_array_foreach(array, i, alert) {
            table_row(&table, (const char *[]){text_of(alert, "machine"), text_of(alert, "since"),
                                               l == 0 ? "now" : text_of(alert, "until"), text_of(alert, "text")});
            shown++;
        }
    }
    if (shown > 0)
        return verb_print(call, &table);
    table_fini(&table);
    verb_say(call, "nothing is wrong, and nothing was in the last 30 days");
    return VERB_DONE;
}

int verb_alerts_list(struct verb_call *call) {
    int64_t machine_id = 0;
    int status = call->count > 0 ? find_machine(call, call->args[0], &machine_id) : 0;
    if (status)
        return status;
    json_t *object = watch_alerts_json(call->verbs->watch, machine_id, &call->subject);
    if (call->json || !object)
        return verb_print_json(call, object);
    status = print_alerts(call, object);
    json_decref(object);
    return status;
}

static int print_channels(struct verb_call *call, const json_t *array) {
    static const char *const headings[] = {"ID", "USER", "KIND", "ADDRESS", "LAST SENT", "TROUBLE"};
    struct table table;
    const json_t *channel;
    size_t i;
    if (json_array_size(array) == 0) {
        verb_say(call, "no channels yet: 'alerts add ntfy https://ntfy.sh/TOPIC' makes one");
        return VERB_DONE;
    }
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    json_array_foreach(array, i, channel) {
        char id[24];
        snprintf(id, sizeof(id), "%lld", (long long)json_integer_value(json_object_get(channel, "id")));
        table_row(&table,
                  (const char *[]){id, text_of(channel, "user"), text_of(channel, "kind"), text_of(channel, "address"),
                                   text_of(channel, "sent"), text_of(channel, "trouble")});
    }
    return verb_print(call, &table);
}

int verb_alerts_channels(struct verb_call *call) {
    json_t *array = channels_json(call->store, &call->subject);
    if (call->json || !array)
        return verb_print_json(call, array);
    int status = print_channels(call, array);
    json_decref(array);
    return status;
}

/* Whose channel or quiet hours: a user. 0, or an exit status. */
static int find_user(const struct verb_call *call, const char *name, struct verb_owner *out) {
    int status = verb_find_owner(call, name, out);
    if (!status && out->kind != KEY_OWNER_USER)
        return verb_fail(call, "whose? Name a user%s",
                         out->kind == KEY_OWNER_NONE ? ": the operator has no account" : "");
    return status;
}

int verb_alerts_add(struct verb_call *call) {
    struct channel channel = {.created = call->now, .is_private = call->is_private};
    struct verb_owner owner;
    struct why why = {""};
    if (channel_kind_parse(call->args[0], &channel.kind)) {
        verb_say(call, "messages go to 'ntfy URL', 'webhook URL' or 'mail ADDRESS'");
        return VERB_USAGE;
    }
    int status = find_user(call, call->user, &owner);
    if (status)
        return status;
    channel.user_id = owner.id;
    int rc = str_copy(channel.address, sizeof(channel.address), call->args[1]);
    if (rc)
        why_set(&why, "the address is too long");
    if (!rc)
        rc = channels_add(call->store, call->verbs->watch, &call->subject, &channel, &why);
    secret_wipe(channel.address, sizeof(channel.address));
    /* The address may be a secret. */
    status = verb_changed(call, rc, owner.name, call->args[0], &why);
    if (status)
        return status;
    verb_say(call, "messages for %s go there now; 'alerts test %lld' tries it", owner.name, (long long)channel.id);
    return verb_end(call, buf_printf(call->out, "%lld\n", (long long)channel.id));
}

/* The channel with that ID that the asker may handle. 0, or an exit status. */
static int find_channel(const struct verb_call *call, struct channel *out) {
    uint64_t id;
    int rc = str_u64(call->args[0], 1, INT64_MAX, &id) ? SP_ENOENT : 0;
    if (!rc)
        rc = channels_find(call->store, &call->subject, (int64_t)id, out);
    if (rc == SP_ENOENT)
        return verb_fail(call, "there is no such channel: 'alerts channels' shows them");
    secret_wipe(out->address, sizeof(out->address));
    return verb_end(call, rc);
}

int verb_alerts_remove(struct verb_call *call) {
    struct channel channel = {.id = 0};
    int status = find_channel(call, &channel);
    if (!status)
        status = verb_changed(call, store_channel_remove(call->store, channel.id), channel.user, call->args[0], NULL);
    if (!status)
        verb_say(call, "removed the channel %s of %s", call->args[0], channel.user);
    return status;
}

int verb_alerts_test(struct verb_call *call) {
    struct channel channel = {.id = 0};
    struct why why = {""};
    int status = find_channel(call, &channel);
    if (status)
        return status;
    int rc = watch_test_channel(call->verbs->watch, channel.id, &why);
    if (rc)
        return why.text[0] ? verb_fail(call, "%s", why.text) : verb_end(call, rc);
    verb_say(call, "a test is on its way: 'alerts channels' shows whether it arrived");
    return VERB_DONE;
}

static int print_settings(struct verb_call *call, const json_t *array) {
    static const char *const headings[] = {"NAME", "VALUE", "UNIT", "DEFAULT", "SET FOR", "WHAT"};
    struct table table;
    const json_t *setting;
    size_t i;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    json_array_foreach(array, i, setting) {
        table_row(&table,
                  (const char *[]){text_of(setting, "name"), text_of(setting, "value"), text_of(setting, "unit"),
                                   text_of(setting, "default"), text_of(setting, "set_for"), text_of(setting, "help")});
    }
    return verb_print(call, &table);
}

int verb_alerts_settings(struct verb_call *call) {
    int64_t machine_id = 0;
    int status = call->count > 0 ? find_machine(call, call->args[0], &machine_id) : 0;
    if (status)
        return status;
    json_t *array = watch_settings_json(call->verbs->watch, machine_id);
    if (call->json || !array)
        return verb_print_json(call, array);
    status = print_settings(call, array);
    json_decref(array);
    return status;
}

int verb_alerts_set(struct verb_call *call) {
    int64_t machine_id = 0;
    struct why why = {""};
    char detail[96];
    int status = strcmp(call->args[0], "all") == 0 ? 0 : find_machine(call, call->args[0], &machine_id);
    if (status)
        return status;
    snprintf(detail, sizeof(detail), "%.40s %.32s", call->args[1], call->args[2]);
    int rc = watch_set(call->verbs->watch, machine_id, call->args[1], call->args[2], &why);
    status = verb_changed(call, rc, call->args[0], detail, &why);
    if (!status)
        verb_say(call, "%s of %s is %s now", call->args[1], call->args[0], call->args[2]);
    return status;
}

/* [NAME] FROM-TO OFFSET | [NAME] off: what stands behind the name, if there is one. */
static int read_quiet(const struct verb_call *call, size_t first, struct quiet *out) {
    struct why why = {""};
    if (call->count == first + 1 && strcmp(call->args[first], "off") == 0)
        return 0;
    if (call->count != first + 2) {
        verb_say(call, "usage: alerts quiet %s", call->verb->arguments);
        return VERB_USAGE;
    }
    int rc = quiet_parse_span(call->args[first], out, &why);
    if (!rc)
        rc = quiet_parse_offset(call->args[first + 1], &out->offset, &why);
    return rc ? verb_fail(call, "%s", why.text) : 0;
}

int verb_alerts_quiet(struct verb_call *call) {
    struct verb_owner owner;
    struct quiet quiet = {.from = 0};
    bool named = call->args[0][0] >= 'a' && call->args[0][0] <= 'z' && strcmp(call->args[0], "off") != 0;
    int status = find_user(call, named ? call->args[0] : NULL, &owner);
    if (!status)
        status = read_quiet(call, named, &quiet);
    if (!status)
        status = verb_changed(call, store_quiet_put(call->store, owner.id, &quiet), owner.name,
                              quiet.from == quiet.to ? "off" : call->args[named], NULL);
    if (status)
        return status;
    if (quiet.from == quiet.to)
        verb_say(call, "%s has no quiet hours", owner.name);
    else
        verb_say(call, "messages for %s wait from %s, but for lost GPUs and failing disks", owner.name,
                 call->args[named]);
    return VERB_DONE;
}
