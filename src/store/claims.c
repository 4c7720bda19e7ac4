/* The table of claims. */
#include "sallyport/store/claims.h"

#include "store_impl.h"

int store_claim_put(struct store *store, const struct claim *claim) {
    struct query query;
    query_begin(&query, store, STATEMENT_CLAIM_PUT,
                "INSERT INTO claim (machine_id, gpu_id, gpu, user_id, since, until, note) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (machine_id, gpu_id) DO UPDATE SET gpu = excluded.gpu, user_id = excluded.user_id,"
                " since = excluded.since, until = excluded.until, note = excluded.note");
    query_int(&query, claim->machine_id);
    query_text(&query, claim->gpu_id);
    query_int(&query, claim->gpu);
    query_int(&query, claim->user_id);
    query_int(&query, claim->since);
    query_int(&query, claim->until);
    query_text(&query, claim->note);
    return query_run(&query);
}

int store_claim_list(struct store *store, struct claim **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct claim)};
    struct query query;
    struct claim *claim;
    void *items;
    query_begin(&query, store, STATEMENT_CLAIM_LIST,
                "SELECT claim.machine_id, gpu_id, gpu, user_id, user.name, since, until, note FROM claim"
                " JOIN user ON user.id = user_id ORDER BY claim.machine_id, gpu, gpu_id");
    while (query_row(&query) && (claim = rows_add(&rows, &query))) {
        claim->machine_id = query_get_int(&query, 0);
        query_get_text(&query, 1, claim->gpu_id, sizeof(claim->gpu_id));
        claim->gpu = query_get_int(&query, 2);
        claim->user_id = query_get_int(&query, 3);
        query_get_text(&query, 4, claim->user, sizeof(claim->user));
        claim->since = query_get_int(&query, 5);
        claim->until = query_get_int(&query, 6);
        query_get_text(&query, 7, claim->note, sizeof(claim->note));
    }
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}

int store_claim_remove(struct store *store, int64_t machine_id, const char *gpu_id) {
    struct query query;
    query_begin(&query, store, STATEMENT_CLAIM_REMOVE, "DELETE FROM claim WHERE machine_id = ? AND gpu_id = ?");
    query_int(&query, machine_id);
    query_text(&query, gpu_id);
    return query_run_changed(&query);
}
