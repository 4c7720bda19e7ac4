/* The table of one-time logins. */
#include "sallyport/store/logins.h"

#include "sallyport/store/users.h"
#include "store_impl.h"

int store_login_add(struct store *store, const uint8_t code_hash[static STORE_HASH_SIZE], int64_t user_id, int64_t now,
                    int64_t expires) {
    struct query query;
    query_begin(&query, store, STATEMENT_LOGIN_ADD,
                "INSERT INTO login_code (code_hash, user_id, created, expires) VALUES (?, ?, ?, ?)");
    query_blob(&query, code_hash, STORE_HASH_SIZE);
    query_int(&query, user_id);
    query_int(&query, now);
    query_int(&query, expires);
    return query_run(&query);
}

int login_remove_user(struct store *store, int64_t user_id) {
    struct query query;
    query_begin(&query, store, STATEMENT_LOGIN_REMOVE_USER, "DELETE FROM login_code WHERE user_id = ?");
    query_int(&query, user_id);
    return query_run(&query);
}

static int find(struct store *store, const uint8_t code_hash[static STORE_HASH_SIZE], int64_t now, int64_t *user_id,
                struct why *why) {
    struct query query;
    int64_t expires = 0, used = 0;
    query_begin(&query, store, STATEMENT_LOGIN_FIND,
                "SELECT user_id, expires, used FROM login_code WHERE code_hash = ?");
    query_blob(&query, code_hash, STORE_HASH_SIZE);
    bool found = query_row(&query);
    if (found) {
        *user_id = query_get_int(&query, 0);
        expires = query_get_int(&query, 1);
        used = query_get_int(&query, 2);
    }
    int rc = query_end(&query);
    if (rc)
        return rc;
    if (!found) {
        why_set(why, "this login link is not known here: ask for a new one with the verb 'login'");
        return SP_ENOENT;
    }
    if (used || expires <= now) {
        why_set(why, "this login link %s: ask for a new one with the verb 'login'",
                used ? "was used already" : "has expired");
        return SP_EEXPIRED;
    }
    return 0;
}

static int use(struct store *store, const uint8_t code_hash[static STORE_HASH_SIZE], int64_t now) {
    struct query query;
    query_begin(&query, store, STATEMENT_LOGIN_USE, "UPDATE login_code SET used = ? WHERE code_hash = ? AND used = 0");
    query_int(&query, now);
    query_blob(&query, code_hash, STORE_HASH_SIZE);
    return query_run_changed(&query);
}

int store_login_redeem(struct store *store, const uint8_t code_hash[static STORE_HASH_SIZE], int64_t now,
                       struct user *out, struct why *why) {
    struct user user = {.id = 0};
    int64_t user_id = 0;
    int rc = transaction_begin(store);
    if (rc)
        return rc;
    rc = find(store, code_hash, now, &user_id, why);
    if (!rc)
        rc = store_user_get(store, user_id, &user);
    if (!rc && user.disabled) {
        why_set(why, "the user '%s' is disabled: ask an admin of the relay", user.name);
        rc = SP_EDENIED;
    }
    if (!rc)
        rc = use(store, code_hash, now);
    rc = transaction_end(store, rc);
    if (!rc)
        *out = user;
    return rc;
}
