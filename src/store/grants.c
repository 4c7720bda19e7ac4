/* The table of grants. */
#include "sallyport/store/grants.h"

#include <stdlib.h>

#include "store_impl.h"

int store_grant_add(struct store *store, int64_t user_id, int64_t machine_id, const char *service, int64_t now) {
    struct query query;
    query_begin(&query, store, STATEMENT_GRANT_ADD,
                "INSERT INTO user_grant (user_id, machine_id, service, created) VALUES (?, ?, ?, ?)");
    query_int(&query, user_id);
    query_int(&query, machine_id);
    query_text(&query, service);
    query_int(&query, now);
    int rc = query_run(&query);
    return rc == SP_EEXIST ? 0 : rc;
}

int store_grant_remove(struct store *store, int64_t user_id, int64_t machine_id, const char *service) {
    struct query query;
    query_begin(&query, store, STATEMENT_GRANT_REMOVE,
                "DELETE FROM user_grant WHERE user_id = ? AND machine_id = ? AND ? IN ('', service)");
    query_int(&query, user_id);
    query_int(&query, machine_id);
    query_text(&query, service);
    return query_run_changed(&query);
}

int store_grant_list(struct store *store, int64_t user_id, struct grant **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct grant)};
    struct query query;
    struct grant *grant;
    void *items;
    query_begin(&query, store, STATEMENT_GRANT_LIST,
                "SELECT machine_id, service FROM user_grant WHERE user_id = ? ORDER BY machine_id, service");
    query_int(&query, user_id);
    while (query_row(&query) && (grant = rows_add(&rows, &query))) {
        grant->machine_id = query_get_int(&query, 0);
        query_get_text(&query, 1, grant->service, sizeof(grant->service));
    }
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}
