/* The table of API tokens. */
#include "sallyport/store/tokens.h"

#include <stdio.h>
#include <stdlib.h>

#include "sallyport/base/secret.h"
#include "sallyport/base/str.h"
#include "sallyport/store/users.h"
#include "store_impl.h"

#define COLUMNS "id, user_id, fingerprint, label, created, last_used"
#define FINGERPRINT_BYTES 8

static void read_token(struct query *query, struct api_token *token) {
    token->id = query_get_int(query, 0);
    token->user_id = query_get_int(query, 1);
    query_get_text(query, 2, token->fingerprint, sizeof(token->fingerprint));
    query_get_text(query, 3, token->label, sizeof(token->label));
    token->created = query_get_int(query, 4);
    token->last_used = query_get_int(query, 5);
}

/* Ends the query. */
static int read_one(struct query *query, struct api_token *out) {
    struct api_token token;
    bool found = query_row(query);
    if (found)
        read_token(query, &token);
    int rc = query_end(query);
    if (!rc && !found)
        rc = SP_ENOENT;
    if (!rc)
        *out = token;
    return rc;
}

/* Inside a transaction. */
static int check_room(struct store *store, int64_t user_id) {
    struct query query;
    int64_t count = 0;
    query_begin(&query, store, STATEMENT_TOKEN_COUNT, "SELECT count(*) FROM api_token WHERE user_id = ?");
    query_int(&query, user_id);
    if (query_row(&query))
        count = query_get_int(&query, 0);
    int rc = query_end(&query);
    return !rc && count >= STORE_TOKENS_MAX ? SP_ETOOBIG : rc;
}

static int insert(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE],
                  const struct api_token *token) {
    struct query query;
    query_begin(&query, store, STATEMENT_TOKEN_ADD,
                "INSERT INTO api_token (token_hash, user_id, fingerprint, label, created) VALUES (?, ?, ?, ?, ?)");
    query_blob(&query, token_hash, STORE_HASH_SIZE);
    query_int(&query, token->user_id);
    query_text(&query, token->fingerprint);
    query_text(&query, token->label);
    query_int(&query, token->created);
    return query_run(&query);
}

int store_token_add(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], int64_t user_id,
                    const char *label, int64_t now, struct api_token *out) {
    struct api_token token = {.user_id = user_id, .created = now};
    char hex[2 * FINGERPRINT_BYTES + 1];
    hex_encode(hex, token_hash, FINGERPRINT_BYTES);
    snprintf(token.fingerprint, sizeof(token.fingerprint), "API:%s", hex);
    if (str_copy(token.label, sizeof(token.label), label))
        return SP_EINVAL;
    int rc = transaction_begin(store);
    if (rc)
        return rc;
    rc = check_room(store, user_id);
    if (!rc)
        rc = insert(store, token_hash, &token);
    if (!rc)
        token.id = sqlite3_last_insert_rowid(store->db);
    rc = transaction_end(store, rc);
    if (!rc && out)
        *out = token;
    return rc;
}

int store_token_find(struct store *store, const uint8_t token_hash[static STORE_HASH_SIZE], struct api_token *out,
                     struct user *user) {
    struct api_token token;
    struct user owner;
    struct query query;
    query_begin(&query, store, STATEMENT_TOKEN_FIND, "SELECT " COLUMNS " FROM api_token WHERE token_hash = ?");
    query_blob(&query, token_hash, STORE_HASH_SIZE);
    int rc = read_one(&query, &token);
    if (!rc)
        rc = store_user_get(store, token.user_id, &owner);
    if (!rc && owner.disabled)
        rc = SP_EDENIED;
    if (rc)
        return rc;
    *out = token;
    *user = owner;
    return 0;
}

int store_token_get(struct store *store, const char *fingerprint, struct api_token *out) {
    struct query query;
    query_begin(&query, store, STATEMENT_TOKEN_GET, "SELECT " COLUMNS " FROM api_token WHERE fingerprint = ?");
    query_text(&query, fingerprint);
    return read_one(&query, out);
}

int store_token_touch(struct store *store, int64_t id, int64_t now) {
    struct query query;
    int rc = light_begin(store);
    if (rc)
        return rc;
    query_begin(&query, store, STATEMENT_TOKEN_TOUCH,
                "UPDATE api_token SET last_used = max(last_used, ?) WHERE id = ?");
    query_int(&query, now);
    query_int(&query, id);
    return light_end(store, query_run(&query));
}

int store_token_list(struct store *store, int64_t user_id, struct api_token **out, size_t *count) {
    struct rows rows = {.size = sizeof(struct api_token)};
    struct query query;
    struct api_token *token;
    void *items;
    query_begin(&query, store, STATEMENT_TOKEN_LIST,
                "SELECT " COLUMNS " FROM api_token WHERE ?1 = 0 OR user_id = ?1 ORDER BY id");
    query_int(&query, user_id);
    while (query_row(&query) && (token = rows_add(&rows, &query)))
        read_token(&query, token);
    int rc = rows_end(&rows, &query, &items, count);
    if (!rc)
        *out = items;
    return rc;
}

int store_token_remove(struct store *store, int64_t id) {
    struct query query;
    query_begin(&query, store, STATEMENT_TOKEN_REMOVE, "DELETE FROM api_token WHERE id = ?");
    query_int(&query, id);
    return query_run_changed(&query);
}
