/* The table of sessions on the host names of services, each of which hangs on one of the relay's own. */
#include "sallyport/store/logins.h"
#include "store_impl.h"

int store_service_session_add(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t session_id,
                              int64_t machine_id, const char *service, int64_t now) {
    struct query query;
    query_begin(&query, store, STATEMENT_SERVICE_SESSION_ADD,
                "INSERT INTO service_session (token_hash, session_id, machine_id, service, created)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (session_id, machine_id, service)"
                " DO UPDATE SET token_hash = excluded.token_hash, created = excluded.created");
    query_blob(&query, token_hash, STORE_HASH_SIZE);
    query_int(&query, session_id);
    query_int(&query, machine_id);
    query_text(&query, service);
    query_int(&query, now);
    return query_run(&query);
}

int store_service_session_find(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t now,
                               int64_t idle, struct service_session *out) {
    struct service_session found = {.machine_id = 0};
    struct query query;
    query_begin(&query, store, STATEMENT_SERVICE_SESSION_FIND,
                "SELECT " SESSION_COLUMNS ", service_session.machine_id, service_session.service FROM service_session"
                " JOIN web_session ON web_session.id = service_session.session_id"
                " WHERE service_session.token_hash = ?");
    query_blob(&query, token_hash, STORE_HASH_SIZE);
    bool there = query_row(&query);
    if (there) {
        session_read(&query, &found.session);
        found.machine_id = query_get_int(&query, SESSION_COLUMN_COUNT);
        query_get_text(&query, SESSION_COLUMN_COUNT + 1, found.service, sizeof(found.service));
    }
    int rc = query_end(&query);
    if (!rc)
        rc = there ? session_check(store, now, idle, &found.session) : SP_ENOENT;
    if (!rc)
        *out = found;
    return rc;
}
