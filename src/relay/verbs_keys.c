/* key: the public keys and API tokens of oneself, and for admins those of all. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/base/str.h"
#include "sallyport/domain/jsonline.h"
#include "sallyport/store/keys.h"
#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "verbs_local.h"

int verb_find_owner(const struct verb_call *call, const char *name, struct verb_owner *out) {
    struct user user;
    struct machine machine;
    *out = (struct verb_owner){.kind = KEY_OWNER_NONE};
    if (!name || strcmp(name, call->who) == 0) {
        out->kind = call->subject.kind == SUBJECT_USER ? KEY_OWNER_USER : KEY_OWNER_NONE;
        out->id = call->subject.id;
        memcpy(out->name, call->who, sizeof(out->name));
        return 0;
    }
    if (!verb_may(call, ACTION_ADMINISTER)) {
        verb_audit(call, name, "refused", "policy");
        return verb_fail(call, "what belongs to others is for admins only");
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
    if (object && jsonline_set_time(object, "created", key->created) &&
        jsonline_set_time(object, "last_used", key->last_used))
        return object;
    json_decref(object);
    return NULL;
}

/* What is listed. */
struct listing {
    struct key *keys;
    struct api_token *tokens;
    size_t key_count, token_count;
};

static int listing_load(const struct verb_call *call, const struct verb_owner *owner, struct listing *out) {
    struct listing listing = {.keys = NULL};
    int rc = store_key_list(call->store, owner->kind, owner->id, &listing.keys, &listing.key_count);
    /* Machines have no tokens; the id of nobody means everybody's. */
    if (!rc && owner->kind != KEY_OWNER_MACHINE)
        rc = store_token_list(call->store, owner->id, &listing.tokens, &listing.token_count);
    if (rc)
        free(listing.keys);
    else
        *out = listing;
    return rc;
}

static int print_json(const struct verb_call *call, const struct listing *listing) {
    json_t *array = json_array();
    size_t i = 0, j = 0;
    while (i < listing->key_count && json_array_append_new(array, key_json(&listing->keys[i])) == 0)
        i++;
    while (j < listing->token_count && json_array_append_new(array, verb_token_json(call, &listing->tokens[j])) == 0)
        j++;
    if (i < listing->key_count || j < listing->token_count) {
        json_decref(array);
        array = NULL;
    }
    return verb_print_json(call, array);
}

static int print_table(const struct verb_call *call, const struct listing *listing) {
    static const char *const headings[] = {"OWNER", "FINGERPRINT", "TYPE", "ADDED", "LAST USED", "LABEL"};
    struct table table;
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < listing->key_count; i++) {
        const struct key *key = &listing->keys[i];
        char created[21], used[21];
        verb_time(created, key->created);
        verb_time(used, key->last_used);
        table_row(&table, (const char *[]){key->owner.name, key->fingerprint, key->type, created, used, key->label});
    }
    for (size_t i = 0; i < listing->token_count; i++)
        verb_token_row(call, &listing->tokens[i], &table);
    return verb_print(call, &table);
}

int verb_key_list(struct verb_call *call) {
    struct verb_owner owner;
    struct listing listing;
    int status = verb_find_owner(call, call->count > 0 ? call->args[0] : NULL, &owner);
    if (status)
        return status;
    int rc = listing_load(call, &owner, &listing);
    if (rc)
        return verb_end(call, rc);
    status = call->json ? print_json(call, &listing) : print_table(call, &listing);
    free(listing.keys);
    free(listing.tokens);
    return status;
}

int verb_key_add(struct verb_call *call) {
    struct verb_owner owner;
    struct pubkey key;
    struct why why = {""};
    bool named = !verb_is_key(call, 0);
    if (call->api)
        return verb_token_add(call);
    if (named && call->count < 2)
        return verb_fail(call, "a public key is wanted: 'ssh-ed25519 AAAA...', or - to read it from standard input");
    int status = verb_find_owner(call, named ? call->args[0] : NULL, &owner);
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

/* Without his only key the last admin could administer as little as without his account. */
static int check_last_key(const struct verb_call *call, const struct key_owner *owner) {
    struct user user;
    size_t keys = 0;
    if (owner->kind != KEY_OWNER_USER)
        return 0;
    int rc = store_user_find(call->store, owner->name, &user);
    if (!rc)
        rc = verb_count_keys(call, owner->id, &keys);
    if (rc)
        return verb_end(call, rc);
    return keys > 1 ? 0 : verb_check_last_admin(call, &user);
}

int verb_key_remove(struct verb_call *call) {
    const char *fingerprint = call->args[0];
    struct key_owner owner;
    if (str_starts(fingerprint, "API:"))
        return verb_token_remove(call);
    int rc = store_key_find(call->store, fingerprint, &owner);
    if (rc)
        return verb_end(call, rc);
    bool own = owner.kind == KEY_OWNER_USER && call->subject.kind == SUBJECT_USER && owner.id == call->subject.id;
    if (owner.kind == KEY_OWNER_NONE || (!own && !verb_may(call, ACTION_ADMINISTER))) {
        verb_audit(call, fingerprint, "refused", NULL);
        return verb_fail(call,
                         "there is no such key: 'key list' shows the fingerprints, which begin with SHA256: or API:");
    }
    int status = check_last_key(call, &owner);
    if (status)
        return status;
    rc = store_key_remove(call->store, owner.kind, owner.id, fingerprint);
    status = verb_changed(call, rc, owner.name, fingerprint, NULL);
    if (status)
        return status;
    call->verbs->changed(call->verbs->ctx);
    if (owner.kind == KEY_OWNER_USER)
        call->verbs->lost(call->verbs->ctx, owner.id, owner.name, true);
    verb_say(call, "removed %s of %s", fingerprint, owner.name);
    return VERB_DONE;
}
