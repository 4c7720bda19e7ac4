/* key: the public keys of oneself, and for admins those of all. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/store/keys.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "verbs_local.h"

struct owner {
    enum key_owner_kind kind;
    int64_t id;
    char name[SP_NAME_SIZE];
};

/* The one called `name`, or who asks when it is NULL (for the operator: KEY_OWNER_NONE, nobody). Others' keys are for
 * admins, and who is none does not learn whether the name is there. 0, or an exit status. */
static int find_owner(const struct verb_call *call, const char *name, struct owner *out) {
    struct user user;
    struct machine machine;
    *out = (struct owner){.kind = KEY_OWNER_NONE};
    if (!name || strcmp(name, call->who) == 0) {
        out->kind = call->subject.kind == SUBJECT_USER ? KEY_OWNER_USER : KEY_OWNER_NONE;
        out->id = call->subject.id;
        memcpy(out->name, call->who, sizeof(out->name));
        return 0;
    }
    if (!verb_may(call, ACTION_ADMINISTER)) {
        verb_audit(call, name, "refused", "policy");
        return verb_fail(call, "the keys of others are for admins only");
    }
    int rc = store_user_find(call->store, name, &user);
    if (!rc) {
        out->kind = KEY_OWNER_USER;
        out->id = user.id;
        memcpy(out->name, user.name, sizeof(out->name));
        return 0;
    }
    if (rc == SP_ENOENT)
        rc = store_machine_find(call->store, name, &machine);
    if (rc == SP_ENOENT)
        return verb_fail(call, "there is no user or machine '%s'", name);
    if (rc)
        return verb_end(call, rc);
    out->kind = KEY_OWNER_MACHINE;
    out->id = machine.id;
    memcpy(out->name, machine.name, sizeof(out->name));
    return 0;
}

static json_t *key_json(const struct key *key) {
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "owner", key->owner.name, "owner_kind",
                               key->owner.kind == KEY_OWNER_USER ? "user" : "machine", "fingerprint", key->fingerprint,
                               "type", key->type, "key", key->base64, "label", key->label);
    if (object && verb_json_time(object, "created", key->created) &&
        verb_json_time(object, "last_used", key->last_used))
        return object;
    json_decref(object);
    return NULL;
}

static int print_json(const struct verb_call *call, const struct key *keys, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++) {
        if (json_array_append_new(array, key_json(&keys[i]))) {
            json_decref(array);
            array = NULL;
        }
    }
    return verb_print_json(call, array);
}

static int print_table(const struct verb_call *call, const struct key *keys, size_t count) {
    static const char *const headings[] = {"OWNER", "FINGERPRINT", "TYPE", "ADDED", "LAST USED", "LABEL"};
    struct table table;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < count; i++) {
        char created[21], used[21];
        verb_time(created, keys[i].created);
        verb_time(used, keys[i].last_used);
        table_row(&table, (const char *[]){keys[i].owner.name, keys[i].fingerprint, keys[i].type, created, used,
                                           keys[i].label});
    }
    return verb_print(call, &table);
}

int verb_key_list(struct verb_call *call) {
    struct owner owner;
    struct key *keys;
    size_t count;
    int status = find_owner(call, call->count > 0 ? call->args[0] : NULL, &owner);
    if (status)
        return status;
    int rc = store_key_list(call->store, owner.kind, owner.id, &keys, &count);
    if (rc)
        return verb_end(call, rc);
    status = call->json ? print_json(call, keys, count) : print_table(call, keys, count);
    free(keys);
    return status;
}

int verb_key_add(struct verb_call *call) {
    struct owner owner;
    struct pubkey key;
    struct why why = {""};
    bool named = !verb_is_key(call, 0);
    if (named && call->count < 2)
        return verb_fail(call, "a public key is wanted: 'ssh-ed25519 AAAA...', or - to read it from standard input");
    int status = find_owner(call, named ? call->args[0] : NULL, &owner);
    if (!status)
        status = verb_read_key(call, named ? 1 : 0, &key);
    if (status)
        return status;
    if (owner.kind == KEY_OWNER_NONE)
        return verb_fail(call, "whose key is it? 'key add NAME ...': the operator has no account");
    struct key_text text = verb_key_text(&key);
    int rc = store_key_add(call->store, owner.kind, owner.id, &text, call->now, &why);
    status = verb_changed(call, rc, owner.name, key.fingerprint, &why);
    if (!status)
        verb_say(call, "added %s for %s", key.fingerprint, owner.name);
    return status;
}

int verb_key_remove(struct verb_call *call) {
    const char *fingerprint = call->args[0];
    struct key_owner owner;
    int rc = store_key_find(call->store, fingerprint, &owner);
    if (rc)
        return verb_end(call, rc);
    bool own = owner.kind == KEY_OWNER_USER && call->subject.kind == SUBJECT_USER && owner.id == call->subject.id;
    if (owner.kind == KEY_OWNER_NONE || (!own && !verb_may(call, ACTION_ADMINISTER))) {
        verb_audit(call, fingerprint, "refused", NULL);
        return verb_fail(call, "there is no such key: 'key list' shows the fingerprints, which begin with SHA256:");
    }
    rc = store_key_remove(call->store, owner.kind, owner.id, fingerprint);
    int status = verb_changed(call, rc, owner.name, fingerprint, NULL);
    if (status)
        return status;
    call->verbs->changed(call->verbs->ctx);
    verb_say(call, "removed %s of %s", fingerprint, owner.name);
    return VERB_DONE;
}
