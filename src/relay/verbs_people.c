/* user: the people of the relay. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sallyport/domain/jsonline.h"
#include "sallyport/store/users.h"
#include "verbs_local.h"

static int find_user(const struct verb_call *call, const char *name, struct user *out) {
    int rc = store_user_find(call->store, name, out);
    if (rc == SP_ENOENT)
        return verb_fail(call, "there is no user '%s': 'user list' shows them", name);
    return verb_end(call, rc);
}

static json_t *user_json(const struct verb_call *call, const struct user *user, size_t keys) {
    json_t *object =
        json_pack("{s:s, s:s, s:b, s:I, s:o}", "name", user->name, "role", role_name(user->role), "disabled",
                  (int)user->disabled, "keys", (json_int_t)keys, "grants", verb_grants(call, user->id));
    if (object && jsonline_set_time(object, "created", user->created))
        return object;
    json_decref(object);
    return NULL;
}

/* The names, one blank between them; SP_ENOMEM, also when the grants could not be read. */
static int join_grants(const struct verb_call *call, int64_t user_id, struct buf *to) {
    json_t *array = verb_grants(call, user_id);
    size_t i;
    json_t *name;
    int rc = array ? 0 : SP_ENOMEM;
    json_array_foreach(array, i, name) {
        if (!rc)
            rc = buf_printf(to, "%s%s", i > 0 ? " " : "", json_string_value(name));
    }
    json_decref(array);
    return rc;
}

static int add_row(const struct verb_call *call, struct table *table, const struct user *user, size_t key_count) {
    char created[21], keys[24];
    struct buf grants;
    buf_init(&grants);
    int rc = user->role == ROLE_ADMIN ? buf_printf(&grants, "everything") : join_grants(call, user->id, &grants);
    const char *grants_text = buf_string(&grants);
    if (!rc && !grants_text)
        rc = SP_ENOMEM;
    verb_time(created, user->created);
    snprintf(keys, sizeof(keys), "%zu", key_count);
    if (!rc)
        table_row(table, (const char *[]){user->name, role_name(user->role), user->disabled ? "disabled" : "enabled",
                                          keys, created, grants_text});
    buf_fini(&grants);
    return rc;
}

int verb_count_keys(const struct verb_call *call, int64_t user_id, size_t *count) {
    struct key *keys;
    int rc = store_key_list(call->store, KEY_OWNER_USER, user_id, &keys, count);
    if (!rc)
        free(keys);
    return rc;
}

int verb_user_list(struct verb_call *call) {
    static const char *const headings[] = {"NAME", "ROLE", "STATE", "KEYS", "CREATED", "MAY REACH"};
    struct table table;
    struct user *users;
    size_t count, keys = 0;
    int rc = store_user_list(call->store, &users, &count);
    if (rc)
        return verb_end(call, rc);
    json_t *array = json_array();
    table_init(&table, sizeof(headings) / sizeof(headings[0]), headings);
    for (size_t i = 0; i < count && !rc; i++) {
        rc = verb_count_keys(call, users[i].id, &keys);
        if (!rc && call->json)
            rc = json_array_append_new(array, user_json(call, &users[i], keys)) ? SP_ENOMEM : 0;
        else if (!rc)
            rc = add_row(call, &table, &users[i], keys);
    }
    free(users);
    if (!rc && call->json) {
        table_fini(&table);
        return verb_print_json(call, array);
    }
    json_decref(array);
    if (!rc)
        return verb_print(call, &table);
    table_fini(&table);
    return verb_end(call, rc);
}

int verb_user_add(struct verb_call *call) {
    const char *name = call->args[0];
    enum role role = call->admin ? ROLE_ADMIN : ROLE_MEMBER;
    bool has_key = call->count > 1;
    struct why why = {""};
    struct pubkey key;
    char detail[96];
    int64_t id;
    if (verb_is_key(call, 0) || name_check(name, &why))
        return verb_fail(call, "%s", why.text[0] ? why.text : "the name comes first, then the key");
    if (has_key && verb_read_key(call, 1, &key))
        return VERB_FAILED;
    struct key_text text = verb_key_text(&key);
    snprintf(detail, sizeof(detail), "%s%s%s", role_name(role), has_key ? ", " : "", has_key ? key.fingerprint : "");
    int rc = store_user_add(call->store, name, role, has_key ? &text : NULL, call->now, &id, &why);
    int status = verb_changed(call, rc, name, detail, &why);
    if (status)
        return status;
    verb_say(call, "added the %s %s", role_name(role), name);
    if (!has_key)
        verb_say(call, "without a key yet: 'key add %s ...' adds one", name);
    if (role == ROLE_MEMBER)
        verb_say(call, "'grant %s BOX' lets %s reach a machine", name, name);
    return VERB_DONE;
}

int verb_check_last_admin(const struct verb_call *call, const struct user *user) {
    int64_t admins = 0;
    if (call->subject.kind == SUBJECT_OPERATOR || user->role != ROLE_ADMIN || user->disabled)
        return 0;
    int rc = store_user_count_admins(call->store, &admins);
    if (rc)
        return verb_end(call, rc);
    if (admins > 1)
        return 0;
    verb_audit(call, user->name, "refused", "the last admin");
    return verb_fail(call, "%s is the last admin: nobody could administer any more. Add another admin first",
                     user->name);
}

int verb_user_remove(struct verb_call *call) {
    struct user user;
    int status = find_user(call, call->args[0], &user);
    if (!status)
        status = verb_check_last_admin(call, &user);
    if (status)
        return status;
    status = verb_changed(call, store_user_remove(call->store, user.id), user.name, role_name(user.role), NULL);
    if (status)
        return status;
    call->verbs->changed(call->verbs->ctx);
    call->verbs->lost(call->verbs->ctx, user.id, user.name, true);
    verb_say(call, "removed %s", user.name);
    return VERB_DONE;
}

static int set_disabled(struct verb_call *call, bool disabled) {
    struct user user;
    int status = find_user(call, call->args[0], &user);
    if (!status && disabled)
        status = verb_check_last_admin(call, &user);
    if (status)
        return status;
    status = verb_changed(call, store_user_set_disabled(call->store, user.id, disabled), user.name, NULL, NULL);
    if (status)
        return status;
    call->verbs->changed(call->verbs->ctx);
    if (disabled)
        call->verbs->lost(call->verbs->ctx, user.id, user.name, true);
    verb_say(call, "%s is %s now", user.name, disabled ? "disabled" : "enabled");
    return VERB_DONE;
}

int verb_user_disable(struct verb_call *call) {
    return set_disabled(call, true);
}

int verb_user_enable(struct verb_call *call) {
    return set_disabled(call, false);
}
