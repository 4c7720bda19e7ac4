/* The table of browser sessions. */
#include "sallyport/store/logins.h"
#include "sallyport/store/users.h"
#include "store_impl.h"

static int insert(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t user_id, int64_t now,
                  int64_t expires, const char *address, const char *agent) {
    struct query query;
    query_begin(&query, store, STATEMENT_SESSION_ADD,
                "INSERT INTO web_session (token_hash, user_id, created, last_used, expires, address, agent)"
                " VALUES (?1, ?2, ?3, ?3, ?4, substr(?5, 1, 63), substr(?6, 1, 255))");
    query_blob(&query, token_hash, STORE_HASH_SIZE);
    query_int(&query, user_id);
    query_int(&query, now);
    query_int(&query, expires);
    query_text(&query, address);
    query_text(&query, agent);
    return query_run(&query);
}

/* The newest is never the one to go, whatever the clock says. */
static int trim(struct store *store, int64_t user_id, int64_t newest) {
    struct query query;
    query_begin(&query, store, STATEMENT_SESSION_TRIM,
                "DELETE FROM web_session WHERE id IN (SELECT id FROM web_session WHERE user_id = ? AND id <> ?"
                " ORDER BY last_used DESC, id DESC LIMIT -1 OFFSET ?)");
    query_int(&query, user_id);
    query_int(&query, newest);
    query_int(&query, STORE_SESSIONS_MAX - 1);
    return query_run(&query);
}

int store_session_add(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t user_id,
                      int64_t now, int64_t expires, const char *address, const char *agent, int64_t *id) {
    int64_t added = 0;
    int rc = transaction_begin(store);
    if (rc)
        return rc;
    rc = insert(store, token_hash, user_id, now, expires, address, agent);
    if (!rc) {
        added = sqlite3_last_insert_rowid(store->db);
        rc = trim(store, user_id, added);
    }
    rc = transaction_end(store, rc);
    if (!rc)
        *id = added;
    return rc;
}

void session_read(struct query *query, struct session *session) {
    session->id = query_get_int(query, 0);
    session->user.id = query_get_int(query, 1);
    session->created = query_get_int(query, 2);
    session->last_used = query_get_int(query, 3);
    session->expires = query_get_int(query, 4);
}

int session_check(struct store *store, int64_t now, int64_t idle, struct session *session) {
    if (session->expires <= now || session->last_used + idle <= now)
        return SP_EEXPIRED;
    int rc = store_user_get(store, session->user.id, &session->user);
    return !rc && session->user.disabled ? SP_EDENIED : rc;
}

/* Ends the query. */
static int read_one(struct query *query, int64_t now, int64_t idle, struct session *out) {
    struct session session = {.id = 0};
    bool found = query_row(query);
    if (found)
        session_read(query, &session);
    int rc = query_end(query);
    if (!rc)
        rc = found ? session_check(query->store, now, idle, &session) : SP_ENOENT;
    if (!rc)
        *out = session;
    return rc;
}

int store_session_find(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t now, int64_t idle,
                       struct session *out) {
    struct query query;
    query_begin(&query, store, STATEMENT_SESSION_FIND,
                "SELECT " SESSION_COLUMNS " FROM web_session WHERE token_hash = ?");
    query_blob(&query, token_hash, STORE_HASH_SIZE);
    return read_one(&query, now, idle, out);
}

int store_session_get(struct store *store, int64_t id, int64_t now, int64_t idle, struct session *out) {
    struct query query;
    query_begin(&query, store, STATEMENT_SESSION_GET, "SELECT " SESSION_COLUMNS " FROM web_session WHERE id = ?");
    query_int(&query, id);
    return read_one(&query, now, idle, out);
}

int store_session_list(struct store *store, int64_t user_id, int64_t now, int64_t idle, struct session_row **out,
                       size_t *count) {
    struct rows rows = {.size = sizeof(struct session_row)};
    struct query query;
    struct session_row *row;
    void *items;
    query_begin(&query, store, STATEMENT_SESSION_LIST,
                "SELECT id, created, last_used, expires, address, agent FROM web_session"
                " WHERE user_id = ? AND expires > ? AND last_used > ? ORDER BY last_used DESC, id DESC");
    query_int(&query, user_id);
    query_int(&query, now);
    query_int(&query, now - idle);
    while (query_row(&query) && (row = rows_add(&rows, &query))) {
        row->id = query_get_int(&query, 0);
        row->created = query_get_int(&query, 1);
        row->last_used = query_get_int(&query, 2);
        row->expires = query_get_int(&query, 3);
        query_get_text(&query, 4, row->address, sizeof(row->address));
        query_get_text(&query, 5, row->agent, sizeof(row->agent));
    }
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}

int store_session_touch(struct store *store, int64_t id, int64_t now) {
    struct query query;
    int rc = light_begin(store);
    if (rc)
        return rc;
    query_begin(&query, store, STATEMENT_SESSION_TOUCH,
                "UPDATE web_session SET last_used = max(last_used, ?) WHERE id = ?");
    query_int(&query, now);
    query_int(&query, id);
    return light_end(store, query_run(&query));
}

int store_session_remove(struct store *store, int64_t id) {
    struct query query;
    query_begin(&query, store, STATEMENT_SESSION_REMOVE, "DELETE FROM web_session WHERE id = ?");
    query_int(&query, id);
    return query_run_changed(&query);
}

int store_session_remove_others(struct store *store, int64_t user_id, int64_t keep) {
    struct query query;
    query_begin(&query, store, STATEMENT_SESSION_REMOVE_OTHERS,
                "DELETE FROM web_session WHERE user_id = ? AND id <> ?");
    query_int(&query, user_id);
    query_int(&query, keep);
    return query_run(&query);
}
