/* The table of invites, and the one transaction in which a newcomer comes in. */
#include "sallyport/store/invites.h"

#include <stdlib.h>
#include <string.h>

#include "sallyport/store/machines.h"
#include "sallyport/store/users.h"
#include "store_impl.h"

#define COLUMNS "id, kind, name, role, created_by, created, expires, used"

static const char *kind_name(enum invite_kind kind) {
    return kind == INVITE_MACHINE ? "machine" : "user";
}

static void read_invite(struct query *query, struct invite *invite) {
    char text[16];
    invite->id = query_get_int(query, 0);
    query_get_text(query, 1, text, sizeof(text));
    invite->kind = strcmp(text, "machine") == 0 ? INVITE_MACHINE : INVITE_USER;
    query_get_text(query, 2, invite->name, sizeof(invite->name));
    query_get_text(query, 3, text, sizeof(text));
    if (role_parse(text, &invite->role))
        invite->role = ROLE_MEMBER;
    query_get_text(query, 4, invite->created_by, sizeof(invite->created_by));
    invite->created = query_get_int(query, 5);
    invite->expires = query_get_int(query, 6);
    invite->used = query_get_int(query, 7);
}

/* The name must not be one of the other kind. */
static int check_name(struct store *store, const struct invite *invite, struct why *why) {
    struct user user;
    struct machine machine;
    int rc = invite->kind == INVITE_USER ? store_machine_find(store, invite->name, &machine)
                                         : store_user_find(store, invite->name, &user);
    if (rc == SP_ENOENT)
        return 0;
    if (rc)
        return rc;
    why_set(why, "the name '%s' is taken already, by a %s", invite->name,
            invite->kind == INVITE_USER ? "machine" : "user");
    return SP_EEXIST;
}

int store_invite_add(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], struct invite *invite,
                     struct why *why) {
    struct query query;
    int rc = check_name(store, invite, why);
    if (rc)
        return rc;
    query_begin(&query, store, STATEMENT_INVITE_ADD,
                "INSERT INTO invite (token_hash, kind, name, role, created_by, created, expires)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)");
    query_blob(&query, token_hash, STORE_HASH_SIZE);
    query_text(&query, kind_name(invite->kind));
    query_text(&query, invite->name);
    query_text(&query, role_name(invite->role));
    query_text(&query, invite->created_by);
    query_int(&query, invite->created);
    query_int(&query, invite->expires);
    rc = query_run(&query);
    if (!rc)
        invite->id = sqlite3_last_insert_rowid(store->db);
    return rc;
}

int store_invite_list(struct store *store, int64_t now, struct invite **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct invite)};
    struct query query;
    struct invite *invite;
    void *items;
    query_begin(&query, store, STATEMENT_INVITE_LIST,
                "SELECT " COLUMNS " FROM invite WHERE used = 0 AND expires > ? ORDER BY id");
    query_int(&query, now);
    while (query_row(&query) && (invite = rows_add(&rows, &query)))
        read_invite(&query, invite);
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}

int store_invite_remove(struct store *store, int64_t id) {
    struct query query;
    query_begin(&query, store, STATEMENT_INVITE_REMOVE, "DELETE FROM invite WHERE id = ? AND used = 0");
    query_int(&query, id);
    return query_run_changed(&query);
}

int invite_remove_name(struct store *store, const char *name) {
    struct query query;
    query_begin(&query, store, STATEMENT_INVITE_REMOVE_NAME, "DELETE FROM invite WHERE name = ? AND used = 0");
    query_text(&query, name);
    return query_run(&query);
}

int invite_rename(struct store *store, const char *from, const char *to) {
    struct query query;
    query_begin(&query, store, STATEMENT_INVITE_RENAME, "UPDATE invite SET name = ? WHERE name = ? AND used = 0");
    query_text(&query, to);
    query_text(&query, from);
    return query_run(&query);
}

int store_invite_find(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t now,
                      struct invite *out, struct why *why) {
    struct query query;
    struct invite invite = {.id = 0};
    query_begin(&query, store, STATEMENT_INVITE_FIND, "SELECT " COLUMNS " FROM invite WHERE token_hash = ?");
    query_blob(&query, token_hash, STORE_HASH_SIZE);
    bool found = query_row(&query);
    if (found)
        read_invite(&query, &invite);
    int rc = query_end(&query);
    if (rc)
        return rc;
    if (!found) {
        why_set(why, "this token is not known here: is it whole, and for this relay? Else ask for a new invite");
        return SP_ENOENT;
    }
    if (invite.used) {
        why_set(why, "this token was used already: ask for a new invite");
        return SP_EEXPIRED;
    }
    if (invite.expires <= now) {
        why_set(why, "this token has expired: ask for a new invite");
        return SP_EEXPIRED;
    }
    *out = invite;
    return 0;
}

static int use(struct store *store, int64_t id, int64_t now) {
    struct query query;
    query_begin(&query, store, STATEMENT_INVITE_USE, "UPDATE invite SET used = ? WHERE id = ? AND used = 0");
    query_int(&query, now);
    query_int(&query, id);
    return query_run_changed(&query);
}

/* Somebody new, or one more key for a user who is there. */
static int admit_user(struct store *store, const struct invite *invite, const struct key_text *key, int64_t now,
                      struct invite_result *result, struct why *why) {
    struct key_owner owner;
    struct user user;
    int rc = store_user_find(store, invite->name, &user);
    result->role = invite->role;
    if (rc == SP_ENOENT)
        return user_insert(store, invite->name, invite->role, key, now, &result->id, why);
    if (rc)
        return rc;
    if (user.disabled) {
        why_set(why, "the user '%s' is disabled: ask an admin of the relay", invite->name);
        return SP_EDENIED;
    }
    result->id = user.id;
    result->role = user.role;
    rc = store_key_find(store, key->fingerprint, &owner);
    if (!rc && owner.kind == KEY_OWNER_USER && owner.id == user.id)
        return 0; /* the same key once more is what was wanted */
    return rc ? rc : key_insert(store, KEY_OWNER_USER, user.id, key, now, why);
}

/* Somebody new, or a machine that was set up anew: its earlier keys are gone with its earlier life. */
static int admit_machine(struct store *store, const struct invite *invite, const struct key_text *key, int64_t now,
                         struct invite_result *result, struct why *why) {
    struct machine machine;
    int rc = store_machine_find(store, invite->name, &machine);
    if (rc == SP_ENOENT)
        return machine_insert(store, invite->name, key, now, &result->id, why);
    if (!rc)
        rc = key_remove_all(store, machine.id);
    if (!rc)
        rc = key_insert(store, KEY_OWNER_MACHINE, machine.id, key, now, why);
    result->id = machine.id;
    result->replaced = true;
    return rc;
}

int store_invite_redeem(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE],
                        const struct key_text *key, int64_t now, struct invite_result *out, struct why *why) {
    struct invite_result result = {.id = 0};
    struct invite invite = {.id = 0};
    int rc = transaction_begin(store);
    if (rc)
        return rc;
    rc = store_invite_find(store, token_hash, now, &invite, why);
    if (!rc)
        rc = use(store, invite.id, now);
    if (!rc && invite.kind == INVITE_MACHINE)
        rc = admit_machine(store, &invite, key, now, &result, why);
    else if (!rc)
        rc = admit_user(store, &invite, key, now, &result, why);
    rc = transaction_end(store, rc);
    if (rc)
        return rc;
    result.kind = invite.kind;
    memcpy(result.name, invite.name, sizeof(result.name));
    *out = result;
    return 0;
}
