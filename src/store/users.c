/* The table of users. */
#include "sallyport/store/users.h"

#include <stdlib.h>

#include "sallyport/store/grants.h"
#include "store_impl.h"

#define COLUMNS "id, name, role, disabled, created"

static void read_user(struct query *query, struct user *user) {
    char role[16];
    user->id = query_get_int(query, 0);
    query_get_text(query, 1, user->name, sizeof(user->name));
    query_get_text(query, 2, role, sizeof(role));
    if (role_parse(role, &user->role))
        user->role = ROLE_MEMBER;
    user->disabled = query_get_int(query, 3) != 0;
    user->created = query_get_int(query, 4);
}

/* Ends the query. */
static int read_one(struct query *query, struct user *out) {
    struct user user;
    bool found = query_row(query);
    if (found)
        read_user(query, &user);
    int rc = query_end(query);
    if (rc)
        return rc;
    if (!found)
        return SP_ENOENT;
    *out = user;
    return 0;
}

int store_user_find(struct store *store, const char *name, struct user *out) {
    struct query query;
    query_begin(&query, store, STATEMENT_USER_FIND, "SELECT " COLUMNS " FROM user WHERE name = ?");
    query_text(&query, name);
    return read_one(&query, out);
}

int store_user_get(struct store *store, int64_t id, struct user *out) {
    struct query query;
    query_begin(&query, store, STATEMENT_USER_GET, "SELECT " COLUMNS " FROM user WHERE id = ?");
    query_int(&query, id);
    return read_one(&query, out);
}

int store_user_list(struct store *store, struct user **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct user)};
    struct query query;
    struct user *user;
    void *items;
    query_begin(&query, store, STATEMENT_USER_LIST, "SELECT " COLUMNS " FROM user ORDER BY name");
    while (query_row(&query) && (user = rows_add(&rows, &query)))
        read_user(&query, user);
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}

/* Inside a transaction. */
static int insert(struct store *store, const char *name, enum role role, int64_t now, int64_t *id, struct why *why) {
    struct query query;
    query_begin(&query, store, STATEMENT_USER_ADD, "INSERT INTO user (name, role, created) VALUES (?, ?, ?)");
    query_text(&query, name);
    query_text(&query, role_name(role));
    query_int(&query, now);
    int rc = query_run(&query);
    if (rc == SP_EEXIST)
        why_set(why, "the name '%s' is taken already", name);
    if (!rc)
        *id = sqlite3_last_insert_rowid(store->db);
    return rc;
}

int user_insert(struct store *store, const char *name, enum role role, const struct key_text *key, int64_t now,
                int64_t *id, struct why *why) {
    int64_t added = 0;
    int rc = insert(store, name, role, now, &added, why);
    if (!rc && key)
        rc = key_insert(store, KEY_OWNER_USER, added, key, now, why);
    if (!rc)
        *id = added;
    return rc;
}

int store_user_add(struct store *store, const char *name, enum role role, const struct key_text *key, int64_t now,
                   int64_t *id, struct why *why) {
    int64_t added = 0;
    int rc = transaction_begin(store);
    if (rc)
        return rc;
    rc = transaction_end(store, user_insert(store, name, role, key, now, &added, why));
    if (!rc)
        *id = added;
    return rc;
}

int store_user_remove(struct store *store, int64_t id) {
    struct query query;
    struct user user;
    int rc = transaction_begin(store);
    if (rc)
        return rc;
    rc = store_user_get(store, id, &user);
    if (!rc) /* else an invite that is still out would let the user in again */
        rc = invite_remove_name(store, user.name);
    if (!rc) {
        query_begin(&query, store, STATEMENT_USER_REMOVE, "DELETE FROM user WHERE id = ?");
        query_int(&query, id);
        rc = query_run(&query);
    }
    return transaction_end(store, rc);
}

int store_user_set_disabled(struct store *store, int64_t id, bool disabled) {
    struct query query;
    int rc = transaction_begin(store);
    if (rc)
        return rc;
    query_begin(&query, store, STATEMENT_USER_SET_DISABLED, "UPDATE user SET disabled = ? WHERE id = ?");
    query_int(&query, disabled);
    query_int(&query, id);
    rc = query_run_changed(&query);
    if (!rc && disabled)
        rc = store_session_remove_others(store, id, 0);
    if (!rc && disabled)
        rc = login_remove_user(store, id);
    return transaction_end(store, rc);
}

int store_user_count_admins(struct store *store, int64_t *count) {
    struct query query;
    int64_t found = 0;
    query_begin(&query, store, STATEMENT_USER_COUNT_ADMINS,
                "SELECT count(*) FROM user WHERE role = 'admin' AND disabled = 0");
    if (query_row(&query))
        found = query_get_int(&query, 0);
    int rc = query_end(&query);
    if (!rc)
        *count = found;
    return rc;
}

int store_user_subject(struct store *store, int64_t id, struct policy_subject *out) {
    struct user user;
    struct grant *grants;
    size_t count;
    int rc = store_user_get(store, id, &user);
    if (!rc)
        rc = store_grant_list(store, id, &grants, &count);
    if (rc)
        return rc;
    *out = (struct policy_subject){
        .kind = SUBJECT_USER,
        .id = id,
        .role = user.role,
        .disabled = user.disabled,
        .grants = grants,
        .grant_count = count,
    };
    return 0;
}
