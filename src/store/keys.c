/* The table of keys. */
#include "sallyport/store/keys.h"

#include <stdlib.h>
#include <string.h>

#include "store_impl.h"

/* A busy key is not worth a write to the disk every time. */
#define USED_EVERY_S 3600

#define OWNER "key.user_id, key.machine_id, coalesce(user.name, machine.name), user.role, user.disabled"
#define FROM " FROM key LEFT JOIN user ON user.id = key.user_id LEFT JOIN machine ON machine.id = key.machine_id "

static void read_owner(struct query *query, struct key_owner *owner) {
    char role[16];
    bool is_user = !query_is_null(query, 0);
    owner->kind = is_user ? KEY_OWNER_USER : KEY_OWNER_MACHINE;
    owner->id = query_get_int(query, is_user ? 0 : 1);
    query_get_text(query, 2, owner->name, sizeof(owner->name));
    query_get_text(query, 3, role, sizeof(role));
    if (role_parse(role, &owner->role))
        owner->role = ROLE_MEMBER;
    owner->disabled = query_get_int(query, 4) != 0;
}

int store_key_find(struct store *store, const char *fingerprint, struct key_owner *out) {
    struct key_owner owner = {.kind = KEY_OWNER_NONE};
    struct query query;
    query_begin(&query, store, STATEMENT_KEY_FIND, "SELECT " OWNER FROM "WHERE key.fingerprint = ?");
    query_text(&query, fingerprint);
    if (query_row(&query))
        read_owner(&query, &owner);
    int rc = query_end(&query);
    if (!rc)
        *out = owner;
    return rc;
}

/* What cannot be read back whole is not stored. */
static bool fits(const struct key_text *key) {
    const struct key *sizes = NULL;
    return strlen(key->type) < sizeof(sizes->type) && strlen(key->base64) < sizeof(sizes->base64) &&
           strlen(key->fingerprint) < sizeof(sizes->fingerprint);
}

/* One of the two columns stays NULL: an id of 0 is nobody's. */
static void bind_owner(struct query *query, enum key_owner_kind kind, int64_t owner_id) {
    query_int(query, kind == KEY_OWNER_USER ? owner_id : 0);
    query_int(query, kind == KEY_OWNER_MACHINE ? owner_id : 0);
}

int key_insert(struct store *store, enum key_owner_kind kind, int64_t owner, const struct key_text *key, int64_t now,
               struct why *why) {
    struct query query;
    if (!fits(key)) {
        why_set(why, "the key is too long");
        return SP_ETOOBIG;
    }
    query_begin(&query, store, STATEMENT_KEY_ADD,
                "INSERT INTO key (user_id, machine_id, type, base64, fingerprint, label, created)"
                " VALUES (nullif(?, 0), nullif(?, 0), ?, ?, ?, ?, ?)");
    bind_owner(&query, kind, owner);
    query_text(&query, key->type);
    query_text(&query, key->base64);
    query_text(&query, key->fingerprint);
    query_text(&query, key->label);
    query_int(&query, now);
    int rc = query_run(&query);
    if (rc == SP_EEXIST)
        why_set(why, "this key is registered already, and a key has one owner only: use another one");
    if (rc == SP_ENOENT)
        why_set(why, "there is no such user or machine");
    return rc;
}

int store_key_add(struct store *store, enum key_owner_kind kind, int64_t owner_id, const struct key_text *key,
                  int64_t now, struct why *why) {
    return key_insert(store, kind, owner_id, key, now, why);
}

int store_key_remove(struct store *store, enum key_owner_kind kind, int64_t owner_id, const char *fingerprint) {
    struct query query;
    query_begin(&query, store, STATEMENT_KEY_REMOVE,
                "DELETE FROM key WHERE (user_id = ? OR machine_id = ?) AND fingerprint = ?");
    bind_owner(&query, kind, owner_id);
    query_text(&query, fingerprint);
    return query_run_changed(&query);
}

int key_remove_all(struct store *store, int64_t machine_id) {
    struct query query;
    query_begin(&query, store, STATEMENT_KEY_REMOVE_ALL, "DELETE FROM key WHERE machine_id = ?");
    query_int(&query, machine_id);
    return query_run(&query);
}

int store_key_list(struct store *store, enum key_owner_kind kind, int64_t owner_id, struct key **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct key)};
    struct query query;
    struct key *key;
    void *items;
    query_begin(&query, store, STATEMENT_KEY_LIST,
                "SELECT " OWNER
                ", key.id, key.type, key.base64, key.fingerprint, key.label, key.created, key.last_used" FROM
                "WHERE ? OR key.user_id = ? OR key.machine_id = ? ORDER BY 3, key.id");
    query_int(&query, kind == KEY_OWNER_NONE);
    bind_owner(&query, kind, owner_id);
    while (query_row(&query) && (key = rows_add(&rows, &query))) {
        read_owner(&query, &key->owner);
        key->id = query_get_int(&query, 5);
        query_get_text(&query, 6, key->type, sizeof(key->type));
        query_get_text(&query, 7, key->base64, sizeof(key->base64));
        query_get_text(&query, 8, key->fingerprint, sizeof(key->fingerprint));
        query_get_text(&query, 9, key->label, sizeof(key->label));
        key->created = query_get_int(&query, 10);
        key->last_used = query_get_int(&query, 11);
    }
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}

int store_key_used(struct store *store, const char *fingerprint, int64_t now) {
    struct query query;
    int rc = light_begin(store);
    if (rc)
        return rc;
    query_begin(&query, store, STATEMENT_KEY_USED,
                "UPDATE key SET last_used = ? WHERE fingerprint = ? AND last_used <= ?");
    query_int(&query, now);
    query_text(&query, fingerprint);
    query_int(&query, now - USED_EVERY_S);
    return light_end(store, query_run(&query));
}
