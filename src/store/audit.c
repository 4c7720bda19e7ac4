/* The table of the audit trail. */
#include "sallyport/store/audit.h"

#include "store_impl.h"

/* By the id, which counts up: looks at the few oldest rows only. */
static int trim(struct store *store, int64_t newest) {
    struct query query;
    query_begin(&query, store, STATEMENT_AUDIT_TRIM, "DELETE FROM audit WHERE id <= ?");
    query_int(&query, newest - STORE_AUDIT_MAX);
    return query_run(&query);
}

int store_audit_add(struct store *store, const struct audit_entry *entry) {
    struct query query;
    int rc = light_begin(store);
    if (rc)
        return rc;
    query_begin(&query, store, STATEMENT_AUDIT_ADD,
                "INSERT INTO audit (time, actor, action, object, outcome, detail)"
                " VALUES (?, substr(?, 1, 63), substr(?, 1, 63), substr(?, 1, 95), substr(?, 1, 15),"
                " substr(?, 1, 255))");
    query_int(&query, entry->time);
    query_text(&query, entry->actor);
    query_text(&query, entry->action);
    query_text(&query, entry->object);
    query_text(&query, entry->outcome);
    query_text(&query, entry->detail);
    rc = query_run(&query);
    if (!rc)
        rc = trim(store, sqlite3_last_insert_rowid(store->db));
    return light_end(store, rc);
}

int store_audit_list(struct store *store, const char *about, size_t limit, struct audit_row **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct audit_row)};
    struct query query;
    struct audit_row *row;
    void *items;
    query_begin(&query, store, STATEMENT_AUDIT_LIST,
                "SELECT id, time, actor, action, object, outcome, detail FROM audit"
                " WHERE ?1 = '' OR ?1 IN (actor, object, detail)"
                " OR ?1 || '/' IN (substr(object, 1, length(?1) + 1), substr(detail, 1, length(?1) + 1))"
                " ORDER BY id DESC LIMIT ?2");
    query_text(&query, about);
    query_int(&query, limit < STORE_AUDIT_MAX ? (int64_t)limit : STORE_AUDIT_MAX);
    while (query_row(&query) && (row = rows_add(&rows, &query))) {
        row->id = query_get_int(&query, 0);
        row->time = query_get_int(&query, 1);
        query_get_text(&query, 2, row->actor, sizeof(row->actor));
        query_get_text(&query, 3, row->action, sizeof(row->action));
        query_get_text(&query, 4, row->object, sizeof(row->object));
        query_get_text(&query, 5, row->outcome, sizeof(row->outcome));
        query_get_text(&query, 6, row->detail, sizeof(row->detail));
    }
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}
