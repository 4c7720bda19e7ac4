/* list, status, machine: the machines of the relay. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/domain/jsonline.h"
#include "sallyport/store/machines.h"
#include "verbs_local.h"

static void say_empty(const struct verb_call *call) {
    if (verb_may(call, ACTION_ADMINISTER))
        verb_say(call, "no machines yet: 'invite machine NAME' prints the line to paste on one");
    else
        verb_say(call, "no machine was granted to you yet: ask an admin for 'grant %s BOX'", call->who);
}

int verb_list(struct verb_call *call) {
    struct overview overview;
    if (call->free)
        return verb_list_free(call);
    int rc = overview_load(&call->verbs->source, &call->subject, &overview);
    if (rc)
        return verb_end(call, rc);
    if (call->json)
        rc = view_list_json(overview.views, overview.count, call->out);
    else if (overview.count > 0)
        rc = view_table(overview.views, overview.count, call->out, call->now);
    else
        say_empty(call);
    overview_fini(&overview);
    return verb_end(call, rc);
}

int verb_status(struct verb_call *call) {
    struct overview overview;
    int rc = overview_load_one(&call->verbs->source, &call->subject, call->args[0], &overview);
    if (rc == SP_ENOENT)
        return verb_fail(call, "there is no machine '%s': 'list' shows those that you may see", call->args[0]);
    if (rc)
        return verb_end(call, rc);
    rc = call->json ? view_json(&overview.views[0], call->out) : view_detail(&overview.views[0], call->out, call->now);
    overview_fini(&overview);
    return verb_end(call, rc);
}

static int print_json(const struct verb_call *call, const struct machine *machines, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++) {
        json_t *object = json_pack("{s:s}", "name", machines[i].name);
        bool good = object && jsonline_set_time(object, "created", machines[i].created) &&
                    jsonline_set_time(object, "last_seen", machines[i].last_seen);
        if (json_array_append_new(array, object) || !good) {
            json_decref(array);
            array = NULL;
        }
    }
    return verb_print_json(call, array);
}

static int print_table(const struct verb_call *call, const struct machine *machines, size_t count) {
    static const char *const headings[] = {"NAME", "ADDED", "LAST SEEN"};
    struct table table;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < count; i++) {
        char created[21], seen[21];
        verb_time(created, machines[i].created);
        verb_time(seen, machines[i].last_seen);
        table_row(&table, (const char *[]){machines[i].name, created, seen});
    }
    return verb_print(call, &table);
}

int verb_machine_list(struct verb_call *call) {
    struct machine *machines;
    size_t count;
    int rc = store_machine_list(call->store, &machines, &count);
    if (rc)
        return verb_end(call, rc);
    int status = call->json ? print_json(call, machines, count) : print_table(call, machines, count);
    free(machines);
    return status;
}

static int find_machine(const struct verb_call *call, const char *name, struct machine *out) {
    int rc = store_machine_find(call->store, name, out);
    if (rc == SP_ENOENT)
        return verb_fail(call, "there is no machine '%s': 'machine list' shows them", name);
    return verb_end(call, rc);
}

int verb_machine_add(struct verb_call *call) {
    const char *name = call->args[0];
    struct why why = {""};
    struct pubkey key;
    int64_t id;
    if (verb_is_key(call, 0) || name_check(name, &why))
        return verb_fail(call, "%s", why.text[0] ? why.text : "the name comes first, then the key");
    int status = verb_read_key(call, 1, &key);
    if (status)
        return status;
    struct key_text text = verb_key_text(&key);
    int rc = store_machine_add(call->store, name, &text, call->now, &id, &why);
    status = verb_changed(call, rc, name, key.fingerprint, &why);
    if (!status)
        verb_say(call, "added %s; it comes with: ssh -N -p %u -R ssh:22:localhost:22 %s@%s", name,
                 (unsigned)call->verbs->port, name, call->verbs->host);
    return status;
}

int verb_machine_rename(struct verb_call *call) {
    const char *name = call->args[1];
    struct machine machine;
    struct why why = {""};
    int status = find_machine(call, call->args[0], &machine);
    if (status)
        return status;
    if (name_check(name, &why))
        return verb_fail(call, "%s", why.text);
    int rc = store_machine_rename(call->store, machine.id, name, &why);
    status = verb_changed(call, rc, machine.name, name, &why);
    if (status)
        return status;
    call->verbs->renamed(call->verbs->ctx, machine.id, name);
    verb_say(call, "%s is called %s now", machine.name, name);
    return VERB_DONE;
}

int verb_machine_remove(struct verb_call *call) {
    struct machine machine;
    int status = find_machine(call, call->args[0], &machine);
    if (!status)
        status = verb_changed(call, store_machine_remove(call->store, machine.id), machine.name, NULL, NULL);
    if (status)
        return status;
    call->verbs->changed(call->verbs->ctx);
    verb_say(call, "removed %s", machine.name);
    return VERB_DONE;
}
